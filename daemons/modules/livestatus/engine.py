"""One request in, one answer out: what the server, tests and benchmarks call.

The one thing to know: nothing here waits. A query with Wait headers says so in `Request.query.waits`; whoever serves
it asks `ready` again after each change of the store, and calls `answer` then or when the time is up.
"""

from collections.abc import Sequence

from msgspec import Struct

from daemons.modules.livestatus.output import fixed16, rendered
from daemons.modules.livestatus.plan import matches, run
from daemons.modules.livestatus.query import BAD, LIMITS, OK, TOO_MUCH, Limits, Parsed, Query, parse
from daemons.modules.livestatus.store import Store


class Reply(Struct, frozen=True):
    """The bytes to send, and whether the connection stays open."""

    data: bytes
    keep_alive: bool = False
    code: int = OK


def request(lines: Sequence[str], store: Store, now: float, limits: Limits = LIMITS) -> Parsed:
    """Return the request in `lines`, its WaitObject looked up."""
    parsed = parse(lines, now, limits)
    query = parsed.query
    if query is not None and query.wait_object and _waited_for(query, store) is None:
        parsed.error = f"WaitObject: object '{query.wait_object}' not found or not supported by this table"
        parsed.code, parsed.query = BAD, None
    return parsed


def ready(query: Query, store: Store, now: float) -> bool:
    """Return whether the conditions of the Wait headers hold now; without any, a change is what is waited for."""
    if not query.wait_tests:
        return False
    row = _waited_for(query, store)
    return row is None or matches(query, query.wait_tests, row, store, now)


def answer(parsed: Parsed, store: Store, now: float, limits: Limits = LIMITS) -> Reply:
    """Return what is sent for a request, right or wrong."""
    if parsed.query is None:
        return _reply(parsed, (parsed.error + "\n").encode("utf-8", "replace"))
    query = parsed.query
    found = run(query, store, now)
    if limits.rows and len(found.rows) > limits.rows:
        parsed.code, parsed.query = TOO_MUCH, None
        parsed.error = f"the answer has {len(found.rows)} rows, {limits.rows} are allowed: use Limit or Filter"
        return _reply(parsed, (parsed.error + "\n").encode())
    headers = query.headers if query.headers is not None else not (query.columns or query.stats)
    return _reply(parsed, rendered(found, query.format, headers, query.separators))


def _reply(parsed: Parsed, body: bytes) -> Reply:
    data = fixed16(parsed.code, body) + body if parsed.fixed16 else body
    return Reply(data, parsed.keep_alive, parsed.code)


def _waited_for(query: Query, store: Store) -> object | None:
    if query.table.wait is None or not query.wait_object:
        return None
    found: object | None = query.table.wait(store, query.wait_object)
    return found
