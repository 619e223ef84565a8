"""Sums over a shard, paths of the main file, groups and realms, time periods as macros."""

import pytest

from daemons.model.clock import Wall
from daemons.model.objects import Globals, Group, TimePeriod
from daemons.model.status import Ack, Downtime, Status
from daemons.rules.global_macros import (
    SUMS,
    global_macros,
    period_macros,
    sums_of_a_host,
    sums_of_all,
)
from daemons.rules.group_macros import first_group, group_macros, realm_macros
from daemons.rules.timeperiod import ALWAYS, compile_period

NOW = Wall(1_795_401_000.0)
ACK = Ack(author="a", comment="c")
DOWNTIME = Downtime(id=1, entry_wall=0, start_wall=0, end_wall=9e9, in_effect=True)
LATER = Downtime(id=1, entry_wall=0, start_wall=0, end_wall=9e9)


def status(state, *, checked=True, ack=None, downtimes=()):
    return Status(key="k", state=state, checked=checked, ack=ack, downtimes=downtimes)


def test_the_sums_of_hosts_and_what_of_them_is_unhandled():
    hosts = [
        (status(0), True),
        (status(0), False),
        (status(0, checked=False), True),
        (status(1), True),
        (status(1, ack=ACK), True),
        (status(1, downtimes=(DOWNTIME,)), True),
        (status(1, downtimes=(LATER,)), True),
        (status(1), False),
        (status(2, checked=False), True),
        (status(2, ack=ACK), True),
    ]

    assert {name: n for name, n in sums_of_all(hosts, ()).items() if n} == {
        "TOTALHOSTSUP": 2, "TOTALHOSTSDOWN": 5, "TOTALHOSTSUNREACHABLE": 2, "TOTALHOSTPROBLEMS": 7,
        "TOTALHOSTSDOWNUNHANDLED": 2, "TOTALHOSTSUNREACHABLEUNHANDLED": 1, "TOTALHOSTPROBLEMSUNHANDLED": 3,
    }  # fmt: skip


def test_the_sums_of_services_and_what_of_them_is_unhandled():
    services = [
        (status(0), True, False),
        (status(0, checked=False), True, False),
        (status(1), True, False),
        (status(1), True, True),
        (status(2), False, False),
        (status(2), True, False),
        (status(3, ack=ACK), True, False),
        (status(3), True, False),
        (status(3), True, False),
    ]

    assert {name: n for name, n in sums_of_all((), services).items() if n} == {
        "TOTALSERVICESOK": 1, "TOTALSERVICESWARNING": 2, "TOTALSERVICESCRITICAL": 2, "TOTALSERVICESUNKNOWN": 3,
        "TOTALSERVICEPROBLEMS": 7, "TOTALSERVICESWARNINGUNHANDLED": 1, "TOTALSERVICESCRITICALUNHANDLED": 1,
        "TOTALSERVICESUNKNOWNUNHANDLED": 2, "TOTALSERVICEPROBLEMSUNHANDLED": 4,
    }  # fmt: skip


def test_every_summary_macro_is_there_when_there_is_nothing():
    assert sums_of_all((), ()) == dict.fromkeys(SUMS, 0)
    assert len(SUMS) == 16


def test_the_sums_of_one_host():
    services = [status(0), status(0, checked=False), status(1), status(2), status(2), status(3)]

    assert sums_of_a_host(services) == {
        "TOTALHOSTSERVICES": 6, "TOTALHOSTSERVICESOK": 1, "TOTALHOSTSERVICESWARNING": 1,
        "TOTALHOSTSERVICESCRITICAL": 2, "TOTALHOSTSERVICESUNKNOWN": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREFIX", "/usr/local/shinken/"), ("COMMANDFILE", "/run/cmd"), ("MAINCONFIGFILE", ""), ("LOGFILE", "l"),
        ("ADMINEMAIL", "a@x"), ("ADMINPAGER", ""), ("PROCESSSTARTTIME", "12"), ("EVENTSTARTTIME", "12"),
        ("TIMET", "1795401000"), ("NOSUCH", None), ("TOTALHOSTSUP", None), ("USER1", "/p"), ("TEMPFILE", ""),
        ("STATUSDATAFILE", ""), ("OBJECTCACHEFILE", ""), ("HOSTPERFDATAFILE", ""), ("SERVICEPERFDATAFILE", ""),
        ("TEMPPATH", ""),
    ],
)  # fmt: skip
def test_what_belongs_to_no_object(name, value):
    settings = Globals(settings={"command_file": "/run/cmd", "log_file": "l", "admin_email": "a@x"})

    assert global_macros(settings, {"USER1": "/p"}, NOW, Wall(12.5))(name) == value


def test_time_periods_as_macros():
    monday = TimePeriod("m", "", (("monday", "03:00-04:00"),))
    soon, never = compile_period(monday, {}), compile_period(TimePeriod("n"), {})

    assert period_macros(ALWAYS, NOW)("ISVALIDTIME") == "1"
    assert period_macros(soon, NOW)("ISVALIDTIME") == "0"
    assert period_macros(soon, NOW)("NEXTVALIDTIME") == "1795402800"
    assert period_macros(never, NOW)("NEXTVALIDTIME") == "0"
    assert period_macros(never, NOW)("HOSTNAME") is None


def test_groups_and_realms():
    group = Group("db", "", ("a;x", "b;y"), {"notes": "n", "notes_url": "u", "action_url": "v"})
    lookup = group_macros("SERVICEGROUP", group)

    assert [lookup(f"SERVICEGROUP{part}") for part in ("NAME", "ALIAS", "MEMBERS", "NOTES", "NOTESURL", "ACTIONURL")] == [
        "db", "db", "a,x,b,y", "n", "u", "v",
    ]  # fmt: skip
    assert [lookup("SERVICEGROUPX"), lookup("HOSTGROUPNAME"), lookup("SERVICEGROUPNAMES")] == [None] * 3
    assert group_macros("HOSTGROUP", Group("g", "G"))("HOSTGROUPALIAS") == "G"
    assert group_macros("HOSTGROUP", Group("g", "G"))("HOSTGROUPNOTES") == ""
    assert first_group("SERVICEGROUP", ("gone", "db"), {"db": group})("SERVICEGROUPNAME") == "db"
    assert first_group("SERVICEGROUP", (), {"db": group})("SERVICEGROUPNAME") is None
    realm = realm_macros("Europe", ("Paris", "Rome"))
    assert [realm("REALMNAME"), realm("REALMMEMBERS"), realm("X")] == ["Europe", "Paris,Rome", None]


def test_a_time_zone_that_this_machine_does_not_know_is_utc():
    lookup = global_macros(Globals(use_timezone="Mars/Olympus"), {}, NOW)

    assert lookup("LONGDATETIME") == "Mon Nov 23 02:30:00 UTC 2026"
