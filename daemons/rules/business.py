"""Business rules: the state of a tree of objects, its output, and whether its problems are all taken care of.

Docs of Shinken, "Business rules". The one thing to know: a rule sees hard states only, a host that is
not UP as CRITICAL, and an object that was never checked as OK.
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from daemons.model.objects import Key
from daemons.model.relations import RuleNode
from daemons.model.status import CRITICAL, HOST_STATES, OK, SERVICE_STATES, UNKNOWN, UP, WARNING
from daemons.rules.template import Lookup, chain, resolve, split_macros

ALL_FINE = "all checks were successful."
_SHORT = {"OK": "O", "WARNING": "W", "CRITICAL": "C", "UNKNOWN": "U", "UP": "U", "DOWN": "D"}


def element_state(hard_state: int, *, is_host: bool) -> int:
    """Return the service state that an object with this hard state counts as."""
    return (OK if hard_state == UP else CRITICAL) if is_host else hard_state


def state_of(node: RuleNode, states: Callable[[Key], int]) -> int:
    """Return the service state 0..3 of a rule; `states` gives that of each object (`element_state`)."""
    if node.kind == "object":
        state = states(node.key)
    else:
        found = [state_of(part, states) for part in node.nodes]
        if node.kind == "|":
            state = min(found)
        elif node.kind == "of":
            state = _counted(found, node.counts)
        else:
            state = _worst(found)
    return _turned(state) if node.negated else state


def _worst(states: Sequence[int]) -> int:
    """CRITICAL is worse than UNKNOWN."""
    return CRITICAL if CRITICAL in states else max(states)


def _turned(state: int) -> int:
    """What is not OK is wanted so; what nobody knows stays unknown."""
    if state == UNKNOWN:
        return UNKNOWN
    return CRITICAL if state == OK else OK


def _counted(states: Sequence[int], counts: tuple[str, ...]) -> int:
    total = len(states)
    if _enough(states.count(OK), total, counts[0]):
        return OK
    if len(counts) == 1:
        return _worst(states)
    critical = states.count(CRITICAL)
    if _enough(critical, total, counts[2]):
        return CRITICAL
    return WARNING if _enough(critical + states.count(WARNING), total, counts[1]) else OK


def _enough(have: int, total: int, count: str) -> bool:
    """Whether `have` of `total` reach `count`: "2", "30%"; "-1" is all but one, "0" is all."""
    if count.endswith("%"):
        share = int(count[:-1])
        return have * 100 >= (share if share >= 0 else 100 + share) * total
    number = int(count)
    return have >= (number if number > 0 else total + number)


# ---------------------------------------------------------------- output


def status_macros(state: int, *, is_host: bool, full_name: str) -> Lookup:
    """Return the lookup of $STATUS$, $SHORTSTATUS$ and $FULLNAME$ for an object in the state `state`."""
    names = HOST_STATES if is_host else SERVICE_STATES
    status = names[state] if 0 <= state < len(names) else names[-1]
    values = {"STATUS": status, "SHORTSTATUS": _SHORT.get(status, status), "FULLNAME": full_name}
    return values.get


def output(template: str, own: Lookup, problems: Iterable[Lookup]) -> str:
    """Return the output of a rule: macros of the rule's object, and between `$(` and `)$` those of each problem.

    "" without a template; with no problem the part between says that all is well. What a macro gave is not
    searched for macros or brackets again.
    """
    before, opened, rest = template.partition("$(")
    inner, closed, after = rest.rpartition(")$")
    if not opened or not closed:
        return resolve(split_macros(template), own).strip()
    cut = split_macros(inner)
    told = [resolve(cut, chain(problem)) for problem in problems]
    parts = (resolve(split_macros(before), own), "".join(told) if told else ALL_FINE)
    return "".join((*parts, resolve(split_macros(after), own))).strip()


# ---------------------------------------------------------------- smart notifications


class Problem(Struct, frozen=True):
    """An object that makes a rule bad."""

    acknowledged: bool
    in_downtime: bool = False  # or its host is
    below: tuple["Problem", ...] = ()  # what makes it bad, where it is a rule itself


def bad_in(node: RuleNode, states: Callable[[Key], int]) -> tuple[Key, ...]:
    """Return the objects that are not as the rule wants them: not OK, or OK under a `!`."""
    found: dict[Key, None] = {}
    todo = [(node, node.negated)]
    while todo:
        one, turned = todo.pop()
        if one.kind == "object" and (states(one.key) == OK) == turned:
            found[one.key] = None
        todo.extend((part, turned != part.negated) for part in reversed(one.nodes))
    return tuple(found)


def taken_care_of(problems: Sequence[Problem], *, downtime_as_ack: bool) -> bool:
    """Return whether there are problems and every one is acknowledged, or all below it are.

    `downtime_as_ack`: a downtime of the object or its host counts as well.
    """
    return bool(problems) and all(
        problem.acknowledged
        or (downtime_as_ack and problem.in_downtime)
        or taken_care_of(problem.below, downtime_as_ack=downtime_as_ack)
        for problem in problems
    )
