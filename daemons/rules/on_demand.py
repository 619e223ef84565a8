"""Macros of other objects than the one at hand: `$HOSTSTATE:web1$`, `$SERVICESTATE:web1:http$`, `$CONTACTEMAIL:ann$`.

Nagios Core docs, "Understanding Macros and How They Work", on-demand macros and on-demand group macros. The
one thing to know: two names ask a service, or, when there is none of that name, all members of a group: then
the second is what stands between the values (`$HOSTNAME:webs:,$`).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from daemons.model.objects import Group
from daemons.rules.group_macros import (
    CONTACTGROUP_MACROS,
    HOSTGROUP_MACROS,
    SERVICEGROUP_MACROS,
    group_macros,
)
from daemons.rules.template import Lookup, Outside

_NONE: Mapping[str, Group] = {}
_BEFORE = ("LAST", "LONG", "MAX", "TOTAL")  # the family's name comes after these


class Elsewhere(NamedTuple):
    """Where other objects are found; each function says None for what is not there."""

    item: Callable[[str, str], Lookup | None]  # host, description; "" = the host itself
    contact: Callable[[str], Lookup | None]
    hostgroups: Mapping[str, Group] = _NONE
    servicegroups: Mapping[str, Group] = _NONE
    contactgroups: Mapping[str, Group] = _NONE
    period: Callable[[str], Lookup | None] = lambda name: None


def on_demand(own: Lookup, elsewhere: Elsewhere) -> Lookup:
    """Return `own` with the on-demand macros besides; an empty host means that of `own`."""

    def ask(name: str) -> str | None:
        macro, colon, rest = name.partition(":")
        if not colon:
            return own(name)
        first, second, more = rest.partition(":")
        if (group := _group(macro, first, elsewhere)) is not None:
            return group(macro)
        match _family(macro):
            case "CONTACT":
                return _of_contacts(macro, first, more if second else None, elsewhere)
            case "PERIOD":
                found = elsewhere.period(rest)
            case "HOST" if second:
                return _each(macro, _hosts(first, elsewhere), more)
            case "HOST":
                found = elsewhere.item(first or own("HOSTNAME") or "", "")
            case "SERVICE" | "ANY" if second:
                found = elsewhere.item(first or own("HOSTNAME") or "", more)
                if found is None and first in elsewhere.servicegroups:
                    return _each(macro, _services(first, elsewhere), more)
            case "ANY":
                found = elsewhere.item(first or own("HOSTNAME") or "", "")
            case _:
                return None
        return None if found is None else found(macro)

    return ask


def _family(macro: str) -> str:
    """Whose macro it is: "HOST", "SERVICE", "CONTACT", "PERIOD", or "ANY" for $STATUS$ and its like."""
    if macro in ("ISVALIDTIME", "NEXTVALIDTIME"):
        return "PERIOD"
    bare = macro.removeprefix("_")
    for before in _BEFORE:
        bare = bare.removeprefix(before)
    for family in ("HOST", "SERVICE", "CONTACT"):
        if bare.startswith(family):
            return family
    return "ANY"


def _group(macro: str, name: str, elsewhere: Elsewhere) -> Lookup | None:
    for kind, macros, groups in (
        ("HOSTGROUP", HOSTGROUP_MACROS, elsewhere.hostgroups),
        ("SERVICEGROUP", SERVICEGROUP_MACROS, elsewhere.servicegroups),
        ("CONTACTGROUP", CONTACTGROUP_MACROS, elsewhere.contactgroups),
    ):
        if macro in macros and name in groups:
            return group_macros(kind, groups[name])
    return None


def _of_contacts(macro: str, name: str, separator: str | None, elsewhere: Elsewhere) -> str | None:
    if separator is None:
        contact = elsewhere.contact(name)
        return None if contact is None else contact(macro)
    group = elsewhere.contactgroups.get(name)
    members = group.members if group is not None else ()
    return _each(macro, (elsewhere.contact(member) for member in members), separator)


def _hosts(name: str, elsewhere: Elsewhere) -> Iterable[Lookup | None]:
    group = elsewhere.hostgroups.get(name)
    return (elsewhere.item(member, "") for member in (group.members if group is not None else ()))


def _services(name: str, elsewhere: Elsewhere) -> Iterable[Lookup | None]:
    for member in elsewhere.servicegroups[name].members:
        host, _, description = member.partition(";")
        yield elsewhere.item(host, description)


def _each(macro: str, lookups: Iterable[Lookup | None], separator: str) -> str:
    """The values of `macro` one after the other; what has none is left out."""
    found = [
        value for lookup in lookups if lookup is not None and (value := lookup(macro)) is not None
    ]
    joined = separator.join(found)
    return Outside(joined) if any(isinstance(value, Outside) for value in found) else joined
