"""Flapping of a shard's objects: judged at each result, said when it begins and ends."""

from collections.abc import Callable

from daemons.model.clock import Now
from daemons.model.status import HARD, OK
from daemons.roles.shard.bookings import Bookings
from daemons.roles.shard.state import Item, ShardState
from daemons.roles.shard.tell import Teller
from daemons.rules import lines
from daemons.rules.flapping import STARTED, STOPPED, after_result, recorded, thresholds
from daemons.rules.notify import FLAPPING_DISABLED, FLAPPING_START, FLAPPING_STOP


class Flaps:
    """Watches one shard's objects."""

    def __init__(self, state: ShardState, teller: Teller, bookings: Bookings) -> None:
        """Works on `state`; `bookings` keeps the comment of what flaps."""
        self._state = state
        self._bookings = bookings
        self._teller = teller

    def after(self, item: Item, now: Now, *, counts: bool = True) -> None:
        """Judge whether `item` changes too often; `counts`: a result has just come."""
        status, traits, settings = item.status, item.traits, self._state.globals
        low, high = thresholds(traits, settings, is_host=item.is_host)
        options = traits.flap_detection_options
        enabled = settings.enable_flap_detection and traits.flap_detection_enabled
        flap = after_result(
            status.flap_history,
            status.flap_percent,
            status.flapping,
            status.state,
            low=low,
            high=high,
            enabled=enabled,
            records=counts
            and recorded(status.state, status.state_type, options, is_host=item.is_host),
        )
        status.flap_history, status.flap_percent = flap.history, flap.percent
        status.flapping = flap.flapping
        if flap.event == STARTED:
            self._say(item, FLAPPING_START, lines.flapping_started, flap.threshold, now)
            self._bookings.flapping(item, now, flap.threshold)
        elif flap.event == STOPPED:
            self._say(item, FLAPPING_STOP, lines.flapping_stopped, flap.threshold, now)
            self._bookings.flapping(item, now)
            self._teller.reminders.wake(item, now)
        elif status.flapping and not enabled:  # by a new configuration
            self._end(item, now)

    def switched(self, item: Item, now: Now) -> None:
        """Flap detection of `item` was switched on or off."""
        status = item.status
        on = self._state.globals.enable_flap_detection and item.traits.flap_detection_enabled
        if not on and status.flapping:
            self._end(item, now)
        elif on and (item.is_host or status.state == OK or status.state_type == HARD):
            self.after(item, now, counts=False)  # Nagios waits for what a soft problem becomes

    def clear(self, item: Item, now: Now) -> None:
        """Forget what `item` did so far (CLEAR_*_FLAPPING_STATE)."""
        item.status.flap_history, item.status.flap_percent = (), 0.0
        if item.status.flapping:
            self._end(item, now)

    def _end(self, item: Item, now: Now) -> None:
        item.status.flapping = False
        self._state.journal.log(lines.flapping_disabled(item.key), now)
        self._teller.say(item, FLAPPING_DISABLED, now, by=_cause(item))
        self._bookings.flapping(item, now)
        self._teller.reminders.wake(item, now)

    def _say(
        self,
        item: Item,
        kind: str,
        line: Callable[[str, float, float], str],
        threshold: float,
        now: Now,
    ) -> None:
        self._state.journal.log(line(item.key, item.status.flap_percent, threshold), now)
        self._teller.say(item, kind, now, by=_cause(item))


def _cause(item: Item) -> str:
    status = item.status
    return f"{status.hard_changes}.{status.applied_epoch}.{status.applied_seq}.{status.last_check_wall}"
