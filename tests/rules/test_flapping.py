"""Flapping by the percentages that Nagios 4 computed for the same results."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.model.objects import Globals, Traits
from daemons.rules.flapping import (
    STARTED,
    STOPPED,
    Flap,
    after_result,
    change_percent,
    recorded,
    thresholds,
)


def percents(states, **settings):
    flap = after_result((), 0.0, False, 0, low=5.0, high=20.0)
    for state in states:
        flap = after_result(flap.history, flap.percent, flap.flapping, state,
                            **{"low": 5.0, "high": 20.0, **settings})  # fmt: skip
        yield round(flap.percent, 2), flap.event


def test_percentages_are_those_of_nagios_4():
    got = [percent for percent, _ in percents([2, 0, 2, 0, 2, 0, 0])]

    assert got == [6.25, 12.37, 18.36, 24.21, 29.93, 35.53, 34.74]


def test_flapping_starts_at_the_high_threshold_and_ends_under_the_low_one():
    events = [event for _, event in percents([2, 0] * 7 + [0] * 25)]

    assert events.index(STARTED) == 3
    assert events.index(STOPPED) == 14 + 18
    assert sum(map(bool, events)) == 2


def test_without_flap_detection_the_percentage_goes_on_and_nothing_starts():
    got = list(percents([2, 0] * 7, enabled=False))

    assert got[-1] == (75.53, "")


def test_what_is_known_is_judged_when_flap_detection_is_enabled():
    *_, last = percents([2, 0] * 3, enabled=False)
    history = after_result((), 0, False, 2, low=5.0, high=20.0).history

    assert last == (35.53, "")
    assert (
        after_result(history, 35.53, False, 0, low=5.0, high=20.0, records=False).event == STARTED
    )


def test_a_steady_good_object_has_no_history():
    *_, last = percents([2] + [0] * 21)
    flap = after_result((0,) * 21, 0.0, False, 0, low=5.0, high=20.0)

    assert last == (0.0, "")
    assert flap.history == ()


@pytest.mark.parametrize(
    ("state", "state_type", "options", "is_host", "expected"),
    [
        (2, 0, (), False, False),
        (2, 1, (), False, True),
        (0, 0, (), False, True),
        (1, 0, (), True, True),
        (1, 1, ("o", "c"), False, False),
        (2, 1, ("o", "c"), False, True),
        (2, 1, ("o", "d"), True, False),
    ],
)
def test_which_states_count(state, state_type, options, is_host, expected):
    assert recorded(state, state_type, options, is_host=is_host) == expected


def test_an_object_without_thresholds_has_the_global_ones():
    assert thresholds(Traits(), Globals(), is_host=True) == (20.0, 30.0)
    own = Traits(low_flap_threshold=1.0, high_flap_threshold=2.0)
    assert thresholds(own, Globals(), is_host=False) == (1.0, 2.0)


@given(st.lists(st.integers(0, 3), max_size=60))
def test_any_history_stays_in_bounds(states):
    history, percent, flapping = (), 0.0, False
    for state in states:
        flap = after_result(history, percent, flapping, state, low=5.0, high=20.0)
        assert len(flap.history) in (0, 21)
        assert 0.0 <= flap.percent <= 100.0 + 1e-9
        assert (flap.event == STARTED) == (flap.flapping and not flapping)
        assert (flap.event == STOPPED) == (flapping and not flap.flapping)
        assert abs(change_percent(flap.history) - flap.percent) < 1e-9
        history, percent, flapping = flap.history, flap.percent, flap.flapping


SOME = (0,) * 20 + (2,)


def test_thresholds_are_crossed_exactly():
    def judged(percent, flapping):
        return after_result(SOME, percent, flapping, 0, low=5.0, high=20.0, records=False)

    assert judged(5.0, True) == Flap(SOME, 5.0, True)
    assert judged(4.99, True) == Flap(SOME, 4.99, False, STOPPED, 5.0)
    assert judged(20.0, False) == Flap(SOME, 20.0, True, STARTED, 20.0)
    assert judged(19.99, False) == Flap(SOME, 19.99, False)


def test_what_flaps_without_a_history_stops():
    assert after_result((), 0.0, True, 0, low=5.0, high=20.0) == Flap((), 0.0, False, STOPPED, 5.0)


def test_a_short_history_is_the_newest_part():
    assert change_percent((0, 1)) == pytest.approx(6.25)


@pytest.mark.parametrize(
    ("state", "is_host", "own"),
    [(0, False, "o"), (1, False, "w"), (2, False, "c"), (3, False, "u"), (4, False, "u"), (-1, False, "u"),
     (0, True, "o"), (1, True, "d"), (2, True, "u"), (3, True, "u"), (-1, True, "u")],
)  # fmt: skip
def test_a_state_counts_where_its_letter_is_an_option(state, is_host, own):
    letters = {letter for letter in "owcdu" if recorded(state, 1, (letter,), is_host=is_host)}

    assert letters == {own}


def test_a_threshold_of_nothing_is_the_global_one_and_one_below_one_is_ones_own():
    low_only = Traits(low_flap_threshold=0.5, high_flap_threshold=0.0)
    high_only = Traits(low_flap_threshold=0.0, high_flap_threshold=0.5)

    assert thresholds(low_only, Globals(), is_host=True) == (0.5, 30.0)
    assert thresholds(high_only, Globals(), is_host=True) == (20.0, 0.5)
