"""When a standing problem is looked at again although no result has come.

Shinken's notifications have a time of their own; Nagios repeats them with results only. The one thing to
know: a result that is about to come goes first, so that what is checked often is told by its results.
"""

from collections.abc import Callable

from daemons.model.clock import Wall
from daemons.model.objects import Traits
from daemons.model.status import HARD, OK, Status
from daemons.rules.notify import Reason, problem_start

RESULT_FIRST_S = 15.0  # so long after a result the next one may come and tell it itself
LOOK_AGAIN_S = 20.0  # what holds a notification up may end at any time: it is looked at so often
HELD_S = 300.0  # ... and where its end says so itself (`_SAYS_SO`), so often, to be sure
NEVER_OPENS_S = 3600.0  # ... and a period that has no next start, so often

UNHEARD_S = 60.0  # a service is told of so long after its host is back, or its check was due, if nothing is heard

# only a result changes that
_FINAL = (Reason.SOFT, Reason.NO_PROBLEM, Reason.OPTIONS, Reason.ONCE, Reason.UNWANTED)
# their end wakes it: somebody takes an acknowledgement back, a downtime ends, the host is back
_SAYS_SO = (
    Reason.ACKNOWLEDGED, Reason.DOWNTIME, Reason.HOST_DOWNTIME, Reason.FLAPPING, Reason.HOST_AWAY,
)  # fmt: skip
_TIMED = (Reason.SENT, Reason.INTERVAL)


def stands(status: Status) -> bool:
    """Return whether there is a confirmed problem to tell of."""
    return status.state != OK and status.state_type == HARD


def next_look(
    why: Reason,
    status: Status,
    traits: Traits,
    now: Wall,
    *,
    opens: Callable[[], Wall | None],
) -> Wall | None:
    """Return when the problem is to be asked about again, after the answer `why` at `now`; None = never.

    `opens` tells when its notification_period begins next, None = not at all.
    """
    if why in _FINAL or not stands(status):
        return None
    if why in _TIMED:
        if status.no_more_notifications:
            return None
        due: float = status.next_notification_wall
    elif why == Reason.TOO_EARLY:
        due = problem_start(status) + traits.first_notification_delay_s
    elif why == Reason.PERIOD:
        due = opens() or now + NEVER_OPENS_S
    else:
        due = now + (HELD_S if why in _SAYS_SO else LOOK_AGAIN_S)
    return result_first(status, due, now)


def result_first(status: Status, due: float, now: Wall) -> Wall:
    """Return `due`, or later while a result may still come and go first."""
    heard = min(status.last_check_wall, now)
    return Wall(max(due, heard + RESULT_FIRST_S))


def unheard(status: Status, host: Status | None, now: Wall) -> Wall | None:
    """Return until when a service waits for a result because the last one is older than its host's return.

    What was found while the host was away says little about it now. None = it need not wait.
    """
    if host is None or host.state != OK or status.last_check_wall >= host.last_change_wall:
        return None
    until = Wall(max(status.next_check_wall, host.last_change_wall) + UNHEARD_S)
    return until if now < until else None
