"""What follows when a setting of a host or service changes at run time.

The one thing to know: a change is kept as a modified attribute *with its value*, in the status it belongs to, so
that it survives restarts and failovers and wins over the configuration.
"""

from daemons.model.clock import Now, Wall
from daemons.model.status import HARD, OK, SOFT
from daemons.roles.shard.checks import GOLDEN
from daemons.roles.shard.obeying.given import Given, Parts
from daemons.roles.shard.state import Item
from daemons.rules.schedule import interval_s, phase
from daemons.rules.timeperiod import covers

_SCHEDULE = ("check_interval_s", "retry_interval_s", "check_period", "check_command")


def put_modified(given: Given, item: Item, modified: dict[str, str]) -> None:
    """Have `modified` be what is changed of `item`; what that means for its checks and flapping follows."""
    status, parts = item.status, given.parts
    before = status.modified
    changed = {name for name in before.keys() | modified.keys() if before.get(name) != modified.get(name)}
    status.modified = modified
    given.state.refresh(item)
    if "flap_detection_enabled" in changed:
        parts.flaps.switched(item, given.now)
    if "max_check_attempts" in changed:
        _fit_attempt(item)
    if not changed.isdisjoint(_SCHEDULE):
        _schedule_anew(parts, item, given.now)
    given.state.changed(item)


def _fit_attempt(item: Item) -> None:
    """Never count further than the new number of attempts; a confirmed problem has used all of them."""
    status, most = item.status, item.traits.max_check_attempts
    if status.state_type == HARD and status.state != OK and status.attempt > 1:
        status.attempt = most
    status.attempt = min(status.attempt, most)


def _schedule_anew(parts: Parts, item: Item, now: Now) -> None:
    """See that the next check is due as the settings of now say.

    One that is due earlier than the new interval stays; one that is under way is followed by its next.
    """
    if item.lent_to or item.ready or item.forced:
        return
    status, traits = item.status, item.traits
    retry = status.state_type == SOFT and status.state != OK
    every_s = interval_s(traits, retry=retry)
    due = status.next_check_wall
    if not traits.check_command or every_s <= 0:
        status.next_check_wall, item.slot = 0.0, 0
        return
    period = parts.state.period(traits.check_period)
    if now.wall < due <= now.wall + every_s and item.slot and covers(period, Wall(due)):
        return
    if not due and covers(period, now.wall):
        parts.checks.check_at(item, now.wall, now, forced=False)
        return
    share = (phase(item.key) * GOLDEN) % 1.0  # many that are changed at once do not bunch
    status.next_check_wall = now.wall - share * every_s
    parts.checks.schedule(item, now, retry=retry)
