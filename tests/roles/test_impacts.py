"""Problems and impacts at work: who is hidden by whom, how much it matters, what front ends show."""

import msgspec
from msgspec.structs import replace

from daemons.config.rule_text import parse
from daemons.model.objects import Contact, Globals, Host, Service, TimePeriod, Way
from daemons.model.relations import Dependency, ImpactModulation
from daemons.model.status import Status
from tests.roles.stage import Stage
from tests.roles.stage import body as stage_body
from tests.roles.test_business import COMMANDS, QUICK, command, keyed, rebody, say
from tests.roles.test_scheduler_tells import take_over

PASSIVE = replace(QUICK, check_command="", check_interval_s=0.0)
HIGH, RULE = 1, 2  # traits
decode = msgspec.msgpack.Decoder(Status).decode


def body(*, parents=("gw1", "gw2"), rule="web,http | web,ssh", traits=(), **given):
    """Two gateways, a web server behind them with two services, and a rule over these on a host of its own."""
    of_rule = replace(QUICK, check_command=f"bp_rule!{rule}", check_interval_s=300.0, business_impact=4)
    settings = {"enable_problem_impacts_states_change": True, **given.pop("settings", {})}
    way = Way(host_notification_commands=("tell-host",), service_notification_commands=("tell-service",))
    return stage_body(
        traits=(PASSIVE, replace(PASSIVE, business_impact=5), of_rule, *traits),
        hosts=(
            Host("gw1", "", "", 0), Host("gw2", "", "", 0), Host("meta", "", "", 0),
            Host("web", "", "", 0, parents),
        ),
        services=(Service("meta", "rule", RULE), Service("web", "http", HIGH), Service("web", "ssh", 0)),
        rules={"meta;rule": keyed(parse(rule))},
        contacts=(Contact(name="ann", ways=(replace(way, min_business_impact=3),)),),
        globals=Globals(**settings),
        commands=COMMANDS,
        **given,
    )  # fmt: skip


def started(shard):
    stage = Stage(shard)
    stage.start()
    return stage


def seen(stage, key, of="one"):
    """Return (is a problem, its causes, raised business impact, what is shown instead of its state)."""
    status = stage.status(key, of)
    return status.is_problem, status.source_problems, status.business_impact, status.impact_state


FINE = (False, (), -1, -1)


def test_what_hangs_on_a_down_host_is_its_impact_and_shown_as_unknown():
    stage = started(body(parents=("gw1",)))
    say(stage, "gw1", 1)

    assert seen(stage, "gw1") == (True, (), 5, -1)
    assert seen(stage, "web") == (False, ("gw1",), -1, 2)
    assert seen(stage, "web;http") == (False, ("gw1",), -1, 3)
    assert seen(stage, "web;ssh") == (False, ("gw1",), -1, 3)
    assert seen(stage, "gw2") == seen(stage, "meta;rule") == FINE
    assert (stage.status("web").state, stage.status("web;http").state) == (0, 0)  # only shown

    say(stage, "gw1", 0)
    assert {seen(stage, key) for key in ("gw1", "web", "web;http", "web;ssh")} == {FINE}


def test_with_another_parent_up_nothing_suffers():
    stage = started(body())
    say(stage, "gw1", 1)
    assert seen(stage, "gw1") == (True, (), -1, -1)
    assert seen(stage, "web") == FINE
    say(stage, "gw2", 1)
    assert seen(stage, "web;http")[1] == ("gw1", "gw2")
    assert seen(stage, "gw1")[2] == seen(stage, "gw2")[2] == 5
    say(stage, "gw1", 0)
    assert seen(stage, "web;http") == FINE
    assert seen(stage, "gw2") == (True, (), -1, -1)


def test_a_result_of_its_own_ends_what_is_shown_but_not_the_impact():
    stage = started(body(parents=("gw1",)))
    say(stage, "gw1", 1)
    say(stage, "web;ssh", 2)

    assert stage.status("web;ssh").state == 2
    assert seen(stage, "web;ssh") == (False, ("gw1",), -1, -1)


def test_a_problem_that_is_an_impact_becomes_a_problem_when_its_cause_is_gone():
    stage = started(body(parents=("gw1",)))
    say(stage, "gw1", 1)
    say(stage, "web;ssh", 2)
    say(stage, "gw1", 0)

    assert seen(stage, "web;ssh") == (True, (), -1, -1)


def test_without_the_setting_no_other_state_is_shown():
    stage = started(body(parents=("gw1",), settings={"enable_problem_impacts_states_change": False}))
    say(stage, "gw1", 1)

    assert seen(stage, "web;http") == (False, ("gw1",), -1, -1)


def test_a_rule_is_an_impact_only_while_it_is_bad():
    stage = started(body())
    say(stage, "web;ssh", 2)
    assert seen(stage, "meta;rule") == FINE
    assert seen(stage, "web;ssh") == (True, (), -1, -1)
    say(stage, "web;http", 2)
    assert seen(stage, "meta;rule") == (False, ("web;http", "web;ssh"), -1, -1)
    assert seen(stage, "web;ssh") == (True, (), 4, -1)
    assert seen(stage, "web;http") == (True, (), -1, -1)  # 5 by itself
    say(stage, "web;ssh", 0)
    assert seen(stage, "meta;rule") == FINE


def test_the_filter_for_business_impact_sees_that_of_the_impacts():
    def told(stage):
        return [a.command for a in stage.take().actions]

    alone = started(body())
    say(alone, "gw1", 1)
    assert told(alone) == []  # 2 is too low for ann
    one = started(body(parents=("gw1",)))
    say(one, "gw1", 1)
    assert told(one) == ["/bin/tell gw1 DOWN"]


def test_a_dependency_makes_impacts_while_it_forbids_notifications():
    needs = Dependency(dependent="web;http", on="web;ssh", notification=("c",), inherits_parent=False)
    stage = started(body(dependencies=(needs,)))
    say(stage, "web;ssh", 1)
    assert seen(stage, "web;http") == FINE
    say(stage, "web;ssh", 2)
    assert seen(stage, "web;http") == (False, ("web;ssh",), -1, 3)
    assert seen(stage, "web;ssh") == (True, (), 5, -1)


def test_a_dependency_outside_of_its_period_makes_none():
    needs = Dependency(dependent="web;http", on="web;ssh", notification=("c",), period="never")
    stage = started(body(dependencies=(needs,), periods=(TimePeriod("never"),)))
    say(stage, "web;ssh", 2)

    assert seen(stage, "web;http") == FINE


def test_a_service_that_does_not_depend_on_its_host_is_no_impact_of_it():
    free = replace(PASSIVE, host_dependency_enabled=False)
    shard = body(traits=(free,))
    services = tuple(replace(s, traits=3) if s.description == "http" else s for s in shard.services)
    stage = started(replace(shard, services=services))
    say(stage, "web", 1)

    assert seen(stage, "web;http") == FINE
    assert seen(stage, "web;ssh")[1] == ("web",)


def test_a_modulated_business_impact_reaches_the_problem_within_a_minute():
    later = TimePeriod("later", "", (("2027-01-15", "09:00-24:00"), ("2027-01-16", "00:00-24:00")))
    raised = replace(PASSIVE, impact_modulations=("Raise",))
    shard = body(
        parents=("gw1",), traits=(raised,), settings={"use_timezone": "UTC"}, periods=(later,),
        impact_modulations=(ImpactModulation("Raise", 5, "later"),),
    )  # fmt: skip
    services = tuple(replace(s, traits=3) if s.description == "http" else s for s in shard.services)
    stage = started(replace(shard, services=services))
    say(stage, "gw1", 1)
    assert seen(stage, "gw1")[2] == -1
    stage.wall_ahead_s += 7200.0
    stage.run(61.0)
    assert seen(stage, "gw1")[2] == 5


def test_a_new_owner_and_its_front_ends_know_the_same():
    stage = started(body(parents=("gw1",)))
    say(stage, "gw1", 1)
    say(stage, "web;ssh", 2)
    stage.run(2.0)
    before = {key: seen(stage, key) for key in ("gw1", "web", "web;http", "web;ssh")}
    kept = decode(stage.store.records["o/web;http"])
    assert kept.source_problems == ("gw1",)
    stage.add("two")
    take_over(stage)
    assert {key: seen(stage, key, "two") for key in before} == before
    say(stage, "gw1", 0, to="two")
    assert seen(stage, "web;http", "two") == FINE


def test_a_reload_without_the_parent_frees_what_was_behind_it():
    stage = started(body(parents=("gw1",)))
    say(stage, "gw1", 1)
    rebody(stage, body(parents=()), 2)
    assert seen(stage, "web;http") == FINE
    assert seen(stage, "gw1") == (True, (), -1, -1)
    rebody(stage, body(parents=("gw1",)), 3)
    assert seen(stage, "web;http") == (False, ("gw1",), -1, 3)
    assert seen(stage, "gw1") == (True, (), 5, -1)


def test_a_problem_that_a_reload_takes_away_leaves_no_impacts():
    stage = started(body(parents=("gw1",)))
    say(stage, "gw1", 1)
    shard = body(parents=("gw2",))
    rebody(stage, replace(shard, hosts=tuple(h for h in shard.hosts if h.name != "gw1")), 2)

    assert seen(stage, "web") == seen(stage, "web;http") == FINE


def test_a_soft_problem_is_none_yet():
    stage = started(body(parents=("gw1",), settings={"passive_host_checks_are_soft": True}))
    stage.schedulers["one"].seats[1].owned.state.items["gw1"].traits = replace(PASSIVE, max_check_attempts=3)
    command(stage, "PROCESS_HOST_CHECK_RESULT;gw1;1;down")

    assert stage.status("gw1").state == 1
    assert seen(stage, "gw1") == seen(stage, "web") == FINE


def test_a_dependency_that_a_command_makes_counts_at_once():
    stage = started(body(parents=("gw1",)))
    say(stage, "meta", 1)
    command(stage, "ADD_SIMPLE_HOST_DEPENDENCY;web;meta")
    assert seen(stage, "web;http")[1] == ("meta",)
    command(stage, "DEL_HOST_DEPENDENCY;web;meta")
    assert seen(stage, "web;http") == FINE


def test_a_rule_over_the_services_of_its_own_host_is_no_endless_circle():
    of_host = replace(QUICK, check_command="bp_rule!web,http", check_interval_s=0.0)
    shard = body(traits=(of_host,))
    hosts = tuple(replace(h, traits=3) if h.name == "web" else h for h in shard.hosts)
    stage = started(replace(shard, hosts=hosts, rules={**shard.rules, "web": keyed(parse("web,http"))}))
    say(stage, "web;http", 2)
    assert stage.status("web").state == 1
    assert seen(stage, "web") == (False, ("web;http",), -1, -1)
    assert seen(stage, "web;http") == (True, (), -1, -1)
    assert seen(stage, "web;ssh")[1] == ("web;http",)
    say(stage, "web;http", 0)
    assert {seen(stage, key) for key in ("web", "web;http", "web;ssh")} == {FINE}
