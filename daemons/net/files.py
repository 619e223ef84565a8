"""Configuration files of this machine, for `config.load`.

The one thing to know: what is included is relative to the file that says so; a directory is read
with all below it, links followed, only names that end in .cfg and do not begin with a dot, in the order
of their names. What of it cannot be read is complained of one by one, so that nothing is left out in silence.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from daemons.config.complain import Complaint
from daemons.config.lexer import Source


def read(kind: str, path: str, from_path: str) -> Sequence[Source | Complaint] | Complaint:
    """Return the files that `path` means, or a complaint; of a directory a complaint for each file without text."""
    said = Path(path).expanduser()
    if from_path and not said.is_absolute():
        said = Path(from_path).parent / said
    if kind != "cfg_dir":
        source = _source(said, piped=kind == "main")
        return source if isinstance(source, Complaint) else [source]
    if not said.is_dir():
        return Complaint("error", f"there is no directory {said}")
    found, unread = _below(said)
    return [*unread, *(_source(file) for file in found)]


def _below(top: Path) -> tuple[list[Path], list[Complaint]]:
    """Return the files below `top`, and complaints of folders that cannot be looked into."""
    found: list[Path] = []
    unread: list[Complaint] = []
    seen: set[str] = set()  # links may lead back up
    for folder, folders, names in os.walk(top, onerror=lambda e: unread.append(_cannot(e, top)), followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        shown = sorted(name for name in names if not name.startswith("."))
        paths = [Path(folder) / name for name in shown]
        found.extend(path for path in paths if path.name.endswith(".cfg"))
        for path in paths:  # a folder that is not mounted takes its hosts with it
            if not path.name.endswith(".cfg") and not path.exists():
                unread.append(Complaint("warning", f"the link {path} leads nowhere, nothing is read there"))
    return found, unread


def _source(path: Path, piped: bool = False) -> Source | Complaint:
    """Return the file at `path`. Only what the operator names himself may be a pipe: another is waited for forever."""
    try:
        if not piped and path.exists() and not path.is_file():
            return Complaint("error", f"cannot read {path}: it is {_what(path)}")
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        return _cannot(error, path)
    return Source(os.path.normpath(path), text)


def _what(path: Path) -> str:
    return "a directory" if path.is_dir() else "no file but a device, pipe or socket"


def _cannot(error: OSError, path: Path) -> Complaint:
    return Complaint("error", f"cannot read {error.filename or path}: {error.strerror}")
