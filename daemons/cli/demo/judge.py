"""Was the failover good? Pure: ledgers in, findings out. The product's own word counts for nothing here.

What each order says of its object (state, attempt, last check, downtime, acknowledgement) was put on
the command line by the scheduler: so the commands themselves tell whether it remembered.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from daemons.cli.demo.ledger import Run, Told

GRACE_S = 10.0  # beyond its interval a check may be unanswered this long
CUT_S = 1.0  # a result this young when its server died went down with it: its check runs again
EARLY = 0.4  # of the retry interval: a check run again sooner than this was run twice
STATES = {"host": ("UP", "DOWN", "DOWN", "DOWN"), "service": ("OK", "WARNING", "CRITICAL", "UNKNOWN")}


class Findings(Struct, frozen=True):
    """What the judge found; `wrong` says in sentences why the failover was not good."""

    first_check_s: float  # from the kill to the first check ordered afterwards; -1 = none
    longest_gap_s: float
    longest_gap_key: str
    unanswered: tuple[str, ...]  # checks whose gap was too long
    lost: tuple[str, ...]  # results of surviving pollers that the scheduler never heard of
    cut: int  # results that died with their server and whose checks ran again
    twice: tuple[str, ...]  # checks run by two owners
    differing: tuple[str, ...]  # objects whose state was another before and after
    repeated: tuple[str, ...]  # notifications repeated without a tag
    tagged: int  # repeated with a tag: in doubt, as they had begun when the server died
    unended: tuple[str, ...]  # begun, never ended, never repeated
    untold: tuple[str, ...]  # problems that had to be told and were not
    checks: int
    notifications: int

    @property
    def wrong(self) -> tuple[str, ...]:
        """Sentences; empty = a good failover."""
        said = []
        for what, found in (
            ("check unanswered for too long", self.unanswered),
            ("result lost", self.lost),
            ("check run twice", self.twice),
            ("state differs", self.differing),
            ("notification repeated", self.repeated),
            ("notification lost", self.unended),
            ("problem not told", self.untold),
        ):
            said += [f"{what}: {one}" for one in found]
        if self.first_check_s < 0:
            said.append("no check ran after the kill")
        if not self.notifications:
            said.append("no notification was sent at all: nothing was tested")
        return tuple(said)


def judge(
    runs: Sequence[Run],
    told: Sequence[Told],
    *,
    killed_at: float,
    killed: str,
    ended_at: float,
    interval_s: float,
    retry_s: float,
    ordered_after: str,
    to_tell: Sequence[str] = (),
) -> Findings:
    """Return what the ledgers say of the death of server `killed` at `killed_at` (Unix seconds).

    `ordered_after`: a server whose pollers served only after the kill; the first check there counts
    as the first under the new scheduler. `to_tell`: objects whose problem somebody must have been told.
    """
    by_key = _by_key(runs)
    gaps = {key: _gap_s(found, ended_at) for key, found in by_key.items()}
    gap_s, gap_key = longest_gap(runs, ended_at)
    lost, cut = _lost(by_key, killed, killed_at)
    repeated, tagged, unended = _notifications(told)
    after = [r.began for r in runs if r.began > killed_at and r.server == ordered_after]
    return Findings(
        first_check_s=min(after) - killed_at if after else -1.0,
        longest_gap_s=gap_s,
        longest_gap_key=gap_key,
        unanswered=tuple(
            f"{key} for {gap:.1f} s" for key, gap in sorted(gaps.items()) if gap > interval_s + GRACE_S
        ),
        lost=lost,
        cut=cut,
        twice=_twice(by_key, retry_s),
        differing=_differing(by_key, killed_at),
        repeated=repeated,
        tagged=tagged,
        unended=unended,
        untold=tuple(sorted(set(to_tell) - {t.key for t in told if t.kind == "PROBLEM" and t.ended})),
        checks=len(runs),
        notifications=len(told),
    )


def twice(runs: Sequence[Run], retry_s: float) -> tuple[str, ...]:
    """Return the checks that began again before they could be due, on word of another owner."""
    return _twice(_by_key(runs), retry_s)


def longest_gap(runs: Sequence[Run], ended_at: float) -> tuple[float, str]:
    """Return the longest time in seconds that a check was unanswered, and which; (0, "") for no runs."""
    gaps = ((_gap_s(found, ended_at), key) for key, found in _by_key(runs).items())
    return max(gaps, default=(0.0, ""))


def _by_key(runs: Sequence[Run]) -> dict[str, list[Run]]:
    by_key: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda r: r.began):
        by_key[run.key].append(run)
    return by_key


def _gap_s(runs: Sequence[Run], ended_at: float) -> float:
    """Seconds between two answers; also from the last one to the end of the observation."""
    ends = [run.ended for run in runs] + [ended_at]
    return max((b - a for a, b in pairwise(ends)), default=0.0)


def _lost(by_key: dict[str, list[Run]], killed: str, killed_at: float) -> tuple[tuple[str, ...], int]:
    """Results that the next order of the same object does not know of."""
    lost, cut = [], 0
    for key, runs in by_key.items():
        for before, after in pairwise(runs):
            if after.last_check >= int(before.began) - 1:
                continue
            if before.server == killed and before.ended > killed_at - CUT_S:
                cut += 1
            else:
                lost.append(f"{key}, run on {before.server} at {before.began:.1f}")
    return tuple(lost), cut


def _twice(by_key: dict[str, list[Run]], retry_s: float) -> tuple[str, ...]:
    return tuple(
        f"{key} at {before.began:.1f} on {before.server} and {after.began - before.began:.1f} s later on {after.server}"
        for key, runs in by_key.items()
        for before, after in pairwise(runs)
        if after.began - before.began < EARLY * retry_s and after.last_check <= before.last_check
    )


def _differing(by_key: dict[str, list[Run]], killed_at: float) -> tuple[str, ...]:
    """What the first order after the kill believes against the last one before it."""
    found = []
    for key, runs in by_key.items():
        before = [r for r in runs if r.ended < killed_at]
        after = [r for r in runs if r.began > killed_at + CUT_S]
        if not before or not after:
            continue
        last, first = before[-1], after[0]
        steady = len(before) > 2 and all(r.code == last.code for r in [*before[-3:], first])
        if (first.downtime, first.ack) != (last.downtime, last.ack):
            found.append(f"{key}: downtime {last.downtime} {last.ack}, then {first.downtime} {first.ack}")
        elif steady and (first.state, first.state_type) != (last.state, last.state_type):
            found.append(
                f"{key}: {last.state} {last.state_type}, then {first.state} {first.state_type}"
            )
        elif steady and last.state_type == "HARD" and first.attempt != last.attempt:
            found.append(f"{key}: attempt {last.attempt}, then {first.attempt}")
    return tuple(found)


def _notifications(told: Sequence[Told]) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    """Repeats without a tag, number of tagged ones, and those that began and never ended."""
    by_cause: dict[tuple[str, str, str, str], list[Told]] = defaultdict(list)
    for one in told:
        by_cause[(one.contact, one.key, one.kind, one.number)].append(one)
    repeated, tagged, unended = [], 0, []
    for (contact, key, kind, number), group in by_cause.items():
        episodes: dict[str, list[Told]] = defaultdict(list)
        for one in group:
            episodes[one.id].append(one)
        if len(episodes) > 1 and kind == "PROBLEM":
            repeated.append(f"{kind} {number} of {key} to {contact} under {len(episodes)} ids")
        for same in episodes.values():
            tagged += sum(1 for one in same[1:] if one.tagged)
            if any(not one.tagged for one in same[1:]):
                repeated.append(f"{kind} {number} of {key} to {contact}, {len(same)} times")
            if not any(one.ended for one in same):
                unended.append(f"{kind} {number} of {key} to {contact}")
    return tuple(repeated), tagged, tuple(unended)
