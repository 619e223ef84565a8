"""Pages of docs/ that are made from the code: write them, or say whether they are current (`--check`)."""

import sys
from collections.abc import Callable
from pathlib import Path


def keep(page: Path, current: Callable[[str], str]) -> int:
    """Make `page` what `current` makes of it; with --check only look. Returns 1 when --check finds it old, else 0."""
    before = page.read_text()
    after = current(before)
    if "--check" in sys.argv[1:]:
        return int(before != after)
    page.write_text(after)
    return 0
