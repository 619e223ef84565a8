"""A second runner for the same roles: virtual clocks, a hostile network, crashes; same seed, same history.

A call between daemons meets one of six fates: it arrives (perhaps twice), is refused, is lost, its
answer is lost or slow, or it is obeyed long after the caller gave up. Messages pass through the real codec.
A local service works a moment after it was asked; a process that ends in between has not done it.
Each server has a clock of its own, somewhat fast or slow, and a wall clock that is somewhat off.
"""

import heapq
import random
import zlib
from collections import defaultdict, deque
from collections.abc import Callable

from msgspec import Struct

from daemons.model.clock import Mono, Now, Wall
from daemons.roles.role import Call, Role, Unexpected, Wait
from daemons.wire.codec import decode, encode
from daemons.wire.messages import FROM_PEERS, Failed, Message
from tests.sim.older import as_older, refused

WALL = 1_800_000_000.0
LATE_S = 4.0
LANE_MAX = 1000  # calls waiting for one destination, as in production: one more fails at once
HOP_S = (0.0005, 0.02)  # one way
DISK_S = (0.0001, 0.005)  # until a local service has worked
SLOW_DISK = 0.02  # share of its works that take longer
SLOW_DISK_S = (0.1, 1.5)
FATES = ("lost", "answer lost", "slow answer", "late", "late", "twice", "just in time")
BACK_S = {"slow answer": (0.2, 2.0), "just in time": (0.3, 0.59)}  # the first: some callers have given up


class Slow(Struct, frozen=True):
    """A local service's answer that takes its time."""

    answer: Message
    after_s: float


Service = Callable[[Message], "Message | Slow"]


class Server:
    """A machine: its clocks, and whether it lives."""

    def __init__(self, sim: "Sim", name: str, index: int) -> None:
        self.sim = sim
        self.name = name
        self.index = index
        self.rate = 1 + sim.random.uniform(-sim.drift, sim.drift)
        self.offset_s = sim.random.uniform(0, 1e4)
        self.skew_s = sim.random.uniform(-0.5, 0.5)  # of the wall clock
        self.dead = False
        self.clock_stopped_s = -1e9  # when its clocks last stood still until: a paused virtual machine

    def now(self) -> Now:
        """Both clocks as read on this machine."""
        now_s = self.sim.now_s
        return Now(Mono(now_s * self.rate + self.offset_s), Wall(WALL + now_s + self.skew_s))

    def set_rate(self, rate: float) -> None:
        """Let the clock run faster or slower from now on."""
        self.offset_s += self.sim.now_s * (self.rate - rate)
        self.rate = rate

    def stop_clocks(self, for_s: float) -> None:
        """Let no time pass here, as if the virtual machine were suspended from now on."""
        until_s = max(self.clock_stopped_s, self.sim.now_s + for_s)
        more_s = until_s - max(self.clock_stopped_s, self.sim.now_s)  # it may stand still already
        self.offset_s -= more_s * self.rate
        self.skew_s -= more_s
        self.clock_stopped_s = until_s


class Node:
    """A process: a role, its disk, its local services."""

    def __init__(
        self,
        sim: "Sim",
        name: str,
        server: Server,
        make: "Callable[[Node, bytes], Role]",
        services: "Callable[[Node], dict[str, Service]]",
    ) -> None:
        self.sim = sim
        self.name = name
        self.server = server
        self.make = make
        self.make_services = services
        self.role: Role | None = None
        self.life = 0  # grows with each start and crash: what belongs to another life is void
        self.disk = b""  # what the role made durable
        self.serial = 0
        self.paused_until_s = 0.0
        self.paused_since_s = 0.0
        self.lanes: dict[tuple[str, str], deque[Call]] = defaultdict(deque)
        self.waiting: list[Callable[[], None]] = []
        self.services: dict[str, Service] = {}

    @property
    def runs(self) -> bool:
        return self.role is not None

    @property
    def paused(self) -> bool:
        return self.paused_until_s > self.sim.now_s

    def start(self) -> None:
        """Begin a new life with what is on disk."""
        self.life += 1
        self.paused_until_s = 0.0
        self.lanes = defaultdict(deque)
        self.waiting = []
        self.role = self.make(self, self.disk)
        self.serial = 0
        self.services = self.make_services(self)
        self.sim.later(self.sim.random.uniform(0.0, 0.2), self, self.tick)

    def crash(self) -> None:
        """End without a word."""
        self.life += 1
        self.role = None
        self.waiting = []

    def pause(self, for_s: float) -> None:
        """Stand still: timers and messages wait."""
        if not self.paused:
            self.paused_since_s = self.sim.now_s
        self.paused_until_s = max(self.paused_until_s, self.sim.now_s + for_s)

    def tick(self) -> None:
        assert self.role is not None
        role = self.role
        calls = role.tick(self.server.now())
        self.settle()
        waiting, self.waiting = self.waiting, []
        for again in waiting:
            again()
        self.send(calls)
        pace_s = max(role.tick_s, self.sim.tick_s)
        self.sim.later(pace_s * self.sim.random.uniform(0.95, 1.15), self, self.tick)

    def settle(self) -> None:
        """What an entry made durable is on disk before anything leaves."""
        assert self.role is not None
        if self.role.durable_serial != self.serial:
            self.serial = self.role.durable_serial
            if not self.sim.disk_lies(self):
                self.disk = self.role.durable()

    def enter(self, message: Message, reply: Callable[[Message], None]) -> None:
        """Hand `message` to the role; `reply` is called once, perhaps after several ticks."""
        if self.role is None:
            return
        try:
            answer = self.role.handle(message, self.server.now())
        except Unexpected as error:
            raise AssertionError(f"{self.name} was asked {message}") from error
        self.settle()
        if isinstance(answer, Wait):
            self.waiting.append(lambda: self.enter(message, reply))
        else:
            self.sim.seen(self, message, answer)
            reply(answer)

    def send(self, calls: list[Call]) -> None:
        for call in calls:
            lane = self.lanes[(call.to, call.lane)]
            assert len(lane) < LANE_MAX, f"{self.name} floods {call.to} {call.lane}"
            lane.append(call)
            if len(lane) == 1:
                self.sim.carry(self, call)

    def answered(self, call: Call, answer: Message) -> None:
        """The outcome of the first call of its lane; the next one goes out."""
        assert self.role is not None
        lane = self.lanes[(call.to, call.lane)]
        assert lane[0] is call
        lane.popleft()
        calls = self.role.answered(call, answer, self.server.now())
        self.settle()
        if lane:
            self.sim.carry(self, lane[0])
        self.send(calls)


class Sim:
    """One history."""

    def __init__(
        self, seed: int, *, drift: float = 0.01, tick_s: float = 0.05
    ) -> None:
        """`tick_s`: no role ticks faster."""
        self.seed = seed
        self.random = random.Random(seed)
        self.drift = drift
        self.tick_s = tick_s
        self.now_s = 0.0
        self.faults = 0.0  # share of calls that do not simply arrive
        self.older: frozenset[str] = frozenset()  # servers of an older release
        self.fates = FATES  # of those
        self.cut: set[tuple[str, str]] = set()  # (from server, to server)
        self.serial = 0
        self.heap: list[tuple[float, int, Node | None, int, Callable[[], None]]] = []
        self.servers: dict[str, Server] = {}
        self.nodes: dict[str, Node] = {}
        self.trace: list[str] = []
        self.digest = 0  # of all that was said: two runs of one seed agree in it
        self.messages = 0
        self.seen: Callable[[Node, Message, Message], None] = lambda node, message, answer: None
        self.instead: Callable[[Node, Message], Message | None] = lambda node, message: None
        self.disk_lies: Callable[[Node], bool] = lambda node: False  # what is written there is lost
        self.tells: Callable[[Message], bool] = lambda message: False  # whether it goes into the trace

    def later(self, delay_s: float, node: Node | None, action: Callable[[], None]) -> None:
        """Do `action` after `delay_s`, unless `node` has ended its present life by then."""
        self.serial += 1  # ties run in the order they were asked for
        life = node.life if node else 0
        heapq.heappush(self.heap, (self.now_s + delay_s, self.serial, node, life, action))

    def run(self, until_s: float, check: "Callable[[Node | None], None]") -> None:
        """Let time pass; `check` gets whose action it was, and raises when an invariant is broken."""
        heap = self.heap
        while heap and heap[0][0] <= until_s:
            at, serial, node, life, action = heapq.heappop(heap)
            self.now_s = max(self.now_s, at)
            if node is not None:
                if node.life != life or node.role is None:
                    continue
                if node.paused_until_s > self.now_s:  # timers and messages wait, in order
                    wake = node.paused_until_s + serial * 1e-9
                    heapq.heappush(heap, (wake, serial, node, life, action))
                    continue
            action()
            check(node)
        self.now_s = until_s

    def note(self, text: str) -> None:
        """Remember what happened, for the story of a failed seed."""
        self.trace.append(f"{self.now_s:8.3f} {text}")

    # -- calls

    def carry(self, node: Node, call: Call) -> None:
        """Let `call` meet its fate."""
        service = node.services.get(call.to)
        if service is not None:
            self._serve(node, call, service)
            return
        target = self.nodes.get(f"keeper@{node.server.name}" if call.to == "keeper" else call.to)
        assert target is not None, call.to
        self.messages += 1
        done = [False]
        life = node.life

        def once(answer: Message) -> None:
            if not done[0] and node.life == life:
                done[0] = True
                node.answered(call, answer)

        self.later(call.timeout_s, node, lambda: once(Failed("timed out")))
        there = (node.server.name, target.server.name)
        if target.server.dead or there in self.cut:
            return
        delay_s = self.random.uniform(*HOP_S)
        if not target.runs:
            self.later(delay_s, node, lambda: once(Failed("refused")))
            return
        fate = self._fate(node, target)
        old = bool({node.server.name, target.server.name} & self.older)
        body = as_older(encode(call.message)) if old else encode(call.message)
        if self.tells(call.message):
            self.note(f"  {node.name} to {target.name} ({fate}): {str(call.message)[:160]}")
        self.digest = zlib.crc32(body, self.digest)

        def reply(answer: Message) -> None:
            if fate == "answer lost" or there[::-1] in self.cut:
                return
            data = as_older(encode(answer)) if old else encode(answer)
            self.digest = zlib.crc32(data, self.digest)
            back_s = self.random.uniform(*BACK_S.get(fate, HOP_S))
            self.later(back_s, node, lambda: once(decode(data)))

        def deliver() -> None:
            message = decode(body)
            assert type(message) in FROM_PEERS, type(message)
            answer = self.instead(target, message)
            if answer is None and target.server.name in self.older:
                answer = refused(body)
            if answer is not None:
                reply(answer)
                return
            target.enter(message, reply)

        if fate == "lost":
            return
        if fate == "late":
            delay_s = self.random.uniform(0.2, LATE_S)
        self.later(delay_s, target, deliver)
        if fate == "twice":
            self.later(delay_s + self.random.uniform(0.01, 1.0), target, deliver)

    def _fate(self, node: Node, target: Node) -> str:
        if node.server is target.server or self.random.random() >= self.faults:
            return "arrives"
        return self.random.choice(self.fates)

    def _serve(self, node: Node, call: Call, service: Service) -> None:
        """A local service: it works after a moment, its answer takes another."""

        def work() -> None:
            answer = service(call.message)
            after_s = self.random.uniform(0.0005, 0.01)
            if isinstance(answer, Slow):
                answer, after_s = answer.answer, answer.after_s
            self.later(after_s, node, lambda: node.answered(call, answer))

        if call.to == "exec":
            work()  # a pipe's length away: nobody can be stopped in between and take it back
        else:
            slow = self.random.random() < SLOW_DISK
            self.later(self.random.uniform(*(SLOW_DISK_S if slow else DISK_S)), node, work)
