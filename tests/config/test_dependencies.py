"""Which object depends on which, as the files say it."""

import pytest

from daemons.model.relations import Dependency
from tests.config.texts import BASE, block, errors, host, loaded, service, warnings

ALL = block("hostgroup", "hostgroup_name g", "members h1,h2,h3")
SOME = block("servicegroup", "servicegroup_name sg", "members h1,s,h2,s")
TEXT = (
    "".join(host(f"h{n}") for n in (1, 2, 3))
    + ALL
    + service("s", "host_name *")
    + service("t", "host_name *")
    + service("u", "host_name h1")
    + SOME
)
U = "notification_failure_criteria u"


def of_hosts(*lines: str) -> str:
    return block("hostdependency", *lines)


def of_services(*lines: str) -> str:
    return block("servicedependency", *lines)


def dependencies(text: str) -> tuple[Dependency, ...]:
    found = loaded(TEXT + text, BASE)
    assert errors(found) == []
    return found.objects.dependencies


def pairs(text: str) -> set[tuple[str, str]]:
    return {(one.dependent, one.on) for one in dependencies(text)}


def test_a_host_dependency_says_who_when_and_in_which_states() -> None:
    text = of_hosts(
        "host_name h1", "dependent_host_name h2", "execution_failure_criteria d,p",
        "notification_failure_criteria unreachable,down", "inherits_parent 1",
        "dependency_period always",
    )  # fmt: skip

    assert dependencies(text) == (
        Dependency(
            dependent="h2", on="h1", execution=("d", "p"), notification=("d", "u"),
            period="always", inherits_parent=True,
        ),
    )  # fmt: skip


def test_the_letter_a_is_all_and_n_is_none() -> None:
    (one,) = dependencies(
        of_hosts("host_name h1", "dependent_host_name h2", "execution_failure_criteria a",
                 "notification_failure_criteria n")
    )  # fmt: skip

    assert (one.execution, one.notification) == (("o", "d", "u", "p"), ())


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("host_name h1", "dependent_host_name h2,h3"), {("h2", "h1"), ("h3", "h1")}),
        (("host_name h1,h2", "dependent_host_name h3"), {("h3", "h1"), ("h3", "h2")}),
        (("host_name h1", "dependent_host_name *,!h1"), {("h2", "h1"), ("h3", "h1")}),
        (
            ("host_name h1", "dependent_hostgroup_name g", "dependent_host_name !h1"),
            {("h2", "h1"), ("h3", "h1")},
        ),
        (
            ("hostgroup_name g", "host_name !h3", "dependent_host_name h3"),
            {("h3", "h1"), ("h3", "h2")},
        ),
    ],
)
def test_host_dependencies_take_lists_groups_stars_and_exclusions(
    lines: tuple[str, ...], expected: set[tuple[str, str]]
) -> None:
    assert pairs(of_hosts(*lines, U)) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ("host_name h1", "service_description s", "dependent_host_name h2",
             "dependent_service_description s,t"),
            {("h2;s", "h1;s"), ("h2;t", "h1;s")},
        ),
        (
            ("host_name h1,h2", "service_description s", "dependent_service_description t"),
            {("h1;t", "h1;s"), ("h2;t", "h2;s")},
        ),
        (
            ("hostgroup_name g", "service_description s", "dependent_service_description t"),
            {("h1;t", "h1;s"), ("h2;t", "h2;s"), ("h3;t", "h3;s")},
        ),
        (
            ("hostgroup_name g", "explode_hostgroup 1", "dependent_hostgroup_name g",
             "service_description s", "dependent_service_description t"),
            {("h1;t", "h1;s"), ("h2;t", "h2;s"), ("h3;t", "h3;s")},
        ),
        (
            ("hostgroup_name g", "host_name !h1", "service_description s",
             "dependent_hostgroup_name g", "dependent_host_name !h2,!h3",
             "dependent_service_description t"),
            {("h1;t", "h2;s"), ("h1;t", "h3;s")},
        ),
        (
            ("host_name h1", "service_description s", "dependent_service_description *,!s"),
            {("h1;t", "h1;s"), ("h1;u", "h1;s")},
        ),
        (
            ("servicegroup_name sg", "dependent_service_description t"),
            {("h1;t", "h1;s"), ("h2;t", "h2;s")},
        ),
        (
            ("host_name h3", "service_description s", "dependent_servicegroup_name sg"),
            {("h1;s", "h3;s"), ("h2;s", "h3;s")},
        ),
    ],
)  # fmt: skip
def test_service_dependencies_are_of_the_same_host_unless_they_say_otherwise(
    lines: tuple[str, ...], expected: set[tuple[str, str]]
) -> None:
    assert pairs(of_services(*lines, U)) == expected


def test_a_service_may_name_what_it_depends_on_itself() -> None:
    text = service("v", "host_name h2", "service_dependencies h1,s,,t")

    assert dependencies(text) == tuple(
        Dependency(
            dependent="h2;v", on=on, notification=("u", "c", "w"), inherits_parent=True
        )
        for on in ("h1;s", "h2;t")
    )


def test_a_host_may_override_what_a_service_depends_on() -> None:
    text = host("h4", "hostgroups g", "service_overrides s,service_dependencies h1,t")

    assert pairs(text) == {("h4;s", "h1;t")}


def test_what_a_service_depends_on_may_hang_on_its_key() -> None:
    text = (
        host("h4", "_disks a,b")
        + service("X $KEY$", "host_name h4", "duplicate_foreach _disks")
        + service("D $KEY$", "host_name h4", "duplicate_foreach _disks", "service_dependencies ,X $KEY$")
    )

    assert pairs(text) == {("h4;D a", "h4;X a"), ("h4;D b", "h4;X b")}


def test_templates_and_old_spellings_work_for_dependencies() -> None:
    text = of_hosts("name d", "register 0", "notification_failure_options d") + of_hosts(
        "use d", "host_name h1", "dependent_hostgroup g", "dependent_host_name !h1"
    )

    assert pairs(text) == {("h2", "h1"), ("h3", "h1")}


def test_the_same_dependency_twice_is_one() -> None:
    text = of_hosts("host_name h1", "dependent_host_name h2", U)

    assert len(dependencies(text + text)) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (of_hosts("host_name h1", "dependent_host_name h9", U), "hostdependency: host h9 is not defined"),
        (of_hosts("hostgroup_name x", "dependent_host_name h1", U), "hostdependency: hostgroup x is not defined"),
        (of_hosts("host_name h1", "dependent_host_name h1", U), "host h1 depends on itself"),
        (of_hosts("host_name h1", "dependent_hostgroup_name g", U), "host h1 depends on itself"),
        (of_hosts("host_name h1", "dependent_host_name h2", "dependency_period no", U), "dependency_period: time period no is not defined"),
        (of_services("host_name h1", "service_description s", U), "dependent_service_description is missing"),
        (of_services("host_name h1", "dependent_service_description s", U), ": service_description is missing"),
        (of_services("hostgroup_name g", "service_description s", "dependent_service_description u", U), "service u on host h2 is not defined"),
        (of_services("servicegroup_name no", "dependent_service_description u", U), "servicegroup no is not defined"),
        (of_services("host_name h1", "service_description s", "dependent_service_description s", U), "service s on h1 depends on itself"),
        (service("v", "host_name h1", "service_dependencies h1,no"), "service_dependencies: service no on host h1 is not defined"),
        (service("v", "host_name h1", "service_dependencies h1,s,h2"), "service_dependencies are not pairs"),
        (of_hosts("host_name h1", "dependent_host_name h2", U) + of_hosts("host_name h2", "dependent_host_name h1", U), "notification dependencies go in a circle: host h1 -> host h2 -> host h1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(text: str, complaint: str) -> None:
    found = loaded(TEXT + text, BASE)

    assert any(complaint in error for error in errors(found)), errors(found)
    assert all(error.startswith("t.cfg:") for error in errors(found))


def test_checks_one_way_and_notifications_the_other_are_no_circle() -> None:
    text = of_hosts("host_name h1", "dependent_host_name h2", U) + of_hosts(
        "host_name h2", "dependent_host_name h1", "execution_failure_criteria d"
    )

    assert pairs(text) == {("h2", "h1"), ("h1", "h2")}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (of_hosts("host_name h1", "dependent_host_name h2"), "has no effect"),
        (of_hosts("host_name h1", U), "it names none that depends"),
        (of_hosts("host_name h1", "dependent_host_name h2", "execution_failure_criteria w", U), "has no 'w'"),
    ],
)  # fmt: skip
def test_what_does_nothing_is_a_warning(text: str, complaint: str) -> None:
    found = loaded(TEXT + text, BASE)

    assert found.good and any(complaint in warning for warning in warnings(found))


def test_a_host_that_leaves_services_out_is_only_warned_of() -> None:
    text = host("h4", "service_excludes u", "hostgroups g") + of_services(
        "host_name h4", "service_description s", "dependent_service_description u", U
    )
    found = loaded(TEXT + text, BASE)

    assert any("service u on host h4 is not defined" in one for one in warnings(found))
