"""A pool of worker processes that run commands: chunks of orders in, batches of results out, undecoded.

The one thing to know: nothing is per order. The owner submits chunks with a count, one reader
thread passes results on at a coarse pace, and neither ever looks inside. A worker that dies is
replaced; what it had is counted as lost (the scheduler lends those orders again), and whatever it
ran is killed first, so that what the pool reports gone is gone.
"""

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

import daemons
from daemons.net.worker import ORDERS, PURGE, PURGED, TO_PARENT, TO_WORKER, Limits, kill_session

log = logging.getLogger(__name__)

OnResults = Callable[[int, int, bytes], None]  # shard, count, msgpack list[Result]
OnLost = Callable[[int], None]  # how many orders will never have a result

READ_BYTES = 1024 * 1024
EXIT_S = 3.0  # a worker told to end has this long
RESTART_S = (0.0, 0.1, 0.5, 2.0, 5.0)  # wait before the n-th restart in a row
STEADY_S = 30.0  # a worker that lived this long starts the row anew


@dataclass(slots=True, eq=False)
class Hired:
    """One worker process, from start to burial."""

    process: subprocess.Popen[bytes]
    socket: socket.socket
    started: float  # monotonic
    failures: int  # how many died before it in a row
    outstanding: int = 0  # orders given, results not yet seen
    inbox: bytearray = field(default_factory=bytearray)
    outbox: bytearray = field(default_factory=bytearray)


class WorkerPool:
    """Runs orders in `workers` processes. Its methods may be called from any thread.

    `on_results` and `on_lost` are called by the reader thread, without any lock held; they must
    not call `purge` or `close`. An exception in them is a bug and ends the process's reader.
    """

    def __init__(
        self,
        workers: int,
        in_flight: int,
        prefetch: int,
        on_results: OnResults,
        *,
        on_lost: OnLost | None = None,
        fresh: int = 8,
        fresh_s: float = 0.025,
        pace_s: float = 0.05,
    ) -> None:
        """Start the workers.

        Each runs at most `in_flight` commands at once (and at most `fresh` of them younger than
        `fresh_s`: those that use the CPU do not gain from more) and queues `prefetch` more. Results
        are passed on at most every `pace_s` or so, and no later than about twice that.
        """
        assert workers > 0 and in_flight > 0 and prefetch >= 0
        self.lost = 0  # orders that will never have a result, since the start
        self.restarts = 0
        self._per_worker = in_flight + prefetch
        self._limits = Limits(in_flight, fresh, fresh_s, pace_s)
        self._pace_s = pace_s
        self._on_results = on_results
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._purged = threading.Condition(self._lock)
        self._purge_answers: list[int] = []
        self._purge_awaited: set[int] = set()  # fds of the workers asked
        self._purging = threading.Lock()
        self._closing = False
        self._epoll = select.epoll()
        self._wake, self._wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._rest_poll = select.poll()
        self._rest_poll.register(self._wake, select.POLLIN)
        self._workers: dict[int, Hired] = {}  # by the fd of the socket
        self._vacancies: list[tuple[float, int]] = []  # monotonic time of restart, failures
        for _ in range(workers):
            self._hire(failures=0)
        self._reader = threading.Thread(target=self._read_all, name="workers", daemon=True)
        self._reader.start()

    @property
    def capacity(self) -> int:
        """How many orders it holds at most, running and queued; less while a worker is away."""
        return self._per_worker * len(self._workers)

    @property
    def outstanding(self) -> int:
        """How many orders were submitted and have no result yet."""
        with self._lock:
            return sum(worker.outstanding for worker in self._workers.values())

    @property
    def free(self) -> int:
        """How many more orders it would take now."""
        return max(0, self.capacity - self.outstanding)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers, for health reports."""
        return tuple(worker.process.pid for worker in list(self._workers.values()))

    def submit(self, chunk: bytes, count: int) -> None:
        """Give `chunk` (msgpack list of `count` Orders) to the worker with the least to do.

        Never blocks. More than `free` is taken all the same: the limit is the caller's. With no
        worker alive the orders are lost at once.
        """
        with self._lock:
            if self._workers and not self._closing:
                worker = min(self._workers.values(), key=lambda w: w.outstanding)
                worker.outstanding += count
                self._post(worker, ORDERS, chunk)
                return
        self._count_lost(count)

    def purge(self, shard: int | None = None, wait_s: float = 1.0) -> int:
        """Throw away the orders of `shard` (None: all) not yet started; return how many.

        They have no results, and do not count as lost. A worker that does not answer within
        `wait_s` has thrown away none as far as we know.
        """
        assert threading.current_thread() is not self._reader
        body = msgspec.msgpack.encode(shard)
        with self._purging, self._purged:
            self._purge_answers.clear()
            self._purge_awaited = set(self._workers)
            for worker in self._workers.values():
                self._post(worker, PURGE, body)
            self._purged.wait_for(lambda: not self._purge_awaited, wait_s)
            self._purge_awaited = set()
            return sum(self._purge_answers)

    def close(self) -> None:
        """Kill what runs, end the workers, wait for both. Results not yet passed on are dropped."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        os.write(self._wake_end, b".")
        self._reader.join()
        for worker in self._workers.values():
            worker.socket.close()  # told to all before the first is awaited
        for worker in self._workers.values():
            self._bury(worker, EXIT_S)
        self._workers.clear()
        self._epoll.close()
        os.close(self._wake)
        os.close(self._wake_end)

    # -- under the lock

    def _post(self, worker: Hired, kind: int, body: bytes) -> None:
        """Send a frame, or as much of it as the socket takes; the reader sends the rest."""
        idle = not worker.outbox
        worker.outbox += TO_WORKER.pack(len(body), kind) + body
        if idle and not _send(worker):
            self._epoll.modify(worker.socket, select.EPOLLIN | select.EPOLLOUT)

    def _hire(self, failures: int) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        site, root = Path(msgspec.__file__).parents[1], Path(daemons.__file__).parents[1]
        script = Path(__file__).with_name("worker.py")
        command = [sys.executable, "-I", "-S", "-X", "utf8", str(script), str(site), str(root)]
        with theirs:
            process = subprocess.Popen(
                [*command, ",".join(str(n) for n in msgspec.to_builtins(self._limits))],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # what it starts is found by the session, see _bury
            )
        worker = Hired(process, ours, time.monotonic(), failures)
        with self._lock:
            self._workers[ours.fileno()] = worker
            self._epoll.register(ours, select.EPOLLIN)

    # -- the reader thread

    def _read_all(self) -> None:
        while not self._closing:
            wait_s = min((at - time.monotonic() for at, _ in self._vacancies), default=-1.0)
            events = self._epoll.poll(max(0.0, wait_s) if self._vacancies else -1)
            for fd, event in events:
                if fd != self._wake:
                    self._attend(self._workers[fd], event)
            for vacancy in [v for v in self._vacancies if v[0] <= time.monotonic()]:
                self._vacancies.remove(vacancy)
                self._hire(vacancy[1])
            self._rest()

    def _rest(self) -> None:
        """Let results gather: one wake-up for many. A `close` ends the rest at once."""
        self._rest_poll.poll(self._pace_s * 500)

    def _attend(self, worker: Hired, event: int) -> None:
        if event & select.EPOLLOUT:
            with self._lock:
                if _send(worker):
                    self._epoll.modify(worker.socket, select.EPOLLIN)
        if not event & ~select.EPOLLOUT:
            return
        try:
            data = worker.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        worker.inbox += data
        self._pass_on(worker)
        if not data and not self._closing:
            self._replace(worker)

    def _pass_on(self, worker: Hired) -> None:
        """Hand the whole frames over."""
        inbox, at = worker.inbox, 0
        while len(inbox) - at >= TO_PARENT.size:
            size, kind, count, shard = TO_PARENT.unpack_from(inbox, at)
            start = at + TO_PARENT.size
            if len(inbox) - start < size:
                break
            at = start + size
            with self._purged:
                worker.outstanding -= count
                if kind == PURGED:
                    self._purge_answers.append(count)
                    self._purge_awaited.discard(worker.socket.fileno())
                    self._purged.notify_all()
            if kind != PURGED:
                self._on_results(shard, count, bytes(memoryview(inbox)[start:at]))
        del inbox[:at]

    def _replace(self, worker: Hired) -> None:
        """Bury `worker`, count what it had, and hire another, later if it keeps happening."""
        with self._purged:
            fd = worker.socket.fileno()
            self._epoll.unregister(worker.socket)
            del self._workers[fd]
            self._purge_awaited.discard(fd)
            self._purged.notify_all()
        worker.socket.close()
        self._bury(worker, patience_s=0.0)
        steady = time.monotonic() - worker.started > STEADY_S
        failures = 0 if steady else worker.failures + 1
        wait_s = RESTART_S[min(failures, len(RESTART_S)) - 1] if failures else 0.0
        self._vacancies.append((time.monotonic() + wait_s, failures))
        self.restarts += 1
        log.warning(
            "replaces worker pid=%d exit=%s lost=%d wait_s=%g",
            worker.process.pid,
            worker.process.returncode,
            worker.outstanding,
            wait_s,
        )
        self._count_lost(worker.outstanding)

    def _bury(self, worker: Hired, patience_s: float) -> None:
        """End the worker and all it started. Its session's number is ours until it is reaped."""
        pid = worker.process.pid
        with contextlib.closing(_Pidfd(pid)) as ended:
            if not ended.wait(patience_s):
                worker.process.send_signal(signal.SIGKILL)
                ended.wait(EXIT_S)
        if left := kill_session(pid, patience_s=2.0):
            log.error("left running worker=%d processes=%d why=unkillable", pid, left)
        worker.process.wait()

    def _count_lost(self, count: int) -> None:
        if count:
            with self._lock:
                self.lost += count
            if self._on_lost is not None:
                self._on_lost(count)


class _Pidfd:
    """Waits for the end of a child without reaping it."""

    def __init__(self, pid: int) -> None:
        self._fd = os.pidfd_open(pid)

    def wait(self, patience_s: float) -> bool:
        poll = select.poll()  # not select.select: it knows no fd above 1023
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(patience_s * 1000))

    def close(self) -> None:
        os.close(self._fd)


def _send(worker: Hired) -> bool:
    """Send what waits; return whether all is gone. A dead worker takes everything."""
    try:
        while worker.outbox:
            del worker.outbox[: worker.socket.send(worker.outbox)]
    except BlockingIOError:
        return False
    except OSError:  # its end is noticed by the reader
        worker.outbox.clear()
    return True
