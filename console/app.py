"""The terminal console. The only module, with screens and widgets, that knows Textual."""

from collections.abc import Callable
from typing import Protocol

from textual.app import App

from console.facts import Snapshot
from console.feed import Feed, daemons, keepers
from console.messages import SnapshotCame
from console.screens.cluster import ClusterScreen
from daemons.cli.reach import Keys
from daemons.net.home import Bundle

THEMES = ("textual-dark", "textual-light", "nord", "gruvbox", "tokyo-night", "solarized-light")


class Source(Protocol):
    """Where snapshots come from: a `Feed`, or a test's."""

    def start(self) -> None:
        """Begin to tell."""

    def refresh(self) -> None:
        """Ask everybody now."""

    def stop(self) -> None:
        """Tell no more."""


Tell = Callable[[Snapshot], None]


class ConsoleApp(App[None]):
    """Owns the feed and the theme; everything else is the screens'."""

    CSS_PATH = "console.tcss"
    TITLE = "shinken-console"

    def __init__(self, source: Callable[[Tell], Source], read_only: bool = True) -> None:
        """`source` makes the feed from what it has to tell."""
        super().__init__()
        self.read_only = read_only
        self._source = source(self._tell)
        self._cluster = ClusterScreen(self._source.refresh, "READ ONLY" if read_only else "")

    async def on_mount(self) -> None:
        """Show the first screen, then have it fed."""
        await self.push_screen(self._cluster)
        self._source.start()

    def on_unmount(self) -> None:
        """Nobody is left to be told."""
        self._source.stop()

    def action_next_theme(self) -> None:
        """Show another theme."""
        at = THEMES.index(self.theme) if self.theme in THEMES else -1
        self.theme = THEMES[(at + 1) % len(THEMES)]

    def _tell(self, snapshot: Snapshot) -> None:
        """Called by a thread of the feed; of no effect once the screen is gone."""
        self._cluster.post_message(SnapshotCame(snapshot))


def run(bundle: Bundle, keys: Keys, *, read_only: bool) -> None:
    """Run the console until the operator quits."""
    directly = daemons(bundle, keys)
    ConsoleApp(
        lambda tell: Feed(bundle.cluster, keepers(bundle, keys), tell, directly=directly), read_only
    ).run()
