"""The standby scheduler: a whole copy first, then delta by delta; and it takes over from the copy alone."""

from daemons.roles.shard import standby_sink
from daemons.wire.codec import decode_delta
from daemons.wire.messages import (
    Copied,
    Failed,
    Fence,
    Fenced,
    NotMine,
    Replicate,
    Save,
    Submit,
    Submitted,
    TakeBroks,
)
from tests.roles.stage import Stage, Store


def pair(**more):
    stage = Stage()
    stage.start(**more)
    stage.add("two")
    stage.place("one", "two")
    stage.run(2.0)
    return stage


def copy_of(stage, name="two"):
    return stage.schedulers[name].seats[1].copy


def journal_of(stage, name="one"):
    return stage.schedulers[name].seats[1].owned.journal


def test_a_standby_gets_a_whole_copy_and_then_every_delta():
    stage = pair()
    stage.result(stage.borrow(), 1, "hm")
    stage.run(1.5)
    journal = journal_of(stage)
    assert journal.standby.whole_copies == 1
    assert (copy_of(stage).epoch, copy_of(stage).n) == (stage.epoch, journal.formed_n)
    assert copy_of(stage).records == stage.store.records
    assert journal.durability == "two servers"


def test_a_whole_copy_comes_in_parts(monkeypatch):
    monkeypatch.setattr(standby_sink, "PAGE_BYTES_MAX", 100_300)
    stage = pair()
    stage.run(2.0)
    parts = [
        call.message
        for call in stage.sent
        if isinstance(call.message, Replicate) and call.message.whole
    ]
    assert len(parts) > 1 and {part.parts for part in parts} == {len(parts)}
    assert copy_of(stage).records.keys() == stage.store.records.keys()


def test_nothing_is_durable_before_the_standby_has_it():
    stage = pair()
    stage.fail(1)
    order = stage.borrow()
    stage.hold = (Replicate,)
    stage.result(order, 2)
    stage.run(1.0)
    assert not stage.take().actions
    stage.release()
    assert stage.take().actions


def test_a_standby_that_dies_holds_nobody_up_and_is_caught_up():
    stage = pair()
    stage.mute.add("two")
    stage.fail()
    stage.run(1.0)
    assert stage.take().actions
    assert journal_of(stage).durability == "one server"
    stage.mute.clear()
    stage.run(4.0)
    assert journal_of(stage).durability == "two servers"
    assert journal_of(stage).standby.whole_copies == 1  # the deltas it missed were enough
    assert copy_of(stage).records == stage.store.records


def test_a_standby_that_was_restarted_gets_a_whole_copy_again():
    stage = pair()
    stage.add("two")
    stage.place("one", "two")
    stage.fail(1)
    stage.run(5.0)
    assert journal_of(stage).standby.whole_copies == 2
    assert copy_of(stage).records == stage.store.records


def test_a_take_over_needs_no_store_when_there_is_a_copy():
    stage = pair()
    stage.fail()
    stage.run(1.5)
    stage.store.away = True
    (action,) = stage.take().actions
    stage.kill("one")
    stage.place("two")
    stage.run(3.0)
    assert stage.schedulers["two"].seats[1].held.phase == "active"
    assert (stage.status(of="two").state, stage.status(of="two").notification_number) == (2, 1)
    (again,) = stage.take(to="two").actions
    assert again.id == action.id


def test_the_former_owner_is_fenced_by_the_new_ones_copy():
    stage = pair()
    stage.fail(1)
    stage.run(1.5)
    two = stage.schedulers["two"]
    late = Replicate(1, stage.epoch, 99, b"", after=98)
    stage.leases.clear()
    stage.refused.add("one")
    stage.place("two", "one")
    stage.run(3.0)
    assert stage.schedulers["one"].seats[1].owned is None
    answer = two.handle(late, stage.now)
    assert isinstance(answer, Fenced) and answer.highest == stage.epoch
    assert copy_of(stage, "one").records == stage.store.records


def test_an_owner_that_hears_of_a_newer_one_stops():
    stage = pair()
    answer = stage.schedulers["one"].handle(
        Replicate(1, stage.epoch + 256, 1, b"", whole=False, after=0), stage.now
    )
    assert isinstance(answer, Copied)
    assert stage.schedulers["one"].seats[1].owned is None
    assert isinstance(stage.exchange(), NotMine)


# ---------------------------------------------------------------- brokers


def take(stage, known=False, epoch=0, n=0, states=False, to="one", broker="brok"):
    return stage.schedulers[to].handle(
        TakeBroks(broker, "b", 1, known, epoch, n, 0.0, states), stage.now
    )


def texts(broks):
    return [line.text for data in broks.deltas for line in decode_delta(data).logs]


def test_log_lines_survive_the_owner_and_come_once():
    stage = pair()
    stage.fail(1)
    stage.run(0.5)
    seen = decode_delta(take(stage).deltas[-1])
    stage.fail(1)
    stage.run(0.5)
    stage.kill("one")
    stage.place("two")
    stage.run(3.0)
    broks = take(stage, True, seen.epoch, seen.n, to="two")
    assert texts(broks) == [
        "SERVICE ALERT: web1;http;CRITICAL;HARD;2;broken",
        "SERVICE NOTIFICATION: ann;web1;http;CRITICAL;tell-service;broken",
    ]
    assert not broks.gap


def test_a_spare_broker_goes_on_where_the_modules_before_it_were():
    stage = pair()
    stage.fail(1)
    stage.run(0.5)
    seen = decode_delta(take(stage).deltas[-1])
    take(stage, True, seen.epoch, seen.n)
    stage.fail(1)
    stage.run(0.5)
    assert (
        texts(take(stage, broker="spare"))[0] == "SERVICE ALERT: web1;http;CRITICAL;HARD;2;broken"
    )


def test_log_lines_that_every_broker_has_are_records_no_more():
    stage = pair()
    stage.fail(1)
    stage.run(0.5)
    seen = decode_delta(take(stage).deltas[-1])
    assert any(key.startswith("l/") for key in stage.store.records)
    take(stage, True, seen.epoch, seen.n)
    stage.result(stage.borrow(), 0)
    stage.run(1.5)
    left = [key for key in stage.store.records if key.startswith("l/")]
    assert left == [key for key in left if int(key.rpartition(".")[2]) > seen.n]
    assert "b/brok" in stage.store.records


def test_a_broker_that_wants_states_gets_a_snapshot_page_by_page_and_then_deltas(monkeypatch):
    monkeypatch.setattr("daemons.roles.shard.brok_desk.PAGE_BYTES", 200)
    stage = pair()
    stage.fail(1)
    stage.run(0.5)
    keys, lines = set(), []
    broks = take(stage, states=True)
    for _ in range(20):
        (data,) = broks.deltas
        delta = decode_delta(data)
        keys |= delta.changed.keys()
        lines += [line.text for line in delta.logs]
        if delta.n >= 0:
            break
        lost_answer = take(stage, True, delta.epoch, delta.n, states=True)
        broks = take(stage, True, delta.epoch, delta.n, states=True)
        assert [decode_delta(d).changed for d in lost_answer.deltas] == [
            decode_delta(d).changed for d in broks.deltas
        ]
    assert {"o/web1", "o/web1;http", "shard"} <= keys
    assert lines == ["SERVICE ALERT: web1;http;CRITICAL;SOFT;1;broken"]
    assert not take(stage, True, delta.epoch, delta.n, states=True).deltas
    stage.result(stage.borrow(), 0, "fine")
    stage.run(1.5)
    deltas = take(stage, True, delta.epoch, delta.n, states=True).deltas
    assert any("o/web1;http" in decode_delta(data).changed for data in deltas)


def test_a_broker_whose_log_lines_are_gone_is_told_of_the_gap(monkeypatch):
    monkeypatch.setattr("daemons.roles.shard.brok_ring.LINES_MAX", 2)
    stage = pair()
    for code in (2, 0, 2, 0, 2, 0):
        stage.result(stage.borrow(), code)
        stage.run(0.5)
    assert take(stage, True, stage.epoch, 1).gap
    assert journal_of(stage).ring.lines_shed > 0


# ---------------------------------------------------------------- commands


def submit(stage, line, id="c1", to="one"):
    items = (Submitted(id, line, stage.now.wall),)
    stage.schedulers[to].handle(Submit("recv", items), stage.now)
    stage.run(0.5)
    return stage.schedulers[to].handle(Submit("recv", items), stage.now)


def test_a_command_that_was_applied_before_the_take_over_is_only_acknowledged():
    stage = pair()
    line = "[0] PROCESS_SERVICE_CHECK_RESULT;web1;http;2;broken"
    assert submit(stage, line).durable == ("c1",)
    stage.run(1.0)
    stage.kill("one")
    stage.place("two")
    stage.run(3.0)
    assert submit(stage, line, to="two").durable == ("c1",)
    assert stage.status(of="two").attempt == 1


def test_a_standby_that_is_down_is_tried_again_not_hammered():
    stage = pair()
    stage.mute.add("two")
    stage.sent.clear()
    stage.fail(1)
    stage.run(10.0)
    tries = [call for call in stage.sent if isinstance(call.message, Replicate)]
    assert 3 <= len(tries) <= 7
    assert isinstance(stage.answer(stage.schedulers["one"], tries[0]), Failed)


def test_a_broker_position_behind_log_lines_is_kept_at_once_so_that_a_new_owner_repeats_no_line():
    stage = pair()
    stage.fail(1)
    stage.run(0.5)
    broks = take(stage)
    delta = decode_delta(broks.deltas[-1])
    take(stage, True, delta.epoch, delta.n)
    stage.run(0.3)

    assert "b/brok" in stage.store.records


def test_commands_taken_on_the_losing_side_of_a_split_are_handed_to_the_other():
    """Found by the simulator: a receiver had been told that they are durable."""
    stage = pair()
    stage.mute |= {"one", "two"}
    assert submit(stage, "[0] ADD_SVC_COMMENT;web1;http;1;ann;mine", "c7").durable == ("c7",)
    other = stage.schedulers.pop("one")
    one_lease = stage.leases.pop("one")
    stage.store = Store()
    stage.place("two", "one")
    stage.run(3.0)
    assert stage.schedulers["two"].seats[1].held.phase == "active"
    assert stage.status(of="two").comments == ()

    assert one_lease < stage.leases["two"]
    stage.mute.clear()
    stage.schedulers["one"] = other
    stage.refused.add("one")
    stage.place("two", "one")
    stage.run(8.0)
    assert [c.text for c in stage.status(of="two").comments] == ["mine"]
    sent = len([call for call in stage.sent if isinstance(call.message, Submit)])
    stage.run(10.0)
    assert len([call for call in stage.sent if isinstance(call.message, Submit)]) == sent


def test_log_lines_that_only_this_scheduler_had_wait_for_its_first_durable_delta():
    """Found by the simulator: a lease that came back, and lines that were never durable before."""
    stage = Stage()
    stage.start()
    order = stage.borrow()
    stage.hold = (Save,)
    stage.result(order, 2, "broken")
    stage.run(0.2)
    stage.mute.add("keeper")
    stage.run(1.7)
    stage.mute.clear()
    stage.leases.clear()
    stage.held = []
    stage.run(2.5)
    assert stage.schedulers["one"].seats[1].held.phase == "active"
    assert texts(take(stage)) == []
    stage.release()
    stage.run(0.2)
    assert texts(take(stage)) == ["SERVICE ALERT: web1;http;CRITICAL;SOFT;1;broken"]


def test_a_reactionner_that_the_leader_has_taken_off_is_waited_for_less_long():
    """A server is lost: its reactionner will not answer the fence, and a second is a fifth of the take-over."""
    stage = Stage()
    stage.journals = {"works": (), "died": None}
    stage.resting = {"died"}
    stage.start()
    stage.place("one")
    stage.run(2.0)

    waits = {call.to: call.timeout_s for call in stage.sent if isinstance(call.message, Fence)}
    assert waits["died"] < waits["works"] <= 1.0
