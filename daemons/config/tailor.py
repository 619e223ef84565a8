"""What a host says about the services it is given: service_includes, service_excludes, service_overrides.

The one thing to know: a name is a description, `*`, or `r:` and a regular expression that matches from
the beginning. All three are inherited from host templates like any attribute.
Source: Shinken, "Host": service_overrides, service_excludes; docs/language.md.
"""

import re
from collections.abc import Callable

from msgspec import Struct

from daemons.config.complain import Complaints, did_you_mean
from daemons.config.hosts import HostDef, Hosts
from daemons.config.lexer import Block
from daemons.config.schema import KINDS
from daemons.config.templates import NULL, Templates
from daemons.config.values import wrong

Matches = Callable[[str], object]
ATTRS = ("service_includes", "service_excludes", "service_overrides")
FORBIDDEN = frozenset(
    {"host_name", "service_description", "use", "servicegroups", "trigger", "trigger_name"}
)
_OVERRIDE = re.compile(r"\s*([^,].*?)\s*,\s*([A-Za-z_][\w!]*)\s+(.*)", re.DOTALL)
_SERVICE = KINDS["service"]


class Override(Struct, frozen=True):
    """One line of service_overrides."""

    name: str  # of the services, as written
    matches: Matches
    attr: str
    value: str
    said_by: Block  # the host, or the host template
    inherited: bool

    @property
    def where(self) -> str:
        """The "file:line" of it."""
        return self.said_by.where_of("service_overrides", f"{self.name},")


class Tailoring(Struct, frozen=True):
    """What one host wants and does not want of its services."""

    includes: tuple[Matches, ...] | None = None  # None = all
    excludes: tuple[Matches, ...] = ()
    overrides: tuple[Override, ...] = ()

    def wants(self, description: str) -> bool:
        """Return whether the host has the service at all."""
        if self.includes is not None and not any(m(description) for m in self.includes):
            return False
        return not any(m(description) for m in self.excludes)

    def forbids(self, description: str) -> bool:
        """Return whether it is excluded by name, whatever it is made into."""
        return any(m(description) for m in self.excludes)


def tailorings(hosts: Hosts, templates: Templates, complaints: Complaints) -> dict[str, Tailoring]:
    """Return what each host that says anything says; complain about what cannot be read."""
    found: dict[str, Tailoring] = {}
    for name, host in hosts.items():
        own, inherited = host.block.attrs, host.proto.attrs
        if any(attr in own or attr in inherited for attr in ATTRS):
            found[name] = _Reader(name, host, templates, complaints).tailoring()
    return found


class _Reader(Struct):
    name: str
    host: HostDef
    templates: Templates
    complaints: Complaints

    def tailoring(self) -> Tailoring:
        included = self._entries("service_includes", ",")
        return Tailoring(
            includes=tuple(self._matches("service_includes", e) for e in included) or None,
            excludes=tuple(
                self._matches("service_excludes", e) for e in self._entries("service_excludes", ",")
            ),
            overrides=tuple(
                o for e in self._entries("service_overrides", "\n") if (o := self._override(e))
            ),
        )

    def _entries(self, attr: str, separator: str) -> list[str]:
        value = self.templates.value(self.host.block.attrs, self.host.proto, attr) or ""
        parts = value.replace("\n", separator).split(separator)
        return [part for raw in parts if (part := raw.strip())]

    def _said_by(self, attr: str, text: str) -> Block:
        """Return the block that says `text`: the host's, or that of one of its templates."""
        block = self.host.block
        if text in block.attrs.get(attr, ""):
            return block
        return self.host.proto.origin.get(attr, block)

    def _error(self, attr: str, entry: str, text: str, fix: str = "") -> None:
        where = self._said_by(attr, entry).where_of(attr, entry)
        self.complaints.error(f"host {self.name}: {attr}: {text}", where, fix)

    def _matches(self, attr: str, name: str) -> Matches:
        if name == "*":
            return lambda _: True
        if not name.startswith("r:"):
            return name.__eq__
        try:
            return re.compile(name[2:]).match
        except (re.error, OverflowError, RecursionError) as error:
            self._error(attr, name, f"'{name[2:]}' is not a regular expression: {error}")
            return lambda _: True  # no more complaints of what it would have matched

    def _override(self, entry: str) -> Override | None:
        attr = "service_overrides"
        match = _OVERRIDE.fullmatch(entry)
        if match is None:
            self._error(attr, entry, f"'{entry}' is not", "write description,attribute value")
            return None
        name, said, value = match.groups()
        target = said.upper() if said.startswith("_") else _SERVICE.renamed.get(said, said)
        if target in FORBIDDEN:
            self._error(attr, entry, f"{target} cannot be overridden")
            return None
        if target not in _SERVICE.types and not target.startswith("_"):
            self._error(
                attr,
                entry,
                f"a service has no attribute '{target}'",
                did_you_mean(target, _SERVICE.types),
            )
            return None
        problem = "" if value == NULL else wrong(_SERVICE.types.get(target, "text"), value)
        if problem:
            self._error(attr, entry, f"{target} '{value}' {problem}")
            return None
        said_by = self._said_by(attr, entry)
        return Override(
            name, self._matches(attr, name), target, value, said_by, said_by is not self.host.block
        )
