"""Daemon definitions to a cluster."""

import pytest

import retention
from daemons.config.load import load
from daemons.config.modules import BUILT_IN, normal
from daemons.config.satellitemap import satellitemap_of
from daemons.model.cluster import Cluster, ServerDef, server_index
from daemons.modules import BROKER_MODULES, RECEIVER_MODULES
from daemons.net.retain import NONE
from tests.config.texts import BASE, errors, host, loaded, reader, warnings

REALM = "define realm{\nrealm_name All\ndefault 1\n}\n"


def daemon(role: str, name: str, *lines: str) -> str:
    return "\n".join([f"define {role}{{", f"{role}_name {name}", *lines, "}\n"])


def cluster(text: str) -> Cluster:
    found = loaded(text)
    assert errors(found) == [] and found.cluster is not None
    return found.cluster


def test_the_documented_attributes_are_read() -> None:
    text = REALM + daemon(
        "broker", "broker-master", "address server1", "port 7999", "spare 1", "realm All",
        "modules Simple-log,Livestatus", "timeout 3", "data_timeout 60", "check_interval 30",
        "max_check_attempts 2", "manage_sub_realms 0", "manage_arbiters 1", "satellitemap a=b:1",
    )  # fmt: skip
    found = cluster(text).daemon("broker-master")

    assert found is not None
    assert (found.role, found.address, found.port, found.spare) == ("broker", "server1", 7999, True)
    assert (found.realm, found.modules) == ("All", ("simple-log", "livestatus"))
    assert (found.timeout_s, found.data_timeout_s) == (3.0, 60.0)
    assert (found.check_interval_s, found.max_check_attempts) == (30.0, 2)
    assert not found.manage_sub_realms
    assert found.options == {"manage_arbiters": "1", "satellitemap": "a=b:1"}
    assert found.where == "t.cfg:5"


def test_what_is_not_said_has_our_defaults() -> None:
    found = cluster(daemon("scheduler", "s")).daemon("s")

    assert found is not None
    assert (found.address, found.port, found.spare, found.realm) == (
        "127.0.0.1",
        7768,
        False,
        "Default",
    )
    assert (found.timeout_s, found.data_timeout_s, found.check_interval_s) == (1.0, 120.0, 1.0)
    assert (found.max_check_attempts, found.manage_sub_realms, found.weight) == (3, True, 1)


@pytest.mark.parametrize(
    ("role", "port"),
    [("arbiter", 7770), ("scheduler", 7768), ("poller", 7771), ("reactionner", 7769),
     ("broker", 7772), ("receiver", 7773)],
)  # fmt: skip
def test_every_role_has_its_port(role: str, port: int) -> None:
    found = cluster(daemon(role, "x")).daemon("x")

    assert found is not None and found.port == port


def test_templates_serve_daemons_too() -> None:
    text = "define poller{\nname t\nregister 0\nport 7000\n}\n" + daemon("poller", "p", "use t")
    found = cluster(text).daemon("p")

    assert found is not None and found.port == 7000


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1"])
def test_localhost_is_127_0_0_1_and_a_server_is_called_as_its_arbiter_says(address: str) -> None:
    text = daemon("arbiter", "a", f"address {address}", "host_name here")

    assert cluster(text).servers == (server("here", "127.0.0.1"),)


def server(name: str, address: str) -> ServerDef:
    return ServerDef(name, address, server_index(address))


def test_a_server_keeps_its_number_when_another_comes_or_goes() -> None:
    few = "".join(daemon("poller", f"p{n}", f"address 192.0.2.{n}") for n in (1, 3))
    more = few + daemon("poller", "p2", "address 192.0.2.2")
    before, after = ({s.address: s.index for s in cluster(text).servers} for text in (few, more))

    assert len(set(after.values())) == len(after)
    assert {a: after[a] for a in before} == before


def test_servers_are_sorted_by_address() -> None:
    text = "".join(daemon("poller", f"p{n}", f"address 192.0.2.{n}") for n in (3, 1, 2)) + daemon(
        "arbiter", "a", "address 192.0.2.2", "host_name two"
    )

    assert cluster(text).servers == (
        server("192.0.2.1", "192.0.2.1"), server("two", "192.0.2.2"),
        server("192.0.2.3", "192.0.2.3"),
    )  # fmt: skip


def test_a_server_without_an_arbiter_is_called_as_another_daemon_says() -> None:
    assert cluster(daemon("poller", "p", "address 127.0.0.4", "host_name four")).servers == (
        server("four", "127.0.0.4"),
    )


def test_a_role_without_a_daemon_gets_one_but_the_receiver() -> None:
    found = loaded("")
    assert found.cluster is not None

    assert [(d.role, d.address) for d in found.cluster.daemons] == [
        (role, "127.0.0.1") for role in ("arbiter", "scheduler", "poller", "reactionner", "broker")
    ]
    assert len(found.complaints) == 5 and found.good


def test_added_daemons_stand_beside_the_master_arbiter() -> None:
    text = daemon("arbiter", "a", "address server1", "host_name server1")

    assert {d.address for d in cluster(text).daemons} == {"server1"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (daemon("poller", "p", "realm Mars"), "t.cfg:3: poller p: realm Mars is not defined"),
        (daemon("poller", "p", "port 70000"), "t.cfg:3: poller p: there is no port 70000"),
        (daemon("poller", "p", "timeout soon"), "t.cfg:3: timeout 'soon' is not a number"),
        ("define poller{\naddress x\n}\n", "t.cfg:1: a poller without poller_name"),
        (
            "define realm{\nrealm_name a\ndefault 1\n}\ndefine realm{\nrealm_name b\ndefault 1\n}\n",
            "t.cfg:7: more than one realm is the default: a, b",
        ),
        (
            "define realm{\nrealm_name a\ndefault 1\nrealm_members x\n}\n",
            "t.cfg:4: realm a: realm x is not defined",
        ),
        (
            "define realm{\nrealm_name a\n}\n" + daemon("poller", "p", "realm a") + daemon("poller", "q", "port 1"),
            "t.cfg:8: poller q names no realm, and no realm is the default",
        ),
        (
            "define realm{\nrealm_name a\n}\n" + host("h", "realm a") + host("i"),
            "t.cfg:8: host i names no realm, and no realm is the default",
        ),
        ("define module{\nmodule_name m\n}\n", "t.cfg:1: module m has no module_type"),
    ],
)
def test_what_cannot_be_is_an_error_at_its_line(text: str, expected: str) -> None:
    assert errors(loaded(text)) == [expected]


@pytest.mark.parametrize(
    ("said", "found", "bad"),
    [
        ("a=10.0.0.1:7768, b = nat", {"a": ("10.0.0.1", 7768), "b": ("nat", 0)}, ()),
        ("a=[fd00::1]:7768,b=fd00::2", {"a": ("fd00::1", 7768), "b": ("fd00::2", 0)}, ()),
        ("a,=x,b=,c=y:port,d=z:70000", {}, ("a", "=x", "b=", "c=y:port", "d=z:70000")),
        ("", {}, ()),
    ],
)
def test_a_satellitemap_gives_other_addresses_by_daemon(
    said: str, found: dict[str, tuple[str, int]], bad: tuple[str, ...]
) -> None:
    assert satellitemap_of(said) == (found, bad)


def test_a_satellitemap_is_complained_of_at_its_line() -> None:
    found = loaded(daemon("poller", "p", "satellitemap scheduler-default=10.0.0.1,x,nobody=y"))

    assert errors(found) == ["t.cfg:3: poller p: satellitemap: 'x' is not name=address or name=address:port"]  # fmt: skip
    assert "t.cfg:3: poller p: satellitemap: there is no daemon nobody" in warnings(found)


# ------------------------------------------------------------------ modules


@pytest.mark.parametrize(
    ("role", "said", "names"),
    [
        ("broker", "Simple-log,Livestatus", ("simple-log", "livestatus")),
        ("broker", "simple_log , LIVESTATUS", ("simple-log", "livestatus")),
        ("receiver", "named-pipe", ("named-pipe",)),
        ("scheduler", "memcache-retention", ("memcached-retention",)),
        ("scheduler", "Mem_Cache_Retention", ("memcached-retention",)),
        ("broker", "", ()),
    ],
)
def test_a_built_in_module_needs_no_definition(
    role: str, said: str, names: tuple[str, ...]
) -> None:
    found = cluster(daemon(role, "x", f"modules {said}"))
    one = found.daemon("x")

    assert one is not None and one.modules == names
    assert [m.name for m in found.modules] == sorted(names) and all(
        m.built_in for m in found.modules
    )


def test_the_built_in_modules_are_those_that_there_are() -> None:
    ours = {type: role for type, role in BUILT_IN.items() if type != NONE}

    assert {t for t, role in ours.items() if role == "broker"} == BROKER_MODULES.keys()
    assert {t for t, role in ours.items() if role == "receiver"} == RECEIVER_MODULES.keys()
    assert {t for t, role in ours.items() if role == "scheduler"} == {
        normal(type) for type in retention.MODULES
    }


def test_a_defined_module_is_matched_without_regard_to_case_and_dashes() -> None:
    text = "define module{\nmodule_name Simple-Log\nmodule_type simple_log\npath /x\n}\n"
    found = cluster(text + daemon("broker", "b", "modules simple_log"))

    (module,) = found.modules
    assert (module.name, module.type, module.options) == (
        "Simple-Log",
        "simple-log",
        {"path": "/x"},
    )
    assert [d.modules for d in found.daemons if d.name == "b"] == [("Simple-Log",)]


def test_an_unknown_module_is_an_error_that_names_the_known_ones() -> None:
    text = "define module{\nmodule_name mine\nmodule_type livestatus\n}\n"
    found = loaded(text + daemon("broker", "b", "modules mine,livstatus"))

    (said,) = [c for c in found.complaints if c.severity == "error"]
    assert said.where == "t.cfg:7" and said.fix == "did you mean 'livestatus'?"
    assert "there is no module livstatus; known are" in said.text
    assert "mine" in said.text and "simple-log" in said.text


WEBUI = "define module{\nmodule_name webui\nmodule_type webui_2\n}\n"


def test_a_module_of_a_type_that_is_not_installed_is_ignored_with_a_warning() -> None:
    found = loaded(WEBUI + daemon("broker", "b", "modules webui,livestatus"))

    assert found.cluster is not None and errors(found) == []
    assert warnings(found)[0] == (
        "t.cfg:7: broker b: module webui is of the type webui-2, which is not installed;"
        " it is ignored"
    )
    assert found.cluster.daemon("b").modules == ("livestatus",)  # type: ignore[union-attr]


def test_a_module_that_this_machine_has_is_taken() -> None:
    text = WEBUI + daemon("broker", "b", "modules webui,other-one")
    found = load(["t"], reader({"t": text}), installed=["webui-2", "Other_One"])

    assert found.cluster is not None and found.good
    assert found.cluster.daemon("b").modules == ("webui", "other-one")  # type: ignore[union-attr]


def test_a_module_in_the_wrong_role_is_ignored_and_told_where_it_belongs() -> None:
    found = loaded(daemon("arbiter", "a", "modules named-pipe"))

    (said,) = [c for c in found.complaints if c.where]
    assert (said.severity, said.where) == ("warning", "t.cfg:3")
    assert said.text == "arbiter a: an arbiter does not run named-pipe; it is ignored"
    assert said.fix == "name it in the modules of a receiver"


def test_keys_of_an_old_main_file_make_modules_and_a_receiver() -> None:
    found = cluster("log_file=/var/log/nagios.log\ncommand_file=/var/nagios.cmd\n")

    assert {m.type: m.options for m in found.modules} == {
        "simple-log": {"path": "/var/log/nagios.log"}, "named-pipe": {"command_file": "/var/nagios.cmd"},
    }  # fmt: skip
    assert {d.role: d.modules for d in found.daemons if d.modules} == {
        "broker": ("simple-log",), "receiver": ("named-pipe",),
    }  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "status_file=/s", "object_cache_file=/o", "use_syslog=1", "state_retention_file=/r",
    ],
)  # fmt: skip
def test_keys_that_stand_for_modules_we_do_not_bring_are_told_of(line: str) -> None:
    found = loaded(line + "\n")

    (said,) = [c for c in found.complaints if c.where]
    assert said.text.startswith(f"{line.partition('=')[0]} stands for a module of the type ")
    assert (said.severity, said.where) == ("warning", "t.cfg:1") and said.fix


def test_an_installed_module_of_that_type_is_given_to_the_daemons() -> None:
    text = "status_file=/s\nobject_cache_file=/o\n"
    found = load(["t.cfg"], reader({"t.cfg": text}), ["status_dat"])

    assert warnings(found) == [] and found.cluster is not None
    assert {m.name: m.options for m in found.cluster.modules} == {
        "status-dat": {"status_file": "/s", "object_cache_file": "/o"}
    }
    assert [d.modules for d in found.cluster.daemons if d.role == "broker"] == [("status-dat",)]


def test_use_syslog_0_and_a_module_that_is_defined_say_nothing() -> None:
    text = "use_syslog=0\nlog_file=/l\ndefine module{\nmodule_name log\nmodule_type simple_log\n}\n"
    found = loaded(text)

    assert warnings(found) == [] and found.cluster is not None
    assert [m.name for m in found.cluster.modules] == ["log"]


# ------------------------------------------------------------------ the main file


@pytest.mark.parametrize(
    "key",
    ["global_host_event_handler", "global_service_event_handler", "ocsp_command", "ochp_command",
     "service_perfdata_command", "host_perfdata_command"],
)  # fmt: skip
def test_a_command_that_the_main_file_names_must_be_there(key: str) -> None:
    assert errors(loaded(f"{key}=okay!1\n", BASE)) == [
        f"t.cfg:1: {key}: command okay is not defined"
    ]
    assert errors(loaded(f"{key}=ok!1\n", BASE)) == []


def test_settings_are_kept_and_the_last_wins() -> None:
    found = cluster("cluster_name=a\ncluster_name=paris\nnagios_user=n\n$USER1$=/x\n")

    assert found.name == "paris"
    assert found.settings == {"cluster_name": "paris", "shinken_user": "n"}
    assert found.macros == {"USER1": "/x"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("split_policy=guess", "split_policy 'guess' is not one of takeover, hold"),
        ("on_ambiguous=perhaps", "on_ambiguous 'perhaps' is not one of resend, skip"),
        ("lease_s=soon", "lease 'soon' is not a number"),
        ("enable_notifications=2", "enable_notifications '2' is neither 1 nor 0"),
        ("interval_length=0", "interval_length '0' is not at least 1"),
        ("host_check_timeout=-5", "host_check_timeout '-5' is negative"),
        ("log_level=LOUD", "log_level 'LOUD' is not one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ],
)
def test_a_bad_setting_is_an_error_at_its_line(line: str, expected: str) -> None:
    assert errors(loaded(f"\n{line}\n")) == [f"t.cfg:2: {expected}"]


def test_an_unknown_setting_is_a_warning_with_a_hint() -> None:
    found = loaded("enable_notification=1\n")

    (said,) = [c for c in found.complaints if c.where]
    assert (said.severity, said.fix) == ("warning", "did you mean 'enable_notifications'?")


def test_globals_are_what_the_main_file_says_in_seconds() -> None:
    said = "interval_length=1\nhost_check_timeout=7\nmax_host_check_spread=2\n"
    said += "enable_flap_detection=0\nlow_host_flap_threshold=5\nuse_timezone=UTC\n"
    found = loaded(said).objects.globals

    assert (found.interval_length_s, found.host_check_timeout_s) == (1.0, 7.0)
    assert (found.max_host_check_spread_s, found.low_host_flap_threshold) == (120.0, 5.0)
    assert (found.enable_flap_detection, found.use_timezone) == (False, "UTC")
