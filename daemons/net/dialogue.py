"""What the server says on one connection: the handshake, then one answer per request.

Pyro's own `_handshake` and `handleRequest` accept any serializer, batches, oneway calls, attribute access, streams and
pickled blobs. These accept a greeting, a ping, and a call of an exposed method; everything else ends the connection.
"""

import inspect
import time
from typing import Any

import msgspec
from Pyro5 import core, errors, protocol, serializers, server

from daemons.net.door import Caller, Refusal
from daemons.net.handshake import (
    CLUSTER,
    PROTOCOL,
    PROTOCOLS,
    Greeting,
    Hello,
    Keyring,
    Welcome,
    nonce,
    session,
)
from daemons.net.line import Line
from daemons.net.pyro import MSGPACK, receive

_GREETING = msgspec.msgpack.Decoder(Greeting)


class Served(Line):
    """A connection of the server, with its caller once it is greeted."""

    caller: Caller | None = None


class PyroDaemon(server.Daemon):  # type: ignore[misc]  # Pyro5 carries no types
    """A Pyro daemon with one object, which only strangers to Pyro's extras can reach."""

    def __init__(
        self,
        address: str,
        port: int,
        object_id: str,
        exposed: object,
        ring: Keyring,
        answer_s: float,
    ) -> None:
        """Bind, and register `exposed`; an answer must be taken within `answer_s`. Raises OSError."""
        super().__init__(host=address, port=port)
        self.object_id = object_id
        self.ring = ring
        self.answer_s = answer_s
        self.uri = str(self.register(exposed, object_id))
        names = sorted(self.objectsById[core.DAEMON_NAME].get_metadata(object_id)["methods"])
        self.metadata = {"methods": names, "oneway": [], "attrs": []}
        self.methods = {name: getattr(exposed, name) for name in names}
        self.signatures = {name: inspect.signature(m) for name, m in self.methods.items()}

    def greet(self, line: Served, address: str) -> str:
        """Do the handshake with a caller at `address`. Return "" when it is let in, else why not.

        Raises errors.CommunicationError when it does not speak Pyro, hangs up or fails its proof.
        """
        message = receive(line, (protocol.MSG_CONNECT,))
        if message.serializer_id != MSGPACK.serializer_id:
            return self._deny(line, message, "msgpack only here: set Pyro's SERIALIZER to msgpack")
        try:
            greeting = _GREETING.decode(message.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return self._deny(line, message, f"not a greeting: {error}")
        given = greeting.handshake
        hello = given if isinstance(given, Hello) else Hello(PROTOCOL, nonce())
        why = self._objection(greeting.object, hello)
        if why:
            return self._deny(line, message, why)
        member = self.ring.cluster is None or CLUSTER in hello.keys
        line.caller = Caller(hello, member, address)
        if isinstance(given, Hello):
            self._prove(line, message.seq, hello)
        else:
            self._welcome(line, message.seq, "hello")
        return ""

    def handleRequest(self, line: Served) -> None:
        """Answer the next request on `line`. Raises errors.CommunicationError when the line is of no more use."""
        message = receive(line, (protocol.MSG_INVOKE, protocol.MSG_PING))
        if message.type == protocol.MSG_PING:
            self._pong(line, message.seq)
            return
        if message.serializer_id != MSGPACK.serializer_id:
            raise errors.ProtocolError(f"serializer {message.serializer_id} is not spoken here")
        flags = 0
        try:
            answer = self._call(*MSGPACK.loadsCall(message.data))
        except Refusal as refusal:
            flags, answer = protocol.FLAGS_EXCEPTION, errors.PyroError(str(refusal))
        except errors.NamingError as error:
            flags, answer = protocol.FLAGS_EXCEPTION, error
        line.deadline = time.monotonic() + self.answer_s
        self._send(line, protocol.MSG_RESULT, message.seq, answer, flags)

    def _call(self, object_id: str, name: str, vargs: Any, kwargs: dict[str, Any] | None) -> object:
        if object_id != self.object_id:
            raise Refusal("unknown object")
        method = self.methods.get(name)
        if method is None:
            raise Refusal(f"no method {name[:40]!r} here")
        try:
            self.signatures[name].bind(*vargs, **(kwargs or {}))
        except TypeError as error:
            raise Refusal(f"{name}: {error}") from error
        answer: object = method(*vargs, **(kwargs or {}))
        return answer

    def _objection(self, object_id: str, hello: Hello) -> str:
        """Return why this caller cannot be let in, "" if it may try to prove what it says."""
        if hello.version not in PROTOCOLS:
            return f"protocol {PROTOCOL} is spoken here, not {hello.version}"
        if missing := self.ring.missing(hello.keys):
            return f"no {' and no '.join(missing)} key is known here"
        if self.ring.cluster is not None and not hello.keys:
            return "the cluster secret is required here"
        if object_id != self.object_id:
            return "unknown object"
        return ""

    def _prove(self, line: Served, seq: int, hello: Hello) -> None:
        """Prove the keys that the caller named, and have it prove them by its first sealed record."""
        mine = nonce()
        agreed = session(self.ring, self.object_id, hello, mine)
        proof = agreed.proof if hello.keys else b""
        self._welcome(line, seq, Welcome(PROTOCOL, mine, proof))
        if hello.keys:
            line.seal(agreed.to_client, agreed.to_server)
            self._pong(line, receive(line, (protocol.MSG_PING,)).seq)

    def _welcome(self, line: Served, seq: int, handshake: object) -> None:
        answer = {"handshake": handshake, "meta": self.metadata}
        self._send(line, protocol.MSG_CONNECTOK, seq, answer)

    def _deny(self, line: Served, message: Any, why: str) -> str:
        """Tell the caller `why`, in the encoding it chose if Pyro has that one; return it."""
        serializer = serializers.serializers_by_id.get(message.serializer_id, MSGPACK)
        data = serializer.dumps(why)
        kind = protocol.MSG_CONNECTFAIL
        line.send(
            protocol.SendingMessage(kind, 0, message.seq, serializer.serializer_id, data).data
        )
        return why

    def _pong(self, line: Served, seq: int) -> None:
        pong = protocol.SendingMessage(protocol.MSG_PING, 0, seq, MSGPACK.serializer_id, b"pong")
        line.send(pong.data)

    def _send(self, line: Served, kind: int, seq: int, answer: object, flags: int = 0) -> None:
        data = MSGPACK.dumps(answer)
        line.send(protocol.SendingMessage(kind, flags, seq, MSGPACK.serializer_id, data).data)
