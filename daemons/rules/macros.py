"""The value of each macro for one host, service, contact or notification: asked by name, computed when asked.

Nagios Core docs, "Standard Macros in Nagios". The one thing to know: every function here returns a `Lookup`, a
closure over references; making one costs a fraction of a microsecond however many macros there are.
Lines and their macros are taken apart in `rules.template`, whose names are repeated here.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from daemons.model.clock import Wall
from daemons.model.objects import Contact, Globals, Host, Service, Traits
from daemons.model.status import HOST_STATES, SERVICE_STATES, STATE_TYPES, Status
from daemons.rules.template import Lookup as Lookup
from daemons.rules.template import Template as Template
from daemons.rules.template import chain as chain
from daemons.rules.template import on_demand as on_demand
from daemons.rules.template import resolve as resolve
from daemons.rules.template import run_time as run_time
from daemons.rules.template import split_command as split_command
from daemons.rules.template import split_macros as split_macros

_NEVER = Wall(0.0)


class _HostCase(NamedTuple):
    host: Host
    traits: Traits
    status: Status
    now: Wall
    illegal: str  # characters to take out of what came from outside


class _ServiceCase(NamedTuple):
    service: Service
    traits: Traits
    status: Status
    now: Wall
    illegal: str


def host_macros(host: Host, traits: Traits, status: Status, now: Wall, illegal: str = "") -> Lookup:
    """Return the lookup of a host's macros and custom variables.

    `illegal` is illegal_macro_output_chars; `traits` with run-time changes applied by the caller.
    """
    case = _HostCase(host, traits, status, now, illegal)

    def ask(name: str) -> str | None:
        getter = _HOST.get(name)
        if getter is not None:
            return getter(case)
        if name.startswith("_HOST"):
            return _custom(name[5:], traits, status)
        return None

    return ask


def service_macros(
    service: Service, traits: Traits, status: Status, now: Wall, illegal: str = ""
) -> Lookup:
    """Return the lookup of a service's own macros; `macros.chain` it with its host's."""
    case = _ServiceCase(service, traits, status, now, illegal)

    def ask(name: str) -> str | None:
        getter = _SERVICE.get(name)
        if getter is not None:
            return getter(case)
        if name.startswith("_SERVICE"):
            return _custom(name[8:], traits, status)
        return None

    return ask


def contact_macros(contact: Contact, custom: Mapping[str, str] | None = None) -> Lookup:
    """Return the lookup of a contact's macros; `custom` are what was changed at run time: variables with an underscore."""

    def ask(name: str) -> str | None:
        getter = _CONTACT.get(name)
        if getter is not None:
            return getter(contact)
        if name.startswith("_CONTACT"):
            variable = name[8:].upper()
            if custom is not None and f"_{variable}" in custom:
                return custom[f"_{variable}"]
            return contact.custom.get(variable)
        if name.startswith("CONTACTADDRESS") and name[14:].isdecimal():
            number = int(name[14:])
            return contact.addresses[number - 1] if 1 <= number <= len(contact.addresses) else ""
        return None

    return ask


def notification_macros(
    kind: str,
    number: int,
    id: str,
    author: str = "",
    comment: str = "",
    recipients: tuple[str, ...] = (),
    escalated: bool = False,
    illegal: str = "",
) -> Lookup:
    """Return the lookup of one notification's macros; `kind` is a constant of `rules.notify`."""

    def ask(name: str) -> str | None:
        match name:
            case "NOTIFICATIONTYPE":
                return kind
            case "NOTIFICATIONID" | "HOSTNOTIFICATIONID" | "SERVICENOTIFICATIONID":
                return id
            case "NOTIFICATIONNUMBER" | "HOSTNOTIFICATIONNUMBER" | "SERVICENOTIFICATIONNUMBER":
                return str(number)
            case "NOTIFICATIONRECIPIENTS":
                return ",".join(recipients)
            case "NOTIFICATIONISESCALATED":
                return str(int(escalated))
            case "NOTIFICATIONAUTHOR" | "NOTIFICATIONAUTHORNAME" | "NOTIFICATIONAUTHORALIAS":
                return _clean(author, illegal)
            case "NOTIFICATIONCOMMENT":
                return _clean(comment, illegal)
        return None

    return ask


def global_macros(
    settings: Globals,
    resources: Mapping[str, str],
    now: Wall,
    started: Wall = _NEVER,
    totals: Callable[[str], int | None] | None = None,
) -> Lookup:
    """Return the lookup of resource macros (`$USER1$`), dates and totals.

    `resources` has names without dollars; `totals` counts for a TOTAL... macro, or says None.
    """

    def ask(name: str) -> str | None:
        if name in resources:
            return resources[name]
        if name.startswith("TOTAL"):
            count = None if totals is None else totals(name)
            return None if count is None else str(count)
        match name:
            case "TIMET":
                return str(int(now))
            case "LONGDATETIME" | "SHORTDATETIME" | "DATE" | "TIME":
                return _date(name, int(now), settings.use_timezone, settings.date_format)
            case "PROCESSSTARTTIME" | "EVENTSTARTTIME":
                return str(int(started))
            case "PREFIX" | "COMMANDFILE" | "MAINCONFIGFILE" | "ADMINEMAIL" | "ADMINPAGER":
                return settings.settings.get(_SETTINGS[name], "")
        return None

    return ask


_SETTINGS = {
    "PREFIX": "prefix",
    "COMMANDFILE": "command_file",
    "MAINCONFIGFILE": "main_config_file",
    "ADMINEMAIL": "admin_email",
    "ADMINPAGER": "admin_pager",
}


def environment(lookup: Lookup, customs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the environment of a command while enable_environment_macros is on: NAGIOS_<MACRO>.

    `customs` gives custom variables by "HOST", "SERVICE", "CONTACT". Only what `lookup` knows is in it.
    """
    named = ((name, lookup(name)) for name in ENVIRONMENT)
    found = {f"NAGIOS_{name}": value for name, value in named if value is not None}
    for scope, variables in customs.items():
        for variable in variables:
            value = lookup(f"_{scope}{variable}")
            if value is not None:
                found[f"NAGIOS__{scope}{variable}"] = value
    return {name: value.replace("\0", "") for name, value in found.items()}


def _clean(text: str, illegal: str) -> str:
    """`text` from outside without the characters that main file forbids there."""
    if illegal:
        for char in illegal:
            if char in text:
                text = text.replace(char, "")
    return text


def _custom(name: str, traits: Traits, status: Status) -> str | None:
    """A custom variable; one changed at run time is under its name with an underscore."""
    name = name.upper()
    if status.modified:
        changed = status.modified.get("_" + name)
        if changed is not None:
            return changed
    return traits.custom.get(name)


def _time(wall: float) -> str:
    return str(int(wall))


def _duration(since: float, now: float) -> str:
    seconds = max(int(now - since), 0) if since > 0 else 0
    days, seconds = divmod(seconds, 86400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    return f"{days}d {hours}h {minutes}m {seconds}s"


def _duration_s(since: float, now: float) -> str:
    return str(max(int(now - since), 0) if since > 0 else 0)


def _host_state(state: int) -> str:
    return HOST_STATES[state] if 0 <= state < 3 else "DOWN"


def _service_state(state: int) -> str:
    return SERVICE_STATES[state] if 0 <= state < 4 else "UNKNOWN"


def _address(c: _HostCase) -> str:
    return c.host.address or c.host.name


_HOST: dict[str, Callable[[_HostCase], str]] = {
    "HOSTNAME": lambda c: c.host.name,
    "HOSTADDRESS": _address,
    "HOSTALIAS": lambda c: c.host.alias or c.host.name,
    "HOSTDISPLAYNAME": lambda c: c.host.display_name or c.host.name,
    "FULLNAME": lambda c: c.host.name,
    "HOSTSTATE": lambda c: _host_state(c.status.state),
    "HOSTSTATEID": lambda c: str(c.status.state),
    "HOSTSTATETYPE": lambda c: STATE_TYPES[c.status.state_type],
    "STATUS": lambda c: _host_state(c.status.state),
    "SHORTSTATUS": lambda c: _host_state(c.status.state)[0],
    "HOSTATTEMPT": lambda c: str(c.status.attempt),
    "MAXHOSTATTEMPTS": lambda c: str(c.traits.max_check_attempts),
    "HOSTLATENCY": lambda c: f"{c.status.latency_s:.3f}",
    "HOSTEXECUTIONTIME": lambda c: f"{c.status.took_s:.3f}",
    "HOSTDURATION": lambda c: _duration(c.status.last_change_wall, c.now),
    "HOSTDURATIONSEC": lambda c: _duration_s(c.status.last_change_wall, c.now),
    "HOSTDOWNTIME": lambda c: str(c.status.downtime_depth),
    "HOSTPERCENTCHANGE": lambda c: f"{c.status.flap_percent:.2f}",
    "HOSTOUTPUT": lambda c: _clean(c.status.output, c.illegal),
    "LONGHOSTOUTPUT": lambda c: _clean(c.status.long_output, c.illegal),
    "HOSTPERFDATA": lambda c: _clean(c.status.perfdata, c.illegal),
    "LASTHOSTSTATE": lambda c: _host_state(c.status.last_state),
    "LASTHOSTSTATEID": lambda c: str(c.status.last_state),
    "LASTHOSTCHECK": lambda c: _time(c.status.last_check_wall),
    "LASTHOSTSTATECHANGE": lambda c: _time(c.status.last_change_wall),
    "LASTHOSTUP": lambda c: _time(c.status.last_ok_wall),
    "LASTHOSTDOWN": lambda c: _time(c.status.last_critical_wall),
    "LASTHOSTUNREACHABLE": lambda c: _time(c.status.last_unknown_wall),
    "HOSTEVENTID": lambda c: str(c.status.hard_changes),
    "HOSTPROBLEMID": lambda c: str(c.status.hard_changes if c.status.state else 0),
    "HOSTACKAUTHOR": lambda c: _clean(c.status.ack.author, c.illegal) if c.status.ack else "",
    "HOSTACKAUTHORNAME": lambda c: _clean(c.status.ack.author, c.illegal) if c.status.ack else "",
    "HOSTACKAUTHORALIAS": lambda c: _clean(c.status.ack.author, c.illegal) if c.status.ack else "",
    "HOSTACKCOMMENT": lambda c: _clean(c.status.ack.comment, c.illegal) if c.status.ack else "",
    "HOSTCHECKCOMMAND": lambda c: c.traits.check_command,
    "HOSTBUSINESSIMPACT": lambda c: str(c.traits.business_impact),
    "HOSTGROUPNAME": lambda c: c.traits.groups[0] if c.traits.groups else "",
    "HOSTGROUPNAMES": lambda c: ",".join(c.traits.groups),
    "HOSTNOTES": lambda c: c.traits.shown.get("notes", ""),
    "HOSTNOTESURL": lambda c: c.traits.shown.get("notes_url", ""),
    "HOSTACTIONURL": lambda c: c.traits.shown.get("action_url", ""),
    "HOSTREALM": lambda c: c.traits.rest.get("realm", ""),
    **{f"HOSTADDRESS{i}": _address for i in range(31)},
}

_SERVICE: dict[str, Callable[[_ServiceCase], str]] = {
    "SERVICEDESC": lambda c: c.service.description,
    "SERVICEDISPLAYNAME": lambda c: c.service.display_name or c.service.description,
    "FULLNAME": lambda c: f"{c.service.host}/{c.service.description}",
    "SERVICESTATE": lambda c: _service_state(c.status.state),
    "SERVICESTATEID": lambda c: str(c.status.state),
    "SERVICESTATETYPE": lambda c: STATE_TYPES[c.status.state_type],
    "STATUS": lambda c: _service_state(c.status.state),
    "SHORTSTATUS": lambda c: _service_state(c.status.state)[0],
    "SERVICEATTEMPT": lambda c: str(c.status.attempt),
    "MAXSERVICEATTEMPTS": lambda c: str(c.traits.max_check_attempts),
    "SERVICEISVOLATILE": lambda c: str(int(c.traits.is_volatile)),
    "SERVICELATENCY": lambda c: f"{c.status.latency_s:.3f}",
    "SERVICEEXECUTIONTIME": lambda c: f"{c.status.took_s:.3f}",
    "SERVICEDURATION": lambda c: _duration(c.status.last_change_wall, c.now),
    "SERVICEDURATIONSEC": lambda c: _duration_s(c.status.last_change_wall, c.now),
    "SERVICEDOWNTIME": lambda c: str(c.status.downtime_depth),
    "SERVICEPERCENTCHANGE": lambda c: f"{c.status.flap_percent:.2f}",
    "SERVICEOUTPUT": lambda c: _clean(c.status.output, c.illegal),
    "LONGSERVICEOUTPUT": lambda c: _clean(c.status.long_output, c.illegal),
    "SERVICEPERFDATA": lambda c: _clean(c.status.perfdata, c.illegal),
    "LASTSERVICESTATE": lambda c: _service_state(c.status.last_state),
    "LASTSERVICESTATEID": lambda c: str(c.status.last_state),
    "LASTSERVICECHECK": lambda c: _time(c.status.last_check_wall),
    "LASTSERVICESTATECHANGE": lambda c: _time(c.status.last_change_wall),
    "LASTSERVICEOK": lambda c: _time(c.status.last_ok_wall),
    "LASTSERVICEWARNING": lambda c: _time(c.status.last_warning_wall),
    "LASTSERVICECRITICAL": lambda c: _time(c.status.last_critical_wall),
    "LASTSERVICEUNKNOWN": lambda c: _time(c.status.last_unknown_wall),
    "SERVICEEVENTID": lambda c: str(c.status.hard_changes),
    "SERVICEPROBLEMID": lambda c: str(c.status.hard_changes if c.status.state else 0),
    "SERVICEACKAUTHOR": lambda c: _clean(c.status.ack.author, c.illegal) if c.status.ack else "",
    "SERVICEACKAUTHORNAME": lambda c: (
        _clean(c.status.ack.author, c.illegal) if c.status.ack else ""
    ),
    "SERVICEACKAUTHORALIAS": lambda c: (
        _clean(c.status.ack.author, c.illegal) if c.status.ack else ""
    ),
    "SERVICEACKCOMMENT": lambda c: _clean(c.status.ack.comment, c.illegal) if c.status.ack else "",
    "SERVICECHECKCOMMAND": lambda c: c.traits.check_command,
    "SERVICEBUSINESSIMPACT": lambda c: str(c.traits.business_impact),
    "SERVICEGROUPNAME": lambda c: c.traits.groups[0] if c.traits.groups else "",
    "SERVICEGROUPNAMES": lambda c: ",".join(c.traits.groups),
    "SERVICENOTES": lambda c: c.traits.shown.get("notes", ""),
    "SERVICENOTESURL": lambda c: c.traits.shown.get("notes_url", ""),
    "SERVICEACTIONURL": lambda c: c.traits.shown.get("action_url", ""),
}

_CONTACT: dict[str, Callable[[Contact], str]] = {
    "CONTACTNAME": lambda c: c.name,
    "CONTACTALIAS": lambda c: c.alias or c.name,
    "CONTACTEMAIL": lambda c: c.email,
    "CONTACTPAGER": lambda c: c.pager,
    "CONTACTGROUPNAME": lambda c: c.groups[0] if c.groups else "",
    "CONTACTGROUPNAMES": lambda c: ",".join(c.groups),
}

# What enable_environment_macros exports, besides custom variables.
ENVIRONMENT = (
    *(name for name in _HOST if not name[-1].isdecimal()),
    *(name for name in _SERVICE if name not in _HOST),
    *_CONTACT,
    *(f"CONTACTADDRESS{i}" for i in range(1, 7)),
    "NOTIFICATIONTYPE", "NOTIFICATIONID", "NOTIFICATIONNUMBER", "NOTIFICATIONRECIPIENTS",
    "NOTIFICATIONISESCALATED", "NOTIFICATIONAUTHOR", "NOTIFICATIONCOMMENT", "HOSTNOTIFICATIONNUMBER",
    "HOSTNOTIFICATIONID", "SERVICENOTIFICATIONNUMBER", "SERVICENOTIFICATIONID",
    "LONGDATETIME", "SHORTDATETIME", "DATE", "TIME", "TIMET",
)  # fmt: skip

# main file: date_format -> how a short date is written
_FORMATS = {
    "us": ("%m-%d-%Y", "%m-%d-%Y %H:%M:%S"),
    "euro": ("%d-%m-%Y", "%d-%m-%Y %H:%M:%S"),
    "iso8601": ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S"),
    "strict-iso8601": ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"),
}


@lru_cache(maxsize=16)
def _date(name: str, now_s: int, tz_name: str, date_format: str) -> str:
    """A date or time as date_format wants it, in the zone of use_timezone ("" = UTC)."""
    local = datetime.fromtimestamp(now_s, ZoneInfo(tz_name or "UTC"))
    date, both = _FORMATS.get(date_format, _FORMATS["us"])
    match name:
        case "LONGDATETIME":
            return local.strftime("%a %b %d %H:%M:%S %Z %Y")
        case "DATE":
            return local.strftime(date)
        case "TIME":
            return local.strftime("%H:%M:%S")
    return local.strftime(both)
