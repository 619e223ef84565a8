"""A cluster in a bed: real processes by `shinken start`, asked from inside their own server.

The one thing to know: nothing here believes the cluster about what it did. Censuses are for waiting; what happened
is in the ledgers, in the logs of the processes and in the brokers' logs.
"""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from daemons.cli.reach import Keys, operator_peer
from daemons.cli.start import CannotStart, bundle_of
from daemons.model.cluster import ROLES
from daemons.net.client import Peer, Refused, Unreachable
from daemons.wire.codec import decode, encode
from daemons.wire.messages import Census, CensusAsk, DaemonSeen
from tests.cluster.bed import Bed
from tests.cluster.judge import Fault, Span
from tests.cluster.ledger import Ledger
from tests.cluster.plan import Plan, Site, write

T = TypeVar("T")

START_S = 60.0
ASK_S = 0.5
_LEASE = re.compile(r"(holds|ended) lease=(\S+) daemon=(\S+) epoch=\d+ number=(\d+) (from|until)_mono=([\d.]+)")


class NotReached(AssertionError):
    """A condition of a scenario was not reached in time; the text says which."""


def boot() -> float:
    """Return CLOCK_BOOTTIME, the clock of ledgers and leases."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def until(condition: Callable[[], T], limit_s: float, what: str, pause_s: float = 0.05) -> T:
    """Return the first true answer of `condition`. Raises NotReached."""
    end = boot() + limit_s
    while not (answer := condition()):
        if boot() > end:
            raise NotReached(f"waited {limit_s:g} s in vain until {what}")
        time.sleep(pause_s)
    return answer


class Cluster:
    """The servers of a bed with shinken on them."""

    def __init__(self, bed: Bed, plan: Plan, *, skewed: bool = False, disk: str = "") -> None:
        """Write the files; nothing is started yet.

        `skewed`: the bed can skew its clocks. `disk`: the size of a disk of its own for each work folder.
        """
        self.bed = bed
        self.plan = plan
        self.skewed = skewed
        self.site: Site = write(plan, bed.folder)
        self.ledger = Ledger(self.site.runs, self.site.told)
        self.servers = tuple(bed.servers)[: plan.servers]
        self.faults: list[Fault] = []  # all that was done to it
        self._peers: dict[str, Peer] = {}
        for server in self.servers if disk else ():
            bed[server].disk(self.site.work(server), disk)

    # -- starting and ending

    def start(self) -> None:
        """Start every server at once; return when all daemons run. Raises NotReached."""
        starts = [self.begin_start(server) for server in self.servers]
        for start in starts:
            start.wait(START_S)
        until(lambda: self.whole, START_S, "every daemon runs and each role is active")

    def begin_start(self, server: str) -> subprocess.Popen[bytes]:
        """Run `shinken start` on one server; the answer ends when that has."""
        return self.shinken(
            server, "start", "-c", str(self.site.main(server)), "--workdir", str(self.site.work(server)),
            log=self.bed[server].folder / "start.log",
        )  # fmt: skip

    def shinken(self, server: str, *words: str, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Run a `shinken` command on a server."""
        argv = [sys.executable, "-m", "console.cli", *words]
        root = str(Path(__file__).parents[2])
        return self.bed[server].run(argv, env={"PYTHONPATH": root}, skewed=self.skewed, log=log)

    def flow(self) -> None:
        """Wait until every check has run twice and something was told. Raises NotReached."""
        wanted = self.plan.services + self.plan.flips + len(self.plan.watches) + self.plan.hosts

        def flows() -> bool:
            seen: dict[str, int] = {}
            for run in self.ledger.read().runs:
                seen[run.key] = seen.get(run.key, 0) + 1
            told = any(t.ended for t in self.ledger.told)
            return len(seen) == wanted and min(seen.values()) >= 2 and (told or not self.plan.flips)

        until(flows, 60 + 3 * self.plan.check_s, "every check has run twice and something was told")

    # -- looking

    def census(self, server: str) -> Census | None:
        """Return what the keeper of `server` says, asked on that server; None when it does not answer."""
        return self.bed[server].inside(lambda: self._census(server))

    def _census(self, server: str) -> Census | None:
        peer = self._peers.get(server)
        if peer is None:
            try:
                bundle = bundle_of(str(self.site.work(server)))
            except CannotStart:
                return None
            peer = operator_peer(bundle, Keys(bundle), f"keeper@{server}")
            assert peer is not None
            self._peers[server] = peer
        try:
            answer = decode(peer.ask(encode(CensusAsk()), ASK_S))
        except (Unreachable, Refused):
            return None
        return answer if isinstance(answer, Census) else None

    def daemons(self, *servers: str) -> Iterator[DaemonSeen]:
        """Yield every daemon of these servers (all) whose keeper answers."""
        for server in servers or self.servers:
            said = self.census(server)
            yield from said.daemons if said else ()

    def seen(self, name: str) -> DaemonSeen | None:
        """Return one daemon as its keeper sees it, None when it cannot be asked."""
        return next((d for d in self.daemons(self.server_of(name)) if d.name == name), None)

    def active(self, role: str, *servers: str) -> DaemonSeen | None:
        """Return the daemon of `role` on these servers (all) that runs and is active, if there is one."""
        return next((d for d in self.daemons(*servers) if d.role == role and d.running and d.report.active), None)

    def owner(self) -> str:
        """Return the name of the scheduler that runs the shard. Raises NotReached."""
        return until(lambda: self.active("scheduler"), 20, "a scheduler is active").name

    def server_of(self, name: str) -> str:
        """Return where a daemon is, by its name."""
        return {"master": "server1", "2": "server2", "spare": f"server{self.plan.servers}"}[name.rpartition("-")[2]]

    @property
    def whole(self) -> bool:
        """Whether every daemon runs and beats, each role is active, the standby follows, voters may grant."""
        said = [self.census(server) for server in self.servers]
        if not all(said):
            return False
        daemons = [d for census in said if census for d in census.daemons]
        if len(daemons) < self.plan.daemons or any(not d.running or not 0 <= d.beat_age_s < 1 for d in daemons):
            return False
        if {d.role for d in daemons if d.report.active} != set(ROLES):
            return False
        phases = sorted(s.phase for d in daemons for s in d.report.shards)
        return (
            phases.count("active") == 1 and phases.count("standby") >= 1
            and all(census.voter_quarantine_s <= 0 for census in said if census)
            and not any("durability" in p for d in daemons for p in d.report.problems)
        )  # fmt: skip

    def wait_whole(self, limit_s: float = 40.0) -> None:
        """Wait until the cluster is as after its start. Raises NotReached."""
        until(lambda: self.whole, limit_s, "every daemon runs, beats and is in its place")

    # -- breaking

    def kill(self, name: str) -> float:
        """SIGKILL one daemon, not its workers; return when (CLOCK_BOOTTIME)."""
        return self.signal(name, signal.SIGKILL)

    def signal(self, name: str, sign: signal.Signals) -> float:
        """Send a signal to one daemon's own process; return when (CLOCK_BOOTTIME)."""
        daemon = until(lambda: self.seen(name), 10, f"{name} is known to its keeper")
        at = boot()
        self.bed[self.server_of(name)].signal([daemon.pid], sign)
        return at

    def pids(self, server: str) -> list[int]:
        """Return keeper and daemons of a server, by their numbers on it."""
        census = until(lambda: self.census(server), 10, f"the keeper of {server} answers")
        return [census.pid, *(d.pid for d in census.daemons if d.pid)]

    def flag(self, name: str, up: bool = True) -> None:
        """Break the service that watches flag `name`, or mend it."""
        path = self.site.flags / name
        path.touch() if up else path.unlink(missing_ok=True)

    def command(self, line: str) -> None:
        """Write one external command, stamped now, into the pipe of the active receiver."""
        receiver = until(lambda: self.active("receiver"), 10, "a receiver is active").name
        server = self.server_of(receiver)
        pipe = self.bed[server].seen(self.site.work(server) / "var" / receiver / "shinken.cmd")
        with open(pipe, "w") as file:
            file.write(f"[{int(time.time())}] {line}\n")

    # -- what was written

    def log(self, name: str) -> str:
        """Return the whole log of a daemon, or of "keeper@<server>"."""
        what, _, at = name.partition("@")
        server = at or self.server_of(name)
        path = self.bed[server].seen(self.site.work(server) / "log" / f"{what}.log")
        return path.read_text(errors="replace") if path.exists() else ""

    def simple_logs(self) -> dict[str, list[str]]:
        """Return the lines of each broker's log, by broker."""
        found = {}
        for name in ("broker-master", "broker-spare"):
            server = self.server_of(name)
            path = self.bed[server].seen(self.site.work(server) / "var" / name / "simple.log")
            found[name] = path.read_text().splitlines() if path.exists() else []
        return found

    def spans(self) -> list[Span]:
        """Return from when to when each daemon held each lease, from the keepers' logs.

        What has no end in the log ended with its server, if that died, or goes on.
        """
        found: list[Span] = []
        for server in self.servers:
            began: dict[tuple[str, str, int], float] = {}
            deaths = [f.began for f in self.faults if f.server == server and f.kind == "dead"]
            for match in _LEASE.finditer(self.log(f"keeper@{server}")):
                what, lease, daemon, number, _, at = match.groups()
                key = (lease, daemon, int(number))
                if what == "holds":
                    began.setdefault(key, float(at))
                elif key in began:
                    found.append(Span(lease, daemon, server, key[2], began.pop(key), float(at)))
            for (lease, daemon, number), since in began.items():
                ended = min((at for at in deaths if at >= since), default=boot())
                found.append(Span(lease, daemon, server, number, since, ended))
        return sorted(found, key=lambda s: s.began)
