"""Hosts and host groups: which there are, who is whose parent, which realm they are in.

The one thing to know: a host is in the realm that it names, else in that of its host groups, else in
the default one; a host that stands in host groups of two realms is put into that of the first by name.
"""

from msgspec import Struct

from daemons.config.circles import circles
from daemons.config.complain import did_you_mean
from daemons.config.definitions import Definitions
from daemons.config.groups import GroupDef, inverted, nest, pick, warn_of_excluded
from daemons.config.lexer import Block
from daemons.config.realms import Realms
from daemons.config.templates import Prototype, is_registered
from daemons.config.traits import CONTACT_ATTRS, FROM_HOST, TraitsTable
from daemons.config.twins import replaces
from daemons.config.values import words
from daemons.model.objects import Host, Key

Bundle = tuple[tuple[str, str], ...]  # attributes that services take from their host
_BUNDLE = frozenset(FROM_HOST) | frozenset(CONTACT_ATTRS)


class HostDef(Struct):
    """One host while it is put together."""

    block: Block
    proto: Prototype
    parents: tuple[str, ...]
    extra: tuple[tuple[str, str], ...] = ()  # extended information


Hosts = dict[str, HostDef]


class LinkedHosts(Struct, frozen=True):
    """All hosts, by name; `realms` are theirs, `bundles` what their services may take from them."""

    hosts: tuple[Host, ...]
    realms: tuple[str, ...]
    bundles: dict[str, Bundle]


def hosts_of(defs: Definitions) -> Hosts:
    """Return the hosts by name, after complaining about their names and parents."""
    found: Hosts = {}
    templates = defs.templates("host")
    for block in defs.blocks("host"):
        if "register" in block.attrs and not is_registered(block):
            continue
        name = defs.name("host", block)
        if not name:
            continue
        if name in found and not replaces(
            found[name].block, block, f"host {name}", defs.complaints
        ):
            continue
        proto = templates.prototype(block)
        parents = templates.value(block.attrs, proto, "parents")
        found[name] = HostDef(block, proto, words(parents) if parents else ())
    _check_parents(defs, found)
    return dict(sorted(found.items()))


def _check_parents(defs: Definitions, hosts: Hosts) -> None:
    for name, host in hosts.items():
        for parent in host.parents:
            if parent not in hosts:
                defs.complaints.warning(
                    f"host {name}: parent {parent} is not defined",
                    _said_by(host, "parents").where_of("parents"),
                    did_you_mean(parent, hosts),
                )
    for circle in circles({n: h.parents for n, h in hosts.items() if h.parents}):
        defs.complaints.error(
            f"hosts are each other's parents: {' -> '.join((*circle, circle[0]))}",
            _said_by(hosts[circle[0]], "parents").where_of("parents"),
        )


def _said_by(host: HostDef, attr: str) -> Block:
    return host.block if attr in host.block.attrs else host.proto.origin.get(attr, host.block)


def hostgroups_of(defs: Definitions, hosts: Hosts) -> dict[str, GroupDef]:
    """Return the host groups with all their members."""
    groups = {n: GroupDef(b, a, {}) for n, (b, a) in defs.objects("hostgroup").items()}
    for name, group in groups.items():
        picked = pick(group.attrs.get("members", ""), hosts)
        group.members = dict.fromkeys(picked.names)
        group.excluded = picked.excluded
        warn_of_excluded(defs.complaints, f"hostgroup {name}", group, hosts)
        where = group.block.where_of("members") if picked.unknown else ""  # once: lists may be long
        for member in dict.fromkeys(picked.unknown):
            defs.complaints.error(
                f"hostgroup {name}: host {member} is not defined",
                where,
                did_you_mean(member, hosts),
            )
    templates = defs.templates("host")
    split: dict[str, tuple[str, ...]] = {}
    for name, host in hosts.items():
        value = templates.value(host.block.attrs, host.proto, "hostgroups")
        if not value:
            continue
        if value not in split:
            split[value] = words(value)
        for group_name in split[value]:
            if group_name in groups:
                groups[group_name].members[name] = None
            else:
                defs.blame(
                    host.block,
                    host.proto,
                    "hostgroups",
                    f"host {name}",
                    f"hostgroup {group_name} is not defined",
                    did_you_mean(group_name, groups),
                )
    nest("hostgroup", groups, defs.complaints)
    return groups


def link_hosts(
    defs: Definitions,
    hosts: Hosts,
    hostgroups: dict[str, GroupDef],
    realms: Realms,
    table: TraitsTable,
    escalated: dict[Key, tuple[str, ...]],
) -> LinkedHosts:
    """Return the hosts with their traits and realms; `escalated` are the escalations that name each."""
    groups_of = inverted(hostgroups)
    group_realm = _realms_of_groups(defs, hostgroups, realms)
    templates = defs.templates("host")
    bundles: dict[str, Bundle] = {}
    interned: dict[Bundle, Bundle] = {}
    linked: list[Host] = []
    found_realms: list[str] = []
    for name, host in hosts.items():
        groups = groups_of.get(name, ())
        block, proto, own = host.block, host.proto, host.block.attrs
        made = table.make(
            "host",
            f"host {name}",
            block,
            proto,
            templates,
            groups,
            extra=host.extra,
            escalated=escalated.get(name, ()),
        )
        bundle = tuple(sorted((a, v) for a, v in made.attrs.items() if a in _BUNDLE))
        bundles[name] = interned.setdefault(bundle, bundle)
        said = made.attrs.get("realm", "")
        found_realms.append(_realm(defs, name, host, said, groups, group_realm, realms))
        linked.append(
            Host(
                name,
                templates.value(own, proto, "address") or name,
                templates.value(own, proto, "alias") or name,
                made.index,
                tuple(sorted({p for p in host.parents if p in hosts and p != name})),
                templates.value(own, proto, "display_name") or "",
            )
        )
    return LinkedHosts(tuple(linked), tuple(found_realms), bundles)


def _realms_of_groups(
    defs: Definitions, hostgroups: dict[str, GroupDef], realms: Realms
) -> dict[str, str]:
    """Return the realm of each host group that names one, after complaining about those there are not."""
    found: dict[str, str] = {}
    for name, group in hostgroups.items():
        if wanted := group.attrs.get("realm", ""):
            if realms.find(wanted) is None:
                defs.complaints.error(
                    f"hostgroup {name}: realm {wanted} is not defined",
                    group.block.where_of("realm"),
                    did_you_mean(wanted, realms.names),
                )
            else:
                found[name] = wanted
    return found


def _realm(
    defs: Definitions,
    name: str,
    host: HostDef,
    said: str,
    groups: tuple[str, ...],
    group_realm: dict[str, str],
    realms: Realms,
) -> str:
    """Return the realm of a host, after complaining about one that is not there and about groups that disagree."""
    offered = {group_realm[group]: group for group in reversed(groups) if group in group_realm}
    wanted = said or next((group_realm[g] for g in groups if g in group_realm), "")
    if not wanted and realms.without_default:
        realms.needed(f"host {name}", host.block.where, defs.complaints)
    realm = realms.find(wanted)
    if realm is None:
        defs.blame(
            host.block,
            host.proto,
            "realm",
            f"host {name}",
            f"realm {said} is not defined",
            did_you_mean(said, realms.names),
        )
        return realms.default
    for other in sorted(offered.keys() - {realm}):
        defs.complaints.warning(
            f"host {name} is in the realm {realm}, and its hostgroup {offered[other]} in {other}",
            host.block.where,
            "name the realm that is meant in the host",
        )
    return realm
