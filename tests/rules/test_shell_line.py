"""Whatever a value from outside holds, the program is given it as it is, and the shell nothing else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemons.net.worker import words_of
from daemons.rules.shell_line import shell_line
from daemons.rules.template import Outside, split_macros

EVIL = ("; rm -rf /", "$(id)", "`id`", "'", '"', "\\", "a'b\"c", "| sh", "&& id", "> /x", "$HOME", "a\nid", "*?[a]",
        "\\'; id #", "'$(id)'", '"$(id)"', "~", "{a,b}", "!x", "")  # fmt: skip


def line(text, value, **more):
    return shell_line(split_macros(text), {"OUT": Outside(value), **more}.get, ("$OUT$", "plain"))


def words(text, value, **more):
    """What the program is given, and None when the line takes a shell: it has no meaning but its words."""
    return words_of(line(text, value, **more))


@pytest.mark.parametrize("value", EVIL)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('x "$OUT$"', ["x", "{}"]),
        ("x '$OUT$'", ["x", "{}"]),
        ('x "a b: $OUT$ (c)" d', ["x", "a b: {} (c)", "d"]),
        ("x 'it'\"'\"'s $OUT$'", ["x", "it's {}"]),
        ('x "$ARG1$" $ARG2$', ["x", "{}", "plain"]),
        ('x \\" "$OUT$"', ["x", '"', "{}"]),
        ("x \\' '$OUT$'", ["x", "'", "{}"]),
        ("x '\\' \"$OUT$\"", ["x", "\\", "{}"]),
        ('x "a\'b $OUT$"', ["x", "a'b {}"]),
        ("x \"'$OUT$'\"", ["x", "'{}'"]),
        ('x "<< $OUT$"', ["x", "<< {}"]),
        ('x "# $OUT$" a#b', ["x", "# {}", "a#b"]),
        ("notify.sh -c \"$OUT$\"", ["notify.sh", "-c", "{}"]),
        ('bash x.sh "$OUT$"', ["bash", "x.sh", "{}"]),
    ],
)  # fmt: skip
def test_a_value_in_quotes_is_one_word_as_it_is(text, expected, value):
    assert words(text, value) == [word.replace("{}", value) for word in expected]


@given(st.text(alphabet=st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])))
@example("\\'; id #")
def test_any_value_in_quotes_is_one_word_as_it_is(value):
    assert words('x "$OUT$"', value) == ["x", value]
    assert words("x '$OUT$'", value) == ["x", value]


@given(st.text(alphabet=" \t\na;|&<>()$`\\\"'*?[]#~{}!=%-", max_size=30))
@example("#")
def test_a_value_without_quotes_is_cut_at_blanks_only(value):
    assert words("x a$OUT$", value) == ["x", *f"a{value}".split()]


CODE = [
    'sh -c "echo $OUT$"', "/bin/bash -lc 'echo $OUT$'", 'x "$(echo $OUT$)"', "x `echo $OUT$`",
    "ssh box \"echo '$OUT$'\"", "cat <<E\n$OUT$", "cat<<E\n$OUT$", 'eval "$OUT$"', "perl -e 'print $OUT$'",
    'su - nagios -c "x $OUT$"', "x # don't\" $OUT$", "x $$$OUT$", 'x "$$$OUT$"', "awk '{print \"$OUT$\"}'",
    'sudo -u a sh -c "$OUT$"', "check_by_ssh -H h -C \"x $OUT$\"", "python3 -c 'print(\"$OUT$\")'",
    "sh -c $OUT$", 'mysql -e "$OUT$"',
]  # fmt: skip


@pytest.mark.parametrize("text", CODE)
def test_in_code_for_somebody_else_nothing_is_left_that_could_mean_something(text):
    evil = "a`$\"'\\;|&<>(){}*?#[]~!^\n\0b 5%-1.0/x:y,z=é"

    assert line(text, evil) == text.replace("$$", "$").replace("$OUT$", "a b 5%-1.0/x:y,z=é")


@pytest.mark.parametrize("value", EVIL)
def test_a_backslash_before_a_value_protects_its_first_character_only(value):
    in_quotes = words('x "\\$OUT$"', f"{value}.")
    without = words("x a\\$OUT$", f"{value}.")

    assert in_quotes in (["x", f"{value}."], ["x", f"\\{value}."])
    assert without is not None
    assert "".join(without[1:]).replace(" ", "") == "".join(f"a{value}.".split())


def test_a_backslash_before_an_empty_value_still_protects_what_follows():
    assert line('x \\$OUT$" $OUT$', "") == 'x \\" '
    assert line('x \\$OUT$" $OTHER$', "", OTHER=Outside(";")) == 'x \\" \\;'


def test_a_line_without_values_from_outside_is_left_alone():
    text = "x | y 'a' \"$(date)\" $OUT$"

    assert shell_line(split_macros(text), {"OUT": "; `id`"}.get) == "x | y 'a' \"$(date)\" ; `id`"
    assert shell_line(split_macros("x ; y"), {}.get) == "x ; y"


def test_no_program_is_given_a_nul():
    assert line('x "$OUT$"', "a\0b") == 'x "ab"'


def test_a_pipe_or_the_next_command_ends_what_an_interpreter_reads():
    assert line('bash -c "id" | x -c "$OUT$"', "$(id)") == 'bash -c "id" | x -c "\\$(id)"'
    assert line('bash x -c "id"; x -c "$OUT$"', "$(id)") == 'bash x -c "id"; x -c "\\$(id)"'


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("x a\\$OUT$'$OUT$'", "b'c", "x a\\b\\'c'b'\\''c'"),
        ("x a\\$OUT$", "\nid", "x a\\ id"),
        ("$OUT$", "a;b", "a\\;b"),
        ("'per''l' -e \"$OUT$\"", "$(id)", "'per''l' -e \"id\""),
        ('"per"l -e "$OUT$"', "$(id)", '"per"l -e "id"'),
        ('sh x\ny -c "$OUT$"', "$(id)", 'sh x\ny -c "\\$(id)"'),
        ("x \\a'$OUT$'", "it's", "x \\a'it'\\''s'"),
    ],
)
def test_the_line_is_followed_to_its_last_character(text, value, expected):
    assert line(text, value) == expected
