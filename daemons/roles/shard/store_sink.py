"""One retention store of a shard, as the journal sees it: what it has, what it still lacks.

The one thing to know: what a store has missed is kept as the bytes of the deltas, newest of each key, so
that it catches up in one save, at exactly the position of the newest delta, whenever it answers. Only a
store that has nothing, or has missed too much, is given everything.
"""

from msgspec import Struct

from daemons.model.clock import Now
from daemons.model.cluster import Epoch
from daemons.roles.role import Call
from daemons.wire.messages import Done, Fenced, Message, Save, Saved
from daemons.wire.stores import Probe

RETRY_S = 2.0  # a store that failed is tried again after so long
WHOLE_AGAIN_S = 5.0  # everything again at most so often, and after failures
WHOLE_AGAIN_S_MAX = 30.0  # less and less: a full store would choke on it
MISSED_MAX = 50_000  # records a store may lack; with more, or a third of the shard, it gets everything
SAVE_S = 5.0  # the stores have their own, shorter time-outs


class Store(Struct, frozen=True):
    """A store that a scheduler has."""

    name: str = ""
    place: str = "store"  # the server that a save survives on; "" = on none
    local: bool = False  # only this server writes it; a standby keeps its copy there


class StoreSink:
    """The saves to one store. At most one is under way."""

    def __init__(self, store: Store, shard: int, epoch: Epoch) -> None:
        """The first save of an epoch is whole: nobody knows what the store has missed."""
        self.store = store
        self.name = store.name
        self.place = store.place
        self.away = False
        self.busy = False
        self.failures = 0
        self.trouble = ""  # why it is away or wants everything again
        self.confirmed_n = 0
        self._shard = shard
        self._epoch = epoch
        self._whole = True
        self._answers = True  # as far as is known: nobody gathers everything for a store that is away
        self._missed: dict[str, bytes | None] = {}  # None: removed
        self._missed_max = MISSED_MAX
        self._sent: dict[str, bytes | None] = {}
        self._retry_mono = 0.0
        self._whole_mono = 0.0
        self._whole_rest_s = RETRY_S

    def wants_whole(self, now: Now) -> bool:
        """Return whether the next save must be of everything, and may be made now."""
        return self._whole and not self.busy and self._answers and now.mono >= self._whole_mono

    def add(self, changed: dict[str, bytes], removed: tuple[str, ...]) -> None:
        """Take what a delta holds; it leaves with the next save."""
        if self._whole:
            return
        self._missed.update(changed)
        self._missed.update(dict.fromkeys(removed))
        if len(self._missed) > self._missed_max:
            self.trouble = self.trouble or f"it lacks more than {self._missed_max} records"
            self._want_whole()

    def save(self, n: int, now: Now) -> list[Call]:
        """Return the save of all that was missed up to delta `n`, or a probe; nothing while it may not be."""
        if self.busy or now.mono < self._retry_mono or self.confirmed_n >= n:
            return []
        if self._whole:
            return [] if self._answers else self._call(Probe(self._shard, self._epoch, self.name))
        self._sent, self._missed = self._missed, {}
        changed = {key: value for key, value in self._sent.items() if value is not None}
        removed = tuple(key for key, value in self._sent.items() if value is None)
        return self._call(
            Save(self._shard, self._epoch, n, changed, removed, store=self.name)
        )

    def save_whole(self, n: int, everything: dict[str, bytes]) -> list[Call]:
        """Return the save of `everything`, which is the shard as of delta `n`. It is not changed again."""
        self._sent, self._missed, self._whole = {}, {}, False
        self._missed_max = min(MISSED_MAX, max(1000, len(everything) // 3))
        return self._call(
            Save(self._shard, self._epoch, n, everything, (), whole=True, store=self.name)
        )

    def answered(self, call: Call, answer: Message, now: Now) -> Epoch:
        """Take the outcome of a save or probe. Returns a higher epoch when the store knows one, else 0."""
        self.busy = False
        if isinstance(answer, Fenced):
            return answer.highest
        if isinstance(answer, (Saved, Done)):
            self._answers = True
        if isinstance(call.message, Save):
            self._saved(call.message, answer, now)
        if not self._answers:
            self._rest(getattr(answer, "why", str(answer)), now)
        return 0

    def settled(self, n: int) -> bool:
        """Return whether nobody needs to wait for this store to keep delta `n`."""
        return self.away or self.confirmed_n >= n

    def give_up(self, now: Now) -> None:
        """Wait no longer for the answer that is under way; what follows is kept for later."""
        self.trouble = self.trouble or "it is slow to answer"
        self.away = True
        self.failures += 1

    @property
    def dirty(self) -> int:
        """How many records it lacks; -1 = all."""
        return -1 if self._whole else len(self._missed) + (len(self._sent) if self.busy else 0)

    def _saved(self, save: Save, answer: Message, now: Now) -> None:
        sent, self._sent = self._sent, {}
        if not isinstance(answer, Saved):
            self._answers = False
            self._whole = self._whole or save.whole
            self._missed = {} if self._whole else sent | self._missed
            if save.whole:
                self._whole_mono = now.mono + self._whole_rest_s
                self._whole_rest_s = min(2 * self._whole_rest_s, WHOLE_AGAIN_S_MAX)
            return
        if answer.failed:  # it came back empty: a delta alone is nothing that a new owner would take up
            self.trouble = "; ".join(answer.failed)
            self.confirmed_n = 0
            self._want_whole()
            return
        self.confirmed_n = save.n
        self.away, self.trouble = False, ""
        if save.whole:
            self._whole_mono = now.mono + WHOLE_AGAIN_S
            self._whole_rest_s = RETRY_S

    def _want_whole(self) -> None:
        """Nobody waits for a store that lacks everything."""
        self._whole, self._missed, self.away = True, {}, True

    def _rest(self, why: str, now: Now) -> None:
        self.away = True
        self.failures += 1
        self.trouble = why
        self._retry_mono = now.mono + RETRY_S

    def _call(self, message: Save | Probe) -> list[Call]:
        self.busy = True
        return [Call("retention", message, SAVE_S, lane=f"save/{self._shard}/{self.name}")]
