"""When a snapshot is taken."""

import pytest

from daemons.model.clock import Wall
from daemons.model.objects import Snapshot
from daemons.rules.snapshot import wanted

NOW = Wall(10_000.0)
SERVICE = Snapshot("snap", ("w", "c", "u"), 300.0)
HOST = Snapshot("snap", ("d", "u"), 300.0)


def asks(snapshot=SERVICE, state=2, last_wall=0.0, *, is_host=False, in_period=True) -> bool:
    return wanted(snapshot, state, last_wall, NOW, is_host=is_host, in_period=in_period)


@pytest.mark.parametrize(("state", "answer"), [(0, False), (1, True), (2, True), (3, True), (4, False), (-1, False)])
def test_a_service_is_pictured_in_the_states_that_are_named(state, answer):
    assert asks(state=state) is answer


@pytest.mark.parametrize(("letter", "state"), [("o", 0), ("w", 1), ("c", 2), ("u", 3)])
def test_each_letter_stands_for_one_state_of_a_service(letter, state):
    snapshot = Snapshot("snap", (letter,), 300.0)
    assert [s for s in range(-1, 5) if asks(snapshot, s)] == [state]


@pytest.mark.parametrize(("letter", "state"), [("o", 0), ("d", 1), ("u", 2)])
def test_each_letter_stands_for_one_state_of_a_host(letter, state):
    snapshot = Snapshot("snap", (letter,), 300.0)
    assert [s for s in range(-1, 5) if asks(snapshot, s, is_host=True)] == [state]


@pytest.mark.parametrize(
    ("ago_s", "answer"), [(0.0, False), (299.9, False), (300.0, True), (300.1, True), (-0.1, True)]
)
def test_the_interval_counts_from_the_last_one(ago_s, answer):
    assert asks(last_wall=NOW - ago_s) is answer


def test_outside_of_its_period_and_without_a_command_there_is_none():
    assert not asks(in_period=False)
    assert not asks(Snapshot("", ("c",), 0.0))
    assert asks(HOST, 1, is_host=True)
