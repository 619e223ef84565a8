"""The isolation test of one of two servers, by hand: when it says isolated, and when it cannot say."""

from daemons.model.clock import Mono, Now, Wall
from daemons.roles.keeping.witness import ASK_S, Witness
from daemons.wire.board import AskWitnesses, Witnesses
from daemons.wire.messages import Failed

GATE = "192.0.2.1"
SILENT, HEARD, NOBODY = Witnesses((GATE,)), Witnesses((GATE,), (GATE,)), Witnesses()


def after(witness: Witness, *answers) -> Witness:
    now = Now(Mono(witness._due), Wall(0.0))
    for answer in answers:
        (call,) = witness.tick(now, needed=True)
        assert call.message == AskWitnesses(ASK_S)
        witness.answered(answer)
        now = Now(Mono(now.mono + ASK_S), Wall(0.0))
    return witness


def test_it_is_asked_only_where_the_board_needs_it_and_not_twice_at_a_time():
    witness, now = Witness(named=True, wanted=True), Now(Mono(1.0), Wall(0.0))

    assert witness.tick(now, needed=False) == []
    assert len(witness.tick(now, needed=True)) == 1
    assert witness.tick(Now(Mono(9.0), Wall(0.0)), needed=True) == []


def test_two_questions_in_a_row_without_an_answer_mean_isolated_and_one_answer_ends_it():
    witness = Witness(named=True, wanted=True)

    assert not after(witness, SILENT).isolated
    assert after(witness, SILENT).isolated
    assert not after(witness, HEARD).isolated


def test_a_gateway_that_has_never_answered_proves_nothing_and_the_status_says_so():
    witness = after(Witness(named=False, wanted=True), SILENT, SILENT, SILENT)

    assert not witness.isolated
    assert "no isolation test" in witness.problems()[0]


def test_a_gateway_that_has_answered_once_is_believed():
    assert after(Witness(named=False, wanted=True), HEARD, SILENT, SILENT).isolated


def test_with_nobody_to_ask_nobody_is_isolated_and_the_status_says_so():
    witness = after(Witness(named=False, wanted=True), NOBODY, NOBODY, NOBODY)

    assert not witness.isolated
    assert "there is none" in witness.problems()[0]


def test_a_failed_service_proves_nothing():
    assert not after(Witness(named=True, wanted=True), Failed("x"), Failed("x"), Failed("x")).isolated


def test_an_unfit_witness_is_told_and_a_heard_one_is_not():
    unfit = Witnesses((GATE,), (GATE,), ("127.0.0.1 is a server of the cluster itself",))

    assert after(Witness(named=True, wanted=True), unfit).problems() == (
        "witness_ping: 127.0.0.1 is a server of the cluster itself",
    )
    assert after(Witness(named=True, wanted=True), HEARD).problems() == ()
