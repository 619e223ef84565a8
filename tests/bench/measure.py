"""Measuring: the CPU of a whole process tree, exact counts of plugin runs, and the C baseline.

The one thing to know: only *ratios* taken in one run are portable. The price of one exec moves by a
third within an hour on a shared machine, so a baseline is taken right before and after each window
while the measured tree is frozen. CPU comes from a cgroup (v1 cpuacct: every child ever, reaped or
not) when we are root and it is mounted, else from /proc.
"""

import atexit
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CGROUPS = Path("/sys/fs/cgroup")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
STOP_S = 10.0


# ------------------------------------------------------------------ programs


@functools.cache
def built() -> Path:
    """Compile the C programs here into a temporary folder, once per process; return the folder."""
    folder = Path(tempfile.mkdtemp(prefix="shinken-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for source in sorted(HERE.glob("*.c")):
        target = folder / source.stem
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", target, source], check=True)
    folder.chmod(0o755)
    return folder


@functools.cache
def tally_file() -> Path:
    """Return the file, in memory where possible, to which each run of the plugin adds a byte."""
    shm = Path("/dev/shm")
    file = Path(tempfile.mkdtemp(dir=shm if os.access(shm, os.W_OK) else None)) / "tally"
    file.touch()
    atexit.register(shutil.rmtree, file.parent, ignore_errors=True)
    file.parent.chmod(0o755)
    file.chmod(0o666)
    return file


def plugin() -> str:
    """Return the command line of the counted plugin; arguments may be added."""
    return f"{built() / 'noop'} {tally_file()}"


def tally() -> int:
    """Return how often the plugin ran since this process began, whoever ran it."""
    return tally_file().stat().st_size


def baseline(seconds: float = 1.5, processes: int = 2, depth: int = 4) -> tuple[float, float]:
    """Run the C loop; return (plugin runs per second, CPU milliseconds per run)."""
    command = [built() / "spawn_baseline", str(processes), str(depth), str(seconds)]
    run = subprocess.run([*command, *plugin().split()], check=True, capture_output=True, text=True)
    runs, wall_s, cpu_s = (float(word) for word in run.stdout.split())
    return runs / wall_s, cpu_s / runs * 1e3


# ------------------------------------------------------------------ process trees


class Tree:
    """A process tree that can be measured and frozen. Use as a context manager; `close` kills it."""

    def __init__(self, name: str) -> None:
        """Make the cgroups, if we may."""
        folders = [CGROUPS / c / f"bench-{name}-{os.getpid()}" for c in ("cpuacct", "freezer")]
        self._cpu, self._freezer = folders
        self._roots: list[subprocess.Popen[bytes]] = []
        self._frozen: list[int] = []
        self.by_cgroup = os.geteuid() == 0 and all((f.parent / "tasks").exists() for f in folders)
        if self.by_cgroup:
            for folder in folders:
                folder.mkdir()

    def start(
        self, command: list[str], env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start `command` in the tree, with stdout on a pipe. The caller may read and wait."""
        self._roots.append(
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env=env,
                preexec_fn=self._enter if self.by_cgroup else None,
            )
        )
        return self._roots[-1]

    def cpu_s(self) -> float:
        """Return the CPU seconds, user and system, spent in the tree so far.

        Without cgroups: those of its processes and the children they waited for.
        """
        if self.by_cgroup:
            return int((self._cpu / "cpuacct.usage").read_text()) / 1e9
        return sum(sum(stat[11:15]) for stat in self._stats().values()) * TICK_S

    def processes(self) -> dict[int, tuple[str, float]]:
        """Return {pid: (command line, own CPU seconds)} of the processes alive."""
        found = {}
        for pid, stat in self._stats().items():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                found[pid] = (b" ".join(words).decode(errors="replace"), _own_cpu_s(pid, stat))
        return found

    def pids(self) -> list[int]:
        """Return the processes of the tree, zombies too."""
        if self.by_cgroup:
            return [int(word) for word in (self._cpu / "cgroup.procs").read_text().split()]
        parents = {pid: stat[1] for pid, stat in _all_stats()}
        members = {root.pid for root in self._roots if root.pid in parents}
        while more := {pid for pid, parent in parents.items() if parent in members} - members:
            members |= more
        return sorted(members)

    def freeze(self, on: bool) -> None:
        """Stop every process of the tree where it is, or let all go on."""
        if not self.by_cgroup:
            self._frozen = self.pids() if on else self._frozen
            for pid in self._frozen:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP if on else signal.SIGCONT)
            return
        state = self._freezer / "freezer.state"
        for _ in range(200):
            state.write_text("FROZEN" if on else "THAWED")
            if not on or _soon(lambda: state.read_text() == "FROZEN\n", 0.1):
                return
            state.write_text("THAWED")  # a vfork was under way and waits for its frozen child
            time.sleep(0.003)
        raise TimeoutError("the tree does not freeze")

    def close(self) -> None:
        """SIGTERM, after a while SIGKILL, to exactly this tree; wait for its end."""
        self.freeze(False)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            if _soon(self._gone, STOP_S):
                break
        for folder in (self._cpu, self._freezer) if self.by_cgroup else ():
            _soon(lambda folder=folder: _removed(folder), 1.0)

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _enter(self) -> None:
        for folder in (self._cpu, self._freezer):
            (folder / "cgroup.procs").write_text("0")

    def _gone(self) -> bool:
        for root in self._roots:
            root.poll()
        return not self.pids()

    def _stats(self) -> dict[int, list[int]]:
        members = set(self.pids())
        return {pid: stat for pid, stat in _all_stats() if pid in members}


def _all_stats() -> Iterator[tuple[int, list[int]]]:
    """(pid, numbers of /proc/PID/stat after the name: [0] is the state's character code)."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{entry}/stat").read_bytes().rpartition(b")")[2].split()
                yield int(entry), [words[0][0], *(int(word) for word in words[1:])]


def _own_cpu_s(pid: int, stat: list[int]) -> float:
    """CPU seconds of the process itself, by nanoseconds where the kernel keeps them."""
    threads = Path(f"/proc/{pid}/task")
    try:
        return sum(int((t / "schedstat").read_text().split()[0]) for t in threads.iterdir()) / 1e9
    except OSError:
        return (stat[11] + stat[12]) * TICK_S


def _soon(condition, patience_s: float) -> bool:
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.003)
    return True


def _removed(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not folder.exists()


# ------------------------------------------------------------------ windows


@dataclass(frozen=True, slots=True)
class Window:
    """What one tree did in one stretch of time, with the baseline around it."""

    runs: int  # of the plugin
    wall_s: float
    cpu_s: float  # of the whole tree
    own_s: dict[str, float]  # CPU of long-lived processes, by last words of their command line
    steal: float  # cores that the hypervisor took meanwhile
    baseline_rate: float
    baseline_ms: float  # CPU per run, mean of before and after

    @property
    def rate(self) -> float:
        """Plugin runs per second."""
        return self.runs / self.wall_s

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds of the whole tree per plugin run."""
        return self.cpu_s / self.runs * 1e3 if self.runs else float("nan")

    @property
    def ratio(self) -> float:
        """CPU per run, as a multiple of the baseline's."""
        return self.cpu_ms / self.baseline_ms

    def own_us(self, word: str) -> float:
        """CPU microseconds per run of the long-lived processes with `word` in their command."""
        return sum(cpu for name, cpu in self.own_s.items() if word in name) / self.runs * 1e6

    @property
    def children_us(self) -> float:
        """CPU microseconds per run of whatever did not live throughout: the plugins."""
        return (self.cpu_s - sum(self.own_s.values())) / self.runs * 1e6


def window(
    tree: Tree,
    seconds: float,
    baseline_s: float = 1.5,
    settle_s: float = 0.5,
    ready: Callable[[], None] = lambda: None,
) -> Window:
    """Measure `tree` for `seconds`, between two baselines during which it is frozen.

    `ready` returns when the tree has come over the freeze before the window.
    """
    before = _frozen_baseline(tree, baseline_s)
    time.sleep(settle_s)
    ready()
    own, steal, runs, cpu_s, began = tree.processes(), _steal_s(), tally(), tree.cpu_s(), _now()
    time.sleep(seconds)
    wall_s = _now() - began
    cpu_s, runs, steal, ended = (
        tree.cpu_s() - cpu_s,
        tally() - runs,
        _steal_s() - steal,
        tree.processes(),
    )
    after = _frozen_baseline(tree, baseline_s)
    lived = own.keys() & ended.keys()
    own_s = {f"{ended[pid][0]} #{pid}": ended[pid][1] - own[pid][1] for pid in lived}
    rate, cpu_ms = ((a + b) / 2 for a, b in zip(before, after, strict=True))
    return Window(runs, wall_s, cpu_s, own_s, steal / wall_s, rate, cpu_ms)


def _frozen_baseline(tree: Tree, seconds: float) -> tuple[float, float]:
    tree.freeze(True)
    try:
        return baseline(seconds)
    finally:
        tree.freeze(False)


def _steal_s() -> float:
    return int(Path("/proc/stat").read_text().split(maxsplit=9)[8]) * TICK_S


def _now() -> float:
    return time.monotonic()
