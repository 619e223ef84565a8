"""Escalations: who else is told when a problem lasts, by name (`escalation`) or by object (the other two).

The one thing to know: a hostescalation or serviceescalation becomes an escalation with a name made of
what it says, without its hosts: so those that say the same are one, and a host added to one changes
no other host. An object asks those it names first, then those that name it. One that names nobody tells
the object's own contacts (Nagios and Shinken docs, implied inheritance).
"""

from collections.abc import Callable, Collection
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from daemons.config.complain import Complaints, did_you_mean
from daemons.config.dependencies import Places, Targets
from daemons.config.groups import pick
from daemons.config.lexer import Block
from daemons.config.values import letters, number
from daemons.model.objects import Key
from daemons.model.relations import Escalation

LETTERS = "durwc"
OBJECTS = -1.0  # notification_interval: that of the object (docs, "Object Inheritance", implied)
_BY_NUMBER = ("first_notification", "last_notification")
_BY_TIME = ("first_notification_time", "last_notification_time")
Defs = list[tuple[Block, dict[str, str]]]


class People(Struct, frozen=True):
    """Whom an escalation may name, and what `contacts` and `contact_groups` of anything come to."""

    contacts: Collection[str]
    contactgroups: Collection[str]
    named_by: Callable[[dict[str, str]], tuple[str, ...]]


class Escalations:
    """The escalations of a configuration."""

    def __init__(
        self, people: People, periods: Collection[str], unit_s: float, complaints: Complaints
    ) -> None:
        """Start with none; `unit_s` is interval_length."""
        self.of: dict[Key, tuple[str, ...]] = {}  # those that name an object, in order
        self._people = people
        self._periods = periods
        self._unit_s = unit_s
        self._say = complaints
        self._found: dict[str, Escalation] = {}

    def all(self) -> tuple[Escalation, ...]:
        """Return them by name."""
        return tuple(self._found[name] for name in sorted(self._found))

    def names(self) -> Collection[str]:
        """Return the names so far."""
        return self._found.keys()

    def named(self, objects: dict[str, tuple[Block, dict[str, str]]]) -> None:
        """Take the `escalation` objects, which hosts and services name."""
        for name, (block, attrs) in objects.items():
            made = self._made("escalation", name, f"escalation {name}", block, attrs)
            self._found[name] = made

    def of_places(self, of_hosts: Defs, of_services: Defs, places: Places) -> None:
        """Take the `hostescalation` and `serviceescalation` blocks, which name objects themselves."""
        targets = Targets(places, self._say)
        taken: dict[Key, set[str]] = {}
        for block, attrs in of_hosts:
            keys = targets.hosts("hostescalation", block, attrs)
            self._take("hostescalation", block, attrs, keys, taken)
        for block, attrs in of_services:
            label = "serviceescalation"
            if not (attrs.get("service_description") or attrs.get("servicegroup_name")):
                self._say.error(f"{label}: service_description is missing", block.where)
                continue
            keys = targets.services(label, block, attrs, lenient=True)
            self._take(label, block, attrs, keys, taken)
        one: dict[tuple[str, ...], tuple[str, ...]] = {}
        for key, names in taken.items():
            ordered = tuple(sorted(names, key=self._order))
            self.of[key] = one.setdefault(ordered, ordered)

    def _take(
        self, kind: str, block: Block, attrs: dict[str, str], keys: list[Key],
        taken: dict[Key, set[str]],
    ) -> None:  # fmt: skip
        made = self._made(kind, "", kind, block, attrs)
        name = f"Generated-{kind}-{sha256(repr(made).encode()).hexdigest()[:10]}"
        if not keys:
            what = "host" if kind == "hostescalation" else "service"
            self._say.warning(f"{kind} has no effect: it names no {what}", block.where)
            return
        self._found[name] = replace(made, name=name)
        for key in keys:
            taken.setdefault(key, set()).add(name)

    def _order(self, name: str) -> tuple[float, float, str]:
        made = self._found[name]
        return made.first_notification, made.first_notification_time_s, name

    def _made(
        self, kind: str, name: str, label: str, block: Block, attrs: dict[str, str]
    ) -> Escalation:
        by_time = any(attrs.get(attr) for attr in _BY_TIME)
        for attr in _BY_TIME if by_time else _BY_NUMBER:
            if not attrs.get(attr):
                self._say.error(f"{label}: {attr} is missing", block.where)
        self._complain_of_people(kind, label, block, attrs)
        period = attrs.get("escalation_period", "")
        if period and period not in self._periods:
            self._say.error(
                f"{label}: escalation_period: time period {period} is not defined",
                block.where_of("escalation_period"),
                did_you_mean(period, self._periods),
            )
        interval = number(attrs.get("notification_interval", ""))
        interval = OBJECTS if interval is None else interval

        def read(attr: str) -> float:
            return max(0.0, number(attrs.get(attr, "")) or 0.0)

        first, last = _BY_TIME if by_time else _BY_NUMBER
        if 0 < read(last) < read(first):
            self._say.warning(
                f"{label} never applies: {last} is before {first}",
                block.where_of(last),
                "0 is no end",
            )
        return Escalation(
            name=name,
            contacts=self._people.named_by(attrs),
            options=self._options(label, block, attrs),
            period=period,
            first_notification=int(read("first_notification")),
            last_notification=int(read("last_notification")),
            by_time=by_time,
            first_notification_time_s=read("first_notification_time") * self._unit_s,
            last_notification_time_s=read("last_notification_time") * self._unit_s,
            notification_interval_s=interval * self._unit_s if interval >= 0 else -1.0,
        )

    def _options(self, label: str, block: Block, attrs: dict[str, str]) -> tuple[str, ...]:
        given = letters(attrs.get("escalation_options", ""), LETTERS)
        bad = [letter for letter in given if letter not in LETTERS + "an"]
        if bad:
            self._say.warning(
                f"{label}: escalation_options has no '{bad[0]}' (it knows {','.join(LETTERS)},n)",
                block.where_of("escalation_options"),
            )
        return () if "a" in given else given

    def _complain_of_people(
        self, kind: str, label: str, block: Block, attrs: dict[str, str]
    ) -> None:
        people = self._people
        named = [attr for attr in ("contacts", "contact_groups") if attrs.get(attr)]
        if not named and kind == "escalation":
            self._say.error(f"{label}: it names neither contacts nor contact_groups", block.where)
        for attr, what, known in (
            ("contacts", "contact", people.contacts),
            ("contact_groups", "contact group", people.contactgroups),
        ):
            for name in pick(attrs.get(attr, ""), known).unknown:
                self._say.error(
                    f"{label}: {attr}: {what} {name} is not defined",
                    block.where_of(attr),
                    did_you_mean(name, known),
                )
