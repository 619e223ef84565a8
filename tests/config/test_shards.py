"""Cutting a realm into shards: whole, stable, and the same whatever the order of the files."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.config.load import Loaded
from daemons.model.objects import ShardBody
from tests.config.test_daemondefs import daemon
from tests.config.texts import BASE, block, host, loaded, service


def schedulers(count: int, *lines: str) -> str:
    return "".join(daemon("scheduler", f"s{n}", f"port {9000 + n}", *lines) for n in range(count))


def hosts(count: int) -> str:
    return "".join(host(f"h{n:03d}") for n in range(count))


def bodies(found: Loaded) -> list[ShardBody]:
    assert found.good
    return [msgspec.msgpack.decode(body, type=ShardBody) for _, body in found.shards]


def placed(found: Loaded) -> dict[str, int]:
    return {h.name: body.id for body in bodies(found) for h in body.hosts}


def test_one_scheduler_runs_everything_and_a_spare_makes_no_shard() -> None:
    text = schedulers(1) + daemon("scheduler", "spare", "port 9999", "spare 1") + hosts(5)
    found = loaded(text + service("s", "host_name *"), BASE)

    ((shard, _),) = found.shards
    assert (shard.id, shard.realm, shard.hosts, shard.services) == (1, "Default", 5, 5)
    (body,) = bodies(found)
    assert [s.key for s in body.services] == [f"h{n:03d};s" for n in range(5)]
    assert {body.traits[s.traits].check_command for s in body.services} == {"ok"}


@pytest.mark.parametrize("count", [2, 3, 5])
def test_shards_hold_every_host_once_and_about_as_many_each(count: int) -> None:
    found = loaded(schedulers(count) + hosts(100) + service("s", "host_name *"), BASE)

    assert len(placed(found)) == 100 and sum(s.hosts for s, _ in found.shards) == 100
    assert all(0.75 * 100 / count <= s.hosts <= 1.25 * 100 / count for s, _ in found.shards)
    assert [s.id for s, _ in found.shards] == list(range(1, count + 1))


def test_a_host_stays_with_its_parents() -> None:
    text = (
        schedulers(3)
        + hosts(30)
        + "".join(
            host(f"c{n}", f"parents h{n:03d}") + host(f"d{n}", f"parents c{n}") for n in range(30)
        )
    )
    where = placed(loaded(text, BASE))

    assert all(where[f"h{n:03d}"] == where[f"c{n}"] == where[f"d{n}"] for n in range(30))
    assert len(set(where.values())) == 3


def test_a_new_host_moves_few_others() -> None:
    before = placed(loaded(schedulers(3) + hosts(200), BASE))
    after = placed(loaded(schedulers(3) + hosts(201), BASE))

    assert sum(before[name] != after[name] for name in before) <= 3


def test_a_changed_host_changes_only_the_version_of_its_shard() -> None:
    text = schedulers(3) + hosts(30)
    before = loaded(text + host("x", "notes 1"), BASE)
    after = loaded(text + host("x", "notes 2"), BASE)
    mine = placed(before)["x"]

    changed = [
        b.id for (b, _), (a, _) in zip(before.shards, after.shards, strict=True)
        if b.version != a.version
    ]  # fmt: skip
    assert changed == [mine]


def test_each_realm_has_its_own_shards_and_ids_that_another_realm_does_not_change() -> None:
    realms = "define realm{\nrealm_name Q\ndefault 1\nrealm_members M,B\n}\n" + "".join(
        f"define realm{{\nrealm_name {name}\n}}\n" for name in "MB"
    )
    text = realms + schedulers(2, "realm Q") + hosts(10) + host("m", "realm M")
    text += daemon("scheduler", "sm", "realm M", "port 8000")
    ids = {s.realm: s.id for s, _ in loaded(text, BASE).shards}
    more = (
        text
        + "define realm{\nrealm_name B\n}\n"
        + daemon("scheduler", "sb", "realm B", "port 8001")
    )
    ids_more = {s.realm: s.id for s, _ in loaded(more, BASE).shards}

    assert placed(loaded(text, BASE))["m"] == ids["M"]
    assert {realm: ids_more[realm] for realm in ids} == ids
    assert len(set(ids_more.values())) == 3


def test_a_shard_knows_the_tags_that_its_checks_ask_for() -> None:
    checked = "check_command ok"
    text = host("a", "poller_tag dmz", checked) + host("b", "reactionner_tag None", checked)
    found = loaded(text + host("never-checked", "poller_tag vpn") + DMZ, BASE)

    ((shard, _),) = found.shards
    assert (shard.poller_tags, shard.reactionner_tags) == (("", "dmz"), ("",))


def test_groups_of_a_shard_hold_only_its_hosts() -> None:
    text = "define hostgroup{\nhostgroup_name g\nmembers *\n}\n" + schedulers(2) + hosts(20)

    for body in bodies(loaded(text, BASE)):
        assert body.hostgroups[0].members == tuple(h.name for h in body.hosts)


DMZ = daemon("poller", "p", "poller_tags None,dmz")
BLOCKS = [
    *(host(f"h{n}", "use t", f"_N {n % 2}") for n in range(4)),
    host("child", "parents h1", "hostgroups g"),
    "define host{\nname t\nregister 0\ncontacts ann\nhostgroups +g\n}\n",
    "define hostgroup{\nhostgroup_name g\nmembers h2\n}\n",
    service("s", "hostgroup_name g"),
    service("t", "host_name h0,h1"),
    "define servicegroup{\nservicegroup_name sg\nmembers h0,t\n}\n",
    daemon("scheduler", "s0", "port 9000"),
    daemon("scheduler", "s1", "port 9001"),
    "cluster_name=x\n",
    "interval_length=2\n",
    BASE,
]


@given(st.permutations(BLOCKS))
@settings(max_examples=40, deadline=None)
def test_the_order_of_definitions_changes_nothing(blocks: list[str]) -> None:
    found = loaded("".join(blocks))
    usual = loaded("".join(BLOCKS))

    assert found.good
    assert [(s, body) for s, body in found.shards] == [(s, body) for s, body in usual.shards]
    assert found.cluster is not None and usual.cluster is not None
    assert [d.name for d in found.cluster.daemons] == [d.name for d in usual.cluster.daemons]


def test_a_shard_has_the_relations_of_its_own_objects_and_no_others() -> None:
    own = block(
        "resultmodulation", "resultmodulation_name r", "exit_codes_match 2", "exit_code_modulation 1"
    ) + block(
        "escalation", "escalation_name e", "contacts ann", "first_notification 1",
        "last_notification 0",
    )  # fmt: skip
    text = schedulers(3) + hosts(30) + host("x", "resultmodulations r", "escalations e") + own
    mine = placed(loaded(text, BASE))["x"]
    before = loaded(text, BASE)
    after = loaded(text.replace("exit_code_modulation 1", "exit_code_modulation 3"), BASE)

    assert [(b.id, len(b.escalations), len(b.result_modulations)) for b in bodies(before)] == [
        (n, int(n == mine), int(n == mine)) for n in (1, 2, 3)
    ]
    changed = {a.id for (b, _), (a, _) in zip(before.shards, after.shards, strict=True) if b != a}
    assert changed == {mine}


def test_a_dependency_is_in_the_shard_of_its_hosts() -> None:
    text = schedulers(3) + hosts(30)
    text += block("hostdependency", "host_name h001", "dependent_host_name h002", "execution_failure_criteria d")  # fmt: skip
    found = loaded(text, BASE)

    assert [(b.id, len(b.dependencies)) for b in bodies(found) if b.dependencies] == [
        (placed(found)["h001"], 1)
    ]


def test_a_shard_asks_for_the_tags_of_modulated_commands_too() -> None:
    text = daemon("poller", "p", "poller_tags dmz,None") + schedulers(1)
    text += block("command", "command_name far", "command_line /x", "poller_tag dmz")
    text += block("checkmodulation", "checkmodulation_name c", "check_command far!1")
    ((shard, _),) = loaded(text + host("h", "check_command ok", "checkmodulations c"), BASE).shards

    assert shard.poller_tags == ("", "dmz")
