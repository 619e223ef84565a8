"""Many commands at once: a scheduler obeys so many a tick that it keeps its lease, in order, each once."""

from daemons.roles.inbox import LINE, TOLD, WORK
from daemons.roles.role import Wait
from daemons.wire.messages import Accepted, Submit, Submitted
from tests.roles.test_scheduler_reminds import play, shard

MANY = 300
IN_A_TICK = WORK // (LINE + TOLD) + 1


def custom(stage, count=MANY):
    """Commands each of which makes a notification."""
    wall = stage.now.wall
    return tuple(
        Submitted(f"c{n}", f"[{wall:.0f}] SEND_CUSTOM_SVC_NOTIFICATION;web1;http;2;joe;text {n}", wall)
        for n in range(count)
    )


def told(stage):
    return stage.schedulers[stage.owner].seats[1].owned.state.figures["notifications_planned"]


def commands_in_log(stage):
    ring = stage.schedulers[stage.owner].seats[1].owned.journal.ring
    return [
        line.text.rpartition(" ")[2] for line in ring.lines_after((0, 0)) if "EXTERNAL COMMAND: SEND_CUSTOM" in line.text
    ]


def test_one_entry_obeys_only_as_much_as_a_lease_bears():
    stage = play(shard())
    scheduler = stage.schedulers[stage.owner]
    before = told(stage)

    answer = scheduler.handle(Submit("recv", custom(stage)), stage.now)

    assert isinstance(answer, Wait)
    assert 0 < told(stage) - before <= IN_A_TICK
    scheduler.tick(stage.now)
    assert told(stage) - before <= 2 * IN_A_TICK


def test_what_waits_is_obeyed_in_order_also_when_its_sender_is_gone():
    stage = play(shard())
    stage.schedulers[stage.owner].handle(Submit("recv", custom(stage)), stage.now)

    stage.live(6.0)

    assert commands_in_log(stage) == [str(n) for n in range(MANY)]
    assert told(stage) >= MANY


def test_asked_again_what_waits_keeps_its_place_and_is_obeyed_once():
    stage = play(shard())
    scheduler = stage.schedulers[stage.owner]
    items = custom(stage)
    scheduler.handle(Submit("recv", items), stage.now)
    scheduler.handle(Submit("recv", tuple(reversed(items))), stage.now)

    stage.live(6.0)

    assert commands_in_log(stage) == [str(n) for n in range(MANY)]
    answer = scheduler.handle(Submit("recv", items), stage.now)
    assert isinstance(answer, Accepted) and len(answer.durable) == MANY


def test_a_scheduler_without_its_lease_obeys_nothing_more():
    stage = play(shard())
    scheduler = stage.schedulers[stage.owner]
    scheduler.handle(Submit("recv", custom(stage)), stage.now)
    owned = scheduler.seats[1].owned
    before = owned.state.figures["notifications_planned"]

    owned.sealed = True
    scheduler.tick(stage.now)
    owned.sealed = False
    scheduler.tick(stage.now)

    assert owned.state.figures["notifications_planned"] == before
