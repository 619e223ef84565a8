"""Whether others let a check run or a notification leave: switches, check_period, dependencies.

The one thing to know: a check that may not run keeps its schedule and is asked for again at its next time.
"""

from daemons.model.clock import Now, Wall
from daemons.model.objects import Key
from daemons.model.status import UP, Status
from daemons.roles.shard.state import Item, ShardState
from daemons.rules.depend import EXECUTION, NOTIFICATION, failing
from daemons.rules.timeperiod import covers


class Gate:
    """Asks the rules for one shard."""

    def __init__(self, state: ShardState) -> None:
        """Works on `state`; what a new configuration changes is read anew each time."""
        self._state = state

    def on(self, item: Item) -> bool:
        """Return whether active checks of `item` are switched on, or this one is forced."""
        if item.forced:
            return True
        settings, traits = self._state.globals, item.traits
        on = settings.execute_host_checks if item.is_host else settings.execute_service_checks
        return on and traits.active_checks_enabled

    def open(self, item: Item, now: Now) -> bool:
        """Return whether a check of `item` may run now: on, in its period, no dependency against it."""
        if item.forced:
            return True
        if not self.on(item) or self._host_is_down(item):
            return False
        state, period = self._state, item.traits.check_period
        if period and not covers(state.period(period), Wall(now.wall)):
            return False
        return item.key not in state.dependencies or not self._fails(item.key, EXECUTION, now)

    def silenced(self, item: Item, now: Now) -> bool:
        """Return whether a dependency of `item`, or of its host, forbids notifications now."""
        depending = self._state.dependencies
        if not depending:
            return False
        if item.key in depending and self._fails(item.key, NOTIFICATION, now):
            return True
        host = item.host
        return (
            host is not None
            and item.traits.host_dependency_enabled
            and host.key in depending
            and self._fails(host.key, NOTIFICATION, now)
        )

    def _host_is_down(self, item: Item) -> bool:
        """Whether host_down_disable_service_checks keeps a service's check back (Nagios Core 4 docs)."""
        return (
            self._state.globals.host_down_disable_service_checks
            and item.host is not None
            and item.host.status.state != UP
        )

    def _fails(self, key: Key, what: str, now: Now) -> bool:
        state = self._state
        failed = failing(
            key, what, state.dependencies, self._status, state.period, Wall(now.wall),
            soft=state.globals.soft_state_dependencies,
        )  # fmt: skip
        return failed is not None

    def _status(self, key: Key) -> Status | None:
        item = self._state.items.get(key)
        return item.status if item is not None else None
