"""Which object has the downtime or comment with a number.

The one thing to know: commands come a thousand at a time, and objects are a hundred thousand: they are looked
through once for all the commands of one entry, not once for each.
"""

from daemons.model.clock import Now
from daemons.roles.shard.state import Item, ShardState


class Numbers:
    """The numbers of one shard's downtimes and comments."""

    def __init__(self, state: ShardState) -> None:
        """Nothing is looked through before somebody asks."""
        self._state = state
        self._looked_mono = -1.0
        self._next_downtime = self._next_comment = 0  # when it was
        self._downtimes: dict[int, Item] = {}
        self._comments: dict[int, Item] = {}

    def of_downtime(self, number: int, now: Now) -> Item | None:
        """Return the object that has downtime `number`, None when none of this shard has."""
        self._look(number, self._next_downtime, self._state.status.next_downtime_id, now)
        item = self._downtimes.get(number)
        if item is None or all(d.id != number for d in item.status.downtimes):
            return None
        return item

    def of_comment(self, number: int, now: Now) -> Item | None:
        """Return the object that has comment `number`, None when none of this shard has."""
        self._look(number, self._next_comment, self._state.status.next_comment_id, now)
        item = self._comments.get(number)
        if item is None or all(c.id != number for c in item.status.comments):
            return None
        return item

    def _look(self, number: int, then: int, following: int, now: Now) -> None:
        """Look through the objects, unless that was done in this entry and `number` was not given since."""
        state = self._state
        new = state.number(then) <= number < state.number(following)
        if self._looked_mono == now.mono and not new:
            return
        self._looked_mono = now.mono
        self._next_downtime = state.status.next_downtime_id
        self._next_comment = state.status.next_comment_id
        self._downtimes, self._comments = {}, {}
        for item in state.items.values():
            for downtime in item.status.downtimes:
                self._downtimes[downtime.id] = item
            for comment in item.status.comments:
                self._comments[comment.id] = item
