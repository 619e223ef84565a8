"""What external commands do in one shard: each family, what is kept, what is refused and what is not of here."""

import msgspec
import pytest

from daemons.model.objects import Command, Contact, Group, Host, Service, TimePeriod, Traits, Way
from daemons.model.relations import Dependency
from daemons.roles.shard.obeying.table import TABLE
from daemons.roles.shard.passive import PASSIVE
from daemons.rules.command_table import COMMANDS, SCHEDULERS
from daemons.rules.modattr import BITS, mask
from tests.roles.stage import WALL, Stage, body
from tests.roles.test_scheduler_commands import submit
from tests.roles.test_scheduler_tells import logs, take_over


def family(**more):
    """A tree of hosts: gw above web1 and db1, app1 behind db1; each with a service; groups and a period."""
    quick = body().traits[0]
    given = {
        "hosts": (
            Host("gw", "10.0.0.9", "gw", 0),
            Host("web1", "10.0.0.1", "web", 0, ("gw",)),
            Host("db1", "10.0.0.2", "db", 0, ("gw",)),
            Host("app1", "10.0.0.3", "app", 0, ("db1",)),
        ),
        "services": tuple(Service(host, "http", 0) for host in ("gw", "web1", "db1", "app1")),
        "hostgroups": (Group("front", members=("gw", "web1")),),
        "servicegroups": (Group("webs", members=("web1;http", "db1;http")),),
        "contactgroups": (Group("admins", members=("ann",)),),
        "periods": (TimePeriod("nights", ranges=(("monday", "22:00-24:00"),)),),
        "commands": (*body().commands, Command("other", "/bin/other $_HOSTRACK$ $_SERVICEPORT$")),
        "traits": (quick,),
        **more,
    }
    stage = Stage(body(**given))
    stage.start()
    return stage


class Shell:
    """Gives commands one after the other."""

    def __init__(self, stage, of="one"):
        self.stage, self.of, self.count = stage, of, 0

    def __call__(self, line):
        self.count += 1
        return submit(self.stage, f"[0] {line}", f"{self.of}{self.count}", to=self.of)

    def good(self, line):
        answer = self(line)
        assert answer.durable, (line, answer)

    @property
    def state(self):
        return self.stage.schedulers[self.of].seats[1].owned.state

    def traits(self, key):
        return self.state.items[key].traits

    def status(self, key):
        return self.state.items[key].status


@pytest.fixture
def shell():
    return Shell(family())


def test_every_command_for_schedulers_is_obeyed_by_a_function():
    wanted = {name for name, shape in COMMANDS.items() if shape.to == SCHEDULERS}

    assert TABLE.keys() | PASSIVE.keys() == wanted
    assert not TABLE.keys() & PASSIVE.keys()


# -- switches


@pytest.mark.parametrize(
    ("command", "silent"),
    [
        ("ALL_NOTIFICATIONS_BEYOND_HOST;db1", {"app1", "app1;http"}),
        ("ALL_NOTIFICATIONS_BEYOND_HOST;gw", {"web1", "web1;http", "db1", "db1;http", "app1", "app1;http"}),
        ("HOST_AND_CHILD_NOTIFICATIONS;db1", {"db1", "app1"}),
        ("HOST_SVC_NOTIFICATIONS;db1", {"db1;http"}),
        ("HOSTGROUP_HOST_NOTIFICATIONS;front", {"gw", "web1"}),
        ("HOSTGROUP_SVC_NOTIFICATIONS;front", {"gw;http", "web1;http"}),
        ("SERVICEGROUP_HOST_NOTIFICATIONS;webs", {"web1", "db1"}),
        ("SERVICEGROUP_SVC_NOTIFICATIONS;webs", {"web1;http", "db1;http"}),
    ],
)
def test_notifications_are_switched_for_exactly_those_that_are_meant(shell, command, silent):
    def off():
        return {k for k, item in shell.state.items.items() if not item.traits.notifications_enabled}

    shell.good(f"DISABLE_{command}")
    assert off() == silent
    shell.good(f"ENABLE_{command}")
    assert off() == set()


@pytest.mark.parametrize(
    ("on", "off", "setting"),
    [
        ("ENABLE_NOTIFICATIONS", "DISABLE_NOTIFICATIONS", "enable_notifications"),
        ("ENABLE_PERFORMANCE_DATA", "DISABLE_PERFORMANCE_DATA", "process_performance_data"),
        ("ENABLE_HOST_FRESHNESS_CHECKS", "DISABLE_HOST_FRESHNESS_CHECKS", "check_host_freshness"),
        ("ENABLE_SERVICE_FRESHNESS_CHECKS", "DISABLE_SERVICE_FRESHNESS_CHECKS", "check_service_freshness"),
        ("START_OBSESSING_OVER_HOST_CHECKS", "STOP_OBSESSING_OVER_HOST_CHECKS", "obsess_over_hosts"),
        ("START_OBSESSING_OVER_SVC_CHECKS", "STOP_OBSESSING_OVER_SVC_CHECKS", "obsess_over_services"),
        ("START_EXECUTING_SVC_CHECKS", "STOP_EXECUTING_SVC_CHECKS", "execute_service_checks"),
    ],
)
def test_a_global_switch_is_a_setting_of_the_whole_shard(shell, on, off, setting):
    for command, value in ((off, False), (on, True), (off, False)):
        shell.good(command)
        assert getattr(shell.state.globals, setting) is value
    assert shell.state.status.modified == {setting: "0"}


def test_failure_prediction_is_remembered_though_it_does_nothing(shell):
    shell.good("DISABLE_FAILURE_PREDICTION")
    assert shell.state.status.modified == {"enable_failure_prediction": "0"}


def test_contacts_are_switched_one_by_one_and_by_group(shell):
    shell.good("DISABLE_CONTACT_SVC_NOTIFICATIONS;ann")
    shell.good("DISABLE_CONTACTGROUP_HOST_NOTIFICATIONS;admins")
    shell.good("CHANGE_CONTACT_HOST_NOTIFICATION_TIMEPERIOD;ann;nights")
    assert shell.state.contact_status["ann"].modified == {
        "service_notifications_enabled": "0",
        "host_notifications_enabled": "0",
        "host_notification_period": "nights",
    }


# -- values


def test_intervals_are_in_units_of_interval_length_and_may_have_a_fraction(shell):
    shell.good("CHANGE_NORMAL_SVC_CHECK_INTERVAL;web1;http;2.5")
    shell.good("CHANGE_RETRY_SVC_CHECK_INTERVAL;web1;http;1")
    traits = shell.traits("web1;http")
    assert (traits.check_interval_s, traits.retry_interval_s) == (150.0, 60.0)


def test_a_shorter_interval_counts_from_now_and_zero_ends_the_schedule():
    slow = msgspec.structs.replace(body().traits[0], check_interval_s=36_000.0)
    shell = Shell(family(traits=(slow,)))
    shell.stage.result(shell.stage.borrow(), 0)
    shell.stage.run(1.0)
    assert shell.status("web1;http").next_check_wall > shell.stage.now.wall + 3600
    shell.good("CHANGE_NORMAL_SVC_CHECK_INTERVAL;web1;http;1")
    assert shell.stage.now.wall < shell.status("web1;http").next_check_wall <= shell.stage.now.wall + 60
    shell.good("CHANGE_NORMAL_SVC_CHECK_INTERVAL;web1;http;0")
    assert shell.status("web1;http").next_check_wall == 0.0
    shell.stage.run(120.0)
    assert all(o.object != "web1;http" for o in shell.stage.orders(shell.stage.exchange()))
    shell.good("CHANGE_NORMAL_SVC_CHECK_INTERVAL;web1;http;1")
    assert shell.stage.borrow(within_s=5.0)


def test_fewer_attempts_fit_a_problem_that_is_there(shell):
    shell.good("CHANGE_MAX_SVC_CHECK_ATTEMPTS;web1;http;5")
    shell.stage.fail(5)
    assert shell.status("web1;http").attempt == 5
    shell.good("CHANGE_MAX_SVC_CHECK_ATTEMPTS;web1;http;3")
    assert shell.status("web1;http").attempt == 3


def test_another_check_command_is_used_from_the_next_check_on(shell):
    shell.good("CHANGE_CUSTOM_HOST_VAR;web1;_RACK;r9")
    shell.good("CHANGE_CUSTOM_SVC_VAR;web1;http;port;81")
    shell.good("CHANGE_SVC_CHECK_COMMAND;web1;http;other")
    assert shell.stage.borrow().command == "/bin/other r9 81"
    shell.stage.run(0.1)
    shell.good("CHANGE_CUSTOM_HOST_VAR;web1;RACK;r10")
    shell.good("SCHEDULE_FORCED_SVC_CHECK;web1;http;0")


def test_a_changed_variable_of_the_host_is_seen_by_its_services_at_once(shell):
    shell.good("CHANGE_SVC_CHECK_COMMAND;web1;http;other")
    shell.stage.result(shell.stage.borrow(), 0)
    shell.good("CHANGE_CUSTOM_HOST_VAR;web1;RACK;r10")
    assert shell.stage.borrow().command == "/bin/other r10 "


def test_a_changed_variable_of_a_contact_is_in_what_it_is_told():
    ann = Contact(
        name="ann", ways=(Way(service_notification_commands=("shout",)),), custom={"ROOM": "1"}
    )
    commands = (*body().commands, Command("shout", "/bin/shout $_CONTACTROOM$"))
    shell = Shell(family(contacts=(ann,), commands=commands))
    shell.good("CHANGE_CUSTOM_CONTACT_VAR;ann;room;77")
    shell.stage.fail()
    shell.stage.run(1.0)
    assert [a.command for a in shell.stage.take().actions] == ["/bin/shout 77"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("CHANGE_SVC_CHECK_COMMAND;web1;http;nothing!1", "there is no command 'nothing'"),
        ("CHANGE_HOST_EVENT_HANDLER;web1;nothing", "there is no command 'nothing'"),
        ("CHANGE_GLOBAL_SVC_EVENT_HANDLER;nothing", "there is no command 'nothing'"),
        ("CHANGE_SVC_CHECK_TIMEPERIOD;web1;http;days", "there is no time period 'days'"),
        ("CHANGE_CONTACT_SVC_NOTIFICATION_TIMEPERIOD;ann;days", "there is no time period 'days'"),
        ("CHANGE_NORMAL_SVC_CHECK_INTERVAL;web1;http;-1", "must be a number, 0 or more"),
        ("CHANGE_MAX_SVC_CHECK_ATTEMPTS;web1;http;0", "must be a whole number, 1 or more"),
        ("CHANGE_CUSTOM_HOST_VAR;web1;a b;c", "must be the name of a variable"),
        ("ACKNOWLEDGE_SVC_PROBLEM_EXPIRE;web1;http;2;0;0;12;ann;x", "no problem"),
        ("SCHEDULE_HOST_DOWNTIME;web1;10;5;1;0;0;ann;x", "ends before it begins"),
        (f"SCHEDULE_HOST_DOWNTIME;web1;0;{int(WALL) + 99999};0;0;0;ann;x", "needs a duration"),
        (f"SCHEDULE_HOST_DOWNTIME;web1;0;{int(WALL) + 99999};1;99;0;ann;x", "there is no downtime 99"),
        (f"SCHEDULE_HOST_DOWNTIME;web1;0;{2**40};1;0;0;ann;x", "must be seconds since 1970"),
        ("DEL_DOWNTIME_BY_START_TIME_COMMENT;;", "a start or a comment is needed"),
        ("ADD_SIMPLE_POLLER;a;b;c;d", "define a poller in the files"),
    ],
)
def test_what_cannot_be_set_is_refused_with_the_reason_and_logged(shell, line, why):
    assert why in shell(line).refused["one1"]
    if "must be" not in why and "define" not in why:
        shell.stage.run(0.5)
        assert any(text.startswith("Error: External command failed -> ") and why in text for text in logs(shell.stage))


@pytest.mark.parametrize(
    "line",
    [
        "DISABLE_CONTACT_SVC_NOTIFICATIONS;bob",
        "DISABLE_CONTACTGROUP_SVC_NOTIFICATIONS;none",
        "DISABLE_HOSTGROUP_SVC_CHECKS;none",
        f"SCHEDULE_SERVICEGROUP_SVC_DOWNTIME;none;0;{int(WALL) + 99999};1;0;0;ann;x",
        f"SCHEDULE_CONTACT_DOWNTIME;bob;0;{int(WALL) + 99999};ann;x",
        "CHANGE_CUSTOM_CONTACT_VAR;bob;a;b",
        "CHANGE_CONTACT_MODATTR;bob;0",
        "DEL_CONTACT_DOWNTIME;3",
        "DEL_HOST_COMMENT;3",
        "DEL_SVC_DOWNTIME;3",
        "DEL_DOWNTIME_BY_HOSTGROUP_NAME;none",
        "DEL_DOWNTIME_BY_START_TIME_COMMENT;12",
        "DISABLE_HOST_CHECK;mars",
    ],
)
def test_what_is_not_of_this_shard_is_left_to_the_others(shell, line):
    assert shell(line).foreign == ("one1",)


def test_no_command_is_obeyed_while_they_are_switched_off_in_the_files():
    shell = Shell(family(globals=msgspec.structs.replace(body().globals, check_external_commands=False)))
    assert "check_external_commands" in shell("DISABLE_NOTIFICATIONS").refused["one1"]


# -- masks


def test_a_cleared_mask_gives_everything_back_to_the_configuration(shell):
    shell.good("DISABLE_SVC_NOTIFICATIONS;web1;http")
    shell.good("CHANGE_NORMAL_SVC_CHECK_INTERVAL;web1;http;7")
    shell.good("CHANGE_CUSTOM_SVC_VAR;web1;http;PORT;81")
    assert mask(shell.status("web1;http").modified) == 1 + 1024 + 32768
    shell.good("CHANGE_SVC_MODATTR;web1;http;1024")
    assert shell.traits("web1;http").notifications_enabled
    assert shell.traits("web1;http").check_interval_s == 420.0
    shell.good("CHANGE_SVC_MODATTR;web1;http;0")
    assert shell.status("web1;http").modified == {}
    assert shell.traits("web1;http").check_interval_s == 10.0


def test_a_set_bit_keeps_the_value_in_force(shell):
    shell.good("CHANGE_HOST_MODATTR;web1;3")
    assert shell.status("web1").modified == {"notifications_enabled": "1", "active_checks_enabled": "1"}


def test_masks_of_contacts_are_three(shell):
    shell.good("DISABLE_CONTACT_SVC_NOTIFICATIONS;ann")
    shell.good("DISABLE_CONTACT_HOST_NOTIFICATIONS;ann")
    shell.good("CHANGE_CUSTOM_CONTACT_VAR;ann;ROOM;7")
    shell.good("CHANGE_CONTACT_MODHATTR;ann;0")
    assert shell.state.contact_status["ann"].modified == {"service_notifications_enabled": "0", "_ROOM": "7"}
    shell.good("CHANGE_CONTACT_MODATTR;ann;0")
    shell.good("CHANGE_CONTACT_MODSATTR;ann;65537")
    assert shell.state.contact_status["ann"].modified == {
        "service_notifications_enabled": "0", "service_notification_period": "",
    }  # fmt: skip


# -- downtimes


def window(shell, start=0, end=1000):
    now = int(shell.stage.now.wall)
    return f"{now + start};{now + end}"


def test_a_propagated_downtime_is_booked_behind_the_host_too(shell):
    shell.good(f"SCHEDULE_AND_PROPAGATE_HOST_DOWNTIME;db1;{window(shell)};1;0;0;ann;work")
    assert {k for k, i in shell.state.items.items() if i.status.downtime_depth} == {"db1", "app1"}


def test_a_triggered_downtime_begins_and_goes_with_the_one_it_waits_for(shell):
    shell.good(f"SCHEDULE_AND_PROPAGATE_TRIGGERED_HOST_DOWNTIME;gw;{window(shell)};1;0;0;ann;work")
    assert {k for k, i in shell.state.items.items() if i.status.downtime_depth} == {"gw", "web1", "db1", "app1"}
    number = shell.status("gw").downtimes[0].id
    assert shell.status("app1").downtimes[0].trigger_id == number
    shell.good(f"DEL_HOST_DOWNTIME;{number}")
    assert not any(i.status.downtimes for i in shell.state.items.values())


def test_a_triggered_downtime_of_a_flexible_one_waits_for_the_problem(shell):
    shell.good(f"SCHEDULE_AND_PROPAGATE_TRIGGERED_HOST_DOWNTIME;db1;{window(shell)};0;0;600;ann;work")
    assert not shell.status("app1").downtime_depth
    for number in range(2):
        shell.good(f"PROCESS_HOST_CHECK_RESULT;db1;1;dead {number}")
    assert shell.status("db1").downtime_depth == shell.status("app1").downtime_depth == 1


def test_one_command_books_once_for_an_object_though_it_comes_again_by_another_way(shell):
    line = f"[0] SCHEDULE_HOSTGROUP_HOST_DOWNTIME;front;{window(shell)};1;0;0;ann;work"
    submit(shell.stage, line, "same")
    owned = shell.stage.schedulers["one"].seats[1].owned
    owned.commands._applied.clear()  # as a shard that has not seen the id, but was given the object
    submit(shell.stage, line, "same")
    assert [len(shell.status(h).downtimes) for h in ("gw", "web1", "db1")] == [1, 1, 0]


def test_a_number_deletes_only_what_it_says(shell):
    shell.good(f"SCHEDULE_HOST_DOWNTIME;web1;{window(shell)};1;0;0;ann;work")
    shell.good("ADD_HOST_COMMENT;web1;1;ann;hello")
    downtime, comment = shell.status("web1").downtimes[0].id, shell.status("web1").comments[-1].id
    assert shell(f"DEL_SVC_DOWNTIME;{downtime}").foreign
    assert shell(f"DEL_SVC_COMMENT;{comment}").foreign
    shell.good(f"DEL_HOST_COMMENT;{comment}")
    shell.good(f"DEL_HOST_DOWNTIME;{downtime}")
    assert not shell.status("web1").downtimes and not shell.status("web1").comments


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("DEL_DOWNTIME_BY_HOST_NAME;web1", {"db1", "db1;http"}),
        ("DEL_DOWNTIME_BY_HOST_NAME;web1;http", {"web1", "db1", "db1;http"}),
        ("DEL_DOWNTIME_BY_HOST_NAME;web1;;;hosts", {"web1;http", "db1", "db1;http"}),
        ("DEL_DOWNTIME_BY_HOST_NAME;web1;;5", {"web1", "web1;http", "db1", "db1;http"}),
        ("DEL_DOWNTIME_BY_HOSTGROUP_NAME;front", {"db1", "db1;http"}),
        ("DEL_DOWNTIME_BY_HOSTGROUP_NAME;front;gw", {"web1", "web1;http", "db1", "db1;http"}),
        ("DEL_DOWNTIME_BY_HOSTGROUP_NAME;front;;http", {"web1", "db1", "db1;http"}),
        ("DEL_DOWNTIME_BY_START_TIME_COMMENT;;services", {"web1", "db1"}),
    ],
)
def test_downtimes_are_deleted_by_what_they_are(shell, line, left):
    for host in ("web1", "db1"):
        shell.good(f"SCHEDULE_HOST_DOWNTIME;{host};{window(shell)};1;0;0;ann;hosts")
        shell.good(f"SCHEDULE_SVC_DOWNTIME;{host};http;{window(shell)};1;0;0;ann;services")
    shell(line)
    assert {k for k, i in shell.state.items.items() if i.status.downtimes} == left


def test_a_contacts_downtime_has_the_same_number_in_every_shard():
    numbers = []
    for _ in range(2):
        stage = family()
        now = int(stage.now.wall)
        submit(stage, f"[0] SCHEDULE_CONTACT_DOWNTIME;ann;{now - 5};{now + 500};joe;off", "c7")
        (downtime,) = stage.schedulers["one"].seats[1].owned.state.contact_status["ann"].downtimes
        numbers.append(downtime.id)
    assert numbers[0] == numbers[1] > 2_000_000_000
    assert submit(stage, f"[0] DEL_CONTACT_DOWNTIME;{downtime.id}", "c8").durable
    assert stage.schedulers["one"].seats[1].owned.state.contact_status["ann"].downtimes == ()


# -- notifications


def test_a_number_that_is_set_back_does_not_make_an_old_notification_of_a_new_one(shell):
    shell.stage.fail()
    shell.stage.run(1.0)
    (first,) = shell.stage.take().actions
    shell.good("SET_SVC_NOTIFICATION_NUMBER;web1;http;0")
    shell.stage.run(70.0)
    shell.stage.fail(1)
    shell.stage.run(1.0)
    again = [a for a in shell.stage.take(holding=(first.id,)).actions if a.id != first.id]
    assert again and shell.status("web1;http").notification_number >= 1


def test_flapping_is_forgotten_and_said(shell):
    for number in range(14):
        submit(shell.stage, f"[0] PROCESS_HOST_CHECK_RESULT;web1;{number % 2};x", f"f{number}", wait_s=0.2)
    assert shell.status("web1").flapping
    shell.good("CLEAR_HOST_FLAPPING_STATE;web1")
    status = shell.status("web1")
    assert (status.flapping, status.flap_percent, status.flap_history) == (False, 0.0, ())
    assert any("FLAPPING ALERT: web1;DISABLED" in text for text in logs(shell.stage))


def test_an_event_handler_is_launched_though_handlers_are_off_and_only_once(shell):
    assert "no event handler" in shell("LAUNCH_SVC_EVENT_HANDLER;web1;http").refused["one1"]
    shell.good("DISABLE_EVENT_HANDLERS")
    shell.good("CHANGE_SVC_EVENT_HANDLER;web1;http;repair")
    for _ in range(2):
        submit(shell.stage, "[0] LAUNCH_SVC_EVENT_HANDLER;web1;http", "launch")
    shell.stage.run(1.0)
    assert [a.command for a in shell.stage.take().actions] == ["/bin/repair OK"]
    assert "SERVICE EVENT HANDLER: web1;http;OK;HARD;1;repair" in logs(shell.stage)


# -- passive results and dependencies


def test_an_output_without_a_state_keeps_the_state(shell):
    shell.stage.fail()
    shell.good("PROCESS_SERVICE_OUTPUT;web1;http;still broken;really|a=1")
    status = shell.status("web1;http")
    assert (status.state, status.state_type, status.output, status.perfdata) == (2, 1, "still broken;really", "a=1")
    for number in range(2):
        shell.good(f"PROCESS_HOST_CHECK_RESULT;db1;1;dead {number}")
    shell.good("PROCESS_HOST_OUTPUT;db1;dead as before")
    assert (shell.status("db1").state, shell.status("db1").output) == (1, "dead as before")


def silent(shell, key):
    return [d.on for d in shell.state.dependencies.get(key, ())]


def test_a_host_depends_on_another_from_now_on_and_no_more(shell):
    shell.stage.add("two")
    shell.good("ADD_SIMPLE_HOST_DEPENDENCY;web1;db1")
    assert silent(shell, "web1") == ["db1"]
    assert "would be a loop" in shell("ADD_SIMPLE_HOST_DEPENDENCY;db1;web1").refused["one2"]
    assert "define a hostdependency" in shell("ADD_SIMPLE_HOST_DEPENDENCY;web1;mars").refused["one3"]
    for host in ("db1", "web1"):
        for number in range(2):
            shell.good(f"PROCESS_HOST_CHECK_RESULT;{host};1;dead {number}")
    shell.stage.run(1.0)
    told = [text for text in logs(shell.stage) if "NOTIFICATION: ann" in text]
    assert [text.split(";")[1] for text in told] == ["db1"]
    take_over(shell.stage)
    later = Shell(shell.stage, "two")
    assert silent(later, "web1") == ["db1"]
    later.good("DEL_HOST_DEPENDENCY;web1;db1")
    assert silent(later, "web1") == []
    assert "does not depend on db1" in later("DEL_HOST_DEPENDENCY;web1;db1").refused["two2"]


def test_a_dependency_of_the_files_is_taken_away_by_command():
    written = Dependency(dependent="web1", on="db1", notification=("d",))
    shell = Shell(family(dependencies=(written,)))
    shell.good("DEL_HOST_DEPENDENCY;web1;db1")
    assert silent(shell, "web1") == []


# -- survival


def test_everything_that_was_set_is_there_with_a_new_owner(shell):
    stage = shell.stage
    stage.add("two")
    shell.good(f"SCHEDULE_CONTACT_DOWNTIME;ann;{window(shell)};joe;off")
    for line in (
        "DISABLE_NOTIFICATIONS", "DISABLE_CONTACT_SVC_NOTIFICATIONS;ann", "CHANGE_CUSTOM_CONTACT_VAR;ann;ROOM;7",
        "CHANGE_CUSTOM_HOST_VAR;web1;RACK;r9", "CHANGE_NORMAL_SVC_CHECK_INTERVAL;web1;http;9",
        "CHANGE_SVC_CHECK_COMMAND;web1;http;other", "ADD_HOST_COMMENT;web1;1;ann;hello",
        "CHANGE_GLOBAL_HOST_EVENT_HANDLER;repair",
        f"SCHEDULE_AND_PROPAGATE_TRIGGERED_HOST_DOWNTIME;db1;{window(shell)};1;0;0;ann;work",
    ):  # fmt: skip
        shell.good(line)
    before = shell.state
    take_over(stage)
    after = Shell(stage, "two").state
    assert after.globals == before.globals
    assert after.contact_status == before.contact_status
    for key, item in before.items.items():
        assert after.items[key].traits == item.traits
        assert after.items[key].status.downtimes == item.status.downtimes
        assert after.items[key].status.comments == item.status.comments
        assert after.items[key].status.modified == item.status.modified


def test_every_setting_that_a_mask_names_is_one_of_an_object():
    assert BITS.keys() - set(Traits.__struct_fields__) == {"failure_prediction_enabled"}


def test_a_changed_command_that_the_files_have_no_more_gives_way_to_theirs(shell):
    shell.good("CHANGE_SVC_CHECK_COMMAND;web1;http;other")
    shell.good("CHANGE_SVC_CHECK_TIMEPERIOD;web1;http;nights")
    before = shell.stage.shard
    shell.stage.shard = msgspec.structs.replace(before, commands=body().commands, periods=())
    shell.stage.version = "v2"
    shell.stage.place("one")
    shell.stage.run(2.0)
    traits = shell.traits("web1;http")
    assert (traits.check_command, traits.check_period) == ("check!web", "")


def test_numbers_are_found_by_one_look_for_all_commands_of_an_entry(shell, monkeypatch):
    looks = []
    state = shell.state
    numbers = shell.stage.schedulers["one"].seats[1].owned.commands._parts.numbers
    for number in range(3):
        shell.good(f"ADD_HOST_COMMENT;web1;1;ann;hello {number}")
    ids = [comment.id for comment in shell.status("web1").comments]
    items = dict(state.items)

    class Counting(dict):
        def values(self):
            looks.append(1)
            return super().values()

    state.items = Counting(items)
    now = shell.stage.now
    found = [numbers.of_comment(i, now) for i in (*ids, 999)] + [numbers.of_downtime(5, now)]
    assert [item.key if item else None for item in found] == ["web1", "web1", "web1", None, None]
    assert len(looks) == 1
    later = state.number(state.status.next_comment_id)
    shell.parts = shell.stage.schedulers["one"].seats[1].owned.commands._parts
    shell.parts.bookings.comment(state.items["db1"], "ann", "new", True, now)
    assert numbers.of_comment(later, now).key == "db1"  # given since the look
    assert len(looks) == 2
