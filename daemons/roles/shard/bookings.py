"""Downtimes, acknowledgements and comments of a shard's objects, and the passing of their time.

The one thing to know: `rules.booked` decides; here the answers become statuses, log lines, notifications.
"""

from datetime import UTC, datetime

from msgspec.structs import replace

from daemons.model.clock import Now
from daemons.model.objects import Key
from daemons.model.status import Ack, Comment, ContactStatus, Downtime
from daemons.roles.shard.state import Item, ShardState
from daemons.roles.shard.tell import Teller
from daemons.rules import lines
from daemons.rules.booked import (
    COMMENT_ACK,
    Event,
    What,
    ack_at,
    ack_comment,
    cancel,
    comments_without_ack,
    comments_without_downtimes,
    downtime_comment,
    next_transition,
    transitions,
)
from daemons.rules.notify import (
    ACKNOWLEDGEMENT,
    DOWNTIME_CANCELLED,
    DOWNTIME_END,
    DOWNTIME_START,
)

_LINES = {
    What.STARTED: lines.downtime_started,
    What.STOPPED: lines.downtime_stopped,
    What.CANCELLED: lines.downtime_cancelled,
}
_KINDS = {
    What.STARTED: DOWNTIME_START,
    What.STOPPED: DOWNTIME_END,
    What.CANCELLED: DOWNTIME_CANCELLED,
}
_ENDED = (What.STOPPED, What.CANCELLED, What.EXPIRED, What.REMOVED)


class Bookings:
    """What people booked in one shard."""

    def __init__(self, state: ShardState, teller: Teller, now: Now) -> None:
        """Take up what the statuses hold; what ended meanwhile ends with the first tick."""
        self._state = state
        self._teller = teller
        self._due: dict[Key, float] = {}  # wall time of the next change that time alone brings
        self._next_wall = 0.0
        for item in state.items.values():
            self.take_up(item)

    def take_up(self, item: Item) -> None:
        """Watch over what the status of `item` holds."""
        if item.status.downtimes or item.status.ack is not None:
            self._note_due(item)

    def tick(self, now: Now) -> None:
        """Begin and end what time says."""
        if not self._due or now.wall < self._next_wall:
            return
        for key in [key for key, wall in self._due.items() if wall <= now.wall]:
            item = self._state.items.get(key)
            if item is None:
                del self._due[key]
                continue
            self.pass_time(item, now, problem=False)
            ack = item.status.ack
            if ack is not None and ack_at(ack, now.wall) is None:
                self.remove_ack(item)
        self._next_wall = min(self._due.values(), default=now.wall + 1.0)

    def pass_time(self, item: Item, now: Now, *, problem: bool) -> None:
        """Move the downtimes of `item` on; `problem`: it has just become a hard one."""
        status = item.status
        status.downtimes, events = transitions(status.downtimes, now.wall, problem=problem)
        self._tell(item, events, now)
        started = [event.downtime.id for event in events if event.what == What.STARTED]
        self._note_due(item)
        for trigger in started:
            self._trigger(trigger, item, now)

    # -- downtimes

    def book(self, item: Item, downtime: Downtime, now: Now) -> int:
        """Add `downtime` under a number of its own. Returns the number."""
        number = self._state.number(self._state.status.next_downtime_id)
        self._state.status.next_downtime_id += 1
        downtime = replace(downtime, id=number)
        status = item.status
        status.downtimes += (downtime,)
        from_to = f"{_when(downtime.start_wall)} to {_when(downtime.end_wall)}"
        comment = downtime_comment(
            self._comment_id(), downtime, is_host=item.is_host, from_to=from_to
        )
        status.comments += (comment,)
        self._state.shard_changed()
        self.pass_time(item, now, problem=False)
        if downtime.trigger_id and self._in_effect(downtime.trigger_id):
            status.downtimes, events = transitions(
                status.downtimes, now.wall, started_ids=(downtime.trigger_id,)
            )
            self._tell(item, events, now)
            self._note_due(item)
        self._state.changed(item)
        return number

    def cancel(self, number: int, now: Now) -> bool:
        """Delete downtime `number`. Returns whether it was here."""
        return any(self.cancel_of(item, number, now) for item in self._with_downtimes())

    def cancel_of(self, item: Item, number: int, now: Now) -> bool:
        """Delete downtime `number` of `item`. Returns whether it was there."""
        kept, events = cancel(item.status.downtimes, number)
        if events:
            item.status.downtimes = kept
            self._tell(item, events, now)
            self._note_due(item)
        return bool(events)

    def prolong(self, item: Item, number: int, end_wall: float) -> None:
        """Let downtime `number` of `item`, a fixed one, end at another time."""
        item.status.downtimes = tuple(
            replace(d, end_wall=end_wall) if d.id == number else d for d in item.status.downtimes
        )
        self._note_due(item)
        self._state.changed(item)

    def cancel_all(self, item: Item, now: Now) -> None:
        """Delete all downtimes of `item`."""
        for downtime in item.status.downtimes:
            kept, events = cancel(item.status.downtimes, downtime.id)
            item.status.downtimes = kept
            self._tell(item, events, now)
        self._note_due(item)

    # -- contacts

    def take_up_contact(self, status: ContactStatus, now: Now) -> None:
        """Watch over what a contact's status holds."""

    def cancel_contact(self, status: ContactStatus, downtime: Downtime, now: Now) -> None:
        """Delete a downtime of a contact."""
        status.downtimes = tuple(d for d in status.downtimes if d.id != downtime.id)
        self._state.contact_changed(status)

    # -- acknowledgements and comments

    def acknowledge(self, item: Item, ack: Ack, command_id: str, now: Now) -> None:
        """Put `ack` in force, with its comment, and tell of it when it says so."""
        status = item.status
        self.remove_ack(item)
        status.ack = ack
        status.comments += (ack_comment(self._comment_id(), ack),)
        self._state.changed(item)
        self._note_due(item)
        if ack.notify:
            self._teller.say(
                item, ACKNOWLEDGEMENT, now, by=command_id, author=ack.author, comment=ack.comment
            )

    def remove_ack(self, item: Item) -> None:
        """End the acknowledgement of `item`, if any."""
        status = item.status
        status.ack = None
        status.comments = comments_without_ack(status.comments)
        self._state.changed(item)
        self._note_due(item)

    def comment(self, item: Item, author: str, text: str, persistent: bool, now: Now) -> None:
        """Add a comment."""
        item.status.comments += (
            Comment(
                id=self._comment_id(), entry_wall=now.wall, author=author, text=text,
                persistent=persistent,
            ),
        )  # fmt: skip
        self._state.changed(item)

    def uncomment(self, number: int) -> bool:
        """Delete comment `number`. Returns whether it was here."""
        for item in self._state.items.values():
            if any(c.id == number for c in item.status.comments):
                item.status.comments = tuple(c for c in item.status.comments if c.id != number)
                self._state.changed(item)
                return True
        return False

    def uncomment_all(self, item: Item) -> None:
        """Delete all comments of `item` but that of an acknowledgement in force."""
        keep = item.status.ack is not None
        item.status.comments = tuple(
            c for c in item.status.comments if keep and c.kind == COMMENT_ACK
        )
        self._state.changed(item)

    # -- inside

    def _tell(self, item: Item, events: tuple[Event, ...], now: Now) -> None:
        if not events:
            return
        ended = [event.downtime.id for event in events if event.what in _ENDED]
        if ended:
            item.status.comments = comments_without_downtimes(item.status.comments, ended)
            self._teller.reminders.wake(item, now)
        self._state.changed(item)
        for event in events:
            line = _LINES.get(event.what)
            if line is None or not event.told:
                continue
            self._state.journal.log(line(item.key), now)
            downtime = event.downtime
            said = event.what != What.CANCELLED  # as in Naemon
            self._teller.say(
                item, _KINDS[event.what], now, by=downtime.command_id or f"downtime {downtime.id}",
                author=downtime.author if said else "", comment=downtime.comment if said else "",
            )  # fmt: skip

    def _trigger(self, number: int, source: Item, now: Now) -> None:
        """Begin the downtimes of other objects that wait for downtime `number`."""
        for item in list(self._with_downtimes()):
            if item is source or not any(d.trigger_id == number for d in item.status.downtimes):
                continue
            item.status.downtimes, events = transitions(
                item.status.downtimes, now.wall, started_ids=(number,)
            )
            self._tell(item, events, now)
            self._note_due(item)

    def _in_effect(self, number: int) -> bool:
        downtimes = (d for item in self._with_downtimes() for d in item.status.downtimes)
        return any(d.id == number and d.in_effect for d in downtimes)

    def _with_downtimes(self) -> list[Item]:
        items = self._state.items
        return [items[k] for k in self._due if k in items and items[k].status.downtimes]

    def _note_due(self, item: Item) -> None:
        following = next_transition(item.status.downtimes)
        times = [] if following is None else [float(following)]
        ack = item.status.ack
        if ack is not None and ack.expire_wall > 0:
            times.append(ack.expire_wall)
        if not times:
            self._due.pop(item.key, None)
            return
        self._due[item.key] = min(times)
        self._next_wall = min(self._next_wall, self._due[item.key])

    def _comment_id(self) -> int:
        number = self._state.number(self._state.status.next_comment_id)
        self._state.status.next_comment_id += 1
        self._state.shard_changed()
        return number


def _when(wall: float) -> str:
    return datetime.fromtimestamp(int(wall), UTC).strftime("%Y-%m-%d %H:%M:%S")
