"""When the snapshot command of an object runs.

Shinken docs, "Snapshots": after a result that leaves the object in one of the states of `snapshot_criteria`,
soft or hard, within `snapshot_period`, and not sooner than `snapshot_interval` after the last one. The one
thing to know: the interval counts from the start of the last snapshot, whatever the states in between.
"""

from daemons.model.clock import Wall
from daemons.model.objects import Snapshot

_HOST_LETTERS = ("o", "d", "u")  # UP, DOWN, UNREACHABLE
_SERVICE_LETTERS = ("o", "w", "c", "u")


def wanted(
    snapshot: Snapshot, state: int, last_wall: float, now: Wall, *, is_host: bool, in_period: bool
) -> bool:
    """Return whether a snapshot is taken after a result that left the object in `state`.

    `last_wall` is when the last one was begun, 0 = never; `in_period`: snapshot_period covers `now`.
    """
    if not in_period or not snapshot.command:
        return False
    letters = _HOST_LETTERS if is_host else _SERVICE_LETTERS
    if not 0 <= state < len(letters) or letters[state] not in snapshot.criteria:
        return False
    passed_s = now - last_wall
    return passed_s >= snapshot.interval_s or passed_s < 0  # another server's clock was ahead
