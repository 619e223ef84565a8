"""What is wrong with a configuration, as values: collected while reading, all reported, never raised.

The one thing to know: an `error` makes the configuration unusable (exit 1, nothing started), a
`warning` does not. `where` is "file:line", or "" for what no line says.
"""

from bisect import bisect_left
from collections.abc import Collection
from difflib import get_close_matches
from typing import Literal

from msgspec import Struct

COMPARED_MAX = 300  # names that a word is compared with, letter by letter, whatever they are
NEIGHBOURS = 10  # of more names, those before it and behind it in the alphabet
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


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return "did you mean 'x'?" for the nearest of `known`, "" when none is near.

    Among many, only those are looked at that begin or end like `word`: a configuration with a thousand
    mistakes and ten thousand hosts must not take minutes to say so.
    """
    near = get_close_matches(word, sorted(_candidates(word, known)), n=1, cutoff=0.75)
    return f"did you mean '{near[0]}'?" if near else ""


def _candidates(word: str, known: Collection[str]) -> Collection[str]:
    if len(known) <= COMPARED_MAX:
        return known
    start, end, size, slack = word[:3], word[-3:], len(word), 1 + len(word) // 4
    found = [
        name
        for name in known
        if (name.startswith(start) or name.endswith(end)) and abs(len(name) - size) <= slack
    ]
    if len(found) > 2 * NEIGHBOURS:  # web00001 ... web99999: the neighbours in the alphabet
        found.sort()
        at = bisect_left(found, word)
        found = found[max(0, at - NEIGHBOURS) : at + NEIGHBOURS]
    return found
