"""Asks witness addresses whether they are there: which of two servers has lost the network?

The one thing to know: only an answer counts. A refused connection is none (a packet filter on this very
machine may have refused it), and neither is anything from an address of this machine.
"""

import logging
import os
import select
import socket
import struct
import subprocess
import time
from pathlib import Path

from daemons.wire.board import AskWitnesses, Witnesses
from daemons.wire.messages import Failed, Message

log = logging.getLogger(__name__)

ROUTES = Path("/proc/net/route")
RTF_GATEWAY = 2
ECHO_REQUEST, ECHO_REPLY = 8, 0
PING = "/bin/ping"


class WitnessService:
    """The keeper's local service "witness". `named`: the setting witness_ping; () = the default gateway."""

    def __init__(self, named: tuple[str, ...], servers: tuple[str, ...], routes: Path = ROUTES) -> None:
        """`servers`: the addresses of the cluster's servers; none of them is a witness."""
        self.named = named
        self.servers = servers
        self.routes = routes
        self._serial = 0

    def apply(self, message: Message) -> Message:
        """Return which witnesses answered within the time that `message` gives."""
        if not isinstance(message, AskWitnesses):
            return Failed(f"not for witnesses: {type(message).__name__}")
        asked, unfit = [], []
        for target in self.named or default_gateways(self.routes):
            host, _, port = target.partition(":")
            if not port.isdigit() and port:
                unfit.append(f"{target} is neither ADDRESS nor ADDRESS:PORT")
            elif host in self.servers or is_own(host):
                unfit.append(f"{target} is a server of the cluster itself")
            else:
                asked.append(target)
        return Witnesses(tuple(asked), self._answering(asked, message.timeout_s), tuple(unfit))

    def _answering(self, targets: list[str], timeout_s: float) -> tuple[str, ...]:
        """Ask all at once; return those that answered."""
        self._serial = (self._serial + 1) % 0xFFFF
        pings: dict[socket.socket, str] = {}
        tries: dict[socket.socket, str] = {}
        spawned: dict[subprocess.Popen[bytes], str] = {}
        found = set()
        for target in targets:
            host, _, port = target.partition(":")
            if port:
                tries |= _try(target, host, int(port))
                continue
            try:
                pings |= _ping(target, host, self._serial)
            except PermissionError:  # the system keeps ICMP from unprivileged users
                spawned |= _spawn(target, host, timeout_s)
        deadline = time.monotonic() + timeout_s
        while (pings or tries) and (left := deadline - time.monotonic()) > 0:
            readable, writable, _ = select.select(list(pings), list(tries), [], left)
            for sock in readable:
                if _replied(sock):
                    found.add(pings[sock])
                pings.pop(sock)
                sock.close()
            for sock in writable:
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    found.add(tries[sock])
                tries.pop(sock)
                sock.close()
        for sock in (*pings, *tries):
            sock.close()
        for process, target in spawned.items():
            if _ended_well(process, deadline):
                found.add(target)
        return tuple(t for t in targets if t in found)


def default_gateways(routes: Path = ROUTES) -> tuple[str, ...]:
    """Return the addresses of the IPv4 default gateways, the preferred one first; () when there is none."""
    found = []
    try:
        lines = routes.read_text().splitlines()[1:]
    except OSError:
        return ()
    for words in map(str.split, lines):
        if len(words) > 7 and words[1] == "00000000" and int(words[3], 16) & RTF_GATEWAY:
            # the kernel prints the number as the machine holds it, least byte first
            found.append((int(words[6]), socket.inet_ntoa(struct.pack("=I", int(words[2], 16)))))
    return tuple(address for _, address in sorted(found))


def is_own(host: str) -> bool:
    """Return whether `host` is an address of this machine: only such a one can be bound."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def _ping(target: str, host: str, serial: int) -> dict[socket.socket, str]:
    """Send one echo request; {} when it cannot be sent. Raises PermissionError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    try:
        sock.setblocking(False)
        sock.connect((host, 0))
        sock.send(_echo(serial))
    except PermissionError:
        sock.close()
        raise
    except OSError:
        sock.close()
        return {}
    return {sock: target}


def _echo(serial: int) -> bytes:
    """An ICMP echo request; the kernel puts in the identifier and sums up again."""
    return struct.pack("!BBHHH", ECHO_REQUEST, 0, (~(ECHO_REQUEST * 256 + serial)) & 0xFFFF, 0, serial)


def _replied(sock: socket.socket) -> bool:
    try:
        data = sock.recv(512)
    except OSError:
        return False
    return bool(data) and data[0] == ECHO_REPLY


def _try(target: str, host: str, port: int) -> dict[socket.socket, str]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.connect((host, port))
    except BlockingIOError:
        return {sock: target}
    except OSError:
        sock.close()
        return {}
    return {sock: target}


def _spawn(target: str, host: str, timeout_s: float) -> "dict[subprocess.Popen[bytes], str]":
    words = [PING, "-n", "-q", "-c", "1", "-W", str(max(1, round(timeout_s))), "--", host]
    if not os.access(PING, os.X_OK):
        return {}
    return {subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL): target}  # fmt: skip


def _ended_well(process: "subprocess.Popen[bytes]", deadline: float) -> bool:
    try:
        return process.wait(max(0.05, deadline + 0.5 - time.monotonic())) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
