"""Daemon definitions to `Cluster`: which daemons exist, on which servers, with which modules.

The one thing to know: the attributes are those of Shinken's documentation, only the defaults of
`timeout` and `check_interval` are seconds instead of minutes. A type that is absent gets one local
daemon, as upstream does (config-schema, "Implicit objects").
"""

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from daemons.config.complain import Complaints, did_you_mean
from daemons.config.keepers import VoterOnly, with_voters
from daemons.config.legacy import LegacyModule
from daemons.config.lexer import Block
from daemons.config.modules import Modules
from daemons.config.realms import Realms
from daemons.config.satellitemap import satellitemap_of
from daemons.config.schema import attributes
from daemons.config.values import number, words, yes
from daemons.model.cluster import (
    PORTS,
    ROLES,
    Cluster,
    DaemonDef,
    RoleName,
    ServerDef,
    server_index,
)

LOOPBACK = "127.0.0.1"
_READ = attributes(
    """address port spare realm host_name modules timeout data_timeout check_interval
    max_check_attempts manage_sub_realms weight poller_tags reactionner_tags use name register
    imported_from definition_order"""
)
Definitions = dict[RoleName, list[tuple[Block, dict[str, str]]]]


def cluster_of(
    definitions: Definitions,
    modules: Modules,
    realms: Realms,
    settings: dict[str, str],
    macros: dict[str, str],
    complaints: Complaints,
    voters: Sequence[VoterOnly] = (),
    legacy: Sequence[LegacyModule] = (),
) -> Cluster:
    """Return the cluster that the daemon definitions describe, with servers that only vote.

    `legacy`: the modules that keys of an old main file stand for.
    """
    daemons = [
        daemon
        for role in ROLES
        for block, attrs in definitions.get(role, [])
        if (daemon := _daemon(role, block, attrs, modules, realms, complaints))
    ]
    wants_receiver = "command_file" in settings
    daemons += _implicit(daemons, realms, wants_receiver, complaints)
    _complain_of_maps(definitions, {d.name for d in daemons}, complaints)
    daemons = _with_legacy_modules(daemons, legacy, modules)
    daemons.sort(key=lambda d: (ROLES.index(d.role), d.spare, d.name))
    return Cluster(
        name=settings.get("cluster_name", "shinken"),
        daemons=tuple(daemons),
        servers=with_voters(_servers(daemons), voters, complaints),
        modules=modules.all(),
        settings=settings,
        macros=dict(sorted(macros.items())),
        realm=realms.default,
        realms=realms.defs(),
    )


def _daemon(
    role: RoleName,
    block: Block,
    attrs: dict[str, str],
    modules: Modules,
    realms: Realms,
    complaints: Complaints,
) -> DaemonDef | None:
    name = attrs.get(f"{role}_name", "")
    if not name:
        complaints.error(f"a {role} without {role}_name", block.where)
        return None
    label = f"{role} {name}"
    if role != "arbiter" and not attrs.get("realm"):
        realms.needed(label, block.where, complaints)
    realm = "" if role == "arbiter" else realms.find(attrs.get("realm", ""))
    if realm is None:
        complaints.error(
            f"{label}: realm {attrs['realm']} is not defined",
            block.where_of("realm"),
            did_you_mean(attrs["realm"], realms.names),
        )
        realm = realms.default
    port = int(_number(attrs, "port", PORTS[role]))
    if not 1 <= port <= 65535:
        complaints.error(f"{label}: there is no port {port}", block.where_of("port"))
    return DaemonDef(
        name=name,
        role=role,
        address=address_of(attrs.get("address", "")),
        port=port,
        spare=_says(attrs, "spare", False),
        realm=realm,
        host_name=attrs.get("host_name", ""),
        modules=modules.named(attrs.get("modules", ""), role, label, block),
        timeout_s=_number(attrs, "timeout", 1.0),
        data_timeout_s=_number(attrs, "data_timeout", 120.0),
        check_interval_s=_number(attrs, "check_interval", 1.0),
        max_check_attempts=int(_number(attrs, "max_check_attempts", 3.0)),
        manage_sub_realms=_says(attrs, "manage_sub_realms", True),
        weight=max(1, int(_number(attrs, "weight", 1.0))),
        tags=_tags(words(attrs.get(f"{role}_tags", ""))),
        options={a: v for a, v in sorted(attrs.items()) if a not in _READ and a != f"{role}_name"},
        where=block.where,
    )


def _tags(named: Sequence[str]) -> tuple[str, ...]:
    """Return the tags of a poller or reactionner: "" for None beside others, () for untagged work only."""
    tags = tuple(dict.fromkeys("" if tag.lower() == "none" else tag for tag in named))
    return () if tags == ("",) else tags


def _complain_of_maps(
    definitions: Definitions, known: Collection[str], complaints: Complaints
) -> None:
    """Complain of entries of `satellitemap` that cannot be read or that name no daemon."""
    for role, defined in definitions.items():
        for block, attrs in defined:
            if not attrs.get("satellitemap"):
                continue
            label = f"{role} {attrs.get(f'{role}_name', '')}"
            where = block.where_of("satellitemap")
            found, bad = satellitemap_of(attrs["satellitemap"])
            for entry in bad:
                complaints.error(
                    f"{label}: satellitemap: '{entry}' is not name=address or name=address:port",
                    where,
                )
            for name in found:
                if name not in known:
                    complaints.warning(
                        f"{label}: satellitemap: there is no daemon {name}",
                        where,
                        did_you_mean(name, known),
                    )


def address_of(value: str) -> str:
    """Return an address as we keep it: "localhost", and none at all, mean 127.0.0.1."""
    return LOOPBACK if value.lower() in ("", "localhost") else value


def is_loopback(address: str) -> bool:
    """Return whether `address` only reaches the machine itself."""
    return address.startswith("127.") or address in ("::1", "localhost")


def _implicit(
    daemons: list[DaemonDef], realms: Realms, wants_receiver: bool, complaints: Complaints
) -> list[DaemonDef]:
    """Return one daemon for each role that has none, on the server of the first master arbiter.

    Without an arbiter on that of another daemon, without any on this machine.
    """
    first = min(daemons, key=lambda d: (d.spare, ROLES.index(d.role), d.name), default=None)
    address = first.address if first else LOOPBACK
    added: list[DaemonDef] = []
    for role in ROLES:
        needed = role != "receiver" or wants_receiver
        if not needed or any(d.role == role for d in daemons):
            continue
        complaints.warning(f"no {role} is defined, one is added at {address}:{PORTS[role]}")
        added.append(
            DaemonDef(
                name=f"{role}-default",
                role=role,
                address=address,
                port=PORTS[role],
                realm="" if role == "arbiter" else realms.default,
            )
        )
    return added


def _with_legacy_modules(
    daemons: list[DaemonDef], legacy: Sequence[LegacyModule], modules: Modules
) -> list[DaemonDef]:
    """Give the daemons the modules that keys of an old main file stand for."""
    for one in legacy:
        modules.add(one.module)
        daemons = [_plus(d, one.module.name) if d.role == one.role else d for d in daemons]
    return daemons


def _plus(daemon: DaemonDef, module: str) -> DaemonDef:
    return replace(daemon, modules=(*daemon.modules, module))


def _servers(daemons: list[DaemonDef]) -> tuple[ServerDef, ...]:
    names = {d.address: d.host_name for d in reversed(daemons) if d.host_name}
    addresses = sorted({d.address for d in daemons})
    return tuple(ServerDef(names.get(a, a), a, server_index(a)) for a in addresses)


def _number(attrs: dict[str, str], attr: str, default: float) -> float:
    found = number(attrs[attr]) if attr in attrs else None
    return default if found is None else found


def _says(attrs: dict[str, str], attr: str, default: bool) -> bool:
    found = yes(attrs[attr]) if attr in attrs else None
    return default if found is None else found
