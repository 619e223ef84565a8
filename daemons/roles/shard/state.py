"""Everything the owner of a shard knows: its objects at work, their statuses, what it looks up by name.

The one thing to know: `ShardState` decides nothing. Checks, results, notifications and commands work on
it (checks.py, apply.py, tell.py, commands.py) and say `changed(item)` for what retention must keep.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec
from msgspec import Struct

from daemons.model.clock import Now
from daemons.model.cluster import Epoch
from daemons.model.objects import (
    Command,
    Contact,
    Globals,
    Group,
    Host,
    Key,
    Service,
    ShardBody,
    Traits,
)
from daemons.model.relations import Dependency
from daemons.model.status import ContactStatus, ShardStatus, Status
from daemons.roles.shard.journal import ShardJournal, record_bytes
from daemons.roles.shard.modulations import Modulations
from daemons.roles.shard.moving import departed
from daemons.roles.shard.store_sink import Store
from daemons.rules.depend_changes import ATTRIBUTE as DEPENDS
from daemons.rules.depend_changes import changed
from daemons.rules.initial import beginning
from daemons.rules.template import split_command
from daemons.rules.timeperiod import ALWAYS, Period, compile_period

_decode_status = msgspec.msgpack.Decoder(Status).decode
_decode_contact = msgspec.msgpack.Decoder(ContactStatus).decode
_decode_shard = msgspec.msgpack.Decoder(ShardStatus).decode

NUMBERS_A_SHARD = 10_000_000  # downtimes and comments are deleted by number, asked of every shard
SLICE = 8000  # objects made in one entry: some 50 ms, so that the beat is not held up
Settings = TypeVar("Settings", Traits, Globals)
Tokens = Callable[[], str]  # gives a random text that was never given before


class Item(Struct, gc=False, eq=False, kw_only=True):
    """One host or service at work: what it is, its status, and where its check stands.

    No reference leads back to it (gc=False), so services point to their host and never the other way.
    """

    key: Key
    is_host: bool
    traits: Traits  # with what operators changed at run time
    status: Status
    of: Host | Service
    host: "Item | None" = None  # of a service
    line: str = ""  # command line, resolved once; "" = not yet, or anew for each run
    slot: int = 0  # of the wheel; entries with another slot are void
    ready: bool = False  # waits for a poller
    forced: bool = False  # the next check runs whatever is switched off
    lent_to: str = ""  # instance of the poller that runs it now
    lent_seq: int = 0
    lent_mono: float = 0.0


Stay = tuple[Item, Host | Service, Item | None]  # an object that stays, its new definition, its host


class ShardState:
    """One shard under one epoch."""

    def __init__(
        self,
        body: ShardBody,
        epoch: Epoch,
        tokens: Tokens,
        now: Now,
        *,
        stores: tuple[Store, ...] = (Store(),),
        without: frozenset[str] = frozenset(),
    ) -> None:
        """Take up the configuration; `take_up` makes the objects."""
        self.id = body.id
        self.epoch = epoch
        self.lease = f"shard/{body.id}"
        self.without = without
        self.figures: dict[str, float] = {
            "results_applied": 0, "results_stale": 0, "results_foreign": 0, "results_bad": 0,
            "orders_lent": 0, "orders_lent_again": 0, "objects_restored": 0, "objects_corrupt": 0,
            "notifications_planned": 0, "handlers_planned": 0, "commands_applied": 0,
        }  # fmt: skip
        self.speaks = True  # for all shards of its realm: what happens in all is logged once
        self.degraded = False  # outputs are tagged: the peer server cannot be asked
        self.items: dict[Key, Item] = {}
        self.service_keys: dict[str, tuple[Key, ...]] = {}
        self.arrived: list[Item] = []  # by the last new configuration
        self.departed: list[Item] = []
        self.dependency_changes = 0  # by commands, so far
        self.restored: set[Key] = set()  # objects that had a record when the shard was taken up
        self.hard_changed: dict[Key, None] = {}  # since the last tick: for business rules
        self.contact_status: dict[str, ContactStatus] = {}
        self.extra: dict[str, bytes] = {}  # records of other kinds: "a/", "x/", "b/", "m/"
        self.held: frozenset[Key] = frozenset()  # objects of this shard that another may still run
        self._tokens = tokens
        self.status = ShardStatus(created_wall=now.wall)
        self.journal = ShardJournal(body.id, epoch, self, now, stores=stores, without=without)
        self._read_body(body)

    def take_up(
        self, records: dict[str, bytes], config_n: int, wall: float
    ) -> Iterator[None]:
        """Make every object, with its status of `records`, what retention or a copy kept.

        An object that configuration `config_n` has not becomes a record of what left.

        Yields after each SLICE of objects. Objects without a record start PENDING.
        """
        if "shard" in records:
            self.status = _decode_shard(records["shard"])
            self.refresh_globals()
        statuses: dict[Key, Status] = {}
        yield from self._statuses(records, statuses)
        self.restored = set(statuses)
        items: dict[Key, Item] = {}
        yield from self._build(self.body, statuses, {}, items, [])
        self._begin_with(items, _service_keys(self.body))
        for key, value in records.items():
            if key.startswith("o/") and key[2:] not in self.items:
                self._let_go(key[2:], departed(config_n, wall, value))
        self.figures["objects_restored"] = len(statuses)

    # -- looking up

    def services_of(self, host: str) -> Iterator[Item]:
        """Yield the services of `host`."""
        for key in self.service_keys.get(host, ()):
            yield self.items[key]

    def parents_of(self, item: Item) -> Iterator[Item]:
        """Yield the parents of a host that are in this shard."""
        assert isinstance(item.of, Host)
        for name in item.of.parents:
            if name in self.items:
                yield self.items[name]

    def period(self, name: str) -> Period:
        """Return the time period called `name`; "" and one that is not there are always."""
        return self.periods.get(name, ALWAYS)

    def contact(self, name: str) -> ContactStatus:
        """Return the status of a contact, a new one when it has none yet."""
        status = self.contact_status.get(name)
        if status is None:
            status = self.contact_status[name] = ContactStatus(name=name)
        return status

    def number(self, count: int) -> int:
        """Return the `count`-th downtime or comment number of this shard; unique in the cluster."""
        return (max(self.id, 1) - 1) * NUMBERS_A_SHARD + count

    # -- what is kept

    def changed(self, item: Item) -> None:
        """Let retention and standby keep this status with the next delta."""
        self.journal.touch("o/" + item.key, item.status)

    def keep(self, key: str, value: bytes, *, quiet: bool = False) -> None:
        """Keep a record of another kind ("a/", "x/", "b/")."""
        self.extra[key] = value
        self.journal.touch(key, value, quiet=quiet)

    def forget(self, key: str, *, quiet: bool = False) -> None:
        """Drop a record of another kind."""
        if self.extra.pop(key, None) is not None:
            self.journal.remove(key, quiet=quiet)

    def shard_changed(self) -> None:
        """Keep the shard's own status."""
        self.journal.touch("shard", self.status)

    def contact_changed(self, status: ContactStatus) -> None:
        """Keep a contact's status."""
        self.journal.touch("c/" + status.name, status)

    def records(self) -> dict[str, bytes]:
        """Return everything that is kept of the shard, by key, encoded."""
        everything: dict[str, bytes] = {}
        for _ in self.gather(everything):
            pass
        return everything

    def gather(self, into: dict[str, bytes]) -> Iterator[None]:
        """Put every record into `into`; yields after each SLICE of objects.

        Objects that change meanwhile may be there as they were: the caller adds what is pending.
        """
        for number, (key, item) in enumerate(self.items.items(), 1):
            if number % SLICE == 0:
                yield
            into["o/" + key] = record_bytes(item.status)
        into["shard"] = record_bytes(self.status)
        for name, status in self.contact_status.items():
            into["c/" + name] = record_bytes(status)
        into.update(self.extra)
        into.update(self.journal.ring.line_records())

    def some_records(self, keys: list[str]) -> dict[str, bytes]:
        """Return the records of `keys` as they are now; those that are gone are left out."""
        found: dict[str, bytes] = {}
        for key in keys:
            item = self.items.get(key[2:]) if key.startswith("o/") else None
            if item is not None:
                found[key] = record_bytes(item.status)
            elif key == "shard":
                found[key] = record_bytes(self.status)
            elif key.startswith("c/") and key[2:] in self.contact_status:
                found[key] = record_bytes(self.contact_status[key[2:]])
            elif key in self.extra:
                found[key] = self.extra[key]
        return found

    # -- what operators set for all shards

    def settings(self) -> dict[str, bytes]:
        """Return the records of what was changed of the whole and of contacts, for a shard that is new."""
        found = {"c/" + name: record_bytes(status) for name, status in self.contact_status.items()}
        if self.status.modified:
            found["shard"] = record_bytes(self.status)
        return found

    def adopt(self, settings: dict[str, bytes]) -> None:
        """Take over what operators set in the other shards before this one was; what was set here stays."""
        for key, record in settings.items():
            try:
                if key == "shard":
                    modified = _decode_shard(record).modified
                    self.status.modified = {**modified, **self.status.modified}
                elif key[2:] not in self.contact_status:
                    self.contact_status[key[2:]] = status = _decode_contact(record)
                    self.contact_changed(status)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
        self.refresh_globals()
        self.shard_changed()

    # -- what changes at run time

    def refresh(self, item: Item) -> None:
        """Work out the traits of `item` anew: its configuration, then what operators changed."""
        base, modified = self.body.traits[item.of.traits], item.status.modified
        item.traits = effective(base, self._known(modified)) if modified else base
        item.line = ""
        if DEPENDS in modified or item.key in self.dependencies:
            written = self._written.get(item.key, ())
            now = changed(written, item.key, modified.get(DEPENDS, ""))
            self.dependency_changes += now != self.dependencies.get(item.key, ())
            self.dependencies[item.key] = now
        if item.is_host:  # whose custom variables are in the lines of its services
            for service in self.services_of(item.key):
                service.line = ""

    def _known(self, modified: dict[str, str]) -> dict[str, str]:
        """Return `modified` less what names a command or period that the configuration has no more."""
        left_out = [
            name
            for name, value in modified.items()
            if (name == "check_command" and split_command(value)[0] not in self.commands)
            or (name in ("check_period", "notification_period") and value and value not in self.periods)
        ]
        return {name: value for name, value in modified.items() if name not in left_out}

    def refresh_globals(self) -> None:
        """Work out the global switches anew."""
        self.globals = effective(self.body.globals, self.status.modified)

    def rebody(
        self, body: ShardBody, statuses: dict[Key, Status], held: frozenset[Key], config_n: int, wall: float
    ) -> Iterator[None]:
        """Take a new configuration and keep every status. Yields after each SLICE of objects.

        `body` is without the objects of `held`; those that arrive begin with what `statuses` has of them.
        Until it ends the old configuration is in force, whole. Then `arrived` are the new objects and
        `departed` those that are gone.
        """
        before = self.items
        fresh: dict[Key, Item] = {}
        stays: list[Stay] = []
        big = len(body.services) > SLICE
        yield from self._build(body, statuses, before, fresh, stays)
        if big:
            yield
        service_keys = _service_keys(body)
        if big:
            yield
        self.departed = [item for key, item in before.items() if key not in fresh]
        self.arrived = [item for key, item in fresh.items() if key not in before]
        if big:
            yield
        self._read_body(body)
        for item, of, host in stays:
            item.of, item.host, item.traits, item.line = of, host, body.traits[of.traits], ""
        self._begin_with(fresh, service_keys)
        self.held = held
        for item in self.departed:
            self._let_go(item.key, departed(config_n, wall, record_bytes(item.status)))

    def _let_go(self, key: Key, record: bytes) -> None:
        self.journal.remove("o/" + key)
        self.keep("m/" + key, record)

    # -- building

    def _read_body(self, body: ShardBody) -> None:
        self.body = body
        self.commands: dict[str, Command] = {command.name: command for command in body.commands}
        self.contacts: dict[str, Contact] = {contact.name: contact for contact in body.contacts}
        self.hostgroups: dict[str, Group] = {group.name: group for group in body.hostgroups}
        self.servicegroups: dict[str, Group] = {group.name: group for group in body.servicegroups}
        self.contactgroups: dict[str, Group] = {group.name: group for group in body.contactgroups}
        self.escalations = {escalation.name: escalation for escalation in body.escalations}
        by_name = {period.name: period for period in body.periods}
        zone = body.globals.use_timezone
        self.periods = {
            name: compile_period(period, by_name, zone) for name, period in by_name.items()
        }
        self.modulations = Modulations(body, self.periods)
        self.refresh_globals()
        children: dict[str, list[str]] = {}
        for host in body.hosts:
            for parent in host.parents:
                children.setdefault(parent, []).append(host.name)
        self.children: dict[str, tuple[str, ...]] = {k: tuple(v) for k, v in children.items()}
        depending: dict[Key, list[Dependency]] = {}
        for dependency in body.dependencies:
            depending.setdefault(dependency.dependent, []).append(dependency)
        self._written = {key: tuple(found) for key, found in depending.items()}
        self.dependencies: dict[Key, tuple[Dependency, ...]] = dict(self._written)  # with changes

    def _statuses(
        self, records: dict[str, bytes], statuses: dict[Key, Status]
    ) -> Iterator[None]:
        """Read the records into `statuses`, and the others to where they belong."""
        for number, (key, value) in enumerate(records.items(), 1):
            if number % SLICE == 0:
                yield
            kind = key[:2]
            if kind == "o/":
                try:
                    status = _decode_status(value)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    self.figures["objects_corrupt"] += 1
                    continue
                statuses[status.key] = status
            elif kind == "c/":
                self.contact_status[key[2:]] = _decode_contact(value)
            elif kind in ("a/", "x/", "b/", "m/"):
                self.extra[key] = value

    def _build(
        self, body: ShardBody, statuses: dict[Key, Status], before: dict[Key, Item],
        items: dict[Key, Item], stays: list[Stay],
    ) -> Iterator[None]:  # fmt: skip
        """Put an item of every object into `items`; one of `before` is noted in `stays` and not touched."""

        def place(key: Key, of: Host | Service, host: Item | None) -> None:
            item = before.get(key)
            if item is not None:
                stays.append((item, of, host))
            else:
                item = self._made(key, of, host, body.traits[of.traits], statuses.get(key))
            items[key] = item

        for host in body.hosts:
            place(host.name, host, None)
        for number, service in enumerate(body.services, 1):
            if number % SLICE == 0:
                yield
            place(f"{service.host};{service.description}", service, items.get(service.host))

    def _begin_with(self, items: dict[Key, Item], service_keys: dict[str, tuple[Key, ...]]) -> None:
        """Put made items in force."""
        self.items, self.service_keys = items, service_keys
        for item in items.values():
            if item.status.modified:
                self.refresh(item)

    def _made(
        self, key: Key, of: Host | Service, host: Item | None, traits: Traits, status: Status | None
    ) -> Item:
        if status is None:
            status = Status(key=key, lineage=self._tokens())
            began = beginning(traits, is_host=isinstance(of, Host))
            status.state = status.last_state = status.last_hard_state = began.state
            status.attempt, status.output = began.attempt, began.output
        status.key = key  # one string for both: a record brings its own
        return Item(
            key=key, is_host=isinstance(of, Host), traits=traits, status=status, of=of, host=host
        )


def _service_keys(body: ShardBody) -> dict[str, tuple[Key, ...]]:
    """Return the keys of each host's services."""
    services: dict[str, list[Key]] = {}
    for service in body.services:
        services.setdefault(service.host, []).append(f"{service.host};{service.description}")
    return {host: tuple(keys) for host, keys in services.items()}


def effective(base: Settings, modified: dict[str, str]) -> Settings:
    """Return `base` with the attributes of `modified`, whose values are text as they are kept.

    An attribute that `base` has not, or a value that does not fit it, is left out.
    """
    if not modified:
        return base
    present = msgspec.structs.asdict(base)
    changes: dict[str, object] = {}
    for name, text in modified.items():
        if name not in present:
            continue
        old = present[name]
        if isinstance(old, bool):
            changes[name] = text == "1"
        elif isinstance(old, (int, float)):
            try:
                changes[name] = type(old)(text)
            except ValueError:
                continue
        elif isinstance(old, str):
            changes[name] = text
    return msgspec.structs.replace(base, **changes)
