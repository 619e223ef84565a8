"""Real servers on a loopback network of their own, and ways to look at them. Waits by condition only."""

import contextlib
import os
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from daemons.cli.demo.files import Layout, write
from daemons.cli.demo.ledger import Run, Told, read_alerts, read_runs, read_told
from daemons.cli.demo.servers import census, start_all, stop_all
from daemons.model.cluster import ROLES
from daemons.wire.messages import Census, DaemonSeen

T = TypeVar("T")
KEEPER_PORT = 7767


def wait_until(condition: Callable[[], T], deadline_s: float, what: str) -> T:
    """Return the first true answer of `condition`; fail with `what` when there is none in time."""
    end = time.monotonic() + deadline_s
    while not (answer := condition()):
        assert time.monotonic() < end, f"waited {deadline_s:g} s in vain until {what}"
        time.sleep(0.05)
    return answer


def free_network() -> str:
    """Return the first three numbers of a loopback network that nobody uses: tests run side by side."""
    while True:
        network = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}"
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((f"{network}.1", KEEPER_PORT))
            return network


def layout_at(base: Path, **more: object) -> Layout:
    """Return a layout of three servers below `base`, on a network of its own."""
    network = free_network()
    addresses = tuple((f"server{n}", f"{network}.{n}") for n in (1, 2, 3))
    return Layout(**{"base": base, "addresses": addresses, **more})


class Servers:
    """A running cluster."""

    def __init__(self, layout: Layout) -> None:
        """Write the files; nothing is started yet."""
        self.layout = layout
        self.said: list[str] = []
        write(layout)

    def start(self) -> None:
        """Start every server and wait until all daemons beat."""
        assert start_all(self.layout, self.said.append), "\n".join(self.said)

    def stop(self) -> list[int]:
        """End everything, by pid; return the processes that had to be found by other means."""
        stop_all(self.layout, self.said.append)
        return end_all_below(self.layout.base)

    def census(self, server: str) -> Census | None:
        """Return what the keeper of `server` says."""
        return census(self.layout, server)

    def seen(self, name: str) -> DaemonSeen | None:
        """Return one daemon as its keeper sees it."""
        for server in self.layout.servers:
            said = self.census(server) if server == server_of(name) else None
            for daemon in said.daemons if said else ():
                if daemon.name == name:
                    return daemon
        return None

    def active(self, role: str) -> list[DaemonSeen]:
        """Return the running daemons of `role` that are active."""
        return [d for d in self.daemons() if d.role == role and d.running and d.report.active]

    def daemons(self) -> list[DaemonSeen]:
        """Return every daemon of every server whose keeper answers."""
        return [d for s in self.layout.servers if (c := self.census(s)) for d in c.daemons]

    def runs(self) -> list[Run]:
        """Return the ledger of checks."""
        return read_runs(self.layout.ledger)

    def told(self) -> list[Told]:
        """Return the ledger of notifications."""
        return read_told(self.layout.ledger)

    def last(self, key: str) -> Run | None:
        """Return the newest run of a check."""
        return next((run for run in reversed(self.runs()) if run.key == key), None)

    def command(self, line: str) -> None:
        """Write one external command, stamped now, into the pipe of the active receiver."""
        receiver = wait_until(lambda: self.active("receiver"), 10, "a receiver is active")[0].name
        pipe = self.layout.workdir(server_of(receiver)) / "var" / receiver / "shinken.cmd"
        with open(pipe, "w") as file:
            file.write(f"[{int(time.time())}] {line}\n")

    def alerts(self, broker: str) -> list[str]:
        """Return the ALERT lines of a broker's simple log."""
        return read_alerts(self.layout.workdir(server_of(broker)) / "var" / broker / "simple.log")

    @property
    def whole(self) -> bool:
        """Whether every configured daemon runs, beats, and each role has somebody active."""
        seen = self.daemons()
        beating = [d for d in seen if d.running and 0 <= d.beat_age_s < 1]
        active = {d.role for d in beating if d.report.active}
        return len(beating) == 13 - (len(self.layout.servers) == 2 or self.layout.voter_only) and active == set(ROLES)

    def tells_once(self, name: str) -> None:
        """Wait until the problem of service `name` is told and logged; fail when either is repeated."""
        key = f"this-machine/{name}"
        wait_until(
            lambda: [t for t in self.told() if t.key == key and t.ended], 15, f"{name} was notified"
        )
        broker = wait_until(lambda: self.active("broker"), 10, "a broker is active")[0].name
        hard = f";{name};WARNING;HARD"
        wait_until(lambda: [a for a in self.alerts(broker) if hard in a], 5, f"{name} is logged")
        assert [line for line, n in Counter(self.alerts(broker)).items() if n > 1] == []
        assert len([t for t in self.told() if t.key == key]) == 1

    def flag(self, name: str, up: bool = True) -> None:
        """Break the service that watches flag `name`, or mend it."""
        path = self.layout.base / "flags" / name
        path.touch() if up else path.unlink(missing_ok=True)

    def has_begun(self) -> bool:
        """Return whether every role is active and every check has run at least twice."""
        counts: dict[str, int] = {}
        for run in self.runs():
            counts[run.key] = counts.get(run.key, 0) + 1
        return len(counts) >= self.layout.checks and min(counts.values()) >= 2


def server_of(daemon: str) -> str:
    """Return the server of a daemon of the demo, by its name."""
    return {"master": "server1", "2": "server2", "spare": "server3"}[daemon.rpartition("-")[2]]


def end_all_below(base: Path) -> list[int]:
    """Kill what `processes_below` finds; return what it was."""
    left = processes_below(base)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left


def processes_below(base: Path) -> list[int]:
    """Return the processes that work in `base` or name it on their command line, but this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            where = os.readlink(entry / "cwd")
        except OSError:
            continue
        ours = any(word.startswith(str(base).encode() + b"/") for word in words)
        if ours or where.startswith(f"{base}/"):
            found.append(int(entry.name))
    return found
