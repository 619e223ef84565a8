"""A drill: the work of a daemon or a server is moved away for real, or the daemon is killed, and measured.

The one thing to know: it is a failover, not a picture of one. It ends with everything back where it was,
and its report says how long each phase took and whether anything is wrong afterwards.
"""

import os
import signal
import time
from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from console.facts import Snapshot
from console.leader import Leader
from console.operated import as_dict
from daemons.wire.operations import Operate, Operation

BACK_S = 30.0  # until a killed daemon is back, or its work is elsewhere
LOOK_S = 0.05

Look = Callable[[], Snapshot]
Way = Literal["drain", "kill"]


class CannotDrill(Exception):
    """The drill would prove nothing, or cannot be done from here; the text says why."""


class Step(Struct, frozen=True):
    """One phase of a drill."""

    name: str
    took_s: float
    text: str = ""


class Drilled(Struct, frozen=True):
    """The report of a drill."""

    name: str
    way: Way
    good: bool
    steps: tuple[Step, ...]
    problems: tuple[str, ...]  # that were not there before
    operations: tuple[Operation, ...] = ()


def as_report(drilled: Drilled) -> dict[str, Any]:
    """Return the report for a script."""
    return {
        "drill": drilled.name,
        "way": drilled.way,
        "good": drilled.good,
        "phases": [
            {"name": s.name, "took_s": round(s.took_s, 3), "text": s.text} for s in drilled.steps
        ],
        "problems": list(drilled.problems),
        "operations": [as_dict(op) for op in drilled.operations],
    }


def report_lines(drilled: Drilled) -> list[str]:
    """Return the report for a terminal."""
    shown = [f"drill of {drilled.name} by {drilled.way}", ""]
    shown += [f"  {s.took_s:7.2f} s  {s.name}{f': {s.text}' if s.text else ''}" for s in drilled.steps]
    gaps = [
        op.figures["handover_gap_s"] for op in drilled.operations if "handover_gap_s" in op.figures
    ]
    if gaps:
        shown.append(f"  no checks were ordered for at most {max(gaps):.3f} s")
    shown += [f"  ! {text}" for text in drilled.problems]
    return [*shown, "", "GOOD" if drilled.good else "NOT GOOD"]


def drain(
    name: str, leader: Leader, look: Look, order: Callable[..., Operate], patience_s: float
) -> Drilled:
    """Move the work off `name` and back. Raises CannotDrill, NobodyLeads."""
    before = look()
    _ready(before)
    operations = []
    steps = []
    for act, reason in (("failover", f"drill of {name}"), ("failback", f"end of the drill of {name}")):
        began = time.monotonic()
        wanted = order(act, name=name, reason=reason)
        ended = leader.outcome(leader.operate(wanted), patience_s, lambda _: None)
        operations.append(ended)
        if ended.state == "refused" and act == "failover":
            raise CannotDrill(ended.text)
        steps.append(Step(act, time.monotonic() - began, f"{ended.state}, {ended.text}"))
        if ended.state != "done":
            break
    problems = _fresh_problems(before, look)
    good = all(op.state == "done" for op in operations) and not problems
    return Drilled(name, "drain", good, tuple(steps), problems, tuple(operations))


def kill(name: str, server: str, look: Look) -> Drilled:
    """Kill the process of the daemon `name` on this server and watch. Raises CannotDrill."""
    before = look()
    _ready(before)
    daemon = before.daemon(name)
    if daemon is None or not daemon.pid:
        raise CannotDrill(f"{name} does not run")
    if daemon.server != server:
        raise CannotDrill(f"{name} runs on {daemon.server}: a process can be killed on its own server only")
    began = time.monotonic()
    try:
        os.kill(daemon.pid, signal.SIGKILL)
    except (PermissionError, ProcessLookupError) as error:
        raise CannotDrill(f"cannot kill {name}, process {daemon.pid}: {error.strerror}") from error
    steps = []
    noticed = _wait(look, lambda s: (d := s.daemon(name)) is None or d.instance != daemon.instance)
    steps.append(Step("noticed", noticed - began if noticed else BACK_S))
    taken = _wait(look, lambda s: _is_done(before, s, name))
    steps.append(Step("work goes on", taken - began if taken else BACK_S))
    back = _wait(look, lambda s: (d := s.daemon(name)) is not None and d.health == "alive" and d.pid > 0)
    steps.append(Step("runs again", back - began if back else BACK_S))
    problems = _fresh_problems(before, look)
    good = bool(noticed and taken and back) and not problems
    return Drilled(name, "kill", good, tuple(steps), problems)


def _ready(snapshot: Snapshot) -> None:
    wrong = [p.text for p in snapshot.problems if p.severity == "critical"]
    if not snapshot.leader:
        raise CannotDrill("nobody leads: mend that first")
    if wrong:
        raise CannotDrill(f"mend what is wrong first: {wrong[0]}")


def _is_done(before: Snapshot, now: Snapshot, name: str) -> bool:
    """Whether somebody alive does what the killed one did."""
    was = before.daemon(name)
    assert was is not None
    if was.role == "scheduler":
        mine = {s.id for s in before.shards if s.owner == name}
        return all(s.owner and s.phase == "active" for s in now.shards if s.id in mine) and (
            not mine or bool(now.shards)
        )
    return any(
        d.active and d.health == "alive" and d.role == was.role and d.instance != was.instance
        for d in now.daemons
    )


def _wait(look: Look, condition: Callable[[Snapshot], bool]) -> float | None:
    """When the condition first held, None if it never did."""
    end = time.monotonic() + BACK_S
    while time.monotonic() < end:
        if condition(look()):
            return time.monotonic()
        time.sleep(LOOK_S)
    return None


def _fresh_problems(before: Snapshot, look: Look) -> tuple[str, ...]:
    """What is wrong afterwards and was not before; some seconds are given to catch up."""
    known = {p.text for p in before.problems}
    found: tuple[str, ...] = ()

    def settled(snapshot: Snapshot) -> bool:
        nonlocal found
        found = tuple(
            p.text for p in snapshot.problems if p.severity != "advice" and p.text not in known
        )
        return not found

    _wait(look, settled)
    return found
