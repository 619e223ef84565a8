"""A realm inside another: its scheduler dies, the spare of the realm around it runs its shard.

The satellites of the outer realm serve both shards all along: pollers that borrow from two schedulers
and then from one that runs two shards or both, one broker with two streams, one receiver.
"""

import os
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest

from daemons.cli.demo.judge import twice
from daemons.wire.messages import DaemonSeen
from tests.live.cluster import Servers, wait_until

REALMS = """\
define realm {
    realm_name     All
    realm_members  Paris
    default        1
}
define realm {
    realm_name     Paris
}
"""
SCHEDULER = """\
define scheduler {{
    scheduler_name  scheduler-paris
    address         {address}
    port            7768
    realm           Paris
}}
"""
HOST = """\
define host {
    use            demo-host
    host_name      paris
    address        127.0.0.7
    realm          Paris
    check_command  host-check!test -d /proc
}
define service {
    use                  demo-service
    host_name            paris
    service_description  works
    check_command        service-check!true
}
"""
TAKEN_S = 3.0


def with_child_realm(servers: Servers) -> Servers:
    """Add the realm Paris, with a scheduler of its own on server2, to the files."""
    etc = servers.layout.base / "etc"
    address = dict(servers.layout.addresses)["server2"]
    with open(etc / "shinken-specific.cfg", "a") as file:
        file.write(REALMS + SCHEDULER.format(address=address))
    with open(etc / "objects.cfg", "a") as file:
        file.write(HOST)
    return servers


def shards(servers: Servers) -> dict[int, str]:
    """Return who runs each shard actively, by its id."""
    return {
        held.id: daemon.name
        for daemon in servers.daemons()
        for held in daemon.report.shards
        if daemon.running and held.phase == "active"
    }


def copied(servers: Servers, name: str, shard: int) -> bool:
    return any(
        held.id == shard and held.copied_epoch
        for daemon in servers.daemons()
        if daemon.name == name
        for held in daemon.report.shards
    )


@pytest.mark.slow
def test_the_spare_of_the_parent_realm_takes_the_shard_of_a_child(
    cluster: Callable[..., Servers],
) -> None:
    servers = with_child_realm(cluster(check_s=3, retry_s=1))
    servers.start()
    wait_until(lambda: servers.last("paris/works"), 60, "the child's service is checked")
    before = shards(servers)
    assert sorted(before.values()) == ["scheduler-master", "scheduler-paris"]
    paris = next(shard for shard, name in before.items() if name == "scheduler-paris")
    wait_until(lambda: copied(servers, "scheduler-spare", paris), 30, "the spare has a copy")

    victim = next(d for d in servers.daemons() if d.name == "scheduler-paris")
    killed_at = time.time()
    os.kill(victim.pid, signal.SIGKILL)
    after = wait_until(
        lambda: (found := shards(servers)).get(paris) == "scheduler-spare" and found,
        15,
        "the spare runs it",
    )
    taken_s = time.time() - killed_at
    print(f"child realm: scheduler-spare runs shard {paris} after {taken_s:.2f} s")
    wait_until(
        lambda: ran_since(servers, "paris/works", killed_at + taken_s), 20, "its checks go on"
    )
    wait_until(lambda: restarted(servers, victim), 20, "the dead one runs again")

    assert taken_s <= TAKEN_S
    assert after == {**before, paris: "scheduler-spare"}
    assert shards(servers) == after  # what runs goes on where it runs
    assert not twice([r for r in servers.runs() if r.began > killed_at], servers.layout.retry_s)
    servers.command("PROCESS_SERVICE_CHECK_RESULT;paris;works;2;said by hand")
    broker = servers.active("broker")[0].name
    wait_until(lambda: logged(servers, broker, "paris;works;CRITICAL"), 20, "a command reaches it")

    own = next(shard for shard in before if shard != paris)
    wait_until(lambda: copied(servers, "scheduler-spare", own), 30, "the spare has a copy of both")
    again_at = time.time()
    master = next(d for d in servers.daemons() if d.name == "scheduler-master")
    os.kill(master.pid, signal.SIGKILL)
    wait_until(
        lambda: set(shards(servers).values()) == {"scheduler-spare"}, 15, "it runs both shards"
    )
    for key in ("paris/works", "this-machine/clock"):
        wait_until(partial(ran_since, servers, key, again_at + TAKEN_S), 20, f"{key} goes on")
    assert not twice([r for r in servers.runs() if r.began > again_at], servers.layout.retry_s)


def ran_since(servers: Servers, key: str, at: float) -> bool:
    return any(r.key == key and r.began > at for r in servers.runs())


def logged(servers: Servers, broker: str, words: str) -> bool:
    return any(words in line for line in servers.alerts(broker))


def restarted(servers: Servers, victim: DaemonSeen) -> bool:
    return any(
        d.name == victim.name and d.running and d.pid != victim.pid and d.beat_age_s >= 0
        for d in servers.daemons()
    )
