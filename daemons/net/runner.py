"""Runs one role: turns Pyro5 calls into `handle`, calls into threads, time into `tick`.

The role is entered under one lock. Each destination has a thread and a bounded queue of its own, so a
dead peer delays only itself. An error inside a role is a bug: it is logged whole and the process
ends with code 70; the keeper restarts it and the spare has taken over meanwhile.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol, TypeVar

from daemons.model.clock import Now
from daemons.net import clock
from daemons.net.client import Refused, Unreachable
from daemons.net.door import Asked, Refusal
from daemons.net.durable import Durable
from daemons.roles.role import Call, Retracting, Role, Unexpected, Wait
from daemons.wire.codec import BadMessage, decode, encode
from daemons.wire.messages import FROM_OPERATORS, FROM_PEERS, Failed, Message, Shutdown

log = logging.getLogger(__name__)
T = TypeVar("T")
QUEUE_MAX = 1000  # calls waiting for one destination; one more fails at once
SHUTDOWN_S = 5.0  # a role may take this long to end in order
SLOW_S = 0.3  # an entry that takes longer is told: beyond twice this its keeper renews no lease
SLOW_WRITE_S = 1.0  # a disk that takes longer is no place for promises: beats wait for it
RETRY_S = 1.0  # between two tries to write what could not be written
BUG = 70  # exit code: EX_SOFTWARE


class Asker(Protocol):
    """One way to a peer; raises Unreachable or Refused when there was no answer."""

    def ask(self, body: bytes, timeout_s: float) -> bytes:
        """Return the peer's answer."""

    def close(self) -> None:
        """Let go of the connection."""


Service = Callable[[Message], Message]  # a local service; may block, never raises for the world's faults


class _Unwritten(Exception):
    """What an entry made durable could not be written: nothing of its outcome leaves."""

    def __init__(self, why: str) -> None:
        super().__init__(f"cannot write to disk: {why}")


class _Waiting:
    """A request that the role let wait, and the thread that waits for its answer."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self._done = threading.Event()
        self._answer: Message | Unexpected = Failed("stopping")

    def settle(self, answer: Message | Unexpected) -> None:
        """Wake the thread."""
        self._answer = answer
        self._done.set()

    def answer(self) -> Message:
        """Wait for the answer. Raises Unexpected."""
        self._done.wait()
        if isinstance(self._answer, Unexpected):
            raise self._answer
        return self._answer


class Runner:
    """Holds a role, its services and its way to the peers."""

    def __init__(
        self,
        role: Role,
        peers: Callable[[str], Asker | None],
        services: Mapping[str, Service],
        durable: Durable | None = None,
        read_clock: Callable[[], Now] = clock.now,
        shutdown_s: float = SHUTDOWN_S,
    ) -> None:
        """`peers` gives a new connection for a name, None for a name that nobody has."""
        self.role = role
        self.peers = peers
        self.services = dict(services)
        self.durable = durable
        self.read_clock = read_clock
        self.shutdown_s = shutdown_s
        self.lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._stop_asked = False
        self._wake = threading.Event()  # set by other threads only, never by the signal handler
        self._pause_s = 0.0  # that `run` sleeps between two ticks now
        self.ended = threading.Event()
        self._lanes: dict[tuple[str, str], queue.Queue[Call | None]] = {}
        self._written = 0
        self._on_disk: bytes | None = None  # last written by this process
        self._retry_mono = 0.0  # not before then is a failed write tried again
        self._unwritable = ""  # why the last write failed or was slow; "" = it was good
        self._dropped: list[Call] = []  # made by entries that could not be written; they failed
        self.figures: dict[str, float] = {
            "calls": 0, "calls_failed": 0, "asked": 0, "asked_bad": 0, "queue_full": 0,
            "slow_entries": 0, "entry_s_max": 0.0, "unwritten": 0,
        }  # fmt: skip

    # -- in

    def ask(self, asked: Asked) -> bytes:
        """Answer one request of a peer. Raises Refusal, which the transport tells the peer."""
        self.figures["asked"] += 1
        try:
            message = decode(asked.body)
            kind = type(message)
            allowed = (asked.member and kind in FROM_PEERS) or (asked.operator and kind in FROM_OPERATORS)
            if not allowed:
                raise Unexpected(f"{kind.__name__} is not taken from {asked.sender or 'a stranger'}")
            return encode(self.enter(message))
        except (BadMessage, Unexpected) as error:
            self.figures["asked_bad"] += 1
            raise Refusal(f"{self.role.name}: {error}") from error

    def enter(self, message: Message) -> Message:
        """Hand `message` to the role, waiting as long as it says `Wait`."""
        with self.lock:
            answer = self._handle(message, self.read_clock())
            if not isinstance(answer, Wait):
                return answer
            if self.ended.is_set():
                return Failed("stopping")
            waiting = _Waiting(message)
            self._waiting.append(waiting)
        return waiting.answer()

    def _ask_again(self, now: Now) -> None:
        """Hand what waits to the role again; only whose answer is there is woken. Under the lock."""
        ended = self.ended.is_set()
        left = []
        for waiting in self._waiting:
            answer = self._handle_again(waiting, now)
            if isinstance(answer, Wait) and not ended:
                left.append(waiting)
            else:
                waiting.settle(Failed("stopping") if isinstance(answer, Wait) else answer)
        self._waiting = left

    def _handle_again(self, waiting: "_Waiting", now: Now) -> "Message | Wait | Unexpected":
        try:
            return self._handle(waiting.message, now)
        except Unexpected as error:
            return error

    # -- time

    def run(self) -> None:
        """Tick until `stop` was asked and the role has ended in order."""
        while not self._stop_asked:
            self._wake.clear()
            self._tick()
            self._pause_s = self.role.tick_s
            self._wake.wait(self._pause_s)
        self._end()

    def stop(self) -> None:
        """Ask `run` to return within a tick.

        Safe in a signal handler: it takes no lock. (An Event would: a handler that runs while `run`
        is entering `Event.wait` waits for a lock that its own thread holds, for ever.)
        """
        self._stop_asked = True

    def _tick(self) -> None:
        with self.lock:
            now = self.read_clock()
            calls = self._drop(now)
            calls += self._calls(lambda: self.role.tick(now), "tick")
            self._ask_again(now)
        self._send(calls)

    def _end(self) -> None:
        deadline = self.read_clock().mono + self.shutdown_s
        answer: Message | Wait = Wait(deadline)
        while isinstance(answer, Wait) and self.read_clock().mono < deadline:
            with self.lock:
                now = self.read_clock()
                answer = self._handle(Shutdown("stopped"), now)
            if isinstance(answer, Failed):  # could not be written: it may still end in order
                answer = Wait(deadline)
            self._tick()
            if isinstance(answer, Wait):
                self.ended.wait(0.05)
        self.ended.set()
        with self.lock:
            self._ask_again(self.read_clock())
        for lane in list(self._lanes.values()):
            try:
                lane.put_nowait(None)
            except queue.Full:
                continue  # its thread is a daemon thread and ends with the process

    # -- out

    def _send(self, calls: list[Call]) -> None:
        for call in calls:
            key = (call.to, call.lane)
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = queue.Queue(QUEUE_MAX)
                threading.Thread(
                    target=self._carry, args=(lane, call.to), name=f"to {call.to} {call.lane}", daemon=True
                ).start()
            try:
                lane.put_nowait(call)
            except queue.Full:
                self.figures["queue_full"] += 1
                self._answered(call, Failed("queue full"))

    def _carry(self, lane: "queue.Queue[Call | None]", to: str) -> None:
        peer: Asker | None = None
        while (call := lane.get()) is not None:
            service = self.services.get(to)
            if service is None and peer is None:
                peer = self.peers(to)
            self.figures["calls"] += 1
            answer = self._serve(service, call) if service else self._ask(peer, call)
            if isinstance(answer, Failed):
                self.figures["calls_failed"] += 1
            self._answered(call, answer)
        if peer is not None:
            peer.close()

    def _serve(self, service: Service, call: Call) -> Message:
        try:
            return service(call.message)
        except Exception:
            log.exception("bug in local service=%s message=%s", call.to, type(call.message).__name__)
            os._exit(BUG)

    def _ask(self, peer: Asker | None, call: Call) -> Message:
        if peer is None:
            return Failed(f"nobody is called {call.to}")
        try:
            return decode(peer.ask(encode(call.message), call.timeout_s))
        except (Unreachable, Refused) as error:
            return Failed(str(error))
        except BadMessage as error:
            return Failed(f"answered nonsense: {error}")

    def _answered(self, call: Call, answer: Message) -> None:
        with self.lock:
            now = self.read_clock()
            calls = self._calls(lambda: self.role.answered(call, answer, now), type(call.message).__name__)
        self._send(calls)

    def _calls(self, entry: Callable[[], list[Call]], what: str) -> list[Call]:
        """Return what an entry wants carried out; nothing of it if what it made durable is not on disk."""
        made: list[Call] = []

        def noted() -> list[Call]:
            made.extend(entry())
            return made

        try:
            return self._guarded(noted, what)
        except _Unwritten:
            self._dropped += made
            return []

    def _drop(self, now: Now) -> list[Call]:
        """Tell the role that what could not leave has failed; return what follows. Under the lock."""
        dropped, self._dropped = self._dropped, []
        calls: list[Call] = []
        failed = Failed(f"cannot write to disk: {self._unwritable}")
        for call in dropped:
            calls += self._calls(partial(self.role.answered, call, failed, now), "what was dropped")
        return calls

    # -- the role itself

    def _handle(self, message: Message, now: Now) -> Message | Wait:
        try:
            return self._guarded(lambda: self.role.handle(message, now), type(message).__name__)
        except _Unwritten as error:
            return Failed(str(error))

    def _guarded(self, entry: Callable[[], T], what: str) -> T:
        """Run one entry, about `what`; before its outcome leaves, what it made durable is on disk.

        Raises _Unwritten when that could not be written, and Unexpected.
        """
        began = time.monotonic()
        try:
            outcome = entry()
            if self.role.tick_s < self._pause_s:  # it has become urgent meanwhile
                self._wake.set()
            self._timed(time.monotonic() - began, what)
            self._write(self.durable)
            return outcome
        except (Unexpected, _Unwritten):
            raise
        except Exception:
            log.exception("bug in role=%s, ending with code %d", self.role.name, BUG)
            os._exit(BUG)

    # -- its memory

    def _write(self, durable: Durable | None) -> None:
        """Write what is durable if it changed. Raises _Unwritten; a disk does not end the process."""
        serial = self.role.durable_serial
        if durable is None or serial == self._written:
            return
        mono = self.read_clock().mono
        if mono < self._retry_mono:
            raise self._not_written(self._unwritable)
        data, began = self.role.durable(), time.monotonic()
        try:
            durable.write(data)
        except OSError as error:
            self._retry_mono = mono + RETRY_S
            raise self._not_written(error.strerror or str(error)) from error
        self._written, self._on_disk = serial, data
        took_s = time.monotonic() - began
        if took_s > SLOW_WRITE_S:
            self._seal(f"the disk took {took_s:.1f} s")
        elif self._unwritable and not isinstance(self.role, Retracting):
            self._unsealed()

    def _not_written(self, why: str) -> _Unwritten:
        self.figures["unwritten"] += 1
        if isinstance(self.role, Retracting):
            self.role.retract(self._on_disk)
            self._written = self.role.durable_serial
            self._retry_mono = 0.0
        self._seal(why)
        return _Unwritten(why)

    def _seal(self, why: str) -> None:
        """Say so once; let a role that can do without the disk know, and look when it is good again."""
        new, self._unwritable = not self._unwritable, why
        if new:
            log.error("role=%s cannot write %s: %s", self.role.name, self.durable and self.durable.path, why)
        if isinstance(self.role, Retracting):
            self.role.cannot_write(why)
            if new:
                threading.Thread(target=self._probe, name="probes the disk", daemon=True).start()

    def _unsealed(self) -> None:
        log.warning("role=%s writes again after: %s", self.role.name, self._unwritable)
        self._unwritable = ""

    def _probe(self) -> None:
        """Until the disk is good: in a thread of its own and not under the lock, for it may hang."""
        assert self.durable is not None and isinstance(self.role, Retracting)
        while not self.ended.wait(RETRY_S):
            began = time.monotonic()
            try:
                self.durable.probe()
            except OSError as error:
                log.debug("probe: %s", error)
                continue
            if time.monotonic() - began <= SLOW_WRITE_S:
                with self.lock:
                    self._unsealed()
                    self._written = -1  # on disk it may stand as an entry left it that was dropped
                    self.role.can_write()
                return

    def _timed(self, took_s: float, what: str) -> None:
        """Note how long an entry took: all others waited, the beat among them."""
        if took_s > self.figures["entry_s_max"]:
            self.figures["entry_s_max"] = took_s
        if took_s > SLOW_S:
            self.figures["slow_entries"] += 1
            log.warning("slow entry role=%s about=%s took_s=%.2f", self.role.name, what, took_s)
