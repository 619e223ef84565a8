"""The shape of every daemon: messages in, calls out, no I/O of its own.

Entered by one thread at a time, each entry to its end: by `net.runner` in production and by
`tests.sim` under a virtual clock. Before anything leaves an entry (the answer, the calls), the
runner makes `durable` safe on disk if `durable_serial` moved.
"""

from typing import Protocol, runtime_checkable

from msgspec import Struct

from daemons.model.clock import Now
from daemons.wire.messages import Message


class Call(Struct, frozen=True):
    """A request to be carried out for a role.

    `to` is a daemon's name, "keeper" (its own), "keeper@<server>", or a local service: "exec",
    "retention", "modules", "journal", "spool", "daemons". Calls of one (to, lane) are carried out in
    order, one at a time; a long poll has a lane of its own.
    """

    to: str
    message: Message
    timeout_s: float = 1.0
    lane: str = ""


class Wait(Struct, frozen=True):
    """Nothing to answer yet: the runner asks the same again after the next tick, until `until_mono`.

    Asked again at or after `until_mono`, the role must answer.
    """

    until_mono: float


class Unexpected(Exception):
    """A request this role does not serve: a bug in the sender, told to the sender."""


class Role(Protocol):
    """Three entries; no callbacks, no futures, no locks."""

    name: str
    instance: str
    tick_s: float  # how often `tick` is called; one that has just become shorter wakes the runner

    def handle(self, message: Message, now: Now) -> Message | Wait:
        """Answer a peer's or a local service's request. Raises Unexpected."""

    def tick(self, now: Now) -> list[Call]:
        """Return what is due."""

    def answered(self, call: Call, answer: Message, now: Now) -> list[Call]:
        """Take the outcome of one earlier call (`Failed` when there was none); return what follows."""

    @property
    def durable_serial(self) -> int:
        """Grows whenever `durable()` changed; 0 = this role keeps nothing itself."""

    def durable(self) -> bytes:
        """What must be on disk before this entry's answer and calls leave."""


@runtime_checkable
class Retracting(Protocol):
    """A role that can go back to what is on disk, when what an entry changed could not be written.

    A role without it keeps what it heard, and nothing leaves it until that is written.
    """

    def retract(self, durable: bytes | None) -> None:
        """Be as a process that starts with `durable`, None = with what this one started with.

        Nothing that the entry returned has left, so the world cannot tell this from a crash before it.
        """

    def cannot_write(self, why: str) -> None:
        """Change nothing durable until `can_write`."""

    def can_write(self) -> None:
        """The disk does again what it should."""
