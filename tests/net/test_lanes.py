"""Peers that hang over real connections: each delays its own lane and nobody else."""

import logging
import socket
import threading
import time

from daemons.model.clock import Now
from daemons.net import clock
from daemons.net.client import Peer
from daemons.net.runner import Runner
from daemons.net.transport import serve
from daemons.roles.role import Call
from daemons.wire.codec import encode
from daemons.wire.messages import CensusAsk, Done, Failed, Message, Shutdown

HUNG = ("hung-1", "hung-2", "hung-3")
TIMEOUT_S = 1.5
WELL = 20  # answers of a healthy peer while the hung ones are waited for


class Asker:
    """Asks every peer again as soon as it has answered or failed."""

    name, instance, tick_s, durable_serial = "asker", "i", 0.01, 0

    def __init__(self) -> None:
        self.asking: set[str] = set()
        self.answers: list[tuple[float, str, type[Message]]] = []
        self.enough = threading.Event()

    def handle(self, message: Message, now: Now) -> Message:
        assert isinstance(message, Shutdown)
        return Done()

    def tick(self, now: Now) -> list[Call]:
        free = {"well", *HUNG} - self.asking
        self.asking |= free
        return [Call(name, CensusAsk(), timeout_s=TIMEOUT_S, lane="x") for name in sorted(free)]

    def answered(self, call: Call, answer: Message, now: Now) -> list[Call]:
        self.asking.discard(call.to)
        self.answers.append((now.mono, call.to, type(answer)))
        if sum(to == "well" for _, to, _ in self.answers) >= WELL:
            self.enough.set()
        return []

    def durable(self) -> bytes:
        return b""


def test_peers_that_hang_delay_no_other_and_fail_when_their_time_is_up() -> None:
    server = serve(
        "127.0.0.1", 0, "well", lambda asked: encode(Done()), dict, secret=None, log=logging.getLogger("t")
    )  # fmt: skip
    ports = {"well": server.port}
    silent = [socket.create_server(("127.0.0.1", 0)) for _ in HUNG]
    ports |= {name: s.getsockname()[1] for name, s in zip(HUNG, silent, strict=True)}
    role = Asker()
    runner = Runner(
        role, lambda to: Peer("127.0.0.1", ports[to], to, sender="asker"), {}, read_clock=clock.now
    )
    thread = threading.Thread(target=runner.run)
    began = time.monotonic()
    thread.start()
    try:
        assert role.enough.wait(10.0)
        took = time.monotonic() - began
        answered = list(role.answers)
        assert {kind for _, to, kind in answered if to == "well"} == {Done}
        if took < TIMEOUT_S:  # the machine was not too slow to tell
            assert not [to for _, to, _ in answered if to in HUNG]
        until = time.monotonic() + 10.0
        while {to for _, to, kind in list(role.answers) if kind is Failed} != set(HUNG):
            assert time.monotonic() < until, "a hung peer fails when its time is up"
            time.sleep(0.01)
    finally:
        runner.stop()
        thread.join(10.0)
        server.close()
        for one in silent:
            one.close()
