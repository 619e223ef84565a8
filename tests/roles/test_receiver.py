"""The receiver, driven by hand: lines in, a spool and schedulers in the hands of the test."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import Cluster
from daemons.roles.receiver import SPOOL_FULL, Receiver
from daemons.roles.role import Call, Unexpected, Wait
from daemons.wire.messages import (
    Accepted,
    Done,
    Exchange,
    Failed,
    Fenced,
    NotMine,
    Placed,
    Roster,
    Spool,
    Submit,
    Submitted,
)

CLUSTER = Cluster(name="test", daemons=(), servers=())
ON_HOST = "[1700000000] DISABLE_HOST_NOTIFICATIONS;web1"
GLOBAL = "[1700000000] DISABLE_NOTIFICATIONS"


def at(mono: float) -> Now:
    return Now(Mono(mono), Wall(1_000_000 + mono))


def line(id: str = "x1", text: str = ON_HOST) -> Submitted:
    return Submitted(id, text, 1_700_000_000.0)


def roster(n: int = 1, version: str = "v1", **schedulers: str) -> Roster:
    shards = tuple(
        Placed(int(shard[1:]), "All", version, scheduler)
        for shard, scheduler in (schedulers or {"_0": "s0", "_1": "s1"}).items()
    )
    return Roster(1, n, "a1", shards=shards)


class Bench:
    """A receiver with its spool."""

    def __init__(self, spooled=(), **options) -> None:
        self.now = 1.0
        self.disk: dict[str, Submitted] = {item.id: item for item in spooled}
        self.disk_fails = False
        self.sent: list[Call] = []
        self.role = Receiver(
            name="r1", instance="i1", pid=7, cluster=CLUSTER, spooled=tuple(spooled), **options
        )
        self.role.handle(roster(), at(self.now))

    def carry(self, calls: list[Call]) -> None:
        for call in calls:
            match call.message:
                case Spool(items, forget):
                    answer = Failed("disk full") if self.disk_fails else Done()
                    if not self.disk_fails:
                        self.disk |= {item.id: item for item in items}
                        self.disk = {i: s for i, s in self.disk.items() if i not in forget}
                    self.carry(self.role.answered(call, answer, at(self.now)))
                case Submit():
                    self.sent.append(call)

    def tick(self, seconds: float = 0.3) -> None:
        self.now += seconds
        self.carry(self.role.tick(at(self.now)))

    def submit(self, *items: Submitted):
        return self.role.handle(Submit("pipe", items), at(self.now))

    def take(self, *items: Submitted) -> None:
        """Submit, tick, and find the lines accepted."""
        assert isinstance(self.submit(*items), Wait)
        self.tick()
        answer = self.submit(*items)
        assert isinstance(answer, Accepted)
        assert set(answer.durable) == {item.id for item in items}

    def to(self, scheduler: str) -> list[str]:
        """Ids in the request under way to `scheduler`."""
        ids = [i.id for c in self.sent if c.to == scheduler for i in c.message.items]
        return ids

    def answer(self, scheduler: str, answer) -> None:
        (call,) = [c for c in self.sent if c.to == scheduler]
        self.sent.remove(call)
        self.carry(self.role.answered(call, answer, at(self.now)))


def test_a_line_is_accepted_only_once_it_is_on_disk():
    bench = Bench()
    assert isinstance(bench.submit(line()), Wait)
    assert bench.disk == {}
    bench.tick()

    assert bench.submit(line()) == Accepted(durable=("x1",))
    assert list(bench.disk) == ["x1"]


def test_while_the_disk_refuses_a_line_is_not_accepted_and_not_sent():
    bench = Bench()
    bench.disk_fails = True
    bench.submit(line())
    bench.tick(2.0)

    assert bench.submit(line()) == Accepted()
    assert bench.sent == []
    assert "disk full" in bench.role.report().problems[0]
    bench.disk_fails = False
    bench.tick()
    assert bench.submit(line()) == Accepted(durable=("x1",))


def test_every_owner_gets_the_line_and_one_that_has_the_host_is_enough():
    bench = Bench()
    bench.take(line())
    assert bench.to("s0") == bench.to("s1") == ["x1"]
    bench.answer("s0", Accepted(foreign=("x1",), shards=(0,)))
    assert list(bench.disk) == ["x1"]
    bench.answer("s1", Accepted(durable=("x1",), shards=(1,)))
    bench.tick()

    assert bench.disk == {}
    assert bench.role.report().figures["commands_done"] == 1


def test_a_global_command_is_finished_when_it_is_durable_in_every_shard():
    bench = Bench()
    bench.take(line("g", GLOBAL))
    bench.answer("s0", Accepted(durable=("g",), shards=(0,)))
    bench.tick()
    assert list(bench.disk) == ["g"]
    bench.answer("s1", Accepted(durable=("g",), shards=(1,)))
    bench.tick()

    assert bench.disk == {}


def test_a_line_that_is_not_durable_yet_is_asked_for_again_with_the_same_id():
    bench = Bench()
    bench.take(line())
    bench.answer("s0", Accepted(shards=(0,)))
    assert bench.to("s0") == []
    bench.tick()

    assert bench.to("s0") == ["x1"]


@pytest.mark.parametrize("answer", [Failed("timed out"), NotMine("standby")])
def test_a_line_is_sent_again_after_a_call_that_failed(answer):
    bench = Bench()
    bench.take(line())
    bench.answer("s0", answer)
    bench.tick(1.0)

    assert bench.to("s0") == ["x1"]


def test_a_line_given_while_its_shard_has_no_owner_waits_for_the_new_one():
    bench = Bench()
    bench.role.handle(roster(2, _0="", _1="s1"), at(1))
    bench.take(line())
    bench.answer("s1", Accepted(foreign=("x1",), shards=(1,)))
    bench.tick()
    assert list(bench.disk) == ["x1"]
    bench.role.handle(roster(3, _0="s9", _1="s1"), at(bench.now))
    bench.tick()
    bench.answer("s9", Accepted(durable=("x1",), shards=(0,)))
    bench.tick()

    assert bench.disk == {}


def test_a_line_for_a_host_that_nobody_has_is_dropped_and_counted():
    bench = Bench()
    bench.take(line())
    bench.answer("s0", Accepted(foreign=("x1",), shards=(0,)))
    bench.answer("s1", Accepted(foreign=("x1",), shards=(1,)))
    bench.tick()

    assert bench.disk == {}
    assert bench.role.report().figures["commands_foreign"] == 1


def test_foreign_counts_no_longer_once_the_shard_has_another_version():
    """The host may have come to that shard meanwhile."""
    bench = Bench()
    bench.take(line())
    bench.answer("s0", Accepted(foreign=("x1",), shards=(0,)))
    bench.role.handle(roster(2, "v2"), at(bench.now))
    bench.answer("s1", Accepted(foreign=("x1",), shards=(1,)))
    bench.tick()
    assert list(bench.disk) == ["x1"]

    assert bench.to("s0") == ["x1"]


def test_what_the_spool_held_at_the_start_is_sent():
    bench = Bench(spooled=[line("old")])
    bench.tick()

    assert bench.to("s0") == ["old"]


def test_a_line_that_is_no_command_is_refused_at_once_with_the_reason():
    answer = Bench().submit(line("bad", "[1] NO_SUCH_COMMAND"))

    assert "NO_SUCH_COMMAND" in answer.refused["bad"]


def test_a_full_spool_refuses():
    bench = Bench(spool_max=1)
    bench.take(line("a"))

    assert bench.submit(line("b")).refused == {"b": SPOOL_FULL}
    assert bench.role.report().figures["commands_shed"] == 1


def test_a_repeat_of_a_finished_line_is_accepted_and_not_sent_again():
    bench = Bench()
    bench.take(line())
    bench.answer("s0", Accepted(durable=("x1",), shards=(0,)))
    bench.sent.clear()

    assert bench.submit(line()) == Accepted(durable=("x1",))
    bench.tick()
    assert bench.to("s0") == []


def test_lines_for_one_host_are_sent_in_the_order_in_which_they_came():
    bench = Bench()
    bench.take(*[line(f"x{i}") for i in range(5)])

    assert bench.to("s0") == [f"x{i}" for i in range(5)]


def test_an_arbiter_of_an_older_epoch_is_fenced():
    bench = Bench()
    bench.role.handle(Roster(4, 1, "a1"), at(1))

    assert bench.role.handle(Roster(3, 9, "a2"), at(1)) == Fenced("arbiter", 4)


def test_a_message_for_another_role_is_refused():
    with pytest.raises(Unexpected):
        Bench().role.handle(Exchange("p", "i", 1, 1, 1, 0.0), at(1))


@given(
    st.lists(
        st.sampled_from(["submit", "answer", "fail", "lose", "tick", "crash", "move", "disk"]),
        max_size=50,
    )
)
def test_whatever_happens_an_accepted_line_reaches_its_scheduler(steps):
    """The host is in shard 0. Its owner may change, answers get lost, the receiver crashes."""
    bench, owner, n = Bench(), "s0", 1
    accepted: set[str] = set()
    applied: set[str] = set()

    def served(call: Call) -> Accepted:
        ids = tuple(item.id for item in call.message.items)
        if call.to != owner:
            return Accepted(foreign=ids, shards=(1,)) if call.to == "s1" else NotMine("no")
        applied.update(ids)
        return Accepted(durable=ids, shards=(0,))

    for step in steps:
        match step:
            case "submit":
                n += 1
                bench.submit(line(f"x{n}"))
                bench.tick()
                answer = bench.submit(line(f"x{n}"))
                if isinstance(answer, Accepted):
                    accepted.update(answer.durable)
            case "answer" if bench.sent:
                call = bench.sent.pop(0)
                bench.carry(bench.role.answered(call, served(call), at(bench.now)))
            case "fail" | "lose" if bench.sent:
                call = bench.sent.pop(0)
                if step == "lose":
                    served(call)
                bench.carry(bench.role.answered(call, Failed("lost"), at(bench.now)))
            case "tick":
                bench.tick()
            case "crash":
                bench = Bench(spooled=bench.disk.values())
                bench.role.handle(roster(n + 1, _0=owner, _1="s1"), at(bench.now))
            case "move":
                n += 1
                owner = f"s{n + 10}"
                bench.role.handle(roster(n, _0=owner, _1="s1"), at(bench.now))
            case "disk":
                bench.disk_fails = not bench.disk_fails
    bench.disk_fails = False
    for _ in range(6):
        bench.tick(1.0)
        while bench.sent:
            call = bench.sent.pop(0)
            bench.carry(bench.role.answered(call, served(call), at(bench.now)))
    assert accepted <= applied
    bench.tick()
    assert bench.disk == {}
