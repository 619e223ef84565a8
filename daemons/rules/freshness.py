"""Whether a result is too old to be believed: freshness.

Nagios Core docs, "Service and Host Freshness Checks". The one thing to know: the age counts from the last
result or from when we began to watch, whichever is later; so an outage of ours makes nothing stale.
"""

from daemons.model.clock import Wall
from daemons.model.objects import Traits
from daemons.model.status import HARD, OK, Status


def threshold_s(status: Status, traits: Traits, additional_s: float) -> float:
    """Return how old the last result may be, in seconds; 0 = any age.

    freshness_threshold, or when that is 0 the interval to the next check (retry_interval while a problem
    is SOFT) + the latency of the last one + `additional_s` (additional_freshness_latency). Without
    either there is nothing to measure by.
    """
    if traits.freshness_threshold_s > 0:
        return traits.freshness_threshold_s
    settled = status.state_type == HARD or status.state == OK
    interval_s = traits.check_interval_s if settled else traits.retry_interval_s
    if traits.check_interval_s <= 0 or interval_s <= 0:
        return 0.0
    return interval_s + status.latency_s + additional_s


def watched(status: Status, traits: Traits, *, in_period: bool) -> bool:
    """Return whether the age of the last result means anything now.

    Not outside check_period, not when neither active nor passive results are wanted, not without a
    command that could be run, and not while the check that staleness called for is awaited.
    """
    return (
        traits.check_freshness
        and in_period
        and bool(traits.check_command)
        and (traits.active_checks_enabled or traits.passive_checks_enabled)
        and not status.stale
    )


def stale_s(status: Status, since_wall: Wall, threshold: float, now: Wall) -> float:
    """Return by how many seconds the last result is too old; 0 = it is fresh.

    `since_wall` is when watching began: start or take-over of the shard, opening of check_period, or
    switching on; `threshold` as `threshold_s` says.
    """
    if threshold <= 0:
        return 0.0
    return max(0.0, now - max(status.last_check_wall, since_wall) - threshold)
