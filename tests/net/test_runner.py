"""The runner: requests that wait are asked again at each tick, and only an answer wakes who waits."""

import logging
import subprocess
import sys
import threading

import pytest

from daemons.model.clock import Mono, Now, Wall
from daemons.net import runner
from daemons.net.runner import Runner
from daemons.roles.role import Call, Unexpected, Wait
from daemons.wire.messages import CensusAsk, Done, Failed, Fence, Message, Shutdown

LIMIT_S = 5.0


class Slow:
    """A role that lets `CensusAsk` wait until `ready`."""

    name, instance, tick_s = "slow", "i", 0.005
    durable_serial = 0

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.asked = 0
        self.late: Exception | None = None
        self.waits = threading.Event()

    def handle(self, message: Message, now: Now) -> Message | Wait:
        if isinstance(message, Shutdown):
            return Done()
        self.asked += 1
        if self.asked > 1:
            self.waits.set()
            if self.late is not None:
                raise self.late
        return Done() if self.ready.is_set() else Wait(now.mono + 60)

    def tick(self, now: Now) -> list[Call]:
        return []

    def answered(self, call: Call, answer: Message, now: Now) -> list[Call]:
        return []

    def durable(self) -> bytes:
        return b""


@pytest.fixture
def role():
    return Slow()


@pytest.fixture
def running(role):
    one = Runner(role, lambda name: None, {}, read_clock=lambda: Now(Mono(1.0), Wall(1.0)))
    thread = threading.Thread(target=one.run)
    thread.start()
    yield one
    one.stop()
    thread.join(LIMIT_S)
    assert not thread.is_alive()


def entered(one, message):
    """Enter in a thread; return what comes of it, once it has come."""
    found: list[object] = []

    def enter() -> None:
        try:
            found.append(one.enter(message))
        except Unexpected as error:
            found.append(error)

    thread = threading.Thread(target=enter)
    thread.start()

    def outcome() -> object:
        thread.join(LIMIT_S)
        assert found, "no answer"
        return found[0]

    return outcome


def test_a_request_that_waits_is_answered_at_the_tick_that_brings_its_answer(role, running):
    outcome = entered(running, CensusAsk())
    assert role.waits.wait(LIMIT_S)
    role.ready.set()
    assert outcome() == Done()


def test_several_requests_may_wait_at_once(role, running):
    outcomes = [entered(running, CensusAsk()) for _ in range(3)]
    assert role.waits.wait(LIMIT_S)
    role.ready.set()
    assert [outcome() for outcome in outcomes] == [Done()] * 3


def test_what_waits_is_told_when_the_daemon_ends(role, running):
    outcome = entered(running, CensusAsk())
    assert role.waits.wait(LIMIT_S)
    running.stop()
    assert isinstance(outcome(), Failed)


def test_a_request_refused_only_later_is_refused_to_its_sender_and_ends_nothing(role, running):
    role.late = Unexpected("not any more")
    outcome = entered(running, CensusAsk())
    assert isinstance(outcome(), Unexpected)
    role.late = None
    role.ready.set()
    assert running.enter(CensusAsk()) == Done()


def test_an_entry_that_holds_up_the_others_is_told(role, monkeypatch, caplog):
    monkeypatch.setattr(runner, "SLOW_S", -1.0)
    one = Runner(role, lambda name: None, {}, read_clock=lambda: Now(Mono(1.0), Wall(1.0)))
    role.ready.set()
    with caplog.at_level(logging.WARNING):
        one.enter(Fence(1, 2))
    assert "slow entry role=slow about=Fence" in caplog.text
    assert one.figures["slow_entries"] == 1


def test_a_signal_stops_a_runner_at_whatever_instant_it_comes(tmp_path):
    """An Event set by the handler hung now and then: its lock was held by the very thread that was interrupted."""
    script = """
import os, signal, sys, threading, time
from daemons.net.runner import Runner
from daemons.wire.messages import Done

class Idle:
    name, instance, tick_s, durable_serial = "idle", "i", 0.0, 0
    def handle(self, message, now): return Done()
    def tick(self, now): return []
    def answered(self, call, answer, now): return []
    def durable(self): return b""

for n in range(40):
    runner = Runner(Idle(), lambda name: None, {})
    signal.signal(signal.SIGTERM, lambda *_: runner.stop())
    threading.Timer(0.0005 * n, os.kill, (os.getpid(), signal.SIGTERM)).start()
    runner.run()
"""
    ended = subprocess.run([sys.executable, "-c", script], timeout=30, check=False)

    assert ended.returncode == 0
