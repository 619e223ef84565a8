"""Custom variables of hosts and services, and which of their settings are kept as changed at run time."""

import msgspec

from daemons.roles.shard.obeying.given import Given, Obey
from daemons.roles.shard.obeying.settings import put_modified
from daemons.roles.shard.state import Item
from daemons.rules.modattr import masked


def set_variable(given: Given) -> str:
    """CHANGE_CUSTOM_HOST_VAR and CHANGE_CUSTOM_SVC_VAR."""
    item = given.item
    if item is None:
        return given.nobody
    name, value = given.args
    put_modified(given, item, {**item.status.modified, f"_{name}": value})
    return ""


def set_mask(given: Given) -> str:
    """CHANGE_HOST_MODATTR and CHANGE_SVC_MODATTR."""
    item = given.item
    if item is None:
        return given.nobody
    wanted = int(given.args[0])
    put_modified(
        given, item, masked(item.status.modified, wanted, lambda name: _in_force(item, name))
    )
    return ""


def _in_force(item: Item, name: str) -> str | None:
    """Return the value of a setting as it is kept, None when there is no such setting."""
    value = msgspec.structs.asdict(item.traits).get(name)
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, (str, int, float)) else None


TABLE: dict[str, Obey] = {
    "CHANGE_CUSTOM_HOST_VAR": set_variable,
    "CHANGE_CUSTOM_SVC_VAR": set_variable,
    "CHANGE_HOST_MODATTR": set_mask,
    "CHANGE_SVC_MODATTR": set_mask,
}
