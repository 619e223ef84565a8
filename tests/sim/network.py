"""A second runner for the same roles: virtual clocks, a hostile network, crashes; same seed, same history.

A call between daemons meets one of five fates: it arrives, is refused, is lost, its answer is lost,
or it is obeyed long after the caller gave up. Messages pass through the real codec. Each server has a
clock of its own, somewhat fast or slow.
"""

import heapq
import random
from collections import defaultdict, deque
from collections.abc import Callable

from daemons.model.clock import Mono, Now, Wall
from daemons.roles.role import Call, Role, Unexpected, Wait
from daemons.wire.codec import decode, encode
from daemons.wire.messages import FROM_PEERS, Failed, Message

WALL = 1_800_000_000.0
LATE_S = 4.0


class Server:
    """A machine: its clock, and whether it lives."""

    def __init__(self, sim: "Sim", name: str, index: int) -> None:
        self.sim = sim
        self.name = name
        self.index = index
        self.rate = 1 + sim.random.uniform(-sim.drift, sim.drift)
        self.offset_s = sim.random.uniform(0, 1e4)
        self.dead = False
        self.skew_s = 0.0

    def now(self) -> Now:
        """Both clocks as read on this machine."""
        return Now(
            Mono(self.sim.now_s * self.rate + self.offset_s), Wall(WALL + self.sim.now_s + self.skew_s)
        )


class Node:
    """A process: a role, its disk, its local services."""

    def __init__(
        self,
        sim: "Sim",
        name: str,
        server: Server,
        make: "Callable[[Node, bytes], Role]",
        services: "Callable[[Node], dict[str, Callable[[Message], Message | None]]]",
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
        self.lanes: dict[tuple[str, str], deque[Call]] = defaultdict(deque)
        self.waiting: list[Callable[[], None]] = []
        self.services: dict[str, Callable[[Message], Message | None]] = {}

    @property
    def runs(self) -> bool:
        return self.role is not None

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

    def tick(self) -> None:
        assert self.role is not None
        role = self.role
        calls = role.tick(self.server.now())
        self.settle()
        waiting, self.waiting = self.waiting, []
        for again in waiting:
            again()
        self.send(calls)
        self.sim.later(role.tick_s * self.sim.random.uniform(0.95, 1.15), self, self.tick)

    def settle(self) -> None:
        """What an entry made durable is on disk before anything leaves."""
        assert self.role is not None
        if self.role.durable_serial != self.serial and "persist" not in self.sim.without:
            self.disk = self.role.durable()
            self.serial = self.role.durable_serial

    def enter(self, message: Message, reply: Callable[[Message], None]) -> None:
        """Hand `message` to the role; `reply` is called once, perhaps after several ticks."""
        if self.role is None:
            return
        try:
            answer = self.role.handle(message, self.server.now())
        except Unexpected as error:
            reply(Failed(str(error)))
            return
        self.settle()
        if isinstance(answer, Wait):
            self.waiting.append(lambda: self.enter(message, reply))
        else:
            reply(answer)

    def send(self, calls: list[Call]) -> None:
        for call in calls:
            lane = self.lanes[(call.to, call.lane)]
            lane.append(call)
            if len(lane) == 1:
                self.sim.carry(self, call)

    def answered(self, call: Call, answer: Message) -> None:
        """The outcome of the first call of its lane; the next one goes out."""
        if self.role is None:
            return
        lane = self.lanes[(call.to, call.lane)]
        if lane and lane[0] is call:
            lane.popleft()
        calls = self.role.answered(call, answer, self.server.now())
        self.settle()
        if lane:
            self.sim.carry(self, lane[0])
        self.send(calls)


class Sim:
    """One history."""

    def __init__(self, seed: int, *, drift: float = 0.01, without: frozenset[str] = frozenset()) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.drift = drift
        self.without = without
        self.now_s = 0.0
        self.faults = 0.0  # share of calls that do not simply arrive
        self.cut: set[tuple[str, str]] = set()  # (from server, to server)
        self.serial = 0
        self.heap: list[tuple[float, int, Node | None, int, Callable[[], None]]] = []
        self.servers: dict[str, Server] = {}
        self.nodes: dict[str, Node] = {}
        self.trace: deque[str] = deque(maxlen=80)
        self.messages = 0

    def later(self, delay_s: float, node: Node | None, action: Callable[[], None]) -> None:
        """Do `action` after `delay_s`, unless `node` has ended its present life by then."""
        self.serial += 1  # ties run in the order they were asked for
        life = node.life if node else 0
        heapq.heappush(self.heap, (self.now_s + delay_s, self.serial, node, life, action))

    def run(self, until_s: float, check: Callable[[], None]) -> None:
        """Let time pass; `check` raises when an invariant is broken."""
        while self.heap and self.heap[0][0] <= until_s:
            at, serial, node, life, action = heapq.heappop(self.heap)
            self.now_s = max(self.now_s, at)
            if node is not None:
                if node.life != life or not node.runs:
                    continue
                if node.paused_until_s > self.now_s:  # timers and messages wait, in order
                    heapq.heappush(
                        self.heap, (node.paused_until_s + serial * 1e-9, serial, node, life, action)
                    )
                    continue
            action()
            check()
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
        target = self._target(node, call.to)
        self.messages += 1
        delay_s = self.random.uniform(0.0005, 0.02)
        life = node.life

        def back(answer: Message) -> None:
            if node.life == life:
                self.later(0.0, node, lambda: node.answered(call, answer))

        done = [False]

        def once(answer: Message) -> None:
            if not done[0]:
                done[0] = True
                back(answer)

        if target is None or target.server.dead:
            gone = target is not None and target.server.dead
            self.later(call.timeout_s if gone else delay_s, node, lambda: once(Failed("unreachable")))
            return
        self.later(call.timeout_s, node, lambda: once(Failed("timed out")))
        there = (node.server.name, target.server.name)
        if there in self.cut:
            return
        if not target.runs:
            self.later(delay_s, node, lambda: once(Failed("refused")))
            return
        fate = self._fate(node, target)
        body = encode(call.message)

        def reply(answer: Message) -> None:
            if fate == "answer lost" or (target.server.name, node.server.name) in self.cut:
                return
            data = encode(answer)
            self.later(self.random.uniform(0.0005, 0.02), None, lambda: once(decode(data)))

        def deliver() -> None:
            message = decode(body)
            assert type(message) in FROM_PEERS, type(message)
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
        return self.random.choice(["lost", "answer lost", "late", "late", "twice"])

    def _target(self, node: Node, to: str) -> Node | None:
        return self.nodes.get(f"keeper@{node.server.name}" if to == "keeper" else to)

    def _serve(
        self, node: Node, call: Call, service: Callable[[Message], Message | None]
    ) -> None:
        """A local service: it works at once, its answer takes a moment. None = it stays silent."""
        answer = service(call.message)
        if answer is None:
            self.later(call.timeout_s, node, lambda: node.answered(call, Failed("timed out")))
            return
        self.later(self.random.uniform(0.0005, 0.01), node, lambda: node.answered(call, answer))
