"""What a redis can do to us: die, hang, forget, fail over with less than it acknowledged, hold what others put there."""

import socket
import time

import pytest

from retention import BadOption, open_store
from retention.api import Loaded, Stale, Unavailable
from retention.envelope import seal
from retention.layout import ITEM_BYTES_MAX, Manifest, Ref, names, prefix, read_manifest
from retention.redis import Place, RedisRetention
from tests.retention.redis_server import MASTER, RedisServer, Watched, until

SHARD = "shinken/3"
PICKLE = b"cposix\nsystem\n(S'kill -9 $PPID'\ntR."


def many(count, value=b"UP"):
    return {f"service/host{i // 10}/svc{i % 10}": value for i in range(count)}


def at(server):
    return Place(address=server.address)


def filled(server, clock, count=2000):
    store = RedisRetention(at(server), clock=clock)
    store.save(SHARD, 1, 1, many(count), (), whole=True)
    return store


def manifest_of(server):
    return read_manifest(server.client().get(f"{prefix(SHARD)}:manifest"), SHARD)


def test_nobody_at_the_address_is_unavailable():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        store = RedisRetention(Place(address=nobody.getsockname()))
        with pytest.raises(Unavailable, match="refused"):
            store.load(SHARD)


def test_a_hanging_redis_costs_the_time_out_once_or_thrice_and_then_nothing(redis, clock):
    store = filled(redis, clock)
    redis.pause()
    for _ in range(3):
        began = time.perf_counter()
        with pytest.raises(Unavailable):
            store.save(SHARD, 1, 2, {"a": b"1"}, ())
        assert time.perf_counter() - began < 2.0  # a connect and an answer, no retries of the library
    began = time.perf_counter()
    with pytest.raises(Unavailable, match="not asked"):
        store.save(SHARD, 1, 2, {"a": b"1"}, ())
    assert time.perf_counter() - began < 0.05
    assert store.health().rests_s > 0
    redis.resume()
    clock.now_s += 20
    store.save(SHARD, 1, 3, {"a": b"1"}, ())
    assert RedisRetention(at(redis)).load(SHARD) == Loaded(many(2000) | {"a": b"1"}, 1, 3)


@pytest.mark.parametrize("how", ["restart", "flush"])
def test_a_redis_that_came_back_empty_gets_everything_with_the_next_delta(redis, clock, how):
    store = filled(redis, clock)
    if how == "restart":
        redis.restart()
    else:
        redis.client().flushall()
    store.save(SHARD, 1, 3, {"a": b"1"}, ())

    assert RedisRetention(at(redis)).load(SHARD) == Loaded(many(2000) | {"a": b"1"}, 1, 3)


def test_a_promoted_replica_that_lacks_the_newest_gets_everything(redis, clock):
    """An acknowledged write may not have reached the replica: then it has an older manifest."""
    replica = RedisServer()
    try:
        host, port = redis.address
        store = filled(redis, clock)
        replica.client().replicaof(host, str(port))
        until(lambda: replica.client().info("replication").get("master_link_status") == "up", "linked")
        replica.client().replicaof("no", "one")
        store.save(SHARD, 1, 2, {"host/late": b"DOWN"}, ())
        store._server.close()
        store._server._place = at(replica)  # what a sentinel would answer now

        store.save(SHARD, 1, 3, {"host/later": b"DOWN"}, ())

        wanted = many(2000) | {"host/late": b"DOWN", "host/later": b"DOWN"}
        assert RedisRetention(at(replica)).load(SHARD) == Loaded(wanted, 1, 3)
    finally:
        replica.stop()


def test_another_process_behind_the_same_name_gets_everything_though_the_manifest_is_the_same(redis, clock):
    store = filled(redis, clock)
    store._server._process = "another"

    store.save(SHARD, 1, 2, {"a": b"1"}, ())

    assert {ref.position for ref in manifest_of(redis).pages} == {(1, 2)}


def test_a_connection_that_the_library_made_anew_is_noticed(redis, clock):
    store = filled(redis, clock)
    server = store._server
    before = server.process()
    assert before == redis.client().info("server")["run_id"]
    redis.restart()
    server._client.connection_pool.disconnect()
    store.save(SHARD, 1, 2, {"a": b"1"}, ())

    assert server.process() not in ("", before)
    assert RedisRetention(at(redis)).load(SHARD) == Loaded(many(2000) | {"a": b"1"}, 1, 2)


def test_when_the_master_is_killed_the_promoted_replica_goes_on(watched: Watched, clock):
    place = Place(sentinels=tuple(watched.sentinels), master=MASTER)
    store = RedisRetention(place, clock=clock)
    store.save(SHARD, 4, 1, many(2000), (), whole=True)
    old = RedisRetention(place, clock=clock)
    old.load(SHARD)
    promoted = watched.kill_master()

    def saved():
        clock.now_s += 20
        try:
            return store.save(SHARD, 5, 2, {"host/after": b"DOWN"}, ()).epoch == 5
        except Unavailable:
            return False

    until(saved, "the store goes on")
    assert RedisRetention(at(promoted)).load(SHARD) == Loaded(many(2000) | {"host/after": b"DOWN"}, 5, 2)
    with pytest.raises(Unavailable):  # it still knew the old master
        old.save(SHARD, 4, 99, {}, ())
    with pytest.raises(Stale):
        old.save(SHARD, 4, 99, {}, ())


def test_a_new_owner_in_the_middle_of_a_save_fences_it(redis, clock):
    store = filled(redis, clock)
    put = store._server.put

    def meddled(items):
        put(items)
        store._server.put = put
        RedisRetention(at(redis)).save(SHARD, 2, 0, many(2000, b"NEW"), (), whole=True)

    store._server.put = meddled
    with pytest.raises(Stale):
        store.save(SHARD, 1, 2, {"a": b"1"}, ())
    assert RedisRetention(at(redis)).load(SHARD) == Loaded(many(2000, b"NEW"), 2, 0)


def test_a_full_redis_that_evicts_nothing_is_unavailable(clock):
    server = RedisServer("--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
    try:
        store = RedisRetention(at(server), clock=clock)
        noise = {f"k{i}": bytes([i % 256]) * 10 + hash_bytes(i) for i in range(4000)}
        with pytest.raises(Unavailable, match=r"OOM|memory"):
            store.save(SHARD, 1, 1, noise, (), whole=True)
    finally:
        server.stop()


def hash_bytes(i):
    import random

    return random.Random(i).randbytes(1500)


def test_an_evicted_page_is_found_and_put_back_by_its_writer(redis, clock):
    store = filled(redis, clock)
    manifest = manifest_of(redis)
    redis.client().delete(*names(SHARD, "3", manifest.pages[3]))
    loaded = RedisRetention(at(redis)).load(SHARD)
    assert loaded.missing == manifest.pages[3].count and "page 3" in loaded.notes[0]

    for n in range(2, 100):
        store.save(SHARD, 1, n, {"a": b"%d" % n}, ())

    assert RedisRetention(at(redis)).load(SHARD).complete


@pytest.mark.parametrize(
    "wrong",
    [PICKLE, b"", b"shR\x01", b"shR\x02" + bytes(40), b"\xff" * 5000, b"x" * (3 * ITEM_BYTES_MAX)],
    ids=["pickle", "empty", "cut", "newer", "noise", "huge"],
)
def test_a_page_of_somebody_elses_bytes_is_named_and_the_rest_loads(redis, clock, wrong):
    filled(redis, clock)
    ref = manifest_of(redis).pages[0]
    redis.client().set(names(SHARD, "0", ref)[0], wrong)

    loaded = RedisRetention(at(redis)).load(SHARD)
    assert len(loaded.records) == 2000 - ref.count
    assert loaded.corrupt + loaded.missing == ref.count and "page 0" in loaded.notes[0]


def test_a_key_of_another_type_is_no_item(redis, clock):
    store = filled(redis, clock)
    name = f"{prefix(SHARD)}:manifest"
    redis.client().delete(name)
    redis.client().lpush(name, b"cposix")
    assert RedisRetention(at(redis)).load(SHARD) is None

    store.save(SHARD, 1, 2, {"a": b"1"}, ())
    assert RedisRetention(at(redis)).load(SHARD) == Loaded(many(2000) | {"a": b"1"}, 1, 2)


def trap(parts=1, size=100, count=1, epoch=1, digest=b"12345678", pages=1):
    return Manifest(SHARD, 1, 1, False, 1, (Ref(epoch, 1, parts, digest, count, size),) * pages, ())


@pytest.mark.parametrize(
    "manifest",
    [
        trap(parts=2**40), trap(size=2**50, parts=-(-(2**50) // 400_000)), trap(count=-5),
        trap(epoch=-1), trap(digest=b""), trap(size=0, parts=0), trap(pages=300_000),
        Manifest("other/1", 1, 1, False, 1, trap().pages, ()),
    ],
    ids=["parts", "bytes", "count", "epoch", "digest", "nothing", "pages", "foreign"],
)  # fmt: skip
def test_a_manifest_whose_checksum_fits_and_whose_numbers_are_a_trap_is_refused(redis, clock, manifest):
    redis.client().set(f"{prefix(SHARD)}:manifest", seal(manifest))
    began = time.perf_counter()
    store = RedisRetention(at(redis))

    loaded = store.load(SHARD)

    assert loaded.corrupt and not loaded.records and "manifest" in loaded.notes[0]
    assert store.look(SHARD).damage
    assert time.perf_counter() - began < 2.0
    store.save(SHARD, 1, 1, {"a": b"1"}, (), whole=True)
    assert RedisRetention(at(redis)).load(SHARD).records == {"a": b"1"}


def test_pages_that_unpack_to_more_than_a_shard_can_have_are_left_out(redis, clock, monkeypatch):
    store = RedisRetention(at(redis), clock=clock)
    store.save(SHARD, 1, 1, {f"k{i}": bytes(5_000_000) for i in range(4)}, (), whole=True)
    monkeypatch.setattr("retention.layout.UNPACKED_BYTES_MAX", 12_000_000)

    loaded = RedisRetention(at(redis)).load(SHARD)
    assert loaded.corrupt and 0 < len(loaded.records) < 4


def test_password_prefix_and_database_are_used(tmp_path):
    server = RedisServer()
    try:
        server.client().config_set("requirepass", "open sesame")
        secret = tmp_path / "password"
        secret.write_text("open sesame\n")
        place = Place(
            address=server.address, database=2, prefix="north:", password_file=str(secret)
        )
        RedisRetention(place).save(SHARD, 1, 1, {"a": b"1"}, (), whole=True)
        assert RedisRetention(place).load(SHARD) == Loaded({"a": b"1"}, 1, 1)
        with pytest.raises(Unavailable, match="uthentication"):
            RedisRetention(at(server)).load(SHARD)
        with pytest.raises(Unavailable, match="absent"):
            RedisRetention(Place(password_file=str(tmp_path / "absent"))).load(SHARD)
        from redis import Redis

        client = Redis(*server.address, db=2, password="open sesame", protocol=2)
        assert all(key.startswith(b"north:shinken:") for key in client.scan_iter())
        client.close()
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"database": "x"}, "database"), ({"port": "0"}, "port"),
        ({"sentinel": "a:b"}, "port"), ({"sentinal": "a"}, "no option 'sentinal'"),
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_used_is_the_operators_mistake(options, words):
    with pytest.raises(BadOption, match=words):
        open_store("redis-retention", options, "/nowhere")
