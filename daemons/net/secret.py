"""The cluster secret and the operator key: files with 32 random bytes in hex.

Who can read the secret is a member of the cluster, so a file that others can read is refused rather than used.
"""

import os
import secrets
import stat
from pathlib import Path

SECRET_BYTES = 32
SECRET_MODE = 0o600
OPERATOR_KEY_MODE = 0o640  # the operators' group reads it
FILE_BYTES_MAX = 4096


class BadSecret(Exception):
    """The file is there and must not be used; the text names it, the reason and the fix."""


def read_secret(path: Path | str) -> bytes | None:
    """Return the cluster secret in `path`, None if there is no such file. Raises BadSecret."""
    return _read(Path(path), forbidden=0o077, mode=SECRET_MODE)


def read_operator_key(path: Path | str) -> bytes | None:
    """Return the operator key in `path`, None if there is none or this user may not read it. Raises BadSecret."""
    try:
        return _read(Path(path), forbidden=0o037, mode=OPERATOR_KEY_MODE)
    except PermissionError:  # who is not in the operators' group is simply no operator
        return None


def make_secret(path: Path | str) -> bytes:
    """Write a new cluster secret to `path` and return it. Raises FileExistsError rather than replace one."""
    return _make(Path(path), SECRET_MODE)


def make_operator_key(path: Path | str) -> bytes:
    """Write a new operator key to `path` and return it. Raises FileExistsError rather than replace one."""
    return _make(Path(path), OPERATOR_KEY_MODE)


def _read(path: Path, forbidden: int, mode: int) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        found = os.fstat(fd)  # of the open file: it cannot be swapped between check and read
        if not stat.S_ISREG(found.st_mode):
            raise BadSecret(f"{path} is no regular file")
        if found.st_mode & forbidden:
            raise BadSecret(
                f"{path} can be used by others (mode {stat.S_IMODE(found.st_mode):04o}): chmod {mode:o} {path}"
            )
        text = os.read(fd, FILE_BYTES_MAX).strip()
    finally:
        os.close(fd)
    try:
        secret = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        raise BadSecret(
            f"{path} does not hold a secret: {2 * SECRET_BYTES} hex digits expected"
        ) from None
    if len(secret) != SECRET_BYTES:
        raise BadSecret(
            f"{path} does not hold a secret: {2 * SECRET_BYTES} hex digits expected, {len(text)} found"
        )
    return secret


def _make(path: Path, mode: int) -> bytes:
    """Write a whole file or none: a copy begun by a crash would be refused as too short ever after."""
    secret = secrets.token_bytes(SECRET_BYTES)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)  # whatever the umask took away
            file.write(secret.hex().encode() + b"\n")
            file.flush()
            os.fsync(fd)
        os.link(draft, path)  # fails when `path` exists, unlike rename
    finally:
        os.unlink(draft)
    return secret
