"""Inheritance, asked of hosts, and seen in what they became."""

import pytest

from daemons.model.objects import Traits
from tests.config.texts import BASE, errors, host, loaded, warnings

GROUPS = "".join(
    f"define contact{{\nuse t\ncontact_name {n}\n}}\ndefine contactgroup{{\n"
    f"contactgroup_name g-{n}\nmembers {n}\n}}\n"
    for n in "abc"
) + (
    "define contact{\nname t\nregister 0\nhost_notification_period always\n"
    "service_notification_period always\nhost_notification_commands ok\n"
    "service_notification_commands ok\n}\n"
)


def template(name: str, *lines: str) -> str:
    return "\n".join(
        ["define host{", f"name {name}", "register 0", *lines, "}\n"],
    )


def traits(*texts: str) -> Traits:
    found = loaded("".join(texts), BASE + GROUPS)
    assert errors(found) == []
    (one,) = [h for h in found.objects.hosts if h.name == "h"]
    return found.objects.traits[one.traits]


@pytest.mark.parametrize(
    ("texts", "attempts"),
    [
        ([template("t1", "max_check_attempts 5"), host("h", "use t1")], 5),
        ([template("t1", "max_check_attempts 5"), host("h", "use t1", "max_check_attempts 2")], 2),
        ([template("t1", "max_check_attempts 5"), template("t2", "max_check_attempts 6"),
          host("h", "use t1,t2")], 5),
        ([template("t1", "max_check_attempts 5"), template("t2", "max_check_attempts 6"),
          host("h", "use t2 , t1")], 6),
        ([template("t1"), template("t2", "max_check_attempts 6"), host("h", "use t1,t2")], 6),
        ([template("t1", "use t2"), template("t2", "max_check_attempts 6"), host("h", "use t1")], 6),
        ([template("t1", "use t2", "max_check_attempts 5"), template("t2", "max_check_attempts 6"),
          host("h", "use t1")], 5),
        ([template("t1", "max_check_attempts 5"), host("h", "use t1", "max_check_attempts null")], 1),
        ([host("base", "name b", "max_check_attempts 7"), host("h", "use b")], 7),
    ],
)  # fmt: skip
def test_one_value_wins(texts: list[str], attempts: int) -> None:
    assert traits(*texts).max_check_attempts == attempts


@pytest.mark.parametrize(
    ("texts", "contacts"),
    [
        ([template("t1", "contact_groups g-a"), host("h", "use t1", "contact_groups +g-b")], "ab"),
        ([template("t1", "contact_groups g-a"), host("h", "use t1", "contact_groups g-b")], "b"),
        ([template("t1", "contact_groups g-a"), host("h", "use t1", "contact_groups null")], ""),
        ([template("t1", "contact_groups +g-a"), template("t2", "contact_groups g-b"),
          host("h", "use t1,t2", "contact_groups +g-c")], "abc"),
        ([template("t1", "contact_groups g-a"), template("t2", "contact_groups g-b"),
          host("h", "use t1,t2", "contact_groups +g-c")], "ac"),
        ([template("t1", "use t2", "contact_groups +g-a"), template("t2", "contact_groups g-b"),
          host("h", "use t1")], "ab"),
        ([template("t1", "use t0", "contact_groups +g-a"), template("t0", "contact_groups g-b"),
          template("t2", "contact_groups g-c"), host("h", "use t1,t2")], "abc"),
        ([template("t1", "use t0"), template("t0", "contact_groups +g-b"),
          template("t2", "contact_groups g-c"), host("h", "use t1,t2")], "bc"),
        ([template("t1", "contact_groups +g-a"), template("t2", "contact_groups null"),
          template("t3", "contact_groups g-c"), host("h", "use t1,t2,t3")], "ac"),
        ([template("t1", "use t2", "contact_groups +g-a"), template("t2", "contact_groups null"),
          host("h", "use t1")], "a"),
        ([host("h", "contact_groups +g-c")], "c"),
        ([host("h", "contacts a,b,!b")], "a"),
        ([host("h", "contacts *,!ann")], "abc"),
    ],
)  # fmt: skip
def test_a_plus_adds_to_what_the_templates_give(texts: list[str], contacts: str) -> None:
    assert traits(*texts).contacts == tuple(contacts)


def test_custom_variables_come_one_by_one_and_may_say_null() -> None:
    found = traits(
        template("t1", "_A 1", "_B 2"), template("t2", "_B 3", "_C 4"),
        host("h", "use t1,t2", "_a null", "_D +49 30"),
    )  # fmt: skip

    assert found.custom == {"A": "null", "B": "2", "C": "4", "D": "+49 30"}


def test_a_plus_adds_to_a_custom_variable_but_telephone_numbers_do_not() -> None:
    found = traits(
        template("t1", "_DISKS /,/var", "_PHONE 110", "_X x"),
        host("h", "use t1", "_DISKS +/home", "_PHONE +49 30", "_Y +y"),
    )  # fmt: skip

    assert found.custom == {"DISKS": "/,/var,/home", "PHONE": "+49 30", "X": "x", "Y": "+y"}


def test_the_names_of_all_templates_are_tags_also_of_those_that_do_not_exist() -> None:
    found = traits(
        template("t1", "use t0"), template("t0"), template("t2", "labels b,a"),
        host("h", "use t1, t2,nowhere", "labels +c"),
    )  # fmt: skip

    assert found.tags == ("t1", "t0", "t2", "nowhere")
    assert found.labels == ("a", "b", "c")


def test_a_plus_in_text_is_only_a_plus() -> None:
    assert traits(host("h", "notes +49 30 1234")).shown == {"notes": "+49 30 1234"}


def test_a_missing_template_is_a_warning_at_each_line_that_uses_it() -> None:
    found = loaded(
        template("generic-host") + host("a", "use generic-hots") + host("b", "use generic-hots"),
        BASE,
    )

    assert errors(found) == []
    assert warnings(found) == [
        "t.cfg:7: template generic-hots is not defined",
        "t.cfg:11: template generic-hots is not defined",
    ]
    assert [c.fix for c in found.complaints if c.where][-1] == "did you mean 'generic-host'?"


@pytest.mark.parametrize(
    "text",
    [
        template("x", "use x") + host("h", "use x"),
        template("x", "use y") + template("y", "use x") + host("h", "use y"),
        template("x", "use y") + template("y", "use x"),
    ],
)
def test_templates_in_a_circle_are_refused(text: str) -> None:
    said = errors(loaded(text, BASE))

    assert len(said) == 1 and "templates use each other in a circle" in said[0]


@pytest.mark.parametrize(("length", "said"), [(32, 0), (33, 1), (500, 1)])
def test_more_than_32_templates_in_a_row_are_refused_whoever_uses_them(
    length: int, said: int
) -> None:
    chain = [template(f"t{n:03}", f"use t{n + 1:03}") for n in range(1, length)]
    chain.append(template(f"t{length:03}", "max_check_attempts 4"))
    users = "".join(host(f"h{n}", f"use t{n:03}") for n in (length, length // 2, 1))

    found = errors(loaded("".join(chain) + users, BASE))

    assert len(found) == said
    assert all("more than 32 deep" in text for text in found)


def test_of_two_templates_of_one_name_the_lower_definition_order_counts() -> None:
    text = template("t", "definition_order 50", "max_check_attempts 2")
    text += template("t", "max_check_attempts 3") + host("h", "use t")

    assert traits(text).max_check_attempts == 2


def test_a_lattice_of_templates_is_read_once_each() -> None:
    """Thirty levels of two templates that each use both of the next: 2**30 paths, 60 templates."""
    text = (
        "".join(
            template(f"{side}{n}", f"use a{n + 1},b{n + 1}") for n in range(30) for side in "ab"
        )
        + template("a30", "max_check_attempts 4")
        + template("b30")
    )

    assert traits(text, host("h", "use a0,b0")).max_check_attempts == 4


def test_a_template_that_nobody_uses_may_refer_to_what_does_not_exist() -> None:
    assert errors(loaded(template("t1", "check_period never") + host("h"), BASE)) == []


def test_a_mistake_in_a_template_is_blamed_on_its_line_once() -> None:
    text = template("t1", "check_period alway") + host("a", "use t1") + host("b", "use t1", "_X 1")

    assert errors(loaded(text, BASE)) == [
        "t.cfg:4: template t1: check_period: time period alway is not defined"
    ]
