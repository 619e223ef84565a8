"""The tables: which columns each has, where its rows come from, and which of them a contact may see."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from daemons.modules.livestatus import columns as c
from daemons.modules.livestatus.columns import Column
from daemons.modules.livestatus.logbook import Line, Wanted
from daemons.modules.livestatus.store import ContactRow, Item, MemberRow, NamedRow, NoteRow, Store

INTERNAL = frozenset({"_echo", "_internal_host_up", "bp_rule"})  # commands that no file defines
Row = Any  # what a table's column expressions call `r`


class Table(Struct, frozen=True):
    """One table. `rows` gives them in the order in which they are shown."""

    name: str
    columns: dict[str, Column]
    rows: Callable[[Store], Iterable[Row]]
    prefix: str = ""  # may stand before its own columns
    sees: Callable[[Row, str], bool] | None = None  # whether a contact sees a row; None = everybody
    find: Callable[[Store, str, str], Iterable[Row] | None] | None = None  # rows with column = value; None: no index
    wait: Callable[[Store, str], Row | None] | None = None  # the row that WaitObject names
    problem: str = ""  # expression that a row with state != 0 fulfils, "" = the table has none

    def column(self, name: str) -> Column | None:
        """Return the column called `name`, with or without the table's prefix."""
        found = self.columns.get(name)
        if found is None and self.prefix and name.startswith(self.prefix):
            found = self.columns.get(name[len(self.prefix) :])
        return found


def _by_name(*parts: Iterable[Column]) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for part in parts:
        for column in part:
            found.setdefault(column.name, column)
    return dict(sorted(found.items()))


def _host_of(way: str) -> list[Column]:
    return [column.through("host_", way, always=True) for column in c.HOST]


def sees_line(store: Store, line: Line, user: str) -> bool:
    """Whether a contact sees a log line: that of its object; of an object that is no more only what is no event."""
    if not line.host:
        return True
    item = store.world.items.get(line.key)
    return _sees(item, user) if item is not None else False


def _sees(r: Item, user: str) -> bool:
    """Of a service those of its host too, as the reference does unless told to be strict."""
    return user in r.watchers or (r.is_service and user in r.host.watchers)


def _sees_group(r: Any, user: str) -> bool:
    return bool(r.members) and all(_sees(member, user) for member in r.members)


def _hosts(store: Store) -> Iterable[Row]:
    return store.world.hosts.values()


def _services(store: Store) -> Iterable[Row]:
    return store.world.services


def _find_host(store: Store, column: str, value: str) -> Iterable[Row] | None:
    if column not in ("name", "host_name"):
        return None
    found = store.world.hosts.get(value)
    return [found] if found is not None else []


def _find_service(store: Store, column: str, value: str) -> Iterable[Row] | None:
    if column != "host_name":
        return None
    found = store.world.hosts.get(value)
    return found.services if found is not None else []


def _wait_host(store: Store, name: str) -> Row | None:
    return store.world.hosts.get(name)


def _wait_service(store: Store, name: str) -> Row | None:
    """`host;description`, or with a blank between, where host names have none."""
    items = store.world.items
    host, _, description = name.partition(" ")
    found = items.get(name) or items.get(f"{host};{description}")
    return found if found is not None and found.is_service else None


def _groups(kind: str) -> Callable[[Store], Iterable[Row]]:
    def rows(store: Store) -> Iterable[Row]:
        return [row for _, row in sorted(getattr(store.world, kind).items())]

    return rows


def _members(kind: str, *, services: bool = False) -> Callable[[Store], Iterable[Row]]:
    def rows(store: Store) -> Iterable[Row]:
        for group in _groups(kind)(store):
            for member in group.members:
                if services:
                    yield from (MemberRow(group, service) for service in member.services)
                else:
                    yield MemberRow(group, member)

    return rows


def _contacts(store: Store) -> Iterable[Row]:
    for number, (name, contact) in enumerate(sorted(store.world.contacts.items())):
        row = ContactRow(contact, store.contact_modified(name))
        row.id = number
        yield row


def _commands(store: Store) -> Iterable[Row]:
    shown = ((name, command) for name, command in sorted(store.world.commands.items()) if name not in INTERNAL)
    for number, (name, command) in enumerate(shown):
        row = NamedRow(name, line=command.line)
        row.id = number
        yield row


def _periods(store: Store) -> Iterable[Row]:
    for number, (name, period) in enumerate(sorted(store.world.periods.items())):
        row = NamedRow(name, period.alias or name)
        row.id = number
        yield row


def _notes(what: str) -> Callable[[Store], Iterable[Row]]:
    def rows(store: Store) -> Iterable[Row]:
        found = [NoteRow(note, item) for item in store.world.items.values() for note in getattr(item.s, what)]
        return sorted(found, key=lambda row: (row.note.id, row.on.key))

    return rows


def _status(store: Store) -> Iterable[Row]:
    return [{"program_start": int(store.started_wall), "version": "shinken-ha"}]


def _all_columns(_: Store) -> Iterable[Row]:
    return [(table.name, column) for table in TABLES.values() for column in table.columns.values()]


def _sees_note(r: Any, user: str) -> bool:
    return _sees(r.on, user)


def _sees_member(r: Any, user: str) -> bool:
    return _sees(r.on, user)


_OF_NOTE = [
    *_host_of("r.host"),
    *(column.through("service_", "r.service") for column in c.SERVICE),
]


def _of_member(columns: Iterable[Column], group: Iterable[Column], prefix: str) -> dict[str, Column]:
    return _by_name(
        (column.through("", "r.on", always=True) for column in columns),
        (column.through(prefix, "r.group", always=True) for column in group),
    )


def _log(store: Store) -> Iterable[Row]:
    return store.log.lines(Wanted()) if store.log is not None else ()


_OF_LINE = [
    *(column.through("current_host_", "w.hosts.get(r.host)") for column in c.HOST),
    *(column.through("current_service_", "(w.items.get(r.key) if r.service else None)") for column in c.SERVICE),
    *(column.through("current_contact_", "contact_of(w, r.contact)") for column in c.CONTACT),
    *(column.through("current_command_", "command_of(w, r.command)") for column in c.COMMAND),
]
_SERVICE = (*c.SERVICE, *_host_of("r.host"))
TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table("hosts", _by_name(c.HOST), _hosts, "host_", _sees, _find_host, _wait_host, "r.s.state"),
        Table(
            "services", _by_name(_SERVICE), _services, "service_", _sees, _find_service, _wait_service, "r.s.state"
        ),
        Table("hostgroups", _by_name(c.HOSTGROUP), _groups("hostgroups"), "hostgroup_", _sees_group),
        Table("servicegroups", _by_name(c.SERVICEGROUP), _groups("servicegroups"), "servicegroup_", _sees_group),
        Table("contacts", _by_name(c.CONTACT), _contacts, "contact_"),
        Table("contactgroups", _by_name(c.CONTACTGROUP), _groups("contactgroups"), "contactgroup_"),
        Table("commands", _by_name(c.COMMAND), _commands, "command_"),
        Table("timeperiods", _by_name(c.TIMEPERIOD), _periods, "timeperiod_"),
        Table("comments", _by_name(c.COMMENT, _OF_NOTE), _notes("comments"), "comment_", _sees_note),
        Table("downtimes", _by_name(c.DOWNTIME, _OF_NOTE), _notes("downtimes"), "downtime_", _sees_note),
        Table("log", _by_name(c.LOG, _OF_LINE), _log, "log_"),
        Table("status", _by_name(c.STATUS), _status, "status_"),
        Table("columns", _by_name(c.COLUMNS), _all_columns, "column_"),
        Table("hostsbygroup", _of_member(c.HOST, c.HOSTGROUP, "hostgroup_"), _members("hostgroups"), "host_", _sees_member),
        Table(
            "servicesbygroup", _of_member(_SERVICE, c.SERVICEGROUP, "servicegroup_"), _members("servicegroups"),
            "service_", _sees_member,
        ),
        Table(
            "servicesbyhostgroup", _of_member(_SERVICE, c.HOSTGROUP, "hostgroup_"),
            _members("hostgroups", services=True), "service_", _sees_member,
        ),
    )
}  # fmt: skip
