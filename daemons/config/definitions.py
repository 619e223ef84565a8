"""The blocks of one configuration by type: their templates, their registered objects, whose line is to blame.

The one thing to know: of two objects of the same name one stays, and which one is decided in one
place (`twins`): the lower definition_order, then the last one, with a warning.
"""

from daemons.config.complain import Complaints
from daemons.config.examine import bad_characters
from daemons.config.lexer import Block, Lexed
from daemons.config.schema import KINDS
from daemons.config.templates import Prototype, Templates, is_registered, templates_of
from daemons.config.twins import replaces


class Definitions:
    """What `link` works on. Templates of a type are resolved when they are first asked for."""

    def __init__(self, lexed: Lexed, illegal: str, complaints: Complaints) -> None:
        """`illegal` are the characters that names of hosts and contacts must not have."""
        self.illegal = illegal
        self.complaints = complaints
        self._blocks = lexed.blocks
        self._templates: dict[str, Templates] = {}

    def blocks(self, kind: str) -> list[Block]:
        """Return all blocks of a type, templates too, in the order read."""
        return self._blocks.get(kind, [])

    def templates(self, kind: str) -> Templates:
        """Return the templates of a type."""
        templates = self._templates.get(kind)
        if templates is None:
            templates = templates_of(kind, self.blocks(kind), self.complaints)
            self._templates[kind] = templates
        return templates

    def objects(self, kind: str) -> dict[str, tuple[Block, dict[str, str]]]:
        """Return the registered objects of a type that has a name attribute, resolved, by name."""
        found: dict[str, tuple[Block, dict[str, str]]] = {}
        templates = self.templates(kind)
        for block in self.blocks(kind):
            if not is_registered(block):
                continue
            if name := self.name(kind, block):
                if name in found and not replaces(
                    found[name][0], block, f"{kind} {name}", self.complaints
                ):
                    continue
                proto = templates.prototype(block)
                block.origin = proto.origin
                found[name] = (block, templates.merged(block.attrs, proto))
        return dict(sorted(found.items()))

    def unnamed(self, kind: str) -> list[tuple[Block, dict[str, str]]]:
        """Return the registered objects of a type without a name attribute, resolved, in the order read."""
        templates = self.templates(kind)
        return [
            (block, templates.merged(block.attrs, templates.prototype(block)))
            for block in self.blocks(kind)
            if is_registered(block)
        ]

    def name(self, kind: str, block: Block) -> str:
        """Return the name of an object, "" after complaining that it has none that can be used."""
        attr = KINDS[kind].key
        name = block.attrs.get(attr, "")
        if not name:
            self.complaints.error(f"a {kind} without {attr}", block.where)
        elif kind in ("host", "contact") and (bad := bad_characters(name, self.illegal)):
            self.complaints.error(
                f"{attr} '{name}' has characters that a name must not have: {bad}",
                block.where_of(attr),
            )
            return ""
        return name

    def blame(
        self, block: Block, proto: Prototype, attr: str, label: str, text: str, fix: str
    ) -> None:
        """Complain at the line that says `attr`: the object's or that of one of its templates."""
        if attr not in block.attrs and attr in proto.origin:
            block = proto.origin[attr]
            label = f"template {block.attrs.get('name', '')}"
        self.complaints.error(f"{label}: {text}", block.where_of(attr), fix)
