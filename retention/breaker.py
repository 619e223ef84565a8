"""A circuit breaker: after some failures in a row, stop asking for a while.

Without it each call to a store that hangs costs its caller the whole time-out again.
"""

FAILURES = 3  # in a row until it opens
FIRST_REST_S = 1.0
REST_S_MAX = 10.0


class Breaker:
    """Open (refusing) or closed. Reads no clock; `now` is seconds on one that never jumps."""

    def __init__(self) -> None:
        """Start closed."""
        self._failures = 0
        self._rest_s = FIRST_REST_S
        self._until = float("-inf")

    def rest_s(self, now: float) -> float:
        """Return for how many seconds more calls are refused; 0: go ahead.

        After a rest the next call is the probe: if it fails too, the rest doubles.
        """
        return max(0.0, self._until - now)

    def failed(self, now: float) -> None:
        """Count a failure; the third in a row, and each after it, opens the breaker."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._until = now + self._rest_s
            self._rest_s = min(2 * self._rest_s, REST_S_MAX)

    def succeeded(self) -> None:
        """Close it and forget the failures."""
        self._failures = 0
        self._rest_s = FIRST_REST_S
        self._until = float("-inf")
