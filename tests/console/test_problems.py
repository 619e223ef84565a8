"""Each thing that can be wrong: it is told, once, with what to do, and weighs what it should."""

from typing import Any

import pytest
from msgspec.structs import replace

from console.facts import Heard, Problem, Severity, Snapshot
from console.snapshot import snapshot
from daemons.model.cluster import Cluster, ServerDef
from daemons.wire.board import Pause
from daemons.wire.messages import Report, ShardHeld
from tests.console.fakes import (
    CLUSTER,
    E1,
    E2,
    HASH,
    VERSION,
    changed,
    healthy,
    server1_dead,
    told,
)


def texts(found: Snapshot) -> list[str]:
    return [p.text for p in found.problems]


def one(found: Snapshot, words: str) -> Problem:
    matching = [p for p in found.problems if words in p.text]
    assert len(matching) == 1, texts(found)
    return matching[0]


def said(name: str, server: str, **report: Any) -> dict[str, Heard]:
    """All is well, but one daemon's report says this."""
    heard = healthy()
    known = heard[server].census
    assert known is not None
    daemon = next(d for d in known.daemons if d.name == name)
    return changed(heard, server, name, report=replace(daemon.report, **report))


@pytest.mark.parametrize(
    ("heard", "words", "severity", "fix"),
    [
        (said("arbiter-spare", "server3", active=True, epoch=E2), "both lead", "critical", "network"),
        (said("arbiter-master", "server1", active=False), "no arbiter leads: checks go on", "critical", "wait some seconds for arbiter-master or arbiter-spare"),
        (said("poller-spare", "server3", problems=("the spool is full",)), "poller-spare: the spool is full", "warning", "disk"),
        (said("arbiter-spare", "server3", config="beef"), f"arbiter-spare on server3 has beef, the leader arbiter-master has {HASH}", "warning", "copy the files of server1 to server3"),
        (said("broker-master", "server1", active=False), "no broker is active: broker-master and broker-spare wait", "critical", "leader"),
        (said("arbiter-master", "server1", figures={"shards": 3}), "2 of 3 shards are at no scheduler", "critical", "start a scheduler"),
        (said("scheduler-spare", "server3", shards=()), "shard 1: no standby follows it", "warning", "define a spare"),
        (said("scheduler-spare", "server3", shards=(ShardHeld(1, VERSION, 0, "standby"),)), "scheduler-spare has no copy", "warning", "copied within seconds"),
        (said("scheduler-spare", "server3", active=True, shards=(ShardHeld(1, VERSION, E2, "active"),)), "both run it", "critical", "network"),
        (changed(healthy(), "server1", "poller-master", running=False, pid=0), "poller-master on server1 is dead: it ended; poller-master-2 does its work", "critical", "its keeper starts it again"),
        (changed(healthy(), "server1", "broker-master", beat_age_s=8.0), "broker-master on server1 is dead: it hangs", "critical", "kill 2105"),
        (changed(healthy(), "server1", "poller-master", beat_age_s=1.5), "poller-master on server1 is suspect", "warning", "log"),
        (changed(healthy(), "server3", "broker-spare", restarts=5, started_wall=1_790_000_000.0 - 4), "started again 5 times", "warning", "log/broker-spare.log"),
        (server1_dead(), "server1 is silent for 14 s to everybody; with it arbiter-master", "critical", "shinken start --server server1"),
        ({}, "no keeper answers", "critical", "shinken start"),
    ],
)  # fmt: skip
def test_it_is_told_with_its_weight_and_what_to_do(
    heard: dict[str, Heard], words: str, severity: Severity, fix: str
) -> None:
    problem = one(told(heard), words)

    assert problem.severity == severity
    assert fix in problem.fix


def test_every_problem_comes_with_a_fix() -> None:
    for heard in (server1_dead(), {}, said("arbiter-master", "server1", active=False)):
        assert all(p.fix for p in told(heard).problems)


def test_the_daemons_of_a_silent_server_are_not_told_one_by_one() -> None:
    assert not [t for t in texts(told(server1_dead())) if t.startswith("scheduler-master on")]


def test_with_nobody_answering_there_is_one_problem() -> None:
    assert len(told({}).problems) == 1


def test_the_worst_comes_first() -> None:
    weights = [p.severity for p in told(server1_dead()).problems]

    assert weights == sorted(weights, key=["critical", "warning", "advice"].index)
    assert len(set(weights)) > 1


def test_a_shard_that_a_standby_will_take_asks_for_patience() -> None:
    heard = changed(server1_dead(), "server3", "scheduler-spare", report=Report(
        shards=(ShardHeld(1, VERSION, 0, "standby", E1, 9),)))  # fmt: skip

    assert "scheduler-spare takes over within seconds" in one(told(heard), "shard 1").fix


def test_nobody_checks_when_no_scheduler_lives() -> None:
    heard = server1_dead() | {"server3": Heard()}
    found = told(heard)

    assert one(found, "no scheduler is active").severity == "critical"
    assert "checks go on" not in " ".join(texts(found))


def test_clocks_that_differ_are_told_by_name() -> None:
    heard = healthy()
    heard["server3"] = replace(heard["server3"], ahead_s=61.0)

    assert "server3 is 61 s ahead of server1" in one(told(heard), "clocks differ").text


def test_what_a_keeper_says_of_itself_is_told() -> None:
    heard = healthy()
    census = heard["server2"].census
    assert census is not None
    text = "keeper@server2 lost its votes and waits for those of server1"
    heard["server2"] = replace(heard["server2"], census=replace(census, problems=(text,)))

    assert "start the keepers" in one(told(heard), text).fix


def test_releases_that_differ_are_advice() -> None:
    heard = healthy()
    census = heard["server2"].census
    assert census is not None
    heard["server2"] = replace(heard["server2"], census=replace(census, release="0.2.0"))

    assert one(told(heard), "different releases: 0.1.0, 0.2.0").severity == "advice"


def test_a_role_on_one_server_only_is_advice() -> None:
    servers = (ServerDef("server1", "10.0.0.1", 0),)
    small = Cluster(name="small", daemons=CLUSTER.on("10.0.0.1"), servers=servers)
    found = snapshot(small, {"server1": healthy()["server1"]})

    assert one(found, "broker: it has no spare").severity == "advice"
    assert {p.severity for p in found.problems} == {"advice"}


def test_a_leader_without_shards_leaves_the_others_idle_and_that_is_no_problem() -> None:
    """No host is configured yet."""
    heard = healthy()
    for name, ear in heard.items():
        assert ear.census is not None
        idle = tuple(
            replace(d, report=Report(active=d.name == "arbiter-master", epoch=E1))
            for d in ear.census.daemons
        )
        heard[name] = replace(ear, census=replace(ear.census, daemons=idle))

    assert texts(told(heard)) == []


def test_a_configuration_that_differs_is_told_once() -> None:
    heard = said("arbiter-spare", "server3", config="beef")
    leader = f"arbiter-spare has another configuration (beef) than the leader ({HASH})"
    known = heard["server1"].census
    assert known is not None
    report = next(d.report for d in known.daemons if d.name == "arbiter-master")
    heard = changed(
        heard, "server1", "arbiter-master", report=replace(report, problems=(leader, "another"))
    )

    one(told(heard), "beef")
    one(told(heard), "another")


def test_a_full_disk_is_named_with_what_to_do() -> None:
    heard = healthy()
    text = "the disk of the work folder /var/lib/shinken is full"
    known = heard["server2"].census
    assert known is not None
    heard["server2"] = replace(heard["server2"], census=replace(known, problems=(text,)))

    assert "make room on the disk" in one(told(heard), text).fix


def on_machines(**machines: str) -> Snapshot:
    """All is well; each keeper says on which machine it runs."""
    heard = {
        name: replace(h, census=replace(h.census, machine=machines.get(name, ""))) if h.census else h
        for name, h in healthy().items()
    }
    return told(heard)


def test_two_servers_on_one_machine_are_named_because_their_votes_fall_together() -> None:
    problem = one(on_machines(server1="m", server2="m", server3="n"), "one machine")
    assert problem.text == "server1 and server2 are one machine: they count as two votes and die together"
    assert problem.severity == "warning"


def test_servers_that_were_named_by_hand_or_have_machines_of_their_own_are_not() -> None:
    for found in (on_machines(), on_machines(server1="a", server2="b", server3="c")):
        assert not [t for t in texts(found) if "one machine" in t]


def test_a_server_that_only_votes_is_shown_as_such_and_missed_for_its_vote() -> None:
    small = ServerDef("server9", "10.0.0.9", 9, voter_only=True)
    found = snapshot(replace(CLUSTER, servers=(*CLUSTER.servers, small)), healthy())
    assert [s.name for s in found.servers if s.votes_only] == ["server9"]


def test_a_pause_is_told_from_the_keepers_also_when_nobody_leads() -> None:
    heard = {
        name: replace(h, census=replace(h.census, pause=Pause(1, 1, 90.0, "ann", "cables"))) if h.census else h
        for name, h in healthy().items()
    }
    problem = one(told(heard), "paused for")
    assert "by ann: cables; nothing is taken over until then" in problem.text
    assert "shinken resume" in problem.fix
