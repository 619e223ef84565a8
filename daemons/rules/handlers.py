"""When an event handler runs.

Nagios Core docs, "Event Handlers": at each result of a soft problem, when a problem becomes hard or changes while
hard, and at the recovery from a soft or hard problem; of a volatile service at every hard problem result.
These are the results that make an alert line.
"""

from msgspec import Struct

from daemons.model.objects import Globals, Traits
from daemons.rules.state import Move


def wanted(move: Move, *, enabled: bool, in_downtime: bool, not_in_downtimes: bool) -> bool:
    """Return whether event handlers run for a result.

    `enabled`: globally and of the object; `not_in_downtimes`: no_event_handlers_during_downtimes, which
    `in_downtime` (the object or its host) then obeys.
    """
    if not move.alert or not enabled:
        return False
    return not (in_downtime and not_in_downtimes)


class Handler(Struct, frozen=True):
    """A handler to run."""

    command: str  # "name!args"
    everyones: bool  # the global one


def to_run(traits: Traits, settings: Globals, *, is_host: bool) -> tuple[Handler, ...]:
    """Return the handlers to run: the global one first, then the object's own."""
    everyones = (
        settings.global_host_event_handler if is_host else settings.global_service_event_handler
    )
    both = (Handler(everyones, True), Handler(traits.event_handler, False))
    return tuple(handler for handler in both if handler.command)
