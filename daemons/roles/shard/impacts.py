"""Problems and impacts of one shard, kept in the statuses for front ends and for the filters of notifications.

The one thing to know: it follows the hard states one change at a time, and looks only at what hangs on the
object that has changed. The impacts of a problem are not in its status: a router may have ten thousand.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from daemons.model.clock import Now, Wall
from daemons.model.objects import Host, Key
from daemons.model.status import OK
from daemons.roles.shard.rule_trees import Rules
from daemons.roles.shard.state import Item, ShardState
from daemons.rules.business import bad_in
from daemons.rules.depend import NOTIFICATION, failing
from daemons.rules.impact import Links, causes, hidden_state, raised, sources

AGAIN_S = 60.0  # what time periods change is found within so long
JUDGED_MAX = (
    100  # times that one object is looked at for one change: circles of several kinds of links end
)


class Impacts:
    """Follows the problems of one shard."""

    def __init__(self, state: ShardState, rules: Rules, now: Now) -> None:
        """Find the problems that there are."""
        self._state = state
        self._rules = rules
        self.begin(now)

    def begin(self, now: Now) -> None:
        """Find problems and impacts anew: the shard was taken up, or its configuration has changed."""
        state = self._state
        self._seen_changes = state.dependency_changes
        self._of: dict[Key, set[Key]] = {}  # impacts by problem
        self._dependents: dict[Key, list[Key]] = {}
        for key, dependencies in state.dependencies.items():
            for dependency in dependencies:
                self._dependents.setdefault(dependency.on, []).append(key)
        timed = any(d.period for found in state.dependencies.values() for d in found)
        self._timed = timed or bool(state.body.impact_modulations)
        self._again_mono = now.mono + AGAIN_S
        marked = []
        for item in state.items.values():
            status = item.status
            for source in status.source_problems:
                self._of.setdefault(source, set()).add(item.key)
            if (
                status.last_hard_state != OK
                or status.is_problem
                or status.source_problems
                or status.business_impact >= 0
            ):
                marked.append(item.key)
        self._follow(marked, now)

    def changed(self, item: Item, now: Now) -> None:
        """Follow a change of the hard state of `item`."""
        self._follow((item.key,), now)

    def tick(self, now: Now) -> None:
        """Follow what time periods change, once a minute, and what commands do to dependencies."""
        if self._seen_changes != self._state.dependency_changes:
            self.begin(now)
        elif self._timed and now.mono >= self._again_mono:
            self._again_mono = now.mono + AGAIN_S
            self._follow((*self._of, *self._state.dependencies), now)

    def of(self, key: Key) -> frozenset[Key]:
        """Return the impacts of the problem `key`."""
        return frozenset(self._of.get(key, ()))

    # -- inside

    def _follow(self, changed: Iterable[Key], now: Now) -> None:
        """Work out anew what these objects and those that hang on them suffer from, and on, while it changes."""
        waiting = deque(changed)
        queued = set(waiting)

        def add_below(key: Key) -> None:
            for other in self._below(key):
                if other not in queued:
                    queued.add(other)
                    waiting.append(other)

        for key in tuple(waiting):
            add_below(key)
        judged: dict[Key, int] = {}
        problems: set[Key] = set()
        while waiting:
            key = waiting.popleft()
            queued.discard(key)
            item = self._state.items.get(key)
            judged[key] = judged.get(key, 0) + 1
            if item is None or judged[key] > JUDGED_MAX:
                continue
            before = {*item.status.source_problems}
            if self._judge(item, now.wall):
                add_below(key)
                problems.update(before ^ {*item.status.source_problems})
            if item.status.is_problem or item.status.business_impact >= 0 or key in self._of:
                problems.add(key)
        for key in problems:
            self._weigh(key, now.wall)

    def _below(self, key: Key) -> Iterator[Key]:
        state = self._state
        yield from self._rules.above(key)
        yield from self._dependents.get(key, ())
        if ";" not in key:
            yield from state.service_keys.get(key, ())
            yield from state.children.get(key, ())

    def _judge(self, item: Item, wall: Wall) -> bool:
        """Note what `item` suffers from; return whether that is new for those that hang on it."""
        status, key = item.status, item.key
        bad = self._is_bad(key)
        found = sources(
            key,
            causes(self._links(item, wall), bad=bad, is_bad=self._is_bad, is_lost=self._is_lost),
            sources_of=self._sources_of,
            is_problem=self._is_problem,
        )
        before = status.source_problems
        if found == before and status.is_problem == (bad and not found):
            return False
        for source in {*before} - {*found}:
            self._of.get(source, set()).discard(key)
        for source in found:
            self._of.setdefault(source, set()).add(key)
        status.source_problems, status.is_problem = found, bad and not found
        self._hide(item, hidden=bool(found), was=bool(before))
        self._state.changed(item)
        return True

    def _hide(self, item: Item, *, hidden: bool, was: bool) -> None:
        """Show an impact as one until its next result; a rule knows its state and shows it."""
        status = item.status
        if not hidden:
            status.impact_state = -1
        elif (
            not was
            and self._state.globals.enable_problem_impacts_states_change
            and self._rules.tree(item.key) is None
        ):
            status.impact_state = hidden_state(is_host=item.is_host)

    def _weigh(self, key: Key, wall: Wall) -> None:
        """Give a problem at least the business impact of its highest impact."""
        item = self._state.items.get(key)
        impacts = self._of.get(key, set())
        if not impacts:
            self._of.pop(key, None)
        if item is None:
            return
        modulations, items = self._state.modulations, self._state.items
        others = (modulations.business_impact(items[k].traits, wall) for k in impacts if k in items)
        status = item.status
        value = raised(modulations.business_impact(item.traits, wall), others)
        value = value if status.is_problem else -1
        if value != status.business_impact:
            status.business_impact = value
            self._state.changed(item)

    def _links(self, item: Item, wall: Wall) -> Links:
        state, host = self._state, item.host
        if isinstance(item.of, Host):
            above = tuple(name for name in item.of.parents if name in state.items)
        else:
            above = (host.key,) if host is not None and item.traits.host_dependency_enabled else ()
        masters = self._masters(item.key, wall) if item.key in state.dependencies else ()
        tree = self._rules.tree(item.key)
        elements = bad_in(tree, self._rules.element) if tree is not None else ()
        return Links(above, masters, elements)

    def _masters(self, key: Key, wall: Wall) -> tuple[Key, ...]:
        state = self._state
        return tuple(
            dependency.on
            for dependency in state.dependencies[key]
            if failing(
                key, NOTIFICATION, {key: (dependency,)},
                lambda on: item.status if (item := state.items.get(on)) is not None else None,
                state.period, wall, soft=False,
            )
        )  # fmt: skip

    def _is_bad(self, key: Key) -> bool:
        item = self._state.items.get(key)
        return item is not None and item.status.last_hard_state != OK

    def _is_lost(self, key: Key) -> bool:
        item = self._state.items.get(key)
        if item is None:
            return False
        return item.status.last_hard_state != OK or bool(item.status.source_problems)

    def _sources_of(self, key: Key) -> tuple[Key, ...]:
        item = self._state.items.get(key)
        return item.status.source_problems if item is not None else ()

    def _is_problem(self, key: Key) -> bool:
        item = self._state.items.get(key)
        return item is not None and item.status.is_problem
