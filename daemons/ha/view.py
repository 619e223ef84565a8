"""What a leader sees, as `plan` is given it: daemons, shards, realms and the last plan. Frozen.

The one thing to know: a realm is served from itself and from the realms around it: by satellites that
`manage_sub_realms`, and by spare schedulers.
"""

from collections.abc import Iterable

from msgspec import Struct

from daemons.ha.health import State
from daemons.model.cluster import DaemonDef, RealmDef
from daemons.model.objects import ShardDef
from daemons.wire.messages import Placed, ShardHeld

NAMED_MAX = 8  # in one sentence


class Seen(Struct, frozen=True):
    """One daemon as the leader sees it."""

    define: DaemonDef
    health: State
    active: bool = False  # on the last roster, or by its own report where there is none yet
    holds: tuple[ShardHeld, ...] = ()  # schedulers


class Wish(Struct, frozen=True, array_like=True):
    """An operator, or a failback, wants `what` to be done by the daemon `to`.

    It is obeyed while `to` is usable, and then only; who owns a wish drops it when it is spent.
    """

    what: str  # "shard/<id>", "copy/<id>" (stand by only), or the name of the daemon to be relieved
    to: str  # "" = by whoever can
    force: bool = False  # also where `to` is not in step: the operator said so


class View(Struct, frozen=True):
    """Everything `plan` may base a decision on."""

    leader: str
    daemons: tuple[Seen, ...]
    shards: tuple[ShardDef, ...]
    placed: tuple[Placed, ...] = ()  # the last plan, of this leader or of one before it
    wishes: tuple[Wish, ...] = ()
    frozen: bool = False  # paused: nothing moves off a dead daemon; wishes are obeyed all the same
    realms: tuple[RealmDef, ...] = ()

    def wished(self, what: str) -> Wish | None:
        """Return the last wish about `what`."""
        return next((wish for wish in reversed(self.wishes) if wish.what == what), None)


def usable(seen: Seen) -> bool:
    """May it be given new work?"""
    return seen.health == "alive"


def keeps(view: View, seen: Seen) -> bool:
    """May it keep the work it has?"""
    return seen.health != "dead" or view.frozen


def relieved(view: View, seen: Iterable[Seen]) -> dict[str, str]:
    """Return who of `seen` is relieved, and by whom: only while somebody usable can do the work."""
    if not view.wishes:
        return {}
    wishes = {w.what: w.to for w in view.wishes}
    names = {s.define.name for s in seen}
    free = {s.define.name for s in seen if usable(s)}
    return {
        name: to
        for name, to in wishes.items()
        if name in names and (to in free if to else bool(free - wishes.keys()))
    }


def called(realm: str) -> str:
    """Return a realm's name for a sentence."""
    return realm or "Default"


def plight(seen: Iterable[Seen]) -> str:
    """Return what keeps each of these from the work, for a sentence: "p1 is dead, p2 takes only dmz"."""
    told = [f"{s.define.name} {_state(s)}" for s in seen]
    more = [f"and {len(told) - NAMED_MAX} more"] if len(told) > NAMED_MAX else []
    return ", ".join(told[:NAMED_MAX] + more)


def _state(seen: Seen) -> str:
    if seen.health == "alive" and "" not in seen.define.takes:
        return f"takes only {', '.join(seen.define.takes)}"
    return {"unknown": "was not heard yet", "suspect": "is suspect"}.get(
        seen.health, f"is {seen.health}"
    )


class Tree:
    """The realms, for the question who serves where."""

    def __init__(self, realms: Iterable[RealmDef]) -> None:
        """Realms that are not named here stand alone."""
        self._realms = {realm.name: realm for realm in realms}
        self._paths: dict[str, tuple[str, ...]] = {}

    def path(self, realm: str) -> tuple[str, ...]:
        """Return `realm` and the realms around it, the nearest first."""
        found = self._paths.get(realm)
        if found is None:
            path = [realm]
            while (at := self._realms.get(path[-1])) and at.parent and at.parent not in path:
                path.append(at.parent)
            found = self._paths[realm] = tuple(path)
        return found

    def complete_links(self, realm: str) -> bool:
        """Return whether every broker follows every shard of `realm`."""
        return realm in self._realms and self._realms[realm].broker_complete_links

    def far(self, define: DaemonDef, realm: str) -> int:
        """Return how many realms out of `realm` a daemon that serves it lives, -1 when it does not."""
        if define.realm == realm:
            return 0
        looks_in = define.spare if define.role == "scheduler" else define.manage_sub_realms
        path = self.path(realm)
        return path.index(define.realm) if looks_in and define.realm in path else -1
