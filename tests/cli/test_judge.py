"""The judge of the drill: ledgers by hand, each kind of wrong is found, and a good failover is called good."""

from msgspec.structs import replace

from daemons.cli.demo.judge import Findings, judge, longest_gap, twice
from daemons.cli.demo.ledger import Run, Told

KILLED_AT = 100.0
TOLD = Told(60.0, "server1", "id1", False, "PROBLEM", "host/svc", "CRITICAL", "1", "operator", True)


def run(began: float, server: str = "server2", last: float | None = None, **more: object) -> Run:
    """Return a run of a service that is well, ordered by one who knew of the run 4 s before."""
    fields: dict[str, object] = {
        "began": began, "ended": began + 0.1, "key": "host/svc", "code": 0, "server": server,
        "state": "OK", "state_type": "HARD", "attempt": "1", "downtime": "0", "ack": "ack=",
        "last_check": float(int(began - 4 if last is None else last)),
    }  # fmt: skip
    return Run(**(fields | more))


GOOD = [run(at) for at in (84.0, 88.0, 92.0, 96.0)] + [
    run(104.0, "server3", last=96.0), run(108.0), run(112.0, "server3"), run(116.0),
]  # fmt: skip


def judged(runs: list[Run], told: list[Told] | None = None) -> Findings:
    return judge(
        runs,
        [TOLD] if told is None else told,
        killed_at=KILLED_AT, killed="server1", ended_at=118.0, interval_s=4.0, retry_s=2.0,
        ordered_after="server3",
    )  # fmt: skip


def changed(index: int, **more: object) -> list[Run]:
    """Return the good ledger with one run changed."""
    return [replace(r, **more) if i == index else r for i, r in enumerate(GOOD)]


def test_a_good_failover_is_called_good_and_measured():
    found = judged(GOOD)

    assert found.wrong == ()
    assert found.first_check_s == 4.0
    assert (round(found.longest_gap_s, 1), found.longest_gap_key) == (8.0, "host/svc")
    assert (found.checks, found.notifications) == (8, 1)


def test_no_check_after_the_kill_is_found():
    found = judged(GOOD[:4])

    assert found.first_check_s == -1
    assert "no check ran after the kill" in found.wrong


def test_a_check_that_is_unanswered_too_long_is_found_also_at_the_end():
    assert judged([*GOOD[:4], run(111.0, "server3", last=96.0)]).unanswered == ("host/svc for 15.0 s",)
    assert len(judged(GOOD[:4]).unanswered) == 1
    assert longest_gap([], 9.0) == (0.0, "")


def test_a_result_that_the_next_order_does_not_know_is_lost():
    assert len(judged(changed(4, last_check=92.0)).lost) == 1
    assert len(judged(changed(7, last_check=108.0)).lost) == 1


def test_a_result_that_died_with_its_server_is_cut_off_not_lost():
    cut = [*GOOD[:3], replace(GOOD[3], began=99.5, ended=99.6, server="server1"), *GOOD[4:]]
    cut[4] = replace(cut[4], last_check=92.0)

    found = judged(cut)
    assert (found.cut, found.lost) == (1, ())
    early = [replace(r, began=98.0, ended=98.1) if r.server == "server1" else r for r in cut]
    assert len(judged(early).lost) == 1, "it had a second to be kept elsewhere"


def test_a_check_that_two_owners_order_is_run_twice():
    other = run(108.3, "server1", last=104.0)
    assert len(judged([*GOOD, other]).twice) == 1
    assert len(twice([*GOOD, other], 2.0)) == 1
    assert twice([*GOOD, run(108.3, last=108.0)], 2.0) == (), "one that knew of the first, forced it"


def test_states_downtimes_and_acknowledgements_that_are_forgotten_are_found():
    for forgot in (
        {"downtime": "0"}, {"ack": "ack="}, {"state": "PENDING"}, {"state_type": "SOFT"}, {"attempt": "1"},
    ):  # fmt: skip
        bad = {
            "code": 2, "state": "CRITICAL", "attempt": "2", "downtime": "1", "ack": "ack=operator",
        }  # fmt: skip
        runs = [replace(r, **bad) for r in GOOD]
        assert judged(runs).differing == ()
        runs[4] = replace(runs[4], **forgot)
        assert len(judged(runs).differing) == 1, forgot


def test_a_state_that_really_changed_does_not_differ():
    runs = [*GOOD[:3], replace(GOOD[3], code=2), replace(GOOD[4], code=2, state="CRITICAL"), *GOOD[5:]]

    assert judged(runs).differing == ()


def test_a_notification_told_again_without_a_tag_is_repeated():
    assert len(judged(GOOD, [TOLD, replace(TOLD, began=105.0, server="server3")]).repeated) == 1


def test_a_notification_told_again_with_a_tag_is_counted_only():
    begun = replace(TOLD, ended=False)
    found = judged(GOOD, [begun, replace(TOLD, began=105.0, server="server3", tagged=True)])

    assert (found.wrong, found.tagged) == ((), 1)


def test_the_same_problem_under_another_id_is_repeated_even_with_a_tag():
    other = replace(TOLD, id="id2", began=105.0, tagged=True)

    assert len(judged(GOOD, [TOLD, other]).repeated) == 1


def test_another_number_contact_or_a_recovery_is_no_repeat():
    more = [
        replace(TOLD, id="id2", number="2"),
        replace(TOLD, id="id3", contact="boss"),
        replace(TOLD, id="id4", kind="RECOVERY"),
    ]
    assert judged(GOOD, [TOLD, *more]).wrong == ()


def test_a_notification_that_began_and_never_ended_is_lost():
    assert len(judged(GOOD, [replace(TOLD, ended=False)]).unended) == 1


def test_a_problem_that_nobody_was_told_of_is_found():
    recovery = replace(TOLD, id="id2", key="host/late", kind="RECOVERY")
    found = judge(
        GOOD, [TOLD, recovery],
        killed_at=KILLED_AT, killed="server1", ended_at=118.0, interval_s=4.0, retry_s=2.0,
        ordered_after="server3", to_tell=("host/svc", "host/late"),
    )  # fmt: skip

    assert found.wrong == ("problem not told: host/late",)


def test_a_drill_in_which_nobody_was_told_anything_tested_nothing():
    assert judged(GOOD, []).wrong == ("no notification was sent at all: nothing was tested",)
