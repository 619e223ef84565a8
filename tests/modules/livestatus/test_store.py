"""Whatever comes again, is missing or comes in another order: the store shows what the owner has."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.model.objects import Host, Service
from daemons.model.status import Status
from daemons.modules.livestatus.engine import answer, request
from daemons.modules.livestatus.logbook import LogBook, Wanted
from daemons.modules.livestatus.store import Store
from daemons.wire.messages import Delta, LogLine
from tests.roles.stage import body

NOW = 1_800_000_000.0
KEYS = ("web1", "web1;http", "web2")


def shard():
    return body(hosts=(Host("web1", "10.0.0.1", "web", 0), Host("web2", "10.0.0.2", "web", 0)))


def record(key, state):
    return msgspec.msgpack.encode(Status(key=key, checked=True, state=state, output=f"state {state}"))


def ask(store, *lines):
    return answer(request(list(lines), store, NOW), store, NOW).data.decode()


def states(store):
    hosts = ask(store, "GET hosts", "Columns: name state")
    return hosts + ask(store, "GET services", "Columns: host_name description state")


def of(states_by_key):
    return "".join(f"{key};{states_by_key.get(key, 0)}\n" for key in ("web1", "web2", "web1;http"))


def test_an_object_without_a_status_is_pending_and_a_status_without_an_object_is_not_shown():
    store = Store()
    store.take(Delta(1, 5, 1, NOW, {"o/web1": record("web1", 1), "o/gone": record("gone", 1)}))
    assert states(store) == ""
    store.configure(shard())

    assert states(store) == of({"web1": 1})
    assert ask(store, "GET hosts", "Columns: name", "Filter: has_been_checked = 0") == "web2\n"


def test_a_new_configuration_keeps_statuses_and_drops_what_it_does_not_have():
    store = Store()
    store.configure(shard())
    store.take(Delta(1, 5, 1, NOW, {"o/web1": record("web1", 1), "o/web2": record("web2", 1)}))
    store.configure(body(hosts=(Host("web2", "10.0.0.2", "web", 0),), services=()))
    assert states(store) == "web2;1\n"
    store.configure(shard())

    assert states(store) == of({"web1": 1, "web2": 1})


def test_a_delta_of_an_owner_before_changes_nothing():
    store = Store()
    store.configure(shard())
    store.take(Delta(1, 7, 1, NOW, {"o/web1": record("web1", 0)}))

    assert not store.take(Delta(1, 5, 99, NOW, {"o/web1": record("web1", 1)}))
    assert not store.take(Delta(1, 5, -2, NOW, {"o/web1": record("web1", 1)}))
    assert states(store) == of({})


STEP = st.tuples(st.sampled_from(["change", "change", "repeat", "gap", "restart", "failover", "reload"]), st.sampled_from(KEYS), st.integers(0, 2))  # fmt: skip


@given(st.lists(STEP, max_size=25))
@settings(deadline=None, max_examples=150)
def test_any_order_of_restarts_repeats_and_gaps_leaves_what_the_owner_has(steps):
    store, owner, sent = Store(), {}, []
    epoch, n = 5, 0
    store.configure(shard())

    def snapshot():
        for page, key in enumerate(sorted(owner)):
            store.take(Delta(1, epoch, page - len(owner), NOW, {f"o/{key}": record(key, owner[key])}))
        store.take(Delta(1, epoch, n, NOW, {f"o/{key}": record(key, owner[key]) for key in owner}))

    for what, key, state in steps:
        if what in ("change", "gap", "failover"):
            epoch, n = (epoch + 1, 1) if what == "failover" else (epoch, n + 1)
            owner[key] = state
            sent.append(Delta(1, epoch, n, NOW, {f"o/{key}": record(key, state)}))
        match what:
            case "change" | "failover":
                store.take(sent[-1])
            case "repeat":
                for delta in sent[-3:]:
                    store.take(delta)
            case "gap":
                n += 1  # a delta that never comes: a snapshot does
                snapshot()
            case "restart":
                store = Store()
                snapshot()
                store.configure(shard())
            case "reload":
                store.configure(shard())
        if what != "gap":
            assert states(store) == of(owner)
    assert states(store) == of(owner)


def test_a_line_of_the_log_is_there_once_and_found_by_host_and_time():
    book = LogBook()
    lines = [LogLine(NOW + n, f"HOST ALERT: web{n % 2};DOWN;HARD;1;gone {n}") for n in range(6)]
    deltas = [Delta(1, 5, n, NOW, logs=(line,)) for n, line in enumerate(lines)]
    book.take(deltas[:4])
    book.take(deltas[2:])

    found = list(book.lines(Wanted(first=int(NOW) + 2, host="web1")))
    assert [line.output for line in found] == ["gone 5", "gone 3"]
    assert len(list(book.lines(Wanted()))) == 6


def test_services_of_a_host_are_found_without_looking_at_others():
    store = Store()
    store.configure(body(services=(Service("web1", "http", 0), Service("web1", "ssh", 0))))
    assert ask(store, "GET services", "Columns: description", "Filter: host_name = web1") == "http\nssh\n"
    assert ask(store, "GET services", "Columns: description", "Filter: host_name = web9") == ""
