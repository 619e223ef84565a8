"""The query language: the lines of one request, parsed into a `Query`; nothing is looked up yet but the table.

The one thing to know: a request is never trusted. Its size is limited here (`Limits`), and whatever is wrong in it
is a `BadRequest` with the code that `ResponseHeader: fixed16` sends. Columns that do not exist are no error: they
are empty, as with the reference, because front ends ask every server for the newest columns.
"""

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

from daemons.modules.livestatus.tables import TABLES, Table

OK = 200
BAD = 400
NO_TABLE = 404
LATE = 408
TOO_MUCH = 413
DAY_S = 86_400
HALF_HOUR_S = 1800
OPERATORS = ("=", "=~", "~", "~~", "<", ">", "<=", ">=")
SUMS = ("sum", "min", "max", "avg", "std", "suminv", "avginv")
TRIGGERS = ("all", "check", "state", "log", "downtime", "comment", "command", "program")
_REPEATED_GROUP = re.compile(r"\([^()]*[*+][^()]*\)[*+?]")  # takes exponential time where it does not match


class BadRequest(Exception):
    """What a client sent cannot be answered; `code` is that of fixed16."""

    def __init__(self, text: str, code: int = BAD) -> None:
        """`text` is for who wrote the query."""
        super().__init__(text)
        self.code = code


class Limits(Struct, frozen=True):
    """What one request may cost."""

    line_chars: int = 65_536
    lines: int = 10_000
    filters: int = 4_000
    columns: int = 1_000
    depth: int = 40  # of groups in groups: what is compiled is nested as deep
    rows: int = 0  # 0 = no limit
    regex_chars: int = 1_000


LIMITS = Limits()


class Condition(Struct, frozen=True):
    """One `column operator value`."""

    column: str
    operator: str  # without the exclamation mark
    negated: bool
    value: str


class Group(Struct, frozen=True):
    """Conditions put together: by "and", "or", or "not" (of one)."""

    how: str
    parts: tuple["Test", ...]
    depth: int = 1  # of groups in groups


Test = Condition | Group


class Stat(Struct, frozen=True):
    """One figure: a count of what fulfils `test`, or a function of a column."""

    test: Test | None = None
    function: str = ""
    column: str = ""


class Query(Struct):
    """One GET request."""

    table: Table
    columns: list[str] = []
    filters: list[Test] = []
    stats: list[Stat] = []
    sorts: list[tuple[str, str, bool]] = []  # column, key of a dictionary, descending
    limit: int = -1
    offset: int = 0
    timelimit_s: float = 0.0  # 0 = none
    format: str = "csv"
    headers: bool | None = None  # ColumnHeaders; None = when there is no Columns line
    separators: tuple[str, str, str, str] = ("\n", ";", ",", "|")
    user: str = ""
    shift_s: int = 0  # added to times that are sent, as Localtime asks
    wait_object: str = ""
    wait_trigger: str = ""
    wait_tests: list[Test] = []
    wait_timeout_s: float = 0.0

    @property
    def waits(self) -> bool:
        """Whether the answer waits for something."""
        return bool(self.wait_trigger or self.wait_tests)


class Parsed(Struct):
    """What became of the lines of one request: a query or an error, and how it is answered."""

    query: Query | None = None
    error: str = ""
    code: int = OK
    fixed16: bool = False
    keep_alive: bool = False


def parse(lines: Sequence[str], now: float, limits: Limits = LIMITS) -> Parsed:
    """Return the request in `lines` (without line ends, up to the empty one); never raises."""
    parsed = Parsed()
    first = lines[0].rstrip() if lines else ""
    if not first.startswith("GET "):
        return Parsed(error="Invalid request method", code=BAD)
    if len(lines) > limits.lines:
        return Parsed(error=f"more than {limits.lines} lines", code=TOO_MUCH)
    name = first[4:].strip()
    if name not in TABLES:
        _fail(parsed, f"Invalid GET request, no such table '{name}'", NO_TABLE)
        parsed.query = None
    query = Query(TABLES.get(name, TABLES["columns"]))
    for line in lines[1:]:
        header, colon, rest = line.rstrip().partition(":")
        if header in _SILENT:
            _answer(parsed, header, rest.strip())
            continue
        handler = _HEADERS.get(header) if colon else None
        if handler is None:
            if not parsed.error:
                return Parsed(error=f"Undefined request header '{line.strip()}'", code=BAD, fixed16=parsed.fixed16)
            break
        try:
            if len(line) > limits.line_chars:
                raise BadRequest(f"a line is longer than {limits.line_chars} characters", TOO_MUCH)
            handler(query, rest.strip(), now, limits)
            if len(query.filters) + len(query.stats) + len(query.wait_tests) > limits.filters:
                raise BadRequest(f"more than {limits.filters} filters", TOO_MUCH)
        except BadRequest as bad:
            _fail(parsed, str(bad), bad.code)
    if not parsed.error:
        parsed.query = query
    return parsed


def _fail(parsed: Parsed, error: str, code: int) -> None:
    if not parsed.error:
        parsed.error, parsed.code = error, code


# -- how it is answered


def _answer(parsed: Parsed, header: str, value: str) -> None:
    if header == "ResponseHeader":
        if value not in ("fixed16", "off"):
            _fail(parsed, f"Invalid value '{value}' for ResponseHeader: must be 'off' or 'fixed16'", BAD)
        else:
            parsed.fixed16 = value == "fixed16"
    elif value not in ("on", "off"):
        _fail(parsed, "Invalid value for KeepAlive: must be 'on' or 'off'", BAD)
    else:
        parsed.keep_alive = value == "on"


_SILENT = ("ResponseHeader", "KeepAlive")

# -- conditions


def condition(text: str, header: str, limits: Limits) -> Condition:
    """Return the condition written in `text`. Raises BadRequest."""
    word = header.lower()
    column, _, rest = text.partition(" ")
    operator, _, value = rest.strip().partition(" ")
    if not column:
        raise BadRequest(f"empty {word} line")
    if not operator:
        raise BadRequest(f"invalid {word} header: missing operator after table '{column}'")
    negated = operator.startswith("!")
    bare = operator[1:] if negated else operator
    if bare not in OPERATORS:
        raise BadRequest(f"invalid {word} operator '{operator}'")
    value = value.strip()
    if bare in ("~", "~~"):
        _regex(value, header, limits)
    return Condition(column, bare, negated, value)


def _regex(value: str, header: str, limits: Limits) -> None:
    if "{" in value or "}" in value:
        raise BadRequest(
            f"error in {header} header: disallowed regular expression '{value}': must not contain {{ or }}"
        )
    if len(value) > limits.regex_chars or _REPEATED_GROUP.search(value):
        raise BadRequest(f"error in {header} header: disallowed regular expression '{value[:80]}': it may take too long")
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadRequest(f"error in {header} header: invalid regular expression '{value}'") from error


def _combine(tests: list[Test], how: str, value: str, header: str) -> None:
    count = _number(value, f"Invalid value for {header}: need non-negative integer number")
    if count > len(tests):
        raise BadRequest(
            f"error in {header} header: Cannot combine {count} filters with '{how.upper()}': "
            f"only {len(tests)} are on stack"
        )
    parts = tuple(tests[len(tests) - count :])
    del tests[len(tests) - count :]
    tests.append(parts[0] if count == 1 else _group(how, parts))


def _group(how: str, parts: Sequence[Test]) -> Group:
    """Put conditions together. Groups of the same kind become one, so that long chains are not deep."""
    flat: list[Test] = []
    for part in parts:
        flat += part.parts if isinstance(part, Group) and part.how == how and how != "not" else (part,)
    depth = 1 + max((part.depth for part in flat if isinstance(part, Group)), default=0)
    if depth > LIMITS.depth:
        raise BadRequest(f"more than {LIMITS.depth} groups of filters in one another", TOO_MUCH)
    return Group(how, tuple(flat), depth)


def _opposite(test: Test) -> Test:
    if isinstance(test, Group) and test.how == "not":
        return test.parts[0]
    return _group("not", (test,))


def _negate(tests: list[Test], header: str) -> None:
    if not tests:
        raise BadRequest(f"error in {header} header: nothing to negate")
    tests.append(_opposite(tests.pop()))


def _number(value: str, why: str) -> int:
    if not value.isascii() or not value.isdecimal() or len(value) > 18:
        raise BadRequest(why)
    return int(value)


# -- headers

Header = Callable[[Query, str, float, Limits], None]  # (query, value, now, limits)


def _columns(query: Query, value: str, now: float, limits: Limits) -> None:
    query.columns += value.split()
    if len(query.columns) > limits.columns:
        raise BadRequest(f"more than {limits.columns} columns", TOO_MUCH)


def _filter(query: Query, value: str, now: float, limits: Limits) -> None:
    query.filters.append(condition(value, "Filter", limits))


def _and(query: Query, value: str, now: float, limits: Limits) -> None:
    _combine(query.filters, "and", value, "And")


def _or(query: Query, value: str, now: float, limits: Limits) -> None:
    _combine(query.filters, "or", value, "Or")


def _not(query: Query, value: str, now: float, limits: Limits) -> None:
    _negate(query.filters, "Negate")


def _stats(query: Query, value: str, now: float, limits: Limits) -> None:
    function, _, column = value.partition(" ")
    if function in SUMS and column.strip():
        query.stats.append(Stat(None, function, column.split()[0]))
    else:
        query.stats.append(Stat(condition(value, "Stats", limits)))


def _stats_combined(how: str, header: str) -> Header:
    def take(query: Query, value: str, now: float, limits: Limits) -> None:
        count = _number(value, f"Invalid value for {header}: need non-negative integer number")
        last = query.stats[max(len(query.stats) - count, 0) :] if count else []
        tests = tuple(stat.test for stat in last if stat.test is not None)
        if len(tests) < max(count, 1):
            raise BadRequest(f"Invalid count for {header}: too few Stats: headers available")
        query.stats[len(query.stats) - count :] = [Stat(_group(how, tests))]

    return take


def _stats_not(query: Query, value: str, now: float, limits: Limits) -> None:
    if not query.stats or query.stats[-1].test is None:
        raise BadRequest("Invalid count for StatsNegate: too few Stats: headers available")
    query.stats[-1] = Stat(_opposite(query.stats[-1].test))


def _sort(query: Query, value: str, now: float, limits: Limits) -> None:
    words = value.split()
    if not words:
        raise BadRequest("Header Sort: missing value")
    direction = words.pop() if words[-1] in ("asc", "desc") and len(words) > 1 else "asc"
    if len(words) > 2:
        raise BadRequest("Invalid value for Sort: must be 'column [key] asc' or 'column [key] desc'")
    query.sorts.append((words[0], words[1] if len(words) == 2 else "", direction == "desc"))


def _count_of(field: str, header: str, unit: str = "") -> Header:
    def take(query: Query, value: str, now: float, limits: Limits) -> None:
        if not value:
            raise BadRequest(f"Header {header}: missing value")
        setattr(query, field, _number(value, f"Invalid value for {header}: must be non-negative integer{unit}"))

    return take


def _wait_timeout(query: Query, value: str, now: float, limits: Limits) -> None:
    why = "Invalid value for WaitTimeout: must be non-negative integer (milliseconds)"
    query.wait_timeout_s = _number(value, why) / 1000.0


def _format(query: Query, value: str, now: float, limits: Limits) -> None:
    if not value:
        raise BadRequest("Missing output format. Only 'csv' and 'json' are available.")
    if value not in ("csv", "json", "wrapped_json", "python", "python3"):
        raise BadRequest("Invalid output format. Only 'csv', 'json' and 'wrapped_json' are available.")
    query.format = value


def _column_headers(query: Query, value: str, now: float, limits: Limits) -> None:
    if value not in ("on", "off"):
        raise BadRequest("Invalid value for ColumnHeaders: must be 'on' or 'off'")
    query.headers = value == "on"


def _separators(query: Query, value: str, now: float, limits: Limits) -> None:
    why = "Invalid value for Separators: must be four decimal numbers of characters"
    codes = [_number(word, why) for word in value.split()]
    if not 1 <= len(codes) <= 4 or any(code > 255 for code in codes):
        raise BadRequest(why)
    first, second, third, fourth = (*(chr(code) for code in codes), *query.separators[len(codes) :])
    query.separators = (first, second, third, fourth)


def _user(query: Query, value: str, now: float, limits: Limits) -> None:
    if not value:
        raise BadRequest("Header AuthUser: missing value")
    query.user = value


def _localtime(query: Query, value: str, now: float, limits: Limits) -> None:
    theirs = _number(value, "Invalid value for Localtime: must be non-negative integer")
    shift = round((theirs - now) / HALF_HOUR_S) * HALF_HOUR_S
    if abs(shift) >= DAY_S:
        raise BadRequest("Invalid Localtime header: timezone difference greater then 24 hours")
    query.shift_s = shift


def _wait_object(query: Query, value: str, now: float, limits: Limits) -> None:
    query.wait_object = value


def _wait_trigger(query: Query, value: str, now: float, limits: Limits) -> None:
    if value not in TRIGGERS:
        raise BadRequest(f"WaitTrigger: invalid trigger '{value}'. Allowed are {', '.join(TRIGGERS)}.")
    query.wait_trigger = value


def _wait_condition(query: Query, value: str, now: float, limits: Limits) -> None:
    query.wait_tests.append(condition(value, "WaitCondition", limits))


def _wait_and(query: Query, value: str, now: float, limits: Limits) -> None:
    _combine(query.wait_tests, "and", value, "WaitConditionAnd")


def _wait_or(query: Query, value: str, now: float, limits: Limits) -> None:
    _combine(query.wait_tests, "or", value, "WaitConditionOr")


def _wait_not(query: Query, value: str, now: float, limits: Limits) -> None:
    _negate(query.wait_tests, "WaitConditionNegate")


_limit = _count_of("limit", "Limit")
_HEADERS: dict[str, Header] = {
    "Columns": _columns,
    "Filter": _filter,
    "And": _and,
    "Or": _or,
    "Negate": _not,
    "Stats": _stats,
    "StatsAnd": _stats_combined("and", "StatsAnd"),
    "StatsOr": _stats_combined("or", "StatsOr"),
    "StatsNegate": _stats_not,
    "StatsGroupBy": _columns,
    "Sort": _sort,
    "Limit": _limit,
    "Offset": _count_of("offset", "Offset"),
    "Timelimit": _count_of("timelimit_s", "Timelimit", " (seconds)"),
    "OutputFormat": _format,
    "ColumnHeaders": _column_headers,
    "Separators": _separators,
    "AuthUser": _user,
    "Localtime": _localtime,
    "WaitObject": _wait_object,
    "WaitTrigger": _wait_trigger,
    "WaitCondition": _wait_condition,
    "WaitConditionAnd": _wait_and,
    "WaitConditionOr": _wait_or,
    "WaitConditionNegate": _wait_not,
    "WaitTimeout": _wait_timeout,
}
