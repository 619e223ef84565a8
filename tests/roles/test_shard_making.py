"""A big shard is made slice by slice: whoever beats, or asks, gets a turn in between."""

from daemons.model.objects import Host, Service
from daemons.roles.scheduler import MAKING_TICK_S, TICK_S
from daemons.roles.shard import checks, owned
from daemons.roles.shard import state as shard_state
from daemons.wire.messages import Beat, Exchange, Load, NotMine, Replicate
from tests.roles.stage import Stage, body

MANY = 10


def many_hosts(monkeypatch):
    monkeypatch.setattr(shard_state, "SLICE", 2)
    monkeypatch.setattr(checks, "SLICE", 2)
    hosts = tuple(Host(f"web{n}", "10.0.0.1", "web", 0) for n in range(MANY))
    services = tuple(Service(f"web{n}", "http", 0) for n in range(MANY))
    stage = Stage(body(hosts=hosts, services=services))
    return stage, stage.add("one")


def making(stage, scheduler, *, until):
    """Tick until `until` holds; return how many entries it took."""
    for entries in range(200):
        if until(scheduler):
            return entries
        stage.run(0.05)
    raise AssertionError("it did not come to that")


def begun(scheduler):
    return scheduler.seats[1].making


def active(scheduler):
    return scheduler.seats[1].held.phase == "active"


def test_a_big_shard_is_made_in_many_entries_with_beats_in_between(monkeypatch):
    stage, scheduler = many_hosts(monkeypatch)
    stage.place("one")
    making(stage, scheduler, until=begun)
    beats = sum(isinstance(call.message, Beat) for call in stage.sent)
    assert making(stage, scheduler, until=active) >= MANY / 2
    assert sum(isinstance(call.message, Beat) for call in stage.sent) > beats
    assert len(scheduler.seats[1].owned.state.items) == 2 * MANY


def test_ticks_come_fast_only_while_objects_are_made(monkeypatch):
    stage, scheduler = many_hosts(monkeypatch)
    assert scheduler.tick_s == TICK_S
    stage.place("one")
    making(stage, scheduler, until=begun)
    stage.run(0.05)
    assert scheduler.tick_s == MAKING_TICK_S
    making(stage, scheduler, until=active)
    stage.run(2.0)  # the first save is whole, and gathered in slices too
    assert scheduler.tick_s == TICK_S


def test_a_shard_in_the_making_serves_nobody_and_keeps_its_lease(monkeypatch):
    stage, scheduler = many_hosts(monkeypatch)
    stage.place("one")
    making(stage, scheduler, until=begun)
    assert isinstance(scheduler.handle(Exchange("poll", "i", 1, 5, 9, 0.0), stage.now), NotMine)
    making(stage, scheduler, until=active)
    assert scheduler.seats[1].owned.epoch == stage.epoch


def test_a_newer_owner_ends_the_making(monkeypatch):
    stage, scheduler = many_hosts(monkeypatch)
    stage.place("one")
    making(stage, scheduler, until=begun)
    stage.refused.add("one")
    scheduler.handle(Replicate(1, stage.epoch + 1, 1, b"", after=0), stage.now)
    stage.run(1.0)
    assert not scheduler.seats[1].making and scheduler.seats[1].owned is None


def test_a_configuration_that_comes_meanwhile_is_taken(monkeypatch):
    stage, scheduler = many_hosts(monkeypatch)
    stage.place("one")
    making(stage, scheduler, until=begun)
    stage.shard = body(hosts=(Host("new", "10.0.0.2", "new", 0),), services=())
    stage.version = "v2"
    stage.place("one")
    making(stage, scheduler, until=active)
    stage.run(1.0)
    owned = scheduler.seats[1].owned
    assert (owned.version, list(owned.state.items)) == ("v2", ["new"])


def test_a_standby_with_a_copy_does_not_wait_for_its_own_store():
    stage = Stage()
    stage.start()
    stage.add("two")
    stage.place("one", "two")
    stage.run(2.0)
    stage.kill("one")
    stage.place("two")
    stage.run(2.0)
    copied = stage.schedulers["two"].seats[1].copy.highest
    loads = [call.message for call in stage.sent if isinstance(call.message, Load)]
    assert [bool(load.above_epoch) for load in loads] == [False, True] and copied


def test_a_whole_copy_gathered_in_slices_has_what_changed_meanwhile(monkeypatch):
    stage, scheduler = many_hosts(monkeypatch)
    stage.place("one")
    making(stage, scheduler, until=active)
    stage.run(3.0)
    stage.add("two")
    stage.place("one", "two")
    journal = scheduler.seats[1].owned.journal
    making(stage, scheduler, until=lambda _: journal.gathering)
    order = stage.borrow(key="web0;http")  # of a slice that is past
    assert journal.standby.whole_copies == 0
    stage.result(order, 2, "broken")
    stage.run(3.0)
    copy = stage.schedulers["two"].seats[1].copy
    assert journal.standby.whole_copies == 1 and journal.durability == "two servers"
    assert copy.records == scheduler.seats[1].owned.state.records() == stage.store.records


def test_no_delta_leaves_while_a_whole_copy_is_gathered(monkeypatch):
    stage, scheduler = many_hosts(monkeypatch)
    stage.place("one")
    making(stage, scheduler, until=active)
    stage.run(3.0)
    stage.add("two")
    stage.place("one", "two")
    journal = scheduler.seats[1].owned.journal
    making(stage, scheduler, until=lambda _: journal.gathering)
    formed = journal.formed_n
    journal.log("a line", stage.now)
    entries = making(stage, scheduler, until=lambda _: not journal.gathering)
    assert entries > 2 and journal.formed_n == formed + 1


def test_log_lines_that_a_store_missed_are_not_dropped_there():
    stage = Stage()
    scheduler = stage.start()
    journal = scheduler.seats[1].owned.journal
    stage.run(3.0)
    stage.store.away = True
    journal.log("while it was away", stage.now)
    stage.run(3.0)
    stage.store.away = False
    stage.run(4.0)
    assert any(key.startswith("l/") for key in stage.store.records)


def test_a_big_shard_takes_a_new_configuration_in_many_entries_and_works_on(monkeypatch):
    """At a hundred thousand services one entry would hold up the beat, and each due check."""
    monkeypatch.setattr(owned, "SLICE", 2)
    stage, scheduler = many_hosts(monkeypatch)
    stage.place("one")
    making(stage, scheduler, until=active)
    stage.run(3.0)
    shard = scheduler.seats[1].owned
    before = {key: (id(item.status), item.status.next_check_wall) for key, item in shard.state.items.items()}
    more = tuple(Host(f"web{n}", "10.0.0.1", "web", 0) for n in range(1, MANY + 1))
    services = tuple(Service(f"web{n}", "http", 0) for n in range(1, MANY + 1))
    shard.rebody(body(hosts=more, services=services), "v2", stage.now)
    entries = 0
    while shard.rebodying:
        assert (scheduler.seats[1].held.version, scheduler.tick_s == MAKING_TICK_S or not entries) == ("v1", True)
        assert len(shard.state.items) == 2 * MANY
        stage.run(0.05)
        entries += 1

    assert entries >= MANY / 2 and scheduler.seats[1].held.version == "v2"
    assert shard.state.items.keys() == {h.name for h in more} | {f"{h.name};http" for h in more}
    kept = [key for key in shard.state.items if key in before]
    assert len(kept) == 2 * (MANY - 1)
    assert all(id(shard.state.items[key].status) == before[key][0] for key in kept)
    assert all(shard.state.items[key].slot or shard.state.items[key].ready or shard.state.items[key].lent_to for key in shard.state.items)
