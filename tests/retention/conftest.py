"""Memcached servers for the tests of this folder, and a clock that stands still."""

from collections.abc import Iterator

import pytest

from tests.retention.memcached_server import MemcachedServer
from tests.retention.redis_server import RedisServer, Watched


class Clock:
    """Shows `now_s` until somebody moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def shared_memcached() -> Iterator[MemcachedServer]:
    """For tests that leave it as it is, save for their own shards."""
    server = MemcachedServer("-m", "256")
    yield server
    server.stop()


@pytest.fixture
def memcached() -> Iterator[MemcachedServer]:
    """For tests that kill it, hang it, or empty it."""
    server = MemcachedServer("-m", "64")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """For tests that leave it as it is, save for their own shards."""
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """For tests that kill it, hang it, or empty it."""
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_watched() -> Iterator[Watched]:
    """Redis behind sentinels, for tests that leave it as it is."""
    watched = Watched()
    yield watched
    watched.stop()


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Redis behind sentinels, for tests that kill the master."""
    watched = Watched()
    yield watched
    watched.stop()
