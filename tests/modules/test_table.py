"""The table of modules: how the names in a configuration find their class."""

import logging

import pytest

from daemons.model.cluster import Cluster, DaemonDef, ModuleDef
from daemons.modules import UnknownModule, broker_modules, receiver_modules
from daemons.modules.simple_log import SimpleLog


def cluster(*names: str, modules: tuple[ModuleDef, ...] = ()) -> Cluster:
    daemon = DaemonDef(name="d1", role="broker", address="a", port=1, modules=names)
    return Cluster(name="test", daemons=(daemon,), servers=(), modules=modules)


def test_the_documented_names_work_without_a_module_definition(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        found = broker_modules("d1", cluster("Simple-log", "Livestatus"), tmp_path, lambda: 1.0)

    assert list(found) == ["simple-log", "livestatus"]
    assert "Livestatus is not built in yet" in caplog.text


def test_a_definition_gives_the_type_and_the_options(tmp_path):
    defined = ModuleDef("My_Log", "simple_log", {"path": "here.log"})
    found = broker_modules("d1", cluster("my-log", modules=(defined,)), tmp_path, lambda: 1.0)

    assert isinstance(found["my-log"], SimpleLog)
    assert (tmp_path / "here.log").exists()


def test_an_unknown_module_is_named_with_those_there_are(tmp_path):
    with pytest.raises(UnknownModule, match=r"'webui'.*simple-log"):
        broker_modules("d1", cluster("webui"), tmp_path, lambda: 1.0)


def test_a_receiver_finds_its_named_pipe(tmp_path):
    found = receiver_modules("d1", cluster("named_pipe"), tmp_path, lambda: 1.0, lambda items: ())
    found["named-pipe"].close()

    assert (tmp_path / "shinken.cmd").is_fifo()
