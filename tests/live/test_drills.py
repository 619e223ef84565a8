"""Drills that take longer: two servers, a frozen server, and the judge held against protections switched off.

A protection whose removal the judge does not notice is not tested by the drill.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from daemons.cli.demo.drill import Outcome, Way, drill, good, table
from daemons.cli.demo.files import Layout
from tests.live.cluster import end_all_below
from tests.net.etcd_server import EtcdServer

pytestmark = pytest.mark.slow


def test_two_servers_are_enough_to_lose_one(layout: Layout) -> None:
    outcome = _drilled(replace(layout, two_servers=True), "kill")

    assert good(outcome), table(outcome)
    assert outcome.findings.first_check_s <= 10


def test_two_servers_and_etcd_lose_one_without_a_degraded_time(layout: Layout, tmp_path: Path) -> None:
    etcd = EtcdServer(tmp_path)
    try:
        lines = ("board=etcd", f"etcd={etcd.url}")
        outcome = _drilled(replace(layout, two_servers=True, lines=lines), "kill")
    finally:
        etcd.stop()

    assert good(outcome), table(outcome)
    assert outcome.findings.first_check_s <= 10


@pytest.mark.long
def test_a_server_that_freezes_and_goes_on_is_obeyed_by_nobody(layout: Layout) -> None:
    outcome = _drilled(layout, "freeze")

    assert good(outcome), table(outcome)
    assert outcome.findings.first_check_s <= 10


def test_a_spare_that_missed_a_notification_does_not_repeat_it(layout: Layout) -> None:
    """The reactionner's journal knows its id. What no second server kept of the state is lost, as documented."""
    outcome = _drilled(replace(layout, far_reactionner=True), "stale")

    assert outcome.findings.repeated == () and outcome.findings.unended == ()
    assert outcome.findings.notifications > 0 and outcome.findings.untold == ()


@pytest.mark.parametrize(
    ("without", "options", "wrong"),
    [
        ("fencing", ["--freeze"], r"WRONG: (check run twice|result lost)"),
        ("notification-ids", ["--stale"], r"WRONG: notification repeated: PROBLEM 1 of this-machine/early-alarm"),
        ("retention", [], r"WRONG: state differs: this-machine/downtime: downtime 1"),
    ],
)  # fmt: skip
def test_the_judge_notices_a_protection_that_is_switched_off(
    layout: Layout, without: str, options: list[str], wrong: str
) -> None:
    network = layout.addresses[0][1].rpartition(".")[0]
    said = subprocess.run(
        [
            sys.executable, "-m", "daemons.cli.demo", "--drill", *options,
            "--base", str(layout.base), "--network", network,
        ],
        env=os.environ | {"SHINKEN_TEST_WITHOUT": without},
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip

    assert said.returncode == 1, said.stdout
    assert re.search(wrong, said.stdout), said.stdout
    assert "the failover was NOT good" in said.stdout
    assert end_all_below(layout.base) == []


def _drilled(layout: Layout, way: Way) -> Outcome:
    outcome = drill(layout, print, way)
    print(table(outcome))
    assert end_all_below(layout.base) == [], "the drill cleans up after itself"
    return outcome
