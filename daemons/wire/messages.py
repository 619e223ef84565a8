"""Every message that crosses a process boundary, and what a role asks of its own runner: fields only.

Array-like: a field added later goes to the end and has a default, so that two releases can talk.
Who asks whom, and with what it is answered, stands in each docstring. `Fenced` may answer any order.
Durations are seconds; `*_wall` are Unix times, shown and logged, never compared between servers.
"""

from msgspec import Struct

from daemons.model.cluster import Epoch, RoleName
from daemons.wire.board import (
    AskWitnesses,
    Convene,
    Convened,
    CopyVotes,
    Gone,
    Pause,
    Paused,
    ResetVotes,
    Resume,
    Revoke,
    Revoked,
    Round,
    VoterSet,
    Votes,
    VotesCopy,
    VotesReset,
    Witnesses,
)
from daemons.wire.claims import (
    ActionsClaimed,
    ActionsEnded,
    ClaimActions,
    ClaimsAsk,
    ClaimsKept,
)
from daemons.wire.configuration import (
    Compile,
    CompiledShards,
    FilesAgree,
    Proposal,
    ProposalAsk,
    Propose,
    Reread,
)
from daemons.wire.documents import (
    DocSeen,
    Keep,
    Kept,
    Recall,
    Recalled,
    StoreDocument,
)
from daemons.wire.moves import DropMoved, Moved, TakeMoved
from daemons.wire.operations import (
    HandLead,
    HandOver,
    Operate,
    Operation,
    OperationAsk,
    Operations,
)
from daemons.wire.side import SnapshotTaken
from daemons.wire.stores import Probe, StoresAsk, StoreSeen, StoresSeen


class Done(Struct, frozen=True, array_like=True, tag=True):
    """The plain yes: obeyed, nothing to add."""


class Fenced(Struct, frozen=True, array_like=True, tag=True):
    """The order came from an older epoch: `highest` is the newest seen for that lease. Stop."""

    lease: str
    highest: Epoch


class NotMine(Struct, frozen=True, array_like=True, tag=True):
    """The asked daemon does not hold what was asked for (now); ask the roster's holder."""

    why: str


class Failed(Struct, frozen=True, array_like=True, tag=True):
    """No answer to a call, or the service could not do it. A peer may have obeyed all the same."""

    why: str


# ---------------------------------------------------------------- what daemons say of themselves


class ShardHeld(Struct, frozen=True, array_like=True):
    """One shard at one scheduler."""

    id: int
    version: str
    epoch: Epoch  # of its lease; 0 = none
    phase: str  # "standby" (body and copy kept), "claiming", "loading", "active"
    copied_epoch: Epoch = 0  # position of the copy it could start from
    copied_n: int = 0


class Report(Struct, frozen=True, array_like=True):
    """What a daemon says of itself with each beat: enough for status, console and dispatch."""

    active: bool = False  # does work now (leads, owns a shard, serves one)
    epoch: Epoch = 0  # highest arbiter epoch it obeys; of a leader: its own
    roster_n: int = 0
    shards: tuple[ShardHeld, ...] = ()
    config: str = ""  # hash of the configuration it works from
    figures: dict[str, float] = {}  # counters and gauges by name; units last in the name
    problems: tuple[str, ...] = ()  # sentences for an operator
    why: str = ""  # the last change and its reason
    config_n: int = 0  # number of that configuration; 0 = not known
    stores: tuple[StoreSeen, ...] = ()  # of a scheduler: its retention


class Want(Struct, frozen=True, array_like=True):
    """A lease a daemon wants to hold or keep. Claims of shards are compared as (arbiter_epoch, n)."""

    lease: str
    arbiter_epoch: Epoch = 0
    n: int = 0
    fenced_by: Epoch = 0  # a receiver told of this higher epoch: claim above it


class Lease(Struct, frozen=True, array_like=True):
    """One lease as held: act only while `now.mono < until_mono` (this server's CLOCK_BOOTTIME)."""

    name: str
    epoch: Epoch
    until_mono: float


class Beat(Struct, frozen=True, array_like=True, tag=True):
    """daemon -> its own keeper, every BEAT_S: I made progress. Answered by `Leases`."""

    name: str
    role: RoleName
    instance: str
    pid: int
    wants: tuple[Want, ...] = ()  # leases it wants or holds; one left out is released
    report: Report = Report()
    held: tuple[Lease, ...] = ()  # what it was told it holds: a restarted keeper goes on from there


class Leases(Struct, frozen=True, array_like=True, tag=True):
    """keeper -> daemon: what it holds now."""

    held: tuple[Lease, ...] = ()
    degraded: bool = False  # two servers, no contact with the other: outputs are tagged


class DaemonSeen(Struct, frozen=True, array_like=True):
    """One local daemon as its keeper sees it."""

    name: str
    role: RoleName
    pid: int  # 0 = not running
    instance: str
    running: bool
    beat_age_s: float  # since its last beat; -1 = never
    report: Report = Report()
    restarts: int = 0
    started_wall: float = 0.0
    cpu_percent: float = 0.0
    rss_bytes: int = 0


class LeaseSeen(Struct, frozen=True, array_like=True):
    """One lease as one voter sees it."""

    name: str
    epoch: Epoch
    holder: str  # instance
    left_s: float  # <= 0: run out


class ServerSeen(Struct, frozen=True, array_like=True):
    """Another server as this keeper sees it."""

    name: str
    age_s: float  # since its keeper last answered; -1 = never


class CensusAsk(Struct, frozen=True, array_like=True, tag=True):
    """anybody -> keeper: who lives on your server? Answered by `Census`."""


class Census(Struct, frozen=True, array_like=True, tag=True):
    """keeper -> anybody: this server as it is now."""

    server: str
    instance: str
    pid: int
    daemons: tuple[DaemonSeen, ...] = ()
    leases: tuple[LeaseSeen, ...] = ()
    servers: tuple[ServerSeen, ...] = ()
    gone: tuple[str, ...] = ()  # instances whose whole process tree is known to have ended
    wall: float = 0.0
    problems: tuple[str, ...] = ()
    release: str = ""
    voter_quarantine_s: float = 0.0  # until this voter may grant
    pause: Pause | None = None  # that runs at this voter
    documents: tuple[DocSeen, ...] = ()  # as on its disk
    terms: str = ""  # of a lease: every keeper must say the same
    voters: VoterSet | None = None  # it counts with
    synced: bool = True  # see Convened
    machine: str = ""  # which running kernel it is on; "" = not to be compared (`--server` was given)


# ---------------------------------------------------------------- the arbiter's orders


class Member(Struct, frozen=True, array_like=True):
    """One daemon on the roster."""

    name: str
    role: RoleName
    realm: str
    spare: bool
    active: bool
    tags: tuple[str, ...] = ()


class Placed(Struct, frozen=True, array_like=True):
    """Where a shard should run. `scheduler` may be "" when there is nobody."""

    id: int
    realm: str
    version: str
    scheduler: str
    standby: str = ""  # follows the journal, takes over
    pollers: tuple[str, ...] = ()
    reactionners: tuple[str, ...] = ()
    brokers: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()


class Roster(Struct, frozen=True, array_like=True, tag=True):
    """leading arbiter -> every daemon, each check_interval and at each change: who serves what.

    The same for all; each finds itself in it. Answered by `Enrolled` or `Fenced("arbiter", ...)`.
    """

    epoch: Epoch
    n: int
    leader: str  # name of the leading arbiter
    members: tuple[Member, ...] = ()
    shards: tuple[Placed, ...] = ()
    config: str = ""  # hash of the configuration it was planned from
    config_n: int = 0  # its number
    document: str = ""  # digest of the document that it was compiled from: keepers have it


class Enrolled(Struct, frozen=True, array_like=True, tag=True):
    """daemon -> leading arbiter: I follow this roster; this is what I am."""

    name: str
    instance: str
    report: Report


class Fetch(Struct, frozen=True, array_like=True, tag=True):
    """scheduler -> leading arbiter: page `page` of the shard body `version`. Answered by `Page`."""

    shard: int
    version: str
    page: int


class Page(Struct, frozen=True, array_like=True, tag=True):
    """One page (<= PAGE_BYTES_MAX) of an encoded ShardBody; `pages` in all."""

    shard: int
    version: str
    page: int
    pages: int
    data: bytes


# ---------------------------------------------------------------- checks


class Chunk(Struct, frozen=True, array_like=True):
    """Orders for one shard: `data` is msgpack `list[Order]`, passed on undecoded."""

    shard: int
    epoch: Epoch
    count: int
    data: bytes


class Batch(Struct, frozen=True, array_like=True):
    """Results for one shard: `data` is msgpack `list[Result]`. `id` grows per poller instance."""

    id: int
    shard: int
    count: int
    data: bytes


class Exchange(Struct, frozen=True, array_like=True, tag=True):
    """poller -> scheduler: here are results, lend me up to `want` checks; may wait `wait_s` for them.

    Answered by `Lent`, or `NotMine`. A lost answer is repaired by sending again: results are matched
    by object, epoch and seq, and orders that never arrived are lent again when the poller's next
    exchange does not list them as `holding` or the poller's instance is gone.
    """

    poller: str
    instance: str
    seq: int  # grows per poller instance; one is answered once
    roster_epoch: Epoch
    want: int
    wait_s: float
    tags: tuple[str, ...] = ()
    batches: tuple[Batch, ...] = ()
    lent_seen: int = 0  # highest `Lent.serial` this poller instance got from this scheduler instance


class ShardEpoch(Struct, frozen=True, array_like=True):
    """A shard and the epoch its owner holds it under."""

    shard: int
    epoch: Epoch


class Lent(Struct, frozen=True, array_like=True, tag=True):
    """scheduler -> poller: orders to run, and the batches that are durable now: forget those."""

    owner: str  # the scheduler's instance
    serial: int  # grows per (scheduler instance, poller instance)
    shards: tuple[ShardEpoch, ...] = ()  # shards this scheduler owns now; below these epochs: drop
    chunks: tuple[Chunk, ...] = ()
    durable: tuple[int, ...] = ()  # batch ids


# ---------------------------------------------------------------- notifications and event handlers


class Action(Struct, frozen=True, array_like=True):
    """A notification or event handler to run. Its id is the same whoever plans it again."""

    id: str
    shard: int
    epoch: Epoch
    kind: str  # "notification", "handler"
    command: str  # macros resolved
    timeout_s: float
    env: dict[str, str] = {}
    tagged: bool = False  # may have run before: the text says so
    reactionner_tag: str = ""
    once: bool = False  # rather never than twice: it waits until a majority of keepers is heard


class Ran(Struct, frozen=True, array_like=True):
    """The end of one action."""

    id: str
    shard: int
    epoch: Epoch
    state: str  # "done", "refused" (another has it), "expired" (not started in time)
    code: int = 0
    tagged: bool = False
    output: str = ""


class TakeActions(Struct, frozen=True, array_like=True, tag=True):
    """reactionner -> scheduler: these ended; give me up to `want` more, waiting up to `wait_s`.

    Answered by `Actions` or `NotMine`. An ended one is repeated until it is among `Actions.settled`.
    """

    reactionner: str
    instance: str
    roster_epoch: Epoch
    want: int
    wait_s: float
    tags: tuple[str, ...] = ()
    ended: tuple[Ran, ...] = ()
    holding: tuple[str, ...] = ()  # ids it has taken and not ended
    side_want: int = 0  # commands that run beside checks: so many more
    snapshots: tuple[SnapshotTaken, ...] = ()  # what such commands printed


class Actions(Struct, frozen=True, array_like=True, tag=True):
    """scheduler -> reactionner. Start nothing after `budget_s` from the sending of the request."""

    shards: tuple[ShardEpoch, ...] = ()
    actions: tuple[Action, ...] = ()
    settled: tuple[str, ...] = ()  # ids whose end is durable: forget those
    budget_s: float = 0.0  # left of the shard's lease when the answer was made
    sides: tuple[Chunk, ...] = ()  # commands that run beside checks, given once, never claimed


class Fence(Struct, frozen=True, array_like=True, tag=True):
    """new owner of a shard -> reactionner, before it plans: obey nobody below `epoch`, purge queues.

    Answered by `Claimed` with the reactionner's journal of the shard, or `Fenced`.
    """

    shard: int
    epoch: Epoch


class ClaimedAction(Struct, frozen=True, array_like=True):
    """One journal entry of a reactionner."""

    id: str
    state: str  # "claimed", "done"
    epoch: Epoch
    code: int = 0
    tagged: bool = False


class Claimed(Struct, frozen=True, array_like=True, tag=True):
    """reactionner -> new owner: what I ran or began to run for this shard."""

    shard: int
    actions: tuple[ClaimedAction, ...] = ()
    released: tuple[str, ...] = ()  # claimed and given back without a start: keepers may not know yet


# ---------------------------------------------------------------- the journal of a shard


class LogLine(Struct, frozen=True, array_like=True):
    """One line for the logs, without its `[epoch] ` prefix."""

    wall: float
    text: str


class Delta(Struct, frozen=True, array_like=True):
    """One entry of a shard's one ordered stream: records changed, and the output they cause.

    Records are what retention keeps, by key: "o/<object key>" Status, "c/<contact>" ContactStatus,
    "shard" ShardStatus, "a/<id>" a planned action, "x/<id>" an external command applied,
    "b/<broker module>" how far a broker module has come, "l/<epoch>.<n>" log lines not yet taken.
    """

    shard: int
    epoch: Epoch
    n: int
    wall: float
    changed: dict[str, bytes] = {}
    removed: tuple[str, ...] = ()
    logs: tuple[LogLine, ...] = ()
    schema: int = 1
    snapshots: tuple[SnapshotTaken, ...] = ()  # these three are for brokers, and kept nowhere
    host_perfdata: tuple[str, ...] = ()  # a line for each result, by the template of the file
    service_perfdata: tuple[str, ...] = ()


class Replicate(Struct, frozen=True, array_like=True, tag=True):
    """owner -> standby scheduler: keep this delta (encoded `Delta`). Answered by `Copied`.

    `whole` = it replaces everything kept; a whole copy may come in `parts`, applied when all are in.
    """

    shard: int
    epoch: Epoch
    n: int
    delta: bytes
    whole: bool = False
    part: int = 0
    parts: int = 1
    after: int = 0  # the n before this one: a standby that is elsewhere answers with its own position


class Copied(Struct, frozen=True, array_like=True, tag=True):
    """standby -> owner: I hold the copy up to (epoch, n); when that is not what was sent: start over."""

    shard: int
    epoch: Epoch
    n: int


class TakeBroks(Struct, frozen=True, array_like=True, tag=True):
    """broker -> owner of a shard: the deltas after (epoch, n); may wait. Answered by `Broks`.

    `known` False: the broker has no position of its own (a spare that was never active); the owner
    goes on where the broker modules before it said they were.
    """

    broker: str
    instance: str
    shard: int
    known: bool
    epoch: Epoch
    n: int
    wait_s: float
    states: bool = False  # some module wants the changed records, not only the log lines
    leaving: bool = False  # the last word of one that is off the roster: its position is final


class Broks(Struct, frozen=True, array_like=True, tag=True):
    """owner -> broker: encoded `Delta`s in order. `gap`: some before these are gone for ever."""

    shard: int
    epoch: Epoch  # the owner's
    deltas: tuple[bytes, ...] = ()
    after_epoch: Epoch = 0  # position these follow on
    after_n: int = 0
    gap: bool = False


# ---------------------------------------------------------------- commands and passive results


class Submitted(Struct, frozen=True, array_like=True):
    """One external command or passive result. `id` was made at entry and names it for ever."""

    id: str
    line: str  # "[epoch] NAME;arg;arg" as it came
    wall: float


class Submit(Struct, frozen=True, array_like=True, tag=True):
    """receiver -> owner of shards (and operator tools -> receiver). Answered by `Accepted`."""

    sender: str
    items: tuple[Submitted, ...]
    finished: tuple[str, ...] = ()  # between receivers: copies that are needed no more
    notes: tuple[str, ...] = ()  # receiver -> scheduler: lines for the log, of commands that are none


class Accepted(Struct, frozen=True, array_like=True, tag=True):
    """What became of each, by id; one not listed is being worked on: ask again with the same id."""

    durable: tuple[str, ...] = ()  # applied and safe
    foreign: tuple[str, ...] = ()  # for a host that none of the answering shards has
    refused: dict[str, str] = {}  # id -> why; it will never be applied
    shards: tuple[int, ...] = ()  # shards that answer


# ---------------------------------------------------------------- a role and its own runner


class RunChunk(Struct, frozen=True, array_like=True, tag=True):
    """role -> "exec": run these orders. Answered by `Done`; the results come as `RanChunk`."""

    count: int
    data: bytes


class RanChunk(Struct, frozen=True, array_like=True, tag=True):
    """"exec" -> role: results for one shard."""

    shard: int
    count: int
    data: bytes


class LostRuns(Struct, frozen=True, array_like=True, tag=True):
    """"exec" -> role: a worker died with so many orders."""

    count: int


class Load(Struct, frozen=True, array_like=True, tag=True):
    """scheduler -> "retention": what one store has of a shard. Answered by `Restored` or `Failed`."""

    shard: int
    store: str = ""
    above_epoch: Epoch = 0  # what is not newer than this position need not be read
    above_n: int = 0


class Restored(Struct, frozen=True, array_like=True, tag=True):
    """What a store gave, or several together. `found` False: nothing that is newer than was asked for."""

    shard: int
    found: bool
    records: dict[str, bytes]
    epoch: Epoch
    n: int
    missing: int = 0
    notes: tuple[str, ...] = ()
    stores: int = 0  # how many stores answered
    partial: bool = False  # deltas only: this store came back empty and was never given everything
    unread: int = 0  # of several: stores that did not answer, and may know more


class Save(Struct, frozen=True, array_like=True, tag=True):
    """scheduler -> "retention". Answered by `Saved`, `Fenced` (the store saw a higher epoch) or `Failed`."""

    shard: int
    epoch: Epoch
    n: int
    changed: dict[str, bytes]
    removed: tuple[str, ...] = ()
    whole: bool = False
    local: bool = False  # a standby's copy: into this server's own stores, not into shared ones
    store: str = ""  # into this store


class Saved(Struct, frozen=True, array_like=True, tag=True):
    """The store has it; `failed`: but does not know all that was before, and wants everything."""

    shard: int
    epoch: Epoch
    n: int
    stores: int = 1
    failed: tuple[str, ...] = ()


class Feed(Struct, frozen=True, array_like=True, tag=True):
    """broker -> "modules": take these deltas and flush. Answered by `Fed` when every module has."""

    shard: int
    epoch: Epoch  # of the last delta
    n: int
    deltas: tuple[bytes, ...]
    gap: bool = False


class Fed(Struct, frozen=True, array_like=True, tag=True):
    """The position is stored: a restarted broker goes on behind it."""

    shard: int
    epoch: Epoch
    n: int
    lines: int = 0  # log lines among what was fed
    failing: tuple[str, ...] = ()  # modules that do not take it, and why; it waits for them on disk
    waiting: int = 0  # feeds that wait so


class Journal(Struct, frozen=True, array_like=True, tag=True):
    """reactionner -> "journal": keep this, fsynced, before the answer. Answered by `Done`."""

    shard: int
    entries: tuple[ClaimedAction, ...] = ()
    forget: tuple[str, ...] = ()


class Spool(Struct, frozen=True, array_like=True, tag=True):
    """receiver -> "spool": keep these, fsynced, before the answer; forget those. Answered by `Done`."""

    items: tuple[Submitted, ...] = ()
    forget: tuple[str, ...] = ()


class StartDaemon(Struct, frozen=True, array_like=True, tag=True):
    """keeper -> "daemons": start this local daemon. Answered by `DaemonStarted` or `Failed`."""

    name: str


class StopDaemon(Struct, frozen=True, array_like=True, tag=True):
    """keeper -> "daemons": end this one and its whole process tree. Answered by `Done` once begun."""

    name: str
    pid: int


class DaemonStarted(Struct, frozen=True, array_like=True, tag=True):
    """"daemons" -> keeper: it runs (started now, or found running and adopted)."""

    name: str
    pid: int
    instance: str
    started_wall: float
    adopted: bool = False


CODE_UNKNOWN = -1000


class DaemonEnded(Struct, frozen=True, array_like=True, tag=True):
    """"daemons" -> keeper: it ended, and so did every process it had started."""

    name: str
    pid: int
    instance: str
    code: int  # exit code, or minus the signal; CODE_UNKNOWN of one that was adopted: not our child


class Registered(Struct, frozen=True, array_like=True):
    """One entry of the name server."""

    name: str  # shinken.<cluster>.<role>.<daemon>
    uri: str
    metadata: tuple[str, ...]  # "role=poller", "spare=0", ...


class Register(Struct, frozen=True, array_like=True, tag=True):
    """keeper -> "names": these are all daemons known; replace what is registered. Answered by `Done`."""

    entries: tuple[Registered, ...]


class Usage(Struct, frozen=True, array_like=True, tag=True):
    """"daemons" -> keeper, now and then: CPU and memory of the local daemons, by name."""

    cpu_percent: dict[str, float]
    rss_bytes: dict[str, int]
    problems: tuple[str, ...] = ()  # of the machine or the keeper itself, for an operator


class Shutdown(Struct, frozen=True, array_like=True, tag=True):
    """runner -> role (SIGTERM), operator -> keeper: end in order. Answered by `Done`."""

    why: str = ""


Message = (
    Done | Fenced | NotMine | Failed
    | Beat | Leases | CensusAsk | Census
    | Round | Votes | Gone | Revoke | Revoked | CopyVotes | VotesCopy
    | Keep | Kept | Recall | Recalled | StoreDocument
    | Pause | Paused | Resume | ResetVotes | VotesReset | AskWitnesses | Witnesses | Convene | Convened
    | Compile | CompiledShards | FilesAgree | Propose | ProposalAsk | Proposal | Reread
    | Roster | Enrolled | Fetch | Page
    | Operate | Operation | OperationAsk | Operations | HandLead | HandOver
    | Exchange | Lent | TakeActions | Actions | Fence | Claimed
    | ClaimActions | ActionsClaimed | ActionsEnded | ClaimsAsk | ClaimsKept
    | TakeMoved | Moved | DropMoved
    | Replicate | Copied | TakeBroks | Broks | Submit | Accepted
    | RunChunk | RanChunk | LostRuns | Load | Restored | Save | Saved | Feed | Fed
    | StoresAsk | StoresSeen | Probe
    | Journal | Spool | StartDaemon | StopDaemon | DaemonStarted | DaemonEnded | Usage | Register | Shutdown
)

PAGE_BYTES_MAX = 4_000_000  # of one Page or Replicate

# What a daemon, who knows the cluster secret, may send over the network; everything else comes from a role's own runner only.
FROM_PEERS: frozenset[type] = frozenset(
    (
        Beat, CensusAsk, Round, CopyVotes, Revoke, Gone, Pause, Convene, Roster, Fetch, Exchange, TakeActions, Fence,
        Replicate, TakeBroks, Submit, ClaimActions, ActionsEnded, ClaimsAsk,
        Keep, Recall, HandLead, HandOver, TakeMoved, DropMoved, Reread,
    )
)  # fmt: skip
FROM_OPERATORS: frozenset[type] = frozenset(  # with the operator key
    (
        CensusAsk, Submit, Shutdown, Resume, ResetVotes,
        Recall, Operate, OperationAsk,
        Propose, ProposalAsk,
    )
)  # fmt: skip
