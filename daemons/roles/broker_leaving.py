"""Streams that a broker has to give up: it finishes what its modules have, says how far it came, and is done.

The one thing to know: the next broker goes on behind that last word, so a planned change of brokers
neither leaves a line out nor writes one twice. It is not waited for longer than LAST_WORD_S.
"""

from msgspec import Struct

from daemons.model.clock import Now
from daemons.roles.role import Call
from daemons.wire.messages import Broks, Feed, Message, TakeBroks

LAST_WORD_S = 2.0
AGAIN_S = 0.1


class Left(Struct):
    """One stream that is left."""

    position: tuple[int, int] | None  # of the last delta that all modules have
    feed: Feed | None  # they are at it
    until_mono: float
    asking: bool = False
    due_mono: float = 0.0


class LeavingStreams:
    """All streams that are left, by shard."""

    def __init__(self, broker: str, instance: str) -> None:
        """None yet."""
        self._broker = broker
        self._instance = instance
        self._left: dict[int, Left] = {}

    def add(
        self, shard: int, position: tuple[int, int] | None, feed: Feed | None, now: Now
    ) -> None:
        """Leave the stream of `shard`; `feed` is what the modules are storing just now."""
        self._left[shard] = Left(position, feed, now.mono + LAST_WORD_S)

    def drop(self, shard: int) -> None:
        """The stream is ours again."""
        self._left.pop(shard, None)

    def fed(self, feed: Feed) -> None:
        """The modules have stored `feed`."""
        left = self._left.get(feed.shard)
        if left is not None and left.feed is not None:
            left.position, left.feed = (feed.epoch, feed.n), None

    def tick(self, owners: dict[int, str], now: Now) -> list[Call]:
        """Return the last words that are due."""
        calls = []
        for shard, left in list(self._left.items()):
            if now.mono >= left.until_mono or left.position is None:
                del self._left[shard]
                continue
            owner = owners.get(shard, "")
            if left.feed is not None or left.asking or not owner or now.mono < left.due_mono:
                continue
            left.asking = True
            epoch, n = left.position
            word = TakeBroks(
                self._broker, self._instance, shard, True, epoch, n, 0.0, leaving=True
            )
            calls.append(Call(owner, word, timeout_s=1.0, lane=f"leaving/{shard}"))
        return calls

    def answered(self, word: TakeBroks, answer: Message, now: Now) -> None:
        """Be done with a stream whose owner has heard the last word."""
        left = self._left.get(word.shard)
        if left is None:
            return
        left.asking, left.due_mono = False, now.mono + AGAIN_S
        if isinstance(answer, Broks):
            del self._left[word.shard]
