"""Inheritance: what an object's attributes are after its templates had their say.

The one thing to know: templates are resolved once per distinct `use` list into a `Prototype`, which
100,000 services then share; an object is its prototype plus its own few lines.

Rules (Shinken, "Object Inheritance"; docs/language.md): the leftmost template
wins; `null` removes; `+value` on a list adds to what the templates give, and a template that has added
with `+` hands the `+` on, so that the next template of the object is asked too (Nagios stops there).
A named object serves as a template even when it is registered itself (Nagios; Shinken wants register 0).
"""

import re
from collections.abc import Collection

from msgspec import Struct

from daemons.config.circles import circles, too_deep
from daemons.config.complain import Complaints, did_you_mean
from daemons.config.lexer import Block
from daemons.config.schema import KINDS, Kind
from daemons.config.twins import replaces
from daemons.config.values import words, yes

NULL = "null"
DEPTH_MAX = 32
_PHONE = re.compile(r"\+[\d\s(]")  # a custom variable may hold +49 30 1234
OWN = frozenset({"use", "name", "register", "definition_order", "imported_from"})  # never inherited


class Prototype(Struct, eq=False):
    """What a `use` list gives: values that may still be `null` or begin with `+`."""

    attrs: dict[str, str]
    origin: dict[str, Block]  # who said it
    missing: tuple[str, ...] = ()  # templates that do not exist
    names: tuple[str, ...] = ()  # every template in it, ancestors too, also those that do not exist


EMPTY = Prototype({}, {})


class Templates:
    """The templates of one object type."""

    def __init__(self, kind: Kind, blocks: list[Block], complaints: Complaints) -> None:
        """Index those of `blocks` that have a name, and complain about what is wrong between them."""
        self._kind = kind
        self._lists = kind.lists
        self._not_inherited = OWN | {kind.key} if kind.key else OWN
        self._complaints = complaints
        self._by_name: dict[str, Block] = {}
        self._prototypes: dict[str, Prototype] = {}
        self._templates: dict[str, Prototype] = {}
        for block in blocks:
            name = block.attrs.get("name", "")
            if name and (
                name not in self._by_name
                or replaces(self._by_name[name], block, f"template {name}", complaints)
            ):
                self._by_name[name] = block
        self._check_chains()

    @property
    def names(self) -> Collection[str]:
        """The names of all templates."""
        return self._by_name.keys()

    def _check_chains(self) -> None:
        """Complain about templates that use each other in a circle, nest too deeply or do not exist."""
        edges: dict[str, tuple[str, ...]] = {}
        for name, block in self._by_name.items():
            if use := block.attrs.get("use", ""):
                used = words(use)
                edges[name] = tuple(other for other in used if other in self._by_name)
                missing = tuple(other for other in used if other not in self._by_name)
                self._complain_of_missing(missing, block)
        for circle in circles(edges):
            self._complaints.error(
                f"templates use each other in a circle: {' -> '.join((*circle, circle[0]))}",
                self._by_name[circle[0]].where_of("use"),
            )
        for name in too_deep(edges, DEPTH_MAX):
            self._complaints.error(
                f"template {name} uses templates that use templates, more than {DEPTH_MAX} deep",
                self._by_name[name].where_of("use"),
            )

    def prototype(self, block: Block) -> Prototype:
        """Return what the templates of `block` give, after complaining about those that are missing."""
        use = block.attrs.get("use", "")
        if not use:
            return EMPTY
        proto = self._prototypes.get(use)
        if proto is None:
            proto = self._prototypes[use] = self._resolve(use, ())
        if proto.missing:
            self._complain_of_missing(proto.missing, block)
        return proto

    def merged(self, own: dict[str, str], proto: Prototype) -> dict[str, str]:
        """Return the attributes of an object: `null` has become "", and no list begins with `+`."""
        attrs = self.over(own, proto.attrs)
        for name, value in attrs.items():
            if value == NULL and name[:1] != "_":  # a custom variable may say "null"
                attrs[name] = ""
            elif value[:1] == "+" and name in self._lists:
                attrs[name] = value[1:]
        return attrs

    def value(self, own: dict[str, str], proto: Prototype, attr: str) -> str | None:
        """Return the resolved value of one attribute, None when nobody says it ("" for `null`)."""
        said = own.get(attr)
        if said is not None and said[:1] != "+" and said != NULL:
            return said
        under = {attr: proto.attrs[attr]} if attr in proto.attrs else {}
        return self.merged({} if said is None else {attr: said}, Prototype(under, {})).get(attr)

    def over(self, own: dict[str, str], under: dict[str, str]) -> dict[str, str]:
        """Return `own` on top of `under`, `+` joined; a `+` is left where more may follow."""
        attrs = under | own
        for name, value in own.items():
            if value[:1] == "+" and name in under:
                base = under[name]
                if name in self._lists:
                    separator = "\n" if name in self._kind.keep else ","
                    attrs[name] = value if base == NULL else f"{base}{separator}{value[1:]}"
                elif name[:1] == "_" and not _PHONE.match(value):
                    attrs[name] = f"{base},{value[1:]}"
        return attrs

    def _resolve(self, use: str, path: tuple[str, ...]) -> Prototype:
        """Return what the list `use` gives; `path` are the templates being resolved."""
        attrs: dict[str, str] = {}
        origin: dict[str, Block] = {}
        missing: list[str] = []
        names: dict[str, None] = {}
        for name in words(use):
            block = self._by_name.get(name)
            if block is None:
                missing.append(name)
                names[name] = None
            elif name not in path and len(path) < DEPTH_MAX:  # both complained of already
                given = self._template(name, block, path)
                names |= dict.fromkeys((name, *given.names))
                for attr in given.attrs:
                    origin.setdefault(attr, given.origin[attr])
                attrs = self.over(attrs, given.attrs)
        return Prototype(attrs, origin, tuple(missing), tuple(names))

    def _template(self, name: str, block: Block, path: tuple[str, ...]) -> Prototype:
        """Return what the template `name` gives, its own templates included."""
        done = self._templates.get(name)
        if done is not None:
            return done
        parent = EMPTY
        if block.attrs.get("use"):
            parent = self._resolve(block.attrs["use"], (*path, name))
        own = {k: v for k, v in block.attrs.items() if k not in self._not_inherited}
        attrs = self.over(own, parent.attrs)
        for attr, value in own.items():
            if value[:1] == "+" and attr in self._lists and attrs[attr][:1] != "+":
                attrs[attr] = "+" + attrs[attr]
        origin = {attr: block if attr in own else parent.origin[attr] for attr in attrs}
        done = self._templates[name] = Prototype(attrs, origin, (), parent.names)
        return done

    def _complain_of_missing(self, missing: tuple[str, ...], block: Block) -> None:
        for name in missing:
            self._complaints.warning(
                f"template {name} is not defined",
                block.where_of("use"),
                did_you_mean(name, self._by_name),
            )


def is_registered(block: Block) -> bool:
    """Return whether `block` is an object and not only a template."""
    return yes(block.attrs.get("register", "1")) is not False


def templates_of(name: str, blocks: list[Block], complaints: Complaints) -> Templates:
    """Return the templates among the blocks of the object type `name`."""
    return Templates(KINDS[name], blocks, complaints)
