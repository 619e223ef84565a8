"""Notifications and event handlers: whom to tell of what, once.

The one thing to know: every message has an id that depends only on its cause, so that whoever plans
it again, on whatever server, plans the same message; and it leaves only after the delta that holds it.
"""

from collections.abc import Iterable

from daemons.model.clock import Now, Wall
from daemons.model.objects import Way
from daemons.model.status import UP, Told
from daemons.roles.shard.command_lines import CommandLines
from daemons.roles.shard.outbox import Outbox, Planned
from daemons.roles.shard.state import Item, ShardState
from daemons.rules import lines
from daemons.rules.handlers import commands, wanted
from daemons.rules.notify import (
    ACKNOWLEDGEMENT,
    CUSTOM,
    DOWNTIME_CANCELLED,
    DOWNTIME_END,
    DOWNTIME_START,
    PROBLEM,
    RECOVERY,
    cause,
    contact_verdict,
    next_notification,
    notification_id,
    problem_verdict,
)
from daemons.rules.output import told as told_output
from daemons.rules.state import Move
from daemons.rules.template import split_command
from daemons.rules.timeperiod import covers

_BY_COMMAND = (ACKNOWLEDGEMENT, CUSTOM, DOWNTIME_START, DOWNTIME_END, DOWNTIME_CANCELLED)
HANDLER = "event handler"  # stands for the contact in an event handler's id


class Teller:
    """Plans the notifications and event handlers of one shard."""

    def __init__(self, state: ShardState, lines_: CommandLines, outbox: Outbox) -> None:
        """`outbox` keeps what is planned until it ran."""
        self._state = state
        self._lines = lines_
        self._outbox = outbox
        self.obeyed_before = False  # the command being obeyed was obeyed by another owner

    def problem(self, item: Item, now: Now) -> None:
        """Tell of a confirmed problem, for the first time or again, if the rules let it."""
        self._notify(item, PROBLEM, now)

    def recovery(self, item: Item, now: Now) -> None:
        """Tell those who were told of the problem that it is over."""
        self._notify(item, RECOVERY, now)

    def say(
        self, item: Item, kind: str, now: Now, *, by: str, author: str = "", comment: str = "",
        forced: bool = False,
    ) -> None:  # fmt: skip
        """Tell of an acknowledgement, a downtime or what a person wants told; `by`: what caused it."""
        self._notify(item, kind, now, by=by, author=author, comment=comment, forced=forced)

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
        for command in commands(traits, settings, is_host=item.is_host):
            self._plan_handler(item, command, move, now)

    def _plan_handler(self, item: Item, command: str, move: Move, now: Now) -> None:
        state, status = self._state, item.status
        run = self._lines.of_handler(item, command, now)
        if run is None:
            return
        # No time and nothing random: the run that was applied names the cause.
        reason = f"{status.hard_changes}.{status.applied_epoch}.{status.applied_seq}.{status.last_check_wall}"
        action_id = self._id(item, HANDLER, command, "handler", reason)
        if state.globals.log_event_handlers:
            name = split_command(command)[0]
            state.journal.log(
                lines.event_handler(
                    item.key, move.state, move.alert_type, move.alert_attempt, name
                ),
                now,
            )
        state.figures["handlers_planned"] += 1
        self._outbox.plan(
            Planned(
                id=action_id, kind="handler", object=item.key, command=run.line, env=run.env,
                timeout_s=state.globals.event_handler_timeout_s,
                reactionner_tag=run.reactionner_tag, planned_wall=now.wall, epoch=state.epoch,
            ),
            now,
        )  # fmt: skip

    # -- one notification

    def _notify(
        self, item: Item, kind: str, now: Now, *, by: str = "", author: str = "", comment: str = "",
        forced: bool = False,
    ) -> None:  # fmt: skip
        state, status, traits, host = self._state, item.status, item.traits, item.host
        verdict = problem_verdict(
            kind,
            status,
            traits,
            now.wall,
            is_host=item.is_host,
            enabled=state.globals.enable_notifications and traits.notifications_enabled,
            in_period=self._covers(traits.notification_period, now),
            host_up=host is None or host.status.state == UP,
            host_downtime=host is not None and host.status.downtime_depth > 0,
            forced=forced,
        )
        if not verdict.send:
            return
        if kind == PROBLEM:
            status.notification_number += 1
        reason = by or cause(status)
        sent = self._contacts(item, kind, reason, now, author, comment, forced)
        if kind != PROBLEM:
            return
        if not sent:
            status.notification_number -= 1
            return
        status.last_notification_wall = now.wall
        following = next_notification(now.wall, traits.notification_interval_s)
        status.next_notification_wall = following or 0.0
        status.no_more_notifications = following is None
        known = {t.contact for t in status.told}
        status.told += tuple(Told(c, now.wall) for c in sent if c not in known)
        state.changed(item)

    def _contacts(
        self, item: Item, kind: str, reason: str, now: Now, author: str, comment: str, forced: bool
    ) -> list[str]:
        """Plan one action for each contact, way and command that lets it. Returns the contacts told."""
        state, status = self._state, item.status
        told = {t.contact for t in status.told}
        sent: dict[str, None] = {}
        for name in item.traits.contacts:
            contact = state.contacts.get(name)
            if contact is None:
                continue
            switches = state.contact_status.get(name)
            for way in contact.ways:
                verdict = contact_verdict(
                    way,
                    kind,
                    status.state,
                    is_host=item.is_host,
                    business_impact=item.traits.business_impact,
                    in_period=self._covers(_period(way, item.is_host), now),
                    enabled=switches is None or _enabled(switches.modified, item.is_host),
                    told=name in told,
                    in_downtime=switches is not None
                    and any(d.in_effect for d in switches.downtimes),
                    forced=forced,
                )
                if not verdict.send:
                    continue
                for command in _commands(way, item.is_host):
                    if self._plan(item, name, way, command, kind, reason, now, author, comment):
                        sent[name] = None
        return list(sent)

    def _plan(
        self, item: Item, contact: str, way: Way, command: str, kind: str, reason: str, now: Now,
        author: str, comment: str,
    ) -> bool:  # fmt: skip
        state, status = self._state, item.status
        action_id = self._id(item, contact, command, kind, reason)
        if self._outbox.knows(action_id):
            return True
        run = self._lines.of_notification(
            item, state.contacts[contact], command, kind, now,
            action_id=action_id, author=author, comment=comment,
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
                    contact, item.key, kind, status.state, name, text, author, comment
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

    def _covers(self, period: str, now: Now) -> bool:
        return not period or covers(self._state.period(period), Wall(now.wall))


def _period(way: Way, is_host: bool) -> str:
    return way.host_notification_period if is_host else way.service_notification_period


def _commands(way: Way, is_host: bool) -> Iterable[str]:
    return way.host_notification_commands if is_host else way.service_notification_commands


def _enabled(modified: dict[str, str], is_host: bool) -> bool:
    name = "host_notifications_enabled" if is_host else "service_notifications_enabled"
    return modified.get(name, "1") == "1"
