"""The poller, driven by hand: exchanges out, `Lent` and results in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import Cluster, DaemonDef
from daemons.roles.poller import IDLE_S, PACE_S, Poller
from daemons.roles.role import Call, Unexpected
from daemons.wire.messages import (
    Beat,
    Chunk,
    Done,
    Enrolled,
    Exchange,
    Failed,
    Fenced,
    Fetch,
    Leases,
    Lent,
    LostRuns,
    NotMine,
    Placed,
    RanChunk,
    Roster,
    RunChunk,
    ShardEpoch,
)

CLUSTER = Cluster(
    name="test",
    daemons=(DaemonDef(name="p1", role="poller", address="a", port=1, tags=("dmz",)),),
    servers=(),
)


def at(mono: float) -> Now:
    return Now(Mono(mono), Wall(1_000_000 + mono))


def placed(shard: int = 0, scheduler: str = "s1", pollers: tuple[str, ...] = ("p1",)) -> Placed:
    return Placed(shard, "All", "v1", scheduler, pollers=pollers)


def roster(*shards: Placed, epoch: int = 1, n: int = 1) -> Roster:
    return Roster(epoch, n, "a1", shards=shards or (placed(),))


def poller(durable: bytes = b"", capacity: int = 100, kept_max: int = 1000) -> Poller:
    return Poller(
        name="p1", instance="i1", pid=7, cluster=CLUSTER,
        durable=durable, capacity=capacity, kept_max=kept_max,
    )  # fmt: skip


def enrolled(*shards: Placed, **more: int) -> Poller:
    role = poller(**more)
    assert isinstance(role.handle(roster(*shards), at(0)), Enrolled)
    return role


def asked(calls: list[Call], to: str = "s1") -> Call | None:
    found = [c for c in calls if isinstance(c.message, Exchange) and c.to == to]
    assert len(found) <= 1
    return found[0] if found else None


def must(call: Call | None) -> Call:
    assert call is not None
    return call


def exchange(call: Call) -> Exchange:
    assert isinstance(call.message, Exchange)
    return call.message


def lent(
    *chunks: Chunk, serial: int = 1, epoch: int = 5, owner: str = "so", durable=(), shards=(0,)
):
    held = tuple(ShardEpoch(shard, epoch) for shard in shards)
    return Lent(owner, serial, held, chunks, durable)


CHUNK = Chunk(0, 5, 10, b"ten orders")


def test_an_idle_poller_asks_for_all_it_has_room_for_and_is_willing_to_wait():
    call = must(asked(enrolled().tick(at(1))))

    assert (call.to, call.lane) == ("s1", "exchange")
    assert exchange(call).want == 100
    assert exchange(call).wait_s == IDLE_S
    assert exchange(call).tags == ("dmz",)


def test_a_poller_that_is_not_on_the_roster_asks_nobody():
    assert asked(enrolled(placed(pollers=("p2",))).tick(at(1))) is None


def test_a_poller_that_left_the_roster_is_heard_of_while_checks_run():
    role = enrolled()
    (run,) = role.answered(must(asked(role.tick(at(1)))), lent(CHUNK), at(1.01))
    role.answered(run, Done(), at(1.01))
    role.handle(roster(placed(pollers=("p2",)), n=2), at(1.1))

    call = must(asked(role.tick(at(2))))
    assert (exchange(call).want, exchange(call).wait_s) == (0, 0.0)
    role.answered(call, lent(), at(2.1))
    role.handle(LostRuns(10), at(2.2))
    assert asked(role.tick(at(3))) is None


def test_only_one_exchange_is_under_way_per_scheduler():
    role = enrolled()
    must(asked(role.tick(at(1))))

    assert asked(role.tick(at(2))) is None


def test_orders_go_to_exec_and_results_go_back_until_durable():
    role = enrolled()
    call = must(asked(role.tick(at(1))))
    (run,) = role.answered(call, lent(CHUNK), at(1.01))
    assert run == Call("exec", RunChunk(10, b"ten orders"))
    role.answered(run, Done(), at(1.01))
    assert role.handle(RanChunk(0, 10, b"ten results"), at(1.1)) == Done()

    call = must(asked(role.tick(at(1 + PACE_S))))
    (batch,) = exchange(call).batches
    assert (batch.shard, batch.count, batch.data) == (0, 10, b"ten results")
    assert exchange(call).lent_seen == 1
    role.answered(call, lent(serial=2), at(1.3))
    assert role.report().figures["kept"] == 10

    call = must(asked(role.tick(at(1.6))))
    assert exchange(call).batches == ()  # has it, is making it durable
    role.answered(call, lent(serial=3, durable=(batch.id,)), at(1.7))
    assert role.report().figures["kept"] == 0


def test_results_wait_no_longer_than_the_pace_and_many_do_not_wait():
    role = enrolled()
    call = must(asked(role.tick(at(1))))
    role.answered(call, lent(Chunk(0, 5, 80, b"x")), at(1.01))
    role.handle(RanChunk(0, 5, b"few"), at(1.02))
    assert asked(role.tick(at(1.06))) is None
    role.handle(RanChunk(0, 64, b"many"), at(1.07))

    call = must(asked(role.tick(at(1.1))))
    assert [b.count for b in exchange(call).batches] == [5, 64]
    assert exchange(call).wait_s <= PACE_S  # eleven are still running


def test_an_exchange_that_failed_carries_its_results_again():
    role = enrolled()
    role.answered(must(asked(role.tick(at(1)))), lent(CHUNK), at(1.01))
    role.handle(RanChunk(0, 10, b"r"), at(1.02))
    first = must(asked(role.tick(at(2))))
    role.answered(first, Failed("timed out"), at(3))

    again = must(asked(role.tick(at(4))))
    assert exchange(again).batches == exchange(first).batches
    assert exchange(again).seq > exchange(first).seq


def test_what_the_dead_owner_never_confirmed_goes_to_the_new_one():
    role = enrolled()
    role.answered(must(asked(role.tick(at(1)))), lent(CHUNK), at(1.01))
    role.handle(RanChunk(0, 10, b"r"), at(1.02))
    sent = must(asked(role.tick(at(2))))
    role.answered(sent, lent(serial=2), at(2.1))  # taken, not durable; then it dies

    role.handle(roster(placed(scheduler="s2"), n=2), at(3))
    call = must(asked(role.tick(at(3)), "s2"))
    assert exchange(call).batches == exchange(sent).batches
    role.answered(
        call, lent(owner="so2", epoch=6, durable=(exchange(sent).batches[0].id,)), at(3.1)
    )
    assert role.report().figures["kept"] == 0


@pytest.mark.parametrize("change", [{"owner": "restarted"}, {"epoch": 6}])
def test_an_owner_that_restarted_or_claimed_anew_gets_the_unconfirmed_results_again(change):
    role = enrolled()
    role.answered(must(asked(role.tick(at(1)))), lent(CHUNK), at(1.01))
    role.handle(RanChunk(0, 10, b"r"), at(1.02))
    sent = must(asked(role.tick(at(2))))
    role.answered(sent, lent(serial=2), at(2.1))
    role.answered(must(asked(role.tick(at(3)))), lent(serial=3, **change), at(3.1))

    assert exchange(must(asked(role.tick(at(4))))).batches == exchange(sent).batches


def test_results_are_not_thrown_at_a_scheduler_that_says_it_owns_nothing():
    role = enrolled()
    role.answered(must(asked(role.tick(at(1)))), lent(CHUNK), at(1.01))
    role.handle(RanChunk(0, 10, b"r"), at(1.02))
    role.answered(must(asked(role.tick(at(2)))), NotMine("standby"), at(2.1))

    call = must(asked(role.tick(at(3))))
    assert exchange(call).batches == ()
    role.answered(call, lent(serial=9), at(3.01))
    assert len(exchange(must(asked(role.tick(at(3.06))))).batches) == 1


def test_a_new_owner_is_given_the_results_before_it_is_asked_for_orders():
    """The drill lost results: a new owner ordered checks anew whose results were on their way to it."""
    role = enrolled()
    role.answered(must(asked(role.tick(at(1)))), lent(CHUNK), at(1.01))
    role.handle(RanChunk(0, 10, b"r"), at(1.02))
    role.answered(must(asked(role.tick(at(2)))), NotMine("not yet"), at(2.1))

    probe = must(asked(role.tick(at(3))))
    assert (exchange(probe).want, exchange(probe).wait_s) == (0, 0.0)
    role.answered(probe, lent(serial=9), at(3.01))
    handed_in = exchange(must(asked(role.tick(at(3.06)))))
    assert len(handed_in.batches) == 1 and handed_in.want > 0


def test_results_given_to_an_owner_that_had_just_let_go_of_the_shard_are_due_at_once():
    role = enrolled()
    role.answered(must(asked(role.tick(at(1)))), lent(CHUNK), at(1.01))
    role.handle(RanChunk(0, 5, b"first"), at(1.02))
    role.answered(must(asked(role.tick(at(2)))), lent(), at(2.1))
    role.handle(RanChunk(0, 5, b"second"), at(2.2))
    role.answered(must(asked(role.tick(at(3)))), lent(shards=()), at(3.1))
    calls = role.answered(must(asked(role.tick(at(4)))), lent(), at(4.1))

    assert b"second" in [b.data for b in exchange(must(asked(calls))).batches]


def test_results_that_are_not_confirmed_for_long_are_sent_again():
    """The confirmation may have been in an answer that was lost."""
    role = enrolled()
    role.answered(must(asked(role.tick(at(1)))), lent(CHUNK), at(1.01))
    role.handle(RanChunk(0, 10, b"r"), at(1.02))
    sent = must(asked(role.tick(at(2))))
    role.answered(sent, lent(), at(2.1))

    assert exchange(must(asked(role.tick(at(8))))).batches == exchange(sent).batches


def test_orders_of_an_older_epoch_are_refused_also_after_a_restart():
    role = enrolled()
    role.answered(must(asked(role.tick(at(1)))), lent(epoch=6), at(1.01))
    restarted = poller(role.durable())
    restarted.handle(roster(), at(2))

    call = must(asked(restarted.tick(at(3))))
    assert restarted.answered(call, lent(CHUNK, epoch=5), at(3.1)) == []
    assert restarted.report().figures["orders_fenced"] == 10


def test_the_epoch_is_durable_before_the_orders_leave():
    role = enrolled()
    call = must(asked(role.tick(at(1))))
    before = role.durable_serial
    role.answered(call, lent(CHUNK), at(1.01))

    assert role.durable_serial > before


def test_an_arbiter_of_an_older_epoch_is_fenced_also_after_a_restart():
    role = poller()
    role.handle(roster(epoch=4), at(0))

    assert poller(role.durable()).handle(roster(epoch=3), at(1)) == Fenced("arbiter", 4)


def test_orders_that_exec_has_no_room_for_are_tried_again_and_take_up_room():
    role = enrolled()
    (run,) = role.answered(must(asked(role.tick(at(1)))), lent(CHUNK), at(1.01))
    role.answered(run, Failed("full"), at(1.02))

    calls = role.tick(at(2))
    assert run in calls
    assert exchange(must(asked(calls))).want == 90


def test_orders_put_aside_are_dropped_when_the_shard_has_a_new_owner():
    role = enrolled()
    (run,) = role.answered(must(asked(role.tick(at(1)))), lent(CHUNK), at(1.01))
    role.answered(run, Failed("full"), at(1.02))
    call = must(asked(role.tick(at(1.3))))
    role.answered(run, Failed("full"), at(1.31))
    role.answered(call, lent(epoch=6, serial=2), at(1.4))

    assert run not in role.tick(at(2))
    assert role.report().figures["queue"] == 0


def test_lost_runs_make_room_again():
    role = enrolled()
    (run,) = role.answered(must(asked(role.tick(at(1)))), lent(CHUNK), at(1.01))
    role.answered(run, Done(), at(1.02))
    role.handle(LostRuns(10), at(1.1))

    assert exchange(must(asked(role.tick(at(2))))).want == 100


def test_beyond_the_limit_the_oldest_results_go_and_are_counted():
    role = enrolled(kept_max=25)
    for n in range(4):
        role.handle(RanChunk(0, 10, b"%d" % n), at(n))

    batches = exchange(must(asked(role.tick(at(9))))).batches
    assert [b.data for b in batches] == [b"2", b"3"]
    assert role.report().figures["results_shed"] == 20


def test_two_schedulers_share_the_capacity():
    role = enrolled(placed(0, "s1"), placed(1, "s2"))
    calls = role.tick(at(1))

    assert exchange(must(asked(calls, "s1"))).want == 50
    assert exchange(must(asked(calls, "s2"))).want == 50


def test_a_saturated_poller_asks_again_at_once_while_it_has_room():
    role = enrolled()
    call = must(asked(role.tick(at(1))))
    calls = role.answered(call, lent(Chunk(0, 5, 100, b"x")), at(1.06))
    assert asked(calls) is None  # no room
    role.handle(RanChunk(0, 50, b"r"), at(1.2))

    assert exchange(must(asked(role.tick(at(1.21))))).want == 50


def test_a_message_for_another_role_is_refused():
    with pytest.raises(Unexpected):
        poller().handle(Fetch(1, "v", 0), at(0))


def test_it_beats_and_takes_the_answer():
    role = enrolled()
    (beat,) = [c for c in role.tick(at(1)) if isinstance(c.message, Beat)]
    assert [c for c in role.tick(at(2)) if isinstance(c.message, Beat)] == []
    role.answered(beat, Leases(), at(2.1))

    assert [c for c in role.tick(at(3)) if isinstance(c.message, Beat)]


STEPS = st.lists(
    st.sampled_from(["result", "tick", "lent", "failed", "move", "restart", "notmine"]),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_each_result_is_kept_until_an_owner_confirms_it(steps):
    role = enrolled()
    flying: list[Call] = []
    owed: set[bytes] = set()  # results not yet confirmed
    known: dict[bytes, int] = {}  # batch ids that the living owner has seen
    scheduler, owner, epoch, n, now = "s1", "o1", 5, 1, 1.0
    for step in steps:
        now += 0.3
        match step:
            case "result":
                data = b"r%f" % now
                owed.add(data)
                role.handle(RanChunk(0, 1, data), at(now))
            case "tick":
                flying += [c for c in role.tick(at(now)) if isinstance(c.message, Exchange)]
            case "move":
                scheduler, owner, epoch, n = f"s{n}", f"o{n}", epoch + 1, n + 1
                known.clear()
                role.handle(roster(placed(scheduler=scheduler), n=n), at(now))
            case "restart":
                owner, known = owner + "'", {}
            case answer if flying:
                call = flying.pop(0)
                if answer == "notmine" or call.to != scheduler:
                    role.answered(call, NotMine("no"), at(now))
                    continue
                known |= {b.data: b.id for b in exchange(call).batches}
                if answer == "failed":
                    role.answered(call, Failed("lost"), at(now))
                    continue
                confirmed = dict(list(known.items())[:1])
                owed -= set(confirmed)
                follow = role.answered(
                    call,
                    Lent(owner, 1, (ShardEpoch(0, epoch),), (), tuple(confirmed.values())),
                    at(now),
                )
                flying += [c for c in follow if isinstance(c.message, Exchange)]
        assert role.kept >= len(owed)
    for call in flying:
        role.answered(call, Failed("end"), at(now))
    for _ in range(10):  # healed: the owner confirms all it gets
        now += 6.0
        if (call := asked(role.tick(at(now)), scheduler)) is not None:
            ids = tuple(b.id for b in exchange(call).batches)
            owed -= {b.data for b in exchange(call).batches}
            role.answered(call, Lent(owner, 1, (ShardEpoch(0, epoch),), (), ids), at(now))
            flying = []
    assert not owed
    assert role.kept == 0
