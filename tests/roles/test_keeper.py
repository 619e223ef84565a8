"""The keeper by hand: beats become leases, ends become vouching and restarts, questions get a census."""

from hashlib import sha256

import msgspec

from daemons.ha.terms import Terms
from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import Cluster, DaemonDef, ServerDef, epoch, roster_n
from daemons.roles.keeper import RESTART_S, Keeper, voters_of
from daemons.roles.role import Call, Wait
from daemons.wire.board import Gone, ResetVotes, Round, VotesReset
from daemons.wire.documents import Keep, Kept, StoreDocument
from daemons.wire.messages import (
    Beat,
    Census,
    CensusAsk,
    DaemonEnded,
    DaemonStarted,
    Done,
    Failed,
    Leases,
    Register,
    Report,
    Shutdown,
    StartDaemon,
    StopDaemon,
    Want,
)

HERE = ServerDef("server1", "a1", 0)
DAEMONS = (
    DaemonDef(name="arb", role="arbiter", address="a1", port=1),
    DaemonDef(name="sched", role="scheduler", address="a1", port=2),
)


def cluster(servers=(HERE,), **settings):
    return Cluster(name="c", daemons=DAEMONS, servers=tuple(servers), settings=settings)


class Stage:
    """A keeper of one server and a clock."""

    def __init__(self, known=None, durable=b"", is_new=True):
        self.mono = 100.0
        self.keeper = Keeper(
            instance="k", pid=1, cluster=known or cluster(), server=HERE, terms=Terms(),
            durable=durable, is_new=is_new, jitter=lambda: 0.5,
        )  # fmt: skip
        self.sent: list[Call] = []

    @property
    def now(self):
        return Now(Mono(self.mono), Wall(1_800_000_000.0 + self.mono))

    def run(self, seconds):
        for _ in range(round(seconds / 0.1)):
            self.mono += 0.1
            self.sent += self.keeper.tick(self.now)

    def beat(self, *wants, instance="i1", name="sched", held=()):
        beat = Beat(name, "scheduler", instance, 42, tuple(Want(w) for w in wants), Report(), held)
        return self.keeper.handle(beat, self.now)

    def held(self, *wants, seconds=4.0, **more):
        answer = None
        for _ in range(round(seconds / 0.2)):
            answer = self.beat(*wants, **more)
            self.run(0.2)
        return answer

    def started(self, name="sched", instance="i1", adopted=False):
        self.keeper.handle(DaemonStarted(name, 42, instance, 0.0, adopted), self.now)


def test_a_single_server_grants_its_daemon_a_lease_and_renews_it_while_it_beats():
    stage = Stage()
    stage.started()
    answer = stage.held("shard/1")

    assert isinstance(answer, Leases)
    (lease,) = answer.held
    assert lease.name == "shard/1" and lease.until_mono > stage.mono


def test_a_daemon_that_stops_beating_loses_its_lease():
    stage = Stage()
    stage.started()
    stage.held("shard/1")
    stage.run(4.0)

    assert stage.beat("shard/1").held == ()


def test_a_lease_that_is_not_wanted_any_more_is_free_for_another_at_once():
    stage = Stage()
    stage.started()
    stage.started("arb", "i2")
    stage.held("shard/1")
    stage.beat()
    answer = stage.held("shard/1", seconds=1.0, instance="i2", name="arb")

    assert [lease.name for lease in answer.held] == ["shard/1"]


def test_a_seek_that_is_not_wanted_any_more_is_given_up():
    stage = Stage(cluster((HERE, ServerDef("server2", "a2", 1), ServerDef("server3", "a3", 2))))
    stage.started()
    stage.beat("shard/1")
    stage.run(1.0)
    stage.beat()
    stage.sent.clear()
    stage.run(1.0)

    rounds = [call.message for call in stage.sent if isinstance(call.message, Round)]
    assert not any(line for r in rounds for line in r.lines)


def test_an_end_is_vouched_for_told_to_the_arbiters_and_the_daemon_started_again():
    stage = Stage()
    stage.run(0.1)
    assert {c.message.name for c in stage.sent if isinstance(c.message, StartDaemon)} == {"arb", "sched"}
    stage.started()
    stage.held("shard/1")
    stage.sent.clear()
    stage.keeper.handle(DaemonEnded("sched", 42, "i1", -9), stage.now)
    stage.run(RESTART_S + 0.3)

    assert Call("arb", Gone(0, ("i1",), ("sched",)), 1.0, "gone") in stage.sent
    assert any(c.message == StartDaemon("sched") for c in stage.sent)
    assert isinstance(stage.beat("shard/1"), Failed)  # a word from the dead


def test_a_daemon_that_ends_soon_each_time_is_started_later_each_time():
    stage = Stage()
    stage.run(0.1)
    pauses = []
    for n in range(5):
        stage.started(instance=f"i{n}")
        stage.keeper.handle(DaemonEnded("sched", 42, f"i{n}", 1), stage.now)
        stage.sent.clear()
        begun = stage.mono
        while not any(c.message == StartDaemon("sched") for c in stage.sent):
            stage.run(0.1)
        pauses.append(round(stage.mono - begun, 1))

    assert pauses == sorted(pauses) and pauses[-1] >= 8 * pauses[0]


def test_a_restarted_keeper_goes_on_renewing_what_its_daemons_hold():
    first = Stage()
    first.started()
    answer = first.held("shard/1")
    second = Stage(durable=first.keeper.durable(), is_new=False)
    second.mono = first.mono
    second.run(0.1)
    second.started(adopted=True)
    again = second.beat("shard/1", held=answer.held)

    assert [lease.epoch for lease in again.held] == [answer.held[0].epoch]


def test_damaged_votes_are_lost_votes_not_a_first_start():
    three = cluster((HERE, ServerDef("server2", "a2", 1), ServerDef("server3", "a3", 2)))
    stage = Stage(three, durable=b"\x93nonsense", is_new=True)
    stage.run(0.2)

    census = stage.keeper.handle(CensusAsk(), stage.now)
    assert any("lost its votes" in problem for problem in census.problems)


def test_the_census_says_who_lives_here():
    stage = Stage()
    stage.started()
    stage.beat()
    stage.mono += 0.7
    census = stage.keeper.handle(CensusAsk(), stage.now)

    assert isinstance(census, Census)
    (seen,) = [d for d in census.daemons if d.name == "sched"]
    assert (seen.running, seen.pid, round(seen.beat_age_s, 1)) == (True, 42, 0.7)


def test_running_daemons_are_registered_by_name_with_their_metadata():
    stage = Stage()
    stage.started()
    stage.beat()
    stage.run(1.5)

    (register,) = [c.message for c in stage.sent if isinstance(c.message, Register)]
    (entry,) = register.entries
    assert entry.name == "shinken.c.scheduler.sched"
    assert {"role=scheduler", "spare=0", "server=server1", "instance=i1"} <= set(entry.metadata)


def test_a_shutdown_ends_the_daemons_first():
    stage = Stage()
    stage.started()
    assert isinstance(stage.keeper.handle(Shutdown(), stage.now), Wait)
    stage.run(0.1)
    assert any(isinstance(c.message, StopDaemon) for c in stage.sent)
    stage.keeper.handle(DaemonEnded("sched", 42, "i1", 0), stage.now)

    assert stage.keeper.handle(Shutdown(), stage.now) == Done()


def test_a_shutdown_waits_for_a_start_that_is_under_way_and_ends_that_daemon_too():
    """A drill interrupted while it started left daemons behind that no keeper knew."""
    stage = Stage()
    stage.run(0.1)
    assert any(isinstance(c.message, StartDaemon) for c in stage.sent)
    assert isinstance(stage.keeper.handle(Shutdown(), stage.now), Wait)
    for name in (d.name for d in DAEMONS if d.address == HERE.address):
        stage.started(name)
    stage.run(0.1)
    assert any(isinstance(c.message, StopDaemon) for c in stage.sent)


def test_the_voters_are_an_odd_number_of_servers_or_those_that_are_named():
    servers = tuple(ServerDef(f"server{n}", f"a{n}", n) for n in range(7))
    for count, voters in ((1, 1), (2, 2), (3, 3), (4, 3), (5, 5), (7, 5)):
        assert len(voters_of(cluster(servers[:count]))) == voters
    assert voters_of(cluster(servers, voters="server2, a4")) == (2, 4)


def test_promises_survive_as_bytes():
    stage = Stage()
    stage.started()
    stage.held("shard/1")

    assert msgspec.msgpack.decode(stage.keeper.durable())
    assert stage.keeper.durable_serial > 0


def test_a_server_that_never_answered_was_never_heard():
    other = ServerDef("server2", "a2", 1)
    stage = Stage(cluster((HERE, other)))
    stage.run(1.0)
    census = stage.keeper.handle(CensusAsk(), stage.now)

    assert [(s.name, s.age_s) for s in census.servers] == [("server2", -1.0)]


def test_a_claim_from_a_configuration_older_than_the_committed_one_wins_nothing():
    """A late order: the scheduler would run what is no longer configured."""
    stage = Stage()
    stage.started()
    stage.run(4.0)
    stage.held("shard/1", seconds=0.2)  # the voter knows the shard
    stage.beat()
    digest = sha256(b"files").hexdigest()
    keep = Keep("configuration", epoch(1, 9, 0), 3, digest, 0, 1, b"files")
    assert isinstance(stage.keeper.handle(keep, stage.now), Wait)
    (store,) = [c for c in stage.keeper.tick(stage.now) if isinstance(c.message, StoreDocument)]
    stage.keeper.answered(store, Done(), stage.now)
    assert stage.keeper.handle(keep, stage.now) == Kept("configuration", epoch(1, 9, 0), 3)

    def claim(n):
        for _ in range(20):
            want = Want("shard/1", epoch(1, 9, 0), n)
            answer = stage.keeper.handle(Beat("sched", "scheduler", "i1", 42, (want,)), stage.now)
            stage.run(0.2)
        return answer.held

    assert claim(roster_n(0, 2)) == ()
    assert [lease.name for lease in claim(roster_n(0, 3))] == ["shard/1"]


THREE = (HERE, ServerDef("server2", "a2", 1), ServerDef("server3", "a3", 2))


def test_a_keeper_that_lost_its_votes_says_at_its_start_for_whom_it_waits_and_what_can_be_done(caplog):
    Stage(cluster(THREE), is_new=False).run(0.1)
    assert "server2, server3" in caplog.text and "shinken voter reset --server server1" in caplog.text


def test_votes_are_reset_on_the_word_of_an_operator_in_a_later_generation():
    stage = Stage(cluster(THREE), is_new=False)
    stage.run(5.0)
    asked = stage.keeper.handle(ResetVotes("ann", only_ask=True), stage.now)
    assert asked == VotesReset(False, True, ("server2", "server3"))
    assert stage.keeper.promises.state == "lost"

    before = stage.keeper.durable_serial
    assert stage.keeper.handle(ResetVotes("ann"), stage.now).done
    assert stage.keeper.promises.state == "kept" and stage.keeper.durable_serial > before
    assert stage.keeper.promises.least > epoch(1, 0, 0)
    assert stage.keeper.handle(CensusAsk(), stage.now).voter_quarantine_s > 0


def test_votes_that_are_not_lost_are_not_reset():
    stage = Stage()
    stage.run(4.0)
    before = stage.keeper.durable()
    answer = stage.keeper.handle(ResetVotes("ann"), stage.now)
    assert not answer.done and not answer.lost and stage.keeper.durable() == before


def test_votes_that_cannot_be_written_are_not_reset():
    stage = Stage(cluster(THREE), is_new=False)
    stage.run(1.0)
    stage.keeper.cannot_write("No space left on device")
    answer = stage.keeper.handle(ResetVotes("ann"), stage.now)
    assert not answer.done and "No space left" in answer.why
