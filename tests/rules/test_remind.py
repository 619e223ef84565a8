"""When a standing problem is looked at again without a result."""

import pytest

from daemons.model.clock import Wall
from daemons.model.objects import Traits
from daemons.model.status import Status
from daemons.rules.notify import Reason
from daemons.rules.remind import (
    HELD_S,
    LOOK_AGAIN_S,
    NEVER_OPENS_S,
    RESULT_FIRST_S,
    UNHEARD_S,
    next_look,
    result_first,
    stands,
    unheard,
)

NOW = Wall(1_000_000.0)
LONG_AGO = NOW - 5000


def problem(**changes):
    facts = {"state": 2, "state_type": 1, "last_check_wall": LONG_AGO, "next_notification_wall": NOW + 600}
    return Status(key="h;s", **{**facts, **changes})


def look(why, status=None, opens=lambda: None, **traits):
    return next_look(why, status or problem(), Traits(**traits), NOW, opens=opens)


@pytest.mark.parametrize(("state", "state_type", "expected"), [(2, 1, True), (2, 0, False), (0, 1, False)])
def test_only_a_confirmed_problem_stands(state, state_type, expected):
    assert stands(problem(state=state, state_type=state_type)) is expected


@pytest.mark.parametrize("why", [Reason.SENT, Reason.INTERVAL])
def test_what_was_told_is_told_again_when_its_interval_has_passed(why):
    assert look(why) == NOW + 600
    assert look(why, problem(no_more_notifications=True)) is None


@pytest.mark.parametrize("why", [Reason.SOFT, Reason.NO_PROBLEM, Reason.OPTIONS, Reason.ONCE, Reason.UNWANTED])
def test_what_only_a_result_changes_is_not_looked_at(why):
    assert look(why) is None


def test_what_does_not_stand_is_not_looked_at():
    assert look(Reason.DOWNTIME, problem(state=0)) is None


def test_a_delayed_first_notification_comes_when_the_delay_has_passed():
    began = problem(last_change_wall=NOW - 100, problem_wall=NOW - 40)

    assert look(Reason.TOO_EARLY, began, first_notification_delay_s=300) == NOW + 200


def test_outside_its_period_it_waits_for_the_next_start():
    assert look(Reason.PERIOD, opens=lambda: Wall(NOW + 7200)) == NOW + 7200
    assert look(Reason.PERIOD, opens=lambda: None) == NOW + NEVER_OPENS_S


@pytest.mark.parametrize("why", [Reason.DISABLED, Reason.NOBODY, Reason.DEPENDENCY, Reason.TAKEN_CARE_OF])
def test_what_may_end_at_any_time_is_looked_at_often(why):
    assert look(why) == NOW + LOOK_AGAIN_S


@pytest.mark.parametrize(
    "why",
    [Reason.DOWNTIME, Reason.HOST_DOWNTIME, Reason.FLAPPING, Reason.ACKNOWLEDGED, Reason.HOST_AWAY],
)
def test_what_says_itself_when_it_ends_is_looked_at_seldom(why):
    assert look(why) == NOW + HELD_S


def test_a_result_that_may_be_about_to_come_goes_first():
    just_heard = problem(last_check_wall=NOW - 3, next_notification_wall=NOW + 1)

    assert look(Reason.INTERVAL, just_heard) == NOW - 3 + RESULT_FIRST_S
    assert result_first(just_heard, NOW + 50, NOW) == NOW + 50


def test_a_result_of_the_future_holds_nothing_up():
    ahead = problem(last_check_wall=NOW + 9000)

    assert result_first(ahead, NOW, NOW) == NOW + RESULT_FIRST_S


def back(**changes):
    return Status(key="h", **{"state": 0, "last_change_wall": NOW - 30, **changes})


def test_a_service_heard_before_its_host_came_back_waits_for_a_result():
    passive = problem(next_check_wall=0.0)

    assert unheard(passive, back(), NOW) == NOW - 30 + UNHEARD_S
    assert unheard(problem(next_check_wall=NOW + 200), back(), NOW) == NOW + 200 + UNHEARD_S


def test_it_does_not_wait_for_ever():
    passive = problem(next_check_wall=0.0)

    assert unheard(passive, back(last_change_wall=NOW - UNHEARD_S), NOW) is None
    assert unheard(passive, back(last_change_wall=NOW - UNHEARD_S + 1), NOW) == NOW + 1


@pytest.mark.parametrize("host", [None, back(state=1), back(last_change_wall=LONG_AGO)])
def test_a_host_that_is_not_just_back_makes_nothing_wait(host):
    assert unheard(problem(next_check_wall=NOW + 200), host, NOW) is None
