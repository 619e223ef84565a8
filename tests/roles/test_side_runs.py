"""Commands beside checks in a reactionner: few at once, behind notifications, counted, never claimed."""

from msgspec import msgpack

from daemons.model.check import CODE_NOT_STARTED, CODE_TIMEOUT, Order, Result
from daemons.roles import side_runs
from daemons.roles.side_runs import AT_ONCE, CHUNK, LOST_S, WAITING, SideRuns
from daemons.wire.messages import (
    Actions,
    Chunk,
    Failed,
    Fence,
    LostRuns,
    RanChunk,
    ShardEpoch,
    Shutdown,
)
from daemons.wire.side import SnapshotTaken
from tests.roles.test_reactionner import Bench, action, at


def order(n: int, kind: str = "obsess", epoch: int = 5, timeout_s: float = 15.0) -> Order:
    return Order(0, epoch, f"side/{kind}/web1;http", n, f"{kind} {n}", timeout_s)


def chunk(*orders: Order) -> Chunk:
    return Chunk(0, orders[0].epoch, len(orders), msgpack.encode(orders))


def many(count: int, first: int = 1) -> tuple[Order, ...]:
    return tuple(order(n) for n in range(first, first + count))


def give(bench: Bench, *orders: Order, actions=(), epoch: int = 5) -> None:
    bench.asks()
    call = bench.asked.pop(0)
    answer = Actions((ShardEpoch(0, epoch),), actions, (), 2.0, (chunk(*orders),) if orders else ())
    bench.carry(bench.role.answered(call, answer, at(bench.now)))


def ends(bench: Bench, *orders: Order, code: int = 0, output: str = "") -> None:
    results = [Result(o.shard, o.epoch, o.object, o.seq, code, 7.0, 0.1, output) for o in orders]
    bench.role.handle(RanChunk(0, len(results), msgpack.encode(results)), at(bench.now))


def sides(bench: Bench) -> list[int]:
    return [o.seq for o in bench.started if o.object.startswith("side/")]


def figures(bench: Bench) -> dict[str, float]:
    return dict(bench.role.report().figures)


def test_they_run_without_a_claim_and_without_a_journal():
    bench = Bench()
    bench.disk_fails = True
    give(bench, *many(3))
    bench.tick()
    assert sides(bench) == [1, 2, 3]
    assert bench.disk == {}
    ends(bench, *many(3))
    assert (figures(bench)["side_done"], figures(bench)["side_running"]) == (3, 0)
    assert not bench.asks().ended


def test_few_run_at_once_and_the_next_when_one_has_ended():
    bench = Bench()
    give(bench, *many(AT_ONCE + 5))
    bench.tick()
    assert len(sides(bench)) == AT_ONCE
    assert figures(bench)["side_waiting"] == 5
    ends(bench, *many(2))
    bench.tick()
    assert sides(bench) == list(range(1, AT_ONCE + 3))


def test_it_asks_for_as_many_as_it_has_room_for():
    bench = Bench()
    assert bench.asks().side_want == AT_ONCE * WAITING
    give(bench, *many(AT_ONCE + 5))
    bench.tick()
    assert bench.asks().side_want == AT_ONCE * WAITING - 5


def test_workers_get_them_in_small_pieces():
    runs = SideRuns(at_once=10)
    runs.take([chunk(*many(10))])
    assert [call.message.count for call in runs.start(at(1.0), busy=False)] == [CHUNK, CHUNK, 2]


def test_none_begins_while_a_notification_waits_to():
    bench = Bench()
    bench.hold_journal = True
    give(bench, *many(3), actions=(action(),))
    bench.tick()
    assert bench.ran == []
    bench.release()
    bench.tick()
    assert bench.ran[0] == "mail-1"
    assert sides(bench) == [1, 2, 3]


def test_notifications_that_the_keepers_keep_waiting_hold_nobody_up_for_ever():
    runs = SideRuns()
    runs.take([chunk(*many(1))])
    assert runs.start(at(1.0), busy=True) == []
    assert runs.start(at(1.9), busy=True) == []
    assert runs.start(at(2.0), busy=True)
    runs.take([chunk(*many(1, 2))])
    runs.start(at(2.1), busy=False)
    runs.take([chunk(*many(1, 3))])
    assert runs.start(at(2.2), busy=True) == []


def test_a_notification_starts_although_all_room_for_others_is_taken():
    bench = Bench()
    give(bench, *many(AT_ONCE * 3))
    bench.tick()
    bench.give(action())
    bench.tick()
    assert bench.ran[-1] == "mail-1"


def test_what_exec_had_no_room_for_runs_later_in_order():
    bench = Bench()
    bench.exec_full = True
    give(bench, *many(6))
    bench.tick()
    assert figures(bench)["side_running"] == 0
    bench.exec_full = False
    bench.tick()
    assert sorted(sides(bench)) == [1, 2, 3, 4, 5, 6]


def test_a_fence_purges_what_the_owner_before_wanted():
    bench = Bench()
    give(bench, *many(AT_ONCE + 5))
    bench.tick()
    bench.role.handle(Fence(0, 6), at(bench.now))
    assert figures(bench)["side_waiting"] == 0
    give(bench, order(90, epoch=5), epoch=6)
    assert figures(bench)["side_waiting"] == 0
    give(bench, order(91, epoch=6), epoch=6)
    assert figures(bench)["side_waiting"] == 1


def test_what_failed_and_what_took_too_long_is_counted_and_seldom_logged(caplog):
    bench = Bench()
    give(bench, *many(5))
    bench.tick()
    ends(bench, *many(2), code=1, output="no route")
    ends(bench, *many(2, 3), code=CODE_TIMEOUT)
    ends(bench, order(5), code=CODE_NOT_STARTED)
    counted = figures(bench)
    assert (counted["side_failed"], counted["side_timed_out"], counted["side_done"]) == (3, 2, 0)
    assert len([r for r in caplog.records if "failed beside checks" in r.getMessage()]) == 1


def test_what_a_snapshot_printed_is_told_until_it_was_heard():
    bench = Bench()
    give(bench, order(1, "snapshot"))
    bench.tick()
    ends(bench, order(1, "snapshot"), code=3, output="all processes")
    taken = SnapshotTaken("web1;http", 7.0, 3, "all processes")
    bench.asked.clear()
    bench.role._links["s1"].flying = False
    assert bench.asks().snapshots == (taken,)
    bench.carry(bench.role.answered(bench.asked.pop(0), Failed("lost"), at(bench.now)))
    assert bench.asks().snapshots == (taken,)
    bench.give()
    assert bench.asks().snapshots == ()
    assert figures(bench)["side_done"] == 1


def test_only_so_many_snapshots_wait_for_their_scheduler(monkeypatch):
    monkeypatch.setattr(side_runs, "SNAPSHOTS_MAX", 2)
    runs = SideRuns()
    orders = [order(n, "snapshot") for n in range(3)]
    runs.take([chunk(*orders)])
    runs.start(at(1.0), busy=False)
    for one in orders:
        runs.ran(Result(0, 5, one.object, one.seq, 0, 0.0, 0.1, str(one.seq)))
    assert [taken.output for taken in runs.taken_of((0,))] == ["1", "2"]
    assert runs.taken_of((1,)) == ()


def test_a_worker_that_died_with_others_takes_no_notification_with_it():
    """The count alone cannot say which: a notification that lives would be told twice."""
    bench = Bench()
    give(bench, *many(5))
    bench.tick()
    bench.give(action())
    bench.tick()
    bench.role.handle(LostRuns(5), at(bench.now))
    assert figures(bench)["actions_ambiguous"] == 0
    bench.role.handle(LostRuns(6), at(bench.now))
    assert figures(bench)["actions_ambiguous"] == 1
    assert figures(bench)["side_running"] == 0


def test_one_without_an_end_makes_room_after_its_time_out():
    bench = Bench()
    give(bench, *many(AT_ONCE + 1))
    bench.tick()
    bench.tick(15.0 + LOST_S - 1.0)
    assert len(sides(bench)) == AT_ONCE
    bench.tick(1.5)
    assert len(sides(bench)) == AT_ONCE + 1
    assert figures(bench)["side_lost"] == AT_ONCE
    ends(bench, order(1))  # late after all
    assert figures(bench)["side_done"] == 0


def test_a_reactionner_that_stops_begins_none_and_waits_for_none():
    bench = Bench()
    give(bench, *many(AT_ONCE + 5))
    bench.tick()
    bench.role.handle(Shutdown(""), at(bench.now))
    ends(bench, *many(AT_ONCE))
    bench.tick()
    assert len(sides(bench)) == AT_ONCE
    give(bench, *many(2, 100))
    bench.tick()
    assert len(sides(bench)) == AT_ONCE
