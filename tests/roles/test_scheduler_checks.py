"""Which checks run and when, at a scheduler: periods, dependencies, freshness, checks on demand, forced ones."""

import msgspec
import pytest

from daemons.model.check import CODE_TIMEOUT, Result
from daemons.model.objects import Globals, Host, Service, TimePeriod, Traits
from daemons.model.relations import Dependency
from daemons.model.status import HARD, SOFT
from tests.roles.stage import Stage, body
from tests.roles.test_scheduler_commands import submit
from tests.roles.test_scheduler_tells import logs, take_over

SETTINGS = Globals(
    max_service_check_spread_s=1.0, max_host_check_spread_s=1.0, log_initial_states=False
)
QUICK = Traits(
    check_command="check!web", check_interval_s=10.0, retry_interval_s=2.0, max_check_attempts=2,
    contacts=("ann",),
)  # fmt: skip
IDLE = msgspec.structs.replace(QUICK, active_checks_enabled=False)
MASTER = Service("web1", "db", 1)


def settings(**more):
    return msgspec.structs.replace(SETTINGS, **more)


def quick(**more):
    return msgspec.structs.replace(QUICK, **more)


def stage_of(traits=QUICK, *, services=(), hosts=None, others=(IDLE,), **more):
    """A host that is checked on demand only, its service `http` of `traits`, and more; `others` from index 1."""
    host = msgspec.structs.replace(QUICK, check_interval_s=0.0, max_check_attempts=1)
    stage = Stage(
        body(
            traits=(traits, *others, host),
            hosts=hosts or (Host("web1", "10.0.0.1", "web", 1 + len(others)),),
            services=(Service("web1", "http", 0), *services),
            **{"globals": SETTINGS, **more},
        )
    )
    stage.start()
    return stage


def due(stage, seconds, to="one"):
    """What is lent within `seconds`, and answered well: keys in order."""
    found = []
    for _ in range(round(seconds / 0.25)):
        stage.run(0.25)
        for order in stage.orders(stage.exchange(to=to)):
            found.append(order.object)
            stage.result(order, 0, "fine", to=to)
    return found


def passive(stage, code, key="web1;http", text="said", id="", to="one"):
    kind = "SERVICE" if ";" in key else "HOST"
    number = id or f"p{next(stage._seq)}"
    submit(stage, f"[0] PROCESS_{kind}_CHECK_RESULT;{key};{code};{text}", id=number, to=to)


# ------------------------------------------------------------------ switches


def test_while_its_host_is_down_a_service_is_not_checked_where_nagios_is_told_so():
    stage = stage_of(globals=settings(host_down_disable_service_checks=True))
    assert "web1;http" in due(stage, 12.0)
    passive(stage, 1, key="web1")
    assert "web1;http" not in due(stage, 25.0)
    submit(stage, "[0] SCHEDULE_FORCED_SVC_CHECK;web1;http;0")
    assert "web1;http" in due(stage, 1.0)  # forced is forced
    passive(stage, 0, key="web1")
    assert "web1;http" in due(stage, 12.0)


def test_by_itself_a_service_of_a_host_that_is_down_is_checked():
    stage = stage_of()
    passive(stage, 1, key="web1")
    assert "web1;http" in due(stage, 12.0)


# ------------------------------------------------------------------ check_period


NEVER = TimePeriod("never")


def test_outside_its_check_period_a_check_on_demand_does_not_run_but_a_forced_one_does():
    stage = stage_of(quick(check_period="never"), periods=(NEVER,))
    assert due(stage, 12.0) == []
    submit(stage, "[0] SCHEDULE_SVC_CHECK;web1;http;0")
    assert due(stage, 12.0) == []
    submit(stage, "[0] SCHEDULE_FORCED_SVC_CHECK;web1;http;0", id="c2")
    assert due(stage, 12.0) == ["web1;http"]


def test_a_problem_with_no_retry_interval_is_confirmed_at_its_check_interval():
    stage = stage_of(quick(retry_interval_s=0.0))
    for _ in range(2):
        stage.result(stage.borrow(within_s=12.0), 2, "broken")
    assert (stage.status().state_type, stage.status().attempt) == (HARD, 2)


# ------------------------------------------------------------------ dependencies


def depending(**criteria):
    return {
        "services": (MASTER,),
        "dependencies": (Dependency(dependent="web1;http", on="web1;db", **criteria),),
    }


def test_a_check_whose_execution_dependency_fails_keeps_its_schedule():
    stage = stage_of(**depending(execution=("c", "p")))
    assert due(stage, 15.0) == []  # pending
    passive(stage, 0, "web1;db")
    phase = stage.status().next_check_wall % 10.0
    assert "web1;http" in due(stage, 10.5)
    for _ in range(2):
        passive(stage, 2, "web1;db")
    due(stage, 0.5)  # the host, asked for on demand
    assert "web1;http" not in due(stage, 21.0)
    assert stage.status().next_check_wall % 10.0 == pytest.approx(phase)
    passive(stage, 0, "web1;db")
    assert "web1;http" in due(stage, 10.5)


def test_a_forced_check_runs_whatever_it_depends_on():
    stage = stage_of(**depending(execution=("p",)))
    submit(stage, "[0] SCHEDULE_FORCED_SVC_CHECK;web1;http;0")
    assert due(stage, 1.0) == ["web1;http"]


@pytest.mark.parametrize(("soft", "runs"), [(False, True), (True, False)])
def test_a_soft_problem_forbids_checks_only_with_soft_state_dependencies(soft, runs):
    stage = stage_of(
        **depending(execution=("c",)), globals=settings(soft_state_dependencies=soft)
    )
    passive(stage, 2, "web1;db")
    assert stage.status("web1;db").state_type == SOFT
    assert ("web1;http" in due(stage, 10.5)) == runs


def test_a_dependency_of_the_host_silences_its_services():
    stage = stage_of(
        hosts=(Host("web1", "", "", 2), Host("router", "", "", 2)),
        dependencies=(Dependency(dependent="web1", on="router", notification=("d",)),),
        globals=settings(enable_predictive_host_dependency_checks=False),
    )
    passive(stage, 1, "router")
    stage.fail(2)
    assert stage.status().state_type == HARD
    assert not any("NOTIFICATION" in line and "http" in line for line in logs(stage))
    passive(stage, 0, "router")
    stage.fail(1)
    stage.run(1.0)
    assert any("NOTIFICATION: ann;web1;http" in line for line in logs(stage))


def test_when_what_it_depends_on_is_back_a_problem_is_told_only_after_a_result_of_its_own():
    stage = stage_of(**depending(notification=("c",)))
    for _ in range(2):
        passive(stage, 2, "web1;db")
    stage.fail(2)
    stage.result(stage.borrow(), 2, "broken")
    order = stage.borrow()
    passive(stage, 0, "web1;db")
    stage.run(25.0)  # long enough for a look by time alone
    assert not any("NOTIFICATION: ann;web1;http" in line for line in logs(stage))
    stage.result(order, 2, "broken")
    stage.run(1.0)
    assert any("NOTIFICATION: ann;web1;http" in line for line in logs(stage))


def test_dependencies_of_a_new_configuration_count():
    stage = stage_of(services=(MASTER,))
    one = Dependency(dependent="web1;http", on="web1;db", execution=("p",))
    more = msgspec.structs.replace(stage.shard, dependencies=(one,))
    stage.shard, stage.version = more, "v2"
    stage.place("one")
    stage.run(1.0)
    assert "web1;http" not in due(stage, 12.0)


@pytest.mark.parametrize(
    ("predictive", "horizon_s", "asked"), [(True, 0.0, True), (False, 0.0, False), (True, 60.0, False)]
)
def test_a_problem_has_what_it_depends_on_checked_first(predictive, horizon_s, asked):
    stage = stage_of(
        services=(Service("web1", "db", 1),), others=(quick(check_interval_s=900.0),),
        dependencies=(Dependency(dependent="web1;http", on="web1;db", notification=("c",)),),
        globals=settings(
            enable_predictive_service_dependency_checks=predictive,
            cached_service_check_horizon_s=horizon_s,
        ),
    )  # fmt: skip
    due(stage, 11.0)
    stage.result(stage.borrow(), 2, "broken")
    assert ("web1;db" in due(stage, 1.0)) == asked


# ------------------------------------------------------------------ freshness


STALE = "are stale by"
FRESH = msgspec.structs.replace(IDLE, check_freshness=True, freshness_threshold_s=20.0)
OFTEN = settings(service_freshness_check_interval_s=1.0, host_freshness_check_interval_s=1.0)


def test_a_stale_result_makes_its_check_run_though_active_checks_are_off():
    stage = stage_of(FRESH, globals=OFTEN)
    passive(stage, 0)
    assert due(stage, 19.0) == []
    assert due(stage, 3.0) == ["web1;http"]
    stage.run(1.0)
    said = [line for line in logs(stage) if STALE in line]
    assert said == [
        "Warning: The results of service 'http' on host 'web1' are stale by 0d 0h 0m 0s (threshold=0d 0h 0m 20s)."
        "  I'm forcing an immediate check of the service."
    ]
    assert due(stage, 17.0) == []  # the result of the check is fresh
    assert due(stage, 5.0) == ["web1;http"]


def test_what_is_stale_is_asked_for_once_while_no_result_comes():
    stage = stage_of(FRESH, globals=OFTEN)
    passive(stage, 0)
    stage.run(60.0)  # nobody borrows
    assert sum(STALE in line for line in logs(stage)) == 1
    passive(stage, 0)
    assert not stage.status().stale


def test_a_result_in_time_keeps_it_fresh():
    stage = stage_of(FRESH, globals=OFTEN)
    for _ in range(4):
        passive(stage, 0)
        assert due(stage, 15.0) == []
    assert not any(STALE in line for line in logs(stage))


def test_after_an_outage_nothing_is_stale_before_its_threshold_has_passed_anew():
    stage = stage_of(FRESH, globals=OFTEN)
    stage.add("two")
    passive(stage, 0)
    stage.run(2.0)
    stage.kill("one")
    stage.run(3600.0)
    take_over_from_nobody(stage)
    assert due(stage, 15.0, to="two") == []
    assert due(stage, 8.0, to="two") == ["web1;http"]


def take_over_from_nobody(stage):
    stage.place("two")
    stage.run(3.0)
    assert stage.schedulers["two"].seats[1].held.phase == "active"


def test_the_check_of_a_stale_object_survives_a_take_over_and_is_not_said_again():
    stage = stage_of(FRESH, globals=OFTEN)
    stage.add("two")
    passive(stage, 0)
    stage.run(23.0)
    assert stage.status().stale
    take_over(stage)
    assert due(stage, 5.0, to="two") == ["web1;http"]
    stage.run(1.0)
    assert sum(STALE in line for line in logs(stage)) == 1


def test_freshness_can_be_switched_off_and_begins_anew_when_it_is_on_again():
    stage = stage_of(FRESH, globals=OFTEN)
    passive(stage, 0)
    submit(stage, "[0] DISABLE_SERVICE_FRESHNESS_CHECKS", id="off")
    assert due(stage, 60.0) == []
    submit(stage, "[0] ENABLE_SERVICE_FRESHNESS_CHECKS", id="on")
    assert due(stage, 18.0) == []
    assert due(stage, 4.0) == ["web1;http"]


def test_freshness_counts_from_the_opening_of_the_check_period():
    # Stage begins at 08:00 UTC and some minutes
    morning = TimePeriod("later", "", tuple((day, "08:30-24:00") for day in (
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")))  # fmt: skip
    traits = msgspec.structs.replace(FRESH, check_period="later")
    stage = stage_of(
        traits, periods=(morning,), globals=msgspec.structs.replace(OFTEN, use_timezone="UTC")
    )
    passive(stage, 0)
    opens = 1800 - (stage.now.wall % 3600) % 3600 + 0.0
    assert opens > 60.0
    assert due(stage, opens - 1.0) == []
    assert due(stage, 19.0) == []
    assert due(stage, 5.0) == ["web1;http"]


def test_a_host_gets_stale_too():
    stage = stage_of(
        IDLE, others=(FRESH,), hosts=(Host("web1", "", "", 1),), globals=OFTEN
    )
    passive(stage, 0, "web1")
    assert due(stage, 23.0) == ["web1"]
    stage.run(1.0)
    assert any("The results of host 'web1' are stale" in line for line in logs(stage))


def test_an_object_that_a_new_configuration_brings_is_not_stale_at_once():
    stage = stage_of(IDLE, globals=OFTEN)
    stage.run(60.0)
    stage.shard = msgspec.structs.replace(
        stage.shard, traits=(FRESH, *stage.shard.traits[1:]),
    )  # fmt: skip
    stage.version = "v2"
    stage.place("one")
    stage.run(1.0)
    assert due(stage, 18.0) == []
    assert due(stage, 5.0) == ["web1;http"]


def test_a_wall_clock_that_is_set_makes_nothing_stale():
    stage = stage_of(FRESH, globals=OFTEN)
    passive(stage, 0)
    stage.wall_ahead_s += 3600.0
    assert due(stage, 18.0) == []
    assert due(stage, 5.0) == ["web1;http"]


# ------------------------------------------------------------------ forced and scheduled checks


def test_a_forced_check_that_nobody_ran_is_run_by_the_next_owner():
    stage = stage_of(IDLE)
    stage.add("two")
    submit(stage, "[0] SCHEDULE_FORCED_SVC_CHECK;web1;http;0")
    take_over(stage)
    assert due(stage, 5.0, to="two") == ["web1;http"]
    assert due(stage, 25.0, to="two") == []


def test_a_forced_check_in_the_future_waits_for_its_time_under_the_next_owner_too():
    stage = stage_of(IDLE)
    stage.add("two")
    at = int(stage.now.wall) + 60
    submit(stage, f"[0] SCHEDULE_FORCED_SVC_CHECK;web1;http;{at}")
    passive(stage, 0)
    take_over(stage)
    assert due(stage, at - 2.0 - stage.now.wall, to="two") == []
    assert due(stage, 5.0, to="two") == ["web1;http"]
    assert stage.status(of="two").forced_wall == 0.0


def test_a_check_that_is_forced_while_one_is_under_way_is_run_after_it():
    stage = stage_of()
    order = stage.borrow()
    stage.run(1.0)
    submit(stage, "[0] SCHEDULE_FORCED_SVC_CHECK;web1;http;0")
    stage.result(order, 0, "as it was before")
    assert due(stage, 1.0) == ["web1;http"]
    assert due(stage, 5.0) == []
    assert stage.status().forced_wall == 0.0


def test_a_later_check_does_not_put_off_an_earlier_one_unless_it_is_forced():
    stage = stage_of()
    due(stage, 11.0)
    soon = stage.status().next_check_wall
    submit(stage, f"[0] SCHEDULE_SVC_CHECK;web1;http;{int(stage.now.wall) + 300}")
    assert stage.status().next_check_wall == soon
    submit(stage, f"[0] SCHEDULE_FORCED_SVC_CHECK;web1;http;{int(stage.now.wall) + 300}", id="c2")
    assert due(stage, 200.0) == []


@pytest.mark.parametrize("off", ["switch", "object", ""])
def test_a_check_whose_result_never_comes_is_run_again_unless_orphans_are_not_looked_for(off):
    stage = stage_of(
        quick(time_to_orphanage_s=0.0 if off == "object" else 300.0),
        globals=settings(check_for_orphaned_services=off != "switch"),
    )
    first = stage.borrow()
    for _ in range(75):  # the poller lives, and says nothing of it
        stage.run(1.0)
        stage.exchange(0)
    again = [o for o in stage.orders(stage.exchange()) if o.object == "web1;http"]
    assert bool(again) == (not off)
    stage.run(1.0)
    assert any("looks like it was orphaned" in line for line in logs(stage)) == (not off)
    stage.result(first, 0, "late")
    assert stage.status().checked


def test_a_late_result_does_not_make_the_run_that_is_out_an_orphan():
    stage = stage_of()
    first = stage.borrow()
    stage.exchange(0, instance="poll-new")  # the poller was restarted
    second = next(
        o for o in stage.orders(stage.exchange(instance="poll-new")) if o.object == "web1;http"
    )
    assert second.seq > first.seq
    late = Result(1, first.epoch, first.object, first.seq, 0, stage.now.wall, 0.01, "late after all")
    stage.exchange(0, [late], instance="poll-new")
    assert stage.status().output == "late after all"
    for _ in range(30):
        stage.run(1.0)
        assert stage.orders(stage.exchange(instance="poll-new")) == []
    assert not any("orphaned" in line for line in logs(stage))


# ------------------------------------------------------------------ hosts and services


def test_a_service_problem_has_its_host_checked_unless_that_was_just_done():
    stage = stage_of(globals=settings(cached_host_check_horizon_s=30.0))
    stage.result(stage.borrow(), 2, "broken")
    assert due(stage, 1.0) == ["web1"]
    due(stage, 15.0)
    stage.result(stage.borrow(), 2, "broken")
    assert "web1" not in due(stage, 1.0)


def test_a_service_that_does_not_depend_on_its_host_goes_its_own_way():
    stage = stage_of(quick(host_dependency_enabled=False))
    passive(stage, 1, "web1")
    stage.result(stage.borrow(), 2, "broken")
    assert stage.status().state_type == SOFT
    assert "web1" not in due(stage, 1.0)


def test_a_service_that_is_well_on_a_host_that_is_not_has_the_host_checked():
    stage = stage_of()
    due(stage, 11.0)
    passive(stage, 1, "web1")
    stage.run(16.0)
    stage.result(stage.borrow(), 0, "fine")
    assert due(stage, 1.0) == ["web1"]
    assert stage.status("web1").state == 0


@pytest.mark.parametrize(("aggressive", "asked"), [(False, 0), (True, 1)])
def test_aggressive_host_checking_asks_at_every_result(aggressive, asked):
    stage = stage_of(globals=settings(use_aggressive_host_checking=aggressive))
    due(stage, 11.0)
    order = stage.borrow()
    passive(stage, 1, "web1")
    stage.result(order, 0, "fine")
    assert due(stage, 1.0).count("web1") == asked


def test_the_children_of_a_host_that_is_down_are_unreachable_once_they_were_checked_again():
    host = quick(check_interval_s=0.0, max_check_attempts=1)
    stage = stage_of(
        others=(host,),
        hosts=(Host("web1", "", "", 1, ("router",)), Host("router", "", "", 1)),
    )
    passive(stage, 1, "web1")
    assert stage.status("web1").state == 1
    for _ in range(2):
        for order in stage.orders(stage.exchange()):
            if order.object != "web1;http":
                stage.result(order, 2, "no answer")  # the router, then web1 again
        stage.run(0.5)
    assert stage.status("router").state == 1
    assert stage.status("web1").state == 2


@pytest.mark.parametrize(("translate", "state"), [(True, 1), (False, 2)])
def test_a_passive_unreachable_stands_only_when_it_is_not_translated(translate, state):
    stage = stage_of(globals=settings(translate_passive_host_checks=translate))
    passive(stage, 2, "web1")
    assert stage.status("web1").state == state


@pytest.mark.parametrize("exit_status", [0, 1, 2, 3])
def test_a_check_that_timed_out_has_the_state_of_timeout_exit_status(exit_status):
    stage = stage_of(globals=settings(timeout_exit_status=exit_status))
    stage.result(stage.borrow(), CODE_TIMEOUT, "")
    assert stage.status().state == exit_status


# ------------------------------------------------------------------ what is logged and numbered


def test_a_stalked_service_logs_each_new_text():
    stage = stage_of(msgspec.structs.replace(IDLE, stalking_options=("o",)))
    for text in ("one", "one", "two|t=1", "two|t=2"):
        passive(stage, 0, text=text)
    passive(stage, 1, text="three")
    passive(stage, 1, text="four")
    stage.run(1.0)
    assert [line for line in logs(stage) if "ALERT" in line] == [
        "SERVICE ALERT: web1;http;OK;HARD;1;one",  # the first text is new too (Nagios 4 was seen to do so)
        "SERVICE ALERT: web1;http;OK;HARD;1;two",
        "SERVICE ALERT: web1;http;WARNING;SOFT;1;three",
        "SERVICE ALERT: web1;http;WARNING;HARD;2;four",
    ]


def test_events_and_problems_are_numbered_and_the_next_owner_counts_on():
    stage = stage_of(IDLE)
    stage.add("two")
    passive(stage, 2)
    status = stage.status()
    assert (status.event_id, status.last_event_id) == (1, 0)
    assert (status.problem_id, status.last_problem_id) == (1, 0)
    passive(stage, 1)
    assert (status.event_id, status.last_event_id, status.problem_id) == (2, 1, 1)
    passive(stage, 0, text="fine|t=1")
    assert (status.problem_id, status.last_problem_id) == (0, 1)
    stage.run(2.0)
    take_over(stage)
    passive(stage, 2, text="bad|t=2", to="two")
    status = stage.status(of="two")
    assert (status.event_id, status.last_event_id) == (4, 3)
    assert (status.problem_id, status.last_problem_id) == (2, 1)
    assert (status.perfdata, status.last_perfdata) == ("t=2", "t=1")


def test_an_object_begins_as_its_initial_state_says_and_is_pending():
    traits = msgspec.structs.replace(IDLE, initial_state="c", initial_output="not yet")
    stage = stage_of(traits)
    status = stage.status()
    assert (status.state, status.state_type, status.attempt, status.output) == (2, HARD, 2, "not yet")
    assert not status.checked
    passive(stage, 0)
    stage.run(1.0)
    assert [line for line in logs(stage) if "web1;http" in line and "PASSIVE" not in line] == [
        "SERVICE ALERT: web1;http;OK;HARD;2;said"
    ]


def states(stage):
    stage.run(2.0)
    return [line for line in logs(stage) if " STATE: " in line]


def test_the_state_of_each_object_is_logged_when_it_comes_and_after_an_outage_only():
    stage = stage_of(IDLE, globals=settings(log_initial_states=True))
    stage.add("two")
    assert states(stage) == [
        "INITIAL HOST STATE: web1;UP;HARD;1;", "INITIAL SERVICE STATE: web1;http;OK;HARD;1;",
    ]  # fmt: skip
    passive(stage, 2)
    stage.run(2.0)
    stage.shard = msgspec.structs.replace(
        stage.shard, services=(*stage.shard.services, Service("web1", "new", 0))
    )
    stage.version = "v2"
    stage.place("one")
    assert states(stage)[2:] == ["INITIAL SERVICE STATE: web1;new;OK;HARD;1;"]
    take_over(stage)
    assert len(states(stage)) == 3
    stage.add("three")
    stage.kill("two")
    stage.run(100.0)
    stage.place("three")
    stage.run(3.0)
    assert states(stage)[3:] == [
        "CURRENT HOST STATE: web1;UP;HARD;1;",
        "CURRENT SERVICE STATE: web1;http;CRITICAL;SOFT;1;said",
        "CURRENT SERVICE STATE: web1;new;OK;HARD;1;",
    ]


def test_a_record_of_what_is_configured_no_more_is_no_history():
    stage = stage_of(IDLE, services=(MASTER,), globals=settings(log_initial_states=True))
    stage.add("two")
    passive(stage, 0)
    stage.run(3.0)
    stage.kill("one")
    stage.shard = msgspec.structs.replace(stage.shard, services=stage.shard.services[:1])
    stage.version = "v2"
    stage.place("two")
    stage.run(3.0)
    assert stage.schedulers["two"].seats[1].held.phase == "active"


def test_a_passive_result_from_the_future_is_of_now():
    stage = stage_of(IDLE)
    submit(stage, f"[{int(stage.now.wall) + 9999}] PROCESS_SERVICE_CHECK_RESULT;web1;http;0;fine")
    assert stage.status().last_check_wall <= stage.now.wall


def test_a_passive_result_of_a_service_there_is_not_is_warned_of():
    stage = stage_of(IDLE)
    submit(stage, "[0] PROCESS_SERVICE_CHECK_RESULT;web1;nosuch;2;x")
    stage.run(1.0)
    assert (
        "Warning:  Passive check result was received for service 'nosuch' on host 'web1', but the service"
        " could not be found!"
    ) in logs(stage)
