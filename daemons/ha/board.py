"""One keeper's board: its vote and its claims behind three entries, for the keeper role and the simulator.

The one thing to know: after every entry, if `promises.serial` has grown, `promises` is written and
fsynced before anything the entry returned, or anything `claims.held` says, leaves the process. With
one voter, itself, this is the board of a single server: the same code.
"""

from collections.abc import Callable

from msgspec import Struct

from daemons.ha.engine import standing_of
from daemons.ha.lease import Claims
from daemons.ha.promises import Promises
from daemons.ha.terms import Terms
from daemons.ha.vote import ARBITER, NOTHING, Standing, Voter
from daemons.ha.voterset import ENGINE, halves, newer, same
from daemons.model.clock import Mono
from daemons.model.cluster import Epoch
from daemons.wire.board import (
    Convene,
    Convened,
    CopyVotes,
    Gone,
    Pause,
    Paused,
    Resume,
    Revoke,
    Revoked,
    Round,
    VoterSet,
    Votes,
    VotesCopy,
)

Asked = Round | CopyVotes | Revoke | Gone | Pause | Resume | Convene

LOOK_S = 1.0  # between two looks at what an engine keeps, for display and for the leader


class Ask(Struct, frozen=True):
    """A message to the keeper of the server with index `to`, or to the engine (`ENGINE`).

    The answer goes to `Board.answered`.
    """

    to: int
    message: Round | CopyVotes


class Board:
    """`voter` and `claims` of one server. Local rounds are answered at once, without a message."""

    voter_kind: type[Voter] = Voter  # the simulation takes one protection away in a subclass
    claims_kind: type[Claims] = Claims

    def __init__(
        self,
        server: int,
        voters: tuple[int, ...],
        terms: Terms,
        promises: Promises,
        jitter: Callable[[], float],
        now: Mono,
    ) -> None:
        """Start at `now`, in quarantine. `promises`: what the file held, or `no_promises(...)`."""
        self.server = server
        self.promises = promises
        self.voter = self.voter_kind(server, voters, terms, promises, now)
        self.claims = self.claims_kind(server, voters, terms, promises, jitter, now)
        self._copy_at = now
        self._frees = 0
        self._engine = VotesCopy(ENGINE, lost=True)

    def tick(self, now: Mono, isolated: bool = False) -> tuple[Ask, ...]:
        """Return what to ask the other voters now; call it several times per beat and after each event.

        `isolated`: neither the peer nor any witness address answers (asked of two voters only).
        """
        if not self.voter.sealed:
            self.voter.pausing.age(now)
        if self.promises.state != "kept" and not self.voter.sealed and self._goes_on(now, isolated):
            self.reset(now)
        asks = self._send(self.claims.tick(now, isolated), now)
        if self.voter.wants_copies() and now >= self._copy_at:
            self._copy_at = Mono(now + self.claims.terms.beat_s)
            asks += tuple(Ask(v, CopyVotes(self.server)) for v in self._others())
        elif self.by_engine and now >= self._copy_at:
            self._copy_at = Mono(now + LOOK_S)
            asks += (Ask(ENGINE, CopyVotes(self.server)),)
        return asks

    def seal(self, why: str) -> None:
        """Promise nothing from now on, because `why`; "" = promise again. What was promised is renewed."""
        self.voter.sealed = why
        self.claims.sealed = bool(why)

    @property
    def wants_witness(self) -> bool:
        """Return whether `isolated` matters: two voters, of which one may go on without the other."""
        return 2 in map(len, halves(self.claims.set)) and self.claims.terms.split_policy == "takeover"

    @property
    def by_engine(self) -> bool:
        """Return whether an engine votes, not the keepers."""
        return ENGINE in self.claims.voters

    def promised(self, name: str) -> Epoch:
        """Return the highest epoch promised for `name`, as far as this server knows."""
        copy = self._engine.promises.get(name, NOTHING) if self.by_engine else NOTHING
        return max(copy.epoch, self.voter.promised(name).epoch)

    def standing(self, now: Mono) -> tuple[Standing, ...]:
        """Return each lease as this server's vote, or the engine, sees it, by name."""
        return standing_of(self._engine) if self.by_engine else self.voter.standing(now)

    def reset(self, now: Mono) -> None:
        """Vote although the votes are lost: for the operator, who knows what the others promised."""
        self.voter.reset(self.claims.jitter(), now)

    def _goes_on(self, now: Mono, isolated: bool) -> bool:
        """Enough was copied; or of two in takeover, the other is long silent."""
        takeover = self.claims.terms.split_policy == "takeover" and not isolated
        return self.voter.ready(now) or (takeover and self.claims.alone(now))

    def asked(
        self, message: Asked, now: Mono
    ) -> Votes | VotesCopy | Revoked | Paused | Convened | None:
        """Return this voter's answer to a keeper or to the leader; None to `Gone`, which needs none."""
        match message:
            case Round():
                self.claims.heard(message.server, now)
                if message.voters is not None:
                    self.convene(message.voters, now)
                votes = self.voter.vote(message, now)
                self._hurry()
                return votes
            case CopyVotes():
                return self.voter.copy()
            case Revoke():
                return self.voter.revoke(message)
            case Convene():
                self.convene(message.voters, now)
                return Convened(self.voter.voters, self.voter.synced)
            case Pause():
                return self.voter.pause(message, now)
            case Resume():
                if not self.voter.sealed:
                    self.voter.pausing.resume(now)
                return self.voter.pausing.answer(ok=not self.voter.sealed, now=now)
            case Gone():
                self.voter.vouch(message.server, message.instances)
                self._hurry()
                return None

    def answered(self, server: int, answer: Votes | VotesCopy, now: Mono) -> tuple[Ask, ...]:
        """Take the answer of the keeper of `server`; return what follows from it."""
        if answer.voters is not None:
            self.convene(answer.voters, now)
        if isinstance(answer, VotesCopy):
            if server == ENGINE:
                self._engine = answer
                for name, promise in answer.promises.items():
                    self.claims.saw(name, promise.epoch)  # an engine may be restored from an older copy
            self.voter.copied(answer, now)
            return ()
        return self._send(self.claims.answered(server, answer, now), now)

    @property
    def is_urgent(self) -> bool:
        """Return whether the next `tick` should come at once: a lease was given back, or may be had."""
        return self.claims.is_urgent

    def convene(self, voter_set: VoterSet, now: Mono) -> bool:
        """Vote and count with `voter_set` unless a newer one or a newer leader is known; return whether.

        While it counts the lease of a newer leader, a voter takes no set of an older one: the newer may
        have begun from another. A set heard of from another keeper is as good as from the leader itself.
        """
        known = self.voter.voters
        bound = voter_set.by < self.voter.promised(ARBITER).epoch and self.voter.binds(ARBITER, now)
        if self.voter.sealed or self.by_engine or bound or not newer(voter_set, known):
            return False
        self.promises.voters = voter_set
        self.promises.serial += 1
        self.voter.counts_with(voter_set)
        if same(voter_set, known):
            self.claims.set = voter_set
        else:
            self.claims.set_voters(voter_set, now)
        return True

    def _hurry(self) -> None:
        """A lease was freed here: the next tick asks for what local daemons seek."""
        if self.voter.frees != self._frees:
            self._frees = self.voter.frees
            self.claims.hurry()

    def _others(self) -> tuple[int, ...]:
        return tuple(v for v in self.claims.voters if v != self.server)

    def _send(self, asked: Round | None, now: Mono) -> tuple[Ask, ...]:
        """Put rounds to the own voter at once, to the others as messages."""
        asks: tuple[Ask, ...] = ()
        while asked is not None:
            asks += tuple(Ask(v, asked) for v in self._others())
            if self.server not in self.claims.voters:
                break
            asked = self.claims.answered(self.server, self.voter.vote(asked, now), now)
        return asks
