"""The text of a business rule, `(a | b,http) & 2 of: g:web,http`, to a tree and back.

The one thing to know: here elements are only text; what they name is found in business.py. In the trees of
this module `key` is that text ("web1,http", "g:web,r:^http").
Grammar: docs of Shinken, "Business rules"; `&` and `|` are never mixed without parentheses.
"""

import re

from msgspec.structs import replace

from daemons.model.relations import RuleNode

_COUNTS = re.compile(r"(-?\d{1,9}%?(?:\s*,\s*-?\d{1,9}%?)*)\s*of\s*:")
_NESTING_MAX = 50
_SHOWN = 40  # characters of a rule in a complaint


class BadRule(Exception):
    """An operator wrote a rule that cannot be read; the text says why."""


def parse(text: str) -> RuleNode:
    """Return the tree of a rule. Raises BadRule."""
    return _Reader(text).read()


def written(node: RuleNode) -> str:
    """Return a rule whose tree is `node`."""
    return _written(node, outermost=True)


def _written(node: RuleNode, outermost: bool = False) -> str:
    if node.kind == "object":
        return "!" * node.negated + node.key
    inner = f" {'|' if node.kind == '|' else '&'} ".join(_written(part) for part in node.nodes)
    if node.kind == "of":
        inner = f"{','.join(node.counts)} of: {inner}"
    return inner if outermost and not node.negated else "!" * node.negated + f"({inner})"


class _Reader:
    """Reads one rule from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def read(self) -> RuleNode:
        if not self._text.strip():
            raise BadRule("the rule is empty")
        node = self._rule(0)
        if self._at < len(self._text):
            raise BadRule(f"a '(' is missing before '{self._rest()}'")
        return node

    def _rule(self, depth: int) -> RuleNode:
        """Read up to the end or the closing parenthesis; "N of:" takes all of that."""
        if depth > _NESTING_MAX:
            raise BadRule(f"'{self._text[:_SHOWN]}' is nested too deeply")
        counts = self._counts()
        operator, nodes = self._chain(depth)
        if counts:
            return RuleNode(kind="of", counts=counts, nodes=tuple(nodes))
        return nodes[0] if len(nodes) == 1 else RuleNode(kind=operator, nodes=tuple(nodes))

    def _counts(self) -> tuple[str, ...]:
        self._skip()
        match = _COUNTS.match(self._text, self._at)
        if match is None:
            return ()
        counts = tuple(word.strip() for word in match[1].split(","))
        if len(counts) not in (1, 3):
            raise BadRule(f"'{match[0]}' wants one count, or three: OK, WARNING, CRITICAL")
        self._at = match.end()
        return tuple(_count(word) for word in counts)

    def _chain(self, depth: int) -> tuple[str, list[RuleNode]]:
        operator = ""
        nodes = [self._term(depth)]
        while self._next() in ("&", "|"):
            if operator and self._next() != operator:
                raise BadRule(f"'&' and '|' are mixed without parentheses before '{self._rest()}'")
            operator = self._next()
            self._at += 1
            nodes.append(self._term(depth))
        return operator, nodes

    def _term(self, depth: int) -> RuleNode:
        negated = False
        while self._next() == "!":
            negated = not negated
            self._at += 1
        if self._next() == "(":
            self._at += 1
            node = self._rule(depth + 1)
            if self._next() != ")":
                raise BadRule(f"a ')' is missing in '{self._text[:_SHOWN]}'")
            self._at += 1
        elif _COUNTS.match(self._text, self._at):
            node = self._rule(depth + 1)
        else:
            node = RuleNode(kind="object", key=self._element())
        return replace(node, negated=not node.negated) if negated else node

    def _element(self) -> str:
        """Read a name or selector: parentheses after its first character are part of it (regexes)."""
        start, inside = self._at, 0
        text = self._text
        while self._at < len(text) and (inside or text[self._at] not in "&|)"):
            char = text[self._at]
            if char == "!" and not inside:
                raise BadRule(f"a '&' or '|' is missing before '{self._rest()}'")
            inside += (char == "(") - (char == ")")
            self._at += 2 if char == "\\" else 1
        self._at = min(self._at, len(text))
        found = text[start : self._at].strip()
        if inside:
            raise BadRule(f"a ')' is missing in '{found[:_SHOWN]}'")
        if not found:
            rest = self._rest()
            raise BadRule(
                f"an element is missing before '{rest}'"
                if rest
                else "an element is missing at the end"
            )
        return found

    def _next(self) -> str:
        """Return the next character that is no blank, "" at the end."""
        self._skip()
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1

    def _rest(self) -> str:
        return self._text[self._at : self._at + _SHOWN]


def _count(word: str) -> str:
    number = int(word.rstrip("%"))
    if word.endswith("%") and abs(number) > 100:
        raise BadRule(f"'{word} of:' asks for more than all")
    return f"{number}%" if word.endswith("%") else str(number)
