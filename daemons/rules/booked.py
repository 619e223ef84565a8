"""What people booked on an object: downtimes, acknowledgements, comments.

Nagios Core docs, "Scheduled Downtime" and external commands ACKNOWLEDGE_*. The one thing to know: these
functions take the tuples of a `Status` and return new ones, with events for what just happened.
"""

from collections.abc import Collection
from enum import StrEnum

import msgspec
from msgspec import Struct

from daemons.model.clock import Wall
from daemons.model.status import HARD, OK, Ack, Comment, Downtime
from daemons.rules.state import Move

COMMENT_USER, COMMENT_DOWNTIME, COMMENT_FLAPPING, COMMENT_ACK = 1, 2, 3, 4


class What(StrEnum):
    """What happened to a downtime; the first three have a log line and a notification."""

    STARTED = "STARTED"
    STOPPED = "STOPPED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"  # its window passed before it began
    REMOVED = "REMOVED"  # deleted before it began


class Event(Struct, frozen=True):
    """One change of one downtime. A STARTED or ended one is told only when it is the first or the last in
    effect: `told`."""

    what: What
    downtime: Downtime  # as it is now
    told: bool  # the object just entered or left downtime as a whole


Transitions = tuple[tuple[Downtime, ...], tuple[Event, ...]]


def transitions(
    downtimes: tuple[Downtime, ...],
    now: Wall,
    *,
    problem: bool = False,
    started_ids: Collection[int] = (),
) -> Transitions:
    """Return the downtimes of one object after the passing of time until `now`, and what happened.

    A fixed downtime is in effect from its start to its end. A flexible one begins within its window when the
    object has a hard `problem`, and lasts its duration. A triggered one begins with the downtime that
    `trigger_id` names: one of these, or of another object whose start `started_ids` tells. Ends come first.
    """
    if not downtimes:
        return (), ()
    events: list[Event] = []
    kept: list[Downtime] = []
    depth = sum(1 for d in downtimes if d.in_effect)
    for downtime in downtimes:
        if now < ends(downtime):
            kept.append(downtime)
        elif downtime.in_effect:
            depth -= 1
            ended = msgspec.structs.replace(downtime, in_effect=False)
            events.append(Event(What.STOPPED, ended, depth == 0))
        else:
            events.append(Event(What.EXPIRED, downtime, False))
    begun = set(started_ids)
    again = True
    while again:  # a downtime that begins can trigger another of the same object
        again = False
        for place, downtime in enumerate(kept):
            if downtime.in_effect or not _begins(downtime, now, problem, begun):
                continue
            kept[place] = msgspec.structs.replace(downtime, in_effect=True, started_wall=now)
            events.append(Event(What.STARTED, kept[place], depth == 0))
            begun.add(downtime.id)
            depth += 1
            again = True
    if not events:
        return downtimes, ()
    return tuple(kept), tuple(events)


def _begins(downtime: Downtime, now: Wall, problem: bool, begun: Collection[int]) -> bool:
    if downtime.trigger_id:
        return downtime.trigger_id in begun
    if now < downtime.start_wall:
        return False
    return downtime.fixed or problem


def ends(downtime: Downtime) -> Wall:
    """Return when a downtime ends: its window's end, or its duration after it began."""
    if downtime.fixed or not downtime.in_effect:
        return Wall(downtime.end_wall)
    return Wall(downtime.started_wall + downtime.duration_s)


def next_transition(downtimes: tuple[Downtime, ...], now: Wall) -> Wall | None:
    """Return when `transitions` has to be asked next because of time alone; None = not at all.

    That is when one ends, or when a window opens: of a fixed downtime, or of a flexible one, whose problem
    may be there already. One that waits for its trigger has no start of its own.
    """
    times = [ends(d) for d in downtimes]
    times += [
        Wall(d.start_wall)
        for d in downtimes
        if not d.in_effect and not d.trigger_id and (d.fixed or d.start_wall > now)
    ]
    return min(times, default=None)


def begins_in_effect(move: Move) -> bool:
    """Return whether a result is the hard problem that a flexible downtime waits for.

    The documentation says "a non-OK state"; as Naemon, we wait for the hard one, so that the duration
    covers what would be told.
    """
    return move.state != OK and move.state_type == HARD


def cancel(downtimes: tuple[Downtime, ...], id: int) -> Transitions:
    """Return the downtimes without number `id`, and what that means; unchanged when there is none.

    Those that it triggers go with it.
    """
    gone_ids = {id}
    for _ in downtimes:
        gone_ids |= {d.id for d in downtimes if d.trigger_id in gone_ids}
    gone = [d for d in downtimes if d.id in gone_ids]
    if not any(d.id == id for d in gone):
        return downtimes, ()
    kept = tuple(d for d in downtimes if d.id not in gone_ids)
    depth = sum(1 for d in downtimes if d.in_effect)
    events: list[Event] = []
    for d in gone:
        depth -= d.in_effect
        what = What.CANCELLED if d.in_effect else What.REMOVED
        ended = msgspec.structs.replace(d, in_effect=False)
        events.append(Event(what, ended, d.in_effect and depth == 0))
    return kept, tuple(events)


def triggered_by(downtimes: tuple[Downtime, ...], ids: Collection[int]) -> tuple[int, ...]:
    """Return the numbers of the downtimes that those of `ids`, of whatever object, trigger."""
    return tuple(d.id for d in downtimes if d.trigger_id in ids)


def ack_after(move: Move, ack: Ack | None) -> Ack | None:
    """Return the acknowledgement that still holds after a result.

    None after a recovery, and after any change of state unless it is sticky (ACKNOWLEDGE_*: sticky = 2).
    """
    if ack is None or move.state == OK:
        return None
    return ack if ack.sticky or not move.changed else None


def ack_at(ack: Ack | None, now: Wall) -> Ack | None:
    """Return the acknowledgement unless its time is over (ACKNOWLEDGE_*_EXPIRE)."""
    if ack is None or 0 < ack.expire_wall <= now:
        return None
    return ack


def comments_without_ack(comments: tuple[Comment, ...]) -> tuple[Comment, ...]:
    """Return the comments after an acknowledgement ended: its own go unless they are persistent."""
    kept = tuple(c for c in comments if c.kind != COMMENT_ACK or c.persistent)
    return comments if len(kept) == len(comments) else kept


def comments_without_downtimes(
    comments: tuple[Comment, ...], ended_ids: Collection[int]
) -> tuple[Comment, ...]:
    """Return the comments without those of downtimes that ended or were deleted."""
    return tuple(c for c in comments if c.kind != COMMENT_DOWNTIME or c.source_id not in ended_ids)


def comments_without_flapping(comments: tuple[Comment, ...]) -> tuple[Comment, ...]:
    """Return the comments after flapping ended: what flapping left goes."""
    kept = tuple(c for c in comments if c.kind != COMMENT_FLAPPING)
    return comments if len(kept) == len(comments) else kept


def flapping_comment(id: int, now: Wall, percent: float, threshold: float, *, is_host: bool) -> Comment:
    """Return the comment that flapping leaves while it lasts, as Nagios words it; percentages 0..100."""
    noun, sign = ("host", ">") if is_host else ("service", ">=")
    return Comment(
        id=id,
        entry_wall=now,
        author="(Shinken Process)",
        text=(
            f"Notifications for this {noun} are being suppressed because it was detected as having been"
            f" flapping between different states ({percent:.1f}% change {sign} {threshold:.1f}% threshold)."
            f"  When the {noun} state stabilizes and the flapping stops, notifications will be re-enabled."
        ),
        kind=COMMENT_FLAPPING,
    )


def ack_comment(id: int, ack: Ack) -> Comment:
    """Return the comment that an acknowledgement leaves."""
    return Comment(
        id=id,
        entry_wall=ack.entry_wall,
        author=ack.author,
        text=ack.comment,
        persistent=ack.persistent,
        kind=COMMENT_ACK,
    )


def downtime_comment(id: int, downtime: Downtime, *, is_host: bool, from_to: str) -> Comment:
    """Return the comment that a downtime leaves; `from_to` is "<start> to <end>" as people read times."""
    noun = "host" if is_host else "service"
    if downtime.fixed:
        text = f"This {noun} has been scheduled for fixed downtime from {from_to}."
    else:
        hours, rest = divmod(int(downtime.duration_s), 3600)
        text = (
            f"This {noun} has been scheduled for flexible downtime starting between {from_to} and"
            f" lasting for a period of {hours} hours and {rest // 60} minutes."
        )
    return Comment(
        id=id,
        entry_wall=downtime.entry_wall,
        author="(Shinken Process)",
        text=(f"{text} Notifications for the {noun} will not be sent out during that time period."),
        kind=COMMENT_DOWNTIME,
        source_id=downtime.id,
    )
