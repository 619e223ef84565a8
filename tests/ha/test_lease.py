"""The claiming side and the whole board, driven by hand: voters answer when the test says so."""

import pytest

from daemons.ha.board import Ask, Board
from daemons.ha.lease import Claims, Held
from daemons.ha.promises import Promises, no_promises
from daemons.ha.terms import Terms
from daemons.model.clock import Mono
from daemons.model.cluster import SERVERS_MAX, epoch, epoch_n
from daemons.wire.board import (
    CopyVotes,
    Gone,
    GrantLine,
    ReleaseLine,
    RenewLine,
    Revoke,
    Round,
    StatusLine,
    VoteLine,
    VoterSet,
    Votes,
)

TERMS = Terms()
L, BEAT = TERMS.lease_s, TERMS.beat_s
LEASE_S = TERMS.deadline(Mono(0.0))  # what a holder counts with
T = 100.0
SHARD = "shard/1"


def claims(voters=(0, 1, 2), server=0, terms=TERMS, at=T) -> Claims:
    return Claims(server, voters, terms, Promises(), lambda: 0.5, Mono(at))


def vote(asked: Round, server: int, ok: bool = True, promised: int | None = None) -> Votes:
    """Voter `server` says yes (or no) to every line."""
    lines = tuple(
        VoteLine(
            line.name,
            line.instance,
            ok,
            (getattr(line, "epoch", 0) if ok else 0) if promised is None else promised,
        )
        for line in asked.lines
        if not isinstance(line, ReleaseLine)
    )
    return Votes(server, asked.serial, lines)


def seek(c: Claims, at: float = T, instance: str = "a") -> Round:
    """The status round of a daemon that wants the shard."""
    c.want(SHARD, "s-1", instance, (1, 1), Mono(at))
    asked = c.tick(Mono(at))
    assert asked is not None
    return asked


def campaign(c: Claims, at: float = T) -> Round:
    """The grant round of a candidate whose pre-vote was won."""
    asked = seek(c, at)
    c.answered(0, vote(asked, 0), Mono(at))
    grants = c.answered(1, vote(asked, 1), Mono(at))
    assert grants is not None
    return grants


def holding(c: Claims, at: float = T) -> Held:
    """The lease, granted by voters 0 and 1 to a round sent at `at`."""
    grants = campaign(c, at)
    c.answered(0, vote(grants, 0), Mono(at))
    c.answered(1, vote(grants, 1), Mono(at))
    (held,) = c.held("a", Mono(at))
    return held


def renewal(c: Claims, at: float) -> Round:
    c.progressed("a", Mono(at))
    asked = c.tick(Mono(at))
    assert asked is not None and any(isinstance(line, RenewLine) for line in asked.lines)
    return asked


# -- seeking


def test_a_candidate_asks_before_it_campaigns():
    c = claims()
    asked = seek(c)

    assert asked.lines == (StatusLine(SHARD, "s-1", "a", (1, 1)),)
    assert c.answered(0, vote(asked, 0), Mono(T)) is None
    grants = c.answered(1, vote(asked, 1), Mono(T))
    assert grants is not None
    assert grants.lines == (GrantLine(SHARD, "s-1", "a", epoch(1, 1, 0), (1, 1)),)


@pytest.mark.parametrize("answering", [(0,), (0, 0, 0), ()])
def test_a_candidate_that_lost_its_own_link_campaigns_nowhere(answering):
    c = claims()
    for beat in range(20):
        c.progressed("a", Mono(T + beat))
        asked = seek(c, T + beat)
        assert all(c.answered(v, vote(asked, v), Mono(T + beat)) is None for v in answering)
    assert c.promises.issued == {}


def test_votes_that_say_no_do_not_count():
    c = claims()
    asked = seek(c)

    assert c.answered(0, vote(asked, 0, ok=False), Mono(T)) is None
    assert c.answered(1, vote(asked, 1), Mono(T)) is None


def test_the_answer_of_a_server_that_is_no_voter_does_not_count():
    c = claims()
    asked = seek(c)
    c.answered(0, vote(asked, 0), Mono(T))

    assert c.answered(7, vote(asked, 7), Mono(T)) is None


def test_the_epoch_is_above_all_seen_and_all_issued_and_durable_before_it_is_sent():
    c = claims()
    c.promises.issued[SHARD] = epoch(1, 6, 0)
    before = c.promises.serial
    asked = seek(c)
    c.answered(0, vote(asked, 0, promised=epoch(1, 9, 2)), Mono(T))
    grants = c.answered(1, vote(asked, 1, promised=epoch(1, 4, 1)), Mono(T))

    assert grants is not None and grants.lines[0].epoch == epoch(1, 10, 0)
    assert c.promises.issued[SHARD] == epoch(1, 10, 0) and c.promises.serial > before


def test_two_daemons_of_one_server_never_claim_the_same_epoch():
    c = claims()
    c.want(SHARD, "s-1", "a", (1, 1), Mono(T))
    c.want(SHARD, "s-2", "b", (1, 1), Mono(T))
    asked = c.tick(Mono(T))
    c.answered(0, vote(asked, 0), Mono(T))
    grants = c.answered(1, vote(asked, 1), Mono(T))

    assert len({line.epoch for line in grants.lines}) == 2


def test_one_campaign_at_a_time_the_next_after_a_random_wait():
    c = claims()
    grants = campaign(c)
    c.progressed("a", Mono(T + BEAT))
    again = c.tick(Mono(T + 1.1 * BEAT))
    assert again is not None and again.lines == grants.lines, "an answer may have been lost"

    c.progressed("a", Mono(T + 2))
    assert isinstance(c.tick(Mono(T + 2)).lines[0], StatusLine)


def test_a_repeated_campaign_counts_from_its_own_sending():
    c = claims()
    grants = campaign(c)
    c.answered(0, vote(grants, 0), Mono(T))
    c.progressed("a", Mono(T + 0.5))
    again = c.tick(Mono(T + 0.5))
    c.answered(1, vote(again, 1), Mono(T + 0.5))
    assert c.held("a", Mono(T + 0.5)) == (), "votes of two rounds"
    c.answered(0, vote(again, 0), Mono(T + 0.6))

    assert c.held("a", Mono(T + 0.6)) == (Held(SHARD, epoch(1, 1, 0), Mono(T + 0.5 + LEASE_S)),)


def test_nothing_is_asked_between_two_beats():
    c = claims()
    seek(c)

    assert c.tick(Mono(T + 0.1)) is None
    assert c.tick(Mono(T + 1.1 * BEAT)) is not None


# -- holding


def test_a_majority_of_grants_makes_a_holder_counted_from_the_sending():
    c = claims()
    grants = campaign(c, T)
    c.answered(0, vote(grants, 0), Mono(T + 0.2))
    assert c.held("a", Mono(T + 0.2)) == ()
    c.answered(1, vote(grants, 1), Mono(T + 0.3))

    assert c.held("a", Mono(T + 0.3)) == (Held(SHARD, epoch(1, 1, 0), Mono(T + LEASE_S)),)


def test_one_voter_answering_twice_is_no_majority():
    c = claims()
    grants = campaign(c)
    c.answered(0, vote(grants, 0), Mono(T))
    c.answered(0, vote(grants, 0), Mono(T))

    assert c.held("a", Mono(T)) == ()


def test_grants_that_come_after_the_lease_would_have_ended_give_nothing():
    c = claims()
    grants = campaign(c)
    c.answered(0, vote(grants, 0), Mono(T))
    c.answered(1, vote(grants, 1), Mono(T + LEASE_S))

    assert c.held("a", Mono(T + LEASE_S)) == ()


def test_grants_of_an_earlier_campaign_give_nothing():
    c = claims()
    first = campaign(c)
    c.answered(0, vote(first, 0), Mono(T))
    c.progressed("a", Mono(T + 2))
    campaign(c, T + 2)
    c.answered(1, vote(first, 1), Mono(T + 2))

    assert c.held("a", Mono(T + 2)) == ()


def test_a_renewal_by_a_majority_moves_the_end():
    c = claims()
    holding(c)
    asked = renewal(c, T + 1)
    c.answered(0, vote(asked, 0), Mono(T + 1))
    assert c.held("a", Mono(T + 1))[0].until == T + LEASE_S
    c.answered(2, vote(asked, 2), Mono(T + 1.3))

    assert c.held("a", Mono(T + 1.3))[0].until == T + 1 + LEASE_S


def test_votes_of_two_rounds_make_no_majority():
    c = claims()
    holding(c)
    one, two = renewal(c, T + 0.5), renewal(c, T + 1)
    c.answered(0, vote(one, 0), Mono(T + 1))
    c.answered(2, vote(two, 2), Mono(T + 1))

    assert c.held("a", Mono(T + 1))[0].until == T + LEASE_S


def test_at_its_end_a_lease_is_over_and_late_answers_give_nothing_back():
    c = claims()
    holding(c)
    asked = renewal(c, T + 1)
    assert c.held("a", Mono(T + LEASE_S)) == ()
    c.tick(Mono(T + LEASE_S))
    c.answered(0, vote(asked, 0), Mono(T + LEASE_S))
    c.answered(1, vote(asked, 1), Mono(T + LEASE_S))

    assert c.held("a", Mono(T + LEASE_S)) == ()


def test_a_late_grant_does_not_take_a_released_epoch_up_again():
    c = claims()
    grants = campaign(c)
    c.answered(0, vote(grants, 0), Mono(T))
    c.answered(1, vote(grants, 1), Mono(T))
    c.release(SHARD, "a", epoch(1, 1, 0), Mono(T))
    c.want(SHARD, "s-1", "a", (1, 1), Mono(T))
    c.answered(2, vote(grants, 2), Mono(T + 0.1))
    c.answered(1, vote(grants, 1), Mono(T + 0.1))

    assert c.held("a", Mono(T + 0.1)) == ()


def test_a_majority_that_promised_higher_ends_the_lease_at_once():
    c = claims()
    holding(c)
    asked = renewal(c, T + 1)
    c.answered(1, vote(asked, 1, ok=False, promised=epoch(1, 2, 1)), Mono(T + 1))
    assert c.held("a", Mono(T + 1)) != ()
    c.answered(2, vote(asked, 2, ok=False, promised=epoch(1, 2, 1)), Mono(T + 1))

    assert c.held("a", Mono(T + 1)) == ()


def test_who_is_told_fenced_claims_again_above():
    c = claims()
    held = holding(c)
    c.fenced(SHARD, "a", epoch(1, 8, 2))
    assert c.held("a", Mono(T)) == ()

    c.progressed("a", Mono(T + 2))
    grants = campaign(c, T + 2)
    assert grants.lines[0].epoch == epoch(1, 9, 0) > held.epoch


def test_a_role_that_makes_no_progress_is_not_renewed():
    c = claims()
    holding(c)
    c.progressed("a", Mono(T + 0.5))

    assert c.tick(Mono(T + 1)).lines != ()
    assert c.tick(Mono(T + 0.5 + L / 4 + BEAT)).lines == ()


def test_a_role_that_makes_no_progress_seeks_nothing():
    c = claims()
    seek(c)

    assert c.tick(Mono(T + 1)).lines == ()


def test_a_released_lease_is_given_back_in_the_next_rounds_and_sought_no_more():
    c = claims()
    held = holding(c)
    c.release(SHARD, "a", held.epoch, Mono(T + 0.1))
    asked = c.tick(Mono(T + 0.1))

    assert asked.lines == (ReleaseLine(SHARD, "a", held.epoch),)
    assert c.tick(Mono(T + 1)).lines == asked.lines, "repeated, the first may have been lost"
    assert c.tick(Mono(T + 5)).lines == ()


def test_a_late_release_of_an_earlier_epoch_is_not_passed_on():
    c = claims()
    held = holding(c)
    c.release(SHARD, "a", held.epoch - SERVERS_MAX, Mono(T + 0.1))

    assert c.held("a", Mono(T + 0.1)) == (held,)
    assert not any(isinstance(x, ReleaseLine) for x in renewal(c, T + 0.5).lines)


def test_a_dropped_lease_runs_out_by_itself():
    c = claims()
    holding(c)
    c.drop(SHARD, "a")

    assert c.held("a", Mono(T)) == ()
    assert c.tick(Mono(T + 0.5)).lines == ()


def test_what_a_daemon_wants_no_more_is_sought_no_more():
    c = claims()
    seek(c)
    c.want("arbiter", "s-1", "a", (0, 0), Mono(T))
    c.drop_all_but("a", {"arbiter"})

    assert [line.name for line in c.tick(Mono(T)).lines] == ["arbiter"]


def test_the_gone_are_vouched_for_and_seek_no_more():
    c = claims()
    holding(c)
    c.gone("a", Mono(T + 0.1))
    c.want(SHARD, "s-1", "a", (1, 1), Mono(T + 0.1))  # its last beat, late
    asked = c.tick(Mono(T + 0.1))

    assert asked.gone == ("a",) and asked.lines == ()


def test_a_keeper_that_restarted_goes_on_with_what_its_daemons_hold():
    held = holding(claims())
    c = claims(at=T + 1)
    c.want(SHARD, "s-1", "a", (1, 1), Mono(T + 1), held)

    assert c.held("a", Mono(T + 1)) == (held,)
    assert renewal(c, T + 1).lines == (RenewLine(SHARD, "s-1", "a", held.epoch, (1, 1)),)


def test_a_keeper_that_restarted_takes_up_nothing_that_has_run_out():
    held = holding(claims())
    c = claims(at=T + LEASE_S)
    c.want(SHARD, "s-1", "a", (1, 1), Mono(T + LEASE_S), held)

    assert c.held("a", Mono(T + LEASE_S)) == ()


def test_what_was_closed_here_is_not_taken_up_again_on_a_daemons_word():
    c = claims()
    held = holding(c)
    c.drop(SHARD, "a")
    c.want(SHARD, "s-1", "a", (1, 1), Mono(T + 0.1), held)

    assert c.held("a", Mono(T + 0.1)) == ()


def test_the_last_refusal_is_kept_for_people():
    c = claims()
    asked = seek(c)
    line = VoteLine(SHARD, "a", False, 0, "held by s-9, epoch 7")
    c.answered(1, Votes(1, asked.serial, (line,)), Mono(T))

    assert c.why_not(SHARD, "a") == "held by s-9, epoch 7"
    assert c.why_not(SHARD, "nobody") == ""


# -- two voters

ALONE = L + TERMS.split_delay_s + 0.01


def pair(policy="takeover") -> Claims:
    return claims(voters=(0, 1), terms=Terms(split_policy=policy))


def own_vote(c: Claims, at: float, isolated=False, ok=True) -> Round | None:
    """Seek at `at`, answered by the own voter only."""
    c.progressed("a", Mono(at))
    c.want(SHARD, "s-1", "a", (1, 1), Mono(at))
    asked = c.tick(Mono(at), isolated)
    return c.answered(0, vote(asked, 0, ok), Mono(at))


def test_two_voters_in_contact_change_a_lease_by_both_votes_only():
    c = pair()
    asked = seek(c)

    assert c.answered(0, vote(asked, 0), Mono(T)) is None
    assert c.answered(1, vote(asked, 1), Mono(T)) is not None


@pytest.mark.parametrize(
    ("policy", "after_s", "isolated", "campaigns"),
    [
        ("takeover", ALONE, False, True),
        ("takeover", ALONE - 0.1, False, False),
        ("takeover", ALONE, True, False),
        ("hold", ALONE, False, False),
        ("hold", 999.0, False, False),
    ],
)
def test_a_change_on_the_own_vote_needs_takeover_a_long_silence_and_a_network(
    policy, after_s, isolated, campaigns
):
    assert (own_vote(pair(policy), T + after_s, isolated) is not None) is campaigns


def test_contact_with_the_peer_starts_the_silence_anew():
    c = pair()
    c.answered(1, Votes(1, 0), Mono(T + 3))

    assert own_vote(c, T + ALONE) is None
    assert own_vote(c, T + 3 + ALONE) is not None


@pytest.mark.parametrize(
    ("policy", "isolated", "renewed"),
    [
        ("takeover", False, True),
        ("takeover", True, False),
        ("hold", False, True),
        ("hold", True, True),
    ],
)
def test_the_holder_of_two_goes_on_on_its_own_vote_unless_it_is_isolated(policy, isolated, renewed):
    c = pair(policy)
    held = holding(c)
    c.progressed("a", Mono(T + 1))
    asked = c.tick(Mono(T + 1), isolated)
    c.answered(0, vote(asked, 0), Mono(T + 1))

    assert (c.held("a", Mono(T + 1))[0].until > held.until) is renewed


def test_of_two_voters_one_higher_promise_makes_the_holder_yield():
    c = pair()
    holding(c)
    asked = renewal(c, T + 1)
    c.answered(1, vote(asked, 1, ok=False, promised=epoch(1, 2, 1)), Mono(T + 1))

    assert c.held("a", Mono(T + 1)) == ()


def test_two_voters_are_degraded_when_the_other_is_silent():
    c = pair()
    assert not c.degraded(Mono(T + 1))
    assert c.degraded(Mono(T + L))
    assert not claims().degraded(Mono(T + 99))


def test_who_hears_the_peers_rounds_does_not_take_over():
    c = pair()
    c.heard(1, Mono(T + 3))

    assert own_vote(c, T + ALONE) is None
    assert own_vote(c, T + 3 + ALONE) is not None


def test_a_keeper_whose_votes_were_lost_issues_above_what_it_may_have_forgotten():
    c = claims()
    c.promises.least = epoch(3, 77, 0)

    assert campaign(c).lines[0].epoch == epoch(3, 78, 0)


# -- the board


def boards(n: int, promises=None, terms=TERMS) -> list[Board]:
    return [
        Board(i, tuple(range(n)), terms, promises or Promises(), lambda: 0.5, Mono(T))
        if promises is None
        else Board(i, tuple(range(n)), terms, promises(), lambda: 0.5, Mono(T))
        for i in range(n)
    ]


def carry(all_boards: list[Board], sender: int, asks: tuple[Ask, ...], at: float, down=()) -> None:
    """Deliver `asks` and all that follows from their answers, at once."""
    for ask in asks:
        if ask.to not in down:
            answer = all_boards[ask.to].asked(ask.message, Mono(at))
            carry(
                all_boards, sender, all_boards[sender].answered(ask.to, answer, Mono(at)), at, down
            )


def beat(all_boards: list[Board], at: float, down=()) -> None:
    for i, b in enumerate(all_boards):
        if i not in down:
            for instance in ("a", "b"):
                b.claims.progressed(instance, Mono(at))
            carry(all_boards, i, b.tick(Mono(at)), at, down)


def test_a_single_server_is_its_own_majority_after_the_quarantine():
    (board,) = boards(1)
    board.claims.want(SHARD, "s-1", "a", (0, 0), Mono(T))
    assert board.tick(Mono(T)) == ()
    assert board.claims.held("a", Mono(T)) == ()

    board.claims.progressed("a", Mono(T + L))
    assert board.tick(Mono(T + L)) == ()
    assert [epoch_n(h.epoch) for h in board.claims.held("a", Mono(T + L))] == [1]


def test_three_boards_make_one_holder_and_its_death_another():
    three = boards(3)
    three[0].claims.want(SHARD, "s-0", "a", (0, 0), Mono(T))
    for i in range(1, 30):
        beat(three, T + i * 0.4)
    three[1].claims.want(SHARD, "s-1", "b", (0, 0), Mono(T + 12))
    beat(three, T + 12)
    (first,) = three[0].claims.held("a", Mono(T + 12))
    assert three[1].claims.held("b", Mono(T + 12)) == ()

    for i in range(1, 9):
        beat(three, T + 12 + i * 0.45, down=(0,))
    (second,) = three[1].claims.held("b", Mono(T + 15.7))
    assert second.epoch > first.epoch
    assert three[0].claims.held("a", Mono(T + 15.7)) == ()


def test_a_lease_vouched_free_is_asked_for_at_once():
    three = boards(3)
    three[0].claims.want(SHARD, "s-0", "a", (0, 0), Mono(T))
    beat(three, T)
    beat(three, T + L)
    three[1].claims.want(SHARD, "s-1", "b", (0, 0), Mono(T + L))
    beat(three, T + L)
    assert three[0].claims.held("a", Mono(T + L))

    soon = T + L + 0.05
    three[0].claims.gone("a", Mono(soon))
    beat(three, soon)
    assert three[1].claims.held("b", Mono(soon))


def test_a_board_answers_the_leader_and_a_keeper():
    three = boards(3)
    order = Revoke(epoch(1, 1, 0), SHARD, 0, "s-2")

    assert three[0].asked(order, Mono(T)).ok
    assert three[0].asked(Gone(1, ("b",)), Mono(T)) is None
    assert three[0].asked(CopyVotes(1), Mono(T)).promises[SHARD].revoked == order


def test_new_servers_start_together_and_elect_after_one_lease_length():
    three = boards(3, promises=lambda: no_promises(is_new=True))
    three[0].claims.want(SHARD, "s-0", "a", (0, 0), Mono(T))
    beat(three, T)
    assert three[0].claims.held("a", Mono(T)) == ()
    beat(three, T + L)

    assert three[0].claims.held("a", Mono(T + L))


def test_lost_votes_are_copied_from_the_others():
    three = boards(3)
    three[0].claims.want(SHARD, "s-0", "a", (0, 0), Mono(T))
    beat(three, T + L)
    (held,) = three[0].claims.held("a", Mono(T + L))
    again = Board(2, (0, 1, 2), TERMS, no_promises(is_new=False), lambda: 0.5, Mono(T + L))
    three[2] = again
    beat(three, T + L + 0.5)

    assert again.voter.waits_for() == ()
    assert again.voter.promised(SHARD).epoch == held.epoch


def test_of_two_servers_one_that_lost_its_votes_goes_on_alone_in_takeover_only():
    for policy, waits in (("takeover", ()), ("hold", (1,))):
        one = boards(2, lambda: no_promises(is_new=False), Terms(split_policy=policy))[0]
        one.tick(Mono(T + ALONE))
        assert one.voter.waits_for() == waits


def test_a_changed_voter_set_closes_the_rounds_sent_to_the_old_one():
    three = boards(3)
    three[0].claims.want(SHARD, "s-0", "a", (0, 0), Mono(T))
    (ask, _) = three[0].tick(Mono(T + L))
    answer = three[1].asked(ask.message, Mono(T + L))
    three[0].convene(VoterSet(1, (0, 1, 2)), Mono(T + L))

    assert three[0].answered(1, answer, Mono(T + L)) == ()
    assert three[1].asked(Round(0, 9, voter_set=1), Mono(T + L)).refused
