"""Performance data as plugins write it, well or badly."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.rules.perfdata import Metric, Perfdata, Range, parse_perfdata


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", Metric("a", 1.0)),
        ("time=0.002s;;;0.000;10", Metric("time", 0.002, "s", minimum=0.0, maximum=10.0)),
        ("a=-1.5%;80;90;0;100", Metric("a", -1.5, "%", Range(0, 80), Range(0, 90), 0.0, 100.0)),
        ("a=U;1", Metric("a", None, "", Range(0, 1))),
        ("'disk C:'=12GB", Metric("disk C:", 12.0, "GB")),
        ("'it''s = 5'=5", Metric("it's = 5", 5.0)),
        ("''''=1", Metric("'", 1.0)),
        ("it's=1", Metric("it's", 1.0)),
        ("a::b::c=1KB/s", Metric("a::b::c", 1.0, "KB/s")),
        ("t=20°C", Metric("t", 20.0, "°C")),
        ("a=0,5", Metric("a", 0.5)),
        ("a=.5", Metric("a", 0.5)),
        ("a=5.", Metric("a", 5.0)),
        ("a=+1e-3s", Metric("a", 0.001, "s")),
        ("a=5e", Metric("a", 5.0, "e")),
        ("a=1c;", Metric("a", 1.0, "c")),
        ("a=1;;;;;;", Metric("a", 1.0)),
        ("a=1;10:;~:20;;", Metric("a", 1.0, "", Range(10, inf), Range(-inf, 20))),
        ("a=1;@5:6;@~:0,5", Metric("a", 1.0, "", Range(5, 6, True), Range(-inf, 0.5, True))),
        ("a=1;5:5;@3", Metric("a", 1.0, "", Range(5, 5), Range(0, 3, True))),
        ("a=1;-5:-3;0", Metric("a", 1.0, "", Range(-5, -3), Range(0, 0))),
    ],
)
def test_what_is_written_well(text, expected):
    assert parse_perfdata(text) == Perfdata((expected,), 0)


@pytest.mark.parametrize(
    ("text", "labels", "broken"),
    [
        ("", [], 0),
        ("  \t\n", [], 0),
        ("a=1 b=2\tc=3\nd=4", ["a", "b", "c", "d"], 0),
        ("junk a=1", ["a"], 1),
        ("a= b=2", ["b"], 1),
        ("a=x b=2", ["b"], 1),
        ("a=1.2.3 b=2", ["b"], 1),
        ("a=1-2", [], 1),
        ("a=Ums b=2", ["b"], 1),
        ("a=1e999 b=2", ["b"], 1),
        ("a=nan b=inf", [], 2),
        ("=1 ''=1 b=2", ["b"], 2),
        ("'open=1 'b'=2", ["b"], 1),
        ("'open", [], 1),
        ("'open'x=1 b=2", ["b"], 1),
        ("a=1;x;20:10;y;1e999 b=2", ["a", "b"], 4),
        ("a=1;1:2:3;:5;@;~", ["a"], 4),
        ("a=1;;;;;6;;8", ["a"], 2),
        ("a=١", [], 1),
    ],
)
def test_what_is_written_badly_is_counted_and_left_out(text, labels, broken):
    found = parse_perfdata(text)

    assert [metric.label for metric in found.metrics] == labels
    assert found.broken == broken


def test_a_bad_threshold_costs_only_itself():
    (metric,) = parse_perfdata("a=1;x;5;y;9").metrics

    assert metric == Metric("a", 1.0, "", None, Range(0, 5), None, 9.0)


@pytest.mark.parametrize(
    ("text", "alerting", "quiet"),
    [
        ("10", [-0.1, 10.1], [0, 10]),
        ("10:", [9.9], [10, 1e9]),
        ("~:10", [10.1], [-1e9, 10]),
        ("@10:20", [10, 15, 20], [9.9, 20.1]),
    ],
)
def test_a_range_says_which_values_alert(text, alerting, quiet):
    limit = parse_perfdata(f"a=1;{text}").metrics[0].warning

    assert limit is not None
    assert all(limit.alerts(value) for value in alerting)
    assert not any(limit.alerts(value) for value in quiet)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
LABELS = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1)
UNITS = st.sampled_from(["", "s", "ms", "us", "%", "B", "KB", "MB", "TB", "c", "req/s"])
RANGES = st.tuples(st.none() | NUMBERS, st.none() | NUMBERS, st.booleans())


def written(limit):
    low, high, inside = limit
    if low is not None and high is not None:
        low, high = sorted((low, high))
    text = f"{'~' if low is None else repr(low)}:{'' if high is None else repr(high)}"
    return ("@" if inside else "") + text, Range(-inf if low is None else low, inf if high is None else high, inside)


@given(st.lists(st.tuples(LABELS, st.none() | NUMBERS, UNITS, RANGES, st.none() | NUMBERS)))
def test_what_is_written_by_the_rules_is_read_as_it_was_meant(metrics):
    parts, expected = [], []
    for label, value, unit, limit, minimum in metrics:
        unit = unit if value is not None else ""
        text, parsed = written(limit)
        quoted = label.replace("'", "''")
        number = "U" if value is None else repr(value)
        parts.append(f"'{quoted}'={number}{unit};{text};;{'' if minimum is None else repr(minimum)}")
        expected.append(Metric(label, value, unit, parsed, None, minimum))

    assert parse_perfdata(" ".join(parts)) == Perfdata(tuple(expected), 0)


@given(st.text(alphabet="ab'=;:@~U.,-+eE019 %\n"))
def test_anything_at_all_can_be_read_and_no_word_is_overlooked(text):
    found = parse_perfdata(text)

    assert len(found.metrics) <= text.count("=")
    assert bool(found.metrics) or bool(found.broken) == bool(text.split())
