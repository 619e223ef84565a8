"""Servers to test against: one in this process, one in a process of its own whose memory can be watched."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

from Pyro5 import protocol

from daemons.net.transport import Asked, Limits, Server, serve

SECRET = bytes(range(32))
OBJECT = "shinken.test.poller.poller-1"
LOG = logging.getLogger("test.transport")

ECHO = """
import logging, sys, threading
from daemons.net.transport import Limits, serve
logging.basicConfig(stream=sys.stderr, format="%(message)s")
secret = bytes.fromhex(sys.argv[1]) or None
server = serve("127.0.0.1", 0, sys.argv[2], lambda asked: asked.body, dict, secret=secret,
               log=logging.getLogger(), limits=Limits(handshake_s=float(sys.argv[3])))
print(server.port, flush=True)
sys.stdin.read()
"""


def until(condition: Callable[[], bool], within_s: float = 5.0) -> bool:
    """Return whether `condition` came true in time."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.005)
    return True


@contextlib.contextmanager
def serving(
    ask: Callable[[Asked], bytes] = lambda asked: asked.body,
    secret: bytes | None = SECRET,
    address: str = "127.0.0.1",
    port: int = 0,
    object_id: str = OBJECT,
    operator_key: bytes | None = None,
    **limits: float,
) -> Iterator[Server]:
    """A server of this process on a free port."""
    server = serve(
        address,
        port,
        object_id,
        ask,
        lambda: {"role": "poller"},
        secret=secret,
        operator_key=operator_key,
        log=LOG,
        limits=Limits(**limits),  # type: ignore[arg-type]
    )
    try:
        yield server
    finally:
        server.close()


class Process:
    """An echo server in a process of its own."""

    def __init__(self, popen: subprocess.Popen[str], log_path: str) -> None:
        self.popen = popen
        self.port = int(popen.stdout.readline())  # type: ignore[union-attr]
        self.log_path = log_path

    def alive(self) -> bool:
        return self.popen.poll() is None

    def peak_kib(self) -> int:
        """Return the peak resident size."""
        with open(f"/proc/{self.popen.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.popen.pid}/task"))

    def log_lines(self) -> list[str]:
        with open(self.log_path) as log:
            return log.read().splitlines()


@contextlib.contextmanager
def process(
    log_path: str, secret: bytes | None = SECRET, handshake_s: float = 5.0
) -> Iterator[Process]:
    """An echo server that ends with the test."""
    with open(log_path, "w") as log:
        popen = subprocess.Popen(
            [sys.executable, "-c", ECHO, (secret or b"").hex(), OBJECT, str(handshake_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        yield Process(popen, log_path)
    finally:
        popen.send_signal(signal.SIGKILL)
        popen.communicate()


def frame(
    payload: bytes,
    kind: int = protocol.MSG_CONNECT,
    serializer: int = 4,
    flags: int = 0,
    annotations: bytes = b"",
    claims: int | None = None,
) -> bytes:
    """Return a Pyro message, also one that Pyro would not make."""
    size = len(payload) if claims is None else claims
    return (
        protocol.struct.pack(
            "!4sHBBHHII16sHH",
            b"PYRO",
            protocol.PROTOCOL_VERSION,
            kind,
            serializer,
            flags,
            1,
            size,
            len(annotations),
            bytes(16),
            0,
            0x4DC5,
        )
        + annotations
        + payload
    )


def dial(port: int, address: str = "127.0.0.1", timeout_s: float = 5.0) -> socket.socket:
    """Return a plain connection."""
    return socket.create_connection((address, port), timeout_s)


def said_until_closed(sock: socket.socket, limit: int = 1 << 20) -> bytes:
    """Return all that comes until the other side hangs up; fails with TimeoutError if it does not."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while len(data) < limit and (chunk := sock.recv(65536)):
            data += chunk
    return data


class Relay:
    """A man in the middle: passes bytes on, keeps what the caller said, and may change it."""

    def __init__(self, port: int, change: Callable[[bytes, int], bytes] = lambda data, n: data):
        self.said: list[bytes] = []
        self._target = port
        self._change = change
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._run, daemon=True)]
        self._threads[0].start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = dial(self._target)
                for one, other, keep in ((near, far, True), (far, near, False)):
                    thread = threading.Thread(
                        target=self._pump, args=(one, other, keep), daemon=True
                    )
                    self._threads.append(thread)
                    thread.start()

    def _pump(self, one: socket.socket, other: socket.socket, keep: bool) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if keep:
                    self.said.append(data)
                    data = self._change(data, len(self.said))
                other.sendall(data)
        for sock in (one, other):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
