"""One check result onto one status: state, times, alert line, and what follows from it.

The one thing to know: this is the hot path, entered for every check. Nearly all results say "still
fine", and they leave through the first return of `settle`; rules decide, this file only carries out.
"""

from msgspec import Struct
from msgspec.structs import replace

from daemons.model.clock import Now
from daemons.model.status import HARD, OK, UP, Status
from daemons.roles.shard.around import Around
from daemons.roles.shard.bookings import Bookings
from daemons.roles.shard.checks import Checks
from daemons.roles.shard.flaps import Flaps
from daemons.roles.shard.impacts import Impacts
from daemons.roles.shard.side import Side
from daemons.roles.shard.state import Item, ShardState
from daemons.roles.shard.tell import Teller
from daemons.rules import lines
from daemons.rules.booked import ack_after, begins_in_effect, comments_without_ack
from daemons.rules.output import split, told
from daemons.rules.reach import reachability
from daemons.rules.stalk import stalked
from daemons.rules.state import (
    Move,
    host_move,
    host_state,
    logged,
    made_up_output,
    passive_host_state,
    service_move,
    service_state,
)


class Heard(Struct, frozen=True, gc=False):
    """What a run, or somebody outside, said of an object."""

    code: int
    output: str
    started_wall: float
    took_s: float = 0.0
    passive: bool = False
    own: bool = False  # said by the scheduler itself, which may have nothing to say


class Consumer:
    """Applies results to one shard."""

    def __init__(
        self, state: ShardState, checks: Checks, teller: Teller, bookings: Bookings, flaps: Flaps,
        side: Side, impacts: Impacts,
    ) -> None:  # fmt: skip
        """`checks` schedules what comes next, `teller` tells people, `bookings` has the downtimes."""
        self._side = side
        self._impacts = impacts
        self._bookings = bookings
        self._flaps = flaps
        self._state = state
        self._checks = checks
        self._teller = teller
        self._around = Around(state, checks)

    def consume(self, item: Item, heard: Heard, now: Now) -> None:
        """Apply `heard` to `item`: status, log, notifications, event handler, next check."""
        status = item.status
        if item.traits.result_modulations:
            code = self._state.modulations.exit_code(item.traits, heard.code, now.wall)
            heard = replace(heard, code=code)
        move = self._host_move(item, heard) if item.is_host else self._service_move(item, heard)
        first = not status.checked
        before = status.output if item.traits.stalking_options else ""
        self._note_result(item, heard, now)
        was = status.state
        _note_times(status, move.state, heard.started_wall + heard.took_s)
        if not heard.passive or not (item.slot or item.ready or item.lent_to):
            self._checks.schedule(item, now, retry=move.retry)
        self._state.changed(item)
        if move.state == OK and was == OK and not move.alert and status.state_type == HARD:
            status.attempt, status.last_state = 1, OK
            if status.flap_history:
                self._flaps.after(item, now)
            if first:
                status.last_change_wall = status.last_hard_change_wall = now.wall
            if item.host is not None and item.host.status.state != UP:
                self._around.well_on_bad_host(item, now)
        else:
            self._settle(item, move, was, now)
        if item.traits.stalking_options:
            self._stalk(item, move, was, before, now)
        self._side.after(item, now)

    # -- what the rules say

    def _service_move(self, item: Item, heard: Heard) -> Move:
        status, traits, host = item.status, item.traits, item.host
        return service_move(
            status.state,
            status.state_type,
            status.attempt,
            status.last_hard_state,
            service_state(
                heard.code, self._state.globals.timeout_exit_status, passive=heard.passive
            ),
            traits.max_check_attempts,
            volatile=traits.is_volatile,
            host_up=host is None or host.status.state == UP or not traits.host_dependency_enabled,
        )

    def _host_move(self, item: Item, heard: Heard) -> Move:
        status, traits, settings = item.status, item.traits, self._state.globals
        translate = not heard.passive or settings.translate_passive_host_checks
        if heard.passive:
            said = passive_host_state(heard.code, translate)
        else:
            said = host_state(
                heard.code, settings.use_aggressive_host_checking, settings.timeout_exit_status
            )
        if said != UP and translate:
            parents = self._state.parents_of(item)
            said = reachability(said, [parent.status.state for parent in parents])
        soft = settings.passive_host_checks_are_soft
        return host_move(
            status.state,
            status.state_type,
            status.attempt,
            status.last_hard_state,
            said,
            traits.max_check_attempts,
            hard_at_once=heard.passive and not soft,
        )

    # -- carrying it out

    def _note_result(self, item: Item, heard: Heard, now: Now) -> None:
        status = item.status
        text = heard.output
        status.last_perfdata = status.perfdata
        if heard.code > 3 or (not text and not heard.own):
            text = made_up_output(heard.code, text, heard.took_s, item.key, passive=heard.passive)
        if text != status.output or status.perfdata or status.long_output:
            parts = split(text, self._state.globals.max_plugins_output_length)
            if parts.first != status.output:
                status.output = parts.first
            status.long_output = parts.long
            if parts.perfdata != status.perfdata:
                status.perfdata = parts.perfdata
        status.code = heard.code
        status.checked = True
        status.passive = heard.passive
        status.stale = False
        status.impact_state = -1
        status.took_s = heard.took_s
        status.last_check_wall = heard.started_wall + heard.took_s
        if not heard.passive and status.next_check_wall:
            status.latency_s = max(0.0, heard.started_wall - status.next_check_wall)

    def _settle(self, item: Item, move: Move, was: int, now: Now) -> None:
        """Everything but "still fine"."""
        status, state = item.status, self._state
        status.last_state = was
        status.state, status.state_type, status.attempt = move.state, move.state_type, move.attempt
        status.last_hard_state = move.last_hard_state
        if move.changed:
            status.last_change_wall = now.wall
            self._number_event(status, was)
        if move.hard_changed:
            self._note_hard_change(status, now)
            state.hard_changed[item.key] = None
            self._impacts.changed(item, now)
        if move.changed or move.hard_changed:
            status.next_notification_wall = 0.0
            status.no_more_notifications = False
            self._drop_ack(item, move)
        settings = state.globals
        retries = settings.log_host_retries if item.is_host else settings.log_service_retries
        if logged(move, retries):
            self._log_alert(item, move.alert_type, move.alert_attempt, now)
        self._teller.handle_event(item, move, now)
        self._flaps.after(item, now)
        if begins_in_effect(move) and status.downtimes:
            self._bookings.pass_time(item, now, problem=True)
        if move.state_type == HARD and move.state != OK:
            self._teller.problem(item, now)
        elif move.recovery and move.hard_changed:
            self._teller.recovery(item, now)
        if move.state == OK:
            _forget_problem(status)
            if item.is_host:  # its services were silent
                self._teller.reminders.wake(item, now)
        self._around.look(item, move, now)

    def _note_hard_change(self, status: Status, now: Now) -> None:
        status.hard_changes += 1
        status.last_hard_change_wall = now.wall
        status.problem_wall = now.wall if status.state != OK else 0.0
        if status.state != OK:
            status.began_wall = status.began_wall or now.wall

    def _drop_ack(self, item: Item, move: Move) -> None:
        status = item.status
        if status.ack is not None and ack_after(move, status.ack) is None:
            status.ack = None
            status.comments = comments_without_ack(status.comments)

    def _number_event(self, status: Status, was: int) -> None:
        """Number this change of state, and the problem that begins or ends with it, as Nagios does."""
        state = self._state
        shard = state.status
        status.last_event_id, status.event_id = status.event_id, state.number(shard.next_event_id)
        shard.next_event_id += 1
        if status.state == OK:
            status.last_problem_id, status.problem_id = status.problem_id, 0
        elif was == OK:
            status.last_problem_id = status.problem_id or status.last_problem_id
            status.problem_id = state.number(shard.next_problem_id)
            shard.next_problem_id += 1
        state.shard_changed()

    def _stalk(self, item: Item, move: Move, was: int, before: str, now: Now) -> None:
        """Log a result that no alert tells of, because its text is new."""
        settings, output = self._state.globals, item.status.output
        retries = settings.log_host_retries if item.is_host else settings.log_service_retries
        if not logged(move, retries) and stalked(
            item.traits, is_host=item.is_host, state=move.state, was=was, output=output,
            output_before=before,
        ):  # fmt: skip
            self._log_alert(item, item.status.state_type, item.status.attempt, now)

    def _log_alert(self, item: Item, state_type: int, attempt: int, now: Now) -> None:
        text = told(item.status.output)
        self._state.journal.log(
            lines.alert(item.key, item.status.state, state_type, attempt, text), now
        )


def _note_times(status: Status, state: int, wall: float) -> None:
    if state == OK:
        status.last_ok_wall = wall
    elif state == 1:
        status.last_warning_wall = wall
    elif state == 2:
        status.last_critical_wall = wall
    else:
        status.last_unknown_wall = wall


def _forget_problem(status: Status) -> None:
    status.problem_wall = status.began_wall = 0.0
    status.notification_number = 0
    status.last_notification_wall = 0.0
    status.next_notification_wall = 0.0
    status.no_more_notifications = False
    status.told = ()
