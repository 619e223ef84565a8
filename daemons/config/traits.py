"""Resolved attributes of hosts and services to shared `Traits`, with their references checked.

The one thing to know: objects that say the same on top of the same templates are built and checked
once. What is wrong is blamed on the line that says it, be it the object's or a template's, and an
object that repeats another's mistake is blamed too.
Durations: `interval_length` is applied here and nowhere else.
"""

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from daemons.config.complain import Complaints, did_you_mean
from daemons.config.groups import pick
from daemons.config.lexer import Block
from daemons.config.schema import attributes
from daemons.config.templates import Prototype, Templates
from daemons.config.values import letters, number, words, yes
from daemons.model.objects import BusinessRuleSettings, MaintenanceCheck, Snapshot, Traits

T = TypeVar("T")
SHOWN = attributes(
    """notes notes_url action_url icon_image icon_image_alt icon_set statusmap_image vrml_image
    2d_coords 3d_coords"""
)
IDENTITY = attributes(
    """host_name service_description hostgroup_name alias address display_name parents use name
    register definition_order imported_from hostgroups servicegroups"""
)
# Docs of Shinken, "Object Inheritance", implied inheritance; contacts are handled apart.
FROM_HOST = (
    "notification_interval",
    "notification_period",
    "resultmodulations",
    "business_impact_modulations",
    "escalations",
    "poller_tag",
    "reactionner_tag",
    "check_period",
    "business_impact",
    "maintenance_period",
    "priority",
)
LISTS_FROM_HOST = attributes("resultmodulations business_impact_modulations escalations")
CONTACT_ATTRS = ("contacts", "contact_groups")
OPTIONS = {
    "host": {
        "notification_options": "durfs",
        "flap_detection_options": "odu",
        "stalking_options": "odu",
        "snapshot_criteria": "odu",
    },
    "service": {
        "notification_options": "wucrfs",
        "flap_detection_options": "owcu",
        "stalking_options": "owcu",
        "snapshot_criteria": "owcu",
    },
}
DEFAULT_OPTIONS = {
    "host": {
        "notification_options": "durf",
        "flap_detection_options": "odu",
        "snapshot_criteria": "du",
    },
    "service": {
        "notification_options": "wucrfs",
        "flap_detection_options": "owcu",
        "snapshot_criteria": "wcu",
    },
}
INITIAL_STATES = {"host": "odu", "service": "owuc"}
_COMMANDS = ("check_command", "event_handler", "snapshot_command", "maintenance_check_command")
_PERIODS = (
    "check_period",
    "notification_period",
    "maintenance_period",
    "snapshot_period",
    "maintenance_check_period",
)
_BUILT = attributes(
    """check_command check_interval retry_interval max_check_attempts check_period
    active_checks_enabled passive_checks_enabled event_handler event_handler_enabled
    notifications_enabled notification_interval first_notification_delay notification_period
    notification_options contacts contact_groups flap_detection_enabled flap_detection_options
    low_flap_threshold high_flap_threshold is_volatile stalking_options check_freshness
    freshness_threshold process_perf_data obsess_over_host obsess_over_service initial_state
    business_impact poller_tag reactionner_tag retain_status_information
    retain_nonstatus_information escalations resultmodulations checkmodulations macromodulations
    business_impact_modulations time_to_orphanage initial_output priority snapshot_command
    snapshot_criteria snapshot_interval snapshot_period snapshot_enabled maintenance_period
    maintenance_check_command maintenance_check_interval maintenance_check_period
    maintenance_checks_enabled maintenance_retry_interval host_dependency_enabled
    business_rule_output_template business_rule_smart_notifications business_rule_downtime_as_ack
    business_rule_host_notification_options business_rule_service_notification_options
    service_dependencies labels merge_host_contacts duplicate_foreach default_value
    service_excludes service_includes service_overrides"""
)
# attribute, what it names, where the names are in `Known`
_RELATIONS = (
    ("escalations", "escalation", "escalations"),
    ("resultmodulations", "resultmodulation", "result_modulations"),
    ("checkmodulations", "checkmodulation", "check_modulations"),
    ("macromodulations", "macromodulation", "macro_modulations"),
    ("business_impact_modulations", "businessimpactmodulation", "impact_modulations"),
)


class Known(Struct):
    """What may be referred to."""

    commands: Collection[str]
    periods: Collection[str]
    contacts: Collection[str]
    contactgroups: Mapping[str, Collection[str]]
    poller_tags: Collection[str] = ()  # that a poller carries
    escalations: Collection[str] = ()
    result_modulations: Collection[str] = ()
    check_modulations: Collection[str] = ()
    macro_modulations: Collection[str] = ()
    impact_modulations: Collection[str] = ()


class Problem(Struct, frozen=True):
    """One thing wrong with one attribute."""

    attr: str
    text: str
    fix: str = ""
    warning: bool = False


class Made(Struct):
    """Traits that were made once, for all objects that say the same."""

    index: int
    attrs: dict[str, str]  # resolved
    problems: tuple[Problem, ...]


class TraitsTable:
    """All traits of a configuration: equal ones are one entry."""

    def __init__(self, known: Known, unit_s: float, complaints: Complaints) -> None:
        """Check references against `known`; `unit_s` is interval_length."""
        self.traits: list[Traits] = []
        self._known = known
        self._unit_s = unit_s
        self._complaints = complaints
        self._made: dict[object, Made] = {}
        self._by_value: dict[bytes, int] = {}

    def make(
        self,
        kind: str,  # "host" or "service"
        label: str,  # for complaints
        block: Block,
        proto: Prototype,
        templates: Templates,
        groups: tuple[str, ...] = (),
        inherited: tuple[tuple[str, str], ...] = (),  # what a service takes from its host
        extra: tuple[tuple[str, str], ...] = (),  # extended information
        escalated: tuple[str, ...] = (),  # by escalations that name it
        blame: tuple[tuple[str, Block], ...] = (),  # who says an attribute instead of `block`
    ) -> Made:
        """Return the traits of an object, made now or before; complain about it either way."""
        own = block.attrs
        said = own.keys() - IDENTITY
        key = (
            kind,
            id(proto),
            tuple(sorted((a, own[a]) for a in said)) if said else (),
            groups,
            id(inherited) if inherited else 0,
            extra,
            escalated,
        )
        made = self._made.get(key)
        if made is None:
            attrs = dict(extra) | templates.merged(own, proto)
            problems = tuple(self._problems(kind, attrs))  # those of the host are the host's
            if kind == "service":
                self._take_from_host(attrs, dict(inherited))
            index = self._intern(self._build(kind, attrs, groups, escalated, proto.names))
            made = self._made[key] = Made(index, attrs, problems)
        if made.problems:
            self._complain(made.problems, label, block, proto, dict(blame))
        return made

    def _complain(
        self,
        problems: tuple[Problem, ...],
        label: str,
        block: Block,
        proto: Prototype,
        blame: dict[str, Block],
    ) -> None:
        for problem in problems:
            attr, blamed, said_by = problem.attr, block, label
            if attr in blame:
                blamed, attr = blame[attr], "service_overrides"
            elif attr not in block.attrs and attr in proto.origin:
                blamed = proto.origin[attr]
                said_by = f"template {blamed.attrs.get('name', '')}"
            where = blamed.where_of(attr, "" if attr == problem.attr else problem.attr)
            say = self._complaints.warning if problem.warning else self._complaints.error
            say(f"{said_by}: {problem.text}", where, problem.fix)

    def _intern(self, traits: Traits) -> int:
        value = msgspec.msgpack.encode(traits)
        index = self._by_value.get(value)
        if index is None:
            index = self._by_value[value] = len(self.traits)
            self.traits.append(traits)
        return index

    def _problems(self, kind: str, attrs: dict[str, str]) -> list[Problem]:
        found: list[Problem] = []
        known = self._known
        for attr in _COMMANDS:
            name = attrs.get(attr, "").partition("!")[0].strip()
            if attrs.get(attr) and name not in known.commands:
                found.append(_undefined(attr, "command", name or attrs[attr], known.commands))
        for attr in _PERIODS:
            if (name := attrs.get(attr, "")) and name not in known.periods:
                found.append(_undefined(attr, "time period", name, known.periods))
        for attr, what, all_of in (
            ("contacts", "contact", known.contacts),
            ("contact_groups", "contact group", known.contactgroups),
        ):
            for name in pick(attrs.get(attr, ""), all_of).unknown:
                found.append(_undefined(attr, what, name, all_of))
        for attr, what, field in _RELATIONS:
            if attr in attrs:
                names = getattr(known, field)
                for name in words(attrs[attr]):
                    if name not in names:
                        found.append(_undefined(attr, what, name, names))
        found.extend(_bad_options(kind, attrs))
        tag = _tag(attrs.get("poller_tag", ""))
        if tag and tag not in known.poller_tags:
            text = f"poller_tag {tag} is carried by no poller: nobody would run the check"
            found.append(Problem("poller_tag", text, did_you_mean(tag, known.poller_tags)))
        if kind == "service" and not attrs.get("check_command"):
            found.append(Problem("check_command", "check_command is missing"))
        if kind == "service":
            found.extend(
                Problem(attr, f"{attr} is missing, {default} is used", warning=True)
                for attr, default in (("check_interval", 5), ("retry_interval", 1))
                if not attrs.get(attr)
            )
        return found

    def contacts(self, attrs: dict[str, str]) -> tuple[str, ...]:
        """Return the contacts that `contacts` and `contact_groups` name, sorted."""
        direct = pick(attrs.get("contacts", ""), self._known.contacts)
        groups = pick(attrs.get("contact_groups", ""), self._known.contactgroups)
        found = set(direct.names)
        for group in groups.names:
            found.update(self._known.contactgroups[group])
        return tuple(sorted(found - direct.excluded))

    def _take_from_host(self, attrs: dict[str, str], host: dict[str, str]) -> None:
        """Fill in what a service takes from its host: contacts when it names none, or merges them."""
        for attr in FROM_HOST:
            said = attrs.get(attr)
            if attr in host and (said is None or (said == "" and attr not in LISTS_FROM_HOST)):
                attrs[attr] = host[attr]
        if yes(attrs.get("merge_host_contacts", "")):
            both = {*self.contacts(attrs), *self.contacts(host)}
            attrs |= {"contacts": ",".join(sorted(both)), "contact_groups": ""}
        elif not any(attr in attrs for attr in CONTACT_ATTRS):
            for attr in CONTACT_ATTRS:
                if attr in host:
                    attrs[attr] = host[attr]

    def _build(
        self,
        kind: str,
        attrs: dict[str, str],
        groups: tuple[str, ...],
        escalated: tuple[str, ...],
        tags: tuple[str, ...],
    ) -> Traits:
        number_of = _reader(attrs, number)
        says = _reader(attrs, yes)
        service = kind == "service"
        unit_s = self._unit_s

        def options(attr: str) -> tuple[str, ...]:
            known = OPTIONS[kind][attr]
            given = letters(attrs.get(attr, ""), known)
            default = tuple(DEFAULT_OPTIONS[kind].get(attr, ""))
            return tuple(known) if "a" in given else given or default

        def named(attr: str) -> tuple[str, ...]:
            return tuple(dict.fromkeys(words(attrs[attr]))) if attr in attrs else ()

        command = attrs.get("check_command", "")
        if not command and not service and attrs.get("checkmodulations"):
            command = (
                "_internal_host_up"  # its check in Shinken: what modulations take the place of
            )
        return Traits(
            check_command=command,
            check_interval_s=number_of("check_interval", 5.0 if service else 0.0) * unit_s,
            retry_interval_s=number_of("retry_interval", 1.0 if service else 0.0) * unit_s,
            max_check_attempts=max(1, int(number_of("max_check_attempts", 1.0))),
            check_period=attrs.get("check_period", ""),
            active_checks_enabled=says("active_checks_enabled", True),
            passive_checks_enabled=says("passive_checks_enabled", True),
            event_handler=attrs.get("event_handler", ""),
            # Nagios runs a handler that is named, Shinken wants this attribute too: named is enough.
            event_handler_enabled=says("event_handler_enabled", bool(attrs.get("event_handler"))),
            notifications_enabled=says("notifications_enabled", True),
            notification_interval_s=number_of("notification_interval", 60.0) * unit_s,
            first_notification_delay_s=number_of("first_notification_delay", 0.0) * unit_s,
            notification_period=attrs.get("notification_period", ""),
            notification_options=options("notification_options"),
            contacts=self.contacts(attrs),
            flap_detection_enabled=says("flap_detection_enabled", True),
            flap_detection_options=options("flap_detection_options"),
            low_flap_threshold=number_of("low_flap_threshold", -1.0 if service else 25.0),
            high_flap_threshold=number_of("high_flap_threshold", -1.0 if service else 50.0),
            is_volatile=says("is_volatile", False),
            stalking_options=options("stalking_options"),
            check_freshness=says("check_freshness", False),
            freshness_threshold_s=max(0.0, number_of("freshness_threshold", 0.0)),
            process_perf_data=says("process_perf_data", True),
            obsess=says(f"obsess_over_{kind}", False),
            initial_state=attrs.get("initial_state", "")[:1],
            business_impact=int(number_of("business_impact", 2.0)),
            poller_tag=_tag(attrs.get("poller_tag", "")),
            reactionner_tag=_tag(attrs.get("reactionner_tag", "")),
            retain_status=says("retain_status_information", True),
            retain_nonstatus=says("retain_nonstatus_information", True),
            groups=groups,
            labels=tuple(sorted(set(words(attrs.get("labels", ""))))),
            tags=tags,
            custom={a[1:]: v for a, v in sorted(attrs.items()) if a[0] == "_"},
            shown={a: v for a, v in sorted(attrs.items()) if a in SHOWN and v},
            rest={
                a: v
                for a, v in sorted(attrs.items())
                if v and a[0] != "_" and a not in _BUILT and a not in SHOWN and a not in IDENTITY
            },
            escalations=tuple(dict.fromkeys((*named("escalations"), *escalated))),
            result_modulations=named("resultmodulations"),
            check_modulations=named("checkmodulations"),
            macro_modulations=named("macromodulations"),
            impact_modulations=named("business_impact_modulations"),
            time_to_orphanage_s=number_of("time_to_orphanage", 300.0),
            initial_output=attrs.get("initial_output", ""),
            priority=int(number_of("priority", 100.0)),
            snapshot=self._snapshot(attrs, options),
            maintenance_period=attrs.get("maintenance_period", ""),
            maintenance_check=self._maintenance_check(attrs),
            business=_business(attrs) if command.startswith("bp_rule") else None,
            host_dependency_enabled=says("host_dependency_enabled", True),
            contact_groups=tuple(dict.fromkeys(word.lstrip("+") for word in words(attrs.get("contact_groups", "")))),
        )

    def _snapshot(
        self, attrs: dict[str, str], options: Callable[[str], tuple[str, ...]]
    ) -> Snapshot | None:
        command = attrs.get("snapshot_command", "")
        if not command or not _reader(attrs, yes)("snapshot_enabled", False):
            return None
        return Snapshot(
            command,
            options("snapshot_criteria"),
            _reader(attrs, number)("snapshot_interval", 5.0) * self._unit_s,
            attrs.get("snapshot_period", ""),
        )

    def _maintenance_check(self, attrs: dict[str, str]) -> MaintenanceCheck | None:
        command = attrs.get("maintenance_check_command", "")
        if not command:
            return None
        number_of = _reader(attrs, number)
        return MaintenanceCheck(
            command,
            number_of("maintenance_check_interval", 0.0) * self._unit_s,
            number_of("maintenance_retry_interval", 0.0) * self._unit_s,
            attrs.get("maintenance_check_period", ""),
            _reader(attrs, yes)("maintenance_checks_enabled", False),
        )


def _business(attrs: dict[str, str]) -> BusinessRuleSettings:
    says = _reader(attrs, yes)
    return BusinessRuleSettings(
        output_template=attrs.get("business_rule_output_template", ""),
        smart_notifications=says("business_rule_smart_notifications", False),
        downtime_as_ack=says("business_rule_downtime_as_ack", False),
        host_notification_options=letters(attrs.get("business_rule_host_notification_options", "")),
        service_notification_options=letters(
            attrs.get("business_rule_service_notification_options", "")
        ),
    )


def _bad_options(kind: str, attrs: dict[str, str]) -> list[Problem]:
    found = []
    for attr, allowed in OPTIONS[kind].items():
        bad = [w for w in words(attrs.get(attr, "")) if w[0].lower() not in allowed + "an"]
        if bad:
            text = f"{attr} of a {kind} has no '{bad[0]}' (it knows {','.join(allowed)},n)"
            found.append(Problem(attr, text, warning=True))
    state = attrs.get("initial_state", "")
    if state and state[0].lower() not in INITIAL_STATES[kind]:
        text = f"initial_state '{state}' is not one of {','.join(INITIAL_STATES[kind])}"
        found.append(Problem("initial_state", text))
    return found


def _undefined(attr: str, what: str, name: str, known: Collection[str]) -> Problem:
    return Problem(attr, f"{attr}: {what} {name} is not defined", did_you_mean(name, known))


def _tag(value: str) -> str:
    return "" if value.lower() == "none" else value


def _reader(attrs: dict[str, str], read: Callable[[str], T | None]) -> Callable[[str, T], T]:
    """Return a reader of one type of attribute; what cannot be read was complained of: the default."""

    def reader(attr: str, default: T) -> T:
        found = read(attrs[attr]) if attr in attrs else None
        return default if found is None else found

    return reader
