"""What an operator is told before the first failover instead of after it."""

import pytest

from daemons.config.complain import Complaint
from daemons.config.lint import MachineNames, which_arbiter
from daemons.model.cluster import ROLES, Cluster, DaemonDef, ServerDef
from daemons.roles.keeper import voters_of
from tests.config.test_daemondefs import daemon
from tests.config.texts import BASE, host, loaded


def pair(role: str, *lines: str, master: tuple[str, ...] = (), spare: tuple[str, ...] = ()) -> str:
    of_master = [*(["host_name one"] if role == "arbiter" else []), *lines, *master]
    of_spare = [*(["host_name two"] if role == "arbiter" else []), *lines, *spare]
    return daemon(role, f"{role}-master", "address one", *of_master) + daemon(
        role, f"{role}-spare", "address two", "spare 1", *of_spare
    )


def world(**others: str) -> str:
    """A cluster of two servers with a spare for everything, but for the roles given."""
    usual = {role: pair(role) for role in ROLES}
    usual["scheduler"] = pair("scheduler", "modules memcached-retention")
    return "".join((usual | others).values())


def said(text: str) -> list[str]:
    return [str(c) for c in loaded(text).complaints]


TWO = (
    "warning: two servers only: after a cut between them both cannot be right and go on"
    " (let a third machine vote, a small one will do: define keeper with its address and 'voter_only 1')"
)


def test_a_sound_cluster_of_two_is_told_only_what_two_cannot_promise() -> None:
    assert said(world()) == [TWO]


def test_a_third_server_is_a_third_vote() -> None:
    assert said(world() + daemon("poller", "poller-2", "address three")) == []


def test_modules_that_the_spare_lacks_are_said_with_the_line_to_write() -> None:
    text = pair("broker", master=("modules Simple-log,Livestatus",), spare=("modules simple-log",))

    assert said(text + world(broker=""))[0] == (
        "t.cfg:6: warning: broker broker-spare lacks modules that broker-master has: livestatus"
        " (write 'modules    simple-log,livestatus' in broker-spare)"
    )


def test_a_spare_without_any_modules_is_told_the_whole_line() -> None:
    text = pair("broker", master=("modules Simple-log,Livestatus",))

    assert (
        "(write 'modules    simple-log,livestatus' in broker-spare)"
        in said(text + world(broker=""))[0]
    )


def test_without_host_name_a_chosen_address_is_enough() -> None:
    cluster = arbiters(("a1", "127.0.0.1", ""), ("a2", "127.0.0.3", ""))
    found = which_arbiter(cluster, MachineNames("x", addresses=("127.0.0.1",), chosen="127.0.0.3"))

    assert isinstance(found, DaemonDef) and found.name == "a2"


def test_modules_in_another_spelling_are_the_same() -> None:
    text = world(
        broker=pair("broker", master=("modules Simple-log",), spare=("modules simple_log",))
    )

    assert said(text) == [TWO]


def test_a_module_that_only_the_spare_has_is_said_too() -> None:
    text = pair("broker", spare=("modules livestatus",)) + world(broker="")

    assert (
        "broker-master lacks modules that its spare broker-spare has: livestatus" in said(text)[0]
    )


def test_a_spare_on_the_server_of_its_master_is_no_spare() -> None:
    text = daemon("broker", "b1", "address one") + daemon(
        "broker", "b2", "address one", "port 7999", "spare 1"
    )

    assert any(
        "b2 is on the server of b1, whose spare it is" in s for s in said(text + world(broker=""))
    )


@pytest.mark.parametrize("role", ROLES)
def test_a_role_without_a_spare_is_said(role: str) -> None:
    line = "host_name one" if role == "arbiter" else "modules memcached-retention"
    if role not in ("arbiter", "scheduler"):
        line = "spare 0"
    text = daemon(role, "alone", "address one", line) + world(**{role: ""})

    assert f"t.cfg:1: warning: {role} alone has no spare" in said(text)[0]


def test_two_pollers_on_two_servers_stand_in_for_each_other() -> None:
    pollers = daemon("poller", "p1", "address one") + daemon("poller", "p2", "address two")

    assert said(world(poller=pollers)) == [TWO]


def test_one_server_is_told_once() -> None:
    found = said(daemon("scheduler", "s", "modules sqlite-retention"))

    assert [s for s in found if "added" not in s] == [
        "warning: all daemons are on one server, 127.0.0.1: nothing goes on when it dies"
    ]


def test_a_scheduler_without_retention_is_told_what_that_means() -> None:
    found = said(world(scheduler=pair("scheduler", "modules no-retention")))

    assert "objects are PENDING until checked after a take-over" in found[0]
    assert "write 'modules    sqlite-retention' in scheduler-master" in found[0]


def test_a_scheduler_that_names_no_store_has_the_local_one() -> None:
    assert said(world(scheduler=pair("scheduler"))) == [TWO]


def test_retention_on_the_dead_server_does_not_help() -> None:
    alone = daemon("scheduler", "s", "address one", "modules sqlite-retention")

    assert "the retention of scheduler s dies with its server" in said(world(scheduler=alone))[-2]


def test_a_tag_that_the_spare_does_not_carry_is_said() -> None:
    text = pair("poller", master=("poller_tags None,dmz",)) + world(poller="")

    assert said(text)[0] == (
        "t.cfg:1: warning: poller poller-master has the tag dmz, which no spare of it carries"
        " (add dmz to the poller_tags of its spare)"
    )


# ------------------------------------------------------------------ what cannot work


def test_a_tag_that_no_poller_carries_is_an_error_at_its_line() -> None:
    found = loaded(host("h", "poller_tag dmz") + daemon("poller", "p", "poller_tags lan"), BASE)

    assert [f"{c.where}: {c.text}" for c in found.complaints if c.severity == "error"] == [
        "t.cfg:3: host h: poller_tag dmz is carried by no poller: nobody would run the check"
    ]


TWO_REALMS = (
    "define realm{\nrealm_name A\ndefault 1\nrealm_members B\n}\ndefine realm{\nrealm_name B\n}\n"
)


@pytest.mark.parametrize(
    ("line", "good"), [("manage_sub_realms 1", True), ("manage_sub_realms 0", False)]
)
def test_a_realm_is_served_from_above_by_who_manages_sub_realms(line: str, good: bool) -> None:
    text = TWO_REALMS + daemon("scheduler", "s", "realm B") + daemon("broker", "b", "realm A", line)
    found = loaded(text)

    assert found.good == good
    assert good or "no broker serves realm B of scheduler s" in [c.text for c in found.complaints]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            daemon("poller", "p1", "address one") + daemon("poller", "p2", "address one"),
            "t.cfg:5: poller p1 (t.cfg:1) and poller p2 are both at one:7771",
        ),
        (
            daemon("poller", "p", "address one") + daemon("broker", "p", "address one"),
            "t.cfg:5: two daemons are called p, the other at t.cfg:1",
        ),
        (
            daemon("poller", "p1", "address one") + daemon("poller", "p2", "address localhost"),
            "t.cfg:5: poller p2 is at 127.0.0.1, but arbiter-master is at one:"
            " each server would start its own",
        ),
        (
            daemon("arbiter", "a2", "address two", "host_name two"),
            "t.cfg:1: arbiters a2 and arbiter-master are both masters",
        ),
        (
            daemon("arbiter", "a2", "address two", "host_name one", "spare 1"),
            "a2 and arbiter-master are on two servers and have the same host_name one",
        ),
    ],
)
def test_what_cannot_work_is_an_error(text: str, expected: str) -> None:
    rest = world(arbiter=daemon("arbiter", "arbiter-master", "address one", "host_name one"))
    found = [
        f"{c.where}: {c.text}" for c in loaded(text + rest).complaints if c.severity == "error"
    ]

    assert any(expected.removeprefix("t.cfg:1: ") in line for line in found), found


def test_hosts_of_a_realm_without_a_scheduler_are_an_error() -> None:
    text = "define realm{\nrealm_name A\ndefault 1\n}\ndefine realm{\nrealm_name B\n}\n"
    found = loaded(text + host("h", "realm B") + daemon("scheduler", "s", "realm A"), BASE)

    assert [c.text for c in found.complaints if c.severity == "error"] == [
        "realm B has hosts but no scheduler"
    ]


def test_two_servers_on_one_machine_are_two_loopback_addresses() -> None:
    text = daemon("poller", "p1", "address 127.0.0.1") + daemon("poller", "p2", "address 127.0.0.3")

    assert loaded(text).good


# ------------------------------------------------------------------ whose arbiter


def arbiters(*named: tuple[str, str, str]) -> Cluster:
    return Cluster(
        name="c",
        daemons=tuple(
            DaemonDef(name=n, role="arbiter", address=a, port=7770, host_name=h, where=f"t.cfg:{i}")
            for i, (n, a, h) in enumerate(named, 1)
        ),
        servers=(),
    )


BOTH = arbiters(("a1", "192.0.2.1", "server1"), ("a2", "192.0.2.3", "server3"))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (MachineNames("server1"), "a1"),
        (MachineNames("server3", "server3.example.org"), "a2"),
        (MachineNames("SERVER3"), "a2"),
        (MachineNames("x", "y", chosen="server1"), "a1"),
        (MachineNames("server1", chosen="a2"), "a2"),
    ],
)
def test_an_arbiter_belongs_to_the_machine_that_its_host_name_names(
    names: MachineNames, expected: str
) -> None:
    found = which_arbiter(BOTH, names)

    assert isinstance(found, DaemonDef) and found.name == expected


def test_a_full_name_matches() -> None:
    found = which_arbiter(arbiters(("a", "x", "s.example.org")), MachineNames("s", "s.example.org"))

    assert isinstance(found, DaemonDef)


def test_without_host_name_the_address_decides() -> None:
    cluster = arbiters(("a1", "192.0.2.1", ""), ("a2", "192.0.2.3", ""))
    found = which_arbiter(cluster, MachineNames("x", addresses=("192.0.2.3",)))

    assert isinstance(found, DaemonDef) and found.name == "a2"


def test_a_wrong_host_name_is_refused_and_told_what_would_match() -> None:
    found = which_arbiter(BOTH, MachineNames("web9", "web9.example.org", ("192.0.2.3",)))

    assert isinstance(found, Complaint)
    assert str(found) == (
        "t.cfg:2: error: no arbiter belongs to this machine: web9 or web9.example.org would match,"
        " the arbiters say a1: host_name server1 at t.cfg:1, a2: host_name server3 at t.cfg:2"
        " (write 'host_name web9' in the arbiter of this machine, which by its address is a2)"
    )


def test_a_chosen_name_stands_for_all_others() -> None:
    assert isinstance(which_arbiter(BOTH, MachineNames("server1", chosen="server2")), Complaint)


def test_a_spare_of_the_realm_around_it_is_a_spare() -> None:
    realms = "define realm{\nrealm_name All\ndefault 1\nrealm_members Paris\n}\ndefine realm{\nrealm_name Paris\n}\n"
    masters = daemon("scheduler", "s-paris", "realm Paris", "address 10.0.0.1")
    masters += daemon("poller", "p-paris", "realm Paris", "address 10.0.0.3")
    outer = daemon("scheduler", "s-spare", "spare 1", "address 10.0.0.2")
    outer += daemon("poller", "p-spare", "spare 1", "address 10.0.0.2")

    def without_spare(text: str) -> list[str]:
        return [c.text for c in loaded(realms + text, BASE).complaints if "has no spare" in c.text]

    paris = {"scheduler s-paris has no spare", "poller p-paris has no spare"}
    assert paris <= set(without_spare(masters))
    assert not paris & set(without_spare(masters + outer))
    shut = outer.replace("poller_name p-spare", "poller_name p-spare\nmanage_sub_realms 0")
    assert paris & set(without_spare(masters + shut)) == {"poller p-paris has no spare"}


VOTER = "define keeper {\n keeper_name v3\n address three\n voter_only 1\n}\n"


def test_a_keeper_that_only_votes_makes_two_servers_three_votes() -> None:
    assert said(world() + VOTER) == []
    found = loaded(world() + VOTER).cluster
    assert found is not None
    assert [(s.name, s.voter_only) for s in found.servers] == [("one", False), ("v3", True), ("two", False)]
    assert len(voters_of(found)) == 3


def test_votes_do_not_make_a_second_server() -> None:
    alone = "".join(daemon(role, f"{role}-1", "address one") for role in ROLES)
    text = said(alone + VOTER + VOTER.replace("v3", "v4").replace("three", "four"))
    assert any("all daemons are on one server, one" in line for line in text)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("keeper_name v\n voter_only 1", "keeper v has no address"),
        ("keeper_name v\n address three", "keeper v does not say what it is for"),
        ("keeper_name v\n address two\n voter_only 1", "the server at two has daemons"),
        ("keeper_name one\n address three\n voter_only 1", "keeper one is called like the server at one"),
    ],
)
def test_a_keeper_that_cannot_be_meant_is_an_error(lines: str, why: str) -> None:
    assert any(why in line for line in said(world() + "define keeper {\n " + lines + "\n}\n"))


def test_a_keeper_that_only_votes_is_among_the_voters_when_not_all_can_be() -> None:
    servers = tuple(ServerDef(f"s{n}", f"s{n}", n, voter_only=n == 4) for n in (1, 2, 3, 4))
    found = Cluster(name="c", daemons=(), servers=servers)
    assert voters_of(found) == (1, 2, 4)


# ------------------------------------------------------------------ tags

TWO_REALMS = "define realm{\nrealm_name A\ndefault 1\nrealm_members B\n}\ndefine realm{\nrealm_name B\n}\n"
SERVED = (
    TWO_REALMS
    + daemon("scheduler", "sa", "port 9001")
    + daemon("scheduler", "sb", "realm B", "port 9002")
    + daemon("poller", "pa", "port 9003", "poller_tags None,dmz", "manage_sub_realms 0")
    + daemon("poller", "pb", "realm B", "port 9004")
)


def nobody(text: str) -> list[str]:
    return [c.text for c in loaded(text, BASE).complaints if "nobody would run them" in c.text]


def test_a_tag_that_only_a_poller_of_another_realm_takes_is_warned_of() -> None:
    assert nobody(SERVED + host("a", "check_command ok", "poller_tag dmz")) == []
    assert nobody(SERVED + host("b", "realm B", "check_command ok", "poller_tag dmz")) == [
        "no poller that serves realm B takes checks with the poller_tag dmz: nobody would run them"
    ]
    inside = SERVED.replace("manage_sub_realms 0", "manage_sub_realms 1")
    assert nobody(inside + host("b", "realm B", "check_command ok", "poller_tag dmz")) == []


def test_untagged_work_where_everybody_is_tagged_is_warned_of() -> None:
    tagged = daemon("poller", "p", "poller_tags dmz") + daemon("reactionner", "r", "reactionner_tags mail")  # fmt: skip

    assert nobody(tagged + host("h", "check_command ok")) == [
        "no poller that serves realm Default takes untagged checks: nobody would run them",
        "no reactionner that serves realm Default takes untagged notifications and event handlers:"
        " nobody would run them",
    ]
    assert nobody(tagged + host("h", "check_command ok", "poller_tag dmz", "reactionner_tag mail")) == []
    assert nobody(tagged + host("h", "reactionner_tag mail")) == []  # never checked


def test_a_reactionner_tag_that_nobody_takes_is_warned_of() -> None:
    assert nobody(host("h", "reactionner_tag sms")) == [
        "no reactionner that serves realm Default takes notifications and event handlers with the"
        " reactionner_tag sms: nobody would run them"
    ]
