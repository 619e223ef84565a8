"""The modules of brokers and receivers: the tables of what is built in, and how others are found.

Third parties publish a factory, of the shape their table shows, under the entry-point group
`shinken.modules`, named as the module type is.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from daemons.model.cluster import Cluster, ModuleDef
from daemons.modules.api import Factory, Module, Setting
from daemons.modules.livestatus import Livestatus
from daemons.modules.named_pipe import Deliver, NamedPipe
from daemons.modules.perfdata_file import HostPerfdata, ServicePerfdata
from daemons.modules.simple_log import SimpleLog

GROUP = "shinken.modules"

BROKER_MODULES: dict[str, Factory] = {
    "simple-log": SimpleLog,
    "livestatus": Livestatus,
    "host-perfdata": HostPerfdata,
    "service-perfdata": ServicePerfdata,
}

RECEIVER_MODULES: dict[str, Callable[[Setting, Deliver], NamedPipe]] = {
    "named-pipe": NamedPipe,
}


class UnknownModule(Exception):
    """A daemon names a module that is neither defined, built in nor installed."""


def normal(name: str) -> str:
    """Return a module name or type as names are compared: lower case, `-` for `_`."""
    return name.strip().lower().replace("_", "-")


def broker_modules(
    daemon: str, cluster: Cluster, folder: Path, clock: Callable[[], float]
) -> dict[str, Module]:
    """Return the modules of the broker `daemon`, by name, ready to be fed.

    `folder` is where they keep files whose place the operator did not choose. Raises UnknownModule,
    and OSError when a module cannot open what it needs.
    """
    modules: dict[str, Module] = {}
    for kind, setting in _settings(daemon, cluster, folder, clock):
        modules[normal(setting.name)] = _factory(BROKER_MODULES, kind)(setting)
    return modules


def receiver_modules(
    daemon: str, cluster: Cluster, folder: Path, clock: Callable[[], float], deliver: Deliver
) -> dict[str, NamedPipe]:
    """Return the modules of the receiver `daemon`, by name, not yet started.

    Each calls `deliver` with what comes in. Raises UnknownModule and OSError.
    """
    modules: dict[str, NamedPipe] = {}
    for kind, setting in _settings(daemon, cluster, folder, clock):
        modules[normal(setting.name)] = _factory(RECEIVER_MODULES, kind)(setting, deliver)
    return modules


def _settings(
    daemon: str, cluster: Cluster, folder: Path, clock: Callable[[], float]
) -> list[tuple[str, Setting]]:
    """Type and setting of each module that `daemon` names."""
    me = cluster.daemon(daemon)
    names: Sequence[str] = me.modules if me is not None else ()
    found = []
    for name in names:
        module = _defined(name, cluster)
        setting = Setting(
            module.name, module.options, daemon, folder, clock, cluster.macros, cluster.settings
        )
        found.append((normal(module.type), setting))
    return found


def _defined(name: str, cluster: Cluster) -> ModuleDef:
    """The `define module` block called `name`; without one the name is that of a type."""
    defined = next((m for m in cluster.modules if normal(m.name) == normal(name)), None)
    return defined or ModuleDef(name, normal(name), built_in=True)


def _factory(table: dict[str, Any], kind: str) -> Any:
    """Factory of a module type; `Any` because an installed one is only known at run time."""
    if kind in table:
        return table[kind]
    for entry in entry_points(group=GROUP):
        if normal(entry.name) == kind:
            return entry.load()
    raise UnknownModule(f"no module type {kind!r}: built in are {', '.join(sorted(table))}")
