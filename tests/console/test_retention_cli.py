"""`shinken retention` on real stores of a real configuration, with no daemon running."""

import json
import sqlite3
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from console.retention_cli import retention
from daemons.cli.demo.files import Layout, write
from daemons.model.cluster import epoch
from daemons.model.status import Ack, Status
from retention.connection import Connection
from retention.layout import names, prefix, read_manifest
from retention.memcached import MemcachedRetention
from retention.sqlite import SqliteRetention
from tests.config.test_nagios_state import TEXT
from tests.retention.memcached_server import MemcachedServer

ADDRESSES = (("server1", "127.36.9.1"), ("server2", "127.36.9.2"), ("server3", "127.36.9.3"))


@pytest.fixture(scope="module")
def memcached():
    server = MemcachedServer("-m", "64")
    yield server
    server.stop()


SECOND = epoch(0, 2, 0)  # of the second owner


class Bed:
    """A configuration, and states in its stores."""

    def __init__(self, folder: Path, memcached: MemcachedServer) -> None:
        host, port = memcached.address
        self.folder = folder
        self.layout = Layout(
            folder / "demo", ADDRESSES, retention=f"{host}:{port}",
            lines=(f"workdir={folder / 'work'}", f"cluster_name={folder.name}"),
        )  # fmt: skip
        write(self.layout)
        (folder / "work" / "spool").mkdir(parents=True)
        self.cache = MemcachedRetention(memcached.address)
        self.file = SqliteRetention(str(folder / "work" / "spool" / "scheduler-master.retention.db"))
        self.name = f"{self.cluster}/1"
        self.address = memcached.address

    @property
    def cluster(self) -> str:
        from console.target import bundle_of

        return bundle_of((str(self.layout.config), str(self.specific)), "server1").cluster.name

    @property
    def specific(self) -> Path:
        return self.layout.config.parent / "shinken-specific.cfg"

    def save(self, **more):
        ack = Ack(author="ann", comment="on it")
        records = {
            f"o/{key}": msgspec.msgpack.encode(Status(key=key, state=2, ack=ack, applied_epoch=9, next_seq=5))
            for key in ("this-machine", "this-machine;gone")
        }  # fmt: skip
        for store in (self.cache, self.file):
            store.save(self.name, SECOND, 7, {**records, "a/1": b"\x90", **more}, (), whole=True)

    def run(self, *words, code=0):
        where = ["-c", str(self.layout.config), "-c", str(self.specific), "--server", "server1"]
        result = CliRunner().invoke(retention, [words[0], *words[1:], *where])
        assert result.exit_code == code, (result.output, result.exception)
        return result.output


@pytest.fixture
def bed(tmp_path, memcached):
    return Bed(tmp_path, memcached)


def test_inspect_shows_every_store_and_changes_nothing(bed):
    bed.save()
    found = json.loads(bed.run("inspect", "--json"))["stores"]
    kept = {k["store"]: k for k in found if k["shard"] == 1 and k["found"]}
    assert set(kept) == {"memcached-retention", "sqlite of scheduler-master"}
    for one in kept.values():
        assert (one["epoch_n"], one["n"], one["records"], one["missing"]) == (2, 7, 3, 0)
        assert 0 <= one["age_s"] < 60
    assert "another server" in bed.run("inspect")


def test_verify_finds_what_is_damaged_and_names_the_store(bed):
    bed.save()
    bed.run("verify")
    with sqlite3.connect(bed.folder / "work" / "spool" / "scheduler-master.retention.db") as db:
        db.execute("UPDATE record SET value = x'00' WHERE key = ?", (b"o/this-machine",))
    db.close()
    output = bed.run("verify", code=1)
    assert "1 corrupt" in output and "o/this-machine" in output
    bed.save(**{"o/x": b"cposix\nsystem\n"})
    assert "1 unreadable" in bed.run("verify", code=1)
    raw = Connection(bed.address).get([f"{prefix(bed.name)}:manifest"]).popitem()[1]
    Connection(bed.address).delete(names(bed.name, "0", read_manifest(raw, bed.name).pages[0]))
    assert "missing" in bed.run("verify", "--store", "memcached-retention", code=1)


def test_what_is_exported_can_be_imported_again(bed, tmp_path):
    bed.save()
    file = tmp_path / "states.jsonl"
    bed.run("export", str(file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines[0]["shinken_retention"] == 1 and lines[2]["key"] == "a/1"
    bed.file.save(bed.name, SECOND, 8, {}, (), whole=True)
    output = bed.run("import", str(file))
    assert "1 × objects" not in output or "no shard" in output
    loaded = bed.file.load(bed.name)
    status = msgspec.msgpack.decode(loaded.records["o/this-machine"], type=Status)
    assert (status.state, status.ack.author, status.applied_epoch, status.next_seq) == (2, "ann", 0, 1)
    assert (loaded.epoch, loaded.n) == (SECOND, 9) and loaded.complete
    assert bed.cache.load(bed.name).records.keys() == loaded.records.keys()


def test_a_dry_run_says_what_it_would_do_and_does_nothing(bed, tmp_path):
    file = tmp_path / "retention.dat"
    file.write_text(TEXT.replace("host_name=web1", "host_name=this-machine"))
    output = bed.run("import", "--dry-run", "--from", "nagios", str(file))
    assert "taken: 1 hosts" in output and "taken: 1 downtimes" in output and "left out" in output
    assert bed.cache.load(bed.name) is None


def test_states_of_a_nagios_are_imported_and_win_over_nothing_kept(bed, tmp_path):
    file = tmp_path / "retention.dat"
    file.write_text(TEXT.replace("host_name=web1", "host_name=this-machine"))
    bed.run("import", "--from", "nagios", str(file))
    loaded = bed.cache.load(bed.name)
    assert (loaded.epoch, loaded.n) == (0, 1)  # above "nothing", below any owner
    host = msgspec.msgpack.decode(loaded.records["o/this-machine"], type=Status)
    assert (host.state, host.attempt, host.ack.author) == (1, 10, "bob")


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "no status"), ("{}", "line 1"), ("nonsense", "line 1"), ('{"shinken_retention": 9}', "line 1")],
)
def test_a_file_that_is_no_export_is_the_users_mistake(bed, tmp_path, text, words):
    file = tmp_path / "x"
    file.write_text(text)
    output = bed.run("import", str(file), code=2)
    assert words in output and "Traceback" not in output


def test_stores_that_do_not_answer_are_told_and_end_with_three(bed):
    output = bed.run("inspect", "--store", "nobody", code=2)
    assert "no scheduler has a store called nobody" in output
