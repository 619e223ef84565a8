"""Time periods: the ranges are kept as written and checked for what can never be read.

The one thing to know: `model.dateranges` reads the ranges, here to complain of them and again where they are
asked, so that nothing passes here that a scheduler cannot read.
"""

from daemons.config.circles import circles
from daemons.config.complain import Complaints, did_you_mean
from daemons.config.lexer import Block
from daemons.config.schema import KINDS
from daemons.config.values import words
from daemons.model.dateranges import MONTHS, WEEKDAYS, BadRange, NoSuchDay, missing_days, read_range
from daemons.model.objects import TimePeriod

_WORDS = (*WEEKDAYS, *MONTHS, "day")


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
            try:
                entry = read_range(day, times)
            except NoSuchDay as problem:
                complaints.warning(
                    f"timeperiod {name}: {problem}; it never comes", block.where_of(day)
                )
                continue
            except BadRange as problem:
                complaints.error(
                    f"timeperiod {name}: {problem}",
                    block.where_of(day),
                    _hint(day.split()[0].lower()),
                )
                continue
            for date in missing_days(entry):
                complaints.warning(
                    f"timeperiod {name}: there is no day {date} in the calendar",
                    block.where_of(day),
                )
            ranges.append((day, times))
        exclude = words(attrs.get("exclude", ""))
        for other in exclude:
            if other not in objects:
                complaints.error(
                    f"timeperiod {name}: exclude: time period {other} is not defined",
                    block.where_of("exclude"),
                    did_you_mean(other, objects),
                )
        found.append(TimePeriod(name, attrs.get("alias") or name, tuple(ranges), tuple(sorted(set(exclude)))))
    for circle in circles({period.name: period.exclude for period in found if period.exclude}):
        complaints.error(
            f"time periods exclude each other: {' -> '.join((*circle, circle[0]))}",
            objects[circle[0]][0].where_of("exclude"),
        )
    return tuple(found)


def _hint(word: str) -> str:
    return "" if word in _WORDS else did_you_mean(word, _WORDS)
