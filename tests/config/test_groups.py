"""Lists of names, nested groups and expressions over host groups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.config.groups import BadExpression, hosts_of, pick
from tests.config.texts import BASE, errors, host, loaded

GROUPS = {"web": {"a", "b"}, "db": {"b", "c"}, "old": {"c"}, "none": set[str](), "two words": {"d"}}
EVERYBODY = "abcd"


@pytest.mark.parametrize(
    ("value", "names", "unknown"),
    [
        ("a", "a", ()),
        (" b , a ,", "ba", ()),
        ("*", "abcd", ()),
        ("*,!b", "acd", ()),
        ("!b,*", "acd", ()),
        ("a,a,b,! a", "b", ()),
        ("a,x,y", "a", ("x", "y")),
        ("", "", ()),
    ],
)
def test_a_list_picks(value: str, names: str, unknown: tuple[str, ...]) -> None:
    picked = pick(value, EVERYBODY)

    assert (picked.names, picked.unknown) == (tuple(names), unknown)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("web", "ab"),
        ("web,db", "abc"),
        ("web|db", "abc"),
        ("web&db", "b"),
        ("web+db", "b"),
        ("web,!db", "a"),
        ("!db,web", "a"),
        ("web&!db", "a"),
        ("*,!db", "ad"),
        ("*&!db", "ad"),
        ("two words,web", "abd"),
        ("(web,db)&!old", "ab"),
        ("web&(db|old)", "b"),
        ("!(web|db),*", "d"),
        ("old,web&db", "bc"),
        ("none", ""),
        ("!web", ""),
        (",web,,", "ab"),
        ("!!web", "ab"),
    ],
)
def test_an_expression_picks_hosts(expression: str, expected: str) -> None:
    assert hosts_of(expression, GROUPS, EVERYBODY) == (set(expected), ())


def test_an_expression_names_the_groups_it_does_not_know() -> None:
    assert hosts_of("web,wbe&db", GROUPS, EVERYBODY) == ({"a", "b"}, ("wbe",))


@pytest.mark.parametrize("expression", ["(web", "web)", "web&", "&web", "!", "web&,db", "(" * 99])
def test_an_expression_that_cannot_be_read_is_refused(expression: str) -> None:
    with pytest.raises(BadExpression):
        hosts_of(expression, GROUPS, EVERYBODY)


@given(st.text(alphabet="web,db|&+!()* ", max_size=30))
def test_no_expression_gives_hosts_that_do_not_exist(expression: str) -> None:
    try:
        found, _ = hosts_of(expression, GROUPS, EVERYBODY)
    except BadExpression:
        return
    assert found <= set(EVERYBODY)


def group(name: str, *lines: str) -> str:
    return "\n".join(["define hostgroup{", f"hostgroup_name {name}", *lines, "}\n"])


def members(text: str) -> dict[str, str]:
    found = loaded(text, BASE)
    assert errors(found) == []
    return {g.name: "".join(g.members) for g in found.objects.hostgroups}


def test_members_come_from_three_sides() -> None:
    text = (
        group("all", "members a", "hostgroup_members inner")
        + group("inner", "hostgroup_members innermost")
        + group("innermost", "members c")
        + host("a") + host("b", "hostgroups all,inner") + host("c") + host("d")
    )  # fmt: skip

    assert members(text) == {"all": "abc", "inner": "bc", "innermost": "c"}


def test_a_host_carries_every_group_that_it_is_in() -> None:
    text = group("outer", "hostgroup_members inner") + group("inner", "members a") + host("a")
    found = loaded(text, BASE)

    assert found.objects.traits[found.objects.hosts[0].traits].groups == ("inner", "outer")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (group("g", "members a,x") + host("a"), "t.cfg:3: hostgroup g: host x is not defined"),
        (host("a", "hostgroups g"), "t.cfg:3: host a: hostgroup g is not defined"),
        (group("g", "hostgroup_members x"), "t.cfg:3: hostgroup g: hostgroup x is not defined"),
        (
            group("g", "hostgroup_members h") + group("h", "hostgroup_members g"),
            "t.cfg:3: hostgroups contain each other in a circle: g -> h -> g",
        ),
    ],
)
def test_what_does_not_fit_is_said_with_its_line(text: str, expected: str) -> None:
    assert errors(loaded(text, BASE)) == [expected]


def test_a_service_group_takes_pairs_and_the_word_of_the_service() -> None:
    text = (
        "define servicegroup{\nservicegroup_name g\nmembers a,s,b,s\n}\n"
        "define servicegroup{\nservicegroup_name outer\nservicegroup_members g\n}\n"
        + host("a") + host("b") + host("c")
        + "define service{\nhost_name *\nservice_description s\ncheck_command ok\n}\n"
        + "define service{\nhost_name a\nservice_description t\ncheck_command ok\n"
        "servicegroups outer\n}\n"
    )  # fmt: skip
    found = loaded(text, BASE)
    assert errors(found) == []

    assert {g.name: g.members for g in found.objects.servicegroups} == {
        "g": ("a;s", "b;s"), "outer": ("a;s", "a;t", "b;s"),
    }  # fmt: skip
    groups = {s.key: found.objects.traits[s.traits].groups for s in found.objects.services}
    assert groups == {"a;s": ("g", "outer"), "b;s": ("g", "outer"), "c;s": (), "a;t": ("outer",)}


def test_hundreds_of_groups_in_each_other_are_no_problem() -> None:
    text = "".join(
        f"define hostgroup{{\nhostgroup_name g{n:03}\nhostgroup_members g{n + 1:03}\n}}\n"
        for n in range(600)
    )
    text += "define hostgroup{\nhostgroup_name g600\nmembers h\n}\n"
    found = loaded(text + host("h"), BASE)

    assert errors(found) == []
    assert {g.members for g in found.objects.hostgroups} == {("h",)}


def test_whom_a_group_excludes_is_no_member_whoever_says_so() -> None:
    text = (
        "define hostgroup{\nhostgroup_name g\nmembers *,!b\nhostgroup_members i\n}\n"
        "define hostgroup{\nhostgroup_name i\nmembers b\n}\n"
        "define contactgroup{\ncontactgroup_name c\nmembers *,!bob\n}\n"
        "define contact{\ncontact_name bob\ncontactgroups c\nhost_notification_period always\n"
        "service_notification_period always\nhost_notification_commands ok\n"
        "service_notification_commands ok\n}\n"
    )
    found = loaded(text + host("a") + host("b", "hostgroups g"), BASE)

    assert errors(found) == []
    assert [(g.name, g.members) for g in found.objects.hostgroups] == [("g", ("a",)), ("i", ("b",))]
    assert [g.members for g in found.objects.contactgroups] == [("ann",)]


def test_excluding_what_is_not_there_is_a_warning_with_a_hint() -> None:
    text = "define hostgroup{\nhostgroup_name g\nmembers *,!web2\n}\n"
    text += "define contactgroup{\ncontactgroup_name c\nmembers *,!anne\n}\n"
    found = loaded(text + host("web1"), BASE)

    assert errors(found) == []
    assert [(c.where, c.text, c.fix) for c in found.complaints if "excluded" in c.text] == [
        ("t.cfg:3", "hostgroup g: web2 is excluded and not defined", "did you mean 'web1'?"),
        ("t.cfg:7", "contactgroup c: anne is excluded and not defined", "did you mean 'ann'?"),
    ]
