"""Modules that daemons name: `define module` blocks, and built-in types that need none.

The one thing to know: a name is matched without regard to case and of `-` and `_`, so that the
documented `modules Simple-log,Livestatus` works as it stands.
"""

from collections.abc import Collection

from daemons.config.complain import Complaints, did_you_mean
from daemons.config.lexer import Block
from daemons.config.values import words
from daemons.model.cluster import ModuleDef

# Types that this system brings, and the role that runs them. A test holds this table to those of
# `daemons.modules` and `retention`, which this layer cannot ask.
BUILT_IN: dict[str, str] = {
    "simple-log": "broker",
    "livestatus": "broker",
    "host-perfdata": "broker",
    "service-perfdata": "broker",
    "named-pipe": "receiver",
    "sqlite-retention": "scheduler",
    "memcached-retention": "scheduler",
    "redis-retention": "scheduler",
    "memory": "scheduler",
    "no-retention": "scheduler",
}
# Names under which the field knows them.
ALIASES = {
    "memcache-retention": "memcached-retention",
    "mem-cache-retention": "memcached-retention",
    "memory-retention": "memory",
    "redis": "redis-retention",
    "simplelog": "simple-log",
    "perfdata-host": "host-perfdata",
    "perfdata-service": "service-perfdata",
    "namedpipe": "named-pipe",
}
OUTLIVES_PROCESS = frozenset({"sqlite-retention", "memcached-retention", "redis-retention"})
OUTLIVES_SERVER = frozenset({"memcached-retention", "redis-retention"})
_OWN = frozenset({"module_name", "module_type", "use", "name", "register", "imported_from"})


def normal(name: str) -> str:
    """Return a module name or type as it is compared: lower case, `-` for `_`."""
    folded = name.strip().lower().replace("_", "-")
    return ALIASES.get(folded, folded)


class Modules:
    """The modules of a configuration; built-in ones appear when a daemon names them."""

    def __init__(
        self,
        objects: dict[str, tuple[Block, dict[str, str]]],
        complaints: Complaints,
        installed: Collection[str] = (),
    ) -> None:
        """Read the `define module` blocks; `installed` are types that others brought here."""
        self._complaints = complaints
        self._installed = frozenset(normal(type) for type in installed)
        self._found: dict[str, ModuleDef] = {}
        for name, (block, attrs) in objects.items():
            type = attrs.get("module_type", "")
            if not type:
                complaints.error(f"module {name} has no module_type", block.where)
                continue
            options = {a: v for a, v in sorted(attrs.items()) if a not in _OWN}
            self.add(ModuleDef(name, normal(type), options, block.where))

    def add(self, module: ModuleDef) -> None:
        """Add a module that a daemon may name."""
        self._found[normal(module.name)] = module

    def defined(self, type: str) -> bool:
        """Return whether there is a module of that type."""
        return any(module.type == type for module in self._found.values())

    def runs(self, type: str) -> bool:
        """Return whether a module of that type can be run here: it is brought by us or installed."""
        return type in BUILT_IN or type in self._installed

    def named(self, value: str, role: str, label: str, block: Block) -> tuple[str, ...]:
        """Return the names of the modules in the list `value` that a daemon of `role` can run.

        `label` and `block` are who names them.
        """
        found: dict[str, None] = {}
        for word in words(value):
            module = self._find(normal(word))
            where = block.where_of("modules")
            if module is None:
                known = sorted({m.name for m in self._found.values()} | BUILT_IN.keys())
                self._complaints.error(
                    f"{label}: there is no module {word}; known are {', '.join(known)}",
                    where,
                    did_you_mean(normal(word), known),
                )
            elif module.type in self._installed:
                found[module.name] = None
            elif module.type not in BUILT_IN:
                self._complaints.warning(
                    f"{label}: module {word} is of the type {module.type}, which is not installed;"
                    " it is ignored",
                    where,
                )
            elif BUILT_IN[module.type] != role:
                self._complaints.warning(
                    f"{label}: {_a(role)} does not run {word}; it is ignored",
                    where,
                    f"name it in the modules of {_a(BUILT_IN[module.type])}",
                )
            else:
                found[module.name] = None
        return tuple(found)

    def _find(self, key: str) -> ModuleDef | None:
        """Return the module called `key`; a built-in or installed type is one from now on."""
        if key not in self._found and (key in BUILT_IN or key in self._installed):
            self._found[key] = ModuleDef(key, key, built_in=True)
        return self._found.get(key)

    def all(self) -> tuple[ModuleDef, ...]:
        """Return the modules, sorted by name."""
        return tuple(sorted(self._found.values(), key=lambda m: m.name))


def _a(role: str) -> str:
    return f"an {role}" if role[0] in "aeiou" else f"a {role}"
