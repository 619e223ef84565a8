"""A very large cluster on paper: how long a leader plans, and how many hosts move when a scheduler joins.

1,000 schedulers with 10 spares for each 100, 1,000,000 hosts with 10 services each. No process is
started: planning and dealing are pure functions.
"""

import statistics
import time
from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from daemons.config.deal import deal
from daemons.ha.dispatch import Plan, Seen, View, plan
from daemons.model.cluster import DaemonDef, RealmDef, RoleName
from daemons.model.objects import ShardDef
from daemons.wire.messages import ShardHeld

SCHEDULERS = 1000
HOSTS = 1_000_000
SERVICES = 10  # of each host
RUNS = 3
T = TypeVar("T")
PLAN_S_MAX, PLAN_S_GOAL = 5.0, 1.0
MOVED_MAX, MOVED_GOAL = 1.5, 1.1  # of an N-th


def run() -> bool:
    """Print the figures; return whether the pass lines were kept."""
    print(f"p10: {SCHEDULERS} schedulers, {HOSTS * SERVICES:,} services", flush=True)
    planned = _plans()
    packs = [(f"host-{n:07d}", 1 + SERVICES) for n in range(HOSTS)]
    took, before = _timed(lambda: deal(packs, [1] * SCHEDULERS, "All"))
    after = deal(packs, [1] * (SCHEDULERS + 1), "All")
    moved = [to for at, to in zip(before, after, strict=True) if at != to]
    share = len(moved) / HOSTS * SCHEDULERS
    loads = [0] * SCHEDULERS
    for n in before:
        loads[n] += 1
    print(
        f"deal: {took:.1f} s for {HOSTS:,} hosts; the fullest shard has {max(loads) * SCHEDULERS / HOSTS:.2f}"
        f" of a fair share, the emptiest {min(loads) * SCHEDULERS / HOSTS:.2f}"
    )
    print(
        f"one scheduler joins: {len(moved)} hosts move = {share:.2f}/N"
        f" (pass {MOVED_MAX}, goal {MOVED_GOAL}), {sum(to < SCHEDULERS for to in moved)} of them elsewhere"
    )
    return max(planned) <= PLAN_S_MAX and share <= MOVED_MAX


def _plans() -> list[float]:
    """Return the slowest of each kind of plan, in seconds."""
    daemons = tuple(_daemons())
    per = HOSTS // SCHEDULERS
    shards = tuple(
        ShardDef(n, "All", f"v{n}", per, per * SERVICES, ("",), ("",))
        for n in range(1, SCHEDULERS + 1)
    )
    first = View("arbiter", daemons, shards, realms=(RealmDef("All"),))
    slowest = []

    def measure(what: str, view: View) -> Plan:
        times = []
        for _ in range(RUNS):
            took, made = _timed(lambda: plan(view))
            times.append(took)
        slowest.append(max(times))
        print(
            f"plan, {what}: {statistics.median(times):.2f} s (max {max(times):.2f};"
            f" pass {PLAN_S_MAX}, goal {PLAN_S_GOAL})",
            flush=True,
        )
        return made

    made = measure("nothing runs yet", first)
    running = _running(daemons, made)
    steady = replace(first, daemons=running, placed=made.shards)
    again = measure("nothing changes", steady)
    assert again.shards == made.shards and not again.why
    adopted = measure("a new leader without a roster adopts", replace(first, daemons=running))
    assert [p.scheduler for p in adopted.shards] == [p.scheduler for p in made.shards]
    dead = {f"scheduler-{n:04d}" for n in range(0, SCHEDULERS, 10)}
    sick = tuple(replace(s, health="dead") if s.define.name in dead else s for s in running)
    moved = measure("every tenth scheduler dies", replace(steady, daemons=sick))
    assert len(moved.why) == len(dead) and not moved.problems
    return slowest


def _daemons() -> list[Seen]:
    counts: tuple[tuple[RoleName, int, int], ...] = (
        ("scheduler", SCHEDULERS, SCHEDULERS // 10),
        ("poller", 200, 20),
        ("reactionner", 20, 4),
        ("broker", 1, 1),
        ("receiver", 1, 1),
    )
    return [
        Seen(
            DaemonDef(
                name=f"{role}-{'spare-' if spare else ''}{n:04d}", role=role, port=1, realm="All",
                address=f"10.0.{n % 250}.{n // 250 + (100 if spare else 0)}", spare=spare,
            ),
            "alive",
        )
        for role, masters, spares in counts
        for spare, count in ((False, masters), (True, spares))
        for n in range(count)
    ]  # fmt: skip


def _running(daemons: tuple[Seen, ...], made: Plan) -> tuple[Seen, ...]:
    """Return the daemons as they are once `made` has been carried out."""
    active = {m.name for m in made.members if m.active}
    holds: dict[str, list[ShardHeld]] = {}
    for shard in made.shards:
        holds.setdefault(shard.scheduler, []).append(
            ShardHeld(shard.id, shard.version, 9, "active", 9, 100)
        )
        holds.setdefault(shard.standby, []).append(
            ShardHeld(shard.id, shard.version, 0, "standby", 9, 100)
        )
    return tuple(
        replace(s, active=s.define.name in active, holds=tuple(holds.get(s.define.name, ())))
        for s in daemons
    )


def _timed(what: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    made = what()
    return time.perf_counter() - began, made
