"""The cluster made of what keepers say: who leads, who owns, and what of the past may still be shown."""

from msgspec.structs import replace

from console.facts import Heard
from console.snapshot import snapshot
from daemons.model.cluster import Cluster, ServerDef
from daemons.wire.messages import Report, ShardHeld
from tests.console.fakes import (
    CLUSTER,
    E1,
    E2,
    VERSION,
    census,
    changed,
    crew,
    healthy,
    seen,
    server1_dead,
    the,
    told,
)


def test_a_healthy_cluster_has_a_leader_an_owner_and_no_problem() -> None:
    found = told(healthy())

    assert (found.leader, found.epoch, found.epoch_n) == ("arbiter-master", E1, 1)
    assert [(s.id, s.owner, s.standby, s.phase, s.problem) for s in found.shards] == [
        (1, "scheduler-master", "scheduler-spare", "active", "")
    ]
    assert {d.health for d in found.daemons} == {"alive"}
    assert found.problems == ()


def test_after_a_failover_the_spares_lead_and_own() -> None:
    found = told(server1_dead())

    assert (found.leader, found.epoch, found.epoch_n) == ("arbiter-spare", E2, 2)
    assert (found.shards[0].owner, found.shards[0].standby) == ("scheduler-spare", "")
    assert found.answering == 2


def test_nothing_of_a_dead_server_is_shown_as_if_it_were_now() -> None:
    """Its last report said that it was active, with a pid and a shard."""
    daemon = the(told(server1_dead(14.0)), "scheduler-master")

    assert (daemon.health, daemon.active, daemon.pid, daemon.shards) == ("dead", False, 0, ())
    assert daemon.was_active
    assert daemon.age_s == 14.1
    assert daemon.figures and daemon.epoch == E1  # as old as age_s


def test_a_server_that_others_hear_is_unknown_and_neither_led_nor_owned() -> None:
    heard = healthy()
    heard["server1"] = replace(heard["server1"], age_s=9.0, why="timed out")
    found = told(heard)

    assert the(found, "arbiter-master").health == "unknown"
    assert not the(found, "arbiter-master").active
    assert found.leader == ""


def test_a_hung_daemon_keeps_its_pid_and_loses_its_work() -> None:
    found = told(changed(healthy(), "server1", "scheduler-master", beat_age_s=9.0))
    daemon = the(found, "scheduler-master")

    assert (daemon.health, daemon.active, daemon.shards) == ("dead", False, ())
    assert daemon.pid
    assert found.shards[0].owner == ""


def test_a_suspect_daemon_still_counts() -> None:
    found = told(changed(healthy(), "server1", "arbiter-master", beat_age_s=1.5))

    assert found.leader == "arbiter-master"


def test_of_two_leaders_the_higher_epoch_is_named() -> None:
    heard = healthy()
    three = tuple(
        seen(CLUSTER.daemon(d.name), True, E2) if d.role == "arbiter" else d  # type: ignore[arg-type]
        for d in crew(3, False)
    )
    heard["server3"] = Heard(census(3, three), 0.2)

    assert told(heard).leader == "arbiter-spare"


def test_a_shard_that_is_being_taken_has_a_claimant_and_no_owner() -> None:
    held = (ShardHeld(1, VERSION, E2, "loading"),)
    heard = changed(server1_dead(), "server3", "scheduler-spare", report=Report(shards=held))
    (shard,) = told(heard).shards

    assert (shard.owner, shard.claimant, shard.phase) == ("", "scheduler-spare", "loading")
    assert "nobody runs it" in shard.problem


def test_two_owners_are_told_and_the_higher_epoch_comes_first() -> None:
    held = (ShardHeld(1, VERSION, E2, "active"),)
    heard = changed(
        healthy(), "server3", "scheduler-spare", report=Report(active=True, shards=held)
    )
    (shard,) = told(heard).shards

    assert shard.owner == "scheduler-spare"
    assert shard.problem == "scheduler-spare and scheduler-master both run it"


def test_without_any_answer_everything_is_unknown() -> None:
    found = told({})

    assert {s.keeper for s in found.servers} == {"unknown"}
    assert {d.health for d in found.daemons} == {"unknown"}
    assert {d.age_s for d in found.daemons} == {-1}
    assert (found.leader, found.epoch, found.shards) == ("", 0, ())


def test_a_cluster_of_one_server_needs_no_others() -> None:
    one = Cluster(
        name="one", daemons=CLUSTER.on("10.0.0.1"), servers=(ServerDef("server1", "10.0.0.1", 0),)
    )

    assert snapshot(one, {"server1": healthy()["server1"]}).leader == "arbiter-master"
