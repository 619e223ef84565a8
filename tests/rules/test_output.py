"""`split` takes plugin output apart as the plugin API says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.rules.output import Output, split, told


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ("", "", "")),
        ("OK", ("OK", "", "")),
        ("OK \n", ("OK", "", "")),
        ("OK | a=1 b=2\n", ("OK", "", "a=1 b=2")),
        ("DISK OK | /=1MB\n/ 15 MB\n/boot 68 MB", ("DISK OK", "/ 15 MB\n/boot 68 MB", "/=1MB")),
        ("A | p=1\nl1\nl2 | q=2\nr=3\n", ("A", "l1\nl2", "p=1 q=2 r=3")),
        ("A\r\nl1\r\nl2", ("A", "l1\nl2", "")),
        ("A | x='|'=1", ("A", "", "x='|'=1")),
    ],
)
def test_output_is_split_as_the_plugin_api_says(text, parts):
    assert split(text, 8192) == Output(*parts)


def test_only_the_first_characters_count():
    assert split("abcdef|x=1", 3) == Output("abc", "", "")


def test_the_separator_of_log_lines_is_taken_out_of_the_first_line():
    assert told("a;b") == "a:b"


@given(st.text(), st.integers(0, 50))
def test_any_output_gives_a_first_line_without_line_ends(text, max_chars):
    parts = split(text, max_chars)

    assert "\n" not in parts.first and "\n" not in parts.perfdata
    assert parts.first == parts.first.strip()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("A\rl1\rl2", ("A", "l1\nl2", "")),
        ("\nA\nl1", ("A", "l1", "")),
        (" \nA", ("", "A", "")),
        ("X\nY", ("X", "Y", "")),
        ("A\n  l1 ", ("A", "  l1", "")),
        ("A\nX l1 X", ("A", "X l1 X", "")),
        ("A\nl1|q='a  b'=1\nr=2", ("A", "l1", "q='a  b'=1 r=2")),
    ],
)
def test_lines_end_in_each_way_and_blanks_inside_stay(text, parts):
    assert split(text) == Output(*parts)
