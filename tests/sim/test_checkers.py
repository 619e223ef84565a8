"""What the checkers of every instant must not miss."""

import pytest

from daemons.roles.reactionner import Reactionner
from daemons.wire.messages import Delta, Enrolled
from tests.sim.checkers import Violation
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


def test_a_broker_that_lost_its_file_may_write_a_line_anew_and_no_other_may():
    history = History(1)
    checker, node = history.checker, history.world.sim.nodes["broker-1"]
    delta = Delta(1, 7, 2, 0.0, {}, (), ())
    checker.fed(node, delta)
    with pytest.raises(Violation, match="I9"):
        checker.fed(node, delta)
    history.world.lose_disks("server1")
    checker.fed(node, delta)
