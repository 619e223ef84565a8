"""Freshness: by what age is measured, from when it counts, and when it counts at all."""

import pytest
from msgspec.structs import replace

from daemons.model.clock import Wall
from daemons.model.objects import Traits
from daemons.model.status import HARD, SOFT, Status
from daemons.rules.freshness import stale_s, threshold_s, watched

TRAITS = Traits(
    check_command="c", check_interval_s=300.0, retry_interval_s=60.0, check_freshness=True
)


def test_a_threshold_that_is_set_counts_alone():
    status = Status(key="a;s", latency_s=5.0)
    assert threshold_s(status, replace(TRAITS, freshness_threshold_s=7.0), 15.0) == 7.0
    idle = replace(TRAITS, freshness_threshold_s=7.0, check_interval_s=0.0)
    assert threshold_s(status, idle, 15.0) == 7.0


@pytest.mark.parametrize(
    ("state", "state_type", "expected"),
    [(0, HARD, 320.0), (0, SOFT, 320.0), (2, HARD, 320.0), (2, SOFT, 80.0)],
)
def test_without_one_it_is_interval_latency_and_what_is_added(state, state_type, expected):
    status = Status(key="a;s", latency_s=5.0, state=state, state_type=state_type)
    assert threshold_s(status, TRAITS, 15.0) == expected


def test_without_threshold_and_interval_nothing_is_stale():
    status = Status(key="a;s")
    assert threshold_s(status, replace(TRAITS, check_interval_s=0.0), 15.0) == 0.0
    soft = Status(key="a;s", state=2, state_type=SOFT)
    assert threshold_s(soft, replace(TRAITS, retry_interval_s=0.0), 15.0) == 0.0
    assert stale_s(status, Wall(0.0), 0.0, Wall(1e9)) == 0.0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"check_freshness": False}, False),
        ({"check_command": ""}, False),
        ({"active_checks_enabled": False}, True),
        ({"passive_checks_enabled": False}, True),
        ({"active_checks_enabled": False, "passive_checks_enabled": False}, False),
    ],
)
def test_what_is_watched(change, expected):
    assert watched(Status(key="a;s"), replace(TRAITS, **change), in_period=True) is expected


def test_nothing_is_watched_outside_its_period_or_while_its_check_is_awaited():
    assert not watched(Status(key="a;s"), TRAITS, in_period=False)
    assert not watched(Status(key="a;s", stale=True), TRAITS, in_period=True)


def test_age_counts_from_the_last_result():
    status = Status(key="a;s", last_check_wall=100.0)
    assert stale_s(status, Wall(0.0), 50.0, Wall(149.0)) == 0.0
    assert stale_s(status, Wall(0.0), 50.0, Wall(150.0)) == 0.0
    assert stale_s(status, Wall(0.0), 50.0, Wall(151.5)) == 1.5


def test_age_counts_from_when_we_began_to_watch_after_an_outage():
    status = Status(key="a;s", last_check_wall=100.0)
    assert stale_s(status, Wall(10_000.0), 50.0, Wall(10_050.0)) == 0.0
    assert stale_s(status, Wall(10_000.0), 50.0, Wall(10_051.0)) == 1.0


def test_a_second_is_a_threshold_and_an_interval():
    status = Status(key="a;s", last_check_wall=100.0)
    assert threshold_s(status, replace(TRAITS, freshness_threshold_s=1.0), 15.0) == 1.0
    second = replace(TRAITS, check_interval_s=1.0, retry_interval_s=1.0)
    assert threshold_s(status, second, 15.0) == 16.0
    assert threshold_s(Status(key="a;s", state=2, state_type=SOFT), second, 15.0) == 16.0
    assert stale_s(status, Wall(0.0), 1.0, Wall(102.0)) == 1.0


def test_retries_alone_are_no_interval():
    status = Status(key="a;s", state=2, state_type=SOFT)
    assert threshold_s(status, replace(TRAITS, check_interval_s=0.0), 15.0) == 0.0
