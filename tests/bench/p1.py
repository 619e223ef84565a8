"""P1: CPU per trivial active check of a whole one-server cluster, against the C loop in the same minute.

All daemons run as an operator would run them: keeper and watchdog, arbiter, scheduler, poller with
its workers, reactionner, receiver, broker with Simple-log. The baseline is taken before and after
each window with the tree frozen, so that the lease ends each time: windows begin once checks flow
again at the wanted rate.
"""

import os
import time
from collections.abc import Callable

from tests.bench.fleet import Fleet, until
from tests.bench.generate import Size
from tests.bench.measure import Window, tally, window

RATIO_MAX = 1.5
PARTS = (
    "keeper",
    "arbiter",
    "scheduler",
    "poller",
    "worker.py",
    "reactionner",
    "receiver",
    "broker",
    "watch",
)
SATURATED = Size(
    hosts=500, services=20, interval_s=2.0
)  # 5,000 a second are due: more than anybody can
FIXED = Size(hosts=200, services=20, interval_s=10.0)  # 400 a second
HEADER = (
    f"{'load':<11}{'runs/s':>8}{'of C':>6}{'ms':>7}{'C ms':>7}{'ratio':>7}{'plugin':>8}"
    + "".join(f"{part.removesuffix('.py'):>12}" for part in PARTS)
    + f"{'steal':>7}"
)


def run(windows: int = 3, window_s: float = 8.0) -> bool:
    """Print a line per window; return whether both loads are within the pass line."""
    print(
        f"P1: whole cluster, {os.cpu_count()} cores; CPU-us per check, plugins and by process\n{HEADER}"
    )
    good = True
    for label, size in (("saturated", SATURATED), ("400/s", FIXED)):
        ratios = sorted(w.ratio for w in measured(label, size, windows, window_s))
        median = ratios[len(ratios) // 2]
        print(
            f"{label}: median {median:.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f}), pass line {RATIO_MAX}"
        )
        good = good and median <= RATIO_MAX
    return good


def measured(label: str, size: Size, windows: int, window_s: float) -> list[Window]:
    """Measure `windows` windows on one cluster of `size`."""
    seen = []
    with Fleet("p1", size) as fleet:
        server = fleet.servers[0][0]
        fleet.start(server)
        until(lambda: fleet.active(server), 30, "the shard is active")
        for _ in range(windows):
            until(_flows(size.rate), 40, "checks flow", pause_s=1.0)
            seen.append(
                window(fleet.trees[server], window_s, settle_s=0.0, ready=_steady(size.rate))
            )
            _print(label, seen[-1])
    return seen


def _flows(rate: float) -> Callable[[], bool]:
    """Whether checks run: at the wanted rate, or at what the machine gives when that is more."""
    least = min(rate * 0.9, 300.0)

    def condition() -> bool:
        began, runs = time.monotonic(), tally()
        time.sleep(1.0)
        return (tally() - runs) / (time.monotonic() - began) >= least

    return condition


def _steady(rate: float) -> Callable[[], None]:
    """Wait, after the frozen baseline, until the backlog of the frozen time is worked off."""

    def wait() -> None:
        least, most = min(rate * 0.9, 300.0), rate * 1.1

        def condition() -> bool:
            began, runs = time.monotonic(), tally()
            time.sleep(1.0)
            return least <= (tally() - runs) / (time.monotonic() - began) <= most

        until(condition, 40, "checks flow steadily", pause_s=0.0)
        time.sleep(1.0)

    return wait


def _print(label: str, seen: Window) -> None:
    own = "".join(f"{seen.own_us(part):12.0f}" for part in PARTS)
    print(
        f"{label:<11}{seen.rate:8.0f}{seen.rate / seen.baseline_rate:6.2f}{seen.cpu_ms:7.3f}"
        f"{seen.baseline_ms:7.3f}{seen.ratio:7.2f}{seen.children_us:8.0f}{own}{seen.steal:7.2f}",
        flush=True,
    )
