"""Time as data. Nothing below `daemons.net` reads a clock; it is handed a `Now`."""

from typing import NewType

from msgspec import Struct

Mono = NewType("Mono", float)  # seconds on this server's CLOCK_BOOTTIME: timeouts, leases
Wall = NewType("Wall", float)  # seconds since the Unix epoch, UTC: what operators read


class Now(Struct, frozen=True):
    """One reading of both clocks, taken once per entry into a role."""

    mono: Mono
    wall: Wall
