"""What a reactionner runs beside notifications: obsessing, performance data, snapshots.

The one thing to know: few of them are with the workers at once, the rest waits here, and none is begun
in the second in which a notification waits to be. Nothing is claimed or journalled; what fails is counted, and only what
a snapshot printed is told.
"""

import logging
from collections import deque
from collections.abc import Collection, Iterable

from msgspec import msgpack

from daemons.model.check import CODE_NOT_STARTED, CODE_TIMEOUT, Order, Result, told_code
from daemons.model.clock import Now
from daemons.model.cluster import Epoch
from daemons.roles.role import Call
from daemons.wire.messages import Chunk, RunChunk
from daemons.wire.side import SnapshotTaken

log = logging.getLogger(__name__)

PREFIX = "side/"  # how the orders of these commands are named: side/<kind>/<object>
SNAPSHOT = "snapshot"
AT_ONCE = 16
WAITING = 16  # times as many may wait here
CHUNK = 4  # given to one worker at a time
LOST_S = 30.0  # beyond its time-out, without a result: its worker died with it
SNAPSHOTS_MAX = 1000  # outputs that wait for their scheduler
PATIENCE_S = 1.0  # for so long nothing begins while a notification waits; then it is the keepers that keep it waiting
LOGGED_EVERY = 60  # one failure of a kind in so many is logged, after the first

_orders = msgpack.Decoder(list[Order]).decode


class SideRuns:
    """Commands beside checks at one reactionner."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        """Give the workers at most `at_once` at a time."""
        self._at_once = max(1, at_once)
        self._waiting: deque[Order] = deque()
        self._running: dict[tuple[int, Epoch, int], float] = {}  # given to "exec" -> given up at
        self._taken: list[tuple[int, SnapshotTaken]] = []  # with their shard
        self._failures: dict[str, int] = {}
        self._busy_mono: float | None = None  # since when notifications wait to begin
        self.counts = dict.fromkeys(("side_done", "side_failed", "side_timed_out", "side_lost"), 0)

    @property
    def want(self) -> int:
        """How many more it would take."""
        return max(0, self._at_once * WAITING - len(self._waiting))

    @property
    def running(self) -> int:
        """How many the workers have."""
        return len(self._running)

    def take(self, chunks: Iterable[Chunk]) -> None:
        """Put what a scheduler gave behind what waits."""
        for chunk in chunks:
            self._waiting.extend(_orders(chunk.data))

    def fence(self, shard: int, epoch: Epoch) -> None:
        """Forget what waits of `shard` from below `epoch`."""
        self._waiting = deque(o for o in self._waiting if o.shard != shard or o.epoch >= epoch)

    def clear(self) -> None:
        """Begin nothing more."""
        self._waiting.clear()

    def start(self, now: Now, *, busy: bool) -> list[Call]:
        """Return what is given to the workers now; nothing while `busy`: notifications wait to begin."""
        if self._running:
            self._give_up(now)
        if not busy:
            self._busy_mono = None
        elif self._busy_mono is None:
            self._busy_mono = now.mono
        held_back = self._busy_mono is not None and now.mono - self._busy_mono < PATIENCE_S
        room = self._at_once - len(self._running)
        if held_back or room <= 0 or not self._waiting:
            return []
        calls = []
        orders = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        for order in orders:
            self._running[_name(order)] = now.mono + order.timeout_s + LOST_S
        for at in range(0, len(orders), CHUNK):
            piece = orders[at : at + CHUNK]
            calls.append(Call("exec", RunChunk(len(piece), msgpack.encode(piece))))
        return calls

    def refused(self, orders: Iterable[Order]) -> None:
        """Take back what "exec" had no room for."""
        back = [order for order in orders if self._running.pop(_name(order), None) is not None]
        self._waiting.extendleft(reversed(back))

    def ran(self, result: Result) -> None:
        """Take the end of one of these commands."""
        if self._running.pop(_name(result), None) is None:
            return  # given up as lost meanwhile
        _, kind, key = result.object.split("/", 2)
        if kind == SNAPSHOT:
            taken = SnapshotTaken(key, result.started_wall, result.code, result.output)
            self._taken = [*self._taken[1 - SNAPSHOTS_MAX :], (result.shard, taken)]
        if result.code == 0:
            self.counts["side_done"] += 1
            return
        if result.code == CODE_TIMEOUT:
            self.counts["side_timed_out"] += 1
        elif kind != SNAPSHOT or result.code == CODE_NOT_STARTED:
            self.counts["side_failed"] += 1
        else:
            self.counts["side_done"] += 1  # what a snapshot says is its own
            return
        before = self._failures.get(kind, 0)
        self._failures[kind] = before + 1
        if before % LOGGED_EVERY == 0:
            log.warning(
                "failed beside checks kind=%s object=%r code=%s output=%r",
                kind, key, told_code(result.code), result.output[:200],
            )  # fmt: skip

    def lost_all(self) -> None:
        """A worker died with everything that ran."""
        self.counts["side_lost"] += len(self._running)
        self._running.clear()

    def taken_of(self, shards: Iterable[int]) -> tuple[SnapshotTaken, ...]:
        """Return what snapshots of `shards` printed and was not told yet."""
        return tuple(taken for shard, taken in self._taken if shard in shards)

    def told(self, snapshots: Collection[SnapshotTaken]) -> None:
        """Forget what a scheduler was told."""
        if snapshots:
            self._taken = [pair for pair in self._taken if pair[1] not in snapshots]

    def figures(self) -> dict[str, float]:
        """Return counters and gauges by name."""
        figures = {name: float(count) for name, count in self.counts.items()}
        return figures | {"side_waiting": len(self._waiting), "side_running": len(self._running)}

    def _give_up(self, now: Now) -> None:
        late = [name for name, until in self._running.items() if now.mono > until]
        for name in late:
            del self._running[name]
        self.counts["side_lost"] += len(late)


def is_side(name: str) -> bool:
    """Return whether an order called `name` is one of these commands."""
    return name.startswith(PREFIX)


def _name(run: Order | Result) -> tuple[int, Epoch, int]:
    return run.shard, run.epoch, run.seq
