"""Nothing that a client sends is more than an answer: no line raises, and what is too much is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.modules.livestatus.engine import answer, request
from daemons.modules.livestatus.logbook import taken_apart
from daemons.modules.livestatus.query import OPERATORS, TOO_MUCH, Limits
from daemons.modules.livestatus.store import Store
from daemons.modules.livestatus.tables import TABLES
from tests.modules.livestatus.test_store import NOW, shard

COLUMNS = sorted({name for table in TABLES.values() for name in table.columns})[:400]
HEADERS = ["Filter", "Stats", "And", "Or", "Negate", "StatsAnd", "StatsOr", "StatsNegate", "Columns", "Sort", "Limit", "Offset", "OutputFormat", "Separators", "AuthUser", "Localtime", "WaitObject", "WaitTrigger", "WaitCondition", "WaitConditionAnd", "WaitTimeout", "Timelimit", "ColumnHeaders", "ResponseHeader", "KeepAlive", "Nonsense"]
WORD = st.one_of(
    st.sampled_from(["0", "1", "2", "-1", "9" * 30, "", "on", "json", "wrapped_json", "python", "web1", "asc", "sum", "avg"]),
    st.sampled_from(COLUMNS),
    st.sampled_from([mark + operator for mark in ("", "!") for operator in OPERATORS]),
    st.text(max_size=12).filter(lambda text: "\n" not in text),
)  # fmt: skip
LINE = st.builds(
    lambda header, words: f"{header}: {' '.join(words)}", st.sampled_from(HEADERS), st.lists(WORD, max_size=4)
)
CONDITION = st.builds(
    lambda header, column, operator, value: f"{header}: {column} {operator} {value}",
    st.sampled_from(["Filter", "Stats", "WaitCondition"]),
    st.sampled_from(COLUMNS),
    st.sampled_from(OPERATORS),
    WORD,
)


@pytest.fixture(scope="module")
def store():
    made = Store()
    made.configure(shard())
    return made


@given(st.sampled_from(sorted(TABLES)), st.lists(st.one_of(LINE, CONDITION), max_size=8))
@settings(deadline=None, max_examples=400)
def test_no_request_raises(store, table, lines):
    reply = answer(request([f"GET {table}", *lines], store, NOW), store, NOW)
    assert isinstance(reply.data, bytes)


@given(st.text(max_size=80))
@settings(deadline=None)
def test_no_log_line_raises(text):
    for words in ("", "HOST ALERT: ", "SERVICE NOTIFICATION: ", "PASSIVE HOST CHECK: ", "HOST DOWNTIME ALERT: "):
        taken_apart(1, 1, words + text)


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_column_of_every_table_can_be_read(store, table):
    reply = answer(request([f"GET {table}", "OutputFormat: json"], store, NOW), store, NOW)
    assert reply.code == 200


def code(store, *lines, limits=None):
    parsed = request(["GET hosts", *lines], store, NOW, limits or Limits())
    return answer(parsed, store, NOW, limits or Limits()).code


def test_what_is_too_much_is_refused(store):
    condition = "Filter: name = x"
    deep = [condition, *([condition, "And: 2", condition, "Or: 2"] * 100)]
    assert code(store, *deep) == TOO_MUCH
    assert code(store, *[condition] * 5000) == TOO_MUCH
    assert code(store, "Filter: name = " + "x" * 70_000) == TOO_MUCH
    assert code(store, "Columns: " + "name " * 2000) == TOO_MUCH
    assert code(store, limits=Limits(rows=1)) == TOO_MUCH
    assert code(store, "Limit: 1", limits=Limits(rows=1)) == 200


def test_long_chains_are_not_deep(store):
    chain = ["Filter: name = x", *(["Filter: name = web1", "Or: 2"] * 300), *["Negate:"] * 300]
    assert code(store, *chain) == 200


@pytest.mark.parametrize("regex", ["(a+)+$", "(a*)*", "(.*x)+y"])
def test_a_regular_expression_that_may_take_for_ever_is_refused(store, regex):
    assert code(store, f"Filter: name ~ {regex}") == 400


def test_a_value_is_never_code(store):
    for value in ("') or exit() #", "x\") or 1 #", "{r}", "k[0]"):
        assert code(store, f"Filter: name = {value}") == 200
        assert code(store, f"Columns: {value}") == 200
        assert code(store, f"Stats: {value} = 1", f"Sort: {value} asc") in (200, 400)
