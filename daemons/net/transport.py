"""The server side of every daemon: one Pyro5 object behind a door that a hostile network may knock at.

Pyro5's own servers parse before they authenticate, let the caller choose the serializer and can be filled with silent
connections. Here Pyro keeps its object model and wire format; accepting, reading and answering are ours. A caller has
five seconds and 64 KiB to prove the cluster secret; who has proven nothing makes room for newcomers.
"""

import contextlib
import errno
import ipaddress
import logging
import socket
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from Pyro5 import config, errors
from Pyro5.callcontext import current_context

from daemons.net.dialogue import PyroDaemon, Served
from daemons.net.door import Asked, Door, Refusal
from daemons.net.handshake import Keyring
from daemons.net.line import tune
from daemons.net.refusals import Refusals

__all__ = ["Asked", "CannotServe", "Limits", "Refusal", "Server", "serve"]

BACKLOG: Final = 512
SHED_S: Final = 0.1  # pause after the machine ran out of descriptors, so as not to spin
OUT_OF: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
GRACE_S: Final = 1.0  # for answers under way when the server closes


class CannotServe(Exception):
    """The address cannot be served: taken, not this machine's, or no secret for it; the text says which."""


class Limits(Struct, frozen=True, kw_only=True):
    """How much is served at once, and how long is waited."""

    connections: int = 512
    per_address: int = 256  # many daemons share 127.0.0.1
    greeting: int = 128  # connections that have proven nothing yet; the oldest makes room
    handshake_s: float = 5.0
    idle_s: float = 90.0  # for the next request to have come in whole
    answer_s: float = 60.0  # for an answer to be taken


LIMITS: Final = Limits()


class Server:
    """Serves one object until `close`. One thread accepts; each connection has its own."""

    def __init__(
        self,
        address: str,
        port: int,
        object_id: str,
        exposed: object,
        ring: Keyring,
        log: logging.Logger,
        limits: Limits,
    ) -> None:
        """Bind `address` and begin to serve `exposed`. Raises CannotServe."""
        self._limits = limits
        self._log = log
        self._open_to_all = ring.cluster is not None
        self._pyro = _bound(address, port, object_id, exposed, ring, limits)
        self._listener: socket.socket = self._pyro.sock
        self.address, self.port = self._listener.getsockname()[:2]
        self.uri: str = self._pyro.uri
        self.refusals = Refusals(log, f"{self.address}:{self.port}")
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._lines: dict[Served, threading.Thread] = {}
        self._greeting: OrderedDict[Served, str] = (
            OrderedDict()
        )  # oldest first; the address of each
        self._per_address: Counter[str] = Counter()
        self._accepting = threading.Thread(
            target=self._accept, name=f"accept {self.port}", daemon=True
        )
        self._accepting.start()

    def connections(self) -> int:
        """Return how many connections are open."""
        with self._lock:
            return len(self._lines)

    def close(self, grace_s: float = GRACE_S) -> None:
        """Stop accepting, let answers under way out for `grace_s`, cut the rest. May be called twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._accepting.join()
        self._pyro.close()
        with self._lock:
            under_way = dict(self._lines)
        for line in under_way:
            line.last_call()
        deadline = time.monotonic() + grace_s
        for line, thread in under_way.items():
            if thread is threading.current_thread():
                continue
            thread.join(max(0.0, deadline - time.monotonic()))
            line.hang_up()
        self.refusals.flush()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                sock, peer = self._listener.accept()
            except OSError as error:
                if error.errno in OUT_OF:
                    self._log.warning("%s:%d: accept: %s", self.address, self.port, error)
                    self._make_room(0)
                    self._closing.wait(SHED_S)
                continue  # or the caller was gone already, or we are closing
            self._admit(sock, peer[0])

    def _admit(self, sock: socket.socket, address: str) -> None:
        """Give the connection a thread, unless there are too many."""
        why = self._too_many(address)
        if not why:
            self._make_room(self._limits.greeting - 1)
            try:
                tune(sock)
                line = Served(sock, "", time.monotonic() + self._limits.handshake_s)
                thread = threading.Thread(
                    target=self._attend, args=(line, address), name=f"line {address}", daemon=True
                )
                with self._lock:
                    self._lines[line] = thread
                    self._greeting[line] = address
                    self._per_address[address] += 1
                thread.start()
                return
            except OSError:
                sock.close()  # gone again before its options were set
                return
            except RuntimeError as error:  # no more threads on this machine
                self._leave(line, address)
                why = str(error)
        self.refusals.note(address, why)
        sock.close()

    def _too_many(self, address: str) -> str:
        if not self._open_to_all and not ipaddress.ip_address(address).is_loopback:
            return "without a cluster secret only this machine is served"
        with self._lock:
            if self._per_address[address] >= self._limits.per_address:
                return f"{self._limits.per_address} connections from one address"
            if len(self._lines) >= self._limits.connections:
                return f"{self._limits.connections} connections"
        return ""

    def _make_room(self, keep: int) -> None:
        """Hang up on the longest waiting of those who have proven nothing, until `keep` are left."""
        while True:
            with self._lock:
                if len(self._greeting) <= keep:
                    return
                line, address = self._greeting.popitem(last=False)
            self.refusals.note(address, "proved nothing while others waited")
            line.hang_up()

    def _attend(self, line: Served, address: str) -> None:
        """Serve one connection to its end; the body of its thread."""
        current_context.client = line
        try:
            if self._greeted(line, address):
                self._answer(line, address)
        finally:
            self._leave(line, address)
            line.close()

    def _greeted(self, line: Served, address: str) -> bool:
        try:
            why = self._pyro.greet(line, address)
        except errors.ConnectionClosedError:
            if line.caller is None:
                return False  # it left, or made room: nothing to tell
            why = "left without a proof: is its cluster secret (or operator key) ours?"
        except errors.CommunicationError as error:
            why = f"handshake: {error}"
        if why:
            self.refusals.note(address, why)
            return False
        with self._lock:
            self._greeting.pop(line, None)
        line.bytes_max = config.MAX_MESSAGE_SIZE
        return True

    def _answer(self, line: Served, address: str) -> None:
        while not self._closing.is_set():
            line.deadline = time.monotonic() + self._limits.idle_s
            try:
                self._pyro.handleRequest(line)
            except (errors.ConnectionClosedError, errors.TimeoutError):
                return
            except errors.CommunicationError as error:
                self.refusals.note(address, str(error))
                return

    def _leave(self, line: Served, address: str) -> None:
        with self._lock:
            self._lines.pop(line, None)
            self._greeting.pop(line, None)
            self._per_address[address] -= 1
            if not self._per_address[address]:
                del self._per_address[address]


def serve(
    address: str,
    port: int,
    object_id: str,
    ask: Callable[[Asked], bytes],
    health: Callable[[], dict[str, Any]],
    *,
    secret: bytes | None,
    log: logging.Logger,
    operator_key: bytes | None = None,
    limits: Limits = LIMITS,
) -> Server:
    """Serve a daemon on `address` (port 0: a free one) until the returned server is closed. Raises CannotServe.

    `ask` and `health` are entered by many threads at once. Without `secret` only loopback addresses are served.
    """
    ring = Keyring(secret, operator_key)
    return Server(address, port, object_id, Door(ask, health), ring, log, limits)


def _bound(
    address: str, port: int, object_id: str, exposed: object, ring: Keyring, limits: Limits
) -> PyroDaemon:
    """Return a Pyro daemon that listens. Raises CannotServe, naming address and port."""
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][4][0]
        ip = str(found)
        if ring.cluster is None and not ipaddress.ip_address(ip).is_loopback:
            raise CannotServe(
                f"{address}:{port}: not served without a cluster secret (cluster_secret_file), only loopback is"
            )
        pyro = PyroDaemon(ip, port, object_id, exposed, ring, limits.answer_s)
        pyro.sock.listen(BACKLOG)
    except OSError as error:
        raise CannotServe(f"{address}:{port}: {error.strerror or error}") from error
    return pyro
