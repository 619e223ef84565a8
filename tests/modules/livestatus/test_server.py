"""Livestatus over sockets: several queries and clients, waiting, commands, and clients that misbehave."""

import socket
import threading
import time

import pytest

from daemons.modules.livestatus.server import Server, Serving
from daemons.modules.livestatus.store import Store
from daemons.wire.messages import Delta
from tests.modules.livestatus.test_store import NOW, record, shard

DEADLINE_S = 10.0


class Bench:
    """A server on loopback, what it was told, and clients."""

    def __init__(self, folder, **more):
        self.store = Store()
        self.store.configure(shard())
        self.commands = []
        self.unix = folder / "live"
        serving = Serving(("127.0.0.1", 0), self.unix, **more)
        self.server = Server(serving, self.store, self.commands.append)
        self.server.start()
        self.n = 0

    def change(self, key, state):
        self.n += 1
        with self.server.lock:
            self.store.take(Delta(1, 5, self.n, NOW, {f"o/{key}": record(key, state)}))
        self.server.changed()

    def client(self):
        client = socket.create_connection(("127.0.0.1", self.server.port), DEADLINE_S)
        client.settimeout(DEADLINE_S)
        return client

    def ask(self, text, client=None):
        """Send, say that this was all, and read until the end."""
        with client or self.client() as used:
            used.sendall(text.encode())
            used.shutdown(socket.SHUT_WR)
            return read(used)


def read(client, size=None):
    found = b""
    while size is None or len(found) < size:
        data = client.recv(65536 if size is None else size - len(found))
        if not data:
            break
        found += data
    return found.decode()


def fixed(client, text):
    """One query on a connection that stays open: (code, body)."""
    client.sendall((text + "\nResponseHeader: fixed16\nKeepAlive: on\n\n").encode())
    head = read(client, 16)
    return int(head[:3]), read(client, int(head[4:15]))


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.server.close()


def until(holds):
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_query_is_answered_over_tcp_and_over_a_unix_socket(bench):
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(bench.unix))

    assert bench.ask("GET hosts\nColumns: name\n\n") == "web1\nweb2\n"
    assert bench.ask("GET hosts\nColumns: name\n", client) == "web1\nweb2\n"


def test_a_connection_stays_open_for_several_queries_also_after_an_error(bench):
    with bench.client() as client:
        assert fixed(client, "GET hosts\nColumns: name\nLimit: 1") == (200, "web1\n")
        assert fixed(client, "GET nosuch")[0] == 404
        assert fixed(client, "GET hosts\nFilter: name")[0] == 400
        client.sendall(b"COMMAND [1] DISABLE_NOTIFICATIONS\n\n")
        assert fixed(client, "GET hosts\nColumns: name\nOffset: 1") == (200, "web2\n")
    assert bench.commands == ["[1] DISABLE_NOTIFICATIONS"]


def test_several_commands_may_come_in_one_go(bench):
    assert bench.ask("COMMAND [1] A\nCOMMAND [2] B;web1\n\nCOMMAND [3] C\n\n") == ""
    until(lambda: len(bench.commands) == 3)


def test_a_query_waits_until_its_condition_holds(bench):
    answers = []
    query = "GET hosts\nColumns: state\nFilter: name = web1\nWaitObject: web1\nWaitCondition: state = 1\nWaitTimeout: 9000\n\n"
    thread = threading.Thread(target=lambda: answers.append(bench.ask(query)))
    thread.start()
    bench.change("web2", 1)
    assert not answers
    bench.change("web1", 1)
    thread.join(DEADLINE_S)

    assert answers == ["1\n"]


def test_a_query_waits_no_longer_than_it_asked(bench):
    query = "GET hosts\nColumns: state\nFilter: name = web1\nWaitObject: web1\nWaitCondition: state = 1\nWaitTimeout: 100\n\n"
    assert bench.ask(query) == "0\n"


def test_others_are_served_while_one_waits(bench):
    with bench.client() as waiting:
        waiting.sendall(b"GET hosts\nColumns: name\nWaitTrigger: all\nWaitTimeout: 60000\n\n")
        assert bench.ask("GET hosts\nColumns: name\nLimit: 1\n\n") == "web1\n"
        bench.change("web1", 0)
        assert read(waiting) == "web1\nweb2\n"


def test_a_client_that_is_not_allowed_gets_nothing(tmp_path):
    bench = Bench(tmp_path, allowed_hosts=("192.0.2.0/24",))
    try:
        with bench.client() as client:
            assert read(client) == ""
    except ConnectionError:
        pass  # closed before it was asked
    finally:
        bench.server.close()


def test_too_many_connections_are_closed_and_others_go_on(tmp_path):
    bench = Bench(tmp_path, connections=1)
    try:
        with bench.client() as first:
            assert fixed(first, "GET hosts\nColumns: name\nLimit: 1")[0] == 200
            with bench.client() as second:
                assert read(second) == ""
            assert fixed(first, "GET hosts\nColumns: name\nLimit: 1")[0] == 200
    finally:
        bench.server.close()


def test_bytes_that_are_no_query_end_that_connection_only(bench):
    for garbage in (b"\x00\xff\xfe\n\n", b"\n\n\n", b"GET\n\n", b"GET hosts\nFilter: name ~ \xff\xfe(\n\n", b"x" * 100_000):
        with bench.client() as client:
            client.sendall(garbage)
            client.shutdown(socket.SHUT_WR)
            read(client)
    assert bench.ask("GET hosts\nColumns: name\nLimit: 1\n\n") == "web1\n"


def test_a_silent_client_is_closed(tmp_path):
    bench = Bench(tmp_path, idle_s=0.1)
    try:
        with bench.client() as client:
            assert read(client) == ""
    finally:
        bench.server.close()
