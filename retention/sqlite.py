"""Retention in a local file: the default, for a server without memcached and as a second copy.

A save is one transaction, on the disk when it returns (WAL, synchronous FULL; not for a network
file system). The fence is in the same transaction, so it also holds between two processes that
share the file by mistake.

A damaged file is moved aside, never deleted, and a new one begun: then loads answer with nothing
found and a note, and the first whole save makes all good.
"""

import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar
from urllib.parse import quote

from retention.api import (
    Clock,
    Health,
    Loaded,
    Records,
    Saved,
    Seen,
    Unavailable,
    admitted,
    check_save,
    shortened,
)
from retention.figures import Figures

TIMEOUT_S = 0.5  # for another process to end its transaction
APPLICATION_ID = 0x73685274  # "shRt", in the file's header
SCHEMA_VERSION = 1
ASIDE_MAX = 3  # damaged files kept; a failing disk shall not fill itself with them
WAL_BYTES = 64 * 1024 * 1024  # kept on disk after a checkpoint

SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS shard (
    id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL,
    epoch TEXT NOT NULL, n TEXT NOT NULL,  -- 2**63 does not fit an INTEGER
    partial INTEGER NOT NULL, records INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS record (
    shard INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (shard, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS saved (shard INTEGER PRIMARY KEY, wall REAL NOT NULL);  -- shown only
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

T = TypeVar("T")


class Damaged(Exception):
    """The file is no database, broken, or of a release that we do not know."""


class SqliteRetention:
    """Keeps shards in the file at `path`, opened at the first call and kept open."""

    def __init__(
        self,
        path: str,
        timeout_s: float = TIMEOUT_S,
        clock: Clock = time.monotonic,
        *,
        read_only: bool = False,
    ) -> None:
        """Touch nothing yet: a daemon starts also when its disk is broken.

        `read_only`: for a tool that looks at the file of a running daemon; a damaged one stays.
        """
        self._path = path
        self._read_only = read_only
        self._timeout_s = timeout_s
        self._figures = Figures(f"sqlite {path}", clock)
        self._db: sqlite3.Connection | None = None
        self._inode = 0  # of the file that is open
        self._aside = ""  # what happened to a damaged file, until the shard is saved whole
        self._lock = threading.Lock()

    def load(self, shard: str) -> Loaded | None:
        """See retention.api."""
        with self._lock:
            loaded = self._guarded(f"load of {shard}", shard, 0, lambda db: self._load(db, shard))
            if loaded is not None:
                count = len(loaded.records)
                self._figures.loaded(shard, count, loaded.missing, loaded.corrupt)
            return loaded

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

        def save(db: sqlite3.Connection) -> tuple[Saved, int]:
            with _transaction(db):
                return _save(db, shard, epoch, n, changed, removed, whole)

        with self._lock:
            unsaved = len(changed) + len(removed)
            saved, count = self._guarded(f"save of {shard}", shard, unsaved, save)
            self._figures.saved(shard, count)
            if whole:
                self._aside = self._figures.warning = ""
            return saved

    def look(self, shard: str) -> Seen | None:
        """See retention.api."""
        with self._lock:
            return self._guarded(f"look at {shard}", shard, 0, lambda db: _seen(db, shard))

    def shards(self) -> list[str]:
        """Return the names of all shards in the file. Raises Unavailable."""

        def names(db: sqlite3.Connection) -> list[str]:
            return [str(name) for (name,) in db.execute("SELECT name FROM shard ORDER BY name")]

        with self._lock:
            return self._guarded("list of shards", "", 0, names)

    def health(self) -> Health:
        """See retention.api."""
        return self._figures.health()

    def close(self) -> None:
        """See retention.api."""
        with self._lock:
            self._close()

    def _load(self, db: sqlite3.Connection, shard: str) -> Loaded | None:
        """Read the shard in one transaction; rows whose checksum is wrong are left out."""
        with _transaction(db, "DEFERRED"):
            row = db.execute("SELECT * FROM shard WHERE name = ?", (shard,)).fetchone()
            if row is None:
                if not self._aside:
                    return None
                return Loaded({}, 0, 0, corrupt=1, notes=(self._aside,))
            records: dict[str, bytes] = {}
            notes = []
            rows = db.execute("SELECT key, value, crc FROM record WHERE shard = ?", (row[0],))
            for key, value, crc in rows:
                if _sound(key, value, crc):
                    records[key.decode()] = value
                else:
                    notes.append(f"{shard}: record {key!r:.80} is corrupt")
        (epoch, n), partial = _position(row[2], row[3]), bool(row[4])
        return Loaded(
            records, epoch, n, corrupt=len(notes), notes=shortened(notes), partial=partial
        )

    # ------------------------------------------------------------------ the file

    def _guarded(
        self, what: str, shard: str, unsaved: int, call: Callable[[sqlite3.Connection], T]
    ) -> T:
        """Return what `call` returns on the open file, which is moved aside if damaged."""
        try:
            try:
                return call(self._opened())
            except (sqlite3.DatabaseError, Damaged) as error:
                self._close()
                if self._read_only or not _is_damage(error):
                    raise
                self._move_aside(str(error))
                return call(self._opened())
        except (OSError, sqlite3.Error, Damaged) as error:
            self._close()
            why = f"{self._path}: {error}"
            self._figures.unavailable(why, {shard: unsaved} if unsaved else {})
            raise Unavailable(f"{what}: {why}") from error

    def _opened(self) -> sqlite3.Connection:
        """The open database; opened again if the file was moved or deleted under us."""
        if self._db is not None:
            with suppress(FileNotFoundError):
                if os.stat(self._path).st_ino == self._inode:
                    return self._db
            self._close()
        if self._read_only:
            return self._open_read_only()
        os.makedirs(os.path.dirname(self._path) or ".", mode=0o700, exist_ok=True)
        return self._open()

    def _open_read_only(self) -> sqlite3.Connection:
        """Open and check the file as it is. Raises Damaged, sqlite3.Error, OSError."""
        self._inode = os.stat(self._path).st_ino
        uri = f"file:{quote(os.path.abspath(self._path))}?mode=ro"
        db = self._db = sqlite3.connect(
            uri, uri=True, timeout=self._timeout_s, isolation_level=None, check_same_thread=False
        )
        _check(db, self._path)
        return db

    def _open(self) -> sqlite3.Connection:
        """Open and check the file, made with mode 0600. Raises Damaged, sqlite3.Error, OSError."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            self._inode = os.fstat(descriptor).st_ino
        finally:
            os.close(descriptor)
        db = self._db = sqlite3.connect(
            self._path, timeout=self._timeout_s, isolation_level=None, check_same_thread=False
        )
        _check(db, self._path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        db.executescript(SCHEMA)
        return db

    def _close(self) -> None:
        """Close the file; what cannot be closed is let go."""
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()

    def _move_aside(self, why: str) -> None:
        """Rename the file and its journal, and remember why, to be told with the next load."""
        number = 1
        while number < ASIDE_MAX and os.path.exists(f"{self._path}.corrupt-{number}"):
            number += 1
        aside = f"{self._path}.corrupt-{number}"
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.remove(aside + suffix)
            with suppress(FileNotFoundError):
                os.replace(self._path + suffix, aside + suffix)
        self._aside = f"{self._path} was damaged ({why}) and moved to {aside}"
        self._figures.warning = self._aside
        self._figures.corrupt += 1


def _check(db: sqlite3.Connection, path: str) -> None:
    """Raise Damaged unless the file is new or a sound one of ours.

    Another program's database is its own: sqlite3.OperationalError, and it stays where it is.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and tables:
        raise sqlite3.OperationalError(f"{path} is the database of another program")
    if tables and version != SCHEMA_VERSION:
        raise Damaged(f"schema version {version}, this release reads {SCHEMA_VERSION}")
    (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise Damaged(str(found))


def _save(
    db: sqlite3.Connection,
    shard: str,
    epoch: int,
    n: int,
    changed: Records,
    removed: Collection[str],
    whole: bool,
) -> tuple[Saved, int]:
    """Do the save within the transaction; return it and how many records the shard has."""
    row = db.execute("SELECT * FROM shard WHERE name = ?", (shard,)).fetchone()
    if row is None:
        db.execute("INSERT INTO shard VALUES (NULL, ?, ?, ?, 1, 0)", (shard, str(epoch), str(n)))
        row = db.execute("SELECT * FROM shard WHERE name = ?", (shard,)).fetchone()
    id_, _, held_epoch, held_n, partial, count = row
    held = _position(held_epoch, held_n)
    if admitted(shard, held, epoch, n):
        held = epoch, n
        partial = partial and not whole
        if whole:
            db.execute("DELETE FROM record WHERE shard = ?", (id_,))
            count = 0
        rows = _rows(id_, changed)
        added = db.executemany("INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?)", rows).rowcount
        count += max(0, added)
        if not whole:
            count -= _amend(db, id_, changed, removed)
        db.execute(
            "UPDATE shard SET epoch = ?, n = ?, partial = ?, records = ? WHERE id = ?",
            (str(epoch), str(n), int(partial), count, id_),
        )
        db.execute("INSERT OR REPLACE INTO saved VALUES (?, ?)", (id_, time.time()))
    return Saved(*held, bool(partial)), count


def _seen(db: sqlite3.Connection, shard: str) -> Seen | None:
    """See api.look. A file of an earlier release has no times."""
    row = db.execute("SELECT * FROM shard WHERE name = ?", (shard,)).fetchone()
    if row is None:
        return None
    wall = 0.0
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'saved'").fetchone():
        found = db.execute("SELECT wall FROM saved WHERE shard = ?", (row[0],)).fetchone()
        wall = float(found[0]) if found and isinstance(found[0], float) else 0.0
    epoch, n = _position(row[2], row[3])
    return Seen(epoch, n, records=row[5], saved_wall=wall, partial=bool(row[4]))


def _amend(db: sqlite3.Connection, id_: int, changed: Records, removed: Collection[str]) -> int:
    """Set the records that were there before, drop `removed`; return how many went."""
    db.executemany(
        "UPDATE record SET value = ?3, crc = ?4 WHERE shard = ?1 AND key = ?2", _rows(id_, changed)
    )
    gone = [(id_, key.encode()) for key in removed]
    return max(0, db.executemany("DELETE FROM record WHERE shard = ? AND key = ?", gone).rowcount)


def _position(epoch: str, n: str) -> tuple[int, int]:
    """The position in a row of the table `shard`. Raises Damaged."""
    try:
        return int(epoch), int(n)
    except ValueError as error:
        raise Damaged(f"position ({epoch}, {n})") from error


def _rows(shard: int, records: Records) -> Iterator[tuple[int, bytes, bytes, int]]:
    """Rows of the table `record`."""
    for key, value in records.items():
        name = key.encode()
        yield shard, name, value, _crc(name, value)


def _sound(key: object, value: object, crc: object) -> bool:
    """Whether a row of the table `record` is as we wrote it; sqlite lets any column hold anything."""
    if not (isinstance(key, bytes) and isinstance(value, bytes)) or _crc(key, value) != crc:
        return False
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True


def _crc(key: bytes, value: bytes) -> int:
    """Checksum of a record; over the key too, so that no value passes for another's."""
    return zlib.crc32(value, zlib.crc32(key))


@contextmanager
def _transaction(db: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """Everything within, or nothing of it."""
    db.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has rolled back already
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _is_damage(error: Exception) -> bool:
    """Whether the file itself is broken, as against locked, full or not to be written."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    broken = code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return broken or isinstance(error, Damaged)
