"""What the checkers of every instant must not miss."""

from daemons.roles.reactionner import Reactionner
from daemons.wire.messages import Enrolled
from tests.sim.history import History


def test_a_reactionner_on_a_roster_between_two_coarse_looks_was_on_a_roster():
    history = History(1)
    checker, sim = history.checker, history.world.sim
    history.world.begin()
    enrolled, seen = set(), sim.seen
    checker.coarse_s = 1e9  # no coarse look at all

    def listen(node, message, answer):
        if isinstance(answer, Enrolled) and isinstance(node.role, Reactionner) and node.role._serves:
            enrolled.add((node.name, node.life))
        seen(node, message, answer)

    sim.seen = listen
    sim.run(5.0, checker)
    assert enrolled and enrolled == checker.serving
