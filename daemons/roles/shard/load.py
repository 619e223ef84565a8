"""What the stores have of a shard that is being taken over: all are asked at once, the newest complete one wins.

The one thing to know: who has a copy asks only for what is newer than it, and no store of its own server,
whose contents were in its memory before they came there; so a warm take-over reads no records at all.
"""

from daemons.model.clock import Now
from daemons.model.cluster import Epoch
from daemons.roles.role import Call
from daemons.roles.shard.store_sink import Store
from daemons.wire.messages import Load, Message, Restored

LOAD_S = 3.0
WAIT_S = 3.0  # a store that is silent for so long is left out, if there is anything without it
WAIT_S_MAX = 20.0  # and in any case
LOADS_MAX = 2  # attempts when no store answered and there is no copy


class Loading:
    """The stores of one take-over, and what they answered."""

    def __init__(self, shard: int, stores: tuple[Store, ...], copied: tuple[Epoch, int]) -> None:
        """`copied` is the position of our own copy, (0, 0) without one."""
        self._shard = shard
        self._copied = copied
        self._stores = tuple(s.name for s in stores if not (s.local and copied[0]))
        self._found: dict[str, Restored] = {}
        self._failed: dict[str, str] = {}
        self._loads = 0
        self._asked_mono = 0.0

    def tick(self, now: Now) -> list[Call]:
        """Return the questions that are due: once, and once more when nobody answered and nobody else knows."""
        mute = bool(self._stores) and len(self._failed) == len(self._stores) and not self._copied[0]
        if self._loads and not (mute and self._loads < LOADS_MAX):
            return []
        self._loads += 1
        self._failed = {}
        self._asked_mono = now.mono
        loads = (Load(self._shard, name, *self._copied) for name in self._stores)
        return [Call("retention", load, LOAD_S, f"load/{self._shard}/{load.store}") for load in loads]

    def answered(self, load: Load, answer: Message) -> None:
        """Take what one store has, or why it does not say."""
        if load.store not in self._stores:
            return
        if isinstance(answer, Restored):
            self._found[load.store] = answer
        else:
            self._failed[load.store] = getattr(answer, "why", type(answer).__name__)

    def ready(self, now: Now) -> bool:
        """Return whether all that can be known is known."""
        if not self._loads:
            return False
        silent = len(self._stores) - len(self._found.keys() | self._failed.keys())
        if not silent:
            return bool(self._found or self._copied[0] or not self._stores or self._loads >= LOADS_MAX)
        waited_s = now.mono - self._asked_mono
        something = self._copied[0] or any(_complete(r) and r.found for r in self._found.values())
        return waited_s >= (WAIT_S if something else WAIT_S_MAX)

    def restored(self) -> Restored:
        """Return everything together."""
        notes = [f"{name}: {why}" for name, why in sorted(self._failed.items())]
        notes += [
            f"{name} did not answer in time"
            for name in self._stores
            if name not in self._found and name not in self._failed
        ]
        if self._stores and not self._found and not self._copied[0]:
            return Restored(self._shard, False, {}, 0, 0, missing=1, notes=tuple(notes))
        found = [(name, r) for name, r in sorted(self._found.items()) if r.found]
        unread = len(self._stores) - len(self._found)
        if not found:
            return Restored(
                self._shard, False, {}, 0, 0,
                notes=tuple(notes), stores=len(self._found), unread=unread,
            )  # fmt: skip
        return joined(self._shard, found, notes, len(self._found), unread)


def joined(
    shard: int,
    found: list[tuple[str, Restored]],
    notes: list[str],
    answered: int,
    unread: int = 0,
) -> Restored:
    """Return the newest complete copy, and over it what newer ones with holes have.

    One that has only deltas (its store came back empty) is newest and next to nothing, and what it has
    does not go together with older records: it counts when there is nothing else, and has no position.
    """
    whole = [pair for pair in found if not pair[1].partial]
    chosen = sorted(whole or found, key=lambda pair: (pair[1].epoch, pair[1].n, _complete(pair[1])))
    first = max((i for i, (_, copy) in enumerate(chosen) if _complete(copy)), default=0)
    records: dict[str, bytes] = {}
    for name, copy in chosen[first:]:
        records = {**records, **copy.records} if records else copy.records
        notes = [*notes, *(f"{name}: {note}" for note in copy.notes)]
        if copy.missing and not copy.notes:
            notes.append(f"{name}: {copy.missing} records are lost")
    newest = chosen[-1][1]
    lost = 0 if _complete(newest) else max(1, newest.missing)
    epoch, n = (newest.epoch, newest.n) if whole else (0, 0)
    return Restored(
        shard, True, records, epoch, n, lost, tuple(notes), answered, unread=unread
    )  # fmt: skip


def _complete(copy: Restored) -> bool:
    return not (copy.missing or copy.partial)
