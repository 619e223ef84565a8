"""The matrix: a row per role, masters on the left, spares on the right."""

from rich.text import Text
from textual.message import Message
from textual.widgets import DataTable

from console.facts import Snapshot
from console.rows import cell, cell_head, cell_widths, is_well, matrix, role_label
from console.widgets.kept_table import KeptTable
from console.widgets.toned import colours, toned

ROLE_WIDTH = 12


class Matrix(KeptTable):
    """Shows what it is given; says which daemon the cursor is on."""

    class Pointed(Message):
        """The cursor is on the daemon called `name`, "" = on none."""

        def __init__(self, name: str) -> None:
            """Name it."""
            self.name = name
            super().__init__()

    def __init__(self, *, id: str) -> None:
        """Start empty."""
        super().__init__(id=id)
        self._daemons: dict[str, tuple[str, str]] = {}  # master and spare, by row key

    def on_mount(self) -> None:
        """Move cell by cell."""
        self.cursor_type = "cell"
        self.cursor_foreground_priority = "renderable"

    def show(self, snapshot: Snapshot, faults_only: bool) -> None:
        """Draw `snapshot`, all of it or only rows that need a look."""
        variables = colours(self.app)
        pairs = matrix(snapshot)
        role_width = max(ROLE_WIDTH, *(len(role_label(p, snapshot)) + 1 for p in pairs))
        widths = cell_widths(snapshot, (self.size.width or 80) // 2 - role_width // 2 - 1)
        self.lay_out(
            (
                ("ROLE", role_width),
                (cell_head("MASTER", widths), widths.total + 1),
                (cell_head("SPARE", widths), widths.total),
            )
        )
        shown = [p for p in pairs if not (faults_only and is_well(p))]
        rows = []
        self._daemons = {}
        for pair in shown:
            names = (
                pair.master.name if pair.master else "",
                pair.spare.name if pair.spare else "",
            )
            key = " ".join(names)
            self._daemons[key] = names
            label = role_label(pair, snapshot) or (pair.role if faults_only else "")
            rows.append(
                (
                    key,
                    (
                        Text(label, style="bold"),
                        toned(cell(pair.master, widths), variables),
                        toned(cell(pair.spare, widths), variables),
                    ),
                )
            )
        self.fill(rows)

    @property
    def pointed(self) -> str:
        """Name of the daemon under the cursor, "" when there is none."""
        master, spare = self._daemons.get(self.current_key, ("", ""))
        return spare if self.cursor_column == 2 else master

    def on_data_table_cell_highlighted(self, event: DataTable.CellHighlighted) -> None:
        """Say where the cursor went."""
        event.stop()
        self.post_message(self.Pointed(self.pointed))
