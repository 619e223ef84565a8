"""Simple-log: the classic monitoring log, one `[epoch] text` line per log line, rotated daily.

No line is written twice and none is lost, also when the broker is killed at any instant: `flush`
returns the file's inode and size, stored with the position in the stream, and `resume` cuts off what
was written after it, because all of that will come again.
"""

import errno
import logging
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from daemons.modules.api import Mark, Setting
from daemons.wire.messages import Delta, LogLine

log = logging.getLogger(__name__)


class SimpleLog:
    """Appends to `path`; each local day's file moves to `archive_path` before the next day's first line.

    Options as upstream (mod-simple-log): `path`, default `simple.log` in the broker's folder, and
    `archive_path`, a folder, default that of `path`. Archives are named as Nagios names them,
    `simple-MM-DD-YYYY-00.log`, by the day of the file's last line. (Upstream takes the day of one
    hour ago, which is the same at midnight, but a day too late for a log that was quiet for long.)
    """

    states = False

    def __init__(self, setting: Setting) -> None:
        """Open the log. Raises OSError when its folder cannot be made or written."""
        self._daemon = setting.daemon
        self._clock = setting.clock
        self._path = setting.folder / setting.options.get("path", "simple.log")
        self._archive = self._path.parent / setting.options.get("archive_path", "")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._archive.mkdir(parents=True, exist_ok=True)
        self._fd = -1
        self._day = ""  # of the last line in the file
        self._open()

    def take(self, deltas: Sequence[Delta]) -> None:
        """Append the log lines of `deltas`, after moving a former day's file away."""
        self._write([line for delta in deltas for line in delta.logs])

    def gap(self, shard: int) -> None:
        """Append a line that says so: a log with a hole must not look whole."""
        text = (
            f"WARNING: [{self._daemon}] lines of shard {shard} are missing before this one:"
            " the scheduler no longer had them"
        )
        self._write([LogLine(self._clock(), text)])

    def flush(self) -> Mark:
        """Return inode and size once the log is on disk."""
        self._open()
        os.fsync(self._fd)
        stat = os.fstat(self._fd)
        return {"inode": stat.st_ino, "size": stat.st_size}

    def resume(self, mark: Mark | None) -> None:
        """Cut off what was written after `mark`; it comes again.

        The marked file may have been rotated since: then it is found in the archive by its inode,
        and all of the present file is newer than the mark. A file that somebody else put in its place is left alone.
        """
        self._open()
        if mark is None:
            return
        if os.fstat(self._fd).st_ino == mark["inode"]:
            self._cut(self._path, mark["size"])
        elif (archived := self._archived(mark["inode"])) is not None:
            self._cut(archived, mark["size"])
            self._cut(self._path, 0)
        else:
            log.warning(
                "found another file path=%s why=%r", self._path, "moved or replaced by hand"
            )

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # -- the file

    def _open(self) -> None:
        """Open the file if it is not; a rotation that failed half-way left it closed."""
        if self._fd >= 0:
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(self._path, flags, 0o644)
        stat = os.fstat(self._fd)
        self._day = _day(stat.st_mtime if stat.st_size else self._clock())

    def _write(self, lines: list[LogLine]) -> None:
        if not lines:
            return
        self._open()
        self._rotate()
        data = memoryview("".join(map(_formatted, lines)).encode("utf-8", "replace"))
        while data:
            data = data[os.write(self._fd, data) :]

    def _rotate(self) -> None:
        """Start a new file when the day has changed. The old one is never overwritten."""
        today = _day(self._clock())
        if today == self._day:
            return
        if os.fstat(self._fd).st_size:
            self._move_away()
        self.close()
        self._open()
        self._day = today

    def _move_away(self) -> None:
        target = self._free_name()
        try:
            self._path.rename(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.move(self._path, target)  # another file system: not atomic

    def _free_name(self) -> Path:
        base, suffix = self._path.stem, self._path.suffix
        names = (self._archive / f"{base}-{self._day}-{i:02}{suffix}" for i in range(10_000))
        return next(name for name in names if not name.exists())

    def _archived(self, inode: int) -> Path | None:
        found = self._archive.glob(f"{self._path.stem}-*{self._path.suffix}")
        return next((path for path in found if path.stat().st_ino == inode), None)

    def _cut(self, path: Path, size: int) -> None:
        there = path.stat().st_size
        if there > size:
            log.info("cuts log path=%s bytes=%d why=%r", path, there - size, "will be fed again")
            with path.open("r+b") as file:
                file.truncate(size)
                os.fsync(file.fileno())
        elif there < size:
            log.error(
                "lost log lines path=%s bytes=%d why=%r", path, size - there, "file cut short"
            )


def _formatted(line: LogLine) -> str:
    """One line whatever the plugin printed: Nagios writes line ends in a text as `\\n` too."""
    text = line.text.replace("\r\n", "\n").replace("\n", "\\n").replace("\r", "\\r")
    return f"[{int(line.wall)}] {text}\n"


def _day(wall: float) -> str:
    """The local day, as it stands in archive names."""
    return time.strftime("%m-%d-%Y", time.localtime(wall))
