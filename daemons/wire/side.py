"""What commands that run beside checks bring back.

The one thing to know: nothing here is promised. Such commands are given out once, are in no journal and
are lost with the daemon that has them.
"""

from msgspec import Struct


class SnapshotTaken(Struct, frozen=True, array_like=True):
    """What a `snapshot_command` printed: from the reactionner to the owner, and on to the brokers."""

    object: str  # key of the host or service
    wall: float  # when it was started
    code: int  # exit code, or what the worker made up
    output: str
