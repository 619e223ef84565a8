"""Realms: parts of the world with their own satellites; they may nest.

The one thing to know: with no realm defined there is one called Default; what names no realm belongs to
the default one, and where realms are defined and none says `default 1` that is an error (Shinken).
"""

from msgspec import Struct

from daemons.config.circles import circles
from daemons.config.complain import Complaints, did_you_mean
from daemons.config.lexer import Block
from daemons.config.values import words, yes
from daemons.model.cluster import RealmDef

IMPLICIT = "Default"


class Realms(Struct, frozen=True):
    """The realms of a configuration."""

    names: tuple[str, ...]
    default: str
    parent: dict[str, str] = {}  # of a realm inside another
    complete_links: frozenset[str] = frozenset()  # realms where every broker follows every shard
    without_default: bool = (
        False  # none says `default 1`: `default` is the first outermost, for what goes on
    )

    def find(self, name: str) -> str | None:
        """Return the realm called `name`, the default for "", None when there is none."""
        if not name:
            return self.default
        return name if name in self.names else None

    def above(self, name: str) -> tuple[str, ...]:
        """Return the realms that contain `name`, the nearest first."""
        found: list[str] = []
        while name in self.parent and self.parent[name] not in found:
            name = self.parent[name]
            found.append(name)
        return tuple(found)

    def needed(self, who: str, where: str, complaints: Complaints) -> None:
        """Complain of `who`, which names no realm, when no realm is the default."""
        if self.without_default:
            complaints.error(
                f"{who} names no realm, and no realm is the default",
                where,
                f"give realm {self.default} 'default 1', or name a realm",
            )

    def defs(self) -> tuple[RealmDef, ...]:
        """Return the realms as the cluster keeps them, by name."""
        return tuple(
            RealmDef(name, self.parent.get(name, ""), name in self.complete_links)
            for name in sorted(self.names)
        )


def realms_of(objects: dict[str, tuple[Block, dict[str, str]]], complaints: Complaints) -> Realms:
    """Return the realms; complain about unknown members and about more than one default."""
    if not objects:
        return Realms((IMPLICIT,), IMPLICIT)
    parent: dict[str, str] = {}
    inside: dict[str, list[str]] = {}
    defaults = []
    for name, (block, attrs) in objects.items():
        if yes(attrs.get("default", "0")):
            defaults.append(name)
        for attr in ("realm_members", "members"):
            for inner in words(attrs.get(attr, "")):
                if inner not in objects:
                    complaints.error(
                        f"realm {name}: realm {inner} is not defined",
                        block.where_of(attr),
                        did_you_mean(inner, objects),
                    )
                else:
                    parent.setdefault(inner, name)
                    inside.setdefault(name, []).append(inner)
    for circle in circles(inside):
        complaints.error(
            f"realms lie in each other: {' -> '.join((*circle, circle[0]))}",
            objects[circle[0]][0].where_of("realm_members"),
            "take one of them out of realm_members",
        )
    if len(defaults) > 1:
        complaints.error(
            f"more than one realm is the default: {', '.join(defaults)}",
            objects[defaults[-1]][0].where_of("default"),
        )
    names = tuple(objects)
    outermost = [name for name in names if name not in parent]
    default = defaults[0] if defaults else (outermost or list(names))[0]
    complete = (n for n, (_, a) in objects.items() if yes(a.get("broker_complete_links", "0")))
    return Realms(names, default, parent, frozenset(complete), not defaults)
