"""Problems and impacts: what is broken at the root, and what suffers from it.

Docs of Shinken, "Problems and impacts correlation management". The one thing to know: nothing of this is
a fact of its own: it follows from hard states and from what hangs on what, so a new owner finds the same.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct

from daemons.model.objects import Key
from daemons.model.status import UNKNOWN, UNREACHABLE


class Links(Struct, frozen=True):
    """What an object hangs on."""

    above: tuple[Key, ...] = ()  # a service's host, a host's parents: it suffers when all of them are lost
    masters: tuple[Key, ...] = ()  # of dependencies that forbid notifications now
    elements: tuple[Key, ...] = ()  # of its business rule: it suffers from those when it is bad itself


def causes(
    links: Links, *, bad: bool, is_bad: Callable[[Key], bool], is_lost: Callable[[Key], bool]
) -> tuple[Key, ...]:
    """Return what an object suffers from directly, () when from nothing; `bad`: it has a hard problem itself.

    Lost is what is bad or suffers itself. One parent that is not lost is enough to be reached, and a rule that
    is OK in spite of its elements does not suffer.
    """
    found: list[Key] = []
    if links.above and all(map(is_lost, links.above)):
        found += links.above
    found += filter(is_bad, links.masters)
    if bad:
        found += filter(is_bad, links.elements)
    return tuple(dict.fromkeys(found))


def sources(
    key: Key,
    causes: Iterable[Key],
    *,
    sources_of: Callable[[Key], tuple[Key, ...]],
    is_problem: Callable[[Key], bool],
) -> tuple[Key, ...]:
    """Return the problems at the root of what `key` suffers from, sorted: its `causes`, or what those suffer from.

    Only what is a problem now counts, so that a circle of causes does not keep itself alive.
    """
    found: set[Key] = set()
    for cause in causes:
        found.update(sources_of(cause) or (cause,))
    return tuple(sorted(one for one in found if one != key and is_problem(one)))


def raised(own: int, of_impacts: Iterable[int]) -> int:
    """Return the business impact of a problem when its impacts have a higher one than its `own`, else -1."""
    highest = max(of_impacts, default=own)
    return highest if highest > own else -1


def hidden_state(*, is_host: bool) -> int:
    """Return what front ends show of an impact until its next result (enable_problem_impacts_states_change)."""
    return UNREACHABLE if is_host else UNKNOWN
