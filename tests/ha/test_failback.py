"""When work is given back: hold-down, doubling, flap guard, policies, and what an operator moved by hand."""

import pytest

from daemons.ha.failback import Displaced, Facts, displaced, hold_down_s, judge_failback
from daemons.ha.view import Seen, View
from daemons.model.cluster import DaemonDef
from daemons.model.objects import ShardDef
from daemons.wire.messages import Placed

ONE = Displaced("shard/1", "scheduler", "scheduler-spare", "scheduler-master")


def facts(fit_s=0.0, failovers_s=(), policy="hold_down", hold_s=60.0, by_hand=False, paused=False):
    return Facts(fit_s, tuple(failovers_s), policy, hold_s, by_hand, paused)


def test_a_master_gets_its_work_back_after_the_hold_down():
    assert judge_failback(ONE, facts(59.0)).act == "wait"
    assert judge_failback(ONE, facts(59.0)).wait_s == pytest.approx(1.0)
    assert judge_failback(ONE, facts(60.0)).act == "move"


def test_a_master_that_is_not_well_is_waited_for_for_ever():
    assert judge_failback(ONE, facts(-1.0)).act == "wait"


@pytest.mark.parametrize(
    ("failovers_s", "hold_s"),
    [((), 60.0), ((10.0,), 60.0), ((10.0, 20.0), 120.0), ((10.0, 3700.0), 60.0)],
)
def test_the_hold_down_doubles_with_each_further_failover_of_the_last_hour(failovers_s, hold_s):
    assert hold_down_s(facts(failovers_s=failovers_s)) == hold_s


def test_the_hold_down_is_never_longer_than_an_hour():
    assert hold_down_s(facts(failovers_s=(1.0,) * 2, hold_s=3000.0)) == 3600.0


def test_the_third_failover_in_an_hour_leaves_it_to_the_operator_and_raises_an_alarm():
    verdict = judge_failback(ONE, facts(9999.0, (10.0, 600.0, 3500.0)))
    assert verdict.act == "stay" and "3 times" in verdict.alarm
    assert judge_failback(ONE, facts(9999.0, (10.0, 600.0, 3700.0))).act == "move"


@pytest.mark.parametrize("more", [{"policy": "manual"}, {"policy": "never"}, {"by_hand": True}])
def test_by_policy_or_after_an_operator_s_own_move_it_stays(more):
    verdict = judge_failback(ONE, facts(9999.0, **more))
    assert verdict.act == "stay" and not verdict.alarm


def test_nothing_is_given_back_while_paused():
    assert judge_failback(ONE, facts(9999.0, paused=True)).act == "wait"


def define(name, role, spare=False):
    return DaemonDef(name=name, role=role, address=name, port=1, spare=spare, realm="All")


CREW = tuple(
    define(f"{role}-{rank}", role, rank == "spare")
    for role in ("arbiter", "scheduler", "broker", "receiver")
    for rank in ("master", "spare")
)


def view(scheduler, broker, receiver, leader, dead=()):
    placed = Placed(1, "All", "v1", scheduler, brokers=(broker,), receivers=(receiver,))
    seen = tuple(Seen(d, "dead" if d.name in dead else "alive") for d in CREW)
    return View(leader, seen, (ShardDef(1, "All", "v1", 1, 1),), (placed,))


def test_what_runs_on_masters_is_where_it_should_be():
    assert displaced(view("scheduler-master", "broker-master", "receiver-master", "arbiter-master")) == ()


def test_what_runs_on_spares_is_displaced_also_while_its_master_is_dead():
    found = displaced(
        view("scheduler-spare", "broker-spare", "receiver-spare", "arbiter-spare", ("broker-master",))
    )
    assert {(d.what, d.preferred) for d in found} == {
        ("arbiter", "arbiter-master"),
        ("shard/1", "scheduler-master"),
        ("broker-spare", "broker-master"),
        ("receiver-spare", "receiver-master"),
    }
