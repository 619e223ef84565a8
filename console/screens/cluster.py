"""The cluster at a glance: every role's masters and spares, the shards, what is wrong.

Fed from outside, a snapshot at a time; asks nobody anything itself.
"""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from console.facts import Snapshot
from console.messages import SnapshotCame
from console.rows import age
from console.screens.help import Help
from console.widgets.matrix import Matrix
from console.widgets.panels import Details, Head, Problems
from console.widgets.shards import Shards
from daemons.net import clock

UNFED_S = 3.0  # the feed speaks each second


class ClusterScreen(Screen[None]):
    """Obeys keys, draws snapshots."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "app.quit", "Quit"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("r", "refresh", "Refresh"),
        Binding("p", "faults", "Faults only"),
        Binding("t", "app.next_theme", "Theme"),
    ]

    def __init__(self, refresh: Callable[[], None], note: str = "") -> None:
        """`refresh` has everybody asked at once; `note` is shown beside the leader."""
        super().__init__()
        self._ask_now = refresh
        self._note = note
        self._snapshot: Snapshot | None = None
        self._came = clock.now().mono
        self.faults_only = False

    def compose(self) -> ComposeResult:
        """From the whole to the detail."""
        yield Head("asking the keepers ...", id="head")
        yield Matrix(id="matrix")
        yield Details(id="details")
        yield Shards(id="shards")
        yield Problems(id="problems")
        yield Footer()

    def on_mount(self) -> None:
        """Begin where most looks go."""
        matrix = self.query_one(Matrix)
        matrix.focus()
        self.query_one(Shards).border_title = "shards"
        self.query_one(Details).border_title = "daemon"
        self.set_interval(1.0, self._watch_feed)
        self.app.theme_changed_signal.subscribe(self, lambda _: self.draw())

    def on_snapshot_came(self, message: SnapshotCame) -> None:
        """Draw what came."""
        self._snapshot = message.snapshot
        self._came = clock.now().mono
        self.draw()

    def on_matrix_pointed(self, message: Matrix.Pointed) -> None:
        """Show the daemon that the cursor is on."""
        self._show_daemon(message.name)

    def on_resize(self) -> None:
        """Columns depend on the width."""
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draw the last snapshot."""
        snapshot = self._snapshot
        if snapshot is None:
            return
        notes = (self._note, "FAULTS ONLY" if self.faults_only else "")
        self.query_one(Head).show(snapshot, [note for note in notes if note])
        matrix = self.query_one(Matrix)
        matrix.show(snapshot, self.faults_only)
        matrix.cursor_column_at_least(1)
        self._show_daemon(matrix.pointed)
        self.query_one(Shards).show(snapshot, self.faults_only)
        self.query_one(Problems).show(snapshot)

    def action_refresh(self) -> None:
        """Ask everybody now."""
        self._ask_now()
        self.notify("asked all keepers", timeout=1.5)

    def action_faults(self) -> None:
        """Show only what needs a look, or all again."""
        self.faults_only = not self.faults_only
        self.draw()

    def action_help(self) -> None:
        """Explain keys and signs."""
        self.app.push_screen(Help())

    def _show_daemon(self, name: str) -> None:
        if self._snapshot is None:
            return
        empty = self.faults_only and not self.query_one(Matrix).row_count
        instead = "no daemon needs a look" if empty else "no daemon here"
        self.query_one(Details).show(self._snapshot.daemon(name), instead)

    def _watch_feed(self) -> None:
        """A screen that nothing feeds any more must not look well."""
        unfed_s = clock.now().mono - self._came
        if unfed_s > UNFED_S and self._snapshot is not None:
            self.query_one(Head).show(self._snapshot, [f"NOT FED for {age(unfed_s)}"])
