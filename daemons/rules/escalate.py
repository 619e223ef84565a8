"""Who is told instead, and how often, when a problem lasts.

Nagios Core docs and Shinken's, "Notification Escalations". The one thing to know: an escalation that is in
force *replaces* the contacts of the object; a time-based one also has an object told before its
notification_interval has passed.
"""

from collections.abc import Callable, Collection

from daemons.model.clock import Wall
from daemons.model.relations import Escalation

InPeriod = Callable[[str, Wall], bool]  # whether the period of that name lasts at a moment
Opens = Callable[[str, Wall], Wall | None]  # the first moment from one on at which it lasts

SLACK_S = 0.01  # what adding and subtracting times of today may be wrong by


def in_force(
    escalations: Collection[Escalation],
    *,
    number: int,
    began: Wall,
    at: Wall,
    letter: str,
    in_period: InPeriod,
) -> tuple[Escalation, ...]:
    """Return those that apply to the notification `number` (1 = the first) of a problem, made at `at`.

    `began`: when the problem was confirmed, from which time-based ones count; 0 = there is none. `letter`: of
    the state as in escalation_options, "r" for none.
    """
    return tuple(
        escalation
        for escalation in escalations
        if _reached(escalation, number, began, at)
        and wants(escalation, letter)
        and in_period(escalation.period, at)
    )


def _reached(escalation: Escalation, number: int, began: Wall, at: Wall) -> bool:
    if not escalation.by_time:
        last = escalation.last_notification
        return escalation.first_notification <= number and (last == 0 or number <= last)
    if began <= 0:
        return False
    lasted_s = at - began
    last_s = escalation.last_notification_time_s
    if lasted_s < escalation.first_notification_time_s - SLACK_S:
        return False
    return last_s == 0 or lasted_s <= last_s + SLACK_S


def wants(escalation: Escalation, letter: str) -> bool:
    """Return whether escalation_options let it apply in a state; no options = all, `n` = never."""
    options = escalation.options
    return (not options or letter in options) and "n" not in options


def contacts(applying: Collection[Escalation], own: tuple[str, ...]) -> tuple[str, ...]:
    """Return whom to tell: the contacts of the escalations in force, each once, else the object's `own`.

    An escalation that names nobody is for the object's own contacts (docs, "Object Inheritance", implied).
    """
    if not applying:
        return own
    return tuple(dict.fromkeys(name for one in applying for name in one.contacts or own))


def interval_s(applying: Collection[Escalation], own_s: float) -> float:
    """Return the notification interval: the smallest of the escalations in force that have one, else `own_s`.

    0 = this notification is the last one.
    """
    given = (e.notification_interval_s for e in applying if e.notification_interval_s >= 0)
    return min(given, default=own_s)


def next_start(
    escalations: Collection[Escalation],
    *,
    began: Wall,
    after: Wall,
    letter: str,
    opens: Opens,
) -> Wall | None:
    """Return the first moment later than `after` at which a time-based escalation begins to apply.

    One whose period does not last then begins with the period, unless its own end comes first.
    """
    starts: list[Wall] = []
    for escalation in escalations:
        if not escalation.by_time or not wants(escalation, letter):
            continue
        reached = Wall(max(began + escalation.first_notification_time_s, after))
        start = opens(escalation.period, reached)
        if start is None or start <= after:
            continue
        last_s = escalation.last_notification_time_s
        if last_s == 0 or start <= began + last_s:
            starts.append(start)
    return min(starts, default=None)
