"""Time periods by the documentation's forms, on days when the clocks change, and at random."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.model.clock import Wall
from daemons.model.objects import TimePeriod
from daemons.rules.timeperiod import (
    ALWAYS,
    BadRange,
    compile_period,
    covers,
    next_end,
    next_start,
    read_range,
)

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def period(*ranges, zone="UTC", exclude=(), others=()):
    named = {other.name: other for other in others}
    return compile_period(TimePeriod("p", "", tuple(ranges), tuple(exclude)), named, zone)


def at(text, zone="UTC"):
    return Wall(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


@pytest.mark.parametrize(
    ("days", "inside", "outside"),
    [
        ("monday", "2026-11-23", "2026-11-24"),
        ("2026-12-24", "2026-12-24", "2027-12-24"),
        ("2026-12-24 - 2026-12-26", "2026-12-26", "2026-12-27"),
        ("2026-12-01 / 7", "2028-01-11", "2028-01-12"),
        ("2026-12-01 - 2026-12-31 / 7", "2026-12-29", "2027-01-05"),
        ("day 13", "2026-11-13", "2026-11-14"),
        ("day -1", "2027-02-28", "2027-03-30"),
        ("day -1", "2028-02-29", "2028-02-28"),
        ("day 10 - 20", "2026-11-20", "2026-11-21"),
        ("day -5 - -1", "2026-11-26", "2026-11-25"),
        ("day 28 - 31", "2027-02-28", "2027-03-01"),
        ("day 1 - 31 / 3", "2026-11-04", "2026-11-05"),
        ("december 25", "2030-12-25", "2030-11-25"),
        ("february -1", "2027-02-28", "2028-02-28"),
        ("july 10 - 15", "2027-07-15", "2027-08-10"),
        ("april 10 - may 15", "2027-05-15", "2027-05-16"),
        ("december 28 - january 3", "2027-01-03", "2027-01-04"),
        ("december 28 - january 3", "2026-12-28", "2026-12-27"),
        ("november 1 - 30 / 2", "2026-11-03", "2026-12-01"),
        ("thursday 3", "2026-11-19", "2026-11-26"),
        ("thursday -1", "2026-11-26", "2026-11-19"),
        ("sunday 5", "2026-11-29", "2026-11-22"),
        ("monday 3 - thursday 4", "2026-11-26", "2026-11-27"),
        ("thursday -1 november", "2026-11-26", "2026-12-31"),
        ("tuesday 1 april - friday 2 may", "2027-05-14", "2027-05-15"),
        ("Monday 1 September", "2027-09-06", "2027-09-13"),
    ],
)
def test_every_documented_form_of_days(days, inside, outside):
    when = period((days, "00:00-24:00"))

    assert covers(when, at(f"{inside} 12:00"))
    assert not covers(when, at(f"{outside} 12:00"))


@pytest.mark.parametrize(
    ("days", "times"),
    [
        ("someday", "00:00-24:00"),
        ("2026-13-01", "00:00-24:00"),
        ("day 32", "00:00-24:00"),
        ("day 0", "00:00-24:00"),
        ("monday 6", "00:00-24:00"),
        ("monday - friday", "00:00-24:00"),
        ("day 1 - monday 3", "00:00-24:00"),
        ("day 1 / x", "00:00-24:00"),
        ("day ٣", "00:00-24:00"),
        ("monday", "9-17"),
        ("monday", "09:00-25:00"),
        ("monday", "09:60-10:00"),
        ("monday", ""),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_words_it_was_written_in(days, times):
    with pytest.raises(BadRange) as refused:
        read_range(days, times)

    assert repr(days) in str(refused.value) or repr(times) in str(refused.value)


def test_what_cannot_be_read_stops_no_shard_and_an_unknown_time_zone_is_utc():
    when = period(("someday", "09:00-17:00"), ("monday", "09:00-17:00"), zone="Mars/Olympus")

    assert covers(when, at("2026-11-23 09:00")) and not covers(when, at("2026-11-23 08:59"))
    assert next_start(period(("someday", "09:00-17:00")), at("2026-11-23 09:00")) is None


@pytest.mark.parametrize(
    ("days", "inside", "outside"),
    [
        ("day 25 - 5", "2026-12-05", "2026-12-06"),
        ("day 25 - 5", "2026-12-25", "2026-12-24"),
        ("day 25 - 5", "2027-01-05", "2027-01-06"),
        ("day -2 - 1", "2027-03-01", "2027-03-02"),
        ("day -2 - 1", "2027-02-27", "2027-02-26"),
        ("july 20 - 10", "2027-07-10", "2027-07-11"),
        ("july 20 - 10", "2027-07-20", "2027-07-19"),
        ("friday -1 - monday 1", "2026-12-07", "2026-12-08"),
        ("friday -1 - monday 1", "2026-11-27", "2026-11-26"),
        ("thursday -1 november - monday 1 march", "2027-03-01", "2027-03-02"),
    ],
)
def test_a_range_that_ends_before_it_begins_ends_in_the_next_month_or_year(days, inside, outside):
    when = period((days, "00:00-24:00"))

    assert covers(when, at(f"{inside} 12:00"))
    assert not covers(when, at(f"{outside} 12:00"))


def test_a_day_that_a_month_has_not_is_left_out_and_a_range_to_it_ends_with_the_month():
    assert not covers(period(("day 31", "00:00-24:00")), at("2026-11-30 12:00"))
    assert not covers(period(("february 29", "00:00-24:00")), at("2027-02-28 12:00"))
    assert not covers(period(("thursday 5", "00:00-24:00")), at("2026-11-26 12:00"))
    assert not covers(period(("2027-02-30", "00:00-24:00")), at("2027-03-02 12:00"))
    assert covers(period(("2027-02-20 - 2027-02-30", "00:00-24:00")), at("2027-02-28 12:00"))
    assert not covers(period(("2027-02-20 - 2027-02-30", "00:00-24:00")), at("2027-03-01 12:00"))
    assert covers(period(("thursday 4 - 5", "00:00-24:00")), at("2026-11-30 12:00"))


def test_the_most_exact_entry_of_a_day_counts_alone():
    when = period(
        ("monday", "09:00-17:00"), ("2026-11-23", "20:00-21:00"), ("day 23", "01:00-02:00")
    )

    assert not covers(when, at("2026-11-23 10:00"))
    assert not covers(when, at("2026-11-23 01:30"))
    assert covers(when, at("2026-11-23 20:30"))
    assert covers(when, at("2026-11-30 10:00"))


def test_a_whole_week_is_always_and_no_period_too():
    whole = period(*((day, "00:00-24:00") for day in WEEK))

    assert whole.always and ALWAYS.always
    assert compile_period(None, {}) is ALWAYS
    assert next_start(whole, Wall(5.0)) == 5.0
    assert next_end(whole, Wall(5.0)) is None


def test_spans_of_a_day_may_touch_overlap_and_pass_midnight():
    when = period(("monday", "09:00-12:00,12:00-13:00,12:30-14:00"), ("tuesday", "22:00-02:00"))

    assert next_end(when, at("2026-11-23 09:00")) == at("2026-11-23 14:00")
    assert covers(when, at("2026-11-24 01:00")) and covers(when, at("2026-11-24 23:00"))
    assert not covers(when, at("2026-11-25 01:00"))


def test_excluded_periods_are_cut_out():
    lunch = TimePeriod("lunch", "", tuple((day, "12:00-13:00") for day in WEEK))
    when = period(("monday", "09:00-17:00"), exclude=("lunch", "unknown"), others=(lunch,))

    assert covers(when, at("2026-11-23 11:59:59"))
    assert next_start(when, at("2026-11-23 12:00")) == at("2026-11-23 13:00")
    assert next_end(when, at("2026-11-23 13:00")) == at("2026-11-23 17:00")


def test_periods_that_exclude_each_other_end_somewhere():
    a = TimePeriod("a", "", (("monday", "00:00-24:00"),), ("b",))
    b = TimePeriod("b", "", (("monday", "09:00-10:00"),), ("a",))

    assert not covers(compile_period(a, {"a": a, "b": b}), at("2026-11-23 09:30"))


@pytest.mark.parametrize(
    ("day", "hours"), [("2027-03-28", 23), ("2027-10-31", 25), ("2027-06-01", 24)]
)
def test_a_day_is_as_long_as_the_clocks_make_it(day, hours):
    when = period((day, "00:00-24:00"), zone="Europe/Berlin")
    start = next_start(when, at("2027-01-01", "Europe/Berlin"))

    assert next_end(when, start) - start == hours * 3600


def test_office_hours_follow_the_clocks():
    when = period(("sunday", "09:00-17:00"), zone="Europe/Berlin")

    assert next_start(when, at("2027-03-28 00:00", "Europe/Berlin")) == at("2027-03-28 07:00")
    assert next_start(when, at("2027-10-31 00:00", "Europe/Berlin")) == at("2027-10-31 08:00")


def test_a_period_without_an_end_in_sight_has_none():
    whole_months = period(("day 1 - 31", "00:00-24:00"))

    assert next_end(whole_months, at("2026-11-23")) is None
    assert next_start(period(("2026-11-22", "00:00-24:00")), at("2026-11-23")) is None
    assert next_start(period(("day 1", "00:00-00:00")), at("9988-01-01")) is None
    assert next_start(period(("2026-11-22 / 1", "12:00-13:00")), at("2026-11-01")) == at("2026-11-22 12:00")


def test_a_beginning_is_inside_and_an_end_is_not():
    when = period(("monday", "09:00-17:00"), exclude=("lunch",), others=(
        TimePeriod("lunch", "", (("monday", "12:00-13:00,16:00-18:00,08:00-09:30"),)),
    ))  # fmt: skip

    edges = [("09:30", "12:00"), ("13:00", "16:00")]
    for start, end in edges:
        assert not covers(when, Wall(at(f"2026-11-23 {start}") - 0.5))
        assert covers(when, at(f"2026-11-23 {start}"))
        assert covers(when, Wall(at(f"2026-11-23 {end}") - 0.5))
        assert not covers(when, at(f"2026-11-23 {end}"))
    assert next_start(when, at("2026-11-23 16:00")) == at("2026-11-30 09:30")


def test_of_several_entries_of_the_most_exact_kind_all_count():
    when = period(("day 23", "01:00-02:00"), ("day -8", "03:00-04:00"), ("monday", "09:00-17:00"))

    assert [covers(when, at(f"2026-11-23 0{hour}:30")) for hour in (1, 2, 3, 9)] == [True, False, True, False]


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("monday", "monday 4"), ("monday 4", "monday 4 november"), ("monday 4 november", "day 23"),
        ("day 23", "november 23"), ("november 23", "2026-11-23"),
    ],
)  # fmt: skip
def test_kinds_of_days_by_how_exact_they_are(less, more):
    for ranges in (((less, "01:00-02:00"), (more, "03:00-04:00")), ((more, "03:00-04:00"), (less, "01:00-02:00"))):
        when = period(*ranges)
        assert covers(when, at("2026-11-23 03:30")) and not covers(when, at("2026-11-23 01:30"))


def test_an_excluded_period_that_is_always_leaves_nothing():
    always = TimePeriod("always", "", tuple((day, "00:00-24:00") for day in WEEK))

    assert next_start(period(("monday", "09:00-17:00"), exclude=("always",), others=(always,)), at("2026-11-23")) is None


RANGES = st.lists(
    st.tuples(
        st.sampled_from([*WEEK, "day 3", "day -2", "day 5 - 9", "monday 2", "february 29", "2027-03-28",
                         "2027-03-01 / 3", "december 30 - january 2", "friday -1 may"]),
        st.sampled_from(["00:00-24:00", "09:00-17:00", "02:00-03:00", "22:00-04:00", "00:00-00:30,23:30-24:00"]),
    ),
    max_size=4,
)  # fmt: skip
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
MOMENTS = st.integers(1_767_222_000, 1_893_452_400).map(float)  # 2026 to 2030


@given(RANGES, RANGES, ZONES, MOMENTS)
def test_the_next_start_is_the_first_moment_inside(ranges, holes, zone, wall):
    excluded = TimePeriod("holes", "", tuple(holes))
    when = period(*ranges, zone=zone, exclude=("holes",), others=(excluded,))
    start = next_start(when, Wall(wall))

    if start is None:
        assert not covers(when, Wall(wall))
        return
    assert start >= wall and covers(when, start)
    assert (start == wall) == covers(when, Wall(wall))
    if start > wall:
        assert not covers(when, Wall(start - 1))
    end = next_end(when, start)
    if end is not None:
        assert end > start
        assert not covers(when, end) and covers(when, Wall(end - 1))


def test_what_is_excluded_takes_out_its_own_part_only():
    def left(*holes):
        out = TimePeriod("o", "", tuple(("monday", hole) for hole in holes))
        when = period(("monday", "09:00-12:00,14:00-17:00"), exclude=("o",), others=(out,), zone="Asia/Kathmandu")
        return [hour for hour in range(8, 18) if covers(when, at(f"2026-11-23 {hour:02}:00", "Asia/Kathmandu"))]

    assert left("08:00-09:00") == left("17:00-18:00") == left("12:00-14:00") == [9, 10, 11, 14, 15, 16]
    assert left("08:00-10:00") == [10, 11, 14, 15, 16]
    assert left("08:00-09:00,10:00-11:00") == [9, 11, 14, 15, 16]
    assert left("07:00-08:00,15:00-16:00") == [9, 10, 11, 14, 16]
    assert left("09:00-18:00") == []


def test_the_day_after_is_not_jumped_over():
    days = period(("monday", "09:00-10:00"), ("tuesday", "09:00-10:00"), ("wednesday", "09:00-10:00"))

    assert next_start(days, at("2026-11-23 10:00")) == at("2026-11-24 09:00")
    assert next_end(days, at("2026-11-23 10:00")) == at("2026-11-23 10:00")
    assert next_end(days, at("2026-11-23 08:00")) == at("2026-11-23 08:00")


def test_ranges_begin_in_the_month_before_in_february_and_weekdays_count_from_the_end():
    over = period(("day 25 - 5", "00:00-24:00"))
    last_but_one = period(("friday -2", "00:00-24:00"))

    assert covers(over, at("2027-02-05 12:00")) and not covers(over, at("2027-02-06 12:00"))
    assert covers(last_but_one, at("2026-11-20 12:00")) and not covers(last_but_one, at("2026-11-13 12:00"))
