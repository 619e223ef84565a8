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


TEMPLATES = (
    "define host{\nname linux\nregister 0\n}\ndefine host{\nname debian\nuse linux\nregister 0\n}\n"
    "define host{\nname web\nregister 0\n}\ndefine host{\nname lonely\nregister 0\n}\n"
    + host("a", "use linux") + host("b", "use debian,web") + host("c", "use web,ghost") + host("d")
)  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "hosts"),
    [
        ("linux", "ab"),
        ("debian", "b"),
        ("linux,web", "abc"),
        ("linux | web", "abc"),
        ("linux&web", "b"),
        ("linux+web", "b"),
        ("linux&!web", "a"),
        ("linux,!web", "a"),
        ("*", "abcd"),
        ("*,!linux", "cd"),
        ("*&!(linux&web)", "acd"),
        ("(linux,web)&!debian", "ac"),
        ("lonely", ""),
        ("ghost", "c"),  # a template that is not defined is a tag all the same
    ],
)
def test_a_service_template_is_bound_to_the_hosts_of_host_templates(
    expression: str, hosts: str
) -> None:
    found = loaded(service("s", "register 0", f"host_name {expression}") + TEMPLATES, BASE)

    assert errors(found) == []
    assert [s.key for s in found.objects.services] == [f"{h};s" for h in hosts]


def test_the_binding_and_the_description_may_be_inherited() -> None:
    text = "define service{\nname t\nregister 0\nhost_name web\n}\n"
    text += (
        "define service{\nname u\nuse t\nregister 0\nservice_description s\ncheck_command ok\n}\n"
    )
    found = loaded(text + TEMPLATES, BASE)

    assert errors(found) == []
    assert [s.key for s in found.objects.services] == ["b;s", "c;s"]


def test_a_template_that_names_hosts_for_others_makes_nothing_itself() -> None:
    text = "define service{\nname t\nregister 0\nhost_name a\nservice_description s\n}\n"
    found = loaded(text + TEMPLATES, BASE)

    assert (errors(found), found.objects.services) == ([], ())
    assert [w for w in warnings(found) if "s:" in w] == []


def test_a_binding_to_nothing_is_a_warning_with_a_hint() -> None:
    found = loaded(service("s", "register 0", "host_name linus") + TEMPLATES, BASE)

    assert "t.cfg:7: service template s: there is no host template linus" in warnings(found)
    assert "did you mean 'linux'?" in [c.fix for c in found.complaints]
    assert errors(found) == []


def test_a_binding_that_cannot_be_read_is_an_error() -> None:
    found = loaded(service("s", "register 0", "host_name (linux") + TEMPLATES, BASE)

    assert errors(found) == ["t.cfg:7: service template s: a ')' is missing in '(linux'"]


@pytest.mark.parametrize("named_first", [True, False])
@pytest.mark.parametrize("how", ["host_name b", "hostgroup_name g"])
def test_a_bound_service_gives_way_to_one_that_means_the_host(how: str, named_first: bool) -> None:
    bound = service("s", "register 0", "host_name web", "max_check_attempts 5")
    other = service("s", how, "max_check_attempts 7")
    group = "define hostgroup{\nhostgroup_name g\nmembers b\n}\n" + TEMPLATES
    found = loaded((other + bound if named_first else bound + other) + group, BASE)

    assert [w for w in warnings(found) if "twice" in w] == []
    traits = {s.host: found.objects.traits[s.traits] for s in found.objects.services}
    assert (traits["b"].max_check_attempts, traits["c"].max_check_attempts) == (7, 5)


def test_a_lower_definition_order_beats_even_a_name() -> None:
    bound = service("s", "register 0", "host_name web", "definition_order 1", "is_volatile 1")
    found = loaded(bound + service("s", "host_name b") + TEMPLATES, BASE)

    assert all(found.objects.traits[s.traits].is_volatile for s in found.objects.services)


def test_a_group_whose_name_looks_like_an_expression_is_that_group() -> None:
    text = service("s", "hostgroup_name c++, webdb")
    text += "define hostgroup{\nhostgroup_name c++\nmembers a\n}\n"
    text += "define hostgroup{\nhostgroup_name webdb\nmembers c\n}\n"
    found = loaded(text + service("t", "hostgroup_name web,db"), BASE + WORLD)

    assert errors(found) == []
    assert [s.key for s in found.objects.services] == ["a;s", "a;t", "b;t", "c;s", "c;t"]


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


def test_a_service_on_a_host_template_is_told_how_to_bind() -> None:
    found = loaded(service("s", "host_name web") + TEMPLATES, BASE)

    assert errors(found) == ["t.cfg:6: service s: host web is not defined"]
    assert "it is a host template: 'register 0' binds a service to it" in [
        c.fix for c in found.complaints
    ]
