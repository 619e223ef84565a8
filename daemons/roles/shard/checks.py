"""When a shard's checks are due, and which poller runs which.

The one thing to know: an order is named by (shard, epoch, object, seq), and seq only grows, so giving
the same check out twice is harmless: a result is applied once and never to another object.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from daemons.model.check import Order
from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import Epoch
from daemons.model.status import OK, SOFT
from daemons.roles.shard.command_lines import INTERNAL, CommandLines
from daemons.roles.shard.gate import Gate
from daemons.roles.shard.state import SLICE, Item, ShardState
from daemons.rules.lines import orphaned
from daemons.rules.orphan import given_up_s
from daemons.rules.schedule import first_check, interval_s, next_check
from daemons.wire.messages import Chunk
from daemons.wire.operations import HandOver, LentOut

SLOT_S = 0.25  # of the wheel: pollers wake at most so often
CHUNK = 32  # orders passed on as one piece of bytes
GRACE_S = 10.0  # a result that is later than its time-out by this much is not waited for
GOLDEN = 0.6180339887498949  # consecutive indexes land far apart
CLOSE_S = 0.05  # what two clocks may differ by within one entry
OVERDUE_SPREAD_S = 3.0  # after a take-over: all that is overdue within this time
_encode = msgspec.msgpack.Encoder().encode


class Wheel:
    """Items by the quarter of a second in which they are due. Entries are void once `slot` differs."""

    def __init__(self, now: Mono) -> None:
        """Start at `now`."""
        self._slots: dict[int, list[Item]] = {}
        self._at = int(now / SLOT_S)

    def put(self, item: Item, due: float) -> None:
        """Have `item` come out when `due` (monotonic seconds) has come; an earlier entry is void."""
        slot = max(int(due / SLOT_S) + 1, self._at + 1)
        item.slot = slot
        bucket = self._slots.get(slot)
        if bucket is None:
            self._slots[slot] = [item]
        else:
            bucket.append(item)

    def turn(self, now: Mono) -> Iterable[Item]:
        """Yield what is due."""
        last = int(now / SLOT_S)
        if last <= self._at:
            return
        passed: Iterable[int] = range(self._at + 1, last + 1)
        if last - self._at > len(self._slots):
            passed = sorted(slot for slot in self._slots if slot <= last)
        self._at = last
        for slot in passed:
            for item in self._slots.pop(slot, ()):
                if item.slot == slot:
                    item.slot = 0
                    yield item


class Checks:
    """Due checks of one shard, and what is lent to whom."""

    def __init__(self, state: ShardState, lines: CommandLines, gate: Gate, now: Now) -> None:
        """Nothing is scheduled before `begin`; `gate` says which checks may run."""
        self._state = state
        self._gate = gate
        self._lines = lines
        self._wheel = Wheel(now.mono)
        self._ready: dict[str, deque[Item]] = {}  # by poller tag
        self._out: dict[str, dict[str, Item]] = {}  # by poller instance
        self._unseen: dict[str, deque[tuple[int, tuple[tuple[Item, int], ...]]]] = {}
        self._before: dict[str, Epoch] = {}  # objects whose run the owner before ordered: its epoch

    def begin(self, now: Now, handed: HandOver | None = None) -> Iterator[None]:
        """Schedule every object: new ones spread, overdue ones within seconds, others as they were.

        Of a shard that was handed over what is under way goes on, and what is overdue is lent at once.
        Yields after each SLICE of objects.
        """
        if handed is not None:
            self._take_over(handed, now)
        for index, item in enumerate(self._state.items.values(), 1):
            if index % SLICE == 0:
                yield
            if handed is not None and (item.lent_to or item.ready):
                continue
            due = item.status.next_check_wall
            if handed is not None and 0 < due <= now.wall and item.traits.check_command:
                self._make_ready(item, now)
            else:
                self.start(item, index - 1, now)

    def start(self, item: Item, index: int, now: Now) -> None:
        """Schedule an object that has just come: keep its time, or give it its first."""
        status, traits = item.status, item.traits
        if not traits.check_command:
            return
        every_s, due = traits.check_interval_s, status.next_check_wall
        if status.forced_wall:  # asked for of an owner before, and not done
            item.forced, due = True, status.forced_wall
        if every_s <= 0 and not due:
            return
        settings = self._state.globals
        spread_s = (
            settings.max_host_check_spread_s
            if item.is_host
            else settings.max_service_check_spread_s
        )
        if not due or not (status.checked or status.forced_wall):
            due = self._first(item, index, spread_s, now)
        elif due <= now.wall:
            window_s = min(OVERDUE_SPREAD_S, len(self._state.items) / 500)
            due = now.wall + (index * GOLDEN) % 1.0 * window_s
        elif due > now.wall + every_s > now.wall and not item.forced:
            # The owner before reckoned by another server's clock, and that one was ahead of ours.
            due = min(due, self._first(item, index, every_s, now) or due)
        if due:
            status.next_check_wall = due
            self._wheel.put(item, now.mono + (due - now.wall))

    def _first(self, item: Item, index: int, spread_s: float, now: Now) -> float:
        """Return when `item` is checked first, spread over `spread_s` at most; 0 = never."""
        traits = item.traits
        period = self._state.period(traits.check_period)
        return first_check(index, traits.check_interval_s, spread_s, now.wall, period) or 0.0

    def schedule(self, item: Item, now: Now, *, retry: bool) -> None:
        """Put the check after the one just seen into the wheel."""
        status, traits = item.status, item.traits
        every_s = interval_s(traits, retry=retry)
        if item.forced:  # asked for while this one was under way
            self._put(item, max(status.forced_wall, now.wall), now)
            return
        if not traits.check_command or every_s <= 0:
            status.next_check_wall = 0.0
            item.slot = 0
            return
        last = Wall(status.next_check_wall or now.wall)
        if retry and last < now.wall - every_s:
            last = now.wall
        if last > now.wall:  # a forced or passive result before its time keeps the phase
            last = Wall(min(last, now.wall + every_s) - every_s)
        period_name = traits.check_period
        period = self._state.period(period_name) if period_name else None
        due = next_check(last, every_s, now.wall, period)
        if due is None:
            status.next_check_wall = 0.0
            item.slot = 0
            return
        self._put(item, due, now)

    def _put(self, item: Item, due: float, now: Now) -> None:
        item.status.next_check_wall = due
        if not item.lent_to:  # else the wheel looks after what is out, and its result schedules anew
            self._wheel.put(item, now.mono + (due - now.wall))

    def check_at(self, item: Item, wall: float, now: Now, *, forced: bool) -> None:
        """Check `item` at `wall` (now when that is past); `forced`: whatever is switched off.

        One that is not forced never puts off a check that is due earlier (Nagios Core docs,
        SCHEDULE_SVC_CHECK).
        """
        status = item.status
        if not item.traits.check_command:
            return
        if forced:
            item.forced = True
            status.forced_wall = max(wall, now.wall)
        if wall > now.wall:
            sooner = forced or not item.slot or wall < status.next_check_wall
            if sooner and not item.lent_to and not item.ready:
                self._put(item, wall, now)
            return
        if not item.lent_to and not item.ready:
            if not status.next_check_wall:
                status.next_check_wall = now.wall
            self._make_ready(item, now)

    def turn(self, now: Now) -> None:
        """Move what is due to the pollers' queues; take back what a poller kept too long."""
        for item in self._wheel.turn(now.mono):
            if item.lent_to:
                status = item.status
                said = orphaned(item.key, status.last_check_wall, status.next_check_wall)
                self._state.journal.log(said, now)
                self._take_back(item)
                self._state.figures["orders_lent_again"] += 1
                self._make_ready(item, now)
            elif self._gate.on(item):
                self._make_ready(item, now)
            else:
                self._skip(item, now)

    def internal(self, now: Now, most: int) -> list[Item]:
        """Take up to `most` from the queue of what is ready and needs no poller."""
        queue = self._ready.get(INTERNAL)
        found: list[Item] = []
        while queue and len(found) < most:
            item = queue.popleft()
            if not item.ready:
                continue
            if self._queued_elsewhere(item, INTERNAL, now):
                continue
            item.ready = False
            if self._gate.open(item, now):
                item.slot = 0
                found.append(item)
            else:
                self._skip(item, now)
        return found

    def handed_over(self, now: Now) -> tuple[list[LentOut], list[str]]:
        """Return what is lent out, and what is forced, for the next owner to go on with."""
        lent = [
            LentOut(key, item.lent_seq, poller, max(0.0, item.slot * SLOT_S - now.mono))
            for poller, out in self._out.items()
            for key, item in out.items()
        ]
        return lent, [item.key for item in self._state.items.values() if item.forced]

    def _take_over(self, handed: HandOver, now: Now) -> None:
        """Take up what the owner before lent out, and what it was told to force."""
        for lent in handed.lent:
            item = self._state.items.get(lent.object)
            if item is None or item.lent_to:
                continue
            item.lent_to, item.lent_seq, item.lent_mono = lent.poller, lent.seq, now.mono
            self._out.setdefault(lent.poller, {})[item.key] = item
            self._before[item.key] = handed.epoch
            never = not self._given_up_s(item, 0.0)
            self._expect(item, 0.0 if never else max(lent.left_s, SLOT_S), now)
        for key in handed.forced:
            if (item := self._state.items.get(key)) is not None:
                item.forced = True
                if not item.lent_to:
                    self.check_at(item, item.status.forced_wall, now, forced=True)

    def waiting(self, tags: tuple[str, ...]) -> bool:
        """Return whether there is something for a poller with these tags."""
        return any(self._ready.get(tag) for tag in _queues(tags))

    def lend(
        self, poller: str, serial: int, want: int, tags: tuple[str, ...], now: Now
    ) -> list[Chunk]:
        """Return up to `want` orders for the poller instance `poller`, in chunks."""
        orders: list[Order] = []
        lent: list[tuple[Item, int]] = []
        for tag in _queues(tags):
            queue = self._ready.get(tag)
            while queue and len(orders) < want:
                item = queue.popleft()
                if not item.ready:
                    continue
                if self._queued_elsewhere(item, tag, now):
                    continue
                item.ready = False
                if self._gate.open(item, now):
                    orders.append(self._order(item, poller, now))
                    lent.append((item, item.lent_seq))
                else:
                    self._skip(item, now)
        if not orders:
            return []
        self._unseen.setdefault(poller, deque()).append((serial, tuple(lent)))
        self._state.figures["orders_lent"] += len(orders)
        shard, epoch = self._state.id, self._state.epoch
        rest = iter(orders)
        chunks = []
        while piece := list(islice(rest, CHUNK)):
            chunks.append(Chunk(shard, epoch, len(piece), _encode(piece)))
        return chunks

    def seen(self, poller: str, serial: int, now: Now) -> None:
        """Note the newest answer that `poller` got; what went with later ones is lent again."""
        unseen = self._unseen.get(poller)
        while unseen:
            sent, lent = unseen.popleft()
            if sent > serial:
                for item, seq in lent:
                    if item.lent_to == poller and item.lent_seq == seq:
                        self._lend_again(item, now)

    def gone(self, poller: str, now: Now) -> None:
        """Lend again at once whatever the poller instance `poller` had."""
        self._unseen.pop(poller, None)
        for item in list(self._out.pop(poller, {}).values()):
            self._lend_again(item, now)

    def borrowers(self) -> list[str]:
        """Return the poller instances that have orders of this shard."""
        return list(self._out)

    def returned(self, item: Item, epoch: Epoch, seq: int, now: Now) -> None:
        """Note that the run `seq`, ordered under `epoch`, of `item` came back.

        Numbers may repeat under another epoch: such a run is not the one that is out.
        """
        if epoch != self._before.get(item.key, self._state.epoch):
            return
        if item.lent_to and item.lent_seq == seq:
            self._take_back(item)
            if item.forced:
                self.done(item, now.wall - (now.mono - item.lent_mono) + CLOSE_S)

    def done(self, item: Item, began_wall: float) -> None:
        """Note a check of `item` that began then: one that was forced for a later time is still owed."""
        if item.forced and item.status.forced_wall <= began_wall:
            item.forced, item.status.forced_wall = False, 0.0

    def drop(self, item: Item) -> None:
        """Forget an object that is no longer configured."""
        item.slot, item.ready = 0, False
        if item.lent_to:
            self._take_back(item)

    @property
    def ready(self) -> int:
        """Number of checks that wait for a poller."""
        return sum(len(queue) for queue in self._ready.values())

    @property
    def lent(self) -> int:
        """Number of orders out."""
        return sum(len(out) for out in self._out.values())

    def _order(self, item: Item, poller: str, now: Now) -> Order:
        status, state = item.status, self._state
        seq = status.next_seq
        status.next_seq = seq + 1
        line, env, timeout_s = self._lines.of_check(item, now)
        item.lent_to, item.lent_seq, item.lent_mono = poller, seq, now.mono
        out = self._out.get(poller)
        if out is None:
            out = self._out[poller] = {}
        out[item.key] = item
        self._expect(item, self._given_up_s(item, timeout_s), now)
        return Order(state.id, state.epoch, item.key, seq, line, timeout_s, env)

    def _given_up_s(self, item: Item, timeout_s: float) -> float:
        settings = self._state.globals
        return given_up_s(item.traits, settings, timeout_s, GRACE_S, is_host=item.is_host)

    def _expect(self, item: Item, within_s: float, now: Now) -> None:
        """Look after the order of `item` when its result has not come `within_s`; 0 = wait for ever."""
        if within_s > 0:
            self._wheel.put(item, now.mono + within_s)
        else:
            item.slot = 0

    def _skip(self, item: Item, now: Now) -> None:
        """Leave out a check that may not run: the next one is due as if it had."""
        status = item.status
        self.schedule(item, now, retry=status.state_type == SOFT and status.state != OK)

    def _make_ready(self, item: Item, now: Now) -> None:
        item.ready = True
        self._queue(item, self._lines.poller_tag(item, now))

    def _queue(self, item: Item, tag: str) -> None:
        queue = self._ready.get(tag)
        if queue is None:
            queue = self._ready[tag] = deque()
        queue.append(item)

    def _queued_elsewhere(self, item: Item, tag: str, now: Now) -> bool:
        """Move what a modulation, command or configuration made another poller's, or none's, since it became ready."""
        right = self._lines.poller_tag(item, now)
        if right == tag:
            return False
        self._queue(item, right)
        return True

    def _take_back(self, item: Item) -> None:
        out = self._out.get(item.lent_to)
        if out is not None:
            out.pop(item.key, None)
            if not out:
                del self._out[item.lent_to]
        item.lent_to = ""
        self._before.pop(item.key, None)

    def _lend_again(self, item: Item, now: Now) -> None:
        self._take_back(item)
        item.slot = 0
        self._state.figures["orders_lent_again"] += 1
        self._make_ready(item, now)


def _queues(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return the queues that a poller with `tags` serves; without tags, or with "None": the untagged."""
    if not tags:
        return ("",)
    return tuple("" if tag in ("None", "none", "") else tag for tag in tags)
