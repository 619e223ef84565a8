"""Which services a definition makes, and which of two of the same name stays."""

import pytest

from tests.config.texts import BASE, errors, host, loaded, service, warnings

WORLD = (
    "define hostgroup{\nhostgroup_name web\nmembers a,b\n}\n"
    "define hostgroup{\nhostgroup_name db\nmembers b,c\n}\n"
    "define hostgroup{\nhostgroup_name none\n}\n"
) + host("a") + host("b") + host("c")  # fmt: skip


def hosts_with(*lines: str) -> str:
    found = loaded(service("s", *lines), BASE + WORLD)
    assert errors(found) == []
    return "".join(s.host for s in found.objects.services)


@pytest.mark.parametrize(
    ("lines", "hosts"),
    [
        (["host_name a"], "a"),
        (["host_name a, c"], "ac"),
        (["host_name *"], "abc"),
        (["host_name *,!b"], "ac"),
        (["hostgroup_name web"], "ab"),
        (["hostgroup_name web,db"], "abc"),
        (["hostgroup_name web,!db"], "a"),
        (["hostgroup_name web&db"], "b"),
        (["hostgroup_name *"], "abc"),
        (["hostgroup_name web", "host_name !a"], "b"),
        (["hostgroup_name web", "host_name c"], "abc"),
        (["hostgroup_name none"], ""),
        (["hostgroups web"], "ab"),
    ],
)
def test_a_definition_makes_a_service_on_each_host_it_names(lines: list[str], hosts: str) -> None:
    assert hosts_with(*lines) == hosts


def test_targets_and_descriptions_are_inherited() -> None:
    text = "define service{\nname t\nregister 0\nhostgroup_name web\nservice_description s\n"
    text += "check_command ok\n}\ndefine service{\nuse t\nhost_name c\n}\n"
    found = loaded(text, BASE + WORLD)

    assert errors(found) == []
    assert [s.key for s in found.objects.services] == ["a;s", "b;s", "c;s"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (service("s", "host_name x"), "t.cfg:6: service s: host x is not defined"),
        (service("s", "hostgroup_name wbe"), "t.cfg:6: service s: hostgroup wbe is not defined"),
        (service("s"), "t.cfg:1: service s has neither host_name nor hostgroup_name"),
        (service("s", "hostgroup_name web&"), "t.cfg:6: service s: a group is missing in 'web&'"),
        (
            "define service{\nhost_name a\ncheck_command ok\n}\n",
            "t.cfg:1: a service without service_description",
        ),
        (
            service("a|b", "host_name a"),
            "t.cfg:2: service_description 'a|b' has characters that a name must not have: |",
        ),
    ],
)
def test_a_service_on_nothing_is_an_error(text: str, expected: str) -> None:
    assert errors(loaded(text, BASE + WORLD)) == [expected]


def test_an_unknown_host_among_others_is_only_a_warning() -> None:
    found = loaded(service("s", "host_name a,x"), BASE + WORLD)

    assert errors(found) == []
    assert warnings(found) == ["t.cfg:6: service s: host x is not defined"]
    assert [s.key for s in found.objects.services] == ["a;s"]


@pytest.mark.parametrize("named_first", [True, False])
def test_a_service_given_by_name_beats_that_of_a_group_silently(named_first: bool) -> None:
    named = service("s", "host_name a", "max_check_attempts 7")
    grouped = service("s", "hostgroup_name web")
    found = loaded(named + grouped if named_first else grouped + named, BASE + WORLD)

    assert warnings(found) == []
    traits = {s.host: found.objects.traits[s.traits] for s in found.objects.services}
    assert (traits["a"].max_check_attempts, traits["b"].max_check_attempts) == (7, 1)


def test_of_two_of_the_same_name_the_last_stays_with_a_warning() -> None:
    text = service("s", "host_name a", "max_check_attempts 2")
    text += service("s", "host_name a", "max_check_attempts 3")
    found = loaded(text, BASE + WORLD)

    assert warnings(found) == [
        "t.cfg:9: service s on a is defined twice, this one is used instead of t.cfg:1"
    ]
    assert found.objects.traits[found.objects.services[0].traits].max_check_attempts == 3


def test_the_lower_definition_order_stays_without_a_word() -> None:
    text = service("s", "host_name a", "definition_order 50", "max_check_attempts 2")
    text += service("s", "host_name a", "max_check_attempts 3")
    found = loaded(text, BASE + WORLD)

    assert warnings(found) == []
    assert found.objects.traits[found.objects.services[0].traits].max_check_attempts == 2
