"""The work folder of one server: where its files are, and what a started server was started with."""

from pathlib import Path

import msgspec
from msgspec import Struct

from daemons.model.cluster import Cluster, ServerDef


class Bundle(Struct, frozen=True, kw_only=True):
    """All that this server's keeper and daemons need to start, written by `shinken start`."""

    version: int = 1
    cluster: Cluster
    server: ServerDef
    files: tuple[str, ...]  # the -c files, absolute
    secret_file: str = ""  # "" = none: loopback only
    operator_key_file: str = ""
    config: str = ""  # hash of the daemon definitions
    machine: str = ""  # which running kernel this is; "" = the server was named by hand


class NoHome(Exception):
    """The folder was never prepared by `shinken start`, or by another release; the text says what to do."""


class Home:
    """One work folder."""

    def __init__(self, path: Path | str) -> None:
        """Name `path`; nothing is made yet."""
        self.path = Path(path).absolute()

    def prepare(self) -> None:
        """Make the folders that are missing. Raises OSError."""
        for folder in (self.path, self.log, self.spool, self.var):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def log(self) -> Path:
        """Logs of the daemons themselves."""
        return self.path / "log"

    @property
    def spool(self) -> Path:
        """What must not be lost: votes, spools, journals."""
        return self.path / "spool"

    @property
    def var(self) -> Path:
        """What modules write: the monitoring log, the command pipe."""
        return self.path / "var"

    def pid(self, name: str) -> int:
        """Return the pid in `<name>.pid`, 0 when there is none or that process has ended."""
        try:
            pid = int((self.path / f"{name}.pid").read_text())
        except (OSError, ValueError):
            return 0
        return pid if alive(pid) else 0

    def write(self, bundle: Bundle) -> None:
        """Keep `bundle` for the keeper and daemons. Raises OSError."""
        target = self.path / "cluster.msgpack"
        fresh = target.with_suffix(".new")
        fresh.write_bytes(msgspec.msgpack.encode(bundle))
        fresh.chmod(0o600)
        fresh.replace(target)

    def read(self) -> Bundle:
        """Return what the server was started with. Raises NoHome."""
        target = self.path / "cluster.msgpack"
        try:
            return msgspec.msgpack.decode(target.read_bytes(), type=Bundle)
        except FileNotFoundError:
            raise NoHome(f"{self.path} holds no started server; use: shinken start -c FILE --workdir {self.path}") from None
        except msgspec.DecodeError as error:
            raise NoHome(f"{target} is not of this release ({error}); use: shinken start") from None


def alive(pid: int) -> bool:
    """Return whether process `pid` runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[0] not in (b"Z", b"X")
