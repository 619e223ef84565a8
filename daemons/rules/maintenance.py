"""When an object is in maintenance without a person having said so: by a period, or by a check of its own.

Shinken docs, "Maintenance Downtime": while maintenance_period lasts the object is in a fixed downtime that
ends with it; a maintenance check that answers 2 puts it into one that ends three check intervals later and
is prolonged by each such answer. The one thing to know: there is never more than one such downtime, whose
number the status keeps; both causes together make one that ends with the later of them.
"""

from typing import Literal

from msgspec import Struct

from daemons.model.clock import Wall
from daemons.model.objects import MaintenanceCheck
from daemons.model.status import Downtime
from daemons.rules.booked import ends

AUTHOR = "system"
BY_PERIOD = "this downtime was automatically scheduled through a maintenance_period"
BY_CHECK = "this downtime was automatically scheduled through a maintenance check"
PRODUCTION, MAINTENANCE = "PRODUCTION", "MAINTENANCE"
INTERVALS = 3  # a downtime by a check lasts so many of its intervals

What = Literal["nothing", "book", "move", "cancel", "forget"]


class Step(Struct, frozen=True):
    """What is to be done with the one downtime."""

    what: What  # "move": give it another end; "forget": its number means nothing any more
    end_wall: float = 0.0  # of "book" and "move"


def step(
    downtime: Downtime | None, number: int, period_end: float, check_end: float, now: Wall
) -> Step:
    """Return what brings the downtime in line with its causes.

    `downtime` is the one called `number` (Status.maintenance_id, 0 = none was made), None when it is not
    there any more. `period_end`: when the maintenance period that covers `now` ends; `check_end`: until
    when the last answer of the check counts; 0 = no such cause. A downtime of a period that a person
    deleted stays deleted until the period is over.
    """
    end = max(period_end, check_end)
    if end <= now:
        if downtime is not None and now < ends(downtime):
            return Step("cancel")
        return Step("forget" if number else "nothing")
    if downtime is None:
        return Step("nothing") if number and period_end > now else Step("book", end)
    return Step("nothing") if downtime.end_wall == end else Step("move", end)


def said(code: int) -> str:
    """Return the state that an answer of a maintenance check means; "" for one that means nothing.

    Only 0 and 2 mean something: a command that fails unexpectedly most often ends with 1. What means
    nothing counts as production.
    """
    return {0: PRODUCTION, 2: MAINTENANCE}.get(code, "")


def check_end(check: MaintenanceCheck, now: Wall) -> float:
    """Return until when an answer that came `now` and says maintenance counts."""
    return now + INTERVALS * check.check_interval_s


def pause_s(check: MaintenanceCheck, state: str) -> float:
    """Return after how many seconds the check is due again: its retry interval unless all is well."""
    if state == PRODUCTION or check.retry_interval_s <= 0:
        return check.check_interval_s
    return min(check.retry_interval_s, check.check_interval_s)
