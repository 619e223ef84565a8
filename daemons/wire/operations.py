"""What an operator orders of the leader, what becomes of it, and how work is handed over in order.

An order is named by its id and obeyed once: asked again it is answered with what became of it. A
`HandOver` is the last word of an owner: once it is sent, its epoch is over, whoever hears it.
"""

from msgspec import Struct

from daemons.model.cluster import Epoch


class Move(Struct, frozen=True, array_like=True):
    """One thing that changes its place."""

    what: str  # "shard/<id>", "arbiter", or the name of the daemon that is relieved
    role: str
    source: str  # who does the work now, "" = nobody
    target: str  # who will, "" = nobody
    risk: str = ""  # what may be lost or repeated by it; "" = nothing


class Phase(Struct, frozen=True, array_like=True):
    """One step of an operation."""

    name: str  # "planned", "moved", ...
    at_s: float  # since the order came
    about: str = ""  # what of `Move.what`; "" = all
    text: str = ""


class Operate(Struct, frozen=True, array_like=True, tag=True):
    """operator -> arbiter: do this; answered by `Operation`, or `NotMine` naming who leads.

    `act`: "failover" (move everything off `name`, a daemon or a server), "failback" (to the preferred
    ones again; `name` "" = all), "pause", "resume", "plan" (what if `name` died; changes nothing).
    """

    id: str
    act: str
    name: str = ""
    to: str = ""  # failover: to whom; "" = whoever can
    actor: str = ""  # who types, for the log
    reason: str = ""
    for_s: float = 0.0  # pause
    dry_run: bool = False
    force: bool = False


class OperationAsk(Struct, frozen=True, array_like=True, tag=True):
    """operator -> arbiter: what became of operation `id`? "" = of all. Answered by `Operations`."""

    id: str = ""


class Operation(Struct, frozen=True, array_like=True, tag=True):
    """An order and what became of it."""

    id: str
    act: str
    name: str = ""
    state: str = "done"  # "planned" (dry run), "running", "done", "refused", "aborted"
    text: str = ""  # the outcome in a sentence
    actor: str = ""
    reason: str = ""
    wall: float = 0.0  # when it was ordered
    took_s: float = 0.0
    moves: tuple[Move, ...] = ()
    phases: tuple[Phase, ...] = ()
    unsafe: tuple[str, ...] = ()  # what `force` overrides
    figures: dict[str, float] = {}  # durations of the phases as those concerned measured them, seconds


class Pausing(Struct, frozen=True, array_like=True):
    """A pause: nothing is moved off the dead until its end."""

    until_wall: float = 0.0
    by: str = ""
    reason: str = ""


class Failover(Struct, frozen=True, array_like=True):
    """Something moved off a dead daemon."""

    what: str
    source: str
    target: str
    wall: float


class Waiting(Struct, frozen=True, array_like=True):
    """Something that is not where it is preferred."""

    what: str
    now_at: str
    preferred: str
    wait_s: float  # until it is given back; -1 = not by itself
    why: str


class Operations(Struct, frozen=True, array_like=True, tag=True):
    """leader -> operator: everything that is going on."""

    leader: str
    epoch: Epoch = 0
    pause: Pausing | None = None
    paused_left_s: float = 0.0
    waiting: tuple[Waiting, ...] = ()
    failovers: tuple[Failover, ...] = ()  # newest last
    operations: tuple[Operation, ...] = ()  # newest last


class HandLead(Struct, frozen=True, array_like=True, tag=True):
    """leader -> other arbiters: `to` leads next; the others hold back for a while. Answered by `Done`."""

    epoch: Epoch
    to: str


class LentOut(Struct, frozen=True, array_like=True):
    """A check that runs while its shard changes hands."""

    object: str
    seq: int
    poller: str  # instance
    left_s: float  # before it counts as lost


class GivenOut(Struct, frozen=True, array_like=True):
    """A notification or event handler that a reactionner has."""

    id: str
    reactionner: str
    instance: str


class HandOver(Struct, frozen=True, array_like=True, tag=True):
    """owner of a shard -> its standby: I have stopped; my journal ends at (epoch, n); go on from there.

    Answered by `Done`, or `NotMine`. Who gets it needs no store and asks nobody: it is told here what is
    under way. It counts for the very next epoch only, and for a copy that stands at (epoch, n).
    """

    shard: int
    epoch: Epoch
    n: int
    version: str
    lent: tuple[LentOut, ...] = ()
    pollers: tuple[tuple[str, str], ...] = ()  # name, instance: heard lately
    forced: tuple[str, ...] = ()  # objects whose next check runs whatever is switched off
    given: tuple[GivenOut, ...] = ()
    ran_before: tuple[str, ...] = ()  # ids of actions that ran for owners before
    doubts: tuple[str, ...] = ()  # objects whose new notifications are tagged
    unsure_s: float = 0.0
    drain_s: float = 0.0  # from the order until this was sent
    brokers: tuple[str, ...] = ()  # that are being served: one that leaves the roster has a last word
