"""The door, knocked at by friends and by everybody else. Real sockets on loopback."""

import contextlib
import json
import logging
import marshal
import os
import random
import socket
import struct
import threading
import time

import msgspec
import pytest
from Pyro5 import protocol

from daemons.net import body as bodies
from daemons.net.client import Peer, Refused, Unreachable
from daemons.net.handshake import Hello
from daemons.net.pyro import MSGPACK
from daemons.net.transport import Asked, CannotServe, Refusal, serve
from tests.net.served import (
    LOG,
    OBJECT,
    SECRET,
    Relay,
    dial,
    frame,
    process,
    said_until_closed,
    serving,
    until,
)

pack = msgspec.msgpack.encode
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(192)
HTTP = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
NOISE = random.Random(1).randbytes(1 << 20)


def peer(port, secret=SECRET, object_id=OBJECT, **more):
    return Peer("127.0.0.1", port, object_id, secret=secret, **more)


def greeted(port):
    """A connection past the handshake, as a stock proxy without a secret makes it."""
    sock = dial(port)
    sock.sendall(frame(pack({"handshake": "hello", "object": OBJECT})))
    assert sock.recv(65536)[6] == protocol.MSG_CONNECTOK
    return sock


def throw(sock, data):
    """Send as much of `data` as the other side takes."""
    with contextlib.suppress(OSError):
        sock.sendall(data)


# -- who is let in


def test_a_message_comes_in_with_what_is_proven_about_its_sender():
    seen = []
    with (
        serving(lambda asked: seen.append(asked) or b"", operator_key=b"k" * 32) as server,
        peer(server.port, sender="poller-2", instance="7f3a", operator_key=b"k" * 32) as operator,
        peer(server.port) as member,
    ):
        operator.ask(b"one", 1)
        member.ask(b"two", 1)

    assert seen == [
        Asked(
            body=b"one",
            sender="poller-2",
            instance="7f3a",
            member=True,
            operator=True,
            version=1,
            address="127.0.0.1",
        ),
        Asked(
            body=b"two",
            sender="",
            instance="",
            member=True,
            operator=False,
            version=1,
            address="127.0.0.1",
        ),
    ]


def test_an_operator_without_the_cluster_secret_is_let_in_but_is_no_member():
    seen = []
    with (
        serving(lambda asked: seen.append(asked) or b"", operator_key=b"k" * 32) as server,
        peer(server.port, secret=None, operator_key=b"k" * 32) as console,
    ):
        console.ask(b"", 1)

    assert [(asked.member, asked.operator) for asked in seen] == [(False, True)]


@pytest.mark.parametrize(
    ("secret", "why"),
    [(None, "the cluster secret is required"), (b"x" * 32, "did not prove the cluster key")],
)
def test_who_does_not_know_the_secret_is_refused_and_told_why(secret, why, caplog):
    seen = []
    with (
        serving(lambda asked: seen.append(asked) or b"") as server,
        peer(server.port, secret=secret) as stranger,
    ):
        with pytest.raises(Refused, match=why):
            stranger.ask(b"let me in", 1)
        assert until(lambda: len(caplog.records) == 1)

    assert seen == []
    assert "turned away 127.0.0.1" in caplog.text


def test_a_wrong_operator_key_is_refused():
    with (
        serving(operator_key=b"k" * 32) as server,
        peer(server.port, operator_key=b"x" * 32) as pretender,
        pytest.raises(Refused, match="operator"),
    ):
        pretender.ask(b"", 1)


def test_another_protocol_version_is_refused_by_name():
    hello = Hello(99, bytes(32))
    with serving(secret=None) as server, dial(server.port) as sock:
        sock.sendall(frame(pack({"handshake": hello, "object": OBJECT})))

        assert b"protocol 1 is spoken here, not 99" in said_until_closed(sock)


def test_a_recorded_conversation_played_again_reaches_nobody():
    seen = []
    with serving(lambda asked: seen.append(asked) or b"") as server:
        relay = Relay(server.port)
        with peer(relay.port) as honest:
            honest.ask(b"do it once", 1)
        relay.close()
        with dial(server.port) as thief:
            for said in relay.said:
                throw(thief, said)
            said_until_closed(thief)

    assert [asked.body for asked in seen] == [b"do it once"]


def test_a_request_repeated_on_its_own_connection_is_obeyed_once():
    seen = []
    with serving(lambda asked: seen.append(asked) or b"") as server:
        relay = Relay(server.port, change=lambda data, n: data * 2 if n == 3 else data)
        with peer(relay.port) as honest:
            honest.ask(b"once", 1)
        assert until(lambda: server.refusals.total == 1)
        relay.close()

    assert [asked.body for asked in seen] == [b"once"]


def test_a_request_changed_on_the_way_reaches_nobody():
    seen = []
    with serving(lambda asked: seen.append(asked) or b"") as server:
        relay = Relay(server.port, change=lambda d, n: d.replace(b"mercy", b"mayhem"[:5]))
        with peer(relay.port) as honest, pytest.raises(Unreachable):
            honest.ask(b"mercy", 1)
        relay.close()

    assert seen == []


def test_the_secret_never_travels():
    with serving() as server:
        relay = Relay(server.port)
        with peer(relay.port) as honest:
            honest.ask(b"x", 1)
        relay.close()

    assert SECRET not in b"".join(relay.said)


# -- where is served


def test_without_a_secret_only_loopback_is_bound():
    with pytest.raises(CannotServe, match=r"0\.0\.0\.0:0: not served without a cluster secret"):
        serve("0.0.0.0", 0, OBJECT, lambda a: b"", dict, secret=None, log=LOG)
    for address in ("127.0.0.3", "::1"):
        with (
            serving(secret=None, address=address) as server,
            Peer(address, server.port, OBJECT) as friend,
        ):
            friend.ping()


def test_a_port_that_is_taken_is_named():
    with serving() as server, pytest.raises(CannotServe) as caught:
        serve("127.0.0.1", server.port, OBJECT, lambda a: b"", dict, secret=SECRET, log=LOG)

    assert str(caught.value) == f"127.0.0.1:{server.port}: Address already in use"


def test_a_port_can_be_served_again_right_after_it_was_closed():
    with serving() as first, peer(first.port) as friend:
        friend.ping()
        port = first.port
        first.close()
        with serving(port=port):
            friend.ping()  # reconnects


def test_closing_lets_the_answer_under_way_out():
    entered, go = threading.Event(), threading.Event()

    def slow(asked):
        entered.set()
        go.wait(5)
        return b"done"

    answers = []
    with serving(slow) as server, peer(server.port) as friend:
        asking = threading.Thread(target=lambda: answers.append(friend.ask(b"", 5)))
        asking.start()
        entered.wait(5)
        with peer(server.port) as idle:
            idle.ping()
            closing = threading.Thread(target=server.close, args=(5.0,))
            closing.start()
            assert until(lambda: server.connections() == 1)  # the idle one was let go
        go.set()
        asking.join(5)
        closing.join(5)

        assert answers == [b"done"]
        assert server.connections() == 0


# -- what can be asked


def test_ping_and_health_answer_and_a_refusal_is_told():
    def no(asked):
        raise Refusal("not the leader")

    with serving(no) as server, peer(server.port) as friend:
        friend.ping()
        assert friend.health() == {"role": "poller"}
        with pytest.raises(Refused, match="not the leader"):
            friend.ask(b"", 1)
        assert server.connections() == 1  # a no is an answer: the connection stays


@pytest.mark.parametrize(
    ("object_id", "method", "why"),
    [
        ("Pyro.Daemon", "ping", "unknown object"),
        ("Pyro.Daemon", "registered", "unknown object"),
        (OBJECT, "_ask", "no method"),
        (OBJECT, "__class__", "no method"),
        (OBJECT, "__getattr__", "no method"),
        (OBJECT, "ask.__globals__", "no method"),
        (OBJECT, "ask", "missing a required argument"),
    ],
)
def test_only_the_three_methods_of_the_one_object_are_there(object_id, method, why):
    with serving(secret=None) as server, greeted(server.port) as sock:
        sock.sendall(frame(pack((object_id, method, [], {})), kind=protocol.MSG_INVOKE))

        answer = sock.recv(65536)
        assert answer[8:10] == b"\x00\x01"  # FLAGS_EXCEPTION
        assert why in str(MSGPACK.loads(answer[40:]))
        assert b"Traceback" not in answer


def test_the_handshake_tells_three_methods_and_nothing_else():
    with serving(secret=None) as server, dial(server.port) as sock:
        sock.sendall(frame(pack({"handshake": "hello", "object": OBJECT})))

        assert msgspec.msgpack.decode(sock.recv(65536)[40:])["meta"] == {
            "methods": ["ask", "health", "ping"],
            "oneway": [],
            "attrs": [],
        }


def test_an_object_of_another_name_is_refused_in_the_handshake():
    with (
        serving() as server,
        peer(server.port, object_id="Pyro.Daemon") as lost,
        pytest.raises(Refused, match="unknown object"),
    ):
        lost.ping()


@pytest.mark.parametrize(
    "flags",
    [
        protocol.FLAGS_ONEWAY,
        protocol.FLAGS_BATCH,
        protocol.FLAGS_KEEPSERIALIZED,
        protocol.FLAGS_COMPRESSED,
    ],
)
def test_oneway_batch_blob_and_compressed_requests_end_the_connection_unread(flags):
    seen = []
    call = pack((OBJECT, "ask", [{}, b""], {}))
    with (
        serving(lambda asked: seen.append(asked) or b"", secret=None) as server,
        greeted(server.port) as sock,
    ):
        sock.sendall(frame(call, kind=protocol.MSG_INVOKE, flags=flags))
        assert said_until_closed(sock) == b""

    assert seen == []


def test_annotations_are_refused_also_the_marshalled_blob_info(caplog):
    blob = marshal.dumps(("info", OBJECT, "ask"))
    chunk = struct.pack("!4sI", b"BLBI", len(blob)) + blob
    call = pack((OBJECT, "ping", [], {}))
    with serving(secret=None) as server, greeted(server.port) as sock:
        sock.sendall(frame(call, kind=protocol.MSG_INVOKE, annotations=chunk))

        assert said_until_closed(sock) == b""
        assert until(lambda: "annotations are not accepted" in caplog.text)


def test_a_callback_that_fails_costs_its_connection_and_no_other(monkeypatch):
    failed = []
    monkeypatch.setattr(threading, "excepthook", lambda args: failed.append(args.exc_type))

    def broken(asked):
        return b"fine" if asked.body else 1 // 0

    with serving(broken) as server, peer(server.port) as one, peer(server.port) as other:
        other.ask(b"x", 1)
        with pytest.raises(Unreachable) as caught:
            one.ask(b"", 1)
        assert caught.value.sent
        assert other.ask(b"x", 1) == b"fine"

    assert failed == [ZeroDivisionError]


# -- bodies


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 4 * 1024 * 1024])
@pytest.mark.parametrize("secret", [None, SECRET])
def test_bodies_of_every_size_go_both_ways(size, secret):
    body = os.urandom(size // 2) + bytes(size - size // 2)
    with serving(secret=secret) as server, peer(server.port, secret=secret) as friend:
        assert friend.ask(body, 10) == body


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ({"lz4": 5}, bodies.block.compress(b"x" * 500, store_size=False)),
        ({"lz4": 501}, bodies.block.compress(b"x" * 500, store_size=False)),
        ({"lz4": -1}, b"xx"),
        ({"lz4": "many"}, b"xx"),
        ({"lz4": 5}, b"\xff\xff\xff"),
        ([], b""),
        ({}, "text"),
    ],
)
def test_a_body_that_is_not_what_it_claims_is_refused_before_it_is_unpacked(header, body):
    with pytest.raises(bodies.BadBody):
        bodies.unpack(header, body)


@pytest.mark.parametrize("claimed", [900_000_000, 60_000_000])
def test_a_body_that_claims_more_than_is_allowed_or_possible_costs_no_memory(claimed):
    with pytest.raises(bodies.BadBody, match=f"claims {claimed}"):
        bodies.unpack({"lz4": claimed}, b"x" * 1000)


def test_a_lying_body_is_refused_on_the_wire_too():
    call = pack((OBJECT, "ask", [{"lz4": 900_000_000}, b"x"], {}))
    with serving(secret=None) as server, greeted(server.port) as sock:
        sock.sendall(frame(call, kind=protocol.MSG_INVOKE))

        assert b"claims 900000000" in sock.recv(65536)


# -- noise (scorecard B1 to B3)


def test_noise_of_all_kinds_is_hung_up_on_and_logged_once(tmp_path):
    with process(str(tmp_path / "log")) as server, peer(server.port) as friend:
        friend.ping()
        before_kib = server.peak_kib()
        for _ in range(5):
            for data in (NOISE, HTTP, TLS_HELLO, frame(b"", kind=protocol.MSG_INVOKE)):
                with dial(server.port) as sock:
                    began = time.monotonic()
                    throw(sock, data)
                    assert said_until_closed(sock) == b""
                    assert time.monotonic() - began < 1
        friend.ping()

        assert server.alive()
        assert server.peak_kib() - before_kib < 20 * 1024
        assert len(server.log_lines()) == 1


def test_500_half_headers_leave_the_others_served(tmp_path):
    with process(str(tmp_path / "log")) as server, peer(server.port) as friend:
        quiet_s = slowest(friend)
        before_kib = server.peak_kib()
        half = [dial(server.port) for _ in range(500)]
        for sock in half:
            throw(sock, b"PYRO\x01\xf6\x01")
        with peer(server.port) as newcomer:
            newcomer.ask(b"x", 1)
            busy_s = slowest(newcomer)

        assert server.peak_kib() - before_kib < 20 * 1024
        assert busy_s < max(2 * quiet_s, 0.25)  # of a machine that may be busy with other things
        assert len(server.log_lines()) == 1
        for sock in half:
            sock.close()
        assert until(lambda: server.threads() <= 4)  # main, accept, the friend's


def slowest(friend):
    """The slowest but one of 100 calls: p99."""
    took = []
    for _ in range(100):
        began = time.monotonic()
        friend.ask(b"x", 1)
        took.append(time.monotonic() - began)
    return sorted(took)[-2]


def test_100_silent_connections_cost_nobody_a_place_and_go_after_the_deadline():
    with serving(handshake_s=1.0) as server, peer(server.port) as friend:
        silent = [dial(server.port) for _ in range(100)]
        assert until(lambda: server.connections() == 100)

        assert friend.ask(b"x", 1) == b"x"
        for sock in silent:
            assert said_until_closed(sock) == b""
        assert until(lambda: server.connections() == 1)
        assert friend.ask(b"x", 1) == b"x"


def test_when_too_many_have_proven_nothing_the_oldest_make_room():
    with serving(greeting=3) as server, peer(server.port) as friend:
        friend.ping()
        silent = [dial(server.port) for _ in range(5)]
        for sock in silent[:2]:
            assert said_until_closed(sock) == b""
        with peer(server.port) as newcomer:
            newcomer.ping()
        assert said_until_closed(silent[2]) == b""
        friend.ping()
        assert server.refusals.total == 3  # the friend had proven itself and kept its place


def test_one_address_has_its_limit_and_another_is_served():
    with serving(per_address=2, secret=None, address="127.0.0.1") as server:
        held = [greeted(server.port), greeted(server.port)]
        with dial(server.port) as third:
            assert said_until_closed(third) == b""
        other = socket.create_connection(
            ("127.0.0.1", server.port), 5, source_address=("127.0.0.9", 0)
        )
        with other:
            other.sendall(frame(pack({"handshake": "hello", "object": OBJECT})))
            assert other.recv(65536)[6] == protocol.MSG_CONNECTOK
        held[0].close()
        assert until(lambda: server.connections() == 1)
        with greeted(server.port):
            pass


def test_a_frame_that_claims_900_mb_is_closed_at_once_and_never_stored(tmp_path):
    with process(str(tmp_path / "log")) as server, peer(server.port) as friend:
        friend.ping()
        before_kib = server.peak_kib()
        with dial(server.port) as sock:
            began = time.monotonic()
            throw(sock, frame(bytes(4 << 20), claims=900 << 20))
            said_until_closed(sock)
            assert time.monotonic() - began < 1

        assert server.peak_kib() - before_kib < 1024
        friend.ping()


@pytest.mark.parametrize("claims", [65 * 1024, 16 << 20])
def test_before_authentication_even_a_moderate_frame_is_too_large(claims):
    with serving() as server, dial(server.port) as sock:
        sock.sendall(frame(b"", claims=claims))

        assert said_until_closed(sock) == b""


def test_a_frame_that_never_ends_is_cut_at_the_deadline():
    with serving(handshake_s=0.5) as server, dial(server.port) as sock:
        began = time.monotonic()
        sock.sendall(frame(b"", claims=60_000))
        drip = threading.Event()
        while time.monotonic() - began < 3:
            throw(sock, b"x")
            drip.wait(0.05)
            if server.refusals.total:
                break

        assert time.monotonic() - began < 1.5


def test_a_request_beyond_the_limit_is_refused_after_authentication_too():
    with serving(secret=None) as server, greeted(server.port) as sock:
        sock.sendall(frame(b"", kind=protocol.MSG_INVOKE, claims=17 << 20))

        assert said_until_closed(sock) == b""


BOMBS = {
    "marshal list of 2^28": (2, b"[" + struct.pack("<I", 1 << 28)),
    "marshal list of 2^31": (2, b"[" + struct.pack("<I", 0x7FFFFFFF)),
    "marshal tuple of 2^28": (2, b"(" + struct.pack("<I", 1 << 28)),
    "serpent nested": (1, b"[" * 30_000 + b"]" * 30_000),
    "serpent expression": (1, b"9**9**9"),
    "json nested": (3, b"[" * 60_000),
    "json big number": (3, b"1" * 60_000),
    "json greeting": (3, json.dumps({"handshake": "hello", "object": OBJECT}).encode()),
    "pickle": (2, b"cos\nsystem\n(S'touch /tmp/owned'\ntR."),
    "msgpack array of 2^31": (4, b"\xdd\x7f\xff\xff\xff"),
    "msgpack map of 2^31": (4, b"\xdf\x7f\xff\xff\xff"),
    "msgpack nested": (4, b"\x91" * 60_000),
    "msgpack class": (
        4,
        pack(
            {"handshake": {"__class__": "Pyro5.client.Proxy", "state": []}, "object": OBJECT},
        ),
    ),
    "msgpack text that is no UTF-8": (4, b"\x82\xa9handshake\xa2\xff\xfe\xa6object\xa1x"),
    "no such serializer": (200, b"x"),
}


@pytest.mark.parametrize("name", list(BOMBS))
def test_a_bomb_in_the_greeting_is_refused_unparsed(name, tmp_path):
    serializer, payload = BOMBS[name]
    with process(str(tmp_path / "log")) as server, peer(server.port) as friend:
        friend.ping()
        before_kib = server.peak_kib()
        with dial(server.port) as sock:
            began = time.monotonic()
            sock.sendall(frame(payload, serializer=serializer))
            answer = said_until_closed(sock)
            assert time.monotonic() - began < 0.5
        friend.ping()

        assert answer[6] == protocol.MSG_CONNECTFAIL
        assert server.peak_kib() - before_kib < 1024


def test_a_refused_serializer_is_told_in_its_own_words():
    with serving(secret=None) as server, dial(server.port) as sock:
        sock.sendall(frame(b"{}", serializer=3))

        assert "msgpack" in json.loads(said_until_closed(sock)[40:])


@pytest.mark.parametrize(
    "call",
    [
        b"\x94" + pack(OBJECT) + pack("ask") + b"\xdd\x00\xa0\x00\x00" + b"\xc0" * 0xA00000,
        b"\x94" + pack(OBJECT) + pack("ask") + b"\x91" * 200_000,
        b"\x91" * 60_000,
        pack((OBJECT, "ping", [bytes(100_000)], {})),
        b"\x94\xa1\xff\xa4ping\x90\x80",
    ],
    ids=["ten million nils", "nested 200,000 deep", "nested 60,000 deep", "large and no body", "no UTF-8"],
)
def test_a_bomb_in_a_call_is_refused_within_50_ms(call):
    with serving(secret=None) as server, greeted(server.port) as sock:
        began = time.thread_time()
        with pytest.raises(Exception, match="not a call"):
            MSGPACK.loadsCall(call)
        assert time.thread_time() - began < 0.05

        throw(sock, frame(call, kind=protocol.MSG_INVOKE))
        assert said_until_closed(sock) == b""


def test_a_flood_of_one_peer_is_one_line_a_minute_with_a_count(caplog):
    from daemons.net.refusals import Refusals

    now = [1000.0]
    refusals = Refusals(logging.getLogger("test.flood"), "here", clock=lambda: now[0])
    for _ in range(500):
        refusals.note("10.0.0.9", "noise")
    refusals.note("10.0.0.8", "noise")
    now[0] += 60
    refusals.note("10.0.0.9", "noise")

    assert [record.getMessage() for record in caplog.records] == [
        "here: turned away 10.0.0.9: noise",
        "here: turned away 10.0.0.8: noise",
        "here: turned away 10.0.0.9: noise (and 499 more since the last such line)",
    ]
    assert refusals.total == 502


def test_a_flood_from_ever_new_addresses_stays_within_bounds(caplog):
    from daemons.net.refusals import OTHERS, PEERS_MAX, Refusals

    refusals = Refusals(logging.getLogger("test.flood"), "here", clock=lambda: 0.0)
    for n in range(5 * PEERS_MAX):
        refusals.note(f"10.{n // 65536}.{n // 256 % 256}.{n % 256}", "noise")

    assert len(caplog.records) == PEERS_MAX + 1
    assert OTHERS in caplog.text
