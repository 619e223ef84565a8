"""The second copy of what reactionners do: claims of actions at the keepers.

A reactionner starts an action once a majority of the voting keepers has noted its claim; a new owner
of the shard reads the claims at enough keepers to meet every such majority. Keepers hold claims in
memory only, bounded; each says for how long it has remembered. Batched: one message per answer of a
scheduler and keeper, however many actions that answer held.
"""

from msgspec import Struct

from daemons.model.cluster import Epoch


class ClaimActions(Struct, frozen=True, array_like=True, tag=True):
    """reactionner -> keeper: I am about to run these. Answered by `ActionsClaimed` or `Fenced`."""

    reactionner: str
    shard: int
    epoch: Epoch  # of the owner that gave them out
    ids: tuple[str, ...] = ()
    tagged: tuple[str, ...] = ()  # those that say that they may be repeats


class ActionClaim(Struct, frozen=True, array_like=True):
    """One action as a keeper knows it."""

    id: str
    reactionner: str
    state: str  # "claimed", "done"
    epoch: Epoch
    code: int = 0
    tagged: bool = False


class ActionsClaimed(Struct, frozen=True, array_like=True, tag=True):
    """keeper -> reactionner: all are noted for you, except those that are listed here."""

    server: int  # the keeper's
    shard: int
    taken: tuple[str, ...] = ()  # another reactionner has claimed them
    done: tuple[ActionClaim, ...] = ()  # somebody has run them
    counts: bool = True  # False: started just now, or has lost its votes; noted, but no vote
    alone: bool = False  # of two voters, and the other is out of touch: my word alone counts
    voters: tuple[int, ...] = ()  # whose majority is asked for, as this keeper knows
    voter_set: int = 0  # version of it


class ActionsEnded(Struct, frozen=True, array_like=True, tag=True):
    """reactionner -> keeper: these are done, those were never started.

    Answered by `Done`. Repeating it changes nothing.
    """

    reactionner: str
    done: tuple[tuple[int, ActionClaim], ...] = ()  # (shard, claim)
    released: tuple[tuple[int, str], ...] = ()  # (shard, id)


class ClaimsAsk(Struct, frozen=True, array_like=True, tag=True):
    """owner of a shard -> keeper: what has been claimed? Note no claim below `epoch` from now on.

    Answered by `ClaimsKept` or `Fenced`.
    """

    shard: int
    epoch: Epoch


class ClaimsKept(Struct, frozen=True, array_like=True, tag=True):
    """keeper -> owner: every claim of the shard that was noted here in the last `remembers_s`."""

    server: int
    shard: int
    claims: tuple[ActionClaim, ...] = ()
    remembers_s: float = 0.0
    voters: tuple[int, ...] = ()
    voter_set: int = 0
    alone: bool = False  # of two voters, and the other is out of touch: it will hardly answer
