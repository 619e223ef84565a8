"""What somebody was told to rely on, where it is kept, and whether a new owner has it: W, I6, I10, what is lost.

The one thing to know: a *place* is what outlives an owner: each scheduler's own store, the store they
share, each scheduler's copy. What was promised and is in a place that the new owner could read must be
with the new owner; only what no such place had is lost, and may be missed later.
"""

import functools
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from daemons.model.status import Status
from daemons.roles.scheduler import Scheduler
from daemons.roles.shard.owned import OwnedShard
from daemons.wire.messages import Restored
from tests.sim.network import Node

if TYPE_CHECKING:
    from tests.sim.checkers import Checker

CALM_S = 5.0  # after the last trouble: late requests have arrived, sinks have caught up
FLUSH_S = 1.5  # a state is kept by then, in calm
SHARED = "shared"
SHARD = 1
STORED = f"sim/{SHARD}"
NOWHERE = (0, 0)

_status = msgspec.msgpack.Decoder(Status).decode

Position = tuple[int, int]


class Promised(Struct):
    """Somebody relies on the record: a command called durable, a result forgotten, a line written."""

    at_s: float
    by: str  # scheduler
    epoch: int  # that it owned the shard under
    place: Position  # of a status: the result that must be in it
    excused: bool  # by a virtual machine whose clocks stood still just before


class Place(Struct):
    """What outlives an owner."""

    name: str
    records: dict[str, bytes]
    epoch: int

    def has(self, key: str, position: Position) -> bool:
        """Whether it has the record, as new as `position`."""
        value = self.records.get(key)
        if value is None:
            return False
        return position == NOWHERE or _result(value) >= position


class Unkept:
    """Since when the oldest result of each object that no place has waits."""

    def __init__(self) -> None:
        self._waits: dict[str, tuple[Position, float]] = {}

    def waited_s(self, key: str, position: Position, places: list[Place], now_s: float, since_s: float = 0.0) -> float:
        """Return how long the oldest unkept result of `key`, now at `position`, waits; no earlier than `since_s`."""
        waits = self._waits.get(key)
        if waits is not None and any(place.has(f"o/{key}", waits[0]) for place in places):
            del self._waits[key]
        if position == NOWHERE or any(place.has(f"o/{key}", position) for place in places):
            return 0.0
        return now_s - max(self._waits.setdefault(key, (position, now_s))[1], since_s)


class Keeping:
    """Where records are kept, and what must be found again."""

    def __init__(self, checker: "Checker") -> None:
        self.checker = checker
        self.sim = checker.sim
        self.promised: dict[str, Promised] = {}
        self.lost: dict[str, str] = {}  # keys that were promised: why nobody has them any more
        self.lines: set[Position] = set()  # log lines that became durable
        self.lines_upto: Position = NOWHERE
        self.unkept = Unkept()
        self.restless_s = 0.0
        self.read: dict[str, dict[str, Place]] = {}  # what stores gave, by scheduler instance
        self.copies: dict[str, Place] = {}  # what a scheduler instance has of its own when it takes up

    # -- places

    def places(self) -> list[Place]:
        """Return all that outlive the owner: stores, and the copies of other schedulers."""
        world = self.checker.world
        stores = [(SHARED, world.services.shared)] if world.setup.shared_store else []
        found = []
        for node, role in world.schedulers():
            stores.append((node.name, world.services.disk(node.name).store))
            seat = role.seats.get(SHARD)
            if seat is not None and seat.copy.epoch:
                found.append(Place(f"copy {node.name}", seat.copy.records, seat.copy.epoch))
        for name, store in stores:
            kept = store._kept.get(STORED)
            if kept is not None and not kept.partial:
                found.append(Place(name, kept.records, kept.epoch))
        return found

    # -- promises

    def left(self, node: Node, key: str, position: Position = NOWHERE) -> None:
        """Somebody relies on the record from now on: W and I6."""
        before = self.promised.get(key)
        if before is not None and before.place >= position and before.by == node.name:
            return
        owned = self.checker.owners[node.name]
        places = [place.name for place in self.places() if place.epoch >= owned.epoch and place.has(key, position)]
        if not places:
            what = f"{key} {position}" if position != NOWHERE else key
            self.checker.broken(f"W {what} leaves {node.name} before it is kept")
        two = self._two_servers([*places, *self._had(owned.epoch, key, position)])
        if owned.journal.durability == "two servers" and not two and self._copy_lives(owned):
            self.checker.broken(f"I6 {key} leaves {node.name}, is said to be on two servers, is in {places}")
        self._promise(node, owned, key, position)

    def _had(self, epoch: int, key: str, position: Position) -> list[str]:
        """Return the shared store if it had this whole and has forgotten it since: the owner cannot know."""
        kept = self.checker.world.services.shared.forgotten.get(STORED)
        return [SHARED] if kept and kept.epoch >= epoch and Place(SHARED, kept.records, 0).has(key, position) else []

    def _two_servers(self, places: list[str]) -> bool:
        """Whether these are on two servers; the store that is shared is on one of its own."""
        names = {name.removeprefix("copy ") for name in places}
        return len({self.sim.nodes[name].server.name if name in self.sim.nodes else name for name in names}) > 1

    def _copy_lives(self, owned: OwnedShard) -> bool:
        """Whether the standby is the process that the owner last heard: a copy ends with its process."""
        node = self.sim.nodes.get(owned.journal.standby.to)
        role = node.role if node is not None else None
        seat = role.seats.get(SHARD) if isinstance(role, Scheduler) else None
        return seat is not None and seat.copy.epoch == owned.epoch

    def _promise(self, node: Node, owned: OwnedShard, key: str, position: Position = NOWHERE) -> None:
        self.lost.pop(key, None)
        excused = self.checker.excused(node)
        if owned.epoch < self.checker.newest:
            self.lost[key] = f"{node.name} is on the losing side"
        self.promised[key] = Promised(self.sim.now_s, node.name, owned.epoch, position, excused)

    def durable(self, node: Node, owned: OwnedShard) -> None:
        """Log lines of deltas that have become durable are promised to the brokers."""
        upto = (owned.epoch, owned.journal.durable_n)
        if upto <= self.lines_upto:
            return
        for formed in owned.journal.ring._kept:
            position = (formed.epoch, formed.n)
            if formed.logs and self.lines_upto < position <= upto and formed.epoch == owned.epoch:
                self.lines.add(position)
                self._promise(node, owned, f"l/{formed.epoch}.{formed.n}")
        self.lines_upto = upto

    # -- a new owner

    def loaded(self, node: Node, store: str, answer: Restored) -> None:
        """A scheduler's retention service gave what one store has."""
        assert node.role is not None
        name = SHARED if store == SHARED else node.name
        services = self.checker.world.services
        kept = (services.shared if store == SHARED else services.disk(name).store)._kept.get(STORED)
        given = self.read.setdefault(node.role.instance, {})
        given.pop(name, None)
        if kept is not None and not kept.partial:  # as it is now: a late save comes after the reading
            given[name] = Place(name, kept.records, kept.epoch)
        at = f"({answer.epoch}, {answer.n})" if answer.found else "nowhere"
        self.sim.note(f"  {node.name} finds {len(answer.records)} records in {store} at {at}")

    def copy_of(self, node: Node, records: dict[str, bytes], epoch: int) -> None:
        """A scheduler that takes up has this copy of its own."""
        assert node.role is not None
        self.copies[node.role.instance] = Place("its copy", records, epoch)

    def inherited(self, node: Node, owned: OwnedShard) -> None:
        """A new owner begins: I10, it has the newest there was, and what no place had is lost for good."""
        assert node.role is not None
        self.unkept = Unkept()
        mine = list(self.read.pop(node.role.instance, {}).values())
        copy = self.copies.pop(node.role.instance, None)
        if copy is not None:
            self.sim.note(f"  {node.name} has a copy of epoch {copy.epoch}, {len(copy.records)} records")
            mine.append(copy)
        for key, promised in self.promised.items():
            if key in self.lost or self._found(key, promised, owned):
                continue
            for place in mine:
                if promised.excused or place.epoch < promised.epoch or not place.has(key, promised.place):
                    continue
                self.checker.broken(
                    f"I10 {node.name} leaves {key} {promised.place} behind, promised by {promised.by}"
                    f" at {promised.at_s:.3f}, which {place.name} of epoch {place.epoch} has"
                )
            self.lost[key] = f"{node.name} took over without"
            self.sim.note(f"  {key} {promised.place} is lost: {promised.by} promised it at {promised.at_s:.3f}")

    def _found(self, key: str, promised: Promised, owned: OwnedShard) -> bool:
        kind, _, name = key.partition("/")
        if kind == "o":
            item = owned.state.items[name]
            return (item.status.applied_epoch, item.status.applied_seq) >= promised.place
        if kind == "l":
            position = _position(key)
            return position in self.checker.fed_lines or any(
                (formed.epoch, formed.n) == position and formed.logs
                for formed in owned.journal.ring._kept
            )
        if kind == "a":
            return owned.outbox.knows(name) or name in self.checker.ran
        return key in owned.state.extra

    # -- time

    def look(self, node: Node, owned: OwnedShard) -> None:
        """I10: in calm, what was applied a while ago is kept."""
        now_s, places = self.sim.now_s, self.places()
        for key, item in owned.state.items.items():
            position = (item.status.applied_epoch, item.status.applied_seq)
            waited_s = self.unkept.waited_s(key, position, places, now_s, self.restless_s + CALM_S)
            if waited_s > FLUSH_S:
                self.checker.broken(
                    f"I10 result {position} of {key} is not kept {waited_s:.1f} s after {node.name} took it"
                )
        for name, planned in owned.outbox._planned.items():
            key = f"a/{name}"
            if key in self.promised or planned.kind != "notification" or owned.epoch < self.checker.newest:
                continue
            having = [place.name for place in places if place.epoch == owned.epoch and place.has(key, NOWHERE)]
            if self._two_servers(having):
                self._promise(node, owned, key)

    def restless(self) -> None:
        """Note whether all is calm just now."""
        sim = self.sim
        calm = not sim.faults and not sim.cut and not self.checker.world.services.shared.away
        if not calm or any(node.paused or not node.runs for node in sim.nodes.values()):
            self.restless_s = sim.now_s


def _position(key: str) -> Position:
    epoch, _, n = key[2:].partition(".")
    return (int(epoch), int(n))


@functools.lru_cache(maxsize=1000)
def _result(value: bytes) -> Position:
    status = _status(value)
    return (status.applied_epoch, status.applied_seq)
