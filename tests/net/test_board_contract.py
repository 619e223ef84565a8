"""What every board promises, whoever votes: one server, three keepers, or a real etcd."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemons.ha.board import Ask, Board
from daemons.ha.lease import Held
from daemons.ha.promises import no_promises
from daemons.ha.terms import Terms
from daemons.ha.voterset import ENGINE
from daemons.model.clock import Mono
from daemons.net.etcd import EtcdVoter, Places
from daemons.wire.board import Pause, Revoke, Votes, VotesCopy
from tests.net.etcd_server import EtcdServer

BY_ETCD = Terms(lease_s=1.0, beat_s=0.1, margin_s=0.1, rpc_timeout_s=0.25)  # its leases last whole seconds
BY_KEEPERS = Terms(lease_s=0.5, beat_s=0.05, margin_s=0.05, rpc_timeout_s=0.12)
LEASE = "shard/1"
JITTER = 0.3


def now() -> Mono:
    return Mono(time.clock_gettime(time.CLOCK_BOOTTIME))


class World:
    """Boards of some servers, one daemon on each, and the way their rounds go."""

    def __init__(self, servers: int, etcd: Callable[[], EtcdVoter] | None = None) -> None:
        self.terms = BY_ETCD if etcd else BY_KEEPERS
        self.voters = (ENGINE,) if etcd else tuple(range(servers))
        self.engines = [etcd() for _ in range(servers)] if etcd else []
        self.boards = [self.board(index) for index in range(servers)]
        self.dead: set[int] = set()
        self.wanted: dict[int, tuple[int, int]] = {}  # claims by server
        self.seen: list[tuple[int, Held]] = []  # every lease that was ever held, as first seen

    def board(self, index: int) -> Board:
        return Board(index, self.voters, self.terms, no_promises(True), lambda: JITTER, now())

    def restart(self, index: int) -> None:
        """A keeper that died and remembers what it had promised."""
        promises = self.boards[index].promises
        self.boards[index] = Board(index, self.voters, self.terms, promises, lambda: JITTER, now())

    def want(self, index: int, claim: tuple[int, int] = (1, 1), held: Held | None = None) -> None:
        self.wanted[index] = claim
        self.boards[index].claims.want(LEASE, f"s{index}", f"i{index}", claim, now(), held)

    def step(self) -> None:
        for index, board in enumerate(self.boards):
            if index in self.dead:
                continue
            if index in self.wanted:
                board.claims.progressed(f"i{index}", now())
                board.claims.want(LEASE, f"s{index}", f"i{index}", self.wanted[index], now())
            self.carry(index, board.tick(now()))
        held = self.holders()
        assert len(held) < 2, f"two holders at one instant: {held}"
        for index, lease in held.items():
            if not any(one.epoch == lease.epoch for _, one in self.seen):
                self.seen.append((index, lease))

    def carry(self, index: int, asks: tuple[Ask, ...]) -> None:
        queue = list(asks)
        while queue:
            ask = queue.pop(0)
            if ask.to in self.dead:
                continue
            if ask.to == ENGINE:
                answer = self.engines[index].apply(ask.message)
            else:
                answer = self.boards[ask.to].asked(ask.message, now())
            if isinstance(answer, Votes | VotesCopy):
                queue += self.boards[index].answered(ask.to, answer, now())

    def holders(self) -> dict[int, Held]:
        return {
            index: held
            for index, board in enumerate(self.boards)
            if index not in self.dead
            for held in board.claims.held(f"i{index}", now())
        }

    def until(self, true: Callable[[], object], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not true():
            assert time.monotonic() < deadline, f"not within {within_s} s; holders {self.holders()}"
            self.step()
            time.sleep(0.01)

    def hold(self, index: int, within_s: float = 6.0) -> Held:
        self.until(lambda: index in self.holders(), within_s)
        return self.holders()[index]

    def order(self, order: Revoke | Pause) -> None:
        """The leader tells every voter."""
        if self.engines:
            self.engines[0].apply(order)
        for board in () if self.engines else self.boards:
            board.asked(order, now())


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    server = EtcdServer(tmp_path_factory.mktemp("etcd"))
    yield server
    server.stop()


@pytest.fixture(params=["keepers", "etcd"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "keepers":
        return World(3)
    server: EtcdServer = request.getfixturevalue("etcd")
    return etcd_world(server, request.node.name)


def etcd_world(server: EtcdServer, cluster: str) -> World:
    return World(3, lambda: EtcdVoter(Places(urls=(server.url,)), cluster, BY_ETCD))


def test_of_all_who_seek_a_lease_one_gets_it_and_keeps_it(world):
    for index in range(3):
        world.want(index)
    world.until(world.holders, 6.0)
    (holder,) = world.holders()
    end = time.monotonic() + 2.5 * world.terms.lease_s
    world.until(lambda: time.monotonic() > end or holder not in world.holders(), 6.0)
    assert list(world.holders()) == [holder]
    assert len(world.seen) == 1


def test_a_lease_given_back_is_anothers_at_once_under_a_higher_epoch(world):
    world.want(0)
    first = world.hold(0)
    world.wanted.pop(0)
    world.want(1)
    world.boards[0].claims.release(LEASE, "i0", first.epoch, now())
    assert world.hold(1, within_s=world.terms.lease_s).epoch > first.epoch


def test_a_dead_server_s_lease_runs_out_and_not_before_its_holder_stopped(world):
    world.want(0)
    world.hold(0)
    world.want(1)
    world.step()
    until = world.holders()[0].until
    world.dead.add(0)
    world.hold(1, within_s=4 * world.terms.lease_s)
    assert now() > until


def test_a_holder_that_is_vouched_gone_is_replaced_at_once(world):
    world.want(0)
    first = world.hold(0)
    world.want(1)
    world.wanted.pop(0)
    world.boards[0].claims.gone("i0", now())
    assert world.hold(1, within_s=world.terms.lease_s).epoch > first.epoch


def test_a_revoked_lease_goes_to_its_target_only(world):
    world.want(0)
    first = world.hold(0)
    world.want(1)
    world.want(2)
    world.order(Revoke(1 << 60, LEASE, first.epoch, "s2"))
    second = world.hold(2, within_s=4 * world.terms.lease_s)
    assert second.epoch > first.epoch
    assert [index for index, _ in world.seen] == [0, 2]


def test_a_claim_below_the_highest_granted_is_refused(world):
    world.want(0, (5, 2))
    first = world.hold(0)
    world.wanted.pop(0)
    world.boards[0].claims.release(LEASE, "i0", first.epoch, now())
    world.want(1, (5, 1))
    end = time.monotonic() + 1.5 * world.terms.lease_s
    world.until(lambda: time.monotonic() > end, 6.0)
    assert world.holders() == {}
    world.want(1, (5, 2))
    world.hold(1)


def test_while_paused_nobody_takes_over_and_after_it_somebody_does(world):
    world.want(0)
    world.hold(0)
    world.order(Pause(1 << 60, 1, 2.0))
    begin = time.monotonic()
    world.want(1)
    world.dead.add(0)
    world.hold(1, within_s=8.0)
    assert time.monotonic() - begin >= 2.0


def test_a_pause_that_is_ended_early_ends_at_once_and_a_late_order_does_not_revive_it(world):
    world.want(0)
    world.hold(0)
    world.order(Pause(1 << 60, 1, 60.0))
    world.order(Pause(1 << 60, 2, 0.0))
    world.order(Pause(1 << 60, 1, 60.0))
    world.want(1)
    world.dead.add(0)
    world.hold(1)


def test_who_was_told_of_a_higher_epoch_claims_above_it(world):
    world.want(0)
    first = world.hold(0)
    higher = first.epoch + (1 << 20)
    world.boards[0].claims.fenced(LEASE, "i0", higher)
    world.until(lambda: any(h.epoch > higher for h in world.holders().values()), 6.0)


def test_a_keeper_that_restarts_goes_on_with_what_its_daemon_holds(world):
    world.want(0)
    first = world.hold(0)
    world.restart(0)
    world.want(0, held=first)
    end = time.monotonic() + 2 * world.terms.lease_s
    world.until(lambda: time.monotonic() > end, 6.0)
    assert world.holders()[0].epoch == first.epoch


def test_every_server_sees_who_holds_what(world):
    world.want(0)
    held = world.hold(0)

    def seen() -> bool:
        found = [s for s in world.boards[1].standing(now()) if s.name == LEASE]
        return [(s.epoch, s.daemon, s.live) for s in found] == [(held.epoch, "s0", True)]

    world.until(seen, 3.0)


def test_an_etcd_that_hangs_ends_every_lease_and_gives_them_anew(etcd):
    world = etcd_world(etcd, "hang")
    world.want(0)
    first = world.hold(0)
    etcd.pause()
    try:
        world.until(lambda: not world.holders(), 3 * world.terms.lease_s)
    finally:
        etcd.resume()
    assert world.hold(0).epoch > first.epoch


def test_an_etcd_that_lost_its_memory_issues_no_epoch_twice(tmp_path: Path):
    server = EtcdServer(tmp_path)
    try:
        world = etcd_world(server, "wiped")
        world.want(0)
        first = world.hold(0)
        world.until(lambda: all(board.standing(now()) for board in world.boards), 3.0)
        world.dead.add(0)
        server.wipe()
        world.want(1)
        assert world.hold(1).epoch > first.epoch
    finally:
        server.stop()


def test_clusters_that_share_an_etcd_do_not_meet(etcd):
    ours, theirs = etcd_world(etcd, "ours"), etcd_world(etcd, "ours2")
    for world in (ours, theirs):
        world.want(0)
        world.hold(0)


def test_what_cannot_be_read_grants_nothing(etcd):
    world = etcd_world(etcd, "odd")
    world.engines[0]._post("kv/put", {"key": "L3NoaW5rZW4vb2RkL3Byb21pc2UvYXJiaXRlcg==", "value": "ew=="})
    world.want(0)
    end = time.monotonic() + world.terms.lease_s
    world.until(lambda: time.monotonic() > end, 6.0)
    assert world.holders() == {}
    answer = world.engines[0].apply(world.boards[0].claims.tick(now()) or Revoke(1, LEASE, 1, "x"))
    assert "promise/arbiter is not of this release" in str(answer)
