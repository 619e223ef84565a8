"""`shinken doctor`: what is wrong with the live cluster and with how it is set up, in one list."""

from collections.abc import Sequence
from pathlib import Path

from console.facts import WORST_FIRST, Problem, Snapshot
from daemons.model.cluster import ROLES


def examine(snapshot: Snapshot, files: Sequence[str]) -> tuple[Problem, ...]:
    """Return the problems of `snapshot` and the complaints about `files`, worst first.

    Files that this machine does not have are left out: their servers judge them at each start.
    """
    found = list(snapshot.problems)
    if files and all(Path(f).is_file() for f in files):
        # The files say where to write the spare; the snapshot only that there is none.
        found = [p for p in found if p.severity != "advice" or p.about not in ROLES]
        found += complaints(files)
    return tuple(sorted(found, key=lambda p: WORST_FIRST.index(p.severity)))


def complaints(files: Sequence[str]) -> list[Problem]:
    """Return what `shinken verify` says of `files`."""
    from daemons.cli.configuration import read_configuration  # slow: only when needed

    return [
        Problem(
            "critical" if c.severity == "error" else "warning",
            f"{c.text} ({c.where})" if c.where else c.text,
            c.fix or "see shinken verify",
            c.where,
        )
        for c in read_configuration(files).complaints
    ]
