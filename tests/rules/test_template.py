"""Lines are cut at their macros, put together again, and told apart by whether they change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.rules.template import (
    PASSES_MAX,
    Outside,
    chain,
    resolve,
    run_time,
    split_command,
    split_macros,
)

VALUES = {
    "HOSTADDRESS": "10.0.0.1",
    "HOSTNAME": "web1",
    "USER1": "/usr/lib/plugins",
    "USER2": "$USER1$/deep",
    "_HOSTSNMP": "$USER9$ public",
    "_HOSTLOOP": "<$_HOSTLOOP$>",
    "HOSTOUTPUT": "evil $USER1$",
    "HOSTNOTESURL": "http://wiki/$HOSTNAME$",
}


def line(text: str, *args: str) -> str:
    return resolve(split_macros(text), VALUES.get, args)


@pytest.mark.parametrize(
    ("text", "args", "expected"),
    [
        ("", (), ""),
        ("/bin/true", (), "/bin/true"),
        ("$USER1$/check -H $HOSTADDRESS$", (), "/usr/lib/plugins/check -H 10.0.0.1"),
        ("$ARG1$ [$ARG2$] [$ARG3$]", ("a", "$HOSTADDRESS$"), "a [10.0.0.1] []"),
        ("[$ARG0$][$ARG33$]", ("a",), "[][]"),
        ("[$NOSUCH$]", (), "[]"),
        ("cost $$5", (), "cost $5"),
        ("kill -9 $$$$", (), "kill -9 $$"),
        ("echo $HOME and $PATH", (), "echo $HOME and $PATH"),
        ("ends with $", (), "ends with $"),
        ("$USER2$", (), "/usr/lib/plugins/deep"),
        ("[$_HOSTSNMP$]", (), "[ public]"),
        ("$HOSTNOTESURL$", (), "http://wiki/web1"),
    ],
)
def test_lines_are_resolved(text, args, expected):
    assert line(text, *args) == expected


def test_what_a_plugin_printed_is_not_searched_for_macros():
    assert line("$HOSTOUTPUT$") == "evil $USER1$"


def test_what_came_from_outside_is_not_searched_for_macros_under_any_name():
    values = {"_HOSTX": Outside("$USER1$"), "_HOSTY": "$USER1$", "USER1": "/x"}

    assert resolve(split_macros("$_HOSTX$ $_HOSTY$"), values.get) == "$USER1$ /x"


def test_a_macro_that_holds_itself_ends_after_32_passes():
    assert line("$_HOSTLOOP$") == "<" * 31 + ">" * 31


def test_macros_that_double_each_other_end_too():
    values = {f"_HOST{i}": f"$_HOST{i + 1}$" * 2 for i in range(40)}

    assert len(resolve(split_macros("$_HOST0$"), values.get)) < 100_000


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("check_ping", ("check_ping", ())),
        ("check_ping!100!20%", ("check_ping", ("100", "20%"))),
        (r"check!a\!b!c", ("check", ("a!b", "c"))),
        ("check!", ("check", ("",))),
        (r"check!a\b", ("check", (r"a\b",))),
    ],
)
def test_commands_are_split_at_exclamation_marks(written, parts):
    assert split_command(written) == parts


def test_lookups_are_asked_in_turn():
    lookup = chain({"A": "1"}.get, {"A": "2", "B": "3"}.get)

    assert [lookup(name) for name in "ABC"] == ["1", "3", None]


@pytest.mark.parametrize(
    ("text", "args", "changes"),
    [
        ("$USER1$/check -H $HOSTADDRESS$ $ARG1$", ("1", "2"), False),
        ("$USER1$/check $ARG1$", ("$HOSTSTATE$",), True),
        ("$USER1$/check $ARG2$", ("$HOSTSTATE$",), False),
        ("$HOSTSTATEID$", (), True),
        ("$HOSTSTATE:db1$", (), True),
        ("$TIMET$", (), True),
        ("$_HOSTSNMP$", (), False),
        ("$_HOSTNOW$", (), True),
    ],
)
def test_lines_that_change_at_run_time_are_known(text, args, changes):
    lookup = {**VALUES, "_HOSTNOW": "$TIMET$"}.get

    assert run_time(split_macros(text), args, lookup) == changes


def test_without_a_lookup_only_the_line_and_its_arguments_are_searched():
    assert not run_time(split_macros("$USER1$ $_HOSTNOW$ $ARG1$"))
    assert run_time(split_macros("$USER1$ $ARG1$"), ("$HOSTSTATE$",))


@given(st.text(alphabet="$ab1:_ !"), st.lists(st.text(alphabet="$ARG123 "), max_size=3))
def test_any_line_can_be_cut_and_resolved(text, args):
    template = split_macros(text)

    assert len(template.parts) % 2 == 1
    assert "$" in text or resolve(template, VALUES.get, args) == text
    resolve(template, VALUES.get, args)
    run_time(template, args, VALUES.get)


@given(st.text())
def test_doubled_dollars_come_out_single(text):
    assert line(text.replace("$", "$$")) == text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("$A-b_c.1$", ["A-b_c.1"]), ("$A B$", []), ("$A/B$", []), ("$:x$", []), ("$A:x y/z$", ["A:x y/z"]),
        ("$A:b:c d$", ["A:b:c d"]), ("$A B:c$", []), ("$-$", ["-"]),
    ],
)  # fmt: skip
def test_what_is_a_name(text, names):
    parts = split_macros(text).parts

    assert list(parts[1::2]) == names
    assert names or "".join(parts) == text


def test_macros_in_what_is_configured_are_meant_and_in_what_was_observed_are_not():
    values = {"USERX": "$Z$", "_X": "$Z$", "HOSTNOTES": "$Z$", "HOSTOUTPUT": "$Z$", "HOSTOUTPUT:a": "$Z$",
              "HOSTALIAS": "$Z$", "SERVICEACTIONURL": "$Z$", "HOSTCHECKCOMMAND": "$Z$", "Z": "z"}  # fmt: skip

    assert resolve(
        split_macros("$USERX$ $_X$ $HOSTNOTES$ $HOSTOUTPUT$ $HOSTOUTPUT:a$ $HOSTALIAS$ $SERVICEACTIONURL$ $HOSTCHECKCOMMAND$"),
        values.get,
    ) == "z z z $Z$ $Z$ z z z"


def test_arguments_are_searched_through_arguments_and_variables():
    assert run_time(split_macros("$ARG2$"), ("a", "$HOSTSTATE$"))
    assert not run_time(split_macros("$ARG1$"), ("a", "$HOSTSTATE$"))
    assert run_time(split_macros("$ARG1$"), ("$ARG2$", "$HOSTSTATE$"))
    assert run_time(split_macros("$_HOSTA$"), (), {"_HOSTA": "$_HOSTB$", "_HOSTB": "$TIMET$"}.get)
    assert not run_time(split_macros("$ARGX$ $5$"), ("$HOSTSTATE$",) * 5)


@pytest.mark.parametrize(("variables", "changes"), [(PASSES_MAX, False), (PASSES_MAX + 1, True)])
def test_what_is_too_deep_to_search_counts_as_changing(variables, changes):
    values = {f"_HOST{i}": f"$_HOST{i + 1}$" for i in range(variables)} | {f"_HOST{variables}": "x"}

    assert run_time(split_macros("$_HOST0$"), (), values.get) == changes
