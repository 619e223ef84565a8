"""Named-pipe: external commands and passive results, written by local programs into a FIFO.

One line is one command, in Nagios' format. A line that its writer did not finish before it went away
is dropped and counted: half a command may name the wrong host. PROCESS_FILE is obeyed here (command_file.py).
"""

import contextlib
import grp
import logging
import os
import secrets
import select
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from msgspec import DecodeError, ValidationError, msgpack

from daemons.modules.api import Setting
from daemons.modules.command_file import Unread, delete, lines_of, named_file
from daemons.wire.messages import Submitted

log = logging.getLogger(__name__)

LINE_MAX = 64 * 1024  # bytes of one line; the rest of it is dropped
READ_BYTES = 64 * 1024
RETRY_S = 0.5  # between two tries to deliver what the receiver does not take
BATCH = 500  # lines delivered in one go

# Takes lines for good and returns those it could not take (yet); they are delivered again.
Deliver = Callable[[tuple[Submitted, ...]], tuple[Submitted, ...]]


class NamedPipe:
    """Reads the FIFO `path` in a thread of its own and delivers its lines.

    Options: `path`, or `command_file` as upstream calls it, default `shinken.cmd` in the receiver's
    folder; `group`, default `shinken`, whose members may write; `files`, the folder that PROCESS_FILE may name
    files of, default `commands` beside the pipe. Nothing is read while the receiver
    does not take what was read before: a full spool stops the writers, and loses nothing.
    """

    def __init__(self, setting: Setting, deliver: Deliver) -> None:
        """Make the FIFO and open it. Raises OSError; FileExistsError when `path` is something else."""
        options = setting.options
        name = options.get("path") or options.get("command_file") or "shinken.cmd"
        self.path: Path = setting.folder / name
        self.files: Path = setting.folder / options.get("files", str(self.path.parent / "commands"))
        self._left = self.path.with_name(self.path.name + ".left")
        self.lines_read = 0
        self.lines_cut = 0  # longer than LINE_MAX
        self.lines_unfinished = 0  # their writer went away
        self._clock = setting.clock
        self._deliver = deliver
        self._buffer = bytearray()
        self._skipping = False  # the rest of a line that was too long
        self._make(options.get("group", "shinken"), asked_for="group" in options)
        self._fd = self._opened()
        self._wake, self._wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="named-pipe", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Stop reading. What is in the FIFO stays there; the FIFO stays for the next start."""
        self._closing.set()
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_end, b".")
        if self._thread.is_alive():
            self._thread.join()
        for fd in (self._fd, self._wake, self._wake_end):
            os.close(fd)

    # -- the FIFO

    def _make(self, group: str, *, asked_for: bool) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.mkfifo(self.path, 0o620)
        except FileExistsError:
            if not stat.S_ISFIFO(self.path.stat().st_mode):
                raise FileExistsError(f"{self.path} is there and is no named pipe") from None
            return  # rights as the operator may have set them
        self.path.chmod(0o620)
        try:
            os.chown(self.path, -1, grp.getgrnam(group).gr_gid)
        except (KeyError, PermissionError) as error:
            level = logging.WARNING if asked_for else logging.INFO
            log.log(level, "cannot give pipe path=%s group=%s why=%r", self.path, group, str(error))

    def _opened(self) -> int:
        return os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def _run(self) -> None:
        self._take_up()
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(self._fd, select.POLLIN)
        while not self._closing.is_set():
            poll.poll()
            if self._closing.is_set():
                return
            try:
                data = os.read(self._fd, READ_BYTES)
            except BlockingIOError:
                continue
            if data:
                self._hand_over(self._lines(data))
                continue
            self._forget_unfinished()
            poll.unregister(self._fd)
            self._reopen()
            poll.register(self._fd, select.POLLIN)

    def _reopen(self) -> None:
        """The last writer has gone: poll would report that without end on the same descriptor.

        The new one is opened first. With none open, what a fast writer has put in is thrown away.
        """
        new = self._opened()
        os.close(self._fd)
        self._fd = new

    # -- lines

    def _lines(self, data: bytes) -> list[Submitted]:
        """Return the lines that `data` completes."""
        done: list[Submitted] = []
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._grow(piece)
            text = self._buffer.decode("utf-8", "replace").strip()
            self._buffer.clear()
            self._skipping = False
            if text:
                done.append(Submitted(secrets.token_hex(12), text, self._clock()))
        self._grow(rest)
        self.lines_read += len(done)
        return done

    def _grow(self, piece: bytes) -> None:
        room = LINE_MAX - len(self._buffer)
        self._buffer += piece[:room]
        if len(piece) > room and not self._skipping:
            self._skipping = True
            self.lines_cut += 1
            log.warning("cut line path=%s start=%r", self.path, bytes(self._buffer[:80]))

    def _forget_unfinished(self) -> None:
        if self._buffer:
            self.lines_unfinished += 1
            log.warning(
                "dropped unfinished line path=%s start=%r", self.path, bytes(self._buffer[:80])
            )
        self._buffer.clear()
        self._skipping = False

    def _hand_over(self, lines: list[Submitted]) -> None:
        """Deliver `lines` in order, for as long as it takes, with those of the files that they name.

        A file is deleted only once the receiver has all of its lines on disk.
        """
        found: list[Submitted] = []
        read: list[str] = []
        for item in lines:
            named = named_file(item.line)
            if named is None:
                found.append(item)
            else:
                found += self._of_file(named[0])
                read += named[:1] if named[1] else ()
        if self._deliver_all(found):
            for path in read:
                self._delete(path)

    def _of_file(self, path: str) -> list[Submitted]:
        try:
            lines = lines_of(path, self.files)
        except (Unread, OSError) as error:
            log.warning("cannot process file path=%r why=%r", path[:200], str(error))
            return []
        log.info("processes file path=%r lines=%d", path[:200], len(lines))
        return [Submitted(secrets.token_hex(12), line, self._clock()) for line in lines]

    def _delete(self, path: str) -> None:
        try:
            delete(path, self.files)
        except (Unread, OSError) as error:
            log.warning("cannot delete processed file path=%r why=%r", path[:200], str(error))

    def _deliver_all(self, lines: list[Submitted]) -> bool:
        """Deliver `lines`; return whether all were taken, else they are kept for the next start."""
        for start in range(0, len(lines), BATCH):
            left = tuple(lines[start : start + BATCH])
            while left and not self._closing.is_set():
                left = self._deliver(left)
                if left:
                    self._closing.wait(RETRY_S)
            if left:
                self._leave((*left, *lines[start + BATCH :]))
                return False
        return True

    # -- lines read and not taken when the receiver stops

    def _leave(self, lines: tuple[Submitted, ...]) -> None:
        """Keep `lines` in a file beside the FIFO for the next start."""
        try:
            self._left.write_bytes(msgpack.encode(lines))
        except OSError as error:
            log.error("lost lines path=%s count=%d why=%r", self.path, len(lines), str(error))

    def _take_up(self) -> None:
        """Deliver what was left at the last stop; the ids are the same, so none counts twice."""
        try:
            lines = msgpack.decode(self._left.read_bytes(), type=list[Submitted])
        except FileNotFoundError:
            return
        except (OSError, ValidationError, DecodeError) as error:
            log.error("cannot read left lines path=%s why=%r", self._left, str(error))
            return
        self._hand_over(lines)
        if not self._closing.is_set():
            self._left.unlink()
