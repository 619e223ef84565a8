"""F12-F16: where things wait or are kept: brokers that are away, a receiver that dies, a store that fails."""

import secrets
import signal
import socket
import time
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from pymemcache.client.base import Client

from daemons.cli.reach import Keys, operator_peer
from daemons.cli.start import bundle_of
from daemons.net.client import Refused, Unreachable
from daemons.wire.codec import decode, encode
from daemons.wire.messages import Accepted, Submit, Submitted
from tests.cluster.cluster import boot, until
from tests.cluster.judge import Evidence, forgotten_s, holes_of, pauses
from tests.cluster.ledger import NOTHING
from tests.cluster.scene import Figures, Scene, ranked

BROKERS = ("broker-master", "broker-spare")
STORE = "server4"  # memcached has a server of its own: what is done to it is done to nothing else
PORT = 11211
WINDOW_S = 6.0  # delays are compared over windows of this length, before and during a fault
COMMANDS = 50


def f12_brokers_away(scene: Scene) -> Figures:
    """Both brokers hang for 5 min (15 s), meanwhile the scheduler is killed; then they go on."""
    cluster = scene.cluster
    stopped = boot()
    for name in BROKERS:
        cluster.signal(name, signal.SIGSTOP)
    at_kill = cluster.kill(cluster.owner())
    scene.resumed(at_kill)
    owner = cluster.owner()
    before = _rss(scene, owner)
    scene.watch(stopped + (300.0 if scene.long else 15.0))
    more = _rss(scene, owner) - before
    on_at = boot()
    for name in BROKERS:
        cluster.signal(name, signal.SIGCONT)
    until(lambda: not _holes(scene, on_at), 60, "every change is in the log")
    replayed = boot() - on_at
    cluster.wait_whole()
    return {"replayed": replayed, "scheduler grew": max(0.0, more / 1e6)}


def _holes(scene: Scene, ended: float) -> Sequence[str]:
    """Changes before `ended` that no broker has logged yet."""
    return holes_of(Evidence(
        runs=scene.runs, told=(), logs=scene.cluster.simple_logs(), began=scene.began, ended=ended,
    ))  # fmt: skip


def _rss(scene: Scene, name: str) -> float:
    """Resident bytes of a daemon, after half a second: it has just begun or has long run."""
    daemon = until(lambda: scene.cluster.seen(name), 10, f"{name} is seen")
    words = scene.bed[scene.cluster.server_of(name)].sh(f"cat /proc/{daemon.pid}/statm").split()
    return float(words[1]) * 4096


def f13_receiver_killed(scene: Scene) -> Figures:
    """Kill the receiver right after it took commands, while no scheduler runs; then fill its disk."""
    cluster = scene.cluster
    receiver = until(lambda: cluster.active("receiver"), 10, "a receiver is active").name
    server = cluster.server_of(receiver)
    schedulers = ("scheduler-master", "scheduler-spare")
    for name in schedulers:
        cluster.signal(name, signal.SIGSTOP)
    scene.watch(boot() + 3.0)  # nobody holds the shard any more
    names = _submit(scene, receiver)
    scene.check(len(names) == COMMANDS, f"only {len(names)} of {COMMANDS} commands were taken")
    cluster.kill(receiver)
    scene.watch(boot() + (300.0 if scene.long else 3.0))
    for name in schedulers:
        cluster.signal(name, signal.SIGCONT)
    on_at = boot()
    cluster.wait_whole()
    until(lambda: not _missing(scene, names), 30, "every command that was taken is in the log")
    arrived = boot() - on_at
    lines = _applied(scene)
    twice = [name for name in names if max(lines.get(name, {0: 0}).values()) > 1]
    scene.check(not twice, f"{len(twice)} commands were applied twice")
    receiver = until(lambda: cluster.active("receiver"), 10, "a receiver is active").name
    server = cluster.server_of(receiver)
    work = cluster.site.work(server)
    scene.bed[server].disk_full(work)
    refused = COMMANDS - len(_submit(scene, receiver, count=1, size=200_000))
    scene.bed[server].disk_full(work, False)
    until(lambda: len(_submit(scene, receiver)) == COMMANDS, 30, "commands are taken again", 0.5)
    cluster.wait_whole()
    return {"applied after": arrived, "lost": float(len(_missing(scene, names))), "refused when full": float(refused > 0)}


def _submit(scene: Scene, receiver: str, count: int = COMMANDS, size: int = 0) -> list[str]:
    """Give the receiver passive results; return the names of those it said it has on disk."""
    cluster = scene.cluster
    server = cluster.server_of(receiver)
    names = [f"c{secrets.token_hex(6)}" for _ in range(count)]
    filler = "x" * size
    items = tuple(
        Submitted(
            name, f"[{int(time.time())}] PROCESS_SERVICE_CHECK_RESULT;host0;late;0;{name} {filler}", time.time()
        )
        for name in names
    )  # fmt: skip

    def ask() -> list[str]:
        bundle = bundle_of(str(cluster.site.work(server)))
        peer = operator_peer(bundle, Keys(bundle), receiver)
        assert peer is not None
        try:
            answer = decode(peer.ask(encode(Submit("scenario", items)), 3.0))
        except (Unreachable, Refused):
            return []
        finally:
            peer.close()
        return [name for name in names if isinstance(answer, Accepted) and name in answer.durable]

    return scene.bed[server].inside(ask)


def _applied(scene: Scene) -> dict[str, dict[str, int]]:
    """How often each broker's log has each command of a scenario as a passive check."""
    found: dict[str, dict[str, int]] = {}
    for broker, lines in scene.cluster.simple_logs().items():
        for line in lines:
            if " PASSIVE SERVICE CHECK: " in line:
                counts = found.setdefault(line.rpartition(";")[2].split()[0], {})
                counts[broker] = counts.get(broker, 0) + 1
    return found


def _missing(scene: Scene, names: Sequence[str]) -> list[str]:
    applied = _applied(scene)
    return [name for name in names if name not in applied]


# ---------------------------------------------------------------- memcached


class Memcached:
    """The store of F14 and F15, on a server of its own."""

    def __init__(self, scene: Scene) -> None:
        """Name it; `start` starts it."""
        self.server = scene.bed[STORE]

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        self.server.run(["memcached", "-u", "root", "-l", self.server.address, "-p", str(PORT), "-m", "64"])
        until(lambda: self.say("version") is not None, 5, "memcached answers")

    def say(self, line: str) -> str | None:
        """Return its answer to one line, None when there is none."""

        def ask() -> str | None:
            try:
                with socket.create_connection((self.server.address, PORT), 1) as connection:
                    connection.sendall(f"{line}\r\n".encode())
                    return connection.recv(65536).decode()
            except OSError:
                return None

        return self.server.inside(ask)

    def fill(self) -> None:
        """Write until it evicts what it had."""

        def write() -> None:
            block = b"x" * 900_000
            with socket.create_connection((self.server.address, PORT), 5) as connection:
                for n in range(120):
                    connection.sendall(b"set filler%d 0 0 %d\r\n%s\r\n" % (n, len(block), block))
                    connection.recv(100)

        self.server.inside(write)

    def pids(self) -> list[int]:
        """Return its processes that live, by their numbers on its server; one that ended may wait to be reaped."""
        found = self.server.sh("ps -C memcached -o pid=,stat= || true").splitlines()
        return [int(pid) for pid, state in map(str.split, found) if not state.startswith("Z")]

    def kill(self) -> None:
        """SIGKILL it."""
        self.server.signal(self.pids(), signal.SIGKILL)
        until(lambda: not self.pids(), 5, "memcached has ended", 0.01)


def with_memcached(scene: Scene) -> None:
    """Start memcached before the cluster."""
    Memcached(scene).start()


def f14_store_fails(scene: Scene) -> Figures:
    """Break memcached in one way a run, in turn: scheduling must not notice."""
    kinds: Sequence[Callable[[Scene, Memcached], Callable[[], None]]] = (_killed, _hung, _flushed, _evicting, _emptied, _slow)
    store = Memcached(scene)
    began = boot()
    scene.watch(began + WINDOW_S)
    calm = pauses(scene.runs, began, boot(), scene.cluster.plan.check_s)
    broken = boot()
    mend = kinds[scene.run % len(kinds)](scene, store)
    scene.watch(broken + (30.0 if scene.long else WINDOW_S))
    hurt = pauses(scene.runs, broken, boot(), scene.cluster.plan.check_s)
    mend()
    scene.cluster.wait_whole(60)
    return {
        "delay added": max(0.0, ranked(hurt, "median") - ranked(calm, "median")),
        "delay added, p99": max(0.0, ranked(hurt, "p99") - ranked(calm, "p99")),
    }


def _killed(scene: Scene, store: Memcached) -> Callable[[], None]:
    store.kill()
    return store.start


def _hung(scene: Scene, store: Memcached) -> Callable[[], None]:
    pids = store.pids()
    store.server.signal(pids, signal.SIGSTOP)
    return lambda: store.server.signal(pids, signal.SIGCONT)


def _flushed(scene: Scene, store: Memcached) -> Callable[[], None]:
    store.say("flush_all")
    return lambda: None


def _evicting(scene: Scene, store: Memcached) -> Callable[[], None]:
    store.fill()
    return lambda: None


def _emptied(scene: Scene, store: Memcached) -> Callable[[], None]:
    store.kill()
    store.start()
    return lambda: None


def _slow(scene: Scene, store: Memcached) -> Callable[[], None]:
    for server in scene.cluster.servers:
        scene.bed.delay(STORE, server, 0.3)
    return scene.bed.heal


def f16_bad_pages(scene: Scene) -> Figures:
    """Every copy in memory is gone and pages in the store are damaged: they are named, the others are used."""
    cluster = scene.cluster
    keepers = {server: cluster.pids(server)[0] for server in ("server1", "server3")}
    killed = boot()
    for server, pid in keepers.items():
        scene.bed[server].signal([pid], signal.SIGSTOP)  # it would start its scheduler again at once
        schedulers = [int(p) for p in scene.bed[server].sh("pgrep -f 'daemons scheduler'").split()]
        scene.bed[server].signal(schedulers, signal.SIGKILL)
        scene.bed[server].sh(f"rm -f {cluster.site.work(server)}/spool/scheduler-*.retention.db*")
    damaged = scene.bed[STORE].inside(lambda: _damage(scene.bed[STORE].address, scene.run))
    scene.check(damaged > 0, "no page was damaged")
    for server, pid in keepers.items():
        scene.bed[server].signal([pid], signal.SIGCONT)
    scene.resumed(killed)
    scene.watch(boot() + cluster.plan.check_s + 2.0)
    first: dict[str, bool] = {}
    for run in sorted(scene.runs, key=lambda r: r.began):
        if run.began > killed and run.epoch == max(r.epoch for r in scene.runs[-50:]):
            first.setdefault(run.key, run.known != NOTHING)
    said = cluster.log("scheduler-master") + cluster.log("scheduler-spare")
    scene.check("retention of shard=1: " in said, "no log names what is damaged")
    scene.check("bug in role" not in said, "a scheduler crashed over it")
    cluster.wait_whole(60)
    return {"remembered": sum(first.values()) / max(1, len(first)), "forgotten": 1 - sum(first.values()) / max(1, len(first))}


def _damage(address: str, turn: int) -> int:
    """Damage the first pages of the shard in one way; return how many."""
    client = Client((address, PORT), connect_timeout=1, timeout=3)
    listed = client.raw_command(b"lru_crawler metadump all", b"END\r\n").decode()
    keys = [unquote(line.split()[0].removeprefix("key=")) for line in listed.splitlines() if line.startswith("key=")]
    pages = [key for key in keys if (parts := key.split(":"))[-1].isdigit() and len(parts) > 4 and parts[-3] == "0"]
    for key in pages:
        value = client.get(key) or b""
        bad = (b"\x80\x04K\x01." * 20, value[: len(value) // 2], bytes([value[0] ^ 0xFF]) + value[1:])[turn % 3]
        client.set(key, bad, noreply=False)
    client.close()
    return len(pages)


def f15_store_and_scheduler(scene: Scene) -> Figures:
    """Flush memcached and kill the scheduler together: the standby's copy is enough."""
    cluster = scene.cluster
    Memcached(scene).say("flush_all")
    killed = cluster.kill(cluster.owner())
    resumed = scene.resumed(killed)
    scene.watch(killed + cluster.plan.check_s + 2.0)
    lost = forgotten_s(scene.runs, killed)
    cluster.wait_whole()
    return {"failover": resumed, "state loss": lost}
