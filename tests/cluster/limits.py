"""Control groups (version 1) of one server: freeze it whole, give it less memory, CPU or processes than it wants.

Groups left by a run that was killed are swept at the next start: they cannot die with their maker.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from tests.cluster.spaces import BedFailed

TOP = Path("/sys/fs/cgroup")
CONTROLLERS = ("freezer", "memory", "cpu", "pids")
PREFIX = "shinken-bed-"


class Group:
    """The groups of one server, one per controller. What joins them is frozen and limited together."""

    def __init__(self, name: str) -> None:
        """Make them, without limits. Raises BedFailed where there is no version 1 hierarchy."""
        self.paths = {c: TOP / c / f"{PREFIX}{os.getpid()}-{name}" for c in CONTROLLERS}
        for controller, path in self.paths.items():
            if not path.parent.is_dir():
                raise BedFailed(f"no cgroup v1 controller {controller} at {path.parent}")
            path.mkdir(exist_ok=True)

    @property
    def join(self) -> str:
        """A shell line that moves the shell, and what it becomes, into the groups."""
        return "".join(f"echo $$ > {path}/cgroup.procs; " for path in self.paths.values())

    def freeze(self, on: bool) -> None:
        """Stop every process at once, as a hypervisor does; or let them go on."""
        state = self.paths["freezer"] / "freezer.state"
        wanted = "FROZEN" if on else "THAWED"
        state.write_text(wanted)
        deadline = time.monotonic() + 5
        while state.read_text().strip() != wanted:
            if time.monotonic() > deadline:
                raise BedFailed(f"{state} does not become {wanted}")
            state.write_text(wanted)
            time.sleep(0.002)

    def memory(self, limit_bytes: int = -1) -> None:
        """Kill whoever makes the server need more than so many bytes; -1: no limit."""
        (self.paths["memory"] / "memory.limit_in_bytes").write_text(str(limit_bytes))

    def cpu(self, cores: float = -1) -> None:
        """Give the server this share of CPU, 1.0 = one core; -1: all it wants."""
        (self.paths["cpu"] / "cpu.cfs_quota_us").write_text(str(int(cores * 100_000) if cores > 0 else -1))

    def processes(self, limit: int = -1) -> None:
        """Let fork fail beyond so many threads and processes; -1: no limit."""
        (self.paths["pids"] / "pids.max").write_text(str(limit) if limit >= 0 else "max")

    def close(self) -> None:
        """Remove them; everything in them must be ending."""
        for path in self.paths.values():
            _remove(path)


def sweep() -> None:
    """Remove the groups of beds whose process is gone."""
    for controller in CONTROLLERS:
        for path in (TOP / controller).glob(f"{PREFIX}*"):
            pid = path.name.removeprefix(PREFIX).partition("-")[0]
            if Path(f"/proc/{pid}").exists():
                continue
            if controller == "freezer":  # or what is frozen in it could never end
                with contextlib.suppress(OSError):
                    (path / "freezer.state").write_text("THAWED")
            for left in (path / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(left), signal.SIGKILL)
            _remove(path)


def _remove(path: Path) -> None:
    deadline = time.monotonic() + 3
    while path.exists() and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            path.rmdir()
            return
        time.sleep(0.02)
