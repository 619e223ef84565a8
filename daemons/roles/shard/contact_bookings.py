"""Downtimes of contacts: they begin, end, and are deleted.

The one thing to know: every shard has all contacts, so each keeps a contact's downtime for itself, under
one number everywhere (obeying/contacts.py); who is silent in one shard is silent in all.
"""

from daemons.model.clock import Now
from daemons.model.status import ContactStatus, Downtime
from daemons.roles.shard.state import ShardState
from daemons.rules import lines
from daemons.rules.booked import Event, What, next_transition, transitions


class ContactBookings:
    """What people booked for the contacts of one shard."""

    def __init__(self, state: ShardState) -> None:
        """Take up what the statuses hold; what ended meanwhile ends with the first tick."""
        self._state = state
        self._next_wall = 0.0

    def tick(self, now: Now) -> None:
        """Begin and end what time says."""
        if now.wall >= self._next_wall:
            for status in self._state.contact_status.values():
                self._pass_time(status, now)
            self._note_next(now)

    def take_up(self, status: ContactStatus, now: Now) -> None:
        """Watch over what the status of a contact holds; what begins now begins."""
        self._pass_time(status, now)
        self._note_next(now)

    def cancel(self, status: ContactStatus, downtime: Downtime, now: Now) -> None:
        """Delete a downtime of a contact."""
        was = _silent(status)
        status.downtimes = tuple(d for d in status.downtimes if d.id != downtime.id)
        self._state.contact_changed(status)
        if was and not _silent(status) and self._state.speaks:
            self._state.journal.log(lines.contact_downtime_cancelled(status.name), now)

    def _pass_time(self, status: ContactStatus, now: Now) -> None:
        status.downtimes, events = transitions(status.downtimes, now.wall)
        if events:
            self._state.contact_changed(status)
        for event in events:
            self._log(status.name, event, now)

    def _log(self, contact: str, event: Event, now: Now) -> None:
        if self._state.speaks and event.told and event.what in (What.STARTED, What.STOPPED):
            started = event.what == What.STARTED
            self._state.journal.log(lines.contact_downtime(contact, started), now)

    def _note_next(self, now: Now) -> None:
        times = [
            following
            for status in self._state.contact_status.values()
            if (following := next_transition(status.downtimes, now.wall)) is not None
        ]
        self._next_wall = min(times, default=float("inf"))


def _silent(status: ContactStatus) -> bool:
    return any(downtime.in_effect for downtime in status.downtimes)
