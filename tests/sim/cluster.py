"""The documented set-up inside the simulator: every role as in production, the world around it faked."""

import logging
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from daemons.ha.terms import SplitPolicy, Terms
from daemons.model.cluster import ROLES, Cluster, DaemonDef, ServerDef
from daemons.model.objects import (
    Command,
    Contact,
    Globals,
    Host,
    Service,
    ShardBody,
    ShardDef,
    Snapshot,
    Traits,
    Way,
)
from daemons.roles.arbiter import Arbiter, Compiled
from daemons.roles.broker import Broker
from daemons.roles.keeper import Keeper
from daemons.roles.keeping.documents_kept import KeptDocuments
from daemons.roles.poller import Poller
from daemons.roles.reactionner import Reactionner
from daemons.roles.receiver import Receiver
from daemons.roles.role import Role
from daemons.roles.scheduler import Scheduler
from daemons.wire.board import Witnesses
from daemons.wire.messages import (
    DaemonEnded,
    DaemonStarted,
    Done,
    Message,
    StartDaemon,
)
from tests.sim import relations, weaker
from tests.sim.network import Node, Server, Sim
from tests.sim.network import Service as LocalService
from tests.sim.services import Services

if TYPE_CHECKING:
    from tests.sim.checkers import Checker

SHARD = 1
HOSTS = 3
INTERVAL_S, RETRY_S = 4.0, 2.0
ENCODE = msgspec.msgpack.Encoder().encode
KEYS = tuple([f"h{n}" for n in range(HOSTS)] + [f"h{n};s" for n in range(HOSTS)])
PASSIVE = "h0;passive"


class Setup(Struct, frozen=True, kw_only=True):
    """One kind of cluster and of run."""

    servers: int = 3
    split_policy: SplitPolicy = "takeover"  # of two servers
    shared_store: bool = True  # a store like memcached beside each scheduler's own
    kinds: tuple[str, ...] = ()  # more faults of these kinds
    only: bool = False  # no faults but those
    faults_s: float = 60.0
    settle_s: float = 60.0
    without: frozenset[str] = frozenset()  # protections taken away
    older: tuple[str, ...] = ()  # servers of an older release
    lease_s: float = 2.5
    language: bool = False  # the monitoring language is played on a host of its own
    drift: float = 0.01  # by which clocks run fast or slow, and the terms allow for

    @property
    def two_sided(self) -> bool:
        """Both sides of a split may act: what two servers cannot promise."""
        return self.servers == 2 and self.split_policy == "takeover"


def body(language: bool = False) -> ShardBody:
    """Three hosts, one behind another, with a service each; one contact, told once of each problem."""
    host = Traits(
        check_command="check_host", check_interval_s=INTERVAL_S, retry_interval_s=RETRY_S,
        max_check_attempts=2, notification_options=("d", "u", "r"), contacts=("ops",),
        notification_interval_s=0.0, flap_detection_enabled=False,
    )  # fmt: skip
    service = msgspec.structs.replace(
        host, check_command="check_service", notification_options=("w", "u", "c", "r"),
        event_handler="repair", event_handler_enabled=True, obsess=True,
        snapshot=Snapshot("snap", ("w", "c", "u"), 10_000.0),  # once: the end has to be quiet
    )  # fmt: skip
    passive = Traits(max_check_attempts=1, check_interval_s=0.0, active_checks_enabled=False)
    way = Way(
        name="ops",
        host_notification_options=("d", "u", "r"),
        service_notification_options=("w", "u", "c", "r"),
        host_notification_commands=("tell_host",),
        service_notification_commands=("tell_service",),
    )
    plain = ShardBody(
        id=SHARD,
        realm="All",
        cluster="sim",
        traits=(host, service, passive),
        hosts=tuple(
            Host(f"h{n}", f"10.0.0.{n}", f"h{n}", 0, ("h0",) if n == 1 else ())
            for n in range(HOSTS)
        ),
        services=(*(Service(f"h{n}", "s", 1) for n in range(HOSTS)), Service("h0", "passive", 2)),
        contacts=(Contact(name="ops", ways=(way,)),),
        commands=(
            Command("check_host", "check $HOSTNAME$"),
            Command("check_service", "check $HOSTNAME$;$SERVICEDESC$"),
            Command("obsess", "obsess $HOSTNAME$;$SERVICEDESC$ $SERVICESTATE$"),
            Command("snap", "snap $HOSTNAME$;$SERVICEDESC$"),
            Command("repair", "repair $HOSTNAME$;$SERVICEDESC$ $SERVICESTATE$"),
            Command("tell_host", "tell $HOSTNAME$ $NOTIFICATIONTYPE$ $HOSTSTATE$ $NOTIFICATIONCOMMENT$"),
            Command(
                "tell_service",
                "tell $HOSTNAME$;$SERVICEDESC$ $NOTIFICATIONTYPE$ $SERVICESTATE$ $NOTIFICATIONCOMMENT$",
            ),
        ),
        globals=Globals(
            interval_length_s=1.0, max_host_check_spread_s=4.0, max_service_check_spread_s=4.0,
            obsess_over_services=True, ocsp_command="obsess",
            cached_host_check_horizon_s=15.0, log_initial_states=False,
        ),
    )
    return relations.more(plain, service) if language else plain


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


class World:
    """A cluster in a simulator."""

    checker: "Checker"

    def __init__(self, seed: int, setup: Setup) -> None:
        logging.disable(logging.CRITICAL)  # the trace tells the story
        self.setup = setup
        self.without = setup.without
        self.sim = Sim(seed, tick_s=0.08, drift=setup.drift)
        self.sim.disk_lies = lambda node: "persist" in self.without and self.sim.now_s > 8.0
        self.sim.older = frozenset(setup.older)
        self.sim.instead = weaker.instead(self.without)
        self.cluster = definitions(setup.servers)
        self.terms = Terms(lease_s=setup.lease_s, split_policy=setup.split_policy, drift=setup.drift)
        data = ENCODE(body(setup.language))
        shard = ShardDef(SHARD, "All", "v1", HOSTS, HOSTS)
        self.compiled = Compiled((shard,), {"v1": data}, "cfg1")
        self.broken: set[str] = set()  # keys that are not well
        self.broke: Counter[str] = Counter()  # how often each ceased to be
        self.healed = False  # the second act has begun
        self.burnt: set[str] = set()  # servers that have lost their disks
        self.burnt_s = 0.0  # when the last one did
        self.services = Services(self)
        self.ledger = self.services.ledger
        self.tokens = 0
        self._make_nodes()

    def _make_nodes(self) -> None:
        sim = self.sim
        for server in self.cluster.servers:
            machine = sim.servers[server.name] = Server(sim, server.name, server.index)
            name = f"keeper@{server.name}"
            sim.nodes[name] = Node(
                sim, name, machine,
                lambda node, disk, server=server: self._keeper(node, disk, server),
                self._keeper_services,
            )  # fmt: skip
        for define in self.cluster.daemons:
            sim.nodes[define.name] = Node(
                sim, define.name, sim.servers[define.address],
                lambda node, disk, define=define: self._daemon(node, disk, define),
                lambda node, define=define: self.services.of(node, define),
            )  # fmt: skip

    def begin(self) -> None:
        """Start every server."""
        for server in self.cluster.servers:
            self.sim.nodes[f"keeper@{server.name}"].start()

    # -- roles

    def token(self) -> str:
        """A text that was never given before."""
        self.tokens += 1
        return f"{self.tokens:06x}"

    def schedulers(self) -> list[tuple[Node, Scheduler]]:
        """All schedulers that run."""
        return [
            (node, node.role) for node in self.sim.nodes.values() if isinstance(node.role, Scheduler)
        ]

    def _keeper(self, node: Node, disk: bytes, server: ServerDef) -> Keeper:
        keeper = Keeper(
            instance=self.token(),
            pid=node.life,
            cluster=self.cluster,
            server=server,
            terms=self.terms,
            durable=disk,
            is_new=not disk and (node.life == 1 or server.name in self.burnt),
            jitter=self.sim.random.random,
            documents=KeptDocuments(self.services.disk(node.name).documents),
        )
        weaker.weaken_keeper(keeper, self.without, node.server.now())
        return keeper

    def _daemon(self, node: Node, disk: bytes, define: DaemonDef) -> Role:
        common = {
            "name": define.name, "instance": self.token(), "pid": node.life,
            "cluster": self.cluster, "durable": disk,
        }  # fmt: skip
        kept = self.services.disk(define.name)
        role: Role
        match define.role:
            case "arbiter":
                role = Arbiter(**common, compiled=self.compiled, lease_s=self.terms.lease_s)
            case "scheduler":
                stores = self.services.stores(define.name)
                role = Scheduler(
                    **common, tokens=self.token, stores=stores, without=self.without
                )
            case "poller":
                role = Poller(**common, capacity=32)
            case "reactionner":
                journal = {s: list(entries.values()) for s, entries in kept.journal.items()}
                role = Reactionner(**common, journal=journal)
            case "broker":
                role = Broker(**common, positions=dict(kept.positions))
            case "receiver":
                role = Receiver(**common, spooled=tuple(kept.spool.values()))
        weaker.weaken(role, define.role, self.without)
        return role

    def _keeper_services(self, node: Node) -> dict[str, LocalService]:
        def apply(message: Message) -> Message:
            if isinstance(message, StartDaemon):
                daemon = self.sim.nodes[message.name]
                adopted = daemon.runs
                if not adopted:
                    daemon.start()
                return self._started(message.name, adopted)
            return Done()

        for define in self.cluster.on(node.server.name):
            if self.sim.nodes[define.name].runs:
                started = self._started(define.name, adopted=True)
                self.sim.later(
                    0.01, node, lambda started=started: node.enter(started, lambda _: None)
                )
        # no witness ever answers: of two parted servers both go on, which is the harder case
        return {
            "daemons": apply, "names": lambda message: Done(), "witness": lambda message: Witnesses(),
            "documents": lambda message: self.services.document(node, message),
        }  # fmt: skip

    def _started(self, name: str, adopted: bool) -> DaemonStarted:
        node = self.sim.nodes[name]
        assert node.role is not None
        return DaemonStarted(name, node.life, node.role.instance, self.sim.now_s, adopted)

    # -- deaths

    def crash(self, name: str) -> None:
        """End a process; its keeper learns of it and vouches once its whole tree is gone."""
        node, random = self.sim.nodes[name], self.sim.random
        if node.role is None:
            return
        self.sim.note(f"crash {name}")
        if name.startswith("keeper@"):
            node.crash()
            self.sim.later(random.uniform(0.1, 3.0), None, lambda: self._restart_keeper(name))
            return
        ended = DaemonEnded(name, node.life, node.role.instance, -9)
        keeper = self.sim.nodes[f"keeper@{node.server.name}"]
        after_s = random.uniform(0.01, 0.3)

        def tell() -> None:
            keeper.enter(ended, lambda _: None)

        def end() -> None:
            node.crash()
            if keeper.runs:
                self.sim.later(after_s, keeper, tell)

        if "vouching" in self.without:  # its keeper speaks too early: the process acts on for a while
            if keeper.runs:
                self.sim.later(after_s, keeper, tell)
            self.sim.later(random.uniform(1.0, 4.0), node, end)
        else:
            end()

    def _restart_keeper(self, name: str) -> None:
        node = self.sim.nodes[name]
        if not node.runs and not node.server.dead:
            self.sim.note(f"restart {name}")
            node.start()

    def kill_server(self, name: str) -> None:
        """Cut the power."""
        self.sim.note(f"power off {name}")
        server = self.sim.servers[name]
        server.dead = True
        for node in self.sim.nodes.values():
            if node.server is server and node.runs:
                node.crash()

    def lose_disks(self, name: str) -> None:
        """Let nothing be left of what the dead server `name` had on its disks."""
        self.sim.note(f"the disks of {name} are lost")
        self.burnt.add(name)
        self.burnt_s = self.sim.now_s
        for node in self.sim.nodes.values():
            if node.server.name == name:
                node.disk = b""
                self.services.disks.pop(node.name, None)
                self.checker.disk_lost(node)

    def power_on(self, name: str) -> None:
        """Boot it, if it was off."""
        server = self.sim.servers[name]
        if server.dead:
            self.sim.note(f"power on {name}")
            server.dead = False
            self.sim.nodes[f"keeper@{name}"].start()
