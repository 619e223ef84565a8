"""One daemon is killed; its spare takes over within three seconds and monitoring goes on.

Each test kills whoever is active in its role in the cluster that all share, and breaks a service in the
same moment: that problem is to be told and logged once.
"""

import os
import signal
import time

import pytest

from daemons.cli.demo.judge import longest_gap, twice
from daemons.wire.messages import DaemonSeen
from tests.live.cluster import Servers, wait_until

TAKEN_S = 3.0
ROLES = ("broker", "receiver", "reactionner", "poller", "arbiter", "scheduler")


@pytest.mark.parametrize("role", ROLES)
def test_a_killed_daemon_is_replaced_within_three_seconds(running: Servers, role: str) -> None:
    victim, problem = running.active(role)[0], f"{role}-dies"
    killed_at = time.time()
    os.kill(victim.pid, signal.SIGKILL)
    running.flag(problem)

    heir = wait_until(lambda: _heir(running, victim), 10, f"another {role} is active")
    taken_s = time.time() - killed_at
    wait_until(lambda: _served_by(running, killed_at + taken_s), 10, "it is at work")
    again = wait_until(lambda: _restarted(running, victim), 10, f"{victim.name} runs again")
    gap_s, key = longest_gap(
        [run for run in running.runs() if run.ended > killed_at - 5], time.time()
    )
    unanswered_s = gap_s - running.layout.check_s
    print(
        f"{role}: {heir.name} active after {taken_s:.2f} s; {key} unanswered {unanswered_s:.2f} s"
    )
    assert taken_s <= TAKEN_S
    assert unanswered_s <= TAKEN_S + 1.0
    assert heir.name != victim.name and again.pid != victim.pid
    assert not twice([r for r in running.runs() if r.began > killed_at], running.layout.retry_s)
    running.tells_once(problem)


def _heir(running: Servers, victim: DaemonSeen) -> DaemonSeen | None:
    found = [d for d in running.active(victim.role) if d.pid != victim.pid]
    return found[0] if found else None


def _served_by(running: Servers, since: float) -> bool:
    """Whether a check ran after `since`: by whom is the scheduler's choice, pollers share the load."""
    return any(r.began > since for r in running.runs())


def _restarted(running: Servers, victim: DaemonSeen) -> DaemonSeen | None:
    seen = running.seen(victim.name)
    return (
        seen if seen and seen.running and seen.pid != victim.pid and seen.beat_age_s >= 0 else None
    )
