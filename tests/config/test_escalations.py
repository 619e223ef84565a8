"""Escalations, as the files say them."""

import pytest

from daemons.config.load import Loaded
from daemons.model.relations import Escalation
from tests.config.texts import BASE, block, errors, host, loaded, service, warnings

PEOPLE = block("contact", "contact_name bob", "use p") + block(
    "contactgroup", "contactgroup_name night", "members bob,ann"
)
TEMPLATE = block(
    "contact", "name p", "register 0", "host_notification_commands ok", "service_notification_commands ok",
    "host_notification_period always", "service_notification_period always",
)  # fmt: skip
TEXT = (
    TEMPLATE
    + PEOPLE
    + host("h1")
    + host("h2")
    + block("hostgroup", "hostgroup_name g", "members h1,h2")
    + service("s", "host_name *")
    + service("t", "host_name h1")
    + block("servicegroup", "servicegroup_name sg", "members h1,s,h2,s")
)
BY_NUMBER = ("first_notification 2", "last_notification 5")


def good(text: str) -> Loaded:
    found = loaded(TEXT + text, BASE)
    assert errors(found) == []
    return found


def escalations(text: str) -> tuple[Escalation, ...]:
    return good(text).objects.escalations


def named_by(found: Loaded) -> dict[str, tuple[str, ...]]:
    objects = found.objects
    both = [(h.name, h.traits) for h in objects.hosts] + [(s.key, s.traits) for s in objects.services]
    return {
        key: objects.traits[n].escalations for key, n in both if objects.traits[n].escalations
    }


def test_an_escalation_by_number() -> None:
    text = block(
        "escalation", "escalation_name e", *BY_NUMBER, "contacts ann", "contact_groups night",
        "notification_interval 10", "escalation_options d,critical", "escalation_period always",
    )  # fmt: skip

    assert escalations(text) == (
        Escalation(
            name="e", contacts=("ann", "bob"), options=("d", "c"), period="always",
            first_notification=2, last_notification=5, notification_interval_s=600.0,
        ),
    )  # fmt: skip


def test_an_escalation_by_time_is_in_units_of_interval_length() -> None:
    lines = ("first_notification_time 30", "last_notification_time 0", "contacts ann")
    text = block("escalation", "escalation_name e", *lines)
    (minutes,) = escalations(text)
    (seconds,) = escalations(text + "interval_length=1\n")

    assert minutes == Escalation(
        name="e", contacts=("ann",), by_time=True, first_notification_time_s=1800.0
    )
    assert seconds.first_notification_time_s == 30.0


def test_an_object_asks_those_it_names_first_then_those_that_name_it() -> None:
    text = (
        block("escalation", "escalation_name z", *BY_NUMBER, "contacts ann")
        + block("escalation", "escalation_name a", *BY_NUMBER, "contacts bob")
        + host("h3", "escalations z,a")
        + service("s3", "host_name h3")
        + block("hostescalation", "host_name h3", "first_notification 9", "last_notification 0", "contacts ann")
        + block("hostescalation", "host_name h3", "first_notification 3", "last_notification 0", "contacts ann")
    )  # fmt: skip
    names = named_by(good(text))
    by_name = {e.name: e for e in escalations(text)}

    assert names["h3"][:2] == ("z", "a")
    assert [by_name[n].first_notification for n in names["h3"][2:]] == [3, 9]
    assert names["h3;s3"] == ("z", "a")  # what a service takes from its host is what that one names


@pytest.mark.parametrize(
    ("kind", "lines", "expected"),
    [
        ("hostescalation", ("host_name h1",), {"h1"}),
        ("hostescalation", ("hostgroup_name g", "host_name !h2"), {"h1"}),
        ("hostescalation", ("host_name *",), {"h1", "h2"}),
        ("serviceescalation", ("host_name h1", "service_description *"), {"h1;s", "h1;t"}),
        ("serviceescalation", ("hostgroup_name g", "service_description s"), {"h1;s", "h2;s"}),
        ("serviceescalation", ("servicegroup_name sg",), {"h1;s", "h2;s"}),
    ],
)
def test_escalations_that_name_their_objects(
    kind: str, lines: tuple[str, ...], expected: set[str]
) -> None:
    found = good(block(kind, *lines, *BY_NUMBER, "contacts bob"))

    assert set(named_by(found)) == expected
    (one,) = found.objects.escalations
    assert set(named_by(found).values()) == {(one.name,)}
    assert (one.contacts, one.notification_interval_s) == (("bob",), -1.0)


def test_two_that_say_the_same_are_one_and_the_name_does_not_hang_on_the_others() -> None:
    mine = block("hostescalation", "host_name h1", *BY_NUMBER, "contacts bob")
    other = block("hostescalation", "host_name h2", *BY_NUMBER, "contacts bob")
    (alone,) = escalations(mine)

    assert escalations(mine + other) == (alone,)
    assert alone in escalations(
        block("hostescalation", "host_name h2", *BY_NUMBER, "contacts ann") + mine
    )


def test_one_that_names_nobody_is_for_the_contacts_of_the_object() -> None:
    (one,) = escalations(block("hostescalation", "host_name h1", *BY_NUMBER))

    assert one.contacts == ()


def test_a_group_of_whose_hosts_some_lack_the_service_is_a_warning() -> None:
    found = good(
        block("serviceescalation", "hostgroup_name g", "service_description t", *BY_NUMBER,
              "contacts ann")
    )  # fmt: skip

    assert set(named_by(found)) == {"h1;t"}
    assert any("service t on host h2 is not defined" in one for one in warnings(found))


@pytest.mark.parametrize(
    ("first", "last", "never"), [("5", "2", True), ("2", "2", False), ("5", "0", False)]
)
def test_one_that_ends_before_it_begins_is_warned_of(first: str, last: str, never: bool) -> None:
    for unit in ("", "_time"):
        lines = (f"first_notification{unit} {first}", f"last_notification{unit} {last}")
        found = good(block("escalation", "escalation_name e", "contacts ann", *lines))

        assert any("escalation e never applies" in one for one in warnings(found)) == never


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (block("escalation", "escalation_name e", *BY_NUMBER), "escalation e: it names neither contacts"),
        (block("escalation", "escalation_name e", "contacts ann", "first_notification 1"), "last_notification is missing"),
        (block("escalation", "escalation_name e", "contacts ann", "last_notification_time 1"), "first_notification_time is missing"),
        (block("escalation", "escalation_name e", "contacts anne", *BY_NUMBER), "contacts: contact anne is not defined"),
        (block("escalation", "escalation_name e", "contact_groups x", *BY_NUMBER), "contact group x is not defined"),
        (block("escalation", "escalation_name e", "contacts ann", "escalation_period x", *BY_NUMBER), "time period x is not defined"),
        (block("hostescalation", "host_name h9", "contacts ann", *BY_NUMBER), "hostescalation: host h9 is not defined"),
        (block("serviceescalation", "host_name h1", "contacts ann", *BY_NUMBER), "service_description is missing"),
        (block("serviceescalation", "host_name h2", "service_description t", "contacts ann", *BY_NUMBER), "service t on host h2 is not defined"),
        (host("h4", "escalations nix"), "host h4: escalations: escalation nix is not defined"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(text: str, complaint: str) -> None:
    found = loaded(TEXT + text, BASE)

    assert any(complaint in error for error in errors(found)), errors(found)
