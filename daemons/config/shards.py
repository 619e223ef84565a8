"""Objects to shards: the part of a realm's hosts and services that one scheduler runs.

The one thing to know: a *pack* (hosts bound together by parents, with their services) is never split,
and where it goes depends on names alone, so that a changed host moves no other host.
Placement is rendezvous hashing with a bound on the load (highest hash wins unless that shard is full).
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b, sha256
from zlib import crc32

import msgspec
from msgspec.structs import replace

from daemons.config.link import Objects
from daemons.model.cluster import Cluster
from daemons.model.objects import Group, Host, Service, ShardBody, ShardDef, host_of

SLACK = 1.1  # a shard takes up to this much of an equal share
_PER_REALM = 100  # ids that a realm has for itself
_REALM_SLOTS = 997
Cut = tuple[tuple[ShardDef, bytes], ...]


def cut(objects: Objects, cluster: Cluster) -> Cut:
    """Return every shard with its encoded body, by id; the version is a hash of the body.

    A realm has as many shards as it has schedulers that are no spares, at least one if it has a
    scheduler or a host at all.
    """
    schedulers: dict[str, int] = {}
    for daemon in cluster.daemons:
        if daemon.role == "scheduler":
            schedulers[daemon.realm] = schedulers.get(daemon.realm, 0) + (not daemon.spare)
    for realm in objects.realms:
        schedulers.setdefault(realm, 1)
    services: dict[str, list[Service]] = {}
    for service in objects.services:
        services.setdefault(service.host, []).append(service)
    made: list[tuple[ShardDef, bytes]] = []
    first = _first_ids(schedulers, cluster)
    for realm in sorted(schedulers):
        hosts = [h for h, r in zip(objects.hosts, objects.realms, strict=True) if r == realm]
        count = max(1, schedulers[realm])
        for n, part in enumerate(_parts(realm, hosts, services, count)):
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
        first[realm] = slot * _PER_REALM + 1
    return first


def _parts(
    realm: str, hosts: Sequence[Host], services: dict[str, list[Service]], count: int
) -> list[list[Host]]:
    if count == 1:
        return [list(hosts)]
    packs = _packs(hosts)
    weights = [sum(1 + len(services.get(h.name, ())) for h in pack) for pack in packs]
    full = SLACK * sum(weights) / count
    parts: list[list[Host]] = [[] for _ in range(count)]
    loads = [0] * count
    biggest_first = sorted(zip(weights, packs, strict=True), key=lambda p: (-p[0], p[1][0].name))
    for weight, pack in biggest_first:
        ranked = sorted(range(count), key=lambda n: _score(realm, pack[0].name, n))
        chosen = next((n for n in ranked if loads[n] + weight <= full), loads.index(min(loads)))
        loads[chosen] += weight
        parts[chosen].extend(pack)
    return [sorted(part, key=lambda h: h.name) for part in parts]


def _score(realm: str, pack: str, n: int) -> bytes:
    return blake2b(f"{realm}\n{pack}\n{n}".encode(), digest_size=8).digest()


def _packs(hosts: Sequence[Host]) -> list[list[Host]]:
    """Return the hosts in packs, each sorted by name."""
    leader = {host.name: host.name for host in hosts}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for host in hosts:
        for parent in host.parents:
            if parent in leader:
                a, b = sorted((find(host.name), find(parent)))
                leader[b] = a
    packs: dict[str, list[Host]] = {}
    for host in hosts:
        packs.setdefault(find(host.name), []).append(host)
    return [sorted(pack, key=lambda h: h.name) for _, pack in sorted(packs.items())]


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
    )
    encoded = msgspec.msgpack.encode(body)
    shard = ShardDef(
        id=id,
        realm=realm,
        version=sha256(encoded).hexdigest()[:16],
        hosts=len(hosts),
        services=len(mine),
        poller_tags=tuple(sorted({t.poller_tag for t in traits})),
        reactionner_tags=tuple(sorted({t.reactionner_tag for t in traits})),
    )
    return shard, encoded


def _within(groups: tuple[Group, ...], hosts: set[str]) -> tuple[Group, ...]:
    return tuple(
        replace(group, members=tuple(m for m in group.members if host_of(m) in hosts))
        for group in groups
    )
