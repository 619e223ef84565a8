"""The way from a receiver's modules into its role: lines in, those not taken back out."""

import logging
from collections.abc import Callable

from daemons.modules.named_pipe import Deliver
from daemons.roles.receiver import SPOOL_FULL
from daemons.wire.messages import Accepted, Message, Submit, Submitted

log = logging.getLogger(__name__)

LOGGED_EVERY = 60  # one refused line in so many is logged, after the first


def delivery(sender: str, enter: Callable[[Message], Message]) -> Deliver:
    """Return the `Deliver` that hands lines of `sender` to a role through `enter`.

    It returns the lines to try again: those not on disk yet, and those a full spool had no room for.
    A line that is no command is dropped, and logged.
    """
    refusals = 0

    def deliver(items: tuple[Submitted, ...]) -> tuple[Submitted, ...]:
        nonlocal refusals
        answer = enter(Submit(sender, items))
        if not isinstance(answer, Accepted):
            return items
        taken = set(answer.durable)
        for item in items:
            why = answer.refused.get(item.id, SPOOL_FULL)
            if why == SPOOL_FULL:
                continue
            taken.add(item.id)
            if refusals % LOGGED_EVERY == 0:
                log.warning("refused from=%s line=%r why=%r", sender, item.line[:200], why)
            refusals += 1
        return tuple(item for item in items if item.id not in taken)

    return deliver
