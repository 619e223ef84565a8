"""Dependencies of hosts that somebody added or took away at run time.

Shinken's ADD_SIMPLE_HOST_DEPENDENCY and DEL_HOST_DEPENDENCY. The one thing to know: they are one modified attribute
of the dependent host, a text like "+gw;-db1", so that they are kept like every other change.
"""

from daemons.model.relations import Dependency, Key

ATTRIBUTE = "host_dependencies"
_SILENT = ("d", "u")  # states of the other host in which nothing is told


def with_added(text: str, on: Key) -> str:
    """Return the changes with one that adds a dependency on `on`."""
    return _with(text, "+", on)


def with_removed(text: str, on: Key) -> str:
    """Return the changes with one that takes every dependency on `on` away."""
    return _with(text, "-", on)


def changed(written: tuple[Dependency, ...], dependent: Key, text: str) -> tuple[Dependency, ...]:
    """Return what `dependent` depends on: what is written in the files, changed as `text` says."""
    found = list(written)
    for change in text.split(";"):
        sign, on = change[:1], change[1:]
        if not on:
            continue
        if sign == "-":
            found = [dependency for dependency in found if dependency.on != on]
        elif sign == "+" and all(dependency.on != on or not dependency.notification for dependency in found):
            found.append(
                Dependency(dependent=dependent, on=on, notification=_SILENT, inherits_parent=True)
            )
    return tuple(found)


def _with(text: str, sign: str, on: Key) -> str:
    kept = [change for change in text.split(";") if change and change[1:] != on]
    return ";".join([*kept, sign + on])
