"""Time periods: is a moment inside, and when does the next inside moment come?

Nagios Core docs, "Time Periods". The one thing to know: everything is computed on local calendar days of
the period's time zone, so a day has 23 or 25 hours when the clocks change, and a compiled `Period`
remembers nothing but its rules.

Of the entries that fit a day only the most exact kind counts, in this order: a calendar date, a month and
day, a day of the month, a weekday of a month, a weekday of any month, a weekday.
"""

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from daemons.model.clock import Wall
from daemons.model.objects import TimePeriod

_DAY_S = 86400
_HORIZON_DAYS = 366 * 5  # a 29 February is never further away than this, centuries apart
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip

Spans = tuple[tuple[int, int], ...]  # seconds of the day on the wall clock, ascending, not touching


class Kind(IntEnum):
    """How exact an entry is; a lower one wins over all higher ones on a day that both fit."""

    DATE = 0  # 2026-12-24
    MONTH_DAY = 1  # december 24
    DAY = 2  # day 24
    MONTH_WEEKDAY = 3  # thursday 4 november
    WEEKDAY_N = 4  # thursday 4
    WEEKDAY = 5  # thursday


class Point(Struct, frozen=True, gc=False):
    """One end of a range of days; what it leaves open is 0."""

    kind: Kind
    year: int = 0
    month: int = 0  # 1..12
    day: int = 0  # of the month, or the how-manieth weekday; negative = from the end
    weekday: int = 0  # 0 = Monday


class Entry(Struct, frozen=True, cache_hash=True):
    """Days and the spans of time on them."""

    first: Point
    last: Point | None  # None = without an end (only with a step)
    step: int  # every step-th day, 1 = each
    spans: Spans


class Period(Struct, frozen=True, cache_hash=True):
    """A time period ready to be asked."""

    name: str
    always: bool  # every moment is inside: asked without looking at a calendar
    tz_name: str  # "" = UTC
    entries: tuple[Entry, ...] = ()
    exclude: tuple["Period", ...] = ()


class BadRange(ValueError):
    """The operator wrote a range that cannot be read; the text says which and why."""


ALWAYS = Period("", True, "")
_WHOLE_DAY: Spans = ((0, _DAY_S),)


def compile_period(
    period: TimePeriod | None, all_periods: Mapping[str, TimePeriod], tz_name: str = ""
) -> Period:
    """Return `period` with its excluded periods, ready for `covers` and `next_start`.

    None is always. `tz_name` is a name of the time zone database (main file: use_timezone); "" is UTC.
    Excluded periods that are not in `all_periods`, or exclude each other in a circle, exclude nothing.
    Raises BadRange for an entry that is none of the documented forms, and for an unknown time zone.
    """
    if period is None:
        return ALWAYS
    try:
        _zone(tz_name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadRange(f"there is no time zone {tz_name!r}") from None
    return _compile(period, all_periods, tz_name, ())


def covers(period: Period, wall: Wall) -> bool:
    """Return whether the moment `wall` is inside `period`."""
    if period.always:
        return True
    zone = _zone(period.tz_name)
    local = datetime.fromtimestamp(wall, zone)
    return any(start <= wall < end for start, end in _windows(period, local.date()))


def next_start(period: Period, wall: Wall) -> Wall | None:
    """Return the first moment from `wall` on that is inside `period`: `wall` itself when it is.

    None when there is none in the next five years.
    """
    if period.always:
        return wall
    if not period.entries:
        return None
    return _next_edge(period, wall, inside=True)


def next_end(period: Period, wall: Wall) -> Wall | None:
    """Return the first moment from `wall` on that is outside `period`: `wall` itself when it is.

    None when there is none in the next five years.
    """
    if period.always:
        return None
    return _next_edge(period, wall, inside=False)


def _next_edge(period: Period, wall: Wall, *, inside: bool) -> Wall | None:
    day = datetime.fromtimestamp(wall, _zone(period.tz_name)).date()
    at: float = wall
    for _ in range(_HORIZON_DAYS):
        windows = _windows(period, day)
        if inside:
            for start, end in windows:
                if at < end:
                    return Wall(max(at, start))
        else:
            for start, end in windows:
                if at < start:
                    return Wall(at)
                at = max(at, end)
            day_end = _moment(day + timedelta(days=1), 0, period.tz_name)
            if at < day_end:
                return Wall(at)
        if day.year >= 9998:
            return None
        day += timedelta(days=1)
    return None


@lru_cache(maxsize=8192)
def _windows(period: Period, day: date) -> tuple[tuple[float, float], ...]:
    """The inside moments of one local day, ascending, as [start, end) in Unix time; excluded ones taken out."""
    zone = period.tz_name
    if period.always:
        return ((_moment(day, 0, zone), _moment(day, _DAY_S, zone)),)
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
    return _merged(spans)


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
        if last is not None and last.month and last.month < first.month:
            return ((day.year - 1, first.month), (day.year, first.month))
        return ((day.year, first.month),)
    return ((day.year, day.month),)


def _end_of(entry: Entry, start: date, year: int, month: int) -> date | None:
    """The last day of the range that began with `start`."""
    last = entry.last
    assert last is not None
    if last == entry.first:
        return start
    if last.month and entry.first.month and last.month < entry.first.month and not last.year:
        year += 1
    end = _day_of(last, year, last.month or month)
    if end is None and last.kind != Kind.DATE and last.day > 0:
        # "day 10 - 31" in a shorter month goes on to its end
        length = monthrange(year, last.month or month)[1]
        end = date(year, last.month or month, length)
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


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name or "UTC")


@lru_cache(maxsize=8192)
def _moment(day: date, second: int, tz_name: str) -> float:
    """Unix time at which the wall clock of that day shows `second` seconds since midnight.

    A time that the spring change leaves out stands for the same distance after midnight's offset; of a time
    that autumn repeats, the first.
    """
    zone = _zone(tz_name)
    if second >= _DAY_S:
        day, second = day + timedelta(days=1), second - _DAY_S
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (midnight + timedelta(seconds=second)).timestamp()


# --- reading --------------------------------------------------------------------------------------


def _compile(
    period: TimePeriod,
    all_periods: Mapping[str, TimePeriod],
    tz_name: str,
    above: tuple[str, ...],
) -> Period:
    entries = sorted((read_range(days, times) for days, times in period.ranges), key=_kind_of)
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


def _kind_of(entry: Entry) -> Kind:
    return entry.first.kind


_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})$")
_TIME = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})$")
_NUMBER = re.compile(r"-?\d+$")


def read_range(days: str, times: str) -> Entry:
    """Return the entry for one line of a time period: `days` ("monday 3 - thursday 4 / 2") and `times`.

    Nagios Core docs, "Object Definitions", timeperiod. Raises BadRange.
    """
    text = days.strip().lower()
    text, slash, every = text.partition("/")
    if slash and not _NUMBER.match(every.strip()):
        raise BadRange(f"{days!r}: what follows / must be a number of days")
    step = max(int(every), 1) if slash else 1
    left, dash, right = _halves(text)
    first = _point(left, days)
    spans = _read_spans(times)
    if not dash:
        open_end = bool(slash) and first.kind == Kind.DATE
        return Entry(first, None if open_end else first, step, spans)
    last = _last_point(right, first, days)
    return Entry(first, last, step, spans)


def _halves(text: str) -> tuple[str, str, str]:
    """The two ends of a range: the dash between them has a blank before it, that of -1 and of dates has none."""
    match = re.search(r"\s-\s+|\s-(?=[a-z])|(?<=\d)-\s+", text)
    if not match:
        return text.strip(), "", ""
    return text[: match.start()].strip(), "-", text[match.end() :].strip()


def _point(text: str, whole: str) -> Point:
    if match := _DATE.match(text):
        year, month, day = map(int, match.groups())
        try:
            date(year, month, day)
        except ValueError:
            raise BadRange(f"{whole!r}: there is no day {text}") from None
        return Point(Kind.DATE, year, month, day)
    words = text.split()
    match words:
        case [name] if name in _WEEKDAYS:
            return Point(Kind.WEEKDAY, weekday=_WEEKDAYS.index(name))
        case [name, number, month_name] if name in _WEEKDAYS and month_name in _MONTHS:
            nth = _number(number, 5, whole)
            month = _MONTHS.index(month_name) + 1
            return Point(Kind.MONTH_WEEKDAY, 0, month, nth, _WEEKDAYS.index(name))
        case [name, number] if name in _WEEKDAYS:
            return Point(Kind.WEEKDAY_N, 0, 0, _number(number, 5, whole), _WEEKDAYS.index(name))
        case ["day", number]:
            return Point(Kind.DAY, 0, 0, _number(number, 31, whole))
        case [name, number] if name in _MONTHS:
            month = _MONTHS.index(name) + 1
            return Point(Kind.MONTH_DAY, 0, month, _number(number, 31, whole))
        case [name] if name in _MONTHS:
            return Point(Kind.MONTH_DAY, 0, _MONTHS.index(name) + 1, 1)
    raise BadRange(f"{whole!r} is no weekday, date, month and day, day N, or weekday N of a month")


def _last_point(text: str, first: Point, whole: str) -> Point:
    """The end of a range; a bare number is read as the first point's kind of day."""
    if _NUMBER.match(text):
        if first.kind in (Kind.DAY, Kind.MONTH_DAY):
            return Point(first.kind, 0, first.month, _number(text, 31, whole))
        if first.kind in (Kind.WEEKDAY_N, Kind.MONTH_WEEKDAY):
            return Point(first.kind, 0, first.month, _number(text, 5, whole), first.weekday)
    last = _point(text, whole)
    if last.kind != first.kind or first.kind == Kind.WEEKDAY:
        raise BadRange(f"{whole!r}: both ends of a range must be of the same kind")
    return last


def _number(text: str, largest: int, whole: str) -> int:
    if not _NUMBER.match(text) or not 1 <= abs(int(text)) <= largest:
        raise BadRange(f"{whole!r}: {text!r} must be a number from 1 to {largest}, or negative")
    return int(text)


def _read_spans(times: str) -> Spans:
    spans = []
    for part in times.split(","):
        match = _TIME.match(part.strip())
        if not match:
            raise BadRange(f"{times!r}: times are written HH:MM-HH:MM")
        from_h, from_m, to_h, to_m = map(int, match.groups())
        low, high = from_h * 3600 + from_m * 60, to_h * 3600 + to_m * 60
        if from_m > 59 or to_m > 59 or low > _DAY_S or high > _DAY_S:
            raise BadRange(f"{times!r}: a day ends at 24:00")
        if low < high:
            spans.append((low, high))
        elif low > high:  # over midnight: both ends belong to the same day (Naemon)
            spans.extend(((0, high), (low, _DAY_S)))
    return _merged(spans)


def _merged(spans: list[tuple[int, int]]) -> Spans:
    if len(spans) < 2:
        return tuple(spans)
    merged: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if low >= high:
            continue
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)
