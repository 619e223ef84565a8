"""log_initial_states: the state of each object, once, for reports that read the logs.

The one thing to know: INITIAL is said of an object that comes into the cluster, CURRENT of all when nobody had
run the shard for a while. A take-over or a new configuration says nothing of what is known.
"""

from collections import deque
from collections.abc import Iterable

from daemons.model.clock import Now
from daemons.model.objects import Key
from daemons.roles.shard.state import Item, ShardState
from daemons.rules import lines

EVERY_S = 1.0
AT_ONCE = 1000  # lines: a hundred thousand objects are told in minutes and hold nothing up
OUTAGE_S = 60.0  # nobody has run the shard for so long: logs do not know what is current


class Introductions:
    """Says what one shard's objects are when logging begins."""

    def __init__(self, state: ShardState) -> None:
        """Nothing is to be said yet."""
        self._state = state
        self._waiting: deque[tuple[Key, bool]] = deque()  # (object, is new)
        self._next_mono = 0.0

    def begin(self, restored: frozenset[Key] | set[Key], now: Now) -> None:
        """The shard begins: `restored` have a history, also what is configured no more; others are new."""
        if not self._state.globals.log_initial_states:
            return
        items = self._state.items
        newest = max(
            (item.status.last_check_wall for key, item in items.items() if key in restored),
            default=0.0,
        )
        outage = now.wall - newest > OUTAGE_S
        for key in items:
            new = key not in restored
            if new or outage:
                self._waiting.append((key, new))

    def arrived(self, items: Iterable[Item]) -> None:
        """A new configuration brought `items`; those with a history came from another shard."""
        if self._state.globals.log_initial_states:
            self._waiting.extend((item.key, True) for item in items if not item.status.checked)

    def tick(self, now: Now) -> None:
        """Say the next few."""
        if not self._waiting or now.mono < self._next_mono:
            return
        self._next_mono = now.mono + EVERY_S
        for _ in range(min(AT_ONCE, len(self._waiting))):
            key, new = self._waiting.popleft()
            item = self._state.items.get(key)
            if item is None:
                continue
            say = lines.initial_state if new and not item.status.checked else lines.current_state
            status = item.status
            self._state.journal.log(
                say(key, status.state, status.state_type, status.attempt, status.output), now
            )
