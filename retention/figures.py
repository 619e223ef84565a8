"""What a store counts of itself, for status and console. Written by its worker, read by anyone."""

from collections.abc import Mapping

from retention.api import Clock, Health


class Figures:
    """Counters of one store. Plain attributes: a reader may see one figure a moment older."""

    def __init__(self, name: str, clock: Clock) -> None:
        """Start at nothing saved; `name` is the store's, as an operator knows it."""
        self.name = name
        self.records: dict[str, int] = {}  # by shard, as of its last save or load
        self.dirty: dict[str, int] = {}  # by shard, records of the save that failed last
        self.saves = 0
        self.failed = 0
        self.missing = 0
        self.corrupt = 0
        self.trouble = ""  # why the last call failed; "" after a good one
        self.warning = ""  # works, but someone should look: evictions, a file moved aside
        self.rests_s = 0.0  # an open breaker's
        self._clock = clock
        self._saved_at: float | None = None

    def saved(self, shard: str, records: int) -> None:
        """Count a save after which `shard` has `records`."""
        self.saves += 1
        self.records[shard] = records
        self.dirty.pop(shard, None)
        self.trouble = ""
        self._saved_at = self._clock()

    def loaded(self, shard: str, records: int, missing: int, corrupt: int) -> None:
        """Count a load of `shard` and what it did not find."""
        self.records[shard] = records
        self.missing += missing
        self.corrupt += corrupt
        self.trouble = ""

    def unavailable(self, why: str, unsaved: Mapping[str, int]) -> None:
        """Count a call that failed; `unsaved`: how many records of which shard it held."""
        self.failed += 1
        self.trouble = why
        self.dirty.update(unsaved)  # not added up: the next save holds these records again

    def health(self) -> Health:
        """Return the figures as they stand."""
        at = self._saved_at
        return Health(
            name=self.name,
            ok=not (self.trouble or self.warning),
            why=self.trouble or self.warning or "answers",
            saved=sum(list(self.records.values())),
            dirty=sum(list(self.dirty.values())),
            saves=self.saves,
            failed=self.failed,
            missing=self.missing,
            corrupt=self.corrupt,
            last_saved_age_s=None if at is None else max(0.0, self._clock() - at),
            rests_s=self.rests_s,
        )
