"""Commands beside checks in a scheduler: after every result, bounded, never in the way of a notification."""

import msgspec
from msgspec.structs import replace

from daemons.model.check import Order
from daemons.model.objects import Command, Globals, Snapshot
from daemons.roles.role import Wait
from daemons.roles.shard import side
from daemons.wire.codec import decode_delta
from daemons.wire.messages import Actions, Broks, Replicate, TakeActions, TakeBroks
from daemons.wire.side import SnapshotTaken
from tests.roles.stage import Stage, body
from tests.roles.test_scheduler_tells import logs, take_over

_orders = msgspec.msgpack.Decoder(list[Order]).decode
QUICK = {"max_service_check_spread_s": 1.0, "max_host_check_spread_s": 1.0}
COMMANDS = (
    Command("ocsp", "/bin/ocsp $HOSTNAME$ $SERVICEDESC$ $SERVICESTATE$ $ARG1$ $SERVICEOUTPUT$"),
    Command("ochp", "/bin/ochp $HOSTNAME$ $HOSTSTATE$"),
    Command("perf", "/bin/perf $SERVICEDESC$ $SERVICEPERFDATA$"),
    Command("snap", "/bin/snap $HOSTNAME$", reactionner_tag="dmz"),
)


def stage(traits: dict | None = None, **settings) -> Stage:
    plain = body()
    changed = replace(plain.traits[0], **(traits or {}))
    shard = body(
        traits=(changed,), commands=(*plain.commands, *COMMANDS), globals=Globals(**QUICK, **settings)
    )
    one = Stage(shard)
    one.start()
    return one


def obsessed(**more) -> Stage:
    return stage(
        {"obsess": True, **more.pop("traits", {})},
        obsess_over_services=True, ocsp_command="ocsp!x", ocsp_timeout_s=7.0, **more,
    )  # fmt: skip


def ask(stage: Stage, want: int = 100, tags=(), to: str = "one", wait_s: float = 0.0, snapshots=()):
    message = TakeActions("react", "react-i", 5, 10, wait_s, tags, (), (), want, snapshots)
    return stage.schedulers[to].handle(message, stage.now)


def given(stage: Stage, **more) -> list[Order]:
    answer = ask(stage, **more)
    assert isinstance(answer, Actions)
    return [order for chunk in answer.sides for order in _orders(chunk.data)]


def figures(stage: Stage, of: str = "one") -> dict[str, float]:
    return dict(stage.schedulers[of].report(stage.now).figures)


def test_each_result_of_an_obsessed_service_runs_the_command_with_the_new_state():
    one = obsessed()
    given(one)
    one.result(one.borrow(), 2, "broken")
    (order,) = given(one)
    assert order.command == "/bin/ocsp web1 http CRITICAL x broken"
    assert (order.object, order.timeout_s, order.epoch) == ("side/obsess/web1;http", 7.0, 101)
    one.result(one.borrow(), 0, "fine")
    one.result(one.borrow(), 0, "fine")
    assert [o.command for o in given(one)] == ["/bin/ocsp web1 http OK x fine"] * 2
    assert given(one) == []


def test_it_waits_for_no_store_since_nothing_is_promised():
    one = obsessed()
    given(one)
    one.mute.add("retention")
    one.result(one.borrow(), 2, "broken")
    assert len(given(one)) == 1


def test_an_object_or_all_of_them_can_be_left_out():
    assert given_after_one(stage({"obsess": False}, obsess_over_services=True, ocsp_command="ocsp")) == []
    assert given_after_one(stage({"obsess": True}, obsess_over_services=False, ocsp_command="ocsp")) == []
    assert given_after_one(stage({"obsess": True}, obsess_over_services=True, ocsp_command="nobody")) == []


def given_after_one(one: Stage) -> list[Order]:
    one.result(one.borrow(), 2, "broken")
    return given(one)


def test_hosts_have_a_command_of_their_own():
    one = stage({"obsess": True}, obsess_over_hosts=True, ochp_command="ochp")
    one.result(one.borrow(key="web1"), 2, "gone")
    assert given(one)[-1].command == "/bin/ochp web1 DOWN"


def test_performance_data_is_handed_on_after_every_result_also_without_any():
    one = stage({}, service_perfdata_command="perf", perfdata_timeout_s=3.0)
    one.result(one.borrow(), 0, "fine|t=1s")
    one.result(one.borrow(), 0, "fine")
    first, second = given(one)
    assert (first.object, first.timeout_s) == ("side/perfdata/web1;http", 3.0)
    assert (first.command, second.command) == ("/bin/perf http t=1s", "/bin/perf http ")


def test_a_switch_at_run_time_counts_from_the_next_result():
    one = obsessed()
    given(one)
    owned = one.schedulers["one"].seats[1].owned
    assert owned is not None
    owned.state.status.modified = {"obsess_over_services": "0"}
    owned.state.refresh_globals()
    assert given_after_one(one) == []
    owned.state.status.modified = {}
    owned.state.refresh_globals()
    assert len(given_after_one(one)) == 1


def test_a_notification_goes_out_with_them():
    one = obsessed()
    one.fail()
    one.run(1.0)
    answer = ask(one)
    assert isinstance(answer, Actions)
    assert len(answer.actions) == 1 and answer.sides


def test_a_request_that_waits_is_answered_when_a_command_comes():
    one = obsessed()
    given(one)
    order = one.borrow()
    given(one)
    assert isinstance(ask(one, wait_s=5.0), Wait)
    one.result(order, 0, "fine")
    assert isinstance(ask(one, wait_s=5.0), Actions)


def test_a_reactionner_of_the_release_before_gets_none():
    one = obsessed()
    one.result(one.borrow(), 2, "broken")
    assert one.take().sides == ()
    assert given(one, want=0) == []


def test_a_tagged_command_waits_for_a_reactionner_with_the_tag():
    one = obsessed(traits={"reactionner_tag": "dmz"})
    one.result(one.borrow(), 2, "broken")
    assert given(one) == [] and given(one, tags=("None",)) == []
    assert given(one, tags=("dmz",))
    assert figures(one)["side_waiting"] == 0


def test_the_oldest_are_dropped_and_counted_when_nobody_takes_them(monkeypatch):
    monkeypatch.setattr(side, "WAITING_MAX", 3)
    one = obsessed()
    for n in range(5):
        one.result(one.borrow(), 1, f"n{n}")
    assert figures(one)["side_waiting"] == 3
    shed = figures(one)["side_shed"]
    assert shed == figures(one)["side_planned"] - 3 > 0
    assert [o.command[-2:] for o in given(one)] == ["n2", "n3", "n4"]


def test_they_come_in_chunks_and_no_more_than_are_wanted():
    one = obsessed()
    given(one)
    order = one.borrow()
    given(one)
    owned = one.schedulers["one"].seats[1].owned
    assert owned is not None
    for _ in range(70):
        owned.side.after(owned.state.items[order.object], one.now)
    answer = ask(one, want=50)
    assert isinstance(answer, Actions)
    assert [chunk.count for chunk in answer.sides] == [32, 18]
    assert len(given(one)) == 20


def test_what_waits_is_lost_at_a_take_over_and_goes_on_with_the_next_result():
    one = obsessed()
    one.result(one.borrow(), 0, "fine")
    one.add("two")
    take_over(one)
    assert given(one, to="two") == []
    one.result(one.borrow("two"), 1, "meanwhile", to="two")
    assert [o.command for o in given(one, to="two")][-1] == "/bin/ocsp web1 http WARNING x meanwhile"


def pictured(**more) -> Stage:
    snapshot = Snapshot("snap", ("w", "c", "u"), 60.0, more.pop("period", ""))
    return stage({"snapshot": snapshot})


def test_a_snapshot_is_taken_while_things_are_bad_and_said_in_the_log():
    one = pictured()
    one.fail(3)
    one.run(1.0)
    (order,) = given(one, tags=("dmz",))
    assert (order.object, order.command) == ("side/snapshot/web1;http", "/bin/snap web1")
    assert [t for t in logs(one) if "SNAPSHOT" in t] == ["SERVICE SNAPSHOT: web1;http;CRITICAL;SOFT;1;snap"]
    for _ in range(8):
        one.result(one.borrow(), 2, "still")
    one.run(1.0)
    assert len(given(one, tags=("dmz",))) == 1
    assert one.store.status("web1;http").last_snapshot_wall > 0


def test_the_interval_goes_on_at_the_next_owner():
    one = pictured()
    one.fail()
    one.run(1.0)
    assert len(given(one, tags=("dmz",))) == 1
    one.add("two")
    take_over(one)
    one.result(one.borrow("two"), 2, "still", to="two")
    assert given(one, to="two", tags=("dmz",)) == []


def brok(stage: Stage, states: bool, after=None) -> list:
    known, epoch, n = (True, after.epoch, after.n) if after is not None else (False, 0, 0)
    asked = TakeBroks("brok", "b-i", 1, known, epoch, n, 0.0, states)
    found: list = []
    while True:
        answer = stage.schedulers["one"].handle(asked, stage.now)
        assert isinstance(answer, Broks)
        if not answer.deltas:
            return found
        found += [decode_delta(data) for data in answer.deltas]
        last = found[-1]
        asked = TakeBroks("brok", "b-i", 1, True, last.epoch, last.n, 0.0, states)


def test_what_a_snapshot_printed_comes_to_the_brokers():
    one = pictured()
    one.fail()
    taken = SnapshotTaken("web1;http", 5.0, 0, "all processes")
    ask(one, snapshots=(taken, SnapshotTaken("gone", 5.0, 0, "")))
    one.run(1.0)
    found = [s for d in brok(one, states=False) for s in d.snapshots]
    assert found == [taken]
    assert figures(one)["snapshots_taken"] == 1


def test_a_line_for_the_file_is_made_of_each_result():
    one = stage({}, service_perfdata_template=r"$HOSTNAME$\t$SERVICEDESC$\t$SERVICEPERFDATA$\t$LONGSERVICEOUTPUT$")
    one.result(one.borrow(), 0, "fine|t=1s\nmore\nlines")
    one.result(one.borrow(), 0, "fine|t=2s")
    one.result(one.borrow(key="web1"), 0, "up|h=1")
    one.run(2.0)
    deltas = brok(one, states=False)
    assert [t for d in deltas for t in d.service_perfdata] == [
        "web1\thttp\tt=1s\tmore\\nlines", "web1\thttp\tt=2s\t",
    ]  # fmt: skip
    assert [t for d in deltas for t in d.host_perfdata] == []
    assert not any(d.changed for d in deltas)


def test_a_broker_that_wants_states_gets_them_with_the_lines_and_the_standby_only_them():
    one = stage({}, service_perfdata_template="$SERVICEPERFDATA$")
    one.add("two")
    one.place("one", "two")
    one.run(2.0)
    last = brok(one, states=True)[-1]
    one.result(one.borrow(), 0, "fine|t=1s")
    one.run(2.0)
    deltas = brok(one, states=True, after=last)
    (line,) = [d for d in deltas if d.service_perfdata]
    assert line.service_perfdata == ("t=1s",) and "o/web1;http" in line.changed
    sent = [c.message for c in one.sent if isinstance(c.message, Replicate) and not c.message.whole]
    assert sent and not any(decode_delta(m.delta).service_perfdata for m in sent)


def test_no_line_of_an_object_that_does_not_process_performance_data():
    one = stage({"process_perf_data": False}, service_perfdata_template="x")
    one.result(one.borrow(), 0, "fine|t=1s")
    one.run(2.0)
    assert [t for d in brok(one, states=False) for t in d.service_perfdata] == []
