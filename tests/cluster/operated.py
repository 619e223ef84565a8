"""F7, F23-F26: two servers in a true split; and what operators do: failback, switchover, pause, restart."""

import secrets

from daemons.cli.reach import Keys, operator_peer
from daemons.cli.start import bundle_of
from daemons.net.client import Refused, Unreachable
from daemons.wire.codec import decode, encode
from daemons.wire.messages import Message
from daemons.wire.operations import Operate
from tests.cluster.cluster import boot, until
from tests.cluster.judge import delayed_s
from tests.cluster.scene import Figures, Scene

LEASE = "shard/1"


def f07_two_servers_parted(scene: Scene) -> Figures:
    """Two servers, both alive, cut from each other, healed: with `takeover` what is done twice is tagged."""
    cluster = scene.cluster
    parted = scene.fault("server1", "parted"), scene.fault("server2", "parted")
    scene.bed.part("server1", "server2")
    scene.watch(parted[0].began + (60.0 if scene.long else 15.0))
    both = len({r.server for r in scene.runs if r.began > parted[0].began + 8.0})
    healed = boot()
    bare = [t for t in scene.cluster.ledger.told if parted[0].began + 8.0 < t.began < healed and not t.tagged]
    scene.check(both == 1 or not bare, f"{len(bare)} notifications without a tag while both sides act")
    scene.bed.heal()
    cluster.wait_whole()
    merged = boot() - healed
    scene.over()
    return {"sides that went on": float(both), "merged": merged}


# ---------------------------------------------------------------- orders of an operator


def operate(scene: Scene, act: str, name: str = "", **more: object) -> Message | None:
    """Order something of the leading arbiter, from its own server; return its answer, None when there is none."""
    cluster = scene.cluster
    leader = until(lambda: cluster.active("arbiter"), 20, "an arbiter leads").name
    server = cluster.server_of(leader)
    order = Operate(secrets.token_hex(8), act, name, actor="scenario", reason="drill", **more)  # type: ignore[arg-type]

    def ask() -> Message | None:
        bundle = bundle_of(str(cluster.site.work(server)))
        peer = operator_peer(bundle, Keys(bundle), leader)
        assert peer is not None
        try:
            return decode(peer.ask(encode(order), 3.0))
        except (Unreachable, Refused):
            return None
        finally:
            peer.close()

    return scene.bed[server].inside(ask)


def _ordered(scene: Scene, act: str, name: str = "", **more: object) -> None:
    answer = operate(scene, act, name, **more)
    state = getattr(answer, "state", "")
    scene.check(state in ("running", "done"), f"{act} {name} was not obeyed: {answer}")


def f23_failback(scene: Scene) -> Figures:
    """The scheduler is killed and its standby takes over; the preferred one gets the shard back by switchover."""
    cluster = scene.cluster
    if cluster.owner() != "scheduler-master":
        _moved(scene, "scheduler", "failback")
    at = cluster.kill("scheduler-master")
    scene.resumed(at)
    cluster.wait_whole()
    scene.watch(boot() + cluster.plan.check_s)
    return {"gap": _moved(scene, "scheduler", "failback")[1]}


def f24_switchover(scene: Scene) -> Figures:
    """Planned switchover of each role in turn; the next run moves them back. Gap: the most by which a check came late."""
    figures: Figures = {}
    for role in ("scheduler", "arbiter", "poller", "reactionner", "receiver", "broker"):
        _, gap = _moved(scene, role, "failover")
        if role == "scheduler":
            figures["gap of the scheduler"] = gap
        else:
            figures["gap of others"] = max(figures.get("gap of others", 0.0), gap)
    return figures


def _moved(scene: Scene, role: str, act: str) -> tuple[float, float]:
    """Move a role to its other daemon; return when, and the most by which a check came late around it."""
    cluster = scene.cluster
    source = until(lambda: cluster.active(role), 20, f"a {role} is active").name
    cluster.wait_whole()
    leases = len(scene.spans(LEASE if role == "scheduler" else "arbiter"))
    began = boot()
    _ordered(scene, act, source if act == "failover" else "")
    if role in ("scheduler", "arbiter"):
        lease = LEASE if role == "scheduler" else "arbiter"
        until(lambda: len(scene.spans(lease)) > leases, 20, f"the lease {lease} has moved", 0.1)
        spans = scene.spans(lease)
        scene.check(spans[-1].daemon != spans[-2].daemon, f"{role} did not move from {source}")
    until(lambda: (seen := cluster.active(role)) and (role == "poller" or seen.name != source), 20, f"{source} was relieved")
    scene.watch(boot() + 1.0)  # what fell due in the gap has begun by then
    return began, max(0.0, delayed_s(scene.runs, began, boot(), cluster.plan.check_s))


def f25_pause(scene: Scene) -> Figures:
    """Pause, then kill the owner's server: no take-over while paused; after the end a take-over."""
    cluster = scene.cluster
    hold_s = 12.0
    _ordered(scene, "pause", for_s=hold_s)
    paused = boot()
    scene.watch(paused + 2.0)
    victim = cluster.server_of(cluster.owner())
    fault = scene.fault(victim, "dead")
    owners = len(scene.spans(LEASE))
    scene.bed[victim].power_off()
    scene.watch(paused + hold_s - 0.5)
    during = len(scene.spans(LEASE)) - owners
    resumed = fault.began + scene.resumed(fault.began, 40) - (paused + hold_s)
    scene.bed[victim].power_on()
    cluster.begin_start(victim).wait(60)
    cluster.wait_whole()
    return {"taken over while paused": float(during), "taken over after its end": max(0.0, resumed)}


def f26_rolling_restart(scene: Scene) -> Figures:
    """Stop and start every server, one after the other, under load."""
    cluster = scene.cluster
    late = []
    for server in reversed(cluster.servers):
        began = boot()
        scene.fault(server, "dead", began + 1.0)
        cluster.shinken(server, "stop", "--workdir", str(cluster.site.work(server))).wait(60)
        cluster.begin_start(server).wait(60)
        cluster.wait_whole()
        late.append(delayed_s(scene.runs, began, boot(), cluster.plan.check_s))
    return {"checks late": max(late)}
