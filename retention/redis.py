"""Retention in redis, alone or behind sentinels: pages and manifest are `retention.paged`.

The one thing to know: a redis that fails over keeps what its replica had, which may lack writes that
the old master acknowledged. So the server process is part of the shard's incarnation: another run id,
or an older manifest, and the shard is written whole with the next save.

Values are bytes, read no further than an item of ours can be; nothing in redis is believed before its
checksum (`retention.envelope`). No retries by the library: after any error the connection is given
up, and with sentinels the master is asked for anew.
"""

import re
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from hashlib import sha1
from typing import Any, TypeVar

from msgspec import Struct
from redis import ConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.exceptions import ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel

from retention.api import Clock, Unavailable
from retention.batches import of_items, of_keys
from retention.layout import ITEM_BYTES_MAX
from retention.paged import PagedRetention

TIMEOUT_S = 0.5  # of each connect, send and receive
SENTINEL_S = 0.3  # a sentinel that is silent for so long: the next one is asked
TTL_S = 7 * 24 * 3600  # a week: longer than any outage we promise to survive

# Sets KEYS[1] to ARGV[3] if it holds what ARGV[1] (1: something, 0: nothing) and ARGV[2] (its SHA1) say.
SWAP = """
local held = redis.pcall('GET', KEYS[1])
local there = type(held) == 'string'
if (ARGV[1] == '1') ~= there then return 0 end
if there and redis.sha1hex(held) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
return 1
"""

_Sentinel: Any = Sentinel  # the library carries no types here
T = TypeVar("T")


class Place(Struct, frozen=True):
    """Where a redis is, and how to get in."""

    address: tuple[str, int] = ("127.0.0.1", 6379)
    sentinels: tuple[tuple[str, int], ...] = ()  # instead of the address
    master: str = "mymaster"  # as the sentinels call it
    database: int = 0
    prefix: str = ""  # of every key: several clusters may share a redis
    username: str = ""
    password_file: str = ""
    sentinel_password_file: str = ""
    tls: bool = False
    tls_ca_file: str = ""
    tls_cert_file: str = ""
    tls_key_file: str = ""

    def __str__(self) -> str:
        """As an operator knows it."""
        if self.sentinels:
            return f"redis {self.master} by {len(self.sentinels)} sentinels"
        return f"redis {self.address[0]}:{self.address[1]}/{self.database}"


class RedisItems:
    """Speaks to the redis at `place`. One thread at a time. All raise Unavailable."""

    advice = "give redis more memory (maxmemory), or maxmemory-policy noeviction"

    def __init__(self, place: Place, timeout_s: float = TIMEOUT_S) -> None:
        """Nothing is sent yet."""
        self._place = place
        self._timeout_s = timeout_s
        self._client: Redis | None = None
        self._process = ""

    def get(self, keys: Collection[str]) -> dict[str, bytes]:
        """Return those of `keys` that are there; one of another type is not there."""
        found: dict[str, bytes] = {}
        for batch in of_keys(keys):
            values = self._asked(partial(_get, names=[self._name(key) for key in batch]))
            # GETRANGE says "" of what is not there; nothing of ours is empty.
            found |= {
                k: v for k, v in zip(batch, values, strict=True) if isinstance(v, bytes) and v
            }
        return found

    def put(self, items: Mapping[str, bytes]) -> None:
        """Keep `items`, in batches. One refused item makes the whole put Unavailable."""
        for batch in of_items({self._name(key): value for key, value in items.items()}):
            self._put(batch)

    def add(self, key: str, value: bytes) -> bool:
        """Keep `value` for ever if `key` is not there; return whether it was so."""
        name = self._name(key)
        return self._asked(lambda client: bool(client.set(name, value, nx=True)))

    def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        """Replace `old` (None: nothing) by `new`, in one step of the server; False: another was there."""
        name = self._name(key)

        def swap(client: Redis) -> bool:
            is_there, known = (b"1", _sha1(old)) if old is not None else (b"0", b"")
            return bool(client.eval(SWAP, 1, name, is_there, known, new, TTL_S))

        return self._asked(swap)

    def absent(self, keys: Collection[str]) -> list[str]:
        """Return those of `keys` that are not there; the others live for another TTL_S."""
        gone: list[str] = []
        for batch in of_keys(keys):
            alive = self._asked(partial(_expire, names=[self._name(key) for key in batch]))
            gone += [key for key, there in zip(batch, alive, strict=True) if not there]
        return gone

    def delete(self, keys: Collection[str]) -> None:
        """Forget `keys`, there or not."""
        for batch in of_keys(keys):
            self._asked(partial(_unlink, names=[self._name(key) for key in batch]))

    def process(self) -> str:
        """Return the run id of the redis process that is connected, "" before the first call."""
        return self._process

    def close(self) -> None:
        """Give the connection up."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
            client.connection_pool.disconnect()

    def __str__(self) -> str:
        """As an operator knows it."""
        return str(self._place)

    def _name(self, key: str) -> str:
        return self._place.prefix + key

    def _put(self, batch: Mapping[str, bytes]) -> None:
        """Keep one batch."""

        def put(client: Redis) -> None:
            with client.pipeline(transaction=False) as pipe:
                for name, value in batch.items():
                    pipe.set(name, value, ex=TTL_S)
                pipe.execute()

        self._asked(put)

    def _asked(self, ask: Callable[[Redis], T]) -> T:
        """Return what `ask` returns, on a connection that is given up when it fails."""
        try:
            return ask(self._connected())
        except (RedisError, OSError, ValueError, LookupError) as error:
            self.close()
            raise Unavailable(f"{self}: {type(error).__name__}: {error}") from error

    def _connected(self) -> Redis:
        """The open connection, or a new one, to whom the sentinels call master now."""
        if self._client is None:
            address = _master(self._place) if self._place.sentinels else self._place.address
            pool = ConnectionPool(
                connection_class=SSLConnection if self._place.tls else Connection,
                max_connections=1,
                host=address[0],
                port=address[1],
                redis_connect_func=self._greet,
                **_manners(self._place, self._timeout_s),
            )
            self._client = Redis(connection_pool=pool)
        return self._client

    def _greet(self, connection: Any) -> None:
        """Log in on a new connection, which the library may also make by itself, and note with whom."""
        connection.on_connect()
        connection.send_command("INFO", "server")
        said = bytes(connection.read_response())
        found = re.search(rb"^run_id:(\w+)", said, re.MULTILINE)
        self._process = found[1].decode() if found else ""


class RedisRetention(PagedRetention):
    """Keeps shards in the redis at `place`."""

    def __init__(
        self, place: Place, timeout_s: float = TIMEOUT_S, clock: Clock = time.monotonic
    ) -> None:
        """Nothing is sent yet; `clock` may be a virtual one."""
        super().__init__(RedisItems(place, timeout_s), clock)


def _manners(place: Place, timeout_s: float) -> dict[str, Any]:
    """How the library is to behave: one connection, short time-outs, no retries of its own."""
    return {
        "db": place.database,
        "username": place.username or None,
        "password": _password(place.password_file),
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "decode_responses": False,
        **(_tls(place) if place.tls else {}),
    }


def _tls(place: Place) -> dict[str, Any]:
    """The library's TLS options; a certificate is always checked."""
    return {
        "ssl_cert_reqs": "required",
        "ssl_ca_certs": place.tls_ca_file or None,
        "ssl_certfile": place.tls_cert_file or None,
        "ssl_keyfile": place.tls_key_file or None,
    }


def _master(place: Place) -> tuple[str, int]:
    """Return where the sentinels say the master is. Raises RedisError."""
    manners = {
        "password": _password(place.sentinel_password_file),
        "socket_timeout": SENTINEL_S,
        "socket_connect_timeout": SENTINEL_S,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        **({"ssl": True, **_tls(place)} if place.tls else {}),
    }
    sentinel = _Sentinel(list(place.sentinels), sentinel_kwargs=manners)
    try:
        host, port = sentinel.discover_master(place.master)
    finally:
        for asked in sentinel.sentinels:
            asked.connection_pool.disconnect()
    return str(host), int(port)


def _password(path: str) -> str | None:
    """Return the first line of the file; None without one. Raises OSError."""
    if not path:
        return None
    with open(path, encoding="utf-8") as file:
        return file.readline().rstrip("\r\n") or None


def _get(client: Redis, names: list[str]) -> list[Any]:
    """The values of `names`, each cut to what an item of ours can be; errors stand for wrong types."""
    with client.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.getrange(name, 0, ITEM_BYTES_MAX)
        found = pipe.execute(raise_on_error=False)
    for value in found:
        if isinstance(value, ResponseError) and not str(value).startswith("WRONGTYPE"):
            raise value
        if isinstance(value, RedisError) and not isinstance(value, ResponseError):
            raise value
    return list(found)


def _expire(client: Redis, names: list[str]) -> list[bool]:
    """For each of `names` whether it is there, and now for another TTL_S."""
    with client.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.expire(name, TTL_S)
        return [bool(found) for found in pipe.execute()]


def _unlink(client: Redis, names: list[str]) -> None:
    """Forget `names`."""
    client.unlink(*names)


def _sha1(data: bytes) -> bytes:
    """As redis.sha1hex says it: tells values apart, protects nothing."""
    return sha1(data, usedforsecurity=False).hexdigest().encode()
