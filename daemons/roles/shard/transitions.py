"""TIMEPERIOD TRANSITION lines: a time period begins or ends.

Shinken docs and Nagios 4 log them. The one thing to know: all schedulers have all periods, so only the first shard
of each realm tells of them; what it told is part of its status, and a new owner goes on from there.
"""

from daemons.model.clock import Now
from daemons.model.objects import SHARDS_A_REALM
from daemons.roles.shard.state import ShardState
from daemons.rules import lines
from daemons.rules.timeperiod import covers

LOOK_S = 1.0


class Transitions:
    """Watches the time periods of one shard."""

    def __init__(self, state: ShardState) -> None:
        """Works on `state`."""
        self._state = state
        self._tells = state.id % SHARDS_A_REALM == 1
        self._looked_mono = float("-inf")

    def tick(self, now: Now) -> None:
        """Log what has begun or ended since it was last looked at."""
        if not self._tells or now.mono - self._looked_mono < LOOK_S:
            return
        self._looked_mono = now.mono
        state = self._state
        known = state.status.periods
        found = {name: int(covers(period, now.wall)) for name, period in state.periods.items()}
        if found == known:
            return
        for name, inside in found.items():
            was = known.get(name, -1)
            if was != inside:
                state.journal.log(lines.period_transition(name, was, inside), now)
        state.status.periods = found
        state.shard_changed()
