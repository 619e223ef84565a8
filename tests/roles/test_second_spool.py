"""Two receivers on two servers: what one has accepted survives the loss of its server."""

from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import Cluster, DaemonDef
from daemons.roles.receiver import Receiver
from daemons.roles.role import Call, Wait
from daemons.roles.second_spool import COPY_S, HOLD_S
from daemons.wire.messages import (
    Accepted,
    Done,
    Failed,
    Member,
    Message,
    Placed,
    Roster,
    Spool,
    Submit,
    Submitted,
)

CLUSTER = Cluster(
    name="test",
    daemons=(
        DaemonDef(name="one", role="receiver", address="a", port=1),
        DaemonDef(name="two", role="receiver", address="b", port=1),
        DaemonDef(name="beside", role="receiver", address="a", port=2),
    ),
    servers=(),
)
LINE = Submitted("x1", "[1700000000] DISABLE_SVC_CHECK;web1;http", 1_700_000_000.0)


class Pair:
    """Receivers "one" (active) and "two", their disks, and one scheduler."""

    def __init__(self) -> None:
        self.now = 1.0
        self.disks: dict[str, dict[str, Submitted]] = {"one": {}, "two": {}}
        self.broken: set[str] = set()  # receivers that do not answer, or whose disk is full
        self.scheduler_up = True
        self.applied: list[tuple[str, str]] = []  # (sender, id)
        self.roles = {name: self.made(name) for name in self.disks}

    def made(self, name: str) -> Receiver:
        spooled = tuple(self.disks[name].values())
        role = Receiver(name=name, instance="i", pid=7, cluster=CLUSTER, spooled=spooled)
        members = tuple(Member(n, "receiver", "All", False, True) for n in ("beside", "one", "two"))
        placed = Placed(0, "All", "v1", "sched", receivers=("one",))
        role.handle(Roster(1, 1, "arb", members, (placed,)), self.at)
        return role

    @property
    def at(self) -> Now:
        return Now(Mono(self.now), Wall(1_000_000 + self.now))

    def answer(self, name: str, call: Call) -> Message:
        message = call.message
        if isinstance(message, Spool):
            if f"disk {name}" in self.broken:
                return Failed("disk full")
            self.disks[name] |= {item.id: item for item in message.items}
            for gone in message.forget:
                self.disks[name].pop(gone, None)
            return Done()
        if call.to == "sched" and isinstance(message, Submit):
            if not self.scheduler_up:
                return Failed("silence")
            self.applied += [(message.sender, item.id) for item in message.items]
            return Accepted(tuple(item.id for item in message.items), shards=(0,))
        if call.to in self.roles and call.to not in self.broken:
            role = self.roles[call.to]
            answer = role.handle(message, self.at)
            if isinstance(answer, Wait):
                self.carry(call.to, role.tick(self.at))
                answer = role.handle(message, self.at)
            return Failed("late") if isinstance(answer, Wait) else answer
        return Failed("silence")

    def carry(self, name: str, calls: list[Call]) -> None:
        for call in calls:
            answer = self.answer(name, call)
            if name in self.roles:
                self.carry(name, self.roles[name].answered(call, answer, self.at))

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.now += 0.05
            for name in list(self.roles):
                self.carry(name, self.roles[name].tick(self.at))

    def submit(self, *items: Submitted, to: str = "one") -> Accepted | Wait:
        answer = self.roles[to].handle(Submit("shinken", items), self.at)
        assert isinstance(answer, Accepted | Wait)
        return answer


def test_an_accepted_line_is_on_two_servers():
    pair = Pair()
    pair.scheduler_up = False
    assert isinstance(pair.submit(LINE), Wait)
    pair.run(0.1)

    assert pair.submit(LINE) == Accepted(("x1",))
    assert [list(disk) for disk in pair.disks.values()] == [["x1"], ["x1"]]


def test_a_receiver_on_the_same_server_is_no_second_copy():
    """It would be lost with it; "beside" comes first on the roster."""
    pair = Pair()
    pair.broken = {"two"}
    pair.scheduler_up = False
    pair.submit(LINE)
    pair.run(0.1)

    assert pair.roles["one"].report().problems[0].startswith("durability of commands: one server")


def test_a_sender_waits_for_the_second_copy_but_not_for_ever():
    pair = Pair()
    pair.scheduler_up = False
    pair.broken = {"disk two"}
    pair.submit(LINE)
    pair.run(0.1)
    pair.run(COPY_S)

    assert pair.submit(LINE) == Accepted(("x1",))
    assert pair.roles["one"].report().figures["commands_one_server"] == 1


def test_when_the_server_dies_for_good_the_other_receiver_delivers():
    pair = Pair()
    pair.scheduler_up = False
    pair.submit(LINE)
    pair.run(0.1)
    assert pair.submit(LINE) == Accepted(("x1",))
    del pair.roles["one"]
    pair.scheduler_up = True
    pair.run(HOLD_S + 1.0)

    assert pair.applied == [("two", "x1")]
    assert pair.disks["two"] == {}


def test_without_the_second_copy_it_is_lost():
    """The protection, taken away, is missed."""
    pair = Pair()
    pair.roles["one"]._second._mates = ()
    pair.scheduler_up = False
    pair.submit(LINE)
    pair.run(0.1)
    assert pair.submit(LINE) == Accepted(("x1",))
    del pair.roles["one"]
    pair.scheduler_up = True
    pair.run(HOLD_S + 1.0)

    assert pair.applied == []


def test_in_good_times_a_copy_is_dropped_and_never_sent():
    pair = Pair()
    pair.submit(LINE)
    pair.run(HOLD_S + 2.0)

    assert pair.applied == [("one", "x1")]
    assert pair.disks == {"one": {}, "two": {}}
    assert pair.roles["two"].report().figures["copies_dropped"] == 1


def test_a_receiver_that_comes_back_after_its_copy_was_delivered_does_no_harm():
    """It sends the line under the same id, which the scheduler knows."""
    pair = Pair()
    pair.scheduler_up = False
    pair.submit(LINE)
    pair.run(0.1)
    del pair.roles["one"]
    pair.scheduler_up = True
    pair.run(HOLD_S + 1.0)
    pair.roles["one"] = pair.made("one")
    pair.run(1.0)

    assert pair.applied == [("two", "x1"), ("one", "x1")]
    assert pair.disks["one"] == {}


def test_a_full_disk_is_an_error_for_the_sender_and_the_line_may_come_again():
    pair = Pair()
    pair.broken = {"disk one", "two"}
    pair.submit(LINE)
    pair.run(1.2)

    assert pair.submit(LINE) == Accepted()
    assert "cannot be written" in pair.roles["one"].report().problems[0]
    pair.broken = set()
    pair.run(0.3)
    assert pair.submit(LINE) == Accepted(("x1",))


def test_a_thousand_lines_are_one_request_to_the_mate():
    pair = Pair()
    items = tuple(Submitted(f"x{i}", LINE.line, LINE.wall) for i in range(1000))
    seen = []
    taken = pair.answer

    def answer(name, call):
        if call.to == "two":
            seen.append(len(call.message.items))
        return taken(name, call)

    pair.answer = answer
    pair.submit(*items)
    pair.run(0.1)
    assert isinstance(pair.submit(*items), Accepted)
    assert seen[0] == 1000
