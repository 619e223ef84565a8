"""Who is calling, proven without sending a secret: one exchange of nonces inside Pyro's own connect messages.

The caller sends a nonce and names the keys it has; the server answers with its nonce and a proof over both greetings;
from then on both seal every record (line.py) with keys that only these nonces and the secrets give. The caller's first
record is its proof. A recorded conversation is worthless: the server's nonce is new each time.
"""

import hashlib
import hmac
import secrets
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

PROTOCOL: Final = 1  # the version of what daemons say to each other
PROTOCOLS: Final = frozenset({1})  # what this release understands
NONCE_BYTES: Final = 32
CLUSTER: Final = "cluster"
OPERATOR: Final = "operator"

Name = Annotated[str, Meta(max_length=256)]
Nonce = Annotated[bytes, Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]


class Hello(Struct, frozen=True):
    """What a caller says first: who it is, and which keys it will prove."""

    version: int
    nonce: Nonce
    keys: Annotated[tuple[Name, ...], Meta(max_length=2)] = ()
    sender: Name = ""
    instance: Name = ""


class Greeting(Struct, frozen=True):
    """The payload of Pyro's connect message; a stock proxy sends the text "hello" for a handshake."""

    handshake: Hello | Name
    object: Name


class Welcome(Struct, frozen=True):
    """What the server answers. `proof` is empty when the caller named no key."""

    version: int
    nonce: Nonce
    proof: bytes = b""


class Keyring(Struct, frozen=True):
    """The secrets one side knows, None for those it does not."""

    cluster: bytes | None = None
    operator: bytes | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the keys that are there."""
        held = ((CLUSTER, self.cluster), (OPERATOR, self.operator))
        return tuple(name for name, key in held if key is not None)

    def missing(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of `names` that are not on this ring."""
        return tuple(name for name in names if name not in self.names)


class Session(Struct, frozen=True):
    """What both sides compute and nobody else can: the server's proof and a key per direction."""

    proof: bytes
    to_server: bytes
    to_client: bytes


def nonce() -> bytes:
    """Return a fresh nonce."""
    return secrets.token_bytes(NONCE_BYTES)


def session(ring: Keyring, object_id: str, hello: Hello, server_nonce: bytes) -> Session:
    """Return the session of one connection; every field of both greetings goes into its keys."""
    held = {CLUSTER: ring.cluster, OPERATOR: ring.operator}
    keys = msgspec.msgpack.encode([[name, held[name]] for name in hello.keys])
    root = hmac.digest(
        hashlib.sha256(b"shinken-ha keys" + keys).digest(),
        msgspec.msgpack.encode([object_id, hello, server_nonce]),
        "sha256",
    )
    return Session(
        proof=hmac.digest(root, b"server proof", "sha256"),
        to_server=hmac.digest(root, b"caller to server", "sha256"),
        to_client=hmac.digest(root, b"server to caller", "sha256"),
    )
