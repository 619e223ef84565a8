"""What an object is before its first result.

Nagios Core docs, "Object Definitions": initial_state; Shinken: initial_output.
"""

from msgspec import Struct

from daemons.model.objects import Traits
from daemons.model.status import OK

_SERVICE = {"o": 0, "w": 1, "c": 2, "u": 3}
_HOST = {"o": 0, "d": 1, "u": 2}


class Beginning(Struct, frozen=True, gc=False):
    """The state that is assumed, and how it is told."""

    state: int
    attempt: int
    output: str


_FINE = Beginning(OK, 1, "")


def beginning(traits: Traits, *, is_host: bool) -> Beginning:
    """Return the state that is assumed of an object nobody has checked: OK or UP unless `initial_state`.

    A problem that is assumed is HARD and has all its attempts behind it. The object stays PENDING.
    """
    if not traits.initial_state and not traits.initial_output:
        return _FINE
    states = _HOST if is_host else _SERVICE
    state = states.get(traits.initial_state[:1].lower(), OK)
    attempt = 1 if state == OK else max(traits.max_check_attempts, 1)
    return Beginning(state, attempt, traits.initial_output)
