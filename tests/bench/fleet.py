"""Whole servers for benchmarks: laid out in a temporary folder, on loopback addresses of their own.

Started through `shinken start`'s own code inside a `Tree`, so that every process they have, the
watchdog too, is measured, and ended, with it.
"""

import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from daemons.cli.reach import Keys
from daemons.cli.start import Options, bundle_of, server_census, start, stop
from daemons.wire.messages import Census, DaemonSeen
from tests.bench.generate import Size, write
from tests.bench.measure import Tree, plugin

ROOT = Path(__file__).parents[2]


class Fleet:
    """Servers of one generated configuration. Use as a context manager: all ends with it."""

    def __init__(self, name: str, size: Size, servers: int = 1) -> None:
        """Write the configuration; nothing is started yet."""
        self.folder = Path(tempfile.mkdtemp(prefix="shinken-bench-"))
        network = f"127.{random.randint(64, 250)}.{random.randint(1, 250)}"
        self.servers = tuple((f"server{n}", f"{network}.{n}") for n in range(1, servers + 1))
        self.main = write(self.folder, size, plugin(), self.servers)
        self.trees = {server: Tree(f"{name}-{server}") for server, _ in self.servers}

    def start(self, server: str) -> float:
        """Start `server` and wait until its daemons run; return the seconds it took."""
        began = time.monotonic()
        command = [sys.executable, "-m", "tests.bench.fleet", str(self.main), server]
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        process = self.trees[server].start([*command, str(self._work(server))], env=env)
        said, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{server} does not start: {said.decode()}")
        return time.monotonic() - began

    def census(self, server: str) -> Census | None:
        """Return what the keeper of `server` says."""
        bundle = bundle_of(str(self._work(server)))
        return server_census(bundle, Keys(bundle), server, timeout_s=0.5)

    def daemon(self, server: str, role: str) -> DaemonSeen | None:
        """Return what the keeper of `server` says of its daemon of that role."""
        census = self.census(server)
        return next((d for d in census.daemons if d.role == role), None) if census else None

    def active(self, server: str) -> bool:
        """Whether every shard there is runs at the scheduler of `server`."""
        seen = self.daemon(server, "scheduler")
        shards = seen.report.shards if seen else ()
        return bool(shards) and all(shard.phase == "active" for shard in shards)

    def log(self, server: str, name: str) -> str:
        """Return the log of one daemon."""
        path = self._work(server) / "log" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def spool(self, server: str) -> Path:
        """Return the folder where the daemons of `server` keep what must not be lost."""
        return self._work(server) / "spool"

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *exc: object) -> None:
        for server, tree in self.trees.items():
            tree.freeze(False)
            if self._work(server).exists():
                stop(str(self._work(server)), lambda _: None)
        for tree in self.trees.values():
            tree.close()
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _work(self, server: str) -> Path:
        return self.folder / server


def until(condition: Callable[[], bool], limit_s: float, what: str, pause_s: float = 0.05) -> float:
    """Wait for `condition`; return the seconds it took. Raises TimeoutError."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > limit_s:
            raise TimeoutError(f"waited {limit_s:.0f} s in vain until {what}")
        time.sleep(pause_s)
    return time.monotonic() - began


def main(words: list[str]) -> int:
    """Start one server: MAIN SERVER WORKDIR."""
    file, server, workdir = words
    return start(Options((file,), server, workdir), lambda text: print(text, flush=True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
