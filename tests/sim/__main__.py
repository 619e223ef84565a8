"""Run one seed again and print its story: python -m tests.sim SEED [SERVERS]."""

import sys

from tests.sim.test_cluster import history

world = history(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
print("\n".join(world.sim.trace))
print(f"{world.sim.messages} messages, {len(world.ledger.checks)} checks, {len(world.ledger.told)} notifications")
