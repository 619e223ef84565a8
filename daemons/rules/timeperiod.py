"""Time periods: is a moment inside, and when does the next inside moment come?

Nagios Core docs, "Time Periods". The one thing to know: everything is computed on local calendar days of
the period's time zone, so a day has 23 or 25 hours when the clocks change, and a compiled `Period`
remembers nothing but its rules.

Of the entries that fit a day only the most exact kind counts, in this order: a calendar date, a month and
day, a day of the month, a weekday of a month, a weekday of any month, a weekday.
"""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

from daemons.model.clock import Wall, zone_of
from daemons.model.dateranges import DAY_S, Entry, Kind, Point, Spans, merged
from daemons.model.dateranges import BadRange as BadRange
from daemons.model.dateranges import read_range as read_range
from daemons.model.objects import TimePeriod

_HORIZON_DAYS = 366 * 5  # a 29 February is never further away than this, centuries apart
_YEAR_MAX = 9990  # calendars end with the year 9999


class Period(Struct, frozen=True, cache_hash=True):
    """A time period ready to be asked."""

    name: str
    always: bool  # every moment is inside: asked without looking at a calendar
    tz_name: str  # "" = UTC
    entries: tuple[Entry, ...] = ()
    exclude: tuple["Period", ...] = ()


ALWAYS = Period("", True, "")
_WHOLE_DAY: Spans = ((0, DAY_S),)


def compile_period(
    period: TimePeriod | None, all_periods: Mapping[str, TimePeriod], tz_name: str = ""
) -> Period:
    """Return `period` with its excluded periods, ready for `covers` and `next_start`.

    None is always. `tz_name` is a name of the time zone database (main file: use_timezone); "" is UTC.
    Excluded periods that are not in `all_periods`, or exclude each other in a circle, exclude nothing.

    The configuration was complained of when it was read, so nothing stops a shard here: an entry that cannot
    be read is left out, and a time zone that this machine does not know is UTC.
    """
    if period is None:
        return ALWAYS
    return _compile(period, all_periods, tz_name, ())


def covers(period: Period, wall: Wall) -> bool:
    """Return whether the moment `wall` is inside `period`."""
    if period.always:
        return True
    return any(start <= wall < end for start, end in _windows(period, _day_at(period, wall)))


def next_start(period: Period, wall: Wall) -> Wall | None:
    """Return the first moment from `wall` on that is inside `period`: `wall` itself when it is.

    None when there is none in the next five years.
    """
    if period.always:
        return wall
    if not period.entries:
        return None
    day = _open_day(period, _day_at(period, wall))
    while day is not None:
        for start, end in _windows(period, day):
            if wall < end:
                return Wall(max(wall, start))
        day = _open_day(period, day + timedelta(days=1))
    return None


def next_end(period: Period, wall: Wall) -> Wall | None:
    """Return the first moment from `wall` on that is outside `period`: `wall` itself when it is.

    None when there is none in the next five years.
    """
    if period.always:
        return None
    at: float = wall
    day = _day_at(period, wall)
    for _ in range(_HORIZON_DAYS):
        for start, end in _windows(period, day):
            if at < start:
                return Wall(at)
            at = max(at, end)
        day += timedelta(days=1)
        if at < _moment(day, 0, period.tz_name):
            return Wall(at)
    return None


def _day_at(period: Period, wall: float) -> date:
    return datetime.fromtimestamp(wall, zone_of(period.tz_name)).date()


@lru_cache(maxsize=8192)
def _open_day(period: Period, day: date) -> date | None:
    """The first day from `day` on that is inside at any time; remembered, since looking can take long."""
    for _ in range(_HORIZON_DAYS):
        if _windows(period, day):
            return day
        if day.year >= _YEAR_MAX:
            return None
        day += timedelta(days=1)
    return None


@lru_cache(maxsize=8192)
def _windows(period: Period, day: date) -> tuple[tuple[float, float], ...]:
    """The inside moments of one local day, ascending, as [start, end) in Unix time; excluded ones taken out."""
    zone = period.tz_name
    if period.always:
        return ((_moment(day, 0, zone), _moment(day, DAY_S, zone)),)
    windows = [
        (start, end)
        for low, high in _spans(period, day)
        if (start := _moment(day, low, zone)) < (end := _moment(day, high, zone))
    ]
    for other in period.exclude:
        if not windows:
            break
        windows = _without(windows, _windows(other, day))
    return tuple(windows)


def _spans(period: Period, day: date) -> Spans:
    """What the most exact kind of entries that fit `day` gives."""
    best: Kind | None = None
    spans: list[tuple[int, int]] = []
    for entry in period.entries:  # sorted by kind
        if best is not None and entry.first.kind != best:
            break
        if _fits(entry, day):
            best = entry.first.kind
            spans.extend(entry.spans)
    return merged(spans)


def _without(
    windows: list[tuple[float, float]], holes: tuple[tuple[float, float], ...]
) -> list[tuple[float, float]]:
    left: list[tuple[float, float]] = []
    for start, end in windows:
        for low, high in holes:
            if high <= start or low >= end:
                continue
            if low > start:
                left.append((start, low))
            start = high
        if start < end:
            left.append((start, end))
    return left


# --- days -----------------------------------------------------------------------------------------


def _fits(entry: Entry, day: date) -> bool:
    """Whether `day` is one of the entry's days."""
    first = entry.first
    if first.kind == Kind.WEEKDAY:
        return first.weekday == day.weekday()
    for year, month in _anchors(first, entry.last, day):
        start = _day_of(first, year, month)
        if start is None or start > day:
            continue
        if entry.last is None:
            return (day - start).days % entry.step == 0
        end = _end_of(entry, start, year, month)
        if end is not None and start <= day <= end and (day - start).days % entry.step == 0:
            return True
    return False


def _anchors(first: Point, last: Point | None, day: date) -> tuple[tuple[int, int], ...]:
    """The (year, month) pairs in which a range that holds `day` can have begun."""
    if first.kind == Kind.DATE:
        return ((first.year, first.month),)
    if first.month:
        return ((day.year, first.month), (day.year - 1, first.month))
    before = (day.year, day.month - 1) if day.month > 1 else (day.year - 1, 12)
    return ((day.year, day.month), before)


def _end_of(entry: Entry, start: date, year: int, month: int) -> date | None:
    """The last day of the range that began with `start`, which may be in the next year or month."""
    first, last = entry.first, entry.last
    assert last is not None
    if last == first:
        return start
    end = _last_day_of(last, last.year or year, last.month or month)
    if end is None or end >= start or last.kind == Kind.DATE:
        return end
    if last.month:
        return _last_day_of(last, year + 1, last.month)
    return _last_day_of(last, *((year, month + 1) if month < 12 else (year + 1, 1)))


def _last_day_of(last: Point, year: int, month: int) -> date | None:
    """The day that ends a range in that month: "day 10 - 31" in a shorter one goes on to its end."""
    end = _day_of(last, year, month)
    if end is None and last.day > 0:
        end = date(year, month, monthrange(year, month)[1])
    return end


def _day_of(point: Point, year: int, month: int) -> date | None:
    """The day that `point` names in that month, or None when the month has no such day."""
    if point.kind == Kind.DATE:
        try:
            return date(point.year, point.month, point.day)
        except ValueError:
            return None
    weekday_of_first, length = monthrange(year, month)
    if point.kind in (Kind.MONTH_DAY, Kind.DAY):
        number = point.day if point.day > 0 else length + 1 + point.day
    elif point.day > 0:
        number = 1 + (point.weekday - weekday_of_first) % 7 + 7 * (point.day - 1)
    else:
        weekday_of_last = (weekday_of_first + length - 1) % 7
        number = length - (weekday_of_last - point.weekday) % 7 + 7 * (point.day + 1)
    return date(year, month, number) if 1 <= number <= length else None


# --- clocks ---------------------------------------------------------------------------------------


@lru_cache(maxsize=8192)
def _moment(day: date, second: int, tz_name: str) -> float:
    """Unix time at which the wall clock of that day shows `second` seconds since midnight.

    A time that the spring change leaves out stands for the same distance after midnight's offset; of a time
    that autumn repeats, the first.
    """
    zone = zone_of(tz_name)
    if second >= DAY_S:
        day, second = day + timedelta(days=1), second - DAY_S
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (midnight + timedelta(seconds=second)).timestamp()


# --- reading --------------------------------------------------------------------------------------


def _compile(
    period: TimePeriod,
    all_periods: Mapping[str, TimePeriod],
    tz_name: str,
    above: tuple[str, ...],
) -> Period:
    entries = sorted(_readable(period), key=_kind_of)
    above = (*above, period.name)
    exclude = tuple(
        _compile(all_periods[name], all_periods, tz_name, above)
        for name in period.exclude
        if name in all_periods and name not in above
    )
    whole_week = {e.first.weekday for e in entries if e.spans == _WHOLE_DAY}
    always = (
        not exclude and len(whole_week) == 7 and all(e.first.kind == Kind.WEEKDAY for e in entries)
    )
    return Period(period.name, always, tz_name, tuple(entries), exclude)


def _readable(period: TimePeriod) -> Iterator[Entry]:
    for days, times in period.ranges:
        with suppress(BadRange):
            yield read_range(days, times)


def _kind_of(entry: Entry) -> Kind:
    return entry.first.kind
