"""Retention that dies with the process: for tests, the simulator and a first try-out."""

import threading
import time
from collections.abc import Collection

from msgspec import Struct

from retention.api import Clock, Health, Loaded, Records, Saved, Seen, admitted, check_save
from retention.figures import Figures


class Kept(Struct):
    """One shard as it was last saved."""

    records: dict[str, bytes]
    epoch: int
    n: int
    partial: bool


class MemoryRetention:
    """Keeps shards in a dict; stores that are handed the same dict are one store."""

    def __init__(self, kept: dict[str, Kept] | None = None, clock: Clock = time.monotonic) -> None:
        """Start with `kept`, or empty."""
        self._kept = {} if kept is None else kept
        self._figures = Figures("memory", clock)
        self._lock = threading.Lock()

    def load(self, shard: str) -> Loaded | None:
        """See retention.api."""
        with self._lock:
            kept = self._kept.get(shard)
            if kept is None:
                return None
            self._figures.loaded(shard, len(kept.records), 0, 0)
            return Loaded(dict(kept.records), kept.epoch, kept.n, partial=kept.partial)

    def save(
        self,
        shard: str,
        epoch: int,
        n: int,
        changed: Records,
        removed: Collection[str],
        whole: bool = False,
    ) -> Saved:
        """See retention.api."""
        check_save(shard, epoch, n, changed)
        with self._lock:
            kept = self._kept.get(shard) or Kept({}, epoch, n, partial=True)
            if admitted(shard, (kept.epoch, kept.n), epoch, n):
                records = {} if whole else dict(kept.records)
                records.update(changed)
                for key in () if whole else removed:
                    records.pop(key, None)
                kept = Kept(records, epoch, n, kept.partial and not whole)
                self._kept[shard] = kept
            self._figures.saved(shard, len(kept.records))
            return Saved(kept.epoch, kept.n, kept.partial)

    def look(self, shard: str) -> Seen | None:
        """See retention.api."""
        with self._lock:
            kept = self._kept.get(shard)
            if kept is None:
                return None
            return Seen(kept.epoch, kept.n, records=len(kept.records), partial=kept.partial)

    def health(self) -> Health:
        """See retention.api."""
        return self._figures.health()

    def close(self) -> None:
        """See retention.api; what was saved stays until the process ends."""
