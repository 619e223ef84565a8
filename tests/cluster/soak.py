"""`make soak HOURS=1 [SEED=7]`: random faults on one cluster, from a seed; then the judge, and what grew.

Each fault is one of those that the scenarios show alone; between two the cluster becomes whole again, or the soak says
when it did not. Resident memory and descriptors of every process are looked at once a minute.
"""

import argparse
import random
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from tests.cluster.bed import Bed, lacking
from tests.cluster.cluster import Cluster, NotReached, boot
from tests.cluster.plan import Plan
from tests.cluster.scene import Scene

SLOPE_MB_H = 1.0  # resident memory may grow by so much in an hour, once a daemon has run for one
SETTLED_S = 600.0  # what a process uses before is its start
SAMPLE_S = 60.0
Blow = Callable[[Scene, random.Random], str]


def soak(scene: Scene, seconds: float, seed: int, say: Callable[[str], None]) -> list[str]:
    """Break a running cluster for so long; return what was wrong, as sentences."""
    chance = random.Random(seed)
    use: dict[tuple[str, int], list[tuple[float, float, float]]] = defaultdict(list)
    end, sample_at, blows = boot() + seconds, 0.0, 0
    wrong: list[str] = []
    while boot() < end:
        if boot() >= sample_at:
            sample_at = boot() + SAMPLE_S
            _sample(scene, use)
        blow = chance.choice(BLOWS)
        said = blow(scene, chance)
        began = boot()
        scene.bed.heal()
        scene.over()
        try:
            scene.cluster.wait_whole(60)
        except NotReached as error:
            wrong.append(f"after {blows} faults, {said}: {error}")
            break
        blows += 1
        say(f"{blows:4d} {said}; whole after {boot() - began:.1f} s")
        scene.watch(boot() + chance.uniform(1.0, 6.0))
    wrong += scene.findings().wrong
    wrong += _grown(use)
    say(f"{blows} faults in {seconds:.0f} s, {len(scene.runs)} checks, {len(scene.cluster.ledger.told)} notifications")
    return wrong


def _kill(scene: Scene, chance: random.Random) -> str:
    daemon = chance.choice([d for d in scene.cluster.daemons() if d.running])
    if daemon.role == "poller":
        scene.fault(scene.cluster.server_of(daemon.name), "dead")
    scene.cluster.kill(daemon.name)
    scene.watch(boot() + 3.0)
    return f"killed {daemon.name}"


def _stop(scene: Scene, chance: random.Random) -> str:
    daemon = chance.choice([d for d in scene.cluster.daemons() if d.running])
    for_s = chance.uniform(0.5, 8.0)
    if daemon.role == "poller":
        scene.fault(scene.cluster.server_of(daemon.name), "frozen")
    scene.cluster.signal(daemon.name, signal.SIGSTOP)
    scene.watch(boot() + for_s)
    scene.bed[scene.cluster.server_of(daemon.name)].signal([daemon.pid], signal.SIGCONT)
    return f"stopped {daemon.name} for {for_s:.1f} s"


def _keeper(scene: Scene, chance: random.Random) -> str:
    server = chance.choice(scene.cluster.servers)
    scene.bed[server].signal(scene.cluster.pids(server)[:1], signal.SIGKILL)
    scene.watch(boot() + 3.0)
    return f"killed the keeper of {server}"


def _off(scene: Scene, chance: random.Random) -> str:
    server = chance.choice(scene.cluster.servers)
    scene.fault(server, "dead")
    scene.bed[server].power_off()
    scene.watch(boot() + chance.uniform(0.5, 8.0))
    scene.bed[server].power_on()
    scene.cluster.begin_start(server).wait(60)
    return f"{server} lost its power"


def _freeze(scene: Scene, chance: random.Random) -> str:
    server, for_s = chance.choice(scene.cluster.servers), chance.uniform(0.5, 10.0)
    scene.fault(server, "frozen")
    scene.bed[server].freeze()
    scene.watch(boot() + for_s)
    scene.bed[server].freeze(False)
    return f"froze {server} for {for_s:.1f} s"


def _isolate(scene: Scene, chance: random.Random) -> str:
    server, for_s = chance.choice(scene.cluster.servers), chance.uniform(0.5, 12.0)
    scene.fault(server, "cut")
    scene.bed.isolate(server, chance.choice(("drop", "reset")))
    scene.watch(boot() + for_s)
    return f"cut off {server} for {for_s:.1f} s"


def _part(scene: Scene, chance: random.Random) -> str:
    one, other = chance.sample(scene.cluster.servers, 2)
    for_s = chance.uniform(0.5, 12.0)
    for server in (one, other):
        scene.fault(server, "parted")
    scene.bed.block(one, other)
    if chance.random() < 0.6:
        scene.bed.block(other, one)
    scene.watch(boot() + for_s)
    return f"{one} not heard at {other} for {for_s:.1f} s"


def _slow(scene: Scene, chance: random.Random) -> str:
    one, other = chance.sample(scene.cluster.servers, 2)
    delay_s, percent = chance.uniform(0.02, 0.3), chance.choice((0, 5, 20))
    for server in (one, other):
        scene.fault(server, "parted")
    scene.bed.delay(one, other, delay_s, delay_s / 4)
    if percent:
        scene.bed.lose(other, one, percent)
    scene.watch(boot() + chance.uniform(2.0, 10.0))
    return f"{one} to {other} {delay_s * 1000:.0f} ms late, {percent} % lost back"


BLOWS: tuple[Blow, ...] = (_kill, _kill, _stop, _keeper, _off, _freeze, _isolate, _part, _slow)


def _sample(scene: Scene, use: dict[tuple[str, int], list[tuple[float, float, float]]]) -> None:
    """Note resident bytes and descriptors of every keeper and daemon, by name and pid."""
    for server in scene.cluster.servers:
        census = scene.cluster.census(server)
        if census is None:
            continue
        named = [(f"keeper@{server}", census.pid), *((d.name, d.pid) for d in census.daemons if d.running)]
        for name, pid in named:
            line = f"cat /proc/{pid}/statm 2>/dev/null; ls /proc/{pid}/fd 2>/dev/null | wc -l"
            words = scene.bed[server].sh(line).split()
            if len(words) == 8:
                use[name, pid].append((boot(), float(words[1]) * 4096, float(words[7])))


def _grown(use: dict[tuple[str, int], list[tuple[float, float, float]]]) -> list[str]:
    """What grew beyond the line in processes that ran for long."""
    found = []
    for (name, _), samples in sorted(use.items()):
        later = [s for s in samples if s[0] - samples[0][0] > SETTLED_S]
        if len(later) < 10:
            continue
        hours = (later[-1][0] - later[0][0]) / 3600
        slope = (later[-1][1] - later[0][1]) / 1e6 / hours
        if slope > SLOPE_MB_H:
            found.append(f"{name} grew by {slope:.1f} MB an hour")
        if later[-1][2] > later[0][2] + 20:
            found.append(f"{name} has {later[-1][2]:.0f} descriptors, had {later[0][2]:.0f}")
    return found


def main(argv: list[str] | None = None) -> int:
    """Soak; return 0 when nothing was wrong, 1 when something was, 3 when there can be no bed here."""
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--keep", type=Path, help="keep logs and ledgers in this folder")
    options = parser.parse_args(argv)
    if why := lacking():
        print(f"no bed on this machine: {why}", file=sys.stderr)
        return 3
    print(f"seed {options.seed}: again with make soak HOURS={options.hours:g} SEED={options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="shinken-soak-") as folder, Bed(options.keep or Path(folder), 3) as bed:
        cluster = Cluster(bed, Plan())
        cluster.start()
        cluster.flow()
        wrong = soak(Scene(cluster), options.hours * 3600, options.seed, lambda text: print(text, flush=True))
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    print("the soak was good" if not wrong else "the soak was NOT good")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
