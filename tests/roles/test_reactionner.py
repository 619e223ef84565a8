"""The reactionner, driven by hand: requests out, actions and fences in, a journal in memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack
from msgspec.structs import replace

from daemons.model.check import CODE_TIMEOUT, Order, Result
from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import Cluster, DaemonDef
from daemons.roles.reactionner import AMBIGUOUS, FORGET_S, Reactionner
from daemons.roles.role import Call, Unexpected
from daemons.wire.messages import (
    Action,
    Actions,
    Claimed,
    ClaimedAction,
    Done,
    Exchange,
    Failed,
    Fence,
    Fenced,
    Journal,
    LostRuns,
    Message,
    NotMine,
    Placed,
    RanChunk,
    Roster,
    RunChunk,
    ShardEpoch,
    TakeActions,
)

CLUSTER = Cluster(
    name="test",
    daemons=(DaemonDef(name="r1", role="reactionner", address="a", port=1),),
    servers=(),
)


def at(mono: float) -> Now:
    return Now(Mono(mono), Wall(1_000_000 + mono))


def action(id: str = "mail-1", epoch: int = 5, tagged: bool = False) -> Action:
    return Action(id, 0, epoch, "notification", "mail bob", 30.0, {"A": "b"}, tagged)


class Bench:
    """A reactionner with its journal, its exec and one scheduler, all in the hands of the test."""

    def __init__(self, journal=(), durable: bytes = b"", capacity: int = 10) -> None:
        self.now = 1.0
        self.disk: dict[str, ClaimedAction] = {e.id: e for e in journal}
        self.disk_fails = False
        self.hold_journal = False
        self.exec_full = False
        self.hold_exec = False
        self.started: list[Order] = []
        self.asked: list[Call] = []
        self.held: list[Call] = []
        self.role = Reactionner(
            name="r1", instance="i1", pid=7, cluster=CLUSTER,
            durable=durable, journal={0: tuple(self.disk.values())}, capacity=capacity,
        )  # fmt: skip
        placed = Placed(0, "All", "v1", "s1", reactionners=("r1",))
        self.role.handle(Roster(1, 1, "a1", shards=(placed,)), at(self.now))

    def carry(self, calls: list[Call]) -> None:
        for call in calls:
            match call.message:
                case TakeActions():
                    self.asked.append(call)
                case Journal() if self.hold_journal:
                    self.held.append(call)
                case Journal(_, entries, forget):
                    answer: Message = Failed("disk full")
                    if not self.disk_fails:
                        self.disk |= {e.id: e for e in entries}
                        self.disk = {i: e for i, e in self.disk.items() if i not in forget}
                        answer = Done()
                    self.carry(self.role.answered(call, answer, at(self.now)))
                case RunChunk() if self.hold_exec:
                    self.held.append(call)
                case RunChunk(data=data):
                    answer = Failed("full") if self.exec_full else Done()
                    if not self.exec_full:
                        self.started += msgpack.decode(data, type=list[Order])
                    self.carry(self.role.answered(call, answer, at(self.now)))

    def release(self) -> None:
        self.hold_journal = self.hold_exec = False
        held, self.held = self.held, []
        self.carry(held)

    def release_one(self) -> None:
        self.hold_journal = False
        self.carry([self.held.pop(0)])
        self.hold_journal = True

    def tick(self, seconds: float = 0.3) -> None:
        self.now += seconds
        self.carry(self.role.tick(at(self.now)))

    def asks(self) -> TakeActions:
        """Tick until the reactionner asks; return what it asks."""
        for _ in range(4):
            if self.asked:
                break
            self.tick()
        message = self.asked[0].message
        assert isinstance(message, TakeActions)
        return message

    def give(self, *actions: Action, budget_s: float = 2.0, epoch: int = 5, settled=()) -> None:
        self.asks()
        answer = Actions((ShardEpoch(0, epoch),), actions, settled, budget_s)
        self.carry(self.role.answered(self.asked.pop(0), answer, at(self.now)))

    def ends(self, id: str = "mail-1", code: int = 0) -> None:
        result = Result(0, 5, id, 1, code, 0.0, 0.1, "sent")
        self.role.handle(RanChunk(0, 1, msgpack.encode([result])), at(self.now))
        self.tick()
        if self.asked:
            self.give()

    @property
    def ran(self) -> list[str]:
        return [order.object for order in self.started]

    def told(self) -> list[tuple[str, str, int]]:
        return [(ran.id, ran.state, ran.code) for ran in self.asks().ended]


def test_an_action_is_claimed_on_disk_then_run_with_its_id_in_the_environment():
    bench = Bench()
    bench.hold_journal = True
    bench.give(action())
    assert bench.started == []
    bench.release()

    assert bench.disk["mail-1"].state == "claimed"
    assert bench.started == [
        Order(0, 5, "mail-1", 1, "mail bob", 30.0, {"A": "b", "SHINKEN_NOTIFICATION_ID": "mail-1"})
    ]


def test_its_end_is_journalled_and_told_until_settled():
    bench = Bench()
    bench.give(action())
    assert bench.asks().holding == ("mail-1",)
    bench.ends(code=2)

    assert bench.disk["mail-1"] == ClaimedAction("mail-1", "done", 5, 2)
    assert bench.told() == [("mail-1", "done", 2)]
    bench.give()
    assert bench.told() == [("mail-1", "done", 2)]
    bench.give(settled=("mail-1",))
    assert bench.told() == []


def test_an_end_on_its_way_to_the_journal_is_still_held():
    """Else its scheduler would take it for lost and give it out again."""
    bench = Bench()
    bench.give(action())
    bench.asked.clear()
    bench.role._links["s1"].flying = False
    bench.hold_journal = True
    bench.ends()

    assert bench.asks().holding == ("mail-1",)


def test_one_that_has_left_the_roster_says_what_it_still_holds():
    bench = Bench()
    bench.hold_journal = True
    bench.give(action())
    placed = Placed(0, "All", "v1", "s1", reactionners=("r2",))
    bench.role.handle(Roster(1, 2, "a1", shards=(placed,)), at(bench.now))

    asked = bench.asks()
    assert asked.holding == ("mail-1",) and asked.want == 0


@pytest.mark.parametrize("tagged", [False, True])
def test_a_done_action_never_runs_again_but_its_end_is_told_again(tagged):
    bench = Bench(journal=[ClaimedAction("mail-1", "done", 4, 3)])
    bench.give(action(tagged=tagged))

    assert bench.ran == []
    assert bench.told() == [("mail-1", "done", 3)]


def test_what_was_claimed_before_a_crash_is_told_as_ambiguous():
    bench = Bench(journal=[ClaimedAction("mail-1", "claimed", 5)])

    assert bench.told() == [("mail-1", "refused", AMBIGUOUS)]


def test_an_ambiguous_action_is_not_run_untagged():
    bench = Bench(journal=[ClaimedAction("mail-1", "claimed", 5)])
    bench.give(settled=("mail-1",))
    bench.give(action())

    assert bench.ran == []
    assert bench.told() == [("mail-1", "refused", AMBIGUOUS)]


def test_an_ambiguous_action_is_run_again_tagged_as_often_as_its_owner_wants():
    bench = Bench(journal=[ClaimedAction("mail-1", "claimed", 5)])
    bench.give(action(tagged=True))
    assert bench.ran == ["mail-1"]

    again = Bench(journal=bench.disk.values())  # it crashed again
    again.give(action())
    assert again.ran == []
    again.give(action(tagged=True))
    assert again.ran == ["mail-1"]


def test_an_action_given_twice_is_run_once():
    bench = Bench()
    bench.give(action(), action())
    bench.give(action())

    assert bench.ran == ["mail-1"]
    assert bench.told() == []


def test_what_comes_after_the_budget_is_not_started_and_may_come_again():
    bench = Bench()
    bench.asks()
    bench.now += 3.0
    bench.give(action(), budget_s=2.0)
    assert bench.ran == []
    assert bench.told() == [("mail-1", "expired", 0)]
    bench.give(settled=("mail-1",))
    bench.give(action())

    assert bench.ran == ["mail-1"]


def test_a_claim_that_took_longer_than_the_budget_is_given_back():
    bench = Bench()
    bench.hold_journal = True
    bench.give(action(), budget_s=2.0)
    bench.now += 5.0
    bench.release()
    assert bench.ran == []
    assert bench.told() == [("mail-1", "expired", 0)]

    assert bench.disk == {}


def test_a_fence_answers_with_the_journal_and_refuses_lower_epochs_from_then_on():
    bench = Bench()
    bench.give(action())
    answer = bench.role.handle(Fence(0, 6), at(bench.now))

    assert answer == Claimed(0, (ClaimedAction("mail-1", "claimed", 5),))
    assert bench.role.handle(Fence(0, 5), at(bench.now)) == Fenced("shard/0", 6)
    bench.give(action("mail-2"))
    assert bench.ran == ["mail-1"]


def test_a_fence_is_remembered_over_a_restart():
    bench = Bench()
    bench.role.handle(Fence(0, 6), at(bench.now))
    restarted = Bench(durable=bench.role.durable())
    restarted.give(action())

    assert restarted.ran == []


def test_a_fence_purges_what_is_claimed_but_not_yet_started_and_does_not_list_it():
    bench = Bench()
    bench.hold_journal = True
    bench.give(action())
    assert bench.role.handle(Fence(0, 6), at(bench.now)) == Claimed(0, (), ("mail-1",))
    bench.release()
    bench.tick()

    assert bench.ran == []
    assert bench.disk == {}


def test_a_fence_purges_what_exec_had_no_room_for():
    bench = Bench()
    bench.exec_full = True
    bench.give(action())
    assert bench.role.handle(Fence(0, 6), at(bench.now)) == Claimed(0, (), ("mail-1",))
    bench.exec_full = False
    bench.tick()

    assert bench.ran == []


def test_the_new_owner_may_give_a_purged_action_again_while_the_old_claim_is_on_its_way():
    bench = Bench()
    bench.hold_journal = True
    bench.give(action())
    bench.role.handle(Fence(0, 6), at(bench.now))
    bench.give(action(epoch=6), epoch=6)
    bench.release_one()
    assert bench.ran == []  # on disk under the old epoch only
    bench.release()
    bench.tick()

    assert bench.ran == ["mail-1"]
    assert bench.disk["mail-1"] == ClaimedAction("mail-1", "claimed", 6)


def test_what_exec_sent_back_after_the_fence_is_not_tried_again():
    bench = Bench()
    bench.hold_exec = True
    bench.give(action())
    answer = bench.role.handle(Fence(0, 6), at(bench.now))
    assert answer == Claimed(0, (ClaimedAction("mail-1", "claimed", 5),))  # it may yet run
    bench.exec_full = True
    bench.release()
    bench.exec_full = False
    bench.tick()
    bench.tick()

    assert bench.ran == []
    assert bench.disk == {}


def test_an_action_given_back_and_given_again_at_once_stays_in_the_journal():
    bench = Bench()
    bench.hold_journal = True
    bench.give(action(), budget_s=2.0)
    bench.tick()
    bench.now += 5.0
    bench.release()
    bench.give(action(), budget_s=9.0, settled=("mail-1",))
    bench.tick()

    assert bench.ran == ["mail-1"]
    assert list(bench.disk) == ["mail-1"]


def test_what_exec_had_no_room_for_starts_when_it_has():
    bench = Bench()
    bench.exec_full = True
    bench.give(action())
    bench.exec_full = False
    bench.tick(0.1)

    assert bench.ran == ["mail-1"]


def test_a_journal_that_cannot_be_written_stops_no_notification_and_is_reported():
    bench = Bench()
    bench.disk_fails = True
    bench.give(action())

    assert bench.ran == ["mail-1"]
    assert "disk full" in bench.role.report().problems[0]


def test_a_command_lost_with_its_worker_is_told_as_ambiguous():
    bench = Bench()
    bench.give(action())
    bench.role.handle(LostRuns(1), at(bench.now))

    assert bench.told() == [("mail-1", "refused", AMBIGUOUS)]


def test_a_command_that_never_ends_is_given_up():
    bench = Bench()
    bench.give(action())
    bench.tick(100.0)

    assert bench.told() == [("mail-1", "refused", AMBIGUOUS)]


def test_a_settled_end_is_struck_from_the_journal_after_a_while():
    bench = Bench()
    bench.give(action())
    bench.ends()
    bench.give(settled=("mail-1",))
    bench.tick(60.0)
    assert "mail-1" in bench.disk
    bench.tick(FORGET_S)

    assert bench.disk == {}


def test_it_wants_no_more_than_it_can_hold():
    bench = Bench(capacity=3)
    bench.give(action("a"), action("b"))

    assert bench.asks().want == 1


def test_a_scheduler_that_does_not_own_the_shard_is_asked_again():
    bench = Bench()
    bench.asks()
    bench.role.answered(bench.asked.pop(), NotMine("standby"), at(bench.now))

    assert bench.asks().want > 0


def test_a_message_for_another_role_is_refused():
    with pytest.raises(Unexpected):
        Bench().role.handle(Exchange("p", "i", 1, 1, 1, 0.0), at(1))


@given(
    st.lists(
        st.sampled_from(["give", "end", "fence", "crash", "full", "room", "tick"]), max_size=40
    )
)
def test_whatever_happens_an_untagged_action_starts_at_most_once(steps):
    """The scheduler of this test knows nothing and gives the same action again and again, untagged."""
    bench = Bench()
    started: list[str] = []
    epoch, full = 5, False
    for step in steps:
        match step:
            case "give":
                bench.give(action(epoch=epoch), epoch=epoch)
            case "end" if bench.started:
                bench.ends()
            case "fence":
                epoch += 1
                bench.role.handle(Fence(0, epoch), at(bench.now))
            case "crash":
                started += bench.ran
                bench = Bench(journal=bench.disk.values(), durable=bench.role.durable())
            case "full" | "room":
                full = step == "full"
            case "tick":
                bench.tick()
        bench.exec_full = full

    assert (started + bench.ran).count("mail-1") <= 1


def test_an_action_that_ran_too_long_is_logged_as_such(caplog):
    bench = Bench()
    bench.give(action())
    bench.ends(code=CODE_TIMEOUT)

    assert "code=timed out" in caplog.text


def test_only_an_event_handler_is_marked_as_one_whose_services_outlive_it():
    bench = Bench()
    bench.give(action(), replace(action("fix-1"), kind="handler"))
    bench.tick()

    marks = {order.object: order.env.get("SHINKEN_EVENT_HANDLER") for order in bench.started}
    assert marks == {"mail-1": None, "fix-1": "1"}


def test_one_that_has_left_the_roster_asks_for_nothing_until_what_it_runs_has_ended():
    bench = Bench()
    bench.give(action())
    bench.asked.clear()
    bench.role._links["s1"].flying = False
    bench.role.handle(Roster(1, 2, "a1", shards=(Placed(0, "All", "v1", "s1"),)), at(bench.now))

    assert (bench.asks().want, bench.asks().holding) == (0, ("mail-1",))
    bench.ends()
    bench.give(settled=("mail-1",))
    bench.asked.clear()
    bench.tick(1.0)
    assert bench.asked == []
