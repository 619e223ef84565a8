"""Downtimes begin and end, acknowledgements hold or go, comments go with them."""

from hypothesis import given
from hypothesis import strategies as st

from daemons.model.clock import Wall
from daemons.model.status import Ack, Comment, Downtime
from daemons.rules import booked
from daemons.rules.booked import What, ack_after, ack_at, cancel, next_transition, transitions
from daemons.rules.state import service_move

NOW = Wall(99.0)


def downtime(id=1, start=100.0, end=200.0, **more):
    return Downtime(id=id, entry_wall=50.0, start_wall=start, end_wall=end, **more)


def told(events):
    return [(event.what.value, event.downtime.id, event.told) for event in events]


def after(downtimes, wall, **more):
    now, events = transitions(downtimes, Wall(wall), **more)
    return now, told(events)


def test_a_fixed_downtime_is_in_effect_from_its_start_to_its_end():
    before, nothing = after((downtime(),), 99.0)
    during, started = after(before, 100.0)
    still, silence = after(during, 199.0)
    over, stopped = after(still, 200.0)

    assert (before[0].in_effect, nothing) == (False, [])
    assert (during[0].in_effect, started) == (True, [("STARTED", 1, True)])
    assert (still is during, silence) == (True, [])
    assert (over, stopped) == ((), [("STOPPED", 1, True)])


def test_a_downtime_that_was_missed_expires_in_silence():
    assert after((downtime(),), 300.0) == ((), [("EXPIRED", 1, False)])


def test_only_the_first_and_last_of_overlapping_downtimes_are_told():
    both = (downtime(1), downtime(2, 150.0, 250.0))
    one, _ = after(both, 100.0)
    two, second = after(one, 150.0)
    rest, first_end = after(two, 200.0)
    _, last_end = after(rest, 250.0)

    assert second == [("STARTED", 2, False)]
    assert first_end == [("STOPPED", 1, False)]
    assert last_end == [("STOPPED", 2, True)]


def test_a_flexible_downtime_begins_with_the_problem_and_lasts_its_duration():
    flexible = (downtime(fixed=False, duration_s=30.0),)
    waiting, nothing = after(flexible, 150.0)
    during, started = after(waiting, 190.0, problem=True)
    still, silence = after(during, 219.0)
    over, stopped = after(still, 220.0)

    assert (waiting, nothing, silence) == (flexible, [], [])
    assert during[0].started_wall == 190.0
    assert (started, stopped, over) == ([("STARTED", 1, True)], [("STOPPED", 1, True)], ())


def test_a_triggered_downtime_begins_with_its_trigger():
    both = (downtime(2, 0.0, 999.0, trigger_id=1, fixed=False, duration_s=20.0), downtime(1))
    now, started = after(both, 100.0)
    elsewhere, by_another = after(both[:1], 100.0, started_ids=(1,))

    assert sorted(started) == [("STARTED", 1, True), ("STARTED", 2, False)]
    assert all(d.in_effect for d in now)
    assert by_another == [("STARTED", 2, True)] and elsewhere[0].in_effect


def test_cancelling_takes_what_it_triggers_along():
    both, _ = after((downtime(1), downtime(2, trigger_id=1)), 100.0)
    left, events = cancel((*both, downtime(3)), 1)

    assert [d.id for d in left] == [3]
    assert told(events) == [("CANCELLED", 1, False), ("CANCELLED", 2, True)]


def test_cancelling_what_has_not_begun_is_silent():
    assert told(cancel((downtime(),), 1)[1]) == [("REMOVED", 1, False)]
    assert cancel((downtime(),), 7) == ((downtime(),), ())


def test_the_next_moment_to_look_is_known():
    assert next_transition((), NOW) is None
    assert next_transition((downtime(),), NOW) == 100.0
    assert next_transition((downtime(in_effect=True),), NOW) == 200.0
    assert next_transition((downtime(fixed=False, duration_s=9.0),), NOW) == 100.0
    begun = downtime(fixed=False, duration_s=9.0, in_effect=True, started_wall=150.0)
    assert next_transition((begun,), NOW) == 159.0


def test_the_window_of_a_flexible_downtime_opens_once():
    flexible = downtime(fixed=False, duration_s=9.0)

    assert next_transition((flexible,), Wall(99.9)) == 100.0
    assert next_transition((flexible,), Wall(100.0)) == 200.0
    assert next_transition((downtime(trigger_id=7),), NOW) == 200.0
    assert next_transition((downtime(5, 50.0), downtime()), NOW) == 50.0


def test_what_a_downtime_triggers_is_found():
    assert booked.triggered_by((downtime(2, trigger_id=1), downtime(3)), (1, 9)) == (2,)


def test_flapping_leaves_a_comment_while_it_lasts():
    host = booked.flapping_comment(7, NOW, 31.25, 30.0, is_host=True)
    service = booked.flapping_comment(8, NOW, 31.25, 30.0, is_host=False)

    assert (host.id, host.entry_wall, host.kind) == (7, 99.0, booked.COMMENT_FLAPPING)
    assert host.author == "(Shinken Process)"
    assert host.text == (
        "Notifications for this host are being suppressed because it was detected as having been flapping"
        " between different states (31.2% change > 30.0% threshold).  When the host state stabilizes and"
        " the flapping stops, notifications will be re-enabled."
    )
    assert "this service" in service.text and "31.2% change >= 30.0%" in service.text
    assert "the service state" in service.text
    other = Comment(id=1, entry_wall=1.0, author="joe", text="x")
    assert booked.comments_without_flapping((host, other)) == (other,)
    only = (other,)
    assert booked.comments_without_flapping(only) is only


def move(state, new):
    return service_move(state, 1, 3, state, new, 3, volatile=False, host_up=True)


def test_a_sticky_acknowledgement_holds_until_recovery():
    ack = Ack(author="joe", comment="x", sticky=True)

    assert ack_after(move(2, 1), ack) is ack
    assert ack_after(move(2, 0), ack) is None


def test_another_acknowledgement_ends_with_any_change_of_state():
    ack = Ack(author="joe", comment="x", sticky=False)

    assert ack_after(move(2, 2), ack) is ack
    assert ack_after(move(2, 1), ack) is None
    assert ack_after(move(2, 2), None) is None


def test_an_acknowledgement_with_an_end_ends():
    ack = Ack(author="joe", comment="x", expire_wall=100.0)

    assert ack_at(ack, Wall(99.0)) is ack
    assert ack_at(ack, Wall(100.0)) is None
    assert ack_at(Ack(author="joe", comment="x"), Wall(1e9)) is not None


def test_comments_go_with_what_they_belong_to():
    ack = booked.ack_comment(1, Ack(author="joe", comment="x"))
    kept = booked.ack_comment(2, Ack(author="joe", comment="x", persistent=True))
    down = booked.downtime_comment(3, downtime(7), is_host=True, from_to="a to b")
    user = Comment(id=4, entry_wall=0.0, author="joe", text="note")
    everything = (ack, kept, down, user)

    assert booked.comments_without_ack(everything) == (kept, down, user)
    assert booked.comments_without_ack((user,)) == (user,)
    assert booked.comments_without_downtimes(everything, {7}) == (ack, kept, user)
    assert "fixed downtime from a to b" in down.text and "host" in down.text


def test_a_flexible_downtime_says_how_long_it_lasts():
    comment = booked.downtime_comment(
        1, downtime(fixed=False, duration_s=5400.0), is_host=False, from_to="a and b"
    )

    assert "1 hours and 30 minutes" in comment.text


DOWNTIMES = st.lists(
    st.builds(downtime, st.integers(1, 4), st.floats(0, 50), st.floats(0, 60), fixed=st.booleans(),
              duration_s=st.floats(0, 30), trigger_id=st.integers(0, 4)),
    unique_by=lambda d: d.id, max_size=4,
).map(tuple)  # fmt: skip


@given(DOWNTIMES, st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=10))
def test_any_downtimes_begin_once_end_once_and_count_right(downtimes, passing):
    wall, depth, begun, ended = 0.0, 0, [], []
    for step, problem in passing:
        wall += step
        downtimes, events = transitions(downtimes, Wall(wall), problem=problem)
        for event in events:
            if event.what == What.STARTED:
                assert event.told == (depth == 0)
                depth += 1
                begun.append(event.downtime.id)
            elif event.what == What.STOPPED:
                depth -= 1
                assert event.told == (depth == 0)
                ended.append(event.downtime.id)
        assert depth == sum(d.in_effect for d in downtimes)
        assert all(wall < booked.ends(d) or d.started_wall == wall for d in downtimes)
    assert len(set(begun)) == len(begun) and len(set(ended)) == len(ended)
    assert set(ended) <= set(begun)


def test_a_downtime_that_ended_is_no_longer_in_effect():
    during, _ = transitions((downtime(),), Wall(100.0))
    _, (stopped,) = transitions(during, Wall(200.0))
    _, (cancelled,) = cancel(during, 1)

    assert stopped.downtime.in_effect is cancelled.downtime.in_effect is False


def test_three_that_begin_together_are_told_once():
    _, events = after((downtime(1), downtime(2), downtime(3)), 100.0)

    assert events == [("STARTED", 1, True), ("STARTED", 2, False), ("STARTED", 3, False)]


def test_an_acknowledgement_ends_at_its_time_not_before():
    ack = Ack(author="joe", comment="x", expire_wall=0.5)

    assert ack_at(ack, Wall(0.4)) is ack
    assert ack_at(ack, Wall(0.5)) is None
    assert ack_at(Ack(author="joe", comment="x"), Wall(9e9)) is not None


def test_comments_stay_the_same_tuple_when_none_goes():
    comments = (Comment(id=1, entry_wall=1.0, author="joe", text="x"),)

    assert booked.comments_without_ack(comments) is comments


def test_only_the_comments_of_ended_downtimes_go():
    mine = Comment(id=1, entry_wall=1.0, author="p", text="x", kind=booked.COMMENT_DOWNTIME, source_id=7)
    other = Comment(id=2, entry_wall=1.0, author="joe", text="x", source_id=7)

    assert booked.comments_without_downtimes((mine, other), (7,)) == (other,)
    assert booked.comments_without_downtimes((mine, other), (8,)) == (mine, other)


def test_an_acknowledgement_leaves_its_words():
    ack = Ack(author="joe", comment="seen", persistent=True, entry_wall=5.0)

    assert booked.ack_comment(3, ack) == Comment(
        id=3, entry_wall=5.0, author="joe", text="seen", persistent=True, kind=booked.COMMENT_ACK
    )


def test_a_downtime_leaves_what_it_is():
    fixed = booked.downtime_comment(4, downtime(7), is_host=True, from_to="A to B")
    flexible = booked.downtime_comment(
        5, downtime(8, fixed=False, duration_s=5400.0), is_host=False, from_to="A to B"
    )

    assert fixed == Comment(
        id=4, entry_wall=50.0, author="(Shinken Process)", kind=booked.COMMENT_DOWNTIME, source_id=7,
        text="This host has been scheduled for fixed downtime from A to B. Notifications for the host will"
        " not be sent out during that time period.",
    )  # fmt: skip
    assert flexible.text == (
        "This service has been scheduled for flexible downtime starting between A to B and lasting for a"
        " period of 1 hours and 30 minutes. Notifications for the service will not be sent out during that"
        " time period."
    )


def test_only_a_hard_problem_begins_a_flexible_downtime():
    def begins(state, state_type, new, attempts=3):
        return booked.begins_in_effect(
            service_move(state, state_type, 1, state, new, attempts, volatile=False, host_up=True)
        )

    assert begins(0, 1, 2, 1)
    assert not begins(0, 1, 2)
    assert not begins(2, 1, 0)
