"""The shards: who runs each, who stands by, under which epoch."""

from console.facts import Snapshot
from console.rows import GAP, SHARD_HEAD, shard_row
from console.widgets.kept_table import KeptTable
from console.widgets.toned import colours, toned


class Shards(KeptTable):
    """Shows what it is given."""

    def on_mount(self) -> None:
        """Move row by row."""
        self.cursor_type = "row"
        self.cursor_foreground_priority = "renderable"

    def show(self, snapshot: Snapshot, faults_only: bool) -> None:
        """Draw the shards of `snapshot`, all of them or only those that need a look."""
        shown = [s for s in snapshot.shards if s.problem or not faults_only]
        rows = [(str(s.id), shard_row(s)) for s in shown]
        widths = [
            max([len(head), *(len(row[n][0]) for _, row in rows)]) + len(GAP)
            for n, head in enumerate(SHARD_HEAD)
        ]
        self.lay_out(tuple(zip(SHARD_HEAD, widths, strict=True)))
        self.fill(
            [(key, tuple(toned((part,), colours(self.app)) for part in row)) for key, row in rows]
        )
