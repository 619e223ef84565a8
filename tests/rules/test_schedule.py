"""Checks are spread at the start and keep their phase for ever."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from daemons.model.clock import Wall
from daemons.model.objects import TimePeriod, Traits
from daemons.rules.schedule import cached, first_check, interval_s, next_check, phase
from daemons.rules.timeperiod import compile_period, covers

T0 = Wall(1_795_398_000.0)  # 2026-11-23 01:40 UTC, a Monday
WORK = compile_period(TimePeriod("w", "", (("monday", "09:00-17:00"),)), {}, "UTC")
NEVER = compile_period(TimePeriod("never"), {}, "UTC")


def test_first_checks_fill_the_spread_evenly():
    due = sorted(first_check(i, 300.0, 1800.0, T0) for i in range(1000))

    assert due[0] >= T0 and due[-1] < T0 + 300
    gaps = [b - a for a, b in itertools.pairwise(due)]
    assert max(gaps) < 3 * 300 / 1000


def test_the_spread_is_no_longer_than_the_spread_limit():
    assert max(first_check(i, 3600.0, 30.0, T0) for i in range(100)) < T0 + 30


def test_first_checks_wait_for_their_period():
    assert covers(WORK, first_check(7, 300.0, 300.0, T0, WORK))
    assert first_check(7, 300.0, 300.0, T0, NEVER) is None


def test_an_object_has_the_same_phase_on_every_server():
    assert phase("web1;http") == phase("web1;http") != phase("web2;http")


def test_a_late_result_does_not_move_the_phase():
    assert next_check(Wall(1000.0), 60.0, Wall(1003.0)) == 1060.0
    assert next_check(Wall(1000.0), 60.0, Wall(1060.0)) == 1120.0
    assert next_check(Wall(1000.0), 60.0, Wall(1175.0)) == 1180.0


def test_what_has_no_interval_is_not_scheduled():
    assert next_check(Wall(1000.0), 0.0, Wall(1003.0)) is None


def test_a_period_that_never_comes_ends_the_schedule():
    assert next_check(Wall(1000.0), 60.0, Wall(1003.0), NEVER) is None


def test_checks_outside_their_period_come_on_their_phase_after_its_start():
    nine = 1_795_424_400.0  # Monday 09:00
    due = next_check(Wall(T0 + 17.0), 300.0, Wall(T0 + 20.0), WORK)

    assert nine <= due < nine + 300
    assert (due - (T0 + 17.0)) % 300 == 0


@given(
    st.floats(0, 2e9), st.floats(0.5, 90000), st.floats(-1e6, 1e6), st.sampled_from([None, WORK])
)
def test_the_next_check_is_in_the_future_and_inside_the_period(last, interval, later, period):
    now = Wall(max(last + later, 0.0))
    due = next_check(Wall(last), interval, now, period)

    assert due is not None and due > now - 1e-3
    assert period is None or covers(period, due)


def test_a_result_stands_for_a_check_on_demand_while_it_is_young():
    assert cached(Wall(100.0), 15.0, Wall(114.9))
    assert not cached(Wall(100.0), 15.0, Wall(115.0))
    assert cached(Wall(100.0), 15.0, Wall(100.0))


def test_nothing_is_cached_without_a_horizon_or_from_the_future():
    assert not cached(Wall(100.0), 0.0, Wall(100.0))
    assert not cached(Wall(100.0), 15.0, Wall(99.9))


def test_a_soft_problem_is_retried_after_its_own_interval_or_the_ordinary_one():
    traits = Traits(check_interval_s=300.0, retry_interval_s=60.0)
    assert interval_s(traits, retry=False) == 300.0
    assert interval_s(traits, retry=True) == 60.0
    assert interval_s(Traits(check_interval_s=300.0, retry_interval_s=0.0), retry=True) == 300.0
    assert interval_s(Traits(check_interval_s=0.0, retry_interval_s=60.0), retry=False) == 0.0


def test_rounding_never_makes_a_check_due_in_the_past():
    due = next_check(Wall(0.0), 0.3, Wall(0.8999999999999999))
    assert due is not None
    assert 0.8999999999999999 < due < 1.3


GOLDEN = 0.6180339887498949


def test_the_first_check_is_at_its_share_of_the_shorter_of_interval_and_spread():
    assert first_check(1, 100.0, 50.0, Wall(0.0)) == GOLDEN * 50
    assert first_check(1, 50.0, 100.0, Wall(0.0)) == GOLDEN * 50
    assert first_check(1, 0.5, 100.0, Wall(0.0)) == GOLDEN * 0.5
    assert first_check(1, 0.0, 50.0, Wall(0.0)) == GOLDEN * 50
    assert first_check(1, 0.0, 0.0, Wall(7.0)) == 7.0
    assert first_check(1, 0.0, -5.0, Wall(7.0)) == 7.0


def test_the_phase_of_a_key_never_changes():
    assert phase("web1;http") == 2_196_688_831


def test_a_result_before_its_time_leaves_the_next_check_where_it_was():
    assert next_check(Wall(1000.0), 60.0, Wall(900.0)) == 1060.0


def test_a_morning_keeps_the_rest_of_the_phase_unless_that_is_after_its_end():
    nine = 1_795_424_400.0  # Monday 09:00
    short = compile_period(TimePeriod("s", "", (("monday", "09:00-09:01"),)), {}, "UTC")

    assert next_check(Wall(nine - 3583.0), 300.0, T0, WORK) == nine + 17.0
    assert next_check(Wall(nine - 3483.0), 300.0, T0, short) == nine
