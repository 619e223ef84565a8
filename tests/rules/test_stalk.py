"""Stalking."""

import pytest

from daemons.model.objects import Traits
from daemons.rules.stalk import stalked


def said(options, state, was=None, is_host=False, output="new", before="old"):
    was = state if was is None else was
    traits = Traits(stalking_options=tuple(options))
    return stalked(
        traits, is_host=is_host, state=state, was=was, output=output, output_before=before
    )


@pytest.mark.parametrize(("state", "letter"), list(enumerate("owcu")))
def test_a_service_is_stalked_in_the_states_it_names(state, letter):
    assert said(letter, state)
    assert not said("owcu".replace(letter, ""), state)


@pytest.mark.parametrize(("state", "letter"), list(enumerate("odu")))
def test_a_host_is_stalked_in_the_states_it_names(state, letter):
    assert said(letter, state, is_host=True)
    assert not said("odu".replace(letter, ""), state, is_host=True)


def test_a_change_of_state_and_an_old_text_are_not_stalked():
    assert not said("owcu", 2, was=1)
    assert not said("owcu", 2, output="old")


def test_a_state_there_is_not_is_not_stalked():
    assert not said("odu", 3, is_host=True)
    assert not said("owcu", -1)
