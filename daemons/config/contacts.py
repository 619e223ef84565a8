"""Contacts, contact groups and notification ways.

The one thing to know: a contact's own notification attributes are one way, named like the contact;
`notificationways` adds shared ones. A contact that names no commands of its own has only those; its
min_business_impact then holds for each of them. Its `*_notifications_enabled` hold for all in any case.
"""

from collections.abc import Collection

from msgspec.structs import replace

from daemons.config.complain import Complaints, did_you_mean
from daemons.config.groups import GroupDef, nest, pick, warn_of_excluded
from daemons.config.lexer import Block
from daemons.config.schema import ONE_OF, attributes
from daemons.config.values import letters, number, words, yes
from daemons.model.objects import Contact, Group, Way

Objects = dict[str, tuple[Block, dict[str, str]]]
OPTIONS = {
    "host_notification_options": "durfs",
    "service_notification_options": "wucrfs",
}
_READ = attributes(
    """contact_name alias email pager address1 address2 address3 address4 address5 address6
    contactgroups notificationways can_submit_commands use name register definition_order
    imported_from host_notifications_enabled service_notifications_enabled
    host_notification_period service_notification_period host_notification_options
    service_notification_options host_notification_commands service_notification_commands
    min_business_impact on_ambiguous password"""
)
_COMMANDS = ("host_notification_commands", "service_notification_commands")
_PERIODS = ("host_notification_period", "service_notification_period")


def contacts_of(
    contacts: Objects,
    groups: Objects,
    ways: Objects,
    commands: Collection[str],
    periods: Collection[str],
    complaints: Complaints,
) -> tuple[tuple[Contact, ...], tuple[Group, ...]]:
    """Return contacts and contact groups, and complain about what they refer to in vain."""
    reader = _Reader(commands, periods, complaints)
    read_ways = {name: reader.way(name, "notificationway", *ways[name]) for name in ways}
    made = _groups(contacts, groups, complaints)
    groups_of: dict[str, list[str]] = {}
    for name in sorted(made):
        for member in made[name].members:
            groups_of.setdefault(member, []).append(name)
    found = tuple(
        reader.contact(name, block, attrs, read_ways, tuple(groups_of.get(name, ())))
        for name, (block, attrs) in contacts.items()
    )
    return found, tuple(
        Group(name, group.attrs.get("alias") or name, tuple(group.members))
        for name, group in sorted(made.items())
    )


def _groups(contacts: Objects, groups: Objects, complaints: Complaints) -> dict[str, GroupDef]:
    made = {name: GroupDef(block, attrs, {}) for name, (block, attrs) in groups.items()}
    for name, group in made.items():
        picked = pick(group.attrs.get("members", ""), contacts)
        group.members = dict.fromkeys(picked.names)
        group.excluded = picked.excluded
        warn_of_excluded(complaints, f"contactgroup {name}", group, contacts)
        for member in picked.unknown:
            complaints.error(
                f"contactgroup {name}: contact {member} is not defined",
                group.block.where_of("members"),
                did_you_mean(member, contacts),
            )
    for name, (block, attrs) in contacts.items():
        for group_name in words(attrs.get("contactgroups", "")):
            if group_name in made:
                made[group_name].members[name] = None
            else:
                complaints.error(
                    f"contact {name}: contactgroup {group_name} is not defined",
                    block.where_of("contactgroups"),
                    did_you_mean(group_name, made),
                )
    nest("contactgroup", made, complaints)
    return made


class _Reader:
    def __init__(
        self, commands: Collection[str], periods: Collection[str], complaints: Complaints
    ) -> None:
        self._commands = commands
        self._periods = periods
        self._complaints = complaints

    def contact(
        self,
        name: str,
        block: Block,
        attrs: dict[str, str],
        ways: dict[str, Way],
        groups: tuple[str, ...],
    ) -> Contact:
        """Return one contact."""
        mine: list[Way] = []
        shared = dict.fromkeys(words(attrs.get("notificationways", "")))
        least = 0
        if not shared or any(attrs.get(attr) for attr in _COMMANDS):
            mine.append(self.way(name, "contact", block, attrs))
        else:
            least = int(number(attrs.get("min_business_impact", "0")) or 0)
            self._complain_of_lone(name, block)
        for way in shared:
            if way in ways:
                impact = max(ways[way].min_business_impact, least)
                mine.append(replace(ways[way], min_business_impact=impact))
            else:
                self._complaints.error(
                    f"contact {name}: notificationway {way} is not defined",
                    block.where_of("notificationways"),
                    did_you_mean(way, ways),
                )
        return Contact(
            name=name,
            alias=attrs.get("alias") or name,
            email=attrs.get("email", ""),
            pager=attrs.get("pager", ""),
            addresses=tuple(attrs.get(f"address{n}", "") for n in range(1, 7)),
            ways=tuple(mine),
            groups=groups,
            can_submit_commands=bool(yes(attrs.get("can_submit_commands", "0"))),
            custom={a[1:]: v for a, v in sorted(attrs.items()) if a[0] == "_"},
            host_notifications_enabled=_says(attrs, "host_notifications_enabled", True),
            service_notifications_enabled=_says(attrs, "service_notifications_enabled", True),
            rest={a: v for a, v in sorted(attrs.items()) if v and a[0] != "_" and a not in _READ},
        )

    def _complain_of_lone(self, name: str, block: Block) -> None:
        """Warn of what would belong to a way of the contact's own, which it has not."""
        for attr in (*_PERIODS, *OPTIONS):
            if attr in block.attrs:
                self._complaints.warning(
                    f"contact {name}: {attr} has no effect: it names notificationways and no commands"
                    " of its own",
                    block.where_of(attr),
                    "say it in the notificationway, or add commands",
                )

    def way(self, name: str, kind: str, block: Block, attrs: dict[str, str]) -> Way:
        """Return the way that the attributes of a contact or notification way describe."""
        label = f"{kind} {name}"
        for attr in _COMMANDS:
            said = words(attrs.get(attr, ""))
            if not said:
                self._complaints.error(f"{label}: {attr} is missing", block.where)
            for command in said:
                command_name = command.partition("!")[0]
                if command_name not in self._commands:
                    self._undefined(label, block, attr, "command", command_name, self._commands)
        for attr in _PERIODS:
            period = attrs.get(attr, "")
            if not period:
                self._complaints.warning(
                    f"{label}: {attr} is missing, always is meant", block.where
                )
            elif period not in self._periods:
                self._undefined(label, block, attr, "time period", period, self._periods)
        ambiguous = attrs.get("on_ambiguous", "")
        if ambiguous and ambiguous not in ONE_OF["on_ambiguous"]:
            self._complaints.error(
                f"{label}: on_ambiguous is {' or '.join(ONE_OF['on_ambiguous'])},"
                f" not '{ambiguous}'",
                block.where_of("on_ambiguous"),
            )
        return Way(
            name=name,
            host_notifications_enabled=_says(attrs, "host_notifications_enabled", True),
            service_notifications_enabled=_says(attrs, "service_notifications_enabled", True),
            host_notification_period=attrs.get("host_notification_period", ""),
            service_notification_period=attrs.get("service_notification_period", ""),
            host_notification_options=self._options(
                label, block, attrs, "host_notification_options"
            ),
            service_notification_options=self._options(
                label, block, attrs, "service_notification_options"
            ),
            host_notification_commands=words(attrs.get("host_notification_commands", "")),
            service_notification_commands=words(attrs.get("service_notification_commands", "")),
            min_business_impact=int(number(attrs.get("min_business_impact", "0")) or 0),
            on_ambiguous=ambiguous,
        )

    def _options(
        self, label: str, block: Block, attrs: dict[str, str], attr: str
    ) -> tuple[str, ...]:
        """Return the options; none given means ("n",): tell of nothing (Nagios, Shinken)."""
        given = letters(attrs.get(attr, ""), OPTIONS[attr])
        bad = [letter for letter in given if letter not in OPTIONS[attr] + "an"]
        if bad:
            self._complaints.warning(
                f"{_label(label, block, attr)}: {attr} has no '{bad[0]}' (it knows {','.join(OPTIONS[attr])},n)",
                block.where_of(attr),
            )
        return tuple(OPTIONS[attr]) if "a" in given else given or ("n",)

    def _undefined(
        self, label: str, block: Block, attr: str, what: str, name: str, known: Collection[str]
    ) -> None:
        self._complaints.error(
            f"{_label(label, block, attr)}: {attr}: {what} {name} is not defined",
            block.where_of(attr),
            did_you_mean(name, known),
        )


def _label(label: str, block: Block, attr: str) -> str:
    """Return who says `attr`, so that a mistake in a template is one complaint."""
    said_by = block.said_by(attr)
    return label if said_by is block else f"template {said_by.attrs.get('name', '')}"


def _says(attrs: dict[str, str], attr: str, default: bool) -> bool:
    found = yes(attrs[attr]) if attr in attrs else None
    return default if found is None else found
