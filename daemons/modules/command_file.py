"""PROCESS_FILE: files of external commands, read by the module that reads the pipe.

The one thing to know: whoever may write into the pipe may name any path, and this process may read more than they
may. So only plain files directly in one folder are read, and nothing of a file is told but what its lines do.
"""

import logging
import os
import stat
from pathlib import Path

from daemons.rules.commands import ExternalCommand, of_pipe, parse

log = logging.getLogger(__name__)

FILE_MAX_BYTES = 64 * 1024 * 1024
LINE_MAX = 64 * 1024  # characters; a longer line is left out


class Unread(Exception):
    """The file is not read; the text says why, for an operator."""


def named_file(line: str) -> tuple[str, bool] | None:
    """Return (path, whether to delete it) when `line` is PROCESS_FILE, else None."""
    if "PROCESS_FILE" not in line.upper():
        return None
    command = parse(line)
    if not isinstance(command, ExternalCommand) or not of_pipe(command):
        return None
    path, delete = command.args
    return path, delete == "1"


def lines_of(path: str, folder: Path) -> list[str]:
    """Return the commands in the file `path` of `folder`, without blank lines and those that name files.

    Raises Unread.
    """
    place = _place(path, folder)
    try:
        fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unread(error.strerror or str(error)) from None
    with os.fdopen(fd, "rb") as file:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise Unread("it is no plain file")
        if facts.st_size > FILE_MAX_BYTES:
            raise Unread(f"it is larger than {FILE_MAX_BYTES // 2**20} MiB")
        text = file.read(FILE_MAX_BYTES).decode("utf-8", "replace")
    found = []
    for line in text.split("\n"):
        line = line.strip()
        if len(line) > LINE_MAX or (line and named_file(line) is not None):
            log.warning("left out line file=%s start=%r", place, line[:80])
        elif line:
            found.append(line)
    return found


def delete(path: str, folder: Path) -> None:
    """Delete the file that was read. Raises Unread and OSError."""
    _place(path, folder).unlink()


def _place(path: str, folder: Path) -> Path:
    """Return where `path`, absolute or in `folder`, is. Raises Unread when it is not directly in `folder`."""
    place = os.path.abspath(folder / path.replace("\0", ""))
    if os.path.dirname(place) != os.path.abspath(folder):
        raise Unread(f"it is not in {folder}, where such files have to be")
    return Path(place)
