"""What was turned away at the door: counted always, logged at most once a minute and peer."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

LINE_EVERY_S: Final = 60.0
PEERS_MAX: Final = 1024  # remembered at once; beyond, they share one line
OTHERS: Final = "other addresses"


class Refusals:
    """Shared by the threads of one server."""

    def __init__(
        self, log: logging.Logger, where: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Log to `log` for the server at `where`."""
        self.total = 0
        self._log = log
        self._where = where
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}  # peer: when its last line was written
        self._unsaid: dict[str, int] = {}  # peer: turned away since

    def note(self, peer: str, why: str) -> None:
        """Count one; write a line unless this peer had one within the last minute."""
        now = self._clock()
        with self._lock:
            self.total += 1
            if peer not in self._said and len(self._said) >= PEERS_MAX:
                self._forget(now)
                if len(self._said) >= PEERS_MAX:
                    peer = OTHERS
            if now - self._said.get(peer, -LINE_EVERY_S) < LINE_EVERY_S:
                self._unsaid[peer] = self._unsaid.get(peer, 0) + 1
                return
            before = self._unsaid.pop(peer, 0)
            self._said[peer] = now
        more = f" (and {before} more since the last such line)" if before else ""
        self._log.warning("%s: turned away %s: %s%s", self._where, peer, why, more)

    def flush(self) -> None:
        """Write what was counted and not yet said."""
        with self._lock:
            unsaid, self._unsaid = self._unsaid, {}
        for peer, count in unsaid.items():
            self._log.warning("%s: turned away %s %d more times", self._where, peer, count)

    def _forget(self, now: float) -> None:
        """Drop the peers whose minute is over, unless a count is still owed."""
        for peer, said in list(self._said.items()):
            if now - said >= LINE_EVERY_S and peer not in self._unsaid:
                del self._said[peer]
