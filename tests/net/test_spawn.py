"""The worker pool: what it takes and gives back, and what happens when a worker or the pool ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from daemons.model.check import CODE_TIMEOUT, Order, Result
from daemons.net.spawn import WorkerPool
from daemons.net.worker import session_members
from tests.net.test_worker import alive, number_in, until


class Owner:
    """Takes what the pool passes on."""

    def __init__(self, workers: int = 2, in_flight: int = 8, prefetch: int = 96, **more) -> None:
        self.batches: list[tuple[int, int, bytes, float]] = []
        self.lost: list[int] = []
        self.threads: set[str] = set()
        self.pool = WorkerPool(
            workers, in_flight, prefetch, self.take, on_lost=self.lost.append, **more
        )

    def take(self, shard: int, count: int, body: bytes) -> None:
        self.threads.add(threading.current_thread().name)
        self.batches.append((shard, count, body, time.monotonic()))

    def submit(self, *commands: str, timeout_s: float = 30.0, shard: int = 1) -> None:
        orders = [
            Order(shard, 1, "web1", n, command, timeout_s) for n, command in enumerate(commands)
        ]
        self.pool.submit(msgspec.msgpack.encode(orders), len(orders))

    def results(self, count: int) -> list[Result]:
        """All results so far, once there are `count`."""
        until(lambda: sum(batch[1] for batch in self.batches) >= count, "too few results")
        return [
            r for batch in self.batches for r in msgspec.msgpack.decode(batch[2], type=list[Result])
        ]


@pytest.fixture
def hire() -> Iterator[Callable[..., Owner]]:
    """Makes owners with pools; all are closed after the test."""
    owners: list[Owner] = []

    def one(**settings) -> Owner:
        owners.append(Owner(**settings))
        return owners[-1]

    yield one
    for owner in owners:
        owner.pool.close()


def test_results_come_back_undecoded_with_their_shard_and_count(hire):
    owner = hire()
    owner.submit("/bin/echo a", "/bin/sh -c 'exit 2'", shard=5)
    owner.submit("/bin/echo b", shard=6)
    results = owner.results(3)

    assert sorted((r.shard, r.seq, r.code, r.output) for r in results) == [
        (5, 0, 0, "a"), (5, 1, 2, ""), (6, 0, 0, "b")]  # fmt: skip
    for shard, count, body, _ in owner.batches:
        assert [r.shard for r in msgspec.msgpack.decode(body, type=list[Result])] == [shard] * count
    assert owner.threads == {"workers"}


def test_free_falls_with_each_order_and_rises_with_each_result(hire):
    owner = hire(workers=2, in_flight=3, prefetch=10)
    assert (owner.pool.capacity, owner.pool.free) == (26, 26)
    owner.submit(*["/bin/sleep 0.3"] * 6)
    assert (owner.pool.outstanding, owner.pool.free) == (6, 20)
    owner.results(6)

    assert (owner.pool.outstanding, owner.pool.free) == (0, 26)


def test_work_goes_to_the_worker_with_the_least_to_do(hire):
    owner = hire(workers=2)
    owner.submit(*["/bin/sleep 0.5"] * 3)
    owner.submit("/bin/sh -c 'ps -o sid= -p $$'", "/bin/sh -c 'ps -o sid= -p $$'")
    sessions = {int(r.output) for r in owner.results(5) if r.output}

    assert len(sessions) == 1
    owner.submit("/bin/sh -c 'ps -o sid= -p $$'")
    assert {int(r.output) for r in owner.results(6) if r.output} <= set(owner.pool.pids)


def test_many_short_commands_come_back_in_few_batches(hire):
    owner = hire(prefetch=1000)
    owner.submit(*["/bin/true"] * 300)
    owner.submit(*["/bin/true"] * 300)
    owner.results(600)

    assert len(owner.batches) <= 120  # about 16 results each


def test_a_single_result_is_not_kept_long(hire):
    owner = hire(pace_s=0.05)
    owner.submit("/bin/true")
    owner.results(1)
    began = time.monotonic()
    owner.submit("/bin/true")
    owner.results(2)

    assert owner.batches[-1][3] - began < 1.0


def test_megabytes_of_orders_and_results_pass(hire):
    owner = hire(workers=1)
    owner.submit(*["/bin/echo " + "x" * 60_000] * 64)  # 4 MB each way, more than the sockets hold

    assert [len(r.output) for r in owner.results(64)] == [60_000] * 64


def test_a_purge_throws_away_what_was_not_started(hire):
    owner = hire(workers=2, in_flight=1)
    owner.submit(*["/bin/sleep 0.6"] * 5, shard=1)
    owner.submit(*["/bin/sleep 0.6"] * 5, shard=2)
    until(lambda: sum(len(session_members(pid)) for pid in owner.pool.pids) == 2, "not started")

    assert owner.pool.purge(shard=2) == 4
    assert owner.pool.purge() == 4
    assert owner.pool.purge() == 0
    assert owner.pool.outstanding == 2
    assert sorted(r.shard for r in owner.results(2)) == [1, 2]
    assert owner.pool.lost == 0


def test_a_killed_worker_is_replaced_and_its_commands_are_gone(hire, tmp_path):
    owner = hire(workers=1, in_flight=3)
    long = [f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/{n}; wait" for n in range(3)]
    owner.submit(*long, "/bin/true", "/bin/true")
    pids = [number_in(tmp_path / str(n)) for n in range(3)]
    (worker,) = owner.pool.pids
    os.kill(worker, signal.SIGKILL)
    until(lambda: owner.lost == [5], "not told of the loss")

    assert owner.pool.lost == 5
    assert [pid for pid in pids if alive(pid)] == []
    assert session_members(worker) == []
    until(lambda: owner.pool.free > 0, "not replaced")
    assert (owner.pool.restarts, owner.pool.outstanding) == (1, 0)
    assert owner.pool.pids != (worker,)
    owner.submit("/bin/echo again")
    assert [r.output for r in owner.results(1)] == ["again"]


def test_the_other_worker_goes_on_when_one_dies(hire):
    owner = hire(workers=2, in_flight=4)
    owner.submit(*["/bin/sleep 30"] * 4)
    owner.submit(*["/bin/sleep 0.5"] * 4)
    until(lambda: sum(len(session_members(pid)) for pid in owner.pool.pids) == 8, "not started")
    os.kill(owner.pool.pids[0], signal.SIGKILL)

    assert [r.code for r in owner.results(4)] == [0] * 4
    until(lambda: owner.lost == [4], "not told of the loss")


def test_a_worker_that_is_stopped_is_no_reason_to_block(hire):
    owner = hire(workers=1, prefetch=10_000)
    (worker,) = owner.pool.pids
    os.kill(worker, signal.SIGSTOP)
    for _ in range(20):
        owner.submit(*["/bin/echo " + "x" * 50_000] * 8)  # 8 MB
    os.kill(worker, signal.SIGCONT)

    assert len(owner.results(160)) == 160


def test_close_ends_workers_and_commands(hire, tmp_path):
    owner = hire(workers=2)
    for name in ("a", "b"):
        owner.submit(f"trap '' TERM; (sleep 60 & echo $! > {tmp_path}/{name}; wait)")
    pids = [number_in(tmp_path / name) for name in ("a", "b")]
    workers = owner.pool.pids
    owner.pool.close()

    assert [pid for pid in (*pids, *workers) if alive(pid)] == []
    assert [worker for worker in workers if session_members(worker)] == []
    owner.pool.close()  # again is nothing
    assert owner.pool.free == 0


def test_close_waits_for_no_worker_that_hangs(hire, tmp_path):
    owner = hire(workers=1)
    owner.submit(f"sleep 60 & echo $! > {tmp_path}/pid; wait")
    pid = number_in(tmp_path / "pid")
    os.kill(owner.pool.pids[0], signal.SIGSTOP)
    owner.pool.close()

    assert not alive(pid)


def test_orders_after_close_are_lost(hire):
    owner = hire(workers=1)
    owner.pool.close()
    owner.submit("/bin/true", "/bin/true")

    assert (owner.pool.lost, owner.lost) == (2, [2])


def test_a_time_out_reaches_the_owner(hire):
    owner = hire(workers=1)
    owner.submit("/bin/sleep 60", timeout_s=0.2)

    assert [r.code for r in owner.results(1)] == [CODE_TIMEOUT]


def test_closing_leaves_no_descriptor(hire):
    hire(workers=1).pool.close()
    before = set(os.listdir("/proc/self/fd"))
    owner = hire(workers=2)
    owner.submit("/bin/true")
    owner.results(1)
    owner.pool.close()

    assert set(os.listdir("/proc/self/fd")) == before


OWNER = """
import sys, msgspec
from daemons.model.check import Order
from daemons.net.spawn import WorkerPool
pool = WorkerPool(2, 8, 8, lambda *result: None)
for name in "ab":
    line = f"trap '' TERM; sleep 60 & echo $! > {sys.argv[1]}/{name}; wait"
    pool.submit(msgspec.msgpack.encode([Order(1, 1, "x", 1, line, 90.0)]), 1)
print(*pool.pids, flush=True)
sys.stdin.read()
"""


def test_when_the_owner_is_killed_nothing_of_it_is_left(tmp_path):
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    assert process.stdout is not None
    workers = [int(word) for word in process.stdout.readline().split()]
    pids = [number_in(tmp_path / name) for name in ("a", "b")]
    assert len(workers) == 2
    process.kill()
    process.communicate()

    until(lambda: not [pid for pid in (*workers, *pids) if alive(pid)], "something lives on")
