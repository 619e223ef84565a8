"""A cluster of three servers as its keepers would tell it, before and after the death of server1."""

from typing import Any

from msgspec.structs import replace

from console.facts import Daemon, Heard, Snapshot
from console.snapshot import snapshot
from daemons.model.cluster import PORTS, Cluster, DaemonDef, RoleName, ServerDef, epoch
from daemons.wire.messages import Census, DaemonSeen, Report, ServerSeen, ShardHeld

E1, E2 = epoch(1, 1, 0), epoch(1, 2, 2)
WALL = 1_790_000_000.0
HASH, VERSION = "2a2e27acfd79", "2a2e27acfd799ce9"


def define(name: str, role: RoleName, n: int, spare: bool = False, **more: Any) -> DaemonDef:
    return DaemonDef(
        name=name, role=role, address=f"10.0.0.{n}", port=PORTS[role], spare=spare, realm="All", **more
    )  # fmt: skip


ROLES_WITH_SPARES: tuple[RoleName, ...] = (
    "arbiter", "scheduler", "poller", "reactionner", "receiver", "broker",
)  # fmt: skip
CLUSTER = Cluster(
    name="shinken",
    daemons=(
        *(define(f"{role}-master", role, 1) for role in ROLES_WITH_SPARES),
        define("poller-master-2", "poller", 2),
        *(define(f"{role}-spare", role, 3, spare=True) for role in ROLES_WITH_SPARES),
    ),
    servers=tuple(ServerDef(f"server{n}", f"10.0.0.{n}", n - 1) for n in (1, 2, 3)),
)
FIGURES: dict[RoleName, dict[str, float]] = {
    "arbiter": {"shards": 1},
    "scheduler": {"results_applied": 48_211, "orders_lent": 48_230, "notifications_planned": 12},
    "poller": {"queue": 9, "capacity": 256, "results": 24_105},
    "reactionner": {"queue": 0, "capacity": 256, "journal": 12},
    "receiver": {"commands_taken": 31, "commands_done": 31},
    "broker": {"lag_s": 0.2, "streams": 1},
}


def seen(define: DaemonDef, active: bool, at: int = E1, **report: Any) -> DaemonSeen:
    """A daemon that works, or stands by, under epoch `at`."""
    held: tuple[ShardHeld, ...] = ()
    if define.role == "scheduler":
        phase = "active" if active else "standby"
        held = (ShardHeld(1, VERSION, at if active else 0, phase, 0 if active else at, 4711),)
    index = CLUSTER.daemons.index(define) if define in CLUSTER.daemons else 40
    said = Report(
        active=active,
        epoch=at,
        roster_n=3,
        shards=held,
        config=HASH,
        figures=FIGURES[define.role] if active else {},
        why="took the lead" if active and define.role == "arbiter" else "",
    )
    return DaemonSeen(
        name=define.name,
        role=define.role,
        pid=2100 + index,
        instance=f"{index:016x}",
        running=True,
        beat_age_s=0.1,
        report=replace(said, **report),
        started_wall=WALL - 7200,
        cpu_percent=4.0 if active else 0.5,
        rss_bytes=43_000_000,
    )


def census(n: int, daemons: tuple[DaemonSeen, ...], ages: dict[str, float] | None = None) -> Census:
    """What the keeper of server `n` says."""
    others = ages or {f"server{m}": 0.2 for m in (1, 2, 3) if m != n}
    return Census(
        server=f"server{n}",
        instance=f"{n:016x}",
        pid=2000 + n,
        daemons=daemons,
        servers=tuple(ServerSeen(name, age) for name, age in others.items()),
        wall=WALL,
        release="0.1.0",
    )


def crew(n: int, active: bool, at: int = E1) -> tuple[DaemonSeen, ...]:
    """The daemons of server `n`; its poller works in any case when it is a master."""
    return tuple(
        seen(d, active or (d.role == "poller" and not d.spare), at)
        for d in CLUSTER.on(f"10.0.0.{n}")
    )


def healthy(age_s: float = 0.3) -> dict[str, Heard]:
    """All is well: server1 does the work."""
    return {
        "server1": Heard(census(1, crew(1, True)), age_s),
        "server2": Heard(census(2, crew(2, True)), age_s),
        "server3": Heard(census(3, crew(3, False)), age_s),
    }


def server1_dead(since_s: float = 14.0) -> dict[str, Heard]:
    """server1 died; server3 took over under the next epoch."""
    silent = {"server1": since_s, "server2": 0.2, "server3": 0.2}
    ages = {n: {k: v for k, v in silent.items() if k != f"server{n}"} for n in (2, 3)}
    three = tuple(
        replace(d, report=replace(d.report, why="scheduler-master is dead: its server is silent"))
        if d.role == "scheduler"
        else d
        for d in crew(3, True, E2)
    )
    return {
        "server1": Heard(census(1, crew(1, True)), since_s, "cannot connect: No route to host"),
        "server2": Heard(census(2, crew(2, True, E2), ages[2]), 0.3),
        "server3": Heard(census(3, three, ages[3]), 0.3),
    }


def changed(heard: dict[str, Heard], server: str, name: str, **change: Any) -> dict[str, Heard]:
    """`heard` with fields of one daemon changed."""
    old = heard[server]
    assert old.census is not None
    daemons = tuple(replace(d, **change) if d.name == name else d for d in old.census.daemons)
    return {**heard, server: replace(old, census=replace(old.census, daemons=daemons))}


def told(heard: dict[str, Heard]) -> Snapshot:
    return snapshot(CLUSTER, heard)


def the(found: Snapshot, name: str) -> Daemon:
    daemon = found.daemon(name)
    assert daemon is not None
    return daemon
