"""Was it good? Pure: ledgers, logs and the times of the faults in, sentences and figures out.

Each run of a check names its order (epoch, seq) and says it as its output; the next order of the same object tells
which output the scheduler had heard last. So from the ledger alone one sees what was lost, what was run twice, and
whose orders were obeyed. Each change of a `flip` service must be told once and logged once, and names its run.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from tests.cluster.ledger import Run, Told

CUT_S = 1.5  # a result this young may not have been copied yet: it dies, or is cut off, with its server
AGAIN_S = 1.0  # a check ordered again this soon was ordered before the result could be heard
SETTLE_S = 4.0  # what happened later than this before the end may still be on its way
RACE_S = 0.25  # between two runs that one poller starts for two owners in turn
IN_TIME_S = 1.0  # later than this a check is late (pass line of P8)
GONE_ON_S = 1.0  # after its lease a poller that is cut off may finish starting what it was lent
FOREVER = float("inf")


class Fault(Struct, frozen=True):
    """One fault on one server, as the scenario made it. Times are CLOCK_BOOTTIME."""

    server: str
    began: float
    ended: float = FOREVER
    kind: str = "dead"  # "dead": its pollers lost what they had; "cut": it hears nobody; "frozen": it does nothing


class Span(Struct, frozen=True):
    """A lease as a keeper logged it: `daemon` might act under `epoch` from `began` until `ended`."""

    lease: str
    daemon: str
    server: str
    epoch: int
    began: float
    ended: float


class Evidence(Struct, frozen=True):
    """All that the judge looks at."""

    runs: Sequence[Run]
    told: Sequence[Told]
    logs: Mapping[str, Sequence[str]] = {}  # by broker
    spans: Sequence[Span] = ()
    faults: Sequence[Fault] = ()
    began: float = 0.0  # judged from here
    ended: float = FOREVER
    to_tell: Sequence[str] = ()  # objects whose problem somebody must have been told
    lease_s: float = 2.5
    split: bool = False  # two servers act at once by their policy: two owners are no fault, an untagged repeat is
    forgets: bool = False  # state was destroyed on purpose: what was known before is no matter


class Findings(Struct, frozen=True):
    """The common pass lines: everything in here should be empty, but the counts at the end."""

    lost: tuple[str, ...]  # results of pollers that went on, unknown to the next order
    rerun: tuple[str, ...]  # one order carried out twice
    stale: tuple[str, ...]  # orders of an old owner, obeyed after its successor's
    fenced: tuple[str, ...]  # runs on a server that was cut off for longer than a lease
    owners: tuple[str, ...]  # a lease held twice at one time, or an epoch issued twice
    untold: tuple[str, ...]  # changes that nobody was told of
    repeated: tuple[str, ...]  # told again without a tag
    holes: tuple[str, ...]  # changes that no broker logged
    doubled: tuple[str, ...]  # lines twice in one log
    cut: int  # results that died with their server
    again: int  # checks ordered again before the first result was known
    tagged: int
    changes: int  # of `flip` services, all of which were looked for
    checks: int
    notifications: int
    lines_elsewhere: int  # lines that the other broker's log has too

    @property
    def wrong(self) -> tuple[str, ...]:
        """Sentences; empty = good."""
        said = []
        for what, found in (
            ("result lost", self.lost),
            ("order carried out twice", self.rerun),
            ("order of an old owner obeyed", self.stale),
            ("fenced server ran a check", self.fenced),
            ("two owners", self.owners),
            ("notification lost", self.untold),
            ("notification repeated without a tag", self.repeated),
            ("change not in the log", self.holes),
            ("line twice in a log", self.doubled),
        ):
            said += [f"{what}: {one}" for one in found[:5]]
            if len(found) > 5:
                said.append(f"{what}: {len(found) - 5} more")
        if not self.checks:
            said.append("no check ran at all: nothing was tested")
        return tuple(said)


def judge(evidence: Evidence) -> Findings:
    """Return what the evidence says of the common pass lines."""
    by_key = _by_key(evidence.runs)
    lost, cut, again = _lost(by_key, evidence)
    expected = changes(by_key, evidence)
    untold, repeated, tagged = _notifications(expected, evidence)
    holes, doubled, elsewhere = _history(expected, evidence)
    return Findings(
        lost=() if evidence.forgets else lost,
        rerun=_rerun(by_key, evidence),
        stale=_stale(evidence),
        fenced=_fenced(evidence),
        owners=() if evidence.split else overlaps(evidence.spans),
        untold=untold,
        repeated=repeated,
        holes=holes,
        doubled=doubled,
        cut=cut,
        again=again,
        tagged=tagged,
        changes=len(expected),
        checks=len(evidence.runs),
        notifications=len(evidence.told),
        lines_elsewhere=elsewhere,
    )


# ---------------------------------------------------------------- figures


def silence_s(runs: Iterable[Run], began: float, ended: float) -> float:
    """Return the longest time within [began, ended] in which no check began anywhere, in seconds."""
    times = [began, *sorted(r.began for r in runs if began <= r.began <= ended), ended]
    return max(b - a for a, b in pairwise(times))


def resumed_s(runs: Iterable[Run], at: float) -> float:
    """Return the seconds from `at` to the first check that a newer owner ordered; -1 = none did."""
    before = max((r.epoch for r in runs if r.began < at), default=0)
    after = [r.began for r in runs if r.began >= at and r.epoch > before]
    return min(after) - at if after else -1.0


def delayed_s(runs: Sequence[Run], began: float, ended: float, check_s: float) -> float:
    """Return the most by which a check came late within [began, ended]: its pause beyond `check_s`."""
    return max(pauses(runs, began, ended, check_s), default=0.0)


def normal_s(runs: Sequence[Run], at: float, check_s: float, tolerance_s: float = IN_TIME_S) -> float:
    """Return the seconds from `at` until every check comes in time again (pause at most `tolerance_s` too long)."""
    last = at
    for found in _by_key(runs).values():
        for before, after in pairwise(found):
            if after.began >= at and after.began - before.began > check_s + tolerance_s:
                last = max(last, after.began)
    return last - at


def pauses(runs: Iterable[Run], began: float, ended: float, check_s: float) -> list[float]:
    """Return by how much each check that began within [began, ended] came late: its pause beyond `check_s`."""
    return [
        after.began - before.began - check_s
        for found in _by_key(runs).values()
        for before, after in pairwise(found)
        if began <= after.began <= ended
    ]


def forgotten_s(runs: Sequence[Run], at: float) -> float:
    """Return how old, at `at`, was the oldest result that the first order after `at` does not know of."""
    known: dict[str, tuple[int, int]] = {}
    epoch = max((r.epoch for r in runs if r.began < at), default=0)
    for run in sorted(runs, key=lambda r: r.began):
        if run.began > at and run.epoch > epoch:
            known.setdefault(run.key, run.known)
    gone = [at - r.ended for r in runs if at - 60 < r.ended <= at and r.id > known.get(r.key, r.id)]
    return max(gone, default=0.0)


# ---------------------------------------------------------------- checks


def _by_key(runs: Iterable[Run]) -> dict[str, list[Run]]:
    by_key: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda r: r.began):
        by_key[run.key].append(run)
    return by_key


def _lost(by_key: Mapping[str, Sequence[Run]], evidence: Evidence) -> tuple[tuple[str, ...], int, int]:
    """Results that the next order does not know of: lost; cut off with their server; still on their way."""
    lost, cut, again = [], 0, 0
    for key, runs in by_key.items():
        for n, before in enumerate(runs):
            after = next((r for r in runs[n + 1 :] if r.epoch >= before.epoch), None)  # an old owner knows less
            if after is None or after.known >= before.id or after.began < evidence.began:
                continue
            if after.began < before.ended + AGAIN_S:
                again += 1
            elif _excused(before, evidence.faults):
                cut += 1
            else:
                lost.append(f"{key} r{before.epoch}.{before.seq}, run on {before.server} at {before.began:.2f}")
    return tuple(lost), cut, again


def _excused(run: Run, faults: Iterable[Fault]) -> bool:
    """Whether the poller of this run lost it honestly (it died) or could not hand it in yet."""
    for fault in faults:
        if fault.server != run.server or run.ended < fault.began - CUT_S:
            continue
        if run.began <= (fault.began + CUT_S if fault.kind == "dead" else fault.ended):
            return True
    return False


def _rerun(by_key: Mapping[str, Sequence[Run]], evidence: Evidence) -> tuple[str, ...]:
    found = []
    for key, runs in by_key.items():
        seen: dict[tuple[int, int], Run] = {}
        for run in runs:
            first = seen.setdefault(run.id, run)
            if first is not run and not _excused(first, evidence.faults) and run.began >= evidence.began:
                found.append(f"{key} r{run.epoch}.{run.seq} on {first.server} and {run.server}")
    return tuple(found)


def _stale(evidence: Evidence) -> tuple[str, ...]:
    """Runs that one poller began for an old owner after it had begun one for a newer owner."""
    found = []
    newest: dict[str, tuple[int, float]] = {}
    for run in sorted(evidence.runs, key=lambda r: r.began):
        epoch, since = newest.get(run.server, (0, 0.0))
        if run.epoch > epoch:
            newest[run.server] = (run.epoch, run.began)
        elif run.epoch < epoch and run.began > since + RACE_S:
            found.append(f"{run.key} r{run.epoch}.{run.seq} on {run.server}, {run.began - since:.2f} s after epoch {epoch}")
    return tuple(found)


def _fenced(evidence: Evidence) -> tuple[str, ...]:
    return tuple(
        f"{run.key} on {run.server}, {run.began - fault.began:.2f} s after it was cut off"
        for fault in evidence.faults
        if fault.kind == "cut"
        for run in evidence.runs
        if run.server == fault.server
        and fault.began + evidence.lease_s + GONE_ON_S < run.began < fault.ended
    )


def overlaps(spans: Iterable[Span]) -> tuple[str, ...]:
    """Return what speaks against one holder at a time and one issue of each epoch (invariants I1, I3)."""
    by_lease: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        by_lease[span.lease].append(span)
    found = []
    for lease, held in by_lease.items():
        held.sort(key=lambda s: s.began)
        for before, after in pairwise(held):
            if (before.daemon, before.epoch) == (after.daemon, after.epoch):
                continue  # its keeper was restarted and goes on from what the daemon says
            if after.epoch <= before.epoch:
                found.append(f"{lease}: epoch {after.epoch} of {after.daemon} after {before.epoch} of {before.daemon}")
            if after.began < before.ended:
                found.append(
                    f"{lease}: {after.daemon} {before.ended - after.began:.3f} s before {before.daemon} had to stop"
                )
    return tuple(found)


# ---------------------------------------------------------------- what had to be told and logged


class Change(Struct, frozen=True):
    """An applied result with another code than the one applied before it."""

    key: str
    run: Run
    kind: str  # "PROBLEM", "RECOVERY"


def changes(by_key: Mapping[str, Sequence[Run]], evidence: Evidence) -> list[Change]:
    """Return the changes of `flip` services that must be told and logged: those whose result was applied.

    Applied = a later order of the object knows it. What came too late in the observation is left out.
    """
    found = []
    for key, runs in by_key.items():
        if "/flip-" not in key:
            continue
        heard = {run.known for run in runs}
        applied = sorted((run for run in runs if run.id in heard), key=lambda r: r.id)
        last: Run | None = None
        for run in applied:
            changed = last is not None and (run.code == 0) != (last.code == 0)
            if last is not None and evidence.forgets and last.epoch != run.epoch:
                changed = False
            if changed and evidence.began <= run.began and run.ended < evidence.ended - SETTLE_S:
                found.append(Change(key, run, "RECOVERY" if run.code == 0 else "PROBLEM"))
            last = run
    return found


def _notifications(
    expected: Sequence[Change], evidence: Evidence
) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    """Changes that nobody was told of, notifications repeated without a tag, and how many were with one."""
    by_cause: dict[tuple[str, tuple[int, int], str], list[Told]] = defaultdict(list)
    for one in evidence.told:
        by_cause[(one.key, one.cause, one.contact)].append(one)
    untold = []
    for change in expected:
        told = by_cause.get((change.key, change.run.id, "operator"), [])
        if not any(one.ended for one in told):
            untold.append(f"{change.kind} of {change.key} r{change.run.epoch}.{change.run.seq} at {change.run.began:.2f}")
    for key in evidence.to_tell:
        if not any(one.key == key and one.kind == "PROBLEM" and one.ended for one in evidence.told):
            untold.append(f"PROBLEM of {key}")
    repeated, tagged = [], 0
    for (key, cause, _), told in by_cause.items():
        again = sorted(told, key=lambda t: t.began)[1:]
        tagged += sum(1 for one in again if one.tagged)
        repeated += [
            f"{one.kind} of {key} r{cause[0]}.{cause[1]} on {one.server} at {one.began:.2f}" for one in again if not one.tagged
        ]
    return tuple(untold), tuple(repeated), tagged


def holes_of(evidence: Evidence) -> tuple[str, ...]:
    """Return the changes that no broker's log has."""
    return _history(changes(_by_key(evidence.runs), evidence), evidence)[0]


def _history(
    expected: Sequence[Change], evidence: Evidence
) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    """Changes that no log has, lines that one log has twice, and lines that two logs have."""
    if not evidence.logs:
        return (), (), 0
    alerts = {broker: [x for x in lines if " SERVICE ALERT: " in x] for broker, lines in evidence.logs.items()}
    known = {_said_of(line) for lines in alerts.values() for line in lines}
    holes = [
        f"{c.key} r{c.run.epoch}.{c.run.seq} at {c.run.began:.2f}"
        for c in expected
        if (c.key, f"r{c.run.epoch}.{c.run.seq}") not in known
    ]
    doubled = [f"{broker}: {line}" for broker, lines in alerts.items() for line, n in Counter(lines).items() if n > 1]
    sets = [set(lines) for lines in alerts.values()]
    elsewhere = len(set.intersection(*sets)) if len(sets) > 1 else 0
    return tuple(holes), tuple(doubled), elsewhere


def _said_of(line: str) -> tuple[str, str]:
    """The object and the output of an alert line."""
    host, service, *_, output = line.partition(" ALERT: ")[2].split(";")
    return f"{host}/{service}", output
