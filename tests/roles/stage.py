"""A scheduler on a stage: virtual time, and everybody it talks to played by a few lines.

Calls are carried out at once unless their target is in `mute`; a call to another scheduler on the stage
is handed to it.
"""

from collections.abc import Iterable
from itertools import count

import msgspec

from daemons.model.check import Order, Result
from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import Cluster
from daemons.model.objects import (
    Command,
    Contact,
    Globals,
    Host,
    Service,
    ShardBody,
    Traits,
    Way,
)
from daemons.model.status import Status
from daemons.roles.role import Call, Wait
from daemons.roles.scheduler import Scheduler
from daemons.wire import codec
from daemons.wire.messages import (
    Actions,
    Batch,
    Beat,
    Claimed,
    ClaimedAction,
    Done,
    Exchange,
    Failed,
    Fence,
    Fenced,
    Fetch,
    Lease,
    Leases,
    Lent,
    Load,
    Member,
    Message,
    NotMine,
    Page,
    Placed,
    Ran,
    Restored,
    Roster,
    Save,
    Saved,
    TakeActions,
)
from daemons.wire.stores import Probe, StoresAsk, StoresSeen

WALL = 1_800_000_000.0
CLUSTER = Cluster(name="test", daemons=(), servers=())
_orders = msgspec.msgpack.Decoder(list[Order]).decode
_status = msgspec.msgpack.Decoder(Status).decode


def body(**more: object) -> ShardBody:
    """A host with one service, one contact, everything quick."""
    quick = Traits(
        check_command="check!web",
        check_interval_s=10.0,
        retry_interval_s=2.0,
        max_check_attempts=2,
        contacts=("ann",),
        notification_interval_s=60.0,
        event_handler_enabled=True,
    )
    way = Way(
        host_notification_commands=("tell-host",), service_notification_commands=("tell-service",)
    )
    given: dict[str, object] = {
        "id": 1,
        "realm": "All",
        "cluster": "test",
        "traits": (quick,),
        "hosts": (Host("web1", "10.0.0.1", "web", 0),),
        "services": (Service("web1", "http", 0),),
        "contacts": (Contact(name="ann", email="ann@example.org", ways=(way,)),),
        "commands": (
            Command("check", "/bin/check -H $HOSTADDRESS$ -a $ARG1$"),
            Command("tell-host", "/bin/tell $CONTACTEMAIL$ $HOSTSTATE$ $HOSTOUTPUT$"),
            Command("tell-service", "/bin/tell $CONTACTEMAIL$ $SERVICESTATE$ $SERVICEOUTPUT$"),
            Command("repair", "/bin/repair $SERVICESTATE$"),
        ),
        "globals": Globals(
            max_service_check_spread_s=1.0, max_host_check_spread_s=1.0, log_initial_states=False
        ),
        **more,
    }
    return ShardBody(**given)  # type: ignore[arg-type]  # a test's own shorthand


class Store:
    """A retention store shared by several schedulers, as memcached is."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}
        self.position = (0, 0)
        self.saves = 0
        self.away = False

    def apply(self, message: Load | Save | Probe) -> Message:
        if self.away:
            return Failed("away")
        if isinstance(message, Probe):
            return Done()
        if isinstance(message, Load):
            return Restored(
                message.shard, bool(self.saves), dict(self.records), *self.position, stores=1
            )
        if message.local:
            return Saved(message.shard, message.epoch, message.n)
        if message.epoch < self.position[0]:
            return Fenced(f"shard/{message.shard}", self.position[0])
        if message.whole:
            self.records = {}
        self.records.update(message.changed)
        for key in message.removed:
            self.records.pop(key, None)
        self.position = (message.epoch, message.n)
        self.saves += 1
        return Saved(message.shard, message.epoch, message.n)

    def status(self, key: str) -> Status:
        return _status(self.records["o/" + key])


class Stage:
    """Schedulers, a store, a leader, reactionners, a keeper."""

    def __init__(self, shard: ShardBody | None = None) -> None:
        self.mono = 1000.0
        self.wall_ahead_s = WALL  # of the wall clock before CLOCK_BOOTTIME
        self.store = Store()
        self.shard = shard or body()
        self.version = "v1"
        self.schedulers: dict[str, Scheduler] = {}
        self.journals: dict[str, tuple[ClaimedAction, ...] | None] = {"react": ()}
        self.resting: set[str] = set()  # reactionners that the leader has taken off
        self.leases: dict[str, int] = {}  # by scheduler: epoch
        self.refused: set[str] = set()  # schedulers that get no lease
        self.mute: set[str] = set()  # targets that answer nothing
        self.epoch = 100
        self.held: list[tuple[Scheduler, Call]] = []  # calls kept back
        self.hold: tuple[type, ...] = ()  # messages to keep back
        self.sent: list[Call] = []
        self._tokens = count()
        self.roster_n = 0
        self._seq = count(1)

    @property
    def now(self) -> Now:
        return Now(Mono(self.mono), Wall(self.wall_ahead_s + self.mono))

    # -- the cast

    def add(self, name: str = "one", **more: object) -> Scheduler:
        scheduler = Scheduler(
            name=name, instance=f"{name}-i", pid=1, cluster=CLUSTER,
            tokens=lambda: f"t{next(self._tokens)}", **more,  # type: ignore[arg-type]
        )  # fmt: skip
        self.schedulers[name] = scheduler
        return scheduler

    def start(self, name: str = "one", **more: object) -> Scheduler:
        """A scheduler that runs the shard."""
        scheduler = self.add(name, **more)
        self.place(name)
        self.run(2.0)
        assert scheduler.seats[1].held.phase == "active"
        return scheduler

    def place(self, owner: str, standby: str = "", **more: object) -> None:
        """Tell everybody a new roster."""
        self.roster_n += 1
        given: dict[str, object] = {
            "pollers": ("poll",), "reactionners": tuple(self.journals), "brokers": ("brok",), **more,
        }  # fmt: skip
        placed = Placed(1, "All", self.version, owner, standby, **given)  # type: ignore[arg-type]
        members = tuple(Member(name, "reactionner", "All", False, name not in self.resting) for name in self.journals)
        roster = Roster(5, self.roster_n, "leader", members, (placed,))
        for scheduler in self.schedulers.values():
            scheduler.handle(roster, self.now)

    def kill(self, name: str) -> None:
        """The whole process is gone."""
        del self.schedulers[name]
        self.leases.pop(name, None)

    # -- time

    def run(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / 0.05)):
            self.mono += 0.05
            for scheduler in list(self.schedulers.values()):
                self.carry(scheduler, scheduler.tick(self.now))

    def carry(self, scheduler: Scheduler, calls: Iterable[Call]) -> None:
        queue = list(calls)
        while queue:
            call = queue.pop(0)
            self.sent.append(call)
            if isinstance(call.message, self.hold):
                self.held.append((scheduler, call))
                continue
            answer = self.answer(scheduler, call)
            queue += scheduler.answered(call, answer, self.now)

    def release(self) -> None:
        """Carry out what was kept back."""
        held, self.held, self.hold = self.held, [], ()
        for scheduler, call in held:
            self.carry(scheduler, scheduler.answered(call, self.answer(scheduler, call), self.now))

    def answer(self, scheduler: Scheduler, call: Call) -> Message:
        message = codec.decode(codec.encode(call.message))
        if call.to in self.mute:
            return Failed("silence")
        if call.to in self.schedulers:
            answer = self.schedulers[call.to].handle(message, self.now)
            return Failed("still waiting") if isinstance(answer, Wait) else answer
        match message:
            case Beat():
                return self._beat(message)
            case Fetch(shard, version, page):
                data = msgspec.msgpack.encode(self.shard)
                half = len(data) // 2
                return Page(shard, version, page, 2, data[:half] if page == 0 else data[half:])
            case StoresAsk():
                return StoresSeen()
            case Load() | Save() | Probe():
                return self.store.apply(message)
            case Fence(shard):
                journal = self.journals[call.to]
                return Claimed(shard, journal) if journal is not None else Failed("silence")
            case _:
                return Failed(f"nobody is called {call.to}")

    def _beat(self, beat: Beat) -> Leases:
        wanted = {want.lease for want in beat.wants}
        if "shard/1" not in wanted or beat.name in self.refused:
            self.leases.pop(beat.name, None)
            return Leases()
        if beat.name not in self.leases:
            if self.leases:
                return Leases()
            self.epoch += 1
            self.leases[beat.name] = self.epoch
        return Leases((Lease("shard/1", self.leases[beat.name], self.mono + 1.5),))

    # -- satellites

    def exchange(
        self, want: int = 10, results: Iterable[Result] = (), *, to: str = "one", wait_s: float = 0.0,
        instance: str = "poll-i", seen: int = 10**9, batch: int = 0, seq: int = 0,
    ) -> Lent | Wait | NotMine:  # fmt: skip
        found = list(results)
        number = next(self._seq)
        batches = (
            (Batch(batch or number, 1, len(found), msgspec.msgpack.encode(found)),) if found else ()
        )
        message = Exchange("poll", instance, seq or number, 5, want, wait_s, (), batches, seen)
        answer = self.schedulers[to].handle(message, self.now)
        assert isinstance(answer, (Lent, Wait, NotMine))
        return answer

    def orders(self, lent: object) -> list[Order]:
        assert isinstance(lent, Lent)
        return [order for chunk in lent.chunks for order in _orders(chunk.data)]

    def borrow(self, to: str = "one", within_s: float = 30.0, key: str = "web1;http") -> Order:
        """Borrow until the check of `key` comes."""
        for _ in range(round(within_s / 0.25)):
            found = None
            for order in self.orders(self.exchange(to=to)):
                if order.object == key:
                    found = order
                else:
                    self.result(order, 0, "fine", to=to)
            if found is not None:
                return found
            self.run(0.25)
        raise AssertionError(f"{key} is not due within {within_s} s")

    def result(self, order: Order, code: int, output: str = "", *, to: str = "one") -> Result:
        """Hand in what a check gave."""
        result = Result(
            order.shard, order.epoch, order.object, order.seq, code, self.now.wall, 0.01, output
        )
        self.exchange(0, [result], to=to)
        return result

    def fail(self, times: int = 2, *, to: str = "one", code: int = 2) -> None:
        """Let the service fail until it is hard."""
        for _ in range(times):
            self.result(self.borrow(to), code, "broken", to=to)

    def take(
        self, *ended: Ran, to: str = "one", holding: tuple[str, ...] = (), name: str = "react"
    ) -> Actions:
        message = TakeActions(name, f"{name}-i", 5, 10, 0.0, (), ended, holding)
        answer = self.schedulers[to].handle(message, self.now)
        assert isinstance(answer, Actions), answer
        return answer

    def status(self, key: str = "web1;http", of: str = "one") -> Status:
        owned = self.schedulers[of].seats[1].owned
        assert owned is not None
        return owned.state.items[key].status
