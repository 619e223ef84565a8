"""Who is in which group: lists of names, nested groups, and expressions over host groups.

The one thing to know: a group's members come from three sides (its `members`, the objects that name
it, the groups in it), and only the union of all three is used. Loops are errors.
"""

import re
from collections.abc import Collection, Mapping

from msgspec import Struct

from daemons.config.circles import circles, innermost_first
from daemons.config.complain import Complaints, did_you_mean
from daemons.config.lexer import Block
from daemons.config.values import words


class Picked(Struct, frozen=True):
    """Which names a list picks."""

    names: tuple[str, ...]  # in the order written
    excluded: frozenset[str]
    unknown: tuple[str, ...]


def pick(value: str, known: Collection[str]) -> Picked:
    """Return what a list of names with `*` and `!name` picks of `known`."""
    names: dict[str, None] = {}
    excluded: set[str] = set()
    unknown: list[str] = []
    for word in words(value):
        if word == "*":
            names |= dict.fromkeys(known)
        elif word.startswith("!"):
            excluded.add(word[1:].strip())
        elif word in known:
            names[word] = None
        else:
            unknown.append(word)
    kept = tuple(name for name in names if name not in excluded)
    return Picked(kept, frozenset(excluded), tuple(unknown))


class GroupDef(Struct):
    """One group while it is put together."""

    block: Block
    attrs: dict[str, str]
    members: dict[str, None] = {}
    excluded: frozenset[str] = frozenset()  # never members, wherever they come from


def warn_of_excluded(
    complaints: Complaints, label: str, group: GroupDef, known: Collection[str]
) -> None:
    """Warn of what a group excludes that is not there: it may be a slip of the pen."""
    for name in sorted(name for name in group.excluded if name not in known):
        complaints.warning(
            f"{label}: {name} is excluded and not defined",
            group.block.where_of("members"),
            did_you_mean(name, known),
        )


def nest(kind: str, groups: dict[str, GroupDef], complaints: Complaints) -> None:
    """Add to each group the members of the groups in it; complain about unknown ones and circles."""
    attr = f"{kind}_members"
    inside: dict[str, list[str]] = {}
    for name, group in sorted(groups.items()):
        if said := group.attrs.get(attr, ""):
            inside[name] = [inner for inner in words(said) if inner in groups]
            for inner in words(said):
                if inner not in groups:
                    complaints.error(
                        f"{kind} {name}: {kind} {inner} is not defined",
                        group.block.where_of(attr),
                        did_you_mean(inner, groups),
                    )
    for circle in circles(inside):
        complaints.error(
            f"{kind}s contain each other in a circle: {' -> '.join((*circle, circle[0]))}",
            groups[circle[0]].block.where_of(attr),
        )
    for group in groups.values():
        if group.excluded:
            group.members = {m: None for m in group.members if m not in group.excluded}
    for name in innermost_first(inside):
        group = groups[name]
        for inner in inside[name]:
            group.members |= {m: None for m in groups[inner].members if m not in group.excluded}
    for group in groups.values():
        group.members = dict.fromkeys(sorted(group.members))


def inverted(groups: dict[str, GroupDef]) -> dict[str, tuple[str, ...]]:
    """Return the groups of each member, sorted; equal tuples are one object."""
    found: dict[str, list[str]] = {}
    for name in sorted(groups):
        for member in groups[name].members:
            found.setdefault(member, []).append(name)
    one: dict[tuple[str, ...], tuple[str, ...]] = {}
    return {member: one.setdefault(tuple(names), tuple(names)) for member, names in found.items()}


_TOKEN = re.compile(r"[,|&+!()]|[^,|&+!()]+")
_NESTING_MAX = 50


class BadExpression(Exception):
    """An operator wrote an expression over host groups that cannot be read; the text says why."""


def hosts_of(
    expression: str, groups: Mapping[str, Collection[str]], everybody: Collection[str]
) -> tuple[set[str], tuple[str, ...]]:
    """Return the hosts that an expression over host groups picks, and the groups it does not know.

    `,` and `|` unite, `&` and `+` intersect and bind closer, `!` takes away, `*` is every host.
    Raises BadExpression.
    """
    unknown: list[str] = []
    tokens = _tokens(expression, groups)

    def union(at: int, depth: int) -> tuple[set[str], int]:
        wanted: set[str] = set()
        unwanted: set[str] = set()
        while at < len(tokens) and tokens[at] != ")":
            if tokens[at] in ",|":
                at += 1
                continue
            away, found, at = common(at, depth)
            (unwanted if away else wanted).update(found)
        return wanted - unwanted, at

    def common(at: int, depth: int) -> tuple[bool, set[str], int]:
        away, found, at = one(at, depth)
        while at < len(tokens) and tokens[at] in "&+":
            without, other, at = one(at + 1, depth)
            if away and not without:
                away, found = False, other - found
            else:
                found = (
                    found - other
                    if without and not away
                    else (found | other if without else found & other)
                )
        return away, found, at

    def one(at: int, depth: int) -> tuple[bool, set[str], int]:
        away = False
        while at < len(tokens) and tokens[at] == "!":
            away, at = not away, at + 1
        if at == len(tokens) or tokens[at] in ",|&+)":
            raise BadExpression(f"a group is missing in '{expression}'")
        if depth > _NESTING_MAX:
            raise BadExpression(f"'{expression[:40]}' is nested too deeply")
        if tokens[at] == "(":
            found, at = union(at + 1, depth + 1)
            if at == len(tokens):
                raise BadExpression(f"a ')' is missing in '{expression}'")
            return away, found, at + 1
        name = tokens[at]
        if name == "*":
            return away, set(everybody), at + 1
        if name not in groups:
            unknown.append(name)
            return away, set(), at + 1
        return away, set(groups[name]), at + 1

    found, at = union(0, 0)
    if at < len(tokens):
        raise BadExpression(f"a '(' is missing in '{expression}'")
    return found, tuple(unknown)


def _tokens(expression: str, groups: Mapping[str, Collection[str]]) -> list[str]:
    """Return names and operators; what stands between commas and is a group's name ("c++") is one name."""
    tokens: list[str] = []
    for part in expression.split(","):
        if part.strip() in groups:
            tokens.append(part.strip())
        else:
            tokens.extend(t.strip() for t in _TOKEN.findall(part) if t.strip())
        tokens.append(",")
    return tokens
