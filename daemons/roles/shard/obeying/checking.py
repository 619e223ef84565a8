"""Checks that somebody wants now, or at a time."""

from daemons.roles.shard.obeying.given import Given, Obey


def check(given: Given) -> str:
    """SCHEDULE_*_CHECK and SCHEDULE_HOST_SVC_CHECKS, forced or not."""
    item = given.item
    if item is None:
        return given.nobody
    many = given.name.endswith("HOST_SVC_CHECKS")
    wall, forced = float(given.args[0]), "FORCED" in given.name
    for target in list(given.state.services_of(item.key)) if many else [item]:
        given.parts.checks.check_at(target, wall, given.now, forced=forced)
        given.state.changed(target)
    return ""


def clear_flapping(given: Given) -> str:
    """CLEAR_*_FLAPPING_STATE."""
    item = given.item
    if item is None:
        return given.nobody
    given.parts.flaps.clear(item, given.now)
    given.state.changed(item)
    return ""


TABLE: dict[str, Obey] = {
    "SCHEDULE_HOST_CHECK": check,
    "SCHEDULE_SVC_CHECK": check,
    "SCHEDULE_FORCED_HOST_CHECK": check,
    "SCHEDULE_FORCED_SVC_CHECK": check,
    "SCHEDULE_HOST_SVC_CHECKS": check,
    "SCHEDULE_FORCED_HOST_SVC_CHECKS": check,
    "CLEAR_HOST_FLAPPING_STATE": clear_flapping,
    "CLEAR_SVC_FLAPPING_STATE": clear_flapping,
}
