"""A seeded simulation of the keepers' board: real `Board`s, hostile network, crashing servers, strange clocks.

Each server has a keeper and some daemons: arbiters that seek "arbiter" and order shards to schedulers,
schedulers that seek what they are ordered. Faults for 40 s, then everything heals and must converge.
The same seed gives the same history. What is checked (`Sim.bad`, by name):

I1  two daemons act inside their leases for one name at the same instant
I3  one epoch is held or issued by two instances; a voter's promise goes down
I4  after healing, a lease has no single holder that is able to act
I5  the only rightful holder is refused as stale by a receiver
E   an epoch that was released, fenced or run out is taken up again
V   a lease is held under an older claim than one held before
W   after healing, the voter set is not the one that the configuration names
P   a healthy holder with a majority in reach loses its lease
H   a paused voter gives a lease to another than its last holder or the target of the leader's
    revocation, or obeys an older order to pause than one before
"""

import heapq
import random
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from daemons.ha import voterset
from daemons.ha.board import Ask, Board
from daemons.ha.lease import Claims, Held
from daemons.ha.promises import Promises, no_promises
from daemons.ha.terms import Terms
from daemons.model.clock import Mono
from daemons.model.cluster import SERVERS_MAX
from daemons.wire.board import (
    Claim,
    Convene,
    CopyVotes,
    GrantLine,
    Pause,
    Promise,
    Revoke,
    Revoked,
    Round,
    VoterSet,
    Votes,
    VotesCopy,
)

NEVER = -1e9
ARBITER = "arbiter"
KINDS = [
    "cut",
    "cut",
    "asym",
    "loss",
    "heal",
    "heal",
    "heal",
    "crash",
    "crash",
    "crash",
    "pause",
    "pause",
    "restart",
    "restart",
    "server",
    "freeze",
    "vm",
    "keeper",
    "keeper",
    "votes",
    "move",
    "move",
    "version",
    "hang",
    "quiet",
    "quiet",
]

encode = msgspec.msgpack.Encoder().encode
decode_message = msgspec.msgpack.Decoder(
    Round | CopyVotes | Revoke | Votes | VotesCopy | Revoked
).decode
decode_promises = msgspec.msgpack.Decoder(Promises).decode


class Setup(Struct, frozen=True, kw_only=True):
    """One kind of run. `board` and the two flags are where a protection is taken away."""

    servers: int = 3
    shards: int = 2
    arbiters: tuple[int, ...] = (0, 1)  # their servers
    terms: Terms = Terms()
    kinds: tuple[str, ...] = ()  # more faults of these kinds
    late: float = 0.02  # of the messages come seconds late
    eager: tuple[float, ...] = (1.0, 0.2, 0.01)  # how often daemons act, one of these
    faults_s: float = 40.0
    settle_s: float = 14.0
    board: type[Board] = Board
    durable: bool = True  # keepers write their promises down
    retracts: bool = True  # what could not be written does not leave
    vouch_early: bool = False  # keepers vouch before the process tree is gone
    voters: tuple[int, ...] = ()  # at first; () = all servers, for ever
    next_order: Callable[..., VoterSet | None] = voterset.next_order
    kill_leader_at: float = 0.0  # measure a failover instead of the faults above


class Order(Struct, frozen=True):
    """The leader's word to a scheduler: which shards are whose."""

    arbiter_epoch: int
    version_no: int
    targets: dict[str, str]


class Beat(Struct, frozen=True):
    """A daemon's word to its keeper."""

    wants: dict[str, Claim]
    releases: tuple[tuple[str, int], ...]
    fenced: tuple[tuple[str, int], ...]
    held: dict[str, Held]
    progress: bool


class Node:
    """A process on a server. `life` tells its incarnations apart; messages to an older one are lost."""

    def __init__(self, sim: "Sim", name: str, server: int) -> None:
        self.sim = sim
        self.name = name
        self.server = server
        self.life = 0
        self.down = False
        self.paused = 0.0
        self.start()

    def start(self) -> None:
        """Forget what a process forgets."""

    def tick(self) -> None:
        """Work, then ask to be called again."""

    def now(self) -> Mono:
        return self.sim.clocks[self.server].read(self.sim.t)

    def again(self, delay: float) -> None:
        self.sim.at(delay * self.sim.random.uniform(0.95, 1.05), self, self.tick)

    def crash(self, whole_server: bool = False) -> None:
        if not self.down:
            self.down = True
            self.life += 1

    def restart(self) -> None:
        self.down = False
        self.paused = 0.0
        self.start()
        self.again(0.1)


class Clock:
    """One server's CLOCK_BOOTTIME: own offset, own rate; a reboot or a VM pause moves it back."""

    def __init__(self, rate: float, offset: float) -> None:
        self.rate = rate
        self.offset = offset

    def read(self, t: float) -> Mono:
        return Mono(t * self.rate + self.offset)


class Keeper(Node):
    """Runs the `Board` of its server, for the daemons there."""

    daemons: list["Daemon"]

    def __init__(self, sim: "Sim", server: int) -> None:
        self.disk: bytes | None = encode(no_promises(is_new=True))
        self.pause: tuple[tuple[int, int], float] = ((0, 0), NEVER)  # order, true end
        self.targets: dict[str, set[str]] = {}  # of revocations, by name
        self.full_until = 0.0  # its disk takes nothing until then
        super().__init__(sim, f"k{server}", server)

    def start(self) -> None:
        self.load(decode_promises(self.disk) if self.disk else no_promises(is_new=False))

    def load(self, promises: Promises) -> None:
        make, sim = self.sim.setup.board, self.sim
        voters = sim.setup.voters or tuple(range(sim.setup.servers))
        self.board = make(
            self.server, voters, sim.setup.terms, promises, sim.random.random, self.now()
        )
        self.vouched: set[str] = set()
        self.held: dict[tuple[str, str], int] = {}
        self.promised: dict[str, int] = {n: p.epoch for n, p in promises.names.items()}
        self.whose = {n: p.daemon for n, p in promises.names.items()}

    def tick(self) -> None:
        now = self.now()
        if self.board.voter.sealed and self.sim.t >= self.full_until:
            self.board.seal("")
        for daemon in self.sim.daemons_of(self.server):
            for instance, tree_until in daemon.dead:
                gone = tree_until <= self.sim.t or self.sim.setup.vouch_early
                if instance not in self.vouched and gone:
                    self.vouched.add(instance)
                    self.board.claims.gone(instance, now)
        self.send(self.board.tick(now, self.server in self.sim.isolated))
        self.again(0.1)

    def retract(self) -> None:
        """As `roles.keeper` does when its disk fails: go on from what is written, and promise nothing."""
        assert self.disk is not None
        former = self.board
        self.load(decode_promises(self.disk))
        self.board.claims.succeed(former.claims)
        self.board.seal("disk full")

    def send(self, asks: tuple[Ask, ...]) -> bool:
        """Write down first, then let the messages go; return whether they went."""
        if Claims.alone(self.board.claims, self.now()):
            self.sim.parted, self.sim.trouble_at = True, self.sim.t
        if self.sim.t < self.full_until and self.disk and decode_promises(self.disk) != self.board.promises:
            self.sim.stats["unwritten"] = self.sim.stats.get("unwritten", 0) + 1
            if self.sim.setup.retracts:
                self.retract()
                return False
        elif self.sim.setup.durable or self.disk is None:
            self.disk = encode(self.board.promises)
        for ask in asks:
            if isinstance(ask.message, Round):
                self.sim.issued(self, ask.message)
            self.post(self.sim.keepers[ask.to], ask.message)
        self.sim.watch(self)
        return True

    def post(self, to: "Keeper", message: Any) -> None:
        self.sim.send(self, to, to.receive, self, encode(message))

    def receive(self, sender: "Keeper", data: bytes) -> None:
        message = decode_message(data)
        match message:
            case Votes() | VotesCopy():
                self.send(self.board.answered(sender.server, message, self.now()))
            case Round() | CopyVotes():
                answer = self.board.asked(message, self.now())
                if self.send(()):
                    self.post(sender, answer)

    def census(self, sender: "Arbiter") -> None:
        voter = self.board.voter
        self.sim.send(self, sender, sender.told_voters, self.server, voter.voters, voter.synced)

    def convene(self, order: Convene) -> None:
        self.board.asked(order, self.now())
        self.send(())

    def halt(self, order: Pause, sent: float) -> None:
        # what was ordered, in true time and at the least: the voter's own count is not believed
        ok = self.board.asked(order, self.now()).ok
        if self.send(()) and ok:
            place, until = self.pause
            fresh = (order.arbiter_epoch, order.n)
            if fresh < place:
                self.sim.violate("H", "older order obeyed", self.name, order, place)
            ends = sent + order.left_s * (1 - 2 * self.sim.drift)
            self.pause = (fresh, min(ends, until) if fresh == place else ends)

    def revoke(self, sender: "Arbiter", order: Revoke) -> None:
        self.targets.setdefault(order.name, set()).add(order.target)
        answer = self.board.asked(order, self.now())
        if self.send(()):
            self.sim.send(self, sender, sender.revoked, answer)

    def beat(self, daemon: "Daemon", instance: str, beat: Beat) -> None:
        now, claims = self.now(), self.board.claims
        if beat.progress:
            claims.progressed(instance, now)
        for name, epoch in beat.releases:
            claims.release(name, instance, epoch, now)
        for name, highest in beat.fenced:
            claims.fenced(name, instance, highest)
        for name, claim in beat.wants.items():
            claims.want(name, daemon.name, instance, claim, now, beat.held.get(name))
        if not self.send(self.board.tick(now, self.server in self.sim.isolated)):
            return
        self.sim.local(daemon, daemon.beaten, instance, claims.held(instance, now))


class Daemon(Node):
    """Holds leases through its keeper and acts under them."""

    def __init__(self, sim: "Sim", name: str, server: int) -> None:
        self.dead: list[tuple[str, float]] = []  # former instances, and when their trees were gone
        self.hung = self.deaf = False
        super().__init__(sim, name, server)

    @property
    def instance(self) -> str:
        return f"{self.name}#{self.life}"

    def start(self) -> None:
        self.held: dict[str, Held] = {}
        self.releases: dict[tuple[str, int], int] = {}  # said in so many beats
        self.fences: tuple[tuple[str, int], ...] = ()
        self.refused: dict[str, int] = {}  # by name: no epoch at or below is used any more
        self.hung = False
        self.linger_until = 0.0

    def crash(self, whole_server: bool = False) -> None:
        if self.down:
            return
        lingers = 0.0 if whole_server else self.sim.random.uniform(0, 0.4)
        self.linger_until = self.sim.t + lingers  # workers of a dead daemon act on
        self.dead = [*self.dead[-3:], (self.instance, self.linger_until)]
        super().crash(whole_server)

    def acting(self, name: str) -> bool:
        """Whether this daemon, or a worker of its dead process, may act for `name` at this instant."""
        if self.paused > self.sim.t or (self.down and self.sim.t >= self.linger_until):
            return False
        held = self.held.get(name)
        return held is not None and self.now() < held.until

    def wants(self) -> dict[str, Claim]:
        return {}

    def tick(self) -> None:
        self.held = {n: h for n, h in self.held.items() if self.now() < h.until}
        self.sim.check(self)
        beat = Beat(self.wants(), tuple(self.releases), self.fences, self.held, not self.hung)
        keeper = self.sim.keepers[self.server]
        self.sim.local(keeper, keeper.beat, self, self.instance, beat)
        self.releases = {k: n - 1 for k, n in self.releases.items() if n > 1}
        self.fences = ()
        if not self.hung:
            self.work()
        self.again(0.2)

    def work(self) -> None:
        """Act: order the receivers about. Some check their lease long before they act."""
        for name, held in self.held.items():
            if self.sim.random.random() > self.sim.eager:
                continue
            gap = self.sim.random.uniform(0, 4) if self.sim.random.random() < 0.05 else 0.0
            self.sim.at(gap, self, self.act, name, held.epoch)

    def act(self, name: str, epoch: int) -> None:
        receiver = self.sim.random.choice(self.sim.receivers)
        self.sim.send(self, receiver, receiver.obey, self, name, epoch)

    def beaten(self, instance: str, held: tuple[Held, ...]) -> None:
        """The keeper's answer: what this instance holds now."""
        if instance != self.instance:
            return
        gone = {name for name, _ in self.releases}
        self.held = {
            h.name: h for h in held if h.epoch > self.refused.get(h.name, 0) and h.name not in gone
        }
        self.sim.check(self)

    def told_fenced(self, name: str, highest: int) -> None:
        """A receiver knows a higher epoch: stop; the rightful holder claims again above."""
        held = self.held.get(name)
        if held is not None and held.epoch < highest:
            del self.held[name]
            self.refused[name] = held.epoch
            self.fences += ((name, highest),)

    def release(self, name: str) -> None:
        if held := self.held.pop(name, None):
            self.refused[name] = held.epoch
            self.releases[(name, held.epoch)] = 2
        else:
            self.releases[(name, 0)] = 2


class Receiver(Node):
    """A poller, say: obeys the highest epoch it has seen per name, durably, and refuses lower ones."""

    def __init__(self, sim: "Sim", server: int) -> None:
        self.top: dict[str, int] = {}
        super().__init__(sim, f"r{server}", server)

    def obey(self, sender: Daemon, name: str, epoch: int) -> None:
        if epoch < self.top.get(name, 0):
            self.sim.stats["refused"] += 1
            self.sim.refused(sender, name, epoch, self.top[name])
            self.sim.send(self, sender, sender.told_fenced, name, self.top[name])
        self.top[name] = max(epoch, self.top.get(name, 0))


class Arbiter(Daemon):
    """Seeks to lead; as leader says which scheduler should hold which shard, and revokes."""

    def start(self) -> None:
        super().start()
        self.targets: dict[str, str] = {}
        self.pongs: dict[str, tuple[float, tuple[str, ...]]] = {}
        self.silent: dict[str, float] = {}
        self.known: dict[str, int] = {}
        self.since = NEVER
        self.led = 0
        self.version_no = 0
        self.pauses = 0
        self.pause_until = NEVER
        self.said: dict[int, tuple[VoterSet, bool]] = {}  # by server: its voter set, and synced
        self.moved: set[str] = set()

    def wants(self) -> dict[str, Claim]:
        return {ARBITER: (0, 0)}

    def work(self) -> None:
        super().work()
        held = self.held.get(ARBITER)
        if held is None:
            return
        if held.epoch != self.led:
            self.led, self.since, self.targets, self.pongs = held.epoch, self.now(), {}, {}
            self.silent = {}
            self.pauses, self.pause_until, self.moved = 0, NEVER, set()
            self.said = {}
        if self.sim.setup.voters:
            self.order_voters(held.epoch)
        if self.pauses:
            self.order_pause(held.epoch)
        if self.now() - self.since > 0.6:
            for name in self.sim.shards:
                if self.now() >= self.pause_until or name in self.moved:
                    self.assign(name, held.epoch)
        order = Order(held.epoch, self.version_no, dict(self.targets))
        for scheduler in self.sim.schedulers:
            self.sim.send(self, scheduler, scheduler.order, self, order)

    def assign(self, name: str, epoch: int) -> None:
        """Keep the holder, else the target, else choose; revoke from whoever lets nobody in."""
        alive = {s: names for s, (at, names) in self.pongs.items() if self.now() - at < 1.0}
        holder = next((s for s in sorted(alive) if name in alive[s]), None)
        if name not in self.targets and holder:
            self.targets[name] = holder
        if self.targets.get(name) not in alive and alive:
            self.targets[name] = self.sim.random.choice(sorted(alive))
        target = self.targets.get(name)
        if target is None or holder == target:
            self.silent[name] = self.now()
        elif self.now() - self.silent.setdefault(name, self.now()) > 1.5:
            order = Revoke(epoch, name, self.known.get(name, 0), target)
            for keeper in self.sim.keepers:
                self.sim.send(self, keeper, keeper.revoke, self, order)

    def halt(self, for_s: float) -> None:
        """The operator pauses the cluster, or with 0 lets it go on."""
        self.pauses, self.pause_until = self.pauses + 1, self.now() + for_s

    def order_voters(self, epoch: int) -> None:
        for keeper in self.sim.keepers:
            self.sim.send(self, keeper, keeper.census, self)
        seen = {server: said for server, (said, _) in self.said.items()}
        synced = [server for server, (_, synced) in self.said.items() if synced]
        order = self.sim.setup.next_order(seen, synced, self.sim.wanted, list(seen), epoch)
        if order is not None:
            for keeper in self.sim.keepers:
                self.sim.send(self, keeper, keeper.convene, Convene(order))

    def told_voters(self, server: int, voters: VoterSet, synced: bool) -> None:
        self.said[server] = (voters, synced)

    def order_pause(self, epoch: int) -> None:
        order = Pause(epoch, self.pauses, max(0.0, self.pause_until - self.now()))
        for keeper in self.sim.keepers:
            self.sim.send(self, keeper, keeper.halt, order, self.sim.t)

    def order_moved(self) -> None:
        """The operator, or the balance of load, moves a shard."""
        if self.targets:
            name = self.sim.random.choice(sorted(self.targets))
            self.moved.add(name)
            self.targets[name] = self.sim.random.choice(self.sim.schedulers).name

    def pong(self, scheduler: str, names: tuple[str, ...]) -> None:
        self.pongs[scheduler] = (self.now(), names)

    def revoked(self, answer: Revoked) -> None:
        self.known[answer.name] = max(self.known.get(answer.name, 0), answer.promised)


class Scheduler(Daemon):
    """Seeks the shards that the newest leader orders it to run."""

    def __init__(self, sim: "Sim", name: str, server: int) -> None:
        self.order_top = Order(0, 0, {})  # durable
        super().__init__(sim, name, server)

    def wants(self) -> dict[str, Claim]:
        claim = (self.order_top.arbiter_epoch, self.order_top.version_no)
        gone = {name for name, _ in self.releases}
        mine = [n for n, target in self.order_top.targets.items() if target == self.name]
        return {name: claim for name in mine if name not in gone}

    def order(self, leader: Arbiter, order: Order) -> None:
        if self.deaf or self.hung:
            return
        self.sim.send(self, leader, leader.pong, self.name, tuple(self.held))
        top = self.order_top
        if order.arbiter_epoch < top.arbiter_epoch:
            self.sim.send(self, leader, leader.told_fenced, ARBITER, top.arbiter_epoch)
        if (order.arbiter_epoch, order.version_no) < (top.arbiter_epoch, top.version_no):
            return
        had = set(self.wants())
        self.order_top = order
        for name in sorted((had | set(self.held)) - set(self.wants())):
            self.release(name)


class Sim:
    """One run: `Sim(seed, setup).run()`, then look at `bad`, `stats`, `failovers`."""

    def __init__(self, seed: int, setup: Setup) -> None:
        r = self.random = random.Random(seed)
        self.setup, self.t, self.serial = setup, 0.0, 0
        self.heap: list[tuple[float, int, Node | None, int, Callable[..., None], Any]] = []
        self.bad: dict[str, tuple[Any, ...]] = {}
        self.stats = {"changes": 0, "refused": 0, "rounds": 0}
        self.failovers: list[float] = []
        self.killed_at: float | None = None
        self.cut: set[tuple[int, int]] = set()
        self.loss = 0.0
        self.late = setup.late
        self.isolated: set[int] = set()
        self.isolated_at = NEVER
        self.parted = False  # of two, one was alone for long, and they have not talked since
        self.trouble_at = NEVER  # the network was last seen to be bad
        self.skewed: dict[
            int, float
        ] = {}  # servers whose clock stood still: until then they are off
        n, drift = setup.servers, min(setup.terms.drift, 0.05) or 0.05
        self.drift = drift
        # as wrong as they may be, or somewhere between
        ends = r.random() < 0.5
        rates = [r.choice((-1, 1)) if ends else r.uniform(-1, 1) for _ in range(n)]
        self.clocks = [Clock(1 + rate * drift, r.uniform(0, 1e4)) for rate in rates]
        self.eager = r.choice(setup.eager)
        self.shards = [f"shard/{i}" for i in range(setup.shards)]
        self.closed: set[tuple[str, str, int]] = set()  # leases that must not come back
        self.keepers = [Keeper(self, i) for i in range(n)]
        self.receivers = [Receiver(self, i) for i in range(n)]
        self.arbiters = [Arbiter(self, f"arbiter-{k}", i) for k, i in enumerate(setup.arbiters)]
        self.schedulers = [Scheduler(self, f"scheduler-{i}", n - 1 - i) for i in range(min(3, n))]
        self.daemons: list[Daemon] = [*self.arbiters, *self.schedulers]
        self.nodes: list[Node] = [*self.keepers, *self.receivers, *self.daemons]
        self.claimed: dict[tuple[str, int], tuple[str, Claim]] = {}  # by (name, epoch)
        self.holders: dict[tuple[str, int], str] = {}
        self.best: dict[str, tuple[int, Claim]] = {}  # by name: highest epoch held, its claim
        self.last: dict[str, str] = {}
        self.coda_lease: tuple[str, int] | None = None
        self.wanted = setup.voters  # by the configuration
        self.ever_held: set[tuple[str, int]] = set()  # (name, epoch)

    def daemons_of(self, server: int) -> list[Daemon]:
        return [d for d in self.daemons if d.server == server]

    # -- the engine

    def at(self, delay: float, node: Node | None, fn: Callable[..., None], *args: Any) -> None:
        self.serial += 1
        life = node.life if node else 0
        heapq.heappush(self.heap, (self.t + delay, self.serial, node, life, fn, args))

    def send(self, src: Node, dst: Node, fn: Callable[..., None], *args: Any) -> None:
        """Between servers: may be cut, lost, doubled, seconds late."""
        r = self.random
        if src.server == dst.server:
            return self.at(r.uniform(0.0002, 0.002), dst, fn, *args)
        if (src.server, dst.server) in self.cut or r.random() < self.loss:
            return None
        for _ in range(1 + (r.random() < 0.02)):
            late = r.uniform(0, 4) if r.random() < self.late else 0.0
            self.at(r.uniform(0.0005, 0.01) + late, dst, fn, *args)
        return None

    def local(self, dst: Node, fn: Callable[..., None], *args: Any) -> None:
        self.at(self.random.uniform(0.0002, 0.003), dst, fn, *args)

    def run(self) -> "Sim":
        for node in self.nodes:
            self.at(self.random.uniform(0, 0.3), node, node.tick)
        end = self.setup.faults_s + self.setup.settle_s
        if self.setup.kill_leader_at:
            self.at(self.setup.kill_leader_at + self.random.random(), None, self.kill_leader)
        else:
            self.at(5, None, self.fault)
        self.until(end)
        self.converged()
        if self.setup.servers > 2 and not (self.bad or self.setup.voters) and self.random.random() < 0.5:
            self.coda()
        return self

    def until(self, end: float) -> None:
        while self.heap and self.heap[0][0] < end:
            self.t, serial, node, life, fn, args = heapq.heappop(self.heap)
            if node is None:
                fn(*args)
            elif life == node.life and not node.down:
                if node.paused > self.t:  # timers and messages wait, in order
                    later = node.paused + serial * 1e-9
                    heapq.heappush(self.heap, (later, serial, node, life, fn, args))
                else:
                    fn(*args)
        self.t = end

    # -- faults

    def fault(self) -> None:
        r, n = self.random, self.setup.servers
        if self.t > self.setup.faults_s - 1:
            return self.heal()
        kind, (a, b) = (
            r.choice([*KINDS, *self.setup.kinds]),
            r.sample(range(n), 2) if n > 1 else (0, 0),
        )
        match kind:
            case "cut":
                self.cut_off(a)
            case "halves" | "secede":  # and the configuration is changed to one side at that moment
                side = set(r.sample(range(n), n // 2))
                if kind == "secede":
                    self.wanted = tuple(x for x in range(n) if x not in side)
                self.cut |= {(x, y) for x in range(n) for y in range(n) if (x in side) != (y in side)}
            case "asym":
                self.cut.add((a, b))
            case "loss":
                self.loss = r.choice([0, 0.1, 0.3])
            case "heal":
                self.reconnect()
            case "crash":
                self.crash(r.choice(self.daemons))
            case "keeper":
                self.crash(self.keepers[a])
            case "pause":
                node = r.choice(self.nodes)
                node.paused = max(node.paused, self.t + r.uniform(0.1, 6))
            case "freeze" | "vm":
                self.freeze(a, r.uniform(0.1, 6), clock_too=kind == "vm")
            case "server":
                self.kill_server(a)
            case "votes":
                self.lose_votes(a)
            case "disk":
                self.keepers[a].full_until = self.t + r.uniform(0.5, 8)
            case "restart":
                self.restart_all()
            case "move":
                for x in self.arbiters:
                    x.order_moved()
            case "version":
                for x in self.arbiters:
                    x.version_no += 1
            case "halt":
                for_s = r.choice((0.0, r.uniform(1, 5), r.uniform(5, 12)))
                for x in self.arbiters:
                    x.halt(for_s)
            case "enlist":
                self.wanted = tuple(sorted(r.sample(range(n), r.choice((3, 3, n)))))
            case "hang":
                r.choice(self.daemons).hung = True
            case "quiet":
                return self.at(r.uniform(2, 7), None, self.fault)
        return self.at(r.uniform(0.05, 2.5), None, self.fault)

    def cut_off(self, a: int) -> None:
        others = [x for x in range(self.setup.servers) if x != a]
        self.cut |= {(a, x) for x in others} | {(x, a) for x in others}
        if self.random.random() < 0.5:
            if not self.isolated:
                self.isolated_at = self.t
            self.isolated.add(a)

    def reconnect(self) -> None:
        if self.cut or self.loss:
            self.trouble_at = self.t
        self.cut, self.isolated, self.loss = set(), set(), 0.0

    def crash(self, node: Node) -> None:
        """Most are restarted soon by their keeper, or by init."""
        node.crash()
        life = node.life
        if self.random.random() < 0.7:
            back = self.random.uniform(0.2, 2)
            self.at(back, None, lambda: node.restart() if node.down and node.life == life else None)

    def freeze(self, a: int, d: float, clock_too: bool) -> None:
        for node in self.nodes:
            if node.server == a:
                node.paused = max(node.paused, self.t + d)
        if clock_too:
            self.clocks[a].offset -= d * self.clocks[a].rate  # it stands still meanwhile
            # it goes on until it misses the other's answers, then until its lease ends
            longest = self.setup.terms.lease_s * (1 + 2 * self.drift)
            longest += self.setup.terms.rpc_timeout_s
            self.skewed[a] = max(self.skewed.get(a, NEVER), self.t + d + longest)

    def kill_server(self, a: int) -> None:
        for node in self.nodes:
            if node.server == a:
                node.crash(whole_server=True)
        self.clocks[a].offset = -self.t * self.clocks[a].rate + self.random.uniform(0, 50)

    def lose_votes(self, a: int) -> None:
        if all(k.disk and decode_promises(k.disk).state == "kept" for k in self.keepers):
            self.keepers[a].crash()
            self.keepers[a].disk = None
            self.keepers[a].pause = ((0, 0), NEVER)
            for key in [k for k in self.claimed if k[1] % SERVERS_MAX == a and k not in self.holders]:
                del self.claimed[key]  # issued and forgotten: it may be issued again

    def restart_all(self) -> None:
        for node in self.nodes:
            if node.down:
                node.restart()

    def heal(self) -> None:
        """The end of the faults; but one daemon may hang, or one scheduler hear no leader, for ever."""
        self.reconnect()
        self.late = min(self.late, 0.02)
        self.restart_all()
        for keeper in self.keepers:
            keeper.full_until = self.t
        for daemon in self.daemons:
            daemon.hung = False
        able = [d for d in self.daemons if d.held]
        if able and self.random.random() < 0.3:
            self.random.choice(able).hung = True
        elif self.random.random() < 0.4 and self.setup.servers > 1:
            owners = [s for s in self.schedulers if s.held]
            for scheduler in owners[:1]:
                scheduler.deaf = True

    def kill_leader(self) -> None:
        for arbiter in self.arbiters:
            if arbiter.acting(ARBITER):
                self.killed_at = self.t
                self.kill_server(arbiter.server)
                return

    def coda(self) -> None:
        """Calm. A bystander loses its link, comes back, then another keeper dies: nothing may change."""
        leader = next(d for d in self.arbiters if d.acting(ARBITER))
        others = [s for s in range(self.setup.servers) if s != leader.server]
        spare = [a.server for a in self.arbiters if a.server != leader.server]
        bystander = (spare or others)[0]
        held = leader.held[ARBITER].epoch
        if any(k.promised.get(ARBITER, 0) > held for k in self.keepers):
            return  # it has voted for a candidate that lost: it cannot vote for this holder
        self.cut = {(bystander, x) for x in range(self.setup.servers)}
        self.cut |= {(x, bystander) for x in range(self.setup.servers)}
        self.late = 0.0
        self.until(self.t + 8)
        self.cut = set()
        self.until(self.t + 4)
        for other in others[: (self.setup.servers - 1) // 2 + 1]:
            if other != bystander:
                self.keepers[other].crash()
                break
        self.until(self.t + 6)
        now = leader.held.get(ARBITER)
        if now is None or now.epoch != held:
            self.violate("P", leader.name, held, now)

    # -- the checks

    def violate(self, kind: str, *what: Any) -> None:
        self.bad.setdefault(kind, (round(self.t, 3), *what))

    def split(self) -> bool:
        """Whether two servers are, or just were, in a split that nothing can tell from a death."""
        if self.setup.servers != 2 or self.setup.terms.split_policy != "takeover":
            return False
        if self.isolated and self.t - self.isolated_at > 3:
            return False  # one side knows that it is cut off, and stops
        if self.cut or self.loss:
            self.trouble_at = self.t
        if self.t - self.trouble_at > 2.5:
            self.parted = False  # they have talked since: the lower one has yielded
        return self.parted

    def check(self, daemon: Daemon) -> None:
        """I1, I3, V: called whenever a daemon may have begun to act."""
        for name, held in daemon.held.items():
            rivals = [d for d in self.daemons if d is not daemon and d.acting(name)]
            rivals = [d for d in rivals if self.skewed.get(d.server, NEVER) < self.t]
            skewed = self.skewed.get(daemon.server, NEVER) >= self.t
            if rivals and daemon.acting(name) and not skewed and not self.split():
                self.violate(
                    "I1", name, daemon.instance, held, [(d.instance, d.held[name]) for d in rivals]
                )
            key = (name, held.epoch)
            if self.holders.setdefault(key, daemon.instance) != daemon.instance:
                self.violate("I3", "held twice", key, daemon.instance, self.holders[key])
            self.began(daemon, name, held.epoch)

    def began(self, daemon: Daemon, name: str, epoch: int) -> None:
        if self.last.get(name) == daemon.instance:
            return
        self.last[name] = daemon.instance
        self.stats["changes"] += 1
        if name == ARBITER and self.killed_at is not None:
            self.failovers.append(self.t - self.killed_at)
            self.killed_at = None
        claim = self.claimed[(name, epoch)][1]
        top, best = self.best.get(name, (0, (0, 0)))
        if epoch > top and claim < best and not self.two_sided():
            self.violate("V", name, claim, best)
        if epoch > top:
            self.best[name] = (epoch, max(claim, best))

    def two_sided(self) -> bool:
        """What two servers that take over cannot promise."""
        return self.setup.servers == 2 and self.setup.terms.split_policy == "takeover"

    def issued(self, keeper: Keeper, asked: Round) -> None:
        """I3: an epoch is issued once."""
        self.stats["rounds"] += 1
        for line in asked.lines:
            if isinstance(line, GrantLine):
                mine = (line.instance, line.claim)
                if self.claimed.setdefault((line.name, line.epoch), mine)[0] != line.instance:
                    self.violate("I3", "issued twice", keeper.name, line)

    def watch(self, keeper: Keeper) -> None:
        """E, and promises that go down; after each entry into a keeper."""
        for name, promise in keeper.board.promises.names.items():
            if promise.epoch < keeper.promised.get(name, 0):
                self.violate("I3", "promise went down", keeper.name, promise)
            keeper.promised[name] = promise.epoch
            if keeper.whose.get(name, promise.daemon) != promise.daemon:
                self.check_pause(keeper, name, promise)
            keeper.whose[name] = promise.daemon
        now, held = keeper.now(), {}
        for daemon in self.daemons_of(keeper.server):
            for h in keeper.board.claims.held(daemon.instance, now):
                held[(h.name, daemon.instance)] = h.epoch
                self.ever_held.add((h.name, h.epoch))
                if (h.name, daemon.instance, h.epoch) in self.closed:
                    self.violate("E", keeper.name, h, daemon.instance)
        for key, epoch in keeper.held.items():
            if held.get(key) != epoch:
                self.closed.add((*key, epoch))
        keeper.held = held

    def check_pause(self, keeper: Keeper, name: str, promise: Promise) -> None:
        """H: this voter has just promised a lease to another daemon than before."""
        moved = promise.daemon in keeper.targets.get(name, ())
        copied = keeper.board.promises.state != "kept"
        caught_up = (name, promise.epoch) in self.ever_held
        if self.t < keeper.pause[1] and not (moved or copied or caught_up):
            self.violate("H", keeper.name, name, promise)

    def refused(self, daemon: Daemon, name: str, epoch: int, top: int) -> None:
        """I5: a receiver refused `daemon`; was it the rightful holder all the same?"""
        held = daemon.held.get(name)
        if held is None or held.epoch != epoch or not daemon.acting(name):
            return
        if self.skewed.get(daemon.server, NEVER) < self.t and not self.two_sided():
            self.violate("I5", daemon.instance, name, epoch, top)

    def converged(self) -> None:
        """I4: each lease has exactly one holder that is neither hung nor deaf to its leader."""
        if self.setup.kill_leader_at:
            return
        sets = {k.board.voter.voters for k in self.keepers if k.server in self.wanted}
        if self.setup.voters and {(s.voters, s.old) for s in sets} != {(self.wanted, ())}:
            self.violate("W", self.wanted, sets)
        for name in [ARBITER, *self.shards]:
            acting = [d.name for d in self.daemons if d.acting(name)]
            able = [d.name for d in self.daemons if d.acting(name) and not d.hung and not d.deaf]
            if len(able) != 1 or len(acting) != 1:
                self.violate("I4", name, acting, able)
