"""What the worker pool alone costs per plugin run, against the C loop in the same minute.

Pass line: at saturation at most 1.15 times the loop (mean of the windows; one window's ratio moves
by 0.1 with the machine), the goal is 1.10.
"""

import itertools
import json
import os
import sys
import threading
import time
from pathlib import Path

import msgspec

from daemons.model.check import Order
from daemons.net.spawn import WorkerPool
from tests.bench.measure import Tree, Window, plugin, window

CHUNK = 32
ORDERS = 1024  # different command lines
RATIO_MAX = 1.15
ROOT = Path(__file__).parents[2]
HEADER = "load          runs/s   of C's   CPU ms  C's ms   ratio   workers us  owner us  plugin us   steal"


def run(windows: int = 4, window_s: float = 5.0) -> bool:
    """Print one line per window and load; return whether saturation is within the pass line."""
    print(f"worker pool alone, {os.cpu_count()} cores; CPU per run of the whole tree\n{HEADER}")
    saturated = [measured("saturated", {}, window_s) for _ in range(windows)]
    measured("400/s", {"rate": 400}, window_s)
    measured("100/s", {"rate": 100}, window_s)
    ratio = sum(w.cpu_ms for w in saturated) / sum(w.baseline_ms for w in saturated)
    print(f"mean at saturation {ratio:.3f} (pass line {RATIO_MAX})")
    return ratio <= RATIO_MAX


def measured(label: str, settings: dict[str, float], window_s: float) -> Window:
    """Measure one load in a process tree of its own, print its line."""
    with Tree("pool") as tree:
        settings = {"command": plugin(), **settings}
        command = [sys.executable, "-m", "tests.bench.spawn_cost", json.dumps(settings)]
        owner = tree.start(command, env=os.environ | {"PYTHONPATH": str(ROOT)})
        assert owner.stdout is not None
        owner.stdout.readline()  # it has seen its first result
        time.sleep(0.5)
        seen = window(tree, window_s)
    print(
        f"{label:<12}{seen.rate:8.0f}{seen.rate / seen.baseline_rate:9.2f}{seen.cpu_ms:9.3f}"
        f"{seen.baseline_ms:8.3f}{seen.ratio:8.2f}{seen.own_us('worker.py'):13.0f}"
        f"{seen.own_us('spawn_cost'):10.0f}{seen.children_us:11.0f}{seen.steal:8.2f}",
        flush=True,
    )
    return seen


class Owner:
    """Keeps a pool busy until the process is killed; says so once on stdout."""

    def __init__(
        self, command: str, rate: float = 0.0, tick_s: float = 0.25, **pool: float
    ) -> None:
        """`rate` orders a second, handed in every `tick_s`; 0: as many as it takes."""
        self._orders = [
            Order(
                1, 1, f"host{n // 10};{n % 10}", n, f"{command} -H 127.0.{n >> 8}.{n & 255}", 60.0
            )
            for n in range(ORDERS)
        ]
        self._rate, self._tick_s = rate, tick_s
        self._news = threading.Event()
        settings = {"workers": 2, "in_flight": 64, "prefetch": 96, **pool}
        self._pool = WorkerPool(on_results=lambda *_: self._news.set(), **settings)

    def run(self) -> None:
        self._submit(0, CHUNK)
        self._news.wait()
        print("running", flush=True)
        if self._rate:
            self._run_at_rate()
        self._run_full()

    def _run_full(self) -> None:
        chunks = [
            msgspec.msgpack.encode(self._orders[at : at + CHUNK]) for at in range(0, ORDERS, CHUNK)
        ]
        for chunk in itertools.cycle(chunks):
            while self._pool.free < CHUNK:
                self._news.wait(1.0)
                self._news.clear()
            self._pool.submit(chunk, CHUNK)

    def _run_at_rate(self) -> None:
        at, began, given = 0, time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began) * self._rate) - given
            given += due
            while due:
                count = min(CHUNK, due)
                self._submit(at, count)
                at = (at + CHUNK) % ORDERS
                due -= count
            time.sleep(self._tick_s)

    def _submit(self, at: int, count: int) -> None:
        self._pool.submit(msgspec.msgpack.encode(self._orders[at : at + count]), count)


if __name__ == "__main__":
    Owner(**json.loads(sys.argv[1])).run()
