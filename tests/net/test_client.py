"""A `Peer` against servers that answer, and against those that hang, lie, drip or die."""

import contextlib
import os
import socket
import threading
import time

import pytest
from Pyro5 import protocol

from daemons.net import client
from daemons.net.client import Peer, Refused, Unreachable
from daemons.net.pyro import MSGPACK
from tests.net.served import OBJECT, SECRET, Relay, frame, serving, until


def peer(port, secret=SECRET, **more):
    return Peer("127.0.0.1", port, OBJECT, secret=secret, **more)


@contextlib.contextmanager
def scripted(serve_one):
    """A listener that treats every connection with `serve_one(sock)`, in a thread each."""
    listener = socket.create_server(("127.0.0.1", 0))
    held = []

    def run():
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                held.append(sock)
                threading.Thread(target=quietly, args=(sock,), daemon=True).start()

    def quietly(sock):
        with contextlib.suppress(OSError):
            serve_one(sock)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for sock in held:
            sock.close()


def welcome(sock):
    """Greet as a server without a secret does."""
    sock.recv(65536)
    answer = {
        "handshake": {"version": 1, "nonce": bytes(32), "proof": b""},
        "meta": {"methods": ["ask", "health", "ping"]},
    }
    sock.sendall(frame(MSGPACK.dumps(answer), kind=protocol.MSG_CONNECTOK))


def result(sequence, body):
    """An answer to the call number `sequence`."""
    data = bytearray(frame(MSGPACK.dumps(({}, body)), kind=protocol.MSG_RESULT))
    data[10:12] = sequence.to_bytes(2, "big")
    return bytes(data)


def timed(call):
    """Return (what `call` raised, seconds)."""
    began = time.monotonic()
    with pytest.raises((Unreachable, Refused)) as caught:
        call()
    return caught.value, time.monotonic() - began


def test_nobody_listening_is_unreachable_and_surely_not_obeyed():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with peer(port) as lonely:
        error, took_s = timed(lambda: lonely.ask(b"", 1))

    assert isinstance(error, Unreachable)
    assert not error.sent
    assert "Connection refused" in error.why
    assert took_s < 0.5


def test_a_server_that_accepts_and_never_answers_costs_the_time_out_and_no_other_peer_anything():
    with (
        scripted(lambda sock: sock.recv(1)) as port,
        serving() as server,
        peer(port) as hung,
        peer(server.port) as fine,
    ):
        error, took_s = timed(lambda: hung.ask(b"", 0.3))
        assert isinstance(error, Unreachable)
        assert not error.sent  # the handshake was never answered
        assert 0.25 < took_s < 0.6

        waiting = threading.Thread(target=lambda: timed(lambda: hung.ask(b"", 2)))
        waiting.start()
        began = time.monotonic()
        assert fine.ask(b"x", 1) == b"x"
        assert time.monotonic() - began < 0.5
        waiting.join()


def test_a_full_backlog_is_bounded_by_the_time_out_too():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        with peer(port) as blocked:
            error, took_s = timed(lambda: blocked.ping(0.3))
        for filler in fillers:
            filler.close()

    assert isinstance(error, Unreachable)
    assert took_s < 0.6


def test_a_call_that_is_not_answered_may_have_been_obeyed():
    def silent_after_the_welcome(sock):
        welcome(sock)
        while sock.recv(65536):
            pass

    with scripted(silent_after_the_welcome) as port, peer(port, secret=None) as waiting:
        error, took_s = timed(lambda: waiting.ask(b"", 0.3))

    assert isinstance(error, Unreachable)
    assert error.sent
    assert "timed out" in error.why
    assert took_s < 0.6


def test_a_server_that_drips_its_answer_does_not_stretch_the_time_out():
    def drip(sock):
        welcome(sock)
        sock.recv(65536)
        pause = threading.Event()
        for byte in result(1, bytes(10_000)):
            sock.sendall(bytes([byte]))
            pause.wait(0.05)

    with scripted(drip) as port, peer(port, secret=None) as patient:
        error, took_s = timed(lambda: patient.ask(b"", 0.4))

    assert isinstance(error, Unreachable)
    assert took_s < 0.7


def test_a_late_answer_is_never_taken_for_another_calls():
    go = threading.Event()

    def answer(asked):
        if asked.body == b"slow":
            go.wait(5)
        return b"answer to " + asked.body

    with serving(answer) as server, peer(server.port) as friend:
        error, _ = timed(lambda: friend.ask(b"slow", 0.2))
        assert isinstance(error, Unreachable)
        assert error.sent
        go.set()
        for n in range(20):
            assert friend.ask(b"%d" % n, 1) == b"answer to %d" % n


def test_an_answer_that_nobody_asked_for_is_never_taken():
    def twice(sock):
        welcome(sock)
        while request := sock.recv(65536):
            number = int.from_bytes(request[10:12], "big")
            sock.sendall(result(number, b"%d" % number) + result(number + 1, b"too early"))

    with scripted(twice) as port, peer(port, secret=None) as friend:
        assert friend.ask(b"", 1) == b"1"
        assert friend.ask(b"", 1) == b"2"  # on a new connection: the old one had said too much


def test_a_call_that_breaks_off_for_any_reason_leaves_no_connection_behind(monkeypatch):
    def out_of_memory(data):
        raise MemoryError

    with serving() as server, peer(server.port) as friend:
        friend.ping()
        with monkeypatch.context() as patched:
            patched.setattr(MSGPACK, "loads", out_of_memory)
            with pytest.raises(MemoryError):
                friend.ask(b"x", 1)
        assert until(lambda: server.connections() == 0)
        assert friend.ask(b"y", 1) == b"y"


def test_an_answer_with_another_number_is_no_answer():
    def confused(sock):
        welcome(sock)
        sock.recv(65536)
        sock.sendall(result(7, b"not yours"))

    with scripted(confused) as port, peer(port, secret=None) as friend:
        error, _ = timed(lambda: friend.ask(b"", 1))

    assert isinstance(error, Unreachable)
    assert error.sent
    assert "sequence" in str(error)


@pytest.mark.parametrize(
    "noise",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        frame(b"", claims=900 << 20, kind=protocol.MSG_CONNECTOK),
        frame(b"\x91" * 60_000, kind=protocol.MSG_CONNECTOK),
        frame(MSGPACK.dumps({"handshake": 1}), kind=protocol.MSG_CONNECTOK),
        frame(b"x", kind=protocol.MSG_CONNECTOK, flags=protocol.FLAGS_COMPRESSED),
    ],
    ids=["http", "tls", "900 MB", "nested", "no welcome", "compressed"],
)
def test_who_answers_something_else_is_no_daemon_of_ours(noise):
    def other(sock):
        sock.recv(65536)
        sock.sendall(noise)

    with scripted(other) as port, peer(port) as friend:
        error, took_s = timed(lambda: friend.ping(1))

    assert isinstance(error, Refused)
    assert took_s < 0.5


def test_a_server_that_hangs_up_in_the_middle_is_unreachable_and_the_next_call_connects_again():
    with serving() as server:
        relay = Relay(server.port, change=lambda data, n: data[:10] if n == 3 else data)
        with peer(relay.port) as friend:
            error, _ = timed(lambda: friend.ask(b"x", 0.3))
            assert isinstance(error, Unreachable)
            assert friend.ask(b"y", 1) == b"y"
        relay.close()


def test_a_server_that_came_back_is_called_without_a_failure_in_between():
    with serving() as first:
        friend = peer(first.port)
        friend.ping()
        port = first.port
    with serving(port=port), friend:
        friend.ping()


def test_an_idle_connection_is_dropped_and_made_again_unnoticed():
    with serving(idle_s=0.2) as server, peer(server.port) as friend:
        friend.ping()
        assert until(lambda: server.connections() == 0)
        friend.ping()
        assert server.connections() == 1


def test_a_connection_unused_for_too_long_is_not_trusted(monkeypatch):
    monkeypatch.setattr(client, "IDLE_S", -1e9)
    with serving() as server:
        relay = Relay(server.port)
        with peer(relay.port) as friend:
            friend.ping()
            friend.ping()
        relay.close()

    assert len(relay.said) == 6  # two greetings, proofs and requests


@pytest.mark.parametrize("theirs", [None, b"x" * 32])
def test_a_server_that_does_not_know_our_secret_gets_nothing_from_us(theirs):
    seen = []
    with (
        serving(lambda asked: seen.append(asked) or b"", secret=theirs) as server,
        peer(server.port) as careful,
    ):
        error, _ = timed(lambda: careful.ask(b"for members only", 1))

    assert isinstance(error, Refused)
    assert seen == []


def test_an_impostor_that_claims_to_need_no_secret_is_refused():
    with scripted(welcome) as port, peer(port) as careful:
        error, _ = timed(lambda: careful.ask(b"for members only", 1))

    assert isinstance(error, Refused)
    assert "did not prove the cluster key" in str(error)


def test_20_threads_with_50_calls_each_get_their_own_answers():
    wrong = []

    def work(friend, n):
        for i in range(50):
            body = b"%d/%d" % (n, i) * 30
            if friend.ask(body, 10) != body:
                wrong.append((n, i))

    with serving() as server, peer(server.port) as shared:
        own = [peer(server.port) for _ in range(10)]
        threads = [
            threading.Thread(target=work, args=(friend, n))
            for n, friend in enumerate([shared] * 10 + own)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for friend in own:
            friend.close()

    assert wrong == []


def test_waiting_for_another_threads_call_counts_as_calling():
    entered, go = threading.Event(), threading.Event()

    def slow(asked):
        entered.set()
        go.wait(5)
        return b""

    with serving(slow) as server, peer(server.port) as shared:
        first = threading.Thread(target=shared.ask, args=(b"", 5))
        first.start()
        entered.wait(5)
        error, took_s = timed(lambda: shared.ask(b"", 0.2))
        go.set()
        first.join(5)

    assert isinstance(error, Unreachable)
    assert not error.sent
    assert took_s < 0.5


def test_4_mb_go_both_ways():
    for body in (os.urandom(4 << 20), bytes(4 << 20)):
        with serving() as server, peer(server.port) as friend:
            assert friend.ask(body, client.BULK_S) == body


def test_a_body_too_large_for_the_wire_is_refused_here_and_the_peer_stays_usable():
    with serving() as server, peer(server.port) as friend:
        error, _ = timed(lambda: friend.ask(os.urandom(17 << 20), 5))
        assert isinstance(error, Refused)
        assert friend.ask(b"x", 1) == b"x"


def test_an_answer_too_large_for_the_wire_is_refused_there():
    large = os.urandom(17 << 20)
    with serving(lambda asked: large) as server, peer(server.port) as friend:
        error, _ = timed(lambda: friend.ask(b"x", 5))

    assert isinstance(error, Refused)
    assert "at most" in str(error)


def test_a_script_may_use_a_pyro_proxy_that_knows_the_secret():
    with serving() as server:
        script = client.proxy("127.0.0.1", server.port, OBJECT, secret=SECRET)

        assert script.ping() == "pong"
        assert script.health() == {"role": "poller"}
        script._pyroRelease()
