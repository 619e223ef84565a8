"""What our bytes look like in somebody else's store: version, checksum, size, lz4 of msgpack.

A store may hand back anything: half an item, another program's value, an attacker's pickle. So
nothing is decoded before magic, checksum and size agree, and then only into a known type.
"""

import zlib
from hashlib import blake2b
from typing import TypeVar

import lz4.block
import msgspec

MAGIC = b"shR\x01"  # the last byte is the schema version
HEAD_BYTES = len(MAGIC) + 4 + 4  # magic, crc32 of all that follows, size when unpacked
BODY_BYTES_MAX = 256 * 1024 * 1024

T = TypeVar("T")


class Foreign(Exception):
    """These bytes are damaged, or were never ours; the text says which check they failed."""


def seal(thing: msgspec.Struct) -> bytes:
    """Return `thing` as bytes for a store."""
    body = msgspec.msgpack.encode(thing)
    if len(body) > BODY_BYTES_MAX:
        raise ValueError(f"{type(thing).__name__} of {len(body)} bytes, {BODY_BYTES_MAX} at most")
    packed: bytes = lz4.block.compress(body, store_size=False)
    rest = len(body).to_bytes(4, "big") + packed
    return MAGIC + zlib.crc32(rest).to_bytes(4, "big") + rest


def unseal(data: bytes, kind: type[T]) -> T:
    """Return the `kind` sealed in `data`. Raises Foreign; never returns half of one."""
    if len(data) < HEAD_BYTES or not data.startswith(MAGIC[:3]):
        raise Foreign("not ours")
    if data[3] != MAGIC[3]:
        raise Foreign(f"schema version {data[3]}, this release reads {MAGIC[3]}")
    if zlib.crc32(data[8:]) != int.from_bytes(data[4:8], "big"):
        raise Foreign("checksum does not match")
    size = int.from_bytes(data[8:12], "big")
    if size > min(BODY_BYTES_MAX, 256 * len(data)):  # lz4 packs at most 255 to 1
        raise Foreign(f"{len(data)} bytes claim to unpack to {size}")
    try:
        body = lz4.block.decompress(data[HEAD_BYTES:], uncompressed_size=size)
        return msgspec.msgpack.decode(body, type=kind)
    except (lz4.block.LZ4BlockError, msgspec.MsgspecError, MemoryError, ValueError) as error:
        raise Foreign(f"{type(error).__name__}: {error}") from error


def unpacked_bytes(data: bytes) -> int:
    """Return how large the sealed `data` says it is when unpacked."""
    return int.from_bytes(data[8:12], "big")


def digest(data: bytes) -> bytes:
    """Return eight bytes that tell `data` from any other item of a shard."""
    return blake2b(data, digest_size=8).digest()
