"""Which satellites serve which realm. Pure; part of `dispatch.plan`.

Pollers and reactionners share the load: all masters, and a spare only for a kind of work (a tag) that
a dead master leaves undone. One broker and one receiver serve a realm, and go on until they die.
"""

from collections import Counter
from collections.abc import Collection

from daemons.ha.view import Seen, Tree, View, called, keeps, plight, relieved, usable
from daemons.model.cluster import RoleName

SHARING: tuple[RoleName, ...] = ("poller", "reactionner")
SINGLES: tuple[RoleName, ...] = ("broker", "receiver")
Crew = tuple[str, ...]  # names, sorted
Crews = dict[tuple[str, RoleName], Crew]  # by realm and role


def crews(view: View, tree: Tree, why: list[str], problems: list[str]) -> Crews:
    """Return who serves each realm that has shards (any realm, while there are no shards)."""
    realms = {shard.realm for shard in view.shards} or {
        s.define.realm for s in view.daemons if s.define.role != "arbiter"
    }
    found: Crews = {}
    for realm in sorted(realms):
        for role in (*SHARING, *SINGLES):
            one = _Manning(view, tree, realm, role)
            sharing = role in SHARING or (role == "broker" and tree.complete_links(realm))
            found[realm, role] = tuple(sorted(one.sharing() if sharing else one.single()))
            why += one.why
            problems += one.problems
    return found


class _Manning:
    """One role in one realm."""

    def __init__(self, view: View, tree: Tree, realm: str, role: RoleName) -> None:
        self.why: list[str] = []
        self.problems: list[str] = []
        self._view, self._realm, self._role = view, realm, role
        self._shards = [shard for shard in view.shards if shard.realm == realm]
        self._far = {
            s.define.name: far
            for s in view.daemons
            if s.define.role == role and (far := tree.far(s.define, realm)) >= 0
        }
        self._seen = [s for s in view.daemons if s.define.name in self._far]
        last = next((placed for placed in view.placed if placed.realm == realm), None)
        if last is not None:
            before = {
                "poller": last.pollers,
                "reactionner": last.reactionners,
                "broker": last.brokers,
                "receiver": last.receivers,
            }[role]
            self._served = {name for name in before if name in self._far}
        else:
            self._served = {s.define.name for s in self._seen if s.active}

    def sharing(self) -> set[str]:
        """Names of those that share the load.

        All masters that are not dead. For each tag, as many as there are masters of it; one if only a
        spare carries a tag that checks of the realm ask for.
        """
        view = self._view
        away = relieved(view, self._seen)
        masters = [s for s in self._seen if not s.define.spare]
        staying = [s for s in masters if keeps(view, s) and s.define.name not in away]
        if view.frozen and self._served:
            staying = [s for s in staying if self._was(s) or usable(s)]
        chosen = {s.define.name for s in staying} | {to for to in away.values() if to}
        lacking = Counter(tag for s in masters for tag in s.define.takes)
        for tag in self._asked():
            lacking[tag] = lacking[tag] or 1
        lacking.subtract(t for s in self._seen if s.define.name in chosen for t in s.define.takes)
        for spare in self._free_spares(chosen | away.keys()):
            takes = set(spare.define.takes)
            if all(lacking[tag] <= 0 for tag in takes):
                continue
            lacking.subtract(takes)
            chosen.add(spare.define.name)
            if not self._was(spare):
                gone = [m for m in masters if m not in staying and takes & set(m.define.takes)]
                self._takes_over(spare, gone, away)
        self._complain(chosen)
        return chosen

    def _free_spares(self, taken: set[str]) -> list[Seen]:
        """Return the spares that may serve, those that do first, then the nearest."""
        able = [
            s
            for s in self._seen
            if s.define.spare
            and s.define.name not in taken
            and (usable(s) or (self._was(s) and keeps(self._view, s)))
        ]
        able.sort(key=lambda s: (not self._was(s), self._far[s.define.name], s.define.name))
        return able

    def single(self) -> set[str]:
        """Name of the only one: the one that serves already, else the nearest master, else a spare."""

        def rank(seen: Seen) -> tuple[int, bool, str]:
            return (self._far[seen.define.name], seen.define.spare, seen.define.name)

        view = self._view
        away = relieved(view, self._seen)
        now = sorted((s for s in self._seen if self._was(s) and keeps(view, s)), key=rank)
        old = next((s.define.name for s in now if s.define.name in away), "")
        if old:
            free = [s for s in self._seen if usable(s) and s.define.name not in away]
            free.sort(key=lambda s: (s.define.name != away[old], rank(s)))
            self.why.append(f"{free[0].define.name} relieves {old}")
            return {free[0].define.name}
        if now:
            return {now[0].define.name}
        nearest = min(self._far.values(), default=0)
        masters = [
            s for s in self._seen if not s.define.spare and self._far[s.define.name] == nearest
        ]
        if any(s.health == "unknown" for s in masters) and all(keeps(view, s) for s in masters):
            return set()  # its master has not spoken yet: nobody was active, so nothing is urgent
        free = sorted((s for s in self._seen if usable(s)), key=rank)
        if free:
            self._takes_over(free[0], [m for m in masters if not keeps(view, m)], away)
            return {free[0].define.name}
        self._complain(set())
        return set()

    def _was(self, seen: Seen) -> bool:
        return seen.define.name in self._served

    def _asked(self) -> set[str]:
        """Tags that work of this realm asks for."""
        if not self._shards or self._role not in SHARING:
            return {""}
        if self._role == "poller":
            return {tag for shard in self._shards for tag in shard.poller_tags}
        return {tag for shard in self._shards for tag in shard.reactionner_tags}

    def _takes_over(self, seen: Seen, gone: list[Seen], away: Collection[str]) -> None:
        name, realm = seen.define.name, called(self._realm)
        how = "relieved" if any(s.define.name in away for s in gone) else "dead"
        names = ", ".join(s.define.name for s in gone)
        whom = f": {names} is {how}" if names else ""
        if self._role in SHARING:
            self.why.append(f"{name} stands in for a {how} {self._role} of {realm}{whom}")
        else:
            self.why.append(f"{name} becomes the active {self._role} of {realm}{whom}")

    def _complain(self, chosen: set[str]) -> None:
        """Say which work of the realm nobody does."""
        realm = called(self._realm)
        if not chosen:
            if self._seen:
                self.problems.append(
                    f"no {self._role} is alive in realm {realm}: {plight(self._seen)}"
                )
            return
        done = {tag for s in self._seen if s.define.name in chosen for tag in s.define.takes}
        for tag in sorted(self._asked() - done) if self._shards else ():
            able = [s for s in self._seen if tag in s.define.takes]
            what = f"{self._role}_tag {tag}" if tag else f"no {self._role}_tag"
            reason = plight(able) if able else f"none of its {self._role}s takes that"
            self.problems.append(f"nobody does the work of realm {realm} with {what}: {reason}")
