"""Every macro of the documentation is there, and says what it should."""

import pytest

from daemons.model.clock import Wall
from daemons.model.objects import Contact, Globals, Group, Host, Service, Traits
from daemons.model.status import Ack, Downtime, Status
from daemons.rules.contact_macros import contact_macros, notification_macros
from daemons.rules.environment import ENVIRONMENT, environment
from daemons.rules.global_macros import GLOBAL_MACROS, SUMS
from daemons.rules.group_macros import (
    CONTACTGROUP_MACROS,
    HOSTGROUP_MACROS,
    SERVICEGROUP_MACROS,
    group_macros,
)
from daemons.rules.macros import (
    HOST_MACROS,
    SERVICE_MACROS,
    custom_variable,
    host_macros,
    service_macros,
)
from daemons.rules.template import Outside, chain

NOW = Wall(2_000_100.7)
TRAITS = Traits(
    check_command="ping!1", max_check_attempts=7, groups=("g1", "g2"), custom={"SNMP": "public"}, business_impact=4,
    is_volatile=True, shown={"notes": "n", "notes_url": "u", "action_url": "v"}, rest={"realm": "R"},
)  # fmt: skip
STATUS = Status(
    key="k", state=2, state_type=1, attempt=5, last_state=1, output="out`", long_output="long`", perfdata="p`=1",
    last_perfdata="q`=1", latency_s=0.12345, took_s=1.5, last_check_wall=11.9, last_change_wall=NOW - 93784.5,
    last_ok_wall=12.9, last_warning_wall=13.9, last_critical_wall=14.9, last_unknown_wall=15.9, flap_percent=6.255,
    event_id=21, last_event_id=22, problem_id=23, last_problem_id=24, notification_number=25,
    ack=Ack(author="ann", comment="later`"), checked=True,
    downtimes=(Downtime(id=1, entry_wall=1, start_wall=1, end_wall=9e9, in_effect=True),),
)  # fmt: skip
HOST = Host("web1", "10.0.0.1", "Web one", 0, (), "Web 1")
SERVICE = Service("web1", "http", 0, "Page")
ALIKE = {
    "{}STATEID": "2", "{}STATETYPE": "HARD", "{}ATTEMPT": "5", "MAX{}ATTEMPTS": "7", "{}LATENCY": "0.123",
    "{}EXECUTIONTIME": "1.500", "{}DURATION": "1d 2h 3m 4s", "{}DURATIONSEC": "93784", "{}DOWNTIME": "1",
    "{}PERCENTCHANGE": "6.25", "{}OUTPUT": "out", "LONG{}OUTPUT": "long", "{}PERFDATA": "p=1", "LAST{}PERFDATA": "q=1",
    "LAST{}STATEID": "1", "LAST{}CHECK": "11", "LAST{}STATECHANGE": "1906316", "{}EVENTID": "21",
    "LAST{}EVENTID": "22", "{}PROBLEMID": "23", "LAST{}PROBLEMID": "24", "{}NOTIFICATIONNUMBER": "25",
    "{}ACKAUTHOR": "ann", "{}ACKAUTHORNAME": "ann", "{}ACKAUTHORALIAS": "Ann A.", "{}ACKCOMMENT": "later",
    "{}CHECKCOMMAND": "ping!1", "{}BUSINESSIMPACT": "4", "{}GROUPNAME": "g1", "{}GROUPNAMES": "g1,g2", "{}NOTES": "n",
    "{}NOTESURL": "u", "{}ACTIONURL": "v",
}  # fmt: skip
OF_HOST = {
    "HOSTNAME": "web1", "HOSTADDRESS": "10.0.0.1", "HOSTALIAS": "Web one", "HOSTDISPLAYNAME": "Web 1",
    "FULLNAME": "web1", "STATUS": "UNREACHABLE", "SHORTSTATUS": "U", "HOSTSTATE": "UNREACHABLE",
    "LASTHOSTSTATE": "DOWN", "LASTHOSTUP": "12", "LASTHOSTDOWN": "14", "LASTHOSTUNREACHABLE": "15", "HOSTREALM": "R",
    **{f"HOSTADDRESS{i}": "10.0.0.1" for i in range(31)},
    **{name.format("HOST"): value for name, value in ALIKE.items()},
}  # fmt: skip
OF_SERVICE = {
    "SERVICEDESC": "http", "SERVICEDISPLAYNAME": "Page", "FULLNAME": "web1/http", "STATUS": "CRITICAL",
    "SHORTSTATUS": "C", "SERVICESTATE": "CRITICAL", "LASTSERVICESTATE": "WARNING", "LASTSERVICEOK": "12",
    "LASTSERVICEWARNING": "13", "LASTSERVICECRITICAL": "14", "LASTSERVICEUNKNOWN": "15", "SERVICEISVOLATILE": "1",
    **{name.format("SERVICE"): value for name, value in ALIKE.items()},
}  # fmt: skip
FROM_OUTSIDE = {"{}OUTPUT", "LONG{}OUTPUT", "{}PERFDATA", "LAST{}PERFDATA", "{}ACKAUTHOR", "{}ACKAUTHORNAME",
                "{}ACKAUTHORALIAS", "{}ACKCOMMENT"}  # fmt: skip


def alias_of(name):
    return {"ann": "Ann A.`"}.get(name, name)


def host(status=STATUS, traits=TRAITS, of=HOST, **more):
    return host_macros(of, traits, status, NOW, "`", alias_of=alias_of, **more)


def service(status=STATUS, traits=TRAITS, of=SERVICE, **more):
    return service_macros(of, traits, status, NOW, "`", alias_of=alias_of, **more)


def test_each_macro_of_a_host_has_its_value():
    assert {name: host()(name) for name in OF_HOST} == OF_HOST
    assert set(OF_HOST) == set(HOST_MACROS)


def test_each_macro_of_a_service_has_its_value():
    assert {name: service()(name) for name in OF_SERVICE} == OF_SERVICE
    assert set(OF_SERVICE) == set(SERVICE_MACROS)


@pytest.mark.parametrize(("kind", "lookup"), [("HOST", host()), ("SERVICE", service())])
def test_what_came_from_outside_is_marked_and_nothing_else_is(kind, lookup):
    names = OF_HOST if kind == "HOST" else OF_SERVICE

    assert {name for name in names if isinstance(lookup(name), Outside)} == {
        name.format(kind) for name in FROM_OUTSIDE
    }


def test_what_is_not_said_has_a_value_all_the_same():
    bare = host_macros(Host("h", "", "", 0), Traits(), Status(key="h"), NOW, realm="All")
    bare_service = service_macros(Service("h", "s", 0), Traits(), Status(key="h;s"), NOW)

    assert [bare(name) for name in (
        "HOSTADDRESS", "HOSTADDRESS7", "HOSTALIAS", "HOSTDISPLAYNAME", "HOSTREALM", "HOSTSTATE", "HOSTDURATION",
        "HOSTDURATIONSEC", "HOSTACKAUTHOR", "HOSTACKAUTHORALIAS", "HOSTACKCOMMENT", "HOSTGROUPNAME", "HOSTGROUPNAMES",
        "HOSTNOTES", "HOSTNOTESURL", "HOSTACTIONURL", "HOSTPROBLEMID", "HOSTCHECKCOMMAND", "HOSTDOWNTIME",
    )] == ["h", "h", "h", "h", "All", "UP", "0d 0h 0m 0s", "0", "", "", "", "", "", "", "", "", "0", "", "0"]  # fmt: skip
    assert [bare_service(name) for name in ("SERVICEDISPLAYNAME", "SERVICESTATE", "SERVICEISVOLATILE", "SERVICEX")] == [
        "s", "OK", "0", None,
    ]  # fmt: skip
    assert [bare(name) for name in ("SERVICEDESC", "HOSTX", "_SERVICEX", "_HOSTX", "HOSTADDRESS31")] == [None] * 5


def test_a_state_that_no_name_is_for_is_the_worst():
    assert [host(Status(key="h", state=state))("HOSTSTATE") for state in (0, 1, 2, 3, -1)] == [
        "UP", "DOWN", "UNREACHABLE", "DOWN", "DOWN",
    ]  # fmt: skip
    assert [service(Status(key="s", state=state))("SERVICESTATE") for state in (0, 1, 2, 3, 4, -1)] == [
        "OK", "WARNING", "CRITICAL", "UNKNOWN", "UNKNOWN", "UNKNOWN",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ago", "said", "seconds"),
    [(0, "0d 0h 0m 0s", "0"), (59, "0d 0h 0m 59s", "59"), (60, "0d 0h 1m 0s", "60"), (3600, "0d 1h 0m 0s", "3600"),
     (86400, "1d 0h 0m 0s", "86400"), (-5, "0d 0h 0m 0s", "0")],
)  # fmt: skip
def test_durations(ago, said, seconds):
    lookup = host(Status(key="h", last_change_wall=NOW - ago))

    assert (lookup("HOSTDURATION"), lookup("HOSTDURATIONSEC")) == (said, seconds)


def test_of_a_custom_variable_a_modulation_wins_then_what_was_set_at_run_time():
    configured, modified, modulated = {"A": "1"}, {"_A": "2", "A": "9"}, {"A": "3"}

    assert custom_variable("a", configured, modified, modulated) == "3"
    assert custom_variable("A", configured, modified, {}) == "2"
    assert custom_variable("A", configured, {}, {}) == "1"
    assert custom_variable("A", {}, {"_A": ""}, {}) == ""
    assert custom_variable("B", configured, modified, modulated) is None
    assert isinstance(custom_variable("A", {}, modified, {}), Outside)
    assert not isinstance(custom_variable("A", configured, {}, modulated), Outside)
    changed = Status(key="k", modified={"_SNMP": "x"})
    assert host(changed)("_HOSTsnmp") == "x" and service(changed)("_SERVICESNMP") == "x"
    assert host(changed, modulated={"SNMP": "m"})("_HOSTSNMP") == "m"
    assert service(changed, modulated={"SNMP": "m"})("_SERVICESNMP") == "m"


def test_the_macros_of_a_contact():
    ann = Contact(
        name="ann", alias="Ann A.", email="a@x", pager="1", addresses=("x1", "x2"), groups=("ops", "all"),
        custom={"TEL": "2"},
    )  # fmt: skip
    lookup = contact_macros(ann)

    assert {name: lookup(name) for name in (
        "CONTACTNAME", "CONTACTALIAS", "CONTACTEMAIL", "CONTACTPAGER", "CONTACTGROUPNAME", "CONTACTGROUPNAMES",
        "CONTACTADDRESS0", "CONTACTADDRESS1", "CONTACTADDRESS2", "CONTACTADDRESS3", "_CONTACTtel", "CONTACTADDRESSX",
    )} == {
        "CONTACTNAME": "ann", "CONTACTALIAS": "Ann A.", "CONTACTEMAIL": "a@x", "CONTACTPAGER": "1",
        "CONTACTGROUPNAME": "ops", "CONTACTGROUPNAMES": "ops,all", "CONTACTADDRESS0": "", "CONTACTADDRESS1": "x1",
        "CONTACTADDRESS2": "x2", "CONTACTADDRESS3": "", "_CONTACTtel": "2", "CONTACTADDRESSX": None,
    }  # fmt: skip
    assert contact_macros(ann, {"_TEL": "3", "TEL": "4"})("_CONTACTTEL") == "3"
    assert contact_macros(Contact(name="bob"))("CONTACTGROUPNAME") == ""
    assert contact_macros(Contact(name="bob"))("CONTACTALIAS") == "bob"


def test_the_macros_of_a_notification_about_a_service():
    lookup = notification_macros("CUSTOM", 3, "id", "ann", "hi`", ("a", "b"), True, "`", of=("SERVICE",), alias_of=alias_of)

    assert {name: lookup(name) for name in (
        "NOTIFICATIONTYPE", "NOTIFICATIONID", "SERVICENOTIFICATIONID", "HOSTNOTIFICATIONID", "NOTIFICATIONNUMBER",
        "SERVICENOTIFICATIONNUMBER", "HOSTNOTIFICATIONNUMBER", "NOTIFICATIONRECIPIENTS", "NOTIFICATIONISESCALATED",
        "NOTIFICATIONAUTHOR", "NOTIFICATIONAUTHORNAME", "NOTIFICATIONAUTHORALIAS", "NOTIFICATIONCOMMENT", "HOSTNAME",
    )} == {
        "NOTIFICATIONTYPE": "CUSTOM", "NOTIFICATIONID": "id", "SERVICENOTIFICATIONID": "id", "HOSTNOTIFICATIONID": None,
        "NOTIFICATIONNUMBER": "3", "SERVICENOTIFICATIONNUMBER": "3", "HOSTNOTIFICATIONNUMBER": None,
        "NOTIFICATIONRECIPIENTS": "a,b", "NOTIFICATIONISESCALATED": "1", "NOTIFICATIONAUTHOR": "ann",
        "NOTIFICATIONAUTHORNAME": "ann", "NOTIFICATIONAUTHORALIAS": "Ann A.", "NOTIFICATIONCOMMENT": "hi",
        "HOSTNAME": None,
    }  # fmt: skip
    assert all(isinstance(lookup(f"NOTIFICATION{part}"), Outside) for part in ("AUTHOR", "AUTHORALIAS", "COMMENT"))
    plain = notification_macros("PROBLEM", 1, "id")
    assert [plain(name) for name in ("HOSTNOTIFICATIONID", "SERVICENOTIFICATIONNUMBER", "NOTIFICATIONISESCALATED",
                                     "NOTIFICATIONAUTHOR", "NOTIFICATIONRECIPIENTS")] == ["id", "1", "0", "", ""]  # fmt: skip


def test_the_environment_holds_every_class_macro_the_custom_variables_and_the_arguments():
    groups = [group_macros(kind, Group("g")) for kind in ("HOSTGROUP", "SERVICEGROUP", "CONTACTGROUP")]
    lookup = chain(
        notification_macros("PROBLEM", 1, "id"), contact_macros(Contact(name="ann", custom={"TEL": "2"})),
        service(), host(), *groups, dict.fromkeys(GLOBAL_MACROS, "x").get, {"USER1": "secret"}.get,
    )  # fmt: skip
    customs = {"HOST": ["SNMP", "GONE", "A=B"], "CONTACT": ["TEL"]}
    found = environment(chain(lookup, {"_HOSTA=B": "c"}.get), customs, ("a\0$HOSTNAME$", "$$5", "$ARG1$"))

    named = {name.removeprefix("NAGIOS_") for name in found}
    assert named >= {*OF_HOST, *OF_SERVICE, *HOSTGROUP_MACROS, *SERVICEGROUP_MACROS, *CONTACTGROUP_MACROS}
    assert named >= {"CONTACTEMAIL", "CONTACTADDRESS6", "NOTIFICATIONTYPE", "NOTIFICATIONCOMMENT", "LONGDATETIME"}
    assert not named & {"USER1", "_HOSTGONE", "_HOSTA=B", *SUMS}
    assert (found["NAGIOS__HOSTSNMP"], found["NAGIOS__CONTACTTEL"]) == ("public", "2")
    assert [found[f"NAGIOS_ARG{n}"] for n in (1, 2, 3)] == ["aweb1", "$5", "aweb1"]
    assert len(ENVIRONMENT) == len(set(ENVIRONMENT))
    assert environment({}.get, {}) == {}


def test_the_documented_settings_have_their_defaults():
    assert (Globals().illegal_macro_output_chars, Globals().enable_environment_macros) == ("", False)
