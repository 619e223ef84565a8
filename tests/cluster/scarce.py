"""F17, F20, F21: clocks that are wrong, disks that are full, machines that are too small."""

from tests.cluster.cluster import boot, until
from tests.cluster.judge import delayed_s
from tests.cluster.scene import Figures, Scene

LEASE = "shard/1"


def f17_wrong_clocks(scene: Scene) -> Figures:
    """The clock of the server that runs the shard: an hour ahead, an hour behind, 5 % fast, back in one step."""
    cluster = scene.cluster
    server = scene.bed[cluster.server_of(cluster.owner())]
    before = len(scene.spans("arbiter")), len(scene.spans(LEASE))
    told = len(cluster.ledger.read().told)
    late = []
    for by_s, rate in ((3600.0, 1.0), (-3600.0, 1.0), (0.0, 1.05), (0.0, 1.0)):
        began = boot()
        server.skew(by_s, rate)
        scene.watch(began + (60.0 if scene.long else 8.0))
        late.append(delayed_s(scene.runs, began, boot(), cluster.plan.check_s))
    took_s = 4 * (60.0 if scene.long else 8.0)
    expected = took_s / cluster.plan.flip_s * cluster.plan.flips
    cluster.wait_whole()
    return {
        "changes of leader or owner": float(len(scene.spans("arbiter")) - before[0] + len(scene.spans(LEASE)) - before[1]),
        "checks late": max(late),
        "told, of what was due": (len(cluster.ledger.read().told) - told) / max(1.0, expected),
    }  # fmt: skip


def f20_disk(scene: Scene) -> Figures:
    """A voter's disk is full while its vote is needed; then its fsync is slow, then it fails."""
    cluster = scene.cluster
    victim = cluster.server_of(cluster.owner())
    voter = scene.bed["server2"]
    work = cluster.site.work("server2")
    before = len(scene.spans(LEASE))
    voter.disk_full(work)
    fault = scene.fault(victim, "dead")
    scene.bed[victim].power_off()
    scene.watch(fault.began + 6.0)
    granted = len(scene.spans(LEASE)) - before
    voter.disk_full(work, False)
    freed = boot()
    resumed = scene.resumed(fault.began)
    after = max(0.0, fault.began + resumed - freed)
    scene.bed[victim].power_on()
    cluster.begin_start(victim).wait(60)
    cluster.wait_whole()
    steady = len(scene.spans(LEASE))
    slow = voter.fsync_fails(cluster.pids("server2")[:1], "delay_enter=500000")
    scene.watch(boot() + 6.0)
    slow()
    cluster.wait_whole()
    broken = voter.fsync_fails(cluster.pids("server2")[:1], "error=EIO")
    scene.watch(boot() + 6.0)
    broken()
    cluster.wait_whole()
    return {
        "granted without a disk": float(granted), "taken over once there is room": after,
        "changes of owner by slow or failing fsync": float(len(scene.spans(LEASE)) - steady),
    }  # fmt: skip


def f21_small_machine(scene: Scene) -> Figures:
    """The server that runs the shard: 10 % of a core, then no more processes, then few descriptors."""
    cluster = scene.cluster
    name = cluster.server_of(cluster.owner())
    server = scene.bed[name]
    hold_s = 60.0 if scene.long else 10.0
    owners = len(scene.spans(LEASE))
    server.group.processes(int(server.sh("ls /proc | grep -c '^[0-9]'")) + 60)
    scene.watch(boot() + hold_s)
    server.group.processes()
    cluster.wait_whole(60)
    pids = cluster.pids(name)
    server.descriptors(pids, 48)
    scene.watch(boot() + hold_s)
    server.descriptors(pids, 1024)
    cluster.wait_whole(60)
    quiet = len(scene.spans(LEASE)) - owners
    server.group.cpu(0.1)
    scene.watch(boot() + hold_s)
    server.group.cpu()
    until(lambda: cluster.whole, 90, "the cluster is whole once there is CPU again")
    return {"changes of owner": float(quiet), "changes of owner at 10 % CPU": float(len(scene.spans(LEASE)) - owners - quiet)}
