"""The value of each macro of one host or service: asked by name, computed when asked.

Nagios Core docs, "Standard Macros in Nagios"; Shinken's names besides. The one thing to know: every function
here returns a `Lookup`, a closure over references; making one costs a fraction of a microsecond however many
macros there are. Other families of macros are in modules of their own; lines and their macros are taken
apart in `rules.template`.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from daemons.model.clock import Wall
from daemons.model.objects import Host, Service, Traits
from daemons.model.status import HOST_STATES, SERVICE_STATES, STATE_TYPES, Status
from daemons.rules.template import Lookup, Outside

NO_CUSTOM: Mapping[str, str] = {}


def as_written(name: str) -> str:
    """Return `name`: the alias of somebody of whom nothing is known."""
    return name


class _Case(NamedTuple):
    traits: Traits
    status: Status
    now: Wall
    illegal: str  # characters to take out of what came from outside
    alias_of: Callable[[str], str]  # of the author of an acknowledgement


def host_macros(
    host: Host,
    traits: Traits,
    status: Status,
    now: Wall,
    illegal: str = "",
    *,
    modulated: Mapping[str, str] = NO_CUSTOM,
    realm: str = "",
    alias_of: Callable[[str], str] = as_written,
) -> Lookup:
    """Return the lookup of a host's macros and custom variables.

    `illegal` is illegal_macro_output_chars; `traits` with run-time changes applied by the caller; `modulated`
    are the custom variables of the macro modulations in force, which win over all others.
    """
    case = _Case(traits, status, now, illegal, alias_of)

    def ask(name: str) -> str | None:
        getter = _HOST.get(name)
        if getter is not None:
            return getter(case)
        own = _HOST_ITSELF.get(name)
        if own is not None:
            return own(host)
        if name.startswith("_HOST"):
            return custom_variable(name[5:], traits.custom, status.modified, modulated)
        if name == "HOSTREALM":
            return traits.rest.get("realm") or realm
        return None

    return ask


def service_macros(
    service: Service,
    traits: Traits,
    status: Status,
    now: Wall,
    illegal: str = "",
    *,
    modulated: Mapping[str, str] = NO_CUSTOM,
    alias_of: Callable[[str], str] = as_written,
) -> Lookup:
    """Return the lookup of a service's own macros; `template.chain` it with its host's."""
    case = _Case(traits, status, now, illegal, alias_of)

    def ask(name: str) -> str | None:
        getter = _SERVICE.get(name)
        if getter is not None:
            return getter(case)
        own = _SERVICE_ITSELF.get(name)
        if own is not None:
            return own(service)
        if name.startswith("_SERVICE"):
            return custom_variable(name[8:], traits.custom, status.modified, modulated)
        return None

    return ask


def cleaned(text: str, illegal: str) -> Outside:
    """Return `text`, which came from outside, without the characters of `illegal`."""
    for char in illegal:
        if char in text:
            text = text.replace(char, "")
    return Outside(text)


def custom_variable(
    name: str, configured: Mapping[str, str], modified: Mapping[str, str], modulated: Mapping[str, str]
) -> str | None:  # fmt: skip
    """Return a custom variable by its name in any case, without underscore; None when there is none.

    A modulation in force wins, then what was set at run time, which is under the name with an underscore.
    Shinken docs, "Macro modulations".
    """
    name = name.upper()
    if name in modulated:
        return modulated[name]
    changed = modified.get("_" + name)
    return configured.get(name) if changed is None else Outside(changed)


def _seconds_since(since: float, now: float) -> int:
    return max(int(now - since), 0) if since > 0 else 0


def _duration(since: float, now: float) -> str:
    days, seconds = divmod(_seconds_since(since, now), 86400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    return f"{days}d {hours}h {minutes}m {seconds}s"


def _host_state(state: int) -> str:
    return HOST_STATES[state] if 0 <= state < 3 else "DOWN"


def _service_state(state: int) -> str:
    return SERVICE_STATES[state] if 0 <= state < 4 else "UNKNOWN"


def _ack_author(c: _Case) -> str:
    return cleaned(c.status.ack.author, c.illegal) if c.status.ack else ""


def _ack_alias(c: _Case) -> str:
    return cleaned(c.alias_of(c.status.ack.author), c.illegal) if c.status.ack else ""


def _ack_comment(c: _Case) -> str:
    return cleaned(c.status.ack.comment, c.illegal) if c.status.ack else ""


# what hosts and services have alike; {} is HOST or SERVICE
_ALIKE: dict[str, Callable[[_Case], str]] = {
    "{}STATEID": lambda c: str(c.status.state),
    "{}STATETYPE": lambda c: STATE_TYPES[c.status.state_type],
    "{}ATTEMPT": lambda c: str(c.status.attempt),
    "MAX{}ATTEMPTS": lambda c: str(c.traits.max_check_attempts),
    "{}LATENCY": lambda c: f"{c.status.latency_s:.3f}",
    "{}EXECUTIONTIME": lambda c: f"{c.status.took_s:.3f}",
    "{}DURATION": lambda c: _duration(c.status.last_change_wall, c.now),
    "{}DURATIONSEC": lambda c: str(_seconds_since(c.status.last_change_wall, c.now)),
    "{}DOWNTIME": lambda c: str(c.status.downtime_depth),
    "{}PERCENTCHANGE": lambda c: f"{c.status.flap_percent:.2f}",
    "{}OUTPUT": lambda c: cleaned(c.status.output, c.illegal),
    "LONG{}OUTPUT": lambda c: cleaned(c.status.long_output, c.illegal),
    "{}PERFDATA": lambda c: cleaned(c.status.perfdata, c.illegal),
    "LAST{}PERFDATA": lambda c: cleaned(c.status.last_perfdata, c.illegal),
    "LAST{}STATEID": lambda c: str(c.status.last_state),
    "LAST{}CHECK": lambda c: str(int(c.status.last_check_wall)),
    "LAST{}STATECHANGE": lambda c: str(int(c.status.last_change_wall)),
    "{}EVENTID": lambda c: str(c.status.event_id),
    "LAST{}EVENTID": lambda c: str(c.status.last_event_id),
    "{}PROBLEMID": lambda c: str(c.status.problem_id),
    "LAST{}PROBLEMID": lambda c: str(c.status.last_problem_id),
    "{}NOTIFICATIONNUMBER": lambda c: str(c.status.notification_number),
    "{}ACKAUTHOR": _ack_author,
    "{}ACKAUTHORNAME": _ack_author,
    "{}ACKAUTHORALIAS": _ack_alias,
    "{}ACKCOMMENT": _ack_comment,
    "{}CHECKCOMMAND": lambda c: c.traits.check_command,
    "{}BUSINESSIMPACT": lambda c: str(c.traits.business_impact),
    "{}GROUPNAME": lambda c: c.traits.groups[0] if c.traits.groups else "",
    "{}GROUPNAMES": lambda c: ",".join(c.traits.groups),
    "{}NOTES": lambda c: c.traits.shown.get("notes", ""),
    "{}NOTESURL": lambda c: c.traits.shown.get("notes_url", ""),
    "{}ACTIONURL": lambda c: c.traits.shown.get("action_url", ""),
}

_HOST: dict[str, Callable[[_Case], str]] = {
    **{name.format("HOST"): getter for name, getter in _ALIKE.items()},
    "HOSTSTATE": lambda c: _host_state(c.status.state),
    "LASTHOSTSTATE": lambda c: _host_state(c.status.last_state),
    "STATUS": lambda c: _host_state(c.status.state),
    "SHORTSTATUS": lambda c: _host_state(c.status.state)[0],
    "LASTHOSTUP": lambda c: str(int(c.status.last_ok_wall)),
    "LASTHOSTDOWN": lambda c: str(int(c.status.last_critical_wall)),
    "LASTHOSTUNREACHABLE": lambda c: str(int(c.status.last_unknown_wall)),
}

_SERVICE: dict[str, Callable[[_Case], str]] = {
    **{name.format("SERVICE"): getter for name, getter in _ALIKE.items()},
    "SERVICESTATE": lambda c: _service_state(c.status.state),
    "LASTSERVICESTATE": lambda c: _service_state(c.status.last_state),
    "STATUS": lambda c: _service_state(c.status.state),
    "SHORTSTATUS": lambda c: _service_state(c.status.state)[0],
    "SERVICEISVOLATILE": lambda c: str(int(c.traits.is_volatile)),
    "LASTSERVICEOK": lambda c: str(int(c.status.last_ok_wall)),
    "LASTSERVICEWARNING": lambda c: str(int(c.status.last_warning_wall)),
    "LASTSERVICECRITICAL": lambda c: str(int(c.status.last_critical_wall)),
    "LASTSERVICEUNKNOWN": lambda c: str(int(c.status.last_unknown_wall)),
}


def _address(host: Host) -> str:
    return host.address or host.name


_HOST_ITSELF: dict[str, Callable[[Host], str]] = {
    "HOSTNAME": lambda h: h.name,
    "HOSTADDRESS": _address,
    "HOSTALIAS": lambda h: h.alias or h.name,
    "HOSTDISPLAYNAME": lambda h: h.display_name or h.name,
    "FULLNAME": lambda h: h.name,
    **{f"HOSTADDRESS{i}": _address for i in range(31)},
}

_SERVICE_ITSELF: dict[str, Callable[[Service], str]] = {
    "SERVICEDESC": lambda s: s.description,
    "SERVICEDISPLAYNAME": lambda s: s.display_name or s.description,
    "FULLNAME": lambda s: f"{s.host}/{s.description}",
}

HOST_MACROS = (*_HOST, *_HOST_ITSELF, "HOSTREALM")
SERVICE_MACROS = (*_SERVICE, *_SERVICE_ITSELF)
