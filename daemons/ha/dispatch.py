"""Who should do what: from what a leader sees to the roster it orders. Pure, stable, adopting.

Stable: planned again on its own outcome it changes nothing. Adopting: what runs goes on running where
it runs, whoever planned it, unless its daemon is dead.
"""

from collections.abc import Iterable

from msgspec import Struct

from daemons.ha.health import State
from daemons.model.cluster import DaemonDef, RoleName
from daemons.model.objects import ShardDef
from daemons.wire.messages import Member, Placed, ShardHeld

SATELLITES: tuple[RoleName, ...] = ("poller", "reactionner")  # share the load
SINGLES: tuple[RoleName, ...] = ("broker", "receiver")  # one active per realm


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

    what: str  # "shard/<id>", or the name of the daemon that is to be relieved
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


class Plan(Struct, frozen=True):
    """What the roster should say, and a sentence for each thing that changed and why."""

    members: tuple[Member, ...]
    shards: tuple[Placed, ...]
    why: tuple[str, ...]
    problems: tuple[str, ...]  # what could not be placed


def plan(view: View) -> Plan:
    """Return who is active and where each shard runs."""
    why: list[str] = []
    problems: list[str] = []
    active = {view.leader}
    for realm in sorted({s.define.realm for s in view.daemons if s.define.role != "arbiter"}):
        for role in SATELLITES:
            active |= _crew(view, realm, role, why, problems)
        for role in SINGLES:
            active |= _single(view, realm, role, why, problems)
    shards = _placements(view, active, why, problems)
    active |= {shard.scheduler for shard in shards if shard.scheduler}
    members = tuple(
        Member(
            name=s.define.name,
            role=s.define.role,
            realm=s.define.realm,
            spare=s.define.spare,
            active=s.define.name in active,
            tags=s.define.tags,
        )
        for s in view.daemons
    )
    return Plan(members, shards, tuple(why), tuple(problems))


def _usable(seen: Seen) -> bool:
    """May it be given new work?"""
    return seen.health == "alive"


def _keeps(view: View, seen: Seen) -> bool:
    """May it keep the work it has?"""
    return seen.health != "dead" or view.frozen


def _wished(view: View, what: str) -> Wish | None:
    """Return the last wish about `what`."""
    return next((wish for wish in reversed(view.wishes) if wish.what == what), None)


def _relieved(view: View, seen: list[Seen]) -> dict[str, str]:
    """Return who of `seen` is relieved, and by whom: only while somebody usable can do the work."""
    usable = {s.define.name for s in seen if _usable(s)}
    relieved = {w.what: w.to for w in view.wishes}
    return {
        s.define.name: relieved[s.define.name]
        for s in seen
        if s.define.name in relieved
        and (usable - relieved.keys() if not relieved[s.define.name] else relieved[s.define.name] in usable)
    }


def _of(view: View, realm: str, role: RoleName) -> list[Seen]:
    return [s for s in view.daemons if s.define.role == role and s.define.realm == realm]


def _crew(view: View, realm: str, role: RoleName, why: list[str], problems: list[str]) -> set[str]:
    """Names of the active ones of a role that shares the load.

    All masters that are not dead; per dead master one spare with the same tags, so that the number of
    those that can do a kind of work stays (a tagged spare does not stand in for untagged work).
    """
    seen = _of(view, realm, role)
    chosen: set[str] = set()
    for tags in sorted({s.define.tags for s in seen}):
        group = [s for s in seen if s.define.tags == tags]
        masters = [s for s in group if not s.define.spare]
        relieved = _relieved(view, group)
        staying = [s for s in masters if _keeps(view, s) and s.define.name not in relieved]
        if view.frozen and any(s.active for s in group):
            staying = [s for s in staying if s.active or _usable(s)]
        chosen |= {s.define.name for s in staying}
        chosen |= {to for to in relieved.values() if to}
        lacking = len(masters) - len(staying) if masters else 1
        lacking -= len([to for to in relieved.values() if to])
        spares = sorted(
            (
                s
                for s in group
                if s.define.spare
                and s.define.name not in chosen
                and s.define.name not in relieved
                and (_usable(s) or (s.active and _keeps(view, s)))
            ),
            key=lambda s: (not s.active, s.define.name),
        )
        for spare in spares[: max(0, lacking)]:
            chosen.add(spare.define.name)
            if not spare.active:
                gone = "a relieved" if relieved else "a dead"
                why.append(
                    f"{spare.define.name} stands in for {gone} {role} of {realm or 'Default'}"
                )
    if seen and not chosen:
        problems.append(f"no {role} is alive in realm {realm or 'Default'}")
    return chosen


def _single(
    view: View, realm: str, role: RoleName, why: list[str], problems: list[str]
) -> set[str]:
    """Name of the one active broker or receiver: the one that is, else a master, else a spare."""
    seen = _of(view, realm, role)
    relieved = _relieved(view, seen)
    now = sorted((s for s in seen if s.active and _keeps(view, s)), key=lambda s: s.define.name)
    if any(s.define.name in relieved for s in now):
        old = next(s.define.name for s in now if s.define.name in relieved)
        free = [s for s in seen if _usable(s) and s.define.name not in relieved]
        free.sort(key=lambda s: (s.define.name != relieved[old], s.define.spare, s.define.name))
        why.append(f"{free[0].define.name} relieves {old}")
        return {free[0].define.name}
    if now:
        masters = [s for s in now if not s.define.spare]
        return {(masters or now)[0].define.name}
    fresh = [s for s in seen if not s.define.spare and s.health == "unknown"]
    if fresh and not any(s.health == "dead" for s in seen if not s.define.spare):
        return set()  # its master has not spoken yet: nobody was active, so nothing is urgent
    free = sorted((s for s in seen if _usable(s)), key=lambda s: (s.define.spare, s.define.name))
    if free:
        why.append(f"{free[0].define.name} becomes the active {role} of {realm or 'Default'}")
        return {free[0].define.name}
    if seen:
        problems.append(f"no {role} is alive in realm {realm or 'Default'}")
    return set()


def _placements(
    view: View, active: set[str], why: list[str], problems: list[str]
) -> tuple[Placed, ...]:
    last = {shard.id: shard for shard in view.placed}
    schedulers = {s.define.name: s for s in view.daemons if s.define.role == "scheduler"}
    owners: dict[int, str] = {}
    for shard in view.shards:
        owner = _owner_now(view, shard, last.get(shard.id), schedulers)
        wish = _wished(view, f"shard/{shard.id}")
        if wish is not None and wish.to != owner and _may_move(shard, owner, wish, schedulers):
            why.append(f"shard {shard.id} moves from {owner or 'nobody'} to {wish.to}, as ordered")
            owner = wish.to
        if owner:
            owners[shard.id] = owner
    for shard in view.shards:
        if shard.id in owners:
            continue
        found = _new_owner(shard, list(schedulers.values()), owners)
        if found:
            owners[shard.id] = found
            before = last[shard.id].scheduler if shard.id in last else ""
            cause = f"{before} is dead" if before else "it has no scheduler"
            why.append(f"shard {shard.id} goes to {found}: {cause}")
        else:
            problems.append(
                f"shard {shard.id} of realm {shard.realm or 'Default'} has no live scheduler"
            )
    standbys: dict[int, str] = {}
    for shard in view.shards:
        before = last[shard.id].standby if shard.id in last else ""
        wish = _wished(view, f"shard/{shard.id}")
        standbys[shard.id] = _standby(shard, list(schedulers.values()), owners, before, wish)
    return tuple(
        Placed(
            id=shard.id,
            realm=shard.realm,
            version=shard.version,
            scheduler=owners.get(shard.id, ""),
            standby=standbys[shard.id],
            pollers=_serving(view, shard.realm, "poller", active),
            reactionners=_serving(view, shard.realm, "reactionner", active),
            brokers=_serving(view, shard.realm, "broker", active),
            receivers=_serving(view, shard.realm, "receiver", active),
        )
        for shard in view.shards
    )


def in_step(shard: ShardDef, owner: Seen | None, target: Seen) -> bool:
    """Return whether `target` can take `shard` over from `owner` at once: body there, following.

    How far it follows to the last delta is seen by the owner itself, when it hands over.
    """
    epochs = [h.epoch for h in owner.holds if h.id == shard.id] if owner is not None else []
    return any(
        h.id == shard.id and h.version == shard.version and h.copied_epoch and h.copied_epoch in epochs
        for h in target.holds
    )


def _may_move(shard: ShardDef, owner: str, wish: Wish, schedulers: dict[str, Seen]) -> bool:
    """Whether the scheduler that is wished for can have the shard now."""
    target = schedulers.get(wish.to)
    if target is None or not (_usable(target) or wish.force):
        return False
    return wish.force or in_step(shard, schedulers.get(owner), target)


def _owner_now(
    view: View, shard: ShardDef, last: Placed | None, schedulers: dict[str, Seen]
) -> str:
    """The scheduler that runs or is to run `shard` already and may go on; "" if none."""
    going = schedulers.get(last.scheduler) if last is not None else None
    if last is not None and going is not None and _keeps(view, going):
        return last.scheduler
    if last is not None and last.scheduler:
        return ""
    running = [
        (held.epoch, s.define.name)
        for s in schedulers.values()
        if _keeps(view, s) and s.define.realm == shard.realm
        for held in s.holds
        if held.id == shard.id and held.epoch
    ]
    return max(running)[1] if running else ""


def _new_owner(shard: ShardDef, schedulers: Iterable[Seen], owners: dict[int, str]) -> str:
    """The best scheduler for a shard without one.

    A copy of its state counts more than being a master: a spare that followed the journal goes on
    where the dead one stopped, an empty master would start PENDING.
    """

    def rank(seen: Seen) -> tuple[object, ...]:
        copy = max(
            ((-h.copied_epoch, -h.copied_n) for h in seen.holds if h.id == shard.id), default=(0, 0)
        )
        load = sum(1 for name in owners.values() if name == seen.define.name)
        return (copy, load, seen.define.spare, seen.define.name)

    masters_silent = any(
        s.health == "unknown" and not s.define.spare
        for s in schedulers
        if s.define.realm == shard.realm
    )
    crew = [s for s in schedulers if _usable(s) and s.define.realm == shard.realm]
    if masters_silent and all(s.define.spare for s in crew):
        return ""  # a master may still be starting; it becomes alive or dead within seconds
    return min(crew, key=rank).define.name if crew else ""


def _standby(
    shard: ShardDef,
    schedulers: Iterable[Seen],
    owners: dict[int, str],
    before: str,
    wish: Wish | None,
) -> str:
    """The scheduler that keeps a copy: on another server than the owner where there is one."""
    owner = owners.get(shard.id, "")
    where = {s.define.name: s.define.address for s in schedulers}

    def rank(seen: Seen) -> tuple[object, ...]:
        return (
            wish is None or seen.define.name != wish.to,
            seen.define.address == where.get(owner, ""),
            seen.define.name != before,
            not seen.define.spare,
            sum(1 for name in owners.values() if name == seen.define.name),
            seen.define.name,
        )

    crew = [
        s
        for s in schedulers
        if s.define.realm == shard.realm
        and s.define.name != owner
        and s.health in ("alive", "suspect")
    ]
    return min(crew, key=rank).define.name if crew else ""


def _serving(view: View, realm: str, role: RoleName, active: set[str]) -> tuple[str, ...]:
    return tuple(sorted(s.define.name for s in _of(view, realm, role) if s.define.name in active))
