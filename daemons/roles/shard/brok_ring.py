"""The newest deltas of a shard, for brokers and for a standby that fell behind; bounded.

The one thing to know: a broker's position is `(epoch, n)` of the last delta it has stored. While a
snapshot is on its way to it the n is negative, counting its pages down, so that each page is asked for
by position and a lost answer is simply asked for again.
"""

from bisect import bisect_right
from collections import deque

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from daemons.model.cluster import Epoch
from daemons.wire.codec import decode_delta, encode
from daemons.wire.messages import Delta, LogLine

LINES_MAX = 50_000  # log lines kept for brokers that are away
BYTES_MAX = 64_000_000
ANSWER_BYTES = 3_000_000  # of one `Broks`

Position = tuple[Epoch, int]
_encode_lines = msgspec.msgpack.Encoder().encode
_decode_lines = msgspec.msgpack.Decoder(tuple[LogLine, ...]).decode


class Formed(Struct, frozen=True):
    """One delta as it was made."""

    epoch: Epoch
    n: int
    data: bytes  # encoded `Delta`
    logs: tuple[LogLine, ...]
    wall: float
    output: bytes = b""  # the same without records, but with what only brokers get; b"" = there is none

    @property
    def position(self) -> Position:
        """Where a reader stands who has this one."""
        return self.epoch, self.n


class Answer(Struct, frozen=True):
    """Encoded deltas for one broker, and where they follow on."""

    deltas: tuple[bytes, ...]
    after: Position
    gap: bool = False


class BrokRing:
    """Deltas in order, oldest first. What is not durable yet is kept back from brokers."""

    def __init__(self, shard: int) -> None:
        """Start empty: whoever comes from elsewhere has a gap or needs a snapshot."""
        self._shard = shard
        self._kept: deque[Formed] = deque()
        self._bytes = 0
        self._lines = 0
        self._lost: Position = (0, 0)  # newest delta that is here no more
        self._lost_lines: Position = (0, 0)  # newest of those that held log lines
        self.durable: Position = (0, 0)
        self._forgotten: Position = (0, 0)  # log lines up to here are records no more
        self.lines_shed = 0

    def restore(self, records: dict[str, bytes]) -> None:
        """Take up the log lines ("l/<epoch>.<n>") that an owner before us wrote and nobody took."""
        found = []
        for key, value in records.items():
            if key.startswith("l/"):
                of, _, at = key[2:].partition(".")
                found.append(((int(of), int(at)), value))
        for (epoch, n), value in sorted(found):
            logs = _decode_lines(value)
            wall = logs[-1].wall if logs else 0.0
            delta = Delta(self._shard, epoch, n, wall, {}, (), logs)
            self.add(Formed(epoch, n, encode(delta), logs, wall))

    def lost_before(self, position: Position) -> None:
        """Say that states up to `position` are not here: who asks from before it needs a snapshot."""
        self._lost = max(self._lost, position)

    def add(self, formed: Formed) -> list[str]:
        """Keep `formed`, the newest. Returns the record keys of log lines that had to go for it."""
        shed: list[str] = []
        self._kept.append(formed)
        self._bytes += len(formed.data) + len(formed.output)
        self._lines += len(formed.logs)
        while len(self._kept) > 1 and (self._bytes > BYTES_MAX or self._lines > LINES_MAX):
            old = self._kept.popleft()
            self._bytes -= len(old.data) + len(old.output)
            self._lines -= len(old.logs)
            self._lost = old.position
            if old.logs:
                self.lines_shed += len(old.logs)
                self._lost_lines = old.position
                shed.append(line_key(old))
        return shed

    def release(self, epoch: Epoch, n: int) -> None:
        """Let brokers have everything up to here."""
        self.durable = (epoch, n)

    @property
    def newest(self) -> Formed | None:
        """The newest delta, durable or not."""
        return self._kept[-1] if self._kept else None

    def after(self, epoch: Epoch, n: int) -> Formed | None:
        """Return the delta (epoch, n + 1), None when it is not here."""
        at = self._index((epoch, n))
        if at < len(self._kept) and self._kept[at].position == (epoch, n + 1):
            return self._kept[at]
        return None

    def lines_after(self, position: Position) -> tuple[LogLine, ...]:
        """Return the durable log lines after `position`."""
        return tuple(line for formed in self._from(position) for line in formed.logs)

    def lines_between(self, after: Position, upto: Position) -> bool:
        """Return whether there are log lines after `after` and up to `upto`."""
        return any(f.logs for f in self._from(after) if f.position <= upto)

    def forget_lines(self, upto: Position) -> list[str]:
        """Let go of log lines up to `upto` as records: brokers have them. Returns their keys, once."""
        keys = []
        for formed in self._from(self._forgotten):
            if formed.position > upto:
                break
            if formed.logs:
                keys.append(line_key(formed))
        self._forgotten = max(self._forgotten, min(upto, self.durable))
        return keys

    def line_records(self) -> dict[str, bytes]:
        """Return the records of all log lines kept, for a whole copy."""
        kept = (f for f in self._kept if f.position > self._forgotten)
        return {line_key(f): _encode_lines(f.logs) for f in kept if f.logs}

    def lines_lost(self, position: Position) -> bool:
        """Return whether log lines after `position` are gone for ever."""
        return position < self._lost_lines

    def states_lost(self, position: Position) -> bool:
        """Return whether states changed after `position` are not here any more."""
        return position < self._lost

    def take(self, position: Position, states: bool) -> Answer:
        """Return the durable deltas after `position`, about ANSWER_BYTES of them.

        Without `states` only those with output, and of them only the output; the last one stands for
        all before it.
        """
        deltas: list[bytes] = []
        size = 0
        for formed in self._from(position):
            if states:
                data = _whole(formed)
            elif formed.output:
                data = formed.output
            elif formed.logs:
                data = encode(
                    Delta(self._shard, formed.epoch, formed.n, formed.wall, {}, (), formed.logs)
                )
            else:
                continue
            deltas.append(data)
            size += len(data)
            if size > ANSWER_BYTES:
                break
        return Answer(tuple(deltas), position)

    def _from(self, position: Position) -> list[Formed]:
        start = self._index(position)
        durable = self.durable
        kept = self._kept
        return [kept[i] for i in range(start, len(kept)) if kept[i].position <= durable]

    def _index(self, position: Position) -> int:
        return bisect_right(self._kept, position, key=_position)


def line_key(formed: Formed) -> str:
    """Return the key under which retention keeps the log lines of `formed`."""
    return f"l/{formed.epoch}.{formed.n}"


def _whole(formed: Formed) -> bytes:
    """Return a delta with its records and with what only brokers get."""
    if not formed.output:
        return formed.data
    records = decode_delta(formed.data)
    return encode(replace(decode_delta(formed.output), changed=records.changed, removed=records.removed))


def _position(formed: Formed) -> Position:
    return formed.epoch, formed.n
