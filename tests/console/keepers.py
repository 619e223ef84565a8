"""Keepers on loopback: real transports that answer with a census, one that hangs, one that is not there."""

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from daemons.model.cluster import Cluster, object_id
from daemons.net.door import Asked
from daemons.net.home import Bundle, Home
from daemons.net.transport import serve
from daemons.wire.codec import decode, encode
from daemons.wire.messages import Accepted, Census, CensusAsk, Message, ServerSeen, Submit
from tests.console.fakes import CLUSTER, census, crew

HOSTS = "127.0.71"
LOG = logging.getLogger("test.console")


class Stage(Struct, frozen=True):
    """A work folder whose cluster is served in part."""

    workdir: Path
    bundle: Bundle
    submitted: list[str]  # lines that the receiver took


def free_port() -> int:
    with socket.create_server((f"{HOSTS}.1", 0)) as probe:
        return int(probe.getsockname()[1])


def at_loopback(port: int, receiver: int) -> Cluster:
    """The fake cluster with addresses of this machine."""
    move = {f"10.0.0.{n}": f"{HOSTS}.{n}" for n in (1, 2, 3)}
    return replace(
        CLUSTER,
        daemons=tuple(
            replace(d, address=move[d.address], port=receiver if d.role == "receiver" else d.port)
            for d in CLUSTER.daemons
        ),
        servers=tuple(replace(s, address=move[s.address]) for s in CLUSTER.servers),
        settings={"keeper_port": str(port)},
    )


@contextlib.contextmanager
def keeper(cluster: Cluster, name: str, said: Callable[[], Census], port: int) -> Iterator[None]:
    """The keeper of server `name`, answering what `said` returns."""

    def answer(asked: Asked) -> bytes:
        assert isinstance(decode(asked.body), CensusAsk)
        return encode(said())

    address = next(s.address for s in cluster.servers if s.name == name)
    with daemon(address, port, object_id(cluster.name, "keeper", name), answer):
        yield


@contextlib.contextmanager
def daemon(
    address: str, port: int, object_id: str, answer: Callable[[Asked], bytes]
) -> Iterator[None]:
    server = serve(address, port, object_id, answer, dict, secret=None, log=LOG)
    try:
        yield
    finally:
        server.close()


@contextlib.contextmanager
def hung(address: str, port: int) -> Iterator[None]:
    """Takes connections, as a stopped process does, and never says a word."""
    with socket.create_server((address, port)):
        yield


@contextlib.contextmanager
def stage(folder: Path, with_hung: bool = True) -> Iterator[Stage]:
    """server2 answers, server3 answers and leads, server1 hangs or is not there."""
    port, receiver = free_port(), free_port()
    cluster = at_loopback(port, receiver)
    bundle = Bundle(cluster=cluster, server=cluster.servers[1], files=())
    Home(folder).write(bundle)
    submitted: list[str] = []

    def take(asked: Asked) -> bytes:
        message: Message = decode(asked.body)
        assert isinstance(message, Submit)
        good = [i for i in message.items if "NONSENSE" not in i.line]
        submitted.extend(i.line for i in good)
        refused = {i.id: "there is no such command" for i in message.items if i not in good}
        return encode(Accepted(tuple(i.id for i in good), (), refused))

    def of(n: int) -> Census:
        return replace(
            census(n, crew(n, True)),
            servers=tuple(
                ServerSeen(s.name, 30.0 if s.name == "server1" else 0.1) for s in cluster.servers
            ),
        )

    with contextlib.ExitStack() as up:
        up.enter_context(keeper(cluster, "server2", lambda: of(2), port))
        up.enter_context(keeper(cluster, "server3", lambda: of(3), port))
        name = object_id(cluster.name, "receiver", "receiver-spare")
        up.enter_context(daemon(f"{HOSTS}.3", receiver, name, take))
        if with_hung:
            up.enter_context(hung(f"{HOSTS}.1", port))
        yield Stage(folder, bundle, submitted)
