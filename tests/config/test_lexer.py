"""Text to settings and blocks: the file syntax, one peculiarity each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.config.complain import Complaints
from daemons.config.lexer import CHUNK, Lexed, Lexer, Source


def lexed(text: str) -> tuple[Lexed, list[str]]:
    complaints = Complaints()
    lexer = Lexer(complaints)
    lexer.read(Source("t.cfg", text))
    return lexer.out, [f"{c.where}: {c.severity}: {c.text}" for c in complaints.all()]


def attrs(text: str, kind: str = "host") -> dict[str, str]:
    out, said = lexed(text)
    assert said == []
    return out.blocks[kind][0].attrs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("define host{\nhost_name a\n}\n", {"host_name": "a"}),
        ("define host {\n  host_name\ta  \n}", {"host_name": "a"}),
        ("define host\n{\nhost_name a\n}\n", {"host_name": "a"}),
        ("define host\n# who\n\n  {\nhost_name a\n}\n", {"host_name": "a"}),
        ("  define   host  {\nhost_name a\n  }  \n", {"host_name": "a"}),
        ("define host{\r\nhost_name a\r\n}\r\n", {"host_name": "a"}),
        ("define host{\nhost_name a ; the first\n}\n", {"host_name": "a"}),
        ("define host{ ; why\nhost_name a\n} ; end\n", {"host_name": "a"}),
        ("define host{\n# no\n; no\nhost_name a\n}\n", {"host_name": "a"}),
        ("define host{\nalias a \\; b\n}\n", {"alias": "a ; b"}),
        ("define host{\nalias a # b\n}\n", {"alias": "a # b"}),
        ("define host{\nalias two \\\n   words\n}\n", {"alias": "two words"}),
        ("define host{\nalias C:\\\\\nnotes n\n}\n", {"alias": "C:\\", "notes": "n"}),
        ("define host{\nuse a\nuse b\n}\n", {"use": "a,b"}),
        ("define host{}\n", {}),
        ("define host{\nalias\ta\u00e4\n}", {"alias": "a\u00e4"}),
        ("define host{\nalias a{1}b\n}\n", {"alias": "a{1}b"}),
        ("define host{\nalias two  blanks\n}\n", {"alias": "two  blanks"}),
        ("define host{\nalias\n}\n", {"alias": ""}),
        ("define host{\n_lower Value\n}\n", {"_LOWER": "Value"}),
        ("define host{\n_a 1\n_A 2\n}\n", {"_A": "1"}),
        ("define host{\nalias a\nalias b\n}\n", {"alias": "b"}),
        ("define host{\nparents a\nparents b,c\n}\n", {"parents": "a,b,c"}),
        (
            "define host{\nservice_overrides a,b c\nservice_overrides d,e f\n}\n",
            {"service_overrides": "a,b c\nd,e f"},
        ),
        ("define host{\nnormal_check_interval 5\n}\n", {"check_interval": "5"}),
        (
            "define host{\ncheck_interval 7\ncriticity 3\nnormal_check_interval 5\n}\n",
            {"check_interval": "7", "business_impact": "3"},
        ),
    ],
)
def test_a_block_says(text: str, expected: dict[str, str]) -> None:
    assert attrs(text) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("monday 09:00-17:00", ("monday", "09:00-17:00")),
        ("monday 09:00-12:00 , 13:00-17:00", ("monday", "09:00-12:00,13:00-17:00")),
        ("2026-12-24 00:00-24:00", ("2026-12-24", "00:00-24:00")),
        ("day 1 - 15 / 5 00:00-24:00", ("day 1 - 15 / 5", "00:00-24:00")),
        ("monday 3 may 00:00-24:00", ("monday 3 may", "00:00-24:00")),
    ],
)
def test_a_time_period_keeps_its_ranges(line: str, expected: tuple[str, str]) -> None:
    found = attrs(f"define timeperiod{{\ntimeperiod_name t\n{line}\n}}\n", "timeperiod")

    assert expected in found.items()


def test_every_day_expression_of_a_time_period_is_kept_though_the_words_repeat() -> None:
    found = attrs("define timeperiod{\nday 1 00:00-24:00\nday 2 00:00-24:00\n}\n", "timeperiod")

    assert list(found) == ["day 1", "day 2"]


def test_settings_and_macros_stand_between_the_blocks() -> None:
    out, said = lexed("# main\na=1\n  b = two words \n$USER1$=/usr/lib\n\ndefine host{\n}\nc=x=y\n")

    assert said == []
    assert [(s.key, s.value, s.where) for s in out.settings] == [
        ("a", "1", "t.cfg:2"), ("b", "two words", "t.cfg:3"), ("c", "x=y", "t.cfg:8"),
    ]  # fmt: skip
    assert out.macros == {"USER1": "/usr/lib"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\nhello\n", "t.cfg:2: error: 'hello' is not key=value"),
        ("a=\n", "t.cfg:1: error: a has no value"),
        ("define host{\n}\n}\n", "t.cfg:3: error: '}' is not key=value"),
        ("\ndefine host{\nhost_name a\n", "t.cfg:2: error: 'define host' is never closed"),
        (
            "define host{\nhost_name a\ndefine host{\nhost_name b\n}\n",
            "t.cfg:3: error: 'define host{' inside a 'define host' that is not closed",
        ),
        (
            "define host{ host_name a\n}\n",
            "t.cfg:1: error: text after the brace of 'define host'",
        ),
        (
            "define host{\nhost_name a\n} define host{\n",
            "t.cfg:3: error: text after the '}' that ends 'define host'",
        ),
        ("\ufeffdefine=1\n\ufeffa\n", "t.cfg:2: error: '\ufeffa' is not key=value"),
        (
            "\n\ndefine gizmo{\nx y\n}\n",
            "t.cfg:3: warning: objects of the type 'gizmo' are not known, this one is ignored",
        ),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, expected: str) -> None:
    assert lexed(text)[1] == [expected]


def test_a_block_knows_the_line_of_each_attribute() -> None:
    text = "x=1\n\ndefine host{\n  # c\n  host_name a\n  normal_check_interval 5\n  _v 1\n}\n"
    block = lexed(text)[0].blocks["host"][0]

    assert block.where == "t.cfg:3"
    assert [block.where_of(a) for a in ("host_name", "check_interval", "_V", "alias")] == [
        "t.cfg:5", "t.cfg:6", "t.cfg:7", "t.cfg:3",
    ]  # fmt: skip


@given(st.text(alphabet="define host{}\n;#\\= \tab+!,$", max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_the_lexer(text: str) -> None:
    lexed(text)


WORD = st.text(alphabet="abc", min_size=1, max_size=3)


@given(st.lists(st.lists(st.tuples(WORD, WORD), max_size=4), max_size=4))
@settings(deadline=None)
def test_a_plain_block_and_one_with_comments_say_the_same(
    blocks: list[list[tuple[str, str]]],
) -> None:
    plain = "".join(
        "define host{\n" + "".join(f"{k} {v}\n" for k, v in pairs) + "}\n" for pairs in blocks
    )
    slow = plain.replace("\n", " ; said\n")

    assert [b.attrs for b in lexed(plain)[0].blocks.get("host", [])] == [
        b.attrs for b in lexed(slow)[0].blocks.get("host", [])
    ]


def test_a_complaint_of_a_day_names_its_line_and_not_that_of_a_day_that_begins_alike() -> None:
    out, _ = lexed("define timeperiod{\n monday 25:00-26:00\n monday 5 09:00-10:00\n}\n")

    (block,) = out.blocks["timeperiod"]
    assert block.where_of("monday") == "t.cfg:2"
    assert block.where_of("monday 5") == "t.cfg:3"


@pytest.mark.parametrize("offset", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK - 1, 3 * CHUNK])
def test_the_line_of_any_place_is_the_number_of_line_ends_before_it(offset: int) -> None:
    text = ("x\ny\n\n" * CHUNK)[: 3 * CHUNK]

    assert Source("t.cfg", text).line(offset) == text[:offset].count("\n") + 1


def test_a_large_file_of_mistakes_is_not_counted_from_its_beginning_for_each() -> None:
    source = Source("t.cfg", "x\n" * (4 * CHUNK))
    source.line(0)
    marks = list(source._marks)

    assert source.line(8 * CHUNK - 1) == 4 * CHUNK and source._marks == marks
    assert len(marks) == 9
