"""F4-F6, F18, F19, F22: the network between servers that all live."""

from tests.cluster.cluster import boot, until
from tests.cluster.judge import delayed_s
from tests.cluster.scene import Figures, Scene

LEASE = "shard/1"


def f04_server_cut_off(scene: Scene) -> Figures:
    """Cut the server that runs the shard from both others; heal after 60 s (10 s)."""
    cluster = scene.cluster
    victim = cluster.server_of(cluster.owner())
    fault = scene.fault(victim, "cut")
    scene.bed.isolate(victim)
    resumed = scene.resumed(fault.began)
    scene.watch(fault.began + (60.0 if scene.long else 10.0))
    scene.bed.heal()
    scene.over()
    healed = boot()
    cluster.wait_whole()
    merged = boot() - healed
    old = [s for s in scene.spans(LEASE) if s.server == victim and s.began < fault.began]
    return {"first check": resumed, "old owner stopped": old[-1].ended - fault.began, "whole after heal": merged}


def f05_one_way(scene: Scene) -> Figures:
    """The leader hears the others and they do not hear it; then the reverse."""
    changes = []
    for outward in (True, False):
        leader = until(lambda: scene.cluster.active("arbiter"), 10, "an arbiter leads").name
        victim = scene.cluster.server_of(leader)
        before = len(scene.spans("arbiter"))
        fault = scene.fault(victim, "cut")
        for other in scene.cluster.servers:
            if other != victim:
                scene.bed.block(*((victim, other) if outward else (other, victim)))
        scene.watch(fault.began + (60.0 if scene.long else 12.0))
        scene.bed.heal()
        scene.over()
        scene.cluster.wait_whole()
        scene.watch(boot() + 3.0)
        changes.append(float(len(scene.spans("arbiter")) - before))
    return {"changes of leader": max(changes)}


def f06_arbiters_parted(scene: Scene) -> Figures:
    """Cut the servers of both arbiters from each other; both see the third."""
    before = len(scene.spans("arbiter"))
    shards = len(scene.spans(LEASE))
    parted = boot()
    scene.bed.part("server1", "server3")
    scene.watch(parted + (60.0 if scene.long else 12.0))
    late = delayed_s(scene.runs, parted, boot(), scene.cluster.plan.check_s)
    scene.bed.heal()
    scene.cluster.wait_whole()
    return {
        "changes of leader": float(len(scene.spans("arbiter")) - before),
        "changes of owner": float(len(scene.spans(LEASE)) - shards), "checks late": late,
    }  # fmt: skip


def f18_bad_links(scene: Scene) -> Figures:
    """300 ms of latency, then 30 % loss, then 1 Mbit/s on every link."""
    servers = scene.cluster.servers
    pairs = [(a, b) for a in servers for b in servers if a != b]
    hold_s = 300.0 if scene.long else 15.0
    before = len(scene.spans("arbiter")), len(scene.spans(LEASE))
    for kind in ("latency", "loss", "bandwidth"):
        for source, target in pairs:
            if kind == "latency":
                scene.bed.delay(source, target, 0.15, 0.01)  # there and back
            elif kind == "loss":
                scene.bed.lose(source, target, 30)
        if kind == "bandwidth":
            for server in servers:
                scene.bed[server].bandwidth("1mbit")
        scene.watch(boot() + hold_s)
        scene.bed.heal()
        scene.cluster.wait_whole()
    return {
        "changes of leader": float(len(scene.spans("arbiter")) - before[0]),
        "changes of owner": float(len(scene.spans(LEASE)) - before[1]),
    }


def f19_half_open(scene: Scene) -> Figures:
    """A server's plug is pulled and its address answers again without it: every connection to it is half-open."""
    cluster = scene.cluster
    threads = _threads(scene)
    fault = scene.fault("server3", "dead")
    scene.bed["server3"].power_off()
    scene.bed["server3"].power_on()
    half = scene.bed["server1"].sh("ss -Htn state established dst 10.99.0.3").count("\n")
    scene.check(half > 0, "no connection was half-open")
    noticed = until(lambda: _noticed(scene), 20, "server1 knows that server3 is silent", 0.02)
    noticed_s = boot() - fault.began if noticed else -1.0
    scene.watch(fault.began + 6.0)
    cluster.begin_start("server3").wait(60)
    cluster.wait_whole()
    return {"noticed": noticed_s, "more threads": float(max(0, _threads(scene) - threads))}


def _noticed(scene: Scene) -> bool:
    census = scene.cluster.census("server1")
    return census is not None and any(s.name == "server3" and s.age_s > 1.0 for s in census.servers)


def _threads(scene: Scene) -> int:
    """Threads of all processes of server1 and server2."""
    total = 0
    for server in ("server1", "server2"):
        for pid in scene.cluster.pids(server):
            total += int(scene.bed[server].sh(f"ls /proc/{pid}/task | wc -l"))
    return total


def f22_flapping_link(scene: Scene) -> Figures:
    """The cable of the server that runs the shard goes off and on every 5 s for 10 min (40 s)."""
    cluster = scene.cluster
    victim = cluster.server_of(cluster.owner())
    before = len(scene.spans(LEASE))
    end = boot() + (600.0 if scene.long else 40.0)
    while boot() < end:
        scene.fault(victim, "cut")
        scene.bed[victim].link(False)
        scene.watch(boot() + 5.0)
        scene.bed[victim].link(True)
        scene.over()
        scene.watch(boot() + 5.0)
    cluster.wait_whole()
    return {"changes of owner": float(len(scene.spans(LEASE)) - before)}
