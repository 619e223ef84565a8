"""Downtimes, acknowledgements and comments of a shard's objects, and the passing of their time.

The one thing to know: `rules.booked` decides; here the answers become statuses, log lines, notifications.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from daemons.model.clock import Now, known_zone, zone_of
from daemons.model.objects import Key
from daemons.model.status import Ack, Comment, Downtime
from daemons.roles.shard.contact_bookings import ContactBookings
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
    comments_without_flapping,
    downtime_comment,
    flapping_comment,
    next_transition,
    transitions,
    triggered_by,
)
from daemons.rules.notify import (
    ACKNOWLEDGEMENT,
    DOWNTIME_CANCELLED,
    DOWNTIME_END,
    DOWNTIME_START,
)
from daemons.rules.remind import stands

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
CHANGES = 300  # objects whose time has come, in one tick: downtimes of 50,000 may end together
TELLS = 20  # notifications between two ticks, as far as it can wait: each costs milliseconds, a lease is short
_ENDED = (What.STOPPED, What.CANCELLED, What.EXPIRED, What.REMOVED)


class Bookings:
    """What people booked in one shard."""

    def __init__(self, state: ShardState, teller: Teller, now: Now) -> None:
        """Take up what the statuses hold; what ended meanwhile ends with the first tick."""
        self._state = state
        self._teller = teller
        self._due: dict[Key, float] = {}  # wall time of the next change that time alone brings
        self._triggered: dict[Key, None] = {}  # objects with a downtime that waits for another, or did
        self._next_wall = 0.0
        self._told = 0.0  # notifications planned until the last tick
        self.contacts = ContactBookings(state)
        for item in state.items.values():
            self.take_up(item, now)

    def take_up(self, item: Item, now: Now) -> None:
        """Watch over what the status of `item` holds; what time brought meanwhile comes with the next tick."""
        if item.status.downtimes or item.status.ack is not None:
            self._due[item.key] = self._next_wall = now.wall

    def tick(self, now: Now) -> None:
        """Begin and end what time says."""
        self.contacts.tick(now)
        self._told = self._state.figures["notifications_planned"]
        if not self._due or now.wall < self._next_wall:
            return
        due = [key for key, wall in self._due.items() if wall <= now.wall]
        for key in due[:CHANGES]:  # the others with the next tick
            item = self._state.items.get(key)
            if item is None:
                del self._due[key]
                continue
            if self._busy:
                break
            for downtime in item.status.downtimes:
                if downtime.cancelled:
                    self.cancel_of(item, downtime.id, now)
            self.pass_time(item, now, problem=False)
            ack = item.status.ack
            if ack is not None and ack_at(ack, now.wall) is None:
                self.remove_ack(item, now)
        self._next_wall = min(self._due.values(), default=now.wall + 1.0)

    def pass_time(self, item: Item, now: Now, *, problem: bool) -> None:
        """Move the downtimes of `item` on; `problem`: a result has just said that it has one."""
        status = item.status
        self._move_on(
            item, now, *transitions(status.downtimes, now.wall, problem=problem or stands(status))
        )

    @property
    def _busy(self) -> bool:
        return self._state.figures["notifications_planned"] - self._told >= TELLS

    # -- downtimes

    def book(self, item: Item, downtime: Downtime, now: Now) -> int:
        """Add `downtime` under a number of its own. Returns the number."""
        number = self._state.number(self._state.status.next_downtime_id)
        self._state.status.next_downtime_id += 1
        downtime = replace(downtime, id=number)
        status = item.status
        status.downtimes += (downtime,)
        zone = self._state.globals.use_timezone
        from_to = f"{_when(downtime.start_wall, zone)} to {_when(downtime.end_wall, zone)}"
        comment = downtime_comment(
            self._comment_id(), downtime, is_host=item.is_host, from_to=from_to
        )
        status.comments += (comment,)
        self._state.shard_changed()
        if self._busy:  # one command may book for thousands: the others begin tick by tick
            self._due[item.key] = self._next_wall = now.wall
        else:
            self.pass_time(item, now, problem=False)
        if downtime.trigger_id and self._in_effect(downtime.trigger_id):
            self._trigger(downtime.trigger_id, (item,), now)
        self._state.changed(item)
        return number

    def cancel(self, number: int, now: Now) -> bool:
        """Delete downtime `number`, and those it triggers. Returns whether it was here."""
        return any(self.cancel_of(item, number, now) for item in self._with_downtimes())

    def cancel_of(self, item: Item, number: int, now: Now) -> bool:
        """Delete downtime `number` of `item`, and those it triggers. Returns whether it was there.

        One command may delete for thousands: when enough was told, one that is in effect goes tick by tick.
        """
        kept, events = cancel(item.status.downtimes, number)
        if events and self._busy and any(event.told for event in events):
            self._change(item, number, now, cancelled=True)
        elif events:
            self._move_on(item, now, kept, events)
            gone = [event.downtime.id for event in events]
            for other in self._with_triggered():
                for child in triggered_by(other.status.downtimes, gone):
                    self.cancel_of(other, child, now)
        return bool(events)

    def prolong(self, item: Item, number: int, end_wall: float, now: Now) -> None:
        """Let downtime `number` of `item`, a fixed one, end at another time."""
        self._change(item, number, now, end_wall=end_wall)

    def cancel_all(self, item: Item, now: Now) -> None:
        """Delete all downtimes of `item`, and those they trigger."""
        for downtime in item.status.downtimes:
            self.cancel_of(item, downtime.id, now)

    # -- acknowledgements and comments

    def acknowledge(self, item: Item, ack: Ack, command_id: str, now: Now) -> None:
        """Put `ack` in force, with its comment, and tell of it when it says so."""
        status = item.status
        self.remove_ack(item, now)
        status.ack = ack
        status.comments += (ack_comment(self._comment_id(), ack),)
        self._state.changed(item)
        self._note_due(item, now)
        if ack.notify:
            self._teller.say(
                item, ACKNOWLEDGEMENT, now, by=command_id, author=ack.author, comment=ack.comment
            )

    def remove_ack(self, item: Item, now: Now) -> None:
        """End the acknowledgement of `item`, if any."""
        status = item.status
        status.ack = None
        status.comments = comments_without_ack(status.comments)
        self._state.changed(item)
        self._note_due(item, now)
        self._teller.reminders.wake(item, now)

    def flapping(self, item: Item, now: Now, threshold: float = 0.0) -> None:
        """Leave the comment of flapping that has begun, or take it away when it has ended."""
        status = item.status
        status.comments = comments_without_flapping(status.comments)
        if status.flapping:
            status.comments += (
                flapping_comment(
                    self._comment_id(), now.wall, status.flap_percent, threshold, is_host=item.is_host
                ),
            )
        self._state.changed(item)

    def comment(self, item: Item, author: str, text: str, persistent: bool, now: Now) -> None:
        """Add a comment."""
        item.status.comments += (
            Comment(
                id=self._comment_id(), entry_wall=now.wall, author=author, text=text,
                persistent=persistent,
            ),
        )  # fmt: skip
        self._state.changed(item)

    def uncomment(self, item: Item, number: int) -> None:
        """Delete comment `number` of `item`."""
        item.status.comments = tuple(c for c in item.status.comments if c.id != number)
        self._state.changed(item)

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

    def _change(self, item: Item, number: int, now: Now, **what: bool | float) -> None:
        """Have downtime `number` of `item` with other fields."""
        item.status.downtimes = tuple(
            replace(d, **what) if d.id == number else d for d in item.status.downtimes
        )
        self._note_due(item, now)
        self._state.changed(item)

    def _move_on(
        self, item: Item, now: Now, downtimes: tuple[Downtime, ...], events: tuple[Event, ...]
    ) -> None:
        """Let `item` have these downtimes, say what happened, and begin what that triggers elsewhere."""
        item.status.downtimes = downtimes
        self._tell(item, events, now)
        self._note_due(item, now)
        for event in events:
            if event.what == What.STARTED:
                others = [other for other in self._with_triggered() if other is not item]
                self._trigger(event.downtime.id, others, now)

    def _trigger(self, number: int, items: Iterable[Item], now: Now) -> None:
        """Begin the downtimes of `items` that wait for downtime `number`."""
        for item in items:
            downtimes = item.status.downtimes
            if any(d.trigger_id == number and not d.in_effect for d in downtimes):
                moved = transitions(downtimes, now.wall, started_ids=(number,))
                self._move_on(item, now, *moved)

    def _in_effect(self, number: int) -> bool:
        return any(
            d.id == number and d.in_effect
            for item in self._with_downtimes()
            for d in item.status.downtimes
        )

    def _with_downtimes(self) -> list[Item]:
        items = self._state.items
        return [items[k] for k in self._due if k in items and items[k].status.downtimes]

    def _with_triggered(self) -> list[Item]:
        items = self._state.items
        return [items[k] for k in self._triggered if k in items]

    def _note_due(self, item: Item, now: Now) -> None:
        if any(d.trigger_id for d in item.status.downtimes):
            self._triggered[item.key] = None
        else:
            self._triggered.pop(item.key, None)
        following = next_transition(item.status.downtimes, now.wall)
        times = [] if following is None else [float(following)]
        ack = item.status.ack
        if ack is not None and ack.expire_wall > 0:
            times.append(ack.expire_wall)
        if any(d.cancelled for d in item.status.downtimes):
            times.append(now.wall)
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


def _when(wall: float, zone: str) -> str:
    local = datetime.fromtimestamp(int(wall), zone_of(zone if known_zone(zone) else ""))
    return local.strftime("%Y-%m-%d %H:%M:%S")
