"""Objects of a shard in maintenance: the one downtime of each, by its period or by a check of its own.

The one thing to know: everything follows from the clock, the configuration and the status, which keeps
the downtime and its number. So a new owner, or a new configuration, only looks at each object again.
"""

import math
from collections import deque
from heapq import heappop, heappush

import msgspec

from daemons.model.check import Order, Result, told_code
from daemons.model.clock import Now, Wall
from daemons.model.objects import Key
from daemons.model.status import Downtime
from daemons.roles.shard.bookings import Bookings
from daemons.roles.shard.command_lines import CommandLines
from daemons.roles.shard.state import Item, ShardState
from daemons.rules import lines
from daemons.rules.maintenance import (
    AUTHOR,
    BY_CHECK,
    BY_PERIOD,
    MAINTENANCE,
    PRODUCTION,
    check_end,
    pause_s,
    said,
    step,
)
from daemons.rules.output import split, told
from daemons.rules.template import split_command
from daemons.rules.timeperiod import covers, next_end, next_start
from daemons.wire.messages import Chunk

LOOKS = 300  # objects looked at in one tick: 50,000 enter a period together without holding up the beat
ENDLESS_S = 366 * 86400.0  # a downtime of a period without an end lasts so long, and is prolonged half-way
PREFIX = ";maintenance/"  # begins what an order of such a check is named; the name of an object has no ";" there
GRACE_S = 10.0  # later than its time-out by this much: ordered again
GOLDEN = 0.6180339887498949
_encode = msgspec.msgpack.Encoder().encode


class Maintenance:
    """Watches over the objects of one shard that have a maintenance period or check."""

    def __init__(self, state: ShardState, lines_: CommandLines, bookings: Bookings) -> None:
        """Nothing is watched before `begin`."""
        self._state = state
        self._bookings = bookings
        self.checks = MaintenanceChecks(state, lines_)
        self._of: dict[str, list[Key]] = {}  # objects by their period
        self._ends: dict[str, float] = {}  # period -> when what covers now ends, 0 = it does not
        self._edges: dict[str, float] = {}  # period -> when that changes
        self._until: dict[Key, float] = {}  # objects that their check puts into maintenance
        self._outdated: list[tuple[float, Key]] = []  # when to look at those again
        self._look: deque[Key] = deque()
        self._wall: float = 0.0

    def begin(self, now: Now) -> None:
        """Look at every object anew: after a take-over, or a new configuration."""
        self._of, self._edges, self._look = {}, {}, deque()
        for key, item in self._state.items.items():
            traits, status = item.traits, item.status
            if traits.maintenance_period:
                self._of.setdefault(traits.maintenance_period, []).append(key)
            elif not (traits.maintenance_check or status.maintenance_id):
                continue
            self._look.append(key)
        for name in self._of:
            self._read(name, now)
        self._until = {key: end for key, end in self._until.items() if self._checked(key)}
        for key in self._look:
            self._recall(self._state.items[key], now)
        self.checks.begin(now)

    def tick(self, now: Now) -> None:
        """Begin and end what time says; give up what the check said too long ago."""
        jumped = not 0 <= now.wall - self._wall < 60.0
        self._wall = now.wall
        for name in [n for n, edge in self._edges.items() if edge <= now.wall or jumped]:
            before = self._ends[name]
            self._read(name, now)
            if self._ends[name] != before:
                self._look.extend(self._of[name])
        while self._outdated and self._outdated[0][0] <= now.wall:
            self._look.append(heappop(self._outdated)[1])
        for _ in range(min(LOOKS, len(self._look))):
            item = self._state.items.get(self._look.popleft())
            if item is not None:
                self._step(item, now)
        self.checks.turn(now)

    def take(self, result: Result, now: Now) -> None:
        """Take the answer of a maintenance check."""
        item = self.checks.returned(result)
        if item is None:
            return
        check = item.traits.maintenance_check
        assert check is not None
        state = said(result.code)
        output = told(split(result.output, self._state.globals.max_plugins_output_length).first)
        if not state and not self.checks.failed(item, True):
            self._state.journal.log(
                f"Warning: maintenance check of '{item.key}' ended with {told_code(result.code)}, which is neither"
                f" 0 (production) nor 2 (maintenance): {output}",
                now,
            )
        if state:
            self.checks.failed(item, False)
        was, is_in = item.key in self._until, state == MAINTENANCE
        if is_in:
            end = check_end(check, Wall(now.wall))
            self._until[item.key] = end
            heappush(self._outdated, (end, item.key))
        else:
            self._until.pop(item.key, None)
        if was != is_in:
            shown = MAINTENANCE if is_in else PRODUCTION
            self._state.journal.log(lines.maintenance(item.key, shown, output), now)
        self._step(item, now)
        self.checks.again(item, pause_s(check, state), now)

    # -- inside

    def _checked(self, key: Key) -> bool:
        item = self._state.items.get(key)
        return item is not None and is_checked(item)

    def _read(self, name: str, now: Now) -> None:
        """Work out whether a period lasts, and until when."""
        period = self._state.periods.get(name)
        end, edge = 0.0, math.inf
        if period is not None and covers(period, Wall(now.wall)):
            found = next_end(period, Wall(now.wall))
            end = found if found is not None else self._endless(name, now)
            edge = end if found is not None else end - ENDLESS_S / 2
        elif period is not None:
            start = next_start(period, Wall(now.wall))
            edge = start if start is not None else math.inf
        self._ends[name], self._edges[name] = end, edge

    def _endless(self, name: str, now: Now) -> float:
        before = self._ends.get(name, 0.0)
        return before if before > now.wall + ENDLESS_S / 2 else now.wall + ENDLESS_S

    def _recall(self, item: Item, now: Now) -> None:
        """Take it from the downtime that the check of `item` had said maintenance."""
        held = _held(item)
        if held is None or item.key in self._until or not is_checked(item):
            return
        if held.end_wall > max(now.wall, self._ends.get(item.traits.maintenance_period, 0.0)):
            self._until[item.key] = held.end_wall
            heappush(self._outdated, (held.end_wall, item.key))

    def _step(self, item: Item, now: Now) -> None:
        status, name = item.status, item.traits.maintenance_period
        period_end = self._ends.get(name, 0.0) if name else 0.0
        until = self._until.get(item.key, 0.0)
        if until and until <= now.wall:
            del self._until[item.key]
        held = _held(item)
        if held is not None and _endless(period_end, now) and _endless(held.end_wall, now):
            return
        found = step(held, status.maintenance_id, period_end, until, Wall(now.wall))
        match found.what:
            case "book":
                downtime = Downtime(
                    id=0, entry_wall=now.wall, start_wall=now.wall, end_wall=found.end_wall,
                    author=AUTHOR, comment=BY_PERIOD if period_end > now.wall else BY_CHECK,
                )  # fmt: skip
                status.maintenance_id = self._bookings.book(item, downtime, now)
            case "move":
                assert held is not None
                self._bookings.prolong(item, held.id, found.end_wall, now)
                return
            case "cancel":
                self._bookings.cancel_of(item, status.maintenance_id, now)
                status.maintenance_id = 0
            case "forget":
                status.maintenance_id = 0
            case "nothing":
                return
        self._state.changed(item)


def _held(item: Item) -> Downtime | None:
    """The downtime that was made for the maintenance of `item`, if it is still there."""
    number = item.status.maintenance_id
    return next((d for d in item.status.downtimes if d.id == number), None) if number else None


def _endless(end_wall: float, now: Now) -> bool:
    """Whether an end is one that was made up: two owners need not agree in it."""
    return end_wall > now.wall + ENDLESS_S / 2


def is_checked(item: Item) -> bool:
    """Return whether `item` has a maintenance check that runs."""
    check = item.traits.maintenance_check
    return check is not None and check.enabled and bool(check.command) and check.check_interval_s > 0


class MaintenanceChecks:
    """When maintenance checks are due, and which poller has them. One that gets lost is ordered again."""

    def __init__(self, state: ShardState, lines_: CommandLines) -> None:
        """Nothing is due before `begin`."""
        self._state = state
        self._lines = lines_
        self._due: list[tuple[float, int, Key]] = []  # mono; entries with an older number are void
        self._number: dict[Key, int] = {}  # of the newest entry of each object
        self._ready: dict[str, deque[Key]] = {}  # by poller tag
        self._out: dict[Key, int] = {}  # under way, with their seq
        self._asleep: set[Key] = set()  # outside of their period
        self._failing: set[Key] = set()
        self._count = 0

    def begin(self, now: Now) -> None:
        """Put every check that is new into the queue, spread over its interval; forget those that are gone."""
        items = [item for item in self._state.items.values() if is_checked(item)]
        keys = {item.key for item in items}
        for key in [key for key in self._number if key not in keys]:
            del self._number[key]
            self._out.pop(key, None)
        for index, item in enumerate(items):
            if item.key not in self._number or item.key in self._asleep:
                check = item.traits.maintenance_check
                assert check is not None
                self._put(item.key, now.mono + (index * GOLDEN) % 1.0 * check.check_interval_s)
        self._asleep.clear()

    def turn(self, now: Now) -> None:
        """Move what is due to the pollers' queues."""
        while self._due and self._due[0][0] <= now.mono:
            _, number, key = heappop(self._due)
            item = self._state.items.get(key)
            if self._number.get(key) != number or item is None:
                continue
            self._out.pop(key, None)
            self._asleep.discard(key)
            self._make_ready(item, now)

    def lend(self, tags: tuple[str, ...], want: int, now: Now) -> list[Chunk]:
        """Return up to `want` orders for a poller with `tags`."""
        orders: list[Order] = []
        for tag in {"" if tag in ("None", "none") else tag: None for tag in tags} or {"": None}:
            queue = self._ready.get(tag)
            while queue and len(orders) < want:
                item = self._state.items.get(queue.popleft())
                if item is None or not is_checked(item) or item.key in self._out:
                    continue
                orders.append(self._order(item, now))
        if not orders:
            return []
        return [Chunk(self._state.id, self._state.epoch, len(orders), _encode(orders))]

    def returned(self, result: Result) -> Item | None:
        """Return the object whose check that was; None for an answer that nobody waits for."""
        key = result.object.removeprefix(PREFIX)
        item = self._state.items.get(key)
        if self._out.get(key) != result.seq or result.epoch != self._state.epoch:
            return None
        del self._out[key]
        return item if item is not None and is_checked(item) else None

    def failed(self, item: Item, fails: bool) -> bool:
        """Remember whether the check of `item` gives no answer that means something; return what was before."""
        before = item.key in self._failing
        (self._failing.add if fails else self._failing.discard)(item.key)
        return before

    def again(self, item: Item, after_s: float, now: Now) -> None:
        """Have the check of `item` due after `after_s`."""
        self._put(item.key, now.mono + after_s)

    def _put(self, key: Key, due_mono: float) -> None:
        self._count += 1
        self._number[key] = self._count
        heappush(self._due, (due_mono, self._count, key))

    def _make_ready(self, item: Item, now: Now) -> None:
        check, settings = item.traits.maintenance_check, self._state.globals
        assert check is not None
        on = settings.execute_host_checks if item.is_host else settings.execute_service_checks
        period = self._state.period(check.period) if check.period else None
        if not on:
            self.again(item, check.check_interval_s, now)
        elif period is not None and not covers(period, Wall(now.wall)):
            self._asleep.add(item.key)
            start = next_start(period, Wall(now.wall))
            if start is not None:
                self._put(item.key, now.mono + (start - now.wall))
        else:
            command = self._state.commands.get(split_command(check.command)[0])
            tag = item.traits.poller_tag or (command.poller_tag if command is not None else "")
            self._ready.setdefault(tag, deque()).append(item.key)

    def _order(self, item: Item, now: Now) -> Order:
        state, check = self._state, item.traits.maintenance_check
        assert check is not None
        run = self._lines.of_handler(item, check.command, now)
        settings = state.globals
        timeout_s = (
            settings.host_check_timeout_s if item.is_host else settings.service_check_timeout_s
        )
        self._put(item.key, now.mono + timeout_s + GRACE_S)  # unless it comes back before
        seq = self._out[item.key] = self._number[item.key]
        line, env = (run.line, run.env) if run is not None else ("", {})
        return Order(state.id, state.epoch, PREFIX + item.key, seq, line, timeout_s, env)
