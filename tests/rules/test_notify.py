"""Who is told what: each branch of the two verdicts, and ids that hold no time."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.model.clock import Wall
from daemons.model.objects import Traits, Way
from daemons.model.status import Ack, Downtime, Status
from daemons.rules import notify
from daemons.rules.notify import Reason, contact_verdict, notification_id, problem_verdict

NOW = Wall(1_000_000.0)
CRITICAL = 2
IN_EFFECT = Downtime(id=1, entry_wall=1.0, start_wall=1.0, end_wall=9e9, in_effect=True)
WAY = Way(
    host_notification_commands=("mail",),
    service_notification_commands=("mail",),
    host_notification_options=("d", "r"),
    service_notification_options=("c", "r"),
)


def problem(**changes) -> Status:
    """A service that became CRITICAL HARD a minute ago."""
    facts = {
        "state": CRITICAL, "state_type": 1, "last_hard_state": CRITICAL, "hard_changes": 3,
        "problem_wall": NOW - 60, "last_change_wall": NOW - 90,
    }  # fmt: skip
    return Status(key="h;s", **{**facts, **changes})


def recovered(**changes) -> Status:
    return problem(**{"state": 0, "last_hard_state": 0, "notification_number": 1, **changes})


def why(kind="PROBLEM", status=None, traits=None, **told) -> Reason:
    status = problem() if status is None else status
    traits = Traits() if traits is None else traits
    verdict = problem_verdict(kind, status, traits, NOW, **{"is_host": False, **told})
    assert verdict.send == (verdict.why in (Reason.SENT, Reason.FORCED))
    return verdict.why


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({}, Reason.SENT),
        ({"enabled": False}, Reason.DISABLED),
        ({"enabled": False, "forced": True}, Reason.FORCED),
        ({"in_period": False}, Reason.PERIOD),
        ({"status": problem(state_type=0)}, Reason.SOFT),
        ({"status": problem(state=0)}, Reason.NO_PROBLEM),
        ({"status": problem(ack=Ack(author="joe", comment="x"))}, Reason.ACKNOWLEDGED),
        ({"depends": True}, Reason.DEPENDENCY),
        ({"depends": True, "forced": True}, Reason.FORCED),
        ({"depends": True, "status": problem(state_type=0)}, Reason.SOFT),
        ({"depends": True, "kind": "RECOVERY", "status": recovered()}, Reason.DEPENDENCY),
        ({"depends": True, "kind": "CUSTOM"}, Reason.SENT),
        ({"depends": True, "kind": "ACKNOWLEDGEMENT"}, Reason.SENT),
        ({"traits": Traits(notification_options=("w", "r"))}, Reason.OPTIONS),
        ({"traits": Traits(notification_options=("n",))}, Reason.OPTIONS),
        ({"traits": Traits(first_notification_delay_s=91)}, Reason.TOO_EARLY),
        ({"traits": Traits(first_notification_delay_s=90)}, Reason.SENT),
        ({"status": problem(notification_number=1), "traits": Traits(first_notification_delay_s=91)},
         Reason.SENT),
        ({"status": problem(flapping=True)}, Reason.FLAPPING),
        ({"status": problem(downtimes=(IN_EFFECT,))}, Reason.DOWNTIME),
        ({"host_downtime": True}, Reason.HOST_DOWNTIME),
        ({"status": problem(no_more_notifications=True)}, Reason.ONCE),
        ({"host_up": False}, Reason.HOST_AWAY),
        ({"status": problem(next_notification_wall=NOW + 1)}, Reason.INTERVAL),
        ({"status": problem(next_notification_wall=NOW)}, Reason.SENT),
        ({"status": problem(next_notification_wall=NOW + 1), "traits": Traits(is_volatile=True)},
         Reason.SENT),
    ],
)  # fmt: skip
def test_problems(case, expected):
    assert why(**case) == expected


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({"status": recovered()}, Reason.SENT),
        ({"status": recovered(notification_number=0)}, Reason.NOT_TOLD),
        ({"status": recovered(), "traits": Traits(notification_options=("c",))}, Reason.OPTIONS),
        ({"status": recovered(flapping=True)}, Reason.FLAPPING),
        ({"status": recovered(downtimes=(IN_EFFECT,))}, Reason.DOWNTIME),
        ({"status": recovered(), "host_up": False}, Reason.SENT),
        ({"status": recovered(next_notification_wall=NOW + 9)}, Reason.SENT),
        ({"status": problem()}, Reason.NO_PROBLEM),
    ],
)
def test_recoveries(case, expected):
    assert why("RECOVERY", **case) == expected


@pytest.mark.parametrize(
    ("kind", "case", "expected"),
    [
        ("ACKNOWLEDGEMENT", {}, Reason.SENT),
        ("ACKNOWLEDGEMENT", {"status": recovered()}, Reason.NO_PROBLEM),
        ("ACKNOWLEDGEMENT", {"status": problem(state_type=0)}, Reason.SENT),
        ("CUSTOM", {"status": recovered()}, Reason.SENT),
        ("CUSTOM", {"status": problem(downtimes=(IN_EFFECT,))}, Reason.DOWNTIME),
        ("DOWNTIMESTART", {"status": problem(downtimes=(IN_EFFECT,))}, Reason.SENT),
        ("DOWNTIMEEND", {"traits": Traits(notification_options=("c", "r"))}, Reason.OPTIONS),
        ("DOWNTIMECANCELLED", {"in_period": False}, Reason.PERIOD),
        ("FLAPPINGSTART", {"status": problem(flapping=True)}, Reason.SENT),
        ("FLAPPINGSTOP", {"traits": Traits(notification_options=("c", "r"))}, Reason.OPTIONS),
        ("FLAPPINGDISABLED", {"status": problem(downtimes=(IN_EFFECT,))}, Reason.DOWNTIME),
    ],
)
def test_what_is_neither_problem_nor_recovery(kind, case, expected):
    assert why(kind, **case) == expected


def test_a_host_is_told_of_although_it_is_not_up():
    status = problem(state=1)

    assert why(status=status, is_host=True, host_up=False) == Reason.SENT
    assert (
        why(status=status, is_host=True, traits=Traits(notification_options=("u",)))
        == Reason.OPTIONS
    )


@pytest.mark.parametrize(
    ("kind", "state", "case", "expected"),
    [
        ("PROBLEM", 2, {}, Reason.SENT),
        ("PROBLEM", 1, {}, Reason.OPTIONS),
        ("PROBLEM", 1, {"is_host": True}, Reason.SENT),
        ("PROBLEM", 2, {"is_host": True}, Reason.OPTIONS),
        ("ACKNOWLEDGEMENT", 1, {}, Reason.OPTIONS),
        ("RECOVERY", 0, {}, Reason.SENT),
        ("RECOVERY", 0, {"told": False}, Reason.NOT_TOLD),
        ("CUSTOM", 1, {}, Reason.SENT),
        ("DOWNTIMESTART", 0, {}, Reason.OPTIONS),
        ("FLAPPINGSTART", 0, {}, Reason.OPTIONS),
        ("PROBLEM", 2, {"enabled": False}, Reason.DISABLED),
        ("PROBLEM", 2, {"in_period": False}, Reason.PERIOD),
        ("PROBLEM", 2, {"in_period": False, "forced": True}, Reason.FORCED),
        ("PROBLEM", 2, {"in_downtime": True}, Reason.CONTACT_DOWNTIME),
        ("PROBLEM", 2, {"business_impact": 0, "way": msgspec.structs.replace(WAY, min_business_impact=1)},
         Reason.IMPACT),
        ("PROBLEM", 2, {"way": msgspec.structs.replace(WAY, service_notifications_enabled=False)},
         Reason.DISABLED),
        ("PROBLEM", 2, {"way": msgspec.structs.replace(WAY, service_notification_commands=())},
         Reason.NO_COMMAND),
    ],
)  # fmt: skip
def test_contacts(kind, state, case, expected):
    case = {"way": WAY, "is_host": False, **case}
    verdict = contact_verdict(case.pop("way"), kind, state, **case)

    assert verdict.why == expected
    assert verdict.send == (expected in (Reason.SENT, Reason.FORCED))


def test_a_way_that_is_switched_off_for_everything_tells_nothing():
    way = msgspec.structs.replace(WAY, service_notification_options=("n",))

    assert contact_verdict(way, "DOWNTIMESTART", 0, is_host=False).why == Reason.OPTIONS


def test_an_interval_of_zero_tells_once():
    assert notify.next_notification(NOW, 0.0) is None
    assert notify.next_notification(NOW, 60.0) == NOW + 60


def test_the_id_of_a_message_is_the_same_on_every_server():
    parts = ("c1", "4f", "joe", "mail", "PROBLEM", notify.cause(problem(notification_number=1)))

    assert notification_id(*parts) == notification_id(*parts) == "235658970ed48623f39b5a18bec51704"


@given(st.lists(st.tuples(*[st.text(max_size=3)] * 6), min_size=2, max_size=2, unique=True))
def test_different_messages_have_different_ids(pair):
    first, second = (notification_id(*parts) for parts in pair)

    assert first != second
    assert len(first) == 32 and set(first) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("state", "is_host", "letter"),
    [(0, False, "r"), (1, False, "w"), (2, False, "c"), (3, False, "u"), (9, False, "u"), (-1, False, "u"),
     (0, True, "r"), (1, True, "d"), (2, True, "u"), (3, True, "u")],
)  # fmt: skip
def test_each_state_has_its_letter(state, is_host, letter):
    assert notify.letter_of(state, is_host) == letter


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [("DOWNTIMESTART", ("s",), Reason.SENT), ("DOWNTIMEEND", ("f",), Reason.OPTIONS),
     ("FLAPPINGSTART", ("f",), Reason.SENT), ("FLAPPINGSTOP", ("s",), Reason.OPTIONS),
     ("PROBLEM", ("c",), Reason.SENT), ("PROBLEM", ("c", "n"), Reason.OPTIONS)],
)  # fmt: skip
def test_options_name_what_is_told(kind, options, expected):
    way = msgspec.structs.replace(WAY, service_notification_options=options)

    assert why(kind, traits=Traits(notification_options=options)) == expected
    assert contact_verdict(way, kind, CRITICAL, is_host=False).why == expected


def test_the_letter_is_that_of_a_host_for_hosts():
    down = problem(state=1)

    assert why(status=down, is_host=True, traits=Traits(notification_options=("d",))) == Reason.SENT
    assert why(status=down, is_host=True, traits=Traits(notification_options=("w",))) == Reason.OPTIONS


def test_a_way_has_commands_and_a_switch_for_hosts_and_others_for_services():
    for_services = Way(service_notification_commands=("mail",), host_notifications_enabled=False)
    for_hosts = Way(host_notification_commands=("mail",), service_notifications_enabled=False)
    off_for_hosts = Way(host_notification_commands=("mail",), host_notifications_enabled=False)

    assert contact_verdict(for_services, "PROBLEM", 1, is_host=True).why == Reason.NO_COMMAND
    assert contact_verdict(for_services, "PROBLEM", 1, is_host=False).why == Reason.SENT
    assert contact_verdict(for_hosts, "PROBLEM", 1, is_host=False).why == Reason.NO_COMMAND
    assert contact_verdict(for_hosts, "PROBLEM", 1, is_host=True).why == Reason.SENT
    assert contact_verdict(off_for_hosts, "PROBLEM", 1, is_host=True).why == Reason.DISABLED


@pytest.mark.parametrize(("impact", "expected"), [(1, Reason.IMPACT), (2, Reason.SENT), (3, Reason.SENT)])
def test_an_impact_that_reaches_the_threshold_is_told(impact, expected):
    way = msgspec.structs.replace(WAY, min_business_impact=2)

    assert contact_verdict(way, "PROBLEM", CRITICAL, is_host=False, business_impact=impact).why == expected


def test_an_object_is_of_middle_impact_unless_it_says_so():
    assert contact_verdict(
        msgspec.structs.replace(WAY, min_business_impact=2), "PROBLEM", CRITICAL, is_host=False
    ).send
    assert not contact_verdict(
        msgspec.structs.replace(WAY, min_business_impact=3), "PROBLEM", CRITICAL, is_host=False
    ).send


def test_without_a_new_result_a_volatile_service_keeps_its_interval():
    volatile = Traits(is_volatile=True)
    waiting, once = problem(next_notification_wall=NOW + 1), problem(no_more_notifications=True)

    assert why(status=waiting, traits=volatile, reminder=True) == Reason.INTERVAL
    assert why(status=once, traits=volatile, reminder=True) == Reason.ONCE
    assert why(status=once, traits=volatile) == Reason.SENT


def test_a_problem_began_at_the_first_of_what_is_known():
    def began(change, hard, first):
        return notify.problem_start(
            problem(last_change_wall=change, problem_wall=hard, began_wall=first)
        )

    assert began(30.0, 20.0, 10.0) == 10.0
    assert began(30.0, 0.5, 0.0) == 0.5
    assert began(0.0, 0.0, 0.0) == 0.0


@pytest.mark.parametrize(
    ("delay_s", "expected"),
    [(0.5, Reason.TOO_EARLY), (0.1, Reason.SENT), (0.1 + notify.SLACK_S / 2, Reason.SENT), (0.0, Reason.SENT)],
)  # fmt: skip
def test_the_delay_of_the_first_notification_is_exact(delay_s, expected):
    just_now = problem(last_change_wall=NOW - 0.1, problem_wall=NOW - 0.1)

    assert why(status=just_now, traits=Traits(first_notification_delay_s=delay_s)) == expected


def test_no_delay_holds_nothing_up_whatever_the_clock_says():
    ahead = problem(last_change_wall=NOW + 50, problem_wall=NOW + 50)

    assert why(status=ahead, traits=Traits(first_notification_delay_s=0.0)) == Reason.SENT


def test_an_interval_of_less_than_a_second_is_one():
    assert notify.next_notification(NOW, 0.5) == NOW + 0.5


def test_a_name_that_is_no_text_has_an_id_too():
    assert len(notification_id("c1", "4f", "jo\udce9", "mail", "PROBLEM", "1.1")) == 32


def test_what_is_taken_care_of_is_no_problem_but_its_recovery_is_told():
    assert why(taken_care_of=True) == Reason.TAKEN_CARE_OF
    assert why("RECOVERY", status=recovered(), taken_care_of=True) == Reason.SENT
