"""The name server of one server: where people and their tools look daemons up. Advisory only.

Nothing in the cluster decides by it: addresses come from the configuration. It answers Pyro's own clients
(`pyro5-nsc -n 127.0.0.1 -p 7766 list`, `Pyro5.api.locate_ns`) as far as reading goes; only the keeper writes, in its
own process. The transport's rules hold: those clients speak msgpack (`PYRO_SERIALIZER=msgpack`, package msgpack), and
where a cluster secret is set, a script proves it: `daemons.net.client.proxy(address, 7766, OBJECT, secret=...)`.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct
from Pyro5 import core, errors, nameserver, server

from daemons.net.handshake import Keyring
from daemons.net.transport import LIMITS, Limits, Server

OBJECT: Final[str] = core.NAMESERVER_NAME  # what Pyro's clients ask for
ENTRIES_MAX: Final = 10_000


class Entry(Struct, frozen=True):
    """One daemon: its name, where it answers, and facts such as role, realm, spare, server, epoch, instance."""

    name: str
    uri: str
    metadata: Mapping[str, str] = {}


def full_name(cluster: str, role: str, name: str) -> str:
    """Return the name of a daemon, which is also the id of its Pyro object."""
    return f"shinken.{cluster}.{role}.{name}"


def uri(object_id: str, address: str, port: int) -> str:
    """Return the Pyro URI of the object at `address`."""
    return f"PYRO:{object_id}@{f'[{address}]' if ':' in address else address}:{port}"


class Names:
    """The names on this server, served from `start` to `close`. Entered by any thread."""

    def __init__(
        self, *, secret: bytes | None, log: logging.Logger, limits: Limits = LIMITS
    ) -> None:
        """Begin empty and unserved; without `secret` only loopback is served."""
        self._ring = Keyring(secret)
        self._log = log
        self._limits = limits
        self._directory = nameserver.NameServer()
        self._server: Server | None = None

    def start(self, address: str, port: int) -> Server:
        """Serve the names at `address` (port 0: a free one). Raises transport.CannotServe."""
        self._server = Server(
            address, port, OBJECT, _Reading(self._directory), self._ring, self._log, self._limits
        )
        self.register(Entry(OBJECT, uri(OBJECT, self._server.address, self._server.port)))
        return self._server

    def close(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.close()

    def register(self, entry: Entry) -> None:
        """Add or replace one entry. Raises ValueError when its URI is none or there are too many."""
        with self._directory.lock:
            if self._directory.count() >= ENTRIES_MAX and entry.name not in self._directory.storage:
                raise ValueError(f"more than {ENTRIES_MAX} names")
            self._put(self._directory.storage, entry)

    def remove(self, name: str) -> None:
        """Forget `name`, if it is known."""
        self._directory.remove(name)

    def replace(self, entries: Iterable[Entry]) -> None:
        """Make `entries` all there is, at once: what the keepers of all servers know. Raises ValueError, changing nothing."""
        fresh = nameserver.MemoryStorage()
        for entry in entries:
            self._put(fresh, entry)
        if len(fresh) > ENTRIES_MAX:
            raise ValueError(f"more than {ENTRIES_MAX} names")
        with self._directory.lock:
            own = self._directory.storage.get(OBJECT)
            if own is not None:
                fresh[OBJECT] = own
            self._directory.storage = fresh

    def list(
        self, prefix: str = "", metadata: Mapping[str, str] | None = None
    ) -> tuple[Entry, ...]:
        """Return the entries whose name begins with `prefix` and that have all of `metadata`, by name."""
        wanted = _tags(metadata or {})
        with self._directory.lock:
            known = self._directory.storage.everything(return_metadata=True)
        return tuple(
            Entry(name, where, dict(tag.partition("=")[::2] for tag in sorted(tags)))
            for name, (where, tags) in sorted(known.items())
            if name.startswith(prefix) and wanted <= tags
        )

    def _put(self, storage: Any, entry: Entry) -> None:
        try:
            core.URI(entry.uri)
        except errors.PyroError as error:
            raise ValueError(f"{entry.name}: {error}") from error
        storage[entry.name] = entry.uri, _tags(entry.metadata)


def _tags(metadata: Mapping[str, str]) -> frozenset[str]:
    """Return metadata as Pyro's name server keeps it: a set of strings."""
    return frozenset(f"{key}={value}" for key, value in metadata.items())


class _Reading:
    """The part of Pyro's name server that is exposed: what reads, without regular expressions."""

    def __init__(self, directory: Any) -> None:
        self._directory = directory

    @server.expose  # type: ignore[untyped-decorator]  # Pyro5 carries no types
    def ping(self) -> None:
        """Return nothing, as Pyro's does."""

    @server.expose  # type: ignore[untyped-decorator]  # Pyro5 carries no types
    def count(self) -> int:
        """Return how many names there are."""
        return int(self._directory.count())

    @server.expose  # type: ignore[untyped-decorator]  # Pyro5 carries no types
    def lookup(self, name: str, return_metadata: bool = False) -> Any:
        """Return the URI of `name`, with its metadata if wanted. Raises errors.NamingError."""
        if not isinstance(name, str):
            raise errors.NamingError("a name is a string")
        return self._directory.lookup(name, return_metadata)

    @server.expose  # type: ignore[untyped-decorator]  # Pyro5 carries no types
    def list(
        self, prefix: str | None = None, regex: str | None = None, return_metadata: bool = False
    ) -> Any:
        """Return URI, or URI and metadata, by name. Raises errors.NamingError."""
        if regex is not None:  # one pattern can hold a core for hours
            raise errors.NamingError("regular expressions are not matched here: list by prefix")
        if prefix is not None and not isinstance(prefix, str):
            raise errors.NamingError("a prefix is a string")
        return self._directory.list(prefix=prefix, return_metadata=return_metadata)

    @server.expose  # type: ignore[untyped-decorator]  # Pyro5 carries no types
    def yplookup(
        self, meta_all: Any = None, meta_any: Any = None, return_metadata: bool = True
    ) -> Any:
        """Return the entries with all or any of these tags ("role=poller"). Raises errors.NamingError."""
        wanted = meta_all or meta_any or []
        if (meta_all and meta_any) or not _are_tags(wanted):
            raise errors.NamingError("a list of tags is expected, either for all or for any")
        return self._directory.yplookup(meta_all, meta_any, return_metadata)

    @server.expose  # type: ignore[untyped-decorator]  # Pyro5 carries no types
    def register(self, name: Any, uri: Any, safe: Any = False, metadata: Any = None) -> None:
        """Raise errors.NamingError."""
        raise errors.NamingError(READ_ONLY)

    @server.expose  # type: ignore[untyped-decorator]  # Pyro5 carries no types
    def set_metadata(self, name: Any, metadata: Any) -> None:
        """Raise errors.NamingError."""
        raise errors.NamingError(READ_ONLY)

    @server.expose  # type: ignore[untyped-decorator]  # Pyro5 carries no types
    def remove(self, name: Any = None, prefix: Any = None, regex: Any = None) -> int:
        """Raise errors.NamingError."""
        raise errors.NamingError(READ_ONLY)


READ_ONLY: Final = "read only: the keeper of this server keeps these names"


def _are_tags(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(tag, str) for tag in value)
