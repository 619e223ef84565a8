"""The broker, driven by hand: requests and feeds out, broks in."""

from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import Cluster, DaemonDef
from daemons.roles.broker import Broker
from daemons.roles.role import Call
from daemons.wire.codec import encode
from daemons.wire.messages import (
    Broks,
    Delta,
    Failed,
    Fed,
    Feed,
    Member,
    NotMine,
    Placed,
    Roster,
    TakeBroks,
)

CLUSTER = Cluster(
    name="test", daemons=(DaemonDef(name="b1", role="broker", address="a", port=1),), servers=()
)


def at(mono: float) -> Now:
    return Now(Mono(mono), Wall(1_000_000 + mono))


def roster(n: int = 1, scheduler: str = "s1", brokers: tuple[str, ...] = ("b1",)) -> Roster:
    members = (Member("b1", "broker", "All", False, "b1" in brokers),)
    return Roster(1, n, "a1", members, (Placed(0, "All", "v1", scheduler, brokers=brokers),))


def broker(positions=None) -> Broker:
    role = Broker(name="b1", instance="i1", pid=7, cluster=CLUSTER, positions=positions)
    role.handle(roster(), at(0))
    return role


def delta(n: int, epoch: int = 5) -> bytes:
    return encode(Delta(0, epoch, n, 1_000_000.0))


def one(calls: list[Call], kind: type) -> Call:
    (call,) = [c for c in calls if isinstance(c.message, kind)]
    return call


def none(calls: list[Call], kind: type) -> bool:
    return not [c for c in calls if isinstance(c.message, kind)]


def test_it_asks_the_owner_for_what_follows_its_stored_position():
    call = one(broker({0: (5, 17)}).tick(at(1)), TakeBroks)

    assert (call.to, call.lane) == ("s1", "broks/0")
    assert call.message == TakeBroks("b1", "i1", 0, True, 5, 17, 1.0, False)


def test_without_a_position_it_goes_on_where_the_owner_says():
    role = broker()
    call = one(role.tick(at(1)), TakeBroks)
    assert not call.message.known
    calls = role.answered(call, Broks(0, 5, after_epoch=5, after_n=40), at(1.5))

    ask = one(calls, TakeBroks).message
    assert (ask.known, ask.epoch, ask.n) == (True, 5, 40)


def test_its_position_moves_only_when_the_modules_have_stored_theirs():
    role = broker({0: (5, 17)})
    call = one(role.tick(at(1)), TakeBroks)
    (feed,) = role.answered(call, Broks(0, 5, (delta(18), delta(19)), 5, 17), at(1.1))
    assert feed == Call("modules", Feed(0, 5, 19, (delta(18), delta(19))), timeout_s=30.0)
    assert none(role.tick(at(2)), TakeBroks)

    ask = one(role.answered(feed, Fed(0, 5, 19, lines=2), at(2.1)), TakeBroks).message
    assert (ask.epoch, ask.n) == (5, 19)


def test_a_feed_that_failed_is_repeated_and_reported():
    role = broker({0: (5, 17)})
    (feed,) = role.answered(
        one(role.tick(at(1)), TakeBroks), Broks(0, 5, (delta(18),), 5, 17), at(1.1)
    )
    role.answered(feed, Failed("disk full"), at(1.2))
    assert "disk full" in role.report().problems[0]

    assert one(role.tick(at(2)), Feed) == feed
    role.answered(feed, Fed(0, 5, 18), at(2.1))
    assert role.report().problems == ()


def test_broks_of_an_owner_that_was_replaced_are_ignored():
    role = broker({0: (5, 17)})
    call = one(role.tick(at(1)), TakeBroks)
    role.answered(call, Broks(0, 6, after_epoch=5, after_n=17), at(1.1))
    call = one(role.tick(at(2)), TakeBroks)

    assert none(role.answered(call, Broks(0, 5, (delta(18),), 5, 17), at(2.1)), Feed)


def test_a_new_owner_is_asked_although_the_old_one_has_not_answered():
    role = broker({0: (5, 17)})
    old = one(role.tick(at(1)), TakeBroks)
    role.handle(roster(2, "s2"), at(2))
    call = one(role.tick(at(2)), TakeBroks)
    assert call.to == "s2"

    assert role.answered(old, Broks(0, 5, (delta(18),), 5, 17), at(2.1)) == []
    assert one(role.answered(call, Broks(0, 6, (delta(18),), 5, 17), at(2.2)), Feed)


def test_a_gap_is_passed_on_also_one_that_the_owner_did_not_name():
    role = broker({0: (5, 17)})
    call = one(role.tick(at(1)), TakeBroks)
    (feed,) = role.answered(call, Broks(0, 5, (delta(30),), 5, 29), at(1.1))

    assert feed.message.gap
    assert role.report().figures["gaps"] == 1


def test_a_gap_without_deltas_moves_the_position_too():
    role = broker({0: (5, 17)})
    call = one(role.tick(at(1)), TakeBroks)
    (feed,) = role.answered(call, Broks(0, 5, (), 5, 29, gap=True), at(1.1))

    assert feed.message == Feed(0, 5, 29, (), True)


def test_a_broker_off_the_roster_takes_nothing_and_forgets_where_it_was_once_another_has_the_shard():
    role = broker({0: (5, 17)})
    role.handle(roster(2, brokers=("b2",)), at(1))
    word = one(role.tick(at(1)), TakeBroks)
    assert word.message.leaving
    role.answered(word, Broks(0, 5), at(1))
    assert none(role.tick(at(1)), TakeBroks)

    role.handle(roster(3), at(2))
    assert not one(role.tick(at(2)), TakeBroks).message.known


def test_an_owner_that_does_not_hold_the_shard_is_asked_again_later():
    role = broker({0: (5, 17)})
    role.answered(one(role.tick(at(1)), TakeBroks), NotMine("standby"), at(1.1))
    assert none(role.tick(at(1.2)), TakeBroks)

    assert one(role.tick(at(2)), TakeBroks).to == "s1"


def test_a_module_that_fails_while_others_do_not_is_shown_and_offered_again():
    role = broker({0: (5, 17)})
    call = one(role.tick(at(1)), TakeBroks)
    (feed,) = role.answered(call, Broks(0, 5, (delta(18),), 5, 17), at(1.1))
    fed = Fed(0, 5, 18, failing=("graphite: refused",), waiting=1)
    role.answered(feed, fed, at(1.2))
    assert "graphite: refused" in role.report().problems[0]
    again = one(role.tick(at(2)), Feed)
    assert (again.message.n, again.message.deltas) == (18, ())

    ask = one(role.answered(again, fed, at(2.1)), TakeBroks)
    assert (ask.message.epoch, ask.message.n) == (5, 18)
    again = one(role.answered(ask, Broks(0, 5, (), 5, 18), at(8)), Feed)
    role.answered(again, Fed(0, 5, 18), at(8.1))
    assert role.report().problems == ()


def test_a_broker_that_is_relieved_says_its_last_word_when_its_modules_have_stored_what_they_have():
    role = broker({0: (5, 17)})
    call = one(role.tick(at(1)), TakeBroks)
    (feed,) = role.answered(call, Broks(0, 5, (delta(18),), 5, 17), at(1.1))
    role.handle(roster(2, brokers=("b2",)), at(1.2))
    assert none(role.tick(at(1.3)), TakeBroks)  # the modules are still at it

    role.answered(feed, Fed(0, 5, 18), at(1.4))
    word = one(role.tick(at(1.4)), TakeBroks)
    assert word.message == TakeBroks("b1", "i1", 0, True, 5, 18, 0.0, leaving=True)
    role.answered(word, Failed("lost"), at(1.5))
    assert one(role.tick(at(1.7)), TakeBroks).message.leaving


def test_a_last_word_that_nobody_hears_is_not_repeated_for_ever():
    role = broker({0: (5, 17)})
    role.handle(roster(2, brokers=("b2",)), at(1.2))
    assert none(role.tick(at(9.0)), TakeBroks)
