"""Objects in maintenance: exactly one downtime, whoever owns the shard and whatever is reloaded."""

import msgspec
from msgspec.structs import replace

from daemons.model.check import CODE_TIMEOUT, Order
from daemons.model.objects import Command, Globals, MaintenanceCheck, Service, TimePeriod
from daemons.roles.shard import bookings, maintenance
from tests.roles.stage import Stage, body
from tests.roles.test_scheduler_tells import logs, take_over

_orders = msgspec.msgpack.Decoder(list[Order]).decode
BEGIN, END = 1020.0, 1140.0  # of the period, on the stage's monotonic clock
WINDOW = "08:17-08:19"
CHECK = MaintenanceCheck("released!$HOSTNAME$", 20.0, 5.0)


def shard(window: str = WINDOW, **traits):
    plain = body()
    quiet = replace(plain.traits[0], **traits)
    days = () if not window else (("2027-01-15", window),)
    return body(
        traits=(quiet, plain.traits[0]),
        hosts=(replace(plain.hosts[0], traits=1),),
        commands=(*plain.commands, Command("released", "/bin/released $ARG1$")),
        periods=(TimePeriod("window", "", days), TimePeriod("always", "", tuple(
            (day, "00:00-24:00") for day in
            ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
        ))),
        globals=Globals(max_service_check_spread_s=1.0, max_host_check_spread_s=1.0),
    )  # fmt: skip


def started(window: str = WINDOW, **traits) -> Stage:
    stage = Stage(shard(window, **traits))
    stage.start()
    return stage


def to(stage: Stage, mono: float) -> None:
    stage.run(mono - stage.mono)


def reload(stage: Stage, new) -> None:
    stage.shard, stage.version = new, stage.version + "x"
    stage.place(next(iter(stage.schedulers)))
    stage.run(1.0)


def downtimes(stage: Stage, of: str = "one"):
    return stage.status(of=of).downtimes


def alerts(stage: Stage) -> list[str]:
    return [t for t in logs(stage) if " ALERT: " in t or t.startswith("Warning: ")]


STARTED = "SERVICE DOWNTIME ALERT: web1;http;STARTED; Service has entered a period of scheduled downtime"
STOPPED = "SERVICE DOWNTIME ALERT: web1;http;STOPPED; Service has exited from a period of scheduled downtime"


def test_while_the_period_lasts_there_is_one_downtime_that_ends_with_it():
    stage = started(maintenance_period="window")
    to(stage, BEGIN - 0.5)
    assert downtimes(stage) == ()
    to(stage, BEGIN + 0.5)
    (downtime,) = downtimes(stage)
    assert downtime.in_effect and downtime.fixed and downtime.author == "system"
    assert downtime.comment == "this downtime was automatically scheduled through a maintenance_period"
    assert downtime.end_wall == stage.wall_ahead_s + END
    assert stage.status().maintenance_id == downtime.id
    to(stage, END - 0.5)
    assert len(downtimes(stage)) == 1
    to(stage, END + 1.5)
    assert downtimes(stage) == () and stage.status().comments == ()
    assert stage.status().maintenance_id == 0
    assert alerts(stage) == [STARTED, STOPPED]


def test_a_scheduler_that_starts_in_the_middle_begins_it_at_once():
    stage = Stage(shard(maintenance_period="window"))
    stage.mono = BEGIN + 30.0
    stage.start()
    (downtime,) = downtimes(stage)
    assert downtime.end_wall == stage.wall_ahead_s + END


def test_a_new_owner_goes_on_with_the_same_one():
    stage = started(maintenance_period="window")
    to(stage, BEGIN + 5.0)
    (before,) = downtimes(stage)
    stage.add("two")
    take_over(stage)
    assert downtimes(stage, "two") == (before,)
    to(stage, END + 1.5)
    assert downtimes(stage, "two") == ()
    assert stage.status(of="two").maintenance_id == 0
    assert alerts(stage) == [STARTED, STOPPED]


def test_a_new_owner_ends_one_whose_period_ended_meanwhile():
    stage = started(maintenance_period="window")
    to(stage, BEGIN + 5.0)
    stage.kill("one")
    stage.mono = END + 50.0
    stage.add("two")
    stage.place("two")
    stage.run(3.0)
    assert downtimes(stage, "two") == ()
    assert stage.status(of="two").maintenance_id == 0


def test_a_reload_changes_nothing_or_what_it_has_to():
    stage = started(maintenance_period="window")
    to(stage, BEGIN + 5.0)
    (before,) = downtimes(stage)
    reload(stage, shard(maintenance_period="window", notification_interval_s=7.0))
    assert downtimes(stage) == (before,)
    reload(stage, shard("08:17-08:30", maintenance_period="window"))
    (longer,) = downtimes(stage)
    assert (longer.id, longer.end_wall) == (before.id, before.end_wall + 660.0)
    to(stage, END + 5.0)
    assert len(downtimes(stage)) == 1
    reload(stage, shard("08:17-08:19", maintenance_period="window"))
    assert downtimes(stage) == () and stage.status().maintenance_id == 0
    assert alerts(stage)[-1].startswith("SERVICE DOWNTIME ALERT: web1;http;CANCELLED;")


def test_a_reload_without_the_period_ends_it():
    stage = started(maintenance_period="window")
    to(stage, BEGIN + 5.0)
    reload(stage, shard())
    assert downtimes(stage) == () and stage.status().maintenance_id == 0


def test_a_reload_with_a_period_begins_it():
    stage = started()
    to(stage, BEGIN + 5.0)
    assert downtimes(stage) == ()
    reload(stage, shard(maintenance_period="window"))
    assert len(downtimes(stage)) == 1


def test_one_that_a_person_deleted_stays_deleted_until_the_next_time():
    stage = started("08:17-08:18,08:19-08:20", maintenance_period="window")
    to(stage, BEGIN + 5.0)
    owned = stage.schedulers["one"].seats[1].owned
    assert owned is not None
    assert owned.bookings.cancel(downtimes(stage)[0].id, stage.now)
    to(stage, BEGIN + 20.0)
    assert downtimes(stage) == ()
    stage.add("two")
    take_over(stage)
    stage.run(5.0)
    assert downtimes(stage, "two") == ()
    to(stage, BEGIN + 121.0)
    assert len(downtimes(stage, "two")) == 1


def test_a_period_without_an_end_is_prolonged():
    stage = started(maintenance_period="always")
    (first,) = downtimes(stage)
    assert first.end_wall > stage.now.wall + 365 * 86400
    stage.add("two")
    take_over(stage)
    assert downtimes(stage, "two") == (first,)
    stage.mono += 200 * 86400.0
    stage.run(3.0)
    (second,) = downtimes(stage, "two")
    assert second.id == first.id and second.end_wall > first.end_wall + 100 * 86400


def test_a_period_that_is_not_there_is_never():
    assert downtimes(started(maintenance_period="forgotten")) == ()
    stage = started("", maintenance_period="window")
    to(stage, BEGIN + 5.0)
    assert downtimes(stage) == ()


def test_a_problem_in_maintenance_is_not_told():
    stage = started(maintenance_period="window")
    to(stage, BEGIN + 5.0)
    for action in stage.take().actions:  # that it began
        assert action.kind == "notification"
    stage.fail(3)
    stage.run(1.0)
    assert not [a for a in stage.take().actions if "CRITICAL" in a.command]


def test_many_objects_begin_and_end_over_several_ticks(monkeypatch):
    monkeypatch.setattr(maintenance, "LOOKS", 1)
    plain = shard(maintenance_period="window")
    services = tuple(replace(plain.services[0], description=f"s{n}") for n in range(5))
    stage = Stage(replace(plain, services=services))
    stage.start()
    to(stage, BEGIN + 0.1)
    some = [key for n in range(5) if stage.status(key := f"web1;s{n}").downtimes]
    assert 0 < len(some) < 5
    to(stage, BEGIN + 1.0)
    assert all(stage.status(f"web1;s{n}").downtimes for n in range(5))

    monkeypatch.setattr(bookings, "CHANGES", 1)
    to(stage, END + 0.1)
    left = [key for n in range(5) if stage.status(key := f"web1;s{n}").downtimes]
    assert 0 < len(left) < 5
    to(stage, END + 1.0)
    assert not any(stage.status(f"web1;s{n}").downtimes for n in range(5))
    assert not any(stage.status(f"web1;s{n}").maintenance_id for n in range(5))


# -- checks


def lent(stage: Stage, of: str = "one", within_s: float = 30.0) -> Order:
    """Borrow until the maintenance check comes; the other checks are fine."""
    for _ in range(round(within_s / 0.25)):
        for order in stage.orders(stage.exchange(to=of)):
            if order.object.startswith(";maintenance/"):
                return order
            stage.result(order, 0, "fine", to=of)
        stage.run(0.25)
    raise AssertionError(f"no maintenance check within {within_s} s")


def answered(stage: Stage, code: int, output: str = "a release runs", of: str = "one") -> Order:
    order = lent(stage, of)
    stage.result(order, code, output, to=of)
    return order


def test_a_check_that_says_so_puts_the_object_into_a_sliding_downtime():
    stage = started("", maintenance_check=CHECK)
    order = answered(stage, 2)
    assert (order.object, order.command) == (";maintenance/web1;http", "/bin/released web1")
    (first,) = downtimes(stage)
    assert first.in_effect and first.author == "system"
    assert first.end_wall == stage.now.wall + 60.0
    answered(stage, 2)
    (second,) = downtimes(stage)
    assert (second.id, second.end_wall) == (first.id, stage.now.wall + 60.0)
    assert second.end_wall - first.end_wall < 6.0  # at its retry interval
    answered(stage, 0, "done")
    assert downtimes(stage) == () and stage.status().maintenance_id == 0
    stage.run(1.0)
    assert [t for t in alerts(stage) if "MAINTENANCE" in t] == [
        "SERVICE MAINTENANCE ALERT: web1;http;MAINTENANCE;a release runs",
        "SERVICE MAINTENANCE ALERT: web1;http;PRODUCTION;done",
    ]
    assert stage.status().state == 0  # the state of the object is another matter


def test_an_answer_never_reaches_an_object_that_is_named_like_the_order():
    plain = shard("", maintenance_check=CHECK)
    host = replace(plain.hosts[0], name="maintenance/web1")
    stage = Stage(
        replace(plain, hosts=(*plain.hosts, host), services=(*plain.services, Service(host.name, "http", 1)))
    )
    stage.start()
    answered(stage, 2)
    assert len(downtimes(stage)) == 1
    assert stage.status("maintenance/web1;http").state == 0


def test_any_other_answer_is_production_and_said_once():
    stage = started("", maintenance_check=CHECK)
    answered(stage, 2)
    for code in (1, 3, CODE_TIMEOUT):
        answered(stage, code, "oops")
        assert downtimes(stage) == ()
    stage.run(1.0)
    assert len([t for t in alerts(stage) if t.startswith("Warning: maintenance check of 'web1;http'")]) == 1


def test_a_downtime_that_nobody_prolongs_ends_and_the_next_answer_makes_another():
    stage = started("", maintenance_check=CHECK)
    answered(stage, 2)
    stage.run(62.0)
    assert downtimes(stage) == () and stage.status().maintenance_id == 0
    answered(stage, 2)
    assert len(downtimes(stage)) == 1


def test_period_and_check_together_make_one_that_goes_on_after_the_period():
    stage = started(maintenance_period="window", maintenance_check=CHECK)
    to(stage, BEGIN + 1.0)
    (first,) = downtimes(stage)
    answered(stage, 2)
    assert downtimes(stage) == (first,)
    while stage.mono < END - 4.0:
        answered(stage, 2)
    (last,) = downtimes(stage)
    assert last.id == first.id and last.end_wall > first.end_wall
    to(stage, END + 2.0)
    assert downtimes(stage) == (last,)
    answered(stage, 0)
    assert downtimes(stage) == ()


def test_an_answer_of_production_does_not_end_the_period():
    stage = started(maintenance_period="window", maintenance_check=CHECK)
    to(stage, BEGIN + 1.0)
    before = downtimes(stage)
    answered(stage, 0)
    assert downtimes(stage) == before != ()


def test_a_new_owner_keeps_it_until_the_next_answer():
    stage = started("", maintenance_check=CHECK)
    answered(stage, 2)
    stage.run(1.0)
    before = downtimes(stage)
    stage.add("two")
    take_over(stage)
    assert downtimes(stage, "two") == before
    order = answered(stage, 2, of="two")
    assert order.epoch > 101
    (after,) = downtimes(stage, "two")
    assert after.id == before[0].id and after.end_wall > before[0].end_wall
    answered(stage, 0, of="two")
    assert downtimes(stage, "two") == ()


def test_a_reload_without_the_check_ends_it():
    stage = started("", maintenance_check=CHECK)
    answered(stage, 2)
    reload(stage, shard(""))
    assert downtimes(stage) == ()
    reload(stage, shard("", maintenance_check=CHECK))
    answered(stage, 2)
    assert len(downtimes(stage)) == 1


def test_an_answer_that_is_late_or_of_another_owner_is_not_taken():
    stage = started("", maintenance_check=CHECK)
    order = lent(stage)
    stage.result(replace(order, seq=order.seq + 1), 2)
    stage.result(replace(order, epoch=order.epoch - 1), 2)
    assert downtimes(stage) == ()
    stage.result(order, 2)
    stage.result(order, 0)
    assert len(downtimes(stage)) == 1


def test_a_check_that_does_not_come_back_is_ordered_again():
    stage = started("", maintenance_check=CHECK)
    first = lent(stage)
    second = lent(stage, within_s=90.0)
    assert second.seq != first.seq
    stage.result(second, 2)
    assert len(downtimes(stage)) == 1


def test_it_runs_only_in_its_period_and_while_checks_are_made():
    stage = started(maintenance_check=replace(CHECK, period="window"))
    to(stage, BEGIN - 2.0)
    assert not any(o.object.startswith(";maintenance/") for o in stage.orders(stage.exchange()))
    lent(stage, within_s=5.0)


def test_one_that_sleeps_wakes_when_a_reload_changes_its_period():
    stage = started("", maintenance_check=replace(CHECK, period="window"))
    stage.run(30.0)
    reload(stage, shard("", maintenance_check=CHECK))
    lent(stage)


def test_one_that_is_not_enabled_or_has_no_interval_is_never_run():
    for check in (replace(CHECK, enabled=False), replace(CHECK, check_interval_s=0.0)):
        stage = started("", maintenance_check=check)
        for _ in range(100):
            stage.run(0.25)
            orders = stage.orders(stage.exchange())
            assert not any(o.object.startswith(";maintenance/") for o in orders)


def test_a_tagged_one_goes_to_a_poller_with_the_tag():
    stage = started("", maintenance_check=CHECK, poller_tag="dmz")
    stage.run(21.0)
    owned = stage.schedulers["one"].seats[1].owned
    assert owned is not None
    assert owned.maintenance.checks.lend((), 10, stage.now) == []
    (chunk,) = owned.maintenance.checks.lend(("dmz",), 10, stage.now)
    assert [o.object for o in _orders(chunk.data)] == [";maintenance/web1;http"]
