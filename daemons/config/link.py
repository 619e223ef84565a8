"""Blocks to linked `Objects`: templates resolved, groups expanded, references checked.

The one thing to know: everything comes out sorted by name, so that the order of files and of
definitions changes nothing, not even a shard's version.
"""

from collections.abc import Collection

from msgspec import Struct

from daemons.config.business import Rules
from daemons.config.complain import Complaints
from daemons.config.contacts import contacts_of
from daemons.config.definitions import Definitions
from daemons.config.expand import place
from daemons.config.extinfo import extend_hosts, extras_of_services
from daemons.config.groups import GroupDef
from daemons.config.hosts import hostgroups_of, hosts_of, link_hosts
from daemons.config.lexer import Lexed
from daemons.config.modulations import Modulations
from daemons.config.periods import periods_of
from daemons.config.realms import Realms
from daemons.config.relate import named_of, relate
from daemons.config.services import link_services, servicegroups_of
from daemons.config.traits import SHOWN, Known, TraitsTable
from daemons.config.values import number, yes
from daemons.model.objects import (
    Command,
    Contact,
    Globals,
    Group,
    Host,
    Service,
    TimePeriod,
    Traits,
)
from daemons.model.relations import Dependency, Escalation

IMPLICIT_COMMANDS = ("bp_rule", "_internal_host_up", "_echo")
# Read and resolved, and no rule reads them.
OTHER_KINDS = ("discoveryrule", "discoveryrun")


class Other(Struct, frozen=True):
    """An object of a type that no rule reads yet: its resolved attributes."""

    kind: str
    attrs: dict[str, str]
    where: str


class Objects(Struct, frozen=True, kw_only=True):
    """Everything monitored, of all realms."""

    traits: tuple[Traits, ...] = ()
    hosts: tuple[Host, ...] = ()
    realms: tuple[str, ...] = ()  # of each of `hosts`
    services: tuple[Service, ...] = ()
    contacts: tuple[Contact, ...] = ()
    commands: tuple[Command, ...] = ()
    periods: tuple[TimePeriod, ...] = ()
    hostgroups: tuple[Group, ...] = ()
    servicegroups: tuple[Group, ...] = ()
    contactgroups: tuple[Group, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    dependency_where: tuple[str, ...] = ()  # "file:line" of each of them
    escalations: tuple[Escalation, ...] = ()
    modulations: Modulations = Modulations()
    others: tuple[Other, ...] = ()
    macros: dict[str, str] = {}
    globals: Globals = Globals()
    rules: Rules = Rules()


def link(
    lexed: Lexed,
    globals: Globals,
    realms: Realms,
    illegal: str,
    poller_tags: Collection[str],
    complaints: Complaints,
) -> Objects:
    """Return the objects that `lexed` defines, and complain about what does not fit together.

    `illegal` are the characters that names must not have, `poller_tags` those that pollers carry.
    """
    defs = Definitions(lexed, illegal, complaints)
    periods = periods_of(defs.objects("timeperiod"), complaints)
    commands = _commands(defs)
    names = {c.name for c in commands}
    contacts, contactgroups = contacts_of(
        defs.objects("contact"),
        defs.objects("contactgroup"),
        defs.objects("notificationway"),
        names,
        {p.name for p in periods},
        complaints,
    )
    known = Known(
        commands=names,
        periods={p.name for p in periods},
        contacts=dict.fromkeys(c.name for c in contacts),
        contactgroups={g.name: g.members for g in contactgroups},
        poller_tags=poller_tags,
    )
    table = TraitsTable(known, globals.interval_length_s, complaints)
    named = named_of(defs, known, table, globals.interval_length_s)
    hosts = hosts_of(defs)
    hostgroups = hostgroups_of(defs, hosts)
    members = {name: group.members for name, group in hostgroups.items()}
    extend_hosts(defs, hosts, members)
    services = place(defs, hosts, members)
    extras = extras_of_services(defs, services, hosts, members)
    servicegroups = servicegroups_of(defs, services)
    dependencies = relate(
        defs, hosts, hostgroups, services, servicegroups, known.periods, named.escalations
    )
    escalated = named.escalations.of
    linked = link_hosts(defs, hosts, hostgroups, realms, table, escalated)
    return Objects(
        hosts=linked.hosts,
        realms=linked.realms,
        services=link_services(
            defs, services, linked.bundles, servicegroups, table, escalated, extras
        ),
        traits=tuple(table.traits),
        contacts=contacts,
        commands=commands,
        periods=periods,
        hostgroups=_groups(hostgroups),
        servicegroups=_groups(servicegroups),
        contactgroups=contactgroups,
        dependencies=dependencies.dependencies,
        dependency_where=dependencies.where,
        escalations=named.escalations.all(),
        modulations=named.modulations,
        others=_others(defs),
        macros=lexed.macros,
        globals=globals,
    )


def _commands(defs: Definitions) -> tuple[Command, ...]:
    found = {name: Command(name, name) for name in IMPLICIT_COMMANDS}
    for name, (block, attrs) in defs.objects("command").items():
        line = attrs.get("command_line", "")
        if not line:
            defs.complaints.error(f"command {name} has no command_line", block.where)
        timeout_s = number(attrs.get("timeout", "")) or -1.0
        found[name] = Command(
            name,
            line,
            timeout_s,
            _tag(attrs.get("poller_tag")),
            _tag(attrs.get("reactionner_tag")),
            bool(yes(attrs.get("enable_environment_macros", ""))),
        )
    return tuple(found[name] for name in sorted(found))


def _others(defs: Definitions) -> tuple[Other, ...]:
    found = [
        Other(kind, dict(sorted(attrs.items())), block.where)
        for kind in OTHER_KINDS
        for block, attrs in defs.unnamed(kind)
    ]
    return tuple(sorted(found, key=lambda o: (o.kind, sorted(o.attrs.items()))))


def _groups(groups: dict[str, GroupDef]) -> tuple[Group, ...]:
    return tuple(
        Group(
            name,
            group.attrs.get("alias") or name,
            tuple(sorted(group.members)),
            {a: v for a, v in sorted(group.attrs.items()) if a in SHOWN and v},
        )
        for name, group in sorted(groups.items())
    )


def _tag(value: str | None) -> str:
    return "" if value is None or value.lower() == "none" else value
