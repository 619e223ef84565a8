"""An owner of a shard reads at the keepers what reactionners claimed that do not answer."""

import pytest

from daemons.ha.claims import ClaimRegister
from daemons.model.cluster import Cluster, ServerDef
from daemons.model.objects import Contact, Globals, Way
from daemons.roles.shard.outbox import REPEATS_MAX
from daemons.wire.claims import ActionClaim, ActionsEnded, ClaimActions, ClaimsAsk
from daemons.wire.messages import ClaimedAction, Failed, Fenced, Ran
from tests.roles.stage import Stage, body

SERVERS = tuple(ServerDef(name=f"s{i}", address=f"a{i}", index=i) for i in range(3))
THREE = Cluster(name="test", daemons=(), servers=SERVERS)


class Kept(Stage):
    """A stage with three keepers that have been up for long."""

    def __init__(self, *more) -> None:
        super().__init__(*more)
        self.registers = {f"keeper@s{i}": ClaimRegister(i, 0.0) for i in range(3)}
        self.promised = 0
        self.journals["other"] = ()

    def add(self, name="one", **more):
        scheduler = super().add(name, **more)
        scheduler.cluster = THREE
        return scheduler

    def answer(self, scheduler, call):
        if isinstance(call.message, ClaimsAsk):
            if call.to in self.mute:
                return Failed("silence")
            return self.registers[call.to].ask(call.message, self.promised, (1, (0, 1, 2)), self.mono)
        return super().answer(scheduler, call)

    def claims(self, action, who="react"):
        asked = ClaimActions(who, 1, action.epoch, (action.id,))
        for register in self.registers.values():
            register.claim(asked, 0, (1, (0, 1, 2)), self.mono, counts=True, alone=False)

    def told_done(self, action, who="react"):
        done = ActionClaim(action.id, who, "done", action.epoch)
        for register in self.registers.values():
            register.ended(ActionsEnded(who, done=((1, done),)), self.mono)

    def server_one_dies(self):
        """With the scheduler and a reactionner."""
        self.kill("one")
        self.journals["react"] = None
        self.mute.add("keeper@s0")
        self.place("two")
        self.run(3.0)
        assert self.schedulers["two"].seats[1].held.phase == "active"


def planned(stage):
    """One notification, given to the reactionner "react" on the server that will die."""
    stage.start()
    stage.add("two")
    stage.fail()
    stage.run(1.0)
    (action,) = stage.take().actions
    return action


def test_what_a_silent_reactionner_never_claimed_is_given_to_another_untagged():
    stage = Kept()
    action = planned(stage)
    stage.server_one_dies()

    (again,) = stage.take(to="two", name="other").actions
    assert (again.id, again.tagged) == (action.id, False)


def test_what_a_silent_reactionner_claimed_is_told_again_tagged():
    stage = Kept()
    action = planned(stage)
    stage.claims(action)
    stage.server_one_dies()
    stage.run(6.0)

    (again,) = stage.take(to="two", name="other").actions
    assert (again.id, again.tagged) == (action.id, True)


def test_what_a_silent_reactionner_has_run_is_settled():
    stage = Kept()
    action = planned(stage)
    stage.claims(action)
    stage.told_done(action)
    stage.server_one_dies()
    stage.run(6.0)

    assert not stage.take(to="two", name="other").actions
    assert f"a/{action.id}" not in stage.store.records


@pytest.mark.parametrize("why", ["silent", "young"])
def test_with_too_few_keepers_everything_at_a_silent_reactionner_is_tagged(why):
    """The protection: one keeper of three may have missed the claim."""
    stage = Kept()
    action = planned(stage)
    if why == "silent":
        stage.mute.add("keeper@s1")
    else:
        stage.registers["keeper@s1"] = ClaimRegister(1, stage.mono)
    stage.server_one_dies()
    stage.run(6.0)

    (again,) = stage.take(to="two", name="other").actions
    assert (again.id, again.tagged) == (action.id, True)


def test_a_handler_that_nobody_claimed_runs_and_one_that_somebody_did_is_skipped():
    for claimed, runs in ((False, 1), (True, 0)):
        stage = Kept(body(globals=handled()))
        stage.start()
        stage.add("two")
        stage.fail(1)
        stage.run(1.0)
        (action,) = stage.take().actions
        assert action.kind == "handler" and action.once
        if claimed:
            stage.claims(action)
        stage.server_one_dies()
        stage.run(6.0)
        assert len(stage.take(to="two", name="other").actions) == runs


@pytest.mark.parametrize("where", ["way", "main file"])
def test_a_notification_is_skipped_when_in_doubt_where_that_is_wanted(where):
    ways = ("skip", {}) if where == "way" else ("", {"on_ambiguous": "skip"})
    stage = Kept(body(contacts=(sent(ways[0]),), globals=Globals(settings=ways[1])))
    action = planned(stage)
    assert action.once
    stage.claims(action)
    stage.server_one_dies()
    stage.run(6.0)

    assert not stage.take(to="two", name="other").actions
    assert stage.schedulers["two"].seats[1].owned.figures()["actions_skipped"] == 1


def sent(on_ambiguous: str) -> Contact:
    commands = ("tell-service",)
    way = Way(
        host_notification_commands=commands, service_notification_commands=commands,
        on_ambiguous=on_ambiguous,
    )  # fmt: skip
    return Contact(name="ann", email="ann@example.org", ways=(way,))


def handled():
    return Globals(
        max_service_check_spread_s=1.0, max_host_check_spread_s=1.0, enable_event_handlers=True,
        global_service_event_handler="repair",
    )  # fmt: skip


def test_a_keeper_that_knows_a_newer_owner_ends_the_take_over():
    stage = Kept()
    planned(stage)
    stage.promised = stage.epoch + 50
    stage.kill("one")
    stage.place("two")
    stage.run(0.3)

    assert stage.schedulers["two"].seats[1].owned is None
    answer = stage.registers["keeper@s0"].ask(ClaimsAsk(1, 1), stage.promised, (1, ()), 0.0)
    assert isinstance(answer, Fenced)


def test_a_reactionner_that_falls_silent_loses_untagged_what_it_never_claimed():
    stage = Kept()
    action = planned(stage)
    stage.run(6.0)

    (again,) = stage.take(name="other").actions
    assert (again.id, again.tagged) == (action.id, False)


def test_a_reactionner_that_falls_silent_loses_tagged_what_it_claimed():
    stage = Kept()
    action = planned(stage)
    stage.claims(action)
    stage.run(6.0)

    (again,) = stage.take(name="other").actions
    assert (again.id, again.tagged) == (action.id, True)


def unsure(action, tagged=False):
    return Ran(action.id, 1, action.epoch, "refused", -1, tagged)


def test_an_end_told_twice_does_not_end_the_repeat():
    """The answer to the first telling was lost: what it says is about the first try."""
    stage = Kept()
    action = planned(stage)
    stage.take(unsure(action))
    stage.take(unsure(action))
    stage.run(0.5)

    (again,) = stage.take().actions
    assert again.tagged


def test_a_former_try_that_was_judged_at_the_take_over_does_not_end_the_repeat():
    stage = Kept()
    action = planned(stage)
    stage.kill("one")
    stage.journals["react"] = (ClaimedAction(action.id, "claimed", action.epoch),)
    stage.place("two")
    stage.run(3.0)
    stage.take(unsure(action), to="two")
    stage.run(0.5)

    (again,) = stage.take(to="two").actions
    assert again.tagged


def test_what_stays_unclear_is_told_again_a_few_times_only():
    stage = Kept()
    action = planned(stage)
    told = 0
    while told < 10:
        stage.take(unsure(action, action.tagged))
        stage.run(0.5)
        actions = stage.take().actions
        if not actions:
            break
        (action,) = actions
        told += 1

    assert told == REPEATS_MAX


def test_a_reactionner_that_left_the_roster_keeps_what_it_runs_while_it_is_heard():
    stage = Kept()
    action = planned(stage)
    stage.claims(action)
    stage.place("one", reactionners=("other",))
    for _ in range(8):
        stage.take(holding=(action.id,))
        stage.run(0.5)
        assert not stage.take(name="other").actions
    stage.run(2.0)

    (again,) = stage.take(name="other").actions
    assert again.tagged
