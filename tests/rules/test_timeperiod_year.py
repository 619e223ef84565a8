"""A year of time periods in zones with strange clocks: at every edge, and minute by minute.

Havana changes its clocks at midnight, Santiago back to the day before, Lord Howe by half an hour, Kathmandu never
and has three quarters of an hour in its offset.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from daemons.model.clock import Wall
from daemons.model.objects import TimePeriod
from daemons.rules.timeperiod import compile_period, covers, next_end, next_start

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Havana", "America/Santiago",
         "Australia/Lord_Howe", "Asia/Kathmandu")  # fmt: skip
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
YEAR = 2027


def is_last_friday(day):
    return day.weekday() == 4 and (day + timedelta(days=7)).month != day.month


# name -> (ranges, excluded period, the same in Python: is this local time inside?)
PERIODS = {
    "office": (
        [(day, "09:00-17:00") for day in WEEK[:5]], "",
        lambda t: t.weekday() < 5 and 9 <= t.hour < 17,
    ),
    "nights": (
        [(day, "22:00-06:00") for day in WEEK], "",
        lambda t: t.hour >= 22 or t.hour < 6,
    ),
    "whole days": (
        [("day 1 - 31 / 3", "00:00-24:00")], "",
        lambda t: (t.day - 1) % 3 == 0,
    ),
    "last fridays": (
        [("friday -1", "00:30-23:30")], "",
        lambda t: is_last_friday(t) and (0, 30) <= (t.hour, t.minute) < (23, 30),
    ),
    "winter": (
        [("november 15 - march 15", "00:00-24:00")], "",
        lambda t: (t.month, t.day) >= (11, 15) or (t.month, t.day) <= (3, 15),
    ),
    "exact first": (
        [*((day, "08:00-12:00,13:00-18:00") for day in WEEK), ("2027-03-28", "10:00-11:00"),
         ("october 31", "00:00-00:00"), ("day -1", "03:00-04:00")], "lunch",
        lambda t: (
            t.hour == 10 if (t.month, t.day) == (3, 28)
            else False if (t.month, t.day) == (10, 31)
            else t.hour == 3 if (t + timedelta(days=1)).day == 1
            else 8 <= t.hour < 12 or 13 <= t.hour < 18
        ) and not (t.weekday() == 2 and 10 <= t.hour < 14),
    ),
    "every tenth day": (
        [("2027-01-05 / 10", "00:00-24:00")], "",
        lambda t: t.date() >= datetime(2027, 1, 5).date() and (t.date() - datetime(2027, 1, 5).date()).days % 10 == 0,
    ),
}  # fmt: skip


def compiled(name, zone):
    ranges, excluded, inside = PERIODS[name]
    lunch = TimePeriod("lunch", "", (("wednesday", "10:00-14:00"),))
    whole = TimePeriod(name, "", tuple(ranges), (excluded,) if excluded else ())
    return compile_period(whole, {"lunch": lunch}, zone), inside


def moments(zone, step_s):
    start = int(datetime(YEAR, 1, 1, tzinfo=ZoneInfo(zone)).timestamp())
    end = int(datetime(YEAR + 1, 1, 1, tzinfo=ZoneInfo(zone)).timestamp())
    return range(start, end, step_s)


def is_plain(moment, zone):
    """Whether the clock shows this time once, and its hour has sixty minutes like the ones around it."""
    around = (moment - 7200, moment + 7200)
    first, last = (datetime.fromtimestamp(m, zone).utcoffset() for m in around)
    return first == last


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", PERIODS)
def test_it_is_inside_when_the_clock_on_the_wall_says_so(name, zone):
    when, inside = compiled(name, zone)
    clock = ZoneInfo(zone)
    for moment in moments(zone, 4500):
        if is_plain(moment, clock):
            shown = datetime.fromtimestamp(moment, clock)
            assert covers(when, Wall(float(moment))) == inside(shown), shown


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", PERIODS)
def test_covers_next_start_and_next_end_agree_at_every_edge_of_a_year(name, zone):
    when, _ = compiled(name, zone)
    year = moments(zone, 60)
    at, edges = Wall(float(year[0])), 0
    while at < year[-1]:
        start = next_start(when, at)
        assert start is not None
        if start > at:
            assert not covers(when, at) and not covers(when, Wall(start - 1))
            assert not covers(when, Wall((at + start) // 2))
            assert next_start(when, Wall((at + start) // 2)) == start
        assert covers(when, start) and next_start(when, start) == start
        end = next_end(when, start)
        assert end is not None and end > start
        assert covers(when, Wall(end - 1)) and covers(when, Wall((start + end) // 2))
        assert not covers(when, end) and next_end(when, end) == end
        assert next_end(when, Wall((start + end) // 2)) == end
        at, edges = end, edges + 1
    assert edges >= 2


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_covers_and_next_start_agree_at_every_minute_of_a_year(zone):
    for name in ("nights", "exact first"):
        when, _ = compiled(name, zone)
        for moment in map(float, moments(zone, 60)):
            start = next_start(when, Wall(moment))
            assert start is not None and (start == moment) == covers(when, Wall(moment)), moment
