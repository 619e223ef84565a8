"""The one ordered stream of a shard: what changed and the output it causes, kept before it leaves.

The one thing to know: nothing that somebody outside could notice leaves before the delta that holds
it is *durable*: a standby that follows has it, and with it two servers have it, or every store that
answers. A sink that fails is away and holds nobody up, nor does a slow store once two servers have the
delta; both catch up. One delta is under way at a time.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from daemons.model.clock import Now
from daemons.model.cluster import Epoch
from daemons.roles.role import Call
from daemons.roles.shard.brok_ring import BrokRing, Formed
from daemons.roles.shard.standby_sink import StandbySink
from daemons.roles.shard.store_sink import Store, StoreSink
from daemons.wire.codec import encode
from daemons.wire.messages import Delta, LogLine, Message, Replicate, Save
from daemons.wire.side import SnapshotTaken
from daemons.wire.stores import Probe

FLUSH_S = 1.0  # states alone wait this long: many changes, one delta
GIVE_UP_S = 2.0  # a sink that has not answered for so long is away
OUTPUT_S = 0.05  # output waits this long for its neighbours

Record = bytes | Struct  # what is kept under a key; a Struct is encoded when the delta is formed
_encode_record = msgspec.msgpack.Encoder().encode


def record_bytes(record: Record) -> bytes:
    """Return what retention keeps of `record`."""
    return record if isinstance(record, bytes) else _encode_record(record)


class Aside(Struct):
    """What brokers get of the next delta and nobody keeps."""

    snapshots: list[SnapshotTaken] = []
    hosts: list[str] = []  # lines of performance data
    services: list[str] = []

    def beside(self, delta: Delta) -> bytes:
        """Return `delta` with all this and without its records, encoded; b"" when there is nothing."""
        if not (self.snapshots or self.hosts or self.services):
            return b""
        return encode(
            replace(
                delta, changed={}, removed=(), snapshots=tuple(self.snapshots),
                host_perfdata=tuple(self.hosts), service_perfdata=tuple(self.services),
            )
        )  # fmt: skip


class Keeper(Protocol):
    """What has the records of a shard."""

    def gather(self, into: dict[str, bytes]) -> Iterator[None]:
        """Put every record into `into`, in slices."""


class ShardJournal:
    """Pending changes of one shard, the delta under way, and how far each sink has come."""

    def __init__(
        self,
        shard: int,
        epoch: Epoch,
        keeper: Keeper,
        now: Now,
        *,
        stores: tuple[Store, ...] = (Store(),),
        without: frozenset[str] = frozenset(),
    ) -> None:
        """`keeper` has everything that is kept of the shard, for a whole copy.

        `without` "write-ahead": output leaves before it is kept; only tests want that.
        """
        self.shard = shard
        self.epoch = epoch
        self.ring = BrokRing(shard)
        self.stores = tuple(StoreSink(store, shard, epoch) for store in stores)
        self.standby = StandbySink(shard, epoch, self.ring)
        self.formed_n = 0  # newest delta made
        self.durable_n = 0  # newest delta that is safe
        self._ahead = "write-ahead" not in without
        self._changed: dict[str, Record] = {}
        self._removed: dict[str, None] = {}
        self._logs: list[LogLine] = []
        self._aside = Aside()
        self._urgent_mono: float | None = None  # since when output waits
        self._quiet = True  # nothing pending deserves a delta of its own
        self._flushed_mono: float = now.mono
        self._keeper = keeper
        self._everything: dict[str, bytes] = {}  # of a whole copy that is being gathered
        self._gathering: Iterator[None] | None = None

    # -- what is to be kept

    def touch(self, key: str, record: Record, *, quiet: bool = False) -> None:
        """Keep `record` under `key` with the next delta. `quiet`: that alone needs no delta."""
        self._changed[key] = record
        self._removed.pop(key, None)
        self._quiet = self._quiet and quiet

    def touch_many(self, records: Iterable[tuple[str, Record]]) -> None:
        """Keep these records with the next delta."""
        self._changed.update(records)
        self._quiet = False

    def remove(self, key: str, *, quiet: bool = False) -> None:
        """Forget `key` with the next delta."""
        self._changed.pop(key, None)
        self._removed[key] = None
        self._quiet = self._quiet and quiet

    def drop_lines(self, keys: list[str]) -> None:
        """Forget log lines that every broker has stored."""
        for key in keys:
            self.remove(key, quiet=True)

    def log(self, text: str, now: Now) -> None:
        """Write a line for the logs; it leaves with the next delta."""
        self._logs.append(LogLine(now.wall, text))
        self.hurry(now)

    def snapshot(self, taken: SnapshotTaken, now: Now) -> None:
        """Pass on what a snapshot command printed, with the next delta: for brokers, kept nowhere."""
        self._aside.snapshots.append(taken)
        self.hurry(now)

    def perfdata(self, line: str, *, is_host: bool) -> None:
        """Pass on a line of performance data, with the next delta: for brokers, kept nowhere."""
        (self._aside.hosts if is_host else self._aside.services).append(line)
        self._quiet = False

    def hurry(self, now: Now) -> None:
        """Form the next delta soon: it holds output."""
        self._quiet = False
        if self._urgent_mono is None:
            self._urgent_mono = now.mono

    @property
    def mark(self) -> int:
        """The n whose durability covers everything kept so far."""
        return self.formed_n if self._quiet else self.formed_n + 1

    @property
    def gathering(self) -> bool:
        """A whole copy is being gathered: the sooner the next tick comes, the better."""
        return self._gathering is not None

    def is_durable(self, n: int) -> bool:
        """Return whether what was marked `n` may leave."""
        return n <= self.durable_n or not self._ahead

    @property
    def idle(self) -> bool:
        """Nothing is pending and nothing under way: all is safe."""
        return self._quiet and not self._under_way

    # -- time and answers

    def tick(self, now: Now) -> list[Call]:
        """Return the calls that are due: a new delta to every healthy sink, repair to the others."""
        calls: list[Call] = []
        if self._under_way and now.mono - self._flushed_mono > GIVE_UP_S:
            self._give_up(now)
        if not self._under_way:
            calls += self._next(now)
        for sink in self.stores:
            calls += sink.save(self.formed_n, now)
        calls += self.standby.repair(now)
        return calls

    def answered(self, call: Call, answer: Message, now: Now) -> tuple[list[Call], Epoch]:
        """Take a sink's answer; the second value is the higher epoch it told us of, 0 = none."""
        fenced = 0
        if isinstance(call.message, Replicate):
            fenced = self.standby.answered(call, answer, now)
        elif isinstance(call.message, (Save, Probe)):
            for sink in self.stores:
                if sink.name == call.message.store:
                    fenced = sink.answered(call, answer, now)
        if fenced:
            return [], fenced
        self._settle()
        return self.tick(now), 0

    def seal(self, now: Now) -> None:
        """Form what is pending, for our own copy only: nothing leaves any more."""
        if not self._quiet:
            self._form(now)

    def finish(self, now: Now) -> None:
        """Form a last delta of whatever is pending at the next tick, without waiting for neighbours."""
        if self._changed or self._removed or self._logs or not self._quiet:
            self._quiet = False
            self._urgent_mono = now.mono - OUTPUT_S

    @property
    def is_followed(self) -> bool:
        """Return whether the standby holds everything that was ever formed."""
        return not self.standby.away and self.standby.holds(self.formed_n)

    def follow(self, standby: str, place: str = "") -> None:
        """Send the stream to the scheduler called `standby`, on the server `place`; "" = nobody."""
        if standby != self.standby.to:
            self.standby.turn_to(standby, place or standby)
            self._settle()

    @property
    def durability(self) -> str:
        """How safe output is now, in an operator's words."""
        places = {sink.place for sink in self.stores if not sink.away} - {""}
        if not self.standby.away:
            places.add(self.standby.place)
        return ("none", "one server", "two servers")[min(2, len(places))]

    @property
    def _under_way(self) -> bool:
        return self.durable_n < self.formed_n

    def _due(self, now: Now) -> bool:
        if self._urgent_mono is not None and now.mono - self._urgent_mono >= OUTPUT_S:
            return True
        late = now.mono - self._flushed_mono >= FLUSH_S
        return late and (not self._quiet or any(sink.wants_whole(now) for sink in self.stores))

    def _next(self, now: Now) -> list[Call]:
        """Return the delta that is due, or the whole copy that somebody needs with it.

        A copy is gathered in slices, during which no delta is formed: what changed meanwhile is
        pending when the last slice is there, goes over it, and leaves with the same delta.
        """
        due = self._due(now)
        stores_want = due and any(sink.wants_whole(now) for sink in self.stores)
        if not (self.standby.wants_whole(now) or stores_want):
            self._gathering = None
            return self._flush(now, None) if due else []
        if self._gathering is None:
            self._everything = {}
            self._gathering = self._keeper.gather(self._everything)
        for _ in self._gathering:
            return []  # one slice in an entry, so that the beat is not held up
        whole, self._everything, self._gathering = self._everything, {}, None
        if due or not self._quiet:
            return self._flush(now, whole)
        return self.standby.begin(whole)

    def _flush(self, now: Now, whole: dict[str, bytes] | None) -> list[Call]:
        delta = self._form(now)
        calls: list[Call] = []
        if whole is not None:
            whole.update(delta.changed)
            for key in delta.removed:
                whole.pop(key, None)
        for sink in self.stores:
            if whole is not None and sink.wants_whole(now):
                calls += sink.save_whole(delta.n, whole)
            else:
                sink.add(delta.changed, delta.removed)
                calls += sink.save(delta.n, now)
        if whole is not None and self.standby.wants_whole(now):
            calls += self.standby.begin(whole)
        else:
            calls += self.standby.offer(self.ring.newest, now)
        self._settle()
        return calls

    def _form(self, now: Now) -> Delta:
        self.formed_n += 1
        n = self.formed_n
        logs = tuple(self._logs)
        if logs:
            self._changed[f"l/{self.epoch}.{n}"] = _encode_record(logs)
        changed = {key: record_bytes(record) for key, record in self._changed.items()}
        removed = tuple(self._removed)
        delta = Delta(self.shard, self.epoch, n, now.wall, changed, removed, logs)
        output = self._aside.beside(delta)
        if output:
            self._aside = Aside()
        shed = self.ring.add(Formed(self.epoch, n, encode(delta), logs, now.wall, output))
        self._changed, self._removed, self._logs = {}, dict.fromkeys(shed), []
        self._urgent_mono, self._quiet, self._flushed_mono = None, True, now.mono
        return delta

    def _give_up(self, now: Now) -> None:
        for sink in self.stores:
            if not sink.settled(self.formed_n):
                sink.give_up(now)
        if not self.standby.settled(self.formed_n):
            self.standby.give_up(now)
        self._settle()

    def _settle(self) -> None:
        # Before the first delta what was inherited is not safe.
        if self.formed_n and self._is_safe(self.formed_n):
            self.durable_n = self.formed_n
            self.ring.release(self.epoch, self.durable_n)

    def _is_safe(self, n: int) -> bool:
        """Whether delta `n` may be acted upon.

        A standby that follows must have it: it is what takes over, while a shared store may forget.
        Of the stores none is waited for once two servers have it.
        """
        if not self.standby.settled(n):
            return False
        have = {sink.place for sink in self.stores if sink.confirmed_n >= n}
        if not self.standby.away:
            have.add(self.standby.place)
        return len(have - {""}) >= 2 or all(sink.settled(n) for sink in self.stores)
