"""Operations as people and scripts read them. Pure: text and dicts of what the leader answered."""

import re
from typing import Any

from console.facts import Snapshot
from daemons.wire.operations import Move, Operation, Operations, Waiting

_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|d)?", re.IGNORECASE)
_UNIT_S = {"": 1.0, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DIES = re.compile(r"\s*(?:if\s+)?(\S+)(?:\s+(?:dies|died|is dead|is lost|fails|goes down))?\s*")


def seconds(text: str) -> float:
    """Return the seconds that "90", "30s", "10m", "2h", "1h30m" or "1d" mean. Raises ValueError."""
    pieces = list(_TIME.finditer(text.strip()))
    if not pieces or "".join(p[0] for p in pieces).replace(" ", "") != text.replace(" ", ""):
        raise ValueError(f"{text!r} is no time: say it like 30s, 10m, 2h or 1h30m")
    return sum(float(p[1]) * _UNIT_S[(p[2] or "").lower()] for p in pieces)


def victim(text: str) -> str:
    """Return the name in "server1 dies" or "server1". Raises ValueError."""
    found = _DIES.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is not understood: say it like "server1 dies"')
    return found[1]


def lines(operation: Operation) -> list[str]:
    """Return an operation for a terminal."""
    shown = [operation.text] if operation.text else []
    if operation.moves:
        shown.append("")
        shown += _table(operation.moves)
    if operation.unsafe:
        shown += ["", "What may be lost or stay undone:"]
        shown += [f"  ! {text}" for text in operation.unsafe]
    if operation.phases:
        shown.append("")
        shown += [
            f"  {p.at_s:7.2f} s  {p.name}{f' {p.about}' if p.about else ''}{f' {p.text}' if p.text else ''}"
            for p in operation.phases
        ]
    gap = operation.figures.get("handover_gap_s")
    if gap is not None:
        parts = ", ".join(
            f"{name} {operation.figures[key]:.3f} s"
            for key, name in (
                ("handover_drain_s", "last delta"),
                ("handover_lease_s", "lease"),
                ("handover_start_s", "start"),
            )
            if key in operation.figures
        )
        shown.append(f"  no checks were ordered for {gap:.3f} s ({parts})")
    if operation.state not in ("planned", "refused"):
        shown += ["", f"{operation.state} after {operation.took_s:.2f} s (operation {operation.id})"]
    return shown


def as_dict(operation: Operation) -> dict[str, Any]:
    """Return an operation for a script."""
    return {
        "id": operation.id,
        "act": operation.act,
        "name": operation.name,
        "state": operation.state,
        "text": operation.text,
        "actor": operation.actor,
        "reason": operation.reason,
        "wall": operation.wall,
        "took_s": operation.took_s,
        "moves": [_move(m) for m in operation.moves],
        "phases": [
            {"name": p.name, "at_s": p.at_s, "about": p.about, "text": p.text}
            for p in operation.phases
        ],
        "unsafe": list(operation.unsafe),
        "figures": operation.figures,
    }


def going_on(known: Operations | None, snapshot: Snapshot | None = None) -> dict[str, Any]:
    """Return the fields of `shinken status --json` about operations; nulls when nobody leads.

    A pause is then as the keepers of `snapshot` know it.
    """
    if known is None:
        return {"pause": _kept_pause(snapshot), "failback": None, "last_operation": None}
    pause = known.pause
    return {
        "pause": {
            "left_s": round(known.paused_left_s, 1),
            "until_wall": pause.until_wall,
            "by": pause.by,
            "reason": pause.reason,
        }
        if pause is not None
        else None,
        "failback": [
            {
                "what": w.what,
                "now_at": w.now_at,
                "preferred": w.preferred,
                "wait_s": w.wait_s if w.wait_s >= 0 else None,
                "why": w.why,
            }
            for w in known.waiting
        ],
        "last_operation": as_dict(known.operations[-1]) if known.operations else None,
    }


def _kept_pause(snapshot: Snapshot | None) -> dict[str, Any] | None:
    paused = max(snapshot.servers, key=lambda s: s.paused_s) if snapshot else None
    if paused is None or not paused.paused_s:
        return None
    return {
        "left_s": round(paused.paused_s, 1),
        "until_wall": None,
        "by": paused.paused_by,
        "reason": paused.paused_why,
    }


def going_on_lines(known: Operations | None) -> list[str]:
    """Return what a status page says of operations: nothing when there is nothing."""
    if known is None:
        return []
    shown = []
    if known.pause is not None:
        shown.append(
            f"PAUSED for {known.paused_left_s:.0f} s more by {known.pause.by}: {known.pause.reason}"
        )
    shown += [_waiting(w) for w in known.waiting]
    if known.operations:
        last = known.operations[-1]
        shown.append(f"last operation: {last.act} {last.name} {last.state}: {last.text}")
    return shown


def _waiting(waiting: Waiting) -> str:
    when = f"in {waiting.wait_s:.0f} s" if waiting.wait_s >= 0 else "not by itself"
    return (
        f"failback: {waiting.what} from {waiting.now_at} to {waiting.preferred} {when}: {waiting.why}"
    )


def _table(moves: tuple[Move, ...]) -> list[str]:
    what = max(len(_what(m)) for m in moves)
    source = max(len(m.source) for m in moves)
    shown = []
    for m in moves:
        risk = f"   ({m.risk})" if m.risk else ""
        shown.append(f"  {_what(m):<{what}}  {m.source:<{source}} -> {m.target or 'nobody'}{risk}")
    return shown


def _what(move: Move) -> str:
    if move.what == "arbiter":
        return "the lead"
    return move.what if move.what.startswith("shard/") else f"{move.role}'s work"


def _move(move: Move) -> dict[str, str]:
    return {
        "what": move.what,
        "role": move.role,
        "from": move.source,
        "to": move.target,
        "risk": move.risk,
    }
