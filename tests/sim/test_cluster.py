"""The whole cluster under faults, then healed: nothing wrong may happen, and all must come right.

`make sim SEEDS=2000` runs more; a seed that fails prints its last events and how to run it again.
"""

import os

import pytest

from tests.sim.checkers import Checker, Violation, converged, log_faults, statuses, untold
from tests.sim.cluster import World
from tests.sim.faults import Faults

SEEDS = int(os.environ.get("SEEDS", "12"))
FAULTS_S, SETTLE_S = 60.0, 60.0


def history(seed: int, servers: int = 3, without: frozenset[str] = frozenset(), **more) -> World:
    """Run both acts of one seed. Raises Violation with the story."""
    world = World(seed, servers=servers, without=without, **more)
    check = Checker(world)
    try:
        Faults(world, FAULTS_S)
        world.sim.run(FAULTS_S + 6.0, check)
        end_s = FAULTS_S + SETTLE_S
        while world.sim.now_s < end_s and converged(world):
            world.sim.run(world.sim.now_s + 1.0, check)
        if why := converged(world):
            raise Violation(f"not settled after {SETTLE_S:.0f} s: {why}")
        world.sim.run(world.sim.now_s + 8.0, check)
        owner = next(
            role for node in world.sim.nodes.values() if (role := node.role) and hasattr(role, "statuses") and statuses(role)
        )
        for fault in [*untold(world, statuses(owner)), *log_faults(world)]:
            raise Violation(fault)
    except Violation as error:
        story = "\n".join(world.sim.trace)
        raise Violation(
            f"seed {seed} servers {servers}: {error}\n{story}\n"
            f"again: python -m tests.sim {seed} {servers}"
        ) from None
    return world


@pytest.mark.parametrize("seed", range(SEEDS))
def test_three_servers_come_right_and_do_nothing_wrong(seed):
    history(seed)


@pytest.mark.parametrize("seed", range(max(2, SEEDS // 4)))
def test_two_servers_come_right(seed):
    history(10_000 + seed, servers=2)
