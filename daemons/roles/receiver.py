"""The receiver: takes external commands and passive results, and sees each to whoever owns its host.

Nothing is answered before it is in the spool on disk, here and at a receiver of another server if one
is up (second_spool.py), and nothing leaves the spool before a scheduler
says that it is durable there. Every owner gets every line, under an id made at entry, and applies those
for its own hosts: so the receiver needs no map of hosts, and a spare one is as good as the active one.
"""

import logging
from collections.abc import Iterable

from msgspec import Struct, field

from daemons.model.clock import Now
from daemons.model.cluster import Cluster
from daemons.roles.highest import Highest
from daemons.roles.leader_lines import LeaderLines
from daemons.roles.log_notes import LogNotes
from daemons.roles.role import Call, Unexpected, Wait
from daemons.roles.second_spool import HOLD_S, SecondSpool
from daemons.roles.standing import Standing
from daemons.rules import lines
from daemons.rules.commands import COMMANDS, UNKNOWN, Refused, of_pipe, parse, route, to_leader
from daemons.wire.configuration import Reread
from daemons.wire.messages import (
    Accepted,
    Done,
    Enrolled,
    Failed,
    Fenced,
    Message,
    Report,
    Roster,
    Shutdown,
    Spool,
    Submit,
    Submitted,
)

log = logging.getLogger(__name__)

TICK_S = 0.05
SPOOL_MAX = 100_000  # lines
SPOOL_WAIT_S = 1.0  # a sender is kept waiting for the disk so long
BATCH = 1000  # lines in one Submit
WINDOW = 5000  # lines one scheduler may have that it has not answered for
ASK_AGAIN_S = 0.25  # lines it has, and works on
RETRY_S = 0.5
ANSWER_S = 5.0
FINISHED_MAX = 10_000  # ids remembered, so that a repeat is answered and not sent again
STOP_S = 1.0

SPOOL_FULL = "the spool is full"  # the one refusal that is worth trying again


class Pending(Struct):
    """One line in the spool."""

    item: Submitted
    host: str | None  # whose scheduler gets it; None = every scheduler
    settled: set[int] = field(
        default_factory=set
    )  # shards where it is durable, or refused for good
    foreign: dict[int, str] = field(
        default_factory=dict
    )  # shards without its host, at that version
    leader: bool = False  # for the leading arbiter, and no scheduler
    hold_mono: float = 0.0  # a copy: sent only after that, its own receiver has been silent then


class Link:
    """What a receiver knows of one scheduler."""

    def __init__(self) -> None:
        """Nothing sent yet."""
        self.flying = False
        self.due_mono = 0.0
        self.asked: dict[str, float] = {}  # ids it was given and has not answered for: when, mono


class Receiver:
    """State: whom it obeys, lines on their way to the spool, lines in it."""

    tick_s = TICK_S

    def __init__(
        self,
        *,
        name: str,
        instance: str,
        pid: int,
        cluster: Cluster,
        durable: bytes = b"",
        spooled: Iterable[Submitted] = (),
        spool_max: int = SPOOL_MAX,
    ) -> None:
        """Start with what the spool held, oldest first."""
        self.name = name
        self.instance = instance
        self.spool_max = spool_max
        self.standing = Standing(name, "receiver", instance, pid)
        self.highest = Highest(durable)
        self.spool_trouble = ""
        self._second = SecondSpool(name, cluster)
        self._for_leader = LeaderLines()
        self._notes = LogNotes()
        self._holds: dict[str, float] = {}  # copies on their way to the disk: not sent before, mono
        self._problems: list[str] = []
        self._arriving: dict[str, tuple[Submitted, float]] = {}  # not on disk yet; since, mono
        self._writing: set[str] = set()  # of those: under way to the disk
        self._pending: dict[str, Pending] = {}
        self._finished: dict[str, None] = {}
        self._forget: list[str] = []  # to be struck from the spool
        self._links: dict[str, Link] = {}
        self._shards_at: dict[str, tuple[int, ...]] = {}
        self._versions: dict[int, str] = {}  # of the shards on the roster
        self._stop_by = 0.0
        self._counts = dict.fromkeys(
            ("commands_taken", "commands_done", "commands_refused", "commands_foreign",
             "commands_shed", "copies_taken", "copies_dropped"), 0
        )  # fmt: skip
        for item in spooled:
            self._enter(item)

    # -- the three entries

    def handle(self, message: Message, now: Now) -> Message | Wait:
        """Take lines from modules and operators; obey the newest arbiter. Raises Unexpected."""
        match message:
            case Submit():
                return self._submitted(message, now)
            case Roster():
                return self._enrol(message, now)
            case Shutdown():
                self._stop_by = self._stop_by or now.mono + STOP_S
                waits = bool(self._arriving) and now.mono < self._stop_by
                return Wait(self._stop_by) if waits else Done()
            case _:
                raise Unexpected(f"a receiver does not serve {type(message).__name__}")

    def tick(self, now: Now) -> list[Call]:
        """Return the beat, one write to the spool for all that came, and what is due to schedulers."""
        calls = self.standing.beat((), self.report(), now)
        calls += self._spool()
        calls += self._second.calls(now)
        self._problems = self._second.problems(now)
        calls += self._for_leader.calls(self.standing.roster, now)
        for scheduler in self._shards_at:
            calls += self._send(scheduler, now)
        return calls

    def answered(self, call: Call, answer: Message, now: Now) -> list[Call]:
        """Let lines go that are durable with a scheduler, send on what is on disk."""
        match call.message:
            case Spool() as spool:
                self._spooled(spool, answer)
                return [c for scheduler in self._shards_at for c in self._send(scheduler, now)]
            case Submit() if call.lane == "copy":
                self._second.answered(call, answer, now)
                return []
            case Submit() as sent:
                self._answered_for(call.to, sent, answer, now)
                return self._send(call.to, now)
            case Reread():
                self._leader_answered(answer, now)
                return []
            case _:
                self.standing.beaten(answer)
                return []

    @property
    def durable_serial(self) -> int:
        """Grows with every new highest epoch."""
        return self.highest.serial

    def durable(self) -> bytes:
        """The highest epochs seen. (The lines are the "spool" service's.)"""
        return self.highest.encode()

    def report(self) -> Report:
        """Return what this receiver says of itself."""
        roster = self.standing.roster
        figures = {name: float(count) for name, count in self._counts.items()}
        figures["spooled"] = len(self._pending)
        figures["commands_one_server"] = self._second.alone
        problems = [*([self.spool_trouble] if self.spool_trouble else ()), *self._problems]
        if len(self._pending) > self.spool_max // 2:
            problems.append(f"{len(self._pending)} commands wait for a scheduler to take them")
        return Report(
            active=any(self.name in placed.receivers for placed in self.standing.shards),
            epoch=self.standing.epoch,
            roster_n=roster.n if roster is not None else 0,
            config=roster.config if roster is not None else "",
            figures=figures,
            problems=tuple(problems),
        )

    # -- in

    def _submitted(self, asked: Submit, now: Now) -> Accepted | Wait:
        """Answer for the lines once they are on two disks, or after a while for those on one."""
        copies = self._second.is_copy(asked.sender)
        if copies:
            self._drop_copies(asked.finished)
        safe: list[str] = []
        refused: dict[str, str] = {}
        waits_until = 0.0
        for item in asked.items:
            if item.id in self._pending or item.id in self._finished:
                if self._second.safe(item.id, now):
                    safe.append(item.id)
                else:
                    waits_until = max(waits_until, now.mono + SPOOL_WAIT_S)
                continue
            if item.id not in self._arriving and (why := self._refusal(item)):
                refused[item.id] = why
                if why != SPOOL_FULL and not copies:
                    self._note_refused(item.line, why)
                continue
            if item.id not in self._arriving:
                self._arriving[item.id] = (item, now.mono)
                self._counts["copies_taken" if copies else "commands_taken"] += 1
                if copies:
                    self._holds[item.id] = now.mono + HOLD_S
                else:
                    self._second.offer(item, now)
            waits_until = max(waits_until, self._arriving[item.id][1] + SPOOL_WAIT_S)
        if now.mono < waits_until:
            return Wait(waits_until)
        self._counts["commands_refused"] += sum(why != SPOOL_FULL for why in refused.values())
        self._counts["commands_shed"] += sum(why == SPOOL_FULL for why in refused.values())
        return Accepted(tuple(safe), (), refused)

    def _refusal(self, item: Submitted) -> str:
        """Why a line cannot be taken, "" when it can."""
        command = parse(item.line)
        if isinstance(command, Refused):
            return command.why
        if of_pipe(command):
            return f"{command.name} is obeyed by the named pipe of a receiver, on its server: write it there"
        full = len(self._pending) + len(self._arriving) >= self.spool_max
        return SPOOL_FULL if full else ""

    def _note_refused(self, line: str, why: str) -> None:
        """Have it said in the monitoring log, where operators look for what they wrote into the pipe."""
        unknown = why.startswith(UNKNOWN)
        self._notes.add(lines.command_unknown(line) if unknown else lines.command_failed(line, why))

    def _leader_answered(self, answer: Message, now: Now) -> None:
        line_id, why = self._for_leader.answered(answer, now)
        pending = self._pending.get(line_id)
        if pending is None:
            return
        if why:
            log.warning("refused command line=%r why=%r", pending.item.line[:200], why)
            self._note_refused(pending.item.line, why)
        else:
            self._notes.add(lines.external_command(pending.item.line))
        self._finish(pending, "commands_refused" if why else "commands_done")

    def _drop_copies(self, finished: tuple[str, ...]) -> None:
        """Another receiver says that its scheduler has these."""
        for line_id in finished:
            pending = self._pending.get(line_id)
            if pending is not None and pending.hold_mono:
                self._finish(pending, "copies_dropped")

    def _enter(self, item: Submitted) -> None:
        """Have a line that is on disk sent to the schedulers."""
        command = parse(item.line)
        if isinstance(command, Refused):  # taken by a release that knew more commands than this one
            log.warning(
                "refused command id=%s line=%r why=%r", item.id, item.line[:200], command.why
            )
            self._forget.append(item.id)
            self._counts["commands_refused"] += 1
            return
        hold_mono = self._holds.pop(item.id, 0.0)
        leader = to_leader(command)
        if leader:
            self._for_leader.add(item.id, hold_mono)
        self._pending[item.id] = Pending(item, route(command), leader=leader, hold_mono=hold_mono)

    # -- the spool

    def _spool(self) -> list[Call]:
        if self._writing or not (self._arriving or self._forget):
            return []
        items = tuple(item for item, _ in self._arriving.values())
        self._writing = set(self._arriving)
        forget, self._forget = tuple(self._forget), []
        return [Call("spool", Spool(items, forget), timeout_s=10.0)]

    def _spooled(self, spool: Spool, answer: Message) -> None:
        self._writing = set()
        if not isinstance(answer, Done):
            self._forget += spool.forget
            why = answer.why if isinstance(answer, Failed) else type(answer).__name__
            if not self.spool_trouble:
                log.error("cannot write spool why=%r", why)
            self.spool_trouble = f"the spool cannot be written, no command is taken: {why}"
            return
        self.spool_trouble = ""
        for item in spool.items:
            self._arriving.pop(item.id, None)
            self._enter(item)

    # -- out

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
        self._second.enrol(self.standing)
        versions = {placed.id: placed.version for placed in self.standing.shards}
        if versions != self._versions:
            self._versions = versions
            for pending in list(self._pending.values()):
                self._review(pending)
        return Enrolled(self.name, self.instance, self.report())

    def _send(self, scheduler: str, now: Now) -> list[Call]:
        """Return the next batch for `scheduler`: lines it has not answered for, oldest first."""
        link = self._links.get(scheduler)
        if link is None or link.flying or now.mono < link.due_mono:
            return []
        shards = self._shards_at[scheduler]
        batch: list[Submitted] = []
        for pending in self._pending.values():
            if len(batch) >= BATCH:
                break
            if now.mono < pending.hold_mono or pending.leader:
                continue
            asked = link.asked.get(pending.item.id)
            if asked is None and len(link.asked) >= WINDOW:
                break
            if asked is not None and now.mono - asked < ASK_AGAIN_S:
                continue
            if all(self._has_answered(pending, shard) for shard in shards):
                continue
            link.asked[pending.item.id] = now.mono
            batch.append(pending.item)
        notes = self._notes.take(now)
        if not batch and not notes:
            return []
        link.flying = True
        message = Submit(self.name, tuple(batch), notes=notes)
        return [Call(scheduler, message, timeout_s=ANSWER_S, lane="submit")]

    def _has_answered(self, pending: Pending, shard: int) -> bool:
        known_foreign = pending.foreign.get(shard)
        return shard in pending.settled or known_foreign == self._versions.get(shard, "")

    def _answered_for(self, scheduler: str, sent: Submit, answer: Message, now: Now) -> None:
        items = sent.items
        link = self._links.get(scheduler) or Link()  # a new one is dropped: it is off the roster
        link.flying = False
        if sent.notes:
            self._notes.sent() if isinstance(answer, Accepted) else self._notes.failed()
        if not isinstance(answer, Accepted):
            link.due_mono = now.mono + RETRY_S
            return
        durable, foreign = frozenset(answer.durable), frozenset(answer.foreign)
        for item in items:
            pending = self._pending.get(item.id)
            if pending is None:
                link.asked.pop(item.id, None)
                continue
            if item.id in durable:
                pending.settled.update(answer.shards)
                self._done(pending, "commands_done")
            elif (why := answer.refused.get(item.id)) is not None:
                pending.settled.update(answer.shards)
                log.warning("refused command line=%r why=%r", item.line[:200], why)
                self._done(pending, "commands_refused")
            elif item.id in foreign:
                pending.foreign |= {s: self._versions.get(s, "") for s in answer.shards}
            else:
                continue  # being worked on; asked again
            link.asked.pop(item.id, None)
            self._review(pending)

    def _done(self, pending: Pending, figure: str) -> None:
        """One scheduler is done with a line; for a line about one host that is all."""
        if pending.host is not None:
            self._finish(pending, figure)

    def _review(self, pending: Pending) -> None:
        """Finish a line that every shard of the roster has answered for."""
        if pending.item.id not in self._pending or not self._versions or pending.leader:
            return
        if not all(self._has_answered(pending, shard) for shard in self._versions):
            return
        if pending.host is None and pending.settled:
            self._finish(pending, "commands_done")
            return
        self._drop(pending)

    def _drop(self, pending: Pending) -> None:
        """No shard has what the line is about."""
        line = pending.item.line
        command = parse(line)
        assert not isinstance(command, Refused)
        scope = COMMANDS[command.name].scope
        why = f"no such {'host' if pending.host is not None else scope}" if scope != "global" else "nothing has that number"
        log.warning("dropped command line=%r why=%r", line[:200], why)
        if command.name.endswith("_CHECK_RESULT"):
            description = command.args[1] if scope == "service" else ""
            self._notes.add(lines.passive_unknown(command.args[0], description))
        else:
            self._notes.add(lines.command_failed(line, why))
        self._finish(pending, "commands_foreign")

    def _finish(self, pending: Pending, figure: str) -> None:
        self._counts[figure] += 1
        del self._pending[pending.item.id]
        self._second.finished(pending.item.id)
        self._for_leader.drop(pending.item.id)
        for link in self._links.values():
            link.asked.pop(pending.item.id, None)
        self._forget.append(pending.item.id)
        self._finished[pending.item.id] = None
        while len(self._finished) > FINISHED_MAX:
            del self._finished[next(iter(self._finished))]
