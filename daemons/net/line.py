"""One TCP connection as Pyro sees it, with what Pyro's own lacks: a deadline, a size limit, sealed records.

After the handshake of two who know a secret, every message travels in a record with a keyed tag over its number and
content. So nobody between them can change, repeat, drop or add a message; who reads along is a matter for TLS.
"""

import hmac
import select
import socket
import struct
import time
from typing import Any, Final

from Pyro5 import errors, socketutil

from daemons.net.pyro import GREETING_BYTES_MAX, HEADER_BYTES

CHUNK_BYTES: Final = 64 * 1024
TAG_BYTES: Final = 16
RECORD: Final = struct.Struct(f"!I{TAG_BYTES}s")
NUMBER: Final = struct.Struct("!QI")
VIEW_BYTES: Final = 4096  # larger parts are handed out as views, not copies

KEEPALIVE_IDLE_S: Final = 5
KEEPALIVE_INTERVAL_S: Final = 2
KEEPALIVE_PROBES: Final = 3
USER_TIMEOUT_MS: Final = 10_000  # unacknowledged data: the peer is gone


def tune(sock: socket.socket) -> None:
    """Make a vanished peer known within some ten seconds, and send without delay."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Seal:
    """The tags of one direction: HMAC-SHA256 over number, length and content, cut to 16 bytes."""

    def __init__(self, key: bytes) -> None:
        """Begin at record 0 of a direction that has `key` for itself."""
        self._keyed = hmac.new(key, digestmod="sha256")
        self._number = 0

    def tag(self, data: Any) -> bytes:
        """Return the tag of the next record."""
        mac = self._keyed.copy()
        mac.update(NUMBER.pack(self._number, len(data)))
        mac.update(data)
        self._number += 1
        return mac.digest()[:TAG_BYTES]


class Line(socketutil.SocketConnection):  # type: ignore[misc]  # Pyro5 carries no types
    """A connection. `deadline` (monotonic seconds) bounds all that is sent and received until it is set anew."""

    def __init__(self, sock: socket.socket, object_id: str, deadline: float) -> None:
        """Take over `sock`, connected to or serving the Pyro object `object_id`."""
        super().__init__(sock, object_id)
        self.deadline = deadline
        self.bytes_max = GREETING_BYTES_MAX
        self._held = b""  # received, not yet taken
        self._opened = memoryview(b"")  # of the record under way, not yet taken
        self._seals: tuple[Seal, Seal] | None = None

    def seal(self, sending: bytes, receiving: bytes) -> None:
        """From here on send and accept sealed records only, under these keys."""
        self._seals = (Seal(sending), Seal(receiving))

    def send(self, data: bytes) -> None:
        """Send one message. Raises errors.TimeoutError, errors.ConnectionClosedError."""
        if self._seals is None:
            self._put(data)
            return
        head = RECORD.pack(len(data), self._seals[0].tag(data))
        if len(data) <= CHUNK_BYTES:
            self._put(head + data)
        else:
            self._put(head)
            self._put(data)

    def recv(self, size: int) -> Any:
        """Return exactly `size` bytes. Raises errors.ProtocolError (too large, bad tag), TimeoutError, ConnectionClosedError."""
        if size > self.bytes_max:
            raise errors.ProtocolError(f"message of {size} bytes, at most {self.bytes_max} here")
        if self._seals is None:
            return self._take(size)
        if not self._opened and size:
            self._opened = self._record(self._seals[1])
        if size > len(self._opened):
            raise errors.ProtocolError("a message crosses its record")
        part, self._opened = self._opened[:size], self._opened[size:]
        return bytes(part) if size <= VIEW_BYTES else part

    def stale(self) -> bool:
        """Return whether the peer hung up, or sent what nobody asked for, while nothing was under way."""
        if self._held or self._opened:
            return True
        poll = select.poll()
        try:
            poll.register(self.sock, select.POLLIN | select.POLLRDHUP)
        except ValueError:  # closed here
            return True
        return bool(poll.poll(0))

    def hang_up(self) -> None:
        """Wake whoever waits on this line, from any thread; the owner closes it."""
        _shut(self.sock, socket.SHUT_RDWR)

    def last_call(self) -> None:
        """Receive no more: a request under way is still answered, then its thread sees the end."""
        _shut(self.sock, socket.SHUT_RD)

    def _record(self, seal: Seal) -> memoryview:
        size, tag = RECORD.unpack(self._take(RECORD.size))
        if size > self.bytes_max + HEADER_BYTES:
            raise errors.ProtocolError(f"record of {size} bytes, at most {self.bytes_max} here")
        data = self._take(size)
        if not hmac.compare_digest(tag, seal.tag(data)):
            raise errors.ProtocolError(
                "a record has a wrong tag: other secret, or changed on the way"
            )
        return memoryview(data)

    def _take(self, size: int) -> Any:
        """Return the next `size` raw bytes: small ones read ahead in one system call, large ones into place."""
        if size > CHUNK_BYTES:
            return self._take_large(size)
        while len(self._held) < size:
            self._wait()
            try:
                chunk = self.sock.recv(CHUNK_BYTES)
            except OSError as error:
                raise _named(error, "receiving") from error
            if not chunk:
                raise errors.ConnectionClosedError("closed by the other side")
            self._held = self._held + chunk if self._held else chunk
        part, self._held = self._held[:size], self._held[size:]
        return part

    def _take_large(self, size: int) -> memoryview:
        data = memoryview(bytearray(size))
        filled = min(size, len(self._held))
        data[:filled], self._held = self._held[:filled], self._held[filled:]
        while filled < size:
            self._wait()
            try:
                count = self.sock.recv_into(data[filled:])
            except OSError as error:
                raise _named(error, "receiving") from error
            if not count:
                raise errors.ConnectionClosedError("closed by the other side")
            filled += count
        return data

    def _put(self, data: bytes) -> None:
        self._wait()
        try:
            self.sock.sendall(data)  # its time-out bounds the whole of it
        except OSError as error:
            raise _named(error, "sending") from error

    def _wait(self) -> None:
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            raise errors.TimeoutError("timed out")
        try:
            self.sock.settimeout(left_s)
        except OSError as error:
            raise _named(error, "using a closed socket") from error


def _named(error: OSError, doing: str) -> Exception:
    """Return `error` as the Pyro error that callers tell apart."""
    if isinstance(error, TimeoutError):
        timed_out: Exception = errors.TimeoutError("timed out")
        return timed_out
    closed: Exception = errors.ConnectionClosedError(f"{doing}: {error.strerror or error}")
    return closed


def _shut(sock: socket.socket, how: int) -> None:
    try:
        sock.shutdown(how)
    except OSError:
        return  # already gone, which is what was wanted
