"""Which services exist: every `define service` on each of the hosts that it names.

The one thing to know: a service given to a host by name beats one of the same description that a
host group gives it (Nagios Core docs, "Time-Saving Tricks", same-service overrides); between two
of the same kind the lower definition_order wins, then the last one, with a warning.
"""

from collections.abc import Collection, Mapping

from msgspec import Struct

from daemons.config.complain import Complaints, did_you_mean
from daemons.config.examine import bad_characters
from daemons.config.groups import BadExpression, hosts_of, pick
from daemons.config.lexer import Block
from daemons.config.templates import Prototype, Templates, is_registered
from daemons.config.twins import replaces


class Placed(Struct, gc=False):
    """One service definition on one host."""

    block: Block
    proto: Prototype
    description: str
    by_name: bool  # the host is named, not one of a group


Services = dict[tuple[str, str], Placed]  # (host, description)


def place(
    blocks: list[Block],
    templates: Templates,
    hosts: Collection[str],
    hostgroups: Mapping[str, Collection[str]],
    illegal: str,
    complaints: Complaints,
) -> Services:
    """Return the services of every host."""
    found: Services = {}
    for block in blocks:
        if "register" in block.attrs and not is_registered(block):
            continue
        proto = templates.prototype(block)
        own = block.attrs
        description = own.get("service_description")
        if description is None:
            description = templates.value(own, proto, "service_description")
        if not description:
            complaints.error("a service without service_description", block.where)
            continue
        if bad := bad_characters(description, illegal):
            complaints.error(
                f"service_description '{description}' has characters that a name must not have: {bad}",
                block.where_of("service_description"),
            )
            continue
        named = own.get("host_name")
        if (
            named is not None
            and named in hosts
            and "hostgroup_name" not in own
            and "hostgroup_name" not in proto.attrs
        ):
            _put(found, named, Placed(block, proto, description, True), complaints)
            continue
        targets = _Targets(block, proto, description, templates, complaints)
        for host, by_name in targets.find(hosts, hostgroups).items():
            _put(found, host, Placed(block, proto, description, by_name), complaints)
    return found


class _Targets(Struct):
    """The hosts of one definition."""

    block: Block
    proto: Prototype
    description: str
    templates: Templates
    complaints: Complaints

    def find(
        self, hosts: Collection[str], hostgroups: Mapping[str, Collection[str]]
    ) -> dict[str, bool]:
        """Return the hosts; True for those given by name."""
        names = self.templates.value(self.block.attrs, self.proto, "host_name") or ""
        groups = self.templates.value(self.block.attrs, self.proto, "hostgroup_name") or ""
        if not names and not groups:
            self.complaints.error(
                f"service {self.description} has neither host_name nor hostgroup_name",
                self.block.where,
            )
            return {}
        picked = pick(names, hosts)
        self._unknown_hosts(picked.unknown, bool(picked.names or groups), hosts)
        found = dict.fromkeys(self._of_groups(groups, hosts, hostgroups), False)
        found |= dict.fromkeys(picked.names, True)
        return {host: how for host, how in found.items() if host not in picked.excluded}

    def _unknown_hosts(
        self, unknown: tuple[str, ...], others: bool, hosts: Collection[str]
    ) -> None:
        say = self.complaints.warning if others else self.complaints.error
        for name in unknown:
            say(
                f"service {self.description}: host {name} is not defined",
                self.block.where_of("host_name"),
                did_you_mean(name, hosts),
            )

    def _of_groups(
        self, groups: str, hosts: Collection[str], hostgroups: Mapping[str, Collection[str]]
    ) -> list[str]:
        where = self.block.where_of("hostgroup_name") if groups else ""
        try:
            found, unknown = hosts_of(groups, hostgroups, hosts)
        except BadExpression as error:
            self.complaints.error(f"service {self.description}: {error}", where)
            return []
        for name in unknown:
            self.complaints.error(
                f"service {self.description}: hostgroup {name} is not defined",
                where,
                did_you_mean(name, hostgroups),
            )
        return sorted(found)


def _put(found: Services, host: str, new: Placed, complaints: Complaints) -> None:
    key = (host, new.description)
    old = found.get(key)
    if old is not None:
        if old.block is new.block or (old.by_name and not new.by_name):
            return
        if old.by_name == new.by_name:
            label = f"service {new.description} on {host}"
            if not replaces(old.block, new.block, label, complaints):
                return
    found[key] = new
