"""A disk that is full, read-only, broken or slow: what depends on a promise that is not written stays in."""

import os
import threading

import pytest

from daemons.ha.terms import Terms
from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import Cluster, DaemonDef, ServerDef, epoch
from daemons.net import runner
from daemons.net.durable import Durable
from daemons.net.runner import Runner
from daemons.roles.keeper import Keeper
from daemons.roles.role import Call
from daemons.wire.board import GrantLine, RenewLine, Round, StatusLine, VoterSet, Votes
from daemons.wire.messages import Beat, Census, CensusAsk, Done, Failed, Leases, Report, Want

LIMIT_S = 5.0
SERVERS = tuple(ServerDef(f"server{n + 1}", f"a{n + 1}", n) for n in range(3))
SCHED = DaemonDef(name="sched", role="scheduler", address="a1", port=2)
THREE = VoterSet(0, (0, 1, 2))


class Disk(Durable):
    """A file whose disk can fail: `full` before anything is written, `late` after it was replaced."""

    full = late = False

    def write(self, data: bytes) -> None:
        if self.full:
            raise OSError(28, os.strerror(28))
        super().write(data)
        if self.late:
            raise OSError(5, os.strerror(5))

    def probe(self) -> None:
        if self.full or self.late:
            raise OSError(28, os.strerror(28))
        super().probe()


class Kept:
    """A keeper in its runner, by hand: the clock stands still between the steps."""

    def __init__(self, disk, servers=SERVERS):
        self.mono, self.disk = 100.0, disk
        self.keeper = Keeper(
            instance="k", pid=1, cluster=Cluster(name="c", daemons=(SCHED,), servers=servers),
            server=SERVERS[0], terms=Terms(), durable=disk.read(), is_new=not disk.exists, jitter=lambda: 0.5,
        )  # fmt: skip
        self.runner = Runner(self.keeper, lambda name: None, {}, disk, lambda: Now(Mono(self.mono), Wall(self.mono)))
        self.sent: list[Call] = []
        self.runner._send = self.sent.extend  # nobody is there to carry them to

    def run(self, seconds, each=lambda: None):
        for _ in range(round(seconds / 0.1)):
            self.mono += 0.1
            each()
            self.runner._tick()

    def asks(self, *lines, server=1):
        answer = self.runner.enter(Round(server, 1, lines, (), 0, THREE))
        return answer.lines[0] if isinstance(answer, Votes) and answer.lines else answer

    def beat(self):
        return self.runner.enter(Beat("sched", "scheduler", "i1", 42, (Want("shard/1"),), Report(), ()))

    def held(self):
        answer = self.beat()
        assert isinstance(answer, Leases), answer
        return [(lease.name, lease.epoch) for lease in answer.held]

    def problems(self):
        census = self.runner.enter(CensusAsk())
        assert isinstance(census, Census)
        return [p for p in census.problems if "cannot write" in p]

    def recovers(self):
        """Let the disk do again what it should and wait until that was noticed."""
        self.disk.full = self.disk.late = False
        deadline = threading.Event()
        for _ in range(int(LIMIT_S / 0.01)):
            if not self.keeper.unwritable:
                return
            deadline.wait(0.01)
        raise AssertionError("the keeper did not notice that its disk is good again")


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(runner, "RETRY_S", 0.01)


@pytest.fixture
def voter(tmp_path):
    """One of three voters, past its quarantine, that promised shard/1 to `a`."""
    one = Kept(Disk(tmp_path / "votes"))
    one.run(4.0)
    assert one.asks(GrantLine("shard/1", "a", "ia", epoch(1, 1, 1))).ok
    yield one
    one.runner.ended.set()


def grant(name="shard/2", n=1):
    return GrantLine(name, "b", "ib", epoch(1, n, 1))


@pytest.mark.parametrize("how", ["full", "late"])
def test_a_promise_that_cannot_be_written_is_not_answered_and_none_is_made_after_it(voter, how):
    setattr(voter.disk, how, True)
    answer = voter.asks(grant())
    assert isinstance(answer, Failed) and "cannot write" in answer.why

    later = voter.asks(grant("shard/3"))
    assert not later.ok and "cannot write its votes" in later.why
    status = voter.asks(StatusLine("shard/3", "b", "ib"))
    assert not status.ok


def test_what_was_promised_before_is_renewed_while_the_disk_is_full(voter):
    voter.disk.full = True
    voter.asks(grant())
    answer = voter.asks(RenewLine("shard/1", "a", "ia", epoch(1, 1, 1)))
    assert answer.ok


def test_a_promise_that_was_dropped_is_not_renewed_as_if_it_were_one(voter):
    voter.disk.full = True
    voter.asks(grant())
    assert not voter.asks(RenewLine("shard/2", "b", "ib", epoch(1, 1, 1))).ok
    assert not voter.asks(grant()).ok


def test_the_census_names_the_disk_and_forgets_it_when_it_is_good_again(voter):
    voter.disk.full = True
    voter.asks(grant())
    assert voter.problems() == ["server1 cannot write its votes: No space left on device: grants nothing"]

    voter.recovers()
    assert voter.problems() == []
    voter.run(4.0)
    assert voter.asks(grant("shard/4")).ok


@pytest.mark.parametrize("how", ["full", "late"])
def test_after_the_disk_is_good_again_the_file_holds_what_was_told(voter, how):
    setattr(voter.disk, how, True)
    voter.asks(grant())
    voter.recovers()
    voter.run(0.2)

    again = Kept(Disk(voter.disk.path))
    assert {n: p.daemon for n, p in again.keeper.promises.names.items()} == {"shard/1": "a"}


def test_a_disk_that_takes_too_long_ends_granting_but_not_the_promise_that_was_written(voter, monkeypatch):
    monkeypatch.setattr(runner, "SLOW_WRITE_S", -1.0)
    assert voter.asks(grant()).ok
    assert not voter.asks(grant("shard/3")).ok
    assert voter.asks(RenewLine("shard/2", "b", "ib", epoch(1, 1, 1))).ok

    monkeypatch.setattr(runner, "SLOW_WRITE_S", 60.0)
    voter.recovers()


def test_the_only_voter_keeps_the_lease_its_daemon_has_and_gives_no_new_one(tmp_path):
    one = Kept(Disk(tmp_path / "votes"), servers=SERVERS[:1])
    one.run(4.0, one.beat)
    before = one.held()
    assert [name for name, _ in before] == ["shard/1"]

    one.disk.full = True
    wants = Beat("sched", "scheduler", "i1", 42, (Want("shard/1"), Want("shard/2")), Report())
    said = []

    def beat():
        held = tuple(said[-1].held) if said else ()
        answer = one.runner.enter(
            Beat(wants.name, wants.role, wants.instance, wants.pid, wants.wants, wants.report, held)
        )
        if isinstance(answer, Leases):
            said.append(answer)

    one.run(6.0, beat)
    assert [(lease.name, lease.epoch) for lease in said[-1].held] == before
    assert not any(lease.name == "shard/2" for answer in said for lease in answer.held)

    one.recovers()
    one.run(6.0, beat)
    assert [lease.name for lease in said[-1].held] == ["shard/1", "shard/2"]
    one.runner.ended.set()


def test_an_answer_to_a_round_from_before_does_not_count_after_it(voter):
    voter.beat()
    voter.run(1.0)
    before = voter.keeper.board.claims.serial
    voter.disk.full = True
    voter.asks(grant())
    voter.run(0.2)
    assert voter.keeper.board.claims.serial > before


def test_nothing_is_promised_on_a_device_that_is_really_full(tmp_path, monkeypatch):
    one = Kept(Durable(tmp_path / "votes"))
    one.run(4.0)
    (tmp_path / "votes.new").symlink_to("/dev/full")
    (tmp_path / "votes.probe").symlink_to("/dev/full")
    answer = one.asks(grant())
    assert isinstance(answer, Failed) and "No space left" in answer.why
    assert "No space left" in one.problems()[0]
    one.runner.ended.set()


class Hears:
    """A daemon that remembers the highest number it heard, and tells it."""

    name, instance, tick_s = "hears", "i", 0.005

    def __init__(self):
        self.durable_serial = 0
        self.failed = []

    def handle(self, message, now):
        if isinstance(message, CensusAsk):
            self.durable_serial += 1
        return Done()

    def tick(self, now):
        return [Call("peer", CensusAsk())]

    def answered(self, call, answer, now):
        self.failed.append(answer)
        return []

    def durable(self):
        return str(self.durable_serial).encode()


def test_a_daemon_whose_memory_cannot_be_written_says_nothing_until_it_is(tmp_path):
    role, disk, mono = Hears(), Disk(tmp_path / "d"), [1.0]
    one = Runner(role, lambda name: None, {}, disk, lambda: Now(Mono(mono[0]), Wall(1.0)))
    sent = []
    one._send = sent.extend
    assert one.enter(CensusAsk()) == Done()
    disk.full = True
    assert isinstance(one.enter(CensusAsk()), Failed)
    one._tick()
    assert sent == []  # the tick, too, comes after what was heard
    one._tick()
    assert all(isinstance(answer, Failed) for answer in role.failed) and role.failed

    disk.full, mono[0] = False, 2.0
    one._tick()
    assert disk.read() == b"2" and sent
