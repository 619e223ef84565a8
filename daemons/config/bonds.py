"""Bonds: which hosts must be in one shard because what happens to one decides about the other.

The one thing to know: parents are kept in the hosts themselves; here are host and service dependencies
and the members of business rules. Bound hosts are in one realm, or the operator is told where not.
"""

from collections.abc import Callable, Collection, Iterator

from msgspec import Struct

from daemons.config.complain import Complaints
from daemons.config.link import Objects
from daemons.model.objects import Key, host_of


class Bond(Struct, frozen=True):
    """Hosts that stay together."""

    hosts: tuple[str, ...]  # sorted, two or more
    why: str  # "host dependency"
    where: str = ""  # file:line of its definition; "" = that of the first host of `hosts`
    of: Key = ""  # the object whose rule binds them


def bonds_of(objects: Objects) -> tuple[Bond, ...]:
    """Return all bonds but those of parents, in the order of the definitions."""
    found = [*_dependencies(objects)]
    found += [Bond(named, "business rule", of=key) for key, named in objects.rules.hosts.items()]
    return tuple(bond for bond in found if len(bond.hosts) > 1)


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


def complain_of_realms(
    objects: Objects,
    bonds: Collection[Bond],
    where_of: Callable[[str, str], str],
    where_of_rule: Callable[[Key], str],
    complaints: Complaints,
) -> None:
    """Complain of hosts that are bound together across realms: no scheduler could run them both.

    `where_of` returns "file:line" of an attribute of a host's definition, `where_of_rule` that of the
    business rule of an object.
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
                where = where_of_rule(bond.of) if bond.of else bond.where
                pairs.append((first, other, bond.why, where or where_of(first, "check_command")))
                break
    told: set[tuple[str, ...]] = set()  # one definition may bind thousands of hosts
    for one, other, why, where in pairs:
        bound = (where, *sorted((realm[one], realm[other])))
        if where and bound in told:
            continue
        told.add(bound)
        complaints.error(
            f"host {one} is in realm {realm[one]} and bound by {why} to host {other} in realm"
            f" {realm[other]}: one scheduler must run both",
            where,
            f"give both the same realm, or take the {why} away",
        )
