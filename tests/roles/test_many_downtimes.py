"""A command about a large group: its downtimes begin and end tick by tick, so that no entry outlasts a lease."""

from itertools import pairwise

import msgspec

from daemons.model.objects import Group, Service
from daemons.roles.shard.bookings import TELLS
from daemons.roles.shard.tell import TELLS as REMINDED
from daemons.wire.messages import Submit, Submitted
from tests.roles.test_scheduler_reminds import play, shard

MANY = 6 * TELLS


def group():
    """A host in a group, with MANY services."""
    return play(
        msgspec.structs.replace(
            shard(contacts=("ann",)),
            services=tuple(Service("web1", f"s{n}", 0) for n in range(MANY)),
            hostgroups=(Group("webs", "webs", ("web1",)),),
        )
    )


def figures_of(stage):
    return stage.schedulers[stage.owner].seats[1].owned.state.figures


def obeyed(stage, id, line, seconds=0.0):
    """Give a line; return how many notifications were planned by then, by each tick that follows."""
    figures, wall = figures_of(stage), stage.now.wall
    told = [figures["notifications_planned"]]
    stage.schedulers[stage.owner].handle(Submit("recv", (Submitted(id, line, wall),)), stage.now)
    told.append(figures["notifications_planned"])
    for _ in range(round(seconds / 0.05)):
        stage.run(0.05)
        told.append(figures["notifications_planned"])
    return told


def booking(stage, for_s):
    wall = stage.now.wall
    return f"[{wall:.0f}] SCHEDULE_HOSTGROUP_SVC_DOWNTIME;webs;{wall - 5:.0f};{wall + for_s:.0f};1;0;0;joe;x"


def left(stage):
    return sum(bool(stage.status(f"web1;s{n}", of=stage.owner).downtimes) for n in range(MANY))


def test_downtimes_of_a_large_group_begin_and_end_a_few_at_a_time_and_all_do():
    stage = group()
    told = obeyed(stage, "c1", booking(stage, 20.0), 30.0)

    assert max(b - a for a, b in pairwise(told)) == TELLS
    assert told[-1] == 2 * MANY  # each began and ended, told once
    assert left(stage) == 0


def test_downtimes_of_a_large_group_are_deleted_a_few_at_a_time_and_all_are():
    stage = group()
    obeyed(stage, "c1", booking(stage, 2000.0), 5.0)
    told = obeyed(stage, "c2", "[0] DEL_DOWNTIME_BY_HOSTGROUP_NAME;webs", 5.0)

    assert max(b - a for a, b in pairwise(told)) == TELLS
    assert told[-1] == 2 * MANY
    assert left(stage) == 0


def test_the_next_owner_goes_on_deleting_where_the_last_one_was():
    stage = group()
    stage.add("two")
    stage.place("one", "two")
    stage.run(2.0)
    obeyed(stage, "c1", booking(stage, 2000.0), 5.0)
    obeyed(stage, "c2", "[0] DEL_DOWNTIME_BY_HOSTGROUP_NAME;webs", 0.1)
    assert 0 < left(stage) < MANY
    stage.take_over()
    stage.run(5.0)

    assert left(stage) == 0
    lines = stage.schedulers["two"].seats[1].owned.journal.ring.lines_after((0, 0))
    said = [line.text for line in lines if "CANCELLED" in line.text]
    assert said and len(said) == len(set(said))


def test_reminders_of_many_problems_are_told_a_few_at_a_time_and_all_are():
    traits = shard(contacts=("ann",)).traits[0]
    traits = msgspec.structs.replace(
        traits, notification_interval_s=60.0, max_check_attempts=1, check_interval_s=0.0
    )
    many = 4 * REMINDED
    stage = play(
        msgspec.structs.replace(
            shard(contacts=("ann",)), traits=(traits,),
            services=tuple(Service("web1", f"s{n}", 0) for n in range(many)),
        )
    )  # fmt: skip
    figures = stage.schedulers[stage.owner].seats[1].owned.state.figures
    for n in range(many):
        stage.passive(f"web1;s{n}", 2, "bad")
    stage.run(20.0)
    assert figures["notifications_planned"] == many
    told = [figures["notifications_planned"]]
    teller = stage.schedulers[stage.owner].seats[1].owned.teller
    for _ in range(5):
        teller.remind(stage.now_in(70.0))  # all are due
        told.append(figures["notifications_planned"])

    assert [b - a for a, b in pairwise(told)] == [REMINDED] * 4 + [0]
