"""F1-F3, F8-F11, F27: processes and servers that die, hang or freeze, and go on."""

import signal

from tests.cluster.cluster import boot, until
from tests.cluster.judge import delayed_s, forgotten_s, normal_s
from tests.cluster.scene import Figures, Scene

NORMAL_S = 5.5  # watched after a failover for checks that come late
ROLES = ("scheduler", "poller", "reactionner", "receiver", "broker")


def f01_scheduler_killed(scene: Scene) -> Figures:
    """Kill the scheduler that owns the shard."""
    cluster = scene.cluster
    at = cluster.kill(cluster.owner())
    resumed = scene.resumed(at)
    scene.watch(at + NORMAL_S)
    normal = normal_s(scene.runs, at, cluster.plan.check_s)
    cluster.wait_whole()
    return {"failover": resumed, "checks in time again": normal}


def f02_arbiters_killed(scene: Scene) -> Figures:
    """Kill the leading arbiter; then hang both: monitoring goes on without any."""
    cluster = scene.cluster
    leader = until(lambda: cluster.active("arbiter"), 10, "an arbiter leads").name
    at = cluster.kill(leader)
    taken = scene.leads(at)
    cluster.wait_whole()
    held = [cluster.signal(name, signal.SIGSTOP) for name in ("arbiter-master", "arbiter-spare")]
    scene.watch(max(held) + (600.0 if scene.long else 12.0))
    late = delayed_s(scene.runs, max(held) + 1.0, boot(), cluster.plan.check_s)
    for name in ("arbiter-master", "arbiter-spare"):
        cluster.signal(name, signal.SIGCONT)
    cluster.wait_whole()
    return {"arbiter taken over": taken, "checks late without arbiters": late}


def f03_server_off(scene: Scene) -> Figures:
    """Pull the plug of the server that runs the shard, while a notification command runs on it, perhaps."""
    cluster = scene.cluster
    victim = cluster.server_of(cluster.owner())
    heir = "server3" if victim == "server1" else "server1"
    leads = until(lambda: cluster.active("arbiter"), 10, "an arbiter leads").name
    cluster.flag("slow", scene.run % 2 == 0)  # broken in every second run, told for 5 s
    scene.watch(boot() + cluster.plan.check_s)
    at = boot()
    scene.fault(victim, "dead", at)
    scene.bed[victim].power_off()
    taken = {"arbiter": -1.0 if cluster.server_of(leads) == victim else 0.0}
    until(lambda: _note(scene, heir, at, taken), 30, f"{heir} runs everything", 0.02)
    resumed = scene.resumed(at)
    if taken["arbiter"] < 0:
        taken["arbiter"] = scene.leads(at)
    scene.watch(at + NORMAL_S)
    loss = forgotten_s(scene.runs, at)
    scene.bed[victim].power_on()
    cluster.begin_start(victim).wait(60)
    cluster.wait_whole()
    return {"first check": resumed, "last role": max(taken.values()), "state loss": loss}


def _note(scene: Scene, heir: str, at: float, taken: dict[str, float]) -> bool:
    """Note which roles the heir has taken over by now; whether all."""
    for daemon in scene.cluster.daemons(heir):
        if daemon.role != "arbiter" and daemon.report.active:
            taken.setdefault(daemon.role, boot() - at)
    return taken.keys() >= set(ROLES)


def f08_scheduler_stopped(scene: Scene) -> Figures:
    """Stop the scheduler for 10 s; what it orders when it goes on is obeyed by nobody."""
    cluster = scene.cluster
    owner = cluster.owner()
    at = cluster.signal(owner, signal.SIGSTOP)
    resumed = scene.resumed(at)
    scene.watch(at + 10.0)
    on_at = cluster.signal(owner, signal.SIGCONT)
    cluster.wait_whole()
    scene.watch(on_at + cluster.plan.check_s)
    epochs = sorted({r.epoch for r in scene.runs})
    obeyed = [r for r in scene.runs if r.began > on_at and r.epoch < epochs[-1]]
    told = [t for t in cluster.ledger.told if t.began > on_at and t.epoch < epochs[-1]]
    return {"failover": resumed, "orders of the old owner obeyed": float(len(obeyed) + len(told))}


def f09_server_frozen(scene: Scene) -> Figures:
    """Freeze the whole server for 30 s (10 s), with a notification command running on it."""
    cluster = scene.cluster
    victim = cluster.server_of(cluster.owner())
    cluster.flag("slow", scene.run % 2 == 0)
    scene.watch(boot() + cluster.plan.check_s)
    fault = scene.fault(victim, "frozen")
    scene.bed[victim].freeze()
    resumed = scene.resumed(fault.began)
    scene.watch(fault.began + (30.0 if scene.long else 10.0))
    scene.bed[victim].freeze(False)
    on_at = boot()
    cluster.wait_whole()
    scene.over()
    scene.watch(on_at + cluster.plan.check_s)
    newest = max(r.epoch for r in scene.runs)
    old = [r for r in scene.runs if r.began > on_at and r.epoch < newest]
    elsewhere = [r for r in old if r.server != victim]
    told = [t for t in cluster.ledger.told if t.began > on_at and t.epoch < newest]
    return {
        "first check": resumed, "orders of the old owner obeyed": float(len(elsewhere) + len(told)),
        "checks it had been lent, begun after the thaw": float(len(old) - len(elsewhere)),
    }  # fmt: skip


def f10_reactionner_killed(scene: Scene) -> Figures:
    """Kill the reactionner while its notification command sleeps for 5 s."""
    cluster = scene.cluster
    key = "host0/slow"
    cluster.flag("slow", False)
    until(lambda: cluster.ledger.read().runs and _state(scene, key) == 0, 20, "the slow alarm is well")
    scene.watch(boot() + 6.0)  # its recovery is told for 5 s, too
    before = boot()
    cluster.flag("slow")
    first = until(
        lambda: [t for t in cluster.ledger.read().told if t.key == key and t.began > before and not t.ended],
        20, "a slow notification runs", 0.02,
    )[0]  # fmt: skip
    reactionner = next(
        d.name for d in cluster.daemons(first.server) if d.role == "reactionner" and d.report.active
    )
    at = cluster.kill(reactionner)
    ended = until(
        lambda: [t for t in cluster.ledger.read().told if t.id == first.id and t.ended], 30, "it was told to the end"
    )
    again = [t for t in cluster.ledger.told if t.id == first.id and t.began > first.began]
    scene.check(all(t.tagged for t in again), "a repeat has no tag")
    scene.check(ended[0].tagged, "it ended without being told again")
    cluster.wait_whole()
    return {"told again": again[0].began - at if again else -1.0, "times told again": float(len(again))}


def _state(scene: Scene, key: str) -> int:
    return next((r.code for r in reversed(scene.runs) if r.key == key), -1)


def f11_poller_lost(scene: Scene) -> Figures:
    """Kill a poller; then cut one off with its results. What it had is run again in time, and nothing twice."""
    cluster = scene.cluster
    at = cluster.kill("poller-2")
    scene.fault("server2", "dead", at)
    scene.watch(at + NORMAL_S)
    killed = delayed_s(scene.runs, at, boot(), cluster.plan.check_s)
    scene.over()
    cluster.wait_whole()
    fault = scene.fault("server2", "cut")
    scene.bed.isolate("server2")
    scene.watch(fault.began + (60.0 if scene.long else 12.0))
    parted = delayed_s(scene.runs, fault.began, boot(), cluster.plan.check_s)
    scene.bed.heal()
    scene.over()
    scene.watch(boot() + 1.0)
    cluster.wait_whole()
    return {"checks late, killed": killed, "checks late, cut off": parted}


def f27_double_fault(scene: Scene) -> Figures:
    """The server that runs the shard dies, and during the failover the keeper of a voter that promised is killed."""
    cluster = scene.cluster
    victim = cluster.server_of(cluster.owner())
    heir = "server3" if victim == "server1" else "server1"
    voter = ("server2", heir)[scene.run % 2]
    pid = cluster.pids(voter)[0]
    fault = scene.fault(victim, "dead")
    scene.bed[victim].power_off()
    scene.watch(fault.began + 0.5 + (scene.run * 0.37) % 2.5)
    scene.bed[voter].signal([pid], signal.SIGKILL)
    resumed = scene.resumed(fault.began)
    scene.watch(fault.began + NORMAL_S)
    scene.bed[victim].power_on()
    cluster.begin_start(victim).wait(60)
    cluster.wait_whole()
    return {"first check": resumed}
