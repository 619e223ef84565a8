"""Work is moved by hand under load: nothing is missed, nothing done twice, and the gap is short."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import json

from daemons.cli.demo.files import Layout
from daemons.cli.demo.servers import pids_of
from tests.live.cluster import Servers, layout_at, wait_until

CHECK_S = 2
GAP_S_MAX = 1.0  # the pass line is 0.3 s on a machine of its own; here others are busy too

pytestmark = [pytest.mark.live]


def shinken(layout: Layout, *words: str) -> tuple[int, dict]:
    """Run a command of an operator; return its exit code and what it said as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "console.cli", *words, "--json", "--workdir", str(layout.workdir("server3"))],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.decode(done.stdout) if done.stdout else {"error": done.stderr}


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    lines = ("failback=manual",)
    running = Servers(layout_at(tmp_path / "live", extra_services=40, check_s=CHECK_S, lines=lines))
    try:
        running.start()
        wait_until(lambda: running.whole, 30, "all daemons beat")
        wait_until(running.has_begun, 40, "every check has run twice")
        yield running
    finally:
        assert running.stop() == []


def faults(servers: Servers, since: float) -> list[str]:
    """Return what is wrong with the runs of the checks since then: missed or doubled ones."""
    found = []
    begun: dict[str, list[float]] = {}
    for run in servers.runs():
        if run.began >= since:
            begun.setdefault(run.key, []).append(run.began)
    for key, times in begun.items():
        for one, two in zip(sorted(times), sorted(times)[1:], strict=False):
            if two - one > 2 * CHECK_S:
                found.append(f"missed: {key} did not run for {two - one:.2f} s")
            if two - one < 0.3 * CHECK_S:
                found.append(f"doubled: {key} ran again after {two - one:.2f} s")
    return found


@pytest.mark.parametrize(
    ("name", "to"),
    [
        ("scheduler-master", "scheduler-spare"),
        ("broker-master", "broker-spare"),
        ("poller-master", "poller-spare"),
        ("reactionner-master", "reactionner-spare"),
        ("receiver-master", "receiver-spare"),
        ("arbiter-master", "arbiter-spare"),
    ],
)
@pytest.mark.slow
@pytest.mark.long
def test_a_role_is_moved_and_given_back_under_load(servers: Servers, name: str, to: str) -> None:
    _moved_and_back(servers, name, to)


def test_everything_on_a_server_is_moved_and_given_back_under_load(servers: Servers) -> None:
    _moved_and_back(servers, "server1", "scheduler-spare")


def _moved_and_back(servers: Servers, name: str, to: str) -> None:
    since = time.time()
    code, there = shinken(servers.layout, "failover", name, "--yes", "--reason", "test")
    assert (code, there["state"]) == (0, "done"), there
    wait_until(lambda: (d := servers.seen(to)) and d.report.active, 10, f"{to} is active")
    code, back = shinken(servers.layout, "failback", "--yes")
    assert (code, back["state"]) == (0, "done"), back
    end = time.time() + 2 * CHECK_S
    wait_until(lambda: time.time() > end, 10, "the checks after it ran")

    assert faults(servers, since) == []
    gaps = [op["figures"].get("handover_gap_s", 0.0) for op in (there, back)]
    print(f"{name}: gaps {gaps}, took {there['took_s']} s and {back['took_s']} s")
    assert max(gaps) < GAP_S_MAX
    alerts = Counter(
        line for broker in ("broker-master", "broker-spare") for line in _alerts(servers, broker)
    )
    assert [line for line, times in alerts.items() if times > 1] == []


def _alerts(servers: Servers, broker: str) -> list[str]:
    try:
        return servers.alerts(broker)
    except FileNotFoundError:
        return []  # it was never active


@pytest.mark.slow
def test_while_paused_nobody_takes_over_and_soon_after_its_end_somebody_does(servers: Servers) -> None:
    code, paused = shinken(servers.layout, "pause", "--for", "12s", "--reason", "test")
    began = time.monotonic()
    assert (code, paused["state"]) == (0, "done"), paused
    frozen = [p for p in pids_of(servers.layout, "server1") if p]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        while time.monotonic() - began < 10.0:
            spare = servers.seen("scheduler-spare")
            assert spare is None or not spare.report.active, "taken over while paused"
        wait_until(
            lambda: (d := servers.seen("scheduler-spare")) and d.report.active, 15, "the spare takes over"
        )
        took_s = time.monotonic() - began - 12.0
        print(f"taken over {took_s:.2f} s after the end of the pause")
        assert took_s < 8.0
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
