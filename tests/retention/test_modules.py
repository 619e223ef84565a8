"""The table of stores: what an operator may write in `module_type`, and what he is told if not."""

import pytest

import retention
from retention import BadOption, UnknownStore, open_store


@pytest.mark.parametrize(
    ("module_type", "options", "name"),
    [
        ("memory", {}, "memory"),
        ("sqlite-retention", {}, "sqlite /var/lib/shinken/retention.db"),
        ("Sqlite_Retention", {"path": "state.db"}, "sqlite /var/lib/shinken/state.db"),
        ("sqlite-retention", {"path": "/srv/state.db"}, "sqlite /srv/state.db"),
        ("memcached-retention", {}, "memcached 127.0.0.1:11211"),
        ("memcache_retention", {"server": "cache1", "port": "11300"}, "memcached cache1:11300"),
        ("Mem-Cache-Retention", {"server": "cache1:11300"}, "memcached cache1:11300"),
        ("memcached-retention", {"server": "::1"}, "memcached ::1:11211"),
    ],
)
def test_a_module_of_the_field_opens_its_store(module_type, options, name):
    assert open_store(module_type, options, "/var/lib/shinken").health().name == name


@pytest.mark.parametrize("module_type", ["pickle_retention_file_scheduler", "", "memcache"])
def test_an_unknown_store_is_refused_with_the_names_of_those_there_are(module_type):
    with pytest.raises(UnknownStore, match="memcached-retention, memory, redis, redis-retention, sqlite-retention"):
        open_store(module_type, {}, "/var/lib/shinken")


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1", "²"])
def test_a_port_that_is_none_is_the_operators_mistake(port):
    with pytest.raises(BadOption, match="port"):
        open_store("memcached-retention", {"port": port}, "/var/lib/shinken")


def test_a_third_party_store_is_found_by_its_entry_point(tmp_path, monkeypatch):
    info = tmp_path / "acme_retention-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-retention\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[shinken.retention]\nacme_store = acme_retention:make\n"
    )
    (tmp_path / "acme_retention.py").write_text(
        "from retention.memory import MemoryRetention\n"
        "def make(options, workdir):\n    return MemoryRetention({options['a']: None})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    store = open_store("Acme-Store", {"a": "b"}, "/var/lib/shinken")
    assert isinstance(store, retention.MemoryRetention)
    with pytest.raises(UnknownStore, match="acme-store"):
        open_store("other", {}, "/var/lib/shinken")
