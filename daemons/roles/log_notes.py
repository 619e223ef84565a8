"""Lines for the monitoring log that a receiver has to say: commands that no scheduler will ever see.

The one thing to know: they are worth showing and worth nothing more: a few at a time, to one scheduler, kept
until it answers; what does not fit is counted and that is said.
"""

from collections import deque

from daemons.model.clock import Now

WAITING_MAX = 100
BATCH = 50  # lines in one request
EVERY_S = 1.0  # between two requests: whoever sends rubbish does not fill the log
LINE_MAX = 500  # characters


class LogNotes:
    """What waits to be logged."""

    def __init__(self) -> None:
        """Nothing does."""
        self._waiting: deque[str] = deque()
        self._shed = 0
        self._flying = 0  # lines under way
        self._due_mono = 0.0

    def add(self, line: str) -> None:
        """Have `line` logged, unless too many wait already."""
        if len(self._waiting) < WAITING_MAX:
            self._waiting.append(line[:LINE_MAX])
        else:
            self._shed += 1

    def take(self, now: Now) -> tuple[str, ...]:
        """Return what goes with the next request to a scheduler; `sent` or `failed` has to follow."""
        if not self._waiting or self._flying or now.mono < self._due_mono:
            return ()
        if self._shed and len(self._waiting) <= BATCH:
            self._waiting.append(f"Warning: {self._shed} more external commands were refused")
            self._shed = 0
        notes = tuple(self._waiting)[:BATCH]
        self._flying = len(notes)
        self._due_mono = now.mono + EVERY_S
        return notes

    def sent(self) -> None:
        """They are in the log."""
        for _ in range(self._flying):
            self._waiting.popleft()
        self._flying = 0

    def failed(self) -> None:
        """They may be: they go again."""
        self._flying = 0
