"""Whether a host or service changes its state too often to be told of.

Nagios Core docs, "Detection and Handling of State Flapping": the last 21 states hold 20 places for a change; a
change counts from 0.75 at the oldest to 1.25 at the newest (what Nagios 4 computes; the text says 0.8
to 1.2), and the sum is the percentage of 20. The one thing to know: `()` stands for 21 good states.
"""

from msgspec import Struct

from daemons.model.objects import Globals, Traits
from daemons.model.status import OK, SOFT

STATES_MAX = 21
_PLACES = STATES_MAX - 1
_WEIGHTS = tuple((0.75 + place * 0.5 / (_PLACES - 1)) * 100 / _PLACES for place in range(_PLACES))

STARTED, STOPPED, NONE = "STARTED", "STOPPED", ""


class Flap(Struct, frozen=True, gc=False):
    """The flapping half of a status after a result."""

    history: tuple[int, ...]  # oldest first, 21 states or () for none but good ones
    percent: float
    flapping: bool
    event: str = NONE  # STARTED or STOPPED when it just did
    threshold: float = 0.0  # percent; the one that was crossed, for the log line


_STEADY = Flap((), 0.0, False)


def after_result(
    history: tuple[int, ...],
    percent: float,
    flapping: bool,
    state: int,
    *,
    low: float,
    high: float,
    enabled: bool = True,
    records: bool = True,
) -> Flap:
    """Return the history with `state` in it, the new percentage, and whether flapping starts or ends.

    It starts at `high` percent and more and ends under `low`. `enabled`: flap detection, globally and of the
    object; without it the history goes on and nothing starts or ends. `records`: see `recorded`; False also
    when flap detection was just enabled, to judge what is known.
    """
    if records:
        if not history and state == OK and not flapping:
            return _STEADY
        history = (*(history or (OK,) * STATES_MAX), state)[-STATES_MAX:]
        percent = change_percent(history)
        if percent == 0.0 and state == OK:
            history = ()
    if enabled:
        if flapping and percent < low:
            return Flap(history, percent, False, STOPPED, low)
        if not flapping and percent >= high:
            return Flap(history, percent, True, STARTED, high)
    return Flap(history, percent, flapping)


def change_percent(history: tuple[int, ...]) -> float:
    """Return the weighted percentage 0..100 of changes in a history of 21 states."""
    total = 0.0
    offset = _PLACES - (len(history) - 1)  # a shorter history is the newest part of one
    for place in range(len(history) - 1):
        if history[place] != history[place + 1]:
            total += _WEIGHTS[place + offset]
    return total


def recorded(state: int, state_type: int, options: tuple[str, ...], *, is_host: bool) -> bool:
    """Return whether a state goes into the history.

    Soft problems of services do not (their soft recoveries and all states of hosts do), nor do states that
    flap_detection_options leaves out; no options = all.
    """
    if not is_host and state_type == SOFT and state != OK:
        return False
    if not options:
        return True
    letters = ("o", "d", "u") if is_host else ("o", "w", "c", "u")
    return (letters[state] if 0 <= state < len(letters) else letters[-1]) in options


def thresholds(traits: Traits, settings: Globals, *, is_host: bool) -> tuple[float, float]:
    """Return (low, high) percent: the object's own, or the global ones where it has none (0 or less)."""
    if is_host:
        low, high = settings.low_host_flap_threshold, settings.high_host_flap_threshold
    else:
        low, high = settings.low_service_flap_threshold, settings.high_service_flap_threshold
    return (
        traits.low_flap_threshold if traits.low_flap_threshold > 0 else low,
        traits.high_flap_threshold if traits.high_flap_threshold > 0 else high,
    )
