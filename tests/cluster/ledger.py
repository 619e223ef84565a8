"""What really ran: the lines that plugins and notification commands wrote, read as they come.

Times are CLOCK_BOOTTIME of the machine, the same on every server of a bed. A torn last line waits for its end.
"""

from pathlib import Path

from msgspec import Struct

NOTHING, FOREIGN = (0, 0), (1 << 62, 0)  # known runs that are none


class Run(Struct, frozen=True, gc=False):
    """One run of a check."""

    began: float
    ended: float
    server: str
    epoch: int  # with `seq`: which order of the object it carried out
    seq: int
    key: str  # "host" or "host/service"
    code: int
    known: tuple[int, int]  # the run its scheduler had heard of last, (0, 0) = none
    state: str  # believed, as are the next two
    state_type: str
    attempt: str

    @property
    def id(self) -> tuple[int, int]:
        """Which order of the object."""
        return (self.epoch, self.seq)


class Told(Struct, frozen=True, gc=False):
    """One run of a notification command."""

    began: float
    server: str
    epoch: int  # of the owner that ordered it
    id: str
    tagged: bool
    kind: str
    key: str
    state: str
    number: str
    contact: str
    cause: tuple[int, int]  # the run whose result is told
    ended: bool


class Ledger:
    """Both ledgers of a cluster. `read` takes in what was written since it was called last."""

    def __init__(self, runs: Path, told: Path) -> None:
        """Nothing is read yet."""
        self.runs: list[Run] = []  # as they ended
        self._told: dict[tuple[str, float], Told] = {}
        self._files = {runs: 0, told: 0}
        self._paths = (runs, told)

    @property
    def told(self) -> list[Told]:
        """The notifications, as they began."""
        return sorted(self._told.values(), key=lambda t: t.began)

    def read(self) -> "Ledger":
        """Take in what is new; return itself."""
        runs, told = self._paths
        self.runs += [run for line in self._fresh(runs) if (run := run_of(line)) is not None]
        for line in self._fresh(told):
            if (one := told_of(line)) is not None:
                self._told[(one.id, one.began)] = one
        return self

    def _fresh(self, path: Path) -> list[str]:
        with open(path, "rb") as file:
            file.seek(self._files[path])
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._files[path] += len(whole)
        return whole.decode().splitlines()


def run_of(line: str) -> Run | None:
    """Return the run a line tells of, None when it is none."""
    words = line.split()
    if len(words) != 10:
        return None
    began, ended, server, order, key, code, known, state, kind, attempt = words
    _, epoch, seq = order.split(".")
    return Run(
        float(began), float(ended), server, int(epoch), int(seq), key, int(code), run_id(known), state, kind, attempt
    )


def told_of(line: str) -> Told | None:
    """Return the notification a line tells of, None when it is none."""
    words = line.split()
    if len(words) != 12:
        return None
    what, began, server, order, nid, tag, kind, key, state, number, contact, output = words
    return Told(
        float(began), server, int(order.split(".")[1]), nid, tag == "tagged", kind, key, state, number, contact, run_id(output),
        ended=what == "ended",
    )  # fmt: skip


def run_id(output: str) -> tuple[int, int]:
    """Return which run said "r<epoch>.<seq>"; NOTHING for none yet, FOREIGN for a passive result or another text."""
    epoch, _, seq = output.removeprefix("r").partition(".")
    if epoch.isdigit() and seq.isdigit():
        return (int(epoch), int(seq))
    return NOTHING if output == "-" else FOREIGN
