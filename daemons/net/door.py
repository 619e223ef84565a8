"""The exposed object of a daemon: `ping`, `health` and `ask`, the one door for all messages between daemons."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from Pyro5 import server
from Pyro5.callcontext import current_context

from daemons.net import body as bodies
from daemons.net.handshake import OPERATOR, Hello


class Refusal(Exception):
    """Raised by an `ask` callback to say no; the caller gets its text as `Refused`."""


class Asked(Struct, frozen=True, kw_only=True):
    """One message that came in, and what is proven about who sent it."""

    body: bytes
    sender: str  # name of the daemon, as it says; "" for a stock proxy
    instance: str
    member: bool  # it knows the cluster secret, or this server has none (loopback only)
    operator: bool  # it knows the operator key
    version: int  # of the protocol it speaks
    address: str  # it calls from


class Caller(Struct, frozen=True):
    """Whom a connection belongs to, once greeted."""

    hello: Hello
    member: bool
    address: str


class Door:
    """Answers with the two callbacks it is given; both are entered by many threads at once."""

    def __init__(self, ask: Callable[[Asked], bytes], health: Callable[[], dict[str, Any]]) -> None:
        """Pass messages to `ask`; `health` returns plain data."""
        self._ask = ask
        self._health = health

    @server.expose  # type: ignore[untyped-decorator]  # Pyro5 carries no types
    def ping(self) -> str:
        """Return "pong": the process is there and its transport answers."""
        return "pong"

    @server.expose  # type: ignore[untyped-decorator]  # Pyro5 carries no types
    def health(self) -> dict[str, Any]:
        """Return plain data about the daemon, for people and scripts."""
        return self._health()

    @server.expose  # type: ignore[untyped-decorator]  # Pyro5 carries no types
    def ask(self, header: object, body: object) -> tuple[dict[str, int], bytes]:
        """Return header and body of the answer. Raises Refusal."""
        caller: Caller = current_context.client.caller
        try:
            asked = Asked(
                body=bodies.unpack(header, body),
                sender=caller.hello.sender,
                instance=caller.hello.instance,
                member=caller.member,
                operator=OPERATOR in caller.hello.keys,
                version=caller.hello.version,
                address=caller.address,
            )
            return bodies.pack(self._ask(asked))
        except bodies.BadBody as error:
            raise Refusal(str(error)) from error
