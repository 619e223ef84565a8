"""The scenarios of the scorecard, each once: `-k F3` plays one. CI's quick set shares a cluster, the others are slow.

Figures over many runs come from `make scorecard`; here each must keep its pass lines once. What is lost,
doubled or wrong fails at once; seconds that a busy machine took are measured once more, by the same lines.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.bed import Bed
from tests.cluster.cluster import Cluster
from tests.cluster.plan import Plan
from tests.cluster.report import line_of
from tests.cluster.scenarios import QUICK, QUICK_ALONE, SCENARIOS
from tests.cluster.scene import Outcome, perform, play


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster of the quick set: every scenario leaves it whole."""
    with Bed(tmp_path_factory.mktemp("bed"), 3) as bed:
        cluster = Cluster(bed, Plan())
        cluster.start()
        cluster.flow()
        yield cluster


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", QUICK)
def test_a_quick_scenario_keeps_its_pass_lines(name: str, running: Cluster) -> None:
    running.wait_whole()
    outcome = play(SCENARIOS[name], running)
    if outcome.only_slow:
        print("once more:", line_of(outcome))
        running.wait_whole()
        outcome = play(SCENARIOS[name], running)
    _kept(outcome)


@pytest.mark.timeout(700)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK_ALONE else pytest.mark.slow)
        for name in SCENARIOS
        if name not in QUICK
    ],
)
def test_a_scenario_keeps_its_pass_lines(name: str, tmp_path: Path) -> None:
    outcome = perform(SCENARIOS[name], tmp_path / "bed")
    if outcome.only_slow:
        print("once more:", line_of(outcome))
        outcome = perform(SCENARIOS[name], tmp_path / "again")
    _kept(outcome)


def _kept(outcome: Outcome) -> None:
    print(line_of(outcome))
    assert outcome.good, "\n".join([line_of(outcome), *outcome.wrong, *outcome.missed])
