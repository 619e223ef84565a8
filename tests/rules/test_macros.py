"""What each macro says of hosts, services, contacts and notifications."""

import pytest

from daemons.model.clock import Wall
from daemons.model.objects import Contact, Globals, Host, Service, Traits
from daemons.model.status import Ack, Downtime, Status
from daemons.rules import macros
from daemons.rules.contact_macros import contact_macros, notification_macros
from daemons.rules.environment import environment
from daemons.rules.global_macros import global_macros
from daemons.rules.template import chain, resolve, split_macros

NOW = Wall(1_795_401_000.0)  # 2026-11-23 02:30:00 UTC
TRAITS = Traits(
    check_command="ping!1",
    max_check_attempts=3,
    groups=("linux", "web"),
    custom={"SNMP": "public"},
    shown={"notes_url": "http://n"},
)
HOST = Host("web1", "10.0.0.1", "Web one", 0)
SERVICE = Service("web1", "http", 0)
DOWNTIME = Downtime(id=1, entry_wall=1, start_wall=1, end_wall=9e9, in_effect=True)
STATUS = Status(
    key="web1", state=1, state_type=0, attempt=2, last_state=0, output="a|b`c", long_output="l",
    perfdata="p=1", last_change_wall=NOW - 90061, last_check_wall=NOW - 5,
    ack=Ack(author="jo`e", comment="later"), downtimes=(DOWNTIME,), flap_percent=12.345,
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOSTNAME", "web1"), ("HOSTADDRESS", "10.0.0.1"), ("HOSTALIAS", "Web one"),
        ("HOSTDISPLAYNAME", "web1"), ("HOSTSTATE", "DOWN"), ("HOSTSTATEID", "1"),
        ("HOSTSTATETYPE", "SOFT"), ("HOSTATTEMPT", "2"), ("MAXHOSTATTEMPTS", "3"),
        ("HOSTOUTPUT", "a|bc"), ("LONGHOSTOUTPUT", "l"), ("HOSTPERFDATA", "p=1"),
        ("HOSTDURATION", "1d 1h 1m 1s"), ("HOSTDURATIONSEC", "90061"), ("HOSTDOWNTIME", "1"),
        ("HOSTPERCENTCHANGE", "12.35"), ("LASTHOSTSTATE", "UP"), ("LASTHOSTCHECK", "1795400995"),
        ("HOSTACKAUTHOR", "joe"), ("HOSTACKCOMMENT", "later"), ("HOSTGROUPNAME", "linux"),
        ("HOSTGROUPNAMES", "linux,web"), ("HOSTNOTESURL", "http://n"), ("HOSTCHECKCOMMAND", "ping!1"),
        ("_HOSTSNMP", "public"), ("_HOSTsnmp", "public"), ("_HOSTNONE", None), ("SERVICEDESC", None),
        ("SHORTSTATUS", "D"), ("HOSTADDRESS3", "10.0.0.1"),
    ],
)  # fmt: skip
def test_hosts(name, value):
    assert macros.host_macros(HOST, TRAITS, STATUS, NOW, illegal="`")(name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVICEDESC", "http"), ("SERVICESTATE", "WARNING"), ("SERVICESTATEID", "1"),
        ("SERVICEOUTPUT", "a|b`c"), ("SERVICEISVOLATILE", "0"), ("_SERVICESNMP", "public"),
        ("SERVICEGROUPNAMES", "linux,web"), ("HOSTNAME", None),
    ],
)  # fmt: skip
def test_services(name, value):
    assert macros.service_macros(SERVICE, TRAITS, STATUS, NOW)(name) == value


def test_a_custom_variable_changed_at_run_time_wins():
    status = Status(key="web1", modified={"_SNMP": "secret"})

    assert macros.host_macros(HOST, TRAITS, status, NOW)("_HOSTSNMP") == "secret"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONTACTNAME", "joe"), ("CONTACTALIAS", "joe"), ("CONTACTEMAIL", "j@x"),
        ("CONTACTADDRESS1", "a1"), ("CONTACTADDRESS2", ""), ("_CONTACTTEL", "1"), ("_CONTACTX", None),
        ("CONTACTGROUPNAMES", "g"),
    ],
)  # fmt: skip
def test_contacts(name, value):
    contact = Contact(
        name="joe", email="j@x", addresses=("a1",), groups=("g",), custom={"TEL": "1"}
    )

    assert contact_macros(contact)(name) == value


def test_notifications():
    lookup = notification_macros("CUSTOM", 2, "ab", "joe`", "hi;", ("a", "b"), True, "`;")

    assert [lookup(name) for name in (
        "NOTIFICATIONTYPE", "NOTIFICATIONNUMBER", "SERVICENOTIFICATIONID", "NOTIFICATIONAUTHOR",
        "NOTIFICATIONCOMMENT", "NOTIFICATIONRECIPIENTS", "NOTIFICATIONISESCALATED", "HOSTNAME",
    )] == ["CUSTOM", "2", "ab", "joe", "hi", "a,b", "1", None]  # fmt: skip


@pytest.mark.parametrize(
    ("date_format", "short", "date"),
    [
        ("us", "11-23-2026 03:30:00", "11-23-2026"),
        ("euro", "23-11-2026 03:30:00", "23-11-2026"),
        ("iso8601", "2026-11-23 03:30:00", "2026-11-23"),
        ("strict-iso8601", "2026-11-23T03:30:00", "2026-11-23"),
        ("", "11-23-2026 03:30:00", "11-23-2026"),
    ],
)
def test_dates_are_written_as_the_main_file_says(date_format, short, date):
    settings = Globals(use_timezone="Europe/Berlin", date_format=date_format)
    lookup = global_macros(settings, {"USER1": "/x"}, NOW, totals={"TOTALHOSTSUP": 7}.get)

    assert lookup("SHORTDATETIME") == short
    assert lookup("DATE") == date
    assert lookup("LONGDATETIME") == "Mon Nov 23 03:30:00 CET 2026"
    assert (lookup("TIMET"), lookup("TIME")) == ("1795401000", "03:30:00")
    assert (lookup("TOTALHOSTSUP"), lookup("TOTALNOTHING"), lookup("USER1")) == ("7", None, "/x")


def test_a_check_command_resolves_through_a_chain_of_lookups():
    lookup = chain(
        macros.service_macros(SERVICE, TRAITS, STATUS, NOW),
        macros.host_macros(HOST, TRAITS, STATUS, NOW),
        global_macros(Globals(), {"USER1": "/usr/lib"}, NOW),
    )
    template = split_macros("$USER1$/check_http -H $HOSTADDRESS$ -u $ARG1$ # $SERVICEDESC$")

    assert resolve(template, lookup, ("/x",)) == "/usr/lib/check_http -H 10.0.0.1 -u /x # http"


def test_the_environment_holds_what_is_known():
    lookup = macros.host_macros(HOST, TRAITS, STATUS, NOW)
    found = environment(lookup, {"HOST": TRAITS.custom})

    assert found["NAGIOS_HOSTNAME"] == "web1"
    assert found["NAGIOS__HOSTSNMP"] == "public"
    assert "NAGIOS_SERVICEDESC" not in found


def test_nothing_is_taken_out_unless_the_main_file_says_so():
    said = notification_macros("CUSTOM", 1, "id", "X`", "X`")

    assert said("NOTIFICATIONCOMMENT") == said("NOTIFICATIONAUTHOR") == "X`"
    assert notification_macros("CUSTOM", 1, "id")("NOTIFICATIONCOMMENT") == ""
    service = macros.service_macros(SERVICE, TRAITS, Status(key="k", output="X`"), NOW)
    assert service("SERVICEOUTPUT") == "X`"


def test_no_name_of_the_environment_holds_a_zero():
    assert environment(lambda name: "x" if "\0" in name else None, {"HOST": ["A\0B"]}) == {}
