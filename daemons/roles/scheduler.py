"""The scheduler: owns shards, decides when to check and what results mean.

The one thing to know: nothing is done for a shard without its lease, asked again at each entry; who runs
it is the roster's business (seat by seat, shard/seat.py), how it is run is `OwnedShard`'s (shard/owned.py).
"""

from collections.abc import Callable

from daemons.model.clock import Now
from daemons.model.cluster import Cluster
from daemons.model.objects import Key
from daemons.model.status import Status
from daemons.roles.highest import Highest
from daemons.roles.inbox import Inbox
from daemons.roles.patience import Patience
from daemons.roles.role import Call, Unexpected, Wait
from daemons.roles.shard.borrowing import Borrowing
from daemons.roles.shard.handing import TICK_S as SWITCHING_TICK_S
from daemons.roles.shard.moving import Parted
from daemons.roles.shard.owned import OwnedShard
from daemons.roles.shard.seat import ShardSeat
from daemons.roles.shard.store_sink import Store
from daemons.roles.shard.stores_watch import StoresWatch
from daemons.roles.standing import Standing
from daemons.wire.claims import ClaimsAsk
from daemons.wire.messages import (
    Accepted,
    Action,
    Actions,
    Beat,
    Broks,
    Chunk,
    Copied,
    Done,
    Enrolled,
    Exchange,
    Fence,
    Fenced,
    Fetch,
    Lent,
    Load,
    Message,
    NotMine,
    Placed,
    Replicate,
    Report,
    Roster,
    Save,
    ShardEpoch,
    Shutdown,
    Submit,
    TakeActions,
    TakeBroks,
    Want,
)
from daemons.wire.moves import DropMoved, Moved, TakeMoved
from daemons.wire.operations import HandOver
from daemons.wire.stores import Probe, StoresAsk

TICK_S = 0.05
MAKING_TICK_S = 0.002  # while objects are made, slice by slice: others get their turn in between
SUBMIT_S = 0.8  # a receiver waits so long for its commands to become durable, then asks again
SHUTDOWN_S = 2.0


class Scheduler:
    """A role: its seats, one for each shard that it runs or stands by for."""

    def __init__(
        self,
        *,
        name: str,
        instance: str,
        pid: int,
        cluster: Cluster,
        tokens: Callable[[], str],
        stores: tuple[Store, ...] = (Store(),),
        durable: bytes = b"",
        without: frozenset[str] = frozenset(),
    ) -> None:
        """Start with nothing. `tokens` gives a random text that was never given before.

        `without` switches protections off by name, for tests and the drill's self-test only:
        "fencing", "result-fencing", "write-ahead", "retention", "notification-ids", "moving".
        """
        self.name = name
        self.tick_s = TICK_S
        self.instance = instance
        self.cluster = cluster
        fenced = "fencing" not in without
        self.standing = Standing(name, "scheduler", instance, pid, fenced=fenced)
        self.highest = Highest(durable, fenced=fenced)
        self.seats: dict[int, ShardSeat] = {}
        self._tokens = tokens
        self._stores = stores
        self._stores_seen = StoresWatch()
        self._without = without
        self._borrowing = Borrowing(instance)
        self._patience = Patience()
        self._inbox = Inbox()
        self._parted = Parted()
        self._shutdown_mono: float | None = None

    # -- the three entries

    def handle(self, message: Message, now: Now) -> Message | Wait:
        """Answer arbiter, satellites and other schedulers. Raises Unexpected."""
        match message:
            case Exchange():
                return self._exchange(message, now)
            case TakeActions():
                return self._actions(message, now)
            case TakeBroks():
                return self._broks(message, now)
            case Submit():
                return self._submit(message, now)
            case Replicate():
                return self._replicate(message, now)
            case HandOver():
                return self._handed(message, now)
            case TakeMoved() | DropMoved():
                return self._give_moved(message, now)
            case Roster():
                return self._enrol(message, now)
            case Shutdown():
                return self._shutdown(now)
            case _:
                raise Unexpected(f"a scheduler does not serve {type(message).__name__}")

    def tick(self, now: Now) -> list[Call]:
        """Return the beat, and what is due for each shard."""
        calls: list[Call] = self._stores_seen.tick(now) if self._stores else []
        for seat in self.seats.values():
            for call in seat.tick(self.standing, now):
                if call.to == self.name and isinstance(call.message, (TakeMoved, DropMoved)):
                    seat.answered(call, self._give_moved(call.message, now), self.standing, now)
                else:
                    calls.append(call)
            if seat.coming.handed is not None and seat.owned is None:
                self.standing.hurry()  # the lease is free, or is about to be
        self._inbox.tick(self._owned(now), now)
        calls += self.standing.beat(self._wants(now), self.report(now), now)
        self._pace()
        self._borrowing.tick(self._owned(now), self._pollers(), now)
        return calls

    def answered(self, call: Call, answer: Message, now: Now) -> list[Call]:
        """Take the outcome of a call."""
        message = call.message
        if isinstance(message, Beat):
            self.standing.beaten(answer)
            return []
        if isinstance(message, StoresAsk):
            self._stores_seen.answered(answer)
            return []
        shard = (
            int(call.lane.rpartition("/")[2]) if isinstance(message, Submit) else _shard_of(message)
        )
        seat = self.seats.get(shard)
        return seat.answered(call, answer, self.standing, now) if seat is not None else []

    @property
    def durable_serial(self) -> int:
        """Grows with every new highest epoch."""
        return self.highest.serial

    def durable(self) -> bytes:
        """The highest epochs seen. (Shards are kept by retention and the standby.)"""
        return self.highest.encode()

    def report(self, now: Now) -> Report:
        """Return what this scheduler says of itself."""
        roster = self.standing.roster
        owned = self._owned(now)
        figures: dict[str, float] = {}
        problems = [seat.bodies.trouble for seat in self.seats.values() if seat.bodies.trouble]
        for seat in self.seats.values():
            figures |= seat.figures
        for shard in owned:
            for key, value in shard.figures().items():
                figures[key] = figures.get(key, 0.0) + value
            problems += shard.problems()
        return Report(
            active=bool(owned),
            epoch=self.standing.epoch,
            roster_n=roster.n if roster is not None else 0,
            shards=tuple(seat.held for seat in self.seats.values()),
            config=roster.config if roster is not None else "",
            figures=figures,
            problems=tuple(problems),
            stores=self._stores_seen.stores,
            why=next((seat.why for seat in self.seats.values() if seat.why), ""),
        )

    def statuses(self, shard: int) -> dict[Key, Status]:
        """Return the statuses of a shard by key, {} while it is not active here. For looking only."""
        seat = self.seats.get(shard)
        if seat is None or seat.owned is None:
            return {}
        return {key: item.status for key, item in seat.owned.state.items.items()}

    # -- the roster

    def _enrol(self, roster: Roster, now: Now) -> Enrolled | Fenced:
        if not self.highest.admits("arbiter", roster.epoch):
            return Fenced("arbiter", self.highest.of("arbiter"))
        answer = self.standing.enrol(roster, self.report(now), now)
        if isinstance(answer, Fenced) or self.standing.roster is not roster:
            return answer
        placed = {p.id: p for p in roster.shards if self.name in (p.scheduler, p.standby)}
        for shard in sorted(placed.keys() - self.seats.keys()):
            keepers = tuple(f"keeper@{server.name}" for server in self.cluster.servers)
            self.seats[shard] = ShardSeat(
                shard, self.name, self._tokens, self._without, self._borrowing, keepers,
                self._stores, self._place_of,
            )
        for shard, seat in list(self.seats.items()):
            seat.place(placed.get(shard), roster, now)
            if shard not in placed and seat.owned is None and _served(shard, roster):
                if all(p.id != shard for p in roster.shards):
                    self._parted.keep(shard, seat.copy.records, roster.config_n, now)
                del self.seats[shard]  # else its copy may be the newest there is
        self._pace()
        return answer

    def _wants(self, now: Now) -> tuple[Want, ...]:
        wants = (seat.want(now) for seat in self.seats.values())
        return tuple(want for want in wants if want is not None)

    def _owned(self, now: Now) -> list[OwnedShard]:
        """Return the shards that may be acted for now."""
        return [
            seat.owned
            for seat in self.seats.values()
            if seat.owned is not None
            and not seat.owned.sealed
            and self.standing.holds(seat.lease, now) == seat.owned.epoch
        ]

    def _pollers(self) -> frozenset[str]:
        return frozenset(p for placed in self.standing.shards for p in placed.pollers)

    def _place_of(self, scheduler: str) -> str:
        define = self.cluster.daemon(scheduler)
        return define.address if define is not None else scheduler

    def _shutdown(self, now: Now) -> Done | Wait:
        if self._shutdown_mono is None:
            self._shutdown_mono = now.mono + SHUTDOWN_S
            for seat in self.seats.values():
                seat.drain(now, "the scheduler was stopped")
        released = not self.standing.leases and all(s.owned is None for s in self.seats.values())
        if now.mono < self._shutdown_mono and not released:
            return Wait(self._shutdown_mono)
        return Done()

    # -- satellites

    def _handed(self, said: HandOver, now: Now) -> Message:
        seat = self.seats.get(said.shard)
        if seat is None:
            return NotMine(f"{self.name} does not stand by for shard {said.shard}")
        answer = seat.handed(said, now)
        self._pace()
        return answer

    def _pace(self) -> None:
        """Tick as fast as what is going on deserves."""
        making = any(seat.making for seat in self.seats.values())
        switching = any(seat.switching for seat in self.seats.values())
        self.tick_s = MAKING_TICK_S if making else SWITCHING_TICK_S if switching else TICK_S

    def _exchange(self, asked: Exchange, now: Now) -> Lent | NotMine | Wait:
        owned = self._owned(now)
        if not owned:
            _, until = self._patience.since(f"early {asked.poller}", asked, asked.wait_s, now)
            expected = any(seat.coming.expects(now) for seat in self.seats.values())
            if expected and now.mono < until:
                return Wait(until)  # the shard is about to be here
            self._patience.done(f"early {asked.poller}")
            return NotMine(f"{self.name} owns no shard")
        return self._borrowing.exchange(asked, owned, now)

    def _actions(self, asked: TakeActions, now: Now) -> Actions | NotMine | Wait:
        owned = self._owned(now)
        if not owned:
            return NotMine(f"{self.name} owns no shard")
        key = f"actions {asked.reactionner}"
        first, until = self._patience.since(key, asked, asked.wait_s, now)
        if first:
            for shard in owned:
                shard.outbox.take(asked, now)
                shard.side.take(asked.snapshots, now)
        held_back = self.standing.holding_back(now)
        givers = [shard for shard in owned if _serves(shard, asked.reactionner) and not held_back]
        settled = [action_id for shard in owned for action_id in shard.outbox.settled(asked)]
        actions: list[Action] = []
        for shard in givers:
            actions += shard.outbox.give(asked, asked.want - len(actions), now)
        sides: list[Chunk] = []
        for shard in givers:
            sides += shard.side.give(asked.tags, asked.side_want - sum(c.count for c in sides))
        if not actions and not settled and not sides and now.mono < until:
            return Wait(until)
        self._patience.done(key)
        left = [self.standing.left_s(shard.state.lease, now) for shard in owned]
        return Actions(
            tuple(ShardEpoch(shard.state.id, shard.epoch) for shard in owned),
            tuple(actions),
            tuple(settled),
            max(0.0, min(left)),
            tuple(sides),
        )

    def _broks(self, asked: TakeBroks, now: Now) -> Broks | NotMine | Wait:
        shard = next((s for s in self._owned(now) if s.state.id == asked.shard), None)
        if shard is None:
            return NotMine(f"{self.name} does not own shard {asked.shard}")
        key = f"broks {asked.broker} {asked.shard}"
        first, until = self._patience.since(key, asked, asked.wait_s, now)
        brokers = shard.placed.brokers if shard.placed is not None else ()
        if first:
            shard.broks.note(asked, brokers, now)
        if shard.broks.awaits(asked, brokers, now) and now.mono < until:
            return Wait(until)
        answer = None if asked.leaving else shard.broks.answer(asked, now)
        if answer is None and now.mono < until and not asked.leaving:
            return Wait(until)
        self._patience.done(key)
        return answer if answer is not None else shard.broks.nothing(asked)

    def _submit(self, asked: Submit, now: Now) -> Accepted | NotMine | Wait:
        owned = self._owned(now)
        if not owned:
            return NotMine(f"{self.name} owns no shard")
        key = f"submit {asked.sender} {asked.items[0].id if asked.items else 0}"
        first, until = self._patience.since(key, asked, SUBMIT_S, now)
        if first:
            sender = self.cluster.daemon(asked.sender)
            again = sender is not None and sender.role == "scheduler"  # the losing side of a split
            for note in asked.notes:
                owned[0].journal.log(" ".join(note.splitlines()), now)
            self._inbox.add(asked.items, obeyed_before=again)
        self._inbox.obey(owned, now)
        answer, complete = _accepted(asked, owned)
        if not complete and now.mono < until:
            return Wait(until)
        self._patience.done(key)
        return answer

    def _give_moved(self, asked: TakeMoved | DropMoved, now: Now) -> Moved | Done | NotMine:
        owned = next((shard for shard in self._owned(now) if shard.state.id == asked.of), None)
        if owned is None:
            roster, given = self.standing.roster, None
            if isinstance(asked, TakeMoved) and asked.of not in self.seats and roster is not None:
                given = self._parted.give(asked, roster.config_n, now)
            return given or NotMine(f"{self.name} does not own shard {asked.of}")
        if isinstance(asked, DropMoved):
            owned.drop_moved(asked)
            return Done()
        return self.seats[asked.of].give_moved(asked)

    def _replicate(self, sent: Replicate, now: Now) -> Copied | Fenced | NotMine:
        seat = self.seats.get(sent.shard)
        if seat is None:
            return NotMine(f"{self.name} does not stand by for shard {sent.shard}")
        return seat.replicate(sent, now)


def _shard_of(message: Message) -> int:
    """Return the shard that one of our own calls was about."""
    if isinstance(message, (Fetch, Fence, ClaimsAsk, Load, Save, Probe, Replicate, TakeMoved, DropMoved)):
        return message.shard
    return -1


def _served(shard: int, roster: Roster) -> bool:
    """Return whether others run and keep the shard, or nobody wants it any more."""
    placed = next((p for p in roster.shards if p.id == shard), None)
    return placed is None or bool(placed.scheduler and placed.standby)


def _serves(shard: OwnedShard, reactionner: str) -> bool:
    placed: Placed | None = shard.placed
    return placed is not None and reactionner in placed.reactionners and not shard.draining


def _accepted(asked: Submit, owned: list[OwnedShard]) -> tuple[Accepted, bool]:
    """Return the answer as far as it is known, and whether nothing is missing."""
    durable, foreign = [], []
    refused: dict[str, str] = {}
    working = False
    for item in asked.items:
        outcomes = [shard.commands.outcome(item.id) for shard in owned]
        why = next((o.refused for o in outcomes if o.refused), "")
        if why:
            refused[item.id] = why
        elif all(o.foreign for o in outcomes):
            foreign.append(item.id)
        elif all(o.foreign or o.durable for o in outcomes):
            durable.append(item.id)
        else:
            working = True
    shards = tuple(shard.state.id for shard in owned)
    return Accepted(tuple(durable), tuple(foreign), refused, shards), not working
