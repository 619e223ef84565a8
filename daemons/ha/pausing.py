"""A voter while the cluster is paused: it lets nobody take over what another was promised.

The one thing to know: who held a lease may take it again (a daemon that was restarted), and the leader
may still move one by revoking it for a target. Rules: docs/decisions/0007-pause-at-the-voters.md.
"""

from msgspec.structs import replace

from daemons.ha.promises import Promises
from daemons.model.clock import Mono
from daemons.wire.board import Pause, Paused, Promise

REWRITE_S = 60.0  # what is left of a pause is written down so often: a restart prolongs it by no more


class Pausing:
    """The pause of one voter. When it ends is volatile, counted on this voter's clock."""

    def __init__(self, promises: Promises, now: Mono) -> None:
        """Start at `now`; of a pause on disk all that was left when it was written is left."""
        self.promises = promises
        self.until = self._counted(promises.pause, now)
        self._rewrite = Mono(now + REWRITE_S)

    def obey(self, order: Pause, now: Mono) -> bool:
        """Take `order` unless a newer one is known; the same one again can only end the pause earlier.

        Return whether it stands. An order that is late in the network is longer than it was meant.
        """
        known = self.promises.pause
        if known is not None and _place(order) < _place(known):
            return False
        until = self._counted(order, now)
        if known is not None and _place(order) == _place(known):
            self.until = min(self.until, until)
            return True
        self.until = until
        self._write(order, now)
        return True

    def resume(self, now: Mono) -> None:
        """End the pause here, on the operator's word: nobody leads who could. Late orders do not revive it."""
        if self.promises.pause is not None:
            self.until = now
            self._write(self.promises.pause, now)

    def age(self, now: Mono) -> None:
        """Write down now and then what is left."""
        if self.promises.pause is not None and self.promises.pause.left_s and now >= self._rewrite:
            self._write(self.promises.pause, now)

    def refusal(self, promise: Promise, daemon: str, now: Mono) -> str:
        """Return why `daemon` may not have what is promised to another, "" if it may."""
        if now >= self.until or not promise.epoch or promise.daemon == daemon:
            return ""
        order = promise.revoked
        if order is not None and order.target == daemon and promise.epoch <= order.epoch:
            return ""
        return f"paused for {self.until - now:.0f} s more, and it was {promise.daemon}'s"

    def seen(self, now: Mono) -> Pause | None:
        """Return the pause that runs, with what is left of it; None when none does."""
        order = self.promises.pause
        if order is None or now >= self.until:
            return None
        return replace(order, left_s=self.until - now)

    def answer(self, ok: bool, now: Mono) -> Paused:
        """Return what the leader is told."""
        known = self.promises.pause or Pause(0, 0, 0.0)
        return Paused(known.arbiter_epoch, known.n, max(0.0, self.until - now), ok)

    def _counted(self, order: Pause | None, now: Mono) -> Mono:
        return Mono(now + max(0.0, order.left_s)) if order is not None else now

    def _write(self, order: Pause, now: Mono) -> None:
        self.promises.pause = replace(order, left_s=max(0.0, self.until - now))
        self.promises.serial += 1
        self._rewrite = Mono(now + REWRITE_S)


def _place(order: Pause) -> tuple[int, int]:
    return (order.arbiter_epoch, order.n)
