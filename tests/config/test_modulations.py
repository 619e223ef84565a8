"""Modulations, as the files say them, and the objects that name them."""

import pytest

from daemons.model.relations import (
    CheckModulation,
    ImpactModulation,
    MacroModulation,
    ResultModulation,
)
from tests.config.texts import BASE, block, errors, host, loaded, service, warnings

RESULT = block("resultmodulation", "resultmodulation_name r", "exit_codes_match 1, 2", "exit_code_modulation 0", "modulation_period always")  # fmt: skip
CHECK = block("checkmodulation", "checkmodulation_name c", "check_command ok!1", "check_period always")  # fmt: skip
MACRO = block("macromodulation", "macromodulation_name m", "_crit 20", "_WARN 10")
IMPACT = block("businessimpactmodulation", "business_impact_modulation_name b", "business_impact 5")
NAMED = ("resultmodulations r", "checkmodulations c", "macromodulations m", "business_impact_modulations b")  # fmt: skip


def test_each_kind_becomes_what_rules_read() -> None:
    found = loaded(RESULT + CHECK + MACRO + IMPACT, BASE)
    modulations = found.objects.modulations

    assert errors(found) == []
    assert modulations.result == (ResultModulation("r", (1, 2), 0, "always"),)
    assert modulations.check == (CheckModulation("c", "ok!1", "always"),)
    assert modulations.macro == (MacroModulation("m", {"CRIT": "20", "WARN": "10"}),)
    assert modulations.impact == (ImpactModulation("b", 5),)


def test_objects_name_them_in_the_order_in_which_they_are_asked() -> None:
    more = RESULT.replace("name r", "name a")
    text = RESULT + more + CHECK + MACRO + IMPACT + host("h", *NAMED[1:], "resultmodulations r,a")
    found = loaded(text + service("s", "host_name h"), BASE)
    assert errors(found) == []
    (of_host,) = [found.objects.traits[h.traits] for h in found.objects.hosts]
    (of_service,) = [found.objects.traits[s.traits] for s in found.objects.services]

    assert of_host.result_modulations == ("r", "a")
    assert (of_host.check_modulations, of_host.macro_modulations) == (("c",), ("m",))
    assert of_host.impact_modulations == ("b",)
    # Implied inheritance: results and impact, not commands and variables.
    assert of_service.result_modulations == ("r", "a")
    assert of_service.impact_modulations == ("b",)
    assert (of_service.check_modulations, of_service.macro_modulations) == ((), ())


def test_a_host_without_a_command_has_one_that_modulations_take_the_place_of() -> None:
    text = CHECK + host("h", "checkmodulations c") + host("i")
    found = loaded(text, BASE).objects

    assert [found.traits[h.traits].check_command for h in found.hosts] == ["_internal_host_up", ""]


@pytest.mark.parametrize("named", NAMED)
def test_one_that_is_not_there_is_refused_where_it_is_named(named: str) -> None:
    (error,) = errors(loaded(host("h", named), BASE))

    attr, name = named.split()
    assert error.startswith("t.cfg:3: ") and f"{attr}: " in error and f" {name} is not" in error


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (RESULT.replace("1, 2", "1,two"), "resultmodulation r: exit_codes_match: 'two' is not a number"),
        (RESULT.replace("always", "x"), "modulation_period: time period x is not defined"),
        (CHECK.replace("ok!1", "no!1"), "check_command: command no is not defined"),
        (CHECK.replace("check_command ok!1", ""), "check_command is missing"),
        (CHECK.replace("always", "x"), "checkmodulation c: check_period: time period x is not defined"),
        (IMPACT.replace("business_impact 5", ""), "business_impact is missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(text: str, complaint: str) -> None:
    found = loaded(text, BASE)

    assert any(complaint in error for error in errors(found)), errors(found)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (RESULT.replace("exit_code_modulation 0", ""), "exit_code_modulation is missing"),
        (RESULT.replace("exit_codes_match 1, 2", ""), "exit_codes_match is missing"),
        (block("macromodulation", "macromodulation_name m"), "it gives no custom variable"),
    ],
)
def test_what_does_nothing_is_a_warning(text: str, missing: str) -> None:
    found = loaded(text, BASE)

    assert found.good and any(missing in one for one in warnings(found))
