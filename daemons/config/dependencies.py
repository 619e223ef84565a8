"""Host and service dependencies: who is not checked, or not told of, while another is in certain states.

The one thing to know: a service dependency that names no dependent host is one between services of the
same host, for each of its hosts (Nagios and Shinken docs, "same host dependencies"); `explode_hostgroup`
says the same of the members of its groups. Circles of either kind of criteria are refused (Nagios).
"""

from collections.abc import Callable, Collection, Iterator, Mapping

from msgspec import Struct

from daemons.config.circles import circles
from daemons.config.complain import Complaints, did_you_mean
from daemons.config.groups import pick
from daemons.config.lexer import Block
from daemons.config.values import letters, words, yes
from daemons.model.objects import Key, service_key
from daemons.model.relations import Dependency

LETTERS = {"host": "odup", "service": "owucp"}
# Shinken: what `service_dependencies` of a service stands for.
OF_SERVICES = ("u", "c", "w")
_CRITERIA = ("execution_failure_criteria", "notification_failure_criteria")


class Places(Struct, frozen=True):
    """What dependencies and escalations may name."""

    hosts: Collection[str]
    hostgroups: Mapping[str, Collection[str]]  # members by group
    services: Mapping[str, Collection[str]]  # descriptions by host
    servicegroups: Mapping[str, Collection[str]]  # keys by group
    picky: Callable[[str], bool] = lambda host: False  # a host that leaves services out


class Linked(Struct, frozen=True):
    """Dependencies sorted by whom they are of, and the "file:line" that says each."""

    dependencies: tuple[Dependency, ...] = ()
    where: tuple[str, ...] = ()


class Wanted(Struct, frozen=True):
    """A service whose attribute `service_dependencies` names others: host, description, host, ..."""

    host: str
    description: str
    value: str
    block: Block


def dependencies_of(
    of_hosts: list[tuple[Block, dict[str, str]]],
    of_services: list[tuple[Block, dict[str, str]]],
    wanted: list[Wanted],
    places: Places,
    periods: Collection[str],
    complaints: Complaints,
) -> Linked:
    """Return what the blocks of both types, and services themselves, say; complain of what is wrong."""
    if not (of_hosts or of_services or wanted):
        return Linked()
    reader = _Reader(places, periods, complaints)
    for block, attrs in of_hosts:
        reader.of_hosts(block, attrs)
    for block, attrs in of_services:
        reader.of_services(block, attrs)
    for service in wanted:
        reader.of_service(service)
    found = reader.found
    _complain_of_circles(found, complaints)
    ordered = sorted(found, key=_order)
    lines = {block: block.where for block in set(found.values())}  # counts lines: once a block
    return Linked(tuple(ordered), tuple(lines[found[one]] for one in ordered))


class _Reader:
    def __init__(self, places: Places, periods: Collection[str], complaints: Complaints) -> None:
        self.found: dict[Dependency, Block] = {}
        self._places = places
        self._periods = periods
        self._say = complaints
        self._targets = Targets(places, complaints)

    def of_hosts(self, block: Block, attrs: dict[str, str]) -> None:
        targets = self._targets
        masters = targets.hosts("hostdependency", block, attrs)
        dependents = targets.hosts("hostdependency", block, attrs, "dependent_")
        self._add_all("host", block, attrs, ((d, m) for d in dependents for m in masters))

    def of_services(self, block: Block, attrs: dict[str, str]) -> None:
        label = "servicedependency"
        targets = self._targets
        if not (
            attrs.get("dependent_service_description") or attrs.get("dependent_servicegroup_name")
        ):
            self._say.error(f"{label}: dependent_service_description is missing", block.where)
            return
        if not (attrs.get("service_description") or attrs.get("servicegroup_name")):
            self._say.error(f"{label}: service_description is missing", block.where)
            return
        elsewhere = any(
            attrs.get(f"dependent_{attr}")
            for attr in ("host_name", "hostgroup_name", "servicegroup_name")
        )
        if yes(attrs.get("explode_hostgroup", "0")) and attrs.get("hostgroup_name"):
            elsewhere = False
        masters = targets.services(label, block, attrs)
        if elsewhere:
            dependents = targets.services(label, block, attrs, "dependent_")
            pairs = ((d, m) for d in dependents for m in masters)
            self._add_all("service", block, attrs, pairs)
        else:
            self._add_all("service", block, attrs, self._same_host(block, attrs, masters))

    def _same_host(
        self, block: Block, attrs: dict[str, str], masters: list[Key]
    ) -> Iterator[tuple[Key, Key]]:
        dependents: dict[str, list[Key]] = {}
        for master in masters:
            host = master.partition(";")[0]
            if host not in dependents:
                dependents[host] = self._targets.on_host(
                    "servicedependency", block, attrs, host, "dependent_"
                )
            for dependent in dependents[host]:
                yield dependent, master

    def of_service(self, service: Wanted) -> None:
        """Shinken: `service_dependencies host,description,...`; an empty host is the service's own."""
        named = [part.strip() for part in service.value.split(",")]
        label = f"service {service.description} on {service.host}"

        def where() -> str:  # asked for when it is needed only: it counts lines
            return service.block.where_of("service_dependencies")

        if len(named) % 2:
            self._say.error(
                f"{label}: service_dependencies are not pairs of host,description", where()
            )
        dependent = service_key(service.host, service.description)
        for host, description in zip(named[::2], named[1::2], strict=False):
            host = host or service.host
            if description not in self._places.services.get(host, ()):
                self._say.error(
                    f"{label}: service_dependencies: service {description} on host {host} is not"
                    " defined",
                    where(),
                    did_you_mean(description, self._places.services.get(host, ())),
                )
                continue
            self._add(
                Dependency(
                    dependent=dependent, on=service_key(host, description),
                    notification=OF_SERVICES, inherits_parent=True,
                ),
                service.block,
            )  # fmt: skip

    def _add_all(
        self, kind: str, block: Block, attrs: dict[str, str], pairs: Iterator[tuple[Key, Key]]
    ) -> None:
        label = f"{kind}dependency"
        execution, notification = (self._criteria(kind, block, attrs, attr) for attr in _CRITERIA)
        period = attrs.get("dependency_period", "")
        if period and period not in self._periods:
            self._say.error(
                f"{label}: dependency_period: time period {period} is not defined",
                block.where_of("dependency_period"),
                did_you_mean(period, self._periods),
            )
        several = list(pairs)  # what they name is complained of in any case
        if not several:
            self._say.warning(
                f"{label} has no effect: it names none that depends, or none to depend on", block.where
            )
        elif not (execution or notification):
            self._say.warning(
                f"{label} has no effect: it says neither execution_failure_criteria nor"
                " notification_failure_criteria",
                block.where,
            )
        else:
            inherits = bool(yes(attrs.get("inherits_parent", "0")))
            for dependent, on in several:
                self._add(
                    Dependency(
                        dependent=dependent, on=on, execution=execution, notification=notification,
                        period=period, inherits_parent=inherits,
                    ),
                    block,
                )  # fmt: skip

    def _add(self, dependency: Dependency, block: Block) -> None:
        if dependency.dependent == dependency.on:
            self._say.error(
                f"{describe(dependency.on)} depends on itself",
                block.where,
                "name it on one side only; '!' takes a name out of a list",
            )
        else:
            self.found.setdefault(dependency, block)

    def _criteria(
        self, kind: str, block: Block, attrs: dict[str, str], attr: str
    ) -> tuple[str, ...]:
        known = LETTERS[kind]
        given = letters(attrs.get(attr, ""), known)
        bad = [letter for letter in given if letter not in known + "an"]
        if bad:
            self._say.warning(
                f"{attr} of a {kind}dependency has no '{bad[0]}' (it knows {','.join(known)},n)",
                block.where_of(attr),
            )
        if "a" in given:
            return tuple(known)
        return tuple(letter for letter in given if letter in known)


class Targets:
    """Lists of hosts, groups and services in dependencies and escalations, read."""

    def __init__(self, places: Places, complaints: Complaints) -> None:
        """Look names up in `places`."""
        self._places = places
        self._say = complaints

    def hosts(self, label: str, block: Block, attrs: dict[str, str], prefix: str = "") -> list[str]:
        """Return the hosts that `host_name` and `hostgroup_name` name, sorted; `!` takes away."""
        named, grouped = self._hosts(label, block, attrs, prefix)
        return sorted(named | grouped)

    def services(
        self, label: str, block: Block, attrs: dict[str, str], prefix: str = "", *,
        lenient: bool = False,
    ) -> list[Key]:  # fmt: skip
        """Return the keys of the services named, sorted.

        `lenient`: of the hosts of a group some may lack a service, with a warning.
        """
        named, grouped = self._hosts(label, block, attrs, prefix)
        found: set[Key] = set()
        if attrs.get(f"{prefix}service_description"):
            for host in sorted(named):
                found |= set(self.on_host(label, block, attrs, host, prefix))
            for host in sorted(grouped - named):
                found |= set(self.on_host(label, block, attrs, host, prefix, lenient=lenient))
        attr = f"{prefix}servicegroup_name"
        groups = self._places.servicegroups
        picked = pick(attrs.get(attr, ""), groups)
        for group in picked.names:
            found |= set(groups[group])
        for group in picked.unknown:
            self._undefined(label, block, attr, "servicegroup", group, groups)
        return sorted(found)

    def on_host(
        self, label: str, block: Block, attrs: dict[str, str], host: str, prefix: str = "", *,
        lenient: bool = False,
    ) -> list[Key]:  # fmt: skip
        """Return the keys of the services of `host` that `service_description` names; `*` is all."""
        attr = f"{prefix}service_description"
        known = self._places.services.get(host, ())
        picked = pick(attrs.get(attr, ""), known)
        for description in picked.unknown:
            say = self._say.warning if lenient or self._places.picky(host) else self._say.error
            say(
                f"{label}: service {description} on host {host} is not defined",
                block.where_of(attr),
                did_you_mean(description, known),
            )
        return [service_key(host, description) for description in sorted(picked.names)]

    def _hosts(
        self, label: str, block: Block, attrs: dict[str, str], prefix: str
    ) -> tuple[set[str], set[str]]:
        """Return (hosts given by name, hosts of the groups given)."""
        places = self._places
        attr = f"{prefix}host_name"
        named = pick(attrs.get(attr, ""), places.hosts)
        for host in named.unknown:
            self._undefined(label, block, attr, "host", host, places.hosts)
        attr = f"{prefix}hostgroup_name"
        groups = pick(attrs.get(attr, ""), places.hostgroups)
        for group in groups.unknown:
            self._undefined(label, block, attr, "hostgroup", group, places.hostgroups)
        away = set(named.excluded)
        for group in groups.excluded:
            away |= set(places.hostgroups.get(group, ()))
        grouped = {host for group in groups.names for host in places.hostgroups[group]}
        return set(named.names), grouped - away

    def _undefined(
        self, label: str, block: Block, attr: str, what: str, name: str, known: Collection[str]
    ) -> None:
        self._say.error(
            f"{label}: {what} {name} is not defined",
            block.where_of(attr),
            did_you_mean(name, known),
        )


def describe(key: Key) -> str:
    """Return how complaints call an object."""
    host, _, description = key.partition(";")
    return f"service {description} on {host}" if description else f"host {host}"


def wanted_by(value: str) -> bool:
    """Return whether an attribute `service_dependencies` names anything."""
    return bool(words(value))


def _order(one: Dependency) -> tuple[object, ...]:
    return (
        one.dependent, one.on, one.period, one.execution, one.notification, one.inherits_parent,
    )  # fmt: skip


def _complain_of_circles(found: Mapping[Dependency, Block], complaints: Complaints) -> None:
    for what in ("execution", "notification"):
        edges: dict[Key, set[Key]] = {}
        said: dict[tuple[Key, Key], Block] = {}
        for one, block in found.items():
            if one.execution if what == "execution" else one.notification:
                edges.setdefault(one.dependent, set()).add(one.on)
                said.setdefault((one.dependent, one.on), block)
        for circle in circles(edges):
            path = " -> ".join(describe(key) for key in (*circle, circle[0]))
            complaints.error(
                f"{what} dependencies go in a circle: {path}", said[circle[0], circle[1]].where
            )
