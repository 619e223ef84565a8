"""The whole cluster under faults, then healed: nothing wrong may happen, and all must come right.

`make sim SEEDS=2000` runs more; a seed that fails tells its story and how to run it again.
"""

import os

import pytest

from tests.sim.cluster import Setup
from tests.sim.history import run

SEEDS = int(os.environ.get("SEEDS", "12"))
TWO = Setup(servers=2)
HOLD = Setup(servers=2, split_policy="hold")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_three_servers_come_right_and_do_nothing_wrong(seed):
    run(seed)


@pytest.mark.parametrize("seed", range(max(3, SEEDS // 8)))
def test_what_the_language_says_is_done_once_whoever_owns_it(seed):
    run(seed, Setup(language=True))


@pytest.mark.parametrize("seed", range(max(2, SEEDS // 8)))
def test_two_servers_that_take_over_come_right(seed):
    run(seed, TWO)


@pytest.mark.parametrize("seed", range(max(1, SEEDS // 8)))
def test_two_servers_that_hold_come_right_and_do_nothing_wrong(seed):
    run(seed, HOLD)
