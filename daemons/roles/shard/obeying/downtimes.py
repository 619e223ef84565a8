"""Downtimes of hosts and services: booked for one, for many, for all behind a host; deleted by what they are.

The one thing to know: an object has at most one downtime of one command, so that a command that meets an object
in two shards, on its way from one to the other, books once.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from daemons.model.status import Downtime
from daemons.roles.shard.obeying.given import NOT_HERE, Given, Obey, below, group_keys, present
from daemons.roles.shard.state import Item, ShardState


def book(given: Given) -> str:
    """SCHEDULE_*_DOWNTIME."""
    start, end, fixed, trigger, duration, author, comment = given.args
    downtime = Downtime(
        id=0, entry_wall=given.now.wall, start_wall=float(start), end_wall=float(end),
        fixed=fixed == "1", trigger_id=int(trigger), duration_s=float(duration),
        author=author, comment=comment, command_id=given.sent.id,
    )  # fmt: skip
    why = _unfit(given, downtime)
    if why:
        return why
    items = _targets(given)
    if isinstance(items, str):
        return items
    after_the_first = given.name == "SCHEDULE_AND_PROPAGATE_TRIGGERED_HOST_DOWNTIME"
    for item in items:
        if any(d.command_id == given.sent.id for d in item.status.downtimes):
            continue
        number = given.parts.bookings.book(item, downtime, given.now)
        if after_the_first:
            downtime = replace(downtime, trigger_id=number)
            after_the_first = False
    return ""


def _unfit(given: Given, downtime: Downtime) -> str:
    if downtime.end_wall <= given.now.wall or downtime.end_wall <= downtime.start_wall:
        return "the downtime ends before it begins, or is over already"
    if not downtime.fixed and not downtime.duration_s:
        return "a downtime that is not fixed needs a duration"
    if downtime.trigger_id and given.parts.numbers.of_downtime(downtime.trigger_id, given.now) is None:
        if given.scope.endswith("group"):
            return NOT_HERE
        return f"there is no downtime {downtime.trigger_id} beside it that could trigger it"
    return ""


def _targets(given: Given) -> list[Item] | str:
    """Return what gets the downtime, or why nothing does."""
    state, name = given.state, given.target
    if given.scope in ("hostgroup", "servicegroup"):
        keys = group_keys(state, given.scope, name, hosts="_HOST_DOWNTIME" in given.name)
        if keys is None:
            return NOT_HERE
        return present(state, keys) or NOT_HERE
    if given.item is None:
        return given.nobody
    if given.name == "SCHEDULE_HOST_SVC_DOWNTIME":
        return list(state.services_of(name))
    if "PROPAGATE" in given.name:
        return present(state, below(state, name))
    return [given.item]


def cancel(given: Given) -> str:
    """DEL_*_DOWNTIME: by its number, of a host or of a service, and those that it triggers."""
    number = int(given.args[0])
    holder = given.parts.numbers.of_downtime(number, given.now)
    if holder is None or holder.is_host != (given.name == "DEL_HOST_DOWNTIME"):
        return NOT_HERE
    _cancel(given, [(holder, number)])
    return ""


def cancel_all(given: Given) -> str:
    """DEL_ALL_*_DOWNTIMES."""
    item = given.item
    if item is None:
        return given.nobody
    given.parts.bookings.cancel_all(item, given.now)
    return ""


def cancel_of_host(given: Given) -> str:
    """DEL_DOWNTIME_BY_HOST_NAME;host[;description[;start[;comment]]]."""
    if given.item is None:
        return given.nobody
    keys = _host_and_services(given.state, given.target, given.args)
    _cancel(given, _matching(given.state, keys, given.args))
    return ""


def cancel_of_group(given: Given) -> str:
    """DEL_DOWNTIME_BY_HOSTGROUP_NAME;group[;host[;description[;start[;comment]]]]."""
    hosts = group_keys(given.state, "hostgroup", given.target, hosts=True)
    if hosts is None:
        return NOT_HERE
    only, rest = given.args[0] if given.args else "", given.args[1:]
    keys = [k for h in hosts if not only or h == only for k in _host_and_services(given.state, h, rest)]
    if not present(given.state, keys):
        return NOT_HERE
    _cancel(given, _matching(given.state, keys, rest))
    return ""


def cancel_at(given: Given) -> str:
    """DEL_DOWNTIME_BY_START_TIME_COMMENT;start[;comment]."""
    if not any(given.args):
        return "a start or a comment is needed"
    found = _matching(given.state, given.state.items, ("", *given.args))
    if not found:
        return NOT_HERE
    _cancel(given, found)
    return ""


def _host_and_services(state: ShardState, host: str, rest: tuple[str, ...]) -> list[str]:
    """Return the key of the service that `rest` begins with, those of the host and all its services if none."""
    if rest and rest[0]:
        return [f"{host};{rest[0]}"]
    return [host, *state.service_keys.get(host, ())]


def _matching(
    state: ShardState, keys: Iterable[str], rest: tuple[str, ...]
) -> list[tuple[Item, int]]:
    """Return the downtimes of `keys`, with their numbers, that have the start and comment of `rest`, "" = any."""
    _, start, comment = (*rest, "", "", "")[:3]
    return [
        (item, downtime.id)
        for item in present(state, keys)
        for downtime in item.status.downtimes
        if (not start or downtime.start_wall == float(start))
        and (not comment or downtime.comment == comment)
    ]


def _cancel(given: Given, found: list[tuple[Item, int]]) -> None:
    for item, number in found:
        given.parts.bookings.cancel_of(item, number, given.now)


_GROUPS = ("HOSTGROUP", "SERVICEGROUP")
TABLE: dict[str, Obey] = {
    "SCHEDULE_HOST_DOWNTIME": book,
    "SCHEDULE_SVC_DOWNTIME": book,
    "SCHEDULE_HOST_SVC_DOWNTIME": book,
    **{f"SCHEDULE_{group}_{of}_DOWNTIME": book for group in _GROUPS for of in ("HOST", "SVC")},
    "SCHEDULE_AND_PROPAGATE_HOST_DOWNTIME": book,
    "SCHEDULE_AND_PROPAGATE_TRIGGERED_HOST_DOWNTIME": book,
    "DEL_HOST_DOWNTIME": cancel,
    "DEL_SVC_DOWNTIME": cancel,
    "DEL_ALL_HOST_DOWNTIMES": cancel_all,
    "DEL_ALL_SVC_DOWNTIMES": cancel_all,
    "DEL_DOWNTIME_BY_HOST_NAME": cancel_of_host,
    "DEL_DOWNTIME_BY_HOSTGROUP_NAME": cancel_of_group,
    "DEL_DOWNTIME_BY_START_TIME_COMMENT": cancel_at,
}
