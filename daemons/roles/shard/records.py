"""Which records of a shard can be read: what a store damaged is counted, and never stops a take-over."""

import msgspec

from daemons.model.status import ContactStatus, ShardStatus
from daemons.wire.messages import LogLine

_READERS: dict[str, type] = {
    "c/": ContactStatus,
    "sh": ShardStatus,
    "l/": tuple[LogLine, ...],
    "b/": tuple[int, int],
    "x/": float,
    "m/": tuple[int, float, bytes],
}


def readable(records: dict[str, bytes]) -> tuple[dict[str, bytes], int]:
    """Return `records` without those that cannot be read, and how many these are.

    Statuses and planned actions ("o/", "a/") are judged where they are read.
    """
    bad = [key for key, value in records.items() if not _is_readable(key, value)]
    if not bad:
        return records, 0
    return {key: value for key, value in records.items() if key not in bad}, len(bad)


def _is_readable(key: str, value: bytes) -> bool:
    reader = _READERS.get(key[:2])
    if reader is None:
        return True
    try:
        msgspec.msgpack.decode(value, type=reader)
    except msgspec.DecodeError:
        return False
    if not key.startswith("l/"):
        return True
    epoch, _, n = key[2:].partition(".")
    return epoch.isdecimal() and n.isdecimal()
