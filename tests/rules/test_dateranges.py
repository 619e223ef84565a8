"""Lines of time periods, read exactly."""

import pytest

from daemons.model.clock import known_zone
from daemons.model.dateranges import BadRange, Entry, Kind, Point, merged, missing_days, read_range

DAY = ((0, 86400),)


@pytest.mark.parametrize(
    ("days", "first", "last", "step"),
    [
        ("monday", Point(Kind.WEEKDAY, weekday=0), ..., 1),
        (" Sunday ", Point(Kind.WEEKDAY, weekday=6), ..., 1),
        ("2026-1-5", Point(Kind.DATE, 2026, 1, 5), ..., 1),
        ("2026-01-05 / 3", Point(Kind.DATE, 2026, 1, 5), None, 3),
        ("2026-01-05 - 2026-02-06 / 12", Point(Kind.DATE, 2026, 1, 5), Point(Kind.DATE, 2026, 2, 6), 12),
        ("day -1", Point(Kind.DAY, day=-1), ..., 1),
        ("day 31", Point(Kind.DAY, day=31), ..., 1),
        ("day -5 - -1", Point(Kind.DAY, day=-5), Point(Kind.DAY, day=-1), 1),
        ("day 1 - 15 / 5", Point(Kind.DAY, day=1), Point(Kind.DAY, day=15), 5),
        ("february", Point(Kind.MONTH_DAY, month=2, day=1), ..., 1),
        ("february -31", Point(Kind.MONTH_DAY, month=2, day=-31), ..., 1),
        ("july 10 - 15", Point(Kind.MONTH_DAY, month=7, day=10), Point(Kind.MONTH_DAY, month=7, day=15), 1),
        ("july 10 -august 2", Point(Kind.MONTH_DAY, month=7, day=10), Point(Kind.MONTH_DAY, month=8, day=2), 1),
        ("thursday -5", Point(Kind.WEEKDAY_N, day=-5, weekday=3), ..., 1),
        ("monday 3 - 5", Point(Kind.WEEKDAY_N, day=3), Point(Kind.WEEKDAY_N, day=5), 1),
        ("monday 3- thursday 4/2", Point(Kind.WEEKDAY_N, day=3), Point(Kind.WEEKDAY_N, day=4, weekday=3), 2),
        ("tuesday 1 april", Point(Kind.MONTH_WEEKDAY, month=4, day=1, weekday=1), ..., 1),
        ("tuesday 1 april - 2", Point(Kind.MONTH_WEEKDAY, month=4, day=1, weekday=1),
         Point(Kind.MONTH_WEEKDAY, month=4, day=2, weekday=1), 1),
        ("tuesday 1 april - friday 2 december", Point(Kind.MONTH_WEEKDAY, month=4, day=1, weekday=1),
         Point(Kind.MONTH_WEEKDAY, month=12, day=2, weekday=4), 1),
    ],
)  # fmt: skip
def test_days(days, first, last, step):
    assert read_range(days, "00:00-24:00") == Entry(first, first if last is ... else last, step, DAY)


@pytest.mark.parametrize(
    ("times", "spans"),
    [
        ("00:00-24:00", DAY),
        ("9:00-17:30", ((32400, 63000),)),
        ("09:00 - 10:00 , 12:00-13:00", ((32400, 36000), (43200, 46800))),
        ("12:00-13:00,09:00-12:00", ((32400, 46800),)),
        ("09:00-12:00,10:00-11:00", ((32400, 43200),)),
        ("22:00-06:00", ((0, 21600), (79200, 86400))),
        ("24:00-01:00", ((0, 3600), (86400, 86400))),
        ("10:00-10:00", ()),
        ("23:59-24:00", ((86340, 86400),)),
    ],
)
def test_times(times, spans):
    assert read_range("monday", times).spans == spans


@pytest.mark.parametrize(
    ("days", "times", "said"),
    [
        ("mon", "00:00-24:00", "'mon' is no weekday, date, month and day, day N, or weekday N of a month"),
        ("day", "00:00-24:00", "'day' is no weekday"),
        ("day 32", "00:00-24:00", "'day 32': '32' must be a number from 1 to 31, or negative"),
        ("day -32", "00:00-24:00", "'-32' must be a number from 1 to 31"),
        ("day 0", "00:00-24:00", "'0' must be a number from 1 to 31"),
        ("day 1 - 32", "00:00-24:00", "'32' must be"),
        ("monday 6", "00:00-24:00", "'6' must be a number from 1 to 5, or negative"),
        ("monday 1 - 6", "00:00-24:00", "'6' must be"),
        ("monday 6 may", "00:00-24:00", "'6' must be"),
        ("may x", "00:00-24:00", "'x' must be"),
        ("2026-13-01", "00:00-24:00", "there is no day 2026-13-01"),
        ("2026-00-01", "00:00-24:00", "there is no day"),
        ("2026-01-32", "00:00-24:00", "there is no day"),
        ("2026-01-00", "00:00-24:00", "there is no day"),
        ("0000-01-01", "00:00-24:00", "there is no day"),
        ("monday - friday", "00:00-24:00", "both ends of a range must be of the same kind"),
        ("day 1 - july 3", "00:00-24:00", "both ends of a range must be of the same kind"),
        ("2026-01-01 - 5", "00:00-24:00", "'2026-01-01 - 5' is no weekday"),
        ("day 1 / x", "00:00-24:00", "what follows / must be a number of days"),
        ("day 1 / -1", "00:00-24:00", "what follows / must be"),
        ("day 1 /", "00:00-24:00", "what follows / must be"),
        ("monday", "9-17", "'9-17': times are written HH:MM-HH:MM"),
        ("monday", "09:00-17:00,", "times are written"),
        ("monday", "00:00-24:01", "a day ends at 24:00"),
        ("monday", "24:01-24:00", "a day ends at 24:00"),
        ("monday", "00:60-01:00", "a day ends at 24:00"),
        ("monday", "00:00-01:60", "a day ends at 24:00"),
        ("monday", "00:00-24:00\n", None),
    ],
)
def test_what_is_wrong_is_said(days, times, said):
    if said is None:
        assert read_range(days, times).spans == DAY
        return
    with pytest.raises(BadRange) as refused:
        read_range(days, times)
    assert said in str(refused.value)


def test_dates_that_no_calendar_has():
    assert missing_days(read_range("2027-02-29", "00:00-24:00")) == ("2027-02-29",)
    assert missing_days(read_range("2028-02-29", "00:00-24:00")) == ()
    assert missing_days(read_range("2027-02-29 / 2", "00:00-24:00")) == ("2027-02-29",)
    assert missing_days(read_range("2027-04-31 - 2027-06-31", "00:00-24:00")) == ("2027-04-31", "2027-06-31")
    assert missing_days(read_range("february 29", "00:00-24:00")) == ()


def test_spans_that_touch_or_overlap_are_one():
    assert merged([(5, 6), (1, 2), (2, 3), (9, 9)]) == ((1, 3), (5, 6), (9, 9))
    assert merged([(1, 9), (2, 3)]) == ((1, 9),)
    assert merged([]) == ()


def test_time_zones_are_known_by_name():
    assert known_zone("") and known_zone("Europe/Paris")
    assert not known_zone("Europe/Paris/x") and not known_zone("../etc/passwd") and not known_zone("x" * 300)
