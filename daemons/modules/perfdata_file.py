"""Perfdata files: a line for each result of hosts or services, made by the template of the main file.

The one thing to know: the lines come ready from the scheduler (`Delta.host_perfdata`), since only it knows
what the macros stand for. Whoever takes the file away by renaming it, as every collector does, loses no
line: the next one begins a new file. After a crash what was written since the last mark is cut off, because
it comes again; in a file that was taken away meanwhile that cannot be done, and those lines come twice.
"""

import logging
import os
import stat
from collections.abc import Sequence

from daemons.modules.api import Mark, Setting
from daemons.modules.processing import Processing
from daemons.wire.messages import Delta

log = logging.getLogger(__name__)

MODES = {"a": "append", "w": "begin anew at each start", "p": "named pipe"}
PIPE_BYTES = 4096  # written to a pipe whole or not at all (PIPE_BUF)
LOGGED_EVERY = 1000  # one dropped line in so many is logged, after the first


class _PerfdataFile:
    """Writes to `path`, default `<type>.dat` in the broker's folder, in `mode` a, w or p.

    A pipe is made when there is none; what nobody reads is dropped, as in Nagios.
    """

    states = False
    kind = ""

    def __init__(self, setting: Setting) -> None:
        """Open nothing yet: a path of an old main file that is not there must not stop the broker."""
        self._path = setting.folder / setting.options.get("path", f"{self.kind}.dat")
        self._mode = setting.options.get("mode", "a")[:1].lower()
        if self._mode not in MODES:
            log.warning("unknown mode module=%s mode=%r why=%r", setting.name, self._mode, "appends")
            self._mode = "a"
        self._processing = Processing(setting, setting.clock)
        self._begun = False  # `resume` was called: in mode w the file was begun anew
        self._dropped = 0
        self._fd = -1

    def take(self, deltas: Sequence[Delta]) -> None:
        """Write the lines of `deltas`. Raises OSError when the file cannot be opened or written."""
        lines = [line for delta in deltas for line in self.lines(delta)]
        if not lines:
            return
        self._open()
        encoded = [(line.rstrip("\n") + "\n").encode("utf-8", "replace") for line in lines]
        if self._mode == "p":
            self._pour(encoded)
            return
        data = memoryview(b"".join(encoded))
        while data:
            data = data[os.write(self._fd, data) :]

    def gap(self, shard: int) -> None:
        """Say in our own log that results are missing: the file has no comments."""
        log.warning("lost perfdata path=%s shard=%d why=%r", self._path, shard, "the broker was away too long")

    def flush(self) -> Mark:
        """Return inode and size once the file is on disk; hand the file to its command when that is due."""
        if self._mode == "p" or self._fd < 0:
            return {}
        os.fsync(self._fd)
        if self._processing.due and self._path.exists() and self._path.stat().st_size:
            self.close()
            self._processing.run()
            self._open()
            if self._mode == "w":
                os.ftruncate(self._fd, 0)
        self._open()
        found = os.fstat(self._fd)
        return {"inode": found.st_ino, "size": found.st_size}

    def resume(self, mark: Mark | None) -> None:
        """Cut off what was written after `mark`; it comes again. In mode w, at the start, everything."""
        try:
            self._open()
        except OSError as error:
            log.error("cannot open perfdata path=%s why=%r", self._path, str(error))
            return  # the first line tells the operator
        if self._mode == "p":
            return
        anew, self._begun = self._mode == "w" and not self._begun, True
        found = os.fstat(self._fd)
        if anew:
            os.ftruncate(self._fd, 0)
        elif mark and found.st_ino == mark.get("inode") and found.st_size > mark["size"]:
            os.ftruncate(self._fd, mark["size"])

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def lines(self, delta: Delta) -> tuple[str, ...]:
        """Return the lines of `delta` that belong into this file."""
        raise NotImplementedError

    # -- inside

    def _open(self) -> None:
        """Open what is at the path now: somebody may have taken the file away."""
        if self._fd >= 0 and self._is_there():
            return
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._mode == "p":
            if not self._path.exists():
                os.mkfifo(self._path, 0o660)
            flags = os.O_RDWR  # so it opens without a reader, and stays open when one goes
        else:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._fd = os.open(self._path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        is_what = stat.S_ISFIFO if self._mode == "p" else stat.S_ISREG
        if not is_what(os.fstat(self._fd).st_mode):
            self.close()
            raise OSError(f"{self._path} is not a {'named pipe' if self._mode == 'p' else 'file'}")

    def _is_there(self) -> bool:
        ours = os.fstat(self._fd)
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def _pour(self, lines: list[bytes]) -> None:
        """Write as many lines as the pipe takes; the others are dropped."""
        for number, line in enumerate(lines):
            try:
                os.write(self._fd, line if len(line) <= PIPE_BYTES else line[: PIPE_BYTES - 1] + b"\n")
            except BlockingIOError:
                if self._dropped % LOGGED_EVERY == 0:
                    log.warning("drops perfdata path=%s why=%r", self._path, "nobody reads the pipe")
                self._dropped += len(lines) - number
                return


class HostPerfdata(_PerfdataFile):
    """The lines of hosts (`host_perfdata_file`)."""

    kind = "host-perfdata"

    def lines(self, delta: Delta) -> tuple[str, ...]:
        """Return the lines of hosts."""
        return delta.host_perfdata


class ServicePerfdata(_PerfdataFile):
    """The lines of services (`service_perfdata_file`)."""

    kind = "service-perfdata"

    def lines(self, delta: Delta) -> tuple[str, ...]:
        """Return the lines of services."""
        return delta.service_perfdata
