"""What every store must do, asked of each: the fake is held to the same contract as the real."""

import itertools
import random
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retention.api import POSITION_MAX, RECORD_BYTES_MAX, Loaded, Saved, Stale
from retention.memcached import MemcachedRetention
from retention.memory import MemoryRetention
from retention.redis import Place, RedisRetention
from retention.sqlite import SqliteRetention
from tests.retention.redis_server import MASTER

SERIAL = itertools.count()


@pytest.fixture(params=["memory", "sqlite", "memcached", "redis", "sentinel"])
def reopen(request, tmp_path):
    """Opens the store anew, as another process would: what the last one knew, it does not."""
    opened = []
    if request.param == "memory":
        kept = {}
        make = lambda: MemoryRetention(kept)  # noqa: E731
    elif request.param == "sqlite":
        path = str(tmp_path / "retention.db")
        make = lambda: SqliteRetention(path)  # noqa: E731
    elif request.param == "redis":
        place = Place(address=request.getfixturevalue("shared_redis").address)
        make = lambda: RedisRetention(place)  # noqa: E731
    elif request.param == "sentinel":
        place = Place(
            sentinels=tuple(request.getfixturevalue("shared_watched").sentinels), master=MASTER
        )
        make = lambda: RedisRetention(place)  # noqa: E731
    else:
        address = request.getfixturevalue("shared_memcached").address
        make = lambda: MemcachedRetention(address)  # noqa: E731

    def reopen():
        opened.append(make())
        return opened[-1]

    yield reopen
    for store in opened:
        store.close()


@pytest.fixture
def shard():
    """A shard that no test before has saved."""
    return f"test/{next(SERIAL)}"


def many(count, value=b"UP"):
    return {f"service/host{i // 10}/svc{i % 10}": value for i in range(count)}


def test_nothing_saved_is_none(reopen, shard):
    assert reopen().load(shard) is None


def test_a_whole_save_comes_back_in_another_process(reopen, shard):
    assert reopen().save(shard, 1, 5, {"host/web1": b"UP"}, (), whole=True) == Saved(1, 5)

    loaded = reopen().load(shard)
    assert loaded == Loaded({"host/web1": b"UP"}, 1, 5)
    assert loaded.complete


def test_a_look_says_what_a_load_would_find_and_when_it_was_saved(reopen, shard):
    assert reopen().look(shard) is None
    before = time.time()
    reopen().save(shard, 3, 7, many(700), (), whole=True)

    seen = reopen().look(shard)
    assert (seen.epoch, seen.n, seen.records, seen.partial, seen.damage) == (3, 7, 700, False, "")
    assert seen.saved_wall == 0.0 or before - 1 <= seen.saved_wall <= time.time() + 1


def test_an_empty_shard_is_not_the_same_as_nothing_saved(reopen, shard):
    reopen().save(shard, 1, 0, {}, (), whole=True)

    assert reopen().load(shard) == Loaded({}, 1, 0)


def test_a_delta_keeps_the_records_that_it_does_not_name(reopen, shard):
    store = reopen()
    store.save(shard, 1, 1, many(1000), (), whole=True)
    store.save(shard, 1, 2, {"service/host3/svc3": b"DOWN", "host/new": b"UP"}, ())

    wanted = many(1000) | {"service/host3/svc3": b"DOWN", "host/new": b"UP"}
    assert reopen().load(shard) == Loaded(wanted, 1, 2)


def test_removed_records_are_gone_also_when_they_never_were_there(reopen, shard):
    store = reopen()
    store.save(shard, 1, 1, many(1000), (), whole=True)
    store.save(shard, 1, 2, {}, ["service/host0/svc0", "host/never"])

    wanted = many(1000)
    del wanted["service/host0/svc0"]
    assert reopen().load(shard) == Loaded(wanted, 1, 2)


def test_a_removed_record_can_come_back(reopen, shard):
    store = reopen()
    store.save(shard, 1, 1, many(1000), (), whole=True)
    store.save(shard, 1, 2, {}, ["service/host0/svc0"])
    store.save(shard, 1, 3, {"service/host0/svc0": b"DOWN"}, ())

    assert reopen().load(shard).records["service/host0/svc0"] == b"DOWN"


def test_who_is_changed_and_removed_in_one_save_is_removed(reopen, shard):
    store = reopen()
    store.save(shard, 1, 1, {"a": b"1", "b": b"1"}, (), whole=True)
    store.save(shard, 1, 2, {"a": b"2"}, ["a"])

    assert reopen().load(shard).records == {"b": b"1"}


def test_a_whole_save_replaces_everything(reopen, shard):
    store = reopen()
    store.save(shard, 1, 1, many(1000), (), whole=True)
    store.save(shard, 1, 2, {"host/web1": b"UP"}, (), whole=True)

    assert reopen().load(shard) == Loaded({"host/web1": b"UP"}, 1, 2)


def test_an_older_epoch_is_fenced_and_told_by_whom(reopen, shard):
    old, new = reopen(), reopen()
    old.save(shard, 2, 9, {"host/web1": b"UP"}, (), whole=True)
    new.save(shard, 3, 1, {"host/web1": b"DOWN"}, (), whole=True)

    for whole in (False, True):
        with pytest.raises(Stale) as told:
            old.save(shard, 2, 10, {"host/web1": b"UP"}, (), whole=whole)
        assert told.value.highest == 3
    assert reopen().load(shard) == Loaded({"host/web1": b"DOWN"}, 3, 1)


def test_a_new_epoch_goes_on_from_what_it_loaded_though_n_begins_again(reopen, shard):
    reopen().save(shard, 1, 77, many(1000), (), whole=True)
    new = reopen()
    new.load(shard)
    new.save(shard, 2, 0, {"host/new": b"UP"}, ())

    assert reopen().load(shard) == Loaded(many(1000) | {"host/new": b"UP"}, 2, 0)


def test_a_new_epoch_that_loaded_long_ago_keeps_what_was_saved_since(reopen, shard):
    """A warm spare loads when it is assigned; its master goes on saving for days."""
    old, spare = reopen(), reopen()
    old.save(shard, 1, 1, many(1000), (), whole=True)
    spare.load(shard)
    old.save(shard, 1, 2, {"host/later": b"UP"}, ())
    spare.save(shard, 2, 0, {"host/last": b"UP"}, ())

    wanted = many(1000) | {"host/later": b"UP", "host/last": b"UP"}
    assert reopen().load(shard) == Loaded(wanted, 2, 0)


def test_a_new_epoch_that_never_loaded_keeps_what_was_saved(reopen, shard):
    reopen().save(shard, 1, 1, many(1000), (), whole=True)
    assert reopen().save(shard, 2, 0, {"host/last": b"UP"}, ()) == Saved(2, 0)

    assert reopen().load(shard) == Loaded(many(1000) | {"host/last": b"UP"}, 2, 0)


def test_a_late_repeat_of_an_earlier_save_changes_nothing(reopen, shard):
    store = reopen()
    store.save(shard, 1, 1, {"host/web1": b"UP"}, (), whole=True)
    store.save(shard, 1, 2, {"host/web1": b"DOWN"}, ())

    assert store.save(shard, 1, 1, {"host/web1": b"UP"}, (), whole=True) == Saved(1, 2)
    assert reopen().save(shard, 1, 1, {"host/web1": b"UP"}, ()) == Saved(1, 2)
    assert reopen().load(shard) == Loaded({"host/web1": b"DOWN"}, 1, 2)


def test_the_same_save_again_changes_nothing(reopen, shard):
    store = reopen()
    store.save(shard, 1, 1, many(1000), (), whole=True)
    for _ in range(3):
        assert store.save(shard, 1, 2, {"host/a": b"1"}, ["service/host0/svc0"]) == Saved(1, 2)
    assert reopen().save(shard, 1, 2, {"host/a": b"1"}, ["service/host0/svc0"]) == Saved(1, 2)

    wanted = many(1000) | {"host/a": b"1"}
    del wanted["service/host0/svc0"]
    assert reopen().load(shard) == Loaded(wanted, 1, 2)


def test_a_store_that_only_saw_deltas_says_so_until_a_whole_save(reopen, shard):
    store = reopen()
    assert store.save(shard, 1, 1, {"a": b"1"}, ()) == Saved(1, 1, partial=True)
    assert store.save(shard, 1, 2, {"b": b"1"}, ()).partial
    loaded = reopen().load(shard)
    assert loaded.records == {"a": b"1", "b": b"1"} and not loaded.complete

    assert store.save(shard, 1, 2, {"a": b"1", "b": b"1", "c": b"1"}, (), whole=True) == Saved(1, 2)
    assert reopen().load(shard).complete


def test_shards_do_not_mix(reopen, shard):
    store = reopen()
    others = [shard + "x", shard.upper(), shard.replace("/", " "), shard.replace("/", "_")]
    for n, name in enumerate([shard, *others]):
        store.save(name, n + 1, n, {"host/web1": name.encode()}, (), whole=True)

    for n, name in enumerate([shard, *others]):
        assert reopen().load(name) == Loaded({"host/web1": name.encode()}, n + 1, n)


def test_any_key_is_a_key(reopen, shard):
    keys = [
        "a b",
        "aSPACEb",
        "a\nb",
        "a\r\nset x 0 0 1",
        "é",
        "e\u0301",
        "日本",
        "\U0001f4a9",
        "\0",
        "",
    ]
    keys += ["x" * 300, "x" * 301, " ", "host/" + "y z" * 500, "END", "%s", "'; DROP TABLE record"]
    records = {key: key.encode() for key in keys}
    store = reopen()
    store.save(shard, 1, 1, records, (), whole=True)
    assert reopen().load(shard) == Loaded(records, 1, 1)

    store.save(shard, 1, 2, {}, keys[1:])
    assert reopen().load(shard).records == {"a b": b"a b"}


def test_any_value_is_a_value(reopen, shard):
    noise = bytes(range(256)) * 1200  # 300 kB
    records = {"empty": b"", "zero": b"\0", "crlf": b"\r\nEND\r\n", "large": noise}
    records |= {f"large{i}": bytes([i]) + noise[i:] for i in range(5)}
    reopen().save(shard, 1, 1, records, (), whole=True)

    assert reopen().load(shard) == Loaded(records, 1, 1)


def test_a_record_that_does_not_compress_may_be_larger_than_an_item(reopen, shard):
    noise = random.Random(7).randbytes(3_000_000)
    store = reopen()
    store.save(shard, 1, 1, {"a": b"1", "noise": noise}, (), whole=True)
    store.save(shard, 1, 2, {"noise": noise[1:]}, ())

    assert reopen().load(shard) == Loaded({"a": b"1", "noise": noise[1:]}, 1, 2)


def test_positions_go_up_to_two_to_the_63(reopen, shard):
    store = reopen()
    store.save(shard, POSITION_MAX - 1, POSITION_MAX, {"a": b"1"}, (), whole=True)
    store.save(shard, POSITION_MAX, 9, {"a": b"2"}, ())
    store.save(shard, POSITION_MAX, 10, {"a": b"3"}, ())  # 10 > 9, also where they are kept as text

    assert reopen().load(shard) == Loaded({"a": b"3"}, POSITION_MAX, 10)


@pytest.mark.parametrize(
    ("name", "epoch", "n", "records"),
    [
        ("", 1, 1, {}),
        ("é", 1, 1, {}),
        ("s", -1, 1, {}),
        ("s", 1, POSITION_MAX + 1, {}),
        ("s", 1, 1, {"a": bytes(RECORD_BYTES_MAX + 1)}),
    ],
)
def test_what_no_store_takes_is_the_callers_mistake(reopen, name, epoch, n, records):
    with pytest.raises(ValueError, match=r"shard|position|record"):
        reopen().save(name, epoch, n, records, (), whole=True)


def test_what_was_loaded_is_the_callers_to_change(reopen, shard):
    store = reopen()
    store.save(shard, 1, 1, {"a": b"1"}, (), whole=True)
    store.load(shard).records.clear()
    store.save(shard, 1, 2, {"b": b"1"}, ())

    assert store.load(shard).records == {"a": b"1", "b": b"1"}


def test_a_hundred_thousand_records_come_back(reopen, shard, record_property):
    records = {key: key.encode() * 12 for key in many(100_000)}
    store = reopen()
    begun = time.perf_counter()
    store.save(shard, 1, 1, records, (), whole=True)
    record_property("whole_save_s", time.perf_counter() - begun)
    few = dict.fromkeys(list(records)[::250], b"changed")
    begun = time.perf_counter()
    store.save(shard, 1, 2, few, ())
    record_property("delta_save_s", time.perf_counter() - begun)
    reader = reopen()
    begun = time.perf_counter()
    loaded = reader.load(shard)
    record_property("load_s", time.perf_counter() - begun)

    assert loaded == Loaded(records | few, 1, 2)


def test_hundreds_of_deltas_add_up(reopen, shard):
    """More than a turn of the pages: old deltas are dropped, pages have taken them in."""
    store = reopen()
    model = many(2000)
    store.save(shard, 1, 0, model, (), whole=True)
    keys = list(model)
    for n in range(1, 600):
        changed = {keys[(n * 37 + i) % 2000]: b"%d" % n for i in range(7)}
        changed[f"host/new{n}"] = b"new"
        removed = [f"host/new{n - 20}"]
        store.save(shard, 1, n, changed, removed)
        model.update(changed)
        model.pop(removed[0], None)

    assert reopen().load(shard) == Loaded(model, 1, 599)


def test_threads_may_share_a_store(reopen, shard):
    store = reopen()
    store.save(shard, 1, 0, {}, (), whole=True)
    errors = []

    def work(no):
        try:
            for n in range(20):
                store.save(f"{shard}/{no}", 1, n, {f"{n}": b"x"}, (), whole=n == 0)
                store.load(f"{shard}/{no}")
        except Exception as error:  # noqa: BLE001  shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(no,)) for no in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert not errors
    for no in range(4):
        assert len(reopen().load(f"{shard}/{no}").records) == 20


def test_the_health_shows_what_was_saved(reopen, shard):
    store = reopen()
    assert store.health().ok and store.health().last_saved_age_s is None
    store.save(shard, 1, 1, many(300), (), whole=True)
    store.save(shard, 1, 2, {"host/new": b"UP"}, ["service/host0/svc0", "service/host0/svc1"])

    health = store.health()
    assert (health.ok, health.saved, health.dirty, health.saves, health.failed) == (
        True,
        299,
        0,
        2,
        0,
    )
    assert 0 <= health.last_saved_age_s < 60


def test_a_closed_store_opens_again(reopen, shard):
    store = reopen()
    store.save(shard, 1, 1, {"a": b"1"}, (), whole=True)
    store.close()
    store.close()

    assert store.load(shard) == Loaded({"a": b"1"}, 1, 1)


KEYS = st.sampled_from([f"k{i}" for i in range(40)] + ["a b", "aSPACEb", "é"])
SAVES = st.tuples(
    st.dictionaries(KEYS, st.binary(max_size=20), max_size=12),  # changed
    st.lists(KEYS, max_size=6),  # removed
    st.sampled_from(["delta"] * 6 + ["whole", "new owner", "old owner", "repeat", "reopen"]),
)


@given(st.lists(SAVES, max_size=25), st.booleans())
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_sequence_of_saves_is_a_dict(reopen, saves, large):
    """`large` starts from so many records that deltas stay deltas."""
    shard = f"test/{next(SERIAL)}"
    store = reopen()
    model = many(700) if large else {}
    store.save(shard, 1, 0, model, (), whole=True)
    model, epoch, n = dict(model), 1, 0
    for changed, removed, kind in saves:
        match kind:
            case "new owner":
                store, epoch, n = reopen(), epoch + 1, -1
            case "old owner" if epoch > 1:
                with pytest.raises(Stale):
                    reopen().save(shard, epoch - 1, n + 99, changed, removed)
                continue
            case "repeat":
                assert store.save(shard, epoch, max(0, n - 1), {}, ()).n == n
                continue
            case "reopen":
                store = reopen()
        n += 1
        assert store.save(shard, epoch, n, changed, removed, whole=kind == "whole") == Saved(
            epoch, n
        )
        if kind == "whole":
            model = dict(changed)
        else:
            model |= changed
            for key in removed:
                model.pop(key, None)
    assert reopen().load(shard) == Loaded(model, epoch, n)
