"""Reads the two ledgers that the demo's commands write, and a broker's log. A torn last line is left out."""

from pathlib import Path

from msgspec import Struct


class Run(Struct, frozen=True):
    """One run of a check, and what the scheduler believed when it ordered it."""

    began: float  # Unix seconds, by the command's own clock
    ended: float
    key: str  # "host" or "host/service"
    code: int
    server: str  # in whose work folder it ran
    state: str  # believed, as are all below
    state_type: str
    attempt: str
    last_check: float
    downtime: str
    ack: str


class Told(Struct, frozen=True):
    """One run of a notification command."""

    began: float
    server: str
    id: str
    tagged: bool
    kind: str
    key: str
    state: str
    number: str
    contact: str
    ended: bool  # it wrote its last line too


def read_runs(ledger: Path) -> list[Run]:
    """Return the runs in the order they ended."""
    runs = []
    for line in _lines(ledger / "checks"):
        words = line.split()
        if len(words) == 11:
            began, ended, key, code, folder, state, kind, attempt, last, downtime, ack = words
            runs.append(
                Run(
                    float(began), float(ended), key, int(code), Path(folder).name, state, kind,
                    attempt, float(last), downtime, ack,
                )
            )  # fmt: skip
    return runs


def read_told(ledger: Path) -> list[Told]:
    """Return the notifications in the order they began."""
    begun: dict[tuple[str, str], Told] = {}
    for line in _lines(ledger / "notifications"):
        words = line.split("|")
        if len(words) != 10:
            continue
        what, at, folder, nid, tagged, kind, key, state, number, contact = words
        begun[(nid, at)] = Told(
            float(at), Path(folder).name, nid, bool(tagged), kind, key, state, number, contact,
            ended=what == "end",
        )  # fmt: skip
    return sorted(begun.values(), key=lambda told: told.began)


def read_alerts(log: Path) -> list[str]:
    """Return the ALERT lines of a broker's log, in the order written; none when there is no log yet."""
    return [line for line in _lines(log) if " ALERT: " in line] if log.exists() else []


def _lines(path: Path) -> list[str]:
    text = path.read_text()
    return text[: text.rfind("\n") + 1].splitlines()
