"""The functions that column expressions call: each reads one thing from a row."""

import re
from collections.abc import Callable, Iterable, Sequence

from daemons.model.clock import Wall
from daemons.model.objects import Host, Service
from daemons.model.status import HARD, Downtime
from daemons.modules.livestatus.store import ContactRow, Item, NamedRow, World
from daemons.rules.macros import host_macros, service_macros
from daemons.rules.modattr import CONTACT_HOST_BITS, CONTACT_SERVICE_BITS, mask, mask_of_ways, names

_MACRO = re.compile(r"\$(\w+)\$")


def acknowledgement(r: Item) -> int:
    """0: none, 1: normal, 2: sticky."""
    return 0 if r.s.ack is None else 2 if r.s.ack.sticky else 1


def expanded(r: Item, what: str, now: float) -> str:
    """Return the shown setting `what` with macros of the object replaced; others stay as written."""
    text = r.t.shown.get(what, "")
    if "$" not in text:
        return text
    host = r.host
    assert isinstance(host.of, Host)
    asked = [host_macros(host.of, host.t, host.s, Wall(now), realm=r.body.realm)]
    if isinstance(r.of, Service):
        asked.insert(0, service_macros(r.of, r.t, r.s, Wall(now)))

    def value(match: re.Match[str]) -> str:
        for ask in asked:
            if (found := ask(match[1])) is not None:
                return found
        return match[0]

    return _MACRO.sub(value, text)


def comments_with_info(r: Item) -> list[object]:
    """Each comment as a list."""
    return [[c.id, c.author, c.text, int(c.entry_wall), c.kind, 0, 0] for c in r.s.comments]


def downtime_duration(d: Downtime) -> int:
    """Seconds that a downtime lasts: of a fixed one from start to end."""
    return int(d.end_wall - d.start_wall) if d.fixed else int(d.duration_s)


def downtimes_with_info(r: Item) -> list[object]:
    """Each downtime as a list."""
    return [
        [
            d.id, d.author, d.comment, int(d.entry_wall), int(d.start_wall), int(d.end_wall), int(d.fixed),
            downtime_duration(d), d.trigger_id,
        ]
        for d in r.s.downtimes
    ]  # fmt: skip


def customs(r: Item) -> dict[str, str]:
    """Custom variables by name, with what was changed at run time of those there are."""
    custom = r.base.custom
    if not r.s.modified:
        return custom
    return {name: r.s.modified.get("_" + name, value) for name, value in custom.items()}


def depends(r: Item, what: int) -> list[object]:
    """What `r` depends on in its checks (1) or its notifications (2), also where no state is named (criteria n)."""
    return [_named(d[0]) for d in r.depends]


def depends_with_info(r: Item, what: int) -> list[object]:
    """The same with options, period, and whether the dependencies of those count."""
    return [[_named(d[0]), ",".join(d[1] if what == 1 else d[2]), d[3], int(d[4])] for d in r.depends]


def _named(key: str) -> object:
    host, _, description = key.partition(";")
    return [host, description] if description else host


def hard_state(r: Item) -> int:
    """The hard state in force."""
    return r.s.state if r.s.state_type == HARD else r.s.last_hard_state


def last_hard_state(r: Item) -> int:
    """The last hard state as it is remembered."""
    return r.s.last_hard_state


def modattr(r: Item) -> int:
    """Modified attributes as a mask."""
    return mask(r.s.modified) if r.s.modified else 0


def notified_on(r: Item) -> int:
    """States told of, as a mask; only the present one is known."""
    return 1 << r.s.state if r.s.notification_number else 0


def staleness(r: Item, now: float) -> float:
    """Age of the last result in check intervals."""
    return max(now - r.s.last_check_wall, 0.0) / (r.t.check_interval_s or r.unit_s)


def count(items: Iterable[Item], state: int) -> int:
    """How many checked objects are in a state."""
    return sum(1 for item in items if item.s.state == state and item.s.checked)


def count_hard(items: Iterable[Item], state: int) -> int:
    """How many checked objects are in a hard state."""
    return sum(1 for item in items if item.s.checked and hard_state(item) == state)


def pending(items: Iterable[Item]) -> int:
    """How many objects have no result."""
    return sum(1 for item in items if not item.s.checked)


_WORSE = (0, 1, 3, 2)  # UNKNOWN is less bad than CRITICAL


def worst(items: Iterable[Item]) -> int:
    """The worst state."""
    return max((item.s.state for item in items), key=_badness, default=0)


def worst_hard(items: Iterable[Item]) -> int:
    """The worst hard state."""
    return max((hard_state(item) for item in items), key=_badness, default=0)


def _badness(state: int) -> int:
    return _WORSE[state] if 0 <= state < len(_WORSE) else state


def services_of(hosts: Iterable[Item]) -> list[Item]:
    """All services of some hosts."""
    return [service for host in hosts for service in host.services]


def services(r: Item, state: int) -> int:
    """How many services of a host are in a state."""
    return count(r.services, state)


def hard_services(r: Item, state: int) -> int:
    """How many services of a host are in a hard state."""
    return count_hard(r.services, state)


def at(values: Sequence[str], n: int) -> str:
    """Return the n-th value, "" where there is none."""
    return values[n] if n < len(values) else ""


def way_commands(r: ContactRow, what: str) -> list[str]:
    """Commands that tell a contact of hosts or services."""
    found: list[str] = []
    for way in r.of.ways:
        found += way.host_notification_commands if what == "host" else way.service_notification_commands
    return found


def way_period(r: ContactRow, what: str) -> str:
    """When a contact is told of hosts or services."""
    changed = r.modified.get(f"{what}_notification_period")
    if changed is not None or not r.of.ways:
        return changed or ""
    way = r.of.ways[0]
    return way.host_notification_period if what == "host" else way.service_notification_period


def way_enabled(r: ContactRow, what: str) -> int:
    """Whether a contact is told of hosts or services at all."""
    changed = r.modified.get(f"{what}_notifications_enabled")
    if changed is not None:
        return int(changed not in ("", "0"))
    if what == "host":
        return int(r.of.host_notifications_enabled and any(w.host_notifications_enabled for w in r.of.ways))
    return int(r.of.service_notifications_enabled and any(w.service_notifications_enabled for w in r.of.ways))


def contact_mask(r: ContactRow) -> int:
    """What was changed of a contact, as a mask."""
    changed = r.modified
    return mask_of_ways(changed, CONTACT_HOST_BITS) | mask_of_ways(changed, CONTACT_SERVICE_BITS)


def contact_of(w: World, name: str) -> ContactRow | None:
    """The contact called `name`, as configured."""
    found = w.contacts.get(name)
    return ContactRow(found, {}) if found is not None else None


def command_of(w: World, call: str) -> NamedRow | None:
    """The command that `call` names."""
    found = w.commands.get(call.partition("!")[0])
    return NamedRow(found.name, line=found.line) if found is not None else None


NAMES: dict[str, Callable[..., object]] = {
    f.__name__: f
    for f in (
        acknowledgement, expanded, comments_with_info, downtime_duration, downtimes_with_info, customs,
        depends, depends_with_info, hard_state, last_hard_state, modattr, notified_on, staleness, count, count_hard,
        pending, worst, worst_hard, services_of, services, hard_services, at, way_commands, way_period, way_enabled,
        contact_mask, contact_of, command_of,
    )
}  # fmt: skip
NAMES["modattr_names"] = lambda bits: list(names(bits))
