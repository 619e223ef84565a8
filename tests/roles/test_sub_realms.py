"""Satellites of an outer realm: several schedulers, several shards at one of them, realms that are not theirs."""

from daemons.roles.broker import Broker
from daemons.roles.poller import Poller
from daemons.wire.messages import (
    Broks,
    Exchange,
    Fed,
    Feed,
    Member,
    Placed,
    RanChunk,
    Roster,
    RunChunk,
    TakeBroks,
)
from tests.roles.test_broker import delta, one
from tests.roles.test_poller import CHUNK, CLUSTER, asked, at, exchange, lent, must

MEMBERS = (Member("p1", "poller", "All", False, True), Member("b1", "broker", "All", False, True))


def placed(shard: int, realm: str, scheduler: str, mine: bool = True) -> Placed:
    crew = (("p1",), ("b1",)) if mine else (("p9",), ("b9",))
    return Placed(shard, realm, "v1", scheduler, pollers=crew[0], brokers=crew[1])


OUTER = (placed(0, "All", "s1"), placed(1, "All", "s2"), placed(101, "Paris", "s3"))
FOREIGN = placed(201, "Tokyo", "s4", mine=False)


def roster(*shards: Placed, n: int = 1) -> Roster:
    return Roster(1, n, "a1", MEMBERS, shards)


def poller(*shards: Placed) -> Poller:
    role = Poller(name="p1", instance="i1", pid=7, cluster=CLUSTER, capacity=99)
    role.handle(roster(*shards), at(0))
    return role


def broker(*shards: Placed) -> Broker:
    role = Broker(name="b1", instance="i1", pid=7, cluster=CLUSTER)
    role.handle(roster(*shards), at(0))
    return role


def test_a_poller_borrows_from_the_schedulers_of_all_realms_that_it_serves_and_of_no_other() -> (
    None
):
    calls = poller(*OUTER, FOREIGN).tick(at(1))

    assert [exchange(must(asked(calls, s))).want for s in ("s1", "s2", "s3")] == [33, 33, 33]
    assert asked(calls, "s4") is None


def test_results_of_two_shards_go_to_the_scheduler_that_runs_both_now() -> None:
    role = poller(*OUTER)
    for call in [c for c in role.tick(at(1)) if isinstance(c.message, Exchange)]:
        shard = {"s1": 0, "s2": 1, "s3": 101}[call.to]
        if call.to == "s2":
            continue  # its exchange is under way while s2 dies
        role.answered(call, lent(shards=(shard,), owner=call.to), at(1.01))
    role.handle(RanChunk(1, 1, b"of shard 1"), at(1.1))
    role.handle(RanChunk(101, 1, b"of Paris"), at(1.1))
    role.handle(roster(OUTER[0], placed(1, "All", "s3"), OUTER[2], n=2), at(1.2))

    sent: dict[int, bytes] = {}
    for step in range(1, 40):
        call = asked(role.tick(at(1.2 + step / 10)), "s3")
        if call is None:
            continue
        sent |= {batch.shard: batch.data for batch in exchange(call).batches}
        role.answered(
            call, lent(shards=(1, 101), owner="s3", serial=step + 1), at(1.25 + step / 10)
        )
    assert sent == {1: b"of shard 1", 101: b"of Paris"}


def test_orders_of_a_realm_that_it_does_not_serve_are_not_run() -> None:
    """A scheduler may run a shard that this poller serves and one that it does not."""
    role = poller(placed(0, "All", "s1"), placed(201, "Tokyo", "s1", mine=False))
    call = must(asked(role.tick(at(1)), "s1"))
    foreign = type(CHUNK)(201, 5, 3, b"not mine")
    calls = role.answered(call, lent(CHUNK, foreign, shards=(0, 201)), at(1.1))

    assert [c.message for c in calls if isinstance(c.message, RunChunk)] == [
        RunChunk(10, b"ten orders")
    ]


def test_a_broker_follows_each_shard_of_its_realms_at_its_owner_with_a_position_of_its_own() -> (
    None
):
    role = broker(*OUTER, FOREIGN)
    calls = [c for c in role.tick(at(1)) if isinstance(c.message, TakeBroks)]
    assert [(c.to, c.lane) for c in calls] == [
        ("s1", "broks/0"),
        ("s2", "broks/1"),
        ("s3", "broks/101"),
    ]

    paris = next(c for c in calls if c.to == "s3")
    feed = one(role.answered(paris, Broks(101, 5, (delta(8),), 5, 7), at(1.1)), Feed)
    role.answered(feed, Fed(101, 5, 8, 1), at(1.2))
    role.handle(roster(*OUTER[:2], placed(101, "Paris", "s1"), n=2), at(1.3))

    again = [
        c
        for step in range(8)
        for c in role.tick(at(1.4 + step / 10))
        if isinstance(c.message, TakeBroks)
    ]
    (moved,) = [c for c in again if c.lane == "broks/101"]
    assert moved.to == "s1"
    message = moved.message
    assert isinstance(message, TakeBroks)
    assert (message.known, message.epoch, message.n) == (True, 5, 8)


def test_a_broker_that_another_relieves_in_one_realm_goes_on_in_the_other() -> None:
    role = broker(*OUTER)
    role.handle(roster(*OUTER[:2], placed(101, "Paris", "s3", mine=False), n=2), at(1.0))

    lanes = {c.lane for c in role.tick(at(1.1)) if isinstance(c.message, TakeBroks)}
    assert lanes == {"broks/0", "broks/1"}
