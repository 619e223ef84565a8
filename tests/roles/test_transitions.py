"""The log is told when time periods begin and end, once, whoever owns the shard."""

from daemons.model.objects import TimePeriod
from daemons.roles.shard.state import ShardState
from daemons.roles.shard.transitions import Transitions
from tests.roles.stage import Stage, body
from tests.roles.test_scheduler_tells import take_over

PERIODS = (
    TimePeriod("early", "", (("friday", "08:16-08:17"),)),  # the stage begins on a Friday, 08:16:40 UTC
    TimePeriod("never"),
)


def told(stage, name="one"):
    ring = stage.schedulers[name].seats[1].owned.journal.ring
    return [line.text for line in ring.lines_after((0, 0)) if "TIMEPERIOD" in line.text]


def test_a_period_is_told_of_at_first_and_at_each_change():
    stage = Stage(body(periods=PERIODS))
    stage.start()
    stage.run(5.0)
    first = ["TIMEPERIOD TRANSITION: early;-1;1", "TIMEPERIOD TRANSITION: never;-1;0"]
    assert told(stage) == first

    stage.run(40.0)
    assert told(stage)[-1] == "TIMEPERIOD TRANSITION: early;1;0"
    assert len(told(stage)) == 3


def test_a_new_owner_goes_on_and_says_nothing_again():
    stage = Stage(body(periods=PERIODS))
    stage.start()
    stage.add("two")
    stage.place("one", "two")
    stage.run(5.0)
    before = told(stage)

    take_over(stage)
    stage.run(40.0)

    assert told(stage, "two") == [*before, "TIMEPERIOD TRANSITION: early;1;0"]


def test_only_the_first_shard_of_a_realm_tells():
    for id, tells in ((1, True), (2, False), (100, False), (101, True), (201, True)):
        stage = Stage(body(periods=PERIODS, id=id))
        state = ShardState(stage.shard, 1, str, stage.now)

        Transitions(state).tick(stage.now)

        assert bool(state.status.periods) == tells
