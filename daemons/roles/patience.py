"""How long each request that waits has been waiting.

A runner asks the same request again after each tick; the role must know it again, and when it came.
"""

from daemons.model.clock import Now
from daemons.wire.messages import Message


class Patience:
    """Requests under way, one for each key."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._waiting: dict[str, tuple[Message, float]] = {}

    def since(self, key: str, message: Message, wait_s: float, now: Now) -> tuple[bool, float]:
        """Return whether `message` is new, and until when (mono) it may wait."""
        known = self._waiting.get(key)
        if known is not None and (known[0] is message or known[0] == message):
            return False, known[1]
        self._waiting[key] = message, now.mono + wait_s
        return True, now.mono + wait_s

    def done(self, key: str) -> None:
        """The request was answered."""
        self._waiting.pop(key, None)
