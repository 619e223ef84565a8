"""What a failing broker module has not taken yet, on disk, so that the others need not wait for it.

Bounded: beyond BYTES_MAX the oldest go and the next one is marked as coming after a gap.
"""

from collections.abc import Iterator
from pathlib import Path

from msgspec import msgpack

from daemons.modules.database import opened
from daemons.wire.messages import Feed

BYTES_MAX = 64_000_000  # of one module

SCHEMA = """
CREATE TABLE IF NOT EXISTS feeds (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, module TEXT NOT NULL, shard INTEGER NOT NULL,
    epoch INTEGER NOT NULL, n INTEGER NOT NULL, gap INTEGER NOT NULL, deltas BLOB NOT NULL
)
"""


class Backlog:
    """Feeds by module, oldest first, in the file `path`. One thread at a time."""

    def __init__(self, path: Path, bytes_max: int = BYTES_MAX) -> None:
        """Open or make the file. Raises OSError."""
        self._bytes_max = bytes_max
        self._connection = opened(path, SCHEMA)
        self._bytes: dict[str, int] = dict(
            self._connection.execute("SELECT module, sum(length(deltas)) FROM feeds GROUP BY module")
        )
        self.shed = 0  # feeds that were too many

    def modules(self) -> set[str]:
        """Return the modules that something waits for."""
        return set(self._bytes)

    def reached(self, module: str) -> dict[int, tuple[int, int]]:
        """Return by shard the position of the last delta that waits for `module`."""
        rows = self._connection.execute(
            "SELECT shard, epoch, n FROM feeds WHERE module = ? AND n >= 0 ORDER BY seq", (module,)
        )
        return {shard: (epoch, n) for shard, epoch, n in rows}

    def count(self) -> int:
        """Return how many feeds wait."""
        (count,) = self._connection.execute("SELECT count(*) FROM feeds").fetchone()
        return int(count)

    def add(self, module: str, feed: Feed) -> None:
        """Keep `feed` for `module`, on disk when this returns. Raises sqlite3.Error."""
        data = msgpack.encode(feed.deltas)
        with self._connection as connection:
            connection.execute(
                "INSERT INTO feeds (module, shard, epoch, n, gap, deltas) VALUES (?, ?, ?, ?, ?, ?)",
                (module, feed.shard, feed.epoch, feed.n, feed.gap, data),
            )
        self._bytes[module] = self._bytes.get(module, 0) + len(data)
        while self._bytes[module] > self._bytes_max and self._shed(module):
            self.shed += 1

    def waiting(self, module: str) -> Iterator[tuple[int, Feed]]:
        """Yield what waits for `module`, oldest first, each with the number to `drop` it by."""
        while True:
            row = self._connection.execute(
                "SELECT seq, shard, epoch, n, gap, deltas FROM feeds WHERE module = ?"
                " ORDER BY seq LIMIT 1",
                (module,),
            ).fetchone()
            if row is None:
                self._bytes.pop(module, None)
                return
            seq, shard, epoch, n, gap, data = row
            deltas = msgpack.decode(data, type=tuple[bytes, ...])
            yield seq, Feed(shard, epoch, n, deltas, bool(gap))

    def drop(self, module: str, seq: int) -> None:
        """`module` has taken this one, and said that it is safe. Raises sqlite3.Error."""
        (size,) = self._connection.execute(
            "SELECT length(deltas) FROM feeds WHERE seq = ?", (seq,)
        ).fetchone()
        with self._connection as connection:
            connection.execute("DELETE FROM feeds WHERE seq = ?", (seq,))
        self._bytes[module] = self._bytes.get(module, 0) - size

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _shed(self, module: str) -> bool:
        """Let go of the oldest but never of the last; what follows in its shard is behind a gap."""
        rows = self._connection.execute(
            "SELECT seq, shard FROM feeds WHERE module = ? ORDER BY seq LIMIT 2", (module,)
        ).fetchall()
        if len(rows) < 2:
            return False
        seq, shard = rows[0]
        with self._connection as connection:
            connection.execute(
                "UPDATE feeds SET gap = 1 WHERE seq = (SELECT min(seq) FROM feeds"
                " WHERE module = ? AND shard = ? AND seq > ?)",
                (module, shard, seq),
            )
        self.drop(module, seq)
        return True
