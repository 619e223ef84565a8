"""What a disk can do to us: damage the file, fill up, refuse; and who else uses it."""

import os
import resource
import sqlite3
import stat
import threading
import zlib

import pytest

from retention.api import Loaded, Saved, Stale, Unavailable
from retention.sqlite import ASIDE_MAX, SqliteRetention

SHARD = "shinken/3"


def many(count, value=b"UP"):
    return {f"service/host{i // 10}/svc{i % 10}": value for i in range(count)}


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "var" / "retention.db")


@pytest.fixture
def filled(path):
    """A closed file whose shard holds 2000 records at (1, 1)."""
    store = SqliteRetention(path)
    store.save(SHARD, 1, 1, many(2000), (), whole=True)
    store.close()
    return path


def test_opening_a_store_touches_nothing(path):
    SqliteRetention(path).health()

    assert not os.path.exists(os.path.dirname(path))


def test_the_file_and_its_journal_are_nobody_elses(filled):
    os.chmod(filled, 0o644)
    store = SqliteRetention(filled)
    store.save(SHARD, 1, 2, {"a": b"1"}, ())

    for suffix in ("", "-wal", "-shm"):
        assert stat.S_IMODE(os.stat(filled + suffix).st_mode) == 0o600


def test_every_save_is_on_the_disk_when_it_returns(filled):
    """Read as after a crash: the first store is still open, its journal not yet merged."""
    store = SqliteRetention(filled)
    store.save(SHARD, 1, 2, {"a": b"1"}, ())
    (synchronous,) = store._db.execute("PRAGMA synchronous").fetchone()
    (journal,) = store._db.execute("PRAGMA journal_mode").fetchone()

    assert (synchronous, journal) == (2, "wal")
    assert SqliteRetention(filled).load(SHARD) == Loaded(many(2000) | {"a": b"1"}, 1, 2)


@pytest.mark.parametrize("damage", ["garbage", "truncated", "zeroes inside", "text"])
def test_a_damaged_file_is_moved_aside_and_named(filled, damage):
    with open(filled, "r+b") as file:
        match damage:
            case "garbage":
                file.write(os.urandom(3000))
            case "truncated":
                file.truncate(file.seek(0, os.SEEK_END) // 2)
            case "zeroes inside":
                file.seek(4096)
                file.write(bytes(40960))
            case "text":
                file.truncate(0)
                file.write(b"define host {\n}\n" * 100)
    with open(filled, "rb") as file:
        damaged = file.read()
    store = SqliteRetention(filled)

    loaded = store.load(SHARD)
    assert (loaded.records, loaded.epoch, loaded.corrupt) == ({}, 0, 1)
    assert "moved to" in loaded.notes[0] and not store.health().ok
    with open(filled + ".corrupt-1", "rb") as file:
        assert file.read() == damaged
    assert store.save(SHARD, 2, 1, {"a": b"1"}, ()) == Saved(2, 1, partial=True)
    assert store.save(SHARD, 2, 2, many(10), (), whole=True) == Saved(2, 2)
    assert store.health().ok
    assert SqliteRetention(filled).load(SHARD) == Loaded(many(10), 2, 2)


def test_a_disk_that_damages_every_file_does_not_fill_up_with_them(filled):
    for _ in range(ASIDE_MAX + 3):
        with open(filled, "wb") as file:
            file.write(b"x" * 5000)
        store = SqliteRetention(filled)
        store.save(SHARD, 1, 1, many(10), (), whole=True)
        store.close()

    names = [name for name in os.listdir(os.path.dirname(filled)) if "corrupt" in name]
    assert len([name for name in names if not name.endswith(("-wal", "-shm"))]) == ASIDE_MAX
    assert len(names) <= 3 * ASIDE_MAX


def test_a_record_with_a_wrong_checksum_is_left_out_and_named(filled):
    with sqlite3.connect(filled) as db:
        db.execute("UPDATE record SET value = ? WHERE key = ?", (b"DOWN", b"service/host0/svc3"))
    db.close()

    loaded = SqliteRetention(filled).load(SHARD)
    assert (len(loaded.records), loaded.corrupt) == (1999, 1)
    assert "service/host0/svc3" in loaded.notes[0]


def test_a_value_under_another_records_key_is_left_out(filled):
    store = SqliteRetention(filled)
    store.save(SHARD, 1, 2, {"a": b"value of a", "b": b"value of b"}, ())
    store.close()
    with sqlite3.connect(filled) as db:
        db.execute(
            "UPDATE record SET (value, crc) = (SELECT value, crc FROM record WHERE key = x'61')"
            " WHERE key = x'62'"
        )
    db.close()

    loaded = SqliteRetention(filled).load(SHARD)
    assert loaded.corrupt == 1 and "b" not in loaded.records and "a" in loaded.records


@pytest.mark.parametrize("wrong", ["text value", "number value", "key that is no text"])
def test_rows_of_strange_types_are_left_out_and_named(filled, wrong):
    with sqlite3.connect(filled) as db:
        match wrong:
            case "text value":
                db.execute("UPDATE record SET value = 'x' WHERE key = ?", (b"service/host0/svc3",))
            case "number value":
                db.execute("UPDATE record SET value = 7 WHERE key = ?", (b"service/host0/svc3",))
            case "key that is no text":
                db.execute(
                    "UPDATE record SET key = ?, value = x'', crc = ? WHERE key = ?",
                    (b"\xff", zlib.crc32(b"\xff"), b"service/host0/svc3"),
                )
    db.close()

    loaded = SqliteRetention(filled).load(SHARD)
    assert (len(loaded.records), loaded.corrupt) == (1999, 1)


def test_a_position_that_is_no_number_is_damage(filled):
    with sqlite3.connect(filled) as db:
        db.execute("UPDATE shard SET n = 'x'")
    db.close()
    store = SqliteRetention(filled)

    assert store.save(SHARD, 1, 2, {"a": b"1"}, ()) == Saved(1, 2, partial=True)
    assert os.path.exists(filled + ".corrupt-1")


def test_a_file_of_another_schema_version_is_moved_aside(filled):
    with sqlite3.connect(filled) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    loaded = SqliteRetention(filled).load(SHARD)
    assert "schema version 99" in loaded.notes[0]
    assert os.path.exists(filled + ".corrupt-1")


def test_the_database_of_another_program_stays_as_it_is(tmp_path):
    path = str(tmp_path / "places.sqlite")
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE bookmark (url)")
    db.close()
    with open(path, "rb") as file:
        before = file.read()

    with pytest.raises(Unavailable, match="another program"):
        SqliteRetention(path).save(SHARD, 1, 1, {"a": b"1"}, ())
    with open(path, "rb") as file:
        assert file.read() == before
    assert sorted(os.listdir(tmp_path)) == ["places.sqlite"]


@pytest.mark.parametrize("place", ["/proc/no/such.db", "a folder"])
def test_a_place_that_takes_no_file_is_unavailable(tmp_path, place):
    path = str(tmp_path) if place == "a folder" else place
    store = SqliteRetention(path)
    for _ in range(2):
        with pytest.raises(Unavailable):
            store.load(SHARD)
    with pytest.raises(Unavailable):
        store.save(SHARD, 1, 1, {"a": b"1"}, ())
    assert not store.health().ok and store.health().dirty == 1


def test_a_read_only_file_is_unavailable_and_keeps_what_it_has(filled):
    store = SqliteRetention(filled)
    store.load(SHARD)
    store._db.execute("PRAGMA query_only = ON")  # permissions do not stop root
    with pytest.raises(Unavailable, match="readonly"):
        store.save(SHARD, 1, 2, many(10), (), whole=True)

    assert SqliteRetention(filled).load(SHARD) == Loaded(many(2000), 1, 1)


def test_a_full_disk_is_unavailable_and_recovers_without_a_restart(filled):
    store = SqliteRetention(filled)
    store.load(SHARD)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    try:
        with pytest.raises(Unavailable):
            store.save(SHARD, 1, 2, many(2000, os.urandom(1000)), (), whole=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not store.health().ok and store.health().dirty == 2000
    assert SqliteRetention(filled).load(SHARD) == Loaded(many(2000), 1, 1)

    assert store.save(SHARD, 1, 3, {"a": b"1"}, ()) == Saved(1, 3)
    assert store.load(SHARD) == Loaded(many(2000) | {"a": b"1"}, 1, 3)
    assert store.health().ok and store.health().dirty == 0


def test_a_file_deleted_under_an_open_store_is_noticed(filled):
    store = SqliteRetention(filled)
    store.load(SHARD)
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(filled + suffix):
            os.remove(filled + suffix)

    assert store.save(SHARD, 1, 2, {"a": b"1"}, ()) == Saved(1, 2, partial=True)
    assert SqliteRetention(filled).load(SHARD) == Loaded({"a": b"1"}, 1, 2, partial=True)


def test_a_file_that_another_process_holds_is_unavailable_for_now(filled):
    other = sqlite3.connect(filled, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = SqliteRetention(filled, timeout_s=0.05)
    with pytest.raises(Unavailable, match="locked"):
        store.save(SHARD, 1, 2, {"a": b"1"}, ())
    other.execute("ROLLBACK")
    other.close()

    assert store.save(SHARD, 1, 2, {"a": b"1"}, ()) == Saved(1, 2)


def test_two_processes_on_one_file_are_fenced_by_the_epoch(filled):
    """Both save as fast as they can; the lower epoch never writes once the higher has."""
    old, new = SqliteRetention(filled, timeout_s=10), SqliteRetention(filled, timeout_s=10)
    told = []

    def write():
        try:
            for n in range(2, 10_000):
                old.save(SHARD, 1, n, {"who": b"old"}, ())
        except Stale as stale:
            told.append(stale.highest)

    writer = threading.Thread(target=write)
    writer.start()
    new.save(SHARD, 2, 0, {"who": b"new"}, ())
    writer.join(30)

    assert told == [2]
    assert new.load(SHARD).records["who"] == b"new"
