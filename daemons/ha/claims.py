"""Who claimed which action: a keeper's memory of it, and what many such memories prove together.

The one thing to know: an action is started after a majority of the voters noted its claim, and a new
owner reads so many voters that it meets each such majority. Of two voters one alone may have let start
what the other does not know, so both must be read. Memory is enough: what a keeper forgot at a restart
it does not vouch for, and in its first seconds its note counts for nobody.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from daemons.model.cluster import Epoch
from daemons.wire.claims import (
    ActionClaim,
    ActionsClaimed,
    ActionsEnded,
    ClaimActions,
    ClaimsAsk,
    ClaimsKept,
)
from daemons.wire.messages import Fenced

CLAIMS_MAX = 20_000  # kept by one keeper for one shard
FORGET_S = 3600.0  # a claim that nothing was heard of for so long; as long as reactionners keep theirs

Voters = tuple[int, tuple[int, ...]]  # version of the voter set, indexes of the servers in it


def majority(voters: int) -> int:
    """Return how many of so many voters are a majority; 0 of none."""
    return voters // 2 + 1 if voters else 0


def enough(voters: int) -> int:
    """Return how many voters must be read to know every claim that was won.

    That meets each majority of them. Of two both: one that is alone wins a claim (`Ballot.won`).
    """
    if voters == 2:
        return 2
    return voters - majority(voters) + 1 if voters else 0


class Noted(Struct):
    """A claim, and when anything was last heard of it."""

    claim: ActionClaim
    at_mono: float


class _Shard:
    """The claims of one shard at one keeper, oldest first."""

    def __init__(self, since_mono: float) -> None:
        self.floor: Epoch = 0  # nothing below it is noted any more
        self.noted: dict[str, Noted] = {}
        self.since_mono = since_mono  # everything noted since then is here


class ClaimRegister:
    """All claims at one keeper. Volatile and bounded."""

    def __init__(self, server: int, now_mono: float) -> None:
        """Remember from now on."""
        self._server = server
        self._since_mono = now_mono
        self._shards: dict[int, _Shard] = {}

    def claim(
        self, asked: ClaimActions, promised: Epoch, voters: Voters, now_mono: float, *,
        counts: bool, alone: bool,
    ) -> ActionsClaimed | Fenced:  # fmt: skip
        """Note what nobody else has claimed. `promised`: the highest epoch this voter promised."""
        shard = self._shard(asked.shard)
        if (fenced := _fenced(asked.shard, asked.epoch, max(promised, shard.floor))) is not None:
            return fenced
        taken, done = [], []
        for action_id in (*asked.ids, *asked.tagged):
            known = shard.noted.get(action_id)
            if known is not None and known.claim.state == "done":
                done.append(known.claim)
                continue
            tagged = action_id in asked.tagged
            if known is not None and known.claim.reactionner != asked.reactionner and not tagged:
                taken.append(action_id)
                continue
            claim = ActionClaim(action_id, asked.reactionner, "claimed", asked.epoch, 0, tagged)
            self._note(shard, claim, now_mono)
        return ActionsClaimed(
            self._server, asked.shard, tuple(taken), tuple(done), counts, alone, voters[1], voters[0]
        )

    def ended(self, told: ActionsEnded, now_mono: float) -> None:
        """Note what is done; let go of what its reactionner has given back."""
        for shard_id, claim in told.done:
            self._note(self._shard(shard_id), replace(claim, reactionner=told.reactionner), now_mono)
        for shard_id, action_id in told.released:
            noted = self._shard(shard_id).noted
            known = noted.get(action_id)
            if known is not None and _releasable(known.claim, told.reactionner):
                del noted[action_id]

    def ask(
        self, asked: ClaimsAsk, promised: Epoch, voters: Voters, now_mono: float, *, alone: bool = False
    ) -> ClaimsKept | Fenced:
        """Return the claims of a shard; from now on nothing below the asking owner's epoch is noted."""
        shard = self._shard(asked.shard)
        if (fenced := _fenced(asked.shard, asked.epoch, max(promised, shard.floor))) is not None:
            return fenced
        shard.floor = asked.epoch
        self._forget_old(shard, now_mono)
        claims = tuple(noted.claim for noted in shard.noted.values())
        remembers_s = now_mono - shard.since_mono
        return ClaimsKept(self._server, asked.shard, claims, remembers_s, voters[1], voters[0], alone)

    def _shard(self, shard: int) -> _Shard:
        return self._shards.setdefault(shard, _Shard(self._since_mono))

    def _note(self, shard: _Shard, claim: ActionClaim, now_mono: float) -> None:
        shard.noted.pop(claim.id, None)  # the newest stands last
        shard.noted[claim.id] = Noted(claim, now_mono)
        while len(shard.noted) > CLAIMS_MAX:
            oldest = shard.noted.pop(next(iter(shard.noted)))
            if oldest.claim.state != "done":
                shard.since_mono = oldest.at_mono

    def _forget_old(self, shard: _Shard, now_mono: float) -> None:
        for action_id, noted in list(shard.noted.items()):
            if now_mono - noted.at_mono <= FORGET_S:
                return
            del shard.noted[action_id]


def _fenced(shard: int, epoch: Epoch, highest: Epoch) -> Fenced | None:
    return Fenced(f"shard/{shard}", highest) if epoch < highest else None


def _releasable(claim: ActionClaim, reactionner: str) -> bool:
    return claim.state == "claimed" and claim.reactionner == reactionner


class SecondCopy(Struct, frozen=True):
    """What the keepers' memories prove together."""

    whole: bool = False  # every claim that a majority ever noted is among `claims`
    claims: Mapping[str, tuple[ActionClaim, ...]] = {}  # by id, as different keepers have them
    parted: bool = False  # one of two voters is silent: it may know of claims for an owner on its side


def second_copy(answers: Iterable[ClaimsKept], needed_s: float) -> SecondCopy:
    """Return what `answers` prove of actions that were claimed at most `needed_s` ago."""
    heard = list(answers)
    claims: dict[str, tuple[ActionClaim, ...]] = {}
    for answer in heard:
        for claim in answer.claims:
            claims[claim.id] = (*claims.get(claim.id, ()), claim)
    voters = newest_voters((answer.voter_set, answer.voters) for answer in heard)
    old = {answer.server for answer in heard if answer.remembers_s >= needed_s}
    whole = bool(voters) and len(old.intersection(voters)) >= enough(len(voters))
    parted = len(voters) == 2 and not {answer.server for answer in heard}.issuperset(voters)
    return SecondCopy(whole, claims, parted)


def newest_voters(heard: Iterable[Voters]) -> tuple[int, ...]:
    """Return the voters of the newest set that anybody knows of, () when nobody said."""
    return max(heard, default=(0, ()))[1]


class Ballot(Struct):
    """What the keepers said of one claim."""

    since_mono: float
    tagged: bool
    yes: set[int] = set()
    taken: set[int] = set()
    fenced: set[str] = set()  # keepers, by name, that know of a newer owner
    alone: bool = False
    done: ActionClaim | None = None

    def hear(self, action_id: str, answer: ActionsClaimed) -> None:
        """Count one keeper's answer."""
        self.done = next((claim for claim in answer.done if claim.id == action_id), self.done)
        if action_id in answer.taken:
            self.taken.add(answer.server)
            self.yes.discard(answer.server)
        elif answer.counts:
            self.yes.add(answer.server)
            self.alone = self.alone or answer.alone

    def won(self, voters: tuple[int, ...]) -> bool:
        """Return whether a majority noted it; of two voters, one that is alone suffices."""
        if self.alone and self.yes:
            return True
        return bool(voters) and len(self.yes.intersection(voters)) >= majority(len(voters))

    def lost(self, voters: tuple[int, ...]) -> bool:
        """Return whether so many know of another reactionner that a majority cannot be had."""
        against = len(self.taken.intersection(voters))
        return bool(voters) and len(voters) - against < majority(len(voters))

    def superseded(self, voters: tuple[int, ...]) -> bool:
        """Return whether so many know of a newer owner that a majority cannot be had."""
        return bool(voters) and len(voters) - len(self.fenced) < majority(len(voters))
