"""Handing a shard over in order: the owner stops, says everything, and is gone; the standby goes on.

The one thing to know: until the `HandOver` is sent the owner may change its mind and go on; once it is
sent, its epoch is over, whether anybody heard it or not. So what was said can never become untrue: the
standby uses it for the very next epoch only, and otherwise takes over as after a death.
"""

from typing import Literal

from daemons.model.clock import Now
from daemons.model.cluster import SERVERS_MAX, Epoch
from daemons.roles.shard.owned import OwnedShard
from daemons.wire.operations import HandOver

SWITCH_S = 1.0  # the last delta takes longer than that: go on, try again later
AGAIN_S = 2.0
GIVE_WAY_S = 8.0  # ordered for so long and never in order: give way as if the standby did not follow
TICK_S = 0.01  # of a role that hands over or expects to be handed to
EXPECT_S = 2.0  # a hand-over that is announced is waited for so long, with requests kept waiting

Stage = Literal["", "sealed", "ready"]


class Leaving:
    """The owner's side."""

    def __init__(self) -> None:
        """Nobody is to take over."""
        self._since: float | None = None  # mono; of the order that is being carried out
        self._not_before = 0.0
        self._ordered: float | None = None  # mono; since then the roster wants the shard elsewhere
        self.why_not = ""  # the last attempt failed

    @property
    def under_way(self) -> bool:
        """Return whether the shard is sealed, for a hand-over."""
        return self._since is not None

    def begin(self, owned: OwnedShard, to: str, now: Now) -> bool:
        """Seal the shard if `to` can have it in order; return whether it will be tried, now or soon."""
        if self.under_way:
            return True
        if self._ordered is None:
            self._ordered = now.mono
        if owned.journal.standby.to != to or now.mono - self._ordered > GIVE_WAY_S:
            return False  # it does not follow: it takes over as after a death
        if now.mono >= self._not_before and not owned.journal.standby.away:
            self._since = now.mono
            owned.seal(now)
        return True

    def stay(self, owned: OwnedShard, now: Now) -> None:
        """The roster wants the shard here."""
        self._ordered = None
        if self.under_way:
            self.abort(owned, "it is not wanted any more", now)

    def next(self, owned: OwnedShard, to: str, now: Now) -> Stage:
        """Return how far it is: "ready" to send the last word, or "" when it had to be given up."""
        assert self._since is not None
        if owned.journal.standby.away or owned.journal.standby.to != to:
            self.abort(owned, f"{to} does not follow any more", now)
            return ""
        if owned.idle and owned.journal.is_followed:
            return "ready"
        if now.mono - self._since > SWITCH_S:
            self.abort(owned, f"{to} is too slow to follow", now)
            return ""
        return "sealed"

    def abort(self, owned: OwnedShard, why: str, now: Now) -> None:
        """Go on as the owner."""
        self._since = None
        self._not_before = now.mono + AGAIN_S
        self.why_not = f"cannot hand over: {why}"
        owned.unseal()

    def sent(self, now: Now) -> float:
        """Note that the last word is said; return how many seconds the shard has stood still."""
        assert self._since is not None
        stood_s, self._since = now.mono - self._since, None
        self.why_not = ""
        return stood_s


class Coming:
    """The standby's side."""

    def __init__(self) -> None:
        """Nothing is expected."""
        self.handed: HandOver | None = None
        self.heard_mono = 0.0
        self._expected_mono = 0.0  # until then

    def announce(self, now: Now) -> None:
        """The roster places the shard here while another still runs it."""
        self._expected_mono = now.mono + EXPECT_S

    def take(self, handed: HandOver, now: Now) -> None:
        """Note what the owner says as it leaves."""
        self.handed, self.heard_mono = handed, now.mono
        self._expected_mono = now.mono + EXPECT_S

    def expects(self, now: Now) -> bool:
        """Return whether the shard is about to be here: who asks for work may wait for it."""
        return now.mono < self._expected_mono

    def not_here(self, now: Now) -> None:
        """The roster, as far as we know it, places the shard elsewhere: a last word is kept for a while only."""
        if self.handed is None or not self.expects(now):
            self.forget()

    def forget(self) -> None:
        """It is over, one way or the other."""
        self.handed = None
        self._expected_mono = 0.0

    def usable(self, epoch: Epoch, position: tuple[Epoch, int]) -> HandOver | None:
        """Return the hand-over if an owner under `epoch` with a copy at `position` may go on from it.

        Nobody can have owned the shard in between: between two numbers that follow there is no third.
        """
        handed = self.handed
        if handed is None or position != (handed.epoch, handed.n):
            return None
        follows = epoch // SERVERS_MAX == handed.epoch // SERVERS_MAX + 1
        return handed if follows else None
