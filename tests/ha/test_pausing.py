"""A paused voter, asked by hand: who may have a lease, which order counts, when the pause ends."""

import msgspec

from daemons.ha.pausing import REWRITE_S
from daemons.ha.promises import Promises, no_promises
from daemons.ha.terms import Terms
from daemons.ha.vote import Voter
from daemons.model.clock import Mono
from daemons.model.cluster import SERVERS_MAX, epoch
from daemons.wire.board import GrantLine, Pause, RenewLine, Revoke, Round, StatusLine, VotesCopy

TERMS = Terms()
T, L = 1000.0, TERMS.lease_s
LEADER = epoch(1, 5, 0)
SHARD = "shard/1"


def voter(promises: Promises | None = None, began: float = T - 10) -> Voter:
    return Voter(2, (0, 1, 2), TERMS, promises or Promises(), Mono(began))


def ask(v: Voter, line, at: float):
    return v.vote(Round(0, 1, (line,)), Mono(at)).lines[0]


def grant(who: str, n: int, instance: str = "") -> GrantLine:
    return GrantLine(SHARD, who, instance or who, epoch(1, n, 0))


def paused(left_s: float = 600.0) -> Voter:
    """A voter that has promised the shard to "a" and was then paused at T."""
    v = voter()
    assert ask(v, grant("a", 1), T).ok
    assert v.pause(Pause(LEADER, 1, left_s, "ann", "new disks"), Mono(T)).ok
    return v


def test_while_paused_nobody_takes_over_however_long_the_holder_is_silent():
    v = paused()

    assert not ask(v, StatusLine(SHARD, "b", "b"), T + 60).ok
    refused = ask(v, grant("b", 2), T + 60)
    assert not refused.ok and refused.why == "paused for 540 s more, and it was a's"


def test_while_paused_the_holder_renews_and_comes_back_after_a_restart():
    v = paused()

    assert ask(v, RenewLine(SHARD, "a", "a", epoch(1, 1, 0)), T + 1).ok
    assert ask(v, grant("a", 2, instance="a after its restart"), T + 60).ok


def test_while_paused_a_lease_that_nobody_ever_had_may_be_had():
    v = voter()
    v.pause(Pause(LEADER, 1, 600.0), Mono(T))

    assert ask(v, grant("b", 1), T + 1).ok


def test_the_leader_may_move_a_lease_while_paused():
    v = paused()
    assert v.revoke(Revoke(LEADER, SHARD, epoch(1, 1, 0), "b")).ok

    assert not ask(v, grant("c", 2), T + 60).ok
    assert ask(v, grant("b", 3), T + 60).ok


def test_a_voter_that_missed_the_grant_catches_up_by_a_renewal_though_it_is_paused():
    v = paused()

    assert ask(v, RenewLine(SHARD, "b", "b", epoch(1, 4, 1)), T + L).ok


def test_the_pause_ends_by_itself():
    v = paused(left_s=30)

    assert not ask(v, grant("b", 2), T + 29.9).ok
    assert v.pausing.seen(Mono(T + 29.9)) is not None
    assert ask(v, grant("b", 2), T + 30).ok
    assert v.pausing.seen(Mono(T + 30)) is None


def test_the_leader_ends_the_pause_with_a_newer_order_and_a_late_older_one_does_not_revive_it():
    v = paused()
    assert v.pause(Pause(LEADER, 2, 0.0), Mono(T + 5)).ok
    late = v.pause(Pause(LEADER, 1, 595.0), Mono(T + 6))

    assert (late.ok, late.n, late.left_s) == (False, 2, 0.0)
    assert ask(v, grant("b", 2), T + 7).ok


def test_the_same_order_again_never_prolongs_the_pause():
    v = paused(left_s=30)
    v.pause(Pause(LEADER, 1, 30.0), Mono(T + 20))

    assert ask(v, grant("b", 2), T + 30).ok


def test_an_older_leader_pauses_nobody():
    v = paused(left_s=0)

    assert not v.pause(Pause(LEADER - SERVERS_MAX, 9, 60.0), Mono(T)).ok
    assert ask(v, grant("b", 2), T + L).ok


def test_the_operator_ends_the_pause_when_nobody_leads_and_the_leaders_repetition_does_not_revive_it():
    v = paused()
    v.pausing.resume(Mono(T + 10))
    v.pause(Pause(LEADER, 1, 590.0), Mono(T + 10))

    assert ask(v, grant("b", 2), T + 10).ok


def test_a_restarted_voter_is_still_paused_for_about_what_was_left():
    v = paused(left_s=600)
    v.pausing.age(Mono(T + REWRITE_S - 1))
    assert v.promises.pause.left_s == 600
    v.pausing.age(Mono(T + REWRITE_S))
    again = voter(msgspec.msgpack.decode(msgspec.msgpack.encode(v.promises), type=Promises), 5000)

    assert again.pausing.seen(Mono(5000)).left_s == 600 - REWRITE_S
    assert not ask(again, grant("b", 2), 5000 + 500).ok
    assert ask(again, grant("b", 2), 5000 + 540).ok


def test_a_voter_that_lost_its_votes_hears_of_the_pause_with_the_copies():
    lost, other = voter(no_promises(is_new=False)), paused()
    copy = other.copy()
    lost.copied(VotesCopy(0, copy.lost, copy.promises, copy.pause), Mono(T + 5))

    assert not ask(lost, grant("b", 2), T + 60).ok
    assert lost.pausing.seen(Mono(T + 60)).by == "ann"
