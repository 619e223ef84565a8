"""The checker's clock for results that nobody keeps: it must neither cry wolf nor sleep."""

import msgspec

from daemons.model.status import Status
from tests.sim.keeping import Place, Unkept

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
