"""P4: `shinken verify` of 10,000 hosts / 100,000 services, against `nagios4 -v` on the same objects.

Ours also reads the daemon definitions and cuts the shards, as a start would. Where nagios4 is not
installed (Debian: nagios4-core) our figures stand alone.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from tests.bench.generate import Size, write, write_nagios
from tests.bench.mistakes import plant

RATIO_MAX = 2.0
RUNS = 3
SIZE = Size(hosts=10_000)
ROOT = Path(__file__).parents[2]


class Cost(Struct, frozen=True):
    """What one run took."""

    wall_s: float
    cpu_s: float
    rss_mib: float  # at its peak


def run(runs: int = RUNS) -> bool:
    """Print each run and the medians; return whether the CPU ratio is within the pass line."""
    print(f"P4: {SIZE.hosts} hosts, {SIZE.checks} services; {runs} runs each, by turns")
    folder = Path(tempfile.mkdtemp(prefix="shinken-bench-"))
    folder.chmod(0o777)  # nagios4 reads, and tries to write, as a user of its own
    try:
        main = write(folder, SIZE, "/bin/true", (("server1", "127.0.0.1"),))
        commands = {"shinken": ours(main)}
        if nagios := shutil.which("nagios4") or shutil.which("nagios4", path="/usr/sbin"):
            commands["nagios4"] = [nagios, "-v", str(write_nagios(folder))]
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                costs[name].append(cost(command))
        looks = finds_mistakes(main)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, all_ in costs.items():
        print(
            f"{name:<8} wall {_spread([c.wall_s for c in all_])} s   "
            f"CPU {_spread([c.cpu_s for c in all_])} s   peak {_spread([c.rss_mib for c in all_])} MiB"
        )
    return _judged(costs) and looks


def finds_mistakes(main: Path) -> bool:
    """Plant ten mistakes in the timed files, print and return whether each is complained of at its line."""
    objects = main.parent / "objects.cfg"
    text, planted = plant(objects.read_text())
    objects.write_text(text)
    said = subprocess.run([*ours(main), "--json"], cwd=ROOT, capture_output=True, check=False)
    where = [c["where"] for c in json.loads(said.stdout)["complaints"]]
    found = sum(1 for mistake in planted if f"{objects}:{mistake.line}" in where)
    print(f"{found} of {len(planted)} planted mistakes were found, each at its file and line")
    return found == len(planted)


def ours(main: Path) -> list[str]:
    """Return the command that verifies `main`."""
    return [sys.executable, "-m", "console.cli", "verify", "-c", str(main)]


def cost(command: Sequence[str], env: Mapping[str, str] | None = None) -> Cost:
    """Run `command` to its end; return what it took. Raises RuntimeError when it fails."""
    began = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd=ROOT
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        raise RuntimeError(
            f"{' '.join(command)}: code {process.returncode}: {said.decode()[-2000:]}"
        )
    return Cost(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _judged(costs: dict[str, list[Cost]]) -> bool:
    if "nagios4" not in costs:
        print("no ratio: nagios4 is not installed here")
        return True
    ratio = {
        word: statistics.median(of(c) for c in costs["shinken"])
        / statistics.median(of(c) for c in costs["nagios4"])
        for word, of in (("CPU", lambda c: c.cpu_s), ("wall", lambda c: c.wall_s))
    }
    print(f"ratio: CPU {ratio['CPU']:.2f}, wall {ratio['wall']:.2f} (pass line {RATIO_MAX} of CPU)")
    return ratio["CPU"] <= RATIO_MAX


def _spread(values: list[float]) -> str:
    digits = 0 if min(values) > 20 else 2
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"
