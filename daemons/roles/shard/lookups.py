"""What the macros of a shard's objects are worth: every family of macros put together for one object.

The one thing to know: a lookup is made for one command and one moment; nothing of it is worked out before the
command's line names it. Sums over all objects are kept for a while, longer in large shards.
"""

from collections.abc import Iterator, Mapping

from daemons.model.clock import Now, Wall
from daemons.model.objects import Contact, Host, Service
from daemons.model.status import Status
from daemons.roles.shard.state import Item, ShardState
from daemons.rules.contact_macros import contact_macros
from daemons.rules.global_macros import (
    SUMS,
    global_macros,
    period_macros,
    sums_of_a_host,
    sums_of_all,
)
from daemons.rules.group_macros import first_group, realm_macros
from daemons.rules.macros import host_macros, service_macros
from daemons.rules.on_demand import Elsewhere, on_demand
from daemons.rules.template import Lookup, chain

COUNT_S = 1.0  # sums are as old as this, and a second more for every so many objects
COUNTED_A_SECOND = 20_000


class Lookups:
    """Makes the lookups of one shard."""

    def __init__(self, state: ShardState, started: Wall) -> None:
        """Nothing is counted yet; `started` is for $PROCESSSTARTTIME$."""
        self._state = state
        self._started = started
        self._sums: dict[str, int] = {}
        self._counted_mono = float("-inf")

    def of(self, item: Item, now: Now, *more: Lookup) -> Lookup:
        """Return the lookup for a command about `item`; `more` are asked first."""
        state = self._state
        own = chain(
            *more,
            *self._object(item, now),
            self._groups(item),
            realm_macros(state.body.realm, state.body.realm_members),
            self._sums_of_host(item),
            global_macros(
                state.globals,
                state.body.macros,
                now.wall,
                self._started,
                lambda name: self._sum(name, now),
            ),
        )
        return on_demand(own, self._elsewhere(now))

    def of_contact(self, contact: Contact) -> Lookup:
        """Return the lookup of a contact, with what was set at run time and its first group."""
        status = self._state.contact_status.get(contact.name)
        return chain(
            contact_macros(contact, status.modified if status is not None else None),
            first_group("CONTACTGROUP", contact.groups, self._state.contactgroups),
        )

    def alias_of(self, name: str) -> str:
        """Return the alias of the contact called `name`; of anybody else the name."""
        contact = self._state.contacts.get(name)
        return (contact.alias or name) if contact is not None else name

    def customs(self, item: Item, contact: Contact | None, now: Now) -> dict[str, frozenset[str]]:
        """Return the names of the custom variables by "HOST", "SERVICE", "CONTACT"."""
        found: dict[str, frozenset[str]] = {}
        for kind, of in (("HOST", item.host or item), ("SERVICE", item)):
            if (kind == "HOST") == of.is_host:
                changed = of.status.modified
                found[kind] = frozenset(
                    (*of.traits.custom, *_names(changed), *self._state.modulations.variables(of.traits, now.wall))
                )
        if contact is not None:
            status = self._state.contact_status.get(contact.name)
            changed = status.modified if status is not None else {}
            found["CONTACT"] = frozenset((*contact.custom, *_names(changed)))
        return found

    # -- inside

    def _object(self, item: Item, now: Now) -> tuple[Lookup, ...]:
        state = self._state
        illegal = state.globals.illegal_macro_output_chars
        traits = state.modulations.traits(item.traits, now.wall)
        modulated = state.modulations.variables(item.traits, now.wall)
        if isinstance(item.of, Service):
            own = service_macros(
                item.of, traits, item.status, now.wall, illegal,
                modulated=modulated, alias_of=self.alias_of,
            )  # fmt: skip
            return (own, *self._object(item.host, now)) if item.host is not None else (own,)
        assert isinstance(item.of, Host)
        return (
            host_macros(
                item.of, traits, item.status, now.wall, illegal,
                modulated=modulated, realm=state.body.realm, alias_of=self.alias_of,
            ),
        )  # fmt: skip

    def _groups(self, item: Item) -> Lookup:
        state = self._state
        host = item if item.is_host else item.host
        of_host = first_group("HOSTGROUP", host.traits.groups if host else (), state.hostgroups)
        if item.is_host:
            return of_host
        return chain(first_group("SERVICEGROUP", item.traits.groups, state.servicegroups), of_host)

    def _elsewhere(self, now: Now) -> Elsewhere:
        state = self._state

        def item(host: str, description: str) -> Lookup | None:
            found = state.items.get(f"{host};{description}" if description else host)
            if found is None:
                return None
            return chain(*self._object(found, now), self._groups(found), self._sums_of_host(found))

        def contact(name: str) -> Lookup | None:
            found = state.contacts.get(name)
            return self.of_contact(found) if found is not None else None

        def period(said: str) -> Lookup | None:
            name, _, at = said.partition(":")
            if name not in state.periods:
                return None
            return period_macros(
                state.period(name), Wall(float(at)) if at.isdecimal() else now.wall
            )

        return Elsewhere(
            item, contact, state.hostgroups, state.servicegroups, state.contactgroups, period
        )

    def _sums_of_host(self, item: Item) -> Lookup:
        def ask(name: str) -> str | None:
            if not name.startswith("TOTALHOSTSERVICES"):
                return None
            host = item.of.host if isinstance(item.of, Service) else item.of.name
            sums = sums_of_a_host(service.status for service in self._state.services_of(host))
            return str(sums[name]) if name in sums else None

        return ask

    def _sum(self, name: str, now: Now) -> int | None:
        if name not in SUMS:
            return None
        items = self._state.items
        if now.mono - self._counted_mono >= COUNT_S + len(items) / COUNTED_A_SECOND:
            self._sums = sums_of_all(self._host_facts(), self._service_facts())
            self._counted_mono = now.mono
        return self._sums[name]

    def _host_facts(self) -> Iterator[tuple[Status, bool]]:
        for item in self._state.items.values():
            if item.is_host:
                yield item.status, item.traits.active_checks_enabled

    def _service_facts(self) -> Iterator[tuple[Status, bool, bool]]:
        for item in self._state.items.values():
            if not item.is_host:
                away = item.host is not None and item.host.status.state != 0
                yield item.status, item.traits.active_checks_enabled, away


def _names(modified: Mapping[str, str]) -> Iterator[str]:
    return (name[1:] for name in modified if name.startswith("_"))
