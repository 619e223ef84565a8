"""The order of files, of definitions, of lines and of list members that has no meaning changes nothing.

A world that uses every rule of expansion is written down in one order and in random ones.
"""

import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.config.load import Loaded, load
from daemons.config.schema import attributes
from tests.config.texts import errors, reader

# Attributes whose members are a set: their order may change. The members of `use` and of
# service_overrides, and the words in a command, have an order.
SETS = attributes(
    """contacts contact_groups hostgroups servicegroups parents members hostgroup_members
    hostgroup_name notification_options host_notification_options service_notification_options
    service_excludes service_includes labels dependent_host_name exclude stalking_options
    execution_failure_criteria notification_failure_criteria escalation_options realm_members
    contactgroup_members servicegroup_members"""
)
WORLD = """
command: command_name ok / command_line /bin/true $ARG1$
command: command_name bad / command_line /bin/false
timeperiod: timeperiod_name always / sunday 00:00-24:00 / monday 00:00-24:00
timeperiod: timeperiod_name work / monday 09:00-17:00,18:00-19:00 / exclude always,night
timeperiod: timeperiod_name night / monday 00:00-06:00
contact: name c0 / register 0 / host_notification_period always / service_notification_period always / host_notification_commands ok / service_notification_commands ok / host_notification_options d,u,r / service_notification_options w,c,r
contact: contact_name ann / use c0 / contactgroups all,few
contact: contact_name bob / use c0 / _PHONE +49 30
contact: contact_name cid / use c0 / service_notification_options null
contactgroup: contactgroup_name all / members *,!bob / contactgroup_members few
contactgroup: contactgroup_name few / members bob
host: name h0 / register 0 / check_command ok!1 / max_check_attempts 3 / contact_groups few / hostgroups base / _disks /,/var$(80%)$,eth[0-2]$(1)$$(2)$ / check_period always
host: name h1 / use h0 / register 0 / contact_groups +all / hostgroups +web,db / _disks +/home / service_excludes CPU,Odd
host: name h2 / register 0 / contacts cid / hostgroups +db / service_overrides r:Disk,contacts +bob / labels x,y
host: host_name a / use h1,h2 / parents d,b / contacts +ann / service_overrides *,max_check_attempts 9
host: host_name b / use h2,h1 / notification_options r,d / stalking_options o,d
host: host_name c / use h0 / _!disks eth1,eth0 / contact_groups null / service_includes Disk /,r:W,Load,r:Disk eth
host: host_name d / realm All / business_impact 5 / _disks x
host: host_name e / use h1,nowhere / definition_order 5 / alias first
host: host_name e / use h2 / alias second
hostgroup: hostgroup_name base / members d,a
hostgroup: hostgroup_name web / realm All / hostgroup_members db,base
hostgroup: hostgroup_name db / notes n
hostgroup: hostgroup_name every / members *,!a
service: name s0 / register 0 / check_command ok / check_interval 5 / retry_interval 1 / servicegroups one / escalations e1
service: use s0 / hostgroup_name web,base,!db / service_description Web
service: use s0 / hostgroup_name every / service_description Load / contacts bob,ann / merge_host_contacts 1
service: use s0 / host_name b / service_description Load / max_check_attempts 7
service: name s1 / use s0 / register 0 / host_name h1&!h2,h0 / service_description CPU / servicegroups +two,one
service: use s0 / register 0 / host_name *,!nowhere / service_description Disk $KEY$ / check_command ok!$KEY$!$VALUE$ / duplicate_foreach _disks / default_value 5
service: use s0 / register 0 / host_name nowhere / service_description Ghost / definition_order 7
service: use s1 / host_name a,e / service_description Ghost / servicegroups null / labels z,y
servicegroup: servicegroup_name one / members d,Web
servicegroup: servicegroup_name two / servicegroup_members one
hostextinfo: hostgroup_name web / notes from afar
serviceextinfo: host_name a,b / service_description Web / icon_image x.png
escalation: escalation_name e1 / contacts bob,cid / contact_groups few / first_notification 2 / last_notification 4 / escalation_options c,w
serviceescalation: hostgroup_name web,db / service_description Web / contacts cid / first_notification 3 / last_notification 0
hostescalation: host_name a,b / contacts bob / first_notification 2 / last_notification 0
hostdependency: host_name d / dependent_host_name a,b / notification_failure_criteria u,d
servicedependency: host_name b / service_description Load / dependent_host_name b / dependent_service_description Web / execution_failure_criteria u,c
realm: realm_name All / default 1
"""
# what is complained of in every order, and nothing else
SAID = {
    "template nowhere is not defined",
}
Blocks = list[tuple[str, list[str]]]


def blocks() -> Blocks:
    found = []
    for line in WORLD.strip().splitlines():
        kind, _, rest = line.partition(": ")
        found.append((kind, rest.split(" / ")))
    return found


def read(files: dict[str, Blocks]) -> Loaded:
    texts = {
        name: "".join(f"define {kind}{{\n" + "\n".join(lines) + "\n}\n" for kind, lines in those)
        for name, those in files.items()
    }
    return load(list(texts), reader(texts))


def meaning(found: Loaded) -> tuple[object, ...]:
    """Return all that schedulers are given, and what operators are told, without the places."""
    told = {(c.severity, c.text) for c in found.complaints}
    return ([encoded for _, encoded in found.shards], told, found.counts, found.objects.hostgroups)


@cache
def expected() -> tuple[object, ...]:
    found = read({"one.cfg": blocks()})
    assert errors(found) == []
    assert len(found.objects.services) > 20
    return meaning(found)


def test_the_world_is_as_odd_as_it_should_be() -> None:
    found = read({"one.cfg": blocks()})

    said = {c.text for c in found.complaints if c.where}
    assert said >= SAID
    keys = [s.key for s in found.objects.services]
    assert "c;Disk eth2" in keys and "c;Disk eth1" not in keys
    assert "a;CPU" not in keys and "d;Disk x" in keys and "e;Ghost" in keys
    assert [h.alias for h in found.objects.hosts if h.name == "e"] == ["first"]


def shuffled(line: str, chance: random.Random) -> str:
    attr, _, value = line.partition(" ")
    if attr not in SETS:
        return line
    plus, value = ("+", value[1:]) if value.startswith("+") else ("", value)
    if attr == "members" and ",Web" in value:  # pairs
        return line
    members = value.split(",")
    chance.shuffle(members)
    blank = chance.choice(["", " ", "\t"])
    return f"{attr} {plus}" + f"{blank},{blank}".join(members)


@given(st.integers(0, 2**32), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_no_order_matters(seed: int, files: int) -> None:
    chance = random.Random(seed)
    those = [(kind, [shuffled(line, chance) for line in lines]) for kind, lines in blocks()]
    for kind, lines in those:
        if kind != "timeperiod":  # its ranges are kept as written
            chance.shuffle(lines)
    chance.shuffle(those)
    spread: dict[str, Blocks] = {f"{n}.cfg": [] for n in range(files)}
    for block in those:
        spread[chance.choice(list(spread))].append(block)

    assert meaning(read(spread)) == expected()


@pytest.mark.parametrize("attr", ["use", "check_command"])
def test_the_check_of_orders_would_notice(attr: str) -> None:
    """Change what has a meaning, and the comparison above must fail."""
    those = blocks()
    for _, lines in those:
        for n, line in enumerate(lines):
            if line in ("use h1,h2", "check_command ok!1"):
                lines[n] = (
                    {"use": "use h2,h1", "check_command": "check_command ok!2"}[attr]
                    if (line.startswith(attr))
                    else line
                )

    assert meaning(read({"one.cfg": those})) != expected()
