"""Clusters for the tests of this folder. All of them run in one worker: their figures are measured."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemons.cli.demo.files import Layout
from daemons.model.cluster import ROLES
from tests.live.cluster import Servers, layout_at, wait_until
from tests.retention.memcached_server import MemcachedServer

HERE = Path(__file__).parent
WATCHED = (*(f"{role}-dies" for role in ROLES), "scheduler-hangs", "keeper-dies")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts daemons."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.live)


def _ended(servers: Servers) -> None:
    left = servers.stop()
    assert not left, f"processes that nobody ended: {left}"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Callable[..., Servers]]:
    """Give what makes a cluster of one's own; all are ended with the test."""
    made: list[Servers] = []

    def make(**more: object) -> Servers:
        made.append(Servers(layout_at(tmp_path / f"cluster{len(made)}", **more)))
        return made[-1]

    yield make
    for servers in made:
        _ended(servers)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The cluster that tests share which each leave it whole, if not as it was."""
    base = tmp_path_factory.mktemp("shared") / "cluster"
    servers = Servers(layout_at(base, watched=WATCHED, check_s=3, retry_s=1))
    try:
        servers.start()
        yield servers
    finally:
        _ended(servers)


@pytest.fixture
def running(shared: Servers) -> Servers:
    """The shared cluster, whole: every check has run, a problem was told, every daemon runs."""
    wait_until(shared.has_begun, 40, "every check has run twice")
    wait_until(lambda: any(t.ended for t in shared.told()), 20, "a problem was notified")
    wait_until(lambda: shared.whole, 20, "every daemon of every server runs")
    return shared


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A layout for a drill, which starts and stops it itself."""
    return layout_at(tmp_path / "drill")


@pytest.fixture
def memcached() -> Iterator[MemcachedServer]:
    """A real memcached on a free port, with room."""
    server = MemcachedServer("-m", "256")
    yield server
    server.stop()
