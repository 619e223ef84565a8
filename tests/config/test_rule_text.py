"""Business rules: text to tree and back."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.config.rule_text import BadRule, parse, written
from daemons.model.relations import RuleNode


def obj(key: str, *, negated: bool = False) -> RuleNode:
    return RuleNode(kind="object", key=key, negated=negated)


def many(kind: str, *nodes: RuleNode, negated: bool = False, counts: tuple[str, ...] = ()) -> RuleNode:
    return RuleNode(kind=kind, nodes=nodes, negated=negated, counts=counts)


A, B, C = obj("a"), obj("b"), obj("c")
READ = [
    ("a", A),
    ("  a ", A),
    ("(a)", A),
    ("!a", obj("a", negated=True)),
    ("! a", obj("a", negated=True)),
    ("!!a", A),
    ("!(!a)", A),
    ("web 1,Disk C", obj("web 1,Disk C")),
    (",http", obj(",http")),
    ("a & b&c", many("&", A, B, C)),
    ("a | b|c", many("|", A, B, C)),
    ("(a | b) & c", many("&", many("|", A, B), C)),
    ("a&(b|c)", many("&", A, many("|", B, C))),
    ("!(a & b)", many("&", A, B, negated=True)),
    ("2 of: a & b & c", many("of", A, B, C, counts=("2",))),
    ("2 of: a | b | c", many("of", A, B, C, counts=("2",))),
    ("2of:a&b", many("of", A, B, counts=("2",))),
    ("-5% of: g:web,http", many("of", obj("g:web,http"), counts=("-5%",))),
    ("5,1,1of:a|b", many("of", A, B, counts=("5", "1", "1"))),
    ("5 , -1 , 10% of: a|b", many("of", A, B, counts=("5", "-1", "10%"))),
    ("02 of: a", many("of", A, counts=("2",))),
    ("a & 2 of: b & c", many("&", A, many("of", B, C, counts=("2",)))),
    ("a | 2 of: b & c", many("|", A, many("of", B, C, counts=("2",)))),
    ("(2 of: a & b) | c", many("|", many("of", A, B, counts=("2",)), C)),
    ("!1 of: a & b", many("of", A, B, counts=("1",), negated=True)),
    ("1 of: (a & b)", many("of", many("&", A, B), counts=("1",))),
    ("r:^(web|db)1,r:HTTPS?", obj("r:^(web|db)1,r:HTTPS?")),
    (r"r:a\|b & c", many("&", obj(r"r:a\|b"), C)),
    ("r:^(?!test),http", obj("r:^(?!test),http")),
    ("r:((a)) | b", many("|", obj("r:((a))"), B)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tree"), READ)
def test_a_rule_is_read(text: str, tree: RuleNode) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(("text", "why"), [
    ("", "empty"),
    ("   ", "empty"),
    ("a & b | c", "mixed"),
    ("a | b & c", "mixed"),
    ("2 of: a & b | c", "mixed"),
    ("a &", "missing at the end"),
    ("& a", "missing before '& a'"),
    ("a && b", "missing before '& b'"),
    ("!", "missing at the end"),
    ("()", "missing before ')'"),
    ("2 of:", "missing at the end"),
    ("(a & b", "a ')' is missing"),
    ("a & b)", "a '(' is missing"),
    ("r:(a", "a ')' is missing"),
    ("a !b", "missing before '!b'"),
    ("1,2 of: a", "one count, or three"),
    ("1,2,3,4 of: a", "one count, or three"),
    ("101% of: a", "more than all"),
    ("-101% of: a", "more than all"),
    ("(" * 60 + "a" + ")" * 60, "too deeply"),
])  # fmt: skip
def test_what_is_no_rule_is_said(text: str, why: str) -> None:
    with pytest.raises(BadRule) as caught:
        parse(text)
    assert why in str(caught.value)


def test_a_hundred_percent_and_the_deepest_nesting_are_read() -> None:
    assert parse("100% of: a").counts == ("100%",)
    assert parse("(" * 50 + "a" + ")" * 50) == A


NAMES = st.text("abc1:^$*. ,g", min_size=1, max_size=8).map(str.strip).filter(lambda t: t and " of:" not in t)
COUNTS = st.sampled_from([("2",), ("-1",), ("30%",), ("3", "1", "1"), ("-10%", "0", "2")])
LEAVES = st.builds(RuleNode, kind=st.just("object"), key=NAMES, negated=st.booleans())


def _inner(nodes: st.SearchStrategy[RuleNode]) -> st.SearchStrategy[RuleNode]:
    several = st.lists(nodes, min_size=2, max_size=4).map(tuple)
    return st.one_of(
        st.builds(RuleNode, kind=st.sampled_from("&|"), nodes=several, negated=st.booleans()),
        st.builds(
            RuleNode, kind=st.just("of"), counts=COUNTS, negated=st.booleans(),
            nodes=st.lists(nodes, min_size=1, max_size=4).map(tuple),
        ),
    )  # fmt: skip


@given(st.recursive(LEAVES, _inner, max_leaves=12))
def test_what_is_written_is_read_as_the_same_tree(tree: RuleNode) -> None:
    assert parse(written(tree)) == tree


@given(st.text("ab12,:%- of()&|!\\", max_size=30))
def test_any_text_is_read_or_refused_and_what_is_read_can_be_written(text: str) -> None:
    try:
        tree = parse(text)
    except BadRule:
        return
    assert parse(written(tree)) == tree


@given(st.text(max_size=60))
def test_no_text_at_all_raises_anything_else(text: str) -> None:
    with contextlib.suppress(BadRule):
        parse(text)
