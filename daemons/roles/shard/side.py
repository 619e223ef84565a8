"""Commands that run beside checks: obsessing, performance data, snapshots.

The one thing to know: one may come with every check and none is promised. They wait in memory in a
bounded queue, go to reactionners in batches, are claimed nowhere and are in no journal; the oldest are
shed, counted, and what waits or runs at a take-over is lost.
"""

import logging
from collections import deque
from collections.abc import Iterable
from itertools import islice

import msgspec

from daemons.model.check import Order
from daemons.model.clock import Now, Wall
from daemons.model.objects import Globals
from daemons.roles.shard.command_lines import CommandLines
from daemons.roles.shard.state import Item, ShardState
from daemons.rules import lines
from daemons.rules.obsess import Asked, SideCommand, asked, commands
from daemons.rules.snapshot import wanted
from daemons.rules.template import split_command, split_macros
from daemons.rules.timeperiod import covers
from daemons.wire.messages import Chunk
from daemons.wire.side import SnapshotTaken

log = logging.getLogger(__name__)

WAITING_MAX = 10_000  # commands of one shard; beyond that the oldest go
CHUNK = 32  # commands passed on as one piece of bytes
PREFIX = "side/"  # begins what an order of this kind is named: no action's id, no object does so
SNAPSHOT = "snapshot"
_encode = msgspec.msgpack.Encoder().encode


class Side:
    """What runs beside the checks of one shard."""

    def __init__(self, state: ShardState, lines_: CommandLines) -> None:
        """Nothing waits yet; `lines_` resolves the commands."""
        self._state = state
        self._lines = lines_
        self._settings: Globals | None = None  # from which these two were read
        self._hosts: Asked | None = None
        self._services: Asked | None = None
        self._queues: dict[str, deque[Order]] = {}  # by reactionner tag
        self._waiting = 0
        self._seq = 0
        for name in ("side_planned", "side_given", "side_shed", "snapshots_taken"):
            state.figures[name] = 0

    def after(self, item: Item, now: Now) -> None:
        """Plan what follows from the result that `item` has just had."""
        settings = self._state.globals
        if settings is not self._settings:
            self._settings = settings
            self._hosts = asked(settings, is_host=True)
            self._services = asked(settings, is_host=False)
        wants = self._hosts if item.is_host else self._services
        if wants is not None:
            self._result(item, wants, now)
        if item.traits.snapshot is not None:
            self._snapshot(item, now)

    def give(self, tags: tuple[str, ...], want: int) -> list[Chunk]:
        """Return up to `want` commands for a reactionner with `tags`, in chunks; they are forgotten here."""
        if want <= 0 or not self._waiting:
            return []
        orders: list[Order] = []
        for tag in {"" if tag in ("None", "none") else tag: None for tag in tags} or {"": None}:
            queue = self._queues.get(tag)
            while queue and len(orders) < want:
                orders.append(queue.popleft())
        self._waiting -= len(orders)
        self._state.figures["side_given"] += len(orders)
        rest = iter(orders)
        chunks = []
        while piece := list(islice(rest, CHUNK)):
            chunks.append(Chunk(self._state.id, self._state.epoch, len(piece), _encode(piece)))
        return chunks

    def take(self, snapshots: Iterable[SnapshotTaken], now: Now) -> None:
        """Tell the brokers what snapshots of our objects gave."""
        for taken in snapshots:
            if taken.object in self._state.items:
                self._state.figures["snapshots_taken"] += 1
                self._state.journal.snapshot(taken, now)

    @property
    def waiting(self) -> int:
        """Number of commands that no reactionner has yet."""
        return self._waiting

    # -- inside

    def _result(self, item: Item, wants: Asked, now: Now) -> None:
        for command in commands(wants, item.traits):
            self._plan(item, command, now)
        if wants.template and item.traits.process_perf_data:
            line = self._lines.of_text(item, split_macros(wants.template), now)
            self._state.journal.perfdata(line, is_host=item.is_host)

    def _snapshot(self, item: Item, now: Now) -> None:
        snapshot, status, state = item.traits.snapshot, item.status, self._state
        assert snapshot is not None
        period = snapshot.period
        in_period = not period or covers(state.period(period), Wall(now.wall))
        if not wanted(
            snapshot, status.state, status.last_snapshot_wall, now.wall,
            is_host=item.is_host, in_period=in_period,
        ):  # fmt: skip
            return
        limit_s = state.globals.event_handler_timeout_s
        if not self._plan(item, SideCommand(SNAPSHOT, snapshot.command, limit_s), now):
            return
        status.last_snapshot_wall = now.wall
        state.changed(item)
        name = split_command(snapshot.command)[0]
        state.journal.log(
            lines.snapshot(item.key, status.state, status.state_type, status.attempt, name), now
        )

    def _plan(self, item: Item, command: SideCommand, now: Now) -> bool:
        """Put a command into the queue; returns whether it is defined."""
        run = self._lines.of_handler(item, command.command, now)
        if run is None:
            return False
        self._seq += 1
        state = self._state
        order = Order(
            state.id, state.epoch, f"{PREFIX}{command.kind}/{item.key}", self._seq, run.line,
            command.timeout_s, run.env,
        )  # fmt: skip
        queue = self._queues.get(run.reactionner_tag)
        if queue is None:
            queue = self._queues[run.reactionner_tag] = deque()
        queue.append(order)
        self._waiting += 1
        state.figures["side_planned"] += 1
        if self._waiting > WAITING_MAX:
            self._shed()
        return True

    def _shed(self) -> None:
        """Drop the oldest of the longest queue."""
        max(self._queues.values(), key=len).popleft()
        self._waiting -= 1
        figures = self._state.figures
        if figures["side_shed"] == 0:
            log.warning(
                "drops commands beside checks shard=%d waiting=%d why=%r", self._state.id, WAITING_MAX,
                "no reactionner takes them as fast as results come",
            )  # fmt: skip
        figures["side_shed"] += 1
