"""The front door: everything wrong is said at once, each at its line, and nothing is ever raised."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.config.complain import Complaint
from daemons.config.load import load
from daemons.config.schema import KINDS
from daemons.net.files import read
from tests.bench import generate
from tests.bench.generate import Size
from tests.config.texts import BASE, loaded, reader

TEN = {
    "main.cfg": """\
cluster_name=paris
interval_length=sixty
cfg_file=objects.cfg
cfg_file=missing.cfg
""",
    "objects.cfg": BASE
    + """\
define host{
    name            generic-host
    register        0
    check_period    allways
    contacts        ann
}

define host{
    use             generic-host
    host_name       web1
    check_command   okk
}

define host{
    use             generic-host
    host_name       web2
    max_check_attempts many
    parents         web3
}

define host{
    host_name       web3
    hostgroups      webs
    parents         web2
}

define hostgroup{
    hostgroup_name  web
    members         web1,web9
}

define service{
    hostgroup_name  wbe
    service_description http
    check_command   ok
    check_interval  5
    retry_interval  1
}

define service{
    host_name       web1
    service_description ssh
    check_interval  5
    retry_interval  1
}
""",
}


def test_ten_mistakes_are_ten_complaints_each_at_its_line() -> None:
    found = load(["main.cfg"], reader(TEN))

    assert not found.good
    assert [f"{c.where}: {c.text}" for c in found.complaints if c.severity == "error"] == [
        "main.cfg:2: interval_length 'sixty' is not a number",
        "main.cfg:4: there is no file missing.cfg",
        "objects.cfg:22: template generic-host: check_period: time period allways is not defined",
        "objects.cfg:29: host web1: check_command: command okk is not defined",
        "objects.cfg:35: max_check_attempts 'many' is not a number",
        "objects.cfg:36: hosts are each other's parents: web2 -> web3 -> web2",
        "objects.cfg:41: host web3: hostgroup webs is not defined",
        "objects.cfg:47: hostgroup web: host web9 is not defined",
        "objects.cfg:51: service http: hostgroup wbe is not defined",
        "objects.cfg:58: service ssh on web1: check_command is missing",
    ]
    fixes = {c.where: c.fix for c in found.complaints if c.fix}
    assert fixes["objects.cfg:29"] == "did you mean 'ok'?"
    assert fixes["objects.cfg:22"] == "did you mean 'always'?"
    assert fixes["objects.cfg:41"] == "did you mean 'web'?"


def test_a_complaint_reads_as_one_line_that_an_editor_can_jump_to() -> None:
    assert str(Complaint("error", "it is wrong", "a.cfg:3", "do this")) == (
        "a.cfg:3: error: it is wrong (do this)"
    )


def test_several_files_are_one_configuration_and_counted() -> None:
    files = {"a.cfg": BASE, "b.cfg": "define host{\nhost_name h\n}\n"}
    found = load(["a.cfg", "b.cfg"], reader(files))

    assert found.good
    assert [source.path for source in found.files] == ["a.cfg", "b.cfg"]
    assert found.counts == {"command": 1, "contact": 1, "host": 1, "service": 0, "timeperiod": 1}


def test_a_file_that_is_named_twice_is_read_once() -> None:
    files = {"m.cfg": "cfg_file=b.cfg\ncfg_file=b.cfg\n", "b.cfg": "define host{\nhost_name h\n}\n"}

    assert not [c for c in load(["m.cfg"], reader(files)).complaints if c.where]


def test_an_empty_configuration_is_good_and_monitors_nothing() -> None:
    found = loaded("")

    assert found.good and found.objects.hosts == () and len(found.shards) == 1


WORDS = """define host service hostgroup contact command timeperiod realm module arbiter scheduler
    poller { } use name register 0 1 host_name service_description hostgroup_name members parents
    hostgroup_members check_command ok always exclude monday 00:00-24:00 a b,c *,!a +a null !a & (
    contacts ann spare address port modules Simple-log = $A$=x ; # \\ check_interval -1
    max_check_attempts"""


@given(st.lists(st.sampled_from([*WORDS.split(), "\n"]), max_size=60).map(" ".join))
@settings(max_examples=300, deadline=None)
def test_no_heap_of_words_breaks_the_reader(text: str) -> None:
    assert len(loaded(text, BASE).shards) >= 1


LINES = st.sampled_from(
    [
        "use t", "use t,u", "name t", "name u", "register 0", "host_name a", "host_name b",
        "host_name *", "hostgroup_name g", "hostgroup_name g,!h", "service_description s",
        "members a,b", "hostgroup_members g,h", "hostgroups g", "parents a", "parents b",
        "check_command ok", "check_period always", "contacts ann", "contact_groups +g", "alias null",
        "_X 1", "notification_options d", "definition_order 5", "realm R", "realm_name R",
        "realm_members R", "timeperiod_name t", "exclude t", "monday 00:00-24:00",
        "servicegroups g", "servicegroup_name g", "servicegroup_members g", "command_name c",
        "module_name m", "module_type x", "scheduler_name s", "poller_name s", "arbiter_name s",
        "address localhost", "address x", "port 1", "spare 1", "modules m,livestatus",
        "contact_name c", "contactgroup_name g", "contactgroups g", "notificationways w",
        "notificationway_name w", "hostgroup_name h", "first_notification x",
    ]
)  # fmt: skip
KIND = st.sampled_from(sorted(KINDS))
BLOCK = st.tuples(KIND, st.lists(LINES, max_size=6)).map(
    lambda b: "\n".join([f"define {b[0]}{{", *b[1], "}\n"])
)


@given(st.lists(BLOCK, max_size=10).map("".join))
@settings(max_examples=400, deadline=None)
def test_no_heap_of_blocks_breaks_the_reader_and_complaints_stand_at_lines(text: str) -> None:
    found = loaded(text, BASE)

    assert len(found.shards) >= 1
    placed = [c.where for c in found.complaints if c.where]
    assert all(re.fullmatch(r"(t|base)\.cfg:[1-9]\d*", where) for where in placed)


@pytest.mark.slow
def test_ten_thousand_hosts_and_a_hundred_thousand_services_load(tmp_path: Path) -> None:
    main = generate.write(tmp_path, Size(10_000), "/bin/true", (("server1", "127.0.0.1"),))
    found = load([str(main)], read)

    assert found.good
    assert (found.counts["host"], found.counts["service"]) == (10_000, 100_000)
    assert len(found.objects.traits) <= 102
    assert found.shards[0][0].services == 100_000


@pytest.mark.parametrize(
    ("said", "machine", "zone", "complaints"),
    [
        ("", "Europe/Vienna", "Europe/Vienna", []),
        ("use_timezone=Asia/Tokyo\n", "Europe/Vienna", "Asia/Tokyo", []),
        ("", "", "", []),
        ("", "CET-1CEST", "", [
            ("warning", "the time zone of this machine, 'CET-1CEST', is no name of the time zone database: UTC is used"),
        ]),
        ("use_timezone=Mars/Olympus\n", "", "", [
            ("error", "use_timezone 'Mars/Olympus' is no name of the time zone database, like Europe/Paris"),
        ]),
    ],
)  # fmt: skip
def test_without_use_timezone_periods_are_meant_in_the_time_zone_of_the_machine(
    said: str, machine: str, zone: str, complaints: list[tuple[str, str]]
) -> None:
    found = load(["m.cfg"], reader({"m.cfg": said + "cluster_name=c\n"}), time_zone=machine)

    assert found.objects.globals.use_timezone == zone
    about = [(c.severity, c.text) for c in found.complaints if "time zone" in c.text]
    assert about == complaints
