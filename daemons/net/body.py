"""Message bodies on the wire: lz4 above 64 KiB, and never unpacked beyond what was declared and allowed."""

from typing import Final

from lz4 import block

from daemons.net.pyro import MESSAGE_BYTES_MAX, MIB

PLAIN_BYTES_MAX: Final = 64 * 1024  # smaller ones are not worth the time
BODY_BYTES_MAX: Final = 64 * MIB
RATIO_MAX: Final = 255  # lz4 cannot pack better: a larger claim is a lie
SAMPLE_BYTES: Final = (
    16 * 1024
)  # when these do not shrink (pages are packed already), the rest is not tried
LZ4: Final = "lz4"  # header field: the size before packing


class BadBody(Exception):
    """The body does not fit the wire, or is not what its header claims; the text says which."""


def pack(body: bytes) -> tuple[dict[str, int], bytes]:
    """Return header and wire form of `body`. Raises BadBody when it is too large to be sent."""
    header: dict[str, int] = {}
    wire = body
    if len(body) > BODY_BYTES_MAX:
        raise BadBody(f"a body of {len(body)} bytes, at most {BODY_BYTES_MAX}")
    if len(body) > PLAIN_BYTES_MAX and _shrinks(memoryview(body)[:SAMPLE_BYTES]):
        packed: bytes = block.compress(body, store_size=False)
        if len(packed) < len(body):
            header, wire = {LZ4: len(body)}, packed
    if len(wire) > MESSAGE_BYTES_MAX:
        raise BadBody(f"a body of {len(wire)} bytes on the wire, at most {MESSAGE_BYTES_MAX}")
    return header, wire


def _shrinks(sample: memoryview) -> bool:
    return len(block.compress(sample, store_size=False)) < len(sample) * 15 // 16


def unpack(header: object, wire: object) -> bytes:
    """Return the body that `pack` made into `header` and `wire`. Raises BadBody; both may be hostile."""
    if not isinstance(header, dict) or not isinstance(wire, bytes):
        raise BadBody("a header (map) and a body (bytes) are expected")
    size = header.get(LZ4)
    if size is None:
        return wire
    if not isinstance(size, int) or not 0 <= size <= min(BODY_BYTES_MAX, RATIO_MAX * len(wire)):
        raise BadBody(f"a packed body of {len(wire)} bytes claims {size!r}")
    try:
        body: bytes = block.decompress(wire, uncompressed_size=size)
    except block.LZ4BlockError as error:
        raise BadBody(f"a packed body does not unpack: {error}") from error
    if len(body) != size:
        raise BadBody(f"a packed body claims {size} bytes and has {len(body)}")
    return body
