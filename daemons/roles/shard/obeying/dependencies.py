"""Dependencies of one host on another, added and taken away at run time."""

from daemons.model.objects import Key
from daemons.roles.shard.obeying.given import Given, Obey
from daemons.roles.shard.obeying.settings import put_modified
from daemons.roles.shard.state import Item, ShardState
from daemons.rules.depend_changes import ATTRIBUTE, with_added, with_removed


def add(given: Given) -> str:
    """ADD_SIMPLE_HOST_DEPENDENCY;dependent;on."""
    item, on = given.item, given.args[0]
    if item is None:
        return given.nobody
    if on not in given.state.items:
        return f"{on} is not in the shard of {item.key}: define a hostdependency in the files"
    if on == item.key or item.key in _above(given.state, on):
        return f"{on} depends on {item.key} already: that would be a loop"
    return _put(given, item, with_added(_changes(item), on))


def remove(given: Given) -> str:
    """DEL_HOST_DEPENDENCY;dependent;on."""
    item, on = given.item, given.args[0]
    if item is None:
        return given.nobody
    if all(dependency.on != on for dependency in given.state.dependencies.get(item.key, ())):
        return f"{item.key} does not depend on {on}"
    return _put(given, item, with_removed(_changes(item), on))


def _changes(item: Item) -> str:
    return item.status.modified.get(ATTRIBUTE, "")


def _put(given: Given, item: Item, text: str) -> str:
    put_modified(given, item, {**item.status.modified, ATTRIBUTE: text})
    return ""


def _above(state: ShardState, key: Key) -> set[Key]:
    """Return everything that `key` depends on, however far up."""
    found: set[Key] = set()
    queue = [key]
    while queue:
        for dependency in state.dependencies.get(queue.pop(), ()):
            if dependency.on not in found:
                found.add(dependency.on)
                queue.append(dependency.on)
    return found


TABLE: dict[str, Obey] = {
    "ADD_SIMPLE_HOST_DEPENDENCY": add,
    "DEL_HOST_DEPENDENCY": remove,
}
