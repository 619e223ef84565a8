"""Checks on demand: what a result says about others, and what it may have its cause in.

The one thing to know: a check on demand is an ordinary check ahead of its time, so switches, periods and
dependencies hold for it; a result younger than the cached check horizon stands for it.
"""

from daemons.model.clock import Now, Wall
from daemons.model.status import OK, UP
from daemons.roles.shard.checks import Checks
from daemons.roles.shard.state import Item, ShardState
from daemons.rules.depend import asked_first
from daemons.rules.schedule import cached
from daemons.rules.state import Move

AGAIN_S = 15.0  # a host that is not UP is asked for so often because its services are well


class Around:
    """Looks around in one shard."""

    def __init__(self, state: ShardState, checks: Checks) -> None:
        """`checks` runs what is asked for."""
        self._state = state
        self._checks = checks

    def look(self, item: Item, move: Move, now: Now) -> None:
        """Check what `move` may have its cause in, or may have changed with it."""
        if item.is_host:
            if move.changed:
                self._parents_and_children(item, move, now)
        else:
            self._host_of(item, move, now)
        if move.state != OK and (move.changed or move.retry) and item.key in self._state.dependencies:
            self._masters(item, now)

    def well_on_bad_host(self, item: Item, now: Now) -> None:
        """A service is OK while its host is not UP: the host may be back."""
        host, settings = item.host, self._state.globals
        if host is None or not item.traits.host_dependency_enabled:
            return
        horizon_s = max(AGAIN_S, settings.cached_host_check_horizon_s)
        if settings.use_aggressive_host_checking:
            horizon_s = settings.cached_host_check_horizon_s
        self._ask(host, horizon_s, now)

    # -- inside

    def _host_of(self, item: Item, move: Move, now: Now) -> None:
        host, settings = item.host, self._state.globals
        if host is None or not item.traits.host_dependency_enabled:
            return
        if move.state == OK:
            if host.status.state != UP:
                self.well_on_bad_host(item, now)
        elif move.changed or settings.use_aggressive_host_checking:
            self._ask(host, settings.cached_host_check_horizon_s, now)

    def _parents_and_children(self, item: Item, move: Move, now: Now) -> None:
        state = self._state
        if move.state != UP:
            for parent in state.parents_of(item):
                if parent.status.state == UP:
                    self._ask(parent, state.globals.cached_host_check_horizon_s, now)
        for name in state.children.get(item.key, ()):
            child = state.items.get(name)
            # What it was before its parent changed says nothing: no horizon.
            if child is not None and (child.status.state != UP or move.state != UP):
                self._checks.check_at(child, now.wall, now, forced=False)

    def _masters(self, item: Item, now: Now) -> None:
        """Predictive dependency checks: is it what `item` depends on?"""
        state = self._state
        settings = state.globals
        wanted = (
            settings.enable_predictive_host_dependency_checks
            if item.is_host
            else settings.enable_predictive_service_dependency_checks
        )
        if not wanted:
            return
        for key in asked_first(item.key, state.dependencies):
            master = state.items.get(key)
            if master is not None:
                horizon_s = (
                    settings.cached_host_check_horizon_s
                    if master.is_host
                    else settings.cached_service_check_horizon_s
                )
                self._ask(master, horizon_s, now)

    def _ask(self, item: Item, horizon_s: float, now: Now) -> None:
        if not cached(Wall(item.status.last_check_wall), horizon_s, Wall(now.wall)):
            self._checks.check_at(item, now.wall, now, forced=False)
