"""An object that moves between shards is run by one scheduler at a time, and keeps its state."""

import msgspec

from daemons.model.check import Result
from daemons.model.objects import Host, Service
from daemons.model.status import Ack
from daemons.roles.role import Wait
from daemons.roles.shard import moving, owned
from daemons.wire.messages import (
    Batch,
    Beat,
    Failed,
    Fetch,
    Lease,
    Leases,
    Lent,
    Load,
    Page,
    Placed,
    Roster,
    Save,
    Submit,
    Submitted,
)
from daemons.wire.moves import DropMoved, Moved, TakeMoved
from daemons.wire.stores import Probe
from tests.roles.stage import Stage, Store, body


def part(shard, *names):
    """The body of one shard with these hosts, a service each."""
    return body(
        id=shard,
        hosts=tuple(Host(name, "10.0.0.1", name, 0) for name in names),
        services=tuple(Service(name, "http", 0) for name in names),
    )


class Shards(Stage):
    """Two shards: "one" runs shard 1, "two" shard 2; web2 is the host that moves."""

    def __init__(self, **more):
        super().__init__()
        self.stores = {1: Store(), 2: Store()}
        self.bodies = {1: part(1, "web1", "web2"), 2: part(2, "web3")}
        self.versions = {1: "a1", 2: "b1"}
        self.owners = {1: "one", 2: "two"}
        self.standbys = {1: "", 2: ""}
        self.granted = {}
        self.config_n = 1
        self.lose_answers = ()
        self.deaf = set()  # schedulers that hear no roster
        for name in ("one", "two"):
            self.add(name, **more)
        self.tell()
        self.run(4.0)
        assert self.keys(1) and self.keys(2)

    def tell(self):
        self.roster_n += 1
        placed = tuple(
            Placed(n, "All", self.versions[n], self.owners[n], self.standbys[n], ("poll",), ("react",), ("brok",))
            for n in self.owners
        )
        roster = Roster(5, self.roster_n, "leader", (), placed, config_n=self.config_n)
        for name, scheduler in self.schedulers.items():
            if name not in self.deaf:
                scheduler.handle(roster, self.now)

    def reload(self, one, two):
        self.config_n += 1
        self.bodies = {1: part(1, *one), 2: part(2, *two)}
        self.versions = {1: f"a{self.config_n}", 2: f"b{self.config_n}"}
        self.tell()

    def answer(self, scheduler, call):
        message = call.message
        if isinstance(message, (Load, Save, Probe)):
            return self.stores[message.shard].apply(message)
        if isinstance(message, Fetch):
            data = msgspec.msgpack.encode(self.bodies[message.shard])
            if message.version != self.versions[message.shard]:
                return super().answer(scheduler, call)
            return Page(message.shard, message.version, 0, 1, data)
        answer = super().answer(scheduler, call)
        if isinstance(message, self.lose_answers):
            return moving_failed
        return answer

    def _beat(self, beat: Beat):
        leases = []
        wanted = {want.lease for want in beat.wants}
        for lease, (name, _) in list(self.granted.items()):
            if name == beat.name and lease not in wanted:
                del self.granted[lease]
        for lease in sorted(wanted):
            if lease not in self.granted:
                self.epoch += 1
                self.granted[lease] = (beat.name, self.epoch)
            name, epoch = self.granted[lease]
            if name == beat.name:
                leases.append(Lease(lease, epoch, self.mono + 1.5))
        return Leases(tuple(leases))

    def kill(self, name):
        del self.schedulers[name]
        self.granted = {lease: held for lease, held in self.granted.items() if held[0] != name}

    def owned(self, shard):
        found = [s.seats[shard].owned for s in self.schedulers.values() if shard in s.seats]
        return next((owned for owned in found if owned is not None), None)

    def keys(self, shard):
        owned = self.owned(shard)
        return set(owned.state.items) if owned is not None else set()

    def item(self, shard, key="web2"):
        return self.owned(shard).state.items.get(key)

    def runners(self, key="web2"):
        """The shards that have the object at work."""
        return [shard for shard in self.owners if key in self.keys(shard)]

    def acknowledge(self, shard):
        """Something that only the former owner knows."""
        item = self.item(shard)
        item.status.ack = Ack(author="ann", comment="mine")
        item.status.attempt, item.status.notification_number = 2, 3
        self.owned(shard).state.changed(item)
        self.run(1.5)

    def check(self, shard):
        """A check of the object comes, and its result counts."""
        order = self.borrow(self.owners[shard], key="web2;http")
        result = Result(shard, order.epoch, order.object, order.seq, 2, self.now.wall, 0.01, "broken")
        self.owned(shard).take_results(Batch(1, shard, 1, msgspec.msgpack.encode([result])), self.now)
        assert self.item(shard, "web2;http").status.output == "broken"

    def until(self, what, within_s=5.0):
        for _ in range(round(within_s / 0.05)):
            if what():
                return
            assert len(self.runners()) <= 1
            self.run(0.05)
        raise AssertionError("it did not come to that")


moving_failed = Failed("lost")


def move(stage):
    stage.reload(("web1",), ("web2", "web3"))


def with_spare_of(shard):
    """Return a stage on which `shard` has a standby called "spare", and web2 is acknowledged."""
    stage = Shards()
    stage.add("spare")
    stage.standbys[shard] = "spare"
    stage.tell()
    stage.run(4.0)
    stage.acknowledge(1)
    return stage


def calls(stage, kind):
    return [call.message for call in stage.sent if isinstance(call.message, kind)]


def test_a_moved_object_keeps_its_state_and_is_scheduled():
    stage = Shards()
    stage.acknowledge(1)
    lineage = stage.item(1).status.lineage
    move(stage)
    stage.until(lambda: stage.runners() == [2])
    item = stage.item(2)
    assert (item.status.ack, item.status.attempt) == (Ack(author="ann", comment="mine"), 2)
    assert (item.status.notification_number, item.status.lineage) == (3, lineage)
    assert item.slot or item.ready or item.lent_to
    stage.check(2)


def test_a_first_start_asks_nobody():
    assert calls(Shards(), TakeMoved) == []


def test_while_the_old_owner_has_not_let_go_the_new_one_runs_and_lends_nothing():
    stage = Shards()
    stage.deaf = {"one"}
    move(stage)
    for _ in range(100):
        stage.run(0.05)
        assert stage.runners() == [1] and stage.keys(2) == {"web3", "web3;http"}
        lent = stage.exchange(to="two")
        assert not isinstance(lent, Lent) or all("web2" not in order.object for order in stage.orders(lent))
    assert stage.schedulers["two"].report(stage.now).figures["objects_held"] == 2
    stage.deaf = set()
    stage.tell()
    stage.until(lambda: stage.runners() == [2])


def test_without_the_hold_both_run_it():
    stage = Shards(without=frozenset({"moving"}))
    stage.deaf = {"one"}
    move(stage)
    stage.run(2.0)
    assert stage.runners() == [1, 2]


def test_the_old_owner_gives_nothing_before_its_letting_go_is_durable():
    stage = Shards()
    stage.run(2.0)
    one = stage.schedulers["one"]
    stage.hold = (Save,)
    move(stage)
    stage.run(0.5)
    asked = TakeMoved(2, 1, 2, ("web2",))
    answer = one.handle(asked, stage.now)
    assert isinstance(answer, Moved) and not answer.settled and not answer.records
    assert stage.runners() == []
    stage.release()
    stage.until(lambda: stage.runners() == [2])


def test_lost_answers_are_asked_for_again_and_lost_confirmations_too():
    stage = Shards()
    stage.acknowledge(1)
    stage.lose_answers = (TakeMoved,)
    move(stage)
    stage.run(3.0)
    assert stage.runners() == []
    stage.lose_answers = (DropMoved,)
    stage.until(lambda: stage.runners() == [2])
    assert stage.item(2).status.ack is not None
    stage.run(3.0)
    stage.lose_answers = ()
    told = len(calls(stage, DropMoved))
    stage.run(12.0)
    assert told < len(calls(stage, DropMoved)) < told + 3
    assert not [key for key in stage.owned(1).state.extra if key.startswith("m/")]


def test_the_spare_of_an_old_owner_that_died_after_letting_go_has_the_state():
    stage = with_spare_of(1)
    stage.lose_answers = (TakeMoved,)
    move(stage)
    stage.run(3.0)
    assert "m/web2" in stage.stores[1].records and "o/web2" not in stage.stores[1].records
    stage.kill("one")
    stage.owners[1], stage.standbys[1] = "spare", ""
    stage.tell()
    stage.lose_answers = ()
    stage.until(lambda: stage.runners() == [2], 10.0)
    assert stage.item(2).status.ack is not None


def test_the_spare_of_an_old_owner_that_died_before_letting_go_lets_go_itself():
    stage = with_spare_of(1)
    stage.deaf = {"one"}
    move(stage)
    stage.run(1.0)
    stage.kill("one")
    stage.owners[1], stage.standbys[1] = "spare", ""
    stage.tell()
    stage.until(lambda: stage.runners() == [2], 10.0)
    assert stage.item(2).status.ack is not None


def test_the_spare_of_a_new_owner_that_died_while_it_held_asks_itself():
    stage = with_spare_of(2)
    stage.lose_answers = (TakeMoved,)
    move(stage)
    stage.run(3.0)
    stage.kill("two")
    stage.owners[2], stage.standbys[2] = "spare", ""
    stage.tell()
    stage.run(3.0)
    assert stage.keys(2) == {"web3", "web3;http"}
    stage.lose_answers = ()
    stage.until(lambda: stage.runners() == [2], 10.0)
    assert stage.item(2).status.ack is not None


def test_a_take_over_without_a_new_configuration_asks_nobody():
    stage = Shards()
    stage.add("spare")
    stage.standbys[2] = "spare"
    stage.config_n = 7
    stage.tell()
    stage.run(4.0)
    stage.kill("two")
    stage.owners[2], stage.standbys[2] = "spare", ""
    stage.tell()
    stage.until(lambda: stage.keys(2))
    assert calls(stage, TakeMoved) == []


def test_objects_of_an_owner_that_cannot_be_reached_begin_after_a_minute_and_that_is_said():
    stage = Shards()
    stage.mute = {"one"}
    move(stage)
    stage.run(55.0)
    assert "web2" not in stage.keys(2)
    stage.run(10.0)
    assert stage.item(2).status.checked is False
    problems = stage.schedulers["two"].report(stage.now).problems
    assert any("2 objects began without an answer of shard 1" in problem for problem in problems)


def test_what_an_owner_says_it_still_runs_is_waited_for():
    stage = Shards()
    stage.deaf = {"one"}
    stage.reload(("web1",), ("web2", "web3", "new"))
    stage.run(70.0)
    assert stage.runners() == [1] and "new" in stage.keys(2)


def test_what_was_deleted_is_kept_for_an_hour_and_comes_back_as_it_was_meanwhile(monkeypatch):
    stage = Shards()
    stage.acknowledge(1)
    stage.reload(("web1",), ("web3",))
    stage.run(3.0)
    assert "m/web2" in stage.stores[1].records
    stage.reload(("web1", "web2"), ("web3",))
    stage.until(lambda: stage.runners() == [1])
    assert stage.item(1).status.ack is not None
    stage.run(1.5)
    assert "m/web2" not in stage.stores[1].records

    stage.reload(("web1",), ("web3",))
    stage.run(3.0)
    assert moving.KEPT_S == 3600
    monkeypatch.setattr(owned, "KEPT_S", 120.0)
    stage.run(110.0)
    assert "m/web2" in stage.owned(1).state.extra
    stage.run(75.0)
    assert "m/web2" not in stage.owned(1).state.extra


def test_an_object_that_moves_there_and_back_has_its_newest_state():
    stage = Shards()
    stage.acknowledge(1)
    stage.lose_answers = (DropMoved,)  # shard 1 keeps its old record
    move(stage)
    stage.until(lambda: stage.runners() == [2])
    stage.check(2)
    stage.item(2).status.notification_number = 9
    stage.reload(("web1", "web2"), ("web3",))
    stage.until(lambda: stage.runners() == [1])
    assert stage.item(1).status.notification_number == 9
    stage.item(1, "web2;http").status.output = ""
    stage.check(1)  # under a lower epoch than that of its last result


def test_a_command_for_an_object_under_way_is_neither_obeyed_nor_refused_before_it_has_come():
    stage = Shards()
    stage.lose_answers = (TakeMoved,)
    move(stage)
    stage.run(3.0)
    line = f"[{stage.now.wall:.0f}] ACKNOWLEDGE_SVC_PROBLEM;web2;http;1;1;0;ann;seen"
    item = Submitted("id-1", line, stage.now.wall)
    for name in ("one", "two"):
        assert isinstance(stage.schedulers[name].handle(Submit("recv", (item,)), stage.now), Wait)
    stage.lose_answers = ()
    stage.until(lambda: stage.runners() == [2])
    stage.schedulers["two"].handle(Submit("recv", (item,)), stage.now)
    outcome = stage.owned(2).commands.outcome("id-1")
    assert not outcome.foreign


def test_many_objects_are_asked_for_page_by_page(monkeypatch):
    monkeypatch.setattr(moving, "PAGE", 3)
    stage = Shards()
    names = tuple(f"w{n}" for n in range(8))
    stage.reload(("web1", "web2", *names), ("web3",))
    stage.until(lambda: "w7" in stage.keys(1))
    stage.item(1, "w7;http").status.output = "was here"
    stage.reload(("web1",), ("web2", "web3", *names))
    stage.until(lambda: "w7" in stage.keys(2))
    assert max(len(asked.keys) for asked in calls(stage, TakeMoved)) == 3
    assert stage.item(2, "w7;http").status.output == "was here"


def test_the_first_shard_of_a_scheduler_that_joins_takes_its_objects_over():
    stage = Shards()
    stage.acknowledge(1)
    stage.add("three")
    stage.owners[3], stage.standbys[3], stage.stores[3] = "three", "", Store()
    stage.config_n += 1
    stage.bodies = {1: part(1, "web1"), 2: part(2, "web3"), 3: part(3, "web2")}
    stage.versions = {1: "a2", 2: "b2", 3: "c2"}
    stage.deaf = {"one"}
    stage.tell()
    stage.run(5.0)
    assert stage.runners() == [1] and stage.owned(3) is not None
    stage.deaf = set()
    stage.tell()
    stage.until(lambda: stage.runners() == [3])
    assert stage.item(3).status.ack is not None


def order(stage, shard, line, id):
    message = Submit("recv", (Submitted(id, line, stage.now.wall),))
    stage.schedulers[stage.owners[shard]].handle(message, stage.now)
    stage.run(0.5)


def test_a_new_shard_begins_with_what_operators_set_for_all():
    stage = Shards()
    for shard in (1, 2):
        order(stage, shard, "DISABLE_NOTIFICATIONS", "g1")
        order(stage, shard, "DISABLE_CONTACT_SVC_NOTIFICATIONS;ann", "g2")
    stage.run(2.0)
    stage.add("three")
    stage.owners[3], stage.standbys[3], stage.stores[3] = "three", "", Store()
    stage.config_n += 1
    stage.bodies = {1: part(1, "web1"), 2: part(2, "web3"), 3: part(3, "web2")}
    stage.versions = {1: "a2", 2: "b2", 3: "c2"}
    stage.tell()
    stage.run(0.4)
    stage.until(lambda: stage.runners() == [3])
    state = stage.owned(3).state
    assert not state.globals.enable_notifications
    assert state.contact_status["ann"].modified == {"service_notifications_enabled": "0"}
    stage.run(2.0)
    assert {"shard", "c/ann"} <= stage.stores[3].records.keys()


def told_by(stage, shard):
    """The log lines of a shard."""
    lines = msgspec.msgpack.Decoder(list[tuple[float, str]]).decode
    records = sorted(stage.stores[shard].records.items())
    return [text for key, value in records if key.startswith("l/") for _, text in lines(value)]


def test_what_all_shards_obey_is_logged_by_one_of_them():
    stage = Shards()
    now = int(stage.now.wall)
    for shard in (2, 1):
        order(stage, shard, "DISABLE_NOTIFICATIONS", "g1")
        order(stage, shard, f"SCHEDULE_CONTACT_DOWNTIME;ann;{now};{now + 5};joe;off", "g2")
    stage.run(8.0)
    said = {shard: [text for text in told_by(stage, shard) if "CONTACT" in text or "EXTERNAL" in text] for shard in (1, 2)}
    assert said[2] == []
    assert [text.partition(":")[0] for text in said[1]] == [
        "EXTERNAL COMMAND", "EXTERNAL COMMAND", "CONTACT DOWNTIME ALERT", "CONTACT DOWNTIME ALERT",
    ]  # fmt: skip


def test_an_old_shard_keeps_its_own_settings_when_objects_come():
    stage = Shards()
    order(stage, 1, "DISABLE_NOTIFICATIONS", "g1")
    stage.run(2.0)
    move(stage)
    stage.until(lambda: stage.runners() == [2])
    assert stage.owned(2).state.globals.enable_notifications


def test_the_objects_of_a_shard_that_is_gone_go_on_elsewhere_once_it_has_ended():
    stage = Shards()
    stage.acknowledge(1)
    stage.config_n += 1
    del stage.owners[1]
    stage.bodies[2], stage.versions[2] = part(2, "web1", "web2", "web3"), "b2"
    stage.deaf = {"one"}
    stage.tell()
    stage.run(4.0)
    assert "web2" in stage.keys(1) and stage.runners() == []
    stage.deaf = set()
    for _ in range(100):
        stage.tell()
        stage.run(0.5)
        assert not ("web2" in stage.keys(1) and "web2" in stage.keys(2))
        if stage.runners() == [2]:
            break
    assert stage.item(2).status.ack is not None


def test_two_shards_of_one_scheduler_exchange_objects_too():
    stage = Shards()
    stage.kill("two")
    stage.owners[2] = "one"
    stage.tell()
    stage.run(4.0)
    stage.acknowledge(1)
    move(stage)
    stage.until(lambda: stage.runners() == [2])
    assert stage.item(2).status.ack is not None
    stage.run(6.0)
    assert "m/web2" not in stage.owned(1).state.extra
