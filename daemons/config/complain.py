"""What is wrong with a configuration, as values: collected while reading, all reported, never raised.

The one thing to know: an `error` makes the configuration unusable (exit 1, nothing started), a
`warning` does not. `where` is "file:line", or "" for what no line says.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning"]


class Complaint(Struct, frozen=True):
    """One thing an operator should change."""

    severity: Severity
    text: str
    where: str = ""  # "etc/hosts/web.cfg:12"
    fix: str = ""  # what to do about it, where we know

    def __str__(self) -> str:
        """Return the line an operator reads."""
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.severity}: {self.text}" + (f" ({self.fix})" if self.fix else "")


class Complaints:
    """Collects complaints in the order they are found; the same one twice is kept once."""

    def __init__(self) -> None:
        """Start with none."""
        self._seen: dict[Complaint, None] = {}

    def error(self, text: str, where: str = "", fix: str = "") -> None:
        """Add an error."""
        self.add(Complaint("error", text, where, fix))

    def warning(self, text: str, where: str = "", fix: str = "") -> None:
        """Add a warning."""
        self.add(Complaint("warning", text, where, fix))

    def add(self, complaint: Complaint) -> None:
        """Add `complaint` unless it is there already."""
        self._seen.setdefault(complaint)

    def all(self) -> tuple[Complaint, ...]:
        """Return them in the order they were found."""
        return tuple(self._seen)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the nearest of `known`, "" when none is near."""
    near = get_close_matches(word, sorted(known), n=1, cutoff=0.75)
    return f"did you mean '{near[0]}'?" if near else ""
