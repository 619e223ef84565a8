"""Commands and passive results that a scheduler has taken and not obeyed yet, in the order they came.

A thousand lines may plan thousands of notifications. Obeyed in one entry they would keep the scheduler
from answering its keeper for longer than a lease; the next owner would get the same lines and lose its
lease as well. So a tick obeys only so much; who gave the lines waits, or asks again.
"""

from collections.abc import Iterable, Sequence

from daemons.model.clock import Now
from daemons.roles.shard.owned import OwnedShard
from daemons.wire.messages import Submitted

WORK = 1000  # between two ticks: some 0.2 s
LINE, TOLD, BESIDE = 1, 50, 5  # what a line costs of it, a notification or handler, a command beside a check


class Inbox:
    """Lines that wait to be obeyed by the shards of one scheduler."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._items: dict[str, tuple[Submitted, bool]] = {}
        self._left: float = WORK

    def __len__(self) -> int:
        """Return how many lines wait."""
        return len(self._items)

    def add(self, items: Iterable[Submitted], *, obeyed_before: bool) -> None:
        """Put `items` behind what waits; one that waits already keeps its place."""
        for item in items:
            self._items.setdefault(item.id, (item, obeyed_before))

    def tick(self, owned: Sequence[OwnedShard], now: Now) -> None:
        """Go on with what waits, as far as one tick may. Without shards it is the next owner's: it is given it again."""
        self._left = WORK
        if not owned:
            self._items.clear()
        self.obey(owned, now)

    def obey(self, owned: Sequence[OwnedShard], now: Now) -> None:
        """Let every shard obey what waits, in order, as far as there is work left for this tick."""
        while self._items and self._left > 0:
            item, obeyed_before = self._items.pop(next(iter(self._items)))
            for shard in owned:
                before = _planned(shard)
                shard.commands.submit(item, now, obeyed_before=obeyed_before)
                self._left -= _planned(shard) - before
            self._left -= LINE


def _planned(shard: OwnedShard) -> float:
    """Return the cost of all that a shard has planned so far."""
    figures = shard.state.figures
    told = figures["notifications_planned"] + figures["handlers_planned"]
    return TOLD * told + BESIDE * figures["side_planned"]
