"""What can be said of one block alone: unknown attributes, values of the wrong type, names with bad characters.

The one thing to know: templates are examined too, and at their own line, so that one mistake in a
template is one complaint, however many objects use it.
"""

import re
from functools import cache

from daemons.config.complain import Complaints, did_you_mean
from daemons.config.lexer import Block
from daemons.config.schema import KINDS, AttrType, attributes
from daemons.config.templates import NULL
from daemons.config.values import number, wrong

_TYPED: dict[str, dict[str, AttrType]] = {
    name: {a: t for a, t in kind.types.items() if t in ("number", "bool", "level")}
    for name, kind in KINDS.items()
}
_NOT_NEGATIVE = attributes(
    """check_interval retry_interval notification_interval first_notification_delay
    timeout data_timeout"""
)
_POSITIVE = frozenset({"max_check_attempts", "port"})


def examine(name: str, blocks: list[Block], complaints: Complaints) -> None:
    """Complain about what is wrong inside each of the blocks of the object type `name`."""
    kind = KINDS[name]
    known = kind.types.keys()
    typed = _TYPED[name]
    typed_keys = typed.keys()
    for block in blocks:
        attrs = block.attrs
        if not attrs.keys() <= known and not kind.open_ended:
            _unknown(block, frozenset(known), complaints)
        if not typed_keys.isdisjoint(attrs):
            for attr in typed_keys & attrs:
                if problem := _wrong(name, attr, typed[attr], attrs[attr]):
                    complaints.error(f"{attr} '{attrs[attr]}' {problem}", block.where_of(attr))


def _unknown(block: Block, known: frozenset[str] | set[str], complaints: Complaints) -> None:
    for attr in sorted(block.attrs.keys() - known):
        if not attr.startswith("_"):
            complaints.warning(
                f"a {block.kind} has no attribute '{attr}', it is kept but has no effect",
                block.where_of(attr),
                did_you_mean(attr, known),
            )


def _wrong(kind: str, attr: str, type: AttrType, value: str) -> str:
    if value == NULL:
        return ""
    if problem := wrong(type, value):
        return problem
    if type == "number":
        found = number(value) or 0.0
        if (
            attr in _NOT_NEGATIVE
            and found < 0
            and not kind.endswith("escalation")
            and kind != "command"
        ):
            return "is negative"
        if attr in _POSITIVE and found < 1:
            return "is not at least 1"
    return ""


def bad_characters(name: str, illegal: str) -> str:
    """Return the characters of `name` that an object name must not have (`;` separates our keys)."""
    bad = _illegal(illegal)
    if bad.search(name) is None:  # nearly all: entered for every object
        return ""
    return "".join(dict.fromkeys(bad.findall(name)))


@cache
def _illegal(characters: str) -> re.Pattern[str]:
    return re.compile(f"[{re.escape(characters)};\\x00-\\x1f]")
