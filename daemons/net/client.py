"""The calling side: a `Peer` per target, every call with a time-out, nothing ever sent twice.

A call that fails may have been obeyed all the same, unless `Unreachable.sent` is False. After a failure the connection
is closed, so that a late answer is never taken for the next call's; the next call connects again.
"""

import hmac
import socket
import threading
import time
from types import TracebackType
from typing import Any, Final

import msgspec
from Pyro5 import client, config, errors, protocol

from daemons.net import body as bodies
from daemons.net.handshake import PROTOCOL, Hello, Keyring, Welcome, nonce, session
from daemons.net.line import Line, tune
from daemons.net.pyro import MSGPACK, receive

PING_S: Final = 1.0
CONTROL_S: Final = 3.0
BULK_S: Final = 30.0
IDLE_S: Final = (
    60.0  # a connection unused for longer is not trusted: servers drop theirs after 90 s
)


class Unreachable(Exception):
    """No answer. `sent` is False when the request surely never left; otherwise it may have been obeyed."""

    def __init__(self, why: str, sent: bool) -> None:
        """Say `why`, for the log."""
        super().__init__(why)
        self.why = why
        self.sent = sent


class Refused(Exception):
    """The answer is no, and nothing was done: wrong secret, version, object, or the message; the text says which."""


class _Rejected(errors.PyroError):  # type: ignore[misc]  # Pyro5 carries no types
    """The handshake was answered with a no, or by somebody who cannot prove the secret."""


class Identity(msgspec.Struct, frozen=True):
    """Who calls, and the keys it can prove."""

    sender: str = ""
    instance: str = ""
    ring: Keyring = Keyring()


class Proxy(client.Proxy):  # type: ignore[misc]  # Pyro5 carries no types
    """A Pyro proxy that proves the cluster secret and bounds each call as a whole by `_pyroTimeout` seconds."""

    def __init__(self, uri: str, identity: Identity, timeout_s: float) -> None:
        """Make a proxy for `uri`; nothing is sent before the first call."""
        super().__init__(uri)
        self._pyroHandshake = identity
        self._pyroTimeout = timeout_s

    _pyroConnection: Any

    def _pyroInvoke(
        self, methodname: str, vargs: Any, kwargs: Any, flags: int = 0, objectId: str | None = None
    ) -> Any:
        self._pyroJoin(time.monotonic() + self._pyroTimeout)
        return self._pyroExchange(methodname, vargs, kwargs)

    def _pyroBind(self) -> bool:
        return self._pyroJoin(time.monotonic() + self._pyroTimeout)

    def _pyroGetMetadata(self, objectId: str | None = None, known_metadata: Any = None) -> None:
        self._pyroBind()

    def _pyroJoin(self, deadline: float) -> bool:
        """Have a connection, good until `deadline`; return whether it is a new one. Raises errors.PyroError."""
        self._pyroClaimOwnership()
        line = self._pyroConnection
        if line is not None and (time.monotonic() - line.deadline > IDLE_S or line.stale()):
            self._pyroRelease()
        if self._pyroConnection is not None:
            self._pyroConnection.deadline = deadline
            return False
        uri = self._pyroUri
        self._pyroConnection, methods = _joined(
            uri.host, uri.port, uri.object, self._pyroHandshake, deadline
        )
        self._pyroMethods = methods
        return True

    def _pyroExchange(self, method: str, arguments: Any, named: Any = None) -> Any:
        """Send one request on the connection that is there; return its answer. Raises errors.PyroError."""
        return super()._pyroInvoke(method, arguments, named or {})


class Peer:
    """One target. May be used by several threads; they take turns, and waiting counts as calling."""

    def __init__(
        self,
        address: str,
        port: int,
        object_id: str,
        *,
        sender: str = "",
        instance: str = "",
        secret: bytes | None = None,
        operator_key: bytes | None = None,
    ) -> None:
        """Call `object_id` at `address`:`port` in the name of `sender`; nothing is sent before the first call."""
        self.name = f"{object_id} at {address}:{port}"
        self._lock = threading.Lock()
        self._proxy = proxy(
            address,
            port,
            object_id,
            sender=sender,
            instance=instance,
            secret=secret,
            operator_key=operator_key,
        )

    def ask(self, body: bytes, timeout_s: float) -> bytes:
        """Return the answer to `body`. Raises Unreachable, Refused."""
        try:
            request = bodies.pack(body)
        except bodies.BadBody as error:
            raise Refused(f"{self.name}: not sent: {error}") from error
        answer = self._call("ask", request, timeout_s)
        try:
            return bodies.unpack(*answer)
        except (bodies.BadBody, TypeError) as error:
            raise Unreachable(f"{self.name}: no answer but nonsense: {error}", sent=True) from error

    def ping(self, timeout_s: float = PING_S) -> None:
        """Return when the daemon's transport answered. Raises Unreachable, Refused."""
        self._call("ping", (), timeout_s)

    def health(self, timeout_s: float = CONTROL_S) -> dict[str, Any]:
        """Return what the daemon says about itself. Raises Unreachable, Refused."""
        said = self._call("health", (), timeout_s)
        if not isinstance(said, dict):
            raise Unreachable(f"{self.name}: no answer but nonsense: health is no map", sent=True)
        return said

    def close(self) -> None:
        """Hang up, waiting for a call under way to end. A later call connects again."""
        with self._lock:
            self._hang_up()

    def __enter__(self) -> "Peer":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up."""
        self.close()

    def _call(self, method: str, arguments: tuple[object, ...], timeout_s: float) -> Any:
        deadline = time.monotonic() + timeout_s
        if not self._lock.acquire(timeout=max(0.0, timeout_s)):
            raise Unreachable(f"{self.name}: busy for {timeout_s:g} s with other calls", sent=False)
        try:
            return self._exchange(method, arguments, deadline)
        finally:
            self._lock.release()

    def _exchange(self, method: str, arguments: tuple[object, ...], deadline: float) -> Any:
        """Make one call; leave an open connection behind only if request and answer went through whole."""
        whole = sent = False
        try:
            self._proxy._pyroJoin(deadline)
            sent = True
            answer = self._proxy._pyroExchange(method, arguments)
            whole = True
            return answer
        except _Rejected as error:
            raise Refused(f"{self.name}: {error}") from error
        except (errors.ConnectionClosedError, errors.TimeoutError) as error:
            raise Unreachable(f"{self.name}: {error}", sent) from error
        except errors.CommunicationError as error:
            if sent:  # whoever answered nonsense may have obeyed before
                raise Unreachable(f"{self.name}: no answer but nonsense: {error}", sent) from error
            raise Refused(f"{self.name}: not one of our daemons: {error}") from error
        except errors.PyroError as error:  # the answer: no
            whole = True
            raise Refused(f"{self.name}: {error}") from error
        finally:
            if not whole:
                self._hang_up()

    def _hang_up(self) -> None:
        self._proxy._pyroClaimOwnership()
        self._proxy._pyroRelease()


def proxy(
    address: str,
    port: int,
    object_id: str,
    *,
    sender: str = "",
    instance: str = "",
    secret: bytes | None = None,
    operator_key: bytes | None = None,
    timeout_s: float = CONTROL_S,
) -> Proxy:
    """Return a Pyro proxy for scripts, e.g. `proxy("127.0.0.1", 7766, "Pyro.NameServer", secret=...).list()`.

    Its methods raise Pyro5.errors.CommunicationError when there is no answer and PyroError when it is a no.
    """
    host = f"[{address}]" if ":" in address else address
    identity = Identity(sender, instance, Keyring(secret, operator_key))
    return Proxy(f"PYRO:{object_id}@{host}:{port}", identity, timeout_s)


def _joined(
    address: str, port: int, object_id: str, identity: Identity, deadline: float
) -> tuple[Line, set[str]]:
    """Return a connection whose handshake is done, and the names of the methods. Raises errors.PyroError."""
    line = Line(_connected(address, port, deadline), object_id, deadline)
    try:
        methods = _greet(line, object_id, identity)
    except BaseException:  # also a signal's: no half-greeted connection is left open
        line.close()
        raise
    line.bytes_max = config.MAX_MESSAGE_SIZE
    return line, methods


def _connected(address: str, port: int, deadline: float) -> socket.socket:
    try:
        sock = socket.create_connection(
            (address, port), timeout=max(0.001, deadline - time.monotonic())
        )
    except TimeoutError:
        raise errors.TimeoutError("timed out while connecting") from None
    except OSError as error:
        raise errors.ConnectionClosedError(f"cannot connect: {error.strerror or error}") from error
    if (
        sock.getsockname() == sock.getpeername()
    ):  # nobody listens on a local port, and TCP met itself
        sock.close()
        raise errors.ConnectionClosedError("cannot connect: Connection refused")
    tune(sock)
    return sock


def _greet(line: Line, object_id: str, identity: Identity) -> set[str]:
    """Do the handshake; return the names of the methods. Raises _Rejected, errors.CommunicationError."""
    hello = Hello(PROTOCOL, nonce(), identity.ring.names, identity.sender, identity.instance)
    data = MSGPACK.dumps({"handshake": hello, "object": object_id})
    line.send(protocol.SendingMessage(protocol.MSG_CONNECT, 0, 0, MSGPACK.serializer_id, data).data)
    message = receive(line, (protocol.MSG_CONNECTOK, protocol.MSG_CONNECTFAIL))
    if message.type == protocol.MSG_CONNECTFAIL:
        raise _Rejected(str(MSGPACK.loads(message.data)))
    answer = MSGPACK.loads(message.data)
    try:
        welcome = msgspec.convert(answer["handshake"], Welcome)
        methods = {str(name) for name in answer["meta"]["methods"]}
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise errors.ProtocolError(f"a strange welcome: {error}") from error
    if hello.keys:
        agreed = session(identity.ring, object_id, hello, welcome.nonce)
        if not hmac.compare_digest(welcome.proof, agreed.proof):
            keys = " and ".join(hello.keys)
            raise _Rejected(
                f"it did not prove the {keys} key: theirs differs from ours, or it has none"
            )
        line.seal(agreed.to_server, agreed.to_client)
        ping = protocol.SendingMessage(protocol.MSG_PING, 0, 0, MSGPACK.serializer_id, b"ping")
        line.send(ping.data)
        receive(line, (protocol.MSG_PING,))
    return methods
