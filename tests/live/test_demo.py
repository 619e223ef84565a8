"""`make demo` as a process: interrupted in the middle, it ends all that it started."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemons.cli.demo.files import Layout
from daemons.cli.demo.servers import census, make_anew, stop_all
from tests.live.cluster import end_all_below, processes_below, wait_until


@pytest.mark.parametrize(
    "sign", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_an_interrupted_drill_ends_all_that_it_started(
    layout: Layout, tmp_path: Path, sign: signal.Signals
) -> None:
    network = layout.addresses[0][1].rpartition(".")[0]
    command = [sys.executable, "-m", "daemons.cli.demo", "--drill", "--base", str(layout.base)]
    with open(tmp_path / "said", "wb") as said:
        process = subprocess.Popen([*command, "--network", network], stdout=said, stderr=said)
    try:
        wait_until(lambda: census(layout, "server1"), 30, "the first server answers")
        process.send_signal(sign)
        assert process.wait(30) == 130, (tmp_path / "said").read_text()
    finally:
        process.kill()
        process.wait(10)
        left = end_all_below(layout.base)
    assert left == []


def test_what_a_killed_demo_left_is_ended_before_its_folder_is_made_anew(layout: Layout) -> None:
    network = layout.addresses[0][1].rpartition(".")[0]
    command = [sys.executable, "-m", "daemons.cli.demo", "--base", str(layout.base), "--network", network]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: census(layout, "server1"), 30, "the first server answers")
        process.kill()
        process.wait(10)
        left = processes_below(layout.base)
        assert left
        make_anew(layout)
        assert not [pid for pid in left if pid in processes_below(layout.base)]
    finally:
        process.kill()
        process.wait(10)
        stop_all(layout, lambda _: None)
