"""Whether a host that does not answer is down itself or hidden behind others.

Nagios Core docs, "Determining Status and Reachability of Network Hosts".
"""

from collections.abc import Iterable

from daemons.model.status import DOWN, UNREACHABLE, UP


def reachability(host_state: int, parent_states: Iterable[int]) -> int:
    """Return UP, DOWN or UNREACHABLE for a host whose own check says `host_state`.

    A host that is not UP is UNREACHABLE when it has parents and none of them is UP; with one parent UP, or
    without parents, it is DOWN.
    """
    if host_state == UP:
        return UP
    some = False
    for parent in parent_states:
        if parent == UP:
            return DOWN
        some = True
    return UNREACHABLE if some else DOWN
