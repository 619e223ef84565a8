"""Two servers with all roles and a third machine that only votes: one server may die, nothing is degraded."""

import os
import signal
from collections.abc import Callable

import pytest

from daemons.cli.demo.servers import pids_of
from tests.live.cluster import Servers, wait_until


@pytest.mark.slow
def test_the_vote_of_a_small_machine_lets_the_other_server_take_over(cluster: Callable[..., Servers]) -> None:
    servers = cluster(voter_only=True, check_s=3, retry_s=1)
    servers.start()
    assert "server2: votes only" in "\n".join(servers.said)
    wait_until(servers.has_begun, 60, "every check has run twice")
    wait_until(lambda: servers.whole, 30, "every daemon runs")
    voter = servers.census("server2")
    assert voter is not None and voter.daemons == ()
    assert voter.voters is not None and len(voter.voters.voters) == 3

    before = len(servers.runs())
    for pid in pids_of(servers.layout, "server1"):
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: {d.role for d in servers.active("arbiter") + servers.active("scheduler")} == {"arbiter", "scheduler"},
        20, "server3 leads and schedules",
    )  # fmt: skip
    wait_until(lambda: len(servers.runs()) > before + 3, 20, "checks go on")
    assert not [p for d in servers.daemons() for p in d.report.problems if "duplicate" in p or "degraded" in p]
