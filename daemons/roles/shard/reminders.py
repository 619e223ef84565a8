"""Which standing problems are to be told of by time alone, and when they are looked at next.

The one thing to know: nothing of it is kept. It is worked out from the statuses when a shard is taken up,
and `rules.remind` says it anew after each look.
"""

import heapq
import math
from collections.abc import Iterator

from daemons.model.clock import Now, Wall
from daemons.model.objects import Key
from daemons.roles.shard.state import Item, ShardState
from daemons.rules.notify import Reason
from daemons.rules.remind import RESULT_FIRST_S, next_look, result_first, stands, unheard
from daemons.rules.timeperiod import next_start

SPREAD_S = 0.0005  # between two of those looked at after a take-over: 2,000 in a second
LOOKS_MAX = 500  # in one tick, so that the beat is not held up


class Reminders:
    """The standing problems of one shard by the time of their next look (monotonic seconds)."""

    def __init__(self, state: ShardState) -> None:
        """Start empty; `take_up` adds what stands."""
        self._state = state
        self._due: dict[Key, float] = {}
        self._queued: dict[Key, float] = {}  # the one entry of the heap that counts for a key
        self._heap: list[tuple[float, Key]] = []
        self._opens: dict[str, float | None] = {}  # next start of periods that do not last now

    def take_up(self, now: Now) -> None:
        """Look at every standing problem when its time comes, but only after the first results are in."""
        self._opens.clear()
        soon = now.wall + RESULT_FIRST_S
        for item in self._state.items.values():
            status = item.status
            if status.state and stands(status) and not status.no_more_notifications:
                self._put(item.key, max(status.next_notification_wall, soon), now)
                soon += SPREAD_S

    def note(self, item: Item, why: Reason, now: Now) -> None:
        """Take note of how the last look at `item` ended."""
        traits = item.traits
        due = next_look(
            why, item.status, traits, now.wall,
            opens=lambda: self._opening(traits.notification_period, now.wall),
        )  # fmt: skip
        if due is None:
            self._due.pop(item.key, None)
        else:
            self._put(item.key, due, now)

    def waits(self, item: Item, now: Now) -> bool:
        """Return whether `item` is to be heard of first; it is looked at then.

        Because its host is back, or what it depends on.
        """
        state, key = self._state, item.key
        others = [item.host] if item.host is not None else []
        for dependency in state.dependencies.get(key, ()):
            if dependency.notification and (on := state.items.get(dependency.on)) is not None:
                others.append(on)
        untils = [unheard(item.status, other.status, now.wall) for other in others]
        until = max((until for until in untils if until is not None), default=None)
        if until is not None:
            self._put(key, until, now)
        return until is not None

    def wake(self, item: Item, now: Now) -> None:
        """What held notifications of `item`, or of the services of that host, may be over: look soon."""
        for one in (item, *(self._state.services_of(item.key) if item.is_host else ())):
            if one.key in self._due or (stands(one.status) and one is item):
                due = result_first(one.status, now.wall, now.wall)
                if _mono(due, now) < self._due.get(one.key, math.inf):
                    self._put(one.key, due, now)

    def due(self, now: Now) -> Iterator[Item]:
        """Yield the objects to look at now, the longest due first; each has to be noted again.

        What is not asked for any more, or is beyond LOOKS_MAX, is due at the next tick.
        """
        looks = 0
        heap = self._heap
        while heap and heap[0][0] <= now.mono and looks < LOOKS_MAX:
            at, key = heapq.heappop(heap)
            if self._queued.get(key) != at:
                continue
            del self._queued[key]
            due = self._due.get(key)
            if due is None:
                continue
            if due > now.mono:
                self._queue(key, due)
                continue
            del self._due[key]
            item = self._state.items.get(key)
            if item is not None and stands(item.status):
                looks += 1
                yield item

    def _put(self, key: Key, due_wall: float, now: Now) -> None:
        self._due[key] = due = _mono(due_wall, now)
        self._queue(key, due)

    def _queue(self, key: Key, due: float) -> None:
        queued = self._queued.get(key)
        if queued is None or due < queued:
            self._queued[key] = due
            heapq.heappush(self._heap, (due, key))

    def _opening(self, period: str, now: Wall) -> Wall | None:
        """Return the next start of `period`, outside of which `now` is; remembered until then."""
        known = self._opens.get(period, 0.0)
        if known is not None and known <= now:
            known = self._opens[period] = next_start(self._state.period(period), now)
        return None if known is None else Wall(known)


def _mono(wall: float, now: Now) -> float:
    """Return `wall` by the monotonic clock: a wall clock that is set brings nothing forward."""
    return now.mono + (wall - now.wall)
