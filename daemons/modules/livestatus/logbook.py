"""The log lines behind the table `log`: in sqlite, found by time and by host; taken apart when they are read.

The one thing to know: a line is named by where it stands in its shard's stream (shard, epoch, n, place), so lines that
come again after a restart are not there twice, and nothing is kept in memory.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from daemons.wire.messages import Delta

INFO, ALERT, PROGRAM, NOTIFICATION, PASSIVE, COMMAND, STATE = range(7)
_HOST_STATES = {"UP": 0, "RECOVERY": 0, "OK": 0, "DOWN": 1, "UNREACHABLE": 2}
_SERVICE_STATES = {"OK": 0, "RECOVERY": 0, "UP": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS lines (
    shard INTEGER, epoch INTEGER, n INTEGER, place INTEGER, time INTEGER, class INTEGER, host TEXT, text TEXT,
    PRIMARY KEY (shard, epoch, n, place)
);
CREATE INDEX IF NOT EXISTS by_time ON lines (time);
CREATE INDEX IF NOT EXISTS by_class ON lines (class, time);
CREATE INDEX IF NOT EXISTS by_host ON lines (host, time);
"""


class Line(Struct):
    """One log line, taken apart as Livestatus shows it."""

    time: int
    lineno: int
    text: str
    type: str = ""
    options: str = ""
    kind: int = INFO  # the column class
    host: str = ""
    service: str = ""
    state: int = 0
    state_type: str = ""
    attempt: int = 0
    output: str = ""
    comment: str = ""
    contact: str = ""
    command: str = ""

    @property
    def key(self) -> str:
        """Of the host or service it is about."""
        return f"{self.host};{self.service}" if self.service else self.host

    @property
    def message(self) -> str:
        """The line as a log file has it."""
        return f"[{self.time}] {self.text}"


class Wanted(Struct):
    """What a query says of the lines it can use at most; None = everything."""

    first: int | None = None
    last: int | None = None
    host: str | None = None
    kind: int | None = None


def taken_apart(time: int, lineno: int, text: str) -> Line:
    """Return `text` as a line with its fields; a text of no known form is information."""
    kind, colon, options = text.partition(": ")
    line = Line(time, lineno, text)
    if not colon or kind != kind.upper():
        line.kind = PROGRAM if _of_program(text) else INFO
        return line
    line.type, line.options = kind, options
    fields = options.split(";")
    for words, read in _FORMS:
        if kind.endswith(words):
            read(line, fields)
            return line
    line.kind = INFO
    return line


def _of_program(text: str) -> bool:
    words = ("starting", "restarting", "shutting down", "active mode", "standby mode", "LOG VERSION", "LOG ROTATION")
    return any(word in text for word in words)


def _object(line: Line, fields: Sequence[str], at: int = 0) -> list[str]:
    """Read host and, in lines about services, service; return the fields after them."""
    service = "SERVICE" in line.type
    line.host = fields[at] if len(fields) > at else ""
    line.service = fields[at + 1] if service and len(fields) > at + 1 else ""
    return [*fields[at + 1 + service :], "", "", "", ""]


def _state(line: Line, word: str) -> int:
    inner = word.partition("(")[2].rstrip(")") or word
    return (_SERVICE_STATES if line.service else _HOST_STATES).get(inner, 0)


def _alert(line: Line, fields: Sequence[str]) -> None:
    line.kind = ALERT if "ALERT" in line.type else INFO if "HANDLER" in line.type else STATE
    state, line.state_type, attempt, *rest = _object(line, fields)
    line.state = _state(line, state)
    line.attempt = int(attempt) if attempt.isascii() and attempt.isdecimal() and len(attempt) < 10 else 0
    said = ";".join(rest[:-4] if len(rest) > 4 else rest).rstrip(";")
    if "HANDLER" in line.type:
        line.command = said
    else:
        line.output = said


def _started(line: Line, fields: Sequence[str]) -> None:
    line.kind = ALERT
    line.state_type, *rest = _object(line, fields)
    if line.type.startswith("CONTACT"):
        line.contact, line.host = line.host, ""
    line.comment = ";".join(rest).strip("; ")


def _notification(line: Line, fields: Sequence[str]) -> None:
    line.kind = NOTIFICATION
    line.contact = fields[0]
    line.state_type, line.command, *rest = _object(line, fields, 1)
    line.state = _state(line, line.state_type)
    line.output = ";".join(rest).rstrip(";")


def _passive(line: Line, fields: Sequence[str]) -> None:
    line.kind = PASSIVE
    code, *rest = _object(line, fields)
    line.state = int(code) if code.isascii() and code.isdecimal() and len(code) < 10 else 0
    line.output = ";".join(rest).rstrip(";")


def _command(line: Line, fields: Sequence[str]) -> None:
    line.kind = COMMAND


_FORMS: tuple[tuple[str, Callable[[Line, Sequence[str]], None]], ...] = (
    ("DOWNTIME ALERT", _started),
    ("FLAPPING ALERT", _started),
    (" ALERT", _alert),
    (" EVENT HANDLER", _alert),
    (" STATE", _alert),
    ("NOTIFICATION", _notification),
    ("PASSIVE SERVICE CHECK", _passive),
    ("PASSIVE HOST CHECK", _passive),
    ("EXTERNAL COMMAND", _command),
)


class LogBook:
    """The lines, in the file `path`; used by one thread at a time."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        """Open or make the file. Raises sqlite3.Error."""
        self._db = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def take(self, deltas: Sequence[Delta]) -> None:
        """Add the lines of `deltas`; those that are here already are left. Raises sqlite3.Error."""
        rows = [
            (delta.shard, delta.epoch, delta.n, place, int(line.wall), of.kind, of.host, line.text)
            for delta in deltas
            for place, line in enumerate(delta.logs)
            for of in (taken_apart(0, 0, line.text),)
        ]
        if rows:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR IGNORE INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._db.execute("COMMIT")

    def lines(self, wanted: Wanted) -> Iterator[Line]:
        """Return the lines that may be wanted, newest first."""
        tests = [
            (text, value)
            for text, value in (
                ("time >= ?", wanted.first),
                ("time <= ?", wanted.last),
                ("host = ?", wanted.host),
                ("class = ?", wanted.kind),
            )
            if value is not None
        ]
        where = " AND ".join(text for text, _ in tests) or "1"
        found = self._db.execute(
            f"SELECT time, rowid, text FROM lines WHERE {where} ORDER BY time DESC, rowid DESC",
            [value for _, value in tests],
        )
        return (taken_apart(time, lineno, text) for time, lineno, text in found)

    def forget(self, before: int) -> None:
        """Drop the lines of before that time. Raises sqlite3.Error."""
        self._db.execute("DELETE FROM lines WHERE time < ?", (before,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
