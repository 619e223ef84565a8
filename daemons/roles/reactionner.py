"""The reactionner: runs notifications and event handlers, each one once, and commands beside checks.

The order that gives "once": an action is journalled as claimed, on disk and at a majority of the
keepers, before its command starts, and as done after. What a crash leaves claimed and not done may or
may not have reached somebody: it is told to the scheduler as such, never decided here.
"""

import logging
from collections.abc import Iterable, Mapping

from msgspec import Struct, msgpack

from daemons.model.check import Order, Result, told_code
from daemons.model.clock import Now
from daemons.model.cluster import Cluster, Epoch
from daemons.roles.claiming import Claiming
from daemons.roles.highest import Highest, shard_lease
from daemons.roles.role import Call, Unexpected, Wait
from daemons.roles.side_runs import AT_ONCE, SideRuns, is_side
from daemons.roles.standing import Standing
from daemons.wire.claims import ActionsEnded, ClaimActions
from daemons.wire.messages import (
    Action,
    Actions,
    Claimed,
    ClaimedAction,
    Done,
    Enrolled,
    Failed,
    Fence,
    Fenced,
    Journal,
    LostRuns,
    Message,
    Ran,
    RanChunk,
    Report,
    Roster,
    RunChunk,
    Shutdown,
    TakeActions,
)

log = logging.getLogger(__name__)

TICK_S = 0.05
PACE_S = 0.25  # between two requests to one scheduler
IDLE_S = 0.5  # how long a scheduler may hold a request; well below a lease, which is the budget
RETRY_S = 0.25
ANSWER_S = 3.0
CAPACITY = 256  # actions held at once
ENDED_MAX = 10_000  # ends kept until their scheduler settles them
ENDED_BATCH = 1000  # ends told in one request
JOURNAL_MAX = 10_000  # entries
RELEASED_MAX = 1000  # ids given back, told to a new owner in case the keepers do not know it yet
FORGET_S = 3600.0  # a done entry answers repeats for so long
SWEEP_S = 10.0
STOP_S = 3.0  # for commands that run when asked to end: one cut short has to be sent again
LOST_S = 30.0  # beyond its time-out, without a result: its worker died with it
OUTPUT_MAX = 4096  # characters of a command's output worth telling the scheduler

AMBIGUOUS = -1  # code of an end nobody knows: claimed before a crash, or lost with its worker
_results = msgpack.Decoder(list[Result])


class Entry(Struct):
    """One journal entry in memory."""

    shard: int
    claimed: ClaimedAction
    since_mono: float  # of its last change, or of the start


class Held(Struct):
    """An action taken and not ended."""

    action: Action
    deadline_mono: float  # start nothing after this
    stage: (
        str  # "claiming" (journal, keepers), "starting" (given to "exec"), "aside" (it was full), "running"
    )
    started_mono: float = 0.0
    journalled: bool = False  # as claimed


class Link:
    """What a reactionner knows of one scheduler."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.flying = False
        self.sent_mono = 0.0
        self.due_mono = 0.0


class Reactionner:
    """State: whom it obeys, its journal, what it holds, ends not yet settled."""

    tick_s = TICK_S

    def __init__(
        self,
        *,
        name: str,
        instance: str,
        pid: int,
        cluster: Cluster,
        durable: bytes = b"",
        journal: Mapping[int, Iterable[ClaimedAction]] | None = None,
        capacity: int = CAPACITY,
        side_at_once: int = AT_ONCE,
        without: frozenset[str] = frozenset(),
    ) -> None:
        """Start with the `journal` as it was on disk, by shard; what it has claimed is ambiguous.

        `side_at_once`: so many workers at most have commands that run beside checks.
        `without` "fencing": obey anybody; only the drill's self-test wants that.
        """
        me = cluster.daemon(name)
        self.name = name
        self.instance = instance
        self.capacity = capacity
        self.tags = me.tags if me is not None else ()
        fenced = "fencing" not in without
        self.standing = Standing(name, "reactionner", instance, pid, fenced=fenced)
        self.highest = Highest(durable, fenced=fenced)
        self.stopping = False
        self._stop_by = 0.0
        self.journal_trouble = ""
        self._journal: dict[str, Entry] = {}
        self._held: dict[str, Held] = {}
        self._ended: dict[str, Ran] = {}
        self._to_end: list[Ran] = []  # to be journalled as done, then told
        self._to_forget: dict[int, list[str]] = {}  # entries to strike from the journal, by shard
        self._claiming = Claiming(name, cluster)
        self._sides = SideRuns(side_at_once)
        self._released: dict[str, int] = {}  # ids claimed and given back, with their shard
        self._links: dict[str, Link] = {}
        self._shards_at: dict[str, tuple[int, ...]] = {}
        self._serves: frozenset[int] = frozenset()
        self._sweep_due = 0.0
        self._counts = dict.fromkeys(
            ("actions_done", "actions_repeated", "actions_refused", "actions_expired",
             "actions_fenced", "actions_ambiguous", "actions_unvoted", "ends_shed"), 0
        )  # fmt: skip
        self._load(journal or {})

    # -- the three entries

    def handle(self, message: Message, now: Now) -> Message | Wait:
        """Obey the newest arbiter and the newest owner of each shard. Raises Unexpected."""
        match message:
            case Roster():
                return self._enrol(message, now)
            case Fence(shard, epoch):
                return self._fence(shard, epoch)
            case RanChunk(data=data):
                for result in _results.decode(data):
                    self._ran(result)
                return Done()
            case LostRuns(count):
                self._lost(count)
                return Done()
            case Shutdown():
                self.stopping = True
                self._sides.clear()
                self._stop_by = self._stop_by or now.mono + STOP_S
                waits = bool(self._held or self._to_end or self._ended) and now.mono < self._stop_by
                return Wait(self._stop_by) if waits else Done()
            case _:
                raise Unexpected(f"a reactionner does not serve {type(message).__name__}")

    def tick(self, now: Now) -> list[Call]:
        """Return the beat, journal entries, what "exec" had no room for, and requests due."""
        calls = self.standing.beat((), self.report(), now)
        calls += self._journal_ends()
        calls += self._start([h for h in self._held.values() if h.stage == "aside"], now)
        calls += self._decide(now)
        calls += self._claiming.tick(now)
        calls += self._sides.start(now, busy=any(h.stage != "running" for h in self._held.values()))
        if now.mono >= self._sweep_due:
            self._sweep_due = now.mono + SWEEP_S
            self._sweep(now)
        calls += self._journal_forgets()
        for scheduler in self._shards_at:
            calls += self._ask(scheduler, now)
        return calls

    def answered(self, call: Call, answer: Message, now: Now) -> list[Call]:
        """Claim what was given, start what is claimed, tell what is done."""
        match call.message:
            case TakeActions():
                return self._given(call, answer, now)
            case Journal(entries=entries) if entries and entries[0].state == "claimed":
                return self._claimed(entries, answer, now)
            case Journal(entries=entries) if entries:
                self._note_journal(answer)
                self._tell({e.id for e in entries}, now)
                return []
            case Journal():
                self._note_journal(answer)
                return []
            case RunChunk(data=data):
                self._handed_over(data, answer, now)
                return []
            case ClaimActions() | ActionsEnded():
                self._claiming.answered(call, answer, now)
                return self._decide(now)
            case _:
                self.standing.beaten(answer)
                return []

    @property
    def durable_serial(self) -> int:
        """Grows with every new highest epoch."""
        return self.highest.serial

    def durable(self) -> bytes:
        """The highest epochs seen. (The journal is the "journal" service's.)"""
        return self.highest.encode()

    def report(self) -> Report:
        """Return what this reactionner says of itself."""
        roster = self.standing.roster
        figures = {name: float(count) for name, count in self._counts.items()}
        figures |= {
            "queue": len(self._held),
            "unsettled": len(self._ended) + len(self._to_end),
            "journal": len(self._journal),
            "capacity": self.capacity,
        } | self._sides.figures()
        return Report(
            active=bool(self._serves),
            epoch=self.standing.epoch,
            roster_n=roster.n if roster is not None else 0,
            config=roster.config if roster is not None else "",
            figures=figures,
            problems=(self.journal_trouble,) if self.journal_trouble else (),
        )

    # -- whom to obey

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
        self._serves = frozenset(p.id for p in self.standing.shards if self.name in p.reactionners)
        return Enrolled(self.name, self.instance, self.report())

    def _fence(self, shard: int, epoch: Epoch) -> Claimed | Fenced:
        """Obey nobody below `epoch` any more, start nothing that was planned below it.

        What is not yet given to "exec" will certainly not run: it is struck from the journal and
        the new owner does not hear of it, so it need not tag it. The rest it must judge.
        """
        lease = shard_lease(shard)
        if not self.highest.admits(lease, epoch):
            return Fenced(lease, self.highest.of(lease))
        for held in list(self._held.values()):
            if held.action.shard == shard and held.action.epoch < epoch:
                self._cancel(held)
        self._sides.fence(shard, epoch)
        known = (e.claimed for e in self._journal.values() if e.shard == shard)
        released = (i for i, of in self._released.items() if of == shard)
        return Claimed(shard, tuple(known), tuple(released))

    def _cancel(self, held: Held) -> bool:
        """Let go of an action that has not been given to "exec"; return whether that was so."""
        if held.stage not in ("claiming", "aside"):
            return False
        self._give_back(held)
        self._counts["actions_fenced"] += 1
        return True

    def _give_back(self, held: Held) -> None:
        """Let go of what was claimed and not started: nobody needs to wonder whether it ran."""
        action = held.action
        del self._held[action.id]
        self._strike(action.id)
        self._claiming.release(action.shard, action.id)
        self._released[action.id] = action.shard
        while len(self._released) > RELEASED_MAX:
            del self._released[next(iter(self._released))]

    # -- taking

    def _ask(self, scheduler: str, now: Now) -> list[Call]:
        """Return the next request to `scheduler` if there is reason for one now."""
        link = self._links[scheduler]
        shards = self._shards_at[scheduler]
        serves = not self.stopping and not self._serves.isdisjoint(shards)
        ended = tuple(ran for ran in self._ended.values() if ran.shard in shards)[:ENDED_BATCH]
        holds = any(held.action.shard in shards for held in self._held.values())
        holds = holds or any(ran.shard in shards for ran in self._to_end)
        snapshots = self._sides.taken_of(shards)
        if link.flying or now.mono < link.due_mono or not (serves or ended or holds):
            return []  # who still has something is heard of: else it would be given to another
        busy = bool(self._held or self._to_end or ended)
        wait_s = 0.0 if not serves or ended or snapshots else PACE_S if busy else IDLE_S
        link.flying, link.sent_mono = True, now.mono
        message = TakeActions(
            self.name,
            self.instance,
            self.standing.epoch,
            max(0, self.capacity - len(self._held)) if serves else 0,
            wait_s,
            self.tags,
            ended,
            self._holding(ended),
            self._sides.want if serves else 0,
            snapshots,
        )
        return [Call(scheduler, message, timeout_s=wait_s + ANSWER_S, lane="actions")]

    def _holding(self, ended: tuple[Ran, ...]) -> tuple[str, ...]:
        """Ids of all that was taken and whose end is not told with this request."""
        ids = [*self._held, *(ran.id for ran in self._to_end)]
        if len(ended) == ENDED_BATCH:
            told = {ran.id for ran in ended}
            ids += [action_id for action_id in self._ended if action_id not in told]
        return tuple(ids)

    def _given(self, call: Call, answer: Message, now: Now) -> list[Call]:
        """Forget settled ends; sort what was given into known, late, and to be claimed."""
        link = self._links.get(call.to) or Link()
        link.flying = False
        if not isinstance(answer, Actions):
            link.due_mono = now.mono + RETRY_S
            return []
        link.due_mono = link.sent_mono + PACE_S
        assert isinstance(call.message, TakeActions)
        self._sides.told(call.message.snapshots)
        for settled in answer.settled:
            self._ended.pop(settled, None)
        for owned in answer.shards:
            self.highest.admits(shard_lease(owned.shard), owned.epoch)
        if not self.stopping:
            self._sides.take(c for c in answer.sides if c.epoch >= self.highest.of(shard_lease(c.shard)))
        deadline = link.sent_mono + answer.budget_s
        new = []
        for action in answer.actions:
            if self._is_to_run(action, now, deadline):
                self._claim(action, now, deadline)
                new.append(action)
        return self._journal_claims(new) + self._claiming.begin(new, now)

    def _is_to_run(self, action: Action, now: Now, deadline: float) -> bool:
        """Whether to claim `action`. One that is known already is answered for instead."""
        if not self.highest.admits(shard_lease(action.shard), action.epoch) or self.stopping:
            self._counts["actions_fenced"] += 1
            return False
        if action.id in self._held or any(ran.id == action.id for ran in self._to_end):
            return False  # being worked on; its end will be told
        if action.id in self._ended and not action.tagged:
            return False  # told again with the next request
        entry = self._journal.get(action.id)
        if entry is not None and not self._may_repeat(entry.claimed, action):
            self._repeat_end(entry, action)
            return False
        if now.mono >= deadline:
            self._end(Ran(action.id, action.shard, action.epoch, "expired", 0, action.tagged))
            self._counts["actions_expired"] += 1
            return False
        self._ended.pop(action.id, None)
        return True

    def _may_repeat(self, known: ClaimedAction, action: Action) -> bool:
        """A repeat runs only when tagged and when nobody knows whether it ran; its owner counts them."""
        return known.state != "done" and action.tagged

    def _repeat_end(self, entry: Entry, action: Action) -> None:
        known = entry.claimed
        self._counts["actions_repeated"] += 1
        if known.state == "done":
            ran = Ran(known.id, action.shard, action.epoch, "done", known.code, known.tagged)
        else:
            ran = Ran(known.id, action.shard, action.epoch, "refused", AMBIGUOUS, known.tagged)
        self._end(ran)

    # -- claiming and running

    def _claim(self, action: Action, now: Now, deadline: float) -> None:
        self._held[action.id] = Held(action, deadline, "claiming")
        self._released.pop(action.id, None)
        entry = ClaimedAction(action.id, "claimed", action.epoch, 0, action.tagged)
        self._journal[action.id] = Entry(action.shard, entry, now.mono)
        struck = self._to_forget.get(action.shard, [])
        if action.id in struck:  # an earlier claim, given back: this one must not be struck
            struck.remove(action.id)

    def _journal_claims(self, actions: list[Action]) -> list[Call]:
        calls = []
        for shard in sorted({action.shard for action in actions}):
            entries = tuple(
                self._journal[action.id].claimed for action in actions if action.shard == shard
            )
            calls.append(Call("journal", Journal(shard, entries)))
        return calls

    def _claimed(self, entries: tuple[ClaimedAction, ...], answer: Message, now: Now) -> list[Call]:
        """Start what is claimed on disk and at the keepers, and still may be started.

        A journal that cannot be written does not stop notifications: a repeat after a crash is
        better than a miss.
        """
        self._note_journal(answer)
        for entry in entries:
            held = self._held.get(entry.id)
            if held is not None and held.action.epoch == entry.epoch:
                held.journalled = True
        return self._decide(now)

    def _decide(self, now: Now) -> list[Call]:
        """Start what the keepers let start; give back what they do not."""
        ready = []
        for held in [h for h in self._held.values() if h.stage == "claiming" and h.journalled]:
            action = held.action
            verdict = self._claiming.verdict(action.id, now)
            if verdict == "wait":
                continue
            if verdict == "run":
                self._claiming.decided(action.id)
                ready.append(held)
            elif verdict == "fenced":
                self._cancel(held)
            elif verdict == "done":
                code = self._claiming.code(action.id)
                self._claiming.decided(action.id)
                del self._held[action.id]
                self._to_end.append(
                    Ran(action.id, action.shard, action.epoch, "done", code, action.tagged)
                )
                self._counts["actions_repeated"] += 1
            else:
                self._not_granted(held, verdict)
        return self._start(ready, now)

    def _not_granted(self, held: Held, verdict: str) -> None:
        """Another reactionner claimed it, or too few keepers answered: its owner must decide.

        The owner notes that it may be a repeat before it gives it out again: what runs without a
        majority says so in the shard's journal. What must not run twice comes again as it was.
        """
        action = held.action
        self._give_back(held)
        self._counts["actions_unvoted"] += verdict == "unheard"
        if verdict == "unheard" and action.once:
            self._end(Ran(action.id, action.shard, action.epoch, "expired", 0, action.tagged))
        else:
            self._end(Ran(action.id, action.shard, action.epoch, "refused", AMBIGUOUS, action.tagged))

    def _start(self, ready: list[Held], now: Now) -> list[Call]:
        """Give `ready` to "exec", one chunk per shard; what is too late goes back unclaimed."""
        orders: dict[int, list[Order]] = {}
        for held in ready:
            action = held.action
            if action.epoch < self.highest.of(shard_lease(action.shard)):
                self._cancel(held)
            elif now.mono >= held.deadline_mono:
                self._give_back(held)
                self._end(Ran(action.id, action.shard, action.epoch, "expired", 0, action.tagged))
                self._counts["actions_expired"] += 1
            else:
                held.stage, held.started_mono = "starting", now.mono
                orders.setdefault(action.shard, []).append(_order(action))
        return [
            Call("exec", RunChunk(len(chunk), msgpack.encode(chunk)))
            for _, chunk in sorted(orders.items())
        ]

    def _handed_over(self, data: bytes, answer: Message, now: Now) -> None:
        stage = "aside" if isinstance(answer, Failed) else "running"
        orders = msgpack.decode(data, type=list[Order])
        if stage == "aside":
            self._sides.refused(order for order in orders if is_side(order.object))
        for order in orders:
            held = self._held.get(order.object)
            if held is not None and held.stage == "starting":
                held.stage, held.started_mono = stage, now.mono

    def _ran(self, result: Result) -> None:
        """Take the end of a command; it is journalled with the next tick, then told."""
        if is_side(result.object):
            self._sides.ran(result)
            return
        held = self._held.pop(result.object, None)
        if held is None:
            return  # given up as lost meanwhile
        action = held.action
        output = result.output[:OUTPUT_MAX]
        self._to_end.append(
            Ran(action.id, action.shard, action.epoch, "done", result.code, action.tagged, output)
        )
        self._counts["actions_done"] += 1
        if result.code != 0:
            log.warning(
                "failed action=%s kind=%s code=%s output=%r",
                action.id, action.kind, told_code(result.code), output[:200],
            )  # fmt: skip

    def _lost(self, count: int) -> None:
        """A worker died with `count` of the commands. Only when that is all do we know which."""
        running = [held for held in self._held.values() if held.stage in ("starting", "running")]
        if count >= len(running) + self._sides.running:
            for held in running:
                self._give_up(held)
            self._sides.lost_all()

    def _give_up(self, held: Held) -> None:
        action = held.action
        self._held.pop(action.id, None)
        self._counts["actions_ambiguous"] += 1
        log.warning("lost action=%s kind=%s why=%r", action.id, action.kind, "its worker died")
        self._end(Ran(action.id, action.shard, action.epoch, "refused", AMBIGUOUS, action.tagged))

    # -- ends

    def _end(self, ran: Ran) -> None:
        """Tell its scheduler from now on, until settled."""
        if ran.state == "refused":
            self._counts["actions_refused"] += 1
        self._ended[ran.id] = ran
        while len(self._ended) > ENDED_MAX:
            del self._ended[next(iter(self._ended))]
            self._counts["ends_shed"] += 1

    def _journal_ends(self) -> list[Call]:
        by_shard: dict[int, list[ClaimedAction]] = {}
        for ran in self._to_end:
            entry = self._journal.get(ran.id)
            if entry is not None and entry.claimed.state == "done":
                continue  # under way to the journal
            done = ClaimedAction(ran.id, "done", ran.epoch, ran.code, ran.tagged)
            since = entry.since_mono if entry is not None else 0.0
            self._journal[ran.id] = Entry(ran.shard, done, since)
            self._claiming.done(ran.shard, done)
            by_shard.setdefault(ran.shard, []).append(done)
        return [
            Call("journal", Journal(shard, tuple(done))) for shard, done in sorted(by_shard.items())
        ]

    def _tell(self, ids: set[str], now: Now) -> None:
        """These are done on disk (or the disk refused): tell the scheduler."""
        for ran in self._to_end:
            if ran.id in ids:
                self._end(ran)
                self._journal[ran.id].since_mono = now.mono
        self._to_end = [ran for ran in self._to_end if ran.id not in ids]

    def _note_journal(self, answer: Message) -> None:
        """Remember whether the journal can be written."""
        if isinstance(answer, Failed):
            if not self.journal_trouble:
                log.error("cannot write journal why=%r", answer.why)
            self.journal_trouble = (
                f"the journal cannot be written ({answer.why}):"
                " a crash now may repeat notifications"
            )
        elif self.journal_trouble:
            log.info("writes journal again")
            self.journal_trouble = ""

    # -- forgetting

    def _load(self, journal: Mapping[int, Iterable[ClaimedAction]]) -> None:
        for shard, entries in sorted(journal.items()):
            for entry in entries:
                self._journal[entry.id] = Entry(shard, entry, 0.0)
                if entry.state != "done":
                    self._end(Ran(entry.id, shard, entry.epoch, "refused", AMBIGUOUS, entry.tagged))

    def _strike(self, action_id: str) -> None:
        entry = self._journal.pop(action_id, None)
        if entry is not None:
            self._to_forget.setdefault(entry.shard, []).append(action_id)

    def _sweep(self, now: Now) -> None:
        """Strike old settled entries, the oldest first; give up what should have ended long ago."""
        for held in list(self._held.values()):
            late = held.started_mono + held.action.timeout_s + LOST_S
            if held.stage == "running" and now.mono > late:
                self._give_up(held)
        waiting = {ran.id for ran in self._to_end}
        free = [
            action_id
            for action_id in self._journal
            if action_id not in self._held
            and action_id not in self._ended
            and action_id not in waiting
        ]
        excess = len(self._journal) - JOURNAL_MAX
        for i, action_id in enumerate(free):
            entry = self._journal[action_id]
            if entry.since_mono == 0.0:
                entry.since_mono = now.mono  # from before the restart
            if i < excess or now.mono - entry.since_mono > FORGET_S:
                self._strike(action_id)

    def _journal_forgets(self) -> list[Call]:
        forgets, self._to_forget = self._to_forget, {}
        return [
            Call("journal", Journal(shard, (), tuple(ids)))
            for shard, ids in sorted(forgets.items())
        ]


def _order(action: Action) -> Order:
    env = action.env | {"SHINKEN_NOTIFICATION_ID": action.id}
    if action.kind == "handler":
        env["SHINKEN_EVENT_HANDLER"] = "1"  # a service that it starts outlives this daemon
    return Order(action.shard, action.epoch, action.id, 1, action.command, action.timeout_s, env)
