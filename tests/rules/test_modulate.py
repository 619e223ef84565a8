"""Modulations: in force while their period lasts, asked in the order in which they are named."""

import pytest

from daemons.model.relations import (
    CheckModulation,
    ImpactModulation,
    MacroModulation,
    ResultModulation,
)
from daemons.rules.modulate import business_impact, check_command, custom_variables, exit_code


def now(*lasting):
    """Whether a period lasts: those named, and "" (no period at all)."""
    return lambda name: name in ("", *lasting)


LESS = ResultModulation("less", (2, 3), 1, "night")
FINE = ResultModulation("fine", (1,), 0, "")


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (2, 1), (3, 1), (4, 4)])
def test_only_the_exit_codes_it_names_are_changed(code, expected):
    assert exit_code(code, (LESS,), now("night")) == expected


def test_outside_of_its_period_a_code_stays():
    assert exit_code(2, (LESS,), now()) == 2


def test_a_second_modulation_sees_what_the_first_made_of_it():
    assert exit_code(2, (LESS, FINE), now("night")) == 0
    assert exit_code(2, (FINE, LESS), now("night")) == 1
    assert exit_code(2, (LESS, FINE), now()) == 2
    assert exit_code(2, (), now("night")) == 2


NIGHT = CheckModulation("a", "slow!1", "night")
OTHER = CheckModulation("b", "slow!2", "")


def test_the_first_command_in_force_is_run_and_without_one_its_own():
    assert check_command("own!x", (NIGHT, OTHER), now("night")) == "slow!1"
    assert check_command("own!x", (OTHER, NIGHT), now("night")) == "slow!2"
    assert check_command("own!x", (NIGHT, OTHER), now()) == "slow!2"
    assert check_command("own!x", (NIGHT,), now()) == "own!x"
    assert check_command("own!x", (), now("night")) == "own!x"


def test_a_modulation_without_a_command_changes_nothing():
    assert check_command("own!x", (CheckModulation("n", "", ""), OTHER), now()) == "slow!2"


def test_each_variable_is_that_of_the_first_modulation_that_has_it():
    own = {"WARN": "1", "CRIT": "2"}
    night = MacroModulation("n", {"CRIT": "20"}, "night")
    always = MacroModulation("a", {"CRIT": "30", "WARN": "15", "NEW": "x"}, "")

    assert custom_variables(own, (night, always), now("night")) == {
        "WARN": "15", "CRIT": "20", "NEW": "x",
    }  # fmt: skip
    assert custom_variables(own, (night, always), now()) == {
        "WARN": "15", "CRIT": "30", "NEW": "x",
    }  # fmt: skip
    assert custom_variables(own, (always, night), now("night"))["CRIT"] == "30"
    assert custom_variables(own, (night,), now()) == own
    assert own == {"WARN": "1", "CRIT": "2"}


def test_the_first_impact_in_force_counts_even_if_it_is_lower():
    low, high = ImpactModulation("l", 0, "night"), ImpactModulation("h", 5, "")

    assert business_impact(3, (low, high), now("night")) == 0
    assert business_impact(3, (high, low), now("night")) == 5
    assert business_impact(3, (low,), now()) == 3
    assert business_impact(3, (), now()) == 3
