"""Modulations at work: what a scheduler runs, takes for a result, and tells, while a period lasts."""

from msgspec.structs import replace

from daemons.model.objects import Command, Contact, TimePeriod
from daemons.model.relations import (
    CheckModulation,
    ImpactModulation,
    MacroModulation,
    ResultModulation,
)
from daemons.model.status import HARD
from tests.roles.stage import Stage, body

# The stage begins on Friday 2027-01-15, 08:16:40 UTC: the period ends 200 seconds later.
EARLY = TimePeriod("early", ranges=(("friday", "08:00-08:20"),))
LASTS_S = 200.0


def staged(*, host=None, more=(), **traits):
    """A stage whose service has `traits`, and its host, which is not checked, those of `host`."""
    plain = body()
    of_service = replace(plain.traits[0], **traits)
    of_host = replace(plain.traits[0], check_command="", **(host or {}))
    return Stage(
        body(
            traits=(of_host, of_service),
            services=(replace(plain.services[0], traits=1),),
            periods=(EARLY,),
            commands=(*plain.commands, *dict(more).get("commands", ())),
            **{k: v for k, v in dict(more).items() if k != "commands"},
        )
    )


def line(stage, to="one"):
    order = stage.borrow(to)
    stage.result(order, 0, "fine", to=to)
    return order.command


def test_an_exit_code_counts_as_another_while_the_period_lasts():
    stage = staged(
        result_modulations=("r",),
        more={"result_modulations": (ResultModulation("r", (2,), 1, "early"),)},
    )
    stage.start()
    stage.fail(2)
    status = stage.status()
    assert (status.state, status.state_type, status.code) == (1, HARD, 1)

    stage.run(LASTS_S)
    stage.fail(1)
    assert (stage.status().state, stage.status().code) == (2, 2)


def test_another_command_is_run_while_the_period_lasts():
    stage = staged(
        check_modulations=("c",),
        more={
            "check_modulations": (CheckModulation("c", "slow!web", "early"),),
            "commands": (Command("slow", "/bin/slow -a $ARG1$"),),
        },
    )
    stage.start()
    assert line(stage) == "/bin/slow -a web"
    assert line(stage) == "/bin/slow -a web"

    stage.run(LASTS_S)
    assert line(stage) == "/bin/check -H 10.0.0.1 -a web"


def test_variables_of_the_service_and_of_its_host_change_with_the_time():
    changed = MacroModulation("m", {"CRIT": "20"}, "early")
    of_host = MacroModulation("h", {"PORT": "81"}, "early")
    stage = staged(
        check_command="vars",
        custom={"CRIT": "5"},
        macro_modulations=("m",),
        host={"custom": {"PORT": "80"}, "macro_modulations": ("h",)},
        more={
            "macro_modulations": (of_host, changed),
            "commands": (Command("vars", "/bin/v -c $_SERVICECRIT$ -p $_HOSTPORT$"),),
        },
    )
    stage.start()
    assert line(stage) == "/bin/v -c 20 -p 81"

    stage.run(LASTS_S)
    assert line(stage) == "/bin/v -c 5 -p 80"
    assert line(stage) == "/bin/v -c 5 -p 80"


def test_a_variable_of_the_host_alone_is_not_kept_in_the_line_of_its_service():
    stage = staged(
        check_command="vars",
        host={"custom": {"PORT": "80"}, "macro_modulations": ("h",)},
        more={
            "macro_modulations": (MacroModulation("h", {"PORT": "81"}, "early"),),
            "commands": (Command("vars", "/bin/v -p $_HOSTPORT$"),),
        },
    )
    stage.start()
    assert line(stage) == "/bin/v -p 81"

    stage.run(LASTS_S)
    assert line(stage) == "/bin/v -p 80"


def important_only(impact):
    """A contact who wants to hear of an impact of 4 and more, and a service of `impact`."""
    plain = body()
    (ann,) = plain.contacts
    (way,) = ann.ways
    tell = replace(way, min_business_impact=4, service_notification_commands=("say",))
    return staged(
        business_impact=impact,
        impact_modulations=("b",),
        more={
            "impact_modulations": (ImpactModulation("b", 5, "early"),),
            "contacts": (Contact(name="ann", email="a@b", ways=(tell,)),),
            "commands": (Command("say", "/bin/say $SERVICEBUSINESSIMPACT$"),),
        },
    )


def test_the_impact_of_the_hour_decides_who_is_told_and_what_macros_say():
    stage = important_only(3)
    stage.start()
    stage.fail(2)
    stage.run(1.0)

    (action,) = stage.take().actions
    assert action.command == "/bin/say 5"


def test_outside_of_the_period_the_impact_is_its_own():
    stage = important_only(3)
    stage.start()
    stage.run(LASTS_S)
    stage.fail(2)
    stage.run(1.0)

    assert stage.status().state_type == HARD
    assert not stage.take().actions


def test_a_new_owner_works_out_the_same():
    stage = staged(
        check_modulations=("c",),
        result_modulations=("r",),
        more={
            "check_modulations": (CheckModulation("c", "slow!web", "early"),),
            "result_modulations": (ResultModulation("r", (2,), 0, "early"),),
            "commands": (Command("slow", "/bin/slow -a $ARG1$"),),
        },
    )
    stage.start()
    stage.fail(1)
    stage.kill("one")
    stage.add("two")
    stage.place("two")
    stage.run(3.0)

    assert line(stage, "two") == "/bin/slow -a web"
    stage.fail(1, to="two")
    assert stage.status(of="two").state == 0


def test_a_new_configuration_brings_its_own_modulations():
    stage = staged(
        check_modulations=("c",),
        more={
            "check_modulations": (CheckModulation("c", "slow!web"),),
            "commands": (Command("slow", "/bin/slow -a $ARG1$"),),
        },
    )
    stage.start()
    assert line(stage) == "/bin/slow -a web"

    stage.shard = replace(stage.shard, check_modulations=(CheckModulation("c", "slow!new"),))
    stage.version = "v2"
    stage.place("one")
    stage.run(3.0)
    assert line(stage) == "/bin/slow -a new"


def test_the_command_of_the_hour_goes_to_a_poller_with_its_tag():
    stage = staged(
        check_modulations=("c",),
        more={
            "check_modulations": (CheckModulation("c", "slow!web", "early"),),
            "commands": (Command("slow", "/bin/slow", -1.0, "dmz"),),
        },
    )
    scheduler = stage.start()
    stage.run(12.0)
    checks = scheduler.seats[1].owned.checks
    assert checks.waiting(("dmz",)) and not checks.waiting(())

    stage.run(LASTS_S)  # it waits, and the period ends meanwhile
    assert not checks.lend("p", 1, 9, ("dmz",), stage.now)
    assert checks.waiting(()) and not checks.waiting(("dmz",))
    assert line(stage) == "/bin/check -H 10.0.0.1 -a web"
