"""Retention: where a scheduler's memory outlives the scheduler. Stores know only bytes.

A shard has one ordered stream of saves, each at a position `(epoch, n)` that only grows. An epoch
lower than the highest seen is refused (`Stale`): who sends it no longer owns the shard. What holds
of every store:

- a save happens whole or not at all, and repeating it changes nothing;
- a save of this epoch with a lower `n` than the store holds is a late repeat: it is ignored, and
  the answer names the position held;
- after `Unavailable` nobody knows whether the save was done, so the next one must hold its records
  too (coalesced, with a higher `n`), or be a whole one;
- what a store has lost is counted and named, never silently left out.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from msgspec import Struct

Records = Mapping[str, bytes]  # "host/web1" or "service/web1/http" -> encoded status
Clock = Callable[[], float]  # seconds, only ever compared with each other

POSITION_MAX = 2**63  # of an epoch and of n
RECORD_BYTES_MAX = 8 * 1024 * 1024
NOTES_MAX = 20  # a store that lost everything must not fill the log with it


class Loaded(Struct, frozen=True):
    """What was found. Counts are of records, at most: a lost page does not say what was in it."""

    records: dict[str, bytes]
    epoch: int
    n: int
    missing: int = 0  # saved, and gone since (evicted)
    corrupt: int = 0  # there, but damaged or not ours
    notes: tuple[str, ...] = ()  # what was lost, in an operator's words
    partial: bool = False  # deltas only: nobody has saved the shard whole since it was empty

    @property
    def complete(self) -> bool:
        """True when every record that the shard had at `(epoch, n)` is in `records`."""
        return not (self.missing or self.corrupt or self.partial)


class Seen(Struct, frozen=True):
    """A shard as its store describes it, its records unread."""

    epoch: int
    n: int
    records: int = 0
    pages: int = 0  # 0: this store keeps records one by one
    deltas: int = 0
    bytes: int = 0  # as stored; 0: not known
    saved_wall: float = 0.0  # when, by the writer's clock; 0: not known. Shown, never compared
    partial: bool = False
    damage: str = ""  # why nothing more can be said


class Saved(Struct, frozen=True):
    """The position that the store holds now."""

    epoch: int
    n: int
    partial: bool = False  # the store does not know every record: save whole when you can


class Health(Struct, frozen=True):
    """A store as an operator sees it."""

    name: str  # kind and place, as "memcached 10.0.0.5:11211"
    ok: bool
    why: str  # a sentence, also when all is well
    saved: int = 0  # records held, as far as this process knows
    dirty: int = 0  # records that wait: those of the last save, if it failed
    saves: int = 0  # that succeeded
    failed: int = 0  # loads and saves that ended Unavailable
    missing: int = 0  # records found lost, by loads and by checking saves
    corrupt: int = 0  # records found damaged or foreign
    last_saved_age_s: float | None = None  # None: nothing saved by this process
    rests_s: float = 0.0  # the breaker is open: not asked for so long


class Stale(Exception):
    """A higher epoch has saved this shard: the caller no longer owns it."""

    def __init__(self, why: str, highest: int) -> None:
        """`highest` is the epoch that fences the caller."""
        super().__init__(why)
        self.highest = highest


class Unavailable(Exception):
    """The store is away, slow, or refused. A save that ended so may have been done."""


class Retention(Protocol):
    """One store. Methods may be called from any thread; each waits for the one before."""

    def load(self, shard: str) -> Loaded | None:
        """Return the newest save of `shard`, None if nothing was ever saved. Raises Unavailable."""

    def save(
        self,
        shard: str,
        epoch: int,
        n: int,
        changed: Records,
        removed: Collection[str],
        whole: bool = False,
    ) -> Saved:
        """Keep `changed`, forget `removed`; `whole`: `changed` is everything, replace.

        Raises Stale, Unavailable; ValueError for what no store takes (see `check_save`).
        """

    def look(self, shard: str) -> Seen | None:
        """Return where `shard` stands without reading it, None like `load`. Raises Unavailable."""

    def health(self) -> Health:
        """Return what is known now. Never waits for the store."""

    def close(self) -> None:
        """Let go of files and connections; a later call opens them again."""


def check_save(shard: str, epoch: int, n: int, changed: Records) -> None:
    """Raise ValueError for a save that is wrong whatever the store: the caller's mistake."""
    if not shard or not shard.isascii():
        raise ValueError(f"a shard's name is ASCII and not empty: {shard!r}")
    if not (0 <= epoch <= POSITION_MAX and 0 <= n <= POSITION_MAX):
        raise ValueError(f"position ({epoch}, {n}) is not within 0..2**63")
    for key, value in changed.items():
        if len(value) > RECORD_BYTES_MAX:
            raise ValueError(
                f"record {key[:80]!r} is {len(value)} bytes, {RECORD_BYTES_MAX} at most"
            )


def admitted(shard: str, held: tuple[int, int], epoch: int, n: int) -> bool:
    """Return whether a save at `(epoch, n)` counts where `held` is; False: a late repeat.

    An equal position counts: it is the same save again, or the same position saved whole. Raises
    Stale when the epoch held is higher.
    """
    if held[0] > epoch:
        raise Stale(f"{shard} was saved at epoch {held[0]}, ours is {epoch}", held[0])
    return held <= (epoch, n)


def shortened(notes: Collection[str]) -> tuple[str, ...]:
    """Return `notes`, at most NOTES_MAX of them and how many more there were."""
    kept = tuple(notes)
    if len(kept) <= NOTES_MAX:
        return kept
    return (*kept[:NOTES_MAX], f"and {len(kept) - NOTES_MAX} more")
