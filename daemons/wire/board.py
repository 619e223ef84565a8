"""The keepers' board on the wire: rounds and votes, vouching, revoking, copying lost votes.

One `Round` goes to every voter per beat and carries a line for each lease that its sender seeks,
holds or gives back, so the traffic does not grow with the number of daemons. Servers are named by
their index (`ServerDef.index`), times never travel: each voter counts on its own clock.
"""

from msgspec import Struct

from daemons.model.cluster import Epoch

# What stands behind a claim: (epoch of the arbiter that ordered it, number of the version). Compared
# left to right; (0, 0) for leases that nobody assigns, such as the arbiter's own.
Claim = tuple[Epoch, int]
NO_CLAIM: Claim = (0, 0)


class VoterSet(Struct, frozen=True, array_like=True):
    """The servers that vote. Durable at each keeper; compared by (version, by)."""

    version: int
    voters: tuple[int, ...]
    old: tuple[int, ...] = ()  # while it changes: a majority of these is needed as well
    by: Epoch = 0  # of the leader that ordered it last; 0: the configuration's, no leader has spoken


class StatusLine(Struct, frozen=True, array_like=True, tag=True):
    """Pre-vote: would you grant me this lease? Promises nothing, changes nothing."""

    name: str  # of the lease: "arbiter", "shard/3"
    daemon: str  # who would hold it
    instance: str  # which process of it
    claim: Claim = NO_CLAIM


class GrantLine(Struct, frozen=True, array_like=True, tag=True):
    """Grant me this lease under this epoch."""

    name: str
    daemon: str
    instance: str
    epoch: Epoch
    claim: Claim = NO_CLAIM


class RenewLine(Struct, frozen=True, array_like=True, tag=True):
    """I hold this lease: count it anew. A voter that missed the grant may grant it now."""

    name: str
    daemon: str
    instance: str
    epoch: Epoch
    claim: Claim = NO_CLAIM


class ReleaseLine(Struct, frozen=True, array_like=True, tag=True):
    """The holder has stopped acting under this epoch and gives it back. Repeated; not answered."""

    name: str
    instance: str
    epoch: Epoch


Line = StatusLine | GrantLine | RenewLine | ReleaseLine


class Round(Struct, frozen=True, array_like=True, tag=True):
    """Keeper to voter, answered by `Votes`: all that one server wants of the board at one time."""

    server: int  # the asking keeper's
    serial: int  # of the round at that keeper; the answer repeats it
    lines: tuple[Line, ...] = ()
    gone: tuple[str, ...] = ()  # instances of the asking server whose whole process tree is gone
    voter_set: int = 0  # version of the voter set that the sender counts with
    voters: VoterSet | None = None  # that set itself: a voter that missed a change catches up


class VoteLine(Struct, frozen=True, array_like=True, tag=True):
    """The answer to a status, grant or renew line."""

    name: str
    instance: str
    ok: bool  # free, granted, renewed
    promised: Epoch  # highest epoch that this voter promised for the name
    why: str = ""  # not ok: the reason, for people


class Votes(Struct, frozen=True, array_like=True, tag=True):
    """Voter to keeper: its answer to a `Round`."""

    server: int  # the voter's
    serial: int
    lines: tuple[VoteLine, ...] = ()
    refused: str = ""  # the whole round was refused: the reason, for people
    voters: VoterSet | None = None  # the set the voter counts with, when that was the reason


class Gone(Struct, frozen=True, array_like=True, tag=True):
    """Keeper to leader: these instances of my server have ended, with their whole process trees."""

    server: int
    instances: tuple[str, ...]
    names: tuple[str, ...] = ()  # of their daemons: who is about to lead has never heard the instances


class Revoke(Struct, frozen=True, array_like=True, tag=True):
    """Leader to voter: renew `name` no longer at `epoch` or below, then grant it to `target` only."""

    arbiter_epoch: Epoch
    name: str
    epoch: Epoch
    target: str  # name of a daemon


class Revoked(Struct, frozen=True, array_like=True, tag=True):
    """Voter to leader: whether the revocation stands here, and the highest epoch promised."""

    name: str
    ok: bool
    promised: Epoch


class Pause(Struct, frozen=True, array_like=True, tag=True):
    """Leader to every voter, repeated while it runs: nobody takes over what another was promised.

    Orders are compared by (arbiter_epoch, n): a late one does not undo a newer. `left_s` 0 = go on.
    A renewed end, earlier or later, is a new order with a higher n. Answered by `Paused`.
    """

    arbiter_epoch: Epoch
    n: int  # of the order at that leader
    left_s: float  # until it ends, counted by each voter from the receipt
    by: str = ""  # who ordered it, for people
    reason: str = ""


class Paused(Struct, frozen=True, array_like=True, tag=True):
    """Voter to leader: the newest order it knows, and what is left of it there."""

    arbiter_epoch: Epoch
    n: int
    left_s: float
    ok: bool  # the asked order stands: it is that one; else a newer one, or a newer leader, is known


class Resume(Struct, frozen=True, array_like=True, tag=True):
    """Operator to voter, when nobody leads who could order it: end the pause. Answered by `Paused`."""

    by: str


class ResetVotes(Struct, frozen=True, array_like=True, tag=True):
    """Operator to a voter that lost its votes: vote all the same. Answered by `VotesReset`."""

    by: str
    only_ask: bool = False  # change nothing: how does it stand?


class VotesReset(Struct, frozen=True, array_like=True, tag=True):
    """Voter to operator: what it did, or why not."""

    done: bool
    lost: bool  # it had lost its votes when it was asked
    waits_for: tuple[str, ...] = ()  # servers whose votes it missed then
    why: str = ""  # it was not done, for people


class AskWitnesses(Struct, frozen=True, array_like=True, tag=True):
    """keeper -> "witness", of two servers: does anybody outside the cluster answer? By `Witnesses`."""

    timeout_s: float


class Witnesses(Struct, frozen=True, array_like=True, tag=True):
    """"witness" -> keeper: addresses that were asked, and those that answered."""

    asked: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()  # named, and no witness: why, for people


class Promise(Struct, frozen=True, array_like=True):
    """What one voter has bound itself to for one lease name. Durable."""

    epoch: Epoch = 0  # highest promised
    daemon: str = ""  # to whom
    instance: str = ""
    claim: Claim = NO_CLAIM  # highest granted
    floor: int = 0  # committed version: claims of lower ones are refused
    revoked: Revoke | None = None  # spent once a higher epoch is promised


class CopyVotes(Struct, frozen=True, array_like=True, tag=True):
    """A keeper that lost its votes to another voter: what have you promised?"""

    server: int


class VotesCopy(Struct, frozen=True, array_like=True, tag=True):
    """The answer to `CopyVotes`."""

    server: int
    lost: bool  # the answering voter has itself lost its votes, or is new: it proves nothing
    promises: dict[str, Promise] = {}
    pause: Pause | None = None
    live: tuple[str, ...] = ()  # lease names that it still counts; an engine says so, voters do not
    voters: VoterSet | None = None


class Convene(Struct, frozen=True, array_like=True, tag=True):
    """Leader to every keeper, repeated: count with these voters from now on. Answered by `Convened`."""

    voters: VoterSet


class Convened(Struct, frozen=True, array_like=True, tag=True):
    """Keeper to leader: the set that it counts with now."""

    voters: VoterSet
    synced: bool = True  # while it changes: this voter knows what was promised under the old set
