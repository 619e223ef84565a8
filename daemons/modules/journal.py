"""The reactionner's "journal" service: which actions it claimed, and which of them are done.

On disk before a command starts, so that a crash never makes anybody believe it did not.
"""

import sqlite3
from pathlib import Path

from daemons.modules.database import opened
from daemons.wire.messages import ClaimedAction, Done, Failed, Journal, Message

SCHEMA = """
CREATE TABLE IF NOT EXISTS actions (
    id TEXT PRIMARY KEY, shard INTEGER NOT NULL, state TEXT NOT NULL, epoch INTEGER NOT NULL,
    code INTEGER NOT NULL, tagged INTEGER NOT NULL
) WITHOUT ROWID
"""


class ActionJournal:
    """Keeps journal entries in the file `path`. The role bounds it by what it forgets."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises OSError. A damaged one is set aside, and said so."""
        self._connection = opened(path, SCHEMA)

    def load(self) -> dict[int, tuple[ClaimedAction, ...]]:
        """Return every entry, by shard."""
        entries: dict[int, list[ClaimedAction]] = {}
        rows = self._connection.execute(
            "SELECT shard, id, state, epoch, code, tagged FROM actions ORDER BY shard, id"
        )
        for shard, action_id, state, epoch, code, tagged in rows:
            entry = ClaimedAction(action_id, state, epoch, code, bool(tagged))
            entries.setdefault(shard, []).append(entry)
        return {shard: tuple(found) for shard, found in entries.items()}

    def apply(self, message: Message) -> Message:
        """Keep and forget entries, on disk when this returns Done. Failed: nothing was changed."""
        assert isinstance(message, Journal)
        try:
            with self._connection as connection:
                connection.executemany(
                    "DELETE FROM actions WHERE id = ?", [(gone,) for gone in message.forget]
                )
                connection.executemany(
                    "INSERT OR REPLACE INTO actions (id, shard, state, epoch, code, tagged)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        (
                            entry.id,
                            message.shard,
                            entry.state,
                            entry.epoch,
                            entry.code,
                            entry.tagged,
                        )
                        for entry in message.entries
                    ],
                )
        except sqlite3.Error as error:
            return Failed(str(error))
        return Done()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
