"""Writes the tables of docs/external-commands.md from daemons/rules/command_table.py: `python -m tools.external_commands`.

Everything outside the two markers is written by hand.
"""

import sys
from pathlib import Path

from daemons.rules.command_table import COMMANDS, LEADER, NOBODY, PIPE, Shape
from tools.page import keep

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "external-commands.md"
BEGIN = "<!-- commands: begin (written by tools/external_commands.py) -->"
END = "<!-- commands: end -->"
TITLES = {
    "host": "About a host",
    "service": "About a service",
    "hostgroup": "About a host group",
    "servicegroup": "About a service group",
    "contact": "About a contact",
    "contactgroup": "About a contact group",
    "global": "About everything",
}
WHERE = {LEADER: "leading arbiter", PIPE: "pipe", NOBODY: "nobody"}


def current(page: str) -> str:
    """Return `page` with the tables between the markers as the source has them now."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{tables()}{END}{after}"


def tables() -> str:
    """Return one table for each thing that commands are about."""
    parts = []
    for scope, title in TITLES.items():
        rows = [_row(name, shape) for name, shape in sorted(COMMANDS.items()) if shape.scope == scope]
        parts.append(f"\n### {title}\n| command | arguments | what it does |\n| --- | --- | --- |\n" + "".join(rows))
    return "".join(parts) + "\n"


def _row(name: str, shape: Shape) -> str:
    kinds = [part for kind in shape.kinds for part in (("host", "description") if kind == "service" else (kind,))]
    given = len(kinds) - shape.optional
    shown = ";".join(kind if place < given else f"[{kind}]" for place, kind in enumerate(kinds))
    where = f" ({WHERE[shape.to]})" if shape.to in WHERE else ""
    return f"| `{name}` | {f'`{shown}`' if shown else ''} | {shape.does}{where} |\n"


if __name__ == "__main__":
    sys.exit(keep(PAGE, current))
