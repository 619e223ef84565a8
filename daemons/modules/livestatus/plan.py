"""A query made into one loop over rows: conditions, columns and figures become a Python function.

The one thing to know: the text that is compiled consists of column expressions (`columns.py`), operators and the
names of constants. What a client sent is only ever a value of a constant. Functions are kept by their text, so
the same shape of query is compiled once.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from daemons.modules.livestatus.columns import Column
from daemons.modules.livestatus.logbook import Wanted
from daemons.modules.livestatus.query import Condition, Query, Stat, Test
from daemons.modules.livestatus.reading import NAMES
from daemons.modules.livestatus.store import Store
from daemons.modules.livestatus.tables import Table, sees_line

UNKNOWN = Column("", "string", "''", "a column that does not exist")
_NUMBER = re.compile(r"\s*[+-]?\d{1,18}")
_FLOAT = re.compile(r"\s*[+-]?(\d+\.?\d*([eE][+-]?\d{1,3})?|\.\d+)")

Found = list[tuple[Any, ...]]


class Answered:
    """The rows of an answer, and how many there were before Limit."""

    def __init__(self, names: list[str], rows: Found, total: int) -> None:
        """`names` are the column headers."""
        self.names = names
        self.rows = rows
        self.total = total


class Text:
    """Expressions under way, with the constants they name."""

    def __init__(self, table: Table, shift_s: int) -> None:
        """Nothing yet."""
        self.table = table
        self.shift_s = shift_s
        self.values: list[object] = []

    def constant(self, value: object) -> str:
        """Return the name of a new constant."""
        self.values.append(value)
        return f"k[{len(self.values) - 1}]"

    def column(self, name: str) -> Column:
        """Return the column called `name`, or one that is empty."""
        return self.table.column(name) or UNKNOWN

    def read(self, name: str) -> str:
        """Return the expression that reads a column as it is sent."""
        column = self.column(name)
        if column.kind == "time" and self.shift_s:
            return f"({_in_brackets(column.read)} + {self.shift_s})"
        return column.read

    def all(self, tests: Iterable[Test]) -> str:
        """Return the expression that holds when all of `tests` do."""
        return " and ".join(self.test(test) for test in tests) or "True"

    def test(self, test: Test) -> str:
        """Return the expression of one condition or group."""
        if isinstance(test, Condition):
            text = self._condition(test)
            return f"(not {text})" if test.negated else text
        if test.how == "not":
            return f"(not {self.test(test.parts[0])})"
        parts = [self.test(part) for part in test.parts]
        if not parts:
            return "True" if test.how == "and" else "False"
        return f"({f' {test.how} '.join(parts)})"

    def _condition(self, test: Condition) -> str:
        column = self.column(test.column)
        match column.kind:
            case "int" | "time" | "float":
                return self._numbers(column, test)
            case "string":
                return self._strings(_in_brackets(column.read), test.operator, test.value)
            case "dict":
                name, _, value = test.value.partition(" ")
                read = f"{column.read}.get({self.constant(name)}, '')"
                return self._strings(read, test.operator, value.strip())
            case _:
                return self._lists(column.read, test.operator, test.value)

    def _numbers(self, column: Column, test: Condition) -> str:
        if test.operator in ("~", "~~", "=~"):
            return self._strings(f"str({self.read(column.name)})", test.operator, test.value)
        if column.kind == "float":
            found = _FLOAT.match(test.value)
            return f"({_in_brackets(column.read)} {_python(test.operator)} {self.constant(float(found[0]) if found else 0.0)})"
        number = _NUMBER.match(test.value)
        value = (int(number[0]) if number else 0) - (self.shift_s if column.kind == "time" else 0)
        return f"({_in_brackets(column.read)} {_python(test.operator)} {self.constant(value)})"

    def _strings(self, read: str, operator: str, value: str) -> str:
        if operator in ("~", "~~"):
            pattern = re.compile(value, re.IGNORECASE if operator == "~~" else 0)
            return f"({self.constant(pattern.search)}({read}) is not None)"
        if operator == "=~":
            return f"({read}.lower() == {self.constant(value.lower())})"
        return f"({read} {_python(operator)} {self.constant(value)})"

    def _lists(self, read: str, operator: str, value: str) -> str:
        texts = f"texts({read})"
        if operator == "=":
            return f"({texts} == {self.constant([value] if value else [])})"
        if operator in (">=", "<"):  # contains, does not contain
            held = f"({self.constant(value)} in {texts})"
            return held if operator == ">=" else f"(not {held})"
        if operator in ("<=", ">", "=~"):  # the same whatever the case
            held = f"({self.constant(value.lower())} in [e.lower() for e in {texts}])"
            return f"(not {held})" if operator == ">" else held
        pattern = re.compile(value, re.IGNORECASE if operator == "~~" else 0)
        return f"any({self.constant(pattern.search)}(e) is not None for e in {texts})"


def _in_brackets(read: str) -> str:
    return read if _ATTRIBUTE.fullmatch(read) else f"({read})"


def _python(operator: str) -> str:
    return "==" if operator == "=" else operator


def texts(value: Iterable[object]) -> list[str]:
    """Return a list as filters compare it: of a list in the list its names, services as host|description."""
    return [_text(element) for element in value]


def _text(element: object) -> str:
    if not isinstance(element, (list, tuple)):
        return str(element)
    if len(element) > 1 and isinstance(element[0], str) and isinstance(element[1], str):
        return f"{element[0]}|{element[1]}"
    return str(element[0]) if element else ""


@lru_cache(maxsize=256)
def _compiled(text: str) -> Callable[..., Any]:
    names: dict[str, Any] = {**NAMES, "texts": texts}
    exec(compile(text, "<livestatus>", "exec"), names)  # text of ours only: see the module's docstring
    made: Callable[..., Any] = names["made"]
    return made


def run(query: Query, store: Store, now: float) -> Answered:
    """Return the rows that answer `query`."""
    rows = _rows(query, store)
    text = Text(query.table, query.shift_s)
    where = text.all(query.filters)
    if query.stats:
        return _figures(query, text, where, rows, store, now)
    names = query.columns or list(query.table.columns)
    shown = "".join(f"{text.read(name)}, " for name in names)
    if query.sorts:
        found = _matching(text, where, rows, store, now)
        _sort(query, found, store, now)
    elif where != "True" and (query.limit >= 0 or query.offset):
        found = _matching(text, where, rows, store, now)
    elif query.limit >= 0 or query.offset:
        found = list(rows)
    else:
        made = _compiled(f"def made(rows, k, w, now):\n return [({shown}) for r in rows if {where}]")
        everything: Found = made(rows, text.values, store.world, now)
        return Answered(names, everything, len(everything))
    total = len(found)
    end = len(found) if query.limit < 0 else query.offset + query.limit
    made = _compiled(f"def made(rows, k, w, now):\n return [({shown}) for r in rows]")
    return Answered(names, made(found[query.offset : end], text.values, store.world, now), total)


def matches(query: Query, tests: Sequence[Test], row: object, store: Store, now: float) -> bool:
    """Return whether one row fulfils `tests`: of a Wait header."""
    text = Text(query.table, query.shift_s)
    return bool(_matching(text, text.all(tests), [row], store, now))


def _rows(query: Query, store: Store) -> Iterable[Any]:
    """The rows to look at: through an index where a condition that must hold names one."""
    table = query.table
    rows: Iterable[Any] | None = None
    if table.find is not None:
        for test in query.filters:
            if isinstance(test, Condition) and test.operator == "=" and not test.negated:
                rows = table.find(store, test.column, test.value)
                if rows is not None:
                    break
    if table.name == "log" and store.log is not None:
        rows = store.log.lines(_lines_wanted(query))
        if query.user:
            rows = [line for line in rows if sees_line(store, line, query.user)]
    if rows is None:
        rows = table.rows(store)
    if query.user and table.sees is not None:
        sees, user = table.sees, query.user
        rows = [row for row in rows if sees(row, user)]
    return rows


def _lines_wanted(query: Query) -> Wanted:
    """Return what the conditions that must hold say of time, host and class."""
    wanted = Wanted()
    for test in query.filters:
        if not isinstance(test, Condition) or test.negated:
            continue
        number = _NUMBER.match(test.value)
        if test.column == "host_name" and test.operator == "=":
            wanted.host = test.value
        elif test.column == "class" and test.operator == "=" and number:
            wanted.kind = int(number[0])
        elif test.column == "time" and number:
            at = int(number[0]) - query.shift_s
            if test.operator in ("=", ">=", ">"):
                wanted.first = max(at, wanted.first if wanted.first is not None else at)
            if test.operator in ("=", "<=", "<"):
                wanted.last = min(at, wanted.last if wanted.last is not None else at)
    return wanted


def _matching(text: Text, where: str, rows: Iterable[Any], store: Store, now: float) -> list[Any]:
    made = _compiled(f"def made(rows, k, w, now):\n return [r for r in rows if {where}]")
    found: list[Any] = made(rows, text.values, store.world, now)
    return found


def _sort(query: Query, found: list[Any], store: Store, now: float) -> None:
    """Sort rows in place: the last key first, as sorting keeps the order of equals."""
    for name, key, descending in reversed(query.sorts):
        column = query.table.column(name)
        if column is None:
            continue
        text = Text(query.table, 0)
        read = column.read
        if column.kind == "dict":
            read = f"{read}.get({text.constant(key)}, '')"
        elif column.kind == "list":
            read = f"texts({read})"
        made = _compiled(f"def made(k, w, now):\n return lambda r: {read}")
        found.sort(key=made(text.values, store.world, now), reverse=descending)


# -- figures


def _figures(query: Query, text: Text, where: str, rows: Iterable[Any], store: Store, now: float) -> Answered:
    """Return a row of figures, or one for each value of the columns."""
    parts = [_of(stat, text) for stat in query.stats]
    shared = _shared(query.stats, text)
    parts = [_with(part, shared) for part in parts]
    if query.columns:
        key = "".join(f"{text.read(name)}, " for name in query.columns)
        lines = [f" for r in rows:\n  if {where}:", *(f"   {n} = {read}" for read, n in shared.items())]
        lines += [
            f"   key = ({key})",
            "   try:\n    f = groups.get(key)\n   except TypeError:\n    key = hashable(key)\n    f = groups.get(key)",
            "   if f is None:\n    f = groups[key] = [new() for new in k[-1]]",
        ]
        lines += [
            f"   if {part}: f[{n}] += 1" if stat.test is not None else f"   f[{n}].append({part})"
            for n, (stat, part) in enumerate(zip(query.stats, parts, strict=True))
        ]
        body = "\n".join(["def made(rows, k, w, now, hashable):\n groups = {}", *lines, " return groups"])
        values = [*text.values, [int if stat.test is not None else list for stat in query.stats]]
        groups = _compiled(body)(rows, values, store.world, now, _hashable)
    else:
        lines = [f" s{n} = {'0' if stat.test is not None else '[]'}" for n, stat in enumerate(query.stats)]
        lines += [f" for r in rows:\n  if {where}:", *(f"   {n} = {read}" for read, n in shared.items())]
        lines += [
            f"   if {part}: s{n} += 1" if stat.test is not None else f"   s{n}.append({part})"
            for n, (stat, part) in enumerate(zip(query.stats, parts, strict=True))
        ]
        all_of = "".join(f"s{n}, " for n in range(len(parts)))
        body = "\n".join(["def made(rows, k, w, now):", *lines, f" return {{(): [{all_of}]}}"])
        groups = _compiled(body)(rows, text.values, store.world, now)
    found: Found = []
    for key_values, figures in groups.items():
        shown = [_figure(stat, value, text) for stat, value in zip(query.stats, figures, strict=True)]
        found.append((*(_as_text(value) for value in key_values), *shown))
    total = len(found)
    end = len(found) if query.limit < 0 else query.offset + query.limit
    names = [*query.columns, *(f"stats_{n + 1}" for n in range(len(query.stats)))]
    return Answered(names, found[query.offset : end], total)


def _of(stat: Stat, text: Text) -> str:
    return text.test(stat.test) if stat.test is not None else text.column(stat.column).read


def _shared(stats: Sequence[Stat], text: Text) -> dict[str, str]:
    """Columns that several figures read: read once a row. By expression, the name of the local variable."""
    read: dict[str, int] = {}

    def walk(test: Test) -> None:
        if isinstance(test, Condition):
            column = text.column(test.column)
            read[column.read] = read.get(column.read, 0) + 1
        else:
            for part in test.parts:
                walk(part)

    for stat in stats:
        if stat.test is not None:
            walk(stat.test)
    # Only plain attributes: they stand in a test as they are, and reading them cannot go wrong.
    often = [expression for expression, times in read.items() if times > 1 and _ATTRIBUTE.fullmatch(expression)]
    return {expression: f"v{n}" for n, expression in enumerate(sorted(often, key=len, reverse=True))}


_ATTRIBUTE = re.compile(r"r(\.\w+)+")


def _with(part: str, shared: dict[str, str]) -> str:
    for expression, name in shared.items():
        part = re.sub(rf"{re.escape(expression)}(?![\w.])", name, part)
    return part


def _hashable(key: Sequence[object]) -> tuple[object, ...]:
    return tuple(_as_text(value) if isinstance(value, (list, dict)) else value for value in key)


def _as_text(value: object) -> str:
    """A value that rows are grouped by: text, whatever its type, as the reference sends it."""
    match value:
        case str():
            return value
        case float():
            return f"{value:.10e}"
        case list() | tuple():
            return ",".join(texts(value))
        case dict():
            return ",".join(f"{name}|{text}" for name, text in value.items())
        case _:
            return str(value)


def _figure(stat: Stat, value: Any, text: Text) -> int | float:
    if stat.test is not None:
        return int(value)
    column = text.column(stat.column)
    if column.kind not in ("int", "time", "float"):
        return 0
    found = _function(stat.function, value, column.kind == "float")
    return float(f"{found:.10e}") if isinstance(found, float) else found  # as many digits as the reference sends


def _function(function: str, values: list[Any], floats: bool) -> int | float:
    """A function of the values of one column; of an int column inverses are cut off as the reference does."""
    zero: int | float = 0.0 if floats else 0
    number = len(values)
    match function:
        case "sum":
            return sum(values, zero)
        case "min":
            return min(values, default=zero)
        case "max":
            return max(values, default=zero)
        case "avg":
            return sum(values) / number if number else 0.0
        case "std":
            if number < 2:
                return 0.0
            mean = sum(values) / number
            return math.sqrt(sum((value - mean) ** 2 for value in values) / (number - 1))
        case _:
            inverse = sum(1 / value for value in values if value) if floats else sum(1 for v in values if v == 1)
            if function == "suminv":
                return inverse
            return (inverse / number if floats else inverse // number) if number else zero
