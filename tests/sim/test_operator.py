"""Planned switchovers between the faults: still nothing wrong happens, and all comes right."""

import pytest

from tests.sim.history import History
from tests.sim.operator import Operator


@pytest.mark.parametrize("seed", range(2))
def test_an_operator_who_moves_work_about_breaks_nothing(seed):
    history = History(seed)
    operator = Operator(history.world, history.setup.faults_s)
    history.run()

    assert operator.orders > 0
