"""A leader's supervision of each role: interval, time-out and attempts as configured, each in its own lane."""

import logging
from itertools import pairwise

import pytest

from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import ROLES, Cluster, DaemonDef, RoleName, ServerDef
from daemons.roles.arbiter import LEASE, Arbiter, Compiled
from daemons.roles.keeper import CODE_UNKNOWN
from daemons.roles.role import Call
from daemons.wire.messages import (
    Beat,
    Census,
    CensusAsk,
    DaemonEnded,
    Enrolled,
    Failed,
    Lease,
    Leases,
    Message,
    Report,
    Roster,
    ServerSeen,
)
from tests.roles.test_keeper import Stage as KeeperStage

SERVERS = (ServerDef("server1", "a1", 0), ServerDef("server2", "a2", 1))
WATCHED = ROLES[1:]  # and the spare arbiter


def watched(role: RoleName) -> DaemonDef:
    """Each role with figures of its own, so that none is taken for another's."""
    n = ROLES.index(role)
    return DaemonDef(
        name=f"{role}-2", role=role, address="a2", port=1, spare=role == "arbiter",
        check_interval_s=2.0 + n, timeout_s=0.5 + 0.1 * n, max_check_attempts=2 + n % 3,
    )  # fmt: skip


class Stage:
    """A leading arbiter; who is in `hanging` answers nothing: its calls fail when their time is up."""

    def __init__(self) -> None:
        self.mono = 500.0
        self.watched = {role: watched(role) for role in ROLES}
        first = DaemonDef(name="leader", role="arbiter", address="a1", port=1)
        self.role = Arbiter(
            name="leader", instance="me", pid=7, compiled=Compiled(config="cfg"),
            cluster=Cluster(name="c", daemons=(first, *self.watched.values()), servers=SERVERS),
        )  # fmt: skip
        self.hanging: set[str] = set()
        self.open: list[tuple[float, Call]] = []  # calls that fail at a time
        self.asked: dict[str, list[tuple[float, Call]]] = {}
        self.states: dict[str, list[tuple[float, str]]] = {}

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.mono = round(self.mono + 0.1, 3)
            now = Now(Mono(self.mono), Wall(1_800_000_000.0))
            due, self.open = (
                [c for t, c in self.open if t <= self.mono],
                [o for o in self.open if o[0] > self.mono],
            )
            for call in due:
                self.role.answered(call, Failed("timed out"), now)
            for call in self.role.tick(now):
                if isinstance(call.message, Roster):
                    self.asked.setdefault(call.to, []).append((self.mono, call))
                if call.to in self.hanging:
                    self.open.append((self.mono + call.timeout_s, call))
                else:
                    self.role.answered(call, self.answer(call), now)
            for name, heard in self.role.daemons.items():
                told = self.states.setdefault(name, [])
                if not told or told[-1][1] != heard.health.state:
                    told.append((self.mono, heard.health.state))

    def answer(self, call: Call) -> Message:
        match call.message:
            case Beat(wants=wants):
                return Leases((Lease(LEASE, 256, self.mono + 2.0),) if wants else ())
            case CensusAsk():
                server = call.to.partition("@")[2]
                others = tuple(ServerSeen(s.name, 0.1) for s in SERVERS if s.name != server)
                return Census(server, "k", 1, (), (), others)
            case Roster():
                return Enrolled(call.to, f"{call.to}-i", Report())
            case _:
                return Failed("not here")


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_asked_at_its_own_interval_with_its_own_time_out(role: RoleName) -> None:
    stage = Stage()
    stage.run(30.0)
    define = stage.watched[role]
    times = [t for t, _ in stage.asked[define.name]]
    later = times[-4:]

    assert {round(call.timeout_s, 3) for _, call in stage.asked[define.name]} == {
        round(define.timeout_s, 3)
    }
    gaps = [b - a for a, b in pairwise(later)]
    assert gaps == pytest.approx([define.check_interval_s] * 3, abs=0.11)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_suspect_first_and_dead_after_its_own_attempts(role: RoleName) -> None:
    stage = Stage()
    define = stage.watched[role]
    stage.run(5.0)
    stage.hanging = {define.name}
    stage.run(40.0)
    stages = [s for _, s in stage.states[define.name]]
    (died,) = [t for t, s in stage.states[define.name] if s == "dead"]
    (suspect,) = [t for t, s in stage.states[define.name] if s == "suspect"]
    missed = [t for t, _ in stage.asked[define.name] if t <= died and t > 505.0]

    assert stages == ["unknown", "alive", "suspect", "dead"] or stages == [
        "alive",
        "suspect",
        "dead",
    ]
    assert len(missed) == define.max_check_attempts
    assert died - suspect == pytest.approx(
        (define.max_check_attempts - 1) * define.check_interval_s, abs=0.3
    )


def test_peers_that_hang_delay_nobody_else() -> None:
    stage = Stage()
    stage.run(5.0)
    stage.hanging = {"poller-2", "scheduler-2", "keeper@server2"}
    began = stage.mono
    stage.run(20.0)
    broker = [t for t, _ in stage.asked["broker-2"] if t > began]

    assert len(broker) >= int(20 / stage.watched["broker"].check_interval_s)
    assert stage.role.daemons["broker-2"].health.state == "alive"
    assert stage.role.leading


def test_one_that_answers_again_is_alive_at_once() -> None:
    stage = Stage()
    stage.run(5.0)
    stage.hanging = {"poller-2"}
    stage.run(stage.watched["poller"].check_interval_s + 1.0)
    assert stage.role.daemons["poller-2"].health.state == "suspect"
    stage.hanging = set()
    stage.run(stage.watched["poller"].check_interval_s + 1.0)

    assert stage.role.daemons["poller-2"].health.state == "alive"


def test_how_an_adopted_daemon_ended_is_unknown_and_said_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = KeeperStage()
    stage.started(adopted=True)
    with caplog.at_level(logging.WARNING):
        stage.keeper.handle(DaemonEnded("sched", 42, "i1", CODE_UNKNOWN), stage.now)

    assert "code=unknown" in caplog.text
