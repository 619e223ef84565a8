"""Whether what an object depends on forbids its check, or silences it.

Nagios Core docs, "Host and Service Dependencies". The one thing to know: execution and notification are two
relations that happen to be written in one definition; a chain upwards (`inherits_parent`) follows one of them.
"""

from collections.abc import Callable, Mapping

from daemons.model.clock import Wall
from daemons.model.relations import Dependency, Key
from daemons.model.status import SOFT, Status
from daemons.rules.timeperiod import Period, covers

EXECUTION = "execution"
NOTIFICATION = "notification"
PENDING = "p"
_SERVICE = ("o", "w", "c", "u")  # letters by state
_HOST = ("o", "d", "u")

Dependencies = Mapping[Key, tuple[Dependency, ...]]  # by dependent


def letter(status: Status, *, is_host: bool, soft: bool) -> str:
    """Return the letter of the state that counts for dependencies; "p" before the first result.

    While the state is SOFT the last hard state counts, unless `soft` (soft_state_dependencies).
    """
    if not status.checked:
        return PENDING
    hidden = status.state_type == SOFT and not soft
    state = status.last_hard_state if hidden else status.state
    letters = _HOST if is_host else _SERVICE
    return letters[state] if 0 <= state < len(letters) else letters[-1]


def failing(
    key: Key,
    what: str,
    dependencies: Dependencies,
    status_of: Callable[[Key], Status | None],
    period_of: Callable[[str], Period],
    now: Wall,
    *,
    soft: bool,
) -> Dependency | None:
    """Return the first dependency that forbids `what` (EXECUTION or NOTIFICATION) of `key`, None = free.

    A dependency outside its period does not count, nor one on an object that is not here, nor one without
    criteria for `what`. With inherits_parent, those of the object it is on count too, and so on
    upwards; a loop ends where it began.
    """
    return _failing(key, what, dependencies, status_of, period_of, now, soft, {key})


def _failing(
    key: Key,
    what: str,
    dependencies: Dependencies,
    status_of: Callable[[Key], Status | None],
    period_of: Callable[[str], Period],
    now: Wall,
    soft: bool,
    seen: set[Key],
) -> Dependency | None:
    for dependency in dependencies.get(key, ()):
        criteria = dependency.execution if what == EXECUTION else dependency.notification
        if not criteria or "n" in criteria:
            continue
        if dependency.period and not covers(period_of(dependency.period), now):
            continue
        on = dependency.on
        status = status_of(on)
        if status is None:
            continue
        if letter(status, is_host=";" not in on, soft=soft) in criteria:
            return dependency
        if dependency.inherits_parent and on not in seen:
            seen.add(on)
            above = _failing(on, what, dependencies, status_of, period_of, now, soft, seen)
            if above is not None:
                return above
    return None


def asked_first(key: Key, dependencies: Dependencies) -> tuple[Key, ...]:
    """Return what `key` depends on directly, each once: to be checked when `key` has a problem.

    Nagios Core docs, "Predictive Dependency Checks".
    """
    return tuple(dict.fromkeys(dependency.on for dependency in dependencies.get(key, ())))
