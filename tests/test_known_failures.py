"""docs/known-failures.md names a test for each failure of the family: those tests exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_test_that_the_page_names_exists() -> None:
    rows = [
        line
        for line in (ROOT / "docs/known-failures.md").read_text().splitlines()
        if re.match(r"\| \d+ \|", line)
    ]
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    named = {row: re.findall(r"`(test_\w+)`", row) for row in rows}
    assert len(rows) == 29
    assert [row for row, tests in named.items() if not tests] == []
    assert sorted({test for tests in named.values() for test in tests} - defined) == []
