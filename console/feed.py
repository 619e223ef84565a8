"""Asks every keeper what lives on its server, each second, one thread each: none delays another.

While a keeper is silent its daemons are asked themselves, each in a thread of its own.

The one thing to know: all are asked at the same instants, so that two answers that contradict each
other were given at the same time. Snapshots are made when answers came, and each second at least:
with nobody left to answer, the ages go on growing.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from console.facts import Heard, Own, Snapshot
from console.snapshot import snapshot
from daemons.cli.reach import Keys, operator_peer
from daemons.model.cluster import Cluster
from daemons.net import clock
from daemons.net.client import Refused, Unreachable
from daemons.net.home import Bundle
from daemons.wire.codec import BadMessage, decode, encode
from daemons.wire.messages import Census, CensusAsk, Failed

EVERY_S = 1.0
TIMEOUT_S = 1.0
SETTLE_S = 0.05  # answers that come together make one snapshot
GRACE_S = 0.2  # for a thread to say that its question timed out
QUESTION = encode(CensusAsk())


class Asker(Protocol):
    """What a thread asks: a `Peer`, or a test's."""

    def ask(self, body: bytes, timeout_s: float) -> bytes:
        """Return the answer. Raises Unreachable, Refused."""

    def close(self) -> None:
        """Hang up."""


class SelfAsker(Protocol):
    """A connection to a daemon: a `Peer`, or a test's."""

    def health(self, timeout_s: float) -> dict[str, Any]:
        """Return what it says of itself. Raises Unreachable, Refused."""

    def close(self) -> None:
        """Hang up."""


Directly = Callable[[str], SelfAsker | None]  # a connection to a daemon, by its name


def daemons(bundle: Bundle, keys: Keys) -> Directly:
    """Return what connects to a daemon by its name."""
    return lambda name: operator_peer(bundle, keys, name)


def keepers(bundle: Bundle, keys: Keys) -> dict[str, Asker]:
    """Return a connection of its own to the keeper of each server, by the server's name."""
    found = {
        s.name: operator_peer(bundle, keys, f"keeper@{s.name}") for s in bundle.cluster.servers
    }
    return {name: peer for name, peer in found.items() if peer is not None}


def collect(
    cluster: Cluster,
    askers: Mapping[str, Asker],
    timeout_s: float = TIMEOUT_S,
    directly: Directly | None = None,
) -> Snapshot:
    """Ask all keepers once, in parallel, then the daemons of the silent ones.

    Each round takes `timeout_s` at most, a moment more or less; mostly there is one only.
    """
    ears = {name: Ear() for name in askers}
    threads = [
        threading.Thread(target=_ask, args=(asker, ears[name], timeout_s), daemon=True)
        for name, asker in askers.items()
    ]
    deadline = clock.now().mono + timeout_s + GRACE_S
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - clock.now().mono))
    if directly is not None:
        asked: list[threading.Thread] = []
        for name, ear in ears.items():
            if ear.heard(0.0).census is None:
                asked += ear.ask_daemons(_crew(cluster, name), directly, timeout_s)
        deadline = clock.now().mono + timeout_s + GRACE_S
        for thread in asked:
            thread.join(max(0.0, deadline - clock.now().mono))
    now = clock.now().mono
    return snapshot(cluster, {name: ear.heard(now) for name, ear in ears.items()})


def _crew(cluster: Cluster, server: str) -> tuple[str, ...]:
    """Return the names of the daemons of a server."""
    address = next((s.address for s in cluster.servers if s.name == server), "")
    return tuple(d.name for d in cluster.on(address))


class Ear:
    """What one keeper said, and when, and its daemons while it is silent. Read by any thread."""

    def __init__(self) -> None:
        """Nothing heard yet."""
        self._said: tuple[Census | None, float, float, str] = (None, 0.0, 0.0, "no answer yet")
        self._own: dict[str, tuple[Own, float]] = {}  # by daemon, and when it came
        self._asking: set[str] = set()

    def said(self, census: Census, mono: float, wall: float) -> None:
        """Note an answer that came at `mono`, when our wall clock showed `wall`."""
        self._said = (census, mono, census.wall - wall, "")

    def silent(self, why: str) -> None:
        """Note that the last question had no answer."""
        self._said = (*self._said[:3], why)

    def heard(self, mono: float) -> Heard:
        """Return what is known at `mono`."""
        census, at, ahead_s, why = self._said
        own = {n: replace(o, age_s=mono - came) for n, (o, came) in list(self._own.items())}
        return Heard(census, mono - at if census is not None else -1.0, why, ahead_s, own)

    def ask_daemons(
        self,
        names: Iterable[str],
        directly: Directly,
        timeout_s: float,
        heard: Callable[[], object] = lambda: None,
    ) -> list[threading.Thread]:
        """Ask each daemon in a thread of its own, unless the last question to it is still open."""
        threads = []
        for name in names:
            if name in self._asking:
                continue
            self._asking.add(name)
            threads.append(
                threading.Thread(
                    target=self._ask_daemon, args=(name, directly, timeout_s, heard), daemon=True
                )
            )
        for thread in threads:
            thread.start()
        return threads

    def _ask_daemon(
        self, name: str, directly: Directly, timeout_s: float, heard: Callable[[], object]
    ) -> None:
        asker = directly(name)
        try:
            if asker is not None:
                own = msgspec.convert(asker.health(timeout_s), Own)
                self._own[name] = (own, clock.now().mono)
                heard()
        except (Unreachable, Refused, msgspec.ValidationError):
            pass  # silent too: the age of its last answer, if there was one, tells
        finally:
            self._asking.discard(name)
            if asker is not None:
                asker.close()


def _ask(asker: Asker, ear: Ear, timeout_s: float) -> None:
    try:
        answer = decode(asker.ask(QUESTION, timeout_s))
    except (Unreachable, Refused) as error:
        ear.silent(_short(error))
    except BadMessage as error:
        ear.silent(f"no answer but nonsense: {error}")
    else:
        now = clock.now()
        if isinstance(answer, Census):
            ear.said(answer, now.mono, now.wall)
        else:
            ear.silent(answer.why if isinstance(answer, Failed) else type(answer).__name__)


def _short(error: Unreachable | Refused) -> str:
    """Without the name of the target, which the reader knows."""
    text = str(error)
    return text.partition(": ")[2] or text


class Feed:
    """Keeps asking until it is stopped; gives each new snapshot to `tell`, from a thread of its own."""

    def __init__(
        self,
        cluster: Cluster,
        askers: Mapping[str, Asker],
        tell: Callable[[Snapshot], None],
        every_s: float = EVERY_S,
        timeout_s: float = TIMEOUT_S,
        directly: Directly | None = None,
    ) -> None:
        """Nothing is asked before `start`. `directly` connects to a daemon whose keeper is silent."""
        self._directly = directly
        self._cluster = cluster
        self._askers = askers
        self._tell = tell
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._ears = {name: Ear() for name in askers}
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._now_please = {name: threading.Event() for name in askers}
        self._begun = clock.now().mono
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to ask."""
        self._begun = clock.now().mono
        self._threads = [
            threading.Thread(target=self._listen, args=(name,), name=f"asks {name}", daemon=True)
            for name in self._askers
        ]
        self._threads.append(threading.Thread(target=self._publish, name="snapshots", daemon=True))
        for thread in self._threads:
            thread.start()

    def refresh(self) -> None:
        """Ask everybody now."""
        for event in self._now_please.values():
            event.set()

    def stop(self) -> None:
        """End; threads that wait for an answer end with it, or with the process."""
        self._stopping.set()
        self._news.set()
        self.refresh()

    def _listen(self, name: str) -> None:
        asker, ear, please = self._askers[name], self._ears[name], self._now_please[name]
        while not self._stopping.is_set():
            please.clear()
            _ask(asker, ear, self._timeout_s)
            self._news.set()
            if self._directly is not None and ear.heard(0.0).why:
                crew = _crew(self._cluster, name)
                ear.ask_daemons(crew, self._directly, self._timeout_s, self._news.set)
            since = clock.now().mono - self._begun
            please.wait(self._every_s - since % self._every_s)
        asker.close()

    def _publish(self) -> None:
        while not self._stopping.is_set():
            self._news.wait(self._every_s)
            self._stopping.wait(SETTLE_S)
            self._news.clear()
            if not self._stopping.is_set():
                now = clock.now().mono
                self._tell(
                    snapshot(self._cluster, {n: e.heard(now) for n, e in self._ears.items()})
                )


@contextmanager
def feeding(feed: Feed) -> Iterator[Feed]:
    """Run `feed` for the time of a `with` block."""
    feed.start()
    try:
        yield feed
    finally:
        feed.stop()
