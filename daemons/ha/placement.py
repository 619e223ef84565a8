"""Which scheduler runs which shard, and which keeps a copy of it. Pure; part of `dispatch.plan`.

What runs stays where it runs until its scheduler is dead. An orphan goes to the newest copy of its
state, else to an idle scheduler of its realm, else to a spare of a realm around it, else it is shared
out among those that run shards already, by load and weight.
"""

import heapq
from collections.abc import Callable
from functools import partial

from daemons.ha.view import Seen, Tree, View, called, keeps, plight, usable
from daemons.model.objects import ShardDef
from daemons.wire.messages import Placed

COPY_COST = 0.25  # of standing by for a shard, against running it: memory, but no checks
Rank = tuple[object, ...]


def in_step(shard: ShardDef, owner: Seen | None, target: Seen) -> bool:
    """Return whether `target` can take `shard` over from `owner` at once: body there, following.

    How far it follows to the last delta is seen by the owner itself, when it hands over.
    """
    epochs = [h.epoch for h in owner.holds if h.id == shard.id] if owner is not None else []
    return any(
        h.id == shard.id
        and h.version == shard.version
        and h.copied_epoch
        and h.copied_epoch in epochs
        for h in target.holds
    )


class _Queue:
    """The names of a crew, the best first. Ranks may only get worse while it is used."""

    def __init__(self, crew: list[Seen], rank: Callable[[Seen], Rank]) -> None:
        self._rank = rank
        self._crew = {s.define.name: s for s in crew}
        self._heap = [(rank(s), s.define.name) for s in crew]
        heapq.heapify(self._heap)

    def first(self, fits: Callable[[Seen], bool] = lambda seen: True) -> str:
        """Return the best that fits, "" if none does."""
        put_back = []
        found = ""
        while self._heap and not found:
            rank, name = heapq.heappop(self._heap)
            now = self._rank(self._crew[name])
            if now != rank:
                heapq.heappush(self._heap, (now, name))
                continue
            put_back.append((rank, name))
            if fits(self._crew[name]):
                found = name
        for entry in put_back:
            heapq.heappush(self._heap, entry)
        return found


class Placement:
    """One planning of all shards."""

    def __init__(self, view: View, tree: Tree) -> None:
        """Nothing is decided yet."""
        self._view, self._tree = view, tree
        self.why: list[str] = []
        self.problems: list[str] = []
        self.owners: dict[int, str] = {}
        self.standbys: dict[int, str] = {}
        self._last = {placed.id: placed for placed in view.placed}
        self._schedulers = {s.define.name: s for s in view.daemons if s.define.role == "scheduler"}
        self._load = dict.fromkeys(self._schedulers, 0.0)  # checks run, by weight
        self._copies = dict.fromkeys(
            self._schedulers, 0.0
        )  # shards run, and copies kept, as shards
        self._crews: dict[str, list[Seen]] = {}
        self._copied: dict[int, list[tuple[tuple[int, int], str]]] = {}
        self._running: dict[int, list[tuple[int, str]]] = {}
        for seen in self._schedulers.values():
            for held in seen.holds:
                if held.copied_epoch:
                    at = (held.copied_epoch, held.copied_n)
                    self._copied.setdefault(held.id, []).append((at, seen.define.name))
                if held.epoch and keeps(self._view, seen):
                    self._running.setdefault(held.id, []).append((held.epoch, seen.define.name))

    def decide(self) -> None:
        """Fill `owners` and `standbys`."""
        orphans = []
        for shard in self._view.shards:
            owner = self._wished_owner(shard, self._owner_now(shard))
            if owner:
                self._give(shard, owner)
            else:
                orphans.append(shard)
        by_realm: dict[str, list[ShardDef]] = {}
        for shard in orphans:
            by_realm.setdefault(shard.realm, []).append(shard)
        for realm in sorted(by_realm):
            self._adopt(realm, by_realm[realm])
        self._stand_by()

    def _give(self, shard: ShardDef, owner: str) -> None:
        self.owners[shard.id] = owner
        self._load[owner] += (
            max(1, shard.hosts + shard.services) / self._schedulers[owner].define.weight
        )
        self._copies[owner] += 1.0

    def _crew(self, realm: str) -> list[Seen]:
        """Return the schedulers that may run shards of `realm`."""
        if realm not in self._crews:
            self._crews[realm] = [
                s for s in self._schedulers.values() if self._tree.far(s.define, realm) >= 0
            ]
        return self._crews[realm]

    def _serves(self, name: str, realm: str) -> bool:
        seen = self._schedulers.get(name)
        return (
            seen is not None and keeps(self._view, seen) and self._tree.far(seen.define, realm) >= 0
        )

    def _owner_now(self, shard: ShardDef) -> str:
        """The scheduler that runs or is to run `shard` already and may go on; "" if none."""
        last = self._last.get(shard.id)
        if last is not None and last.scheduler:
            return last.scheduler if self._serves(last.scheduler, shard.realm) else ""
        running = [r for r in self._running.get(shard.id, ()) if self._serves(r[1], shard.realm)]
        return max(running)[1] if running else ""

    def _wished_owner(self, shard: ShardDef, owner: str) -> str:
        """The scheduler that an operator or a failback wants to have it, if that can be; else `owner`."""
        wish = self._view.wished(f"shard/{shard.id}")
        target = self._schedulers.get(wish.to) if wish is not None else None
        if wish is None or target is None or wish.to == owner:
            return owner
        if self._tree.far(target.define, shard.realm) < 0:
            return owner
        ready = usable(target) and in_step(shard, self._schedulers.get(owner), target)
        if not (ready or wish.force):
            return owner
        self.why.append(f"shard {shard.id} moves from {owner or 'nobody'} to {wish.to}, as ordered")
        return wish.to

    # -- shards without an owner

    def _adopt(self, realm: str, orphans: list[ShardDef]) -> None:
        """Give each shard of `realm` without an owner the best scheduler there is.

        A copy of its state counts more than being a master: a spare that followed the journal goes on
        where the dead one stopped, an empty master would start PENDING.
        """
        crew = self._crew(realm)

        def rank(seen: Seen) -> Rank:
            name, define = seen.define.name, seen.define
            far = self._tree.far(define, realm)
            return (self._load[name] > 0, far, self._load[name], define.spare, -define.weight, name)

        queue = _Queue([s for s in crew if usable(s)], rank)
        awaited = sum(
            s.health == "unknown"
            and not s.define.spare
            and s.define.realm == realm
            and not self._load[n]
            for n, s in self._schedulers.items()
        )
        for shard in sorted(orphans, key=lambda s: (-(s.hosts + s.services), s.id)):
            found = self._newest_copy(shard, rank) or queue.first()
            seen = self._schedulers.get(found)
            second_best = seen is None or seen.define.spare or self._load[found] > 0
            if awaited and second_best:
                awaited -= 1
                continue  # a master may still be starting; it becomes alive or dead within seconds
            before = self._last[shard.id].scheduler if shard.id in self._last else ""
            if not found:
                what = f"shard {shard.id} of realm {called(realm)} ({shard.hosts} hosts)"
                self.problems.append(
                    f"{what} has no live scheduler: {plight(crew) or 'none is defined'}"
                )
                continue
            self._give(shard, found)
            cause = "it has no scheduler"
            if before:
                dead = before in self._schedulers and not keeps(
                    self._view, self._schedulers[before]
                )
                cause = (
                    f"{before} is dead" if dead else f"{before} no longer serves {called(realm)}"
                )
            self.why.append(f"shard {shard.id} goes to {found}: {cause}")

    def _newest_copy(self, shard: ShardDef, rank: Callable[[Seen], Rank]) -> str:
        copies = [
            (at, self._schedulers[name])
            for at, name in self._copied.get(shard.id, ())
            if usable(self._schedulers[name]) and self._serves(name, shard.realm)
        ]
        if not copies:
            return ""
        newest = max(at for at, _ in copies)
        return min((s for at, s in copies if at == newest), key=rank).define.name

    # -- standbys

    def _stand_by(self) -> None:
        """Choose who keeps a copy: on another server than the owner where there is one.

        The one that has it keeps it. A spare stands by for several shards before a master stands by
        for a second one: a copy costs memory, running costs more.
        """
        fresh: dict[str, list[ShardDef]] = {}
        for shard in self._view.shards:
            owner = self.owners.get(shard.id, "")
            before = self._last[shard.id].standby if shard.id in self._last else ""
            wish = self._view.wished(f"shard/{shard.id}") or self._view.wished(f"copy/{shard.id}")
            if wish is not None and self._may_copy(wish.to, shard):
                self._follow(shard, wish.to)  # so that it comes into step
            elif self._may_copy(before, shard) and self._elsewhere_than(
                owner, self._schedulers[before]
            ):
                self._follow(shard, before)
            else:
                fresh.setdefault(shard.realm, []).append(shard)
        for realm, shards in sorted(fresh.items()):
            crew = [s for s in self._crew(realm) if s.health in ("alive", "suspect")]

            def rank(seen: Seen, realm: str = realm) -> Rank:
                far = self._tree.far(seen.define, realm)
                name = seen.define.name
                copies = self._copies[name]
                return (int(copies), not seen.define.spare, far, copies, name)

            queue = _Queue(crew, rank)
            for shard in shards:
                owner = self.owners.get(shard.id, "")
                before = self._last[shard.id].standby if shard.id in self._last else ""
                found = queue.first(partial(self._elsewhere_than, owner))
                if not found and self._may_copy(before, shard):
                    found = before
                self._follow(shard, found or queue.first(partial(_other_than, owner)))

    def _follow(self, shard: ShardDef, name: str) -> None:
        self.standbys[shard.id] = name
        if name:
            self._copies[name] += COPY_COST

    def _may_copy(self, name: str, shard: ShardDef) -> bool:
        seen = self._schedulers.get(name)
        return (
            seen is not None
            and seen.health in ("alive", "suspect")
            and name != self.owners.get(shard.id)
            and self._tree.far(seen.define, shard.realm) >= 0
        )

    def _elsewhere_than(self, owner: str, seen: Seen) -> bool:
        """Whether `seen` is on another server than the owner."""
        at = self._schedulers.get(owner)
        return at is None or at.define.address != seen.define.address


def _other_than(owner: str, seen: Seen) -> bool:
    return seen.define.name != owner


def place(view: View, tree: Tree) -> tuple[Placement, tuple[Placed, ...]]:
    """Return the decisions, and each shard with its scheduler and standby; satellites are not filled in."""
    decided = Placement(view, tree)
    decided.decide()
    shards = tuple(
        Placed(
            id=shard.id,
            realm=shard.realm,
            version=shard.version,
            scheduler=decided.owners.get(shard.id, ""),
            standby=decided.standbys[shard.id],
        )
        for shard in view.shards
    )
    return decided, shards
