"""What a broker module is, and what it is built from.

A module gets the deltas of every shard in order and never sees one twice; `BrokerModules` keeps the
positions. A module whose output can be cut back (a file) returns a mark from `flush`, which is stored
together with the position in one atomic step, and is handed back to `resume` after a crash.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from daemons.wire.messages import Delta

Mark = dict[str, int]  # what a module needs to cut its output back to the stored position


class ModuleFailed(Exception):
    """The module could not take or flush what it was given; the text is for the operator."""


class Module(Protocol):
    """One broker module. Called by one thread at a time.

    `OSError` and `ModuleFailed` mean: give me the same again later; `resume` comes first.
    """

    states: bool  # wants the changed records of the deltas, not only the log lines

    def take(self, deltas: Sequence[Delta]) -> None:
        """Take deltas of one shard, in order. Raises ModuleFailed or OSError."""

    def gap(self, shard: int) -> None:
        """Know that deltas of `shard` are missing here for ever. Raises ModuleFailed or OSError."""

    def flush(self) -> Mark:
        """Make all that was taken safe on disk; return the mark that goes with it."""

    def resume(self, mark: Mark | None) -> None:
        """Cut the output back to `mark` (None: nothing was ever flushed); called at the start."""

    def close(self) -> None:
        """Release files and sockets. What was not flushed may be dropped."""


class Setting(Struct, frozen=True):
    """What a module is built from."""

    name: str  # of the module, as the operator calls it
    options: dict[str, str]  # the other attributes of its `define module` block
    daemon: str  # name of the broker
    folder: Path  # DIR/var/<broker>: for files the options do not place elsewhere
    clock: Callable[[], float]  # wall clock, seconds since the Unix epoch
    macros: dict[str, str] = {}  # resource macros, without the dollars
    settings: dict[str, str] = {}  # the main file as written


Factory = Callable[[Setting], Module]
