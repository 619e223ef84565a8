"""What an operator's order moves, and what would move if something died: the same plan, asked ahead.

Pure. The one thing to know: an order becomes *wishes*, which the planner obeys once it is safe; what it
cannot obey safely is said here, as a refusal, or as what is unsafe about forcing it.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from daemons.ha.dispatch import Plan, in_step, plan
from daemons.ha.view import Seen, Tree, View, Wish, usable
from daemons.model.cluster import RoleName
from daemons.wire.messages import Placed
from daemons.wire.operations import Move

SHARING: tuple[RoleName, ...] = ("poller", "reactionner")
LOSS: dict[str, str] = {
    "poller": "checks it was running are run again by others",
    "reactionner": "a notification it was sending is sent again, tagged as a possible duplicate",
    "broker": "log lines it had stored but not yet acknowledged are written again on the other server",
    "receiver": "commands in its spool that no scheduler had taken wait there until its server is back",
}


class Order(Struct, frozen=True):
    """What an operator's words come to."""

    wishes: tuple[Wish, ...] = ()
    moves: tuple[Move, ...] = ()
    lead: str = ""  # arbiter that is to lead, "" = that stays
    refused: str = ""  # why nothing is done
    unsafe: tuple[str, ...] = ()  # what may be lost by it; only with force


def move_off(view: View, names: Iterable[str], to: str, force: bool) -> Order:
    """Return how everything that the daemons `names` do is done by others: by `to`, or by whoever can.

    `force`: also where the other cannot have everything; what that may cost is in `unsafe`.
    """
    away = set(names)
    orders = [_off(view, seen, away, to, force) for seen in view.daemons if seen.define.name in away]
    refused = next((order.refused for order in orders if order.refused), "")
    if refused:
        return Order(refused=refused, unsafe=tuple(u for o in orders for u in o.unsafe))
    moves = tuple(move for order in orders for move in order.moves)
    if not moves:
        idle = ", ".join(sorted(away))
        return Order(refused=f"nothing to move: {idle} does no work now")
    if to and not any(move.target == to for move in moves):
        return Order(refused=f"{to} can do nothing of what {', '.join(sorted(away))} does")
    return Order(
        tuple(wish for order in orders for wish in order.wishes),
        moves,
        next((order.lead for order in orders if order.lead), ""),
        unsafe=tuple(text for order in orders for text in order.unsafe),
    )


def what_if(view: View, names: Iterable[str]) -> tuple[Plan, tuple[Move, ...]]:
    """Return the plan after the death of the daemons `names`, and what it moves, with what is lost."""
    dead = set(names)
    daemons = tuple(
        replace(s, health="dead") if s.define.name in dead else s for s in view.daemons
    )
    leader = view.leader if view.leader not in dead else _next_leader(view, dead)
    wishes = tuple(w for w in view.wishes if w.to not in dead)
    before = plan(view)
    lived = replace(view, placed=before.shards, wishes=wishes)
    after = plan(replace(lived, daemons=daemons, leader=leader))
    moves = [*_shards_moved(view, before, after), *_crews_moved(view, before, after, dead)]
    if leader != view.leader:
        risk = "" if leader else "no other arbiter: what runs goes on, and nothing changes its place"
        moves.insert(0, Move("arbiter", "arbiter", view.leader, leader, risk))
    return after, tuple(moves)


def add_wishes(known: tuple[Wish, ...], fresh: Iterable[Wish]) -> tuple[Wish, ...]:
    """Return `known` with `fresh`, without the earlier ones that say something else about the same."""
    wishes = list(known)
    for wish in fresh:
        touched = {wish.what, wish.to} - {""}
        shard = wish.what.startswith("shard/")
        wishes = [
            w
            for w in wishes
            if w.what != wish.what and (shard or not ({w.what, w.to} & touched) or "/" in w.what)
        ]
        wishes.append(wish)
    return tuple(wishes)


# -- one daemon


def _off(view: View, seen: Seen, away: set[str], to: str, force: bool) -> Order:
    match seen.define.role:
        case "scheduler":
            return _shards_off(view, seen, away, to, force)
        case "arbiter":
            return _lead_off(view, seen, away, to)
        case _:
            return _work_off(view, seen, away, to)


def _shards_off(view: View, seen: Seen, away: set[str], to: str, force: bool) -> Order:
    name = seen.define.name
    schedulers = {s.define.name: s for s in view.daemons if s.define.role == "scheduler"}
    wishes, moves, unsafe = [], [], []
    for placed in view.placed:
        if placed.scheduler != name:
            continue
        target = to if to in schedulers else _standby_of(view, placed, schedulers, away)
        if not target or target in away:
            return Order(refused=f"no other scheduler can take shard {placed.id}")
        able = schedulers[target]
        if Tree(view.realms).far(able.define, placed.realm) < 0:
            return Order(refused=f"{target} does not serve the realm of shard {placed.id}")
        risk = _risk_of(view, placed, seen, able)
        if risk and force:
            unsafe.append(risk)
        elif not usable(able):
            return Order(refused=f"{target} is {able.health}", unsafe=(risk,) if risk else ())
        elif not usable(seen):
            return Order(refused=f"{name} is {seen.health}: it cannot hand over in order", unsafe=(risk,))
        wishes.append(Wish(f"shard/{placed.id}", target, force and bool(risk)))
        moves.append(Move(f"shard/{placed.id}", "scheduler", name, target, risk if force else ""))
    return Order(tuple(wishes), tuple(moves), unsafe=tuple(unsafe))


def _standby_of(
    view: View, placed: Placed, schedulers: dict[str, Seen], away: set[str]
) -> str:
    standby = schedulers.get(placed.standby)
    if standby is not None and usable(standby) and placed.standby not in away:
        return placed.standby
    tree = Tree(view.realms)
    able = [
        s
        for s in schedulers.values()
        if usable(s)
        and s.define.name not in away
        and s.define.name != placed.scheduler
        and tree.far(s.define, placed.realm) >= 0
    ]
    able.sort(key=lambda s: (tree.far(s.define, placed.realm), s.define.name))
    return able[0].define.name if able else ""


def _risk_of(view: View, placed: Placed, owner: Seen, target: Seen) -> str:
    """What the target cannot know of a shard; "" when it follows its owner."""
    shard = next((s for s in view.shards if s.id == placed.id), None)
    if shard is not None and usable(owner) and in_step(shard, owner, target):
        return ""
    held = next((h for h in target.holds if h.id == placed.id), None)
    if held is None or not held.copied_epoch:
        return (
            f"{target.define.name} has no copy of shard {placed.id}: what no store has is lost,"
            " its objects are PENDING until checked"
        )
    if usable(owner):
        return f"{target.define.name} is not up to date with shard {placed.id}"
    return (
        f"{owner.define.name} cannot be asked: what its last copy of shard {placed.id} at"
        f" {target.define.name} lacks is lost"
    )


def _work_off(view: View, seen: Seen, away: set[str], to: str) -> Order:
    name, role = seen.define.name, seen.define.role
    if not seen.active:
        return Order()
    tree = Tree(view.realms)
    able = [
        s
        for s in view.daemons
        if s.define.role == role
        and usable(s)
        and s.define.name not in away
        and tree.far(s.define, seen.define.realm) >= 0
        and set(seen.define.takes) <= set(s.define.takes)
    ]
    target = next((s for s in able if s.define.name == to), None)
    spares = [s for s in able if not s.active]
    if target is None:
        target = next(iter(sorted(spares, key=lambda s: (not s.define.spare, s.define.name))), None)
    if target is None and role in SHARING and able:
        others = ", ".join(sorted(s.define.name for s in able))
        return Order((Wish(name, ""),), (Move(name, role, name, others),))
    if target is None:
        return Order(refused=f"no other {role} can do the work of {name}")
    return Order(
        (Wish(name, target.define.name),), (Move(name, role, name, target.define.name),)
    )


def _lead_off(view: View, seen: Seen, away: set[str], to: str) -> Order:
    name = seen.define.name
    if view.leader != name:
        return Order()
    able = [s for s in view.daemons if s.define.role == "arbiter" and usable(s) and s.define.name not in away]
    able.sort(key=lambda s: (s.define.name != to, s.define.spare, s.define.name))
    if not able:
        return Order(refused=f"no other arbiter can lead instead of {name}")
    target = able[0].define.name
    return Order((), (Move("arbiter", "arbiter", name, target),), target)


# -- what a death moves


def _next_leader(view: View, dead: set[str]) -> str:
    able = [
        s
        for s in view.daemons
        if s.define.role == "arbiter" and s.define.name not in dead and usable(s)
    ]
    able.sort(key=lambda s: (s.define.spare, s.define.name))
    return able[0].define.name if able else ""


def _shards_moved(view: View, before: Plan, after: Plan) -> list[Move]:
    was = {p.id: p for p in before.shards}
    schedulers = {s.define.name: s for s in view.daemons if s.define.role == "scheduler"}
    moves = []
    for placed in after.shards:
        old = was[placed.id]
        if old.scheduler == placed.scheduler:
            continue
        risk = f"nobody runs shard {placed.id}: nothing of it is checked"
        if placed.scheduler:
            owner, target = schedulers.get(old.scheduler), schedulers[placed.scheduler]
            risk = _risk_of(view, old, owner, target) if owner is not None else ""
        moves.append(
            Move(f"shard/{placed.id}", "scheduler", old.scheduler, placed.scheduler, risk)
        )
    return moves


def _crews_moved(view: View, before: Plan, after: Plan, dead: set[str]) -> list[Move]:
    """One move for each satellite that dies while it works."""
    moves = []
    was = {m.name for m in before.members if m.active}
    now = {m.name: m for m in after.members if m.active and m.name not in dead}
    fresh = {name: m for name, m in now.items() if name not in was}
    for seen in view.daemons:
        define = seen.define
        if define.name not in dead or define.name not in was or define.role in ("arbiter", "scheduler"):
            continue
        stands_in = sorted(n for n, m in fresh.items() if m.role == define.role)
        others = sorted(n for n, m in now.items() if m.role == define.role)
        target = ", ".join(stands_in or (others if define.role in SHARING else []))
        risk = LOSS[define.role] if target else f"no {define.role} is left"
        moves.append(Move(define.name, define.role, define.name, target, risk))
    return moves
