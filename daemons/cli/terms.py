"""The terms of a lease as the main file sets them, and what is wrong with them."""

from daemons.config.complain import Complaint
from daemons.ha.terms import Terms, check_terms
from daemons.model.cluster import Cluster

# By setting: the field of Terms it sets; all durations in seconds but clock_drift, a share.
SETTINGS = {
    "lease": "lease_s",
    "lease_beat": "beat_s",
    "lease_margin": "margin_s",
    "lease_timeout": "rpc_timeout_s",
    "clock_drift": "drift",
    "split_delay": "split_delay_s",
}


def terms_of(cluster: Cluster) -> Terms:
    """Return the lease terms that the main file sets; what it does not set is as `Terms` has it.

    With a lease shorter than that the unset times that must fit into it shrink alike.
    """
    said, default = cluster.settings, Terms()
    numbers = {field: float(said[key]) for key, field in SETTINGS.items() if key in said}
    share = min(1.0, numbers.get("lease_s", default.lease_s) / default.lease_s)
    for field in ("beat_s", "margin_s", "rpc_timeout_s"):
        numbers.setdefault(field, round(getattr(default, field) * share, 3))
    return Terms(
        split_policy="hold" if said.get("split_policy") == "hold" else "takeover",
        **numbers,
    )


def term_complaints(cluster: Cluster) -> list[Complaint]:
    """Return one error for each relation between the terms that does not hold."""
    said = ", ".join(f"{key}={cluster.settings[key]}" for key in SETTINGS if key in cluster.settings)
    return [
        Complaint("error", wrong, "main file", f"a lease could not live by that; set here: {said}")
        for wrong in check_terms(terms_of(cluster))
    ]
