"""Which services exist: every `define service` on each of the hosts that it means.

The one thing to know: a service comes to a host by the host's name, by a host group, or as a service
template (register 0) bound to a host template. Of two of the same description the lower definition_order
stays, then the one that means the host most closely (name, group, template; Nagios Core docs,
"Time-Saving Tricks", same-service overrides), then the last one, with a warning.
"""

from collections.abc import Collection, Mapping

from msgspec import Struct

from daemons.config.complain import did_you_mean
from daemons.config.definitions import Definitions
from daemons.config.examine import bad_characters
from daemons.config.foreach import BadGenerator, Key, filled, filled_name, keys_of
from daemons.config.groups import BadExpression, hosts_of, pick
from daemons.config.hosts import Hosts
from daemons.config.lexer import Block
from daemons.config.schema import attributes
from daemons.config.tailor import Tailoring, tailorings
from daemons.config.templates import NULL, Prototype, is_registered
from daemons.config.twins import order, replaces
from daemons.config.values import words

# How closely a definition means a host; the lowest stays.
BY_NAME, BY_GROUP, BY_TEMPLATE = range(3)
_NOT_FILLED = attributes("duplicate_foreach default_value use name host_name hostgroup_name")


class Placed(Struct, gc=False):
    """One service definition on one host. `block` is as written, or made for this host from it."""

    block: Block
    proto: Prototype
    description: str
    rank: int
    blame: tuple[tuple[str, Block], ...] = ()  # who says an attribute instead of `block`


Services = dict[tuple[str, str], Placed]  # (host, description)
Members = Mapping[str, Collection[str]]


def place(defs: Definitions, hosts: Hosts, hostgroups: Members) -> Services:
    """Return the services of every host."""
    return _Placing(defs, hosts, hostgroups).place()


class _Placing:
    def __init__(self, defs: Definitions, hosts: Hosts, hostgroups: Members) -> None:
        self._defs = defs
        self._hosts = hosts
        self._hostgroups = hostgroups
        self._templates = defs.templates("service")
        self._tailored = tailorings(hosts, defs.templates("host"), defs.complaints)
        self._users: dict[str, list[str]] | None = None
        self._found: Services = {}
        self._filled: dict[tuple[int, Key], Block] = {}

    def place(self) -> Services:
        hosts, tailored, found = self._hosts, self._tailored, self._found
        for block in self._defs.blocks("service"):
            own = block.attrs
            registered = "register" not in own or is_registered(block)
            proto = self._templates.prototype(block)
            description = own.get("service_description")
            if description is None:
                description = self._templates.value(own, proto, "service_description") or ""
            foreach = "duplicate_foreach" in own or "duplicate_foreach" in proto.attrs
            if registered and not self._named(block, description, foreach):
                continue
            named = own.get("host_name")
            if (  # nearly all
                registered
                and not foreach
                and named in hosts
                and named not in tailored
                and "hostgroup_name" not in own
                and "hostgroup_name" not in proto.attrs
            ):
                key = (named, description)
                placed = Placed(block, proto, description, BY_NAME)
                if key in found:
                    self._put(named, placed)
                else:
                    found[key] = placed
                continue
            if not registered and not description:
                continue  # only there to be used by others
            find = self._targets if registered else self._bound
            targets = find(block, proto, description)
            if not registered and targets and not self._named(block, description, foreach):
                continue
            for host, rank in targets.items():
                self._give(host, Placed(block, proto, description, rank), foreach)
        overriding = [host for host, tailoring in tailored.items() if tailoring.overrides]
        on_host = by_host(found) if overriding else {}
        for host in overriding:
            self._override(host, sorted(on_host.get(host, ())))
        return found

    def _named(self, block: Block, description: str, foreach: bool) -> bool:
        """Return whether a service may be called so, after complaining if not."""
        if not description:
            self._defs.complaints.error("a service without service_description", block.where)
            return False
        bad = "" if foreach else bad_characters(description, self._defs.illegal)
        if bad:
            self._defs.complaints.error(
                f"service_description '{description}' has characters that a name must not have: {bad}",
                block.where_of("service_description"),
            )
        return not bad

    # ---------------------------------------------------------------- which hosts

    def _targets(self, block: Block, proto: Prototype, description: str) -> dict[str, int]:
        """Return the hosts that a registered service names, by themselves or by groups."""
        names = self._templates.value(block.attrs, proto, "host_name") or ""
        groups = self._templates.value(block.attrs, proto, "hostgroup_name") or ""
        if not names and not groups:
            self._defs.complaints.error(
                f"service {description} has neither host_name nor hostgroup_name", block.where
            )
            return {}
        picked = pick(names, self._hosts)
        others = bool(picked.names or groups)
        say = self._defs.complaints.warning if others else self._defs.complaints.error
        for name in (*picked.unknown, *sorted(picked.excluded - self._hosts.keys())):
            say(
                f"service {description}: host {name} is not defined",
                block.where_of("host_name"),
                "it is a host template: 'register 0' binds a service to it"
                if name in self._defs.templates("host").names
                else did_you_mean(name, self._hosts),
            )
        found = dict.fromkeys(self._of_groups(block, description, groups), BY_GROUP)
        found |= dict.fromkeys(picked.names, BY_NAME)
        return {host: rank for host, rank in found.items() if host not in picked.excluded}

    def _of_groups(self, block: Block, description: str, groups: str) -> list[str]:
        where = block.where_of("hostgroup_name") if groups else ""
        try:
            found, unknown = hosts_of(groups, self._hostgroups, self._hosts)
        except BadExpression as error:
            self._defs.complaints.error(f"service {description}: {error}", where)
            return []
        for name in unknown:
            self._defs.complaints.error(
                f"service {description}: hostgroup {name} is not defined",
                where,
                did_you_mean(name, self._hostgroups),
            )
        return sorted(found)

    def _bound(self, block: Block, proto: Prototype, description: str) -> dict[str, int]:
        """Return the hosts that use the host templates which the service template names."""
        expression = self._templates.value(block.attrs, proto, "host_name") or ""
        if not expression:
            return {}
        where = block.where_of("host_name")
        try:
            found, unknown = hosts_of(expression, self._users_of_templates(), self._hosts)
        except BadExpression as error:
            self._defs.complaints.error(f"service template {description}: {error}", where)
            return {}
        for name in unknown:
            if (
                name not in self._hosts
            ):  # for services that inherit it: a template as Nagios knows it
                self._defs.complaints.warning(
                    f"service template {description}: there is no host template {name}",
                    where,
                    did_you_mean(name, self._defs.templates("host").names),
                )
        return dict.fromkeys(sorted(found), BY_TEMPLATE)

    def _users_of_templates(self) -> dict[str, list[str]]:
        if self._users is None:
            self._users = {name: [] for name in self._defs.templates("host").names}
            for name, host in self._hosts.items():
                for template in host.proto.names:
                    self._users.setdefault(template, []).append(name)
        return self._users

    # ---------------------------------------------------------------- one host

    def _give(self, host: str, placed: Placed, foreach: bool) -> None:
        tailored = self._tailored.get(host)
        if not foreach:
            self._put_wanted(host, placed, tailored)
        elif tailored is None or not tailored.forbids(placed.description):
            for made in self._generated(host, placed):
                self._put_wanted(host, made, tailored)

    def _put_wanted(self, host: str, placed: Placed, tailored: Tailoring | None) -> None:
        if tailored is None or tailored.wants(placed.description):
            self._put(host, placed)

    def _put(self, host: str, new: Placed) -> None:
        key = (host, new.description)
        old = self._found.get(key)
        if old is not None:
            if (old.block.source, old.block.start) == (new.block.source, new.block.start):
                return
            rank_old, rank_new = order(old.block), order(new.block)
            if rank_old == rank_new and old.rank == new.rank:
                label = f"service {new.description} on {host}"
                replaces(old.block, new.block, label, self._defs.complaints)
            elif (rank_old, old.rank) < (rank_new, new.rank):
                return
        self._found[key] = new

    def _generated(self, host: str, placed: Placed) -> list[Placed]:
        """Return the service once for each key in the host's variable; none without the variable."""
        block, proto = placed.block, placed.proto
        of_service = self._templates.value
        variable = (of_service(block.attrs, proto, "duplicate_foreach") or "").strip().upper()
        if not variable:
            return [placed]
        default = of_service(block.attrs, proto, "default_value") or ""
        keys = self._keys(host, variable, default, placed.description)
        return [self._made_for(key, placed) for key in keys]

    def _keys(self, host: str, variable: str, default: str, description: str) -> list[Key]:
        definition = self._hosts[host]
        of_host = self._defs.templates("host").value
        own, proto = definition.block.attrs, definition.proto
        skipped = of_host(own, proto, f"_!{variable[1:]}") or ""
        said = of_host(own, proto, variable) or ""
        try:
            skip = {key.name for key in keys_of(skipped)} | set(words(skipped))
            keys = keys_of("" if said == NULL else said, default)
        except BadGenerator as error:
            self._defs.blame(
                definition.block,
                proto,
                variable,
                f"host {host}",
                f"{variable} cannot be read, for service {description}: {error}",
                "write key1$(value1)$$(value2)$,key2,key[1-4]",
            )
            return []
        return [key for key in keys if key.name not in skip]

    def _made_for(self, key: Key, placed: Placed) -> Placed:
        block = self._filled.get((id(placed.block), key))
        if block is None:
            old = placed.block
            attrs = dict(old.attrs)
            for attr, value in self._templates.over(old.attrs, placed.proto.attrs).items():
                if "$" in value and attr not in _NOT_FILLED:
                    attrs[attr] = filled(value, key)
            attrs["service_description"] = filled_name(placed.description, key)
            block = Block(old.kind, attrs, old.source, old.start, old.end)
            self._filled[id(old), key] = block
            self._named(block, attrs["service_description"], foreach=False)
        return Placed(block, placed.proto, block.attrs["service_description"], placed.rank)

    def _override(self, host: str, descriptions: list[str]) -> None:
        """Put what the host says about its services on top of what they say."""
        for override in self._tailored[host].overrides:
            found = [text for text in descriptions if override.matches(text)]
            if not found:
                say = self._defs.complaints
                (say.warning if override.inherited else say.error)(
                    f"host {host}: service_overrides: there is no service '{override.name}' here",
                    override.where,
                    did_you_mean(override.name, descriptions),
                )
            for description in found:
                placed = self._found[host, description]
                old = placed.block
                attrs = self._templates.over({override.attr: override.value}, old.attrs)
                self._found[host, description] = Placed(
                    Block(old.kind, attrs, old.source, old.start, old.end),
                    placed.proto,
                    placed.description,
                    placed.rank,
                    (*placed.blame, (override.attr, override.said_by)),
                )


def by_host(services: Services) -> dict[str, list[str]]:
    """Return the descriptions of the services on each host."""
    found: dict[str, list[str]] = {}
    for host, description in services:
        found.setdefault(host, []).append(description)
    return found
