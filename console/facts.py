"""What the console shows, as plain frozen data: servers, daemons, shards, problems.

Fields only, and what follows from them at a glance. `console.snapshot` makes them, `console.rows`
and `console.plain` tell them.
"""

from typing import Literal

from msgspec import Struct

from daemons.model.cluster import Epoch, RoleName, epoch_n
from daemons.wire.messages import Census, ShardHeld
from daemons.wire.stores import StoreSeen

State = Literal["alive", "suspect", "dead", "unknown"]
Severity = Literal["critical", "warning", "advice"]
WORST_FIRST: tuple[Severity, ...] = ("critical", "warning", "advice")


class Own(Struct, frozen=True):
    """What a daemon said of itself, asked because the keeper of its server is silent."""

    active: bool = False
    pid: int = 0
    instance: str = ""
    epoch: Epoch = 0
    config: str = ""
    problems: tuple[str, ...] = ()
    figures: dict[str, float] = {}
    age_s: float = 0.0  # since it said so


class Heard(Struct, frozen=True):
    """What is known of one server: by its keeper, and by its daemons while that is silent."""

    census: Census | None = None  # the last one, however old
    age_s: float = -1.0  # since it came; -1 = never
    why: str = ""  # why the last question had no answer; "" = it had one
    ahead_s: float = 0.0  # its wall clock against ours when it came
    own: dict[str, Own] = {}  # by daemon


class Server(Struct, frozen=True, kw_only=True):
    """One server; its health is its keeper's."""

    name: str
    address: str
    keeper: State
    why: str
    age_s: float  # since anybody heard its keeper; -1 = never
    pid: int = 0
    instance: str = ""
    release: str = ""
    ahead_s: float = 0.0
    problems: tuple[str, ...] = ()  # as its keeper says them
    votes_only: bool = False  # it has no daemons
    machine: str = ""  # equal = one machine; "" = not known
    paused_s: float = 0.0  # until the pause that its vote keeps ends; 0 = none
    paused_by: str = ""
    paused_why: str = ""


class Daemon(Struct, frozen=True, kw_only=True):
    """One daemon: what the configuration says of it, and what is known of it."""

    name: str
    role: RoleName
    server: str
    address: str
    port: int
    realm: str
    spare: bool
    health: State
    why: str  # the reason for `health`
    active: bool  # does its role's work now, as far as is known now
    was_active: bool = False  # said so when it was last heard
    pid: int = 0  # 0 = not running, or not known now
    instance: str = ""
    epoch: Epoch = 0
    shards: tuple[ShardHeld, ...] = ()
    age_s: float = -1.0  # of its last sign of life; -1 = none yet
    config: str = ""
    figures: dict[str, float] = {}  # as old as `age_s`
    stores: tuple[StoreSeen, ...] = ()  # of a scheduler: its retention, as old as `age_s`
    restarts: int = 0
    up_s: float = -1.0  # since its process started; -1 = not known
    cpu_percent: float = 0.0
    rss_bytes: int = 0
    problems: tuple[str, ...] = ()  # as it says them
    last_change: str = ""  # and why, as it says it

    @property
    def is_live(self) -> bool:
        """Whether what it said last still counts."""
        return self.health in ("alive", "suspect")


class Shard(Struct, frozen=True, kw_only=True):
    """One shard and who runs it."""

    id: int
    owner: str = ""  # "" = nobody
    standby: str = ""
    phase: str = "none"  # of the owner, or of who is taking it
    epoch: Epoch = 0
    version: str = ""
    claimant: str = ""  # who is taking it over
    copied_epoch: Epoch = 0  # position of the standby's copy
    copied_n: int = 0
    problem: str = ""


class Problem(Struct, frozen=True):
    """One thing that is not as it should be, and what to do about it."""

    severity: Severity
    text: str
    fix: str
    about: str = ""  # the daemon, server or shard


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything the status page and the console show."""

    cluster: str
    leader: str  # "" = none known
    epoch: Epoch  # of the leader; without one, the highest anybody obeys
    servers: tuple[Server, ...]
    daemons: tuple[Daemon, ...]
    shards: tuple[Shard, ...]
    problems: tuple[Problem, ...] = ()  # worst first

    @property
    def answering(self) -> int:
        """How many keepers answer now."""
        return sum(1 for s in self.servers if s.keeper == "alive")

    @property
    def epoch_n(self) -> int:
        """The number of the epoch that people read."""
        return epoch_n(self.epoch)

    def daemon(self, name: str) -> Daemon | None:
        """Return the daemon called `name`, None if there is none."""
        return next((d for d in self.daemons if d.name == name), None)
