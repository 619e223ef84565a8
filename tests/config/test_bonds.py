"""Hosts that depend on each other stay in one shard, and must be of one realm."""

import pytest

from tests.config.test_shards import hosts, placed, schedulers
from tests.config.texts import BASE, errors, host, loaded, service

COUNT = 40
REALMS = "".join(
    f"define realm{{\nrealm_name {name}\n{more}}}\n"
    for name, more in (("All", "default 1\nrealm_members Paris\n"), ("Paris", ""))
)
GROUP = "define hostgroup{\nhostgroup_name g\nmembers h000,h001,h002,h003\n}\n"


def dependency(kind: str, *lines: str) -> str:
    said = (*lines, "notification_failure_criteria u")
    return f"define {kind}dependency{{\n" + "".join(f"{line}\n" for line in said) + "}\n"


def together(text: str, *names: str) -> bool:
    return len({placed(loaded(text, BASE))[name] for name in names}) == 1


BOUND = [
    dependency("host", "host_name h000", "dependent_host_name h001,h002,h003"),
    dependency("host", "host_name h000", "dependent_hostgroup_name g", "dependent_host_name !h000"),
    dependency("service", "host_name h000", "service_description s", "dependent_host_name h001,h002,h003", "dependent_service_description s"),
    dependency("service", "hostgroup_name g", "host_name !h000", "service_description s", "dependent_host_name h000", "dependent_service_description s"),
    service("needs", "host_name h000", "service_dependencies h001,s,h002,s,h003,s"),
    service("rule", "host_name h000", "check_command bp_rule!h001 & (h002,s | !h003,s)"),
    service("rule", "host_name h000", "check_command bp_rule!2 of: h001,s & h002,s & h003,s"),
    service("rule", "host_name h000", "check_command bp_rule!2 of: g:g,s"),
    service("rule", "host_name h000", "check_command bp_rule!r:^h00[123]$,s"),
]  # fmt: skip


def test_without_a_bond_these_hosts_are_in_several_shards() -> None:
    assert not together(schedulers(4) + hosts(COUNT) + GROUP, "h000", "h001", "h002", "h003")


@pytest.mark.parametrize("text", BOUND)
def test_hosts_that_depend_on_each_other_are_in_one_shard(text: str) -> None:
    everything = schedulers(4) + hosts(COUNT) + GROUP + service("s", "host_name *") + text

    assert together(everything, "h000", "h001", "h002", "h003")


def test_a_dependency_between_services_of_the_same_host_binds_no_hosts() -> None:
    text = dependency(
        "service", "hostgroup_name g", "service_description s", "dependent_service_description t"
    )
    services = service("s", "host_name *") + service("t", "host_name *")

    assert not together(
        schedulers(4) + hosts(COUNT) + GROUP + services + text, "h000", "h001", "h002", "h003"
    )


def test_a_new_leaf_moves_nothing_of_its_pack() -> None:
    text = schedulers(4) + "".join(
        host(f"root{n}") + host(f"leaf{n}", f"parents root{n}") for n in range(20)
    )
    before = placed(loaded(text, BASE))
    more = "".join(host(f"a-leaf{n}", f"parents leaf{n}") for n in range(20))

    after = placed(loaded(text + more, BASE))
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (host("b", "realm Paris", "parents a"), "parents a"),
        (host("b", "realm Paris") + dependency("host", "host_name a", "dependent_host_name b"), "define hostdependency{"),
        (host("b", "realm Paris") + service("rule", "host_name b", "check_command bp_rule!a"), "check_command bp_rule!a"),
    ],
)  # fmt: skip
def test_bound_hosts_of_two_realms_are_complained_of_where_they_are_bound(
    text: str, line: str
) -> None:
    everything = REALMS + host("a") + text
    found = loaded(everything, BASE)

    (wrong,) = [c for c in found.complaints if "one scheduler must run both" in c.text]
    assert wrong.severity == "error" and "realm Paris" in wrong.text and "realm All" in wrong.text
    assert everything.splitlines()[int(wrong.where.rpartition(":")[2]) - 1].strip() == line


def test_one_definition_that_binds_many_hosts_across_realms_is_complained_of_once() -> None:
    text = REALMS + schedulers(1) + schedulers(1, "realm Paris").replace("s0", "p0").replace("9000", "9001")
    text += host("a") + "".join(host(f"b{n}", "realm Paris") for n in range(20))
    text += dependency("host", "host_name a", "dependent_host_name *,!a")
    said = [e for e in errors(loaded(text, BASE)) if "bound by" in e]

    assert len(said) == 1 and "host a is in realm All and bound by host dependency to host b" in said[0]
