"""Business rules at work: when they are looked at, told, kept; and the other checks without a poller."""

from itertools import count

import msgspec
import pytest
from msgspec.structs import replace

from daemons.config.rule_text import parse
from daemons.model.objects import (
    BusinessRuleSettings,
    Command,
    Globals,
    Host,
    Service,
    TimePeriod,
    Traits,
)
from daemons.model.relations import CheckModulation, MacroModulation
from daemons.wire.messages import Submit, Submitted
from tests.roles.stage import Stage
from tests.roles.stage import body as stage_body
from tests.roles.test_scheduler_tells import done, logs, take_over

QUICK = Traits(
    check_command="check!web", check_interval_s=10.0, retry_interval_s=2.0, max_check_attempts=1,
    contacts=("ann",), notification_interval_s=60.0,
)  # fmt: skip
INTERNAL = tuple(Command(name, name) for name in ("bp_rule", "_echo", "_internal_host_up"))
COMMANDS = (
    Command("check", "/bin/check -H $HOSTADDRESS$ -a $ARG1$"),
    Command("tell-host", "/bin/tell $HOSTNAME$ $HOSTSTATE$"),
    Command("tell-service", "/bin/tell $SERVICEDESC$ $SERVICESTATE$"),
    *INTERNAL,
)
numbers = count()


def keyed(node):
    return replace(node, key=node.key.replace(",", ";"), nodes=tuple(keyed(n) for n in node.nodes))


def body(rule="web1,a & web1,b", *, host=None, more=(), given=None, **traits):
    """web1 with the passive services a and b, and a business rule that is due every five minutes."""
    of_rule = replace(QUICK, **{"check_command": f"bp_rule!{rule}", "check_interval_s": 300.0, **traits})
    passive = replace(QUICK, check_interval_s=0.0)
    services = (Service("web1", "a", 0), Service("web1", "b", 0), Service("web1", "rule", 1))
    return stage_body(
        traits=(passive, of_rule, *more),
        hosts=(host or Host("web1", "10.0.0.1", "web", 0),),
        services=services,
        rules={"web1;rule": keyed(parse(rule))} if "$" not in rule else {},
        globals=Globals(max_service_check_spread_s=1.0, max_host_check_spread_s=1.0),
        commands=COMMANDS,
        **(given or {}),
    )


def started(shard):
    stage = Stage(shard)
    stage.start()
    return stage


def command(stage, line, to="one"):
    item = Submitted(f"c{next(numbers)}", f"[{int(stage.now.wall)}] {line}", stage.now.wall)
    stage.schedulers[to].handle(Submit("recv", (item,)), stage.now)
    stage.run(0.2)


def say(stage, key, code, text="said", to="one"):
    name = "PROCESS_SERVICE_CHECK_RESULT" if ";" in key else "PROCESS_HOST_CHECK_RESULT"
    command(stage, f"{name};{key};{code};{text}", to)


def told(stage, to="one"):
    """Return what was told of the rule since the last call."""
    actions = stage.take(to=to).actions
    stage.take(*map(done, actions), to=to)
    return [a.command.split()[-1] for a in actions if " rule " in a.command]


def rule(stage, of="one"):
    return stage.status("web1;rule", of)


def test_a_rule_is_looked_at_when_it_is_due_and_pollers_never_see_it():
    stage = started(body())
    for _ in range(40):
        assert all("rule" not in order.object for order in stage.orders(stage.exchange()))
        stage.run(0.25)

    status = rule(stage)
    assert (status.checked, status.state, status.output) == (True, 0, "")
    assert 0 < status.next_check_wall - stage.now.wall <= 300


def test_a_rule_follows_the_hard_state_of_its_elements_at_once():
    stage = started(body())
    stage.run(5.0)
    say(stage, "web1;a", 2)
    assert (rule(stage).state, rule(stage).state_type) == (2, 1)
    assert told(stage) == ["CRITICAL"]

    say(stage, "web1;a", 0)
    assert rule(stage).state == 0
    assert told(stage) == ["OK"]
    stage.run(2.0)
    assert [line for line in logs(stage) if "SERVICE ALERT: web1;rule" in line] == [
        "SERVICE ALERT: web1;rule;CRITICAL;HARD;1;", "SERVICE ALERT: web1;rule;OK;HARD;1;",
    ]  # fmt: skip


def test_a_soft_state_of_an_element_changes_nothing():
    stage = started(body())
    stage.run(5.0)
    stage.schedulers["one"].seats[1].owned.state.items["web1;a"].traits = replace(
        QUICK, check_interval_s=0.0, max_check_attempts=3
    )
    say(stage, "web1;a", 2)

    assert (stage.status("web1;a").state, rule(stage).state) == (2, 0)


def test_a_rule_has_attempts_of_its_own_and_changes_of_elements_are_none():
    stage = started(body("web1,a & web1,b", max_check_attempts=3, retry_interval_s=30.0))
    stage.run(5.0)
    say(stage, "web1;a", 2)
    assert (rule(stage).state, rule(stage).attempt, rule(stage).state_type) == (2, 1, 0)
    say(stage, "web1;b", 2)
    say(stage, "web1;a", 0)
    assert rule(stage).attempt == 1
    stage.run(31.0)
    assert rule(stage).attempt == 2
    stage.run(31.0)
    assert (rule(stage).attempt, rule(stage).state_type) == (3, 1)
    assert told(stage) == ["CRITICAL"]


def test_a_rule_without_any_interval_is_confirmed_all_the_same():
    stage = started(body(max_check_attempts=2, check_interval_s=0.0, retry_interval_s=0.0))
    say(stage, "web1;a", 2)
    assert rule(stage).state_type == 0
    stage.run(61.0)
    assert (rule(stage).state, rule(stage).state_type) == (2, 1)


def test_a_rule_of_rules_follows_too():
    outer = replace(QUICK, check_command="bp_rule!web1,rule", check_interval_s=0.0)
    shard = body(more=(outer,))
    services = (*shard.services, Service("web1", "top", 2))
    rules = {**shard.rules, "web1;top": keyed(parse("web1,rule"))}
    stage = started(replace(shard, services=services, rules=rules))
    say(stage, "web1;b", 1)

    assert (rule(stage).state, stage.status("web1;top").state) == (1, 1)


def test_a_host_may_be_a_rule_and_a_down_host_is_critical():
    of_host = replace(QUICK, check_command="bp_rule!web1,a", check_interval_s=0.0)
    shard = body("web1", more=(of_host,), host=Host("web1", "10.0.0.1", "web", 2))
    shard = replace(shard, rules={**shard.rules, "web1": keyed(parse("web1,a"))})
    stage = started(shard)
    say(stage, "web1;a", 2)

    assert (stage.status("web1").state, rule(stage).state) == (1, 2)


def test_a_template_makes_the_output_also_while_the_state_stays():
    settings = BusinessRuleSettings(output_template="$STATUS$ $([$STATUS$: $FULLNAME$ $SERVICEOUTPUT$])$")
    stage = started(body(business=settings))
    stage.run(5.0)
    assert rule(stage).output == "OK all checks were successful."
    say(stage, "web1;a", 2, "no disk")
    assert rule(stage).output == "CRITICAL [CRITICAL: web1/a no disk]"
    say(stage, "web1;b", 1, "slow")
    assert rule(stage).output == "CRITICAL [CRITICAL: web1/a no disk][WARNING: web1/b slow]"


def test_smart_notifications_are_silent_while_all_problems_are_acknowledged():
    smart = BusinessRuleSettings(smart_notifications=True)
    stage = started(body(business=smart, notification_interval_s=30.0))
    stage.run(5.0)
    say(stage, "web1;a", 2)
    assert told(stage) == ["CRITICAL"]
    command(stage, "ACKNOWLEDGE_SVC_PROBLEM;web1;a;1;0;0;ann;known")
    stage.run(120.0)
    assert told(stage) == []
    say(stage, "web1;b", 2)
    stage.run(60.0)
    assert "CRITICAL" in told(stage)


def test_without_smart_notifications_an_acknowledged_element_is_told_on():
    stage = started(body(notification_interval_s=30.0))
    stage.run(5.0)
    say(stage, "web1;a", 2)
    told(stage)
    command(stage, "ACKNOWLEDGE_SVC_PROBLEM;web1;a;1;0;0;ann;known")
    stage.run(120.0)

    assert "CRITICAL" in told(stage)


@pytest.mark.parametrize(("as_ack", "silent"), [(True, True), (False, False)])
def test_a_downtime_of_an_element_counts_only_when_it_is_said_so(as_ack, silent):
    smart = BusinessRuleSettings(smart_notifications=True, downtime_as_ack=as_ack)
    stage = started(body(business=smart))
    stage.run(5.0)
    begin = int(stage.now.wall)
    command(stage, f"SCHEDULE_SVC_DOWNTIME;web1;a;{begin};{begin + 900};1;0;0;ann;work")
    say(stage, "web1;a", 2)

    assert told(stage) == ([] if silent else ["CRITICAL"])


def test_a_take_over_keeps_the_state_and_tells_nothing_twice():
    stage = started(body())
    stage.run(5.0)
    stage.add("two")
    stage.place("one", "two")
    stage.run(2.0)
    say(stage, "web1;a", 2)
    assert told(stage) == ["CRITICAL"]
    stage.run(2.0)
    take_over(stage)
    stage.run(5.0)
    assert (rule(stage, "two").state, told(stage, "two")) == (2, [])
    say(stage, "web1;a", 0, to="two")
    assert (rule(stage, "two").state, told(stage, "two")) == (0, ["OK"])


def test_a_new_owner_looks_at_rules_whose_elements_changed_at_the_last_moment():
    stage = started(body())
    stage.run(5.0)
    scheduler = stage.schedulers["one"]
    scheduler.seats[1].owned.business.tick = lambda now: None  # it dies before it looks
    say(stage, "web1;a", 2)
    stage.run(2.0)
    assert rule(stage).state == 0
    stage.add("two")
    take_over(stage)
    stage.run(1.0)

    assert rule(stage, "two").state == 2


def rebody(stage, shard, n):
    stage.shard, stage.version = shard, f"v{n}"
    stage.place("one")
    stage.run(3.0)


def test_a_reload_brings_another_rule_at_once():
    stage = started(body("web1,a & web1,b"))
    stage.run(5.0)
    say(stage, "web1;a", 2)
    assert rule(stage).state == 2
    rebody(stage, body("web1,a | web1,b"), 2)
    assert rule(stage).state == 0
    say(stage, "web1;b", 1)
    assert rule(stage).state == 1


def test_a_passive_result_stands_until_the_rule_is_due_or_an_element_changes():
    stage = started(body())
    stage.run(5.0)
    say(stage, "web1;rule", 1, "by hand")
    stage.run(5.0)
    assert (rule(stage).state, rule(stage).output) == (1, "by hand")
    rebody(stage, body(given={"macros": {"X": "1"}}), 2)
    assert rule(stage).state == 1
    say(stage, "web1;b", 2)
    assert rule(stage).state == 2


def test_a_forced_check_works_out_a_rule_that_is_switched_off():
    stage = started(body())
    stage.run(5.0)
    command(stage, "DISABLE_SVC_CHECK;web1;rule")
    say(stage, "web1;a", 2)
    assert rule(stage).state == 0
    command(stage, f"SCHEDULE_FORCED_SVC_CHECK;web1;rule;{int(stage.now.wall)}")
    stage.run(1.0)
    assert rule(stage).state == 2


def test_outside_of_its_check_period_a_rule_is_left_alone():
    never = TimePeriod("never", "", ())
    stage = started(body(check_period="never", given={"periods": (never,)}))
    say(stage, "web1;a", 2)
    stage.run(5.0)

    assert not rule(stage).checked


def test_macros_and_their_modulations_change_a_rule_while_they_are_in_force():
    day = TimePeriod("later", "", (("2027-01-15", "08:30-24:00"), ("2027-01-16", "00:00-24:00")))
    night = MacroModulation("night", {"XOF": "1 of:"}, "later")
    shard = body(
        "$_SERVICEXOF$ web1,a & web1,b", custom={"XOF": ""}, macro_modulations=("night",),
        given={"periods": (day,), "macro_modulations": (night,)}, check_interval_s=30.0,
    )  # fmt: skip
    stage = started(replace(shard, globals=replace(shard.globals, use_timezone="UTC")))
    stage.run(5.0)
    say(stage, "web1;a", 2)
    assert rule(stage).state == 2
    stage.mono += 3600.0  # 08:00 + an hour
    stage.run(35.0)
    assert rule(stage).state == 0


def test_a_rule_that_cannot_be_used_is_unknown_and_says_why():
    stage = started(body("$_SERVICEWHO$,a", custom={"WHO": "web9"}))
    stage.run(5.0)

    assert (rule(stage).state, rule(stage).output) == (
        3, "the business rule cannot be used: host web9 is not defined",
    )  # fmt: skip


def test_a_custom_variable_changed_by_command_changes_the_rule():
    stage = started(body("$_SERVICEWHO$ web1,b", custom={"WHO": ""}, check_interval_s=10.0))
    stage.run(5.0)
    say(stage, "web1;a", 2)
    assert rule(stage).state == 0
    command(stage, "CHANGE_CUSTOM_SVC_VAR;web1;rule;WHO;web1,a &")
    stage.run(11.0)
    assert rule(stage).state == 2


def test_another_check_command_takes_the_place_of_a_rule():
    stage = started(body())
    stage.run(5.0)
    command(stage, "CHANGE_SVC_CHECK_COMMAND;web1;rule;check!x")
    say(stage, "web1;a", 2)
    assert rule(stage).state == 0
    command(stage, f"SCHEDULE_FORCED_SVC_CHECK;web1;rule;{int(stage.now.wall)}")
    assert "web1;rule" in [order.object for order in stage.orders(stage.exchange())]


def test_echo_says_again_what_was_said_last():
    stage = started(body(check_command="_echo", check_interval_s=10.0, retry_interval_s=5.0, max_check_attempts=3))
    say(stage, "web1;rule", 2, "broken|x=1")
    stage.run(25.0)
    status = rule(stage)
    assert (status.state, status.attempt, status.output, status.perfdata) == (2, 3, "broken", "x=1")


def test_a_host_that_is_assumed_up_is_checked_without_a_poller():
    traits = replace(QUICK, check_command="_internal_host_up")
    stage = started(body(more=(traits,), host=Host("web1", "10.0.0.1", "web", 2)))
    for _ in range(60):
        assert not [o for o in stage.orders(stage.exchange()) if o.object == "web1"]
        stage.run(0.25)

    status = stage.status("web1")
    assert (status.checked, status.state, status.output) == (True, 0, "Host assumed to be UP")
    assert msgspec.msgpack.encode(status)


def test_a_check_that_waits_for_a_poller_and_becomes_a_rule_is_never_given_to_one():
    stage = started(body(check_command="check!x", check_interval_s=10.0))
    stage.run(12.0)  # due, and nobody borrows
    command(stage, "CHANGE_SVC_CHECK_COMMAND;web1;rule;bp_rule!web1,a")
    assert all(order.object != "web1;rule" for order in stage.orders(stage.exchange()))
    stage.run(1.0)
    say(stage, "web1;a", 2)
    assert rule(stage).state == 2


def test_a_check_modulation_takes_the_place_of_a_rule_and_gives_it_back():
    early = TimePeriod("early", "", (("2027-01-15", "00:00-08:20"),))
    shard = body(
        check_modulations=("other",), check_interval_s=30.0,
        given={"periods": (early,), "check_modulations": (CheckModulation("other", "check!x", "early"),)},
    )  # fmt: skip
    stage = started(replace(shard, globals=replace(shard.globals, use_timezone="UTC")))
    order = stage.borrow(key="web1;rule")
    assert order.command == "/bin/check -H 10.0.0.1 -a x"
    stage.result(order, 1, "by the plugin")
    say(stage, "web1;a", 2)
    assert rule(stage).output == "by the plugin"
    stage.wall_ahead_s += 3600.0
    stage.run(65.0)
    assert (rule(stage).state, rule(stage).output) == (2, "")


def test_a_template_may_give_performance_data_and_is_not_kept_anew_while_it_says_the_same():
    settings = BusinessRuleSettings(output_template="$STATUS$ $(x)$|bad=1")
    stage = started(body(business=settings))
    stage.run(5.0)
    say(stage, "web1;a", 2)
    assert (rule(stage).output, rule(stage).perfdata) == ("CRITICAL x", "bad=1")
    say(stage, "web1;b", 1)
    assert (rule(stage).output, rule(stage).perfdata) == ("CRITICAL xx", "bad=1")
    owned = stage.schedulers["one"].seats[1].owned
    changed = []
    owned.state.changed = changed.append
    owned.business.changed(["web1;a"])
    stage.run(0.5)
    assert not [item for item in changed if item.key == "web1;rule"]


def test_a_great_many_rules_are_looked_at_a_few_hundred_a_tick():
    of_rule = replace(QUICK, check_command="bp_rule!web1,a", check_interval_s=0.0)
    shard = body(more=(of_rule,))
    services = tuple(Service("web1", f"r{n:04}", 2) for n in range(1200))
    tree = keyed(parse("web1,a"))
    stage = started(
        replace(shard, services=(*shard.services, *services), rules={s.key: tree for s in services})
    )
    business = stage.schedulers["one"].seats[1].owned.business
    business.changed(["web1;a"])
    counts = []
    look = business._look
    business._look = lambda item, now: (counts.append(item.key), look(item, now))
    for _ in range(3):
        stage.run(0.05)
        assert len(counts) <= 500
        counts.clear()
    say(stage, "web1;a", 2)
    stage.run(0.3)
    assert {stage.status(service.key).state for service in services} == {2}
