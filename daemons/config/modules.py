"""Modules that daemons name: `define module` blocks, and built-in types that need none.

The one thing to know: a name is matched without regard to case and of `-` and `_`, so that the
documented `modules Simple-log,Livestatus` works as it stands.
"""

from daemons.config.complain import Complaints, did_you_mean
from daemons.config.lexer import Block
from daemons.config.values import words
from daemons.model.cluster import ModuleDef

# Types that this system brings, by role.
BUILT_IN: dict[str, str] = {
    "simple-log": "broker",
    "livestatus": "broker",
    "prometheus": "broker",
    "graphite": "broker",
    "http": "receiver",
    "named-pipe": "receiver",
    "nsca": "receiver",
    "nrpe": "poller",
    "sqlite-retention": "scheduler",
    "memcached-retention": "scheduler",
    "redis-retention": "scheduler",
    "memory-retention": "scheduler",
}
# Names under which Shinken's users know them.
ALIASES = {
    "memcache-retention": "memcached-retention",
    "memcached": "memcached-retention",
    "redis": "redis-retention",
    "sqlite": "sqlite-retention",
    "memory": "memory-retention",
    "simplelog": "simple-log",
    "namedpipe": "named-pipe",
    "booster-nrpe": "nrpe",
    "nrpe-poller": "nrpe",
}
RETENTION = frozenset(name for name in BUILT_IN if name.endswith("-retention"))
OUTLIVES_SERVER = frozenset({"memcached-retention", "redis-retention"})
_OWN = frozenset({"module_name", "module_type", "use", "name", "register", "imported_from"})


def normal(name: str) -> str:
    """Return a module name or type as it is compared: lower case, `-` for `_`."""
    folded = name.strip().lower().replace("_", "-")
    return ALIASES.get(folded, folded)


class Modules:
    """The modules of a configuration; built-in ones appear when a daemon names them."""

    def __init__(
        self, objects: dict[str, tuple[Block, dict[str, str]]], complaints: Complaints
    ) -> None:
        """Read the `define module` blocks."""
        self._complaints = complaints
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

    def named(self, value: str, label: str, where: str) -> tuple[str, ...]:
        """Return the names of the modules in the list `value`; `label` and `where` are who names them."""
        found: dict[str, None] = {}
        for word in words(value):
            key = normal(word)
            module = self._found.get(key)
            if module is None and key in BUILT_IN:
                module = ModuleDef(key, key, built_in=True)
                self._found[key] = module
            if module is None:
                known = sorted({m.name for m in self._found.values()} | BUILT_IN.keys())
                self._complaints.error(
                    f"{label}: there is no module {word}; known are {', '.join(known)}",
                    where,
                    did_you_mean(key, known),
                )
                continue
            if module.type not in BUILT_IN:
                self._complaints.warning(
                    f"{label}: module {word} has the type {module.type}, which this system does not"
                    " bring; it is ignored",
                    module.where or where,
                )
            found[module.name] = None
        return tuple(found)

    def all(self) -> tuple[ModuleDef, ...]:
        """Return the modules, sorted by name."""
        return tuple(sorted(self._found.values(), key=lambda m: m.name))
