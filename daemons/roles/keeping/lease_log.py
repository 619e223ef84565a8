"""What a keeper says in its log of the leases of its daemons: one line when one begins, one when it ends.

The one thing to know: `until_mono` is the last moment that the daemon itself was told. So the lines of all
keepers together prove that no two daemons ever held the same lease at once (servers' clocks aside).
"""

import logging
from collections.abc import Iterable

from daemons.ha.lease import Held
from daemons.model.clock import Now
from daemons.model.cluster import Epoch, epoch_n

log = logging.getLogger(__name__)


class LeaseLog:
    """The leases that the daemons of one server were told they hold."""

    def __init__(self) -> None:
        """Nobody holds any."""
        self._told: dict[tuple[str, str, Epoch], Held] = {}  # daemon, lease, epoch

    def told(self, daemon: str, held: Iterable[Held], now: Now) -> None:
        """Note what `daemon` is told right now: all it holds."""
        now_held = {(daemon, one.name, one.epoch): one for one in held}
        for key, lease in now_held.items():
            if key not in self._told:
                log.info(
                    "holds lease=%s daemon=%s epoch=%d number=%d from_mono=%.3f",
                    lease.name, daemon, epoch_n(lease.epoch), lease.epoch, now.mono,
                )  # fmt: skip
        for key in [key for key in self._told if key[0] == daemon and key not in now_held]:
            self._end(key, now)
        self._told |= now_held

    def ended(self, daemon: str, now: Now) -> None:
        """Note that the process of `daemon` has ended, and all it started."""
        for key in [key for key in self._told if key[0] == daemon]:
            self._end(key, now)

    def tick(self, now: Now) -> None:
        """Note what has run out while its daemon said nothing."""
        for key in [key for key, lease in self._told.items() if now.mono >= lease.until]:
            self._end(key, now)

    def _end(self, key: tuple[str, str, Epoch], now: Now) -> None:
        lease = self._told.pop(key)
        log.info(
            "ended lease=%s daemon=%s epoch=%d number=%d until_mono=%.3f",
            lease.name, key[0], epoch_n(lease.epoch), lease.epoch, min(now.mono, lease.until),
        )  # fmt: skip
