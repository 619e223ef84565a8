"""The name server, asked by our own proxy and by an untouched Pyro5 in a process of its own."""

import importlib.util
import os
import subprocess
import sys

import pytest
from Pyro5 import errors

from daemons.net.client import proxy
from daemons.net.names import OBJECT, Entry, Names, full_name, uri
from daemons.net.transport import CannotServe
from tests.net.served import LOG, SECRET

POLLER = Entry(
    full_name("paris", "poller", "poller-1"),
    uri("shinken.paris.poller.poller-1", "127.0.0.1", 7771),
    {"role": "poller", "realm": "All", "spare": "0", "server": "server1", "epoch": "3"},
)
SPARE = Entry(
    full_name("paris", "scheduler", "scheduler-spare"),
    uri("shinken.paris.scheduler.scheduler-spare", "::1", 7768),
    {"role": "scheduler", "realm": "All", "spare": "1", "server": "server2"},
)

needs_msgpack = pytest.mark.skipif(
    importlib.util.find_spec("msgpack") is None,
    reason="an untouched Pyro5 speaks msgpack only with the package msgpack installed",
)


@pytest.fixture
def names():
    """A name server with two daemons, on a free port."""
    names = Names(secret=None, log=LOG)
    names.port = names.start("127.0.0.1", 0).port
    names.register(POLLER)
    names.register(SPARE)
    yield names
    names.close()


@pytest.fixture
def remote(names):
    """A proxy for it."""
    remote = proxy("127.0.0.1", names.port, OBJECT)
    yield remote
    remote._pyroRelease()


def untouched(program, port):
    """Run `program` with Pyro5 as it comes; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, str(port)],
        env=os.environ | {"PYRO_SERIALIZER": "msgpack"},
        capture_output=True,
        text=True,
        timeout=20,
    )
    return done.stdout + done.stderr


def test_entries_are_listed_by_prefix_and_by_metadata(names):
    assert names.list(prefix="shinken.paris.") == (POLLER, SPARE)
    assert names.list(prefix="shinken.london.") == ()
    assert names.list(metadata={"role": "scheduler", "spare": "1"}) == (SPARE,)
    assert names.list(metadata={"role": "scheduler", "spare": "0"}) == ()


def test_an_entry_registered_again_is_replaced_and_one_removed_is_gone(names):
    names.register(Entry(POLLER.name, POLLER.uri, {"role": "poller", "epoch": "4"}))
    names.remove(SPARE.name)

    (found,) = names.list(prefix="shinken.")
    assert found.metadata["epoch"] == "4"


def test_what_the_keepers_know_replaces_all_but_the_name_server_itself(names, remote):
    names.replace([SPARE])

    assert set(remote.list()) == {OBJECT, SPARE.name}


def test_a_replacement_that_is_wrong_changes_nothing(names):
    with pytest.raises(ValueError, match=r"shinken\.bad"):
        names.replace([SPARE, Entry("shinken.bad", "http://example.org/")])

    assert names.list(prefix="shinken.") == (POLLER, SPARE)


def test_daemons_are_looked_up_from_afar(remote):
    assert str(remote.lookup(POLLER.name)) == POLLER.uri
    assert remote.count() == 3
    assert remote.list(prefix="shinken.paris.poller") == {POLLER.name: POLLER.uri}
    assert list(remote.yplookup(meta_all=["role=poller"], return_metadata=False)) == [POLLER.name]
    assert set(remote.yplookup(meta_any=["role=poller", "spare=1"])) == {POLLER.name, SPARE.name}


@pytest.mark.parametrize(
    "ask",
    [
        lambda ns: ns.register("shinken.paris.arbiter.mine", POLLER.uri),
        lambda ns: ns.remove(POLLER.name),
        lambda ns: ns.remove(prefix="shinken"),
        lambda ns: ns.set_metadata(POLLER.name, ["spare=1"]),
        lambda ns: ns.list(regex="(a+)+$"),
        lambda ns: ns.list(prefix=3),
        lambda ns: ns.lookup("no such name"),
        lambda ns: ns.lookup(["x"]),
        lambda ns: ns.yplookup(meta_all="role=poller"),
        lambda ns: ns.yplookup(meta_all=[["x"]]),
        lambda ns: ns.yplookup(meta_all=["a"], meta_any=["b"]),
    ],
)
def test_nobody_writes_or_disturbs_from_afar(ask, names, remote):
    with pytest.raises(errors.PyroError):
        ask(remote)

    assert names.list(prefix="shinken.") == (POLLER, SPARE)
    assert remote.count() == 3


def test_with_a_secret_a_script_proves_it_and_a_stranger_sees_no_name():
    names = Names(secret=SECRET, log=LOG)
    port = names.start("127.0.0.1", 0).port
    names.register(POLLER)
    try:
        script = proxy("127.0.0.1", port, OBJECT, secret=SECRET)
        assert str(script.lookup(POLLER.name)) == POLLER.uri
        script._pyroRelease()
        with pytest.raises(errors.PyroError, match="cluster secret is required"):
            proxy("127.0.0.1", port, OBJECT).list()
    finally:
        names.close()


def test_without_a_secret_it_is_served_on_loopback_only():
    with pytest.raises(CannotServe, match="without a cluster secret"):
        Names(secret=None, log=LOG).start("0.0.0.0", 0)


@needs_msgpack
def test_an_untouched_pyro_client_looks_daemons_up(names):
    said = untouched(
        """
import sys, Pyro5.api
ns = Pyro5.api.locate_ns("127.0.0.1", int(sys.argv[1]))
print(ns.lookup("shinken.paris.poller.poller-1"), type(ns.lookup("shinken.paris.poller.poller-1")))
print(sorted(ns.yplookup(meta_all=["role=scheduler"])))
try:
    ns.remove("shinken.paris.poller.poller-1")
except Pyro5.errors.NamingError as error:
    print(error)
""",
        names.port,
    )

    assert said.splitlines() == [
        f"{POLLER.uri} <class 'Pyro5.core.URI'>",
        str([SPARE.name]),
        "read only: the keeper of this server keeps these names",
    ]


@needs_msgpack
def test_pyros_own_tool_lists_the_daemons(names):
    said = untouched(
        "import sys; from Pyro5.nsc import main; main(['-n', '127.0.0.1', '-p', sys.argv[1], 'list'])",
        names.port,
    )

    assert POLLER.uri in said
    assert "role=scheduler" in said


def test_an_untouched_pyro_client_with_another_serializer_is_told_what_to_set(names):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, Pyro5.api; Pyro5.api.Proxy('PYRO:Pyro.NameServer@127.0.0.1:'+sys.argv[1]).ping()",
            str(names.port),
        ],
        env={k: v for k, v in os.environ.items() if not k.startswith("PYRO_")},
        capture_output=True,
        text=True,
        timeout=20,
    )

    assert "set Pyro's SERIALIZER to msgpack" in done.stderr
