"""Stalking: an alert line for a result that changes nothing but its text.

Nagios Core docs, "State Stalking".
"""

from daemons.model.objects import Traits

_SERVICE = ("o", "w", "c", "u")  # letters by state
_HOST = ("o", "d", "u")


def stalked(
    traits: Traits, *, is_host: bool, state: int, was: int, output: str, output_before: str
) -> bool:
    """Return whether a result is logged because its output differs while the state is as it `was`.

    Only the first line of the output counts. stalking_options name the states that are stalked.
    """
    if state != was or output == output_before:
        return False
    letters = _HOST if is_host else _SERVICE
    return 0 <= state < len(letters) and letters[state] in traits.stalking_options
