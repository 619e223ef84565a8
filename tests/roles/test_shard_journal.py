"""When a delta is durable, and what a slow or broken store costs: nothing but its own copy."""

from daemons.model.clock import Mono, Now, Wall
from daemons.roles.shard.journal import ShardJournal
from daemons.roles.shard.store_sink import MISSED_MAX, WHOLE_AGAIN_S, Store
from daemons.wire.messages import Copied, Done, Failed, Replicate, Save, Saved
from daemons.wire.stores import Probe

OWN, FAR, SLOW = Store("own", "here", local=True), Store("far", "there"), Store("slow", "third")


class Desk:
    """A journal, and everybody who answers it; who is in `silent` does not."""

    def __init__(self, *stores, standby=""):
        self.mono = 100.0
        self.all = {"shard": b"s"}
        self.held = {store.name: {} for store in stores}
        self.at = {store.name: 0 for store in stores}
        self.silent, self.failing = set(), set()
        self.waiting, self.sent = [], []
        self.journal = ShardJournal(1, 7, self, self.now, stores=stores)
        if standby:
            self.journal.follow(standby, "there")
        self.touch("shard", b"s")
        self.pass_s(3.0)

    @property
    def now(self):
        return Now(Mono(self.mono), Wall(self.mono))

    def gather(self, into):
        into.update(self.all)
        return iter(())

    def touch(self, key, value):
        self.all[key] = value
        self.journal.touch(key, value)
        self.journal.hurry(self.now)

    def pass_s(self, seconds):
        end = self.mono + seconds
        while self.mono < end:
            self.mono += 0.05
            self.give(self.journal.tick(self.now))

    def give(self, calls):
        for call in calls:
            self.sent.append(call)
            if self.who(call) in self.silent:
                self.waiting.append(call)
            else:
                self.give(self.journal.answered(call, self.answer(call), self.now)[0])

    def release(self, who):
        self.silent.discard(who)
        calls = [call for call in self.waiting if self.who(call) == who]
        self.waiting = [call for call in self.waiting if self.who(call) != who]
        for call in calls:
            self.give(self.journal.answered(call, self.answer(call), self.now)[0])

    def who(self, call):
        return call.to if isinstance(call.message, Replicate) else call.message.store

    def answer(self, call):
        message, who = call.message, self.who(call)
        if who in self.failing:
            return Failed("it is broken")
        if isinstance(message, Replicate):
            return Copied(1, 7, message.n)
        if isinstance(message, Probe):
            return Done()
        held = self.held[who] = {} if message.whole else self.held[who]
        held.update(message.changed)
        for key in message.removed:
            held.pop(key, None)
        self.at[who] = message.n
        return Saved(1, 7, message.n)

    def saves(self, who, since=0):
        found = [c.message for c in self.sent[since:] if isinstance(c.message, Save)]
        return [save for save in found if save.store == who]

    @property
    def durable(self):
        return self.journal.is_durable(self.journal.formed_n)


def test_a_hanging_store_holds_nobody_up_once_standby_and_own_store_have_the_delta():
    desk = Desk(OWN, SLOW, standby="two")
    desk.silent.add("slow")
    desk.touch("o/a", b"1")
    desk.pass_s(0.1)
    assert desk.journal.formed_n == desk.journal.durable_n and desk.held["own"]["o/a"] == b"1"
    for value in range(20):  # and so it goes on: one save is under way, and no delta waits for it
        desk.touch("o/a", b"%d" % value)
        desk.pass_s(0.1)
        assert desk.durable
    assert len(desk.saves("slow")) == 2


def test_own_store_and_another_server_are_two_without_a_standby():
    desk = Desk(OWN, FAR, SLOW)
    desk.silent.add("slow")
    desk.touch("o/a", b"1")
    desk.pass_s(0.1)
    assert desk.durable and desk.journal.durability == "two servers"


def test_two_stores_of_one_server_are_not_two_servers():
    desk = Desk(OWN, Store("cache", "here"), FAR)
    desk.silent.add("far")
    desk.touch("o/a", b"1")
    desk.pass_s(0.5)
    assert not desk.durable
    desk.release("far")
    assert desk.durable


def test_a_standby_that_follows_is_waited_for_whatever_the_stores_have():
    """It is what takes over; a shared store may have forgotten by then."""
    desk = Desk(OWN, FAR, standby="two")
    desk.silent.add("two")
    desk.touch("o/a", b"1")
    desk.pass_s(0.5)
    assert not desk.durable
    desk.release("two")
    assert desk.durable


def test_with_nobody_else_every_store_that_answers_is_waited_for_but_not_for_ever():
    desk = Desk(OWN)
    desk.silent.add("own")
    desk.touch("o/a", b"1")
    desk.pass_s(1.5)
    assert not desk.durable
    desk.pass_s(1.0)
    assert desk.durable and desk.journal.durability == "none"
    desk.release("own")
    desk.pass_s(3.0)
    assert desk.journal.durability == "one server" and desk.held["own"] == desk.all


def test_a_slow_store_catches_up_in_one_save_with_exactly_what_the_deltas_held():
    desk = Desk(OWN, SLOW, standby="two")
    desk.silent.add("slow")
    for value in range(5):
        desk.touch("o/a", b"%d" % value)
        desk.touch(f"o/{value}", b"x")
        desk.pass_s(0.1)
    desk.journal.remove("o/3")
    desk.journal.hurry(desk.now)
    desk.pass_s(0.1)
    desk.journal.touch("o/later", b"pending")  # in no delta yet: not for any store
    mark = len(desk.sent)
    desk.release("slow")
    (save,) = desk.saves("slow", mark)
    assert not save.whole and save.removed == ("o/3",) and save.n == desk.journal.formed_n
    assert desk.held["slow"] == desk.held["own"]


def test_a_store_that_was_away_is_given_what_it_missed_and_not_everything():
    desk = Desk(OWN, FAR)
    desk.failing.add("far")
    for value in range(30):
        desk.touch("o/a", b"%d" % value)
        desk.pass_s(1.0)
    assert desk.durable and desk.journal.durability == "one server"
    tries = len(desk.saves("far"))
    assert tries < 20
    desk.failing.clear()
    desk.pass_s(3.0)
    assert [save.whole for save in desk.saves("far")].count(True) == 1  # the first of the epoch
    assert desk.held["far"] == desk.held["own"] and desk.journal.durability == "two servers"


def test_nobody_gathers_everything_for_a_store_that_does_not_even_answer():
    desk = Desk(OWN, FAR)
    gathered = []
    gather, desk.gather = desk.gather, lambda into: gathered.append(1) or gather(into)
    again = Desk.__new__(Desk)
    again.__dict__ = {**desk.__dict__, "failing": {"far"}}
    again.journal = ShardJournal(1, 8, again, again.now, stores=(OWN, FAR))
    again.gather = desk.gather
    again.touch("shard", b"s")
    again.pass_s(30.0)
    assert len(gathered) == 1
    assert [c for c in again.sent if isinstance(c.message, Probe)]
    again.failing.clear()
    again.pass_s(3.0)
    assert len(gathered) == 2 and again.held["far"] == again.held["own"]


def test_a_store_that_came_back_empty_gets_everything_once():
    desk = Desk(OWN, FAR)
    desk.pass_s(WHOLE_AGAIN_S)
    answer = desk.answer
    desk.answer = lambda call: Saved(1, 7, call.message.n, failed=("it knows a part only",))
    desk.touch("o/a", b"1")
    desk.pass_s(0.1)
    desk.answer = answer
    assert desk.durable
    desk.pass_s(2.0)
    assert [save.whole for save in desk.saves("far")][-1] and desk.held["far"] == desk.all


def test_a_store_that_came_back_empty_is_no_second_server_until_it_has_everything():
    cache = Store("cache", "fourth")
    desk = Desk(OWN, cache, standby="two")
    answer = desk.answer

    def forgetful(call):
        said = answer(call)
        part = isinstance(said, Saved) and desk.who(call) == "cache" and not call.message.whole
        return Saved(1, 7, call.message.n, failed=("it knows a part only",)) if part else said

    desk.answer = forgetful
    desk.silent.add("own")
    desk.touch("o/a", b"1")
    desk.pass_s(0.3)  # the standby has it, and a cache whose part no new owner would take up
    assert not desk.durable
    desk.release("own")
    assert desk.durable
    desk.pass_s(7.0)
    assert desk.saves("cache")[-1].whole and desk.journal.durability == "two servers"


def test_a_store_that_lacks_too_much_gets_everything_and_holds_no_memory(monkeypatch):
    assert MISSED_MAX < 100_000
    desk = Desk(OWN, FAR)
    desk.failing.add("far")
    for number in range(1100):
        desk.touch(f"o/{number}", b"x")
    desk.pass_s(1.0)
    (sink,) = (sink for sink in desk.journal.stores if sink.name == "far")
    assert sink.dirty == -1 and not sink._missed
    desk.failing.clear()
    desk.pass_s(9.0)
    assert desk.held["far"] == desk.all
