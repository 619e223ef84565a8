"""Notifications and event handlers: whom to tell of what, once.

The one thing to know: every message has an id that depends only on its cause, so that whoever plans
it again, on whatever server, plans the same message; and it leaves only after the delta that holds it.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct

from daemons.model.clock import Now
from daemons.model.objects import Contact, Way
from daemons.model.status import OK, UP, Told
from daemons.roles.shard.command_lines import CommandLines
from daemons.roles.shard.gate import Gate
from daemons.roles.shard.outbox import Outbox, Planned
from daemons.roles.shard.recipients import Chosen, Recipients
from daemons.roles.shard.recipients import commands as commands_of
from daemons.roles.shard.reminders import Reminders
from daemons.roles.shard.state import Item, ShardState
from daemons.rules import lines
from daemons.rules.handlers import Handler, to_run, wanted
from daemons.rules.notify import (
    ACKNOWLEDGEMENT,
    CUSTOM,
    DOWNTIME_CANCELLED,
    DOWNTIME_END,
    DOWNTIME_START,
    PROBLEM,
    RECOVERY,
    Reason,
    cause,
    notification_id,
    problem_verdict,
)
from daemons.rules.output import told as told_output
from daemons.rules.state import Move
from daemons.rules.template import split_command

_BY_COMMAND = (ACKNOWLEDGEMENT, CUSTOM, DOWNTIME_START, DOWNTIME_END, DOWNTIME_CANCELLED)
TELLS = 40  # notifications that reminders plan in one tick; with environment macros each takes milliseconds
HANDLER = "event handler"  # stands for the contact in an event handler's id


class Note(Struct, frozen=True):
    """What is told: `cause` goes into the id, `author` and `comment` are those of a person."""

    kind: str
    cause: str
    author: str
    comment: str


class Shown(Struct, frozen=True):
    """The state that an event handler's log line shows."""

    state: int
    state_type: int
    attempt: int


class Teller:
    """Plans the notifications and event handlers of one shard."""

    def __init__(
        self, state: ShardState, lines_: CommandLines, outbox: Outbox, gate: Gate,
        taken_care_of: Callable[[Item], bool],
    ) -> None:  # fmt: skip
        """`outbox` keeps what is planned until it ran; `gate` knows what dependencies silence.

        `taken_care_of` says whether all problems under an object's business rule are acknowledged.
        """
        self._gate = gate
        self._taken_care_of = taken_care_of
        self._state = state
        self._lines = lines_
        self._outbox = outbox
        self.obeyed_before = False  # the command being obeyed was obeyed by another owner
        self.recipients = Recipients(state)
        self.reminders = Reminders(state)

    def problem(self, item: Item, now: Now) -> None:
        """Tell of a confirmed problem, for the first time or again, if the rules let it."""
        self.reminders.note(item, self._notify(item, PROBLEM, now), now)

    def remind(self, now: Now) -> None:
        """Tell of the problems whose time has come without a result: TELLS in one tick, or a beat comes late."""
        figures = self._state.figures
        enough = figures["notifications_planned"] + TELLS
        for item in self.reminders.due(now):
            if not self.reminders.waits(item, now):
                self.reminders.note(item, self._notify(item, PROBLEM, now, reminder=True), now)
            if figures["notifications_planned"] >= enough:
                return

    def recovery(self, item: Item, now: Now) -> None:
        """Tell those who were told of the problem that it is over."""
        self._notify(item, RECOVERY, now)

    def say(
        self, item: Item, kind: str, now: Now, *, by: str, author: str = "", comment: str = "",
        forced: bool = False, broadcast: bool = False, increment: bool = False,
    ) -> None:  # fmt: skip
        """Tell of an acknowledgement, a downtime or what a person wants told; `by`: what caused it.

        `forced`: whatever the filters say; `broadcast`: to the contacts of all escalations too; `increment`: it
        counts as a notification of the problem (options 2, 1 and 4 of SEND_CUSTOM_*_NOTIFICATION).
        """
        self._notify(
            item, kind, now, by=by, author=author, comment=comment, forced=forced,
            broadcast=broadcast, increment=increment,
        )  # fmt: skip

    def handle_event(self, item: Item, move: Move, now: Now) -> None:
        """Plan the event handler for a soft problem, a hard change or a recovery."""
        if not move.alert:
            return
        state, traits, status = self._state, item.traits, item.status
        settings = state.globals
        host = item.host
        if not wanted(
            move,
            enabled=settings.enable_event_handlers and traits.event_handler_enabled,
            in_downtime=status.downtime_depth > 0
            or (host is not None and host.status.downtime_depth > 0),
            not_in_downtimes=settings.no_event_handlers_during_downtimes,
        ):
            return
        # No time and nothing random: the run that was applied names the cause.
        reason = (
            f"{status.hard_changes}.{status.applied_epoch}.{status.applied_seq}.{status.last_check_wall}"
            f".{move.state}.{move.alert_attempt}"  # passive results may come several in a second
        )
        shown = Shown(move.state, move.alert_type, move.alert_attempt)
        for handler in to_run(traits, settings, is_host=item.is_host):
            self._plan_handler(item, handler, shown, reason, now)

    def launch_handlers(self, item: Item, now: Now, *, by: str) -> bool:
        """Plan the event handlers of `item` whatever is switched off: LAUNCH_*_EVENT_HANDLER, `by` its id.

        Return whether it has any.
        """
        status = item.status
        shown = Shown(status.state, status.state_type, status.attempt)
        handlers = to_run(item.traits, self._state.globals, is_host=item.is_host)
        for handler in handlers:
            self._plan_handler(item, handler, shown, by, now)
        return bool(handlers)

    def _plan_handler(
        self, item: Item, handler: Handler, shown: "Shown", reason: str, now: Now
    ) -> None:
        state = self._state
        run = self._lines.of_handler(item, handler.command, now)
        if run is None:
            return
        action_id = self._id(item, HANDLER, handler.command, "handler", reason)
        if self._outbox.knows(action_id):
            return
        if state.globals.log_event_handlers:
            name = split_command(handler.command)[0]
            state.journal.log(
                lines.event_handler(
                    item.key, shown.state, shown.state_type, shown.attempt, name,
                    everyones=handler.everyones,
                ),
                now,
            )  # fmt: skip
        state.figures["handlers_planned"] += 1
        self._outbox.plan(
            Planned(
                id=action_id, kind="handler", object=item.key, command=run.line, env=run.env,
                timeout_s=run.timeout_s, reactionner_tag=run.reactionner_tag, planned_wall=now.wall,
                epoch=state.epoch,
            ),
            now,
        )  # fmt: skip

    # -- one notification

    def _notify(
        self, item: Item, kind: str, now: Now, *, by: str = "", author: str = "", comment: str = "",
        forced: bool = False, broadcast: bool = False, increment: bool = False, reminder: bool = False,
    ) -> Reason:  # fmt: skip
        state, status, traits, host = self._state, item.status, item.traits, item.host
        verdict = problem_verdict(
            kind,
            status,
            traits,
            now.wall,
            is_host=item.is_host,
            enabled=state.globals.enable_notifications and traits.notifications_enabled,
            in_period=self.recipients.in_period(traits.notification_period, now.wall),
            host_up=host is None or host.status.state == UP or not traits.host_dependency_enabled,
            host_downtime=host is not None and host.status.downtime_depth > 0,
            forced=forced,
            reminder=reminder,
            depends=self._gate.silenced(item, now),
            taken_care_of=traits.business is not None and self._taken_care_of(item),
        )
        if not verdict.send:
            return verdict.why
        counts = kind == PROBLEM or increment
        status.notification_number += counts
        note = Note(kind, by or cause(status), author, comment)
        chosen = self.recipients.choose(item, kind, now, forced=forced, broadcast=broadcast)
        sent = self._tell(item, note, chosen, now)
        if not sent:
            status.notification_number -= counts
            return Reason.NOBODY if chosen.others_later else Reason.UNWANTED
        if counts:
            self._note_told(item, sent, now)
        if kind == PROBLEM:
            self._note_next(item, now)
        return Reason.SENT

    def _note_told(self, item: Item, sent: Iterable[str], now: Now) -> None:
        """Keep who hears of the recovery, and what the next notification's number follows."""
        status = item.status
        known = {t.contact for t in status.told}
        if status.state != OK:
            status.told += tuple(Told(c, now.wall) for c in sent if c not in known)
            status.last_notification_wall = now.wall
        self._state.changed(item)

    def _note_next(self, item: Item, now: Now) -> None:
        status = item.status
        following = self.recipients.following(item, now)
        status.next_notification_wall = following or 0.0
        status.no_more_notifications = following is None

    def _tell(self, item: Item, note: "Note", chosen: Chosen, now: Now) -> list[str]:
        """Plan one action for each contact, way and command. Returns the contacts told."""
        sent: dict[str, None] = {}
        for contact, way in chosen.ways:
            for command in commands_of(way, item.is_host):
                if self._plan(item, contact, way, command, note, chosen, now):
                    sent[contact.name] = None
        return list(sent)

    def _plan(
        self, item: Item, contact: Contact, way: Way, command: str, note: "Note", chosen: Chosen, now: Now
    ) -> bool:  # fmt: skip
        state, status, kind = self._state, item.status, note.kind
        action_id = self._id(item, contact.name, command, kind, note.cause)
        if self._outbox.knows(action_id):
            return True
        run = self._lines.of_notification(
            item, contact, command, kind, now, action_id=action_id, author=note.author,
            comment=note.comment, recipients=chosen.names, escalated=chosen.escalated,
        )  # fmt: skip
        if run is None:
            return False
        tagged = state.degraded or self._outbox.doubtful(item.key)
        if kind in _BY_COMMAND:  # no check of the object tells whether its id is new
            tagged = tagged or self.obeyed_before or now.mono < self._outbox.unsure_mono
        if state.globals.log_notifications:
            text = told_output(status.output)
            if tagged:
                text = f"{text} (possible duplicate)"
            name = split_command(command)[0]
            state.journal.log(
                lines.notification(
                    contact.name, item.key, kind, status.state, name, text, note.author, note.comment
                ),
                now,
            )
        state.figures["notifications_planned"] += 1
        self._outbox.plan(
            Planned(
                id=action_id, kind="notification", object=item.key, command=run.line,
                tagged_command=run.tagged_line, env=run.env,
                timeout_s=run.timeout_s, reactionner_tag=run.reactionner_tag, tagged=tagged,
                planned_wall=now.wall, epoch=state.epoch,
                once=(way.on_ambiguous or state.globals.settings.get("on_ambiguous")) == "skip",
            ),
            now,
        )  # fmt: skip
        return True

    def _id(self, item: Item, contact: str, command: str, kind: str, reason: str) -> str:
        state = self._state
        lineage = item.status.lineage
        if "notification-ids" in state.without:
            lineage = f"{lineage}.{state.epoch}"  # tests: a new owner would tell everything twice
        return notification_id(state.body.cluster, lineage, contact, command, kind, reason)
