"""Lines of a time period: which days ("monday 3 - thursday 4 / 2") and which times of them ("09:00-17:00").

Nagios Core docs, "Object Definitions", timeperiod; Shinken docs, "Time Periods". The one thing to know: only
what is written is read here, for the configuration to complain of and for `rules.timeperiod` to ask; which
days a line means in a given month is decided there.
"""

import re
from calendar import monthrange
from enum import IntEnum

from msgspec import Struct

DAY_S = 86400
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
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


class BadRange(ValueError):
    """The operator wrote a range that cannot be read; the text says which and why."""


class NoSuchDay(BadRange):
    """The range can be read, but names a day that no month has: Nagios accepts it, and it never comes."""


_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_TIME = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,9}", re.ASCII)


def read_range(days: str, times: str) -> Entry:
    """Return the entry for one line of a time period: `days` ("monday 3 - thursday 4 / 2") and `times`.

    Nagios Core docs, "Object Definitions", timeperiod. Raises BadRange.
    """
    text = days.strip().lower()
    text, slash, every = text.partition("/")
    if slash and not (_NUMBER.fullmatch(every.strip()) and int(every) >= 0):
        raise BadRange(f"{days!r}: what follows / must be a number of days")
    step = max(1, int(every)) if slash else 1  # 0 is every day, as in Nagios
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
    if match := _DATE.fullmatch(text):
        year, month, day = map(int, match.groups())
        if not (year and 1 <= month <= 12 and 1 <= day <= 31):
            raise NoSuchDay(f"{whole!r}: there is no day {text}")
        return Point(Kind.DATE, year, month, day)
    words = text.split()
    match words:
        case [name] if name in WEEKDAYS:
            return Point(Kind.WEEKDAY, weekday=WEEKDAYS.index(name))
        case [name, number, month_name] if name in WEEKDAYS and month_name in MONTHS:
            nth = _number(number, 5, whole)
            month = MONTHS.index(month_name) + 1
            return Point(Kind.MONTH_WEEKDAY, 0, month, nth, WEEKDAYS.index(name))
        case [name, number] if name in WEEKDAYS:
            return Point(Kind.WEEKDAY_N, 0, 0, _number(number, 5, whole), WEEKDAYS.index(name))
        case ["day", number]:
            return Point(Kind.DAY, 0, 0, _number(number, 31, whole))
        case [name, number] if name in MONTHS:
            month = MONTHS.index(name) + 1
            return Point(Kind.MONTH_DAY, 0, month, _number(number, 31, whole))
        case [name] if name in MONTHS:
            return Point(Kind.MONTH_DAY, 0, MONTHS.index(name) + 1, 1)
    raise BadRange(f"{whole!r} is no weekday, date, month and day, day N, or weekday N of a month")


def _last_point(text: str, first: Point, whole: str) -> Point:
    """The end of a range; a bare number is read as the first point's kind of day."""
    if _NUMBER.fullmatch(text):
        if first.kind in (Kind.DAY, Kind.MONTH_DAY):
            return Point(first.kind, 0, first.month, _number(text, 31, whole))
        if first.kind in (Kind.WEEKDAY_N, Kind.MONTH_WEEKDAY):
            return Point(first.kind, 0, first.month, _number(text, 5, whole), first.weekday)
    last = _point(text, whole)
    if last.kind != first.kind or first.kind == Kind.WEEKDAY:
        raise BadRange(f"{whole!r}: both ends of a range must be of the same kind")
    return last


def _number(text: str, largest: int, whole: str) -> int:
    wrong = f"{whole!r}: {text!r} must be a number from 1 to {largest}, or negative"
    if not _NUMBER.fullmatch(text):
        raise BadRange(wrong)
    if not 1 <= abs(int(text)) <= largest:
        raise NoSuchDay(wrong)
    return int(text)


def _read_spans(times: str) -> Spans:
    spans = []
    for part in times.split(","):
        match = _TIME.fullmatch(part.strip())
        if not match:
            raise BadRange(f"{times!r}: times are written HH:MM-HH:MM")
        from_h, from_m, to_h, to_m = map(int, match.groups())
        low, high = from_h * 3600 + from_m * 60, to_h * 3600 + to_m * 60
        if from_m > 59 or to_m > 59 or low > DAY_S or high > DAY_S:
            raise BadRange(f"{times!r}: a day ends at 24:00")
        if low < high:
            spans.append((low, high))
        elif low > high:  # over midnight: both ends belong to the same day (Naemon)
            spans.extend(((0, high), (low, DAY_S)))
    return merged(spans)


def missing_days(entry: Entry) -> tuple[str, ...]:
    """Return the ends of `entry` that are dates like 2027-02-30: written as they should be, and in no calendar."""
    ends = (entry.first,) if entry.last is None else (entry.first, entry.last)
    return tuple(
        f"{p.year:04}-{p.month:02}-{p.day:02}"
        for p in dict.fromkeys(ends)
        if p.kind == Kind.DATE and p.day > monthrange(p.year, p.month)[1]
    )


def merged(spans: list[tuple[int, int]]) -> Spans:
    """Return `spans` in order, those that touch or overlap made one."""
    if len(spans) < 2:
        return tuple(spans)
    found: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)
