"""The broker: takes each shard's stream of deltas from its owner and feeds the broker modules.

Its position in a stream moves only when the modules have stored theirs, and the next request carries
it: that is the acknowledgement. So nothing is lost between the scheduler's journal and the modules'
files, whoever dies in between.
"""

import logging

from msgspec import Struct, msgpack

from daemons.model.clock import Now
from daemons.model.cluster import Cluster, Epoch
from daemons.roles.broker_leaving import LeavingStreams
from daemons.roles.highest import Highest, shard_lease
from daemons.roles.role import Call, Unexpected, Wait
from daemons.roles.standing import Standing
from daemons.wire.messages import (
    Broks,
    Done,
    Enrolled,
    Failed,
    Fed,
    Feed,
    Fenced,
    Message,
    Placed,
    Report,
    Roster,
    Shutdown,
    TakeBroks,
)

log = logging.getLogger(__name__)

TICK_S = 0.05
PACE_S = 0.25  # between two requests for one shard
WAIT_S = 1.0  # how long an owner may hold a request
RETRY_S = 0.5
ANSWER_S = 5.0  # beyond the wait: a page of deltas may be large
STOP_S = 2.0  # for a feed under way, when asked to end
FEED_S = 30.0  # a module may be rotating its file
POKE_S = 5.0  # so often a module that failed is offered again what waits for it

Position = tuple[Epoch, int]  # of the last delta that all modules have: (epoch, n)


class _Head(Struct, array_like=True):
    """The first fields of a Delta: all that the broker itself looks at."""

    shard: int
    epoch: Epoch
    n: int
    wall: float


_head = msgpack.Decoder(_Head)


class Stream:
    """One shard's stream as this broker takes it."""

    def __init__(self, position: Position | None) -> None:
        """Go on behind `position`; None: where the modules before this broker were."""
        self.position = position
        self.asking = ""  # the owner that a request is under way to
        self.feed: Feed | None = None  # given to the modules, or to be given again
        self.feeding = False
        self.sent_mono = 0.0
        self.due_mono = 0.0
        self.lag_s = 0.0  # age of the last delta when it was taken; 0 = up to date


class Broker:
    """State: whom it obeys, one stream per shard it serves."""

    tick_s = TICK_S

    def __init__(
        self,
        *,
        name: str,
        instance: str,
        pid: int,
        cluster: Cluster,
        durable: bytes = b"",
        positions: dict[int, Position] | None = None,
        states: bool = False,
    ) -> None:
        """Start idle. `positions`: by shard, what the "modules" service has stored.

        `states`: some module wants the changed records, not only the log lines.
        """
        self.name = name
        self.instance = instance
        self.states = states
        self.standing = Standing(name, "broker", instance, pid)
        self.highest = Highest(durable)
        self.stopping = False
        self._stop_by = 0.0
        self.module_trouble = ""
        self._waiting = 0  # feeds that wait on disk for a module
        self._poke_mono = 0.0
        self._positions = dict(positions or {})
        self._streams: dict[int, Stream] = {}
        self._leaving = LeavingStreams(name, instance)
        self._owners: dict[int, str] = {}  # scheduler by shard
        self._counts = dict.fromkeys(("broks_taken", "log_lines_fed", "gaps"), 0)

    # -- the three entries

    def handle(self, message: Message, now: Now) -> Message | Wait:
        """Obey the newest arbiter. Raises Unexpected."""
        match message:
            case Roster():
                return self._enrol(message, now)
            case Shutdown():
                self.stopping = True
                self._stop_by = self._stop_by or now.mono + STOP_S
                feeding = any(stream.feeding for stream in self._streams.values())
                return Wait(self._stop_by) if feeding and now.mono < self._stop_by else Done()
            case _:
                raise Unexpected(f"a broker does not serve {type(message).__name__}")

    def tick(self, now: Now) -> list[Call]:
        """Return the beat, feeds to be tried again, and the requests due."""
        calls = self.standing.beat((), self.report(), now)
        for shard, stream in self._streams.items():
            calls += self._next(shard, stream, now)
        return calls + self._leaving.tick(self._owners, now)

    def answered(self, call: Call, answer: Message, now: Now) -> list[Call]:
        """Feed what was taken; move on behind what was fed."""
        match call.message:
            case TakeBroks(leaving=True) as word:
                self._leaving.answered(word, answer, now)
                return []
            case TakeBroks(shard=shard) as asked:
                stream = self._streams.get(shard)
                if stream is None or stream.asking != call.to:
                    return []  # there is a new owner, and it has been asked since
                self._taken(stream, asked, answer, now)
                return self._next(shard, stream, now)
            case Feed(shard=shard) as feed:
                self._fed(feed, answer, now)
                stream = self._streams.get(shard)
                return self._next(shard, stream, now) if stream is not None else []
            case _:
                self.standing.beaten(answer)
                return []

    @property
    def durable_serial(self) -> int:
        """Grows with every new highest epoch."""
        return self.highest.serial

    def durable(self) -> bytes:
        """The highest epochs seen. (Positions are the "modules" service's.)"""
        return self.highest.encode()

    def report(self) -> Report:
        """Return what this broker says of itself."""
        roster = self.standing.roster
        figures = {name: float(count) for name, count in self._counts.items()}
        figures["lag_s"] = max((s.lag_s for s in self._streams.values()), default=0.0)
        figures["streams"] = len(self._streams)
        figures["feeds_waiting"] = self._waiting
        return Report(
            active=bool(self._streams),
            epoch=self.standing.epoch,
            roster_n=roster.n if roster is not None else 0,
            config=roster.config if roster is not None else "",
            figures=figures,
            problems=(self.module_trouble,) if self.module_trouble else (),
        )

    # -- which shards

    def _enrol(self, roster: Roster, now: Now) -> Enrolled | Fenced:
        if not self.highest.admits("arbiter", roster.epoch):
            return Fenced("arbiter", self.highest.of("arbiter"))
        self.standing.enrol(roster, self.report(), now)
        self._owners = {p.id: p.scheduler for p in self.standing.shards}
        for placed in self.standing.shards:
            self._serve(placed, now)
        for shard in [s for s in self._streams if s not in self._owners]:
            self._leave(shard)
        return Enrolled(self.name, self.instance, self.report())

    def _serve(self, placed: Placed, now: Now) -> None:
        """Take up, keep or leave the stream of one shard, as the roster says."""
        member = self.standing.member
        mine = self.name in placed.brokers and (member is None or member.active)
        if mine and placed.id not in self._streams:
            self._leaving.drop(placed.id)
            self._streams[placed.id] = Stream(self._positions.get(placed.id))
        elif not mine and placed.brokers:
            # Another broker goes on from here: its position counts by the time it is our turn again.
            stream = self._streams.get(placed.id)
            if stream is not None:
                feed = stream.feed if stream.feeding else None
                self._leaving.add(placed.id, stream.position, feed, now)
            self._leave(placed.id)
            self._positions.pop(placed.id, None)
        elif not mine:
            self._leave(placed.id)

    def _leave(self, shard: int) -> None:
        stream = self._streams.pop(shard, None)
        if stream is not None and stream.position is not None:
            self._positions[shard] = stream.position

    # -- one stream

    def _next(self, shard: int, stream: Stream, now: Now) -> list[Call]:
        """Return the next call for `shard`: one request or one feed at a time, never both."""
        owner = self._owners.get(shard, "")
        if stream.feeding or stream.asking == owner != "":
            return []
        if now.mono < stream.due_mono:
            return []
        if stream.feed is not None:
            stream.feeding = True
            return [Call("modules", stream.feed, timeout_s=FEED_S)]
        if self._waiting and now.mono >= self._poke_mono and stream.position is not None:
            self._poke_mono = now.mono + POKE_S
            stream.feed, stream.feeding = Feed(shard, *stream.position, ()), True
            return [Call("modules", stream.feed, timeout_s=FEED_S)]
        stream.asking = owner  # an answer of an owner asked before is not waited for
        if not owner or self.stopping:
            return []
        stream.sent_mono = now.mono
        epoch, n = stream.position or (0, 0)
        known = stream.position is not None
        ask = TakeBroks(self.name, self.instance, shard, known, epoch, n, WAIT_S, self.states)
        return [Call(owner, ask, timeout_s=WAIT_S + ANSWER_S, lane=f"broks/{shard}")]

    def _taken(self, stream: Stream, asked: TakeBroks, answer: Message, now: Now) -> None:
        stream.asking = ""
        if not isinstance(answer, Broks) or not self._is_owner(answer):
            stream.due_mono = now.mono + RETRY_S
            return
        stream.due_mono = stream.sent_mono + PACE_S
        after = (answer.after_epoch, answer.after_n)
        if not asked.known and not answer.deltas and not answer.gap:
            stream.position = after
        if not answer.deltas and not answer.gap:
            stream.lag_s = 0.0
            return
        gap = answer.gap or (asked.known and after > (asked.epoch, asked.n))
        epoch, n = after
        if answer.deltas:
            head = _head.decode(answer.deltas[-1])
            epoch, n = head.epoch, head.n
            stream.lag_s = max(0.0, now.wall - head.wall)
        if gap:
            self._counts["gaps"] += 1
            log.warning("lost broks shard=%d before_epoch=%d before_n=%d", asked.shard, *after)
        self._counts["broks_taken"] += len(answer.deltas)
        stream.feed = Feed(asked.shard, epoch, n, answer.deltas, gap)
        stream.due_mono = now.mono

    def _is_owner(self, answer: Broks) -> bool:
        """Whether the answer comes from the newest owner that this broker has heard of."""
        return self.highest.admits(shard_lease(answer.shard), answer.epoch)

    def _fed(self, feed: Feed, answer: Message, now: Now) -> None:
        position = (feed.epoch, feed.n)
        stream = self._streams.get(feed.shard)
        if isinstance(answer, Fed):
            self._counts["log_lines_fed"] += answer.lines
            self._note_failing(answer)
            self._leaving.fed(feed)
            if stream is None or not _same(stream.feed, feed):
                return  # the stream was left meanwhile: another broker has gone on by now
            stream.position, stream.feed, stream.feeding = position, None, False
            stream.due_mono = stream.sent_mono + PACE_S
            return
        why = answer.why if isinstance(answer, Failed) else type(answer).__name__
        if not self.module_trouble:
            log.error("cannot feed modules shard=%d why=%r", feed.shard, why)
        self.module_trouble = f"a broker module does not take what it is given: {why}"
        if stream is not None and _same(stream.feed, feed):
            stream.feeding = False
            stream.due_mono = now.mono + RETRY_S


    def _note_failing(self, fed: Fed) -> None:
        """Remember which modules do not take what they are given; it waits for them."""
        why = "; ".join(fed.failing)
        trouble = (
            f"a broker module does not take what it is given, {fed.waiting} feeds wait for it: {why}"
            if why
            else ""
        )
        if trouble and not self.module_trouble:
            log.error("cannot feed module why=%r waiting=%d", why, fed.waiting)
        elif self.module_trouble and not trouble:
            log.info("feeds all modules again")
        self.module_trouble, self._waiting = trouble, fed.waiting


def _same(mine: Feed | None, feed: Feed) -> bool:
    return mine is not None and (mine.epoch, mine.n) == (feed.epoch, feed.n)
