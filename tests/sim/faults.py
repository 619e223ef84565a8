"""What may happen to a cluster in the first act, and the healing before the second."""

from tests.sim.cluster import KEYS, World

KINDS = (
    "cut", "cut", "asym", "loss", "loss", "heal", "heal", "heal", "crash", "crash", "crash", "pause",
    "pause", "keeper", "server", "power", "power", "freeze", "vm", "store", "amnesia", "skew", "hang",
    "truth", "truth", "truth", "truth",
)  # fmt: skip


class Faults:
    """Draws one fault after the other until `until_s`, then heals everything."""

    def __init__(self, world: World, until_s: float) -> None:
        self.world = world
        self.until_s = until_s
        self.kinds = KINDS + world.setup.kinds
        self.healed = False
        world.sim.later(8.0, None, self.next)

    def next(self) -> None:
        """Let something happen, and again a little later."""
        sim, world = self.world.sim, self.world
        if sim.now_s >= self.until_s:
            self.heal()
            return
        kind = sim.random.choice(self.kinds)
        servers = sorted(sim.servers)
        a, b = sim.random.sample(servers, 2)
        sim.note(f"fault {kind} {a} {b}")
        match kind:
            case "cut":
                sim.cut |= {(a, x) for x in servers if x != a} | {(x, a) for x in servers if x != a}
            case "asym":
                sim.cut.add((a, b))
            case "loss":
                sim.faults = sim.random.choice([0.0, 0.1, 0.3])
            case "heal":
                sim.cut, sim.faults = set(), 0.0
            case "crash":
                world.crash(sim.random.choice(world.cluster.daemons).name)
            case "pause":
                self._pause(sim.random.choice(sorted(sim.nodes)), sim.random.uniform(0.2, 6.0))
            case "hang":
                self._pause(sim.random.choice(("arbiter-1", "scheduler-1", "scheduler-9")), 10.0)
            case "keeper":
                world.crash(f"keeper@{a}")
            case "server":
                if not any(server.dead for server in sim.servers.values()):
                    world.kill_server(a)
            case "power":
                self._power_on()
            case "freeze" | "vm":
                self._freeze(a, sim.random.uniform(0.5, 6.0), clocks=kind == "vm")
            case "store":
                world.services.shared.away = not world.services.shared.away
            case "amnesia":
                world.services.shared.forget()
            case "skew":
                sim.servers[a].skew_s += sim.random.choice([-1.0, 1.0, -100.0, 100.0])
            case "truth":
                self._truth()
        sim.later(sim.random.uniform(0.3, 5.0), None, self.next)

    def heal(self) -> None:
        """End every fault; what is broken in the monitored world stays so."""
        self.healed = True
        sim = self.world.sim
        sim.note("healed")
        sim.cut, sim.faults, self.world.services.shared.away = set(), 0.0, False
        self._power_on()

    def _truth(self) -> None:
        key = self.world.sim.random.choice(KEYS)
        self.world.broken ^= {key}
        self.world.sim.note(f"{key} is {'broken' if key in self.world.broken else 'well'}")

    def _pause(self, name: str, for_s: float) -> None:
        self.world.sim.note(f"{name} stands still for {for_s:.1f} s")
        self.world.sim.nodes[name].pause(for_s)

    def _freeze(self, server: str, for_s: float, clocks: bool) -> None:
        self.world.sim.note(f"{server} stands still for {for_s:.1f} s")
        for node in self.world.sim.nodes.values():
            if node.server.name == server:
                node.pause(for_s)
        if clocks:
            self.world.sim.servers[server].stop_clocks(for_s)

    def _power_on(self) -> None:
        for name, server in self.world.sim.servers.items():
            if server.dead:
                self.world.power_on(name)
