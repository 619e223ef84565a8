"""May they be told? One verdict about the object, then one for each way to tell each contact.

Nagios Core docs, "Notifications"; order of the filters as there. The one thing to know: the scheduler asks
at every HARD problem result and every hard recovery; that most of these are no news is decided here.
"""

from enum import StrEnum
from hashlib import sha256

from msgspec import Struct

from daemons.model.clock import Wall
from daemons.model.objects import Traits, Way
from daemons.model.status import HARD, OK, Status

PROBLEM = "PROBLEM"
RECOVERY = "RECOVERY"
ACKNOWLEDGEMENT = "ACKNOWLEDGEMENT"
CUSTOM = "CUSTOM"
DOWNTIME_START = "DOWNTIMESTART"
DOWNTIME_END = "DOWNTIMEEND"
DOWNTIME_CANCELLED = "DOWNTIMECANCELLED"
FLAPPING_START = "FLAPPINGSTART"
FLAPPING_STOP = "FLAPPINGSTOP"
FLAPPING_DISABLED = "FLAPPINGDISABLED"

_DOWNTIMES = (DOWNTIME_START, DOWNTIME_END, DOWNTIME_CANCELLED)
_FLAPPINGS = (FLAPPING_START, FLAPPING_STOP, FLAPPING_DISABLED)
_SERVICE_LETTERS = ("r", "w", "c", "u")  # by state
_HOST_LETTERS = ("r", "d", "u")
SLACK_S = 0.01  # what adding and subtracting times of today may be wrong by


class Reason(StrEnum):
    """Why a notification goes out or does not; the log and the console show it as it stands."""

    SENT = "it is news"
    FORCED = "somebody asked for it whatever the filters say"
    DISABLED = "notifications are disabled"
    PERIOD = "it is outside the notification period"
    DOWNTIME = "the object is in a scheduled downtime"
    HOST_DOWNTIME = "the host is in a scheduled downtime"
    FLAPPING = "the object is flapping"
    ACKNOWLEDGED = "the problem is acknowledged"
    TAKEN_CARE_OF = "the problems under its business rule are all acknowledged"
    SOFT = "the problem is not confirmed yet"
    NO_PROBLEM = "there is no problem"
    OPTIONS = "notification options leave it out"
    NOT_TOLD = "nobody was told of the problem"
    TOO_EARLY = "first_notification_delay has not passed"
    ONCE = "it was told, and notification_interval is 0"
    INTERVAL = "notification_interval has not passed"
    HOST_AWAY = "the host is not UP, and that is told instead"
    DEPENDENCY = "what it depends on has a problem"
    IMPACT = "its business impact is below the contact's"
    CONTACT_DOWNTIME = "the contact is in a scheduled downtime"
    NO_COMMAND = "the contact has no command for it"
    NOBODY = "no contact is told of it now"
    UNWANTED = "it has no contact that wants to be told"


class Verdict(Struct, frozen=True, gc=False):
    """An answer and its reason."""

    send: bool
    why: Reason


_VERDICTS = {reason: Verdict(reason in (Reason.SENT, Reason.FORCED), reason) for reason in Reason}
_SENT = _VERDICTS[Reason.SENT]


def problem_verdict(
    kind: str,
    status: Status,
    traits: Traits,
    now: Wall,
    *,
    is_host: bool,
    enabled: bool = True,
    in_period: bool = True,
    host_up: bool = True,
    host_downtime: bool = False,
    forced: bool = False,
    reminder: bool = False,
    depends: bool = False,
    taken_care_of: bool = False,
) -> Verdict:
    """Return whether a notification of `kind` may be made for the object of `status` now.

    `status` is that after the result. `enabled`: globally and for the object; `in_period`: now is in its
    notification_period; `host_up` and `host_downtime`: of the service's host. `forced`: option 2 of
    SEND_CUSTOM_*_NOTIFICATION. `reminder`: time has passed and there is no new result, so that a volatile
    service keeps to its interval. `depends`: a notification dependency fails (`rules.depend`). `taken_care_of`:
    it is a business rule with smart notifications, and all problems under it are acknowledged.
    """
    return _VERDICTS[
        _object_reason(
            kind, status, traits, now, is_host, enabled, in_period, host_up, host_downtime, forced,
            traits.is_volatile and not reminder, depends, taken_care_of,
        )
    ]  # fmt: skip


def _object_reason(
    kind: str,
    status: Status,
    traits: Traits,
    now: Wall,
    is_host: bool,
    enabled: bool,
    in_period: bool,
    host_up: bool,
    host_downtime: bool,
    forced: bool,
    always: bool,
    depends: bool,
    taken_care_of: bool,
) -> Reason:
    if forced:
        return Reason.FORCED
    if not enabled:
        return Reason.DISABLED
    if not in_period:
        return Reason.PERIOD
    options = traits.notification_options
    if kind in _DOWNTIMES:
        return Reason.SENT if _wants(options, "s") else Reason.OPTIONS
    in_downtime = status.downtime_depth > 0
    if kind in _FLAPPINGS and not _wants(options, "f"):
        return Reason.OPTIONS
    if kind in _FLAPPINGS or kind == CUSTOM:
        if in_downtime:
            return Reason.DOWNTIME
        return Reason.HOST_DOWNTIME if host_downtime and not is_host else Reason.SENT
    if kind == ACKNOWLEDGEMENT:
        return Reason.SENT if status.state != OK else Reason.NO_PROBLEM
    if status.state_type != HARD:
        return Reason.SOFT
    if (status.state == OK) == (kind == PROBLEM):
        return Reason.NO_PROBLEM
    if kind == PROBLEM and status.ack is not None:
        return Reason.ACKNOWLEDGED
    if depends:
        return Reason.DEPENDENCY
    if kind == PROBLEM and taken_care_of:
        return Reason.TAKEN_CARE_OF
    if not _wants(options, letter_of(status.state, is_host)):
        return Reason.OPTIONS
    if kind == RECOVERY and status.notification_number == 0:
        return Reason.NOT_TOLD
    if kind == PROBLEM and _too_early(status, traits, now):
        return Reason.TOO_EARLY
    if status.flapping:
        return Reason.FLAPPING
    if in_downtime:
        return Reason.DOWNTIME
    if host_downtime and not is_host:
        return Reason.HOST_DOWNTIME
    if kind == RECOVERY:
        return Reason.SENT
    if status.no_more_notifications and not always:
        return Reason.ONCE
    if not host_up and not is_host:
        return Reason.HOST_AWAY
    if now < status.next_notification_wall and not always:
        return Reason.INTERVAL
    return Reason.SENT


def contact_verdict(
    way: Way,
    kind: str,
    state: int,
    *,
    is_host: bool,
    business_impact: int = 2,
    in_period: bool = True,
    enabled: bool = True,
    told: bool = True,
    in_downtime: bool = False,
    forced: bool = False,
) -> Verdict:
    """Return whether a contact is told by this `way` of a notification that `problem_verdict` let pass.

    `state` is the object's; `told`: this contact was told of the problem that is over; `in_period`: now is
    in the way's period for hosts or services; `enabled`: what an operator switched at run time
    (the way's own switch is read here).
    """
    return _VERDICTS[
        _contact_reason(
            way,
            kind,
            state,
            is_host,
            business_impact,
            in_period,
            enabled,
            told,
            in_downtime,
            forced,
        )
    ]


def _contact_reason(
    way: Way,
    kind: str,
    state: int,
    is_host: bool,
    business_impact: int,
    in_period: bool,
    enabled: bool,
    told: bool,
    in_downtime: bool,
    forced: bool,
) -> Reason:
    commands = way.host_notification_commands if is_host else way.service_notification_commands
    if not commands:
        return Reason.NO_COMMAND
    if forced:
        return Reason.FORCED
    switch = way.host_notifications_enabled if is_host else way.service_notifications_enabled
    if not enabled or not switch:
        return Reason.DISABLED
    if in_downtime:
        return Reason.CONTACT_DOWNTIME
    if not in_period:
        return Reason.PERIOD
    if business_impact < way.min_business_impact:
        return Reason.IMPACT
    if kind == CUSTOM:
        return Reason.SENT
    options = way.host_notification_options if is_host else way.service_notification_options
    if kind in _DOWNTIMES:
        letter = "s"
    elif kind in _FLAPPINGS:
        letter = "f"
    else:
        letter = letter_of(state, is_host)
    if not _wants(options, letter):
        return Reason.OPTIONS
    if kind == RECOVERY and not told:
        return Reason.NOT_TOLD
    return Reason.SENT


def _wants(options: tuple[str, ...], letter: str) -> bool:
    """No options at all means all of them; `n` means none."""
    return (not options or letter in options) and "n" not in options


def letter_of(state: int, is_host: bool) -> str:
    """Return the letter of a state in options: r, w, c, u of services; r, d, u of hosts."""
    letters = _HOST_LETTERS if is_host else _SERVICE_LETTERS
    return letters[state] if 0 <= state < len(letters) else letters[-1]


def _too_early(status: Status, traits: Traits, now: Wall) -> bool:
    """Whether the first notification of a problem still waits for first_notification_delay."""
    if traits.first_notification_delay_s <= 0 or status.notification_number > 0:
        return False
    return now < problem_start(status) + traits.first_notification_delay_s - SLACK_S


def problem_start(status: Status) -> Wall:
    """Return when the present problem began, as first_notification_delay counts: its last change of state
    or the moment it became hard, whichever was first."""
    walls = (status.last_change_wall, status.problem_wall, status.began_wall)
    known = [wall for wall in walls if wall > 0]
    return Wall(min(known, default=0.0))


def next_notification(sent: Wall, interval_s: float) -> Wall | None:
    """Return when a problem told of at `sent` is told of again at the earliest; None = never (interval 0).

    None goes into the status as `no_more_notifications`; a change of the hard state clears both.
    """
    return None if interval_s <= 0 else Wall(sent + interval_s)


def notification_id(
    cluster: str, lineage: str, contact: str, command: str, kind: str, cause: str
) -> str:
    """Return the id of one message to one contact: 32 hex digits, the same whoever computes it.

    No time goes in, so that a new owner of the shard makes the same id for the same message. `lineage` is
    the object's, `cause` the number of the hard change and of the notification ("7.1"), or the id of
    the external command behind acknowledgement, custom and downtime notifications.
    """
    parts = (cluster, lineage, contact, command, kind, cause)
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def cause(status: Status) -> str:
    """Return the cause for the problem or recovery notification that `status` stands before."""
    return f"{status.hard_changes}.{status.notification_number}"
