"""How a scenario is played: once or many times in one running cluster, judged as a whole at the end.

A scenario is a function of a `Scene` that breaks something, waits, and returns its extra figures by name. It leaves
the cluster whole. The common pass lines are judged over everything that ran, from the first blow to the end.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from tests.cluster.bed import Bed
from tests.cluster.cluster import Cluster, NotReached, boot, until
from tests.cluster.judge import FOREVER, SETTLE_S, Evidence, Fault, Findings, Span, judge, resumed_s
from tests.cluster.ledger import Run
from tests.cluster.plan import Plan

Figures = dict[str, float]


class Line(Struct, frozen=True):
    """One extra figure and its pass line."""

    name: str
    limit: float
    unit: str = "s"
    of: str = "max"  # what must keep the limit: "max", "p99", "median"


class Scenario(Struct, frozen=True, kw_only=True):
    """One scenario of the scorecard."""

    id: str
    what: str
    play: Callable[["Scene"], Figures]
    lines: tuple[Line, ...] = ()
    plan: Plan = Plan()
    skewed: bool = False
    disk: str = ""  # size of a disk of their own for the work folders
    split: bool = False  # two servers both act: what both do must be tagged, not undone
    forgets: bool = False  # state is destroyed on purpose
    servers_more: int = 0  # servers without shinken, for stores
    prepare: Callable[["Scene"], None] = lambda scene: None  # before the cluster starts


class Scene:
    """A running cluster, and what was done to it."""

    def __init__(self, cluster: Cluster, *, long: bool = False) -> None:
        """`long`: hold faults as long as the scorecard says, not as short as shows the same."""
        self.cluster = cluster
        self.bed = cluster.bed
        self.long = long
        self.began = boot()
        self.faults = cluster.faults  # also those of scenes before this one
        self.to_tell: list[str] = []
        self.wrong: list[str] = []  # what the scenario itself found
        self.run = 0

    # -- what was done

    def fault(self, server: str, kind: str, at: float = 0.0) -> Fault:
        """Note that a fault begins on a server (now)."""
        self.faults.append(Fault(server, at or boot(), FOREVER, kind))
        return self.faults[-1]

    def over(self) -> None:
        """Note that every fault is over now."""
        now = boot()
        self.faults[:] = [Fault(f.server, f.began, min(f.ended, now), f.kind) for f in self.faults]

    def check(self, holds: bool, sentence: str) -> None:
        """Note what is wrong when something does not hold."""
        if not holds:
            self.wrong.append(f"run {self.run + 1}: {sentence}")

    # -- what happened

    @property
    def runs(self) -> list[Run]:
        """Every check that ran until now."""
        return self.cluster.ledger.read().runs

    def spans(self, lease: str = "") -> list[Span]:
        """Return who held a lease (all) when."""
        return [s for s in self.cluster.spans() if lease in ("", s.lease)]

    def resumed(self, at: float, limit_s: float = 30.0) -> float:
        """Wait until checks are ordered by an owner newer than those before `at`; return the seconds it took."""
        before = max((r.epoch for r in self.runs if r.began < at), default=0)
        seen = len(self.runs)

        def resumed() -> bool:
            nonlocal seen
            fresh, seen = self.runs[max(0, seen - 200) :], len(self.runs)
            return any(r.epoch > before for r in fresh)

        until(resumed, limit_s, "a newer owner orders checks")
        return resumed_s(self.runs, at)

    def leads(self, at: float, limit_s: float = 30.0) -> float:
        """Wait until the lease `arbiter` is held anew after `at`; return the seconds it took."""
        spans = until(
            lambda: [s for s in self.spans("arbiter") if s.began > at], limit_s, "an arbiter leads", 0.1
        )
        return min(s.began for s in spans) - at

    def watch(self, until_at: float) -> None:
        """Go on looking until a moment of CLOCK_BOOTTIME: the one thing that a measurement must wait for."""
        time.sleep(max(0.0, until_at - boot()))

    def findings(self, *, split: bool = False, forgets: bool = False) -> Findings:
        """Wait until what is under way has settled, and judge."""
        self.watch(boot() + SETTLE_S)
        ledger = self.cluster.ledger.read()
        return judge(
            Evidence(
                runs=ledger.runs,
                told=ledger.told,
                logs=self.cluster.simple_logs(),
                spans=self.spans(),
                faults=self.faults,
                began=self.began,
                ended=boot(),
                to_tell=self.to_tell,
                split=split,
                forgets=forgets,
            )
        )


class Outcome(Struct, frozen=True):
    """What a scenario gave."""

    id: str
    what: str
    runs: int
    figures: dict[str, list[float]]  # by name, one value a run
    lines: tuple[Line, ...]
    wrong: tuple[str, ...]
    counts: dict[str, int]
    rate: float  # checks per second
    took_s: float

    @property
    def good(self) -> bool:
        """Whether every pass line is kept."""
        return not self.wrong and not self.missed

    @property
    def missed(self) -> tuple[str, ...]:
        """Pass lines of extra figures that are not kept, as sentences."""
        found = []
        for line in self._not_kept():
            values = self.figures.get(line.name, [])
            said = f"{at(values, line.of):.3g}" if values else "not measured"
            found.append(f"{line.name}: {line.of} {said} {line.unit}, pass line {line.limit:g} {line.unit}")
        return tuple(found)

    @property
    def only_slow(self) -> bool:
        """Whether nothing is wrong but that something took longer than its pass line: the machine may be busy."""
        missed = self._not_kept()
        return bool(missed) and not self.wrong and all(
            line.unit == "s" and 0 < at(self.figures.get(line.name, []), line.of) < FOREVER for line in missed
        )

    def _not_kept(self) -> list[Line]:
        figures = self.figures
        return [
            line for line in self.lines
            if not figures.get(line.name) or not 0 <= at(figures[line.name], line.of) <= line.limit
        ]  # fmt: skip


def at(values: Sequence[float], of: str) -> float:
    """Return the "max", "p99" or "median" of figures; negative ones mean "never" and count as the worst."""
    return ranked([FOREVER if v < 0 else v for v in values], of)


def ranked(values: Sequence[float], of: str) -> float:
    """Return the "max", "p99" or "median" of some values, 0.0 when there are none."""
    if not values:
        return 0.0
    if of == "median":
        return statistics.median(values)
    return sorted(values)[len(values) - 1 if of == "max" else int(0.99 * (len(values) - 1))]


def perform(scenario: Scenario, folder: Path, runs: int = 1, *, long: bool = False) -> Outcome:
    """Play a scenario `runs` times in one cluster made for it; return what came of it. Raises BedFailed."""
    began = time.monotonic()
    with Bed(folder, scenario.plan.servers + scenario.servers_more) as bed:
        cluster = Cluster(bed, scenario.plan, skewed=scenario.skewed, disk=scenario.disk)
        scenario.prepare(Scene(cluster))
        try:
            cluster.start()
            cluster.flow()
        except NotReached as error:
            return _outcome(scenario, runs, {}, (f"the cluster did not start: {error}",), None, began)
        return play(scenario, cluster, runs, long=long)


def play(scenario: Scenario, cluster: Cluster, runs: int = 1, *, long: bool = False) -> Outcome:
    """Play a scenario `runs` times in a cluster that is whole; return what came of it."""
    began = time.monotonic()
    scene = Scene(cluster, long=long)
    figures: dict[str, list[float]] = {}
    try:
        for scene.run in range(runs):
            for name, value in scenario.play(scene).items():
                figures.setdefault(name, []).append(value)
    except NotReached as error:
        scene.wrong.append(f"run {scene.run + 1}: {error}")
    cluster.bed.heal()
    scene.over()
    found = scene.findings(split=scenario.split, forgets=scenario.forgets)
    return _outcome(scenario, runs, figures, (*scene.wrong, *found.wrong), found, began)


def _outcome(
    scenario: Scenario, runs: int, figures: dict[str, list[float]], wrong: tuple[str, ...],
    found: Findings | None, began: float,
) -> Outcome:  # fmt: skip
    names = ("cut", "again", "tagged", "changes", "checks", "notifications", "lines_elsewhere")
    counts = {name: getattr(found, name) for name in names} if found else {}
    return Outcome(
        scenario.id, scenario.what, runs, figures, scenario.lines, wrong, counts, scenario.plan.rate,
        time.monotonic() - began,
    )  # fmt: skip
