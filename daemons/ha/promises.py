"""The durable part of a keeper's board, one file: what was promised, issued, paused.

The one thing to know: whenever `serial` has grown, the caller writes it all down and fsyncs before any
answer or round leaves the server.
"""

from typing import Literal

from msgspec import Struct

from daemons.model.cluster import Epoch
from daemons.wire.board import Pause, Promise, VoterSet


class Promises(Struct):
    """The durable part of a keeper's board; one file. `serial` grows with every change."""

    names: dict[str, Promise] = {}  # by lease name
    issued: dict[str, Epoch] = {}  # highest epoch this server ever claimed with, by lease name
    state: Literal["kept", "new", "lost"] = "kept"
    serial: int = 0
    least: Epoch = 0  # epochs issued here are above it
    voters: VoterSet | None = None  # who votes, as last ordered
    pause: Pause | None = None  # the last order; left_s: when this was written

    def put(self, name: str, promise: Promise) -> None:
        """Replace what is promised for `name`."""
        if self.names.get(name) != promise:
            self.names[name] = promise
            self.serial += 1


def no_promises(is_new: bool) -> Promises:
    """Return the promises of a keeper that finds no file: first start of this server, or lost votes.

    A new server has never promised anything; it asks the others during its quarantine and then goes
    on with what it heard. One that is not new must hear a majority of them first.
    """
    return Promises(state="new" if is_new else "lost", serial=1)
