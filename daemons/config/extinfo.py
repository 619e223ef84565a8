"""hostextinfo and serviceextinfo: notes, icons and coordinates given apart from their hosts and services.

The one thing to know: they are defaults; what an object or its templates say themselves wins
(Nagios 2 docs, "Extended Information"). Of two that say the same attribute the last one read counts.
"""

from collections.abc import Mapping

from daemons.config.complain import did_you_mean
from daemons.config.definitions import Definitions
from daemons.config.expand import Members, Services, by_host
from daemons.config.groups import BadExpression, hosts_of, pick
from daemons.config.hosts import Hosts
from daemons.config.lexer import Block
from daemons.config.templates import is_registered
from daemons.config.traits import SHOWN

Extra = tuple[tuple[str, str], ...]


def extend_hosts(defs: Definitions, hosts: Hosts, hostgroups: Members) -> None:
    """Add extended information below what the hosts say."""
    found: dict[str, dict[str, str]] = {}
    for block, attrs in _blocks(defs, "hostextinfo"):
        for name in _hosts(defs, block, attrs, hosts, hostgroups):
            found.setdefault(name, {}).update(_shown(attrs))
    for name, shown in found.items():
        hosts[name].extra = tuple(sorted(shown.items()))


def extras_of_services(
    defs: Definitions, services: Services, hosts: Hosts, hostgroups: Members
) -> dict[tuple[str, str], Extra]:
    """Return the extended information of services."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    blocks = _blocks(defs, "serviceextinfo")
    on_host = by_host(services) if blocks else {}
    for block, attrs in blocks:
        said = attrs.get("service_description", "")
        if not said:
            defs.complaints.error("a serviceextinfo without service_description", block.where)
        for host in _hosts(defs, block, attrs, hosts, hostgroups):
            here = on_host.get(host, [])
            picked = pick(said, here)
            for name in picked.unknown:
                defs.complaints.warning(
                    f"serviceextinfo: service {name} on host {host} is not defined",
                    block.where_of("service_description"),
                    did_you_mean(name, here),
                )
            for name in picked.names:
                found.setdefault((host, name), {}).update(_shown(attrs))
    return {key: tuple(sorted(shown.items())) for key, shown in found.items()}


def _blocks(defs: Definitions, kind: str) -> list[tuple[Block, dict[str, str]]]:
    templates = defs.templates(kind)
    return [
        (block, templates.merged(block.attrs, templates.prototype(block)))
        for block in defs.blocks(kind)
        if is_registered(block)
    ]


def _hosts(
    defs: Definitions, block: Block, attrs: Mapping[str, str], hosts: Hosts, hostgroups: Members
) -> list[str]:
    kind = block.kind
    names, groups = attrs.get("host_name", ""), attrs.get("hostgroup_name", "")
    if not names and not groups:
        defs.complaints.warning(f"a {kind} without host_name", block.where)
    picked = pick(names, hosts)
    for name in picked.unknown:
        defs.complaints.warning(
            f"{kind}: host {name} is not defined",
            block.where_of("host_name"),
            did_you_mean(name, hosts),
        )
    try:
        found, unknown = hosts_of(groups, hostgroups, hosts)
    except BadExpression as error:
        defs.complaints.error(f"{kind}: {error}", block.where_of("hostgroup_name"))
        return list(picked.names)
    for name in unknown:
        defs.complaints.warning(
            f"{kind}: hostgroup {name} is not defined",
            block.where_of("hostgroup_name"),
            did_you_mean(name, hostgroups),
        )
    return sorted((found | set(picked.names)) - picked.excluded)


def _shown(attrs: Mapping[str, str]) -> dict[str, str]:
    return {attr: value for attr, value in attrs.items() if attr in SHOWN}
