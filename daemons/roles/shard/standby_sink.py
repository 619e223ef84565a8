"""The standby scheduler as the journal sees it; the retention stores are store_sink.py.

The one thing to know: a sink is *away* from the first call that fails until it has caught up; while
it is away nobody waits for it. A standby follows the deltas of the ring, or takes a whole copy in parts
when the ring starts too late.
"""

from daemons.model.clock import Now
from daemons.model.cluster import Epoch
from daemons.roles.role import Call
from daemons.roles.shard.brok_ring import BrokRing, Formed
from daemons.wire.codec import encode
from daemons.wire.messages import (
    PAGE_BYTES_MAX,
    Copied,
    Delta,
    Fenced,
    Message,
    Replicate,
)

RETRY_S = 2.0  # a sink that failed is tried again after so long
REPLICATE_S = 1.0
COPY_S = 5.0  # one part of a whole copy


class StandbySink:
    """The scheduler that would take over: `Replicate` for each delta, a whole copy when needed."""

    name = "standby"

    def __init__(self, shard: int, epoch: Epoch, ring: BrokRing) -> None:
        """Nobody follows yet."""
        self._shard = shard
        self._epoch = epoch
        self._ring = ring
        self.to = ""
        self.place = ""  # the server that the copy is on
        self.away = True
        self.busy = False
        self.failures = 0
        self.whole_copies = 0
        self._at: int | None = None  # n that it is known to hold, None: needs a whole copy
        self._parts: list[dict[str, bytes]] = []  # of a whole copy; those sent are empty
        self._part = 0  # the next one
        self._parts_of: Formed | None = None  # the delta that the copy is as new as
        self._retry_mono = 0.0

    def turn_to(self, name: str, place: str) -> None:
        """Let `name` follow from here; it runs on the server `place`."""
        self.to, self.place = name, place
        self.away = True
        self.busy = False
        self._at = None
        self._parts = []
        self._retry_mono = 0.0

    def holds(self, n: int) -> bool:
        """Return whether it said that it has everything up to `n`."""
        return self._at == n

    def offer(self, formed: Formed | None, now: Now) -> list[Call]:
        """Return the delta for a standby that has all before it."""
        if not self.to or self.away or self.busy or formed is None or self._at != formed.n - 1:
            return []
        return self._send(formed)

    def repair(self, now: Now) -> list[Call]:
        """Return the next step for a standby that is behind; nothing when it is not, or not yet."""
        if not self._may_repair(now):
            return []
        if self._parts:
            return self._send_part()
        following = self._following()
        return self._send(following) if following is not None else []

    def wants_whole(self, now: Now) -> bool:
        """Return whether only a whole copy helps, and may be begun now."""
        return self._may_repair(now) and not self._parts and self._following() is None

    def begin(self, whole: dict[str, bytes]) -> list[Call]:
        """Begin to send `whole`, everything as of the newest delta: nothing that changed is pending."""
        newest = self._ring.newest
        if newest is None or newest.epoch != self._epoch:
            return []  # the next delta makes the start
        self._parts = cut(whole, PAGE_BYTES_MAX - 100_000)
        self._part, self._parts_of = 0, newest
        self.whole_copies += 1
        return self._send_part()

    def answered(self, call: Call, answer: Message, now: Now) -> Epoch:
        """Take the outcome of one `Replicate`. Returns a higher epoch when told of one, else 0."""
        sent = call.message
        assert isinstance(sent, Replicate)
        if call.to != self.to:
            return 0  # of a former standby
        self.busy = False
        if isinstance(answer, Fenced):
            return answer.highest
        if not isinstance(answer, Copied):
            self.away = True
            self.failures += 1
            self._parts = []
            self._at = None if sent.whole else self._at
            self._retry_mono = now.mono + RETRY_S
            return 0
        if sent.whole and sent.part + 1 < sent.parts:
            return 0
        self._parts = []
        self._take(answer)
        return 0

    def settled(self, n: int) -> bool:
        """Return whether nobody needs to wait for this sink to keep delta `n`."""
        return self.away or (self._at is not None and self._at >= n)

    def give_up(self, now: Now) -> None:
        """Wait no longer for the answer that is under way."""
        self.away = True
        self.failures += 1
        self._retry_mono = now.mono + RETRY_S

    @property
    def confirmed_n(self) -> int:
        """The newest n that the standby said it holds, 0 = none."""
        return self._at or 0

    def _may_repair(self, now: Now) -> bool:
        return bool(self.to) and self.away and not self.busy and now.mono >= self._retry_mono

    def _following(self) -> Formed | None:
        """The delta that comes next for this standby, None when the ring has it no more."""
        return self._ring.after(self._epoch, self._at) if self._at is not None else None

    def _take(self, answer: Copied) -> None:
        if answer.epoch != self._epoch:
            self._at, self.away = None, True
            return
        self._at = answer.n
        newest = self._ring.newest
        self.away = newest is not None and answer.n < newest.n

    def _send(self, formed: Formed) -> list[Call]:
        self.busy = True
        after = formed.n - 1
        message = Replicate(self._shard, self._epoch, formed.n, formed.data, after=after)
        return [Call(self.to, message, REPLICATE_S, lane=f"copy/{self._shard}")]

    def _send_part(self) -> list[Call]:
        """Encode and send the next part: one in an entry, so that the beat is not held up."""
        of, part, parts = self._parts_of, self._part, self._parts
        assert of is not None
        self.busy = True
        self._part += 1
        records, parts[part] = parts[part], {}
        data = encode(Delta(self._shard, self._epoch, of.n, of.wall, records))
        message = Replicate(
            self._shard, self._epoch, of.n, data, whole=True, part=part, parts=len(parts)
        )
        return [Call(self.to, message, COPY_S, lane=f"copy/{self._shard}")]


def cut(records: dict[str, bytes], bytes_max: int) -> list[dict[str, bytes]]:
    """Return `records` in pieces of about `bytes_max` at most; at least one piece."""
    pieces: list[dict[str, bytes]] = [{}]
    size = 0
    for key, value in records.items():
        more = len(key) + len(value) + 12
        if size + more > bytes_max and pieces[-1]:
            pieces.append({})
            size = 0
        pieces[-1][key] = value
        size += more
    return pieces
