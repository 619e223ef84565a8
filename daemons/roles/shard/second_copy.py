"""Asks the keepers what was claimed for a shard: by a new owner, and when a reactionner falls silent."""

from daemons.ha.claims import second_copy
from daemons.model.cluster import Epoch
from daemons.roles.role import Call
from daemons.wire.claims import ClaimsAsk, ClaimsKept
from daemons.wire.messages import Fenced, Message

ASK_S = 0.6
RUNS_S = 40.0  # an action is claimed for so long at most: its time-out and what is added to it
BEYOND_S = 10.0  # from a claim to the command's start, and from its end to the keepers


class ClaimsQuery:
    """One question to all keepers, and what they answered."""

    def __init__(self, shard: int, epoch: Epoch, keepers: tuple[str, ...]) -> None:
        """For the owner of `shard` under `epoch`."""
        self.shard = shard
        self.epoch = epoch
        self._asked = set(keepers)
        self._heard: dict[str, ClaimsKept | None] = {}

    def calls(self) -> list[Call]:
        """Return the calls, all at once."""
        ask = ClaimsAsk(self.shard, self.epoch)
        return [Call(k, ask, ASK_S, lane=f"claims/{self.shard}") for k in sorted(self._asked)]

    def hear(self, call: Call, answer: Message) -> Epoch:
        """Take one keeper's answer. Returns the epoch of a newer owner, 0 when there is none."""
        if isinstance(answer, Fenced):
            return answer.highest
        self._heard[call.to] = answer if isinstance(answer, ClaimsKept) else None
        return 0

    @property
    def answers(self) -> tuple[ClaimsKept, ...]:
        """What the keepers said."""
        return tuple(answer for _, answer in sorted(self._heard.items()) if answer is not None)

    @property
    def settled(self) -> bool:
        """Enough have answered, or nobody is left who is likely to."""
        if self._heard.keys() >= self._asked or any(answer.alone for answer in self.answers):
            return True
        return second_copy(self.answers, RUNS_S).whole
