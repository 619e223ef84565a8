"""Who votes, and how that changes: the leader's next order, and what a keeper takes up."""

import pytest

from daemons.ha.board import Board
from daemons.ha.promises import Promises
from daemons.ha.terms import Terms
from daemons.ha.voterset import ENGINE, initial, majorities, next_order
from daemons.model.clock import Mono
from daemons.model.cluster import epoch
from daemons.wire.board import Convene, CopyVotes, GrantLine, Round, VoterSet

T, L = 1000.0, Terms().lease_s
LEADER, NEXT = epoch(1, 5, 0), epoch(1, 6, 1)
THREE = VoterSet(2, (0, 1, 2), (), LEADER)
JOINT = VoterSet(3, (0, 1, 2, 3), (0, 1, 2), LEADER)


def order(seen, wanted=(0, 1, 2), ready=(0, 1, 2, 3, 4), leader=LEADER, synced=None):
    return next_order(seen, list(seen) if synced is None else synced, wanted, ready, leader)


def all_have(voter_set, servers=(0, 1, 2, 3, 4)):
    return dict.fromkeys(servers, voter_set)


def board(server: int = 2, voters=(0, 1, 2), promises: Promises | None = None) -> Board:
    return Board(server, voters, Terms(), promises or Promises(), lambda: 0.5, Mono(T - L))


def test_without_a_word_of_any_keeper_nothing_is_ordered():
    assert order({}) is None


def test_a_new_leader_first_orders_what_stands_under_its_own_epoch():
    assert order(all_have(THREE), wanted=(0, 1), leader=NEXT) == VoterSet(2, (0, 1, 2), (), NEXT)


def test_a_leader_that_meets_a_newer_leaders_order_orders_nothing():
    assert order(all_have(VoterSet(2, (0, 1, 2), (), NEXT)), wanted=(0, 1)) is None


def test_when_the_configuration_names_the_voters_that_vote_the_order_stays():
    assert order(all_have(THREE)) == THREE


def test_one_server_joins_at_a_time_and_the_old_voters_are_still_needed():
    assert order(all_have(THREE), wanted=(0, 1, 2, 3, 4)) == JOINT


def test_a_server_that_does_not_answer_or_is_not_known_everywhere_does_not_join():
    assert order(all_have(THREE), wanted=(0, 1, 2, 3, 4), ready=(0, 1, 2)) == THREE


def test_a_server_leaves_only_when_its_replacement_has_joined():
    assert order(all_have(THREE), wanted=(0, 1, 4), ready=(0, 1, 2)) == THREE
    assert order(all_have(THREE), wanted=(0, 1, 4)).voters == (0, 1, 2, 4)
    four = VoterSet(4, (0, 1, 2, 4), (), LEADER)
    assert order(all_have(four), wanted=(0, 1, 4)).voters == (0, 1, 4)


@pytest.mark.parametrize(
    ("taken", "goes_on"), [((0, 1), False), ((0, 3), False), ((0, 1, 3), True), ((0, 1, 2), True)]
)
def test_the_next_step_waits_for_majorities_of_the_old_and_of_the_new(taken, goes_on):
    seen = all_have(THREE) | all_have(JOINT, taken)

    after = VoterSet(4, (0, 1, 2, 3), (), LEADER)
    assert order(seen, wanted=(0, 1, 2, 3)) == (after if goes_on else JOINT)


def test_who_does_not_know_what_the_old_voters_promised_is_not_counted():
    assert order(all_have(JOINT), synced=(0, 3)) == JOINT


def test_a_new_leader_finishes_what_the_last_one_began():
    seen = all_have(THREE) | all_have(JOINT, (3,))

    assert order(seen, leader=NEXT) == VoterSet(3, JOINT.voters, JOINT.old, NEXT)


def test_majorities_of_both_halves_are_needed():
    assert majorities(JOINT, (0, 1, 3)) and not majorities(JOINT, (0, 3))
    assert majorities(THREE, (0, 1)) and not majorities(THREE, (0, 3, 4))


def test_a_keeper_takes_up_a_newer_set_and_it_is_there_to_be_written_before_the_answer():
    b = board()
    before = b.promises.serial
    answer = b.asked(Convene(JOINT), Mono(T))

    assert answer.voters == JOINT and not answer.synced
    assert b.promises.voters == JOINT and b.promises.serial > before
    assert b.asked(Convene(THREE), Mono(T)).voters == JOINT


def test_a_restarted_keeper_goes_on_with_the_set_on_disk_not_with_the_configurations():
    b = board(voters=(0, 1), promises=Promises(voters=THREE))

    assert b.claims.set == b.voter.voters == THREE


def test_an_engines_board_has_no_voter_set():
    b = board(voters=(ENGINE,), promises=Promises(voters=THREE))

    assert b.voter.voters == initial((ENGINE,))
    assert not b.convene(JOINT, Mono(T))


def test_who_votes_for_a_newer_leader_takes_no_set_of_an_older_one_while_that_lease_may_live():
    b = board()
    lead = Round(1, 1, (GrantLine("arbiter", "a", "a", NEXT),))
    assert b.asked(lead, Mono(T)).lines[0].ok

    assert not b.convene(JOINT, Mono(T + 1))
    assert b.convene(JOINT, Mono(T + L))  # of a campaign that failed


def test_a_keeper_that_missed_a_change_learns_of_it_from_the_first_voter_it_asks():
    late, other = board(0), board(1)
    other.convene(THREE, Mono(T))
    late.claims.want("shard/1", "s", "i", (0, 0), Mono(T))
    (ask,) = [a for a in late.tick(Mono(T)) if a.to == 1]
    votes = other.asked(ask.message, Mono(T))
    late.answered(1, votes, Mono(T))

    assert votes.refused and late.voter.voters == THREE


def test_a_voter_that_missed_a_change_learns_of_it_from_a_round_and_answers_it():
    late = board(0)
    votes = late.asked(Round(1, 1, voter_set=THREE.version, voters=THREE), Mono(T))

    assert not votes.refused and late.voter.voters == THREE


def test_a_voter_is_in_step_when_a_majority_of_the_old_voters_told_it_what_they_promised():
    b, other = board(3), board(1)
    for one in (b, other):
        one.convene(JOINT, Mono(T))
    b.answered(1, other.asked(CopyVotes(3), Mono(T)), Mono(T))
    assert not b.voter.synced
    third = board(2)
    third.convene(JOINT, Mono(T))
    b.answered(2, third.asked(CopyVotes(3), Mono(T)), Mono(T))

    assert b.voter.synced and b.voter.quarantine >= T + L


def test_what_a_voter_says_that_still_counts_with_the_old_set_does_not_bring_another_into_step():
    b, other = board(0), board(1)
    b.convene(JOINT, Mono(T))
    b.answered(1, other.asked(CopyVotes(0), Mono(T)), Mono(T))

    assert not b.voter.synced
