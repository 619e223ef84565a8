"""Escalations: which apply to which notification, whom they name, how often, and when the next one begins."""

import pytest

from daemons.model.clock import Wall
from daemons.model.relations import Escalation
from daemons.rules import escalate

BEGAN = Wall(1_000_000.0)


def always(_name, _wall):
    return True


def applies(escalation, number=1, after_s=0.0, letter="c", in_period=always, began=BEGAN):
    found = escalate.in_force(
        (escalation,), number=number, began=began, at=Wall(BEGAN + after_s), letter=letter,
        in_period=in_period,
    )  # fmt: skip
    assert found in ((), (escalation,))
    return bool(found)


@pytest.mark.parametrize(
    ("first", "last", "numbers"),
    [(2, 4, (2, 3, 4)), (2, 0, (2, 3, 4, 5)), (0, 1, (0, 1)), (3, 3, (3,))],
)
def test_by_number_from_the_first_to_the_last_and_0_is_no_end(first, last, numbers):
    escalation = Escalation(name="e", first_notification=first, last_notification=last)

    assert tuple(n for n in range(6) if applies(escalation, n)) == numbers


def test_by_time_counts_from_when_the_problem_began():
    escalation = Escalation(
        name="e", by_time=True, first_notification_time_s=600, last_notification_time_s=1200
    )

    assert [s for s in (0, 599, 600, 601, 1199, 1200, 1201, 9999) if applies(escalation, 1, s)] == [
        600, 601, 1199, 1200,
    ]  # fmt: skip


def test_by_time_forgives_what_adding_times_is_wrong_by():
    escalation = Escalation(
        name="e", by_time=True, first_notification_time_s=600, last_notification_time_s=1200
    )

    assert applies(escalation, 1, 600 - escalate.SLACK_S / 2)
    assert not applies(escalation, 1, 600 - 2 * escalate.SLACK_S)
    assert applies(escalation, 1, 1200 + escalate.SLACK_S / 2)
    assert not applies(escalation, 1, 1200 + 2 * escalate.SLACK_S)


def test_by_time_without_an_end_lasts():
    escalation = Escalation(name="e", by_time=True, first_notification_time_s=1)

    assert applies(escalation, 1, 1e6)


def test_by_time_asks_for_no_number_and_by_number_for_no_time():
    by_time = Escalation(name="e", by_time=True, first_notification_time_s=10, first_notification=9)
    by_number = Escalation(name="e", first_notification=1, first_notification_time_s=10)

    assert applies(by_time, 1, 10)
    assert applies(by_number, 1, 0)


def test_by_time_does_not_apply_without_a_problem():
    assert not applies(Escalation(name="e", by_time=True), began=Wall(0.0))
    assert applies(Escalation(name="e", by_time=True), began=Wall(1.0))


@pytest.mark.parametrize(
    ("options", "letter", "expected"),
    [((), "c", True), (("c",), "c", True), (("w", "c"), "w", True), (("w",), "c", False),
     (("c", "n"), "c", False)],
)  # fmt: skip
def test_options_say_in_which_states(options, letter, expected):
    assert applies(Escalation(name="e", options=options), letter=letter) == expected


def test_the_period_is_asked_about_the_moment_of_the_notification():
    asked = []

    def in_period(name, wall):
        asked.append((name, wall))
        return False

    assert not applies(Escalation(name="e", period="nights"), after_s=5.0, in_period=in_period)
    assert asked == [("nights", BEGAN + 5.0)]


def test_contacts_replace_those_of_the_object_each_once():
    first, second = Escalation(name="1", contacts=("bo", "cy")), Escalation(name="2", contacts=("cy", "di"))

    assert escalate.contacts((), ("ann",)) == ("ann",)
    assert escalate.contacts((first, second), ("ann",)) == ("bo", "cy", "di")


def test_an_escalation_that_names_nobody_is_for_the_contacts_of_the_object():
    nobody, bo = Escalation(name="1"), Escalation(name="2", contacts=("bo",))

    assert escalate.contacts((nobody,), ("ann",)) == ("ann",)
    assert escalate.contacts((bo, nobody), ("ann",)) == ("bo", "ann")


def test_the_smallest_interval_of_those_in_force_counts():
    none, ten, zero = (
        Escalation(name="-"),
        Escalation(name="10", notification_interval_s=10),
        Escalation(name="0", notification_interval_s=0),
    )

    assert escalate.interval_s((), 60) == 60
    assert escalate.interval_s((none,), 60) == 60
    assert escalate.interval_s((ten, none), 5) == 10
    assert escalate.interval_s((ten, zero), 60) == 0


def start(*escalations, after_s=0.0, letter="c", opens=lambda _name, wall: wall):
    found = escalate.next_start(
        escalations, began=BEGAN, after=Wall(BEGAN + after_s), letter=letter, opens=opens
    )
    return None if found is None else found - BEGAN


def by_time(first_s, last_s=0.0, **more):
    return Escalation(
        name=str(first_s), by_time=True, first_notification_time_s=first_s,
        last_notification_time_s=last_s, **more,
    )  # fmt: skip


def test_the_next_start_is_the_first_one_that_is_later():
    assert start(by_time(900), by_time(600)) == 600
    assert start(by_time(900), by_time(600), after_s=600) == 900
    assert start(by_time(600), after_s=600) is None
    assert start(by_time(600), after_s=700) is None
    assert start() is None


def test_what_goes_by_number_or_leaves_the_state_out_has_no_start():
    assert start(Escalation(name="e", first_notification=2)) is None
    assert start(by_time(600, options=("w",))) is None
    assert start(by_time(600, options=("w",)), by_time(700)) == 700


def test_an_escalation_begins_with_its_period_unless_it_has_ended_by_then():
    def opens(_name, wall):
        return Wall(max(wall, BEGAN + 1000))

    assert start(by_time(600), opens=opens) == 1000
    assert start(by_time(600), after_s=700, opens=opens) == 1000
    assert start(by_time(600, 1000), opens=opens) == 1000
    assert start(by_time(600, 999), opens=opens) is None
    assert start(by_time(600), opens=lambda _name, _wall: None) is None
    assert start(by_time(600), by_time(800), opens=lambda name, wall: wall) == 600


def test_the_period_asked_about_is_that_of_the_escalation():
    asked = []
    start(by_time(600, period="nights"), opens=lambda name, wall: asked.append((name, wall)))

    assert asked == [("nights", BEGAN + 600)]


def test_a_later_escalation_is_found_behind_one_that_has_no_time_left():
    def opens(name, wall):
        return None if name == "gone" else wall

    assert start(by_time(500, period="gone"), by_time(600), opens=opens) == 600
    assert start(by_time(600), by_time(900), after_s=650) == 900
    assert start(by_time(500, 550), by_time(600), opens=lambda _n, wall: Wall(wall + 60)) == 660


def test_the_state_counts_for_a_start_too():
    assert start(by_time(600, options=("c",)), letter="c") == 600
    assert start(by_time(600, options=("c",)), letter="w") is None
