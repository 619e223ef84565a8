"""What may happen to a cluster in the first act, and the healing before the second.

One fault is drawn after the other, each by its name; one that is listed twice is drawn twice as often.
"shoot:broker", "crash:scheduler" and "pause:poller" name whom it hits, "loss:late" what befalls calls.
"""

from collections.abc import Callable, Iterable, Iterator

from tests.sim.cluster import KEYS, World
from tests.sim.network import FATES

KINDS = (
    "cut", "asym", "part", "blink", "loss", "loss", "heal", "heal", "heal", "crash", "crash", "crash",
    "shoot", "pause", "pause", "frozenkeeper", "keeper", "server", "power", "power", "freeze", "vm",
    "disk", "store", "amnesia", "skew", "rate", "hang", "truth", "truth", "truth", "truth",
)  # fmt: skip
SHOT = ("reactionner", "reactionner", "receiver", "broker", "scheduler")


def more(kinds: Iterable[str]) -> Iterator[str]:
    """Yield `kinds`; one written as "vm*3" three times."""
    for kind in kinds:
        name, _, times = kind.partition("*")
        yield from [name] * int(times or 1)


class Faults:
    """Draws one fault after the other until `until_s`, then heals everything."""

    def __init__(self, world: World, until_s: float) -> None:
        self.world = world
        self.sim = world.sim
        self.until_s = until_s
        setup = world.setup
        self.kinds = (() if setup.only else KINDS) + tuple(more(setup.kinds))
        self.does: dict[str, Callable[[str, str], None]] = {
            "cut": self._cut,
            "asym": lambda a, b: self.sim.cut.add((a, b)),
            "part": lambda a, b: self.sim.cut.update({(a, b), (b, a)}),
            "blink": self._blink,
            "loss": self._loss,
            "heal": lambda a, b: self._heal_network(),
            "crash": lambda a, b: world.crash(self._one()),
            "shoot": self._shoot,
            "pause": lambda a, b: self._pause(self._one(), 0.2, 6.0),
            "hang": lambda a, b: self._pause(
                self.sim.random.choice(("arbiter-1", "scheduler-1", "scheduler-9")), 10.0, 10.0
            ),
            "frozenkeeper": lambda a, b: self._pause(f"keeper@{a}", 0.5, 9.0),
            "keeper": lambda a, b: world.crash(f"keeper@{a}"),
            "server": self._server,
            "disk": self._disk,
            "power": lambda a, b: self._power_on(),
            "freeze": lambda a, b: self._freeze(a, clocks=False),
            "vm": lambda a, b: self._freeze(a, clocks=True),
            "store": lambda a, b: self._store(),
            "amnesia": lambda a, b: world.services.shared.forget(),
            "skew": self._skew,
            "rate": self._rate,
            "truth": lambda a, b: self._truth(),
        }
        named = {kind.partition(":")[0] for kind in self.kinds}
        assert named <= self.does.keys(), f"the faults are: {', '.join(sorted(self.does))}"
        self.of = ""  # "shoot:broker": only those
        self.sim.later(8.0, None, self.next)

    def next(self) -> None:
        """Let something happen, and again a little later."""
        sim = self.sim
        if sim.now_s >= self.until_s:
            self.heal()
            return
        kind, _, of = sim.random.choice(self.kinds).partition(":")
        a, b = sim.random.sample(sorted(sim.servers), 2)
        self.of = of
        sim.note(f"fault {kind} {of or f'{a} {b}'}")
        self.does[kind](a, b)
        sim.later(sim.random.uniform(0.3, 5.0), None, self.next)

    def heal(self) -> None:
        """End every fault; what is broken in the monitored world stays so."""
        self.sim.note("healed")
        self.world.healed = True
        self._heal_network()
        self.world.services.shared.away = False
        self.world.services.shoot = ""
        self._power_on()

    # -- the network

    def _cut(self, a: str, b: str) -> None:
        others = [x for x in self.sim.servers if x != a]
        self.sim.cut |= {(a, x) for x in others} | {(x, a) for x in others}

    def _blink(self, a: str, b: str) -> None:
        """A cut so short that nobody should act on it, or just long enough."""
        before = set(self.sim.cut)
        self._cut(a, b)

        def back() -> None:
            self.sim.cut &= before

        self.sim.later(self.sim.random.uniform(0.2, 3.0), None, back)

    def _loss(self, a: str, b: str) -> None:
        self.sim.faults = 0.9 if self.of else self.sim.random.choice([0.0, 0.1, 0.3])
        self.sim.fates = (self.of,) if self.of else FATES

    def _heal_network(self) -> None:
        self.sim.cut, self.sim.faults = set(), 0.0

    # -- machines and processes

    def _one(self) -> str:
        """Some daemon, of the role that was named."""
        names = [define.name for define in self.world.cluster.daemons if define.role.startswith(self.of)]
        return self.sim.random.choice(names)

    def _shoot(self, a: str, b: str) -> None:
        self.world.services.shoot = self.of or self.sim.random.choice(SHOT)
        self.sim.note(f"the next {self.world.services.shoot} to write or run something dies of it")

    def _pause(self, name: str, least_s: float, most_s: float) -> None:
        for_s = self.sim.random.uniform(least_s, most_s)
        self.sim.note(f"{name} stands still for {for_s:.1f} s")
        self.sim.nodes[name].pause(for_s)

    def _freeze(self, server: str, clocks: bool) -> None:
        for_s = self.sim.random.uniform(0.5, 6.0)
        self.sim.note(f"{server} stands still for {for_s:.1f} s{', its clocks too' if clocks else ''}")
        for node in self.sim.nodes.values():
            if node.server.name == server:
                node.pause(for_s)
        if clocks:
            self.sim.servers[server].stop_clocks(for_s)

    def _server(self, a: str, b: str) -> None:
        if not any(server.dead for server in self.sim.servers.values()):
            self.world.kill_server(a)

    def _disk(self, a: str, b: str) -> None:
        """A server burns; one with new disks takes its place. Once: a second one may take all copies."""
        if not self.world.burnt and not any(server.dead for server in self.sim.servers.values()):
            self.world.kill_server(a)
            self.world.lose_disks(a)

    def _power_on(self) -> None:
        for name, server in self.sim.servers.items():
            if server.dead:
                self.world.power_on(name)

    # -- stores, clocks, the monitored world

    def _store(self) -> None:
        self.world.services.shared.away = not self.world.services.shared.away

    def _skew(self, a: str, b: str) -> None:
        self.sim.servers[a].skew_s += self.sim.random.choice([-1.0, 1.0, -100.0, 100.0])

    def _rate(self, a: str, b: str) -> None:
        drift = self.sim.drift
        self.sim.servers[a].set_rate(1 + self.sim.random.choice([-drift, drift]))

    def _truth(self) -> None:
        key = self.sim.random.choice(KEYS)
        self.world.broken ^= {key}
        self.world.broke[key] += key in self.world.broken
        self.sim.note(f"{key} is {'broken' if key in self.world.broken else 'well'}")
