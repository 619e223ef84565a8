"""What a memcached can do to us: die, hang, forget, evict, hold what others put there."""

import itertools
import pathlib
import random
import socket
import threading
import time

import pytest

import retention
from retention.api import Loaded, Saved, Stale, Unavailable
from retention.breaker import FAILURES
from retention.connection import Connection
from retention.envelope import seal
from retention.layout import Manifest, names, prefix, read_manifest, whole_draft
from retention.memcached import MemcachedRetention
from retention.paged import HEAL_S, WARN_S
from tests.retention.memcached_server import MemcachedServer

SHARD = "shinken/3"
RANDOM = random.Random(7)
PICKLE = b"cposix\nsystem\n(S'kill -9 $PPID'\ntR."


def many(count, value=b"UP"):
    return {f"service/host{i // 10}/svc{i % 10}": value for i in range(count)}


def filled(server, clock, count=2000):
    """A store whose shard holds `count` records at (1, 1)."""
    store = MemcachedRetention(server.address, clock=clock)
    store.save(SHARD, 1, 1, many(count), (), whole=True)
    return store


def fresh(server):
    return MemcachedRetention(server.address)


def manifest(server):
    """The shard's manifest as it lies in the server."""
    name = f"{prefix(SHARD)}:manifest"
    return read_manifest(Connection(server.address).get([name])[name], SHARD)


def page_names(server, no):
    return names(SHARD, str(no), manifest(server).pages[no])


class Meddling(Connection):
    """A connection that lets something happen between the items and the manifest of a save."""

    def __init__(self, address, meanwhile):
        super().__init__(address)
        self.meanwhile = [meanwhile]

    def put(self, items):
        super().put(items)
        if self.meanwhile:
            self.meanwhile.pop()()


# ------------------------------------------------------------------ away


def test_nobody_at_the_address_is_unavailable():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        store = MemcachedRetention(nobody.getsockname())
        with pytest.raises(Unavailable, match="refused"):
            store.load(SHARD)
        with pytest.raises(Unavailable):
            store.save(SHARD, 1, 1, {"a": b"1"}, ())
    assert not store.health().ok and store.health().dirty == 1


def test_a_killed_memcached_is_unavailable_not_empty(memcached, clock):
    store = filled(memcached, clock)
    memcached.stop()

    with pytest.raises(Unavailable):
        store.load(SHARD)
    with pytest.raises(Unavailable):
        fresh(memcached).load(SHARD)


def test_a_hanging_memcached_costs_the_time_out_and_soon_nothing(memcached, clock):
    store = filled(memcached, clock)
    memcached.pause()
    begun = time.perf_counter()
    for n in range(FAILURES):
        with pytest.raises(Unavailable, match="timed out"):
            store.save(SHARD, 1, 2 + n, {"a": b"1"}, ())
    assert time.perf_counter() - begun < 4

    begun = time.perf_counter()
    for n in range(100):
        with pytest.raises(Unavailable, match="not asked"):
            store.save(SHARD, 1, 9 + n, {"a": b"1", "b": b"1"}, ())
    assert time.perf_counter() - begun < 0.4
    health = store.health()
    assert (health.ok, health.failed, health.dirty) == (False, FAILURES + 100, 2)
    assert "time" in health.why


def test_after_a_hang_nothing_is_missing(memcached, clock):
    """Saves that timed out are obeyed when the server goes on: late, and before the next one."""
    store = filled(memcached, clock)
    memcached.pause()
    for n in range(FAILURES):
        with pytest.raises(Unavailable):
            store.save(SHARD, 1, 2 + n, {"a": b"%d" % n}, ())
    memcached.resume()
    clock.now_s += 60

    assert store.save(SHARD, 1, 9, {"a": b"9"}, ()) == Saved(1, 9)
    assert fresh(memcached).load(SHARD) == Loaded(many(2000) | {"a": b"9"}, 1, 9)
    assert store.health().ok and store.health().dirty == 0


def test_the_rest_doubles_until_ten_seconds_and_ends_with_an_answer(memcached, clock):
    store = filled(memcached, clock)
    memcached.stop()

    def asked():
        with pytest.raises(Unavailable) as told:
            store.load(SHARD)
        return "not asked" not in str(told.value)

    for _ in range(FAILURES):
        assert asked()
    for rest_s in (1, 2, 4, 8, 10, 10):
        clock.now_s += rest_s - 0.1
        assert not asked()
        clock.now_s += 0.2
        assert asked()
    memcached.start()
    clock.now_s += 10
    assert store.load(SHARD) is None
    assert store.load(SHARD) is None


def test_localhost_reaches_a_memcached_that_listens_on_ipv4_only(memcached):
    store = MemcachedRetention(("localhost", memcached.address[1]))

    assert store.load(SHARD) is None


def test_a_server_that_is_no_memcached_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as web:
        answers = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"VERSION 1\r\n", b"VALUE x 0 zz\r\n\r\n"]

        def serve():
            for _ in range(2):
                connection, _ = web.accept()
                with connection:
                    while answers and connection.recv(1000):
                        connection.sendall(answers.pop(0))
                        if len(answers) == 2:
                            break

        server = threading.Thread(target=serve)
        server.start()
        for _ in range(2):
            with pytest.raises(Unavailable):
                MemcachedRetention(web.getsockname()).load(SHARD)
        server.join(10)
        assert not answers


# ------------------------------------------------------------------ forgetting


def test_a_restarted_memcached_gets_everything_with_the_next_delta(memcached, clock):
    store = filled(memcached, clock)
    memcached.restart()
    with pytest.raises(Unavailable):  # the old connection is dead
        store.save(SHARD, 1, 2, {"a": b"1"}, ())
    assert fresh(memcached).load(SHARD) is None

    assert store.save(SHARD, 1, 3, {"a": b"1"}, ()) == Saved(1, 3)
    assert fresh(memcached).load(SHARD) == Loaded(many(2000) | {"a": b"1"}, 1, 3)


def test_a_flushed_memcached_gets_everything_with_the_next_delta(memcached, clock):
    store = filled(memcached, clock)
    Connection(memcached.address)._asked(lambda client: client.flush_all(noreply=False))

    store.save(SHARD, 1, 2, {"a": b"1"}, ())
    assert fresh(memcached).load(SHARD) == Loaded(many(2000) | {"a": b"1"}, 1, 2)


def test_another_incarnation_gets_everything_whatever_the_manifest_says(memcached, clock):
    """As if a proxy had sent the manifest to one memcached and the pages to another, now new."""
    store = filled(memcached, clock)
    before = {ref.position for ref in manifest(memcached).pages}
    Connection(memcached.address).delete(
        [f"{prefix(SHARD)}:incarnation", *page_names(memcached, 3)]
    )

    store.save(SHARD, 1, 2, {"a": b"1"}, ())
    assert before == {(1, 1)} and {ref.position for ref in manifest(memcached).pages} == {(1, 2)}
    assert fresh(memcached).load(SHARD) == Loaded(many(2000) | {"a": b"1"}, 1, 2)


def test_a_spare_that_had_loaded_restores_a_flushed_memcached(memcached, clock):
    filled(memcached, clock)
    spare = fresh(memcached)
    spare.load(SHARD)
    Connection(memcached.address)._asked(lambda client: client.flush_all(noreply=False))

    assert spare.save(SHARD, 2, 1, {"a": b"1"}, ()) == Saved(2, 1)
    assert fresh(memcached).load(SHARD) == Loaded(many(2000) | {"a": b"1"}, 2, 1)


def test_an_old_owner_may_be_first_after_a_restart_but_never_last(memcached, clock):
    """A restart resets the tokens: an old one then overwrote a new manifest. Epochs must hold."""
    old = filled(memcached, clock)
    new = fresh(memcached)
    new.save(SHARD, 2, 1, many(2000, b"NEW"), (), whole=True)
    memcached.restart()
    for store, epoch in ((old, 1), (new, 2)):
        with pytest.raises(Unavailable):
            store.save(SHARD, epoch, 2, {"a": b"%d" % epoch}, ())

    assert old.save(SHARD, 1, 3, {"a": b"1"}, ()).epoch == 1
    assert new.save(SHARD, 2, 3, {"a": b"2"}, ()).epoch == 2
    with pytest.raises(Stale) as told:
        old.save(SHARD, 1, 4, {"a": b"1"}, ())
    assert told.value.highest == 2
    assert fresh(memcached).load(SHARD) == Loaded(many(2000, b"NEW") | {"a": b"2"}, 2, 3)


def test_who_was_fenced_once_stays_fenced_when_memcached_forgets(memcached, clock):
    old = filled(memcached, clock)
    fresh(memcached).save(SHARD, 2, 1, many(10), (), whole=True)
    with pytest.raises(Stale):
        old.save(SHARD, 1, 2, {"a": b"1"}, ())
    memcached.restart()

    with pytest.raises(Stale):
        old.save(SHARD, 1, 3, {"a": b"1"}, ())
    assert fresh(memcached).load(SHARD) is None


# ------------------------------------------------------------------ two writers at once


@pytest.mark.parametrize("whole", [True, False])
def test_a_new_owner_in_the_middle_of_a_save_fences_it(memcached, clock, whole):
    old = filled(memcached, clock)
    new = fresh(memcached)
    old._server = Meddling(
        memcached.address, lambda: new.save(SHARD, 2, 1, {"new": b"1"}, (), whole=True)
    )

    with pytest.raises(Stale):
        old.save(SHARD, 1, 2, {"a": b"1"}, (), whole=whole)
    assert fresh(memcached).load(SHARD) == Loaded({"new": b"1"}, 2, 1)


@pytest.mark.parametrize("whole", [True, False])
def test_an_old_owner_in_the_middle_of_a_save_is_overwritten(memcached, clock, whole):
    """What it saved last is kept by a delta, as the new owner may not have seen it."""
    old = filled(memcached, clock)
    new = fresh(memcached)
    new.load(SHARD)
    new._server = Meddling(memcached.address, lambda: old.save(SHARD, 1, 2, {"late": b"1"}, ()))

    assert new.save(SHARD, 2, 1, {"a": b"1"}, (), whole=whole) == Saved(2, 1)
    wanted = {"a": b"1"} if whole else many(2000) | {"a": b"1", "late": b"1"}
    assert fresh(memcached).load(SHARD) == Loaded(wanted, 2, 1)


def test_a_flush_in_the_middle_of_a_save_is_made_good_by_it(memcached, clock):
    store = filled(memcached, clock)

    def flush():
        Connection(memcached.address)._asked(lambda client: client.flush_all(noreply=False))

    store._server = Meddling(memcached.address, flush)

    assert store.save(SHARD, 1, 2, {"a": b"1"}, ()) == Saved(1, 2)
    assert fresh(memcached).load(SHARD) == Loaded(many(2000) | {"a": b"1"}, 1, 2)


@pytest.mark.parametrize("other", [b"other", b"NEW"])
def test_a_set_between_our_get_and_our_set_wins(memcached, other):
    """The window is too small to hit from outside, so the other writer sits in it."""
    ours, theirs = Connection(memcached.address), Connection(memcached.address)
    ours.put({"key": b"old"})
    client = ours._connected()
    gets = client.gets

    def gets_then_other_sets(key):
        answer = gets(key)
        theirs.put({"key": other})
        return answer

    client.gets = gets_then_other_sets

    assert not ours.swap("key", b"old", b"NEW")
    assert theirs.get(["key"]) == {"key": other}


def test_until_the_manifest_moves_readers_see_the_save_before(memcached, clock):
    """Also when the same position is saved again with other records."""
    store = filled(memcached, clock)
    seen = []
    store._server = Meddling(memcached.address, lambda: seen.append(fresh(memcached).load(SHARD)))
    store.save(SHARD, 1, 1, many(2000, b"DOWN"), (), whole=True)

    assert seen == [Loaded(many(2000), 1, 1)]
    assert fresh(memcached).load(SHARD) == Loaded(many(2000, b"DOWN"), 1, 1)


def test_a_load_that_was_overtaken_by_two_saves_reads_again(memcached, clock):
    """By then the items that its manifest names are deleted."""
    store = filled(memcached, clock)

    class Slow(Connection):
        def get(self, keys):
            if len(keys) > 2 and store.health().saves < 3:
                store.save(SHARD, 1, 2, many(2000, b"2"), (), whole=True)
                store.save(SHARD, 1, 3, many(2000, b"3"), (), whole=True)
            return super().get(keys)

    reader = fresh(memcached)
    reader._server = Slow(memcached.address)

    assert reader.load(SHARD) == Loaded(many(2000, b"3"), 1, 3)


def test_a_position_saved_with_other_records_and_back_loses_nothing(memcached, clock):
    """What the save before last left is deleted, unless it is named again."""
    store = filled(memcached, clock)
    for value in (b"DOWN", b"UP", b"DOWN", b"UP"):
        store.save(SHARD, 1, 1, many(2000, value), (), whole=True)

    assert fresh(memcached).load(SHARD) == Loaded(many(2000), 1, 1)


def test_a_load_sees_one_save_while_another_process_saves(memcached, clock):
    store = filled(memcached, clock)
    stop = threading.Event()

    def write():
        n = 1
        while not stop.is_set():
            n += 1
            store.save(SHARD, 1, n, many(2000, b"%d" % n), (), whole=n % 3 == 0)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        reader = fresh(memcached)
        for _ in range(30):
            try:
                loaded = reader.load(SHARD)
            except Unavailable as error:  # honest: it was saved faster than it could be read
                assert "while it was read" in str(error)
                continue
            assert loaded.complete and len(set(loaded.records.values())) == 1
    finally:
        stop.set()
        writer.join(30)


# ------------------------------------------------------------------ lost and damaged items


def test_an_evicted_page_costs_its_records_and_is_named(memcached, clock):
    filled(memcached, clock)
    lost = manifest(memcached).pages[4].count
    Connection(memcached.address).delete(page_names(memcached, 4))
    store = fresh(memcached)

    loaded = store.load(SHARD)
    assert len(loaded.records) == 2000 - lost and loaded.missing == lost and not loaded.complete
    assert loaded.notes == (f"{SHARD}: page 4, {lost} records, of (1, 1), is missing",)
    assert store.health().missing == lost and not store.health().ok


def test_records_of_an_evicted_page_that_changed_since_are_not_lost(memcached, clock):
    store = filled(memcached, clock)
    few = dict.fromkeys(list(many(2000))[::25], b"DOWN")
    store.save(SHARD, 1, 2, few, ())
    oldest = [no for no, ref in enumerate(manifest(memcached).pages) if ref.position == (1, 1)]
    Connection(memcached.address).delete(page_names(memcached, oldest[0]))

    loaded = fresh(memcached).load(SHARD)
    assert loaded.missing and few.items() <= loaded.records.items()


def test_a_lost_delta_is_counted(memcached, clock):
    store = filled(memcached, clock)
    store.save(SHARD, 1, 2, dict.fromkeys(list(many(2000))[::25], b"DOWN"), ())
    (ref,) = manifest(memcached).deltas
    Connection(memcached.address).delete(names(SHARD, "d", ref))

    loaded = fresh(memcached).load(SHARD)
    assert loaded.missing == ref.count and len(loaded.records) == 2000
    assert "delta" in loaded.notes[0]


def test_the_writer_finds_an_evicted_page_and_puts_it_back(memcached, clock):
    """The shard is so large that its turn to be rewritten comes later than being looked for."""
    store = filled(memcached, clock, 48_000)
    Connection(memcached.address).delete(page_names(memcached, 200))
    for n in range(2, 70):
        clock.now_s += 1
        store.save(SHARD, 1, n, {"a": b"%d" % n}, ())

    assert fresh(memcached).load(SHARD) == Loaded(many(48_000) | {"a": b"69"}, 1, 69)
    assert not store.health().ok and "more memory" in store.health().why
    clock.now_s += WARN_S + 1
    store.save(SHARD, 1, 99, {}, ())
    assert store.health().ok


def test_the_writer_finds_an_evicted_delta_and_saves_whole(memcached, clock):
    store = filled(memcached, clock)
    few = dict.fromkeys(list(many(2000))[::25], b"DOWN")
    store.save(SHARD, 1, 2, few, ())
    Connection(memcached.address).delete(names(SHARD, "d", manifest(memcached).deltas[0]))
    clock.now_s += HEAL_S
    for n in range(3, 80):
        store.save(SHARD, 1, n, {"a": b"%d" % n}, ())

    assert fresh(memcached).load(SHARD) == Loaded(many(2000) | few | {"a": b"79"}, 1, 79)


def test_a_second_evicted_delta_is_healed_when_the_first_whole_save_is_long_enough_ago(
    memcached, clock
):
    """A memcached that is full would only evict more, the more we write."""
    store = filled(memcached, clock)
    whole_saves = []
    for n in range(2, 200):
        few = dict.fromkeys(list(many(2000))[n * 5 : n * 5 + 60], b"%d" % n)
        store.save(SHARD, 1, n, few, ())
        now = manifest(memcached)
        if {ref.n for ref in now.pages} == {n}:
            whole_saves.append(clock.now_s)
        for ref in now.deltas[:-1]:
            Connection(memcached.address).delete(names(SHARD, "d", ref))
        clock.now_s += 0.5

    gaps = [later - earlier for earlier, later in itertools.pairwise(whole_saves)]
    assert len(whole_saves) >= 3
    assert min(gaps) >= HEAL_S and max(gaps) <= HEAL_S + 10


def test_a_lost_delta_is_remembered_until_it_may_be_healed(memcached, clock):
    """It is found once, and not looked for again before the whole save is allowed."""
    store = filled(memcached, clock, 48_000)
    n = 1
    for _ in range(2):
        n += 1
        store.save(SHARD, 1, n, dict.fromkeys(list(many(48_000))[:60], b"%d" % n), ())
        Connection(memcached.address).delete(names(SHARD, "d", manifest(memcached).deltas[-1]))
        for _ in range(70):
            n += 1
            store.save(SHARD, 1, n, {"a": b"%d" % n}, ())
    assert fresh(memcached).load(SHARD).missing == 60
    clock.now_s += HEAL_S
    store.save(SHARD, 1, n + 1, {"a": b"last"}, ())

    assert {ref.n for ref in manifest(memcached).pages} == {n + 1}
    assert fresh(memcached).load(SHARD).complete


def test_after_a_load_with_losses_a_delta_save_still_says_partial(memcached, clock):
    filled(memcached, clock)
    Connection(memcached.address).delete(page_names(memcached, 4))
    spare = fresh(memcached)
    rest = spare.load(SHARD).records

    assert spare.save(SHARD, 2, 1, {"a": b"1"}, ()) == Saved(2, 1, partial=True)
    assert fresh(memcached).load(SHARD) == Loaded(rest | {"a": b"1"}, 2, 1, partial=True)
    assert spare.save(SHARD, 2, 2, many(2000), (), whole=True) == Saved(2, 2)


def test_a_memcached_that_is_too_small_is_seen_at_the_save_itself(clock):
    server = MemcachedServer("-m", "8")
    try:
        noise = {key: RANDOM.randbytes(1500) for key in many(10_000)}
        store = MemcachedRetention(server.address, clock=clock)
        store.save(SHARD, 1, 1, noise, (), whole=True)

        assert store.health().missing > 0 and "more memory" in store.health().why
        assert store.health().missing >= 0.8 * fresh(server).load(SHARD).missing
    finally:
        server.stop()


def test_a_memcached_that_refuses_when_full_is_unavailable(clock):
    server = MemcachedServer("-m", "8", "-M")
    try:
        noise = {key: RANDOM.randbytes(1500) for key in many(10_000)}
        with pytest.raises(Unavailable, match="out of memory"):
            MemcachedRetention(server.address).save(SHARD, 1, 1, noise, (), whole=True)
        assert fresh(server).load(SHARD) is None
    finally:
        server.stop()


@pytest.mark.parametrize("wrong", [b"", b"x", PICKLE, b"\x80\x04K\x01.", bytes(3000)])
def test_a_page_of_somebody_elses_bytes_is_corrupt_and_the_rest_loads(memcached, clock, wrong):
    filled(memcached, clock)
    lost = manifest(memcached).pages[2].count
    Connection(memcached.address).put({page_names(memcached, 2)[0]: wrong})

    loaded = fresh(memcached).load(SHARD)
    assert (loaded.missing, loaded.corrupt, len(loaded.records)) == (0, lost, 2000 - lost)
    assert "page 2" in loaded.notes[0] and "corrupt" in loaded.notes[0]


def test_a_page_that_was_swapped_for_another_valid_one_is_corrupt(memcached, clock):
    filled(memcached, clock)
    server = Connection(memcached.address)
    (name,), (other,) = page_names(memcached, 2), page_names(memcached, 3)
    server.put({name: server.get([other])[other]})

    loaded = fresh(memcached).load(SHARD)
    assert loaded.corrupt and "digest" in loaded.notes[0]


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        PICKLE,
        b"shR\x02" + bytes(40),
        seal(whole_draft("shinken/4", 9, 9, {"a": b"1"}, partial=False).manifest),
        seal(Manifest(SHARD, 9, 9, False, 0, (), ())),
    ],
)
def test_a_manifest_that_is_not_ours_is_named_and_overwritten(memcached, clock, wrong):
    store = filled(memcached, clock)
    Connection(memcached.address).put({f"{prefix(SHARD)}:manifest": wrong})

    loaded = fresh(memcached).load(SHARD)
    assert (loaded.records, loaded.epoch, loaded.corrupt) == ({}, 0, 1)
    assert "manifest" in loaded.notes[0]
    store.save(SHARD, 1, 2, {"a": b"1"}, ())
    assert fresh(memcached).load(SHARD) == Loaded(many(2000) | {"a": b"1"}, 1, 2)


def test_no_module_of_the_package_imports_pickle():
    folder = pathlib.Path(retention.__file__).parent
    sources = [path.read_text() for path in folder.glob("*.py")]

    assert len(sources) > 5
    assert not [s for s in sources if "import pickle" in s or "from pickle" in s]


# ------------------------------------------------------------------ what a save costs


def test_a_small_save_of_a_large_shard_writes_few_items(memcached, clock):
    store = filled(memcached, clock, 50_000)
    written = []

    class Counting(Connection):
        def put(self, items):
            written.append((len(items), sum(map(len, items.values()))))
            super().put(items)

    store._server = Counting(memcached.address)
    keys = list(many(50_000))
    for n in range(2, 302):
        clock.now_s += 1
        store.save(SHARD, 1, n, dict.fromkeys(keys[n * 40 : n * 40 + 200], b"%d" % n), ())

    assert max(items for items, _ in written) <= 4
    last = manifest(memcached)
    assert len(last.deltas) <= 240
    assert min(ref.n for ref in last.pages) > 301 - 300  # each page younger than five minutes
    wanted = many(50_000)
    for n in range(2, 302):
        wanted.update(dict.fromkeys(keys[n * 40 : n * 40 + 200], b"%d" % n))
    assert fresh(memcached).load(SHARD) == Loaded(wanted, 1, 301)


def test_what_is_no_longer_named_is_deleted(memcached, clock):
    store = filled(memcached, clock)
    for n in range(2, 500):
        store.save(SHARD, 1, n, {"a": b"%d" % n, f"b{n}": b"x"}, ())
    stats = Connection(memcached.address)._asked(lambda client: client.stats())

    last = manifest(memcached)
    assert int(stats[b"curr_items"]) <= len(last.pages) + len(last.deltas) + 2 + 20
