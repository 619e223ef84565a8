"""The worker process: runs commands for a poller or reactionner, one per core, and nothing else.

Started by `daemons.net.spawn` as `python -I -S worker.py SITE ROOT LIMITS` with a socket to its
parent on fd 0, as the leader of a session. It stays small and starts in milliseconds: it imports
the standard library, msgspec and `daemons.model.check` only. One thread, one epoll loop.

What decides that a command has ended is its pidfd, never the end of its output: a grandchild may
keep the pipes for hours. Every command leads a process group of its own (killed whole at the
time-out) in the worker's session (killed whole when the worker or its parent goes away).
"""

import codecs
import contextlib
import errno
import os
import re
import select
import signal
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence

if __name__ == "__main__":  # -I -S leaves only the standard library in reach
    sys.path.extend(sys.argv[1:3])

import msgspec
from msgspec import Struct, msgpack

from daemons.model.check import (
    CODE_NOT_STARTED,
    CODE_SIGNALLED,
    CODE_TIMEOUT,
    OUTPUT_BYTES_MAX,
    Order,
    Result,
)

# Frames. Towards the worker: TO_WORKER + body; back: TO_PARENT + body.
TO_WORKER = struct.Struct("=II")  # body bytes, kind
TO_PARENT = struct.Struct("=IIIq")  # body bytes, kind, count, shard
ORDERS, PURGE = 1, 2  # body: msgpack list[Order]; msgpack shard or nil (all)
RESULTS, PURGED = 1, 2  # body: msgpack list[Result] of one shard; empty, count says how many

FLUSH_COUNT = 16  # results of a frame, so that a busy worker tells its parent 60 times a second
FLUSH_BYTES = 256 * 1024
OUTBOX_BYTES_MAX = 8 * 1024 * 1024  # a parent that does not read: start nothing more
READ_BYTES = 256 * 1024
NO_OUTPUT = "(No output on stdout) stderr:"  # as Nagios 4 and Naemon tell of a plugin that says nothing
LACKING_S = 30.0  # out of processes or fds for so long: say that nothing can be started
RETRY_S = 0.2
STUCK_S = 1.0  # not gone this long after SIGKILL (a dead NFS server): its result is sent anyway
LINES_MAX = 20_000  # command lines whose argv is remembered

ENV_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|LD_LIBRARY_PATH|PERL5LIB|PYTHONPATH"
    r"|MIBS|MIBDIRS|SNMP\w*|ORACLE_\w+|TNS_ADMIN|NAGIOS_\w+|SHINKEN_\w+|\w+_(?:proxy|PROXY)"
)
LACKING = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}  # of the moment: try again

# ------------------------------------------------------------------ command lines

_SHELL_WORDS = (
    ". : ! [ [[ { } alias bg break builtin caller case cd command compgen continue declare dirs"
    " disown do done echo elif else enable esac eval exec exit export false fc fg fi for function"
    " getopts hash help history if in jobs kill let local logout mapfile popd printf pushd pwd read"
    " readonly return select set shift shopt source suspend test then time times trap true type"
    " typeset ulimit umask unalias unset until wait while"
)
SHELL_WORDS = frozenset(_SHELL_WORDS.split())
_PLAIN = re.compile(r"[\w \t./:,@%+^!\]}=-]*", re.ASCII)
_PIECE = re.compile(
    r"""(?P<blank>[ \t]+)
    | (?P<plain>[^ \t\n'"\\|;&<>()$`*?\[{~\#]+)
    | '(?P<single>[^']*)'
    | "(?P<double>(?:[^"\\$`]|\\.)*)"
    | \\(?P<escaped>[^\n])
    | (?P<inner>[~\#])""",
    re.VERBOSE | re.DOTALL,
)
_IN_DOUBLE = re.compile(r'\\([$`"\\\n])')


def words_of(line: str) -> list[str] | None:
    """Return the words of `line` as /bin/sh would pass them on; None if it takes a shell.

    Where in doubt the answer is None: a shell costs a millisecond, a wrong word a false alarm.
    POSIX Shell Command Language, 2.2 "Quoting", 2.3 "Token Recognition".
    """
    words = line.split() if _PLAIN.fullmatch(line) else _quoted_words(line)
    if not words or words[0] in SHELL_WORDS or "=" in words[0]:
        return None
    return words


def _quoted_words(line: str) -> list[str] | None:
    """Words of a line with quotes, backslashes or unusual characters; None: takes a shell."""
    words: list[str] = []
    word: str | None = None
    at = 0
    while at < len(line):
        piece = _PIECE.match(line, at)
        if piece is None:
            return None
        at = piece.end()
        kind, text = piece.lastgroup, piece[piece.lastgroup or 0]
        if kind == "blank":
            if word is not None:
                words.append(word)
            word = None
            continue
        if kind == "inner" and (word is None or word[-1:] in ("", "=", ":")):
            return None  # a comment, or somebody's home directory
        if kind == "double":
            text = _IN_DOUBLE.sub(lambda m: "" if m[1] == "\n" else m[1], text)
        word = (word or "") + text
    return words if word is None else [*words, word]


class NotStarted(Exception):
    """The command cannot be started, whatever the load; the text says why."""


class Programs:
    """From command line to (path, argv) for posix_spawn, remembered; bounded."""

    def __init__(self, path: str) -> None:
        """Look programs without a slash up in `path` (as $PATH)."""
        self._folders = [folder or "." for folder in path.split(os.pathsep)]
        self._known: dict[str, tuple[bytes, list[bytes]]] = {}

    def find(self, line: str) -> tuple[bytes, list[bytes]]:
        """Return path and argv of `line`. Raises NotStarted, FileNotFoundError when it is not in $PATH."""
        known = self._known.get(line)
        if known is None:
            if len(self._known) >= LINES_MAX:
                self._known.clear()
            known = self._known[line] = self._found(line)
        return known

    def shell(self, line: str) -> tuple[bytes, list[bytes]]:
        """Return path and argv that give `line` to /bin/sh; from now on `find` does too."""
        known = self._known[line] = (b"/bin/sh", [b"/bin/sh", b"-c", line.encode()])
        return known

    def forget(self, line: str) -> None:
        """Look `line` up anew next time: its program was moved, or is not there yet."""
        self._known.pop(line, None)

    def _found(self, line: str) -> tuple[bytes, list[bytes]]:
        if not line.strip():
            raise NotStarted("the command line is empty")  # /bin/sh would say OK
        words = words_of(line)
        if words is None:
            return b"/bin/sh", [b"/bin/sh", b"-c", line.encode()]
        return os.fsencode(self._which(words[0])), [word.encode() for word in words]

    def _which(self, name: str) -> str:
        if "/" in name:
            return name
        for folder in self._folders:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


# ------------------------------------------------------------------ sessions


def session_members(sid: int) -> list[tuple[int, int]]:
    """Return (pid, process group) of the living processes of session `sid`, its leader apart."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != sid:
            try:
                with open(f"/proc/{name}/stat", "rb") as stat:
                    fields = stat.read().rpartition(b")")[2].split()
            except OSError:
                continue  # ended meanwhile
            if int(fields[3]) == sid and fields[0] not in (b"Z", b"X"):
                found.append((int(name), int(fields[2])))
    return found


def kill_session(sid: int, patience_s: float) -> int:
    """Kill everything in session `sid` but its leader; return how many are left after the wait.

    Safe against reuse of numbers: no pid is given out anew while a session bears it.
    """
    end = time.monotonic() + patience_s
    while members := session_members(sid):
        for pid, group in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL) if group != sid else os.kill(pid, signal.SIGKILL)
        if time.monotonic() >= end:
            return len(members)
        time.sleep(0.005)
    return 0


# ------------------------------------------------------------------ the worker


def plugin_environment(inherited: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return the base environment of every command: what plugins need, and C for the language.

    Plugins' numbers must have a point and their messages must be those a parser knows; an
    operator who wants otherwise sets LC_ALL for the daemon.
    """
    kept = {name: value for name, value in inherited.items() if ENV_KEPT.fullmatch(name)}
    kept.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    kept.setdefault("LC_ALL", "C")
    kept["SHINKEN_SESSION"] = str(os.getsid(0))  # a command that leaves it, a service it started, is not ours
    return {os.fsencode(name): os.fsencode(value) for name, value in kept.items()}


class Running:
    """One command that was started and is not reaped yet."""

    __slots__ = (
        "deadline",
        "err",
        "errors",
        "killed",
        "order",
        "out",
        "output",
        "pid",
        "pidfd",
        "started",
        "started_wall",
        "stuck",
        "watched",
    )

    def __init__(self, order: Order, out: int, err: int) -> None:
        self.order = order
        self.pid = self.pidfd = -1  # pid: and its process group
        self.out = out
        self.err = err
        self.started_wall = time.time()
        self.started = time.monotonic()
        self.deadline = self.started + order.timeout_s
        self.output: bytearray | None = None  # read so far, once it is watched
        self.errors: bytearray | None = None
        self.watched = False  # no longer fresh: its pipes are in the epoll set
        self.killed = False  # past its time-out
        self.stuck = False  # SIGKILL did not help; the result is gone to the parent already


class Limits(Struct, frozen=True, array_like=True):
    """How much a worker does at once."""

    in_flight: int = 64  # commands running at once
    fresh: int = 8  # of these, younger than fresh_s: those that use the CPU do not gain from more
    fresh_s: float = 0.025  # most end before, for one wake-up; the pipes of older ones are watched
    flush_s: float = 0.05  # results wait this long for company


class Worker:
    """Takes orders from `parent`, sends results back. `run` returns when the parent is gone."""

    def __init__(
        self, parent: socket.socket, limits: Limits, environment: Mapping[str, str]
    ) -> None:
        """Take over `parent` (made non-blocking)."""
        parent.setblocking(False)
        self._parent = parent
        self._parent_fd = parent.fileno()
        self._limits = limits
        self._env = plugin_environment(environment)
        self._programs = Programs(os.fsdecode(self._env[b"PATH"]))
        self._epoll = select.epoll()
        self._epoll.register(self._parent_fd, select.EPOLLIN)
        self._queue: deque[Order] = deque()
        self._live: dict[int, Running] = {}  # by pidfd
        self._pipes: dict[int, Running] = {}  # watched ones, by fd
        self._slow = 0  # live and watched
        self._stuck = 0  # live and stuck
        self._held = False  # out of processes or fds: start no more until one has ended, or a moment has passed
        self._lacking = 0.0  # since when nothing could be started for want of them; 0 = not now
        self._look_at = float("inf")  # when the next command must be watched or killed
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._results: dict[int, list[Result]] = {}  # by shard
        self._results_count = 0
        self._results_bytes = 0
        self._flush_at = float("inf")
        self._decode = msgpack.Decoder(list[Order]).decode
        self._encode = msgpack.Encoder().encode

    def run(self) -> None:
        """Run commands until the parent closes its socket; then kill whatever still runs."""
        poll, monotonic = self._epoll.poll, time.monotonic
        open_ = True
        while open_:
            self._start_some()
            wake_at = self._look_at if self._look_at < self._flush_at else self._flush_at
            wait = -1 if wake_at == float("inf") else max(0.0, wake_at - monotonic())
            for fd, event in poll(wait):
                command = self._live.get(fd)
                if command is not None:
                    self._ended(command)
                elif fd in self._pipes:
                    self._read_pipe(fd, OUTPUT_BYTES_MAX * 16)
                elif fd == self._parent_fd:
                    open_ = self._hear_parent(event) and open_
            now = monotonic()
            if now >= self._look_at:
                self._look_after(now)
            if now >= self._flush_at or self._results_count >= FLUSH_COUNT:
                open_ = self._flush() and open_
        self._kill_all()

    # -- starting

    def _start_some(self) -> None:
        queue, live, limits = self._queue, self._live, self._limits
        while (
            queue
            and len(live) - self._stuck < limits.in_flight
            and len(live) - self._slow < limits.fresh
            and not self._held
            and len(self._outbox) < OUTBOX_BYTES_MAX
        ):
            self._start(queue.popleft())

    def _start(self, order: Order) -> None:
        fds: list[int] = []
        try:
            path, argv = self._programs.find(order.command)
            fds += os.pipe2(os.O_CLOEXEC)  # O_NONBLOCK would be for the plugin's end too
            fds += os.pipe2(os.O_CLOEXEC)
            out, out_end, err, err_end = fds
            command = Running(order, out, err)
            self._spawn(command, path, argv, out_end, err_end)
        except OSError as error:
            _close(fds)
            self._not_started(order, error)
        except (NotStarted, ValueError) as error:  # ValueError: a NUL in it, or "=" in a name
            _close(fds)
            self._tell(order, CODE_NOT_STARTED, time.time(), 0.0, f"not started: {error}")
        else:
            os.close(out_end)
            os.close(err_end)
            self._lacking = 0.0
            self._live[command.pidfd] = command
            self._epoll.register(command.pidfd, select.EPOLLIN)
            look_at = min(command.started + self._limits.fresh_s, command.deadline)
            if look_at < self._look_at:
                self._look_at = look_at

    def _spawn(self, command: Running, path: bytes, argv: list[bytes], out: int, err: int) -> None:
        """Start it; a file without `#!` goes to the shell, as execvp and every shell do."""
        order, line = command.order, command.order.command
        env = self._env | {b"SHINKEN_ORDER": b"%d.%d.%d" % (order.shard, order.epoch, order.seq)}
        if order.env:
            env |= {name.encode(): value.encode() for name, value in order.env.items()}
        ends = ((os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, err, 2))
        try:
            command.pid = _spawned(path, argv, env, ends)
        except OSError as error:
            if error.errno == errno.ENOEXEC:
                path, argv = self._programs.shell(line)
            elif error.errno == errno.ENOENT and path != argv[0]:  # moved within PATH?
                self._programs.forget(line)
                path, argv = self._programs.find(line)
            else:
                raise
            command.pid = _spawned(path, argv, env, ends)
        try:
            command.pidfd = os.pidfd_open(command.pid)
        except OSError:
            _kill_group(command.pid)
            os.waitpid(command.pid, 0)
            raise

    def _not_started(self, order: Order, error: OSError) -> None:
        if error.errno in LACKING:
            now = time.monotonic()
            self._lacking = self._lacking or now
            if self._live or now - self._lacking < LACKING_S:
                self._queue.appendleft(order)
                self._held = True
                self._look_at = min(self._look_at, now + RETRY_S)
                return
        self._programs.forget(order.command)
        why = error.strerror or str(error)
        name = order.command.split(maxsplit=1)[0]
        text = f"{NO_OUTPUT} execvp({name}, ...) failed. errno is {error.errno}: {why}"
        if error.errno == errno.ENOENT:
            why = "command not found (or the interpreter its first line names)"
        text += f"\nnot started: {name}: {why}"
        self._tell(order, CODE_NOT_STARTED, time.time(), 0.0, text)

    # -- while they run

    def _look_after(self, now: float) -> None:
        """Watch the pipes of commands that take longer, kill those past their time-out."""
        self._look_at = float("inf")
        self._held = False
        fresh_s = self._limits.fresh_s
        for command in list(self._live.values()):
            if command.stuck:
                continue
            if not command.watched and now >= command.started + fresh_s:
                self._watch(command)
            if now >= command.deadline:
                self._overdue(command, now)
            if not command.stuck:
                next_at = command.deadline
                if not command.watched:
                    next_at = min(next_at, command.started + fresh_s)
                self._look_at = min(self._look_at, next_at)

    def _watch(self, command: Running) -> None:
        command.watched = True
        command.output, command.errors = bytearray(), bytearray()
        self._slow += 1
        for fd in (command.out, command.err):
            os.set_blocking(fd, False)
            self._pipes[fd] = command
            self._epoll.register(fd, select.EPOLLIN)

    def _overdue(self, command: Running, now: float) -> None:
        """SIGKILL to the group; if even that does not end it, answer for it and let it be."""
        _kill_group(command.pid)
        if not command.killed:
            command.killed = True
            command.deadline = now + STUCK_S
            return
        command.stuck = True
        self._stuck += 1
        if not command.watched:
            self._watch(command)
        self._tell_ended(command, CODE_TIMEOUT)

    def _read_pipe(self, fd: int, bytes_max: int) -> None:
        """Take what is in a watched pipe, keep the first OUTPUT_BYTES_MAX, forget the rest."""
        command = self._pipes[fd]
        kept = command.output if fd == command.out else command.errors
        assert kept is not None
        while bytes_max > 0:
            try:
                data = os.read(fd, OUTPUT_BYTES_MAX)
            except BlockingIOError:
                return
            if not data:
                self._unwatch(fd)
                return
            kept += data[: OUTPUT_BYTES_MAX - len(kept)]
            bytes_max -= len(data)

    def _unwatch(self, fd: int) -> None:
        if self._pipes.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    # -- when they end

    def _ended(self, command: Running) -> None:
        # before close: while a copy of it is open anywhere, epoll would go on reporting it
        self._epoll.unregister(command.pidfd)
        del self._live[command.pidfd]
        if command.killed:
            # once more: the leader is a zombie, so the number is still ours
            _kill_group(command.pid)
        status = os.waitpid(command.pid, 0)[1]
        self._held = False
        if command.watched:
            self._slow -= 1
        if command.stuck:
            self._stuck -= 1
        else:
            code = CODE_TIMEOUT if command.killed else os.waitstatus_to_exitcode(status)
            self._tell_ended(command, code)
        if command.watched:
            self._unwatch(command.out)
            self._unwatch(command.err)
        os.close(command.pidfd)
        os.close(command.out)
        os.close(command.err)
        if not self._live:
            self._look_at = float("inf")

    def _tell_ended(self, command: Running, code: int) -> None:
        """Make the result of `command`; a negative `code` is the signal that ended it."""
        took_s = time.monotonic() - command.started
        text = self._text(command.out, command.output)
        errors = "" if text else self._text(command.err, command.errors)
        if code == CODE_TIMEOUT:
            first = f"timed out after {command.order.timeout_s:g} s"
            text = text or errors
            text = f"{first}\n{text}" if text else first
        else:
            text = text or (f"{NO_OUTPUT} {errors}" if errors else "")
            if code < 0:
                text = text or f"{NO_OUTPUT}\nended by signal {-code} ({_signal_name(-code)})"
                code = CODE_SIGNALLED
        self._tell(command.order, code, command.started_wall, took_s, text)

    def _text(self, fd: int, kept: bytearray | None) -> str:
        """What came through pipe `fd`. A pipe never watched holds at most 64 KiB: one read."""
        data: bytes | bytearray
        if kept is None:
            os.set_blocking(fd, False)
            try:
                data = os.read(fd, OUTPUT_BYTES_MAX)
            except BlockingIOError:  # a grandchild has it still
                return ""
        else:
            if fd in self._pipes:
                self._read_pipe(fd, OUTPUT_BYTES_MAX)
            data = kept
        if not data:
            return ""
        whole = len(data) < OUTPUT_BYTES_MAX  # a character cut in two at the limit is dropped
        return codecs.utf_8_decode(data, "replace", whole)[0].replace("\0", "").rstrip()

    # -- the parent

    def _tell(self, order: Order, code: int, started_wall: float, took_s: float, text: str) -> None:
        result = Result(
            order.shard, order.epoch, order.object, order.seq, code, started_wall, took_s, text
        )
        self._results.setdefault(order.shard, []).append(result)
        if not self._results_count:
            self._flush_at = time.monotonic() + self._limits.flush_s
        self._results_count += 1
        self._results_bytes += len(text)
        if self._results_bytes > FLUSH_BYTES:
            self._flush_at = 0.0

    def _flush(self) -> bool:
        for shard, results in self._results.items():
            body = self._encode(results)
            self._outbox += TO_PARENT.pack(len(body), RESULTS, len(results), shard) + body
        self._results.clear()
        self._results_count = self._results_bytes = 0
        self._flush_at = float("inf")
        return self._send()

    def _send(self) -> bool:
        """Give the parent what it takes; False: it is gone."""
        try:
            while self._outbox:
                del self._outbox[: self._parent.send(self._outbox)]
        except BlockingIOError:
            self._epoll.modify(self._parent_fd, select.EPOLLIN | select.EPOLLOUT)
        except OSError:
            return False
        return True

    def _hear_parent(self, event: int) -> bool:
        """Take frames in; False: the parent is gone."""
        if event & select.EPOLLOUT:
            self._epoll.modify(self._parent_fd, select.EPOLLIN)
            if not self._send():
                return False
        if not event & ~select.EPOLLOUT:
            return True
        try:
            data = self._parent.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._inbox += data
        self._obey_frames()
        return bool(data)

    def _obey_frames(self) -> None:
        at = 0
        while len(self._inbox) - at >= TO_WORKER.size:
            size, kind = TO_WORKER.unpack_from(self._inbox, at)
            start = at + TO_WORKER.size
            if len(self._inbox) - start < size:
                break
            at = start + size
            body = bytes(memoryview(self._inbox)[start:at])
            if kind == ORDERS:
                self._queue.extend(self._decode(body))
            elif kind == PURGE:
                self._purge(msgpack.decode(body, type=int | None))
        del self._inbox[:at]

    def _purge(self, shard: int | None) -> None:
        """Forget the orders of `shard` (None: all) that were not started; say how many."""
        before = len(self._queue)
        self._queue = deque(o for o in self._queue if shard is not None and o.shard != shard)
        self._outbox += TO_PARENT.pack(0, PURGED, before - len(self._queue), shard or 0)
        self._send()  # a parent that is gone is noticed at the next read

    def _kill_all(self) -> None:
        for command in self._live.values():
            _kill_group(command.pid)
        kill_session(os.getpid(), patience_s=2.0)


def _spawned(
    path: bytes, argv: list[bytes], env: dict[bytes, bytes], ends: Sequence[tuple[int, int, int]]
) -> int:
    """Pid of a new process, leader of a group of its own."""
    return os.posix_spawn(
        path, argv, env, file_actions=ends, setpgroup=0, setsigdef=_PYTHON_IGNORES
    )


def _kill_group(group: int) -> None:
    """SIGKILL. One that became another user (sudo) may refuse; it is then left and reported."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


_PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)  # plugins must not inherit that


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "real-time"


def main() -> None:
    """Serve the socket on fd 0 until its other end closes."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    parent = socket.socket(fileno=os.dup(0))  # os.dup and os.open are close-on-exec
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)  # inherited by every command: no file action needed
    os.close(null)
    limits = msgspec.convert(sys.argv[3].split(","), Limits, strict=False)
    Worker(parent, limits, os.environ).run()


if __name__ == "__main__":
    main()
