"""Results that are too old make their check run.

The one thing to know: how long we have watched an object is in memory only, on purpose. A new owner of the
shard begins to watch anew, so that nothing is stale because we were away.
"""

from daemons.model.clock import Now, Wall
from daemons.model.objects import Key
from daemons.roles.shard.checks import Checks
from daemons.roles.shard.state import Item, ShardState
from daemons.rules import lines
from daemons.rules.freshness import stale_s, threshold_s, watched
from daemons.rules.timeperiod import covers

LEAST_S = 1.0  # between two looks, whatever the main file says
JUMP_S = 30.0  # a wall clock that was set by more makes nothing stale


class FreshnessWatch:
    """Looks at the age of one shard's results every *_freshness_check_interval."""

    def __init__(self, state: ShardState, checks: Checks, now: Now) -> None:
        """Begin to watch `now`."""
        self._state = state
        self._checks = checks
        self._ahead_s = now.wall - now.mono
        self._since: dict[Key, float] = {}  # wall time since when an object is watched
        self._next_mono: dict[bool, float] = {True: now.mono, False: now.mono}  # of hosts?

    def tick(self, now: Now) -> None:
        """Look, when it is time."""
        ahead_s = now.wall - now.mono
        if abs(ahead_s - self._ahead_s) > JUMP_S:
            self._since.clear()
        self._ahead_s = ahead_s
        settings = self._state.globals
        if now.mono >= self._next_mono[False]:
            self._next_mono[False] = now.mono + max(
                settings.service_freshness_check_interval_s, LEAST_S
            )
            self._look(settings.check_service_freshness, now, hosts=False)
        if now.mono >= self._next_mono[True]:
            self._next_mono[True] = now.mono + max(
                settings.host_freshness_check_interval_s, LEAST_S
            )
            self._look(settings.check_host_freshness, now, hosts=True)

    def _look(self, enabled: bool, now: Now, *, hosts: bool) -> None:
        items: list[Item] = []
        if enabled:
            items = [
                item for item in self._state.items.values()
                if item.traits.check_freshness and item.is_host == hosts
            ]  # fmt: skip
        if not items and not self._since:
            return
        since = {key: wall for key, wall in self._since.items() if (";" in key) == hosts}
        for item in items:
            status, traits = item.status, item.traits
            in_period = not traits.check_period or covers(
                self._state.period(traits.check_period), Wall(now.wall)
            )
            if not watched(status, traits, in_period=in_period):
                continue
            began = since[item.key] = self._since.get(item.key, now.wall)
            if item.lent_to or item.ready:
                continue  # it is being checked
            limit_s = threshold_s(
                status, traits, self._state.globals.additional_freshness_latency_s
            )
            by_s = stale_s(status, Wall(began), limit_s, Wall(now.wall))
            if by_s > 0:
                self._force(item, by_s, limit_s, now)
        self._since = since

    def _force(self, item: Item, by_s: float, limit_s: float, now: Now) -> None:
        self._state.journal.log(lines.stale(item.key, by_s, limit_s), now)
        item.status.stale = True
        self._checks.check_at(item, now.wall, now, forced=True)
        self._state.changed(item)
