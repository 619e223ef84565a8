"""What Livestatus knows: configurations by shard and the newest status of each object, linked into rows.

The one thing to know: the store takes the same deltas that retention and standbys take ("o/<key>" is a `Status`),
and what it shows depends only on the newest configuration and the newest record of each key. So deltas may come
twice, pages of a snapshot may come again, and a configuration may come before or after its statuses.
"""

from collections.abc import Iterable, Mapping

import msgspec

from daemons.model.clock import Wall
from daemons.model.objects import (
    Command,
    Contact,
    Globals,
    Group,
    Host,
    Service,
    ShardBody,
    TimePeriod,
    Traits,
)
from daemons.model.status import Comment, ContactStatus, Downtime, ShardStatus, Status
from daemons.modules.livestatus.logbook import LogBook
from daemons.roles.shard.state import effective
from daemons.rules.timeperiod import Period, compile_period, covers
from daemons.wire.messages import Delta

Position = tuple[int, int]  # (epoch, n) of the last delta taken

_decode_status = msgspec.msgpack.Decoder(Status).decode
_decode_contact = msgspec.msgpack.Decoder(ContactStatus).decode
_decode_shard = msgspec.msgpack.Decoder(ShardStatus).decode


class Item:
    """One host or service, as a row: its definition, its settings in force and its status."""

    __slots__ = (
        "base", "body", "childs", "depends", "globals", "groups", "host", "id", "key", "name", "of", "s", "services",
        "t", "unit_s", "watchers",
    )  # fmt: skip

    def __init__(self, of: Host | Service, body: ShardBody, settings: Globals) -> None:
        """An object without a status is one that was never checked."""
        self.of = of
        self.body = body
        self.globals = settings
        self.base: Traits = body.traits[of.traits]
        self.t = self.base  # with what operators changed
        self.unit_s = body.globals.interval_length_s
        self.host: Item = self  # of a service, its host's
        self.key = of.key if isinstance(of, Service) else of.name
        self.name = of.description if isinstance(of, Service) else of.name
        self.s = Status(key=self.key)
        self.services: list[Item] = []
        self.childs: list[str] = []
        self.groups: list[str] = []
        self.depends: list[tuple[str, tuple[str, ...], tuple[str, ...], str, bool]] = []
        self.watchers: frozenset[str] = frozenset()  # contacts that may see it
        self.id = 0

    @property
    def is_service(self) -> bool:
        """Whether this is a service."""
        return self.host is not self

    def put(self, status: Status) -> None:
        """Take a newer status."""
        self.s = status
        self.t = effective(self.base, status.modified) if status.modified else self.base


class GroupRow:
    """A host group or service group over all shards."""

    __slots__ = ("alias", "id", "members", "name", "shown")

    def __init__(self, group: Group) -> None:
        """No members yet."""
        self.name = group.name
        self.alias = group.alias
        self.shown = group.shown
        self.members: list[Item] = []
        self.id = 0


class ContactRow:
    """A contact, with what was changed at run time."""

    __slots__ = ("groups", "id", "modified", "of", "unit")

    def __init__(self, of: Contact, modified: Mapping[str, str]) -> None:
        """Groups are those of the configuration."""
        self.of = of
        self.modified = modified
        self.groups = list(of.groups)
        self.id = 0


class NamedRow:
    """A contact group, command or time period, or a daemon: name, and what its table shows."""

    __slots__ = ("alias", "id", "line", "members", "name")

    def __init__(self, name: str, alias: str = "", line: str = "", members: Iterable[str] = ()) -> None:
        """What a table does not show stays empty."""
        self.name = name
        self.alias = alias
        self.line = line
        self.members = list(members)
        self.id = 0


class NoteRow:
    """A comment or downtime with the object it is on."""

    __slots__ = ("note", "on")

    def __init__(self, note: Comment | Downtime, on: Item) -> None:
        """`note` is a Comment in the table comments, a Downtime in downtimes."""
        self.note = note
        self.on = on

    @property
    def host(self) -> Item:
        """The host it is on, or the host of its service."""
        return self.on.host

    @property
    def service(self) -> Item | None:
        """The service it is on, if it is on one."""
        return self.on if self.on.is_service else None


class MemberRow:
    """A member of a group in the by-group tables."""

    __slots__ = ("group", "on")

    def __init__(self, group: GroupRow, on: Item) -> None:
        """One row for each pair."""
        self.group = group
        self.on = on


class World:
    """The rows of all tables, linked; made anew when a configuration changes."""

    def __init__(self, bodies: Iterable[ShardBody], shards: Mapping[int, ShardStatus]) -> None:
        """Link the objects of all shards; statuses come through `Item.put`."""
        self.hosts: dict[str, Item] = {}
        self.services: list[Item] = []
        self.items: dict[str, Item] = {}
        self.hostgroups: dict[str, GroupRow] = {}
        self.servicegroups: dict[str, GroupRow] = {}
        self.contacts: dict[str, Contact] = {}
        self.contactgroups: dict[str, NamedRow] = {}
        self.commands: dict[str, Command] = {}
        self.periods: dict[str, TimePeriod] = {}
        self.globals = Globals()
        self._tz = ""
        self._compiled: dict[str, Period] = {}
        self._inside: dict[str, tuple[Wall, bool]] = {}
        for body in sorted(bodies, key=lambda body: body.id):
            changed = shards[body.id].modified if body.id in shards else {}
            self.globals = effective(body.globals, changed)
            self._tz = body.globals.use_timezone
            self._take(body, self.globals)
        self._order()

    def _take(self, body: ShardBody, settings: Globals) -> None:
        watchers: dict[int, frozenset[str]] = {}
        escalated = {escalation.name: escalation.contacts for escalation in body.escalations}
        for at, traits in enumerate(body.traits):
            more = (name for e in traits.escalations for name in escalated.get(e, ()))
            watchers[at] = frozenset((*traits.contacts, *more))
        for host in body.hosts:
            item = Item(host, body, settings)
            item.watchers = watchers[host.traits]
            self.hosts[host.name] = self.items[host.name] = item
        for service in body.services:
            item = Item(service, body, settings)
            item.host = self.hosts[service.host]
            item.host.services.append(item)
            item.watchers = watchers[service.traits]
            self.items[item.key] = item
        for host in body.hosts:
            for parent in host.parents:
                if parent in self.hosts:
                    self.hosts[parent].childs.append(host.name)
        for dependency in body.dependencies:
            if dependency.dependent in self.items and dependency.on in self.items:
                self.items[dependency.dependent].depends.append(
                    (
                        dependency.on,
                        dependency.execution,
                        dependency.notification,
                        dependency.period,
                        dependency.inherits_parent,
                    )
                )
        self._groups(body.hostgroups, self.hostgroups)
        self._groups(body.servicegroups, self.servicegroups)
        for group in body.contactgroups:
            row = self.contactgroups.setdefault(group.name, NamedRow(group.name, group.alias))
            row.members += (name for name in group.members if name not in row.members)
        self.contacts |= {contact.name: contact for contact in body.contacts}
        self.commands |= {command.name: command for command in body.commands}
        self.periods |= {period.name: period for period in body.periods}

    def _groups(self, groups: Iterable[Group], rows: dict[str, GroupRow]) -> None:
        for group in groups:
            row = rows.setdefault(group.name, GroupRow(group))
            for key in group.members:
                if key in self.items:
                    row.members.append(self.items[key])
                    self.items[key].groups.append(group.name)

    def _order(self) -> None:
        """Sort what is shown in order: by name, as the reference does."""
        self.hosts = dict(sorted(self.hosts.items()))
        for number, host in enumerate(self.hosts.values()):
            host.id = number
            host.childs.sort()
            host.services.sort(key=lambda item: item.name)
            self.services += host.services
        for number, service in enumerate(self.services):
            service.id = number
        for rows in (self.hostgroups, self.servicegroups):
            for number, (_, row) in enumerate(sorted(rows.items())):
                row.id = number
                row.members.sort(key=lambda item: (item.host.name, item.name))
        for number, (_, named) in enumerate(sorted(self.contactgroups.items())):
            named.id = number

    def inside(self, period: str, now: float) -> int:
        """Return 1 when `now` is in the period called `period`; "" is always."""
        if not period:
            return 1
        if (known := self._inside.get(period)) is not None and known[0] == now:
            return int(known[1])
        if period not in self._compiled:
            self._compiled[period] = compile_period(self.periods.get(period), self.periods, self._tz)
        found = covers(self._compiled[period], Wall(now))
        self._inside[period] = (Wall(now), found)
        return int(found)


class Store:
    """Configurations and newest records of all shards; `world` links them when asked."""

    def __init__(self) -> None:
        """Know nothing."""
        self._bodies: dict[int, ShardBody] = {}
        self._statuses: dict[int, dict[str, Status]] = {}
        self._contacts: dict[int, dict[str, ContactStatus]] = {}
        self._shards: dict[int, ShardStatus] = {}
        self._at: dict[int, Position] = {}
        self._world: World | None = None
        self.serial = 0  # grows with everything taken: what a Wait header waits for
        self.started_wall = 0.0
        self.log: LogBook | None = None  # None: the table log is empty

    def configure(self, body: ShardBody) -> None:
        """Take the configuration of one shard, instead of the one before."""
        self._bodies[body.id] = body
        self._world = None
        self.serial += 1

    def forget(self, shard: int) -> None:
        """Drop a shard that is no more."""
        for of in (self._bodies, self._statuses, self._contacts, self._shards, self._at):
            of.pop(shard, None)
        self._world = None
        self.serial += 1

    def take(self, delta: Delta) -> bool:
        """Take the records of `delta`; False when it is older than what is known. Raises ValidationError.

        A page of a snapshot (n < 0) is taken unless it comes from an owner before the present one.
        """
        epoch, n = self._at.get(delta.shard, (0, -1))
        if (delta.epoch < epoch) if delta.n < 0 else ((delta.epoch, delta.n) <= (epoch, n)):
            return False
        if delta.n >= 0:
            self._at[delta.shard] = (delta.epoch, delta.n)
        statuses = self._statuses.setdefault(delta.shard, {})
        contacts = self._contacts.setdefault(delta.shard, {})
        for key, value in delta.changed.items():
            kind, _, name = key.partition("/")
            if kind == "o":
                status = statuses[name] = _decode_status(value)
                item = self._world.items.get(name) if self._world is not None else None
                if item is not None and item.body.id == delta.shard:
                    item.put(status)
            elif kind == "c":
                contacts[name] = _decode_contact(value)
            elif key == "shard":
                self._shard(delta.shard, _decode_shard(value))
        for key in delta.removed:
            kind, _, name = key.partition("/")
            if kind == "o" and statuses.pop(name, None) is not None:
                self._world = None
            elif kind == "c":
                contacts.pop(name, None)
        self.serial += 1
        return True

    def _shard(self, shard: int, status: ShardStatus) -> None:
        before = self._shards.get(shard)
        self._shards[shard] = status
        if before is None or before.modified != status.modified:
            self._world = None

    @property
    def world(self) -> World:
        """All rows as of what was taken last."""
        if self._world is None:
            world = World(self._bodies.values(), self._shards)
            for shard, statuses in self._statuses.items():
                for key, status in statuses.items():
                    item = world.items.get(key)
                    if item is not None and item.body.id == shard:
                        item.put(status)
            self._world = world
        return self._world

    def contact_modified(self, name: str) -> dict[str, str]:
        """Return what was changed at run time of a contact."""
        for contacts in self._contacts.values():
            if name in contacts and contacts[name].modified:
                return contacts[name].modified
        return {}

    def positions(self) -> dict[int, Position]:
        """Return by shard where its stream stands here."""
        return dict(self._at)
