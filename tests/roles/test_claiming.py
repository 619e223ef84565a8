"""A reactionner whose claims three keepers note, or do not."""

import pytest
from msgspec import msgpack

from daemons.ha.claims import ClaimRegister
from daemons.model.check import Order, Result
from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import Cluster, DaemonDef, ServerDef
from daemons.roles.claiming import CLAIM_S, REPEAT_S
from daemons.roles.reactionner import AMBIGUOUS, Reactionner
from daemons.roles.role import Call
from daemons.wire.claims import ActionsEnded, ClaimActions, ClaimsAsk, ClaimsKept
from daemons.wire.messages import (
    Action,
    Actions,
    Done,
    Failed,
    Fence,
    Journal,
    Message,
    Placed,
    RanChunk,
    Roster,
    RunChunk,
    ShardEpoch,
    TakeActions,
)

SERVERS = tuple(ServerDef(name=f"s{i}", address=f"a{i}", index=i) for i in range(3))
CLUSTER = Cluster(
    name="test",
    daemons=tuple(
        DaemonDef(name=name, role="reactionner", address="a0", port=1) for name in ("r1", "r2")
    ),
    servers=SERVERS,
)
VOTERS = (0, (0, 1, 2))
STEP_S = 0.05


class Keepers:
    """Three keepers' memories; some may be silent or young."""

    def __init__(self) -> None:
        self.registers = [ClaimRegister(i, 0.0) for i in range(3)]
        self.promised = 5
        self.silent: set[int] = set()
        self.young: set[int] = set()
        self.asked: list[ClaimActions] = []

    def answer(self, call: Call, now: float) -> Message:
        at = int(call.to[-1])
        if at in self.silent:
            return Failed("silence")
        register = self.registers[at]
        if isinstance(call.message, ActionsEnded):
            register.ended(call.message, now)
            return Done()
        assert isinstance(call.message, ClaimActions)
        self.asked.append(call.message)
        return register.claim(
            call.message, self.promised, VOTERS, now, counts=at not in self.young, alone=False
        )

    def states(self, epoch: int = 5) -> list[dict[str, str]]:
        answers = [r.ask(ClaimsAsk(0, epoch), epoch, VOTERS, 100.0) for r in self.registers]
        return [{c.id: c.state for c in a.claims} for a in answers if isinstance(a, ClaimsKept)]


class Bench:
    """One reactionner, its disk and workers; a request of it is answered when the test says so."""

    def __init__(self, keepers: Keepers, name: str = "r1") -> None:
        self.now = 1.0
        self.keepers = keepers
        self.started: list[Order] = []
        self.asked: list[Call] = []
        self.role = Reactionner(name=name, instance="i", pid=7, cluster=CLUSTER)
        placed = Placed(0, "All", "v1", "sched", reactionners=("r1", "r2"))
        self.role.handle(Roster(1, 1, "arb", shards=(placed,)), self.at)

    @property
    def at(self) -> Now:
        return Now(Mono(self.now), Wall(1_000_000 + self.now))

    def carry(self, calls: list[Call]) -> None:
        for call in calls:
            answer: Message = Done()
            if isinstance(call.message, TakeActions):
                self.asked.append(call)
                continue
            if call.to.startswith("keeper@"):
                answer = self.keepers.answer(call, self.now)
            elif isinstance(call.message, RunChunk):
                self.started += msgpack.decode(call.message.data, type=list[Order])
            elif not isinstance(call.message, Journal):
                continue
            self.carry(self.role.answered(call, answer, self.at))

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.now += STEP_S
            self.carry(self.role.tick(self.at))

    def give(self, *actions: Action) -> None:
        while not self.asked:
            self.run(STEP_S)
        answer = Actions((ShardEpoch(0, 5),), actions, (), 3.0)
        self.carry(self.role.answered(self.asked.pop(0), answer, self.at))

    def ends(self, action_id: str) -> None:
        result = Result(0, 5, action_id, 1, 0, 0.0, 0.1, "sent")
        self.role.handle(RanChunk(0, 1, msgpack.encode([result])), self.at)
        self.run(STEP_S * 2)

    @property
    def ran(self) -> list[str]:
        return [order.object for order in self.started]

    def told(self) -> list[tuple[str, str, int]]:
        self.give()  # what was asked before this happened
        while not self.asked:
            self.run(STEP_S)
        message = self.asked[0].message
        assert isinstance(message, TakeActions)
        return [(ran.id, ran.state, ran.code) for ran in message.ended]


def action(action_id: str = "mail-1", *, tagged: bool = False, once: bool = False) -> Action:
    return Action(action_id, 0, 5, "notification", "mail", 30.0, {}, tagged, "", once)


def test_an_action_runs_at_once_when_a_majority_has_noted_its_claim():
    keepers = Keepers()
    keepers.silent = {2}
    bench = Bench(keepers)
    bench.give(action())

    assert bench.ran == ["mail-1"]
    assert keepers.states() == [{"mail-1": "claimed"}, {"mail-1": "claimed"}, {}]


def test_a_storm_is_one_message_to_each_keeper():
    keepers = Keepers()
    bench = Bench(keepers)
    bench.give(*(action(f"mail-{i}") for i in range(200)))

    assert len(bench.ran) == 200
    assert len(keepers.asked) == 3


def test_keepers_learn_what_is_done_also_one_that_was_away():
    keepers = Keepers()
    keepers.silent = {2}
    bench = Bench(keepers)
    bench.give(action())
    bench.ends("mail-1")
    keepers.silent = set()
    bench.run(3.0)

    assert keepers.states() == [{"mail-1": "done"}] * 3


@pytest.mark.parametrize("away", ["silent", "young"])
def test_without_a_majority_nothing_runs_untagged_and_the_owner_is_told_to_tag_it(away):
    """What ran without one and untagged, a new owner would believe to have run nowhere."""
    keepers = Keepers()
    setattr(keepers, away, {1, 2})
    bench = Bench(keepers)
    bench.give(action())
    bench.run(CLAIM_S + 0.1)

    assert bench.ran == []
    assert bench.told() == [("mail-1", "refused", AMBIGUOUS)]
    assert keepers.states()[0] == {}


def test_what_must_not_run_twice_waits_for_a_majority():
    keepers = Keepers()
    keepers.silent = {1, 2}
    bench = Bench(keepers)
    bench.give(action(once=True))
    bench.run(CLAIM_S + 0.1)

    assert bench.told() == [("mail-1", "expired", 0)]


def test_a_lost_claim_is_sent_again_in_time():
    keepers = Keepers()
    keepers.silent = {0, 1, 2}
    bench = Bench(keepers)
    bench.give(action())
    bench.run(0.2)
    keepers.silent = {2}
    bench.run(0.1)

    assert bench.ran == ["mail-1"]


def test_a_repeat_runs_without_a_majority_but_after_every_earlier_claim_is_decided():
    keepers = Keepers()
    keepers.silent = {0, 1, 2}
    bench = Bench(keepers)
    bench.give(action(tagged=True))
    bench.run(CLAIM_S)
    assert bench.ran == []
    bench.run(REPEAT_S - CLAIM_S + 0.1)
    assert bench.ran == ["mail-1"]


def test_the_same_action_runs_at_one_of_two_reactionners_only():
    keepers = Keepers()
    first, second = Bench(keepers), Bench(keepers, "r2")
    first.give(action())
    second.give(action())
    second.run(CLAIM_S + 0.1)

    assert first.ran == ["mail-1"]
    assert second.ran == []
    assert second.told() == [("mail-1", "refused", AMBIGUOUS)]


def test_what_another_has_run_to_its_end_is_not_run_again_not_even_tagged():
    keepers = Keepers()
    first, second = Bench(keepers), Bench(keepers, "r2")
    first.give(action())
    first.ends("mail-1")
    second.give(action(tagged=True))
    second.run(REPEAT_S + 0.2)

    assert second.ran == []
    assert ("mail-1", "done", 0) in second.told()


def test_nothing_runs_once_a_majority_knows_a_newer_owner():
    keepers = Keepers()
    keepers.promised = 6
    bench = Bench(keepers)
    bench.give(action(), action("mail-2", tagged=True))
    bench.run(2.0)

    assert bench.ran == []


def test_what_a_fence_cancels_is_given_back_to_the_keepers():
    keepers = Keepers()
    keepers.silent = {1, 2}
    bench = Bench(keepers)
    bench.give(action())
    answer = bench.role.handle(Fence(0, 6), bench.at)
    keepers.silent = set()
    bench.run(2.0)

    assert answer.released == ("mail-1",)
    assert keepers.states() == [{}, {}, {}]
