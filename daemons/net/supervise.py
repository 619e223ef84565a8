"""The keeper's hands: starts this server's daemons, sees them end, ends what they leave behind.

Each daemon is started with its instance in the environment, which its workers and their plugins
inherit: when it has ended, whatever still carries that mark, or is of its session, is killed and
awaited before anybody is told that it is gone.
"""

import contextlib
import logging
import os
import secrets
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from msgspec import Struct, json

from daemons.model.cluster import DaemonDef
from daemons.wire.messages import (
    CODE_UNKNOWN,
    DaemonEnded,
    DaemonStarted,
    Done,
    Failed,
    Message,
    StartDaemon,
    StopDaemon,
    Usage,
)

log = logging.getLogger(__name__)

MARK = "SHINKEN_INSTANCE"  # in the environment of every process of a daemon
SESSION = b"SHINKEN_SESSION="  # a worker's, in the environment of what it runs
HANDLER = b"SHINKEN_EVENT_HANDLER=1"  # in the environment of an event handler and what it starts
END_S = 10.0  # a daemon gets this long between SIGTERM and SIGKILL
USAGE_S = 2.0
DISK_LOW_BYTES = 256 << 20
DISK_FULL_BYTES = 4 << 20
PR_SET_CHILD_SUBREAPER = 36


class Running(Struct, frozen=True):
    """What `<name>.run` says of a started daemon, so that a restarted keeper can adopt it."""

    name: str
    pid: int
    instance: str
    started_wall: float
    born: float  # the process's start time as the kernel gives it: a pid may be used again


class Supervisor:
    """Starts, watches and ends processes. `tell` hands messages to the keeper role."""

    def __init__(
        self,
        workdir: Path,
        definitions: dict[str, DaemonDef],
        argv: Callable[[DaemonDef, str], list[str]],
        tell: Callable[[Message], object],
        watchdog: int = 0,
    ) -> None:
        """`argv` gives the command line of a daemon and its new instance; `watchdog` is the pid of ours, 0 = init."""
        self.watchdog = watchdog
        self.workdir = workdir
        self.definitions = definitions
        self.argv = argv
        self.tell = tell
        self.lock = threading.Lock()
        self.running: dict[int, tuple[Running, int]] = {}  # by pid, with its pidfd
        self.stops: dict[int, float] = {}  # pid -> kill at
        self.epoll = select.epoll()
        self.closing = threading.Event()
        self.codes: dict[int, int] = {}  # how children ended, by pid, until they are buried
        self._subreaper()

    def start(self) -> None:
        """Adopt what runs already, then watch in a thread."""
        for define in self.definitions.values():
            found = self._read(define.name)
            if found is not None:
                self._watch(found)
                self.tell(
                    DaemonStarted(found.name, found.pid, found.instance, found.started_wall, adopted=True)
                )
        threading.Thread(target=self._loop, name="supervisor", daemon=True).start()
        threading.Thread(target=self._usage_loop, name="usage", daemon=True).start()

    def apply(self, message: Message) -> Message:
        """Serve the keeper role."""
        match message:
            case StartDaemon(name):
                return self._start(name)
            case StopDaemon(_, pid):
                return self._stop(pid)
            case _:
                return Failed(f"not for the supervisor: {type(message).__name__}")

    def close(self) -> None:
        """Watch no more. What runs goes on."""
        self.closing.set()

    # -- starting and ending

    def _start(self, name: str) -> Message:
        found = self._read(name)
        if found is not None and found.pid in self.running:
            return DaemonStarted(name, found.pid, found.instance, found.started_wall, adopted=True)
        define = self.definitions[name]
        instance = secrets.token_hex(8)
        argv = self.argv(define, instance)
        logs = self.workdir / "log"
        logs.mkdir(exist_ok=True)
        fd = os.open(logs / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            pid = os.posix_spawn(
                argv[0],
                argv,
                {**os.environ, MARK: instance},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, fd, 1),
                    (os.POSIX_SPAWN_DUP2, fd, 2),
                ],
                setsid=True,
                setsigdef=[signal.SIGPIPE, signal.SIGTERM, signal.SIGINT],
                setsigmask=[],
            )
        except OSError as error:
            return Failed(f"{argv[0]}: {error}")
        finally:
            os.close(fd)
        running = Running(name, pid, instance, time.time(), _born(pid))
        self._write(running)
        self._watch(running)
        return DaemonStarted(name, pid, instance, running.started_wall)

    def _stop(self, pid: int) -> Message:
        with self.lock:
            if pid not in self.running:
                return Done()
            self.stops[pid] = time.monotonic() + END_S
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)
        return Done()

    def _watch(self, running: Running) -> None:
        try:
            fd = os.pidfd_open(running.pid)
        except ProcessLookupError:
            fd = -1
        with self.lock:
            self.running[running.pid] = (running, fd)
            if fd >= 0:
                self.epoll.register(fd, select.EPOLLIN)

    # -- watching

    def _loop(self) -> None:
        while not self.closing.is_set():
            self.epoll.poll(0.2)
            self._collect()
            with self.lock:
                known = dict(self.running)
                overdue = [pid for pid, at in self.stops.items() if time.monotonic() > at]
            for pid in overdue:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for pid, (running, fd) in known.items():
                if pid in self.codes or _ended(pid, fd):
                    self._bury(running, fd)

    def _collect(self) -> None:
        """Note how children ended; those that were nobody's daemon are forgotten."""
        self.codes.update((pid, code) for pid, code in _reap().items() if pid in self.running)

    def _bury(self, running: Running, fd: int) -> None:
        """End what is left of the daemon's session, then say that it is gone."""
        deadline = time.monotonic() + END_S
        while left := tree_of(running):
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            self._collect()
            if time.monotonic() > deadline:
                log.error("processes of daemon=%s do not end: %s", running.name, left)
                deadline = time.monotonic() + END_S
            time.sleep(0.005)
        self._collect()
        with self.lock:
            self.running.pop(running.pid, None)
            self.stops.pop(running.pid, None)
            if fd >= 0:
                self.epoll.unregister(fd)
                os.close(fd)
        for suffix in (".pid", ".run"):
            (self.workdir / f"{running.name}{suffix}").unlink(missing_ok=True)
        self.tell(DaemonEnded(running.name, running.pid, running.instance, self.codes.pop(running.pid, CODE_UNKNOWN)))

    def _usage_loop(self) -> None:
        processes: dict[int, psutil.Process] = {}
        while not self.closing.wait(USAGE_S):
            with self.lock:
                known = {pid: running.name for pid, (running, _) in self.running.items()}
            processes = {pid: p for pid, p in processes.items() if pid in known}
            cpu: dict[str, float] = {}
            rss: dict[str, int] = {}
            for pid, name in known.items():
                with contextlib.suppress(psutil.Error):
                    process = processes.setdefault(pid, psutil.Process(pid))
                    cpu[name] = process.cpu_percent()
                    rss[name] = process.memory_info().rss
            self.tell(Usage(cpu, rss, self._problems()))

    def _problems(self) -> tuple[str, ...]:
        """A keeper that nobody would restart, and a disk that fills up, are news before they hurt."""
        found = []
        if self.watchdog and not os.path.exists(f"/proc/{self.watchdog}"):
            found.append("the watchdog has ended: nothing restarts this keeper (shinken restart, or the systemd unit)")
        disk = os.statvfs(self.workdir)
        left = disk.f_bavail * disk.f_frsize
        no_file = disk.f_files > 0 and not disk.f_favail
        if left < DISK_LOW_BYTES or no_file:
            what = "is full" if left < DISK_FULL_BYTES or no_file else f"has only {left >> 20} MiB left"
            found.append(f"the disk of the work folder {self.workdir} {what}")
        return tuple(found)

    def _subreaper(self) -> None:
        """Children of a dead daemon become ours, so that they can be awaited."""
        import ctypes

        with contextlib.suppress(OSError):
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    # -- the files in the work folder

    def _write(self, running: Running) -> None:
        for suffix, data in ((".pid", f"{running.pid}\n".encode()), (".run", json.encode(running))):
            fresh = self.workdir / f"{running.name}{suffix}.new"
            fresh.write_bytes(data)
            fresh.replace(self.workdir / f"{running.name}{suffix}")

    def _read(self, name: str) -> Running | None:
        """The daemon of that name that still runs, started by a keeper before this one."""
        try:
            found = json.decode((self.workdir / f"{name}.run").read_bytes(), type=Running)
        except (OSError, ValueError):
            return None
        return found if _born(found.pid) == found.born else None


def daemon_argv(role: str, name: str, instance: str, workdir: Path) -> list[str]:
    """Return the command line that runs one daemon in the foreground."""
    return [
        sys.executable, "-m", "daemons", role, "--name", name, "--workdir", str(workdir),
        "--instance", instance,
    ]  # fmt: skip


def _born(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time() if pid > 0 and not _zombie(pid) else 0.0
    except psutil.Error:
        return 0.0


def _zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def _ended(pid: int, fd: int) -> bool:
    if fd < 0:
        return True
    poll = select.poll()  # not select.select: it knows no descriptor above 1023
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def _reap() -> dict[int, int]:
    """Collect every child that has ended; return exit codes (minus the signal) by pid."""
    codes: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return codes
        if not pid:
            return codes
        codes[pid] = os.waitstatus_to_exitcode(status)


def tree_of(running: Running) -> list[int]:
    """Return the processes of a daemon that live: those of its session, and those that carry its mark.

    A check or a notification cannot slip away by a session of its own. What an event handler started
    and left its session (the service that it was to start) is nobody's any more and is left alone.
    """
    mark = f"{MARK}={running.instance}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            if fields[0] in (b"Z", b"X"):
                continue
            if int(fields[3]) != running.pid:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    environment = file.read().split(b"\0")
                ours = [e for e in environment if e.startswith(SESSION)]
                left = bool(ours) and ours[0] != SESSION + fields[3]
                if mark not in environment or (left and HANDLER in environment):
                    continue
        except OSError:
            continue
        found.append(int(entry))
    return found
