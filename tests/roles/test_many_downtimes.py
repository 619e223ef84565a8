"""A command about a large group: its downtimes begin and end tick by tick, so that no entry outlasts a lease."""

from itertools import pairwise

import msgspec

from daemons.model.objects import Group, Service
from daemons.roles.shard.bookings import TELLS
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
