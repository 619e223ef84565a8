"""One memcached, without the traps of its client library.

Every command waits for its answer (`noreply` loses refused items silently), no error is taken for
"not found" (`ignore_exc` turns an outage into "no state"), keys are ours and short, and after any
error the connection is given up: what follows starts on a new one.
"""

import socket
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import TypeVar

from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheError

from retention.api import Unavailable
from retention.batches import of_items, of_keys

TIMEOUT_S = 0.5  # of each connect, send and receive
TTL_S = 7 * 24 * 3600  # a week: longer than any outage we promise to survive

T = TypeVar("T")
Ask = Callable[[Client], T]


class Connection:
    """Speaks to the memcached at `(host, port)`. One thread at a time. All raise Unavailable."""

    advice = "give memcached more memory (-m), and nobody else"

    def __init__(self, address: tuple[str, int], timeout_s: float = TIMEOUT_S) -> None:
        """Nothing is sent yet."""
        self.address = address
        self._timeout_s = timeout_s
        self._client: Client | None = None

    def get(self, keys: Collection[str]) -> dict[str, bytes]:
        """Return those of `keys` that are there."""
        found: dict[str, bytes] = {}
        for batch in of_keys(keys):
            found.update(self._asked(partial(_get, keys=batch)))
        return found

    def put(self, items: Mapping[str, bytes]) -> None:
        """Keep `items`, in batches. One refused item makes the whole put Unavailable."""
        for batch in of_items(items):
            self._put(batch)

    def add(self, key: str, value: bytes) -> bool:
        """Keep `value` for ever if `key` is not there; return whether it was so."""
        return self._asked(lambda client: bool(client.add(key, value, expire=0, noreply=False)))

    def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        """Replace `old` (None: nothing) by `new`; False: something else was there.

        The token lives from the get to the set and no longer: a restarted memcached counts its
        tokens from one again, so an old token may fit a newer value.
        """

        def swap(client: Client) -> bool:
            value, token = client.gets(key)
            if value != old:
                return False
            if value is None:
                return bool(client.add(key, new, expire=TTL_S, noreply=False))
            return bool(client.cas(key, new, token, expire=TTL_S, noreply=False))

        return self._asked(swap)

    def absent(self, keys: Collection[str]) -> list[str]:
        """Return those of `keys` that are not there; the others live for another TTL_S."""

        def touch(client: Client) -> list[str]:
            return [key for key in keys if not client.touch(key, expire=TTL_S, noreply=False)]

        return self._asked(touch)

    def delete(self, keys: Collection[str]) -> None:
        """Forget `keys`, there or not."""
        for batch in of_keys(keys):
            self._asked(partial(_delete, keys=batch))

    def process(self) -> str:
        """Return "": a memcached that was restarted is empty, and that is seen."""
        return ""

    def close(self) -> None:
        """Give the connection up."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _put(self, batch: Mapping[str, bytes]) -> None:
        """Keep one batch."""
        refused = self._asked(lambda client: list(client.set_many(batch, TTL_S, noreply=False)))
        if refused:
            raise Unavailable(f"{self} refused {len(refused)} of {len(batch)} items")

    def _asked(self, ask: Ask[T]) -> T:
        """Return what `ask` returns, on a connection that is given up when it fails.

        A server that is no memcached makes the library stumble over its answer with ValueError
        or LookupError.
        """
        try:
            return ask(self._connected())
        except (OSError, MemcacheError, ValueError, LookupError) as error:
            self.close()
            raise Unavailable(f"{self}: {type(error).__name__}: {error}") from error

    def _connected(self) -> Client:
        """The open connection, or a new one to the first address of the host that answers.

        The library tries only the first: with "localhost" that is ::1, where a Debian memcached
        does not listen.
        """
        if self._client is not None:
            return self._client
        host, port = self.address
        failure: OSError | MemcacheError = OSError("host has no address")
        for *_, sockaddr in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            client = Client(
                (sockaddr[0], port),
                connect_timeout=self._timeout_s,
                timeout=self._timeout_s,
                no_delay=True,
                ignore_exc=False,
                default_noreply=False,
            )
            try:
                client.version()
            except (OSError, MemcacheError) as error:
                failure = error
                with suppress(OSError):
                    client.close()
            else:
                self._client = client
                return client
        raise failure

    def __str__(self) -> str:
        """As an operator knows it."""
        return f"memcached {self.address[0]}:{self.address[1]}"


def _get(client: Client, keys: list[str]) -> dict[str, bytes]:
    """Those of `keys` that are there."""
    return dict(client.get_many(keys))


def _delete(client: Client, keys: list[str]) -> None:
    """Forget `keys`."""
    client.delete_many(keys, noreply=False)
