"""Which commands follow each result."""

import pytest
from msgspec.structs import replace

from daemons.model.objects import Globals, Traits
from daemons.rules.obsess import (
    OBSESS,
    PERFDATA,
    Asked,
    SideCommand,
    asked,
    commands,
    written,
)

EVERYTHING = Globals(
    obsess_over_services=True, obsess_over_hosts=True, ocsp_command="ocsp!1", ochp_command="ochp",
    ocsp_timeout_s=7.0, ochp_timeout_s=8.0, service_perfdata_command="sp", host_perfdata_command="hp",
    perfdata_timeout_s=9.0, service_perfdata_template="s", host_perfdata_template="h",
)  # fmt: skip


def with_(**changes) -> Globals:
    return replace(EVERYTHING, **changes)


def test_services_and_hosts_have_commands_and_time_outs_of_their_own():
    assert asked(EVERYTHING, is_host=False) == Asked(
        SideCommand(OBSESS, "ocsp!1", 7.0), SideCommand(PERFDATA, "sp", 9.0), "s"
    )
    assert asked(EVERYTHING, is_host=True) == Asked(
        SideCommand(OBSESS, "ochp", 8.0), SideCommand(PERFDATA, "hp", 9.0), "h"
    )


def test_nothing_is_asked_for_by_default():
    assert asked(Globals(), is_host=False) is None
    assert asked(Globals(), is_host=True) is None


@pytest.mark.parametrize(
    ("changes", "is_host", "left"),
    [
        ({"obsess_over_services": False}, False, (None, "sp", "s")),
        ({"obsess_over_hosts": False}, False, ("ocsp!1", "sp", "s")),
        ({"obsess_over_hosts": False}, True, (None, "hp", "h")),
        ({"obsess_over_services": False}, True, ("ochp", "hp", "h")),
        ({"ocsp_command": ""}, False, (None, "sp", "s")),
        ({"ochp_command": ""}, True, (None, "hp", "h")),
        ({"process_performance_data": False}, False, ("ocsp!1", None, "")),
        ({"process_performance_data": False}, True, ("ochp", None, "")),
        ({"service_perfdata_command": ""}, False, ("ocsp!1", None, "s")),
        ({"host_perfdata_command": ""}, True, ("ochp", None, "h")),
        ({"service_perfdata_template": ""}, False, ("ocsp!1", "sp", "")),
        ({"host_perfdata_template": ""}, True, ("ochp", "hp", "")),
    ],
)
def test_each_switch_and_each_empty_command_takes_away_its_own(changes, is_host, left):
    found = asked(with_(**changes), is_host=is_host)
    assert found is not None
    names = tuple(c.command if c is not None else None for c in (found.obsess, found.perfdata))
    assert (*names, found.template) == left


@pytest.mark.parametrize("only", ["ocsp_command", "service_perfdata_command", "service_perfdata_template"])
def test_one_of_the_three_is_enough_to_be_asked_for(only):
    nothing = {"ocsp_command": "", "service_perfdata_command": "", "service_perfdata_template": ""}
    assert asked(with_(**nothing), is_host=False) is None
    assert asked(with_(**{**nothing, only: "x"}), is_host=False) is not None


def test_a_time_out_of_nothing_is_the_documented_default():
    found = asked(with_(ocsp_timeout_s=0.0, perfdata_timeout_s=0.0), is_host=False)
    assert found is not None and found.obsess is not None and found.perfdata is not None
    assert (found.obsess.timeout_s, found.perfdata.timeout_s) == (15.0, 5.0)
    found = asked(with_(ocsp_timeout_s=0.5), is_host=False)
    assert found is not None and found.obsess is not None and found.obsess.timeout_s == 0.5
    found = asked(with_(ochp_timeout_s=-1.0, perfdata_timeout_s=0.5), is_host=True)
    assert found is not None and found.obsess is not None and found.perfdata is not None
    assert (found.obsess.timeout_s, found.perfdata.timeout_s) == (15.0, 0.5)


@pytest.mark.parametrize(
    ("obsess", "perfdata", "kinds"),
    [(True, True, (OBSESS, PERFDATA)), (True, False, (OBSESS,)), (False, True, (PERFDATA,)), (False, False, ())],
)  # fmt: skip
def test_an_object_has_a_switch_for_each(obsess, perfdata, kinds):
    everything = asked(EVERYTHING, is_host=False)
    assert everything is not None
    found = commands(everything, Traits(obsess=obsess, process_perf_data=perfdata))
    assert tuple(command.kind for command in found) == kinds


def test_what_is_not_asked_for_is_not_run_whatever_the_object_says():
    assert commands(Asked(), Traits(obsess=True, process_perf_data=True)) == ()


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("a", "a"), (r"a\tb", "a\tb"), (r"a\nb\rc", "a\nb\rc"), (r"a\\tb", r"a\tb"), (r"a\\\tb", "a\\\tb"),
        (r"\x", r"\x"),
    ],
)  # fmt: skip
def test_a_template_has_letters_for_tabs_and_line_ends(template, line):
    assert written(template) == line
