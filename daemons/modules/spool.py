"""The receiver's "spool" service: lines that were accepted and are not yet durable with a scheduler.

One sqlite file, one transaction and one fsync per call however many lines it carries.
"""

import logging
import sqlite3
from pathlib import Path

from daemons.modules.database import opened
from daemons.wire.messages import Done, Failed, Message, Spool, Submitted

log = logging.getLogger(__name__)

LINES_MAX = 200_000  # twice what the role admits: the last line of defence for the disk

SCHEMA = """
CREATE TABLE IF NOT EXISTS lines (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, line TEXT NOT NULL, wall REAL NOT NULL
)
"""


class CommandSpool:
    """Keeps lines in the file `path`, in the order in which they came. One thread at a time."""

    def __init__(self, path: Path, lines_max: int = LINES_MAX) -> None:
        """Open or make the file. Raises OSError. A damaged one is set aside, and said so."""
        self._lines_max = lines_max
        self._connection = opened(path, SCHEMA)

    def load(self) -> tuple[Submitted, ...]:
        """Return every line kept, oldest first."""
        rows = self._connection.execute("SELECT id, line, wall FROM lines ORDER BY seq")
        return tuple(Submitted(*row) for row in rows)

    def apply(self, message: Message) -> Message:
        """Keep and forget lines, on disk when this returns Done. Failed: nothing was changed."""
        assert isinstance(message, Spool)
        try:
            with self._connection as connection:
                connection.executemany(
                    "DELETE FROM lines WHERE id = ?", [(line_id,) for line_id in message.forget]
                )
                (kept,) = connection.execute("SELECT count(*) FROM lines").fetchone()
                if message.items and kept + len(message.items) > self._lines_max:
                    raise sqlite3.DataError(f"more than {self._lines_max} lines")
                connection.executemany(
                    "INSERT OR IGNORE INTO lines (id, line, wall) VALUES (?, ?, ?)",
                    [(item.id, item.line, item.wall) for item in message.items],
                )
        except sqlite3.Error as error:
            return Failed(str(error))
        return Done()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
