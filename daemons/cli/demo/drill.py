"""`make demo DRILL=1`: kill every process of server1 at once, wait until server3 runs everything, judge."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct

from daemons.cli.demo.files import Layout
from daemons.cli.demo.judge import Findings, judge
from daemons.cli.demo.ledger import read_runs, read_told
from daemons.cli.demo.servers import (
    census,
    make_anew,
    signal_all,
    signal_server,
    start_all,
    stop_all,
)
from daemons.cli.start import Say

FLOW_S = 60.0  # until checks flow and a problem was notified
TAKEN_S = 40.0  # until server3 runs everything
AFTER_S = 6.0  # observed after that, beyond two rounds of checks
ROUNDS = 3  # every check has run so often before the blow
HOST = "this-machine"
VICTIM, HEIR = "server1", "server3"
Way = Literal["kill", "freeze", "stale"]
ROLES = ("arbiter", "scheduler", "poller", "reactionner", "receiver", "broker")


class DrillFailed(Exception):
    """The drill could not be carried out; the text says at which step."""


class Outcome(Struct, frozen=True):
    """A drill's result."""

    taken_s: dict[str, float]  # seconds from the kill until the role was active on the heir
    roles: tuple[str, ...]  # those that had to be taken over
    findings: Findings


def drill(layout: Layout, say: Say, way: Way = "kill") -> Outcome:
    """Run the drill on a fresh demo and stop it afterwards. Raises DrillFailed, CannotStart.

    "kill" ends every process of server1 while a notification runs; "freeze" stops them and lets them go
    on when the spares have taken over; "stale" kills them when the spare scheduler has missed the last
    notification, which only the reactionner (far from server1) knows of.
    """
    make_anew(layout)
    try:
        say("starting " + ", ".join(layout.servers))
        if not start_all(layout, say):
            raise DrillFailed("not all servers came up")
        say("waiting until checks flow and a problem is notified")
        _until(lambda: _flows(layout), FLOW_S, "checks flow and a problem is notified")
        _silence_two(layout)
        say("acknowledged one problem, scheduled a downtime for another")
        _until(lambda: _silenced(layout), FLOW_S, "acknowledgement and downtime are in force")
        if way == "stale":
            _tell_behind_the_spare(layout, say)
        else:
            _break(layout, "slow-alarm")
            _until(lambda: _slow_begun(layout), FLOW_S, "a slow notification has begun")
        return _strike(layout, say, way)
    finally:
        say("stopping everything")
        stop_all(layout, lambda _: None)


def table(outcome: Outcome) -> str:
    """Return the drill's result as operators read it."""
    found = outcome.findings
    rows = [
        (f"{role} taken over", _seconds(outcome.taken_s.get(role, -1.0))) for role in outcome.roles
    ]
    rows += [
        ("first check on the spare", _seconds(found.first_check_s)),
        ("longest time a check was unanswered", f"{found.longest_gap_s:.1f} s ({found.longest_gap_key})"),
        ("checks unanswered too long", str(len(found.unanswered))),
        ("results lost", str(len(found.lost))),
        ("results cut off by the kill, run again", str(found.cut)),
        ("checks run twice", str(len(found.twice))),
        ("states that differ before and after", str(len(found.differing))),
        ("notifications lost", str(len(found.unended) + len(found.untold))),
        ("notifications repeated", str(len(found.repeated))),
        ("repeated with the tag, as in doubt", str(found.tagged)),
        ("checks / notifications in the ledgers", f"{found.checks} / {found.notifications}"),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value}" for name, value in rows]
    lines += [f"WRONG: {sentence}" for sentence in found.wrong]
    late = [role for role in outcome.roles if role not in outcome.taken_s]
    lines += [f"WRONG: {role} was not taken over" for role in late]
    lines.append("the failover was good" if good(outcome) else "the failover was NOT good")
    return "\n".join(lines)


def good(outcome: Outcome) -> bool:
    """Return whether nothing was lost, nothing repeated and everything taken over."""
    return not outcome.findings.wrong and all(role in outcome.taken_s for role in outcome.roles)


def _tell_behind_the_spare(layout: Layout, say: Say) -> None:
    """Stop the spare scheduler, have a problem told meanwhile, let it go on."""
    seen = census(layout, HEIR)
    spare = [d.pid for d in seen.daemons if d.role == "scheduler"] if seen else []
    signal_all(spare, signal.SIGSTOP)
    _break(layout, "early-alarm")
    key = f"{HOST}/early-alarm"
    _until(
        lambda: any(t.key == key and t.ended for t in read_told(layout.ledger)), FLOW_S, "it is told"
    )
    say("a problem was told that the spare scheduler does not know of")
    signal_all(spare, signal.SIGCONT)


def _strike(layout: Layout, say: Say, way: Way) -> Outcome:
    sign = signal.SIGSTOP if way == "freeze" else signal.SIGKILL
    killed_at = time.time()
    pids = signal_server(layout, VICTIM, sign)
    say(f"{'froze' if way == 'freeze' else 'killed'} all {len(pids)} processes of {VICTIM}")
    roles = tuple(r for r in ROLES if r != "reactionner" or not layout.far_reactionner)
    taken: dict[str, float] = {}
    first: list[float] = []

    def watch() -> bool:
        _note_taken(layout, taken, killed_at, say)
        if not first and any(r.server == HEIR and r.began > killed_at for r in read_runs(layout.ledger)):
            first.append(time.time())
        return taken.keys() >= set(roles) and bool(first)

    try:
        _until(watch, TAKEN_S, "server3 runs everything")
    except DrillFailed as error:
        say(str(error))
    if way == "freeze":
        signal_all(pids, signal.SIGCONT)
        say(f"{VICTIM} goes on as if nothing had happened")
    _break(layout, "late-alarm")
    say("broke one more service: it has to be told")
    after_s = AFTER_S + 2 * layout.check_s
    say(f"watching {after_s:.0f} s more")
    _pause(after_s)
    ended_at = time.time()
    findings = judge(
        read_runs(layout.ledger),
        read_told(layout.ledger),
        killed_at=killed_at,
        killed=VICTIM,
        ended_at=ended_at,
        interval_s=layout.check_s,
        retry_s=layout.retry_s,
        ordered_after=HEIR,
        to_tell=(f"{HOST}/late-alarm",),
    )
    return Outcome(taken, roles, findings)


def _note_taken(layout: Layout, taken: dict[str, float], killed_at: float, say: Say) -> None:
    seen = census(layout, HEIR)
    for daemon in seen.daemons if seen else ():
        if daemon.report.active and daemon.role not in taken:
            taken[daemon.role] = time.time() - killed_at
            say(f"  {daemon.role} runs on {HEIR} after {taken[daemon.role]:.1f} s")


def _flows(layout: Layout) -> bool:
    runs = read_runs(layout.ledger)
    counts: dict[str, int] = {}
    for run in runs:
        counts[run.key] = counts.get(run.key, 0) + 1
    notified = {told.key for told in read_told(layout.ledger) if told.ended}
    servers = {run.server for run in runs}
    both = layout.two_servers or {"server1", "server2"} <= servers
    problems = {f"{HOST}/{name}" for name in ("problem", "acknowledged", "downtime")}
    known = len(counts) == layout.checks and min(counts.values()) >= ROUNDS
    return both and known and problems <= notified


def _silence_two(layout: Layout) -> None:
    now = int(time.time())
    pipe = command_pipe(layout.workdir(VICTIM))
    with open(pipe, "w") as file:
        file.write(
            f"[{now}] ACKNOWLEDGE_SVC_PROBLEM;{HOST};acknowledged;1;0;1;operator;I know\n"
            f"[{now}] SCHEDULE_SVC_DOWNTIME;{HOST};downtime;{now};{now + 3600};1;0;0;operator;works\n"
        )


def command_pipe(workdir: Path) -> Path:
    """Return the named pipe of the receiver of a server."""
    return next(iter(sorted((workdir / "var").rglob("*.cmd"))), workdir / "var" / "shinken.cmd")


def _silenced(layout: Layout) -> bool:
    last = {run.key: run for run in read_runs(layout.ledger)}
    return (
        last[f"{HOST}/downtime"].downtime == "1"
        and last[f"{HOST}/acknowledged"].ack == "ack=operator"
    )


def _break(layout: Layout, service: str) -> None:
    (layout.base / "flags" / service).touch()


def _slow_begun(layout: Layout) -> bool:
    return any("slow-alarm" in told.key and not told.ended for told in read_told(layout.ledger))


def _until(condition: Callable[[], bool], limit_s: float, what: str) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise DrillFailed(f"waited {limit_s:.0f} s in vain until {what}")
        time.sleep(0.1)


def _pause(seconds: float) -> None:
    time.sleep(seconds)


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 0 else "never"
