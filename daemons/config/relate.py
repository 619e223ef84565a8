"""What ties objects together, found after hosts, groups and services are known and before they are linked.

The one thing to know: names in hosts and services are checked where those are built (`traits`); here are
the objects named, and those that name hosts and services themselves.
"""

from collections.abc import Collection

from msgspec import Struct

from daemons.config.definitions import Definitions
from daemons.config.dependencies import Linked, Places, Wanted, dependencies_of
from daemons.config.escalations import Escalations, People
from daemons.config.expand import Services
from daemons.config.groups import GroupDef
from daemons.config.hosts import Hosts
from daemons.config.modulations import KINDS, Modulations, modulations_of
from daemons.config.traits import Known, TraitsTable

_NAMING = ("hostdependency", "servicedependency", "hostescalation", "serviceescalation")


class Named(Struct, frozen=True):
    """What hosts and services may name."""

    escalations: Escalations
    modulations: Modulations


def named_of(defs: Definitions, known: Known, table: TraitsTable, unit_s: float) -> Named:
    """Return escalations and modulations by name, and make them known; `unit_s` is interval_length."""
    modulations = modulations_of(
        {kind: defs.objects(kind) for kind in KINDS}, known.commands, known.periods, defs.complaints
    )
    known.result_modulations = {m.name for m in modulations.result}
    known.check_modulations = {m.name for m in modulations.check}
    known.macro_modulations = {m.name for m in modulations.macro}
    known.impact_modulations = {m.name for m in modulations.impact}
    people = People(known.contacts, known.contactgroups, table.contacts)
    escalations = Escalations(people, known.periods, unit_s, defs.complaints)
    escalations.named(defs.objects("escalation"))
    known.escalations = escalations.names()
    return Named(escalations, modulations)


def relate(
    defs: Definitions,
    hosts: Hosts,
    hostgroups: dict[str, GroupDef],
    services: Services,
    servicegroups: dict[str, GroupDef],
    periods: Collection[str],
    escalations: Escalations,
) -> Linked:
    """Return the dependencies, and give `escalations` those that name their objects."""
    wanted = _wanted(defs, services)
    if not (wanted or any(defs.blocks(kind) for kind in _NAMING)):
        return Linked()
    by_host: dict[str, dict[str, None]] = {}
    for host, description in services:
        by_host.setdefault(host, {})[description] = None
    templates = defs.templates("host")

    def picky(name: str) -> bool:
        host = hosts[name]
        return any(
            templates.value(host.block.attrs, host.proto, attr)
            for attr in ("service_excludes", "service_includes")
        )

    places = Places(
        hosts,
        {name: group.members for name, group in hostgroups.items()},
        by_host,
        {name: group.members for name, group in servicegroups.items()},
        picky,
    )
    escalations.of_places(defs.unnamed("hostescalation"), defs.unnamed("serviceescalation"), places)
    return dependencies_of(
        defs.unnamed("hostdependency"),
        defs.unnamed("servicedependency"),
        wanted,
        places,
        periods,
        defs.complaints,
    )


def _wanted(defs: Definitions, services: Services) -> list[Wanted]:
    """Return the services whose attribute `service_dependencies` names others."""
    attr = "service_dependencies"
    said = any(attr in block.attrs for block in defs.blocks("service"))
    if not said and not any("service_overrides" in block.attrs for block in defs.blocks("host")):
        return []
    templates = defs.templates("service")
    return [
        Wanted(host, description, value, placed.block)
        for (host, description), placed in sorted(services.items())
        if attr in placed.block.attrs or attr in placed.proto.attrs
        if (value := templates.value(placed.block.attrs, placed.proto, attr))
    ]
