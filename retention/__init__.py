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
    return MemcachedRetention(_address(options, 11211, "memcached"))


def _address(options: Mapping[str, str], default_port: int, kind: str) -> tuple[str, int]:
    """The `server` and `port` of `options`. Raises BadOption."""
    host = options.get("server", "").strip() or "127.0.0.1"
    port = options.get("port", "").strip()
    if host.count(":") == 1:
        host, _, its_port = host.partition(":")
        port = port or its_port
    port = port or str(default_port)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise BadOption(f"port of the {kind} retention: {port!r} is no port")
    return host, int(port)


def _redis(options: Mapping[str, str], workdir: str) -> Retention:
    """Options: `server`, `port`, or `sentinel` (host:port, ...) and `master_name`; `database`, `prefix`,
    `username`, `password_file`, `sentinel_password_file`, `tls`, `tls_ca_file`, `tls_cert_file`, `tls_key_file`.
    """
    from retention.redis import Place, RedisRetention  # 10 MB that only its users should carry

    words = options.get("sentinel", "").replace(",", " ").split()
    database = options.get("database", options.get("db", "0")).strip() or "0"
    if not (database.isascii() and database.isdigit()):
        raise BadOption(f"database of the redis retention: {database!r} is no number")
    if unknown := sorted(options.keys() - REDIS_OPTIONS):
        raise BadOption(
            f"the redis retention has no option {unknown[0]!r}; it has {', '.join(sorted(REDIS_OPTIONS))}"
        )
    return RedisRetention(
        Place(
            address=_address(options, 6379, "redis"),
            sentinels=tuple(_address({"server": word}, 26379, "redis") for word in words),
            master=options.get("master_name", "").strip() or "mymaster",
            database=int(database),
            prefix=options.get("prefix", "").strip(),
            tls=options.get("tls", "0").strip() not in ("", "0"),
            **{
                name: options.get(name, "").strip()
                for name in ("username", "password_file", "sentinel_password_file")
            },
            **{
                name: options.get(name, "").strip()
                for name in ("tls_ca_file", "tls_cert_file", "tls_key_file")
            },
        )
    )


REDIS_OPTIONS = frozenset(
    [
        "server",
        "port",
        "sentinel",
        "master_name",
        "database",
        "db",
        "prefix",
        "username",
        "password_file",
        "sentinel_password_file",
        "tls",
        "tls_ca_file",
        "tls_cert_file",
        "tls_key_file",
    ]
)

MODULES: dict[str, Factory] = {
    "memory": _memory,
    "sqlite-retention": _sqlite,
    "memcached-retention": _memcached,
    "memcache-retention": _memcached,  # module_type of the field
    "mem-cache-retention": _memcached,  # module_name of the field
    "redis-retention": _redis,
    "redis": _redis,
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
