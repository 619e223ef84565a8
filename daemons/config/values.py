"""Single values as written to what they mean: numbers, yes or no, lists. Returns None for what is not one.

The one thing to know: numbers are read as Shinken reads them ("1.0" is an integer, "1,5" is nothing),
and so are the words for yes and no (config-schema, "How to read it").
"""

import re

from daemons.config.schema import LEVELS, AttrType

YES = frozenset({"1", "yes", "true", "on"})
NO = frozenset({"0", "no", "false", "off"})
TOO_LARGE = 2.0**53
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")


def number(value: str) -> float | None:
    """Return the number in `value`, None also for one that no integer of ours can hold."""
    found = float(value) if _NUMBER.fullmatch(value.strip()) else None
    return found if found is None or abs(found) < TOO_LARGE else None


def whole(value: str) -> int | None:
    """Return the integer in `value`, cut off behind the point."""
    found = number(value)
    return None if found is None else int(found)


def yes(value: str) -> bool | None:
    """Return whether `value` says yes."""
    word = value.strip().lower()
    return True if word in YES else False if word in NO else None


def words(value: str) -> tuple[str, ...]:
    """Return the entries of a comma separated list, without empty ones and blanks around them."""
    return tuple(part for part in (raw.strip() for raw in value.split(",")) if part)


def letters(value: str, known: str = "") -> tuple[str, ...]:
    """Return options as lower-case first letters (`d,unreachable` -> ("d", "u")).

    Those in `known` come in its order, so that equal options are equal in whatever order they were written.
    """
    given = dict.fromkeys(word[0].lower() for word in words(value))
    return tuple(sorted(given, key=known.find)) if known else tuple(given)


def wrong(kind: AttrType, value: str) -> str:
    """Return what is wrong with `value` for an attribute of that type, "" if nothing is."""
    if kind == "number" and number(value) is None:
        return "is not a number"
    if kind == "bool" and yes(value) is None:
        return "is neither 1 nor 0"
    if kind == "level" and value.upper() not in LEVELS:
        return "is not one of " + ", ".join(LEVELS)
    return ""
