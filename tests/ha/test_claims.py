"""Claims of actions: what one keeper notes, and what several of them prove."""

import pytest

from daemons.ha.claims import (
    CLAIMS_MAX,
    FORGET_S,
    Ballot,
    ClaimRegister,
    enough,
    majority,
    second_copy,
)
from daemons.ha.past import past
from daemons.wire.claims import (
    ActionClaim,
    ActionsClaimed,
    ActionsEnded,
    ClaimActions,
    ClaimsAsk,
    ClaimsKept,
)
from daemons.wire.messages import Claimed, ClaimedAction, Fenced

VOTERS = (1, (0, 1, 2))


def claim(register: ClaimRegister, who: str, *ids: str, epoch: int = 5, tagged=(), promised: int = 5):
    asked = ClaimActions(who, 1, epoch, ids, tuple(tagged))
    return register.claim(asked, promised, VOTERS, 10.0, counts=True, alone=False)


def kept(register: ClaimRegister, epoch: int = 6, now: float = 60.0) -> ClaimsKept:
    answer = register.ask(ClaimsAsk(1, epoch), 5, VOTERS, now)
    assert isinstance(answer, ClaimsKept)
    return answer


@pytest.mark.parametrize(
    ("voters", "most", "read"), [(0, 0, 0), (1, 1, 1), (2, 2, 2), (3, 2, 2), (4, 3, 2), (5, 3, 3)]
)
def test_whoever_reads_enough_voters_meets_every_claim_that_was_won(voters, most, read):
    assert (majority(voters), enough(voters)) == (most, read)
    assert not voters or most + read > voters


def test_a_claim_is_noted_for_one_reactionner_only():
    register = ClaimRegister(0, 0.0)
    assert claim(register, "r1", "a").taken == ()
    assert claim(register, "r2", "a", "b").taken == ("a",)
    assert claim(register, "r1", "a").taken == ()  # a repeated request changes nothing


def test_a_repeat_that_says_so_is_noted_over_another_claim():
    register = ClaimRegister(0, 0.0)
    claim(register, "r1", "a")

    assert claim(register, "r2", tagged=["a"]).taken == ()
    assert kept(register).claims == (ActionClaim("a", "r2", "claimed", 5, 0, True),)


def test_no_claim_is_noted_below_the_promised_epoch():
    assert claim(ClaimRegister(0, 0.0), "r1", "a", epoch=5, promised=6) == Fenced("shard/1", 6)


def test_no_claim_is_noted_below_the_epoch_that_has_read_the_claims():
    """Else an owner could read, and the former owner's action be claimed after that."""
    register = ClaimRegister(0, 0.0)
    kept(register, epoch=6)

    assert claim(register, "r1", "a", epoch=5) == Fenced("shard/1", 6)
    assert register.ask(ClaimsAsk(1, 5), 5, VOTERS, 61.0) == Fenced("shard/1", 6)


def test_what_is_done_is_told_and_never_noted_as_claimed_again():
    register = ClaimRegister(0, 0.0)
    claim(register, "r1", "a")
    done = ActionClaim("a", "r1", "done", 5, 3)
    register.ended(ActionsEnded("r1", done=((1, done),)), 11.0)

    assert claim(register, "r2", tagged=["a"]).done == (done,)
    assert kept(register).claims == (done,)


def test_what_is_given_back_is_forgotten_unless_another_has_it_now():
    register = ClaimRegister(0, 0.0)
    claim(register, "r1", "a", "b")
    claim(register, "r2", tagged=["b"])
    register.ended(ActionsEnded("r1", released=((1, "a"), (1, "b"))), 11.0)

    assert [c.id for c in kept(register).claims] == ["b"]


def test_a_keeper_is_bounded_and_says_what_it_may_have_forgotten():
    register = ClaimRegister(0, 0.0)
    for at in range(CLAIMS_MAX + 1):
        asked = ClaimActions("r1", 1, 5, (str(at),))
        register.claim(asked, 5, VOTERS, 10.0 + at / 1000, counts=True, alone=False)
    answer = kept(register)

    assert len(answer.claims) == CLAIMS_MAX
    assert answer.remembers_s == pytest.approx(50.0)
    assert kept(register, now=60.0 + FORGET_S).claims == ()


def answered(server: int, *claims: ActionClaim, remembers_s: float = 100.0) -> ClaimsKept:
    return ClaimsKept(server, 1, claims, remembers_s, (0, 1, 2), 1)


def test_two_of_three_keepers_prove_what_was_never_claimed():
    assert second_copy([answered(0), answered(2)], 40.0).whole
    assert not second_copy([answered(0)], 40.0).whole
    assert not second_copy([], 40.0).whole


def test_a_keeper_that_started_after_the_claim_proves_nothing():
    young = answered(2, remembers_s=30.0)

    assert not second_copy([answered(0), young], 40.0).whole


def voted(server: int, **more) -> ActionsClaimed:
    return ActionsClaimed(server, 1, **more)


def test_a_claim_is_won_by_a_majority_that_counts():
    ballot = Ballot(0.0, False)
    ballot.hear("a", voted(0))
    ballot.hear("a", voted(1, counts=False))  # it has just started: it may have forgotten
    assert not ballot.won((0, 1, 2))
    ballot.hear("a", voted(2))
    assert ballot.won((0, 1, 2))


def test_of_two_voters_both_are_needed_unless_one_is_alone():
    ballot = Ballot(0.0, False)
    ballot.hear("a", voted(0))
    assert not ballot.won((0, 1))
    ballot.hear("a", voted(0, alone=True))
    assert ballot.won((0, 1))


def test_a_claim_is_lost_when_a_majority_cannot_be_had():
    ballot = Ballot(0.0, False)
    ballot.hear("a", voted(0, taken=("a",)))
    assert not ballot.lost((0, 1, 2))
    ballot.hear("a", voted(1, taken=("a",)))
    assert ballot.lost((0, 1, 2))


def entry(state: str, epoch: int = 5) -> ClaimedAction:
    return ClaimedAction("a", state, epoch)


def copy(*claims: ActionClaim) -> list[ClaimsKept]:
    return [answered(0, *claims), answered(1, *claims)]


def test_a_silent_reactionner_casts_no_doubt_when_the_keepers_know_of_no_claim():
    known = past({"r1": None}, second_copy(copy(), 40.0))
    assert known.untouched("a", 5)


def test_a_silent_reactionners_claim_is_known_from_the_keepers():
    known = past({"r1": None}, second_copy(copy(ActionClaim("a", "r1", "claimed", 5)), 40.0))
    assert not known.untouched("a", 5)
    assert not known.ran("a")


def test_without_enough_keepers_a_silent_reactionner_may_have_begun_anything():
    assert not past({"r1": None}, second_copy([answered(0)], 40.0)).untouched("a", 5)


def half(server: int, *claims: ActionClaim) -> ClaimsKept:
    return ClaimsKept(server, 1, claims, 100.0, (0, 1), 1)


def test_of_two_keepers_that_are_parted_one_proves_nothing():
    """The other side may have had an owner, and a reactionner there that its own keeper alone let run."""
    other_sides_reactionner_is_off_the_roster = {"r1": Claimed(1)}
    alone = past(other_sides_reactionner_is_off_the_roster, second_copy([half(0)], 40.0))
    both = past(other_sides_reactionner_is_off_the_roster, second_copy([half(0), half(1)], 40.0))

    assert not alone.untouched("a", 5)
    assert both.untouched("a", 5)


def test_what_a_reactionner_has_given_back_is_no_claim_whatever_keepers_still_say():
    journals = {"r1": Claimed(1, (), ("a",))}
    known = past(journals, second_copy(copy(ActionClaim("a", "r1", "claimed", 5)), 40.0))
    assert known.untouched("a", 5)


def test_a_claim_that_its_reactionner_does_not_remember_still_counts():
    known = past({"r1": Claimed(1)}, second_copy(copy(ActionClaim("a", "r1", "claimed", 5)), 40.0))
    assert not known.untouched("a", 5)


def test_done_anywhere_is_done():
    done = copy(ActionClaim("a", "r1", "done", 5))
    assert past({"r1": Claimed(1, (entry("claimed"),))}, second_copy(done, 40.0)).ran("a")
    assert past({"r1": Claimed(1, (entry("done"),)), "r2": None}, second_copy([], 40.0)).ran("a")


def test_a_plan_older_than_what_was_claimed_since_is_an_orphan():
    """An owner came back with it; one between may have planned and run the same, long forgotten."""
    journals = {"r1": Claimed(1, (ClaimedAction("other", "done", 7),))}
    known = past(journals, second_copy([], 40.0))
    assert not known.untouched("a", 5)
    assert known.untouched("a", 7)
