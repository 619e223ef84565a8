"""Namespaces that die with this process: one holder per server, threads that enter it, pids as seen from outside.

The one thing to know: a holder is pid 1 of its pid namespace and the kernel kills it when our process ends,
even by SIGKILL (PR_SET_PDEATHSIG); with it go its processes, mounts, sockets and links. No clean-up code is needed.
"""

import concurrent.futures
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PR_SET_PDEATHSIG = 1
CLONE_FS = 0x200
KINDS = ("net", "uts", "mnt")  # what a thread can enter; a pid namespace is for children only

_libc = ctypes.CDLL(None, use_errno=True)


class BedFailed(Exception):
    """The bed itself could not do something (a missing tool, a refused mount): no scenario has been judged."""


def command(*argv: str, stdin: str = "") -> str:
    """Return what a command of this machine printed. Raises BedFailed."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise BedFailed(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


class Space:
    """One set of namespaces, held by a shell that waits for our end."""

    def __init__(self, name: str, setup: str, *, private: bool = True) -> None:
        """Run `setup` inside, then hold. `private`: with mounts and host name of its own, else network and pids only."""
        flags = ["-u", "-m", "--mount-proc"] if private else []
        script = f"{setup}\necho ready; trap '' TERM; while :; do sleep 1000 & wait; done"
        self.name = name
        self.holder = subprocess.Popen(
            ["unshare", "-n", "-p", "-f", *flags, "--kill-child=KILL", "bash", "-ec", script],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, preexec_fn=die_with_parent,
        )  # fmt: skip
        assert self.holder.stdout is not None and self.holder.stderr is not None
        if self.holder.stdout.readline() != b"ready\n":
            self.holder.kill()
            raise BedFailed(f"no namespaces for {name}: {self.holder.stderr.read().decode().strip()}")
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")
        self.pid1 = int(children.read_text().split()[0])
        self._pids = os.readlink(f"/proc/{self.pid1}/ns/pid")
        self._private = private
        self._inside = concurrent.futures.ThreadPoolExecutor(1, f"in-{name}", self._enter)

    def inside(self, what: Callable[[], T]) -> T:
        """Return `what()` run in a thread that lives in the space: sockets made there stay there."""
        return self._inside.submit(what).result()

    @property
    def prefix(self) -> list[str]:
        """What to put before an argv so that it runs in the space."""
        kinds = ["-u", "-m", "-p"] if self._private else []
        return ["nsenter", "-t", str(self.pid1), "-n", *kinds, "--"]

    def sh(self, line: str, stdin: str = "") -> str:
        """Return what a shell line printed that ran inside. Raises BedFailed."""
        return command(*self.prefix, "sh", "-c", line, stdin=stdin)

    def pids(self) -> list[int]:
        """Return every process inside but the holder's own, by its number outside."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) != self.pid1:
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{entry}/ns/pid") == self._pids and not _waits(int(entry), self.pid1):
                        found.append(int(entry))
        return found

    def outside(self, pid: int) -> int:
        """Return the number outside of a process that has the number `pid` inside, 0 if there is none."""
        for number in self.pids():
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{number}/status").read_text()
                inner = next(line for line in status.splitlines() if line.startswith("NSpid:"))
                if int(inner.split()[-1]) == pid:
                    return number
        return 0

    def close(self) -> None:
        """End everything inside."""
        self._inside.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid1, signal.SIGKILL)
        self.holder.kill()
        self.holder.wait()

    def _enter(self) -> None:
        """Move this thread into the space; for mounts it must first have a root and a folder of its own."""
        kinds: Sequence[str] = KINDS if self._private else ("net",)
        _checked(_libc.unshare(CLONE_FS), "unshare")
        for kind in kinds:
            fd = os.open(f"/proc/{self.pid1}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                _checked(_libc.setns(fd, 0), f"setns {kind}")
            finally:
                os.close(fd)


def _waits(pid: int, pid1: int) -> bool:
    """Whether this is the sleep that the holder waits in."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    words = Path(f"/proc/{pid}/cmdline").read_bytes()
    return int(fields[1]) == pid1 and words == b"sleep\x001000\x00"


def die_with_parent() -> None:
    """Have this process killed when the thread that made it ends (its parent's, to be exact)."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _checked(result: int, what: str) -> None:
    if result:
        raise BedFailed(f"{what}: {os.strerror(ctypes.get_errno())}")
