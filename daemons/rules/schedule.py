"""When a host or service is checked: spread at the start, then on its own phase for ever.

The one thing to know: a check is due at `previous due time + n * interval`, never at `now + interval`. So
late results, failovers and busy pollers do not bunch checks together.
"""

import math
from hashlib import sha256

from daemons.model.clock import Wall
from daemons.model.objects import Traits
from daemons.rules.timeperiod import Period, next_start

_PHASE = 0.6180339887498949  # golden ratio: consecutive indexes land far apart, any number of them evenly


def interval_s(traits: Traits, *, retry: bool) -> float:
    """Return the seconds to the next check; 0 = not on a schedule.

    `retry`: while a problem is SOFT; a retry_interval of 0 (Shinken's default for hosts) stands for
    check_interval, so that a problem is confirmed at all.
    """
    return (retry and traits.retry_interval_s) or traits.check_interval_s


def first_check(
    index: int, interval_s: float, spread_s: float, now: Wall, period: Period | None = None
) -> Wall | None:
    """Return when object number `index` of a shard is checked first.

    The objects are spread evenly over min(`interval_s`, `spread_s`) from `now` (max_service_check_spread,
    max_host_check_spread), then moved into `period`. None: its period never comes.
    """
    window_s = min(interval_s, spread_s) if interval_s > 0 else spread_s
    due = Wall(now + (index * _PHASE) % 1.0 * max(window_s, 0.0))
    return due if period is None else next_start(period, due)


def phase(key: str) -> int:
    """Return an index for `first_check` out of an object's key: the same on every server."""
    return int.from_bytes(sha256(key.encode()).digest()[:4], "big")


def next_check(
    last_due: Wall, interval_s: float, now: Wall, period: Period | None = None
) -> Wall | None:
    """Return when the check after the one due at `last_due` is due, or None for never.

    `interval_s` is check_interval or, for a move with `retry`, retry_interval; 0 = not on a schedule.
    On the phase of `last_due`, after `now`, and inside `period` (None = always): where the phase
    falls outside, the period's start plus the phase's rest, so that a night's checks do not all
    come in the first second of the morning.
    """
    if interval_s <= 0:
        return None
    due = last_due + interval_s
    if due <= now:
        due += math.floor((now - due) / interval_s + 1) * interval_s
        if due <= now:  # float dust
            due += interval_s
    if period is None or period.always:
        return Wall(due)
    start = next_start(period, Wall(due))
    if start is None or start == due:
        return start
    spread = start + (due - start) % interval_s
    again = next_start(period, Wall(spread))
    return again if again == spread else start


def cached(last_check: Wall, horizon_s: float, now: Wall) -> bool:
    """Return whether the last result is young enough to stand for a check on demand.

    `horizon_s` is cached_host_check_horizon or cached_service_check_horizon; 0 = never. Nagios Core docs,
    "Cached Checks". Scheduled and forced checks do not ask.
    """
    return 0.0 <= now - last_check < horizon_s
