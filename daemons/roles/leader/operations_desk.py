"""Where the leader takes operators' orders, carries them out phase by phase, and gives work back.

Composed into the arbiter: before each plan it adds its wishes (`guided`), after it it notes what moved
(`planned`). The one thing to know: what must outlive this leader (pause, wishes, blocks, failovers, the
last operations) is `State`, the document "operations"; everything else is known again within seconds.
"""

import logging
from typing import NamedTuple

from msgspec import DecodeError, Struct, msgpack
from msgspec.structs import replace

from daemons.ha.dispatch import Plan
from daemons.ha.failback import HOLD_S, Displaced, Facts, Policy, Verdict, displaced, judge_failback
from daemons.ha.operations import Order, add_wishes, move_off, what_if
from daemons.ha.placement import in_step
from daemons.ha.view import View, Wish, usable
from daemons.model.clock import Now
from daemons.model.cluster import Cluster, Epoch, epoch_n
from daemons.roles.leader.documents import Documents
from daemons.roles.role import Call
from daemons.wire.board import Pause
from daemons.wire.messages import NotMine, Report
from daemons.wire.operations import (
    Failover,
    HandLead,
    Move,
    Operate,
    Operation,
    OperationAsk,
    Operations,
    Pausing,
    Phase,
    Waiting,
)

log = logging.getLogger(__name__)

DOC = "operations"
PAUSE_S = 1.0  # between two orders to the voters while a pause runs
PREPARE_S = 60.0  # until who is to take a shard follows it
SETTLE_S = 6.0  # from the roster until who was named does the work; below the owner's GIVE_WAY_S
LEAD_PHASE = "tells who leads next"
HAND_LEAD_S = 0.7  # for the other arbiters to answer; then it is handed over all the same
KEPT_MAX = 20  # operations
FAILOVERS_MAX = 100
PAUSE_S_MAX = 30 * 86400.0


class State(Struct, frozen=True, array_like=True):
    """What every leader goes on with."""

    pause: Pausing | None = None
    pause_n: int = 0
    wishes: tuple[Wish, ...] = ()
    by_hand: tuple[str, ...] = ()  # what an operator moved off the preferred one: not given back by itself
    failovers: tuple[Failover, ...] = ()
    operations: tuple[Operation, ...] = ()


_decoder = msgpack.Decoder(State)


class Running:
    """An operation under way."""

    def __init__(self, operation: Operation, order: Order, now: Now) -> None:
        """Begin at `now`."""
        self.operation = operation
        self.order = order
        self.since = now.mono
        self.placed: dict[str, float] = {}  # by Move.what: on the roster since
        self.done: dict[str, float] = {}
        self.lead_asked: set[str] = set()
        self.lead_since: float | None = None

    def phase(self, name: str, now: Now, about: str = "", text: str = "") -> None:
        """Note one more step."""
        step = Phase(name, round(now.mono - self.since, 3), about, text)
        self.operation = replace(self.operation, phases=(*self.operation.phases, step))


class Ticked(NamedTuple):
    """What the arbiter has to do for the desk."""

    calls: list[Call]
    give_lead: bool = False  # step down now: another arbiter has been told to lead


class Desk:
    """One leader's desk."""

    def __init__(self, me: str, cluster: Cluster, documents: Documents) -> None:
        """Nothing is known before `lead`."""
        self.me = me
        self.cluster = cluster
        self.documents = documents
        self.epoch: Epoch = 0
        self.state = State()
        self.waiting: tuple[Waiting, ...] = ()
        self.alarms: tuple[str, ...] = ()
        self._view: View | None = None
        self._loaded = False
        self._running: Running | None = None
        self._fit: dict[tuple[str, str], float] = {}  # (what, preferred): fit since, mono
        self._copies: tuple[Wish, ...] = ()  # standbys to be, so that what is displaced can be given back
        self._pause_due = 0.0
        self._reports: dict[str, Report] = {}
        self._resumes: dict[str, float] = {}  # keepers that still have to hear that it is over, until mono

    # -- the leader's side

    def lead(self, epoch: Epoch) -> None:
        """Begin under `epoch`: the state is read again when the documents are ready."""
        self.epoch, self._loaded, self._running = epoch, False, None
        self._fit, self._copies, self._view, self._reports = {}, (), None, {}

    def guided(self, view: View, now: Now) -> View:
        """Return `view` with what operators and failback want, and frozen while a pause runs."""
        self._load(now)
        wishes = (*self._copies, *self.state.wishes)
        return replace(view, wishes=wishes, frozen=self.paused(now))

    def planned(self, view: View, fresh: Plan, now: Now) -> None:
        """Note what this plan moved off dead daemons, and where that leaves the operation under way."""
        dead = {s.define.name for s in view.daemons if s.health == "dead"}
        moved = _moved_off(view, fresh, dead)
        for move in moved:
            log.warning(
                "failover what=%s from=%s to=%s", move.what, move.source, move.target or "nobody"
            )
        if moved and self._loaded:
            failovers = [Failover(m.what, m.source, m.target, now.wall) for m in moved]
            off = {move.what for move in moved}  # what then happens to it is no operator's will
            by_hand = tuple(what for what in self.state.by_hand if what not in off)
            self._keep(
                failovers=(*self.state.failovers, *failovers)[-FAILOVERS_MAX:], by_hand=by_hand
            )
        spent = [w for w in self.state.wishes if w.to in dead or _is_placed(w, fresh)]
        if spent and self._loaded:
            self._keep(wishes=tuple(w for w in self.state.wishes if w not in spent))
        placed = view.placed if not fresh.shards else fresh.shards
        active = {m.name for m in fresh.members if m.active}
        daemons = tuple(replace(s, active=s.define.name in active) for s in view.daemons)
        self._view = replace(view, placed=placed, daemons=daemons)
        if self._running is not None:
            self._note_placed(self._running, now)

    def planned_moves(self) -> frozenset[int]:
        """Return the shards that are being handed over in order: their leases are not revoked meanwhile."""
        running = self._running
        if running is None or (self.state.pause is not None):
            return frozenset()
        forced = {w.what for w in running.order.wishes if w.force}
        return frozenset(
            int(m.what.partition("/")[2])
            for m in running.operation.moves
            if m.what.startswith("shard/") and m.what not in forced
        )

    @property
    def watched(self) -> frozenset[str]:
        """Return the daemons whose state should be asked for more often just now."""
        running = self._running
        if running is None:
            return frozenset()
        return frozenset(
            name for m in running.operation.moves for name in (m.source, m.target) if name
        )

    def paused(self, now: Now) -> bool:
        """Return whether a pause runs."""
        return self.state.pause is not None and now.wall < self.state.pause.until_wall

    def problems(self, now: Now) -> tuple[str, ...]:
        """Return sentences for every status page."""
        found = list(self.alarms)
        pause = self.state.pause
        if pause is not None and self.paused(now):
            left = _time(pause.until_wall - now.wall)
            found.append(
                f"paused by {pause.by} for {left} more ({pause.reason}): nothing is taken over;"
                " `shinken resume` ends it"
            )
        return tuple(found)

    def tick(self, now: Now) -> Ticked:
        """Drive what is under way; begin a failback that is due."""
        if not self._loaded or self._view is None:
            return Ticked([])
        calls = self._pausing(now)
        if self._running is not None:
            more, give = self._drive(self._running, now)
            return Ticked(calls + more, give)
        self._give_back(self._view, now)
        return Ticked(calls)

    def answered(self, call: Call) -> None:
        """An arbiter has heard who leads next, or has not: either way it has been asked."""
        if isinstance(call.message, HandLead) and self._running is not None:
            self._running.lead_asked.discard(call.to)

    # -- operators

    def operate(self, asked: Operate, now: Now) -> Operation | NotMine:
        """Carry out what is asked, or say what it would do. The same id is answered with what became of it.

        NotMine: ask again, what the leader before knew is not read yet.
        """
        known = self._known(asked.id)
        if known is not None:
            return known
        view = self._view
        if view is None or not self._loaded:
            return NotMine("the leader has just begun")
        match asked.act:
            case "pause":
                return self._pause(asked, now)
            case "resume":
                return self._resume(asked, now)
            case "plan":
                return self._plan(asked, view, now)
            case "failover" | "failback":
                return self._move(asked, view, now)
            case _:
                return _refused(asked, now, f"no such operation: {asked.act}")

    def asked(self, asked: OperationAsk, now: Now) -> Operations:
        """Return what is going on, or what became of one operation."""
        running = (self._running.operation,) if self._running is not None else ()
        ended = tuple(op for op in self.state.operations if not running or op.id != running[0].id)
        operations = tuple(op for op in (*ended, *running) if asked.id in ("", op.id))
        pause = self.state.pause if self.paused(now) else None
        left_s = pause.until_wall - now.wall if pause is not None else 0.0
        return Operations(
            self.me, self.epoch, pause, left_s, self.waiting, self.state.failovers, operations
        )

    def _known(self, id: str) -> Operation | None:
        if self._running is not None and self._running.operation.id == id:
            return self._running.operation
        return next((op for op in self.state.operations if op.id == id), None)

    def _pause(self, asked: Operate, now: Now) -> Operation:
        if not 0 < asked.for_s <= PAUSE_S_MAX:
            return _refused(asked, now, "a pause has an end: between a second and 30 days from now")
        if not asked.reason:
            return _refused(asked, now, "a pause needs a reason, for whoever finds it")
        text = f"paused for {_time(asked.for_s)}: nothing is taken over until then"
        if asked.dry_run:
            return _operation(asked, now, "planned", text)
        pause = Pausing(now.wall + asked.for_s, asked.actor, asked.reason)
        self._keep(pause=pause, pause_n=self.state.pause_n + 1)
        self._pause_due = 0.0
        self._resumes = {}
        log.warning(
            "paused for_s=%d by=%s reason=%r", asked.for_s, asked.actor, asked.reason
        )
        return self._ended(_operation(asked, now, "done", text))

    def _resume(self, asked: Operate, now: Now) -> Operation:
        if not self.paused(now):
            return _operation(asked, now, "done", "there is no pause")
        if asked.dry_run:
            return _operation(asked, now, "planned", "the pause would end now")
        self._over(now, f"by {asked.actor}")
        return self._ended(_operation(asked, now, "done", "the pause is over: what died meanwhile is taken over now"))

    def _plan(self, asked: Operate, view: View, now: Now) -> Operation:
        names = self._named(asked.name)
        if not names:
            return _refused(asked, now, f"no daemon and no server is called {asked.name}")
        after, moves = what_if(view, names)
        unsafe = tuple(after.problems)
        text = f"if {asked.name} died: {len(moves)} things would change their place"
        if not moves:
            text = f"if {asked.name} died: nothing would change its place"
        if self.paused(now):
            unsafe = (*unsafe, "paused: nothing would be taken over before the pause ends")
        return replace(_operation(asked, now, "planned", text), moves=moves, unsafe=unsafe)

    def _move(self, asked: Operate, view: View, now: Now) -> Operation:
        order = self._back(asked, view) if asked.act == "failback" else self._off(asked, view)
        if order.refused:
            return replace(_refused(asked, now, order.refused), unsafe=order.unsafe)
        if order.lead and self.paused(now):
            return _refused(asked, now, "while paused nobody else may lead: resume first")
        operation = replace(
            _operation(asked, now, "planned", _said(order.moves)),
            moves=order.moves,
            unsafe=order.unsafe,
        )
        if asked.dry_run:
            return operation
        if self._running is not None:
            return _refused(asked, now, f"operation {self._running.operation.id} is still running")
        if asked.act == "failback":  # who was relieved comes back by itself
            masters = {m.target for m in order.moves}
            self._keep(wishes=tuple(w for w in self.state.wishes if w.what not in masters))
        self._begin(replace(operation, state="running"), order, now)
        back = {m.what for m in order.moves} | {m.target for m in order.moves}
        by_hand = {what for what in self.state.by_hand if what not in back}
        if asked.act == "failover":
            spares = {d.name for d in self.cluster.daemons if d.spare}
            by_hand |= {m.what for m in order.moves if m.target in spares}
        self._keep(by_hand=tuple(sorted(by_hand)))
        return operation if self._running is None else self._running.operation

    def _off(self, asked: Operate, view: View) -> Order:
        names = self._named(asked.name)
        if not names:
            return Order(refused=f"no daemon and no server is called {asked.name}")
        if asked.to and self.cluster.daemon(asked.to) is None:
            return Order(refused=f"no daemon is called {asked.to}")
        if asked.to in names:
            return Order(refused=f"{asked.to} is what is to be relieved")
        return move_off(view, names, asked.to, asked.force)

    def _back(self, asked: Operate, view: View) -> Order:
        """Everything, or what `name` is preferred for, to its preferred ones."""
        names = set(self._named(asked.name)) if asked.name else set()
        if asked.name and not names:
            return Order(refused=f"no daemon and no server is called {asked.name}")
        wishes, moves, lead = [], [], ""
        health = {s.define.name: s for s in view.daemons}
        for one in displaced(view):
            if names and not names & {one.preferred, one.now_at}:
                continue
            if not usable(health[one.preferred]):
                return Order(refused=f"{one.preferred} is {health[one.preferred].health}")
            moves.append(Move(one.what, one.role, one.now_at, one.preferred))
            if one.role == "arbiter":
                lead = one.preferred
            else:
                wishes.append(Wish(one.what, one.preferred))
        for wish in self.state.wishes:  # pollers and reactionners that an operator relieved
            if "/" not in wish.what and (not names or wish.what in names):
                role = health[wish.what].define.role if wish.what in health else ""
                moves.append(Move(wish.what, role, wish.to, wish.what))
        if not moves:
            return Order(refused="nothing to give back: everything is where it is preferred")
        return Order(tuple(wishes), tuple(moves), lead)

    def _named(self, name: str) -> tuple[str, ...]:
        """The daemons that a daemon's or a server's name means."""
        if self.cluster.daemon(name) is not None:
            return (name,)
        server = next((s for s in self.cluster.servers if name in (s.name, s.address)), None)
        return tuple(d.name for d in self.cluster.on(server.address)) if server is not None else ()

    # -- an operation under way

    def _begin(self, operation: Operation, order: Order, now: Now) -> None:
        log.warning(
            "operation=%s %s %s by=%s reason=%r: %s", operation.id, operation.act, operation.name,
            operation.actor, operation.reason, operation.text,
        )  # fmt: skip
        self._running = Running(operation, order, now)
        self._running.phase("ordered", now)
        if order.wishes:
            self._keep(wishes=add_wishes(self.state.wishes, order.wishes))
        self._store(self._running.operation)  # the next leader answers for it: who typed it waits

    def _note_placed(self, running: Running, now: Now) -> None:
        assert self._view is not None
        owners = {f"shard/{p.id}": p.scheduler for p in self._view.placed}
        active = {s.define.name for s in self._view.daemons if s.active}
        for move in running.operation.moves:
            if move.what in running.placed or move.what == "arbiter":
                continue
            there = owners.get(move.what) == move.target
            if move.role != "scheduler":
                there = move.source not in active or move.target in active
            if there:
                running.placed[move.what] = now.mono
                running.phase("on the roster", now, move.what)

    def _drive(self, running: Running, now: Now) -> tuple[list[Call], bool]:
        view = self._view
        assert view is not None
        seen = {s.define.name: s for s in view.daemons}
        for move in running.operation.moves:
            if move.what in running.done or move.what not in running.placed:
                continue
            if move.role == "scheduler":
                shard = int(move.what.partition("/")[2])
                held = seen[move.target].holds if move.target in seen else ()
                if any(h.id == shard and h.epoch and h.phase == "active" for h in held):
                    self._done(running, move, now)
            elif self._works(move):
                self._done(running, move, now)
        open_moves = [m for m in running.operation.moves if m.what not in running.done]
        if [m for m in open_moves if m.what != "arbiter"]:
            if why := self._too_late(running, open_moves, now):
                self._abort(running, open_moves, why, now)
            return [], False
        if running.order.lead:
            return self._drive_lead(running, now)
        self._finish(running, "done", running.operation.text, now)
        return [], False

    def _too_late(self, running: Running, open_moves: list[Move], now: Now) -> str:
        for move in open_moves:
            placed = running.placed.get(move.what)
            if placed is not None and now.mono - placed > SETTLE_S:
                return f"{move.target} did not take {move.what} within {SETTLE_S:g} s"
            if placed is None and now.mono - running.since > PREPARE_S:
                return f"{move.target} was not ready for {move.what} within {PREPARE_S:g} s"
            assert self._view is not None
            target = next((s for s in self._view.daemons if s.define.name == move.target), None)
            if target is not None and target.health == "dead":
                return f"{move.target} died"
        return ""

    def _abort(self, running: Running, open_moves: list[Move], why: str, now: Now) -> None:
        """Leave the rest where it is: who still has it goes on."""
        back = [
            Wish(m.what, m.source, force=True)
            for m in open_moves
            if m.role == "scheduler" and m.what in running.placed
        ]
        gone = {m.what for m in open_moves}
        kept = tuple(w for w in self.state.wishes if w.what not in gone)
        self._keep(wishes=add_wishes(kept, back))
        self._finish(running, "aborted", f"aborted: {why}", now)

    def _drive_lead(self, running: Running, now: Now) -> tuple[list[Call], bool]:
        others = [d.name for d in self.cluster.daemons if d.role == "arbiter" and d.name != self.me]
        if running.lead_since is None:
            running.lead_since = now.mono
            running.lead_asked = set(others)
            running.phase(LEAD_PHASE, now, "arbiter")
            self._store(running.operation)  # who leads next says how it ended
            hand = HandLead(self.epoch, running.order.lead)
            return [Call(name, hand, timeout_s=HAND_LEAD_S, lane="lead") for name in others], False
        ready = not running.lead_asked and self.documents.committed(DOC)
        if ready or now.mono - running.lead_since > HAND_LEAD_S:
            log.warning("gives the lead to=%s operation=%s", running.order.lead, running.operation.id)
            self._running = None
            return [], True
        return [], False

    def _done(self, running: Running, move: Move, now: Now) -> None:
        running.done[move.what] = now.mono
        running.phase("active", now, move.what, f"at {move.target}")

    def _works(self, move: Move) -> bool:
        """Whether who takes over says that it serves; of several who share the load, nobody is awaited."""
        report = self._reports.get(move.target)
        return report.active if report is not None else True

    def reported(self, name: str, report: Report) -> None:
        """Take what a daemon says of itself, and the durations of a hand-over from who was handed to."""
        self._reports[name] = report
        running, figures = self._running, report.figures
        if running is None or not any(m.target == name and m.role == "scheduler" for m in running.operation.moves):
            return
        found = {k: v for k, v in figures.items() if k.startswith("handover_")}
        if found:
            running.operation = replace(running.operation, figures=running.operation.figures | found)

    def _finish(self, running: Running, state: str, text: str, now: Now) -> None:
        took_s = round(now.mono - running.since, 3)
        self._running = None
        operation = replace(running.operation, state=state, text=text, took_s=took_s)
        level = logging.WARNING if state == "aborted" else logging.INFO
        log.log(level, "operation=%s %s took_s=%.2f %s", operation.id, state, took_s, text)
        self._ended(operation)

    def _ended(self, operation: Operation) -> Operation:
        self._store(operation)
        return operation

    # -- failback

    def _give_back(self, view: View, now: Now) -> None:
        waiting, alarms, due = [], [], []
        copies = []
        fit: dict[tuple[str, str], float] = {}
        for one in displaced(view):
            verdict = self._verdict(view, one, fit, now)
            wait_s = verdict.wait_s if verdict.act == "wait" else -1.0
            waiting.append(Waiting(one.what, one.now_at, one.preferred, round(wait_s, 1), verdict.why))
            if verdict.alarm:
                alarms.append(verdict.alarm)
            if verdict.act == "move":
                due.append(one)
            if one.role == "scheduler" and verdict.act != "stay":
                copies.append(Wish(f"copy/{one.what.partition('/')[2]}", one.preferred))
        self._fit, self.waiting, self._copies = fit, tuple(waiting), tuple(copies)
        for alarm in alarms:
            if alarm not in self.alarms:
                log.error("%s", alarm)
        self.alarms = tuple(alarms)
        due.sort(key=lambda one: one.role == "arbiter")  # the lead last: the next leader would have to go on
        if due:
            one = due[0]
            move = Move(one.what, one.role, one.now_at, one.preferred)
            wishes = () if one.role == "arbiter" else (Wish(one.what, one.preferred),)
            lead = one.preferred if one.role == "arbiter" else ""
            why = f"failback: {one.preferred} has been well"
            operation = Operation(
                f"failback-{epoch_n(self.epoch)}-{int(now.wall)}", "failback", one.preferred, "running",
                _said((move,)), "shinken", why, now.wall, moves=(move,),
            )  # fmt: skip
            self._fit.pop((one.what, one.preferred), None)
            self._begin(operation, Order(wishes, (move,), lead), now)

    def _verdict(
        self, view: View, one: Displaced, fit: dict[tuple[str, str], float], now: Now
    ) -> Verdict:
        key = (one.what, one.preferred)
        if self._is_fit(view, one):
            fit[key] = self._fit.get(key, now.mono)
        ago = tuple(
            now.wall - f.wall
            for f in self.state.failovers
            if f.source == one.preferred and (f.what == one.what or not one.what.startswith("shard/"))
        )
        remembered = one.what if "/" in one.what or one.what == "arbiter" else one.preferred
        facts = Facts(
            now.mono - fit[key] if key in fit else -1.0,
            ago,
            self._policy(one.preferred),
            self._hold_s(),
            remembered in self.state.by_hand,
            self.paused(now),
        )
        return judge_failback(one, facts)

    def _is_fit(self, view: View, one: Displaced) -> bool:
        seen = {s.define.name: s for s in view.daemons}
        preferred = seen.get(one.preferred)
        if preferred is None or not usable(preferred):
            return False
        if one.role != "scheduler":
            return True
        shard = next((s for s in view.shards if f"shard/{s.id}" == one.what), None)
        return shard is not None and in_step(shard, seen.get(one.now_at), preferred)

    def _policy(self, name: str) -> Policy:
        """The daemon's own `failback`, else the main file's."""
        define = self.cluster.daemon(name)
        own = define.options.get("failback", "") if define is not None else ""
        said = own or self.cluster.settings.get("failback", "")
        return said if said in ("manual", "never") else "hold_down"  # type: ignore[return-value]  # mypy does not narrow by `in`

    def _hold_s(self) -> float:
        try:
            return max(0.0, float(self.cluster.settings.get("failback_hold", HOLD_S)))
        except ValueError:
            return HOLD_S

    # -- pause

    def _pausing(self, now: Now) -> list[Call]:
        pause = self.state.pause
        if pause is None:
            return self._tell_over(now)
        if now.wall >= pause.until_wall:
            self._over(now, "its time is up")
            return self._tell_over(now)
        if now.mono < self._pause_due:
            return []
        self._pause_due = now.mono + PAUSE_S
        order = Pause(
            self.epoch, self.state.pause_n, pause.until_wall - now.wall, pause.by, pause.reason
        )
        return self._to_keepers(order)

    def _over(self, now: Now, why: str) -> None:
        log.warning("pause is over: %s", why)
        self._keep(pause=None, pause_n=self.state.pause_n + 1)
        self._resumes = {s.name: now.mono + 10.0 for s in self.cluster.servers}
        self._pause_due = 0.0

    def _tell_over(self, now: Now) -> list[Call]:
        """That it is over is repeated for a while; a voter that hears nothing counts to its end itself."""
        if not self._resumes or now.mono < self._pause_due:
            return []
        self._pause_due = now.mono + PAUSE_S
        self._resumes = {s: until for s, until in self._resumes.items() if now.mono < until}
        return self._to_keepers(Pause(self.epoch, self.state.pause_n, 0.0))

    def _to_keepers(self, order: Pause) -> list[Call]:
        return [
            Call(f"keeper@{s.name}", order, timeout_s=1.0, lane="pause")
            for s in self.cluster.servers
        ]

    # -- what outlives this leader

    def _load(self, now: Now) -> None:
        if self._loaded or not self.documents.ready:
            return
        data = self.documents.content(DOC)
        self.state = State()
        if data is not None:
            try:
                self.state = _decoder.decode(data)
            except DecodeError:
                log.error("the document %s cannot be read: pause and wishes are forgotten", DOC)
        self._loaded = True
        for operation in self.state.operations:
            if operation.state == "running":
                self._inherit(operation, now)

    def _inherit(self, operation: Operation, now: Now) -> None:
        """An operation that the leader before began: it was to hand over to us, or it died in between.

        Its wishes are ours already, so what has not moved yet moves: it goes on, and ends here.
        """
        lead = next((m.target for m in operation.moves if m.what == "arbiter"), "")
        took_s = round(max(0.0, now.wall - operation.wall), 3)
        who = f"{self.me}, epoch {epoch_n(self.epoch)}"
        handed = any(p.name == LEAD_PHASE for p in operation.phases)
        if handed and lead == self.me:
            step = Phase("leads", took_s, "arbiter", who)
            ended = replace(
                operation, state="done", took_s=took_s, phases=(*operation.phases, step)
            )
        elif handed:
            text = f"aborted: the leader changed, {self.me} leads now"
            ended = replace(operation, state="aborted", text=text, took_s=took_s)
        else:
            wishes = tuple(w for w in self.state.wishes if w.what in {m.what for m in operation.moves})
            step = Phase("goes on under", took_s, "arbiter", who)
            self._running = Running(
                replace(operation, phases=(*operation.phases, step)), Order(wishes, operation.moves, "" if lead == self.me else lead), now
            )
            log.warning("operation=%s %s goes on under arbiter=%s", operation.id, operation.act, self.me)
            return
        log.info("operation=%s %s took_s=%.2f", ended.id, ended.state, took_s)
        self._store(ended)

    def _store(self, operation: Operation) -> None:
        others = [op for op in self.state.operations if op.id != operation.id]
        self._keep(operations=(*others, operation)[-KEPT_MAX:])

    def _keep(self, **changed: object) -> None:
        self.state = replace(self.state, **changed)
        if self.documents.ready:
            self.documents.put(DOC, msgpack.encode(self.state))


def _operation(asked: Operate, now: Now, state: str, text: str) -> Operation:
    return Operation(
        asked.id, asked.act, asked.name, state, text, asked.actor, asked.reason, now.wall
    )


def _refused(asked: Operate, now: Now, why: str) -> Operation:
    return _operation(asked, now, "refused", why)


def _said(moves: tuple[Move, ...]) -> str:
    return ", ".join(f"{m.what}: {m.source} -> {m.target or 'nobody'}" for m in moves)


def _is_placed(wish: Wish, fresh: Plan) -> bool:
    """A shard stays where it was placed without a wish; a relieved daemon comes back without one."""
    if not wish.what.startswith("shard/"):
        active = {m.name for m in fresh.members if m.active}
        single = next((m.role in ("broker", "receiver") for m in fresh.members if m.name == wish.what), False)
        return single and wish.to in active and wish.what not in active
    return any(f"shard/{p.id}" == wish.what and p.scheduler == wish.to for p in fresh.shards)


def _moved_off(view: View, fresh: Plan, dead: set[str]) -> list[Move]:
    """What this plan took off the dead."""
    moves = []
    was = {p.id: p for p in view.placed}
    for placed in fresh.shards:
        old = was.get(placed.id)
        if old is not None and old.scheduler in dead and old.scheduler != placed.scheduler:
            what = f"shard/{placed.id}"
            moves.append(Move(what, "scheduler", old.scheduler, placed.scheduler))
    active = {m.name: m for m in fresh.members if m.active}
    for seen in view.daemons:
        name, role = seen.define.name, seen.define.role
        if seen.active and name in dead and name not in active and role not in ("arbiter", "scheduler"):
            fresh_ones = sorted(
                n for n, m in active.items() if m.role == role and not _was_active(view, n)
            )
            moves.append(Move(name, role, name, ", ".join(fresh_ones)))
    return moves


def _was_active(view: View, name: str) -> bool:
    return any(s.active and s.define.name == name for s in view.daemons)


def _time(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 120:
        return f"{max(0.0, seconds):.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
