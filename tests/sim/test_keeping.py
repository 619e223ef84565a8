"""The checker of what is kept must neither cry wolf nor sleep."""

import msgspec
import pytest

from daemons.model.status import Status
from daemons.wire.messages import Restored
from tests.sim.checkers import Violation
from tests.sim.history import History
from tests.sim.keeping import NOWHERE, SHARD, STORED, Place, Promised, Unkept

ENCODE = msgspec.msgpack.Encoder().encode


def has(seq: int) -> list[Place]:
    """One place that has result `seq` of h1."""
    status = Status(key="h1", lineage="a", applied_epoch=7, applied_seq=seq)
    return [Place("store", {"o/h1": ENCODE(status)}, 7)]


def test_a_result_right_after_one_that_was_kept_does_not_inherit_its_wait():
    unkept = Unkept()
    assert unkept.waited_s("h1", (7, 2), has(1), 10.0) == 0.0
    assert unkept.waited_s("h1", (7, 2), has(1), 10.5) == 0.5
    assert unkept.waited_s("h1", (7, 3), has(2), 11.0) == 0.0  # 2 was kept and 3 came between two looks
    assert unkept.waited_s("h1", (7, 3), has(2), 11.5) == 0.5


def test_a_newer_result_does_not_hide_that_none_is_kept():
    unkept = Unkept()
    for n in range(5):
        waited_s = unkept.waited_s("h1", (7, 2 + n), has(1), 10.0 + n)
    assert waited_s == 4.0


def test_a_store_that_forgot_after_it_had_a_delta_is_excused_and_one_that_never_had_it_is_not():
    history = History(1)
    world, keeping = history.world, history.checker.keeping
    world.begin()
    world.sim.run(7.5, history.checker)
    (node,) = (world.sim.nodes[name] for name in history.checker.owners)
    assert history.checker.owners[node.name].journal.durability == "two servers"
    shared, key = world.services.shared, "l/only-here"
    world.services.disk(node.name).store._kept[STORED].records[key] = b"line"
    with pytest.raises(Violation, match=f"I6 {key}"):
        keeping.left(node, key)
    shared._kept[STORED].records[key] = b"line"
    shared.forget()
    assert STORED not in shared._kept and world.sim.nodes["scheduler-9"].role.seats[SHARD].copy.epoch
    keeping.left(node, key)


def test_what_reaches_a_store_after_a_new_owner_has_read_it_is_not_left_behind_and_what_was_there_is():
    history = History(1)
    world, keeping = history.world, history.checker.keeping
    world.begin()
    world.sim.run(7.5, history.checker)
    (name,) = history.checker.owners
    node, owned = world.sim.nodes[name], history.checker.owners[name]
    shared, key = world.services.shared, "x/only-there"
    keeping.promised[key] = Promised(7.0, "somebody", owned.epoch, NOWHERE, excused=False)
    read = Restored(SHARD, False, {}, 0, 0)

    keeping.loaded(node, "shared", read)
    at = shared._kept[STORED]
    shared.save(STORED, at.epoch, at.n + 1, {key: b"late"}, ())
    keeping.inherited(node, owned)
    assert keeping.lost.pop(key)

    keeping.loaded(node, "shared", read)
    with pytest.raises(Violation, match=f"I10 {name} leaves {key}"):
        keeping.inherited(node, owned)
