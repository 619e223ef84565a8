"""Objects to shards: the part of a realm's hosts and services that one scheduler runs.

The one thing to know: a *pack* (hosts bound together by parents, dependencies or business rules, with
their services) is never split, and where it goes depends on names alone, so that a changed host moves no
other host. How packs are dealt is in deal.py, what binds hosts in bonds.py.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import TypeVar
from zlib import crc32

import msgspec
from msgspec.structs import replace

from daemons.config.bonds import Bond, bonds_of
from daemons.config.deal import deal
from daemons.config.link import IMPLICIT_COMMANDS, Objects
from daemons.model.cluster import Cluster
from daemons.model.objects import (
    SHARDS_A_REALM,
    Group,
    Host,
    Service,
    ShardBody,
    ShardDef,
    Traits,
    host_of,
)
from daemons.model.relations import (
    CheckModulation,
    Dependency,
    Escalation,
    ImpactModulation,
    MacroModulation,
    ResultModulation,
)

N = TypeVar("N", Escalation, ResultModulation, CheckModulation, MacroModulation, ImpactModulation)
_REALM_SLOTS = 997
Cut = tuple[tuple[ShardDef, bytes], ...]


def cut(objects: Objects, cluster: Cluster) -> Cut:
    """Return every shard with its encoded body, by id; the version is a hash of the body.

    A realm has as many shards as it has schedulers that are no spares, at least one if it has a
    scheduler or a host at all.
    """
    shares: dict[str, list[int]] = {}
    for daemon in cluster.daemons:
        if daemon.role == "scheduler":
            realm_shares = shares.setdefault(daemon.realm, [])
            realm_shares += [daemon.weight] if not daemon.spare else []
    for realm in objects.realms:
        shares.setdefault(realm, [1])
    services: dict[str, list[Service]] = {}
    for service in objects.services:
        services.setdefault(service.host, []).append(service)
    hosts: dict[str, list[Host]] = {}
    for host, realm in zip(objects.hosts, objects.realms, strict=True):
        hosts.setdefault(realm, []).append(host)
    bonds = bonds_of(objects)
    made: list[tuple[ShardDef, bytes]] = []
    first = _first_ids(shares, cluster)
    for realm in sorted(shares):
        parts = _parts(realm, hosts.get(realm, []), services, bonds, shares[realm] or [1])
        for n, part in enumerate(parts):
            made.append(_shard(first[realm] + n, realm, part, services, objects, cluster))
    return tuple(sorted(made, key=lambda one: one[0].id))


def _first_ids(realms: Iterable[str], cluster: Cluster) -> dict[str, int]:
    """Return the lowest shard id of each realm: 1 for the default one; the others' hang on names."""
    first: dict[str, int] = {}
    taken: set[int] = set()
    for realm in sorted(realms, key=lambda name: (name != cluster.realm, name)):
        slot = 0 if realm == cluster.realm else 1 + crc32(realm.encode()) % _REALM_SLOTS
        while slot in taken:
            slot += 1
        taken.add(slot)
        first[realm] = slot * SHARDS_A_REALM + 1
    return first


def _parts(
    realm: str,
    hosts: Sequence[Host],
    services: dict[str, list[Service]],
    bonds: Iterable[Bond],
    weights: Sequence[int],
) -> list[list[Host]]:
    """Return the hosts of each shard.

    The shards' shares are the schedulers' weights, the heaviest first: so whichever scheduler comes,
    shares only grow or are added at the end, and hosts move there only.
    """
    if len(weights) == 1:
        return [list(hosts)]
    packs = packs_of(hosts, bonds)
    sizes = [(pack[0].name, sum(1 + len(services.get(h.name, ())) for h in pack)) for pack in packs]
    parts: list[list[Host]] = [[] for _ in weights]
    for pack, n in zip(packs, deal(sizes, sorted(weights, reverse=True), realm), strict=True):
        parts[n].extend(pack)
    return [sorted(part, key=lambda h: h.name) for part in parts]


def packs_of(hosts: Sequence[Host], bonds: Iterable[Bond] = ()) -> list[list[Host]]:
    """Return the hosts in packs: first the one that names the pack, then the others by name.

    A pack is named by a host without parents, so that a host added below moves none of it.
    """
    leader = {host.name: host.name for host in hosts}
    below = {host.name: any(parent in leader for parent in host.parents) for host in hosts}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    def bind(one: str, other: str) -> None:
        a, b = sorted((find(one), find(other)))
        leader[b] = a

    for host in hosts:
        for parent in host.parents:
            if parent in leader:
                bind(host.name, parent)
    for bond in bonds:
        here = [name for name in bond.hosts if name in leader]
        for name in here[1:]:
            bind(here[0], name)
    packs: dict[str, list[Host]] = {}
    for host in hosts:
        packs.setdefault(find(host.name), []).append(host)
    return [
        sorted(pack, key=lambda h: (below[h.name], h.name)) for _, pack in sorted(packs.items())
    ]


def _shard(
    id: int,
    realm: str,
    hosts: list[Host],
    services: dict[str, list[Service]],
    objects: Objects,
    cluster: Cluster,
) -> tuple[ShardDef, bytes]:
    mine = [s for host in hosts for s in services.get(host.name, ())]
    used: dict[int, int] = {}
    for index in [h.traits for h in hosts] + [s.traits for s in mine]:
        if index not in used:
            used[index] = len(used)
    names = {host.name for host in hosts}
    keep_all = len(names) == len(objects.hosts)
    traits = tuple(objects.traits[index] for index in used)
    body = ShardBody(
        id=id,
        realm=realm,
        cluster=cluster.name,
        traits=traits,
        hosts=tuple(
            Host(
                h.name,
                h.address,
                h.alias,
                used[h.traits],
                h.parents if keep_all else tuple(p for p in h.parents if p in names),
                h.display_name,
            )
            for h in hosts
        ),
        services=tuple(
            Service(s.host, s.description, used[s.traits], s.display_name) for s in mine
        ),
        contacts=objects.contacts,
        commands=objects.commands,
        periods=objects.periods,
        hostgroups=objects.hostgroups if keep_all else _within(objects.hostgroups, names),
        servicegroups=objects.servicegroups if keep_all else _within(objects.servicegroups, names),
        contactgroups=objects.contactgroups,
        macros=dict(sorted(objects.macros.items())),
        globals=objects.globals,
        dependencies=_of_hosts(objects.dependencies, names, keep_all),
        escalations=_named(objects.escalations, (t.escalations for t in traits)),
        result_modulations=_named(
            objects.modulations.result, (t.result_modulations for t in traits)
        ),
        check_modulations=_named(objects.modulations.check, (t.check_modulations for t in traits)),
        macro_modulations=_named(objects.modulations.macro, (t.macro_modulations for t in traits)),
        impact_modulations=_named(
            objects.modulations.impact, (t.impact_modulations for t in traits)
        ),
        rules={k: tree for k, tree in sorted(objects.rules.trees.items()) if host_of(k) in names},
        realm_members=tuple(sorted(r.name for r in cluster.realms if r.parent == realm)),
    )
    encoded = msgspec.msgpack.encode(body)
    shard = ShardDef(
        id=id,
        realm=realm,
        version=sha256(encoded).hexdigest()[:16],
        hosts=len(hosts),
        services=len(mine),
        poller_tags=poller_tags(traits, objects),
        reactionner_tags=tuple(sorted({t.reactionner_tag for t in traits})),
    )
    return shard, encoded


def poller_tags(traits: Iterable[Traits], objects: Objects) -> tuple[str, ...]:
    """Return the tags that checks ask for: the object's own, else its command's."""
    of_command = {command.name: command.poller_tag for command in objects.commands}
    modulated = {m.name: m.command for m in objects.modulations.check}
    asked = {
        t.poller_tag or of_command.get(name, "")
        for t in traits
        if t.check_command
        for written in (t.check_command, *(modulated.get(m, "") for m in t.check_modulations))
        if (name := written.partition("!")[0]) not in ("", *IMPLICIT_COMMANDS)
    }
    return tuple(sorted(asked))


def _named(all: tuple[N, ...], names: Iterable[tuple[str, ...]]) -> tuple[N, ...]:
    """Return those of `all` whose names are among `names`."""
    if not all:
        return ()
    wanted = {name for some in set(names) for name in some}
    return tuple(one for one in all if one.name in wanted)


def _of_hosts(
    dependencies: tuple[Dependency, ...], hosts: set[str], keep_all: bool
) -> tuple[Dependency, ...]:
    """Return the dependencies within a shard; those across realms were complained of."""
    if keep_all:
        return dependencies
    return tuple(
        one for one in dependencies if host_of(one.dependent) in hosts and host_of(one.on) in hosts
    )


def _within(groups: tuple[Group, ...], hosts: set[str]) -> tuple[Group, ...]:
    return tuple(
        replace(group, members=tuple(m for m in group.members if host_of(m) in hosts))
        for group in groups
    )
