"""Where states outlive their scheduler: the table of stores, by the module type of the field.

Third parties add to the table with the entry-point group `shinken.retention`: the entry's name is
the module type, its object a factory like those below.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from os.path import join

from retention.api import Retention
from retention.memcached import MemcachedRetention
from retention.memory import MemoryRetention
from retention.sqlite import SqliteRetention

Factory = Callable[[Mapping[str, str], str], Retention]  # options of the module, work directory


class UnknownStore(LookupError):
    """The operator named a store that there is not; the text names those there are."""


class BadOption(ValueError):
    """The operator gave a store an option that it cannot use."""


def _memory(options: Mapping[str, str], workdir: str) -> Retention:
    """Options: none."""
    return MemoryRetention()


def _sqlite(options: Mapping[str, str], workdir: str) -> Retention:
    """Options: `path`, within the work directory unless absolute."""
    return SqliteRetention(join(workdir, options.get("path", "") or "retention.db"))


def _memcached(options: Mapping[str, str], workdir: str) -> Retention:
    """Options: `server`, `port`, as mod-retention-memcache has them; "host:port" too."""
    host = options.get("server", "").strip() or "127.0.0.1"
    port = options.get("port", "").strip()
    if host.count(":") == 1:
        host, _, its_port = host.partition(":")
        port = port or its_port
    port = port or "11211"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise BadOption(f"port of the memcached retention: {port!r} is no port")
    return MemcachedRetention((host, int(port)))


MODULES: dict[str, Factory] = {
    "memory": _memory,
    "sqlite-retention": _sqlite,
    "memcached-retention": _memcached,
    "memcache-retention": _memcached,  # module_type of the field
    "mem-cache-retention": _memcached,  # module_name of the field
}


def normalised(module_type: str) -> str:
    """Return `module_type` as the table has it: case and `_` for `-` do not matter."""
    return module_type.strip().lower().replace("_", "-")


def open_store(module_type: str, options: Mapping[str, str], workdir: str) -> Retention:
    """Return a store of `module_type`; nothing is asked of it yet.

    Raises UnknownStore, BadOption.
    """
    wanted = normalised(module_type)
    if wanted in MODULES:
        return MODULES[wanted](options, workdir)
    others = {normalised(entry.name): entry for entry in entry_points(group="shinken.retention")}
    if wanted in others:
        factory: Factory = others[wanted].load()
        return factory(options, workdir)
    known = ", ".join(sorted({*MODULES, *others}))
    raise UnknownStore(f"there is no retention module {module_type!r}; there are {known}")
