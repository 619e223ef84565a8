"""Which board the main file asks for, and what is wrong with the settings of it."""

from collections.abc import Callable

from daemons.cli.terms import terms_of
from daemons.config.complain import Complaint
from daemons.model.cluster import Cluster
from daemons.wire.messages import Message


def board_complaints(cluster: Cluster) -> list[Complaint]:
    """Return what keeps the board from working; empty when nothing does."""
    board = cluster.settings.get("board", "keepers")
    if board == "single" and len(cluster.servers) > 1:
        names = ", ".join(s.name for s in cluster.servers)
        return [
            Complaint(
                "error", f"board=single is for one server, these are {len(cluster.servers)}: {names}",
                "main file", "leave it out: the keepers vote",
            )
        ]  # fmt: skip
    if board != "etcd":
        return []
    from daemons.net.etcd import BadEtcdSettings, places_of

    try:
        places_of(cluster.settings)
    except BadEtcdSettings as error:
        return [Complaint("error", str(error), "main file")]
    return []


def engine_of(cluster: Cluster) -> dict[str, Callable[[Message], Message]]:
    """Return the local service that asks the engine of `cluster`; empty where the keepers vote."""
    if cluster.settings.get("board", "") != "etcd":
        return {}
    from daemons.net.etcd import EtcdVoter, places_of

    return {"etcd": EtcdVoter(places_of(cluster.settings), cluster.name, terms_of(cluster)).apply}
