"""Which cluster a command means, from -c, --server and --workdir, and the keys to ask it with."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from daemons.cli.reach import WORKDIR, Keys, default_workdir
from daemons.net.home import Bundle, Home, NoHome
from daemons.net.secret import BadSecret

if TYPE_CHECKING:
    from daemons.model.cluster import Cluster, ServerDef


class CannotAsk(Exception):
    """What the operator has to say or mend first; the text says how."""


class Target(Struct, frozen=True):
    """Whom to ask, and with what."""

    bundle: Bundle
    keys: Keys


def target(files: Sequence[str], server: str = "", workdir: str = "") -> Target:
    """Return the cluster that is meant. Raises CannotAsk.

    A server started in `workdir` is taken as it was started; else the configuration `files` count.
    """
    bundle = bundle_of(files, server, workdir)
    try:
        return Target(bundle, Keys(bundle))
    except BadSecret as error:
        raise CannotAsk(str(error)) from error
    except OSError as error:
        raise CannotAsk(
            f"{error.filename}: {error.strerror}: only who may read it is a member"
        ) from error


def bundle_of(files: Sequence[str], server: str = "", workdir: str = "") -> Bundle:
    """Return what is known of the cluster that is meant. Raises CannotAsk."""
    started = _started(Path(workdir) if workdir else WORKDIR)
    if isinstance(started, Bundle):
        if workdir or not files or started.files == _absolute(files):
            return started
    elif not files:
        hint = "" if workdir else "say which cluster with -c FILE... or --workdir DIR: "
        raise CannotAsk(hint + started)
    return _configured(files, server)


def workdir_of(files: Sequence[str], workdir: str = "") -> str:
    """Return the work folder that is meant: `workdir`, else that of the main file. Raises CannotAsk."""
    if workdir:
        return workdir
    return str(default_workdir(_cluster(files)) if files else WORKDIR)


def _started(folder: Path) -> Bundle | str:
    """What was started there, or why nothing is known of it."""
    try:
        return Home(folder).read()
    except NoHome as error:
        return str(error)
    except OSError as error:
        return f"{folder}: {error.strerror}"


def _configured(files: Sequence[str], named: str) -> Bundle:
    cluster = _cluster(files)
    home = default_workdir(cluster)
    started = _started(home)
    if isinstance(started, Bundle) and started.files == _absolute(files):
        return started
    folder = Path(files[0]).absolute().parent
    secret = cluster.settings.get("cluster_secret_file", "")
    key = cluster.settings.get("operator_key_file", "") or str(home / "operator.key")
    return Bundle(
        cluster=cluster,
        server=_server(cluster, named),
        files=_absolute(files),
        secret_file=str(folder / secret) if secret else "",
        operator_key_file=str(folder / key),
    )


def _cluster(files: Sequence[str]) -> "Cluster":
    from daemons.cli.configuration import read_configuration  # slow: only when needed

    loaded = read_configuration(files)
    if loaded.cluster is None:
        wrong = [str(c) for c in loaded.complaints if c.severity == "error"]
        raise CannotAsk("\n".join([*wrong[:5], f"no daemons are defined in {', '.join(files)}"]))
    return loaded.cluster


def _server(cluster: "Cluster", named: str) -> "ServerDef":
    """Who asks need not be a server: then any stands for it."""
    if not named:
        return cluster.servers[0]
    for server in cluster.servers:
        if named in (server.name, server.address):
            return server
    known = ", ".join(s.name for s in cluster.servers)
    raise CannotAsk(f"there is no server {named}; the configuration knows {known}")


def _absolute(files: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(Path(f).absolute()) for f in files)
