"""Pictures of the console: `python -m tests.console.pictures` writes them anew, the test compares.

Look at them before they are committed: rsvg-convert makes a PNG of one.
"""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from console.app import ConsoleApp
from console.facts import Snapshot
from tests.console.fakes import healthy, server1_dead, told

FOLDER = Path(__file__).parent / "svg"
DOCS = Path(__file__).parents[2] / "docs" / "pictures" / "status.svg"
Picture = tuple[Callable[[], Snapshot], tuple[int, int], tuple[str, ...]]
PICTURES: dict[str, Picture] = {
    "healthy-80x24": (lambda: told(healthy()), (80, 24), ()),
    "failed-over-80x24": (lambda: told(server1_dead()), (80, 24), ()),
    "failed-over-120x40": (lambda: told(server1_dead()), (120, 40), ("right", "down")),
    "nobody-80x24": (lambda: told({}), (80, 24), ()),
    "help-80x24": (lambda: told(healthy()), (80, 24), ("question_mark",)),
}


class Still:
    """A feed that tells one snapshot, and counts what it is asked."""

    def __init__(self, tell: Callable[[Snapshot], None], snapshot: Snapshot) -> None:
        self.tell = tell
        self.snapshot = snapshot
        self.refreshed = 0
        self.stopped = False

    def start(self) -> None:
        self.tell(self.snapshot)

    def refresh(self) -> None:
        self.refreshed += 1

    def stop(self) -> None:
        self.stopped = True


def app_of(snapshot: Snapshot, read_only: bool = False) -> ConsoleApp:
    return ConsoleApp(lambda tell: Still(tell, snapshot), read_only)


async def taken(snapshot: Snapshot, size: tuple[int, int], keys: tuple[str, ...]) -> str:
    """Return the screen as SVG, without what differs from run to run."""
    app = app_of(snapshot)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
        svg = app.export_screenshot(title="shinken-console")
    return re.sub(r"terminal-\d+", "terminal", svg)


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, (snapshot, size, keys) in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(asyncio.run(taken(snapshot(), size, keys)))
    DOCS.parent.mkdir(parents=True, exist_ok=True)
    DOCS.write_text(asyncio.run(taken(told(server1_dead()), (110, 26), ("right", "down"))))


if __name__ == "__main__":
    write()
