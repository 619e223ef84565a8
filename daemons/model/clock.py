"""Time as data. Nothing below `daemons.net` reads a clock; it is handed a `Now`."""

from datetime import UTC, tzinfo
from functools import lru_cache
from typing import NewType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

Mono = NewType("Mono", float)  # seconds on this server's CLOCK_BOOTTIME: timeouts, leases
Wall = NewType("Wall", float)  # seconds since the Unix epoch, UTC: what operators read


class Now(Struct, frozen=True):
    """One reading of both clocks, taken once per entry into a role."""

    mono: Mono
    wall: Wall


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """Return a time zone by its name in the time zone database; "" and what this machine does not know are UTC."""
    return ZoneInfo(name) if name and known_zone(name) else UTC


def known_zone(name: str) -> bool:
    """Return whether this machine knows the time zone `name`; "" is UTC."""
    try:
        ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
