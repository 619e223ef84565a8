"""Writes the message tables of docs/protocol.md from daemons/wire: `python -m tools.protocol`.

Names, docstrings, fields and their trailing comments are read from the source, so the page cannot
say anything else than the code. Everything outside the two markers is written by hand.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from daemons.wire.messages import FROM_OPERATORS, FROM_PEERS
from tools.page import keep

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "protocol.md"
MESSAGES = ROOT / "daemons" / "wire" / "messages.py"
# Modules of their own beside messages.py, with the title of their section, in the page's order.
OTHERS = {
    "board": "leases: the keepers' board",
    "claims": "claims of actions at the keepers",
    "documents": "documents at the keepers",
    "operations": "operations: what an operator orders, and handing over",
    "moves": "moves: objects that go from one shard to another",
    "configuration": "the configuration",
    "side": "commands beside checks",
    "stores": "a scheduler's retention stores",
}
BEGIN = "<!-- messages: begin (written by tools/protocol.py) -->"
END = "<!-- messages: end -->"
_SECTION = re.compile(r"# -{5,} (.+)")


def current(page: str) -> str:
    """Return `page` with the tables between the markers as the source has them now."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{tables()}{END}{after}"


def tables() -> str:
    """Return the tables of all messages, by section of the source."""
    parts = list(_sections("Answers to everything", MESSAGES.read_text()))
    for place, (module, title) in enumerate(OTHERS.items(), 2):
        source = MESSAGES.with_name(f"{module}.py").read_text()
        parts.insert(place, _section(title, source, ast.parse(source).body))
    return "".join(parts)


def _sections(title: str, source: str) -> Iterator[str]:
    """One part for each section that a comment line in the source opens."""
    opened = [(0, title)]
    for number, line in enumerate(source.splitlines(), 1):
        if found := _SECTION.match(line):
            opened.append((number, found[1].strip()))
    body = ast.parse(source).body
    ends = [line for line, _ in opened[1:]] + [sys.maxsize]
    for (start, name), end in zip(opened, ends, strict=True):
        yield _section(name, source, [node for node in body if start < node.lineno < end])


def _section(title: str, source: str, body: list[ast.stmt]) -> str:
    comments = _comments(source)
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    return f"\n### {title[0].upper()}{title[1:]}\n" + "".join(
        _message(c, comments) for c in classes
    )


def _message(node: ast.ClassDef, comments: dict[int, str]) -> str:
    tagged = any(k.arg == "tag" for k in node.keywords)
    doc = (ast.get_docstring(node) or "").replace("\n\n", "\n").strip()
    lines = [
        f"\n**`{node.name}`**{_sent_by(node.name) if tagged else ', a part of others'}. {_flat(doc)}\n"
    ]
    fields = [f for f in node.body if isinstance(f, ast.AnnAssign)]
    if fields:
        lines.append("\n| at | field | type | default | |\n| --- | --- | --- | --- | --- |\n")
    for place, field in enumerate(fields, int(tagged)):
        default = f"`{ast.unparse(field.value)}`" if field.value is not None else ""
        kind = ast.unparse(field.annotation).replace("|", "\\|")
        meaning = comments.get(field.end_lineno or 0, "").replace("|", "\\|")
        lines.append(
            f"| {place} | {ast.unparse(field.target)} | `{kind}` | {default} | {meaning} |\n"
        )
    return "".join(lines)


def _sent_by(name: str) -> str:
    peers = name in {kind.__name__ for kind in FROM_PEERS}
    operators = name in {kind.__name__ for kind in FROM_OPERATORS}
    who = [word for word, may in (("members", peers), ("operators", operators)) if may]
    return f" (asked by {' and '.join(who)})" if who else ""


def _flat(doc: str) -> str:
    return " ".join(line.strip() for line in doc.splitlines())


def _comments(source: str) -> dict[int, str]:
    """Trailing comments by line."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.line.split("#")[0].strip():
            found[token.start[0]] = token.string.lstrip("# ").strip()
    return found


if __name__ == "__main__":
    sys.exit(keep(PAGE, current))
