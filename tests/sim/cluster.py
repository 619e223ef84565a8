"""The documented set-up inside the simulator: every role as in production, the world around it faked.

The fakes are what the roles' local services are in production: plugin workers, stores, journals,
module files. What they did is the ledger that the checkers read.
"""

from collections import defaultdict

import msgspec

from daemons.ha.terms import Terms
from daemons.model.check import Order, Result
from daemons.model.cluster import ROLES, Cluster, DaemonDef, ServerDef
from daemons.model.objects import (
    Command,
    Contact,
    Globals,
    Host,
    Service,
    ShardBody,
    ShardDef,
    Traits,
    Way,
)
from daemons.net.retain import Retainer
from daemons.roles.arbiter import Arbiter, Compiled
from daemons.roles.broker import Broker
from daemons.roles.keeper import Keeper
from daemons.roles.poller import Poller
from daemons.roles.reactionner import Reactionner
from daemons.roles.receiver import Receiver
from daemons.roles.scheduler import Scheduler
from daemons.wire.codec import decode_delta
from daemons.wire.messages import (
    DaemonEnded,
    DaemonStarted,
    Done,
    Fed,
    Feed,
    Journal,
    Message,
    RanChunk,
    Register,
    RunChunk,
    Spool,
    StartDaemon,
    StopDaemon,
)
from retention.memory import MemoryRetention
from tests.sim.network import Node, Server, Sim

HOSTS = 3
INTERVAL_S, RETRY_S = 4.0, 2.0
ENCODE = msgspec.msgpack.Encoder().encode
ORDERS = msgspec.msgpack.Decoder(list[Order])


def body() -> ShardBody:
    """Three hosts, one behind another, with a service each; one contact; notifications once."""
    host = Traits(
        check_command="check_host", check_interval_s=INTERVAL_S, retry_interval_s=RETRY_S,
        max_check_attempts=2, notification_options=("d", "u", "r"), contacts=("ops",),
        notification_interval_s=0.0,
    )  # fmt: skip
    service = msgspec.structs.replace(
        host, check_command="check_service", notification_options=("w", "u", "c", "r")
    )
    way = Way(
        name="ops",
        host_notification_options=("d", "u", "r"),
        service_notification_options=("w", "u", "c", "r"),
        host_notification_commands=("tell_host",),
        service_notification_commands=("tell_service",),
    )
    return ShardBody(
        id=1,
        realm="All",
        cluster="sim",
        traits=(host, service),
        hosts=tuple(Host(f"h{n}", f"10.0.0.{n}", f"h{n}", 0, ("h0",) if n == 1 else ()) for n in range(HOSTS)),
        services=tuple(Service(f"h{n}", "s", 1) for n in range(HOSTS)),
        contacts=(Contact(name="ops", ways=(way,)),),
        commands=(
            Command("check_host", "check $HOSTNAME$"),
            Command("check_service", "check $HOSTNAME$;$SERVICEDESC$"),
            Command("tell_host", "tell $HOSTNAME$ $NOTIFICATIONTYPE$ $HOSTSTATE$"),
            Command("tell_service", "tell $HOSTNAME$;$SERVICEDESC$ $NOTIFICATIONTYPE$ $SERVICESTATE$"),
        ),
        globals=Globals(interval_length_s=1.0),
    )


KEYS = tuple([f"h{n}" for n in range(HOSTS)] + [f"h{n};s" for n in range(HOSTS)])


def definitions(servers: int) -> Cluster:
    """Masters on server1, spares on the last server, a second poller on server2 of three."""
    names = [f"server{n + 1}" for n in range(servers)]
    daemons = []
    for role in ROLES:
        daemons.append(DaemonDef(name=f"{role}-1", role=role, address=names[0], port=1, realm="All"))
        daemons.append(
            DaemonDef(name=f"{role}-9", role=role, address=names[-1], port=1, spare=True, realm="All")
        )
    if servers > 2:
        daemons.append(DaemonDef(name="poller-2", role="poller", address=names[1], port=1, realm="All"))
    return Cluster(
        name="sim",
        daemons=tuple(daemons),
        servers=tuple(ServerDef(name, name, n) for n, name in enumerate(names)),
    )


class Ledger:
    """What really happened, written by the fakes."""

    def __init__(self) -> None:
        self.checks: list[tuple[float, str, str, int, int, int]] = []  # s, poller, key, epoch, seq, code
        self.told: list[tuple[float, str, str, bool, str]] = []  # s, reactionner, id, tagged, command
        self.lines: dict[str, list[tuple[int, int, str]]] = defaultdict(list)  # broker: (epoch, n, text)
        self.gaps = 0
        self.obeyed: dict[tuple[str, int], int] = {}  # (poller, shard): highest epoch run
        self.stale_runs: list[str] = []
        self.results = 0


class World:
    """A cluster in a simulator."""

    def __init__(
        self, seed: int, servers: int = 3, shared_store: bool = True, without: frozenset[str] = frozenset(),
        split_policy: str = "takeover",
    ) -> None:  # fmt: skip
        self.sim = Sim(seed, without=without)
        self.without = without
        self.cluster = definitions(servers)
        self.terms = Terms(split_policy="takeover" if split_policy == "takeover" else "hold")
        self.shard_body = body()
        data = ENCODE(self.shard_body)
        self.shard = ShardDef(1, "All", "v1", HOSTS, HOSTS)
        self.compiled = Compiled((self.shard,), {"v1": data}, "cfg1")
        self.ledger = Ledger()
        self.broken: set[str] = set()  # keys that are not well
        self.store = MemoryRetention()  # shared, as memcached
        self.shared_store = shared_store
        self.store_away = False
        self.disks: dict[str, dict[str, object]] = defaultdict(dict)  # by node: what its services keep
        self.tokens = 0
        self.instances: dict[str, str] = {}  # instance -> daemon
        for server in self.cluster.servers:
            self.sim.servers[server.name] = Server(self.sim, server.name, server.index)
        for server in self.cluster.servers:
            name = f"keeper@{server.name}"
            self.sim.nodes[name] = Node(
                self.sim, name, self.sim.servers[server.name],
                lambda node, disk, server=server: self._keeper(node, disk, server),  # type: ignore[misc]
                self._keeper_services,
            )  # fmt: skip
        for define in self.cluster.daemons:
            self.sim.nodes[define.name] = Node(
                self.sim, define.name, self.sim.servers[define.address],
                lambda node, disk, define=define: self._daemon(node, disk, define),  # type: ignore[misc]
                lambda node, define=define: self._services(node, define),  # type: ignore[misc]
            )  # fmt: skip
        for server in self.cluster.servers:
            self.sim.nodes[f"keeper@{server.name}"].start()

    # -- roles

    def token(self) -> str:
        self.tokens += 1
        return f"{self.tokens:06x}"

    def role(self, name: str) -> object:
        return self.sim.nodes[name].role

    def _keeper(self, node: Node, disk: bytes, server: ServerDef) -> Keeper:
        return Keeper(
            instance=self.token(),
            pid=node.life,
            cluster=self.cluster,
            server=server,
            terms=self.terms,
            durable=disk,
            is_new=not disk and node.life == 1,
            jitter=self.sim.random.random,
        )

    def _daemon(self, node: Node, disk: bytes, define: DaemonDef):
        instance = self.token()
        self.instances[instance] = define.name
        common = {
            "name": define.name, "instance": instance, "pid": node.life, "cluster": self.cluster,
            "durable": disk,
        }  # fmt: skip
        match define.role:
            case "arbiter":
                return Arbiter(**common, compiled=self.compiled, lease_s=self.terms.lease_s)
            case "scheduler":
                return Scheduler(**common, tokens=self.token, without=self.without)
            case "poller":
                return Poller(**common, capacity=32)
            case "reactionner":
                journal: dict = self.disks[define.name].setdefault("journal", {})  # type: ignore[assignment]
                return Reactionner(
                    **common, journal={s: list(entries.values()) for s, entries in journal.items()}
                )
            case "broker":
                positions: dict = self.disks[define.name].setdefault("positions", {})  # type: ignore[assignment]
                return Broker(**common, positions=dict(positions))
            case "receiver":
                spool: dict = self.disks[define.name].setdefault("spool", {})  # type: ignore[assignment]
                return Receiver(**common, spooled=tuple(spool.values()))

    # -- local services

    def _keeper_services(self, node: Node):
        def apply(message: Message) -> Message | None:
            match message:
                case StartDaemon(name):
                    daemon = self.sim.nodes[name]
                    if not daemon.runs:
                        daemon.start()
                    return self._started(name, adopted=False)
                case StopDaemon():
                    return Done()
            return Done()

        for define in self.cluster.on(node.server.name):
            if self.sim.nodes[define.name].runs:
                self.sim.later(
                    0.05, node,
                    lambda name=define.name: node.enter(self._started(name, adopted=True), lambda _: None),  # type: ignore[misc]
                )  # fmt: skip
        return {"daemons": apply, "names": lambda m: Done() if isinstance(m, Register) else None}

    def _started(self, name: str, adopted: bool) -> DaemonStarted:
        node = self.sim.nodes[name]
        instance = node.role.instance if node.role else ""
        return DaemonStarted(name, node.life, instance, self.sim.now_s, adopted)

    def crash(self, name: str) -> None:
        """End a process; its keeper learns of it and vouches once its whole tree is gone."""
        node = self.sim.nodes[name]
        if node.role is None:
            return
        instance = node.role.instance
        pid = node.life
        self.sim.note(f"crash {name}")
        node.crash()
        if name.startswith("keeper@"):
            self.sim.later(self.sim.random.uniform(0.3, 3.0), None, lambda: self.restart_keeper(name))
            return
        keeper = self.sim.nodes[f"keeper@{node.server.name}"]
        ended = DaemonEnded(name, pid, instance, -9)
        self.sim.later(
            self.sim.random.uniform(0.01, 0.3), keeper, lambda: keeper.enter(ended, lambda _: None)
        )

    def restart_keeper(self, name: str) -> None:
        node = self.sim.nodes[name]
        if not node.runs and not node.server.dead:
            self.sim.note(f"restart {name}")
            node.start()
            self._bury_unseen(node)

    def _bury_unseen(self, keeper: Node) -> None:
        """What ended while no keeper was there is found not running, and started again."""

    def kill_server(self, name: str) -> None:
        self.sim.note(f"power off {name}")
        server = self.sim.servers[name]
        server.dead = True
        for node in self.sim.nodes.values():
            if node.server is server and node.runs:
                node.crash()

    def power_on(self, name: str) -> None:
        server = self.sim.servers[name]
        if server.dead:
            self.sim.note(f"power on {name}")
            server.dead = False
            self.sim.nodes[f"keeper@{name}"].start()

    def _services(self, node: Node, define: DaemonDef):
        match define.role:
            case "poller":
                return {"exec": lambda message: self._run_checks(node, message)}
            case "reactionner":
                return {
                    "exec": lambda message: self._run_actions(node, message),
                    "journal": lambda message: self._journal(node, message),
                }
            case "scheduler":
                return self._retention(node)
            case "broker":
                return {"modules": lambda message: self._feed(node, message)}
            case "receiver":
                return {"spool": lambda message: self._spool(node, message)}
        return {}

    def _retention(self, node: Node):
        local = self.disks[node.name].setdefault("store", MemoryRetention())
        stores = {"local": local} | ({"shared": self.store} if self.shared_store else {})
        retainer = Retainer("sim", stores, frozenset({"local"}))

        def apply(message: Message) -> Message | None:
            if self.store_away and self.sim.random.random() < 0.7:
                return None
            return retainer.apply(message)

        return {"retention": apply}

    def _run_checks(self, node: Node, message: Message) -> Message:
        assert isinstance(message, RunChunk)
        for order in ORDERS.decode(message.data):
            top = self.ledger.obeyed.get((node.name, order.shard), 0)
            if order.epoch < top:
                self.ledger.stale_runs.append(f"{node.name} ran {order.object} of epoch {order.epoch} after {top}")
            self.ledger.obeyed[(node.name, order.shard)] = max(top, order.epoch)
            self.sim.later(
                self.sim.random.uniform(0.02, 0.4), node, lambda order=order: self._ran(node, order)  # type: ignore[misc]
            )
        return Done()

    def _ran(self, node: Node, order: Order) -> None:
        key = order.command.removeprefix("check ")
        assert key == order.object, (key, order.object)
        code = 2 if key in self.broken else 0
        self.ledger.checks.append((self.sim.now_s, node.name, key, order.epoch, order.seq, code))
        result = Result(
            order.shard, order.epoch, order.object, order.seq, code, node.server.now().wall, 0.1, f"{key} {code}"
        )
        node.enter(RanChunk(order.shard, 1, ENCODE([result])), lambda _: None)

    def _run_actions(self, node: Node, message: Message) -> Message:
        assert isinstance(message, RunChunk)
        for order in ORDERS.decode(message.data):
            tagged = bool(order.env.get("SHINKEN_NOTIFICATION_TAG"))
            self.ledger.told.append((self.sim.now_s, node.name, order.object, tagged, order.command))
            self.sim.note(f"{node.name} runs {order.command!r} id={order.object[:8]} tagged={tagged}")
            result = Result(order.shard, order.epoch, order.object, order.seq, 0, 0.0, 0.1, "")
            self.sim.later(
                self.sim.random.uniform(0.02, 0.6), node,
                lambda result=result: node.enter(RanChunk(result.shard, 1, ENCODE([result])), lambda _: None),  # type: ignore[misc]
            )  # fmt: skip
        return Done()

    def _journal(self, node: Node, message: Message) -> Message:
        assert isinstance(message, Journal)
        journal: dict = self.disks[node.name].setdefault("journal", {})  # type: ignore[assignment]
        kept = journal.setdefault(message.shard, {})
        for entry in message.entries:
            kept[entry.id] = entry
        for gone in message.forget:
            kept.pop(gone, None)
        return Done()

    def _spool(self, node: Node, message: Message) -> Message:
        assert isinstance(message, Spool)
        spool: dict = self.disks[node.name].setdefault("spool", {})  # type: ignore[assignment]
        for item in message.items:
            spool[item.id] = item
        for gone in message.forget:
            spool.pop(gone, None)
        return Done()

    def _feed(self, node: Node, message: Message) -> Message:
        assert isinstance(message, Feed)
        positions: dict = self.disks[node.name].setdefault("positions", {})  # type: ignore[assignment]
        last = positions.get(message.shard, (0, 0))
        self.ledger.gaps += message.gap
        for data in message.deltas:
            delta = decode_delta(data)
            if (delta.epoch, delta.n) <= tuple(last):
                continue
            last = (delta.epoch, delta.n)
            for line in delta.logs:
                self.ledger.lines[node.name].append((delta.epoch, delta.n, line.text))
        positions[message.shard] = (message.epoch, message.n)
        return Fed(message.shard, message.epoch, message.n)
