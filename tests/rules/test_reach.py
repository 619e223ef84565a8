"""`reachability` by the documentation's network sketch."""

import pytest

from daemons.rules.reach import reachability

UP, DOWN, UNREACHABLE = range(3)


@pytest.mark.parametrize(
    ("own", "parents", "expected"),
    [
        (UP, (), UP),
        (UP, (DOWN,), UP),
        (DOWN, (), DOWN),
        (DOWN, (UP,), DOWN),
        (DOWN, (DOWN,), UNREACHABLE),
        (DOWN, (UNREACHABLE,), UNREACHABLE),
        (DOWN, (DOWN, UP), DOWN),
        (DOWN, (DOWN, UNREACHABLE), UNREACHABLE),
        (UNREACHABLE, (UP,), DOWN),
    ],
)
def test_a_host_is_unreachable_when_every_parent_is_away(own, parents, expected):
    assert reachability(own, iter(parents)) == expected
