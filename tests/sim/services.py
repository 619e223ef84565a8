"""What the roles' local services are in production, faked: workers, stores, journals, module files.

What they did is the ledger that the checkers read; what a crash leaves of them is `Disk`.
"""

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from daemons.model.check import Order, Result
from daemons.model.cluster import DaemonDef
from daemons.net.retain import Retainer
from daemons.roles.shard.store_sink import Store
from daemons.roles.side_runs import is_side
from daemons.wire.codec import decode_delta
from daemons.wire.documents import DOCUMENT_VERSION, StoredDocument, StoreDocument
from daemons.wire.messages import (
    ClaimedAction,
    Done,
    Fed,
    Feed,
    Journal,
    Load,
    Message,
    RanChunk,
    RunChunk,
    Spool,
    Submitted,
)
from retention.api import Loaded, Records, Saved, Unavailable
from retention.memory import Kept, MemoryRetention
from tests.sim import weaker
from tests.sim.network import Node, Service, Slow

if TYPE_CHECKING:
    from tests.sim.cluster import World

SHARED = "shared"
STORE_S = 0.5  # a store that does not answer costs so long
ENCODE = msgspec.msgpack.Encoder().encode
ORDERS = msgspec.msgpack.Decoder(list[Order])


class Disk(Struct):
    """What one daemon's services keep over crashes."""

    store: MemoryRetention
    journal: dict[int, dict[str, ClaimedAction]] = {}
    positions: dict[int, tuple[int, int]] = {}
    spool: dict[str, Submitted] = {}
    documents: dict[str, StoredDocument] = {}


class Ran(Struct, frozen=True):
    """A notification or event handler that was run."""

    at_s: float
    who: str
    id: str
    tagged: bool
    command: str


class Written(Struct, frozen=True):
    """A log line in a broker's file; a text of "" marks a gap."""

    epoch: int
    n: int
    text: str


class Ledger(Struct):
    """What really happened."""

    checks: int = 0
    beside: int = 0  # commands beside checks
    ran: list[Ran] = field(default_factory=list)
    files: dict[str, list[Written]] = field(default_factory=lambda: defaultdict(list))


class SharedStore(MemoryRetention):
    """A store that all schedulers share, as memcached is, and that may be away or forget everything."""

    def __init__(self, world: "World") -> None:
        super().__init__({}, lambda: world.sim.now_s)
        self.world = world
        self.away = False
        self.forgotten: dict[str, Kept] = {}  # what it had whole before it last forgot

    def load(self, shard: str) -> Loaded | None:
        """Return what is here, unless away."""
        self._may_fail()
        return super().load(shard)

    def save(
        self, shard: str, epoch: int, n: int, changed: Records, removed, whole: bool = False
    ) -> Saved:  # fmt: skip
        """Keep it; one that is away may have kept it all the same."""
        if self.away and self.world.sim.random.random() < 0.3:
            super().save(shard, epoch, n, changed, removed, whole)
        self._may_fail()
        return super().save(shard, epoch, n, changed, removed, whole)

    def forget(self) -> None:
        """Come back empty."""
        self.forgotten.update({name: kept for name, kept in self._kept.items() if not kept.partial})
        self._kept.clear()

    def _may_fail(self) -> None:
        if self.away:
            raise Unavailable("the store is away")


class Services:
    """Makes each daemon's local services."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.sim = world.sim
        self.ledger = Ledger()
        self.shared = SharedStore(world)
        if "store-fencing" in world.without:
            weaker.unfence(self.shared)
        self.disks: dict[str, Disk] = {}
        self.shoot = ""  # the next of this role to write or run something dies of it

    def disk(self, name: str) -> Disk:
        """What `name` has on disk."""
        if name not in self.disks:
            store = MemoryRetention({}, lambda: self.sim.now_s)
            if "store-fencing" in self.world.without:
                weaker.unfence(store)
            self.disks[name] = Disk(store, defaultdict(dict), {}, {})
        return self.disks[name]

    def of(self, node: Node, define: DaemonDef) -> dict[str, Service]:
        """Return the services of one daemon."""
        return {name: self._mortal(node, define.role, serve) for name, serve in self._of(node, define).items()}

    def _of(self, node: Node, define: DaemonDef) -> dict[str, Service]:
        match define.role:
            case "poller":
                return {"exec": lambda message: self._run_checks(node, message)}
            case "reactionner":
                return {
                    "exec": lambda message: self._run_actions(node, message),
                    "journal": lambda message: self._journal(node, message),
                }
            case "scheduler":
                return {"retention": self._retention(node)}
            case "broker":
                return {"modules": lambda message: self._feed(node, message)}
            case "receiver":
                return {"spool": lambda message: self._spool(node, message)}
        return {}

    # -- schedulers

    def _retention(self, node: Node) -> Service:
        stores = {"local": self.disk(node.name).store}
        if self.world.setup.shared_store:
            stores[SHARED] = self.shared
        retainer = Retainer("sim", stores, frozenset({"local"}))

        def apply(message: Message) -> Message | Slow:
            before = {name: _epoch(store) for name, store in stores.items()}
            answer = retainer.apply(message)
            for name, store in stores.items():
                if _epoch(store) < before[name]:
                    self.world.checker.broken(
                        f"I3 the store {name} of {node.name} has epoch {_epoch(store)} after {before[name]}"
                    )
            if isinstance(message, Load):
                self.world.checker.loaded(node, message, answer)
            slow = self.shared.away and getattr(message, "store", "") == SHARED
            return Slow(answer, STORE_S) if slow else answer

        return apply

    def stores(self, name: str) -> tuple[Store, ...]:
        """What the role of a scheduler is told of its stores."""
        shared = (Store("shared", "shared"),) if self.world.setup.shared_store else ()
        return (Store("local", name, local=True), *shared)

    def document(self, node: Node, message: Message) -> Message:
        """Keep a document of the leader on a keeper's disk."""
        assert isinstance(message, StoreDocument)
        self.disk(node.name).documents[message.doc] = StoredDocument(
            DOCUMENT_VERSION, message.doc, message.epoch, message.n, message.digest, message.data
        )
        return Done()

    # -- pollers

    def _run_checks(self, node: Node, message: Message) -> Message:
        assert isinstance(message, RunChunk)
        for order in ORDERS.decode(message.data):
            self.world.checker.runs_check(node, order)
            self.sim.later(
                self.sim.random.uniform(0.02, 0.4), node, lambda order=order: self._ran(node, order)
            )
        return Done()

    def _ran(self, node: Node, order: Order) -> None:
        key = order.command.removeprefix("check ")
        code = 2 if key in self.world.broken else 0
        self.ledger.checks += 1
        wall = node.server.now().wall
        output = f"{key} {code}"
        result = Result(order.shard, order.epoch, order.object, order.seq, code, wall, 0.1, output)
        self.world.checker.came_back(node, result)
        node.enter(RanChunk(order.shard, 1, ENCODE([result])), lambda _: None)

    # -- reactionners

    def _run_actions(self, node: Node, message: Message) -> Message:
        assert isinstance(message, RunChunk)
        for order in ORDERS.decode(message.data):
            if is_side(order.object):  # promised to nobody: it runs, and that is all
                self._ran_beside(node, order)
                continue
            tagged = bool(order.env.get("SHINKEN_NOTIFICATION_TAG"))
            ran = Ran(self.sim.now_s, node.name, order.object, tagged, order.command)
            self.ledger.ran.append(ran)
            self.sim.note(f"{node.name} runs {order.command!r} id={ran.id[:8]} tagged={tagged}")
            self.world.checker.runs_action(node, order, ran)
            result = Result(order.shard, order.epoch, order.object, order.seq, 0, 0.0, 0.1, "")
            chunk = RanChunk(order.shard, 1, ENCODE([result]))
            self.sim.later(
                self.sim.random.uniform(0.02, 0.6), node,
                lambda chunk=chunk: node.enter(chunk, lambda _: None),
            )  # fmt: skip
        return Done()

    def _ran_beside(self, node: Node, order: Order) -> None:
        result = Result(order.shard, order.epoch, order.object, order.seq, 0, 0.0, 0.1, "beside")
        chunk = RanChunk(order.shard, 1, ENCODE([result]))
        self.ledger.beside += 1
        self.sim.later(
            self.sim.random.uniform(0.02, 0.6), node, lambda: node.enter(chunk, lambda _: None)
        )

    def _mortal(self, node: Node, role: str, serve: Service) -> Service:
        """Return `serve`, of which the process or its server may die: just before, just after, or later."""

        def apply(message: Message) -> "Message | Slow":
            if role != self.shoot:
                return serve(message)
            self.shoot = ""
            after_s = self.sim.random.choice((-1.0, 0.0, self.sim.random.uniform(0.0, 0.8)))
            self.sim.later(max(0.0, after_s), node, lambda: self._die(node))
            return Done() if after_s < 0 else serve(message)

        return apply

    def _die(self, node: Node) -> None:
        dead = any(server.dead for server in self.sim.servers.values())
        if self.sim.random.random() < 0.5 or dead or self.world.healed:
            self.world.crash(node.name)
        else:
            self.world.kill_server(node.server.name)

    def _journal(self, node: Node, message: Message) -> Message:
        assert isinstance(message, Journal)
        if "journal" in self.world.without:
            return Done()
        kept = self.disk(node.name).journal[message.shard]
        for gone in message.forget:
            kept.pop(gone, None)
        for entry in message.entries:
            kept[entry.id] = entry
        return Done()

    # -- receivers and brokers

    def _spool(self, node: Node, message: Message) -> Message:
        assert isinstance(message, Spool)
        spool = self.disk(node.name).spool
        for gone in message.forget:
            spool.pop(gone, None)
        for item in message.items:
            spool.setdefault(item.id, item)
        return Done()

    def _feed(self, node: Node, message: Message) -> Message:
        """As `modules.service` does with one module that takes log lines only."""
        assert isinstance(message, Feed)
        positions, file = self.disk(node.name).positions, self.ledger.files[node.name]
        had, upto = positions.get(message.shard, (0, -1)), (message.epoch, message.n)
        lines = 0
        if message.n >= 0 and upto > had:
            if message.gap:
                file.append(Written(*upto, ""))
                self.sim.note(f"{node.name} marks a gap before {upto}")
            for delta in map(decode_delta, message.deltas):
                if (delta.epoch, delta.n) > had:
                    lines += len(delta.logs)
                    file += [Written(delta.epoch, delta.n, line.text) for line in delta.logs]
                    self.world.checker.fed(node, delta)
            positions[message.shard] = upto
        return Fed(message.shard, message.epoch, message.n, lines)


def _epoch(store: MemoryRetention) -> int:
    return max((kept.epoch for kept in store._kept.values()), default=0)
