"""The keeper is killed: its daemons live on, the next one adopts them, and nobody takes over."""

import os
import signal
import time

from daemons.cli.demo.judge import longest_gap
from tests.live.cluster import Servers, wait_until

ADOPTED_S = 5.0


def test_daemons_outlive_their_keeper_and_keep_their_leases(running: Servers) -> None:
    server = "server1"
    before = running.census(server)
    assert before is not None
    leases = _leases(running)
    owners = {d.role: d.name for d in running.daemons() if d.report.active and d.role != "poller"}
    killed_at = time.time()
    os.kill(before.pid, signal.SIGKILL)
    running.flag("keeper-dies")

    after = wait_until(lambda: _another(running, server, before.pid), 15, "another keeper answers")
    back_s = time.time() - killed_at
    wait_until(lambda: running.whole, 10, "every daemon beats to it")
    print(f"keeper: another adopted {len(after.daemons)} daemons after {back_s:.2f} s")

    assert back_s <= ADOPTED_S
    again = wait_until(lambda: running.census(server), 5, "the keeper answers")
    assert _processes(again) == _processes(before)
    running.tells_once("keeper-dies")
    assert _leases(running) == leases
    assert {
        d.role: d.name for d in running.daemons() if d.report.active and d.role != "poller"
    } == owners
    gap_s, key = longest_gap([r for r in running.runs() if r.ended > killed_at - 5], time.time())
    assert gap_s <= running.layout.check_s + 1.0, key


def _another(running: Servers, server: str, pid: int):
    found = running.census(server)
    return found if found and found.pid != pid and all(d.running for d in found.daemons) else None


def _processes(census) -> dict[str, tuple[int, str]]:
    return {d.name: (d.pid, d.instance) for d in census.daemons}


def _leases(running: Servers) -> dict[str, int]:
    return {
        lease.name: lease.epoch
        for server in running.layout.servers
        if (census := running.census(server))
        for lease in census.leases
    }
