"""A command about a large group: its downtimes begin and end tick by tick, so that no entry outlasts a lease."""

from itertools import pairwise

import msgspec

from daemons.model.objects import Group, Service
from daemons.roles.shard.bookings import TELLS
from daemons.roles.shard.tell import TELLS as REMINDED
from daemons.wire.messages import Submit, Submitted
from tests.roles.test_scheduler_reminds import play, shard

MANY = 6 * TELLS


def test_downtimes_of_a_large_group_begin_and_end_a_few_at_a_time_and_all_do():
    stage = play(
        msgspec.structs.replace(
            shard(contacts=("ann",)),
            services=tuple(Service("web1", f"s{n}", 0) for n in range(MANY)),
            hostgroups=(Group("webs", "webs", ("web1",)),),
        )
    )
    scheduler = stage.schedulers[stage.owner]
    figures = scheduler.seats[1].owned.state.figures
    wall = stage.now.wall
    line = f"[{wall:.0f}] SCHEDULE_HOSTGROUP_SVC_DOWNTIME;webs;{wall - 5:.0f};{wall + 20:.0f};1;0;0;joe;x"
    told = [0.0]

    scheduler.handle(Submit("recv", (Submitted("c1", line, wall),)), stage.now)
    told.append(figures["notifications_planned"])
    for _ in range(600):
        stage.run(0.05)
        told.append(figures["notifications_planned"])

    assert max(b - a for a, b in pairwise(told)) == TELLS
    assert told[-1] == 2 * MANY  # each began and ended, told once
    assert not any(stage.status(f"web1;s{n}", of=stage.owner).downtimes for n in range(MANY))


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
