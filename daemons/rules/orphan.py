"""When a check whose result never came is given up and run again.

Nagios Core docs, check_for_orphaned_services; Shinken: time_to_orphanage. The one thing to know: this is only
for what gets lost in a poller that is alive; what a dead one had is lent again at once, whatever is set.
"""

from daemons.model.objects import Globals, Traits


def given_up_s(
    traits: Traits, settings: Globals, timeout_s: float, grace_s: float, *, is_host: bool
) -> float:
    """Return how long after it was lent a check without a result is run again, in seconds; 0 = never.

    time_to_orphanage, but not before the check has run out of its time, and no later than `grace_s` after
    that: a poller always answers then. Never when check_for_orphaned_hosts / _services or
    time_to_orphanage is 0.
    """
    enabled = (
        settings.check_for_orphaned_hosts if is_host else settings.check_for_orphaned_services
    )
    if not enabled or traits.time_to_orphanage_s <= 0:
        return 0.0
    return min(max(traits.time_to_orphanage_s, timeout_s), timeout_s + grace_s)
