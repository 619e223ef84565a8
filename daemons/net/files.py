"""Configuration files of this machine, for `config.load`.

The one thing to know: what is included is relative to the file that says so; a directory is read
with all below it, links followed, only names that end in .cfg, in the order of their names.
"""

import os
from pathlib import Path

from daemons.config.complain import Complaint
from daemons.config.lexer import Source


def read(kind: str, path: str, from_path: str) -> list[Source] | Complaint:
    """Return the files that `path` means, or a complaint when one is missing or unreadable."""
    said = Path(path).expanduser()
    if from_path and not said.is_absolute():
        said = Path(from_path).parent / said
    try:
        if kind == "cfg_dir":
            if not said.is_dir():
                return Complaint("error", f"there is no directory {said}")
            return [_source(found) for found in _below(said)]
        return [_source(said)]
    except OSError as error:
        return Complaint("error", f"cannot read {error.filename or said}: {error.strerror}")


def _below(top: Path) -> list[Path]:
    found: list[Path] = []
    seen: set[str] = set()  # links may lead back up
    for folder, folders, names in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        found.extend(Path(folder) / name for name in sorted(names) if name.endswith(".cfg"))
    return found


def _source(path: Path) -> Source:
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    return Source(os.path.normpath(path), text)
