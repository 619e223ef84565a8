"""Listens on TCP and on a UNIX socket, and answers each connection in a thread of its own.

The one thing to know: the store is read and written under one lock (`Server.lock`); whoever feeds it takes the lock
too, and calls `changed` afterwards, so that waiting queries look again. A client that is slow, silent, too many or
talks nonsense costs its own connection only.
"""

import contextlib
import ipaddress
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from daemons.modules.livestatus.engine import Reply, answer, ready, request
from daemons.modules.livestatus.query import LATE, TOO_MUCH, Limits, Parsed
from daemons.modules.livestatus.store import Store

log = logging.getLogger(__name__)

REQUEST_BYTES = 16_000_000
WAIT_AT_MOST_S = 3600.0  # of a Wait header without WaitTimeout
Command = Callable[[str], None]  # takes "[time] NAME;arg"


class Serving(Struct, frozen=True):
    """Where and whom to serve."""

    tcp: tuple[str, int] | None = None
    unix: Path | None = None
    allowed_hosts: tuple[str, ...] = ()  # addresses and networks; () = everybody
    connections: int = 100
    idle_s: float = 300.0  # a connection that says nothing is closed
    send_s: float = 30.0
    limits: Limits = Limits()


class Hung(Exception):
    """The client said nothing for too long, or too much."""


class Server:
    """The listening sockets and the connections."""

    def __init__(
        self, serving: Serving, store: Store, command: Command,
        wall: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """Nothing listens before `start`."""
        self._serving = serving
        self._store = store
        self._command = command
        self._wall = wall
        self._networks = [ipaddress.ip_network(host, strict=False) for host in serving.allowed_hosts]
        self._listening: list[socket.socket] = []
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._stopping = False
        self.lock = threading.Condition()

    def start(self) -> None:
        """Listen. Raises OSError."""
        if self._serving.tcp is not None:
            family = socket.AF_INET6 if ":" in self._serving.tcp[0] else socket.AF_INET
            self._listen(socket.socket(family, socket.SOCK_STREAM), self._serving.tcp)
        if self._serving.unix is not None:
            self._serving.unix.unlink(missing_ok=True)
            self._listen(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), str(self._serving.unix))
            os.chmod(self._serving.unix, 0o660)

    def _listen(self, made: socket.socket, address: object) -> None:
        self._listening.append(made)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)  # type: ignore[arg-type]  # a path or a pair, as the family says
        made.listen(64)
        thread = threading.Thread(target=self._accept, args=(made,), name="livestatus", daemon=True)
        thread.start()
        self._threads.append(thread)

    @property
    def port(self) -> int:
        """The TCP port that is listened on."""
        return int(self._listening[0].getsockname()[1])

    def changed(self) -> None:
        """Have waiting queries look again; called without the lock."""
        with self.lock:
            self.lock.notify_all()

    def close(self) -> None:
        """Stop listening and end all connections."""
        with self.lock:
            self._stopping = True
            self.lock.notify_all()
            every = [*self._listening, *self._open]
        for one in every:
            with contextlib.suppress(OSError):  # it was not connected
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(2.0)

    # -- connections

    def _accept(self, listening: socket.socket) -> None:
        while not self._stopping:
            try:
                client, address = listening.accept()
            except OSError as error:
                if self._stopping:
                    return
                log.warning("cannot accept a Livestatus connection: %s", error)
                time.sleep(0.1)  # out of descriptors: not in a circle
                continue
            if not self._may(client, address):
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), name="livestatus-client", daemon=True).start()

    def _may(self, client: socket.socket, address: object) -> bool:
        if client.family != socket.AF_UNIX and self._networks:
            assert isinstance(address, tuple)
            theirs = ipaddress.ip_address(address[0].partition("%")[0])
            if isinstance(theirs, ipaddress.IPv6Address) and theirs.ipv4_mapped is not None:
                theirs = theirs.ipv4_mapped
            if not any(theirs in network for network in self._networks):
                log.warning("refuses a Livestatus connection from=%s why='not in allowed_hosts'", theirs)
                return False
        with self.lock:
            if self._stopping or len(self._open) >= self._serving.connections:
                return False
            self._open.add(client)
        return True

    def _serve(self, client: socket.socket) -> None:
        try:
            with client:
                reader = _Reader(client, self._serving)
                while not self._stopping:
                    lines = reader.request()
                    if lines is None or not self._one(client, lines):
                        return
        except (OSError, Hung):
            return  # the client is gone, or was too slow
        finally:
            with self.lock:
                self._open.discard(client)

    def _one(self, client: socket.socket, lines: Sequence[str]) -> bool:
        """Answer one request; return whether the connection stays open."""
        if lines[0].startswith("COMMAND "):
            self._command(lines[0][8:].strip())
            return True
        reply = self.reply(lines)
        client.settimeout(self._serving.send_s)
        client.sendall(reply.data)
        return reply.keep_alive

    def reply(self, lines: Sequence[str]) -> Reply:
        """Return the answer to a request; waits as its Wait headers say."""
        limits, store = self._serving.limits, self._store
        with self.lock:
            parsed = request(lines, store, self._wall(), limits)
            if parsed.query is not None and parsed.query.waits:
                self._wait(parsed)
            begun = time.monotonic()
            found = answer(parsed, store, self._wall(), limits)
        query = parsed.query
        if query is not None and query.timelimit_s and time.monotonic() - begun > query.timelimit_s:
            late = Parsed(None, "the answer took longer than Timelimit", LATE, parsed.fixed16, parsed.keep_alive)
            return answer(late, store, self._wall(), limits)
        return found

    def _wait(self, parsed: Parsed) -> None:
        """Wait until the conditions hold, or without any until something changes; the lock is held."""
        query = parsed.query
        assert query is not None
        end = time.monotonic() + (query.wait_timeout_s or WAIT_AT_MOST_S)
        serial = self._store.serial
        while not self._stopping and not ready(query, self._store, self._wall()):
            if not query.wait_tests and self._store.serial != serial:
                return
            left = end - time.monotonic()
            if left <= 0:
                return
            self.lock.wait(min(left, 1.0))


class _Reader:
    """Requests out of the bytes of one connection."""

    def __init__(self, client: socket.socket, serving: Serving) -> None:
        """Nothing read yet."""
        self._client = client
        self._serving = serving
        self._left = b""
        self._ended = False

    def request(self) -> list[str] | None:
        """Return the lines of the next request, None at the end. Raises Hung, OSError."""
        lines: list[str] = []
        size = 0
        while True:
            line = self._line()
            if line is None:
                return lines or None
            size += len(line) + 1
            if size > REQUEST_BYTES:
                raise Hung(f"a request of more than {REQUEST_BYTES} bytes ({TOO_MUCH})")
            text = line.decode("utf-8", "replace").rstrip("\r")
            if text.strip():
                lines.append(text)
                if text.startswith("COMMAND "):
                    self._skip_empty()
                    return lines
            elif lines:
                return lines

    def _skip_empty(self) -> None:
        """A command is one line; the empty one after it ends nothing."""
        if self._left.startswith(b"\n"):
            self._left = self._left[1:]

    def _line(self) -> bytes | None:
        while b"\n" not in self._left:
            if self._ended or len(self._left) > REQUEST_BYTES:
                left, self._left = self._left, b""
                return left or None
            self._client.settimeout(self._serving.idle_s)
            try:
                data = self._client.recv(65_536)
            except TimeoutError as error:
                raise Hung("nothing was said") from error
            self._ended = not data
            self._left += data
        line, _, self._left = self._left.partition(b"\n")
        return line
