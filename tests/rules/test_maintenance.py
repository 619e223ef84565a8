"""The one downtime of an object in maintenance."""

import pytest

from daemons.model.clock import Wall
from daemons.model.objects import MaintenanceCheck
from daemons.model.status import Downtime
from daemons.rules.maintenance import Step, check_end, pause_s, said, step

NOW = Wall(1000.0)


def downtime(end_wall: float = 1500.0) -> Downtime:
    return Downtime(id=7, entry_wall=900.0, start_wall=900.0, end_wall=end_wall, in_effect=True)


@pytest.mark.parametrize(
    ("held", "number", "period_end", "check_end", "answer"),
    [
        # nothing asks for one
        (None, 0, 0.0, 0.0, Step("nothing")),
        (None, 7, 0.0, 0.0, Step("forget")),
        (downtime(), 7, 0.0, 0.0, Step("cancel")),
        (downtime(1000.0), 7, 0.0, 0.0, Step("forget")),  # it ends by itself at this moment
        (downtime(1000.5), 7, 0.0, 0.0, Step("cancel")),
        # a cause that ends now is none
        (None, 0, 1000.0, 0.0, Step("nothing")),
        (None, 0, 0.0, 1000.0, Step("nothing")),
        (None, 0, 1000.5, 0.0, Step("book", 1000.5)),
        (None, 0, 0.0, 1000.5, Step("book", 1000.5)),
        # both: the later end
        (None, 0, 1500.0, 1200.0, Step("book", 1500.0)),
        (None, 0, 1200.0, 1500.0, Step("book", 1500.0)),
        # it is there
        (downtime(), 7, 1500.0, 0.0, Step("nothing")),
        (downtime(), 7, 1600.0, 0.0, Step("move", 1600.0)),
        (downtime(), 7, 1400.0, 0.0, Step("move", 1400.0)),
        (downtime(), 7, 0.0, 1700.0, Step("move", 1700.0)),
        (downtime(), 7, 1500.0, 1200.0, Step("nothing")),
        # a person deleted it
        (None, 7, 1500.0, 0.0, Step("nothing")),
        (None, 7, 1500.0, 1200.0, Step("nothing")),
        # of a check alone: the next answer makes another
        (None, 7, 0.0, 1500.0, Step("book", 1500.0)),
        (None, 7, 1000.0, 1500.0, Step("book", 1500.0)),
    ],
)
def test_one_downtime_follows_its_causes(held, number, period_end, check_end, answer):
    assert step(held, number, period_end, check_end, NOW) == answer


@pytest.mark.parametrize(
    ("code", "state"),
    [(0, "PRODUCTION"), (1, ""), (2, "MAINTENANCE"), (3, ""), (-1, ""), (127, ""), (1000, "")],
)
def test_only_two_answers_mean_something(code, state):
    assert said(code) == state


def test_an_answer_counts_for_three_intervals():
    assert check_end(MaintenanceCheck("c", 60.0, 5.0), NOW) == 1180.0


@pytest.mark.parametrize(
    ("state", "retry_s", "pause"),
    [
        ("PRODUCTION", 10.0, 60.0), ("MAINTENANCE", 10.0, 10.0), ("", 10.0, 10.0),
        ("MAINTENANCE", 0.0, 60.0), ("", 0.0, 60.0), ("MAINTENANCE", 90.0, 60.0), ("MAINTENANCE", 60.0, 60.0),
        ("", 0.5, 0.5),
    ],
)  # fmt: skip
def test_it_is_asked_again_sooner_unless_all_is_well(state, retry_s, pause):
    """Never so late that the downtime would end between two answers."""
    assert pause_s(MaintenanceCheck("c", 60.0, retry_s), state) == pause
