"""The leader changes the voters: what it orders whom, and what it tells."""

from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import Cluster, ServerDef, epoch
from daemons.roles.leader.voter_change import VoterChange
from daemons.roles.role import Call
from daemons.wire.board import Convene, VoterSet
from daemons.wire.messages import Census, ServerSeen

SERVERS = tuple(ServerDef(f"s{n}", f"a{n}", n) for n in range(4))
CLUSTER = Cluster(name="c", daemons=(), servers=SERVERS)
LEADER = epoch(1, 5, 0)
THREE = VoterSet(2, (0, 1, 2), (), LEADER)
NOW = Now(Mono(100.0), Wall(0.0))


def census(n, voters=THREE, at=100.0, unknown=()):
    others = tuple(ServerSeen(s.name, 0.1) for s in SERVERS if s.index not in (n, *unknown))
    return {f"s{n}": (Mono(at), Census(f"s{n}", "i", 1, servers=others, voters=voters))}


def all_say(**more):
    return {name: said for n in range(4) for name, said in census(n, **more).items()}


def test_a_server_that_the_configuration_adds_is_ordered_to_join_at_every_keeper():
    change = VoterChange(CLUSTER, (0, 1, 2, 3))
    calls = change.tick(LEADER, all_say(), NOW)

    assert {c.to for c in calls} == {f"keeper@s{n}" for n in range(4)}
    assert {c.message for c in calls} == {Convene(VoterSet(3, (0, 1, 2, 3), (0, 1, 2), LEADER))}
    assert "the voters are s0, s1, s2, s3" not in str(change.problems())


def test_a_server_that_one_keeper_does_not_know_yet_does_not_join_and_that_is_told():
    change = VoterChange(CLUSTER, (0, 1, 2, 3))

    assert change.tick(LEADER, all_say() | census(1, unknown=(3,)), NOW) == []
    assert "the voters are s0, s1, s2; the configuration names s0, s1, s2, s3" in change.problems()[0]


def test_an_order_is_repeated_when_it_was_answered_and_did_not_stand_and_not_before():
    change = VoterChange(CLUSTER, (0, 1, 2))
    behind = all_say() | census(1, voters=VoterSet(1, (0, 1)))
    (call,) = change.tick(LEADER, behind, NOW)
    assert call.to == "keeper@s1" and call.message == Convene(THREE)

    later = Now(Mono(101.0), Wall(0.0))
    assert change.tick(LEADER, behind, later) == []
    change.answered(Call(call.to, call.message, 1.0))
    assert [c.to for c in change.tick(LEADER, behind, later)] == ["keeper@s1"]


def test_old_answers_are_not_believed():
    change = VoterChange(CLUSTER, (0, 1, 2, 3))

    assert change.tick(LEADER, all_say(at=90.0), NOW) == [] and change.voters() == frozenset()


def test_the_documents_majority_is_that_of_those_who_vote():
    change = VoterChange(CLUSTER, (0, 1, 2))
    change.tick(LEADER, all_say(), NOW)

    assert change.voters() == {"s0", "s1", "s2"} and change.problems() == ()
