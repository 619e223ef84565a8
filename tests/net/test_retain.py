"""The stores behind one scheduler: one is asked at a time, and of several the newest complete one wins."""

from pathlib import Path

import pytest

from daemons.model.cluster import Cluster, DaemonDef, ModuleDef, ServerDef
from daemons.net.retain import Retainer, open_retention
from daemons.roles.shard.load import joined
from daemons.wire.messages import Done, Failed, Fenced, Load, Restored, Save, Saved
from daemons.wire.stores import Probe, StoresAsk
from retention.api import Unavailable
from retention.memory import MemoryRetention

RECORDS = {"o/a": b"1", "o/b": b"1"}


class Fickle(MemoryRetention):
    """A store that may be away."""

    away = False

    def save(self, *args, **more):
        if self.away:
            raise Unavailable("away")
        return super().save(*args, **more)

    def look(self, shard):
        if self.away:
            raise Unavailable("away")
        return super().look(shard)


def two() -> tuple[Retainer, Fickle, Fickle]:
    one, other = Fickle(), Fickle()
    return Retainer("test", {"one": one, "other": other}, frozenset({"one"})), one, other


def save(retainer: Retainer, n: int, changed: dict[str, bytes], store="one", **more):
    return retainer.apply(Save(1, 7, n, changed, store=store, **more))


def load(retainer: Retainer, *stores: str) -> Restored:
    found = []
    for name in stores:
        answer = retainer.apply(Load(1, name))
        assert isinstance(answer, Restored)
        if answer.found:
            found.append((name, answer))
    return joined(1, found, [], len(stores))


def test_a_save_goes_to_the_store_that_it_names_and_to_no_other():
    retainer, one, other = two()
    other.away = True
    assert save(retainer, 1, RECORDS, whole=True) == Saved(1, 7, 1)
    assert isinstance(save(retainer, 1, RECORDS, "other", whole=True), Failed)
    assert isinstance(save(retainer, 1, RECORDS, "third"), Failed)
    assert one.load("test/1").records == RECORDS and other.load("test/1") is None


def test_a_store_that_came_back_empty_does_not_hide_what_another_has():
    retainer, _, other = two()
    for name in ("one", "other"):
        save(retainer, 1, RECORDS, name, whole=True)
    other._kept.clear()
    save(retainer, 2, {"o/a": b"2"})
    assert save(retainer, 2, {"o/a": b"2"}, "other").failed

    found = load(retainer, "one", "other")

    assert found.records == {"o/a": b"2", "o/b": b"1"}
    assert (found.epoch, found.n, found.missing) == (7, 2, 0)


def test_deltas_of_a_store_that_came_back_empty_are_not_mixed_with_older_records():
    retainer, one, other = two()
    one.save("test/1", 7, 1, RECORDS, (), True)
    other.save("test/1", 7, 2, {"o/a": b"2"}, ())

    found = load(retainer, "one", "other")

    assert (found.records, found.n, found.missing) == (RECORDS, 1, 0)


def test_what_only_an_empty_store_knows_is_said_to_be_incomplete():
    retainer, _, other = two()
    other.save("test/1", 7, 2, {"o/a": b"2"}, ())

    found = load(retainer, "other")

    assert found.records == {"o/a": b"2"} and found.missing
    assert (found.epoch, found.n) == (0, 0)  # any complete copy is better


def test_holes_of_the_newest_are_filled_from_an_older_complete_one_and_named():
    older = Restored(1, True, dict(RECORDS), 7, 3)
    newest = Restored(1, True, {"o/a": b"2"}, 7, 4, missing=1, notes=("page 3 is corrupt",))

    found = joined(1, [("redis", newest), ("sqlite", older)], [], 2)

    assert found.records == {"o/a": b"2", "o/b": b"1"}
    assert (found.n, found.missing, found.notes) == (4, 1, ("redis: page 3 is corrupt",))


def test_only_what_is_newer_than_asked_for_is_read():
    retainer, one, _ = two()
    one.save("test/1", 7, 5, RECORDS, (), True)
    assert not retainer.apply(Load(1, "one", 7, 5)).found
    assert not retainer.apply(Load(1, "one", 8, 0)).found
    assert retainer.apply(Load(1, "one", 7, 4)).records == RECORDS


def test_an_older_epoch_is_fenced():
    retainer, one, _ = two()
    one.save("test/1", 9, 1, RECORDS, (), True)
    assert save(retainer, 1, {}) == Fenced("shard/1", 9)


def test_a_standbys_copy_goes_into_local_stores_only():
    retainer, one, other = two()
    assert isinstance(save(retainer, 1, RECORDS, "", whole=True, local=True), Saved)
    assert one.load("test/1").records == RECORDS and other.load("test/1") is None
    one.away = True
    assert isinstance(save(retainer, 2, RECORDS, "", local=True), Failed)


def test_a_probe_tells_whether_a_store_answers():
    retainer, one, _ = two()
    assert retainer.apply(Probe(1, 7, "one")) == Done()
    one.away = True
    assert isinstance(retainer.apply(Probe(1, 7, "one")), Failed)


def test_the_figures_of_every_store_are_told():
    retainer, _, _ = two()
    save(retainer, 1, RECORDS, whole=True)
    stores = {store.name: store for store in retainer.apply(StoresAsk()).stores}
    assert (stores["one"].saved, stores["one"].saves, stores["one"].ok) == (2, 1, True)
    assert stores["one"].age_s >= 0 and stores["other"].age_s == -1


def opened(tmp_path: Path, *modules: str, **settings: str):
    define = DaemonDef(
        name="s1", role="scheduler", address="10.0.0.1", port=7768, modules=modules
    )
    memcached = {
        name: ModuleDef(name, "memcached-retention", {"server": server})
        for name, server in [
            ("far", "10.0.0.9"), ("near", "10.0.0.1"), ("loop", "127.0.0.1:11311"), ("named", "server2"),
        ]
    }  # fmt: skip
    more = ModuleDef("watched", "redis-retention", {"sentinel": "a:1,b:2", "master_name": "m"})
    cluster = Cluster(
        name="c", daemons=(define,), modules=(*memcached.values(), more), settings=settings,
        servers=(ServerDef("server1", "10.0.0.1", 0), ServerDef("server2", "10.0.0.2", 1)),
    )  # fmt: skip
    retainer, told = open_retention(cluster, define, tmp_path)
    retainer.close()
    return {store.name: (store.place, store.local) for store in told}


@pytest.mark.parametrize(
    ("modules", "settings", "wanted"),
    [
        ((), {}, {"sqlite": ("10.0.0.1", True)}),
        (("far",), {}, {"far": ("10.0.0.9", False), "sqlite": ("10.0.0.1", True)}),
        (("far",), {"local_store": "0"}, {"far": ("10.0.0.9", False)}),
        (("sqlite-retention",), {}, {"sqlite-retention": ("10.0.0.1", True)}),
        (("no-retention",), {}, {}),
        (("memory",), {}, {"memory": ("", True)}),
        (("near", "loop", "named", "watched"), {"local_store": "0"}, {
            "near": ("10.0.0.1", False), "loop": ("10.0.0.1", False),
            "named": ("10.0.0.2", False), "watched": ("redis m", False),
        }),
    ],
)  # fmt: skip
def test_a_scheduler_always_has_a_store_of_its_own_and_knows_where_the_others_are(
    tmp_path, modules, settings, wanted
):
    assert opened(tmp_path, *modules, **settings) == wanted


def test_two_clusters_in_one_store_do_not_mix():
    shared = MemoryRetention()
    ours, theirs = (Retainer(name, {"one": shared}, frozenset()) for name in ("ours", "theirs"))
    save(ours, 1, {"o/web1": b"ours"}, whole=True)
    save(theirs, 1, {"o/web1": b"theirs"}, whole=True)
    assert load(ours, "one").records == {"o/web1": b"ours"}
    assert load(theirs, "one").records == {"o/web1": b"theirs"}
