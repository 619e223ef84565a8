"""Notifications and event handlers of a scheduler: once each, whoever owns the shard meanwhile."""

import msgspec
import pytest

from daemons.wire.messages import Claimed, ClaimedAction, Fence, Ran, Save
from tests.roles.stage import Stage, body


def done(action, tagged=False):
    return Ran(action.id, 1, action.epoch, "done", 0, tagged)


def logs(stage, key="l/"):
    lines = msgspec.msgpack.Decoder(list[tuple[float, str]]).decode
    return [
        text for k, v in sorted(stage.store.records.items()) if k.startswith(key)
        for _, text in lines(v)
    ]  # fmt: skip


def take_over(stage, journal=()):
    """Server one dies whole; two goes on, with the reactionner's journal as given (None: silent)."""
    stage.kill("one")
    stage.journals["react"] = journal
    stage.place("two")
    stage.run(3.0)
    assert stage.schedulers["two"].seats[1].held.phase == "active"


def test_a_hard_problem_is_told_once_and_only_when_it_is_durable():
    stage = Stage()
    stage.start()
    stage.fail(1)
    order = stage.borrow()
    stage.hold = (Save,)
    stage.result(order, 2, "broken")
    stage.run(1.0)
    assert not stage.take().actions

    stage.release()
    (action,) = stage.take().actions
    assert action.command == "/bin/tell ann@example.org CRITICAL broken"
    assert action.env["SHINKEN_NOTIFICATION_ID"] == action.id
    assert not action.tagged
    assert not stage.take(holding=(action.id,)).actions


def test_without_write_ahead_it_leaves_before_it_is_kept():
    """The protection, taken away, is missed: so it protects."""
    stage = Stage()
    stage.start(without=frozenset(("write-ahead",)))
    stage.hold = (Save,)
    stage.fail()
    assert stage.take().actions


def test_a_soft_problem_is_not_told():
    stage = Stage()
    stage.start()
    stage.fail(1)
    stage.run(1.0)
    assert not stage.take().actions


def test_the_end_of_an_action_is_settled_once_it_is_durable():
    stage = Stage()
    stage.start()
    stage.fail()
    stage.run(1.0)
    (action,) = stage.take().actions
    assert f"a/{action.id}" in stage.store.records
    stage.hold = (Save,)
    assert not stage.take(done(action)).settled
    stage.run(0.5)
    stage.release()
    assert stage.take(done(action)).settled == (action.id,)
    assert f"a/{action.id}" not in stage.store.records
    assert not stage.take().actions


def test_an_answer_with_actions_that_was_lost_is_given_again():
    stage = Stage()
    stage.start()
    stage.fail()
    stage.run(1.0)
    lost = stage.take().actions
    assert stage.take().actions == lost


def test_a_problem_is_told_again_after_the_interval_and_its_recovery_to_who_was_told():
    stage = Stage()
    stage.start()
    stage.fail()
    stage.run(1.0)
    (first,) = stage.take().actions
    stage.take(done(first))
    for _ in range(8):
        stage.result(stage.borrow(), 2, "still")
    stage.run(1.0)
    (second,) = stage.take().actions
    assert second.id != first.id and stage.status().notification_number == 2
    stage.take(done(second))
    stage.result(stage.borrow(), 0, "fine")
    stage.run(1.0)
    (over,) = stage.take().actions
    assert over.command == "/bin/tell ann@example.org OK fine"
    assert stage.status().notification_number == 0


def test_a_recovery_that_nobody_was_told_of_is_silent():
    stage = Stage()
    stage.start()
    stage.fail(1)
    stage.result(stage.borrow(), 0)
    stage.run(1.0)
    assert not stage.take().actions


def test_the_log_says_it_with_the_same_delta():
    stage = Stage()
    stage.start()
    stage.fail()
    stage.run(1.0)
    assert logs(stage)[-2:] == [
        "SERVICE ALERT: web1;http;CRITICAL;HARD;2;broken",
        "SERVICE NOTIFICATION: ann;web1;http;CRITICAL;tell-service;broken",
    ]


def test_an_event_handler_runs_at_the_soft_and_the_hard_problem_and_the_recovery():
    traits = msgspec.structs.replace(body().traits[0], event_handler="repair", contacts=())
    stage = Stage(body(traits=(traits,)))
    stage.start()
    stage.fail()
    stage.result(stage.borrow(), 0)
    stage.run(1.0)
    actions = stage.take().actions
    assert [(a.kind, a.command) for a in actions] == [
        ("handler", "/bin/repair CRITICAL"),
        ("handler", "/bin/repair CRITICAL"),
        ("handler", "/bin/repair OK"),
    ]


# ---------------------------------------------------------------- after a take-over


def test_a_take_over_keeps_the_state_and_does_not_tell_again():
    stage = Stage()
    stage.start()
    stage.add("two")
    stage.fail()
    stage.run(1.0)
    (action,) = stage.take().actions
    stage.take(done(action))
    stage.run(1.0)
    before = stage.status()
    take_over(stage, (ClaimedAction(action.id, "done", action.epoch),))

    after = stage.status(of="two")
    assert after is not before
    assert (after.state, after.state_type, after.attempt) == (2, 1, 2)
    assert (after.notification_number, after.lineage) == (1, before.lineage)
    stage.result(stage.borrow("two"), 2, "broken", to="two")
    stage.run(1.0)
    assert not stage.take(to="two").actions


def test_what_was_planned_and_never_given_out_is_given_by_the_new_owner_untagged():
    stage = Stage()
    stage.start()
    stage.add("two")
    stage.fail()
    stage.run(1.0)
    take_over(stage)
    (action,) = stage.take(to="two").actions
    assert (action.epoch, action.tagged) == (stage.epoch, False)


def test_what_a_reactionner_says_it_did_is_settled():
    stage = Stage()
    stage.start()
    stage.add("two")
    stage.fail()
    stage.run(1.0)
    (action,) = stage.take().actions
    take_over(stage, (ClaimedAction(action.id, "done", action.epoch),))
    assert not stage.take(to="two").actions


def test_what_a_reactionner_began_and_nobody_saw_end_is_told_again_and_tagged():
    stage = Stage()
    stage.start()
    stage.add("two")
    stage.fail()
    stage.run(1.0)
    (action,) = stage.take().actions
    take_over(stage, (ClaimedAction(action.id, "claimed", action.epoch),))
    (again,) = stage.take(to="two").actions
    assert again.id == action.id and again.tagged
    assert again.env["SHINKEN_NOTIFICATION_TAG"] == "possible duplicate"
    assert again.command == r"/bin/tell ann@example.org CRITICAL broken \(possible duplicate\)"


def test_what_a_silent_reactionner_may_have_done_is_told_again_and_tagged():
    stage = Stage()
    stage.start()
    stage.add("two")
    stage.fail()
    stage.run(1.0)
    (action,) = stage.take().actions
    take_over(stage, None)
    (again,) = stage.take(to="two").actions
    assert again.id == action.id and again.tagged


def test_an_event_handler_in_doubt_is_skipped():
    traits = msgspec.structs.replace(body().traits[0], event_handler="repair", contacts=())
    stage = Stage(body(traits=(traits,)))
    stage.start()
    stage.add("two")
    stage.fail(1)
    stage.run(1.0)
    assert stage.take().actions
    take_over(stage, None)
    assert not stage.take(to="two").actions


def test_what_was_told_under_a_state_that_was_lost_is_not_told_again():
    """The last delta died with its server; the same cause makes the same id, and a journal has it."""
    stage = Stage()
    stage.start(without=frozenset(("write-ahead",)))
    stage.add("two")
    stage.fail(1)
    stage.run(1.5)
    stage.hold = (Save,)
    stage.fail(1)
    (action,) = stage.take().actions
    stage.hold, stage.held = (), []
    take_over(stage, (ClaimedAction(action.id, "done", action.epoch),))
    assert stage.status(of="two").state_type == 0
    stage.result(stage.borrow("two"), 2, "broken", to="two")
    stage.run(1.0)
    assert stage.status(of="two").notification_number == 1
    assert not stage.take(to="two").actions


def test_without_ids_that_outlive_the_owner_it_would_be_told_twice():
    """The protection, taken away, is missed: so it protects."""
    stage = Stage()
    without = frozenset(("write-ahead", "notification-ids"))
    stage.start(without=without)
    stage.add("two", without=without)
    stage.fail(1)
    stage.run(1.5)
    stage.hold = (Save,)
    stage.fail(1)
    (action,) = stage.take().actions
    stage.hold, stage.held = (), []
    take_over(stage, (ClaimedAction(action.id, "done", action.epoch),))
    stage.result(stage.borrow("two"), 2, "broken", to="two")
    stage.run(1.0)
    assert stage.take(to="two").actions


def test_without_retention_everything_is_forgotten():
    """The protection, taken away, is missed: so it protects."""
    stage = Stage()
    stage.start()
    stage.add("two", without=frozenset(("retention",)))
    stage.fail()
    stage.run(1.0)
    take_over(stage)
    assert not stage.status(of="two").checked


def test_new_notifications_are_tagged_until_the_object_was_seen_fine_when_somebody_was_silent():
    stage = Stage()
    stage.start()
    stage.add("two")
    stage.result(stage.borrow(), 0)
    stage.run(1.5)
    take_over(stage, None)
    stage.journals["react"] = ()
    stage.fail(to="two")
    stage.run(1.0)
    (action,) = stage.take(to="two").actions
    assert action.tagged
    stage.take(done(action, True), to="two")
    stage.result(stage.borrow("two"), 0, "fine", to="two")
    stage.run(1.0)
    (over,) = stage.take(to="two").actions
    stage.take(done(over), to="two")
    stage.fail(to="two")
    stage.run(1.0)
    (action,) = stage.take(to="two").actions
    assert not action.tagged


def test_an_end_that_a_reactionner_is_not_sure_of_is_told_again_tagged():
    stage = Stage()
    stage.start()
    stage.fail()
    stage.run(1.0)
    (action,) = stage.take().actions
    unsure = Ran(action.id, 1, action.epoch, "refused", -1)
    stage.take(unsure)
    stage.run(1.0)
    (again,) = stage.take().actions
    assert again.id == action.id and again.tagged
    stage.take(done(again, tagged=True))
    stage.run(1.0)
    assert not stage.take().actions


def test_a_reactionner_that_goes_silent_loses_what_it_has_to_another_tagged():
    stage = Stage()
    stage.journals["other"] = ()
    stage.start()
    stage.fail()
    stage.run(1.0)
    (action,) = stage.take().actions
    for _ in range(6):
        stage.run(1.0)
        found = stage.take(name="other").actions
    assert found[0].id == action.id and found[0].tagged


def test_a_reactionner_off_the_roster_keeps_what_it_holds_while_it_is_heard():
    """A spare's slow journal made every return of its master a possible duplicate (seed 2)."""
    stage = Stage()
    stage.journals["other"] = ()
    stage.start()
    stage.fail()
    stage.run(1.0)
    (action,) = stage.take(name="other").actions
    stage.place("one", reactionners=("react",))
    for _ in range(4):
        stage.take(name="other", holding=(action.id,))
        stage.run(1.0)
        assert not stage.take().actions
    stage.run(2.0)
    (again,) = stage.take().actions
    assert again.id == action.id and again.tagged


def test_nothing_is_planned_before_every_reactionner_was_fenced():
    stage = Stage()
    stage.add()
    stage.hold = (Fence,)
    stage.place("one")
    stage.run(2.0)
    assert stage.schedulers["one"].seats[1].held.phase == "loading"
    (held,) = stage.held
    assert held[1].message == Fence(1, stage.epoch)
    stage.release()
    assert stage.schedulers["one"].seats[1].held.phase == "active"
    assert isinstance(stage.answer(held[0], held[1]), Claimed)


def test_a_silent_reactionner_that_never_served_the_shard_casts_no_doubt():
    """Its server was stopped with the owner's; it was only a standby there."""
    stage = Stage()
    stage.journals["spare-react"] = ()
    first = {"reactionners": ("react",)}
    stage.add("one")
    stage.add("two")
    stage.place("one", "two", **first)
    stage.run(3.0)
    assert stage.schedulers["one"].seats[1].held.phase == "active"
    stage.run(3.0)
    stage.kill("one")
    stage.journals["spare-react"] = None
    stage.place("two", **first)
    stage.run(3.0)

    assert stage.schedulers["two"].seats[1].held.phase == "active"
    assert stage.schedulers["two"].seats[1].owned.outbox.doubts == set()


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_daemon_whose_wall_clock_jumped_holds_back_and_goes_on(jump_s):
    stage = Stage()
    one = stage.start()
    stage.fail()
    stage.run(0.3)
    stage.wall_ahead_s += jump_s
    stage.run(0.1)
    assert stage.take().actions == ()
    assert one.seats[1].held.phase == "active"
    stage.run(2.5)
    assert len(stage.take().actions) == 1
    assert stage.borrow()


@pytest.mark.parametrize(("on", "told"), [(True, 1), (False, 0)])
def test_a_contact_that_is_off_is_told_by_none_of_its_ways(on, told):
    (ann,) = body().contacts
    shared = tuple(msgspec.structs.replace(way, name="sms") for way in ann.ways)
    stage = Stage(
        body(contacts=(msgspec.structs.replace(ann, ways=shared, service_notifications_enabled=on),))
    )
    stage.start()
    stage.fail()
    stage.run(1.0)

    assert len(stage.take().actions) == told
