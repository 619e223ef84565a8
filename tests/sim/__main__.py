"""Run one seed and tell its story: python -m tests.sim SEED [SERVERS [takeover|hold [WITHOUT...]]]."""

import sys

from tests.sim.checkers import Violation
from tests.sim.cluster import Setup
from tests.sim.history import History

words = sys.argv[1:] + ["3", "takeover"][len(sys.argv) - 2 :]
setup = Setup(servers=int(words[1]), split_policy=words[2], without=frozenset(words[3:]))
history = History(int(words[0]), setup)
try:
    history.run()
except Violation as violation:
    verdict = str(violation)
else:
    verdict = "all came right"
world, ledger = history.world, history.world.ledger
print("\n".join(world.sim.trace))
print(f"{verdict}\n{world.sim.messages} messages, {ledger.checks} checks, {len(ledger.ran)} notifications and handlers")
print(f"{len(history.sender.given)} commands, lost: {history.checker.lost}, digest {world.sim.digest:08x}")
