"""External commands: the line format, every name with its arguments, and which scheduler gets it.

Line: `[epoch] NAME;arg;arg`. Nagios Core docs, "External Commands", with Shinken's additions and some of Nagios 4
and Naemon. The one thing to know: nothing is applied here; arguments stay text, checked for their kind.
"""

import re

from msgspec import Struct

from daemons.model.clock import Wall


class Shape(Struct, frozen=True, gc=False):
    """What a command is about and what it takes."""

    scope: str  # host, service, contact, hostgroup, servicegroup, contactgroup or global
    kinds: tuple[str, ...]  # of its arguments; "service" stands for two, host and description
    optional: int = 0  # how many at the end may be left out


class ExternalCommand(Struct, frozen=True):
    """A command that can be obeyed as far as its form goes."""

    name: str
    args: tuple[str, ...]  # text as given, kinds checked; a service is two of them
    wall: Wall  # when it was given; 0 = not said


class Refused(Struct, frozen=True):
    """A line that is no command, and why: shown to whoever sent it."""

    why: str


def parse(line: str) -> ExternalCommand | Refused:
    """Return the command in `line`, or why there is none.

    The last text argument keeps its semicolons. Arguments beyond those known are refused only where the last
    one is not text.
    """
    match = _LINE.match(line.strip("\r\n\t \0"))
    if match is None:
        return Refused("a command is written [seconds since 1970] NAME;argument;argument")
    epoch, name, rest = match.groups()
    shape = COMMANDS.get(name.upper())
    if shape is None:
        return Refused(f"there is no external command {name[:80]}")
    name = name.upper()
    kinds = _FLAT[name]
    if not kinds:
        if rest and rest.strip(";"):
            return Refused(f"{name} takes no arguments")
        return ExternalCommand(name, (), Wall(float(epoch or 0)))
    args = rest.split(";", len(kinds) - 1) if rest is not None else []
    if kinds[-1] != "text" and len(args) == len(kinds):
        args[-1] = args[-1].rstrip(";")
    if len(args) < len(kinds) - shape.optional:
        takes = ";".join(kinds)
        return Refused(f"{name} takes {len(kinds)} arguments ({takes}), {len(args)} given")
    for number, (kind, value) in enumerate(zip(kinds, args, strict=False), 1):
        why = _wrong(kind, value, optional=number > len(kinds) - shape.optional)
        if why:
            return Refused(f"{name}: argument {number} ({kind}) {why}")
    return ExternalCommand(name, tuple(args), Wall(float(epoch or 0)))


def route(command: ExternalCommand) -> str | None:
    """Return the host whose scheduler gets `command`; None = every scheduler gets it."""
    return command.args[0] if COMMANDS[command.name].scope in ("host", "service") else None


def _wrong(kind: str, value: str, *, optional: bool) -> str:
    """What is wrong with an argument, or ""."""
    if kind in ("text", "author"):
        return ""
    if not value:
        return "" if optional else "is empty"
    if kind == "int":
        return "" if _INT.match(value) else f"must be a whole number, not {value[:40]!r}"
    if kind == "bool":
        return "" if value in ("0", "1") else f"must be 0 or 1, not {value[:40]!r}"
    return ""


_LINE = re.compile(
    r"(?:\[\s*(\d{1,12}(?:\.\d{1,9})?)\s*\]\s*)?([A-Za-z_]+)\s*(?:;(.*))?$", re.DOTALL
)
_INT = re.compile(r"\s*-?\d{1,12}(?:\.0*)?\s*$")


def _c(scope: str, kinds: str, optional: int = 0) -> Shape:
    return Shape(scope, tuple(kinds.split(";")) if kinds else (), optional)


# fmt: off
COMMANDS: dict[str, Shape] = {
    "ACKNOWLEDGE_HOST_PROBLEM": _c("host", "host;int;bool;bool;author;text"),
    "ACKNOWLEDGE_HOST_PROBLEM_EXPIRE": _c("host", "host;int;bool;bool;int;author;text"),
    "ACKNOWLEDGE_SVC_PROBLEM": _c("service", "service;int;bool;bool;author;text"),
    "ACKNOWLEDGE_SVC_PROBLEM_EXPIRE": _c("service", "service;int;bool;bool;int;author;text"),
    "ADD_HOST_COMMENT": _c("host", "host;bool;author;text"),
    "ADD_SIMPLE_HOST_DEPENDENCY": _c("host", "host;host"),
    "ADD_SIMPLE_POLLER": _c("global", "text;text;text;text"),
    "ADD_SVC_COMMENT": _c("service", "service;bool;author;text"),
    "CHANGE_CONTACT_HOST_NOTIFICATION_TIMEPERIOD": _c("contact", "contact;period"),
    "CHANGE_CONTACT_MODATTR": _c("contact", "contact;text"),
    "CHANGE_CONTACT_MODHATTR": _c("contact", "contact;text"),
    "CHANGE_CONTACT_MODSATTR": _c("contact", "contact;text"),
    "CHANGE_CONTACT_SVC_NOTIFICATION_TIMEPERIOD": _c("contact", "contact;period"),
    "CHANGE_CUSTOM_CONTACT_VAR": _c("contact", "contact;text;text"),
    "CHANGE_CUSTOM_HOST_VAR": _c("host", "host;text;text"),
    "CHANGE_CUSTOM_SVC_VAR": _c("service", "service;text;text"),
    "CHANGE_GLOBAL_HOST_EVENT_HANDLER": _c("global", "command"),
    "CHANGE_GLOBAL_SVC_EVENT_HANDLER": _c("global", "command"),
    "CHANGE_HOST_CHECK_COMMAND": _c("host", "host;command"),
    "CHANGE_HOST_CHECK_TIMEPERIOD": _c("host", "host;period"),
    "CHANGE_HOST_EVENT_HANDLER": _c("host", "host;command"),
    "CHANGE_HOST_MODATTR": _c("host", "host;int"),
    "CHANGE_MAX_HOST_CHECK_ATTEMPTS": _c("host", "host;int"),
    "CHANGE_MAX_SVC_CHECK_ATTEMPTS": _c("service", "service;int"),
    "CHANGE_NORMAL_HOST_CHECK_INTERVAL": _c("host", "host;int"),
    "CHANGE_NORMAL_SVC_CHECK_INTERVAL": _c("service", "service;int"),
    "CHANGE_RETRY_HOST_CHECK_INTERVAL": _c("host", "host;int"),
    "CHANGE_RETRY_SVC_CHECK_INTERVAL": _c("service", "service;int"),
    "CHANGE_SVC_CHECK_COMMAND": _c("service", "service;command"),
    "CHANGE_SVC_CHECK_TIMEPERIOD": _c("service", "service;period"),
    "CHANGE_SVC_EVENT_HANDLER": _c("service", "service;command"),
    "CHANGE_SVC_MODATTR": _c("service", "service;int"),
    "CHANGE_SVC_NOTIFICATION_TIMEPERIOD": _c("service", "service;period"),
    "DELAY_HOST_NOTIFICATION": _c("host", "host;int"),
    "DELAY_SVC_NOTIFICATION": _c("service", "service;int"),
    "DEL_ALL_HOST_COMMENTS": _c("host", "host"),
    "DEL_ALL_HOST_DOWNTIMES": _c("host", "host"),
    "DEL_ALL_SVC_COMMENTS": _c("service", "service"),
    "DEL_ALL_SVC_DOWNTIMES": _c("service", "service"),
    "DEL_CONTACT_DOWNTIME": _c("global", "int"),
    "DEL_HOST_COMMENT": _c("global", "int"),
    "DEL_HOST_DEPENDENCY": _c("host", "host;host"),
    "DEL_HOST_DOWNTIME": _c("global", "int"),
    "DEL_SVC_COMMENT": _c("global", "int"),
    "DEL_SVC_DOWNTIME": _c("global", "int"),
    "DISABLE_ALL_NOTIFICATIONS_BEYOND_HOST": _c("host", "host"),
    "DISABLE_CONTACTGROUP_HOST_NOTIFICATIONS": _c("contactgroup", "contactgroup"),
    "DISABLE_CONTACTGROUP_SVC_NOTIFICATIONS": _c("contactgroup", "contactgroup"),
    "DISABLE_CONTACT_HOST_NOTIFICATIONS": _c("contact", "contact"),
    "DISABLE_CONTACT_SVC_NOTIFICATIONS": _c("contact", "contact"),
    "DISABLE_EVENT_HANDLERS": _c("global", ""),
    "DISABLE_FAILURE_PREDICTION": _c("global", ""),
    "DISABLE_FLAP_DETECTION": _c("global", ""),
    "DISABLE_HOSTGROUP_HOST_CHECKS": _c("hostgroup", "hostgroup"),
    "DISABLE_HOSTGROUP_HOST_NOTIFICATIONS": _c("hostgroup", "hostgroup"),
    "DISABLE_HOSTGROUP_PASSIVE_HOST_CHECKS": _c("hostgroup", "hostgroup"),
    "DISABLE_HOSTGROUP_PASSIVE_SVC_CHECKS": _c("hostgroup", "hostgroup"),
    "DISABLE_HOSTGROUP_SVC_CHECKS": _c("hostgroup", "hostgroup"),
    "DISABLE_HOSTGROUP_SVC_NOTIFICATIONS": _c("hostgroup", "hostgroup"),
    "DISABLE_HOST_AND_CHILD_NOTIFICATIONS": _c("host", "host"),
    "DISABLE_HOST_CHECK": _c("host", "host"),
    "DISABLE_HOST_EVENT_HANDLER": _c("host", "host"),
    "DISABLE_HOST_FLAP_DETECTION": _c("host", "host"),
    "DISABLE_HOST_FRESHNESS_CHECKS": _c("global", ""),
    "DISABLE_HOST_NOTIFICATIONS": _c("host", "host"),
    "DISABLE_HOST_SVC_CHECKS": _c("host", "host"),
    "DISABLE_HOST_SVC_NOTIFICATIONS": _c("host", "host"),
    "DISABLE_NOTIFICATIONS": _c("global", ""),
    "DISABLE_PASSIVE_HOST_CHECKS": _c("host", "host"),
    "DISABLE_PASSIVE_SVC_CHECKS": _c("service", "service"),
    "DISABLE_PERFORMANCE_DATA": _c("global", ""),
    "DISABLE_SERVICEGROUP_HOST_CHECKS": _c("servicegroup", "servicegroup"),
    "DISABLE_SERVICEGROUP_HOST_NOTIFICATIONS": _c("servicegroup", "servicegroup"),
    "DISABLE_SERVICEGROUP_PASSIVE_HOST_CHECKS": _c("servicegroup", "servicegroup"),
    "DISABLE_SERVICEGROUP_PASSIVE_SVC_CHECKS": _c("servicegroup", "servicegroup"),
    "DISABLE_SERVICEGROUP_SVC_CHECKS": _c("servicegroup", "servicegroup"),
    "DISABLE_SERVICEGROUP_SVC_NOTIFICATIONS": _c("servicegroup", "servicegroup"),
    "DISABLE_SERVICE_FLAP_DETECTION": _c("service", "service"),
    "DISABLE_SERVICE_FRESHNESS_CHECKS": _c("global", ""),
    "DISABLE_SVC_CHECK": _c("service", "service"),
    "DISABLE_SVC_EVENT_HANDLER": _c("service", "service"),
    "DISABLE_SVC_FLAP_DETECTION": _c("service", "service"),
    "DISABLE_SVC_NOTIFICATIONS": _c("service", "service"),
    "ENABLE_ALL_NOTIFICATIONS_BEYOND_HOST": _c("host", "host"),
    "ENABLE_CONTACTGROUP_HOST_NOTIFICATIONS": _c("contactgroup", "contactgroup"),
    "ENABLE_CONTACTGROUP_SVC_NOTIFICATIONS": _c("contactgroup", "contactgroup"),
    "ENABLE_CONTACT_HOST_NOTIFICATIONS": _c("contact", "contact"),
    "ENABLE_CONTACT_SVC_NOTIFICATIONS": _c("contact", "contact"),
    "ENABLE_EVENT_HANDLERS": _c("global", ""),
    "ENABLE_FAILURE_PREDICTION": _c("global", ""),
    "ENABLE_FLAP_DETECTION": _c("global", ""),
    "ENABLE_HOSTGROUP_HOST_CHECKS": _c("hostgroup", "hostgroup"),
    "ENABLE_HOSTGROUP_HOST_NOTIFICATIONS": _c("hostgroup", "hostgroup"),
    "ENABLE_HOSTGROUP_PASSIVE_HOST_CHECKS": _c("hostgroup", "hostgroup"),
    "ENABLE_HOSTGROUP_PASSIVE_SVC_CHECKS": _c("hostgroup", "hostgroup"),
    "ENABLE_HOSTGROUP_SVC_CHECKS": _c("hostgroup", "hostgroup"),
    "ENABLE_HOSTGROUP_SVC_NOTIFICATIONS": _c("hostgroup", "hostgroup"),
    "ENABLE_HOST_AND_CHILD_NOTIFICATIONS": _c("host", "host"),
    "ENABLE_HOST_CHECK": _c("host", "host"),
    "ENABLE_HOST_EVENT_HANDLER": _c("host", "host"),
    "ENABLE_HOST_FLAP_DETECTION": _c("host", "host"),
    "ENABLE_HOST_FRESHNESS_CHECKS": _c("global", ""),
    "ENABLE_HOST_NOTIFICATIONS": _c("host", "host"),
    "ENABLE_HOST_SVC_CHECKS": _c("host", "host"),
    "ENABLE_HOST_SVC_NOTIFICATIONS": _c("host", "host"),
    "ENABLE_NOTIFICATIONS": _c("global", ""),
    "ENABLE_PASSIVE_HOST_CHECKS": _c("host", "host"),
    "ENABLE_PASSIVE_SVC_CHECKS": _c("service", "service"),
    "ENABLE_PERFORMANCE_DATA": _c("global", ""),
    "ENABLE_SERVICEGROUP_HOST_CHECKS": _c("servicegroup", "servicegroup"),
    "ENABLE_SERVICEGROUP_HOST_NOTIFICATIONS": _c("servicegroup", "servicegroup"),
    "ENABLE_SERVICEGROUP_PASSIVE_HOST_CHECKS": _c("servicegroup", "servicegroup"),
    "ENABLE_SERVICEGROUP_PASSIVE_SVC_CHECKS": _c("servicegroup", "servicegroup"),
    "ENABLE_SERVICEGROUP_SVC_CHECKS": _c("servicegroup", "servicegroup"),
    "ENABLE_SERVICEGROUP_SVC_NOTIFICATIONS": _c("servicegroup", "servicegroup"),
    "ENABLE_SERVICE_FRESHNESS_CHECKS": _c("global", ""),
    "ENABLE_SVC_CHECK": _c("service", "service"),
    "ENABLE_SVC_EVENT_HANDLER": _c("service", "service"),
    "ENABLE_SVC_FLAP_DETECTION": _c("service", "service"),
    "ENABLE_SVC_NOTIFICATIONS": _c("service", "service"),
    "LAUNCH_HOST_EVENT_HANDLER": _c("host", "host"),
    "LAUNCH_SVC_EVENT_HANDLER": _c("service", "service"),
    "PROCESS_FILE": _c("global", "text;bool"),
    "PROCESS_HOST_CHECK_RESULT": _c("host", "host;int;text"),
    "PROCESS_HOST_OUTPUT": _c("host", "host;text"),
    "PROCESS_SERVICE_CHECK_RESULT": _c("service", "service;int;text"),
    "PROCESS_SERVICE_OUTPUT": _c("service", "service;text"),
    "READ_STATE_INFORMATION": _c("global", ""),
    "RELOAD_CONFIG": _c("global", ""),
    "REMOVE_HOST_ACKNOWLEDGEMENT": _c("host", "host"),
    "REMOVE_SVC_ACKNOWLEDGEMENT": _c("service", "service"),
    "RESTART_PROGRAM": _c("global", ""),
    "SAVE_STATE_INFORMATION": _c("global", ""),
    "SCHEDULE_AND_PROPAGATE_HOST_DOWNTIME": _c("host", "host;int;int;bool;int;int;author;text"),
    "SCHEDULE_AND_PROPAGATE_TRIGGERED_HOST_DOWNTIME": _c("host", "host;int;int;bool;int;int;author;text"),
    "SCHEDULE_CONTACT_DOWNTIME": _c("contact", "contact;int;int;author;text"),
    "SCHEDULE_FORCED_HOST_CHECK": _c("host", "host;int"),
    "SCHEDULE_FORCED_HOST_SVC_CHECKS": _c("host", "host;int"),
    "SCHEDULE_FORCED_SVC_CHECK": _c("service", "service;int"),
    "SCHEDULE_HOSTGROUP_HOST_DOWNTIME": _c("hostgroup", "hostgroup;int;int;bool;int;int;author;text"),
    "SCHEDULE_HOSTGROUP_SVC_DOWNTIME": _c("hostgroup", "hostgroup;int;int;bool;int;int;author;text"),
    "SCHEDULE_HOST_CHECK": _c("host", "host;int"),
    "SCHEDULE_HOST_DOWNTIME": _c("host", "host;int;int;bool;int;int;author;text"),
    "SCHEDULE_HOST_SVC_CHECKS": _c("host", "host;int"),
    "SCHEDULE_HOST_SVC_DOWNTIME": _c("host", "host;int;int;bool;int;int;author;text"),
    "SCHEDULE_SERVICEGROUP_HOST_DOWNTIME": _c("servicegroup", "servicegroup;int;int;bool;int;int;author;text"),
    "SCHEDULE_SERVICEGROUP_SVC_DOWNTIME": _c("servicegroup", "servicegroup;int;int;bool;int;int;author;text"),
    "SCHEDULE_SVC_CHECK": _c("service", "service;int"),
    "SCHEDULE_SVC_DOWNTIME": _c("service", "service;int;int;bool;int;int;author;text"),
    "SEND_CUSTOM_HOST_NOTIFICATION": _c("host", "host;int;author;text"),
    "SEND_CUSTOM_SVC_NOTIFICATION": _c("service", "service;int;author;text"),
    "SET_HOST_NOTIFICATION_NUMBER": _c("host", "host;int"),
    "SET_SVC_NOTIFICATION_NUMBER": _c("service", "service;int"),
    "SHUTDOWN_PROGRAM": _c("global", ""),
    "START_ACCEPTING_PASSIVE_HOST_CHECKS": _c("global", ""),
    "START_ACCEPTING_PASSIVE_SVC_CHECKS": _c("global", ""),
    "START_EXECUTING_HOST_CHECKS": _c("global", ""),
    "START_EXECUTING_SVC_CHECKS": _c("global", ""),
    "START_OBSESSING_OVER_HOST": _c("host", "host"),
    "START_OBSESSING_OVER_HOST_CHECKS": _c("global", ""),
    "START_OBSESSING_OVER_SVC": _c("service", "service"),
    "START_OBSESSING_OVER_SVC_CHECKS": _c("global", ""),
    "STOP_ACCEPTING_PASSIVE_HOST_CHECKS": _c("global", ""),
    "STOP_ACCEPTING_PASSIVE_SVC_CHECKS": _c("global", ""),
    "STOP_EXECUTING_HOST_CHECKS": _c("global", ""),
    "STOP_EXECUTING_SVC_CHECKS": _c("global", ""),
    "STOP_OBSESSING_OVER_HOST": _c("host", "host"),
    "STOP_OBSESSING_OVER_HOST_CHECKS": _c("global", ""),
    "STOP_OBSESSING_OVER_SVC": _c("service", "service"),
    "STOP_OBSESSING_OVER_SVC_CHECKS": _c("global", ""),
    # of Nagios 4 and Naemon
    "CHANGE_HOST_NOTIFICATION_TIMEPERIOD": _c("host", "host;period"),
    "CLEAR_HOST_FLAPPING_STATE": _c("host", "host"),
    "CLEAR_SVC_FLAPPING_STATE": _c("service", "service"),
    "DEL_DOWNTIME_BY_HOSTGROUP_NAME": _c("hostgroup", "hostgroup;host;description;int;text", 4),
    "DEL_DOWNTIME_BY_HOST_NAME": _c("host", "host;description;int;text", 3),
    "DEL_DOWNTIME_BY_START_TIME_COMMENT": _c("global", "int;text", 1),
}
# fmt: on

_FLAT: dict[str, tuple[str, ...]] = {
    name: ("host", "description", *shape.kinds[1:]) if shape.scope == "service" else shape.kinds
    for name, shape in COMMANDS.items()
}
