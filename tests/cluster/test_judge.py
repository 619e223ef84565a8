"""The judge of the scenarios: a good history is called good, and each kind of wrong is found in one made by hand."""

from msgspec.structs import replace

from tests.cluster.judge import (
    Evidence,
    Fault,
    Span,
    delayed_s,
    forgotten_s,
    judge,
    normal_s,
    overlaps,
    resumed_s,
    silence_s,
)
from tests.cluster.ledger import FOREIGN, NOTHING, Run, Told, run_id, run_of, told_of

OLD, NEW = 256, 513  # epochs
STEADY, FLIP = "host1/steady-0", "host0/flip-0"


def run(began: float, seq: int, epoch: int = OLD, known: tuple[int, int] = (0, 0), **more: object) -> Run:
    fields: dict[str, object] = {
        "began": began, "ended": began + 0.001, "server": "server2", "epoch": epoch, "seq": seq, "key": STEADY,
        "code": 0, "known": known, "state": "OK", "state_type": "HARD", "attempt": "1",
    }  # fmt: skip
    return Run(**(fields | more))


GOOD = [
    run(100, 1), run(104, 2, known=(OLD, 1)), run(108, 3, known=(OLD, 2)),
    run(112, 1, NEW, (OLD, 3)), run(116, 2, NEW, (NEW, 1)),
]  # fmt: skip
FLIPS = [replace(r, key=FLIP, code=code) for r, code in zip(GOOD, (0, 2, 2, 0, 0), strict=True)]
TOLD = [
    Told(104.2, "server1", OLD, "id1", False, "PROBLEM", FLIP, "CRITICAL", "1", "operator", (OLD, 2), True),
    Told(112.2, "server1", NEW, "id2", False, "RECOVERY", FLIP, "OK", "1", "operator", (NEW, 1), True),
]
LOGS = {
    "broker-master": [f"[1] SERVICE ALERT: host0;flip-0;CRITICAL;HARD;1;r{OLD}.2"],
    "broker-spare": [f"[2] SERVICE ALERT: host0;flip-0;OK;HARD;1;r{NEW}.1"],
}


def found(runs=(), **more):
    evidence = Evidence(runs=[*GOOD, *FLIPS], told=TOLD, logs=LOGS, began=90, ended=130)
    changes = {"runs": [*runs, *FLIPS]} if runs else {}
    return judge(replace(evidence, **changes, **more))


def without(index: int, **changes: object) -> list[Run]:
    return [replace(r, **changes) if i == index else r for i, r in enumerate(GOOD)]


def test_a_good_history_is_called_good():
    good = found()
    assert good.wrong == ()
    assert (good.changes, good.checks, good.notifications) == (2, 10, 2)


def test_no_history_at_all_is_not_good():
    assert judge(Evidence(runs=(), told=())).wrong == ("no check ran at all: nothing was tested",)


def test_a_result_that_the_next_order_does_not_know_is_lost():
    bad = found(without(3, known=(OLD, 2)))
    assert bad.lost == (f"{STEADY} r{OLD}.3, run on server2 at 108.00",)


def test_one_that_died_with_its_server_is_cut_off_if_it_was_young():
    runs = without(3, known=(OLD, 2))
    assert found(runs, faults=[Fault("server2", 108.5)]).cut == 1
    assert found(runs, faults=[Fault("server2", 110)]).lost, "it had time to be kept elsewhere"
    assert found(runs, faults=[Fault("server1", 108.5)]).lost, "another server"
    assert not found(runs, faults=[Fault("server2", 105, 120, "cut")]).lost, "its poller has it still"


def test_a_check_ordered_again_at_once_is_neither_lost_nor_good_practice():
    again = [*GOOD[:3], run(108.5, 1, NEW, (OLD, 2)), *GOOD[4:]]
    assert (found(again).lost, found(again).again) == ((), 1)


def test_an_old_owners_late_order_says_nothing_about_what_the_new_one_knows():
    thawed = run(113, 4, OLD, (OLD, 3), server="server3")
    assert found([*GOOD, thawed]).lost == ()


def test_an_order_carried_out_twice_is_found():
    assert len(found([*GOOD, run(116.2, 2, NEW, (NEW, 1), server="server3")]).rerun) == 1


def test_an_order_of_an_old_owner_obeyed_after_its_successors_is_stale():
    late = run(113, 4, OLD, (OLD, 3), key="host1/steady-1")
    assert len(found([*GOOD, late]).stale) == 1
    assert found([*GOOD, replace(late, server="server3")]).stale == (), "that poller had not heard of the new one"


def test_a_server_that_was_cut_off_for_longer_than_a_lease_starts_nothing():
    cut = Fault("server2", 105.0, 118, "cut")
    assert len(found(faults=[cut]).fenced) == 4, "at 112 and 116; what began at 108 was within lease and grace"
    assert found(faults=[replace(cut, ended=107.0)]).fenced == ()


def test_two_holders_of_one_lease_and_an_epoch_that_comes_again_are_found():
    first = Span("shard/1", "s1", "server1", 1, 10.0, 20.0)
    assert overlaps([first, Span("shard/1", "s2", "server3", 2, 20.1, 30.0)]) == ()
    assert len(overlaps([first, Span("shard/1", "s2", "server3", 2, 19.9, 30.0)])) == 1
    assert len(overlaps([first, Span("shard/1", "s2", "server3", 1, 21.0, 30.0)])) == 1
    assert overlaps([first, Span("arbiter", "a", "server3", 1, 15.0, 30.0)]) == (), "another lease"
    assert overlaps([first, replace(first, began=12.0)]) == (), "its keeper was restarted"


def test_a_change_that_nobody_was_told_of_is_found():
    assert len(found(told=TOLD[1:]).untold) == 1
    assert len(found(told=[replace(TOLD[0], ended=False), TOLD[1]]).untold) == 1, "begun, never ended"
    assert found(told=TOLD, to_tell=["host0/slow"]).untold == ("PROBLEM of host0/slow",)


def test_a_notification_told_again_needs_a_tag():
    again = replace(TOLD[0], began=109.0, server="server3")
    assert len(found(told=[*TOLD, again]).repeated) == 1
    tagged = found(told=[*TOLD, replace(again, tagged=True)])
    assert (tagged.repeated, tagged.tagged) == ((), 1)


def test_a_change_that_is_in_no_log_or_twice_in_one_is_found():
    assert len(found(logs={**LOGS, "broker-spare": []}).holes) == 1
    assert len(found(logs={**LOGS, "broker-spare": LOGS["broker-spare"] * 2}).doubled) == 1
    both = found(logs={"a": [*LOGS["broker-master"], *LOGS["broker-spare"]], "b": LOGS["broker-spare"]})
    assert (both.wrong, both.lines_elsewhere) == ((), 1)


def test_a_change_whose_result_was_never_applied_needs_no_word():
    cut = [r for r in FLIPS if r.began < 112] + [replace(FLIPS[3], server="server1"), run(116, 2, NEW, (OLD, 3), key=FLIP, code=2)]
    gone = judge(Evidence(
        runs=[*GOOD, *cut], told=TOLD[:1], logs=LOGS, faults=[Fault("server1", 112.5)], began=90, ended=130,
    ))  # fmt: skip
    assert gone.wrong == ()


def test_figures():
    assert silence_s(GOOD, 100, 117) == 4
    assert resumed_s(GOOD, 110.0) == 2.0
    assert resumed_s(GOOD[:3], 110.0) == -1.0
    late = [*GOOD[:3], run(114, 1, NEW, (OLD, 3)), run(118, 2, NEW, (NEW, 1))]
    assert delayed_s(late, 109, 120, 4.0) == 2.0
    assert normal_s(late, 109.0, 4.0) == 5.0
    assert normal_s(GOOD, 109.0, 4.0) == 0.0
    assert round(forgotten_s(without(3, known=(OLD, 2)), 110.0), 3) == 1.999
    assert forgotten_s(GOOD, 110.0) == 0.0


def test_lines_of_ledgers_are_read():
    assert run_of("1.5 1.6 server2 1.256.7 h/s 2 r256.6 OK HARD 1") == Run(
        1.5, 1.6, "server2", 256, 7, "h/s", 2, (256, 6), "OK", "HARD", "1"
    )
    assert run_of("1.5 1.6 server2 1.256") is None, "torn"
    told = told_of("ended 1.5 server1 1.256.1 abc tagged PROBLEM h/s CRITICAL 1 operator r256.7")
    assert told is not None and told.tagged and told.ended and told.cause == (256, 7) and told.epoch == 256
    assert run_id("-") == NOTHING and run_id("passive") == FOREIGN
