"""The keepers' board under fire: no seed may break an invariant, and each protection is missed when gone.

`SEEDS=2000 pytest tests/ha/test_board_sim.py` runs more of them. Replay one: `Sim(seed, SETUPS[name]).run().bad`.
"""

import os
import statistics

import pytest
from msgspec.structs import replace

from daemons.ha.board import Board
from daemons.ha.lease import Claims
from daemons.ha.pausing import Pausing
from daemons.ha.terms import Terms
from daemons.ha.vote import NEVER, Voter
from daemons.ha.voterset import members, next_order
from daemons.model.clock import Mono
from tests.ha.board_sim import Setup, Sim

SEEDS = int(os.environ.get("SEEDS", "60"))
HOLD = Terms(split_policy="hold")
SETUPS = {
    "three voters": Setup(),
    "five voters": Setup(servers=5),
    "two voters that take over": Setup(servers=2),
    "two voters that hold": Setup(servers=2, terms=HOLD),
    "clocks off by 5 %": Setup(terms=Terms(drift=0.05)),
    "two arbiters on one server": Setup(arbiters=(0, 0, 1)),
    "crashing keepers": Setup(kinds=("keeper",) * 12 + ("cut", "votes") * 6),
    "late messages": Setup(kinds=("move",) * 25, late=0.15),
    "idle daemons": Setup(servers=2, eager=(0.0,)),
    "a paused cluster": Setup(
        kinds=("halt",) * 8 + ("server", "keeper", "move") * 4, late=0.1, settle_s=22
    ),
    "changing voters": Setup(
        servers=5, voters=(0, 1, 2), arbiters=(0, 2, 4), terms=HOLD, settle_s=20, late=0.1,
        kinds=("enlist",) * 8 + ("secede", "cut", "heal", "heal") * 8,
    ),
    "disks that fill up": Setup(kinds=("disk",) * 10 + ("keeper", "server", "cut", "heal") * 4),
    "two voters, paused": Setup(
        servers=2, kinds=("halt",) * 8 + ("server", "keeper", "votes") * 4, settle_s=22
    ),
}
SHARE = dict(
    zip(SETUPS, (0.2, 0.1, 0.1, 0.1, 0.05, 0.05, 0.1, 0.1, 0.05, 0.1, 0.15, 0.05, 0.05), strict=True)
)  # of the seeds


@pytest.mark.parametrize("name", SETUPS)
def test_no_seed_breaks_an_invariant(name):
    broken, changes, refused = {}, 0, 0
    for seed in range(round(SEEDS * SHARE[name])):
        sim = Sim(seed, SETUPS[name]).run()
        changes, refused = changes + sim.stats["changes"], refused + sim.stats["refused"]
        if sim.bad:
            broken[seed] = sim.bad
    print(f"{name}: {changes} changes of holder, {refused} stale orders refused by receivers")

    assert broken == {}
    assert changes > 0, "the faults made nobody change: the simulation tests nothing"


def test_the_same_seed_gives_the_same_history():
    one, two = (Sim(7, Setup()).run() for _ in range(2))

    assert (one.stats, one.serial, one.holders) == (two.stats, two.serial, two.holders)


@pytest.mark.parametrize(
    ("setup", "median_s", "longest_s"),
    [
        (Setup(kill_leader_at=20, late=0, faults_s=20, settle_s=12), 3.0, 4.0),
        (Setup(servers=2, kill_leader_at=20, late=0, faults_s=20, settle_s=12), 5.0, 5.6),
    ],
    ids=["three voters", "two voters that take over"],
)
def test_when_the_leaders_server_dies_another_leads_in_time(setup, median_s, longest_s):
    times = [s for seed in range(max(6, SEEDS // 10)) for s in failovers(seed, setup)]
    times.sort()
    print(
        f"failover p50 {statistics.median(times):.2f} p99 {times[int(0.99 * len(times))]:.2f} max {times[-1]:.2f} s"
    )

    assert statistics.median(times) <= median_s and times[-1] <= longest_s


def failovers(seed: int, setup: Setup) -> list[float]:
    """The times from the server's death to the next leader."""
    sim = Sim(seed, setup).run()
    assert len(sim.failovers) == 1, f"seed {seed}: nobody took over"
    return sim.failovers


# -- each protection, taken away


def pausing(kind: type[Pausing]) -> type[Board]:
    """A board whose voter pauses as `kind` does."""
    return without(type("Mutant", (Voter,), {"pausing_kind": kind}))


def without(voter: type[Voter] = Voter, claims: type[Claims] = Claims) -> type[Board]:
    """A board that lacks what the given kinds leave out."""
    return type("Mutant", (Board,), {"voter_kind": voter, "claims_kind": claims})


class NoLiveLease(Voter):
    """Grants although the former lease has not run out."""

    def _live(self, name, now):
        return False


class NoOrder(Voter):
    """Grants epochs at or below the promised one."""

    def _above(self, line, promise):
        return True


class NoQuarantine(Voter):
    """Grants at once after a start."""

    def __init__(self, *args):
        super().__init__(*args)
        self.quarantine = NEVER


class NoCare(Voter):
    """Votes at once although its votes are lost."""

    def __init__(self, *args):
        super().__init__(*args)
        self.promises.state = "kept"
        self.quarantine = NEVER


class NoClaim(Voter):
    """Grants to whom an older leader ordered."""

    def _claim_stands(self, line, promise):
        return True


class NoRevocation(Voter):
    """Renews what was revoked and grants it to anybody."""

    def _blocked(self, promise, daemon):
        return ""


class NoTarget(Voter):
    """Stops renewing what was revoked, then grants it to anybody."""

    def _refusal(self, line, now):
        blocked, self._blocked = self._blocked, lambda promise, daemon: ""
        why = super()._refusal(line, now)
        self._blocked = blocked
        return why


class AnyRelease(Voter):
    """Takes a release of any epoch for one of the present."""

    def _same_lease(self, line, promise):
        return line.instance == promise.instance


class NoPreVote(Claims):
    """Campaigns as soon as anybody, itself included, answers."""

    def _won_status(self, bid, asked, answer, server, now):
        return not bid.epoch and now >= bid.wait


class FromTheReply(Claims):
    """Counts its lease from the answer instead of the sending."""

    def _deadline(self, asked, now):
        return self.terms.deadline(now)


class NoMargin(Claims):
    """Counts the whole lease, without the drift of the clocks and the margin."""

    def _deadline(self, asked, now):
        return Mono(asked.sent + self.terms.lease_s)


class LateAnswers(Claims):
    """Leaves rounds open after the lease they were about has been given back."""

    def drop(self, name, instance):
        if bid := self._bids.get((name, instance)):
            self._close(bid)

    def _close(self, bid):
        bid.epoch, bid.until = 0, NEVER


class NoYield(Claims):
    """Goes on although another has a higher promise."""

    def _overruled(self, voters):
        return False


class NoProgress(Claims):
    """Renews for a daemon whose role hangs."""

    def _progressing(self, bid, now):
        return True


class NoMemory(Claims):
    """Forgets the epochs it issued."""

    def _campaign(self, bid, now):
        line = super()._campaign(bid, now)
        self.promises.issued.clear()
        return line


class NoPatience(Claims):
    """Of two, takes over without waiting for a long silence."""

    def alone(self, now):
        return True


class NoIsolation(Claims):
    """Of two, goes on although it is this server that lost the network."""

    def _cut_off(self, now):
        return False


class OneVote(Claims):
    """Takes any vote for a majority."""

    def _enough(self, kind, voters, now):
        return True


class NoPause(Pausing):
    """Obeys, and grants to anybody all the same."""

    def refusal(self, promise, daemon, now):
        return ""


class ForgottenPause(Pausing):
    """Starts without the pause that was on disk."""

    def __init__(self, promises, now):
        super().__init__(promises, now)
        self.until = now


class AnyPause(Pausing):
    """Obeys orders in the order of their arrival."""

    def obey(self, order, now):
        self.promises.pause = None
        return super().obey(order, now)


class OneHalf(Claims):
    """While voters change, counts with the new ones only."""

    def _enough(self, kind, voters, now):
        return self._enough_of(self.set.voters, kind, voters, now)


class Hearsay(Voter):
    """Takes what others promised for its own vote."""

    def _only_copied(self, name, promise, now):
        return False


class AnySet(Voter):
    """Answers rounds of any voter set."""

    def _refused(self, asked):
        return "" if self.server in members(self.voters) else "no voter"


class NoSync(Voter):
    """Drops the old voters before it knows what they promised."""

    @property
    def synced(self):
        return True


class ForgottenSet(Board):
    """Starts with the voters of the configuration."""

    def __init__(self, server, voters, terms, promises, jitter, now):
        promises.voters = None
        super().__init__(server, voters, terms, promises, jitter, now)


class AnyLeader(Voter):
    """Takes the newest set of whatever leader."""

    def binds(self, name, now):
        return False


def hasty(seen, synced, wanted, ready, leader):
    """Order the next step before majorities have taken up this one."""
    newest = max(seen.values(), key=lambda s: (s.version, s.by), default=None)
    return next_order(dict.fromkeys(range(9), newest), range(9), wanted, ready, leader) if newest else None


def at_once(seen, synced, wanted, ready, leader):
    """Order all of the wanted voters in one step, without the old."""
    order = next_order(seen, synced, wanted, ready, leader)
    return replace(order, voters=tuple(sorted(wanted)), old=()) if order and order.old else order


class Backwards(Board):
    """Reissues after lost votes what it may have issued before."""

    def reset(self, now):
        super().reset(now)
        self.promises.least = 0


HALVES = {"kinds": ("enlist",) * 12 + ("halves", "heal") * 8}  # the network falls in two
MIXED = {"kinds": ("enlist",) * 8 + ("halves", "secede", "keeper", "heal", "heal") * 6}

MUTANTS: dict[str, tuple[str, dict[str, object], str, int]] = {
    # what is taken away: setup, how, the invariant that breaks, a seed that shows it
    "pre-vote": ("three voters", {"board": without(claims=NoPreVote)}, "P", 4),
    "the live lease": ("three voters", {"board": without(NoLiveLease)}, "I1", 0),
    "epochs only grow": ("late messages", {"board": without(NoOrder)}, "I3", 0),
    "promises on disk": ("crashing keepers", {"durable": False}, "I3", 8),
    "what was not written stays in": ("disks that fill up", {"retracts": False}, "I3", 54),
    "quarantine after a start": ("crashing keepers", {"board": without(NoQuarantine)}, "I1", 45),
    "care for lost votes": ("crashing keepers", {"board": without(NoCare)}, "I1", 22),
    "the claim": ("three voters", {"board": without(NoClaim)}, "V", 6),
    "revocation": ("three voters", {"board": without(NoRevocation)}, "I4", 9),
    "the revocation's target": ("three voters", {"board": without(NoTarget)}, "I4", 11),
    "the release's epoch": ("late messages", {"board": without(AnyRelease)}, "I1", 2),
    "the sending": ("three voters", {"board": without(claims=FromTheReply)}, "I1", 8),
    "the margins": ("clocks off by 5 %", {"board": without(claims=NoMargin)}, "I1", 45),
    "closing rounds": ("late messages", {"board": without(claims=LateAnswers)}, "E", 2),
    "yielding": ("idle daemons", {"board": without(claims=NoYield)}, "I1", 15),
    "progress": ("three voters", {"board": without(claims=NoProgress)}, "I4", 8),
    "issued epochs": ("two arbiters on one server", {"board": without(claims=NoMemory)}, "I3", 1),
    "patience": ("two voters that take over", {"board": without(claims=NoPatience)}, "I1", 2),
    "isolation": ("two voters that take over", {"board": without(claims=NoIsolation)}, "I1", 33),
    "the majority": ("three voters", {"board": without(claims=OneVote)}, "I1", 0),
    "whole trees": ("three voters", {"vouch_early": True}, "I1", 8),
    "the pause": ("a paused cluster", {"board": pausing(NoPause)}, "H", 7),
    "the pause on disk": ("two voters, paused", {"board": pausing(ForgottenPause)}, "H", 11),
    "the newest pause": ("a paused cluster", {"board": pausing(AnyPause)}, "H", 1),
    "what the old voters promised": ("changing voters", {"board": without(NoSync), **MIXED}, "I1", 4),
    "the own vote": ("changing voters", {"board": without(Hearsay), **HALVES}, "I1", 65),
    "one voter at a time": ("changing voters", {"next_order": at_once}, "I1", 0),
    "a new generation": ("two voters that take over", {"board": Backwards}, "I3", 5),
}


# Protections of a changing voter set whose removal these faults have not shown to break anything (60 seeds
# each). They stand on the reasons in docs/decisions/0008; a set-up that catches them is still wanted.
UNCAUGHT: dict[str, tuple[str, dict[str, object], str, int]] = {
    "the old voters": ("changing voters", {"board": without(claims=OneHalf), **HALVES}, "I1", 65),
    "the round's voters": ("changing voters", {"board": without(AnySet), **HALVES}, "I1", 26),
    "voters on disk": ("changing voters", {"board": ForgottenSet, **HALVES}, "I1", 65),
    "the newest leader's voters": ("changing voters", {"board": without(AnyLeader), **HALVES}, "I1", 18),
    "one step after the other": ("changing voters", {"next_order": hasty, **HALVES}, "I1", 16),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_without_a_protection_its_invariant_breaks(name):
    """A protection whose removal breaks nothing is not tested."""
    setup_name, change, invariant, known = MUTANTS[name]
    setup = replace(SETUPS[setup_name], **change)

    assert any(invariant in Sim(seed, setup).run().bad for seed in (known, *range(300)))
