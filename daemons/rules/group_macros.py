"""The macros of groups and realms: `$HOSTGROUPALIAS$`, `$SERVICEGROUPMEMBERS:web$`.

Nagios Core docs, "Standard Macros in Nagios". The one thing to know: members are those of this shard, since
groups are cut with their shard.
"""

from collections.abc import Iterable, Mapping

from daemons.model.objects import Group
from daemons.rules.template import Lookup

_LOOKS = {"NOTES": "notes", "NOTESURL": "notes_url", "ACTIONURL": "action_url"}
_PARTS = ("NAME", "ALIAS", "MEMBERS", *_LOOKS)
HOSTGROUP_MACROS = frozenset(f"HOSTGROUP{part}" for part in _PARTS)
SERVICEGROUP_MACROS = frozenset(f"SERVICEGROUP{part}" for part in _PARTS)
CONTACTGROUP_MACROS = frozenset(f"CONTACTGROUP{part}" for part in _PARTS)


def group_macros(kind: str, group: Group) -> Lookup:
    """Return the lookup of one group's macros; `kind` is "HOSTGROUP", "SERVICEGROUP" or "CONTACTGROUP"."""

    def ask(name: str) -> str | None:
        if not name.startswith(kind):
            return None
        part = name[len(kind) :]
        match part:
            case "NAME":
                return group.name
            case "ALIAS":
                return group.alias or group.name
            case "MEMBERS":
                return ",".join(group.members).replace(";", ",")
        return group.shown.get(_LOOKS[part], "") if part in _LOOKS else None

    return ask


def first_group(kind: str, names: Iterable[str], groups: Mapping[str, Group]) -> Lookup:
    """Return the lookup of the first group of an object: what `$HOSTGROUPALIAS$` without a name means."""
    for name in names:
        if name in groups:
            return group_macros(kind, groups[name])
    return _nothing


def realm_macros(realm: str, members: tuple[str, ...]) -> Lookup:
    """Return the lookup of a realm's macros; `members` are the realms in it."""
    return {"REALMNAME": realm, "REALMMEMBERS": ",".join(members)}.get


def _nothing(_: str) -> str | None:
    return None
