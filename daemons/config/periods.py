"""Time periods: the ranges are kept as written and checked for what can never be read.

The one thing to know: only the form is checked here; what a range means is `rules.timeperiod`'s.
Grammar: config-schema "timeperiod"; Nagios Core docs, "Time Period Definition".
"""

import re

from daemons.config.circles import circles
from daemons.config.complain import Complaints, did_you_mean
from daemons.config.lexer import Block
from daemons.config.schema import KINDS
from daemons.config.values import words
from daemons.model.objects import TimePeriod

_DAYS = "sunday|monday|tuesday|wednesday|thursday|friday|saturday"
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_DATE = r"\d{4}-\d{1,2}-\d{1,2}"
_POINT = rf"(?:{_DATE}|(?:{_DAYS})(?: -?\d+(?: (?:{_MONTHS}))?)?|(?:day|{_MONTHS}) -?\d+)"
_EXPRESSION = re.compile(rf"{_POINT}(?: - (?:{_POINT}|-?\d+))?(?: / \d+)?")
_SPAN = re.compile(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)")


def periods_of(
    objects: dict[str, tuple[Block, dict[str, str]]], complaints: Complaints
) -> tuple[TimePeriod, ...]:
    """Return the time periods; complain about unreadable ranges, unknown and circular exclusions."""
    found = []
    said = KINDS["timeperiod"].types
    for name, (block, attrs) in objects.items():
        ranges = []
        for day, times in attrs.items():
            if day in said or not times:
                continue
            if problem := _wrong_range(day, times):
                complaints.error(f"timeperiod {name}: {problem}", block.where_of(day))
            else:
                ranges.append((day, times))
        exclude = words(attrs.get("exclude", ""))
        for other in exclude:
            if other not in objects:
                complaints.error(
                    f"timeperiod {name}: exclude: time period {other} is not defined",
                    block.where_of("exclude"),
                    did_you_mean(other, objects),
                )
        found.append(TimePeriod(name, attrs.get("alias") or name, tuple(ranges), exclude))
    for circle in circles({period.name: period.exclude for period in found if period.exclude}):
        complaints.error(
            f"time periods exclude each other: {' -> '.join((*circle, circle[0]))}",
            objects[circle[0]][0].where_of("exclude"),
        )
    return tuple(found)


def _wrong_range(day: str, times: str) -> str:
    """Return what is wrong with one range, "" if nothing is."""
    said = re.sub(r"\s*/\s*", " / ", " ".join(day.lower().split()))
    if not _EXPRESSION.fullmatch(said):
        return f"'{day} {times}' is not a day or date and times"
    for span in times.split(","):
        match = _SPAN.fullmatch(span.strip())
        if match is None:
            return f"'{span}' is not HH:MM-HH:MM"
        for hours, minutes in ((match[1], match[2]), (match[3], match[4])):
            if int(hours) * 60 + int(minutes) > 24 * 60 or int(minutes) > 59:
                return f"'{span}': there is no {hours}:{minutes}"
    return ""
