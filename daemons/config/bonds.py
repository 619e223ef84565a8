"""Bonds: which hosts must be in one shard because what happens to one decides about the other.

The one thing to know: parents are kept in the hosts themselves; here are host and service dependencies
and the members of business rules. Bound hosts are in one realm, or the operator is told where not.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from msgspec import Struct

from daemons.config.complain import Complaints
from daemons.config.link import Objects
from daemons.model.objects import host_of

_OPERATORS = re.compile(r"[&|()!]|-?\d+%?(?:,\d+%?)* *of:")
_RULE = "bp_rule!"
Members = Mapping[str, Collection[str]]


class Bond(Struct, frozen=True):
    """Hosts that stay together."""

    hosts: tuple[str, ...]  # sorted, two or more
    why: str  # "host dependency"
    where: str = ""  # file:line of its definition; "" = that of the first host of `hosts`


def bonds_of(objects: Objects) -> tuple[Bond, ...]:
    """Return all bonds but those of parents, in the order of the definitions."""
    hosts = {host.name: None for host in objects.hosts}
    groups = {group.name: group.members for group in objects.hostgroups}
    found = [*_dependencies(objects)]
    found += [_rule(host, rule, hosts, groups) for host, rule in _rules(objects)]
    return tuple(bond for bond in found if len(bond.hosts) > 1)


def _rules(objects: Objects) -> Iterator[tuple[str, str]]:
    """Yield the hosts whose check, or that of one of their services, is a business rule, with the rule."""
    rules = {
        n: traits.check_command.removeprefix(_RULE)
        for n, traits in enumerate(objects.traits)
        if traits.check_command.startswith(_RULE)
    }
    if not rules:
        return
    for host in objects.hosts:
        if host.traits in rules:
            yield host.name, rules[host.traits]
    for service in objects.services:
        if service.traits in rules:
            yield service.host, rules[service.traits]


def _dependencies(objects: Objects) -> Iterator[Bond]:
    """Yield each pair of hosts that a dependency binds, once a definition."""
    seen: set[Bond] = set()
    for one, where in zip(objects.dependencies, objects.dependency_where, strict=True):
        pair = tuple(sorted({host_of(one.dependent), host_of(one.on)}))
        kind = "service" if ";" in one.on else "host"
        bond = Bond(pair, f"{kind} dependency", where)
        if len(pair) > 1 and bond not in seen:
            seen.add(bond)
            yield bond


def _rule(host: str, rule: str, hosts: Collection[str], groups: Members) -> Bond:
    named: set[str] = set()
    for element in _OPERATORS.sub("\n", rule).splitlines():
        named |= _members(element.partition(",")[0].strip(), hosts, groups)
    return Bond((host, *sorted(named - {host})), "business rule")


def _members(element: str, hosts: Collection[str], groups: Members) -> set[str]:
    if element == "*":
        return set(hosts)
    kind, colon, rest = element.partition(":")
    if colon and kind == "g":
        return set(groups.get(rest, ()))
    if colon and kind == "r":
        try:
            pattern = re.compile(rest)
        except re.error:
            return set()  # the rule is complained of where it is read
        return {name for name in hosts if pattern.search(name)}
    return {element} if element in hosts else set()


def complain_of_realms(
    objects: Objects,
    bonds: Collection[Bond],
    where_of: Callable[[str, str], str],
    complaints: Complaints,
) -> None:
    """Complain of hosts that are bound together across realms: no scheduler could run them both.

    `where_of` returns "file:line" of an attribute of a host's definition.
    """
    if len(set(objects.realms)) < 2:
        return
    realm = dict(zip((h.name for h in objects.hosts), objects.realms, strict=True))
    pairs = [
        (host.name, parent, "parents", where_of(host.name, "parents"))
        for host in objects.hosts
        for parent in host.parents
        if realm[parent] != realm[host.name]
    ]
    for bond in bonds:
        first = bond.hosts[0]
        for other in bond.hosts[1:]:
            if realm[other] != realm[first]:
                pairs.append(
                    (first, other, bond.why, bond.where or where_of(first, "check_command"))
                )
                break
    for one, other, why, where in pairs:
        complaints.error(
            f"host {one} is in realm {realm[one]} and bound by {why} to host {other} in realm"
            f" {realm[other]}: one scheduler must run both",
            where,
            f"give both the same realm, or take the {why} away",
        )
