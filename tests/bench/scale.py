"""A big cluster on one machine: how long it takes to start, to fail over, and what it weighs.

10,000 hosts / 100,000 services at 333 checks a second on one server, a standby with all roles on
another loopback address. The keeper must go on renewing the shard's lease while the scheduler loads,
starts, saves and runs: an epoch that moves without a death is a failure.
"""

import os
import signal
import sqlite3
import statistics
import time

import psutil
from msgspec import msgpack

from daemons.cli.reach import Keys, operator_peer
from daemons.cli.start import bundle_of
from daemons.model.status import Status
from daemons.net.client import Peer, Refused, Unreachable
from tests.bench.fleet import Fleet, until
from tests.bench.generate import Size
from tests.bench.measure import tally

SIZE = Size(hosts=10_000)
LATENCY_S = 60.0  # observed
FAILOVER_S_MAX = 2.0
LATENCY_S_MAX = 1.0  # p99
BEAT_S_MAX = 0.6  # L/4: with an older beat the keeper renews no lease
PROCESSES = (
    "keeper", "watch", "arbiter", "scheduler", "poller", "reactionner", "receiver", "broker",
)  # fmt: skip
_decode = msgpack.Decoder(Status).decode


class Scheduler:
    """What one scheduler says of itself, asked directly."""

    def __init__(self, fleet: Fleet, server: str, name: str) -> None:
        """Find it; nothing is asked yet."""
        bundle = bundle_of(str(fleet.folder / server))
        found = operator_peer(bundle, Keys(bundle), name)
        assert found is not None
        self._peer: Peer = found

    def figure(self, name: str) -> float:
        """Return one of its figures, or "active" and "epoch"; -1 when it does not answer."""
        try:
            said = self._peer.health(0.5)
        except (Unreachable, Refused):
            return -1.0
        return float(said.get(name, said.get("figures", {}).get(name, 0.0)))

    def active(self) -> bool:
        """Whether it runs a shard."""
        return self.figure("active") > 0

    def close(self) -> None:
        """Hang up."""
        self._peer.close()


def run(size: Size = SIZE, observe_s: float = LATENCY_S) -> bool:
    """Print all figures of one cluster's life; return whether every pass line was kept."""
    print(
        f"scale: {size.hosts} hosts, {size.checks} services, {size.rate:.0f} checks/s", flush=True
    )
    with Fleet("scale", size, servers=2) as fleet:
        (first, _), (second, _) = fleet.servers
        began, ran = time.monotonic(), tally()
        up_s = fleet.start(first)
        master = Scheduler(fleet, first, "scheduler-1")
        until(master.active, 120, "the shard is active", 0.02)
        active_s = time.monotonic() - began
        until(lambda: tally() > ran, 60, "the first check runs", 0.02)
        print(
            f"start: daemons up {up_s:.1f} s, shard active {active_s:.1f} s, "
            f"first check {time.monotonic() - began:.1f} s",
            flush=True,
        )
        fleet.start(second)
        standby = Scheduler(fleet, second, "scheduler-2")
        epoch = _lease_epoch(fleet, first)
        copied_s = until(
            lambda: _follows(fleet, first, second), 120, "the standby has the copy", 0.2
        )
        print(f"standby: whole copy {copied_s:.1f} s after its daemons were up", flush=True)
        beat_s = _observe(fleet, first, observe_s)
        p50, p99, samples = _latency(fleet, first, observe_s)
        print(
            f"check latency: p50 {p50:.2f} s, p99 {p99:.2f} s ({samples} checks in {observe_s:.0f} s)"
        )
        print(f"scheduler's beat: at most {beat_s:.2f} s old (limit {BEAT_S_MAX})")
        _print_memory(fleet, size)
        steady = _lease_epoch(fleet, first) == epoch
        print(
            f"lease kept: {'yes' if steady else 'NO: the epoch moved without a death'}", flush=True
        )
        failover_s, results_s = _kill(fleet, first, master, standby)
        print(
            f"failover after SIGKILL of the scheduler: active {failover_s:.2f} s, results {results_s:.2f} s"
        )
        for one in (master, standby):
            one.close()
    good = steady and failover_s <= FAILOVER_S_MAX and p99 <= LATENCY_S_MAX and beat_s <= BEAT_S_MAX
    print(
        f"pass lines: failover {FAILOVER_S_MAX} s, p99 {LATENCY_S_MAX} s, beat {BEAT_S_MAX} s: "
        f"{'kept' if good else 'MISSED'}"
    )
    return good


def _kill(fleet: Fleet, server: str, master: Scheduler, standby: Scheduler) -> tuple[float, float]:
    """Kill the master; return the seconds until the standby runs the shard, and has results."""
    seen = fleet.daemon(server, "scheduler")
    assert seen is not None
    began = time.monotonic()
    os.kill(seen.pid, signal.SIGKILL)
    until(standby.active, 30, "the standby runs the shard", 0.01)
    active_s = time.monotonic() - began
    until(lambda: standby.figure("results_applied") > 0, 30, "it has a result", 0.02)
    return active_s, time.monotonic() - began


def _observe(fleet: Fleet, server: str, seconds: float) -> float:
    """Return the greatest age of the scheduler's beat within `seconds`."""
    end, worst = time.monotonic() + seconds, 0.0
    while time.monotonic() < end:
        seen = fleet.daemon(server, "scheduler")
        worst = max(worst, seen.beat_age_s if seen else 0.0)
        time.sleep(0.1)
    return worst


def _lease_epoch(fleet: Fleet, server: str) -> int:
    census = fleet.census(server)
    leases = census.leases if census else ()
    return next((lease.epoch for lease in leases if lease.name.startswith("shard/")), 0)


def _follows(fleet: Fleet, first: str, second: str) -> bool:
    """Whether the standby's copy has come to where its owner is, or a delta behind."""
    owner, copy = fleet.daemon(first, "scheduler"), fleet.daemon(second, "scheduler")
    held = [d.report.shards[0] if d and d.report.shards else None for d in (owner, copy)]
    if held[0] is None or held[1] is None or not held[0].copied_n:
        return False
    return held[1].copied_epoch == held[0].epoch and held[1].copied_n >= held[0].copied_n - 2


def _latency(fleet: Fleet, server: str, seconds: float) -> tuple[float, float, int]:
    """Return p50 and p99 of (begun - due) of the checks of the last `seconds`, from retention."""
    path = fleet.spool(server) / "scheduler-1.retention.db"
    since = time.time() - seconds
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        rows = db.execute("SELECT value FROM record WHERE key >= ? AND key < ?", (b"o/", b"o0"))
        statuses = (_decode(value) for (value,) in rows)
        late = sorted(s.latency_s for s in statuses if s.checked and s.last_check_wall > since)
    db.close()
    if not late:
        return float("nan"), float("nan"), 0
    return statistics.median(late), late[int(len(late) * 0.99)], len(late)


def _print_memory(fleet: Fleet, size: Size) -> None:
    for server, _ in fleet.servers:
        rows: dict[str, list[float]] = {}
        for pid, (command, _) in fleet.trees[server].processes().items():
            name = _name(command)
            try:
                used = psutil.Process(pid).memory_full_info()
            except psutil.Error:
                continue
            if name:
                row = rows.setdefault(name, [0.0, 0.0])
                row[0] += used.rss / 2**20
                row[1] += used.uss / 2**20
        for name, (rss, uss) in sorted(rows.items(), key=lambda row: -row[1][1]):
            print(f"memory {server} {name:<12} RSS {rss:6.0f} MiB   USS {uss:6.0f} MiB")
        total = sum(uss for _, uss in rows.values())
        print(
            f"memory {server} all          USS {total:6.0f} MiB = {total * 1024 / size.checks:.2f} KiB per service"
        )


def _name(command: str) -> str:
    words = command.split()
    if any(word.endswith("worker.py") for word in words):
        return "workers"
    return next((word for word in words if word in PROCESSES), "")
