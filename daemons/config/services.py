"""Services as `expand` placed them: their service groups, and their traits.

The one thing to know: this runs once for each of perhaps 100,000 services; whatever can be found once
for all services that say the same is.
"""

from daemons.config.complain import did_you_mean
from daemons.config.definitions import Definitions
from daemons.config.expand import Services
from daemons.config.extinfo import Extra
from daemons.config.groups import GroupDef, inverted, nest
from daemons.config.hosts import Bundle
from daemons.config.templates import NULL
from daemons.config.traits import TraitsTable
from daemons.config.values import words
from daemons.model.objects import Key, Service


def servicegroups_of(defs: Definitions, services: Services) -> dict[str, GroupDef]:
    """Return the service groups with all their members ("host;description")."""
    groups = {n: GroupDef(b, a, {}) for n, (b, a) in defs.objects("servicegroup").items()}
    for name, group in groups.items():
        _name_members(defs, name, group, services)
    templates = defs.templates("service")
    split: dict[tuple[int, str | None], tuple[str, ...]] = {}
    for (host, description), placed in services.items():
        if "servicegroups" not in placed.block.attrs and "servicegroups" not in placed.proto.attrs:
            continue
        key = (id(placed.proto), placed.block.attrs.get("servicegroups"))
        names = split.get(key)
        if names is None:
            value = templates.value(placed.block.attrs, placed.proto, "servicegroups")
            names = split[key] = words(value or "")
        for group_name in names:
            if group_name in groups:
                groups[group_name].members[f"{host};{description}"] = None
            else:
                defs.blame(
                    placed.block,
                    placed.proto,
                    "servicegroups",
                    f"service {description} on {host}",
                    f"servicegroup {group_name} is not defined",
                    did_you_mean(group_name, groups),
                )
    nest("servicegroup", groups, defs.complaints)
    return groups


def _name_members(defs: Definitions, name: str, group: GroupDef, services: Services) -> None:
    """Add the members that a service group names itself: host,description,host,description."""
    pairs = words(group.attrs.get("members", ""))
    if pairs == ("*",):
        group.members |= dict.fromkeys(f"{host};{description}" for host, description in services)
        return
    for host, description in zip(pairs[::2], pairs[1::2], strict=False):
        if (host, description) in services:
            group.members[f"{host};{description}"] = None
        else:
            defs.complaints.error(
                f"servicegroup {name}: service {description} on host {host} is not defined",
                group.block.where_of("members"),
            )
    if len(pairs) % 2:
        defs.complaints.error(
            f"servicegroup {name}: members are not pairs of host,description",
            group.block.where_of("members"),
        )


def link_services(
    defs: Definitions,
    services: Services,
    bundles: dict[str, Bundle],
    servicegroups: dict[str, GroupDef],
    table: TraitsTable,
    escalated: dict[Key, tuple[str, ...]],
    extras: dict[tuple[str, str], Extra],
) -> tuple[Service, ...]:
    """Return the services with their traits, by host and description.

    `escalated` are the escalations that name each, `extras` their extended information.
    """
    templates = defs.templates("service")
    groups_of = inverted(servicegroups)
    linked = []
    for key in sorted(services):
        host, description = key
        placed = services[key]
        block = placed.block
        groups = groups_of.get(f"{host};{description}", ()) if groups_of else ()
        made = table.make(
            "service",
            f"service {description} on {host}",
            block,
            placed.proto,
            templates,
            groups,
            bundles[host],
            escalated=escalated.get(f"{host};{description}", ()) if escalated else (),
            extra=extras.get(key, ()) if extras else (),
            blame=placed.blame,
        )
        display = block.attrs.get("display_name", "") or placed.proto.attrs.get("display_name", "")
        linked.append(Service(host, description, made.index, "" if display == NULL else display))
    return tuple(linked)
