"""Late packets without netem, which this kernel may lack: they wait in an NFQUEUE until we say "accept".

One `Delay` serves one server's incoming packets from one other. Wire format: linux/netfilter/nfnetlink_queue.h.
"""

import contextlib
import heapq
import random
import socket
import struct
import threading
import time

NETLINK_NETFILTER = 12
QUEUE = 3  # nfnetlink subsystem
PACKET, VERDICT, CONFIG = 0, 1, 2  # its messages
CMD, PARAMS, MAXLEN = 1, 2, 3  # attributes of CONFIG
BIND, COPY_META = 1, 1
PACKET_HDR, VERDICT_HDR = 1, 2
ACCEPT = 1
WAITING_MAX = 20_000  # packets in the queue; the kernel drops what comes on top

_netlink = struct.Struct("=IHHII")
_family = struct.Struct(">BBH")
_attribute = struct.Struct("=HH")


class Delay:
    """A thread that accepts each packet of queue `number` `delay_s` ± `jitter_s` after it came."""

    def __init__(self, sock: socket.socket, number: int, delay_s: float, jitter_s: float) -> None:
        """`sock`: a netlink socket made inside the receiving server, `netlink()`."""
        self.sock, self.number = sock, number
        self.delay_s, self.jitter_s = delay_s, jitter_s
        self._random = random.Random(number)
        self._closing = threading.Event()
        self._say(CONFIG, CMD, struct.pack(">BBH", BIND, 0, socket.AF_INET))
        self._say(CONFIG, PARAMS, struct.pack(">IB", 0, COPY_META))
        self._say(CONFIG, MAXLEN, struct.pack(">I", WAITING_MAX))
        self._thread = threading.Thread(target=self._run, name=f"delay-{number}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; what waits is dropped with the socket."""
        self._closing.set()
        self._thread.join(2)
        self.sock.close()

    def _run(self) -> None:
        waiting: list[tuple[float, int]] = []
        while not self._closing.is_set():
            pause = waiting[0][0] - time.monotonic() if waiting else 0.2
            self.sock.settimeout(min(0.2, max(0.0005, pause)))
            with contextlib.suppress(TimeoutError, BlockingIOError):
                packet = _packet_id(self.sock.recv(65536))
                if packet is not None:
                    wait_s = self.delay_s + self._random.uniform(-self.jitter_s, self.jitter_s)
                    heapq.heappush(waiting, (time.monotonic() + wait_s, packet))
            while waiting and waiting[0][0] <= time.monotonic():
                self._say(VERDICT, VERDICT_HDR, struct.pack(">II", ACCEPT, heapq.heappop(waiting)[1]))

    def _say(self, message: int, attribute: int, value: bytes) -> None:
        body = _family.pack(socket.AF_UNSPEC, 0, self.number) + _attribute.pack(4 + len(value), attribute) + value
        body += bytes(-len(body) % 4)
        self.sock.send(_netlink.pack(16 + len(body), QUEUE << 8 | message, 1, 0, 0) + body)


def netlink() -> socket.socket:
    """Return a netlink socket of the namespace of this thread."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    return sock


def _packet_id(data: bytes) -> int | None:
    """The number of the packet a netlink message tells of, None when it tells of something else."""
    if len(data) < 20 or _netlink.unpack_from(data)[1] != QUEUE << 8 | PACKET:
        return None
    at = 20
    while at + 4 <= len(data):
        length, kind = _attribute.unpack_from(data, at)
        if kind == PACKET_HDR:
            return int(struct.unpack_from(">I", data, at + 4)[0])
        at += max(4, (length + 3) & ~3)
    return None
