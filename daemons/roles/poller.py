"""The poller: borrows checks from schedulers, has them run, keeps each result until it is durable.

One exchange per scheduler at a time carries results in and orders out, a few times a second however
many checks there are. Chunks of orders and batches of results pass through undecoded.
"""

from collections.abc import Iterator

from daemons.model.clock import Now
from daemons.model.cluster import Cluster, Epoch
from daemons.roles.highest import Highest, shard_lease
from daemons.roles.kept import ShardResults
from daemons.roles.role import Call, Unexpected, Wait
from daemons.roles.standing import Standing
from daemons.wire.messages import (
    Batch,
    Chunk,
    Done,
    Enrolled,
    Exchange,
    Failed,
    Fenced,
    Lent,
    LostRuns,
    Message,
    RanChunk,
    Report,
    Roster,
    RunChunk,
    Shutdown,
)

TICK_S = 0.05
PACE_S = 0.25  # between exchanges with one scheduler, unless there is much to carry
IDLE_S = 1.0  # how long a scheduler may hold the exchange of an idle poller
RETRY_S = 0.25  # after an exchange that failed
ANSWER_S = 3.0  # how long an answer may take beyond the wait asked for
BATCH_FULL = 64  # results worth an exchange of their own
EXCHANGE_BYTES = 1_000_000  # of results in one exchange
KEPT_MAX = 50_000  # results; about 10 MB
STOP_S = 1.0  # for the last results, when asked to end
HOMELESS_S = 600.0  # results of a shard that is on no roster are kept so long


class Link:
    """What a poller knows of one scheduler."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.flying: Exchange | None = None
        self.sent_mono = 0.0
        self.due_mono = 0.0
        self.owner = ""  # its instance, as it last said
        self.serial = 0  # of its last answer
        self.owns: dict[int, Epoch] | None = None  # as it last said; None = never answered
        self.filled = False  # it had as many orders as were wanted


class Poller:
    """State: whom it obeys, links to the schedulers, slots in use, results not yet durable."""

    tick_s = TICK_S

    def __init__(
        self,
        *,
        name: str,
        instance: str,
        pid: int,
        cluster: Cluster,
        durable: bytes = b"",
        capacity: int = 256,
        kept_max: int = KEPT_MAX,
        without: frozenset[str] = frozenset(),
    ) -> None:
        """Start idle; at most `capacity` checks are held at once, running and queued.

        `without` "fencing": obey anybody; only the drill's self-test wants that.
        """
        me = cluster.daemon(name)
        self.name = name
        self.instance = instance
        self.capacity = capacity
        self.kept_max = kept_max
        self.tags = me.tags if me is not None else ()
        fenced = "fencing" not in without
        self.standing = Standing(name, "poller", instance, pid, fenced=fenced)
        self.highest = Highest(durable, fenced=fenced)
        self.running = 0  # orders given to "exec" and not come back
        self.kept = 0  # results
        self.stopping = False
        self._stop_by = 0.0
        self._links: dict[str, Link] = {}
        self._shards_at: dict[str, tuple[int, ...]] = {}  # by scheduler, as the roster has it
        self._serves: frozenset[int] = frozenset()  # shards that lend to me
        self._results: dict[int, ShardResults] = {}  # by shard
        self._homeless: dict[int, float] = {}  # shards on no roster that have results: since, mono
        self._handed: dict[bytes, Chunk] = {}  # to "exec", not yet taken by it
        self._aside: list[Chunk] = []  # refused by "exec", tried again next tick
        self._batch_id = 0
        self._seq = 0
        self._counts = dict.fromkeys(
            ("checks_done", "results_shed", "orders_fenced", "runs_lost", "exchanges"), 0
        )

    # -- the three entries

    def handle(self, message: Message, now: Now) -> Message | Wait:
        """Obey the newest arbiter; take results from "exec". Raises Unexpected."""
        match message:
            case Roster():
                return self._enrol(message, now)
            case RanChunk(shard, count, data):
                self._keep(shard, count, data)
                return Done()
            case LostRuns(count):
                self.running = max(0, self.running - count)
                self._counts["runs_lost"] += count
                return Done()
            case Shutdown():
                self.stopping = True
                self._aside.clear()
                self._stop_by = self._stop_by or now.mono + STOP_S
                return Wait(self._stop_by) if self.kept and now.mono < self._stop_by else Done()
            case _:
                raise Unexpected(f"a poller does not serve {type(message).__name__}")

    def tick(self, now: Now) -> list[Call]:
        """Return the beat, the orders put aside, and the exchanges that are due."""
        calls = self.standing.beat((), self.report(), now)
        calls += self._run_aside()
        self._drop_homeless(now)
        for scheduler in self._shards_at:
            calls += self._exchange(scheduler, now)
        return calls

    def answered(self, call: Call, answer: Message, now: Now) -> list[Call]:
        """Have lent orders run, forget durable results; what failed is tried again."""
        match call.message, answer:
            case Exchange() as asked, _:
                calls = self._lent(call.to, asked, answer, now)
                return calls + self._exchange(call.to, now)
            case RunChunk(data=data), _:
                self._handed_over(data, answer)
                return []
            case _:
                self.standing.beaten(answer)
                return []

    @property
    def durable_serial(self) -> int:
        """Grows with every new highest epoch."""
        return self.highest.serial

    def durable(self) -> bytes:
        """The highest epochs seen."""
        return self.highest.encode()

    def report(self) -> Report:
        """Return what this poller says of itself."""
        roster = self.standing.roster
        queue = self.running + sum(chunk.count for chunk in self._aside)
        figures = {name: float(count) for name, count in self._counts.items()}
        figures |= {"queue": queue, "kept": self.kept, "capacity": self.capacity}
        problems: tuple[str, ...] = ()
        if self.kept > self.kept_max // 2:
            problems = (f"{self.kept} check results wait for a scheduler to take them",)
        return Report(
            active=bool(self._serves),
            epoch=self.standing.epoch,
            roster_n=roster.n if roster is not None else 0,
            config=roster.config if roster is not None else "",
            figures=figures,
            problems=problems,
        )

    # -- the roster

    def _enrol(self, roster: Roster, now: Now) -> Enrolled | Fenced:
        if not self.highest.admits("arbiter", roster.epoch):
            return Fenced("arbiter", self.highest.of("arbiter"))
        self.standing.enrol(roster, self.report(), now)
        shards_at: dict[str, tuple[int, ...]] = {}
        for placed in self.standing.shards:
            if placed.scheduler:
                there = shards_at.get(placed.scheduler, ())
                shards_at[placed.scheduler] = (*there, placed.id)
        self._shards_at = dict(sorted(shards_at.items()))
        self._links = {s: self._links.get(s) or Link() for s in self._shards_at}
        self._serves = frozenset(p.id for p in self.standing.shards if self.name in p.pollers)
        return Enrolled(self.name, self.instance, self.report())

    # -- orders

    def _lent(self, scheduler: str, asked: Exchange, answer: Message, now: Now) -> list[Call]:
        """Take the outcome of an exchange; return the orders to run."""
        link = self._links.get(scheduler) or Link()  # a new one is dropped: it is off the roster
        link.flying = None
        if not isinstance(answer, Lent):
            link.due_mono = now.mono + RETRY_S
            link.filled = False
            if not isinstance(answer, Failed):
                link.owns = {}  # it answered, and owns nothing of mine
                link.serial = 0  # it may be another instance
            self._unsend(asked.batches)
            return []
        learned = link.owns is not None and not link.owns  # it owned nothing until now
        link.due_mono = link.sent_mono + (TICK_S if learned else PACE_S)
        link.owner, link.serial = answer.owner, answer.serial
        link.owns = {
            s.shard: s.epoch
            for s in answer.shards
            if self.highest.admits(shard_lease(s.shard), s.epoch)
        }
        self._settle(scheduler, link, asked, answer)
        chunks = [chunk for chunk in answer.chunks if self._may_run(chunk)]
        lent = sum(chunk.count for chunk in answer.chunks)
        link.filled = 0 < asked.want <= lent
        self._counts["orders_fenced"] += lent - sum(chunk.count for chunk in chunks)
        return [self._run(chunk) for chunk in chunks]

    def _may_run(self, chunk: Chunk) -> bool:
        """Whether orders are of an epoch, and for a shard, that this poller serves."""
        fresh = self.highest.admits(shard_lease(chunk.shard), chunk.epoch)
        return fresh and chunk.shard in self._serves and not self.stopping

    def _run(self, chunk: Chunk) -> Call:
        self.running += chunk.count
        self._handed[chunk.data] = chunk
        return Call("exec", RunChunk(chunk.count, chunk.data))

    def _handed_over(self, data: bytes, answer: Message) -> None:
        chunk = self._handed.pop(data, None)
        if isinstance(answer, Failed) and chunk is not None:
            self.running = max(0, self.running - chunk.count)
            self._aside.append(chunk)

    def _run_aside(self) -> list[Call]:
        """Try again what "exec" refused; orders of an epoch that has ended are dropped."""
        aside, self._aside = self._aside, []
        return [self._run(chunk) for chunk in aside if self._may_run(chunk)]

    def _room(self, scheduler: str) -> int:
        """How many orders to ask `scheduler` for: what is free, shared when there are several."""
        promised = sum(
            link.flying.want
            for name, link in self._links.items()
            if name != scheduler and link.flying is not None
        )
        held = self.running + sum(chunk.count for chunk in self._aside)
        lenders = sum(1 for shards in self._shards_at.values() if self._serves.intersection(shards))
        share = -(-self.capacity // max(1, lenders))
        return max(0, min(self.capacity - held - promised, share))

    # -- exchanges

    def _exchange(self, scheduler: str, now: Now) -> list[Call]:
        """Return the next exchange with `scheduler` if there is reason for one now."""
        link = self._links.get(scheduler)
        if link is None or link.flying is not None:
            return []
        shards = self._shards_at[scheduler]
        serves = not self.stopping and not self._serves.isdisjoint(shards)
        kept = [self._results[shard] for shard in shards if shard in self._results]
        leaving = self.running > 0 and not self.stopping  # heard of, its orders are not lent again
        if not serves and not any(kept) and not leaving:
            return []
        probes = link.owns is not None and not link.owns and any(kept)
        want = self._room(scheduler) if serves and not probes else 0
        waiting = sum(
            r.unsent_count for s in self._sendable(link, shards) if (r := self._results.get(s))
        )
        busy = (link.filled and want >= max(1, self.capacity // 4)) or waiting >= BATCH_FULL
        if now.mono < (link.sent_mono + TICK_S if busy else link.due_mono):
            return []
        if not serves or probes:  # what it is to know comes before what it may order
            wait_s = 0.0
        elif self.running or self._aside or any(kept):
            wait_s = PACE_S  # a result that ends meanwhile must not wait longer
        else:
            wait_s = IDLE_S
        self._seq += 1
        link.sent_mono = now.mono
        link.filled = False
        link.flying = Exchange(
            self.name,
            self.instance,
            self._seq,
            self.standing.epoch,
            want,
            wait_s,
            self.tags,
            tuple(self._outgoing(scheduler, link, shards, now)),
            link.serial,
        )
        self._counts["exchanges"] += 1
        return [Call(scheduler, link.flying, timeout_s=wait_s + ANSWER_S, lane="exchange")]

    def _sendable(self, link: Link, shards: tuple[int, ...]) -> tuple[int, ...]:
        """Shards whose results the scheduler would take, as far as it ever said."""
        return shards if link.owns is None else tuple(s for s in shards if s in link.owns)

    # -- results

    def _outgoing(
        self, scheduler: str, link: Link, shards: tuple[int, ...], now: Now
    ) -> Iterator[Batch]:
        room_bytes = EXCHANGE_BYTES
        for shard in self._sendable(link, shards):
            results = self._results.get(shard)
            if results is None:
                continue
            if results.owner is not None and results.owner[0] != scheduler:
                results.owned_by(None)
            results.resend_overdue(now.mono)
            for batch in results.take(room_bytes, now.mono):
                room_bytes -= len(batch.data)
                yield batch

    def _keep(self, shard: int, count: int, data: bytes) -> None:
        """Keep a batch; beyond the limit the oldest go, counted."""
        self._batch_id += 1
        self._results.setdefault(shard, ShardResults()).add(
            Batch(self._batch_id, shard, count, data)
        )
        self.kept += count
        self.running = max(0, self.running - count)
        self._counts["checks_done"] += count
        while self.kept > self.kept_max:
            oldest = min((r for r in self._results.values() if r), key=lambda r: r.oldest)
            shed = oldest.forget(oldest.oldest)
            self.kept -= shed
            self._counts["results_shed"] += shed

    def _settle(self, scheduler: str, link: Link, asked: Exchange, answer: Lent) -> None:
        """Forget what the owner has made durable; make due again what went to another owner."""
        assert link.owns is not None
        delivered = frozenset(batch.id for batch in asked.batches)
        for shard in self._shards_at.get(scheduler, ()):
            results = self._results.get(shard)
            if results is None:
                continue
            if shard not in link.owns:
                results.unsend(delivered)
                continue
            results.owned_by((scheduler, answer.owner, link.owns[shard]), delivered)
            self.kept -= sum(results.forget(batch_id) for batch_id in answer.durable)
            if not results:
                del self._results[shard]

    def _unsend(self, batches: tuple[Batch, ...]) -> None:
        for batch in batches:
            if (results := self._results.get(batch.shard)) is not None:
                results.unsend((batch.id,))

    def _drop_homeless(self, now: Now) -> None:
        """Let go of results of shards that no roster has had for long: nobody will ask for them."""
        homes = {shard.id for shard in self.standing.shards}
        if not self._homeless and self._results.keys() <= homes:
            return
        self._homeless = {
            s: self._homeless.get(s, now.mono) for s in self._results if s not in homes
        }
        for shard, since in self._homeless.items():
            if now.mono - since > HOMELESS_S:
                results = self._results.pop(shard)
                shed = 0
                while results:
                    shed += results.forget(results.oldest)
                self.kept -= shed
                self._counts["results_shed"] += shed
