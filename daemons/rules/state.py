"""What a check result does to a state: soft and hard, attempts, recoveries, alerts.

The one thing to know: rules answer with a `Move` and never touch a `Status`; the scheduler applies it.
"""

from msgspec import Struct

from daemons.model.check import CODE_NOT_STARTED, CODE_SIGNALLED, CODE_TIMEOUT
from daemons.model.status import CRITICAL, DOWN, HARD, OK, SOFT, UNKNOWN, UNREACHABLE, UP


class Move(Struct, frozen=True, gc=False):
    """Where a result leaves an object, and what is to be said about it."""

    state: int
    state_type: int
    attempt: int  # 1..max_attempts
    last_hard_state: int
    changed: bool  # the state differs from the one before
    hard_changed: bool  # the hard state differs from the one before: counts, notifies, handles
    alert: bool  # log a SERVICE ALERT or HOST ALERT line (see `logged`)
    recovery: bool  # a problem, soft or hard, is over
    retry: bool  # the next check comes after retry_interval
    alert_type: int  # state type of the alert line: SOFT for the end of a soft problem
    alert_attempt: int  # attempt of the alert line


# Nearly all results are "still good": one shared answer, nothing made.
_STILL_GOOD = Move(OK, HARD, 1, OK, False, False, False, False, False, HARD, 1)


def service_move(
    state: int,
    state_type: int,
    attempt: int,
    last_hard_state: int,
    new_state: int,
    max_attempts: int,
    *,
    volatile: bool,
    host_up: bool,
) -> Move:
    """Return the move of a service from its present state by a result `new_state` (0..3).

    Nagios Core docs, "State Types" and "Volatile Services". `host_up`: its host is UP, soft or hard. A
    problem on a host that is not UP is HARD at once; when the host is back and attempts are left, the
    problem is confirmed anew from SOFT, so that a recovery is told to whom the problem was told (as
    Naemon does; Nagios 4 leaves it HARD and its recovery silent).
    """
    if new_state == OK:
        if state == OK:
            return _STILL_GOOD
        return _service_recovery(state_type, attempt, last_hard_state, max_attempts)
    if state == OK:
        attempt = 1
    elif state_type == SOFT:
        attempt += 1
    attempt = min(attempt, max_attempts) if max_attempts > 1 else 1
    changed = new_state != state
    if host_up and attempt < max_attempts:
        return Move(
            new_state,
            SOFT,
            attempt,
            last_hard_state,
            changed,
            False,
            True,
            False,
            True,
            SOFT,
            attempt,
        )
    hard_changed = new_state != last_hard_state
    alert = hard_changed or volatile
    return Move(
        new_state,
        HARD,
        attempt,
        new_state,
        changed,
        hard_changed,
        alert,
        False,
        False,
        HARD,
        attempt,
    )


def _service_recovery(
    state_type: int, attempt: int, last_hard_state: int, max_attempts: int
) -> Move:
    """The move from a problem to OK: HARD when the problem had been hard, else SOFT."""
    if state_type == SOFT:
        attempt = min(attempt + 1, max(max_attempts, 1))  # the good result was an attempt too
        if last_hard_state == OK:
            return Move(OK, HARD, 1, OK, True, False, True, True, False, SOFT, attempt)
    return Move(OK, HARD, 1, OK, True, True, True, True, False, HARD, attempt)


def host_move(
    state: int,
    state_type: int,
    attempt: int,
    last_hard_state: int,
    new_state: int,
    max_attempts: int,
    *,
    hard_at_once: bool = False,
) -> Move:
    """Return the move of a host from its present state by `new_state` (UP, DOWN or UNREACHABLE).

    `new_state` is what `reach.reachability` made of the result. Nagios Core docs, "State Types". A hard
    problem stays hard until the host is UP. The end of a soft problem leaves UP in a SOFT state until
    the next result (both Nagios 4 and Naemon). `hard_at_once`: a passive result while
    passive_host_checks_are_soft is 0.
    """
    if new_state == UP:
        if state == UP:
            return _STILL_GOOD
        if state_type == SOFT and last_hard_state == UP:
            shown = min(attempt + 1, max(max_attempts, 1))  # the good result was an attempt too
            return Move(UP, SOFT, 1, UP, True, False, True, True, False, SOFT, shown)
        return Move(UP, HARD, 1, UP, True, True, True, True, False, HARD, 1)
    if state == UP:
        attempt = 1
    elif state_type == SOFT:
        attempt += 1
    attempt = min(attempt, max_attempts) if max_attempts > 1 else 1
    changed = new_state != state
    confirmed = hard_at_once or attempt >= max_attempts or (state != UP and state_type == HARD)
    if not confirmed:
        return Move(
            new_state,
            SOFT,
            attempt,
            last_hard_state,
            changed,
            False,
            True,
            False,
            True,
            SOFT,
            attempt,
        )
    hard_changed = new_state != last_hard_state
    return Move(
        new_state, HARD, attempt, new_state, changed, hard_changed, hard_changed, False, False, HARD,
        attempt,
    )  # fmt: skip


def logged(move: Move, log_retries: bool) -> bool:
    """Return whether `move` makes an alert line.

    `log_retries` is log_service_retries or log_host_retries: without it soft states are not logged
    (Nagios Core docs, "Main Configuration File Options").
    """
    return move.alert and (log_retries or move.alert_type == HARD)


def service_state(code: int, timeout_state: int = CRITICAL, *, passive: bool = False) -> int:
    """Return the service state 0..3 for an exit code or one of `CODE_*`.

    A plugin that left the range, is missing or not executable is CRITICAL, one that was killed is UNKNOWN,
    and so is a `passive` result out of range (Nagios Core 4.4, recorded). `timeout_state` is the main file's timeout_exit_status.
    """
    if 0 <= code <= 3:
        return code
    if code == CODE_TIMEOUT:
        return timeout_state if 0 <= timeout_state <= 3 else UNKNOWN
    return UNKNOWN if passive or code == CODE_SIGNALLED else CRITICAL


def host_state(code: int, aggressive: bool = False, timeout_state: int = CRITICAL) -> int:
    """Return UP or DOWN for an exit code or one of `CODE_*`.

    0 is UP, and so is WARNING unless `aggressive` (use_aggressive_host_checking); Nagios Core docs, "Host
    Checks". A run that timed out counts as exit code `timeout_state` (timeout_exit_status). Passive host
    results carry host states instead: see `passive_host_state`.
    """
    if code == CODE_TIMEOUT:
        code = timeout_state
    return UP if code == OK or (code == 1 and not aggressive) else DOWN


def passive_host_state(code: int, translate: bool = True) -> int:
    """Return the host state for the code of PROCESS_HOST_CHECK_RESULT (0 UP, 1 DOWN, 2 UNREACHABLE).

    With `translate` (translate_passive_host_checks) UNREACHABLE is ours to find (`reach.reachability`),
    so 2 is DOWN until then; without it the state stands as it was sent. Any other code is DOWN.
    """
    if code == 2 and not translate:
        return UNREACHABLE
    return UP if code == 0 else DOWN


_NOTHING_SENT = {
    True: "(No output returned from plugin)",  # of a service
    False: "(No output returned from host check)",
}
_NOTHING_SAID = "(No output on stdout) stderr:"
_WRONG_CODE = {
    126: "(Return code of 126 is out of bounds. Check if plugin is executable)",
    127: "(Return code of 127 is out of bounds. Check if plugin exists)",
}


def made_up_output(
    code: int, output: str, took_s: float, key: str, *, passive: bool = False
) -> str:
    """Return the output of a run: the plugin's own, or a text for one that gave none or left the range.

    `key` is the object's, `passive` a result that came to us. Texts as in Nagios Core 4.4; it forgets what a
    plugin said that left the range, here that follows in the next lines.
    """
    host, _, service = key.partition(";")
    if code == CODE_TIMEOUT:
        return f"({'Service' if service else 'Host'} check timed out after {took_s:.2f} seconds)"
    if code == CODE_SIGNALLED or 0 <= code <= 3 or (passive and output):
        return output or (_NOTHING_SENT[bool(service)] if passive else _NOTHING_SAID)
    if code == CODE_NOT_STARTED:
        return output or _WRONG_CODE[126]
    whose = f"service '{service}' on host '{host}'" if service else f"host '{host}'"
    first = _WRONG_CODE.get(code) or f"(Return code of {code} for {whose} was out of bounds)"
    return f"{first}\n{output}" if output else first
