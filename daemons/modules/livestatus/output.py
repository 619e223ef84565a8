"""The answer as bytes: csv, json, wrapped_json and python, with the fixed16 header before it."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import json

from daemons.modules.livestatus.plan import Answered

_rows_as_json = json.Encoder().encode_lines
_as_json = json.Encoder().encode


def rendered(answered: Answered, form: str, headers: bool, separators: Sequence[str]) -> bytes:
    """Return the body of an answer; `headers`: the names of the columns come first."""
    names, rows = answered.names, answered.rows
    match form:
        case "json":
            return b"[" + _joined([tuple(names), *rows] if headers else rows) + b"]\n"
        case "wrapped_json":
            first = b'{"columns":' + _as_json(names) + b"," if headers else b"{"
            return first + b'"data":[' + _joined(rows) + b'],"total_count":%d}\n' % answered.total
        case "python" | "python3":
            lines = [tuple(names), *rows] if headers else rows
            mark = "u" if form == "python" else ""
            return ("[" + ",\n".join(_python(line, mark) for line in lines) + "]\n").encode()
        case _:
            return _csv([tuple(names), *rows] if headers else rows, separators)


def fixed16(code: int, body: bytes) -> bytes:
    """Return the header that says code and length of `body`."""
    return b"%3d %11d\n" % (code, len(body))


def _joined(rows: Sequence[Any]) -> bytes:
    """Rows as JSON, one a line. A line end inside a text is escaped, so only ends of rows are joined."""
    return bytes(_rows_as_json(rows)[:-1]).replace(b"]\n[", b"],\n[") if rows else b""


def _python(value: object, mark: str) -> str:
    match value:
        case bool():
            return str(int(value))
        case int():
            return str(value)
        case float():
            return _float(value)
        case str():
            return f"{mark}{_as_json(value).decode()}"
        case dict():
            pairs = (f"{_python(name, mark)}:{_python(of, mark)}" for name, of in value.items())
            return "{" + ",".join(pairs) + "}"
        case list() | tuple():
            return "[" + ",".join(_python(element, mark) for element in value) + "]"
        case _:
            return f'{mark}""'


def _float(value: float) -> str:
    return f"{value:.10e}" if math.isfinite(value) else "0.0000000000e+00"


def _csv(rows: Iterable[Sequence[object]], separators: Sequence[str]) -> bytes:
    end, field, element, inner = separators

    def text(value: object) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, float):
            return _float(value)
        if isinstance(value, dict):
            return element.join(f"{name}{inner}{text(of)}" for name, of in value.items())
        if isinstance(value, (list, tuple)):
            return element.join(
                inner.join(map(text, e)) if isinstance(e, (list, tuple)) else text(e) for e in value
            )
        return str(value)

    return "".join([field.join(map(text, row)) + end for row in rows]).encode("utf-8", "replace")
