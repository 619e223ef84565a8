"""What a Nagios or Naemon remembered, `retention.dat`, as our statuses.

The one thing to know: of a setting only what was changed at run time is taken (`modified_attributes`,
Nagios Core source, common.h "MODATTR"); everything else comes from the configuration. What has no place
here is counted and named, never guessed.
"""

from collections.abc import Callable, Mapping
from itertools import count
from math import isfinite

from msgspec import Struct, field

from daemons.model.status import HARD, SOFT, Ack, Comment, ContactStatus, Downtime, Status

TEXT_MAX = 64 * 1024  # of one line's value
TOGGLES = {  # bit of modified_attributes -> (key in the file, our attribute)
    1: ("notifications_enabled", "notifications_enabled"),
    2: ("active_checks_enabled", "active_checks_enabled"),
    4: ("passive_checks_enabled", "passive_checks_enabled"),
    8: ("event_handler_enabled", "event_handler_enabled"),
    16: ("flap_detection_enabled", "flap_detection_enabled"),
}
TEXTS = {
    256: ("event_handler", "event_handler"),
    512: ("check_command", "check_command"),
    16384: ("check_period", "check_period"),
    65536: ("notification_period", "notification_period"),
}
INTERVALS = {
    1024: (("normal_check_interval", "check_interval"), "check_interval_s"),
    2048: (("retry_check_interval", "retry_interval"), "retry_interval_s"),
}
ATTEMPTS = 4096
GLOBALS = {  # of the program block, bit -> (key in the file, our switch)
    ("host", 2): ("active_host_checks_enabled", "execute_host_checks"),
    ("host", 4): ("passive_host_checks_enabled", "accept_passive_host_checks"),
    ("service", 1): ("enable_notifications", "enable_notifications"),
    ("service", 2): ("active_service_checks_enabled", "execute_service_checks"),
    ("service", 4): ("passive_service_checks_enabled", "accept_passive_service_checks"),
    ("service", 8): ("enable_event_handlers", "enable_event_handlers"),
    ("service", 16): ("enable_flap_detection", "enable_flap_detection"),
}
Fields = Mapping[str, str]


class Remembered(Struct):
    """Everything that was read. Statuses by key, as "web1" and "web1;http"."""

    statuses: dict[str, Status] = field(default_factory=dict)
    contacts: dict[str, ContactStatus] = field(default_factory=dict)
    switches: dict[str, str] = field(default_factory=dict)  # global ones, changed at run time
    taken: dict[str, int] = field(default_factory=dict)  # what -> how many
    skipped: dict[str, int] = field(default_factory=dict)  # what, and why -> how many
    highest_id: int = 0  # of downtimes and comments


class NotRetention(ValueError):
    """The text is no retention.dat; says why."""


def read_retention(text: str, token: Callable[[], str], interval_length_s: float = 60.0) -> Remembered:
    """Return what `text` holds. `token` gives a random text for each object. Raises NotRetention."""
    found = Remembered()
    numbers = count(1)
    later: list[tuple[str, dict[str, str]]] = []
    blocks = 0
    for kind, fields in _blocks(text, found):
        blocks += 1
        if kind in ("host", "service"):
            _object(kind, fields, found, token, interval_length_s)
        elif kind in ("hostcomment", "servicecomment", "hostdowntime", "servicedowntime"):
            later.append((kind, fields))
        elif kind == "contact":
            _contact(fields, found)
        elif kind in ("program", "info"):
            _program(fields, found)
        else:
            _count(found.skipped, f"block {kind[:40]!r}, which has no place here")
    if not blocks:
        raise NotRetention("no block like `host {` is in it: is it a retention.dat?")
    for kind, fields in later:
        attach = _comment if kind.endswith("comment") else _downtime
        attach(kind, fields, found, numbers)
    _acknowledge(found)
    found.highest_id = next(numbers) - 1
    return found


def _blocks(text: str, found: Remembered) -> "list[tuple[str, dict[str, str]]]":
    blocks: list[tuple[str, dict[str, str]]] = []
    kind = ""
    fields: dict[str, str] = {}
    for line in text.split("\n"):  # an output may hold what splitlines takes for ends of lines
        line = line.strip()
        if not line or (not kind and line.startswith("#")):
            continue
        if not kind and line.endswith("{"):
            kind, fields = line[:-1].strip(), {}
        elif kind and line == "}":
            blocks.append((kind, fields))
            kind = ""
        elif kind and "=" in line:
            key, _, value = line.partition("=")
            fields[key.strip()] = value[:TEXT_MAX]
        else:
            _count(found.skipped, "line outside of any block, or without `=`")
    if kind:
        _count(found.skipped, f"block {kind[:40]!r} that does not end: the file is cut off")
    return blocks


def _object(
    kind: str, fields: Fields, found: Remembered, token: Callable[[], str], interval_s: float
) -> None:
    key = _key(kind, fields)
    if not key:
        _count(found.skipped, f"{kind} without a name")
        return
    is_host = kind == "host"
    good, warned, bad, unknown = (
        ("last_time_up", "", "last_time_down", "last_time_unreachable") if is_host
        else ("last_time_ok", "last_time_warning", "last_time_critical", "last_time_unknown")
    )  # fmt: skip
    worst = 2 if is_host else 3
    state = _whole(fields, "current_state", 0, worst)
    hard = HARD if _whole(fields, "state_type", 0, 1, 1) else SOFT
    number = _whole(fields, "current_notification_number", 0, 1_000_000)
    attempt = max(1, _whole(fields, "current_attempt", 1, 10_000))
    found.statuses[key] = Status(
        key=key,
        lineage=token(),
        checked=fields.get("has_been_checked", "0") == "1",
        state=state,
        state_type=hard,
        attempt=attempt,
        last_state=_whole(fields, "last_state", 0, worst),
        last_hard_state=_whole(fields, "last_hard_state", 0, worst),
        output=_text(fields, "plugin_output"),
        long_output=_text(fields, "long_plugin_output").replace("\\n", "\n"),
        perfdata=_text(fields, "performance_data"),
        code=state,
        passive=fields.get("check_type", "0") == "1",
        latency_s=_number(fields, "check_latency"),
        took_s=_number(fields, "check_execution_time"),
        last_check_wall=_number(fields, "last_check"),
        next_check_wall=_number(fields, "next_check"),
        last_change_wall=_number(fields, "last_state_change"),
        last_hard_change_wall=_number(fields, "last_hard_state_change"),
        last_ok_wall=_number(fields, good),
        last_warning_wall=_number(fields, warned),
        last_critical_wall=_number(fields, bad),
        last_unknown_wall=_number(fields, unknown),
        problem_wall=_number(fields, "last_hard_state_change") if state and hard == HARD else 0.0,
        hard_changes=1 if state and hard == HARD else 0,
        notification_number=number,
        last_notification_wall=_number(fields, "last_notification"),
        next_notification_wall=_number(fields, "next_notification"),
        no_more_notifications=fields.get("no_more_notifications", "0") == "1",
        flap_history=_history(fields.get("state_history", ""), worst),
        flap_percent=min(100.0, _number(fields, "percent_state_change")),
        flapping=fields.get("is_flapping", "0") == "1",
        ack=_ack(fields),
        modified=_modified(fields, found, interval_s),
    )
    _count(found.taken, f"{kind}s")
    if number:
        _count(found.taken, "notification numbers")
    if any(name.startswith("_") for name in fields):
        _count(found.skipped, "custom variables: they come from the configuration")


def _modified(fields: Fields, found: Remembered, interval_s: float) -> dict[str, str]:
    bits = _whole(fields, "modified_attributes", 0, 2**31)
    modified: dict[str, str] = {}
    for bit, (key, name) in {**TOGGLES, **TEXTS}.items():
        if bits & bit and key in fields:
            modified[name] = _text(fields, key) if bit in TEXTS else str(int(fields[key] == "1"))
    for bit, (keys, name) in INTERVALS.items():
        key = next((key for key in keys if key in fields), "")
        if bits & bit and key:
            modified[name] = str(_number(fields, key) * interval_s)
    if bits & ATTEMPTS and "max_attempts" in fields:
        modified["max_check_attempts"] = str(_whole(fields, "max_attempts", 1, 10_000))
    known = sum({*TOGGLES, *TEXTS, *INTERVALS, ATTEMPTS})
    if bits & ~known:
        _count(found.skipped, "modified attributes of other kinds (obsessing, custom variables, ...)")
    if modified:
        _count(found.taken, "objects with modified attributes")
    return modified


def _ack(fields: Fields) -> Ack | None:
    if fields.get("problem_has_been_acknowledged", "0") != "1":
        return None
    sticky = fields.get("acknowledgement_type", "2") == "2"
    return Ack(author="", comment="", sticky=sticky, entry_wall=_number(fields, "last_acknowledgement"))


def _acknowledge(found: Remembered) -> None:
    """Give each acknowledgement the author and text of its comment; the file keeps them there."""
    for status in found.statuses.values():
        if status.ack is None:
            continue
        _count(found.taken, "acknowledgements")
        said = next((c for c in reversed(status.comments) if c.kind == 4), None)
        if said is not None:
            status.ack = Ack(
                author=said.author,
                comment=said.text,
                sticky=status.ack.sticky,
                persistent=said.persistent,
                entry_wall=said.entry_wall,
            )


def _comment(kind: str, fields: Fields, found: Remembered, numbers: "count[int]") -> None:
    status = found.statuses.get(_key(kind.removesuffix("comment"), fields))
    if status is None:
        _count(found.skipped, f"{kind} of an object that is not in the file")
        return
    entry = _whole(fields, "entry_type", 1, 4, 1)
    if entry == 2:
        return  # of a downtime: it is made with that
    status.comments = (
        *status.comments,
        Comment(
            id=next(numbers),
            entry_wall=_number(fields, "entry_time"),
            author=_text(fields, "author"),
            text=_text(fields, "comment_data"),
            persistent=fields.get("persistent", "0") == "1",
            kind=entry,
        ),
    )
    _count(found.taken, "comments")


def _downtime(kind: str, fields: Fields, found: Remembered, numbers: "count[int]") -> None:
    status = found.statuses.get(_key(kind.removesuffix("downtime"), fields))
    if status is None:
        _count(found.skipped, f"{kind} of an object that is not in the file")
        return
    if _whole(fields, "triggered_by", 0, 2**62):
        _count(found.skipped, "link of a downtime to the one that triggers it")
    fixed = fields.get("fixed", "1") == "1"
    begun = fields.get("is_in_effect", "0") == "1"
    number, entry, author = next(numbers), _number(fields, "entry_time"), _text(fields, "author")
    start = _number(fields, "flex_downtime_start") or _number(fields, "start_time")
    status.downtimes = (
        *status.downtimes,
        Downtime(
            id=number,
            entry_wall=entry,
            start_wall=_number(fields, "start_time"),
            end_wall=_number(fields, "end_time"),
            fixed=fixed,
            duration_s=_number(fields, "duration"),
            author=author,
            comment=_text(fields, "comment"),
            in_effect=begun,
            started_wall=start if begun else 0.0,
        ),
    )
    status.comments = (
        *status.comments,
        Comment(
            id=next(numbers), entry_wall=entry, author=author, text=_text(fields, "comment"), kind=2,
            source_id=number,
        ),
    )  # fmt: skip
    _count(found.taken, "downtimes")


def _contact(fields: Fields, found: Remembered) -> None:
    name = fields.get("contact_name", "")
    modified = {}
    for attribute, key in (("host", "host_notifications_enabled"), ("service", "service_notifications_enabled")):
        if name and _whole(fields, f"modified_{attribute}_attributes", 0, 2**31) & 1 and key in fields:
            modified[key] = str(int(fields[key] == "1"))
    if modified:
        found.contacts[name] = ContactStatus(name=name, modified=modified)
        _count(found.taken, "contacts with modified attributes")


def _program(fields: Fields, found: Remembered) -> None:
    for (kind, bit), (key, switch) in GLOBALS.items():
        if _whole(fields, f"modified_{kind}_attributes", 0, 2**31) & bit and key in fields:
            found.switches[switch] = str(int(fields[key] == "1"))
            _count(found.taken, "global switches")


def _key(kind: str, fields: Fields) -> str:
    host, service = fields.get("host_name", ""), fields.get("service_description", "")
    if kind == "host":
        return host
    return f"{host};{service}" if host and service else ""


def _history(text: str, worst: int) -> tuple[int, ...]:
    states = [int(word) for word in text.split(",") if word.strip().isdecimal()]
    return tuple(min(state, worst) for state in states[-21:])


def _text(fields: Fields, key: str) -> str:
    return fields.get(key, "")


def _number(fields: Fields, key: str) -> float:
    """Seconds, or 0 for what is none: negative, not finite, beyond the year 5000."""
    try:
        value = float(fields.get(key, "0") or "0")
    except ValueError:
        return 0.0
    return value if isfinite(value) and 0 <= value < 1e11 else 0.0


def _whole(fields: Fields, key: str, low: int, high: int, default: int = 0) -> int:
    number = _number(fields, key) if key in fields else default
    return max(low, min(high, int(number)))


def _count(where: dict[str, int], what: str) -> None:
    where[what] = where.get(what, 0) + 1
