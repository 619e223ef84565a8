"""An operator who moves work about all the time: planned switchovers as one more thing that happens.

Orders go to whoever leads; each is named, so that a repeat changes nothing.
"""

from typing import TYPE_CHECKING

from daemons.roles.arbiter import Arbiter
from daemons.wire.operations import Operate

if TYPE_CHECKING:
    from tests.sim.cluster import World


class Operator:
    """Orders something every few seconds until `until_s`."""

    def __init__(self, world: "World", until_s: float) -> None:
        """Begin once the cluster has come up."""
        self.world = world
        self.until_s = until_s
        self.orders = 0
        world.sim.later(10.0, None, self.next)

    def next(self) -> None:
        """Move one daemon's work, or give everything back."""
        sim = self.world.sim
        if sim.now_s >= self.until_s:
            return
        act = sim.random.choice(("failover", "failover", "failback"))
        name = sim.random.choice(self.world.cluster.daemons).name if act == "failover" else ""
        for node in list(sim.nodes.values()):
            if isinstance(node.role, Arbiter) and node.role.leading:
                self.orders += 1
                sim.note(f"operator {act} {name}")
                order = Operate(f"order-{self.orders}", act, name, actor="ann")
                node.enter(order, lambda answer: sim.note(f"answered {answer}"))
                break
        sim.later(sim.random.uniform(1.0, 8.0), None, self.next)
