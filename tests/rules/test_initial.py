"""What is assumed of an object that nobody has checked."""

import pytest

from daemons.model.objects import Traits
from daemons.rules.initial import Beginning, beginning


def test_an_object_begins_well():
    assert beginning(Traits(max_check_attempts=3), is_host=False) == Beginning(0, 1, "")


@pytest.mark.parametrize(
    ("given", "is_host", "state"),
    [
        ("o", False, 0), ("w", False, 1), ("c", False, 2), ("u", False, 3), ("C", False, 2),
        ("critical", False, 2), ("d", True, 1), ("u", True, 2), ("o", True, 0), ("w", True, 0),
        ("d", False, 0),
    ],
)  # fmt: skip
def test_initial_state_is_assumed(given, is_host, state):
    traits = Traits(initial_state=given, max_check_attempts=3, initial_output="not yet")
    attempt = 3 if state else 1
    assert beginning(traits, is_host=is_host) == Beginning(state, attempt, "not yet")


def test_initial_output_needs_no_initial_state():
    assert beginning(Traits(initial_output="soon"), is_host=True) == Beginning(0, 1, "soon")


def test_an_assumed_problem_has_one_attempt_at_least():
    assert beginning(Traits(initial_state="c", max_check_attempts=0), is_host=False).attempt == 1


def test_a_state_is_assumed_without_an_output():
    assert beginning(Traits(initial_state="c", max_check_attempts=3), is_host=False) == Beginning(2, 3, "")
