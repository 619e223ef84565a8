"""Operations as people and scripts read them, and a leader that is found by asking."""

import pytest

from console.leader import Leader, NobodyLeads
from console.operate import resumed
from console.operated import going_on, lines, seconds, victim
from daemons.net.client import Unreachable
from daemons.wire.codec import decode, encode
from daemons.wire.messages import NotMine
from daemons.wire.operations import (
    Move,
    Operate,
    Operation,
    OperationAsk,
    Operations,
    Pausing,
    Phase,
    Waiting,
)


@pytest.mark.parametrize(
    ("text", "meant"), [("90", 90), ("30s", 30), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1d", 86400)]
)
def test_times_are_said_as_people_say_them(text, meant):
    assert seconds(text) == meant


@pytest.mark.parametrize("text", ["", "soon", "2 weeks", "h", "-5m"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="no time"):
        seconds(text)


@pytest.mark.parametrize("text", ["server1", "server1 dies", "if server1 died", " server1 is lost "])
def test_a_plan_is_asked_for_in_words(text):
    assert victim(text) == "server1"


def test_a_plan_that_is_not_understood_is_refused():
    with pytest.raises(ValueError, match="not understood"):
        victim("what happens when it rains")


def test_a_page_shows_moves_losses_phases_and_the_gap():
    operation = Operation(
        "7", "failover", "server1", "done", "moved", took_s=0.3,
        moves=(Move("shard/1", "scheduler", "s1", "s2"), Move("b1", "broker", "b1", "", "no broker is left")),
        phases=(Phase("active", 0.27, "shard/1", "at s2"),),
        unsafe=("something",), figures={"handover_gap_s": 0.07},
    )  # fmt: skip
    text = "\n".join(lines(operation))
    for part in ("s1 -> s2", "-> nobody", "(no broker is left)", "! something", "0.27 s  active", "0.070 s"):
        assert part in text


def test_status_says_what_is_paused_and_what_waits():
    known = Operations(
        "a1", 5, Pausing(99.0, "ann", "work"), 12.34,
        (Waiting("shard/1", "s2", "s1", -1.0, "moved by hand"),),
    )  # fmt: skip
    said = going_on(known)
    assert said["pause"] == {"left_s": 12.3, "until_wall": 99.0, "by": "ann", "reason": "work"}
    assert said["failback"][0]["wait_s"] is None
    assert said["last_operation"] is None
    assert going_on(None) == {"pause": None, "failback": None, "last_operation": None}


class Arbiters:
    """Arbiters by name; who is missing does not answer."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def connect(self, name):
        return _Asker(self, name)


class _Asker:
    def __init__(self, arbiters, name):
        self.arbiters, self.name = arbiters, name

    def ask(self, body, timeout_s):
        self.arbiters.asked.append((self.name, decode(body)))
        if self.name not in self.arbiters.answers:
            raise Unreachable(f"{self.name} is silent", sent=False)
        return encode(self.arbiters.answers[self.name])

    def close(self):
        pass


def test_the_leader_is_found_behind_an_arbiter_that_does_not_lead():
    arbiters = Arbiters(a1=NotMine("a2 leads"), a2=Operation("1", "resume"))
    leader = Leader(["a1", "a2"], arbiters.connect)
    assert leader.operate(Operate("1", "resume")).id == "1"
    leader.operate(Operate("1", "resume"))
    assert [name for name, _ in arbiters.asked] == ["a1", "a2", "a2"]


def test_without_a_leader_each_arbiter_s_reason_is_told():
    leader = Leader(["a1", "a2"], Arbiters(a1=NotMine("nobody leads here")).connect)
    with pytest.raises(NobodyLeads, match=r"a1: nobody leads here; a2: a2 is silent"):
        leader.operations(patience_s=0.0)


def test_an_operation_is_followed_until_it_has_ended():
    ended = Operation("1", "failover", state="done")
    arbiters = Arbiters(a1=Operations("a1", operations=(ended,)))
    leader = Leader(["a1"], arbiters.connect)
    assert leader.outcome(Operation("1", "failover", state="running"), 5.0, lambda _: None) == ended
    assert isinstance(arbiters.asked[0][1], OperationAsk)


def test_an_operation_that_the_next_leader_does_not_know_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("console.leader.UNKNOWN_S", 0.3)
    leader = Leader(["a1"], Arbiters(a1=Operations("a1")).connect)
    assert leader.outcome(Operation("1", "failover", state="running"), 20.0, lambda _: None).state == "lost"


def test_resume_waits_until_a_new_leader_has_read_what_was_paused():
    answers = iter([Operation("1", "resume", state="refused"), Operation("1", "resume", state="done")])

    class Begun:
        def operate(self, order):
            return next(answers)

    assert resumed(Begun()).state == "done"
