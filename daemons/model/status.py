"""All a scheduler remembers of one host, service or contact: what retention keeps and a spare continues from.

States are small ints as everywhere in this field. Times are `Wall` seconds, 0 = never.
"""

from msgspec import Struct

SCHEMA = 1  # version of everything in this file, stored beside it

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
UP, DOWN, UNREACHABLE = 0, 1, 2
SOFT, HARD = 0, 1
SERVICE_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
HOST_STATES = ("UP", "DOWN", "UNREACHABLE")
STATE_TYPES = ("SOFT", "HARD")


class Downtime(Struct, array_like=True, frozen=True, kw_only=True):
    """One downtime of a host or service."""

    id: int
    entry_wall: float
    start_wall: float
    end_wall: float
    fixed: bool = True
    duration_s: float = 0.0
    trigger_id: int = 0
    author: str = ""
    comment: str = ""
    in_effect: bool = False
    started_wall: float = 0.0  # flexible: when it began
    command_id: str = ""  # id of the external command that made it
    cancelled: bool = False  # deleted while in effect, and that is not told yet


class Comment(Struct, array_like=True, frozen=True, kw_only=True):
    """One comment on a host or service."""

    id: int
    entry_wall: float
    author: str
    text: str
    persistent: bool = False
    kind: int = 1  # 1 user, 2 downtime, 3 flapping, 4 acknowledgement
    source_id: int = 0  # the downtime it belongs to


class Ack(Struct, array_like=True, frozen=True, kw_only=True):
    """An acknowledgement in force."""

    author: str
    comment: str
    sticky: bool = True
    notify: bool = False
    persistent: bool = False
    entry_wall: float = 0.0
    expire_wall: float = 0.0  # 0 = until recovery


class Told(Struct, array_like=True, frozen=True):
    """A contact that was told of the current problem, so that it is told of the recovery too."""

    contact: str
    wall: float


class Status(Struct, array_like=True, kw_only=True, gc=False):
    """The changing half of a host or service. Mutable on purpose: one per object, 100,000 a scheduler."""

    key: str
    lineage: str = ""  # random, made with this status: part of every notification id
    # what its checks said
    checked: bool = False
    state: int = 0
    state_type: int = HARD
    attempt: int = 1
    last_state: int = 0
    last_hard_state: int = 0
    output: str = ""
    long_output: str = ""
    perfdata: str = ""
    code: int = 0
    passive: bool = False  # the last result came to us
    latency_s: float = 0.0
    took_s: float = 0.0
    # which run of which owner was applied last: an older one is ignored
    applied_epoch: int = 0
    applied_seq: int = 0
    next_seq: int = 1
    # times
    last_check_wall: float = 0.0
    next_check_wall: float = 0.0
    last_change_wall: float = 0.0
    last_hard_change_wall: float = 0.0
    last_ok_wall: float = 0.0  # UP for hosts
    last_warning_wall: float = 0.0
    last_critical_wall: float = 0.0  # DOWN for hosts
    last_unknown_wall: float = 0.0  # UNREACHABLE for hosts
    # problem
    hard_changes: int = 0  # number of hard changes so far: the cause in notification ids
    problem_wall: float = 0.0  # when the current problem became hard; 0 = none
    ack: Ack | None = None
    notification_number: int = 0
    last_notification_wall: float = 0.0
    next_notification_wall: float = 0.0
    no_more_notifications: bool = False
    told: tuple[Told, ...] = ()
    # flapping
    flap_history: tuple[int, ...] = ()  # the last 21 states, newest last
    flap_percent: float = 0.0
    flapping: bool = False
    # downtimes, comments
    downtimes: tuple[Downtime, ...] = ()
    comments: tuple[Comment, ...] = ()
    # what operators changed at run time: attribute name -> value, as text; wins over configuration
    modified: dict[str, str] = {}
    # numbers that macros show: of the last change of state, and of the present problem
    event_id: int = 0
    last_event_id: int = 0
    problem_id: int = 0
    last_problem_id: int = 0
    last_perfdata: str = ""
    last_snapshot_wall: float = 0.0
    maintenance_id: int = 0  # downtime made by maintenance_period or its check, 0 = none
    stale: bool = False  # its check in force was asked for because no result came (freshness)
    impact_state: int = -1  # what front ends show until its next result, as a problem elsewhere hides it; -1 = `state`
    began_wall: float = 0.0  # when the present problem first became hard, whatever its states since
    # problems and impacts; the impacts of a problem are those whose `source_problems` name it
    is_problem: bool = False  # a hard problem, and no other problem is its cause
    source_problems: tuple[str, ...] = ()  # keys of the problems it suffers from; () = it is no impact
    business_impact: int = -1  # that of its highest impact where this is above its own; -1 = its own
    forced_wall: float = 0.0  # when a check is to run whatever is switched off, 0 = none asked for

    @property
    def downtime_depth(self) -> int:
        """Number of downtimes in effect."""
        return sum(1 for d in self.downtimes if d.in_effect)


class ContactStatus(Struct, array_like=True, kw_only=True):
    """The changing half of a contact."""

    name: str
    modified: dict[str, str] = {}
    downtimes: tuple[Downtime, ...] = ()


class ShardStatus(Struct, array_like=True, kw_only=True):
    """What a shard's owner remembers besides its objects."""

    next_downtime_id: int = 1
    next_comment_id: int = 1
    modified: dict[str, str] = {}  # global switches changed at run time
    commands_seen: tuple[str, ...] = ()  # ids of the newest external commands applied, oldest first
    created_wall: float = 0.0
    next_event_id: int = 1
    next_problem_id: int = 1
    periods: dict[str, int] = {}  # what the log was told of each time period: 1 = inside
