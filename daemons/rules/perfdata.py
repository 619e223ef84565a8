"""Performance data of a plugin: `'disk C:'=12.5GB;80;90;0;100 time=0.002s`, read into numbers.

Nagios Plugins' Development Guidelines, "Performance data" and "Threshold and ranges". The one thing to know:
nothing here is an error. What cannot be read is left out and counted, and what stands beside it is still read.
"""

import re
from math import inf, isfinite

from msgspec import Struct


class Range(Struct, frozen=True):
    """When to warn: a value outside of low..high, or one within it."""

    low: float  # -inf for "~"
    high: float  # inf when nothing is said
    inside: bool = False  # "@": alert within, ends included

    def alerts(self, value: float) -> bool:
        """Return whether `value` calls for an alert."""
        return (self.low <= value <= self.high) == self.inside


class Metric(Struct, frozen=True):
    """One measured value."""

    label: str
    value: float | None  # None = "U": the plugin could not tell
    unit: str = ""  # as written: s, ms, us, %, B, KB, MB, TB, c, and whatever plugins invent
    warning: Range | None = None
    critical: Range | None = None
    minimum: float | None = None
    maximum: float | None = None


class Perfdata(Struct, frozen=True):
    """What could be read, in order, and how many parts could not."""

    metrics: tuple[Metric, ...] = ()
    broken: int = 0


_PART = re.compile(r"(?:'((?:[^']|'')+)'|([^\s'=][^\s=]*))=(\S*)")
_WORD = re.compile(r"\S+")
_NUMBER = r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?"
_VALUE = re.compile(rf"({_NUMBER}|U)([^\d\s.,+-]\S*)?", re.ASCII)
_LONE = re.compile(_NUMBER, re.ASCII)


def parse_perfdata(text: str) -> Perfdata:
    """Return the metrics in `text`. A quoted label may hold blanks, `=`, and `''` for a quote.

    Numbers may have a comma for the point (as Shinken reads them). A threshold, minimum or maximum that cannot
    be read is one broken part, and its value stays.
    """
    metrics: list[Metric] = []
    broken = 0
    at = 0
    while (word := _WORD.search(text, at)) is not None:
        part = _PART.match(text, word.start())
        metric, wrong = (None, 1) if part is None else _metric(part)
        at = word.end() if part is None else part.end()
        broken += wrong
        if metric is not None:
            metrics.append(metric)
    return Perfdata(tuple(metrics), broken)


def _metric(part: re.Match[str]) -> tuple[Metric | None, int]:
    """The metric of one part, and how much of it is broken."""
    quoted, plain = part[1], part[2]
    fields: list[str] = part[3].split(";")
    match = _VALUE.fullmatch(fields[0])
    if match is None or (match[1] == "U" and match[2]):
        return None, 1
    value = None if match[1] == "U" else _number(match[1])
    if value is None and match[1] != "U":
        return None, 1
    warning, critical, minimum, maximum, *more = [*fields[1:], "", "", "", ""]
    metric = Metric(
        quoted.replace("''", "'") if plain is None else plain,
        value,
        match[2] or "",
        _range(warning),
        _range(critical),
        _number(minimum),
        _number(maximum),
    )
    unread = (
        bool(warning) and metric.warning is None,
        bool(critical) and metric.critical is None,
        bool(minimum) and metric.minimum is None,
        bool(maximum) and metric.maximum is None,
    )
    return metric, sum(unread) + sum(1 for text in more if text)


def _number(text: str) -> float | None:
    if not _LONE.fullmatch(text):
        return None
    value = float(text.replace(",", "."))
    return value if isfinite(value) else None


def _range(text: str) -> Range | None:
    """A threshold: `10` is 0..10, `10:` 10 and more, `~:10` 10 and less, `10:20`; with @ the other way round."""
    bare = text.removeprefix("@")
    low_text, colon, high_text = bare.rpartition(":")
    low = -inf if low_text == "~" else _number(low_text) if colon else 0.0
    high = inf if colon and not high_text else _number(high_text)
    if low is None or high is None or low > high:
        return None
    return Range(low, high, bare is not text)
