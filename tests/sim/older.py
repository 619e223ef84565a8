"""A server of an older release, as the others see it: messages without the fields that came since.

`SINCE` is the shape of messages at the first release; what is not in it was the same then. A message that
did not exist then is refused, as that release refuses it.
"""

import msgspec

from daemons.wire.messages import Failed

# Fields, without the tag. Nested parts are cut where they stand: a report is at these places.
SINCE = {"Roster": 6, "Census": 11}
REPORT = 8
REPORTS = {"Beat": 6, "Enrolled": 3}  # with the tag
CAME_SINCE = frozenset(
    ("Keep", "Recall", "Pause", "Resume", "ClaimActions", "ActionsEnded", "ClaimsAsk", "Operate", "OperationAsk",
     "HandLead", "HandOver", "Propose", "ProposalAsk", "TakeMoved", "DropMoved", "Reread")
)  # fmt: skip


def as_older(data: bytes) -> bytes:
    """Return a message as the first release would have sent it, or read it."""
    array = msgspec.msgpack.decode(data)
    kind = array[0]
    if kind in SINCE:
        del array[1 + SINCE[kind] :]
    if kind in REPORTS and len(array) > REPORTS[kind]:
        del array[REPORTS[kind]][REPORT:]
    if kind == "Census":
        for seen in array[4]:
            if len(seen) > 6:
                del seen[6][REPORT:]
    return msgspec.msgpack.encode(array)


def refused(data: bytes) -> Failed | None:
    """Return what the first release answers to a message that it does not know, None to one that it does."""
    kind = msgspec.msgpack.decode(data)[0]
    return Failed(f"Invalid value '{kind}'") if kind in CAME_SINCE else None
