"""Command lines of a shard: every family of macros in one line, kept only while nothing in it can change."""

from itertools import count

from daemons.model.clock import Mono, Now, Wall
from daemons.model.objects import (
    Command,
    Contact,
    Globals,
    Group,
    Host,
    Service,
    TimePeriod,
    Traits,
)
from daemons.model.relations import MacroModulation
from daemons.model.status import ContactStatus
from daemons.roles.shard.command_lines import CommandLines
from daemons.roles.shard.state import ShardState
from tests.roles.stage import WALL, body

NOW = Now(Mono(100.0), Wall(WALL))
LATER = Now(Mono(101.5), Wall(WALL + 3600))
HOST_TRAITS = Traits(check_command="line", groups=("webs",), custom={"PORT": "80"}, max_check_attempts=3)
SERVICE_TRAITS = Traits(check_command="line!$_HOSTPORT$", groups=("http",), custom={"URL": "/"})


def shard(line, *, traits=(HOST_TRAITS, SERVICE_TRAITS), environment=False, **more):
    tokens = count()
    state = ShardState(
        body(
            traits=traits,
            hosts=(Host("web1", "10.0.0.1", "web", 0), Host("web2", "", "", 0)),
            services=(Service("web1", "http", 1), Service("web2", "http", 1)),
            commands=(Command("line", line, enable_environment_macros=environment),),
            hostgroups=(Group("webs", "Web servers", ("web1", "web2")),),
            servicegroups=(Group("http", "Pages", ("web1;http", "web2;http")),),
            contactgroups=(Group("ops", "Operators", ("ann",)),),
            contacts=(Contact(name="ann", alias="Ann A.", email="a@x", groups=("ops",), custom={"TEL": "1"}),),
            macros={"USER1": "/plugins"},
            realm_members=("Paris",),
            **more,
        ),
        1,
        lambda: str(next(tokens)),
        NOW,
    )
    for _ in state.take_up({}, 0, WALL):
        pass
    return state, CommandLines(state, Wall(WALL - 60))


def check(line, key="web1;http", now=NOW, **more):
    state, lines = shard(line, **more)
    return lines.of_check(state.items[key], now)[0]


def test_one_line_may_name_every_family_of_macros():
    assert check(
        "$USER1$/x $HOSTNAME$ $SERVICEDESC$ $HOSTGROUPALIAS$ $SERVICEGROUPALIAS$ $REALMNAME$ $REALMMEMBERS$ "
        "$HOSTREALM$ $TOTALHOSTSERVICES$ $TOTALSERVICESOK$ $PROCESSSTARTTIME$ $ARG1$ $_SERVICEURL$"
    ) == f"/plugins/x web1 http Web servers Pages All Paris All 1 0 {int(WALL - 60)} 80 /"
    assert check("$HOSTGROUPALIAS$ $SERVICEGROUPALIAS$.", "web1") == "Web servers ."


def test_one_line_may_name_other_objects():
    assert check(
        "$HOSTADDRESS:web2$ $SERVICEGROUPALIAS:http$ $HOSTNAME:webs:,$ $CONTACTEMAIL:ann$ "
        "$CONTACTEMAIL:ops:,$ $CONTACTGROUPALIAS:ops$ $ISVALIDTIME:never$ $ISVALIDTIME:gone$ $HOSTNAME:gone$ "
        "$TOTALHOSTSERVICES:web2$ $HOSTGROUPALIAS:web2$ $CONTACTEMAIL:gone$ $NEXTVALIDTIME:m:1795401000$.",
        periods=(TimePeriod("never"), TimePeriod("m", "", (("monday", "03:00-04:00"),))),
    ) == "web2 Pages web1,web2 a@x a@x Operators 0   1 Web servers  1795402800."


def test_a_line_is_kept_unless_something_in_it_can_change():
    state, lines = shard("$USER1$/x $HOSTADDRESS$ $ARG1$")
    lines.of_check(state.items["web1;http"], NOW)
    assert state.items["web1;http"].line == "/plugins/x 10.0.0.1 80"

    for changing in ("$HOSTSTATE$", "$HOSTNAME:web2$", "$TOTALHOSTSUP$"):
        state, lines = shard(changing)
        lines.of_check(state.items["web1;http"], NOW)
        assert state.items["web1;http"].line == ""


def test_a_variable_of_the_host_set_at_run_time_is_in_the_lines_of_its_services_at_once():
    state, lines = shard("x $ARG1$ $_SERVICEURL$")
    host, service, other = (state.items[key] for key in ("web1", "web1;http", "web2;http"))
    for item in (service, other):
        lines.of_check(item, NOW)

    host.status.modified = {"_PORT": "8080; id $USER1$"}
    state.refresh(host)

    assert lines.of_check(service, NOW)[0] == r"x 8080\; id \$USER1\$ /"
    assert other.line == "x 80 /"


def test_a_modulation_wins_while_its_period_lasts_and_the_first_over_the_second():
    monday = TimePeriod("monday", "", (("friday", "08:00-09:00"),))  # WALL is a Friday, 08:00
    modulations = (
        MacroModulation("slow", {"PORT": "1", "URL": "/slow"}),
        MacroModulation("night", {"PORT": "2"}, "monday"),
    )
    host = Traits(check_command="line", custom={"PORT": "80"}, macro_modulations=("night", "slow", "gone"))
    state, lines = shard(
        "x $_HOSTPORT$ $_SERVICEURL$", traits=(host, SERVICE_TRAITS), macro_modulations=modulations, periods=(monday,)
    )
    item = state.items["web1;http"]
    state.items["web1"].status.modified = {"_PORT": "3"}

    assert lines.of_check(item, NOW)[0] == "x 2 /"
    assert lines.of_check(item, LATER)[0] == "x 1 /"


def test_environment_macros_come_with_the_command_that_wants_them_or_with_all():
    state, lines = shard("x $ARG1$", environment=True)
    state.items["web1"].status.modified = {"_SET": "at run time"}
    _, env, _ = lines.of_check(state.items["web1;http"], NOW)

    expected = {"NAGIOS_HOSTNAME": "web1", "NAGIOS_SERVICEDESC": "http", "NAGIOS__HOSTPORT": "80",
                "NAGIOS__SERVICEURL": "/", "NAGIOS__HOSTSET": "at run time", "NAGIOS_ARG1": "80",
                "NAGIOS_HOSTGROUPALIAS": "Web servers", "NAGIOS_TOTALHOSTSERVICES": "1"}  # fmt: skip
    assert {name: env.get(name) for name in expected} == expected
    assert not [name for name in env if "USER" in name or "CONTACT" in name]

    state, lines = shard("x", globals=Globals(enable_environment_macros=True))
    assert lines.of_check(state.items["web1"], NOW)[1]["NAGIOS_HOSTNAME"] == "web1"
    state, lines = shard("x")
    assert lines.of_check(state.items["web1"], NOW)[1] == {}


def test_a_notification_knows_its_contact_and_who_wrote_the_comment():
    state, lines = shard(
        "x $CONTACTALIAS$ $CONTACTGROUPALIAS$ $_CONTACTTEL$ '$NOTIFICATIONAUTHORALIAS$' \"$NOTIFICATIONCOMMENT$\" "
        "$HOSTNOTIFICATIONNUMBER$ $SERVICENOTIFICATIONNUMBER$",
        environment=True,
    )
    state.contact_status["ann"] = ContactStatus(name="ann", modified={"_TEL": "2;", "_ROOM": "7"})
    item = state.items["web1;http"]
    item.status.notification_number = 4
    state.items["web1"].status.notification_number = 9
    run = lines.of_notification(
        item, state.contacts["ann"], "line", "PROBLEM", NOW, action_id="i", author="ann", comment="it's $(x)"
    )

    assert run is not None
    assert run.line == "x Ann A. Operators 2\\; 'Ann A.' \"it's \\$(x)\" 9 4"
    assert run.env["NAGIOS__CONTACTTEL"] == "2;" and run.env["NAGIOS__CONTACTROOM"] == "7"
    assert run.env["NAGIOS_NOTIFICATIONCOMMENT"] == "it's $(x)"
    assert run.env["SHINKEN_NOTIFICATION_ID"] == "i"


def test_sums_are_counted_again_when_they_are_old():
    state, lines = shard("$TOTALHOSTSDOWN$ $TOTALHOSTSX$")
    item = state.items["web1"]
    assert lines.of_check(item, NOW)[0] == "0 "
    item.status.state = 1

    assert lines.of_check(item, NOW)[0] == "0 "
    assert lines.of_check(item, LATER)[0] == "1 "
    state.items["web2;http"].status.state = 2
    state, lines = shard("$TOTALSERVICEPROBLEMSUNHANDLED$")
    state.items["web2;http"].status.state = 2
    assert lines.of_check(item, NOW)[0] == "1"
    state.items["web2"].status.state = 1
    assert lines.of_check(item, LATER)[0] == "0"
