"""Command lines: read, checked, routed; nothing a line says can raise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.rules.commands import COMMANDS, ExternalCommand, Refused, parse, route


def test_every_documented_command_is_known():
    assert len(COMMANDS) == 170 + 6


def test_the_last_text_keeps_its_semicolons():
    command = parse(
        "[1795333581] ACKNOWLEDGE_SVC_PROBLEM;db-01;disk / root;1;0;0;bert;cleanup; later"
    )

    assert command == ExternalCommand(
        "ACKNOWLEDGE_SVC_PROBLEM",
        ("db-01", "disk / root", "1", "0", "0", "bert", "cleanup; later"),
        1795333581.0,
    )


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("[1] DISABLE_NOTIFICATIONS", ()),
        ("[1] DISABLE_NOTIFICATIONS;", ()),
        ("[1] DISABLE_HOST_CHECK;web1", ("web1",)),
        ("[1] DISABLE_HOST_CHECK;web1;", ("web1",)),
        ("[1] PROCESS_SERVICE_CHECK_RESULT;h;s;0;", ("h", "s", "0", "")),
        ("[1] PROCESS_SERVICE_CHECK_RESULT;h;s;-1;o|a=1;2", ("h", "s", "-1", "o|a=1;2")),
        ("DEL_DOWNTIME_BY_HOST_NAME;h", ("h",)),
        ("DEL_DOWNTIME_BY_HOST_NAME;h;s", ("h", "s")),
        ("DEL_DOWNTIME_BY_HOST_NAME;h;;12", ("h", "", "12")),
        ("[1]process_host_output;h;text", ("h", "text")),
    ],
)
def test_good_lines(line, args):
    assert parse(line).args == args


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "a command is written"),
        ("[x] DISABLE_NOTIFICATIONS", "a command is written"),
        ("[1] NO_SUCH_COMMAND;a", "there is no external command NO_SUCH_COMMAND"),
        ("[1] DISABLE_NOTIFICATIONS;1", "takes no arguments"),
        ("[1] DISABLE_HOST_CHECK", "takes 1 arguments (host), 0 given"),
        ("[1] DISABLE_HOST_CHECK;", "argument 1 (host) is empty"),
        ("[1] ADD_HOST_COMMENT;h;1;joe", "takes 4 arguments"),
        ("[1] ADD_HOST_COMMENT;h;maybe;joe;text", "must be 0 or 1, not 'maybe'"),
        ("[1] PROCESS_HOST_CHECK_RESULT;h;bad;text", "must be a whole number, not 'bad'"),
    ],
)
def test_refused_lines_say_why(line, why):
    assert why in parse(line).why


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("DISABLE_HOST_CHECK;web1", "web1"),
        ("DISABLE_SVC_CHECK;web1;http", "web1"),
        ("DISABLE_NOTIFICATIONS", None),
        ("DISABLE_HOSTGROUP_SVC_CHECKS;linux", None),
        ("DISABLE_CONTACT_SVC_NOTIFICATIONS;joe", None),
        ("DEL_SVC_DOWNTIME;7", None),
    ],
)
def test_commands_go_to_the_host_they_name(line, host):
    assert route(parse(line)) == host


@given(st.text() | st.builds(
    lambda name, rest: f"[1] {name}{rest}",
    st.sampled_from(sorted(COMMANDS)),
    st.text(alphabet=";01ab|-[ \n\t"),
))  # fmt: skip
def test_no_line_raises(line):
    command = parse(line)

    assert isinstance(command, ExternalCommand | Refused)
    if isinstance(command, ExternalCommand):
        assert route(command) is None or isinstance(route(command), str)
