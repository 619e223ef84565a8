"""The scheduler by hand: it takes a shard up, lends checks, applies results, keeps what it learns."""

import msgspec

from daemons.model.check import Result
from daemons.roles.role import Wait
from daemons.roles.shard.borrowing import LEFT_S
from daemons.wire import codec
from daemons.wire.messages import Done, Lent, Load, NotMine, Save, Shutdown, TakeBroks
from daemons.wire.stores import Probe
from tests.roles.stage import Stage, body


def test_a_shard_is_taken_up_once_the_lease_is_there():
    stage = Stage()
    one = stage.add()
    stage.refused.add("one")
    stage.place("one")
    stage.run(2.0)
    assert one.seats[1].held.phase == "claiming"
    assert isinstance(stage.exchange(), NotMine)

    stage.refused.clear()
    stage.run(1.0)
    assert one.seats[1].held.phase == "active"
    assert one.seats[1].held.epoch == stage.epoch


def test_a_check_is_lent_with_its_macros_resolved_and_its_result_moves_the_state():
    stage = Stage()
    stage.start()
    order = stage.borrow()

    assert order.command == "/bin/check -H 10.0.0.1 -a web"
    assert (order.shard, order.epoch, order.timeout_s) == (1, stage.epoch, 60.0)

    stage.result(order, 2, "broken | t=1s")
    status = stage.status()
    assert (status.state, status.state_type, status.attempt) == (2, 0, 1)
    assert (status.output, status.perfdata) == ("broken", "t=1s")


def test_a_failing_service_is_retried_sooner_and_becomes_hard():
    stage = Stage()
    stage.start()
    stage.result(stage.borrow(), 2)
    before = stage.mono
    stage.result(stage.borrow(), 2)

    assert stage.mono - before <= 3.0
    assert (stage.status().state, stage.status().state_type) == (2, 1)


def test_a_batch_is_durable_only_after_the_delta_that_holds_it_is_saved():
    stage = Stage()
    stage.start()
    order = stage.borrow()
    stage.hold = (Save,)
    result = Result(1, order.epoch, order.object, order.seq, 1, stage.now.wall, 0.1, "hm")
    first = stage.exchange(0, [result], batch=77)
    stage.run(1.5)
    assert isinstance(first, Lent) and 77 not in first.durable
    assert 77 not in stage.exchange(0).durable

    stage.release()
    assert 77 in stage.exchange(0).durable
    assert stage.store.status("web1;http").state == 1


def test_one_delta_is_under_way_at_a_time():
    stage = Stage()
    stage.start()
    stage.hold = (Save,)
    stage.result(stage.borrow(), 2)
    stage.run(2.0)
    stage.result(stage.borrow(), 2)
    stage.run(2.0)
    assert len(stage.held) == 1


def test_a_result_of_another_object_or_another_order_is_refused():
    stage = Stage()
    one = stage.start()
    order = stage.borrow()
    wall = stage.now.wall
    foreign = Result(1, order.epoch, "web9;http", 1, 2, wall, 0.1, "no")
    invented = Result(1, order.epoch, order.object, order.seq + 5, 2, wall, 0.1, "no")
    future = Result(1, order.epoch + 256, order.object, 1, 2, wall, 0.1, "no")
    stage.exchange(0, [foreign, invented, future])

    figures = one.seats[1].owned.state.figures
    assert (figures["results_foreign"], figures["results_stale"]) == (1, 2)
    assert not stage.status().checked


def test_a_result_that_comes_twice_is_applied_once():
    stage = Stage()
    one = stage.start()
    result = stage.result(stage.borrow(), 2)
    stage.exchange(0, [result])

    assert one.seats[1].owned.state.figures["results_stale"] == 1
    assert stage.status().attempt == 1


def test_without_result_fencing_a_repeat_does_harm():
    """The protection, taken away, is missed: so it protects."""
    stage = Stage()
    stage.start(without=frozenset(("result-fencing",)))
    result = stage.result(stage.borrow(), 2)
    stage.exchange(0, [result])
    assert stage.status().state_type == 1


def test_the_same_exchange_asked_again_gets_the_same_answer():
    stage = Stage()
    stage.start()
    stage.run(2.0)
    first = stage.exchange(seq=500)
    again = stage.exchange(seq=500)
    assert stage.orders(first) and first == again


def test_orders_that_the_poller_never_got_are_lent_again_at_once():
    stage = Stage()
    stage.start()
    stage.run(2.0)
    lost = stage.orders(stage.exchange(seen=0))
    again = stage.orders(stage.exchange(seen=0))

    assert {o.object for o in lost} == {o.object for o in again} == {"web1", "web1;http"}
    assert {o.seq for o in lost}.isdisjoint(o.seq for o in again)


def test_orders_of_a_poller_that_was_restarted_are_lent_again_at_once():
    stage = Stage()
    stage.start()
    stage.run(2.0)
    assert stage.orders(stage.exchange())
    assert not stage.orders(stage.exchange())
    assert len(stage.orders(stage.exchange(instance="poll-j", seen=0))) == 2


def test_orders_of_a_poller_off_the_roster_are_lent_to_another():
    stage = Stage()
    stage.start()
    stage.run(2.0)
    assert stage.orders(stage.exchange())
    stage.place("one", pollers=("other",))
    stage.run(LEFT_S + 0.2)
    checks = stage.schedulers["one"].seats[1].owned.checks
    assert (checks.lent, checks.ready) == (0, 2)
    assert not stage.orders(stage.exchange())  # it is not served any more


def test_a_poller_that_leaves_the_roster_alive_brings_its_results_in():
    """The drill saw checks run twice: a spare poller had them when its master came back."""
    stage = Stage()
    stage.start()
    stage.run(2.0)
    assert stage.orders(stage.exchange())
    stage.place("one", pollers=("other",))
    for _ in range(5):
        stage.run(LEFT_S / 2)
        stage.exchange(0)
    checks = stage.schedulers["one"].seats[1].owned.checks
    assert (checks.lent, checks.ready) == (2, 0)


def test_a_poller_that_only_asks_whose_the_shard_is_has_not_brought_its_results_yet():
    """The drill lost results: orders went to one poller while another's results were on their way."""
    stage = Stage()
    heard = stage.start().seats[1].owned.heard
    stage.exchange(0)
    assert heard == set()
    stage.exchange(1)
    assert heard == {"poll"}


def test_a_result_that_never_comes_is_waited_for_only_so_long():
    stage = Stage(
        body(globals=msgspec.structs.replace(body().globals, service_check_timeout_s=5.0))
    )
    stage.start()
    order = stage.borrow()
    stage.run(10.0)
    for _ in range(40):
        stage.exchange(0)
        stage.run(0.5)
    assert stage.borrow(within_s=1.0).seq > order.seq


def test_an_idle_poller_waits_and_is_told_when():
    stage = Stage()
    stage.start()
    stage.borrow()
    stage.run(1.5)
    stage.exchange(0)  # what was handed in is durable, and said to be
    wait = stage.exchange(wait_s=1.0, seq=900)
    assert isinstance(wait, Wait) and wait.until_mono == stage.mono + 1.0
    stage.run(0.5)
    assert stage.exchange(wait_s=1.0, seq=900) == wait
    stage.run(0.6)
    assert isinstance(stage.exchange(wait_s=1.0, seq=900), Lent)


def test_without_the_lease_nothing_leaves():
    stage = Stage()
    one = stage.start()
    stage.mute.add("keeper")
    stage.run(2.0)

    assert isinstance(stage.exchange(), NotMine)
    assert one.seats[1].owned is None
    stage.sent.clear()
    stage.run(3.0)
    assert not [call for call in stage.sent if isinstance(call.message, (Load, Save, Probe))]


def test_a_lease_that_comes_back_goes_on_with_the_copy():
    stage = Stage()
    one = stage.start()
    stage.fail()
    stage.mute.add("keeper")
    stage.run(2.0)
    stage.store.away = True
    stage.mute.clear()
    stage.leases.clear()
    stage.run(6.0)

    assert one.seats[1].held.phase == "active"
    assert (stage.status().state, stage.status().notification_number) == (2, 1)


def test_a_store_that_knows_a_newer_owner_stops_this_one():
    stage = Stage()
    one = stage.start()
    stage.store.position = (10**9, 1)
    stage.result(stage.borrow(), 2)
    stage.run(1.2)
    assert one.seats[1].owned is None


def test_who_was_told_of_a_newer_epoch_claims_above_it():
    stage = Stage()
    one = stage.start()
    stage.store.position = (10**9, 1)
    stage.result(stage.borrow(), 2)
    stage.run(1.2)
    stage.mono += 1.0
    want = one.seats[1].want(stage.now)
    assert want is not None and want.fenced_by == 10**9


def test_a_store_that_is_away_holds_nobody_up_and_is_caught_up():
    stage = Stage()
    stage.start()
    stage.store.away = True
    stage.result(stage.borrow(), 1, "first")
    stage.run(3.0)
    assert stage.exchange(0).durable
    stage.store.away = False
    stage.run(4.0)
    assert stage.store.status("web1;http").output == "first"


def test_a_broker_gets_log_lines_once_they_are_durable():
    stage = Stage()
    one = stage.start()
    stage.fail(1)
    ask = TakeBroks("brok", "b", 1, False, 0, 0, 0.0)
    assert not one.handle(ask, stage.now).deltas
    stage.run(0.5)
    broks = one.handle(ask, stage.now)
    (delta,) = [codec.decode_delta(data) for data in broks.deltas]
    assert [line.text for line in delta.logs] == ["SERVICE ALERT: web1;http;CRITICAL;SOFT;1;broken"]

    follow = TakeBroks("brok", "b", 1, True, delta.epoch, delta.n, 0.0)
    assert not one.handle(follow, stage.now).deltas


def test_a_new_configuration_keeps_states_and_brings_new_objects():
    stage = Stage()
    one = stage.start()
    stage.fail()
    service = stage.shard.services[0]
    more = msgspec.structs.replace(service, description="ssh")
    stage.shard = body(services=(service, more))
    stage.version = "v2"
    stage.place("one")
    stage.run(1.0)

    assert one.seats[1].held.version == "v2"
    assert stage.status().state == 2
    assert stage.borrow(key="web1;ssh")


def test_a_planned_move_drains_before_the_lease_goes():
    stage = Stage()
    one = stage.start()
    stage.add("two")
    stage.result(stage.borrow(), 2, "last words")
    stage.place("two")
    stage.run(3.0)

    assert one.seats[1].owned is None
    assert stage.schedulers["two"].seats[1].held.phase == "active"
    assert stage.status(of="two").output == "last words"


def test_damaged_records_are_counted_and_never_stop_a_take_over():
    stage = Stage()
    one = stage.start()
    stage.fail()
    stage.run(1.5)
    stage.kill("one")
    for key in stage.store.records:
        if key != "o/web1;http":
            stage.store.records[key] = b"\xc1"
    stage.store.records |= {"x/1": b"\xc1", "l/x.y": b"\x90", "b/brok": b"\xc1", "c/ann": b"\xc1"}
    one = stage.add("one")
    stage.place("one")
    stage.run(3.0)
    assert one.seats[1].held.phase == "active"
    assert one.seats[1].owned.state.figures["objects_corrupt"] >= 6
    assert stage.status().state == 2


def test_a_batch_taken_under_an_older_epoch_is_called_durable_only_when_the_newer_has_kept_it():
    stage = Stage()
    stage.start()
    order = stage.borrow()
    stage.run(1.5)
    stage.hold = (Save,)
    result = Result(1, order.epoch, order.object, order.seq, 2, stage.now.wall, 0.1, "lost?")
    stage.exchange(0, [result], batch=77, seen=0)
    stage.mute.add("keeper")
    stage.run(2.0)
    stage.mute.clear()
    stage.leases.clear()
    stage.hold, stage.held = (), []
    stage.run(6.0)
    lent = stage.exchange(0, [result], batch=77)
    assert 77 in lent.durable and stage.epoch > order.epoch
    assert stage.store.status("web1;http").output == "lost?"


def test_a_store_that_hangs_is_not_waited_for_longer_than_two_seconds():
    stage = Stage()
    stage.start()
    stage.fail(1)
    order = stage.borrow()
    stage.hold = (Save,)
    stage.result(order, 2)
    stage.run(1.0)
    assert not stage.take().actions
    stage.run(1.5)
    assert stage.take().actions
    stage.release()
    stage.run(4.0)
    assert stage.store.status("web1;http").state == 2


def test_the_end_in_order_gives_the_lease_back_first():
    stage = Stage()
    one = stage.start()
    stage.result(stage.borrow(), 2, "last words")
    assert isinstance(one.handle(Shutdown("stopped"), stage.now), Wait)
    stage.place("one")
    stage.run(1.0)
    assert one.handle(Shutdown("stopped"), stage.now) == Done()
    assert not stage.leases
    assert stage.store.status("web1;http").output == "last words"


def test_a_new_owner_hears_all_pollers_before_it_orders_so_that_their_results_are_in():
    stage = Stage()
    scheduler = stage.add()
    stage.place("one", pollers=("poll", "poll-away"))
    while not (seat := scheduler.seats.get(1)) or seat.owned is None:
        stage.run(0.05)
    owned = seat.owned
    owned.checks.check_at(owned.state.items["web1;http"], 0.0, stage.now, forced=True)

    assert not stage.orders(stage.exchange())  # the other one has not spoken yet
    stage.run(0.7)
    assert stage.orders(stage.exchange())


def test_a_late_run_of_the_owner_before_is_not_taken_for_the_one_that_is_out():
    """Found by the simulator: numbers repeat under the next epoch, and the check then slept for 70 s."""
    stage = Stage()
    stage.start()
    stage.add("two")
    old = stage.borrow()
    stage.run(1.5)
    stage.kill("one")
    stage.place("two")
    stage.run(3.0)
    new = stage.borrow("two")
    checks = stage.schedulers["two"].seats[1].owned.checks
    assert (new.seq, new.epoch > old.epoch) == (old.seq, True)
    before = checks.lent
    stage.result(msgspec.structs.replace(old, epoch=old.epoch), 0, to="two")
    assert checks.lent == before
