"""Panels of text: the cluster in two lines, one daemon in four, the problems with their fixes."""

from collections.abc import Sequence

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from console.facts import Daemon, Snapshot
from console.rows import count_problems, details, problem_parts, servers_line, text_of, title
from console.widgets.toned import colours, toned


class Head(Static):
    """Leader, epoch, servers with their ages."""

    def show(self, snapshot: Snapshot, notes: Sequence[str]) -> None:
        """Draw it; `notes` are what the console says of itself."""
        variables = colours(self.app)
        second = toned(servers_line(snapshot), variables)
        for note in notes:
            second.append(f" {note} ", "reverse").append(" ")
        self.update(Text("\n").join((toned(title(snapshot), variables), second)))


class Details(Static):
    """One daemon."""

    def show(self, daemon: Daemon | None, instead: str = "no daemon here") -> None:
        """Draw what is known of it, or say `instead` that there is none."""
        if daemon is None:
            self.update(Text(instead, "dim"))
            return
        lines = [toned(line, colours(self.app)) for line in details(daemon)]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        self.update(Text("\n", no_wrap=True, overflow="ellipsis").join(lines))


class Problems(VerticalScroll):
    """What is wrong, worst first; scrolls when it has the focus."""

    def __init__(self, *, id: str) -> None:
        """Start empty."""
        self._text = Static(id=f"{id}-text")
        super().__init__(self._text, id=id)

    def show(self, snapshot: Snapshot) -> None:
        """Draw the problems of `snapshot`."""
        variables = colours(self.app)
        counted = text_of(count_problems(snapshot.problems)).strip()
        self.border_title = f"problems  {counted}" if snapshot.problems else "problems"
        if not snapshot.problems:
            self._text.update(toned(count_problems(()), variables))
            return
        lines = []
        for problem in snapshot.problems:
            text, fix = problem_parts(problem)
            lines.append(toned((text,), variables))
            lines.append(toned((("  " + fix[0], fix[1]),), variables))
        self._text.update(Text("\n").join(lines))
