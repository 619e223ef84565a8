"""Pyro5 as this project uses it: its settings, its one serializer and the size of a message.

Pyro's settings and serializer tables belong to the whole process, so they are set here and nowhere else, when this
module is imported. After that nothing in the process reads marshal, serpent or JSON from a socket any more.
"""

from typing import Any, Final

import msgspec
from Pyro5 import config, core, errors, protocol, serializers

MIB: Final = 1024 * 1024
MESSAGE_BYTES_MAX: Final = 16 * MIB  # payload of one message on the wire, after authentication
GREETING_BYTES_MAX: Final = 64 * 1024  # the same before it, and of every call that carries no body
HEADER_BYTES: Final = 40  # of a Pyro message

_ANY_CALL = msgspec.msgpack.Decoder(tuple[str, str, list[Any], dict[str, Any] | None])
# A large call can only be one that carries a body: then hostile nesting or counts fail at the first byte.
_BODY_CALL = msgspec.msgpack.Decoder(
    tuple[str, str, tuple[dict[str, int], bytes], dict[str, int] | None]
)


def _plain(value: object) -> object:
    """Return what a stock Pyro proxy turns back into `value`."""
    if isinstance(value, core.URI):
        return {"__class__": "Pyro5.core.URI", "state": value.__getstate__()}
    if isinstance(value, errors.PyroError):
        name = f"Pyro5.errors.{type(value).__name__}"
        return {"__class__": name, "__exception__": True, "args": [str(value)], "attributes": {}}
    raise NotImplementedError(f"no plain data: {type(value).__name__}")


def _revived(value: Any) -> Any:
    """Return `value` with the only two kinds of object an answer may hold: a URI, an error's text."""
    if isinstance(value, dict) and "__class__" in value:
        if value["__class__"] == "Pyro5.core.URI":
            uri = core.URI.__new__(core.URI)
            uri.__setstate__(value["state"])
            return uri
        return errors.PyroError(*map(str, value.get("args", ())))
    if isinstance(value, list):
        return [_revived(part) if isinstance(part, dict) else part for part in value]
    return value


class Msgpack(serializers.SerializerBase):  # type: ignore[misc]  # Pyro5 carries no types
    """Pyro's msgpack by msgspec: half the cost, and it never builds an object from what it reads."""

    serializer_id = 4

    def dumps(self, data: object) -> bytes:
        """Return `data` encoded. Raises errors.SerializeError."""
        try:
            return msgspec.msgpack.encode(data, enc_hook=_plain)
        except (NotImplementedError, TypeError, OverflowError, RecursionError) as error:
            raise errors.SerializeError(str(error)) from error

    def dumpsCall(self, obj: str, method: str, vargs: Any, kwargs: Any) -> bytes:
        """Return a call encoded. Raises errors.SerializeError."""
        return self.dumps((obj, method, vargs, kwargs))

    def loads(self, data: Any) -> Any:
        """Return the answer in `data`. Raises errors.SerializeError."""
        try:
            return _revived(msgspec.msgpack.decode(data))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, TypeError) as error:
            raise errors.SerializeError(f"not an answer: {error}") from error

    def loadsCall(self, data: Any) -> tuple[str, str, Any, dict[str, Any] | None]:
        """Return (object, method, arguments, named arguments) in `data`. Raises errors.SerializeError."""
        decoder = _ANY_CALL if len(data) <= GREETING_BYTES_MAX else _BODY_CALL
        try:
            return decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise errors.SerializeError(f"not a call: {error}") from error

    @classmethod
    def register_type_replacement(cls, object_type: type, replacement_function: object) -> None:
        """Do nothing: no object is ever sent as a proxy."""


class Refused(serializers.SerializerBase):  # type: ignore[misc]  # Pyro5 carries no types
    """In place of a serializer that is not spoken here: says so in its own words, parses nothing."""

    def __init__(self, original: Any) -> None:
        """Keep `original` only to tell its user why we hang up."""
        self.serializer_id = original.serializer_id
        self._original = original

    def dumps(self, data: object) -> bytes:
        """Return a text in the refused encoding, so that a stock client can show it."""
        encoded: bytes = self._original.dumps(str(data))
        return encoded

    def dumpsCall(self, obj: str, method: str, vargs: Any, kwargs: Any) -> bytes:
        """Raise errors.SecurityError."""
        raise errors.SecurityError("msgpack only")

    def loads(self, data: Any) -> Any:
        """Raise errors.SecurityError."""
        raise errors.SecurityError("msgpack only")

    def loadsCall(self, data: Any) -> Any:
        """Raise errors.SecurityError."""
        raise errors.SecurityError("msgpack only")

    @classmethod
    def register_type_replacement(cls, object_type: type, replacement_function: object) -> None:
        """Do nothing."""


def _settle() -> None:
    """Set what is global in Pyro: no environment variable may loosen it."""
    config.reset(use_environment=False)
    config.SERIALIZER = "msgpack"
    config.SERVERTYPE = (
        "multiplex"  # it binds the socket and starts no thread; the threads are the transport's
    )
    config.COMPRESSION = False
    config.MAX_RETRIES = 0  # a retry obeys twice
    config.SOCK_REUSE = True
    config.SOCK_NODELAY = True
    config.ITER_STREAMING = False
    config.MAX_MESSAGE_SIZE = MESSAGE_BYTES_MAX + GREETING_BYTES_MAX
    for name, serializer in list(serializers.serializers.items()):
        serializers.serializers[name] = Refused(serializer)
        serializers.serializers_by_id[serializer.serializer_id] = Refused(serializer)
    serializers.serializers["msgpack"] = MSGPACK
    serializers.serializers_by_id[MSGPACK.serializer_id] = MSGPACK


def receive(connection: Any, kinds: tuple[int, ...]) -> Any:
    """Return the next Pyro message of one of `kinds`, with its payload.

    Raises errors.ProtocolError before a payload is read that is too large, compressed, annotated or of a kind
    that we do not speak; errors.ConnectionClosedError, errors.TimeoutError.
    """
    header = connection.recv(6)
    protocol.ReceivingMessage.validate(
        header
    )  # HTTP and noise end here, without waiting for 40 bytes
    message = protocol.ReceivingMessage(header + connection.recv(HEADER_BYTES - 6))
    if message.type not in kinds:
        raise errors.ProtocolError(f"message type {message.type} is not expected here")
    if message.flags & ~protocol.FLAGS_CORR_ID:
        raise errors.ProtocolError(
            f"message flags {message.flags:#x}: no oneway, batch, blob or compressed messages"
        )
    if message.annotations_size:
        raise errors.ProtocolError("annotations are not accepted")
    message.add_payload(connection.recv(message.data_size))
    return message


MSGPACK: Final = Msgpack()
_settle()
