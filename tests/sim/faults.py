"""What may happen to a cluster in the first act, and the healing before the second."""

from tests.sim.cluster import KEYS, World

KINDS = (
    "cut", "cut", "asym", "loss", "loss", "heal", "heal", "heal", "crash", "crash", "crash", "pause",
    "pause", "keeper", "server", "power", "power", "freeze", "store", "amnesia", "truth", "truth",
    "truth", "truth",
)  # fmt: skip


class Faults:
    """Draws one fault after the other until `until_s`, then heals everything."""

    def __init__(self, world: World, until_s: float) -> None:
        self.world = world
        self.until_s = until_s
        self.healed = False
        world.sim.later(8.0, None, self.next)

    def next(self) -> None:
        """Let something happen, and again a little later."""
        sim, world = self.world.sim, self.world
        if sim.now_s >= self.until_s:
            self.heal()
            return
        kind = sim.random.choice(KINDS)
        servers = sorted(sim.servers)
        a, b = sim.random.sample(servers, 2)
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
                node = sim.nodes[sim.random.choice(sorted(sim.nodes))]
                node.paused_until_s = sim.now_s + sim.random.uniform(0.2, 6.0)
            case "keeper":
                world.crash(f"keeper@{a}")
            case "server":
                if not any(server.dead for server in sim.servers.values()):
                    world.kill_server(a)
            case "power":
                self._power_on()
            case "freeze":
                until_s = sim.now_s + sim.random.uniform(0.5, 6.0)
                for node in sim.nodes.values():
                    if node.server.name == a:
                        node.paused_until_s = until_s
            case "store":
                world.store_away = not world.store_away
            case "amnesia":
                world.store.__init__()  # type: ignore[misc]
            case "truth":
                world.broken ^= {sim.random.choice(KEYS)}
        sim.note(f"fault {kind} {a} {b}")
        sim.later(sim.random.uniform(0.3, 5.0), None, self.next)

    def heal(self) -> None:
        """End every fault; what is broken in the monitored world stays so."""
        self.healed = True
        self.world.sim.cut, self.world.sim.faults, self.world.store_away = set(), 0.0, False
        self._power_on()
        self.world.sim.note("healed")

    def _power_on(self) -> None:
        for name, server in self.world.sim.servers.items():
            if server.dead:
                self.world.power_on(name)
