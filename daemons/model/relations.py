"""What binds hosts and services together: dependencies, escalations, modulations, business rules.

Durations are seconds: `interval_length` has been applied. Periods are names, "" = always.
"""

from msgspec import Struct

Key = str  # "web1" for a host, "web1;http" for a service; unique in a cluster


class Escalation(Struct, frozen=True, array_like=True, kw_only=True):
    """Who else is told when a problem lasts: by number of notifications, or by time."""

    name: str
    contacts: tuple[str, ...] = ()  # contact groups are expanded into it; () = those of the object
    options: tuple[str, ...] = ()  # letters; () = all
    period: str = ""  # "" = always
    first_notification: int = 0
    last_notification: int = 0  # 0 = no end
    by_time: bool = False
    first_notification_time_s: float = 0.0
    last_notification_time_s: float = 0.0  # 0 = no end
    notification_interval_s: float = -1.0  # -1 = that of the object; 0 = tell once


class Dependency(Struct, frozen=True, array_like=True, kw_only=True):
    """One object that is not checked, or not told of, while another is in certain states."""

    dependent: Key
    on: Key
    execution: tuple[str, ...] = ()  # letters of the states of `on` in which `dependent` is not checked
    notification: tuple[str, ...] = ()  # ... in which nothing is told of `dependent`; "p" = pending
    period: str = ""  # "" = always
    inherits_parent: bool = False


class ResultModulation(Struct, frozen=True, array_like=True):
    """While its period lasts, exit codes of `matches` become `code`."""

    name: str
    matches: tuple[int, ...]
    code: int
    period: str = ""  # "" = always


class CheckModulation(Struct, frozen=True, array_like=True):
    """While its period lasts, another check command."""

    name: str
    command: str
    period: str = ""


class MacroModulation(Struct, frozen=True, array_like=True):
    """While its period lasts, other values of custom variables (upper case, no underscore)."""

    name: str
    custom: dict[str, str]
    period: str = ""


class ImpactModulation(Struct, frozen=True, array_like=True):
    """While its period lasts, another business impact."""

    name: str
    impact: int
    period: str = ""


class RuleNode(Struct, frozen=True, array_like=True, kw_only=True):
    """A business rule, or a part of one: an object, or other nodes put together.

    `kind`: "object", "&", "|" or "of". `counts` of an "of" are as written, "3", "-1" or "30%"; there is one
    (how many must be OK), or there are three (how many OK, WARNING and CRITICAL make that state).
    """

    kind: str
    key: Key = ""  # of an object
    negated: bool = False
    nodes: tuple["RuleNode", ...] = ()
    counts: tuple[str, ...] = ()


def objects_in(node: RuleNode) -> tuple[Key, ...]:
    """Return the keys of the objects in a rule, each once, in the order written."""
    found: dict[Key, None] = {}
    todo = [node]
    while todo:
        one = todo.pop()
        if one.kind == "object":
            found[one.key] = None
        todo.extend(reversed(one.nodes))
    return tuple(found)
