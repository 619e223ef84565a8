"""Blocks to linked `Objects`: templates resolved, groups expanded, references checked.

The one thing to know: everything comes out sorted by name, so that the order of files and of
definitions changes nothing, not even a shard's version.
"""

from collections.abc import Collection

from msgspec import Struct

from daemons.config.circles import circles
from daemons.config.complain import Complaints, did_you_mean
from daemons.config.contacts import contacts_of
from daemons.config.examine import bad_characters
from daemons.config.expand import Services, place, replaces
from daemons.config.groups import GroupDef, nest, pick
from daemons.config.lexer import Block, Lexed
from daemons.config.periods import periods_of
from daemons.config.realms import Realms
from daemons.config.templates import Prototype, Templates, is_registered, templates_of
from daemons.config.traits import CONTACT_ATTRS, FROM_HOST, SHOWN, Known, TraitsTable
from daemons.config.values import number, words, yes
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

IMPLICIT_COMMANDS = ("bp_rule", "_internal_host_up", "_echo")
# Read and resolved now, acted on by later rules.
OTHER_KINDS = (
    "hostdependency",
    "servicedependency",
    "escalation",
    "hostescalation",
    "serviceescalation",
    "resultmodulation",
    "businessimpactmodulation",
    "checkmodulation",
    "macromodulation",
    "discoveryrule",
    "discoveryrun",
)
_BUNDLE = frozenset(FROM_HOST) | frozenset(CONTACT_ATTRS)


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
    others: tuple[Other, ...] = ()
    macros: dict[str, str] = {}
    globals: Globals = Globals()


class _HostDef(Struct):
    block: Block
    proto: Prototype
    parents: tuple[str, ...]
    extra: tuple[tuple[str, str], ...] = ()


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
    return _Linker(lexed, globals, realms, illegal, poller_tags, complaints).link()


class _Linker:
    def __init__(
        self,
        lexed: Lexed,
        globals: Globals,
        realms: Realms,
        illegal: str,
        poller_tags: Collection[str],
        complaints: Complaints,
    ) -> None:
        self._lexed = lexed
        self._globals = globals
        self._realms = realms
        self._illegal = illegal
        self._poller_tags = poller_tags
        self._complaints = complaints
        self._templates: dict[str, Templates] = {}

    def link(self) -> Objects:
        say = self._complaints
        periods = periods_of(self._objects("timeperiod"), say)
        commands = self._commands()
        names = {c.name for c in commands}
        contacts, contactgroups = contacts_of(
            self._objects("contact"),
            self._objects("contactgroup"),
            self._objects("notificationway"),
            names,
            {p.name for p in periods},
            say,
        )
        known = Known(
            commands=names,
            periods={p.name for p in periods},
            contacts=dict.fromkeys(c.name for c in contacts),
            contactgroups={g.name: g.members for g in contactgroups},
            poller_tags=self._poller_tags,
        )
        table = TraitsTable(known, self._globals.interval_length_s, say)
        hosts = self._hosts()
        hostgroups = self._hostgroups(hosts)
        services = place(
            self._blocks("service"),
            self._of("service"),
            hosts,
            {name: group.members for name, group in hostgroups.items()},
            self._illegal,
            say,
        )
        linked_hosts, host_realms, bundles = self._link_hosts(hosts, hostgroups, table)
        servicegroups, groups_of = self._servicegroups(services)
        return Objects(
            hosts=linked_hosts,
            realms=host_realms,
            services=self._link_services(services, bundles, groups_of, table),
            traits=tuple(table.traits),
            contacts=contacts,
            commands=commands,
            periods=periods,
            hostgroups=_groups(hostgroups),
            servicegroups=_groups(servicegroups),
            contactgroups=contactgroups,
            others=self._others(),
            macros=self._lexed.macros,
            globals=self._globals,
        )

    # ---------------------------------------------------------------- definitions

    def _blocks(self, kind: str) -> list[Block]:
        return self._lexed.blocks.get(kind, [])

    def _of(self, kind: str) -> Templates:
        templates = self._templates.get(kind)
        if templates is None:
            templates = templates_of(kind, self._blocks(kind), self._complaints)
            self._templates[kind] = templates
        return templates

    def _objects(self, kind: str) -> dict[str, tuple[Block, dict[str, str]]]:
        """Return the registered objects of a type that has a name attribute, resolved."""
        found: dict[str, tuple[Block, dict[str, str]]] = {}
        templates = self._of(kind)
        for block in self._blocks(kind):
            if not is_registered(block):
                continue
            if name := self._name(kind, block):
                if name in found and not replaces(
                    found[name][0], block, f"{kind} {name}", self._complaints
                ):
                    continue
                found[name] = (block, templates.merged(block.attrs, templates.prototype(block)))
        return dict(sorted(found.items()))

    def _name(self, kind: str, block: Block) -> str:
        attr = f"{kind}_name"
        name = block.attrs.get(attr, "")
        if not name:
            self._complaints.error(f"a {kind} without {attr}", block.where)
        elif kind in ("host", "contact") and (bad := bad_characters(name, self._illegal)):
            self._complaints.error(
                f"{attr} '{name}' has characters that a name must not have: {bad}",
                block.where_of(attr),
            )
            return ""
        return name

    def _commands(self) -> tuple[Command, ...]:
        found = {name: Command(name, name) for name in IMPLICIT_COMMANDS}
        for name, (block, attrs) in self._objects("command").items():
            line = attrs.get("command_line", "")
            if not line:
                self._complaints.error(f"command {name} has no command_line", block.where)
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

    def _others(self) -> tuple[Other, ...]:
        found = []
        for kind in OTHER_KINDS:
            templates = self._of(kind)
            for block in self._blocks(kind):
                if is_registered(block):
                    attrs = templates.merged(block.attrs, templates.prototype(block))
                    found.append(Other(kind, dict(sorted(attrs.items())), block.where))
        return tuple(sorted(found, key=lambda o: (o.kind, sorted(o.attrs.items()))))

    # ---------------------------------------------------------------- hosts

    def _hosts(self) -> dict[str, _HostDef]:
        found: dict[str, _HostDef] = {}
        templates = self._of("host")
        for block in self._blocks("host"):
            if "register" in block.attrs and not is_registered(block):
                continue
            name = self._name("host", block)
            if not name:
                continue
            if name in found and not replaces(
                found[name].block, block, f"host {name}", self._complaints
            ):
                continue
            proto = templates.prototype(block)
            parents = templates.value(block.attrs, proto, "parents")
            found[name] = _HostDef(block, proto, words(parents) if parents else ())
        self._extend(found)
        self._check_parents(found)
        return dict(sorted(found.items()))

    def _extend(self, hosts: dict[str, _HostDef]) -> None:
        """Add extended host information below what the hosts say themselves."""
        for block in self._blocks("hostextinfo"):
            picked = pick(block.attrs.get("host_name", ""), hosts)
            for name in picked.unknown:
                self._complaints.warning(
                    f"hostextinfo: host {name} is not defined",
                    block.where_of("host_name"),
                    did_you_mean(name, hosts),
                )
            extra = tuple(sorted((a, v) for a, v in block.attrs.items() if a in SHOWN))
            for name in picked.names:
                hosts[name].extra = extra

    def _check_parents(self, hosts: dict[str, _HostDef]) -> None:
        for name, host in hosts.items():
            for parent in host.parents:
                if parent not in hosts:
                    self._complaints.warning(
                        f"host {name}: parent {parent} is not defined",
                        host.block.where_of("parents"),
                        did_you_mean(parent, hosts),
                    )
        for circle in circles({n: h.parents for n, h in hosts.items() if h.parents}):
            self._complaints.error(
                f"hosts are each other's parents: {' -> '.join((*circle, circle[0]))}",
                hosts[circle[0]].block.where_of("parents"),
            )

    def _hostgroups(self, hosts: dict[str, _HostDef]) -> dict[str, GroupDef]:
        groups = {n: GroupDef(b, a, {}) for n, (b, a) in self._objects("hostgroup").items()}
        for name, group in groups.items():
            picked = pick(group.attrs.get("members", ""), hosts)
            group.members = dict.fromkeys(picked.names)
            self._unknown_members("hostgroup", name, group.block, picked.unknown, "host", hosts)
        templates = self._of("host")
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
                    self._blame(
                        host.block,
                        host.proto,
                        "hostgroups",
                        f"host {name}",
                        f"hostgroup {group_name} is not defined",
                        did_you_mean(group_name, groups),
                    )
        nest("hostgroup", groups, self._complaints)
        return groups

    def _link_hosts(
        self, hosts: dict[str, _HostDef], hostgroups: dict[str, GroupDef], table: TraitsTable
    ) -> tuple[tuple[Host, ...], tuple[str, ...], dict[str, tuple[tuple[str, str], ...]]]:
        groups_of = _inverted(hostgroups)
        group_realm = {n: g.attrs["realm"] for n, g in hostgroups.items() if g.attrs.get("realm")}
        templates = self._of("host")
        bundles: dict[str, tuple[tuple[str, str], ...]] = {}
        interned: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}
        linked: list[Host] = []
        realms: list[str] = []
        for name, host in hosts.items():
            groups = groups_of.get(name, ())
            block, proto, own = host.block, host.proto, host.block.attrs
            made = table.make(
                "host", f"host {name}", block, proto, templates, groups, extra=host.extra
            )
            bundle = tuple(sorted((a, v) for a, v in made.attrs.items() if a in _BUNDLE))
            bundles[name] = interned.setdefault(bundle, bundle)
            wanted = made.attrs.get("realm") or next(
                (group_realm[g] for g in groups if g in group_realm), ""
            )
            realm = self._realms.find(wanted)
            if realm is None:
                self._blame(
                    block,
                    proto,
                    "realm",
                    f"host {name}",
                    f"realm {wanted} is not defined",
                    did_you_mean(wanted, self._realms.names),
                )
                realm = self._realms.default
            realms.append(realm)
            linked.append(
                Host(
                    name,
                    own.get("address") or templates.value(own, proto, "address") or name,
                    own.get("alias") or templates.value(own, proto, "alias") or name,
                    made.index,
                    tuple(sorted({p for p in host.parents if p in hosts and p != name})),
                    own.get("display_name") or templates.value(own, proto, "display_name") or "",
                )
            )
        return tuple(linked), tuple(realms), bundles

    # ---------------------------------------------------------------- services

    def _servicegroups(
        self, services: Services
    ) -> tuple[dict[str, GroupDef], dict[str, tuple[str, ...]]]:
        groups = {n: GroupDef(b, a, {}) for n, (b, a) in self._objects("servicegroup").items()}
        for name, group in groups.items():
            pairs = words(group.attrs.get("members", ""))
            for host, description in zip(pairs[::2], pairs[1::2], strict=False):
                if (host, description) in services:
                    group.members[f"{host};{description}"] = None
                else:
                    self._complaints.error(
                        f"servicegroup {name}: service {description} on host {host} is not defined",
                        group.block.where_of("members"),
                    )
            if len(pairs) % 2:
                self._complaints.error(
                    f"servicegroup {name}: members are not pairs of host,description",
                    group.block.where_of("members"),
                )
        templates = self._of("service")
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
                    self._blame(
                        placed.block,
                        placed.proto,
                        "servicegroups",
                        f"service {description} on {host}",
                        f"servicegroup {group_name} is not defined",
                        did_you_mean(group_name, groups),
                    )
        nest("servicegroup", groups, self._complaints)
        return groups, _inverted(groups)

    def _link_services(
        self,
        services: Services,
        bundles: dict[str, tuple[tuple[str, str], ...]],
        groups_of: dict[str, tuple[str, ...]],
        table: TraitsTable,
    ) -> tuple[Service, ...]:
        templates = self._of("service")
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
            )
            display = block.attrs.get("display_name", "") or placed.proto.attrs.get(
                "display_name", ""
            )
            linked.append(Service(host, description, made.index, display))
        return tuple(linked)

    # ---------------------------------------------------------------- complaints

    def _unknown_members(
        self,
        kind: str,
        name: str,
        block: Block,
        unknown: tuple[str, ...],
        what: str,
        known: Collection[str],
    ) -> None:
        for member in unknown:
            self._complaints.error(
                f"{kind} {name}: {what} {member} is not defined",
                block.where_of("members"),
                did_you_mean(member, known),
            )

    def _blame(
        self, block: Block, proto: Prototype, attr: str, label: str, text: str, fix: str
    ) -> None:
        """Complain at the line that says `attr`: the object's or that of one of its templates."""
        if attr not in block.attrs and attr in proto.origin:
            block = proto.origin[attr]
            label = f"template {block.attrs.get('name', '')}"
        self._complaints.error(f"{label}: {text}", block.where_of(attr), fix)


def _inverted(groups: dict[str, GroupDef]) -> dict[str, tuple[str, ...]]:
    """Return the groups of each member, sorted; equal tuples are one object."""
    found: dict[str, list[str]] = {}
    for name in sorted(groups):
        for member in groups[name].members:
            found.setdefault(member, []).append(name)
    one: dict[tuple[str, ...], tuple[str, ...]] = {}
    return {member: one.setdefault(tuple(names), tuple(names)) for member, names in found.items()}


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
