"""Whom a notification of a shard's object goes to: its contacts or those of escalations, way by way.

The one thing to know: a recovery goes to whom the last notification of the problem went to, as far as they
were told, so what decides is kept in the status: the number and the time of that one.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from daemons.model.clock import Now, Wall
from daemons.model.objects import Contact, Way
from daemons.model.relations import Escalation
from daemons.roles.shard.state import Item, ShardState
from daemons.rules import escalate
from daemons.rules.notify import (
    PROBLEM,
    RECOVERY,
    Reason,
    Verdict,
    contact_verdict,
    letter_of,
    next_notification,
)
from daemons.rules.timeperiod import covers, next_start

_FOR_GOOD = (Reason.OPTIONS, Reason.NO_COMMAND, Reason.NOT_TOLD)


class Chosen(Struct, frozen=True):
    """Those that one notification goes to."""

    ways: tuple[tuple[Contact, Way], ...]
    escalated: bool
    others_later: bool  # somebody else may be told when more time has passed

    @property
    def names(self) -> tuple[str, ...]:
        """The contacts, each once."""
        return tuple(dict.fromkeys(contact.name for contact, _ in self.ways))


class Recipients:
    """Chooses for the objects of one shard."""

    def __init__(self, state: ShardState) -> None:
        """Works on `state`."""
        self._state = state

    def choose(
        self, item: Item, kind: str, now: Now, *, forced: bool = False, broadcast: bool = False
    ) -> Chosen:
        """Return who is told of `kind` now; for a problem its number has been counted up already.

        `broadcast`: to the object's own contacts and those of all its escalations.
        """
        applying = self._applying(item, kind, now)
        names = escalate.contacts(applying, item.traits.contacts)
        if kind == RECOVERY:
            names = self._of_recovery(item, names)
        elif broadcast:
            names = (*item.traits.contacts, *escalate.contacts(self._escalations(item), ()))
        ways: list[tuple[Contact, Way]] = []
        later = bool(item.traits.escalations)
        known = self._state.contacts
        for contact in (known[name] for name in dict.fromkeys(names) if name in known):
            for way in contact.ways:
                verdict = self._verdict(item, contact, way, kind, now, forced)
                if verdict.send:
                    ways.append((contact, way))
                elif verdict.why not in _FOR_GOOD:
                    later = True
        return Chosen(tuple(ways), bool(applying), later)

    def following(self, item: Item, now: Now) -> Wall | None:
        """Return when a problem that was told of just now is told of again; None = not at all."""
        status, traits = item.status, item.traits
        interval_s = escalate.interval_s(
            self._applying(item, PROBLEM, now), traits.notification_interval_s
        )
        regular = next_notification(now.wall, interval_s)
        if regular is None or not traits.escalations:
            return regular
        earlier = escalate.next_start(
            self._escalations(item),
            began=_began(item),
            after=now.wall,
            letter=letter_of(status.state, item.is_host),
            opens=lambda name, wall: next_start(self._state.period(name), wall),
        )
        return regular if earlier is None else min(regular, earlier)

    def in_period(self, name: str, wall: Wall) -> bool:
        """Return whether the period of that name lasts at `wall`; "" is always."""
        return not name or covers(self._state.period(name), wall)

    # -- inside

    def _of_recovery(self, item: Item, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return `names`, those of the last notification, or everybody who was told.

        The latter when the main file says so, and when none of `names` was: a new configuration names others.
        """
        told = tuple(told.contact for told in item.status.told)
        everybody = self._state.globals.settings.get("recovery_contacts") == "all"
        return told if everybody or not set(names) & set(told) else names

    def _escalations(self, item: Item) -> list[Escalation]:
        known = self._state.escalations
        return [known[name] for name in item.traits.escalations if name in known]

    def _applying(self, item: Item, kind: str, now: Now) -> tuple[Escalation, ...]:
        if not item.traits.escalations:
            return ()
        status = item.status
        return escalate.in_force(
            self._escalations(item),
            number=status.notification_number,
            began=_began(item),
            at=Wall(status.last_notification_wall) if kind == RECOVERY else now.wall,
            letter=letter_of(status.state, item.is_host),
            in_period=self.in_period,
        )

    def _verdict(
        self, item: Item, contact: Contact, way: Way, kind: str, now: Now, forced: bool
    ) -> Verdict:
        switches = self._state.contact_status.get(contact.name)
        way = _switched(way, contact, switches.modified if switches else {}, item.is_host)
        period = way.host_notification_period if item.is_host else way.service_notification_period
        return contact_verdict(
            way,
            kind,
            item.status.state,
            is_host=item.is_host,
            business_impact=max(
                self._state.modulations.business_impact(item.traits, now.wall),
                item.status.business_impact,
            ),
            in_period=self.in_period(period, now.wall),
            told=any(told.contact == contact.name for told in item.status.told),
            in_downtime=switches is not None and any(d.in_effect for d in switches.downtimes),
            forced=forced,
        )


def _began(item: Item) -> Wall:
    return Wall(item.status.began_wall or item.status.problem_wall)


def _switched(way: Way, contact: Contact, modified: dict[str, str], is_host: bool) -> Way:
    """Return `way` as the contact lets it, with what an operator changed (`modified`).

    Off is off for all ways; on is on for the contact's own one, and for the shared ones what they say.
    """
    noun = "host" if is_host else "service"
    enabled, period = f"{noun}_notifications_enabled", f"{noun}_notification_period"
    said = modified.get(enabled)
    changes: dict[str, object] = {}
    if said is None:
        on = contact.host_notifications_enabled if is_host else contact.service_notifications_enabled
    else:
        on = said == "1"
    if not on or (said is not None and way.name in ("", contact.name)):
        changes[enabled] = on
    if period in modified:
        changes[period] = modified[period]
    return replace(way, **changes) if changes else way


def commands(way: Way, is_host: bool) -> Iterable[str]:
    """Return the commands of `way` for hosts or services, each as "name!args"."""
    return way.host_notification_commands if is_host else way.service_notification_commands
