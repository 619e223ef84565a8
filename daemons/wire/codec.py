"""Messages to bytes and back. The only place that decodes what a peer sent."""

import msgspec

from daemons.wire.messages import Delta, Message

PROTOCOL = 1  # lowest version both sides speak is used; see docs/protocol.md

_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
_decode_delta = msgspec.msgpack.Decoder(Delta).decode
# A text that is no UTF-8 raises UnicodeDecodeError, which msgspec does not wrap.
_NOT_OURS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class BadMessage(Exception):
    """The peer sent something that is no message of ours; the text says where it went wrong."""


def encode(message: Message | Delta) -> bytes:
    """Return `message` as msgpack bytes."""
    return _encode(message)


def decode(data: bytes) -> Message:
    """Return the message in `data`. Raises BadMessage; never returns a half-right one."""
    try:
        return _decoder.decode(data)
    except _NOT_OURS as error:
        raise BadMessage(f"{type(error).__name__}: {error}") from error


def decode_delta(data: bytes) -> Delta:
    """Return the journal entry in `data`. Raises BadMessage."""
    try:
        return _decode_delta(data)
    except _NOT_OURS as error:
        raise BadMessage(f"delta: {error}") from error
