"""A voter, asked by hand: what it promises, what it refuses, what it forgets and copies."""

import msgspec
import pytest

from daemons.ha.promises import Promises, no_promises
from daemons.ha.terms import Terms, check_terms
from daemons.ha.vote import Voter
from daemons.model.clock import Mono
from daemons.model.cluster import epoch
from daemons.wire.board import (
    GrantLine,
    Promise,
    ReleaseLine,
    RenewLine,
    Revoke,
    Round,
    StatusLine,
    VotesCopy,
)

TERMS = Terms()
START, L = 100.0, TERMS.lease_s
SHARD = "shard/1"


def voter(promises: Promises | None = None, server: int = 2, quarantined: bool = False) -> Voter:
    """A voter of three; its quarantine is over at START unless told otherwise."""
    began = Mono(START if quarantined else START - L)
    return Voter(server, (0, 1, 2), TERMS, promises or Promises(), began)


def ask(v: Voter, *lines, at: float = START, server: int = 0, gone: tuple[str, ...] = ()):
    """The vote on a single line, or all of them."""
    votes = v.vote(Round(server, 1, lines, gone), Mono(at))
    assert votes.refused == ""
    return votes.lines[0] if len(votes.lines) == 1 else votes.lines


def grant(n: int, who: str = "a", server: int = 0, claim=(0, 0), name: str = SHARD) -> GrantLine:
    return GrantLine(name, f"s-{who}", who, epoch(1, n, server), claim)


def renew(n: int, who: str = "a", server: int = 0) -> RenewLine:
    return RenewLine(SHARD, f"s-{who}", who, epoch(1, n, server))


def status(who: str = "b", claim=(0, 0)) -> StatusLine:
    return StatusLine(SHARD, f"s-{who}", who, claim)


def test_a_free_lease_is_granted_and_the_promise_is_there_to_be_written_before_the_answer_leaves():
    v = voter()
    before = v.promises.serial

    answer = ask(v, grant(1))

    assert answer.ok and answer.promised == epoch(1, 1, 0)
    assert v.promises.serial > before
    assert v.promises.names[SHARD].instance == "a"


def test_asking_for_the_status_promises_nothing():
    v = voter()

    assert ask(v, status()).ok
    assert v.promises == Promises()


def test_a_renewal_needs_no_disk():
    v = voter()
    ask(v, grant(1))
    before = v.promises.serial

    assert ask(v, renew(1), at=START + 1).ok
    assert v.promises.serial == before


@pytest.mark.parametrize(
    ("after_s", "ok"), [(0.0, False), (L - 0.01, False), (L, True), (L + 9, True)]
)
def test_another_gets_the_lease_only_when_it_has_run_out_here(after_s, ok):
    v = voter()
    ask(v, grant(1))

    assert ask(v, status("b"), at=START + after_s).ok is ok
    assert ask(v, grant(2, "b", 1), at=START + after_s).ok is ok


def test_a_renewal_counts_the_lease_anew():
    v = voter()
    ask(v, grant(1))
    ask(v, renew(1), at=START + 2)

    assert not ask(v, grant(2, "b", 1), at=START + L + 1).ok
    assert ask(v, grant(3, "b", 1), at=START + 2 + L).ok


@pytest.mark.parametrize(("n", "who"), [(1, "a"), (1, "b"), (2, "b")])
def test_an_epoch_not_above_the_promised_is_never_granted(n, who):
    v = voter()
    ask(v, grant(2))

    assert not ask(v, grant(n, who), at=START + 2 * L).ok
    assert v.promised(SHARD).epoch == epoch(1, 2, 0) and v.promised(SHARD).instance == "a"


def test_a_repeated_grant_is_a_renewal_unless_the_lease_was_given_back():
    v = voter()
    ask(v, grant(1))

    assert ask(v, grant(1), at=START + 1).ok
    assert not ask(v, status("b"), at=START + L + 0.9).ok
    assert not ask(v, ReleaseLine(SHARD, "a", epoch(1, 1, 0)), grant(1), at=START + 2).ok


def test_the_holder_itself_may_claim_again_above_at_any_time():
    v = voter()
    ask(v, grant(1))

    assert ask(v, grant(2), at=START + 0.1).ok


def test_a_released_lease_is_free_at_once():
    v = voter()
    ask(v, grant(1))
    ask(v, ReleaseLine(SHARD, "a", epoch(1, 1, 0)), status())

    assert ask(v, grant(2, "b", 1), at=START + 0.1).ok


def test_a_late_release_of_an_earlier_epoch_frees_nothing():
    v = voter()
    ask(v, grant(1))
    ask(v, grant(2))
    ask(v, ReleaseLine(SHARD, "a", epoch(1, 1, 0)), status())

    assert not ask(v, status("b")).ok


def test_a_released_lease_is_not_renewed():
    v = voter()
    ask(v, grant(1))

    assert not ask(v, ReleaseLine(SHARD, "a", epoch(1, 1, 0)), renew(1)).ok


def test_the_holders_own_keeper_vouches_and_the_lease_is_free():
    v = voter()
    ask(v, grant(1))

    assert ask(v, status("b"), gone=("a",), server=0).ok
    assert v.frees == 1


def test_another_servers_keeper_cannot_vouch():
    v = voter()
    ask(v, grant(1))

    assert not ask(v, status("b"), gone=("a",), server=1).ok


def test_a_voter_that_missed_the_grant_catches_up_with_a_renewal_once_the_former_lease_ran_out():
    v = voter()
    ask(v, grant(1))

    assert not ask(v, renew(2, "b", 1), at=START + 1).ok
    assert ask(v, renew(2, "b", 1), at=START + L).ok
    assert not ask(v, renew(1), at=START + L).ok


def test_after_a_start_it_renews_but_grants_nothing_for_one_lease_length():
    before = voter()
    ask(before, grant(1))
    v = voter(before.promises, quarantined=True)

    assert ask(v, renew(1), at=START + 0.1).ok
    v = voter(before.promises, quarantined=True)
    assert not ask(v, grant(2, "b", 1), at=START + L - 0.01).ok
    assert ask(v, grant(2, "b", 1), at=START + L).ok


def test_a_holder_that_is_gone_is_no_reason_to_wait_for_the_quarantine():
    before = voter()
    ask(before, grant(1))
    v = voter(before.promises, quarantined=True)

    assert ask(v, grant(2, "b", 1), gone=("a",), server=0).ok


@pytest.mark.parametrize(
    ("claim", "ok"),
    [((4, 9), False), ((5, 2), False), ((5, 3), True), ((5, 4), True), ((6, 3), True)],
)
def test_a_claim_below_the_highest_granted_is_refused(claim, ok):
    v = voter()
    ask(v, grant(1, claim=(5, 3)))

    assert ask(v, status("a", claim)).ok is ok
    assert ask(v, grant(2, claim=claim)).ok is ok


def test_a_claim_for_a_version_below_the_committed_one_is_refused():
    v = voter()
    v.raise_floor(SHARD, 7)

    assert not ask(v, grant(1, claim=(9, 6))).ok
    assert ask(v, grant(1, claim=(9, 7))).ok


def test_a_revoked_lease_is_not_renewed_and_then_granted_to_the_target_only():
    v = voter()
    ask(v, grant(1))
    assert v.revoke(Revoke(epoch(1, 1, 0), SHARD, epoch(1, 1, 0), "s-c")).ok

    assert not ask(v, renew(1), at=START + 0.1).ok
    late = START + L
    assert not ask(v, grant(2, "a"), at=late).ok
    assert not ask(v, grant(2, "b", 1), at=late).ok
    assert ask(v, grant(2, "c", 1), at=late).ok
    assert ask(v, grant(3, "b", 0), at=late + L).ok, "spent once a higher epoch is promised"


def test_a_revocation_of_an_older_leader_is_refused():
    v = voter()
    ask(v, grant(5, "arb", 1, name="arbiter"))

    assert not v.revoke(Revoke(epoch(1, 4, 0), SHARD, 0, "s-c")).ok
    assert v.revoke(Revoke(epoch(1, 6, 0), SHARD, 0, "s-c")).ok
    assert not v.revoke(Revoke(epoch(1, 5, 1), SHARD, 0, "s-b")).ok


def test_a_leader_below_an_arbiters_epoch_found_in_a_claim_is_told_and_not_renewed():
    v = voter()
    ask(v, grant(5, "arb", name="arbiter"))
    ask(v, grant(1, claim=(epoch(1, 8, 1), 3)))

    answer = ask(v, RenewLine("arbiter", "s-arb", "arb", epoch(1, 5, 0)), at=START + 1)
    assert (answer.ok, answer.promised) == (False, epoch(1, 8, 1))
    assert not ask(v, grant(6, "arb", name="arbiter"), at=START + 1).ok
    assert ask(v, grant(9, "arb", name="arbiter"), at=START + 1).ok


def test_a_round_of_another_voter_set_is_refused_whole():
    v = voter()

    assert v.vote(Round(0, 1, (grant(1),), voter_set=1), Mono(START)).refused
    assert v.promises == Promises()


def test_a_server_outside_the_voter_set_does_not_vote():
    v = voter(server=3)

    assert v.vote(Round(0, 1, (grant(1),)), Mono(START)).refused


# -- votes lost


def copy_of(server: int, n: int = 0, lost: bool = False) -> VotesCopy:
    names = {SHARD: Promise(epoch(1, n, 0), "s-a", "a", (3, n))} if n else {}
    return VotesCopy(server, lost, names)


def test_a_voter_that_lost_its_votes_grants_nothing_until_a_majority_of_the_others_was_copied():
    v = voter(no_promises(is_new=False))
    assert v.waits_for() == (0, 1)
    assert not ask(v, grant(9), at=START + 9 * L).ok

    v.copied(copy_of(0, 4), Mono(START))
    assert v.waits_for() == (1,) and not v.ready(Mono(START + 99))

    v.copied(copy_of(1, 5), Mono(START))
    assert v.ready(Mono(START))
    v.reset(0.5, Mono(START))
    assert v.waits_for() == () and not v.wants_copies()
    assert v.promised(SHARD).epoch == epoch(1, 5, 0) and v.promised(SHARD).claim == (3, 5)
    assert not ask(v, grant(9, "b"), at=START + L - 0.1).ok, "after copying, one lease length more"
    assert ask(v, grant(9, "b", claim=(3, 5)), at=START + L).ok


def test_what_was_lost_is_not_issued_again():
    v = voter(no_promises(is_new=False))
    others = Promise(epoch(7, 1, 0), "s-a", "a")  # the former loss was made good in generation 7
    v.copied(VotesCopy(0, False, {SHARD: others}), Mono(START))
    v.copied(copy_of(1, 5), Mono(START))
    v.reset(0.5, Mono(START))

    assert v.promises.least >= epoch(8, 1, 0)
    assert v.promises.least % (1 << 48) > 0, "nor is the place a former loss went on at"


def test_the_copy_of_a_voter_that_lost_its_own_votes_proves_nothing():
    v = voter(no_promises(is_new=False))
    v.copied(copy_of(0, 4), Mono(START))
    v.copied(copy_of(1, lost=True), Mono(START))

    assert v.waits_for() == (1,) and not v.ready(Mono(START + 99))


def test_a_copy_from_a_server_that_is_no_voter_is_ignored():
    v = voter(no_promises(is_new=False))
    v.copied(copy_of(2, 4), Mono(START))
    v.copied(copy_of(7, 4), Mono(START))

    assert v.waits_for() == (0, 1) and v.promised(SHARD).epoch == 0


@pytest.mark.parametrize("is_new", [True, False])
def test_when_all_are_empty_it_is_the_first_start(is_new):
    v = voter(no_promises(is_new), quarantined=True)
    v.copied(copy_of(0, lost=True), Mono(START))
    v.copied(copy_of(1, lost=True), Mono(START))

    assert v.ready(Mono(START))
    v.reset(0.5, Mono(START))
    assert v.promises.least == 0
    assert not ask(v, grant(1), at=START + L - 0.1).ok, "the quarantine stands"
    assert ask(v, grant(1), at=START + L).ok


def test_lost_votes_stay_lost_over_a_restart():
    lost = no_promises(is_new=False)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(lost), type=Promises)

    assert voter(kept).waits_for() == (0, 1)


def test_a_new_server_votes_after_its_quarantine_with_what_it_heard():
    v = voter(no_promises(is_new=True), quarantined=True)
    assert v.copy().lost, "it proves nothing yet"
    v.copied(copy_of(0, 4), Mono(START))

    assert not v.ready(Mono(START + L - 0.1)) and v.ready(Mono(START + L))
    v.reset(0.5, Mono(START + L))
    assert not ask(v, grant(3, "b", claim=(3, 4)), at=START + L).ok
    assert ask(v, grant(9, "b", claim=(3, 4)), at=START + L).ok
    assert not v.wants_copies()


def test_the_operator_may_reset_a_voter():
    v = voter(no_promises(is_new=False))
    v.reset(0.5, Mono(START))

    assert not ask(v, grant(1), at=START + L - 0.1).ok
    assert ask(v, grant(1), at=START + L).ok


def test_its_view_of_a_lease_tells_the_holder_and_whether_it_lives():
    v = voter()
    ask(v, grant(1))

    assert [(s.daemon, s.live) for s in v.standing(Mono(START + 1))] == [("s-a", True)]
    assert [(s.daemon, s.live) for s in v.standing(Mono(START + L))] == [("s-a", False)]


# -- terms


def test_the_default_terms_are_sound():
    assert check_terms(Terms()) == []


@pytest.mark.parametrize(
    ("terms", "word"),
    [
        (Terms(beat_s=0.6), "fifth"),
        (Terms(rpc_timeout_s=0.7), "quarter"),
        (Terms(drift=0.2), "drift"),
        (Terms(margin_s=1.0), "margin"),
        (Terms(split_delay_s=-1), "split_delay"),
        (Terms(lease_s=0.0), "more than 0"),
    ],
)
def test_terms_that_a_lease_cannot_live_by_are_named(terms, word):
    assert any(word in sentence for sentence in check_terms(terms))


def test_terms_at_their_limits_leave_time_for_two_beats_and_a_call():
    edge = Terms(lease_s=1.0, beat_s=0.2, rpc_timeout_s=0.25, margin_s=0.25, drift=0.05)

    assert check_terms(edge) == []
    assert edge.deadline(Mono(0.0)) >= 2 * edge.beat_s + edge.rpc_timeout_s - 1e-9
