"""Answers brokers: the deltas after their position, or a snapshot when those are gone.

The one thing to know: how far each broker has stored is kept as a record ("b/<broker>"), so that a
spare broker, or the broker of a new owner, goes on where the modules before it said they were.
"""

from msgspec import Struct, msgpack

from daemons.model.clock import Now
from daemons.roles.shard.brok_ring import ANSWER_BYTES, BrokRing, Position
from daemons.roles.shard.standby_sink import cut
from daemons.roles.shard.state import ShardState
from daemons.wire.codec import encode
from daemons.wire.messages import Broks, Delta, TakeBroks

_position = msgpack.Decoder(tuple[int, int]).decode
_encode = msgpack.Encoder().encode
LAST_WORD_S = 2.5  # a broker that is off the roster and says nothing is not waited for longer
PAGE_BYTES = min(ANSWER_BYTES, 2_000_000)


class _Snapshot(Struct):
    """A snapshot on its way to one broker."""

    keys: list[list[str]]  # of the pages not sent yet, by page; the last page is at -1
    base: Position  # log lines after this come with the last page
    at: Position  # where the broker stands when it has all


class BrokDesk:
    """Serves the brokers of one shard."""

    def __init__(self, state: ShardState) -> None:
        """Brokers' positions are read from the records."""
        self._state = state
        self._ring: BrokRing = state.journal.ring
        self._snapshots: dict[str, _Snapshot] = {}
        self._heard: dict[str, float] = {}  # by broker, mono
        self._left: set[str] = set()  # brokers that have said their last word
        self._stored: dict[str, Position] = {
            key[2:]: _position(value) for key, value in state.extra.items() if key.startswith("b/")
        }

    def awaits(self, asked: TakeBroks, brokers: tuple[str, ...], now: Now) -> bool:
        """Return whether a broker that begins should wait for the last word of the one before it."""
        self._left.discard(asked.broker)
        if asked.leaving:
            self._left.add(asked.broker)
        self._heard[asked.broker] = now.mono
        if asked.known:
            return False
        return any(
            now.mono - at < LAST_WORD_S
            for name, at in self._heard.items()
            if name != asked.broker and name not in brokers and name not in self._left
        )

    def serving(self, now: Now) -> tuple[str, ...]:
        """Return the brokers that were heard lately and have not said their last word."""
        return tuple(
            sorted(
                name
                for name, at in self._heard.items()
                if now.mono - at < LAST_WORD_S and name not in self._left
            )
        )

    def expect(self, brokers: tuple[str, ...], now: Now) -> None:
        """Count these as heard just now: the owner before did hear them."""
        self._heard.update(dict.fromkeys(brokers, now.mono))

    def note(self, asked: TakeBroks, brokers: tuple[str, ...], now: Now) -> None:
        """Take the position in `asked` as stored; log lines that all `brokers` have are dropped."""
        if not asked.known or asked.n < 0:
            return
        position = (asked.epoch, asked.n)
        before = self._stored.get(asked.broker, (0, 0))
        self._stored[asked.broker] = position
        if position <= before:
            return
        if self._ring.lines_between(before, position):
            # Soon: until it is kept, a new owner would send these lines to another broker again.
            self._state.keep("b/" + asked.broker, _encode(position))
            self._state.journal.hurry(now)
        everywhere = min((self._stored.get(b, (0, 0)) for b in brokers), default=(0, 0))
        self._state.journal.drop_lines(self._ring.forget_lines(everywhere))

    def answer(self, asked: TakeBroks, now: Now) -> Broks | None:
        """Return what comes after the broker's position; None = nothing yet.

        Nothing before our own first delta is durable: what we took up may be ours alone until then.
        """
        if self._ring.durable[0] != self._state.epoch:
            return None
        position = self._from(asked)
        ring = self._ring
        if asked.states and (not asked.known or asked.n < 0 or ring.states_lost(position)):
            return self._page(asked, position, now)
        gap = ring.lines_lost(position)
        answer = ring.take(position, asked.states)
        if not answer.deltas and not gap:
            return None
        return self._broks(answer.deltas, position, gap)

    def nothing(self, asked: TakeBroks) -> Broks:
        """Return the answer for a broker that has everything."""
        return self._broks((), self._from(asked), False)

    def _from(self, asked: TakeBroks) -> Position:
        """Where this broker stands: what it says, or what the one before it had stored."""
        if asked.known:
            return asked.epoch, asked.n
        # Also for a broker with an old position of its own: another served the shard after it.
        return max(self._stored.values(), default=(0, 0))

    def _page(self, asked: TakeBroks, position: Position, now: Now) -> Broks:
        """Return the next page of a snapshot; a page's n counts down to where deltas go on."""
        snapshot = self._snapshots.get(asked.broker)
        left = -asked.n if asked.known and asked.n < 0 and asked.epoch == self._state.epoch else 0
        if snapshot is None or not 0 < left < len(snapshot.keys):
            base = position if asked.n >= 0 else self._stored.get(asked.broker, (0, 0))
            snapshot = self._begin(base)
            self._snapshots[asked.broker] = snapshot
            left = len(snapshot.keys)
        state = self._state
        records = state.some_records(snapshot.keys[len(snapshot.keys) - left])
        last = left == 1
        logs = self._ring.lines_after(snapshot.base) if last else ()
        if last:
            snapshot.at = self._ring.durable
        epoch, n = snapshot.at if last else (state.epoch, -(left - 1))
        delta = Delta(state.id, epoch, n, now.wall, records, (), logs)
        lost = self._ring.lines_lost(snapshot.base)
        return self._broks((encode(delta),), position, last and lost)

    def _begin(self, base: Position) -> _Snapshot:
        pages = [list(piece) for piece in cut(self._state.records(), PAGE_BYTES)]
        return _Snapshot(pages, base, self._ring.durable)

    def _broks(self, deltas: tuple[bytes, ...], after: Position, gap: bool) -> Broks:
        return Broks(self._state.id, self._state.epoch, deltas, after[0], after[1], gap)
