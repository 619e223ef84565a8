"""How the spool and the journal keep their sqlite files: write-ahead log, fsync at every commit."""

import logging
import sqlite3
from pathlib import Path

log = logging.getLogger(__name__)

BUSY_S = 5.0


def opened(path: Path, schema: str) -> sqlite3.Connection:
    """Return a connection to `path`, made with `schema` if it was not there. Raises OSError.

    A file that sqlite cannot read is moved aside and a new one begun: a daemon that never starts
    again would lose more. For one thread at a time; which one may change.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _connected(path, schema)
    except sqlite3.OperationalError as error:  # disk full, no right to write: not the file's fault
        raise OSError(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        log.error("set aside damaged file=%s why=%r", path, str(error))
        _set_aside(path)
    try:
        return _connected(path, schema)
    except sqlite3.Error as error:
        raise OSError(f"{path}: {error}") from error


def _connected(path: Path, schema: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        with connection:
            connection.execute(schema)
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    if verdict != "ok":
        connection.close()
        raise sqlite3.DatabaseError(verdict)
    return connection


def _set_aside(path: Path) -> None:
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(target)
    for suffix in ("-wal", "-shm"):  # they belong to the file that was moved
        path.with_name(path.name + suffix).unlink(missing_ok=True)
