"""Business rules: states as documented by Shinken, outputs, smart notifications."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.model.objects import Key
from daemons.model.relations import RuleNode, objects_in
from daemons.model.status import DOWN, UNREACHABLE, UP
from daemons.rules.business import (
    Problem,
    bad_in,
    element_state,
    output,
    state_of,
    status_macros,
    taken_care_of,
)

O, W, C, U = 0, 1, 2, 3  # noqa: E741  # as the documentation's tables have them


def obj(key: str, *, negated: bool = False) -> RuleNode:
    return RuleNode(kind="object", key=key, negated=negated)


def several(kind: str, states: str, counts: str = "", *, negated: bool = False) -> int:
    """Return the state of a rule over objects with these states, "WOC"."""
    letters = {f"{n}{letter}": "OWCU".index(letter) for n, letter in enumerate(states)}
    nodes = tuple(obj(key) for key in letters)
    node = RuleNode(
        kind=kind, nodes=nodes, counts=tuple(counts.split(",")) if counts else (), negated=negated
    )
    return state_of(node, letters.__getitem__)


@pytest.mark.parametrize(("states", "together", "either"), [
    ("OO", O, O), ("OW", W, O), ("WC", C, W), ("OC", C, O), ("CC", C, C), ("OU", U, O),
    ("UC", C, C), ("CU", C, C), ("WU", U, W), ("UU", U, U), ("WW", W, W), ("OOC", C, O),
])  # fmt: skip
def test_and_is_the_worst_and_or_the_best_with_critical_worst_of_all(
    states: str, together: int, either: int
) -> None:
    assert several("&", states) == together
    assert several("|", states) == either


@pytest.mark.parametrize(("states", "counts", "state"), [
    # the examples of the documentation
    ("WOOOO", "4", O), ("WOOOO", "5,1,1", W), ("WOOOO", "5,2,1", O),
    ("WWOOO", "4", W), ("WWOOO", "3", O), ("WWOOO", "4,1,1", W),
    ("CCOOO", "4", C), ("CCOOO", "3", O), ("CCOOO", "4,1,1", C),
    ("WCOOO", "4", C), ("WCOOO", "4,1,1", C),
    ("WWCOO", "2", O), ("WWCOO", "4,1,1", C),
    ("WCCOO", "2", O), ("WCCOO", "2,4,4", O), ("WCCOO", "4,1,1", C), ("WCCOO", "4,1,2", C), ("WCCOO", "4,1,3", W),
    # its classic cases
    ("OOO", "3,1,3", O), ("OOC", "3,1,3", W), ("CCC", "3,1,3", C), ("OOW", "3,1,1", W), ("OWC", "3,1,1", C),
    # is OK possible comes first
    ("OOOOC", "4,1,1", O),
    # negative: at most so many bad
    ("OOC", "-1", O), ("OCC", "-1", C), ("OOO", "-1", O), ("OUU", "-1", U), ("CC", "-5", O),
    # percent: exactly enough is enough
    ("OOOC", "75%", O), ("OOOC", "76%", C), ("OOCC", "50%", O), ("OOC", "66%", O), ("OOC", "67%", C),
    ("OOOC", "-25%", O), ("OOOC", "-24%", C), ("OOO", "100%", O), ("OOC", "100%", C), ("CC", "-100%", O), ("CC", "0%", O),
    # 0 is all
    ("OO", "0", O), ("OC", "0", C), ("CC", "0,1,0", C), ("WC", "0,1,0", W),
    # more than there are is all
    ("OO", "3", O), ("OW", "3", W),
    # UNKNOWN counts as nothing in three counts
    ("OU", "2,1,1", O), ("UUW", "3,1,1", W),
    ("OOC", "1,-1,-1", O), ("WCC", "1,-1,-1", C), ("WWC", "1,-1,-1", W), ("OWC", "2,-1,-1", W), ("OOU", "3,50%,50%", O),
])  # fmt: skip
def test_counts_are_as_documented(states: str, counts: str, state: int) -> None:
    assert several("of", states, counts) == state


@pytest.mark.parametrize(("state", "turned"), [(O, C), (W, O), (C, O), (U, U)])
def test_not_wants_a_problem(state: int, turned: int) -> None:
    assert state_of(obj("a", negated=True), lambda _: state) == turned
    assert several("&", "OWCU"[state], negated=True) == turned
    assert several("of", "OWCU"[state], "1", negated=True) == turned


def test_the_documented_active_and_passive_pair() -> None:
    node = RuleNode(kind="&", nodes=(obj("db1"), obj("db2", negated=True)))

    def state(db1: int, db2: int) -> int:
        return state_of(node, {"db1": db1, "db2": db2}.__getitem__)

    assert (state(O, W), state(O, C), state(O, O), state(C, C), state(W, C)) == (O, O, C, C, W)


def test_rules_nest() -> None:
    either = RuleNode(kind="|", nodes=(obj("a"), obj("b")))
    node = RuleNode(kind="&", nodes=(either, obj("c")))
    states = {"a": C, "b": O, "c": W}

    assert state_of(node, states.__getitem__) == W
    assert state_of(node, {**states, "b": U}.__getitem__) == C


def test_a_host_that_is_not_up_is_critical() -> None:
    assert [element_state(s, is_host=True) for s in (UP, DOWN, UNREACHABLE)] == [O, C, C]
    assert [element_state(s, is_host=False) for s in (O, W, C, U)] == [O, W, C, U]


STATES = st.lists(st.sampled_from("OWCU"), min_size=1, max_size=8).map("".join)


@given(STATES, st.integers(-9, 9))
def test_one_count_is_ok_exactly_when_enough_are_ok(states: str, count: int) -> None:
    need = count if count > 0 else len(states) + count
    enough = states.count("O") >= need or states.count("O") == len(states)

    assert (several("of", states, str(count)) == O) == enough


@given(STATES)
def test_all_of_is_and(states: str) -> None:
    assert several("of", states, str(len(states))) == several("&", states)


# ---------------------------------------------------------------- output

OWN = {"STATUS": "CRITICAL", "HOSTNAME": "meta", "ONE": "$STATUS$"}.get
PROBLEMS = [
    status_macros(W, is_host=False, full_name="h2/s"),
    status_macros(DOWN, is_host=True, full_name="h4"),
]


@pytest.mark.parametrize(("template", "text"), [
    ("", ""),
    ("$STATUS$ of $HOSTNAME$", "CRITICAL of meta"),
    ("$STATUS$ $([$STATUS$: $FULLNAME$] )$", "CRITICAL [WARNING: h2/s] [DOWN: h4]"),
    ("Down: $(<a>($SHORTSTATUS$)</a>)$!", "Down: <a>(W)</a><a>(D)</a>!"),
    ("$($FULLNAME$)$", "h2/sh4"),
    ("  $STATUS$  ", "CRITICAL"),
    ("$(never closed", "$(never closed"),
    ("never opened)$", "never opened)$"),
    ("$HOSTNAME$ $(x)$ $HOSTNAME$", "meta xx meta"),
    ("$(a)$ $(b)$", "a)$ $(ba)$ $(b"),  # one part: up to the last bracket
])  # fmt: skip
def test_a_template_is_filled_with_the_rule_and_its_problems(template: str, text: str) -> None:
    assert output(template, OWN, PROBLEMS) == text


def test_without_a_problem_the_part_between_says_so() -> None:
    assert output("$STATUS$ $($FULLNAME$)$", OWN, ()) == "CRITICAL all checks were successful."


def test_what_a_problem_says_is_no_template() -> None:
    evil = {"SERVICEOUTPUT": "$STATUS$ )$ $("}.get
    assert output("$STATUS$ $($SERVICEOUTPUT$)$", OWN, [evil]) == "CRITICAL $STATUS$ )$ $("


@pytest.mark.parametrize(("state", "is_host", "status", "short"), [
    (0, False, "OK", "O"), (1, False, "WARNING", "W"), (2, False, "CRITICAL", "C"), (3, False, "UNKNOWN", "U"),
    (0, True, "UP", "U"), (1, True, "DOWN", "D"), (2, True, "UNREACHABLE", "UNREACHABLE"),
    (3, True, "UNREACHABLE", "UNREACHABLE"), (-1, False, "UNKNOWN", "U"),
])  # fmt: skip
def test_status_macros(state: int, is_host: bool, status: str, short: str) -> None:
    macros = status_macros(state, is_host=is_host, full_name="x")
    assert (macros("STATUS"), macros("SHORTSTATUS"), macros("FULLNAME")) == (status, short, "x")
    assert macros("HOSTNAME") is None


# ---------------------------------------------------------------- smart notifications

ACKED, OPEN, DOWNTIME = Problem(True), Problem(False), Problem(False, in_downtime=True)


@pytest.mark.parametrize(("problems", "plain", "with_downtimes"), [
    ((), False, False),
    ((ACKED,), True, True),
    ((OPEN,), False, False),
    ((ACKED, OPEN), False, False),
    ((ACKED, ACKED), True, True),
    ((DOWNTIME,), False, True),
    ((ACKED, DOWNTIME), False, True),
    ((Problem(False, below=(ACKED, ACKED)),), True, True),
    ((Problem(False, below=(ACKED, OPEN)),), False, False),
    ((Problem(False, below=(DOWNTIME,)), ACKED), False, True),
    ((Problem(True, below=(OPEN,)),), True, True),
])  # fmt: skip
def test_all_problems_are_taken_care_of_or_not(
    problems: tuple[Problem, ...], plain: bool, with_downtimes: bool
) -> None:
    assert taken_care_of(problems, downtime_as_ack=False) == plain
    assert taken_care_of(problems, downtime_as_ack=True) == with_downtimes


def test_bad_is_what_is_not_as_the_rule_wants_it() -> None:
    states: dict[Key, int] = {"a": O, "b": W, "c": O, "d": C}
    both = RuleNode(kind="&", nodes=(obj("c"), obj("d")), negated=True)
    node = RuleNode(kind="&", nodes=(obj("a"), obj("b"), both, obj("d", negated=True), obj("b")))

    assert bad_in(node, states.__getitem__) == ("b", "c")
    assert bad_in(obj("a", negated=True), states.__getitem__) == ("a",)
    assert bad_in(RuleNode(kind="&", nodes=(obj("a", negated=True),), negated=True), states.__getitem__) == ()
    assert objects_in(node) == ("a", "b", "c", "d")
