"""Where every peer of a cluster is and how to prove who asks: for daemons, `shinken` and the console.

Imports no role: a command that only asks starts fast.
"""

from collections.abc import Callable
from pathlib import Path

from daemons.config.satellitemap import satellitemap_of
from daemons.model.cluster import PORTS, Cluster, object_id
from daemons.net.client import Peer
from daemons.net.home import Bundle
from daemons.net.secret import read_operator_key, read_secret

WORKDIR = Path("/var/lib/shinken")


class Keys:
    """The cluster secret and the operator key of a server; None where there is no file."""

    def __init__(self, bundle: Bundle) -> None:
        """Read the files. Raises BadSecret, PermissionError."""
        self.secret = read_secret(bundle.secret_file) if bundle.secret_file else None
        self.operator = (
            read_operator_key(bundle.operator_key_file) if bundle.operator_key_file else None
        )


def port_of(cluster: Cluster, what: str) -> int:
    """Return the port of every keeper ("keeper") or name server ("names") of the cluster."""
    return int(cluster.settings.get(f"{what}_port", PORTS[what]))


def where(bundle: Bundle, to: str) -> tuple[str, int, str] | None:
    """Return address, port and object id of a peer: a daemon's name, "keeper" or "keeper@<server>"."""
    cluster = bundle.cluster
    if to == "keeper" or to.startswith("keeper@"):
        name = to.partition("@")[2] or bundle.server.name
        server = next((s for s in cluster.servers if s.name == name), None)
        if server is None:
            return None
        return server.address, port_of(cluster, "keeper"), object_id(cluster.name, "keeper", name)
    define = cluster.daemon(to)
    if define is None:
        return None
    return define.address, define.port, object_id(cluster.name, define.role, define.name)


def peers(bundle: Bundle, sender: str, instance: str, keys: Keys) -> Callable[[str], Peer | None]:
    """Return what gives a runner a connection of its own to a peer, as `sender` sees it (satellitemap)."""
    define = bundle.cluster.daemon(sender)
    mapped, _ = satellitemap_of(define.options.get("satellitemap", "") if define else "")

    def find(to: str) -> Peer | None:
        found = where(bundle, to)
        if found is None:
            return None
        if to in mapped:
            address, port = mapped[to]
            found = (address, port or found[1], found[2])
        return Peer(*found, sender=sender, instance=instance, secret=keys.secret)

    return find


def operator_peer(bundle: Bundle, keys: Keys, to: str) -> Peer | None:
    """Return a connection of an operator's tool to a peer, None when there is no such peer."""
    found = where(bundle, to)
    if found is None:
        return None
    return Peer(*found, sender="shinken", secret=keys.secret, operator_key=keys.operator)


def default_workdir(cluster: Cluster) -> Path:
    """Return the work folder that the main file names."""
    return Path(cluster.settings.get("workdir", str(WORKDIR)))
