"""Event handlers run with the alerts, and not where they are unwanted."""

import pytest

from daemons.model.objects import Globals, Traits
from daemons.rules.handlers import Handler, to_run, wanted
from daemons.rules.state import service_move


def move(state, state_type, attempt, last_hard, new):
    return service_move(state, state_type, attempt, last_hard, new, 3, volatile=False, host_up=True)


SOFT = move(0, 1, 1, 0, 2)
STILL_BAD = move(2, 1, 3, 2, 2)
HARD = move(2, 0, 2, 0, 2)
RECOVERY = move(2, 1, 3, 2, 0)


@pytest.mark.parametrize(
    ("result", "expected"), [(SOFT, True), (HARD, True), (STILL_BAD, False), (RECOVERY, True)]
)
def test_handlers_run_with_the_alerts(result, expected):
    assert wanted(result, enabled=True, in_downtime=False, not_in_downtimes=True) == expected


@pytest.mark.parametrize(
    ("enabled", "in_downtime", "not_in_downtimes", "expected"),
    [(False, False, False, False), (True, True, False, True), (True, True, True, False)],
)
def test_handlers_can_be_unwanted(enabled, in_downtime, not_in_downtimes, expected):
    answer = wanted(
        HARD, enabled=enabled, in_downtime=in_downtime, not_in_downtimes=not_in_downtimes
    )
    assert answer == expected


def test_the_global_handler_comes_first():
    settings = Globals(global_service_event_handler="all!1")

    assert to_run(Traits(event_handler="own"), settings, is_host=False) == (
        Handler("all!1", True), Handler("own", False),
    )  # fmt: skip
    assert to_run(Traits(event_handler="own"), settings, is_host=True) == (Handler("own", False),)
    assert to_run(Traits(), settings, is_host=True) == ()
    assert to_run(Traits(), Globals(global_host_event_handler="h"), is_host=True) == (
        Handler("h", True),
    )
