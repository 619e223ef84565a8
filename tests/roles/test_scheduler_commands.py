"""External commands and passive results at a scheduler."""

import msgspec
import pytest

from daemons.roles.role import Wait
from daemons.wire.messages import Accepted, Save, Submit, Submitted
from tests.roles.stage import WALL, Stage, body
from tests.roles.test_scheduler_tells import logs, take_over


def submit(stage, line, id="c1", to="one", wait_s=0.5):
    items = (Submitted(id, line, stage.now.wall),)
    message = Submit("recv", items)
    answer = stage.schedulers[to].handle(message, stage.now)
    if isinstance(answer, Wait):
        stage.run(wait_s)
        answer = stage.schedulers[to].handle(message, stage.now)
    assert isinstance(answer, Accepted), answer
    return answer


def started(**more):
    stage = Stage(body(**more))
    stage.start()
    return stage


def test_a_passive_result_is_applied_and_acknowledged_once_durable():
    stage = started()
    stage.hold = (Save,)
    items = (
        Submitted("p1", "[1800001000] PROCESS_SERVICE_CHECK_RESULT;web1;http;1;warm|t=3", 0.0),
    )
    message = Submit("recv", items)
    assert isinstance(stage.schedulers["one"].handle(message, stage.now), Wait)
    stage.run(0.5)
    assert isinstance(stage.schedulers["one"].handle(message, stage.now), Wait)
    stage.release()
    assert stage.schedulers["one"].handle(message, stage.now).durable == ("p1",)
    status = stage.status()
    assert (status.state, status.output, status.perfdata, status.passive) == (
        1,
        "warm",
        "t=3",
        True,
    )
    assert "PASSIVE SERVICE CHECK: web1;http;1;warm|t=3" in logs(stage)


def test_a_command_sent_again_is_applied_once():
    stage = started()
    for _ in range(3):
        submit(stage, "[0] PROCESS_SERVICE_CHECK_RESULT;web1;http;2;broken")
    assert stage.status().attempt == 1


def test_a_command_for_a_host_of_another_shard_is_foreign():
    stage = started()
    assert submit(stage, "[0] SCHEDULE_HOST_CHECK;db1;0").foreign == ("c1",)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[0] ;;", "a command is written"),
        ("[0] NO_SUCH_THING;web1", "there is no external command"),
        ("[0] SHUTDOWN_PROGRAM", "shinken stop"),
        ("[0] ADD_SVC_COMMENT;web1;ssh;1;ann;hello", "there is no service web1;ssh"),
        ("[0] ACKNOWLEDGE_SVC_PROBLEM;web1;http;2;1;0;ann;seen", "no problem"),
    ],
)
def test_a_command_that_cannot_be_obeyed_is_refused_with_the_reason(line, why):
    assert why in submit(started(), line).refused["c1"]


def test_an_acknowledgement_silences_is_told_and_ends_with_the_problem():
    stage = started()
    stage.fail()
    submit(stage, "[0] ACKNOWLEDGE_SVC_PROBLEM;web1;http;2;1;0;ann;seen")
    assert stage.status().ack.author == "ann"
    assert [a.command for a in stage.take().actions][-1].startswith("/bin/tell")
    assert any("ACKNOWLEDGEMENT (CRITICAL)" in text for text in logs(stage))
    stage.result(stage.borrow(), 0)
    assert stage.status().ack is None and stage.status().comments == ()


def test_a_removed_acknowledgement_is_gone():
    stage = started()
    stage.fail()
    submit(stage, "[0] ACKNOWLEDGE_SVC_PROBLEM;web1;http;2;0;0;ann;seen")
    submit(stage, "[0] REMOVE_SVC_ACKNOWLEDGEMENT;web1;http", "c2")
    assert stage.status().ack is None


def test_a_fixed_downtime_begins_silences_and_ends():
    stage = started()
    start, end = int(WALL + stage.mono + 2), int(WALL + stage.mono + 20)
    submit(stage, f"[0] SCHEDULE_SVC_DOWNTIME;web1;http;{start};{end};1;0;0;ann;work")
    assert stage.status().downtime_depth == 0 and len(stage.status().comments) == 1
    stage.run(3.0)
    assert stage.status().downtime_depth == 1
    stage.take()
    stage.fail()
    stage.run(1.0)
    assert stage.status().state_type == 1
    assert not [a for a in stage.take().actions if "CRITICAL" in a.command]
    stage.run(25.0)
    assert stage.status().downtimes == () and stage.status().comments == ()
    said = [text for text in logs(stage) if "DOWNTIME ALERT" in text]
    assert ["STARTED" in said[0], "STOPPED" in said[1]] == [True, True]


def test_a_downtime_is_deleted_by_its_number():
    stage = started()
    end = int(WALL + stage.mono + 100)
    submit(stage, f"[0] SCHEDULE_HOST_SVC_DOWNTIME;web1;0;{end};1;0;0;ann;work")
    (downtime,) = stage.status().downtimes
    submit(stage, f"[0] DEL_SVC_DOWNTIME;{downtime.id}", "c2")
    assert stage.status().downtimes == ()
    assert any("CANCELLED" in text for text in logs(stage))


def test_ack_and_downtime_survive_a_take_over():
    stage = started()
    stage.add("two")
    stage.fail()
    end = int(WALL + stage.mono + 100)
    submit(stage, f"[0] SCHEDULE_SVC_DOWNTIME;web1;http;0;{end};1;0;0;ann;work")
    submit(stage, "[0] ACKNOWLEDGE_SVC_PROBLEM;web1;http;2;0;0;ann;seen", "c2")
    submit(stage, "[0] DISABLE_SVC_NOTIFICATIONS;web1;http", "c3")
    submit(stage, "[0] DISABLE_EVENT_HANDLERS", "c4")
    take_over(stage)
    status = stage.status(of="two")
    assert (status.ack.comment, status.downtime_depth) == ("seen", 1)
    owned = stage.schedulers["two"].seats[1].owned
    assert not owned.state.items["web1;http"].traits.notifications_enabled
    assert not owned.state.globals.enable_event_handlers
    stage.run(110.0)
    assert stage.status(of="two").downtimes == ()


def test_a_forced_check_runs_now_though_checks_are_switched_off():
    stage = started()
    submit(stage, "[0] DISABLE_SVC_CHECK;web1;http")
    submit(stage, "[0] DISABLE_HOST_CHECK;web1", "c2")
    stage.run(30.0)
    assert not stage.orders(stage.exchange())
    submit(stage, "[0] SCHEDULE_FORCED_SVC_CHECK;web1;http;0", "c3")
    (order,) = stage.orders(stage.exchange())
    assert order.object == "web1;http"


def test_switched_off_notifications_are_not_made_and_come_back():
    stage = started()
    submit(stage, "[0] DISABLE_NOTIFICATIONS")
    stage.fail()
    stage.run(1.0)
    assert not stage.take().actions
    submit(stage, "[0] ENABLE_NOTIFICATIONS", "c2")
    stage.fail(1)
    stage.run(1.0)
    assert len(stage.take().actions) == 1


def test_a_failing_service_has_its_host_checked_at_once():
    quick = body().traits[0]
    slow = msgspec.structs.replace(quick, check_interval_s=3600.0)
    host = msgspec.structs.replace(body().hosts[0], traits=1)
    stage = started(traits=(quick, slow), hosts=(host,))
    stage.result(stage.borrow(key="web1"), 0)
    for _ in range(4):
        stage.result(stage.borrow(), 0)
    assert stage.mono - 1000.0 > 20.0
    stage.result(stage.borrow(), 2)
    assert stage.borrow(key="web1", within_s=0.5)


def test_a_host_that_is_down_speaks_for_its_services():
    stage = started()
    submit(stage, "[0] PROCESS_HOST_CHECK_RESULT;web1;1;dead", "h1")
    submit(stage, "[0] PROCESS_HOST_CHECK_RESULT;web1;1;dead", "h2")
    assert (stage.status("web1").state, stage.status("web1").state_type) == (1, 1)
    stage.run(1.0)
    (action,) = stage.take().actions
    assert action.command == "/bin/tell ann@example.org DOWN dead"
    submit(stage, "[0] PROCESS_SERVICE_CHECK_RESULT;web1;http;2;broken", "s1")
    stage.run(1.0)
    assert stage.status().state_type == 1
    assert [a.id for a in stage.take(holding=(action.id,)).actions] == []


def test_a_host_behind_one_that_is_down_is_unreachable():
    host = body().hosts[0]
    behind = msgspec.structs.replace(host, name="web2", parents=("web1",))
    stage = started(hosts=(host, behind))
    for number in range(2):
        submit(stage, "[0] PROCESS_HOST_CHECK_RESULT;web1;1;dead", f"a{number}")
    submit(stage, "[0] PROCESS_HOST_CHECK_RESULT;web2;1;dead", "b")
    assert stage.status("web2").state == 2


def test_flapping_starts_is_said_and_silences():
    stage = started(traits=(msgspec.structs.replace(body().traits[0], max_check_attempts=1),))
    for number in range(14):
        submit(
            stage,
            f"[0] PROCESS_SERVICE_CHECK_RESULT;web1;http;{2 * (number % 2)};x",
            f"f{number}",
            wait_s=0.2,
        )
    assert stage.status().flapping
    assert any("FLAPPING ALERT: web1;http;STARTED" in text for text in logs(stage))


def test_the_files_win_over_what_nobody_changed_at_run_time():
    stage = started()
    submit(stage, "[0] CHANGE_MAX_SVC_CHECK_ATTEMPTS;web1;http;7")
    stage.run(1.5)
    stage.kill("one")
    edited = msgspec.structs.replace(
        stage.shard.traits[0], check_interval_s=33.0, max_check_attempts=4
    )
    stage.shard = body(traits=(edited,))
    stage.version = "v2"
    two = stage.start("two")
    traits = two.seats[1].owned.state.items["web1;http"].traits
    assert (traits.check_interval_s, traits.max_check_attempts) == (33.0, 7)
    assert two.seats[1].owned.state.items["web1"].traits.max_check_attempts == 4
