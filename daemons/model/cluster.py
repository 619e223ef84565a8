"""The cluster as data: daemons, servers, shards, epochs."""

from hashlib import sha256
from typing import Literal

from msgspec import Struct

RoleName = Literal["arbiter", "scheduler", "poller", "reactionner", "receiver", "broker"]
ROLES: tuple[RoleName, ...] = (
    "arbiter", "scheduler", "poller", "reactionner", "receiver", "broker",
)
PORTS: dict[str, int] = {
    "keeper": 7767, "names": 7766, "scheduler": 7768, "reactionner": 7769, "arbiter": 7770,
    "poller": 7771, "broker": 7772, "receiver": 7773,
}

# An epoch is one number that only grows: board generation, then n, then the index of the claiming
# server (so that two servers can never issue the same one). 0 = none yet.
Epoch = int
SERVERS_MAX = 1 << 16
N_MAX = 1 << 32


def epoch(generation: int, n: int, server: int) -> Epoch:
    """Return the epoch number `n` of board `generation`, claimed through server number `server`."""
    assert 0 <= server < SERVERS_MAX and 0 <= n < N_MAX
    return (generation * N_MAX + n) * SERVERS_MAX + server


def epoch_n(value: Epoch) -> int:
    """Return the part of an epoch that operators read: 1 for the first, 2 for the second holder."""
    return value // SERVERS_MAX % N_MAX


def next_epoch(seen: Epoch, server: int, generation: int = 1) -> Epoch:
    """Return the lowest epoch above `seen` that server number `server` may claim."""
    above = seen // SERVERS_MAX + 1
    return max(above, generation * N_MAX + 1) * SERVERS_MAX + server


ROSTERS_MAX = 1 << 20  # of one leader from one configuration


def roster_n(before: int, config_n: int) -> int:
    """Return the number of the next roster after `before`, planned from configuration `config_n`.

    The configuration's number is its upper part, so that one number says which of two orders is newer and
    whether it is from a configuration older than the committed one (`config_floor`).
    """
    return max(before, config_floor(config_n)) + 1


def config_floor(config_n: int) -> int:
    """Return what every roster number from configuration `config_n` or a later one is above."""
    return config_n * ROSTERS_MAX


def server_index(address: str) -> int:
    """Return the number of the server at `address` in epochs and votes.

    It depends on nothing else, so that a server that joins or leaves changes no other's. The highest number
    is an engine's (`ha.voterset`). Two addresses with one number are an error of the configuration.
    """
    return int.from_bytes(sha256(address.encode()).digest()[:4], "big") % (SERVERS_MAX - 1)


class DaemonDef(Struct, frozen=True, kw_only=True):
    """One daemon as the configuration defines it; durations in seconds."""

    name: str
    role: RoleName
    address: str
    port: int
    spare: bool = False
    realm: str = ""
    host_name: str = ""  # of its machine; arbiters: must be true, others: names the server
    modules: tuple[str, ...] = ()
    timeout_s: float = 1.0
    data_timeout_s: float = 120.0
    check_interval_s: float = 1.0
    max_check_attempts: int = 3
    manage_sub_realms: bool = True
    weight: int = 1
    tags: tuple[str, ...] = ()  # poller_tags, reactionner_tags; () = untagged work, "" = that too
    options: dict[str, str] = {}  # every other attribute, as written
    where: str = ""  # file:line

    @property
    def takes(self) -> tuple[str, ...]:
        """Tags of the work it takes; "" is untagged work."""
        return self.tags or ("",)


class ServerDef(Struct, frozen=True):
    """One server: a distinct `address`. Its index follows from the address alone (`server_index`)."""

    name: str  # its host_name where an arbiter gives one, else the address
    address: str
    index: int
    voter_only: bool = False  # its keeper votes, and it has no daemons


class ModuleDef(Struct, frozen=True):
    """A `define module` block, or a built-in type named by a daemon without one."""

    name: str
    type: str  # normalised: lower case, "-" for "_"
    options: dict[str, str] = {}
    where: str = ""
    built_in: bool = False  # no `define module` block


class RealmDef(Struct, frozen=True):
    """One realm: a part of the world with its own daemons."""

    name: str
    parent: str = ""  # the realm it lies in, "" = none
    broker_complete_links: bool = False  # every broker follows every shard, instead of one of them


class Cluster(Struct, frozen=True, kw_only=True):
    """What the daemon definitions say: enough to start, find and authenticate every daemon."""

    name: str  # cluster name (`cluster_name`, default "shinken")
    daemons: tuple[DaemonDef, ...]
    servers: tuple[ServerDef, ...]  # sorted by address
    modules: tuple[ModuleDef, ...] = ()
    settings: dict[str, str] = {}  # the main file's key=value, last one wins
    macros: dict[str, str] = {}  # $NAME$=value lines, without the dollars
    realm: str = ""  # the default realm
    realms: tuple[RealmDef, ...] = ()  # by name

    def daemon(self, name: str) -> DaemonDef | None:
        """Return the daemon called `name`, None if there is none."""
        return next((d for d in self.daemons if d.name == name), None)

    def on(self, address: str) -> tuple[DaemonDef, ...]:
        """Return the daemons of the server at `address`."""
        return tuple(d for d in self.daemons if d.address == address)


def object_id(cluster: str, role: str, name: str) -> str:
    """Return the id under which a daemon is exposed and registered."""
    return f"shinken.{cluster}.{role}.{name}"
