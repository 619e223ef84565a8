"""When what runs on a spare is given back to its preferred master. Pure.

A master that keeps failing must not take its work back each time: the hold-down doubles with each
failover of the last hour, and the third one leaves it to the operator (ha-protocol: flap guard).
"""

from typing import Literal

from msgspec import Struct

from daemons.ha.view import Tree, View
from daemons.model.cluster import RoleName

Policy = Literal["hold_down", "manual", "never"]
Act = Literal["wait", "move", "stay"]

HOLD_S = 60.0  # default of `failback_hold`
HOLD_S_MAX = 3600.0
HOUR_S = 3600.0
FLAPS_MAX = 3  # failovers in an hour: from then on only the operator gives back
SINGLES: tuple[RoleName, ...] = ("broker", "receiver")


class Displaced(Struct, frozen=True):
    """Something that does not run where it is preferred."""

    what: str  # "arbiter", "shard/<id>", or the name of the daemon that does the work now
    role: RoleName
    now_at: str
    preferred: str


class Facts(Struct, frozen=True):
    """What the decision about one displaced thing rests on."""

    fit_s: float  # the preferred one has been alive, and in step, for so long; -1 = it is not
    failovers_s: tuple[float, ...]  # how long ago it was taken off a dead daemon, each time
    policy: Policy
    hold_s: float
    by_hand: bool  # an operator moved it here
    paused: bool = False


class Verdict(Struct, frozen=True):
    """What to do, and why, in words an operator reads."""

    act: Act
    wait_s: float  # "wait": so long if nothing happens
    why: str
    alarm: str = ""  # a self-alert: somebody must look


def hold_down_s(facts: Facts) -> float:
    """Return how long the preferred one has to be fit: doubled by each failover of the last hour but the first."""
    recent = sum(ago <= HOUR_S for ago in facts.failovers_s)
    return float(min(HOLD_S_MAX, facts.hold_s * 2 ** max(0, recent - 1)))


def judge_failback(displaced: Displaced, facts: Facts) -> Verdict:
    """Return whether `displaced` is given back now, later, or only by hand."""
    preferred = displaced.preferred
    recent = sum(ago <= HOUR_S for ago in facts.failovers_s)
    if facts.policy == "never":
        return Verdict("stay", -1.0, "failback is set to never")
    if facts.by_hand:
        return Verdict("stay", -1.0, "an operator moved it; `shinken failback` gives it back")
    if recent >= FLAPS_MAX:
        alarm = (
            f"{displaced.what} failed over {recent} times within an hour: it stays at"
            f" {displaced.now_at} until `shinken failback` is typed"
        )
        return Verdict("stay", -1.0, f"{recent} failovers within an hour", alarm)
    if facts.policy == "manual":
        return Verdict("stay", -1.0, "failback is set to manual")
    if facts.paused:
        return Verdict("wait", -1.0, "paused")
    hold_s = hold_down_s(facts)
    if facts.fit_s < 0:
        return Verdict("wait", hold_s, f"{preferred} is not ready to take it")
    if facts.fit_s < hold_s:
        return Verdict("wait", hold_s - facts.fit_s, f"{preferred} has to be well for {hold_s:g} s")
    return Verdict("move", 0.0, f"{preferred} has been well for {hold_s:g} s")


def displaced(view: View) -> tuple[Displaced, ...]:
    """Return what runs on a spare although a master for it is defined; dead masters count too."""
    found = _lead(view) + _shards(view)
    for role in SINGLES:
        found += _single(view, role)
    return tuple(found)


def _lead(view: View) -> list[Displaced]:
    spare = {s.define.name: s.define.spare for s in view.daemons if s.define.role == "arbiter"}
    masters = sorted(name for name, is_spare in spare.items() if not is_spare)
    if not spare.get(view.leader) or not masters:
        return []
    return [Displaced("arbiter", "arbiter", view.leader, masters[0])]


def _shards(view: View) -> list[Displaced]:
    schedulers = {s.define.name: s for s in view.daemons if s.define.role == "scheduler"}
    load = dict.fromkeys(schedulers, 0)
    for placed in view.placed:
        if placed.scheduler in load:
            load[placed.scheduler] += 1
    found = []
    for placed in view.placed:
        owner = schedulers.get(placed.scheduler)
        masters = [
            s for s in schedulers.values() if not s.define.spare and s.define.realm == placed.realm
        ]
        if owner is None or not owner.define.spare or not masters:
            continue
        rank = {s.define.name: (load[s.define.name], s.health != "alive", s.define.name) for s in masters}
        best = min(rank, key=lambda name: rank[name])
        load[best] += 1
        found.append(Displaced(f"shard/{placed.id}", "scheduler", placed.scheduler, best))
    return found


def _single(view: View, role: RoleName) -> list[Displaced]:
    tree = Tree(view.realms)
    crew = {s.define.name: s for s in view.daemons if s.define.role == role}
    found = {}
    for placed in view.placed:
        serving = placed.brokers if role == "broker" else placed.receivers
        masters = sorted(
            name
            for name, s in crew.items()
            if not s.define.spare and tree.far(s.define, placed.realm) == 0
        )
        for name in serving:
            if masters and name in crew and crew[name].define.spare and masters[0] not in serving:
                found[name] = Displaced(name, role, name, masters[0])
    return list(found.values())
