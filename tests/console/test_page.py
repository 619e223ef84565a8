"""The status page: complete, within the width, readable without colours and without UTF-8."""

import pytest

from console.page import page, printed
from tests.console.fakes import CLUSTER, healthy, server1_dead, told

HEARD = {"healthy": healthy(), "failed over": server1_dead(), "nobody": {}}


@pytest.mark.parametrize("name", HEARD)
@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    lines = printed(page(told(HEARD[name]), width), colour=False).splitlines()

    assert max(len(line) for line in lines) <= width
    assert not any(line.endswith(" ") for line in lines)


def test_every_daemon_has_its_line_with_rank_server_state_epoch_shard_pid_and_age() -> None:
    lines = printed(page(told(server1_dead()), 100), colour=False).splitlines()
    rows = {
        daemon.name: next(line.split() for line in lines if f" {daemon.name} " in line)
        for daemon in CLUSTER.daemons
    }

    assert rows["scheduler-spare"][-8:] == [
        "spare",
        "server3",
        "●",
        "active",
        "2",
        "1",
        "2108",
        "0.4s",
    ]
    assert rows["scheduler-master"][-8:] == ["master", "server1", "✖", "dead", "1", "-", "-", "14s"]


def test_a_shard_that_is_only_followed_stands_in_brackets() -> None:
    lines = printed(page(told(healthy()), 100), colour=False).splitlines()

    assert "(1)" in next(line for line in lines if " scheduler-spare " in line)


def test_each_problem_is_followed_by_its_fix() -> None:
    lines = printed(page(told(server1_dead()), 200), colour=False).splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("✖ server1 is silent"))

    assert lines[at + 1].strip().startswith("→ power it on")


def test_without_colour_there_is_no_escape_and_with_it_the_text_is_the_same() -> None:
    import re

    lines = page(told(server1_dead()), 80)
    plain, coloured = printed(lines, False), printed(lines, True)

    assert "\x1b" not in plain
    assert "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_a_terminal_without_utf_8_gets_other_signs() -> None:
    text = printed(page(told(server1_dead()), 80), False, "ascii")

    assert text.isascii()
    assert "X dead" in text and "* active" in text
