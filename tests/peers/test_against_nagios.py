"""Hundreds of random islands at once, through a real nagios4 and through a scheduler of ours.

Islands are about what both read alike: docs/compatibility.md has the rest.
"""

from pathlib import Path

import pytest

from tests.peers.compare import differences
from tests.peers.nagios import NAGIOS, record
from tests.peers.replay import replay
from tests.peers.worlds import head, island

pytestmark = pytest.mark.skipif(
    NAGIOS is None, reason="nagios4 is not installed (Debian: nagios4-core)"
)


@pytest.mark.slow
def test_nagios_says_and_remembers_what_we_do(tmp_path: Path) -> None:
    islands = [island(seed) for seed in range(3000, 3150)]
    objects = head() + "".join(one.objects for one in islands)
    steps = [
        [command for one in islands for command in one.steps[tick]]
        for tick in range(len(islands[0].steps))
    ]

    theirs = record(tmp_path / "nagios", objects, steps)
    ours = replay(tmp_path, objects, steps)

    wrong = {
        one.name: found
        for one in islands
        if (found := differences(theirs, ours, {one.name, f"{one.name}-b"}))
    }
    assert wrong == {}
