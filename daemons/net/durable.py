"""A role's durable bytes in one file: replaced whole, fsynced before anything that depends on it leaves."""

import os
import zlib
from pathlib import Path

MAGIC = b"SHK1"
PROBE_BYTES = 65536  # room there must be beyond what is written now


class Durable:
    """One file. A torn or foreign file reads as none, and is kept aside under a name that says so."""

    def __init__(self, path: Path) -> None:
        """Keep the bytes at `path`; its folder exists."""
        self.path = path

    def read(self) -> bytes:
        """Return the bytes last written, b"" when there are none or they are damaged."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return b""
        if data[:4] == MAGIC and zlib.crc32(data[8:]).to_bytes(4, "big") == data[4:8]:
            return data[8:]
        self.path.replace(self.path.with_name(self.path.name + ".damaged"))
        return b""

    @property
    def exists(self) -> bool:
        """Whether something was ever written here and is still there (or was found damaged)."""
        return self.path.exists() or self.path.with_name(self.path.name + ".damaged").exists()

    def probe(self) -> None:
        """Write and remove a file of the same size beside it: whether `write` would do. Raises OSError."""
        beside = self.path.with_name(self.path.name + ".probe")
        size = self.path.stat().st_size if self.path.exists() else 0
        try:
            with open(beside, "wb", opener=_private) as file:
                file.write(b"." * (size + PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        finally:
            beside.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Replace the bytes and return when they are on disk. Raises OSError."""
        fresh = self.path.with_name(self.path.name + ".new")
        with open(fresh, "wb", opener=_private) as file:
            file.write(MAGIC + zlib.crc32(data).to_bytes(4, "big") + data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
