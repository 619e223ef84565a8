"""A small table that is filled again and again and keeps its cursor: on the row it was on."""

from collections.abc import Sequence

from rich.text import Text
from textual.widgets import DataTable

Row = tuple[str, tuple[Text, ...]]  # key, cells


class KeptTable(DataTable[Text]):
    """Up to a few hundred rows; only cells that changed are drawn again."""

    def __init__(self, *, id: str) -> None:
        """Start without rows and columns."""
        super().__init__(id=id, cell_padding=0, zebra_stripes=False)
        self._shown: list[Row] = []
        self._head: tuple[tuple[str, int], ...] = ()

    def lay_out(self, head: Sequence[tuple[str, int]]) -> None:
        """Have these columns: label and width each."""
        if tuple(head) == self._head:
            return
        self._head = tuple(head)
        kept = self.cursor_coordinate
        self.clear(columns=True)
        self._shown = []
        for label, width in head:
            self.add_column(label, width=width)
        self.move_cursor(row=kept.row, column=kept.column)

    def fill(self, rows: Sequence[Row]) -> None:
        """Show these rows and no others."""
        if [key for key, _ in rows] != [key for key, _ in self._shown]:
            self._replace(rows)
        else:
            for y, (old, new) in enumerate(zip(self._shown, rows, strict=True)):
                for x, (before, after) in enumerate(zip(old[1], new[1], strict=True)):
                    if before != after:
                        self.update_cell_at((y, x), after)  # type: ignore[arg-type]
        self._shown = list(rows)

    def cursor_column_at_least(self, column: int) -> None:
        """Keep the cursor off the columns before `column`, which only name the row."""
        if self.cursor_column < column:
            self.move_cursor(column=column)

    @property
    def current_key(self) -> str:
        """Key of the row under the cursor, "" when there is none."""
        row = self.cursor_row
        return self._shown[row][0] if 0 <= row < len(self._shown) else ""

    def _replace(self, rows: Sequence[Row]) -> None:
        key, column = self.current_key, self.cursor_column
        self.clear()
        for name, cells in rows:
            self.add_row(*cells, key=name)
        keys = [name for name, _ in rows]
        self.move_cursor(row=keys.index(key) if key in keys else 0, column=column)
