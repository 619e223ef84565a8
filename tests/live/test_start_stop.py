"""`shinken start` and `stop` on one server, each daemon alone in the foreground, and what they refuse."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from Pyro5.errors import PyroError

from daemons.cli.demo.files import PORTS as ROLE_PORTS
from daemons.cli.reach import where
from daemons.cli.start import CannotStart, bundle_of, prepare
from daemons.model.cluster import PORTS, ROLES
from daemons.net.client import proxy
from daemons.net.names import OBJECT
from tests.live.cluster import Servers, processes_below, wait_until

BIN = Path(sys.executable).parent


@pytest.fixture
def stopped(cluster: Callable[..., Servers]) -> Servers:
    """Configuration files of a cluster that does not run."""
    return cluster()


def shinken(what: str, servers: Servers, *more: str) -> subprocess.CompletedProcess[str]:
    """Type `shinken what` for server1 and return what came of it."""
    return subprocess.run(
        [BIN / "shinken", what, *_options(servers), *more],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _options(servers: Servers) -> list[str]:
    layout = servers.layout
    return [
        "-c",
        str(layout.config),
        "--server",
        "server1",
        "--workdir",
        str(layout.workdir("server1")),
    ]


def _pids(servers: Servers) -> dict[str, int]:
    census = servers.census("server1")
    return {d.name: d.pid for d in census.daemons} if census else {}


def test_a_second_start_changes_nothing_and_stop_returns_when_all_has_ended(
    stopped: Servers,
) -> None:
    first = shinken("start", stopped)
    assert first.returncode == 0, first
    pids = _pids(stopped)
    assert len(pids) == 6 and all(pids.values())

    again = shinken("start", stopped)
    assert again.returncode == 0 and "runs already" in again.stdout
    assert _pids(stopped) == pids

    ended = shinken("stop", stopped)
    assert ended.returncode == 0, ended
    assert processes_below(stopped.layout.base) == []
    assert shinken("stop", stopped).returncode == 0


def test_a_keeper_in_the_foreground_ends_with_its_daemons(stopped: Servers) -> None:
    with _running([BIN / "shinken", "start", *_options(stopped), "--foreground"]) as keeper:
        wait_until(lambda: all(_pids(stopped).values()) and _pids(stopped), 20, "the daemons run")
        keeper.send_signal(signal.SIGINT)
        assert keeper.wait(20) == 0
    assert processes_below(stopped.layout.base) == []


def test_a_daemon_whose_port_is_taken_says_so_in_one_line(stopped: Servers) -> None:
    home = prepare((str(stopped.layout.config),), "server1", str(stopped.layout.workdir("server1")), lambda _: None)
    define = next(d for d in home.read().cluster.on(home.read().server.address) if d.role == "poller")
    with socket.create_server((define.address, define.port)):
        refused = subprocess.run(
            [BIN / "shinken-poller", "--workdir", str(home.path)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith("shinken-poller: ")
    assert "in use" in refused.stderr and "Traceback" not in refused.stderr


def test_each_daemon_runs_alone_in_the_foreground(stopped: Servers) -> None:
    layout = stopped.layout
    home = ["--workdir", str(layout.workdir("server1"))]
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(_running([BIN / "shinken-poller", *_options(stopped)]))
        wait_until(lambda: _health(stopped, "poller"), 20, "the poller answers")
        others = [r for r in ROLES if r != "poller"]
        rest = [stack.enter_context(_running([BIN / f"shinken-{r}", *home])) for r in others]
        for role in others:
            said = wait_until(lambda role=role: _health(stopped, role), 20, f"the {role} answers")
            assert (said["role"], said["server"], said["active"]) == (role, "server1", False)
        for daemon in (first, *rest):
            daemon.send_signal(signal.SIGTERM)
        assert [daemon.wait(20) for daemon in (first, *rest)] == [0] * len(ROLES)
    assert processes_below(layout.base) == []


def test_a_machine_that_no_arbiter_is_meant_for_is_told_which_names_would_match(
    cluster: Callable[..., Servers],
) -> None:
    """The pitfall that upstream's documentation warns of; there, the arbiter waits in silence."""
    addresses = tuple((f"server{n}", f"127.0.0.{n}") for n in (1, 2, 3))
    servers = cluster(addresses=addresses)  # 127.0.0.1 is this machine's, the others are nobody's
    config = servers.layout.config.parent / "shinken-specific.cfg"
    config.write_text(
        config.read_text().replace("host_name    server1", "host_name    no-such-host")
    )
    said = subprocess.run(
        [BIN / "shinken", "start", "-c", str(servers.layout.config), "--workdir", str(servers.layout.base / "w")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert said.returncode == 2, said
    assert f"{socket.gethostname()}" in said.stderr and "would match" in said.stderr
    assert "arbiter-master: host_name no-such-host" in said.stderr
    assert processes_below(servers.layout.base) == []


def test_a_server_that_is_not_configured_is_told_which_are(stopped: Servers) -> None:
    said = subprocess.run(
        [BIN / "shinken", "start", "-c", str(stopped.layout.config), "--server", "server9"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert said.returncode == 2
    assert "server9" in said.stderr and "server1 (127." in said.stderr
    assert processes_below(stopped.layout.base) == []


def test_a_port_that_is_taken_is_named_and_nothing_is_started(stopped: Servers) -> None:
    address = stopped.layout.addresses[0][1]
    with socket.create_server((address, ROLE_PORTS["poller"])):
        said = shinken("start", stopped)

    assert said.returncode != 0
    assert f"poller-master cannot listen at {address}:{ROLE_PORTS['poller']}" in said.stderr
    assert processes_below(stopped.layout.base) == []


def test_every_daemon_is_registered_with_every_name_server(running: Servers) -> None:
    for server, address in running.layout.addresses:
        with proxy(address, PORTS["names"], OBJECT) as names:
            found = wait_until(
                lambda names=names: _whole(names.list(prefix="shinken.demo.", return_metadata=True)),
                10, f"{server} knows all daemons",
            )  # fmt: skip
        for daemon in running.daemons():
            uri, tags = found[f"shinken.demo.{daemon.role}.{daemon.name}"]
            meta = dict(tag.partition("=")[::2] for tag in tags)
            assert set(meta) >= {"role", "realm", "spare", "server", "epoch", "instance"}
            assert (meta["role"], meta["spare"]) == (daemon.role, str(int("spare" in daemon.name)))
            assert meta["instance"] == daemon.instance and daemon.name in uri


def test_bytes_from_strangers_on_every_port_are_refused_without_harm(running: Servers) -> None:
    pids = {d.name: d.pid for d in running.daemons()}
    before = len(running.runs())
    rng = random.Random(7)
    noise = [
        rng.randbytes(4096),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(500),
        b"PYRO\x01\xf6" + rng.randbytes(34) + rng.randbytes(2000),
        b"PYRO" + b"\xff" * 40,
        b"",
    ]
    with contextlib.ExitStack() as silent:
        for at in _ports(running):
            for said in noise:
                silent.enter_context(_said(at, said))
        wait_until(lambda: len(running.runs()) > before + 30, 20, "checks go on meanwhile")
        assert {d.name: d.pid for d in running.daemons()} == pids
    wait_until(lambda: running.whole, 10, "every daemon beats")


def _ports(running: Servers) -> Iterator[tuple[str, int]]:
    for server, address in running.layout.addresses:
        bundle = bundle_of(str(running.layout.workdir(server)))
        for daemon in bundle.cluster.on(address):
            yield address, daemon.port
        yield address, PORTS["keeper"]
        yield address, PORTS["names"]


def _said(at: tuple[str, int], said: bytes) -> socket.socket:
    connection = socket.create_connection(at, timeout=5)
    with contextlib.suppress(OSError):  # it may have hung up half-way
        connection.sendall(said)
    return connection


def _whole(found: dict) -> dict | None:
    return found if len(found) >= 13 else None


def _health(servers: Servers, role: str) -> dict | None:
    try:
        bundle = bundle_of(str(servers.layout.workdir("server1")))
    except CannotStart:
        return None
    at = where(bundle, f"{role}-master")
    assert at is not None
    with contextlib.suppress(OSError, PyroError), proxy(*at) as daemon:
        return daemon.health()
    return None


@contextlib.contextmanager
def _running(argv: list) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)
