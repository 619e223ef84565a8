"""Command lines: read, checked, routed; nothing a line says can raise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.rules.command_table import LEADER, Shape, _c
from daemons.rules.commands import (
    COMMANDS,
    ExternalCommand,
    Refused,
    given_number,
    of_pipe,
    parse,
    route,
    to_leader,
)


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


# -- arguments by kind


def one(name, *args):
    """The arguments that `parse` makes of these, or why it does not."""
    command = parse(";".join((name, *args)))
    return command.why if isinstance(command, Refused) else command.args


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("0", "0"), ("1", "1"), ("2", "1"), ("-1", "0"), ("1.0", "1"), (" 1 ", "1"), ("true", "1"), ("ON", "1"),
        ("Yes", "1"), ("false", "0"), ("off", "0"), ("No", "0"), ("x", None), ("1.5", None), ("1234567890123", None),
        ("", None), ("10", "1"),
    ],
)  # fmt: skip
def test_yes_and_no(value, read):
    for name, before, after in (("ADD_HOST_COMMENT", ("h",), ("ann", "x")), ("PROCESS_FILE", ("f",), ())):
        found = one(name, *before, value, *after)
        if read is None:
            assert "must be 0 or 1" in found or "is empty" in found
        else:
            assert found[1] == read


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("CHANGE_MAX_HOST_CHECK_ATTEMPTS", "1", "1"),
        ("CHANGE_MAX_HOST_CHECK_ATTEMPTS", "0", "must be a whole number, 1 or more, not '0'"),
        ("CHANGE_MAX_HOST_CHECK_ATTEMPTS", "2147483647", "2147483647"),
        ("CHANGE_MAX_HOST_CHECK_ATTEMPTS", "2147483648", "must be a whole number, 1 or more"),
        ("CHANGE_HOST_MODATTR", "0", "0"),
        ("CHANGE_HOST_MODATTR", "-1", "must be a whole number, 0 or more, not '-1'"),
        ("CHANGE_HOST_MODATTR", "2147483648", "must be a whole number, 0 or more"),
        ("CHANGE_HOST_MODATTR", "007.00", "7"),
        ("SET_HOST_NOTIFICATION_NUMBER", "x", "must be a whole number, 0 or more, not 'x'"),
        ("SET_HOST_NOTIFICATION_NUMBER", "", "argument 2 (count) is empty"),
        ("DELAY_HOST_NOTIFICATION", "8589934592", "8589934592"),
        ("DELAY_HOST_NOTIFICATION", "8589934593", "must be seconds since 1970, not '8589934593'"),
        ("DELAY_HOST_NOTIFICATION", "-8589934592", "-8589934592"),
        ("DELAY_HOST_NOTIFICATION", "-8589934593", "must be seconds since 1970"),
        ("DELAY_HOST_NOTIFICATION", "soon", "must be seconds since 1970, not 'soon'"),
        ("CHANGE_NORMAL_HOST_CHECK_INTERVAL", "0", "0"),
        ("CHANGE_NORMAL_HOST_CHECK_INTERVAL", "2.5", "2.5"),
        ("CHANGE_NORMAL_HOST_CHECK_INTERVAL", "2147483647", "2147483647"),
        ("CHANGE_NORMAL_HOST_CHECK_INTERVAL", "2147483648", "must be a number, 0 or more"),
        ("CHANGE_NORMAL_HOST_CHECK_INTERVAL", "-2", "must be a number, 0 or more, not '-2'"),
        ("CHANGE_NORMAL_HOST_CHECK_INTERVAL", "1e3", "must be a number, 0 or more"),
        ("CHANGE_HOST_EVENT_HANDLER", "", ""),
        ("CHANGE_HOST_EVENT_HANDLER", " repair!a b ", "repair!a b"),
        ("CHANGE_HOST_CHECK_COMMAND", "", "argument 2 (command) is empty"),
        ("CHANGE_HOST_CHECK_TIMEPERIOD", "24x7", "24x7"),
    ],
)
def test_one_argument(name, value, read):
    found = one(name, "h", value)
    assert found == ("h", read) if isinstance(found, tuple) else read in found


@pytest.mark.parametrize(
    ("name", "read"),
    [("RACK", "RACK"), ("_rack", "RACK"), ("__X", None), ("a_b", "A_B"), ("a b", None), ("$x", None), ("a$", None),
     ("a=b", None), ("_", None), ("é", "É"), ("x" * 200, "X" * 200), ("x" * 201, None), ("", None)],
)  # fmt: skip
def test_names_of_variables(name, read):
    found = one("CHANGE_CUSTOM_HOST_VAR", "h", name, "a;b")
    if read is None:
        assert "must be the name of a variable" in found or "is empty" in found
    else:
        assert found == ("h", read, "a;b")


def test_codes_and_stickiness_may_be_any_whole_number():
    assert one("PROCESS_HOST_CHECK_RESULT", "h", "-2147483647", "x") == ("h", "-2147483647", "x")
    assert "must be a whole number, not '2147483648'" in one("PROCESS_HOST_CHECK_RESULT", "h", "2147483648", "x")
    assert one("ACKNOWLEDGE_HOST_PROBLEM", "h", "-3", "0", "0", "a", "x")[1] == "-3"


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("DEL_DOWNTIME_BY_START_TIME_COMMENT", ()),
        ("DEL_DOWNTIME_BY_START_TIME_COMMENT;", ("",)),
        ("DEL_DOWNTIME_BY_START_TIME_COMMENT;;a;b", ("", "a;b")),
        ("DEL_DOWNTIME_BY_HOSTGROUP_NAME;g;h;s;5;c", ("g", "h", "s", "5", "c")),
        ("ADD_HOST_COMMENT; h ;1; ann ; hello ", ("h", "1", "ann", " hello")),
        ("DISABLE_SVC_CHECK;h; disk / ;", ("h", "disk /")),
        ("ENABLE_NOTIFICATIONS ; ;", ()),
        ("ENABLE_NOTIFICATIONS\t", ()),
    ],
)
def test_blanks_and_what_is_left_out(line, args):
    assert parse(line).args == args


def test_an_argument_that_may_be_left_out_is_still_read():
    assert "argument 4 (time) must be seconds" in parse("DEL_DOWNTIME_BY_HOSTGROUP_NAME;g;h;s;x").why
    assert "argument 1 (hostgroup) is empty" in parse("DEL_DOWNTIME_BY_HOSTGROUP_NAME;;h").why


def test_a_time_far_away_is_cut():
    assert parse("[999999999999] ENABLE_NOTIFICATIONS").wall == 2.0**33
    assert parse("[ 12.5 ]  ENABLE_NOTIFICATIONS").wall == 12.5
    assert parse("ENABLE_NOTIFICATIONS").wall == 0.0


def test_a_command_is_one_line():
    assert "on one line" in parse("[1] ADD_HOST_COMMENT;h;1;a;x\n[2] DISABLE_NOTIFICATIONS").why
    assert parse("[1] ADD_HOST_COMMENT;h;1;a;x\n").args == ("h", "1", "a", "x")


def test_what_nobody_obeys_is_refused_with_what_to_do():
    assert parse("shutdown_program").why.startswith("SHUTDOWN_PROGRAM is refused: `shinken stop`")
    assert "define a poller in the files" in parse("ADD_SIMPLE_POLLER;x").why


def test_a_name_that_is_long_or_odd_is_named_in_short():
    assert parse("[1] A-B c;x").why == "there is no external command A-B c"
    assert parse("X" * 100).why == "there is no external command " + "X" * 80


def test_who_obeys():
    assert [name for name in COMMANDS if COMMANDS[name].to != "nobody" and to_leader(parse(_filled(name)))] == [
        "RELOAD_CONFIG", "RESTART_PROGRAM",
    ]  # fmt: skip
    assert of_pipe(parse("PROCESS_FILE;x;1")) and not of_pipe(parse("RELOAD_CONFIG"))


def _filled(name):
    values = {"variable": "A", "text": "x", "author": "x"}
    kinds = [k for kind in COMMANDS[name].kinds for k in (("host", "description") if kind == "service" else (kind,))]
    return ";".join((name, *(values.get(kind, "1") for kind in kinds)))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_can_be_said(name):
    command = parse(_filled(name))
    if COMMANDS[name].to == "nobody":
        assert isinstance(command, Refused)
    else:
        assert command.name == name and len(command.args) == _filled(name).count(";")


def test_the_number_that_all_shards_give_is_made_of_the_id():
    assert given_number("c7") == given_number("c7") != given_number("c8")
    assert given_number("c7") == 2_050_903_514
    assert all(2_000_000_000 <= given_number(str(n)) < 2_147_000_000 for n in range(1000))


def test_an_id_that_is_no_text_has_a_number_too():
    assert given_number("\udce9") == 2_009_890_959


def test_a_row_of_the_table_says_what_it_takes():
    assert _c("host", "host;time", "does", 1, LEADER) == Shape("host", ("host", "time"), "does", 1, LEADER)
    assert _c("global", "", "does") == Shape("global", (), "does", 0, "schedulers")
