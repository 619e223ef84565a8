"""The keeper: one per server. Starts its daemons, vouches for their deaths, votes, holds their leases.

It parses no bulk data: a keeper that is late costs every lease of its server. The board (`ha.board`)
decides about leases; this role carries its messages, counts the beats of the local daemons as
progress, and restarts those that ended, later and later when they end soon after their start.
"""

import logging
from collections.abc import Callable

import msgspec

from daemons.ha.board import Ask, Board
from daemons.ha.claims import ClaimRegister, Voters
from daemons.ha.lease import Held
from daemons.ha.promises import Promises, no_promises
from daemons.ha.terms import Terms
from daemons.ha.voterset import ENGINE
from daemons.model.clock import Mono, Now
from daemons.model.cluster import Cluster, DaemonDef, Epoch, ServerDef, config_floor, object_id
from daemons.roles import votes_lost
from daemons.roles.keeping.documents_kept import KeptDocuments
from daemons.roles.keeping.lease_log import LeaseLog
from daemons.roles.keeping.witness import Witness
from daemons.roles.role import Call, Unexpected, Wait
from daemons.wire.board import (
    AskWitnesses,
    Convene,
    CopyVotes,
    Gone,
    Pause,
    ResetVotes,
    Resume,
    Revoke,
    Round,
    Votes,
    VotesCopy,
)
from daemons.wire.claims import ActionsEnded, ClaimActions, ClaimsAsk
from daemons.wire.configuration import CONFIGURATION
from daemons.wire.documents import Keep, Recall, StoreDocument
from daemons.wire.messages import (
    CODE_UNKNOWN,
    Beat,
    Census,
    CensusAsk,
    DaemonEnded,
    DaemonSeen,
    DaemonStarted,
    Done,
    Failed,
    Lease,
    Leases,
    LeaseSeen,
    Message,
    Register,
    Registered,
    Report,
    ServerSeen,
    Shutdown,
    StartDaemon,
    StopDaemon,
    Usage,
)

log = logging.getLogger(__name__)

TICK_S = 0.1
URGENT_TICK_S = 0.005  # a lease was given back or may be had
RESTART_S = 0.5  # before the first restart of a daemon that ended
RESTART_S_MAX = 30.0
STEADY_S = 60.0  # having run this long, a daemon's next end counts as its first
CENSUS_S = 1.0
START_S = 20.0  # a start not answered by then is tried again
STOP_S = 12.0  # daemons get this long to end in order
LANES = 4  # rounds under way to one voter; one more is dropped, as if lost
GONE_MAX = 256

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Promises)


def voters_of(cluster: Cluster) -> tuple[int, ...]:
    """Return the indexes of who votes about leases: the engine with `board=etcd`, else some keepers."""
    if cluster.settings.get("board", "") == "etcd":
        return (ENGINE,)
    return voting_keepers(cluster)


def voting_keepers(cluster: Cluster) -> tuple[int, ...]:
    """Return the indexes of the servers whose majority commits: those of `voters`, else up to five, odd.

    Those that do nothing else come first. Two servers are two voters: design of the two-server set-up.
    """
    named = [v.strip() for v in cluster.settings.get("voters", "").split(",") if v.strip()]
    if named:
        return tuple(s.index for s in cluster.servers if s.name in named or s.address in named)
    count = len(cluster.servers)
    if count > 2:
        count = min(5, count - (count + 1) % 2)
    first = sorted(cluster.servers, key=lambda s: not s.voter_only)[:count]
    return tuple(s.index for s in cluster.servers if s in first)


class Local:
    """One daemon of this server."""

    def __init__(self, define: DaemonDef) -> None:
        """Not started yet."""
        self.define = define
        self.pid = 0
        self.instance = ""
        self.started_wall = 0.0
        self.started: Mono | None = None
        self.beaten: Mono | None = None
        self.report = Report()
        self.restarts = -1  # the first start is none
        self.short_runs = 0  # ends in a row that came soon after the start
        self.due: float = 0.0  # start not before
        self.starting_until: float = 0.0
        self.stopping = False
        self.cpu_percent = 0.0
        self.rss_bytes = 0


class Keeper:
    """Role of a keeper."""

    shutdown_s = STOP_S + 3.0

    def __init__(
        self,
        *,
        instance: str,
        pid: int,
        cluster: Cluster,
        server: ServerDef,
        terms: Terms,
        durable: bytes,
        is_new: bool,
        jitter: Callable[[], float],
        release: str = "",
        voter_only: bool = False,
        documents: KeptDocuments | None = None,
        machine: str = "",
    ) -> None:
        """`durable`: promises as last written, b"" = none; `is_new`: this server never had any."""
        self.name = f"keeper@{server.name}"
        self.tick_s = TICK_S
        self.instance = instance
        self.pid = pid
        self.cluster = cluster
        self.server = server
        self.terms = terms
        self.release = release
        self.machine = machine
        self.began_with = (durable, is_new)
        self.promises = _promises(durable, is_new)
        self.retracted: Board | None = None  # the board before the present one, in this process
        self.unwritable = ""  # why its votes cannot be written; "" = they can
        self.documents = documents or KeptDocuments()
        self.jitter = jitter
        self.board: Board | None = None  # made at the first entry: it needs the time
        mine = () if voter_only else cluster.on(server.address)
        self.locals = {d.name: Local(d) for d in mine}
        self.others = {s.name: s for s in cluster.servers if s.name != server.name}
        self.by_index = {s.index: s for s in cluster.servers}
        self.busy_lanes: dict[int, set[int]] = {}  # by the index of who votes
        self.census: dict[str, tuple[Mono, Census]] = {}
        self.census_due: float = 0.0
        self.census_asking: set[str] = set()
        self.gone: tuple[str, ...] = ()
        self.stop_deadline: float | None = None
        self.registered: tuple[Registered, ...] = ()
        self.waiting: list[Call] = []  # made outside of tick, sent with the next one
        self.problems: tuple[str, ...] = ()
        self.lease_log = LeaseLog()
        named = bool(cluster.settings.get("witness_ping", ""))
        self.witness = Witness(named, named or not server.address.startswith("127."))
        self.register: ClaimRegister | None = None  # made with the board

    # -- the three entries

    def handle(self, message: Message, now: Now) -> Message | Wait:
        """Take beats, votes, questions and the news of the supervisor."""
        board = self._board(now)
        answer = self._handle(message, board, now)
        if board.is_urgent:
            self.tick_s = URGENT_TICK_S
        return answer

    def _handle(self, message: Message, board: Board, now: Now) -> Message | Wait:
        match message:
            case Beat():
                return self._beat(message, board, now)
            case CensusAsk():
                return self._census(board, now)
            case Round() | CopyVotes() | Revoke() | Gone() | Pause() | Resume() | Convene():
                if board.by_engine and isinstance(message, Revoke | Pause | Resume):
                    self.waiting.append(Call("etcd", message, self.terms.rpc_timeout_s, "order"))
                return board.asked(message, now.mono) or Done()
            case ResetVotes():
                return votes_lost.reset(board, message, self._waits_for(board), self.unwritable, now.mono)
            case Keep():
                answer, calls = self.documents.keep(message, _promised(board), now)
                self.waiting += calls
                return answer
            case Recall():
                return self.documents.recall(message)
            case ClaimActions() | ActionsEnded() | ClaimsAsk():
                return self._claims_of_actions(message, board, now)
            case DaemonStarted():
                self._started(message, now)
                return Done()
            case DaemonEnded():
                self._ended(message, board, now)
                return Done()
            case Usage(cpu, rss, problems):
                self.problems = problems
                for name, local in self.locals.items():
                    local.cpu_percent = cpu.get(name, 0.0)
                    local.rss_bytes = rss.get(name, 0)
                return Done()
            case Shutdown():
                return self._shutdown(now)
            case _:
                raise Unexpected(type(message).__name__)

    def tick(self, now: Now) -> list[Call]:
        """Drive the board, start what should run, look at the other servers."""
        self.tick_s = TICK_S
        board = self._board(now)
        calls, self.waiting = self.waiting, []
        calls += self.witness.tick(now, board.wants_witness)
        calls += self._carry(board.tick(now.mono, self.witness.isolated))
        calls += self._supervise(now)
        self.lease_log.tick(now)
        if now.mono >= self.census_due:
            self.census_due = now.mono + CENSUS_S
            for name in self.others:
                if name not in self.census_asking:
                    self.census_asking.add(name)
                    calls.append(Call(f"keeper@{name}", CensusAsk(), timeout_s=1.0, lane="census"))
            calls += self._register(now)
        return calls

    def answered(self, call: Call, answer: Message, now: Now) -> list[Call]:
        """Count votes, note who answers."""
        board = self._board(now)
        server = call.to.partition("@")[2]
        match call.message:
            case Round() | CopyVotes():
                voter = ENGINE if call.to == "etcd" else self.others[server].index
                self.busy_lanes[voter].discard(int(call.lane.removeprefix("votes")))
                if isinstance(answer, Votes | VotesCopy):
                    return self._carry(board.answered(voter, answer, now.mono))
            case CensusAsk():
                self.census_asking.discard(server)
                if isinstance(answer, Census):
                    self.census[server] = (now.mono, answer)
            case StoreDocument():
                self.documents.stored_now(call.message, answer, _promised(board))
                board.voter.set_floor(config_floor(self.documents.number(CONFIGURATION)))
            case AskWitnesses():
                self.witness.answered(answer)
            case StartDaemon(name):
                if isinstance(answer, DaemonStarted):
                    self._started(answer, now)
                else:
                    self._not_started(name, answer, now)
            case _:
                pass
        return []

    @property
    def durable_serial(self) -> int:
        """Moves with the promises: they are on disk before a vote leaves."""
        return self.promises.serial

    def durable(self) -> bytes:
        """The promises."""
        return _encoder.encode(self.promises)

    def retract(self, durable: bytes | None) -> None:
        """Be as after a restart with what is on disk: beats say what the daemons hold, and it is renewed."""
        kept = _promises(*self.began_with) if durable is None else _promises(durable, False)
        self.promises = kept
        self.retracted, self.board = self.board or self.retracted, None

    def cannot_write(self, why: str) -> None:
        """Promise nothing: a vote that a restart forgets is worse than none."""
        self.unwritable = why
        if self.board is not None:
            self.board.seal(why)

    def can_write(self) -> None:
        """Vote again, with the floor of what was committed meanwhile."""
        self.unwritable = ""
        if self.board is not None:
            self.board.seal("")
            self.board.voter.set_floor(config_floor(self.documents.number(CONFIGURATION)))

    def _board(self, now: Now) -> Board:
        if self.board is None:
            voters = voters_of(self.cluster)
            self.register = self.register or ClaimRegister(self.server.index, now.mono)
            self.board = Board(
                self.server.index, voters, self.terms, self.promises, self.jitter, now.mono
            )
            self.board.seal(self.unwritable)
            if self.retracted is not None:
                self.board.claims.succeed(self.retracted.claims)
            elif self.promises.state == "lost":
                votes_lost.tell(self.server.name, self._waits_for(self.board))
        return self.board

    # -- claims of actions

    def _claims_of_actions(
        self, message: ClaimActions | ActionsEnded | ClaimsAsk, board: Board, now: Now
    ) -> Message:
        """Note or tell what reactionners claimed; a vote counts once this voter knows what it promised."""
        register = self.register
        assert register is not None
        if isinstance(message, ActionsEnded):
            register.ended(message, now.mono)
            return Done()
        promise = board.promises.names.get(f"shard/{message.shard}")
        promised = promise.epoch if promise is not None else 0
        # With an engine as board the keepers do not vote, and note claims all the same.
        noting = tuple(v for v in board.claims.voters if v in self.by_index) or tuple(self.by_index)
        voters: Voters = (board.voter.voter_set, noting)
        alone = len(noting) == 2 and self._out_of_touch(board, now)
        if isinstance(message, ClaimsAsk):
            return register.ask(message, promised, voters, now.mono, alone=alone)
        return register.claim(
            message, promised, voters, now.mono,
            counts=now.mono >= board.voter.quarantine and not board.voter.wants_copies(),
            alone=alone,
        )  # fmt: skip

    def _out_of_touch(self, board: Board, now: Now) -> bool:
        """Whether the only other server is silent, as voter or in the census."""
        if board.claims.degraded(now.mono):
            return True
        ages = [self._server_seen(name, board, now).age_s for name in self.others]
        return all(age < 0 or age > self.terms.lease_s for age in ages)

    # -- beats and leases

    def _beat(self, beat: Beat, board: Board, now: Now) -> Message:
        local = self.locals.get(beat.name)
        if local is None:
            return Failed(f"{beat.name} is not a daemon of {self.server.name}")
        if beat.instance in self.gone:
            return Failed(f"instance {beat.instance} is gone")
        local.beaten, local.report = now.mono, beat.report
        if not local.instance:  # started by hand, or not adopted yet
            local.instance, local.pid = beat.instance, beat.pid
            local.started_wall, local.started = now.wall, now.mono
        claims = board.claims
        claims.progressed(beat.instance, now.mono)
        said = {lease.name: lease for lease in beat.held}
        wanted = set()
        for want in beat.wants:
            wanted.add(want.lease)
            lease = said.get(want.lease)
            claims.want(
                want.lease,
                beat.name,
                beat.instance,
                (want.arbiter_epoch, want.n),
                now.mono,
                Held(lease.name, lease.epoch, Mono(lease.until_mono)) if lease else None,
            )
            if want.fenced_by:
                claims.fenced(want.lease, beat.instance, want.fenced_by)
        for held in claims.held(beat.instance, now.mono):
            if held.name not in wanted:
                claims.release(held.name, beat.instance, held.epoch, now.mono)
        claims.drop_all_but(beat.instance, wanted)
        held_now = claims.held(beat.instance, now.mono)
        self.lease_log.told(beat.name, held_now, now)
        return Leases(
            tuple(Lease(h.name, h.epoch, h.until) for h in held_now),
            claims.degraded(now.mono),
        )

    def _carry(self, asks: tuple[Ask, ...]) -> list[Call]:
        """Rounds as calls, each in a free lane to its voter; without one it is lost, which the board bears."""
        calls = []
        for ask in asks:
            if ask.to != ENGINE and ask.to not in self.by_index:
                continue  # a voter that this server's configuration does not know: as if it were silent
            busy = self.busy_lanes.setdefault(ask.to, set())
            lane = next((n for n in range(LANES) if n not in busy), None)
            if lane is None:
                continue
            busy.add(lane)
            to = "etcd" if ask.to == ENGINE else f"keeper@{self.by_index[ask.to].name}"
            calls.append(Call(to, ask.message, self.terms.rpc_timeout_s, f"votes{lane}"))
        return calls

    # -- the local daemons

    def _supervise(self, now: Now) -> list[Call]:
        calls: list[Call] = []
        for name, local in self.locals.items():
            if self.stop_deadline is not None:
                if local.pid and not local.stopping:
                    local.stopping = True
                    calls.append(Call("daemons", StopDaemon(name, local.pid)))
                continue
            if local.pid or now.mono < max(local.due, local.starting_until):
                continue
            local.starting_until = now.mono + START_S
            calls.append(Call("daemons", StartDaemon(name)))
        return calls

    def _started(self, started: DaemonStarted, now: Now) -> None:
        local = self.locals.get(started.name)
        if local is None:
            return
        local.pid, local.instance = started.pid, started.instance
        local.started_wall, local.started = started.started_wall, now.mono
        local.starting_until = 0.0
        local.stopping = False
        local.beaten = None
        if not started.adopted:
            local.restarts += 1
        verb = "adopted" if started.adopted else "started"
        log.info("%s daemon=%s pid=%d instance=%s", verb, started.name, started.pid, started.instance)

    def _not_started(self, name: str, answer: Message, now: Now) -> None:
        local = self.locals[name]
        local.short_runs += 1
        local.starting_until = 0.0
        local.due = now.mono + self._pause(local)
        why = answer.why if isinstance(answer, Failed) else type(answer).__name__
        log.error("could not start daemon=%s why=%r next_try_s=%.1f", name, why, self._pause(local))

    def _ended(self, ended: DaemonEnded, board: Board, now: Now) -> None:
        """The whole tree of an instance is gone: vouch for it, tell the arbiters, plan its restart."""
        board.claims.gone(ended.instance, now.mono)
        self.lease_log.ended(ended.name, now)
        self.gone = (*self.gone[-(GONE_MAX - 1) :], ended.instance)
        news = Gone(self.server.index, (ended.instance,), (ended.name,))
        for define in self.cluster.daemons:
            if define.role == "arbiter" and define.name != ended.name:
                self.waiting.append(Call(define.name, news, timeout_s=1.0, lane="gone"))
        local = self.locals.get(ended.name)
        if local is None or local.instance != ended.instance:
            return
        ran_s = now.mono - local.started if local.started is not None else 0.0
        local.short_runs = 0 if ran_s >= STEADY_S else local.short_runs + 1
        local.pid, local.beaten, local.report = 0, None, Report()
        local.due = now.mono + self._pause(local)
        if self.stop_deadline is None:
            log.warning(
                "ended daemon=%s pid=%d code=%s ran_s=%.1f restart_in_s=%.1f",
                ended.name, ended.pid, "unknown" if ended.code == CODE_UNKNOWN else ended.code, ran_s, self._pause(local),
            )

    def _pause(self, local: Local) -> float:
        """Seconds before the next start: doubled with each end that came soon."""
        return float(min(RESTART_S_MAX, RESTART_S * 2 ** min(10, max(0, local.short_runs - 1))))

    def _shutdown(self, now: Now) -> Message | Wait:
        if self.stop_deadline is None:
            self.stop_deadline = now.mono + STOP_S
        running = [
            name
            for name, local in self.locals.items()
            if local.pid or now.mono < local.starting_until  # a start under way leaves a daemon too
        ]
        if running and now.mono < self.stop_deadline:
            return Wait(self.stop_deadline)
        return Done()

    # -- what it tells

    def _census(self, board: Board, now: Now) -> Census:
        return Census(
            server=self.server.name,
            instance=self.instance,
            pid=self.pid,
            daemons=tuple(self._seen(local, now) for local in self.locals.values()),
            leases=tuple(
                LeaseSeen(s.name, s.epoch, s.instance, 1.0 if s.live else 0.0)
                for s in board.standing(now.mono)
            ),
            servers=tuple(self._server_seen(name, board, now) for name in self.others),
            gone=self.gone,
            wall=now.wall,
            problems=self._problems(board),
            release=self.release,
            voter_quarantine_s=max(0.0, board.voter.quarantine - now.mono),
            pause=board.voter.pausing.seen(now.mono),
            documents=self.documents.seen(),
            terms=self.terms.text,
            voters=None if board.by_engine else board.voter.voters,
            synced=board.voter.synced,
            machine=self.machine,
        )

    def _problems(self, board: Board) -> tuple[str, ...]:
        found = (*self.problems, *self.documents.problems, *self.witness.problems())
        for name, (_, census) in sorted(self.census.items()):
            if census.terms and census.terms != self.terms.text:
                found = (*found, f"keeper@{name} keeps leases by other terms ({census.terms}) than {self.name} ({self.terms.text}): "
                         "give all servers the same lease settings")  # fmt: skip
        if self.unwritable:
            found = (*found, f"{self.server.name} cannot write its votes: {self.unwritable}: grants nothing")
        if waits := self._waits_for(board):
            found = (*found, f"{self.name} lost its votes and waits for those of {', '.join(waits)}")
        return found

    def _waits_for(self, board: Board) -> tuple[str, ...]:
        return tuple(self._name(index) for index in board.voter.waits_for())

    def _name(self, index: int) -> str:
        return self.by_index[index].name if index in self.by_index else f"an unknown server ({index})"

    def _seen(self, local: Local, now: Now) -> DaemonSeen:
        return DaemonSeen(
            name=local.define.name,
            role=local.define.role,
            pid=local.pid,
            instance=local.instance if local.pid else "",
            running=bool(local.pid),
            beat_age_s=now.mono - local.beaten if local.beaten is not None else -1.0,
            report=local.report,
            restarts=max(0, local.restarts),
            started_wall=local.started_wall,
            cpu_percent=local.cpu_percent,
            rss_bytes=local.rss_bytes,
        )

    def _server_seen(self, name: str, board: Board, now: Now) -> ServerSeen:
        answers = board.claims.answers
        times = [answers[i] for i in (self.others[name].index,) if i in answers]
        if name in self.census:
            times.append(self.census[name][0])
        return ServerSeen(name, now.mono - max(times) if times else -1.0)

    def _register(self, now: Now) -> list[Call]:
        """All daemons that run, here and elsewhere, for the name server, when that changed."""
        entries: list[Registered] = []
        for local in self.locals.values():
            if local.pid and local.beaten is not None:
                entries.append(self._entry(local.define, self._seen(local, now)))
        for at, census in self.census.values():
            for seen in census.daemons:
                define = self.cluster.daemon(seen.name)
                if define and seen.running and now.mono - at < 2 * self.terms.lease_s:
                    entries.append(self._entry(define, seen))
        fresh = tuple(sorted(entries, key=lambda e: e.name))
        if fresh == self.registered:
            return []
        self.registered = fresh
        return [Call("names", Register(fresh))]

    def _entry(self, define: DaemonDef, seen: DaemonSeen) -> Registered:
        name = object_id(self.cluster.name, define.role, define.name)
        server = next((s.name for s in self.cluster.servers if s.address == define.address), "")
        return Registered(
            name=name,
            uri=f"PYRO:{name}@{define.address}:{define.port}",
            metadata=(
                f"role={define.role}",
                f"realm={define.realm}",
                f"spare={int(define.spare)}",
                f"server={server}",
                f"epoch={seen.report.epoch}",
                f"instance={seen.instance}",
            ),
        )


def _promised(board: Board) -> Epoch:
    """The highest epoch that this voter promised for leading: documents of an older leader are refused."""
    return board.promised("arbiter")


def _promises(durable: bytes, is_new: bool) -> Promises:
    """What this keeper promised before; damaged bytes are lost votes, never a first start."""
    if not durable:
        return no_promises(is_new)
    try:
        return _decoder.decode(durable)
    except (msgspec.DecodeError, UnicodeDecodeError):
        log.error("the votes on disk cannot be read: grants nothing until a majority was copied")
        return no_promises(is_new=False)
