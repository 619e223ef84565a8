"""The macros that belong to no object: resource macros, dates, the main file's paths, sums over all objects.

Nagios Core docs, "Standard Macros in Nagios", date/time, file and summary macros. The one thing to know: sums
are over the objects of one shard (as in Shinken), for no scheduler knows the others.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache

from daemons.model.clock import Wall, zone_of
from daemons.model.objects import Globals
from daemons.model.status import Status
from daemons.rules.template import Lookup
from daemons.rules.timeperiod import Period, covers, next_start

_NEVER = Wall(0.0)


def global_macros(
    settings: Globals,
    resources: Mapping[str, str],
    now: Wall,
    started: Wall = _NEVER,
    totals: Callable[[str], int | None] | None = None,
) -> Lookup:
    """Return the lookup of resource macros (`$USER1$`), dates, paths and sums.

    `resources` has names without dollars; `totals` counts for a TOTAL... macro, or says None; `started` is
    when this scheduler took the shard.
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
        said = _SETTINGS.get(name)
        return None if said is None else settings.settings.get(*said)

    return ask


# macro -> setting of the main file, and what Shinken takes without it
_SETTINGS = {
    "PREFIX": ("prefix", "/usr/local/shinken/"),
    "COMMANDFILE": ("command_file", ""),
    "MAINCONFIGFILE": ("main_config_file", ""),
    "LOGFILE": ("log_file", ""),
    "TEMPFILE": ("temp_file", ""),
    "TEMPPATH": ("temp_path", ""),
    "STATUSDATAFILE": ("status_file", ""),
    "OBJECTCACHEFILE": ("object_cache_file", ""),
    "HOSTPERFDATAFILE": ("host_perfdata_file", ""),
    "SERVICEPERFDATAFILE": ("service_perfdata_file", ""),
    "ADMINEMAIL": ("admin_email", ""),
    "ADMINPAGER": ("admin_pager", ""),
}

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
    local = datetime.fromtimestamp(now_s, zone_of(tz_name))
    date, both = _FORMATS.get(date_format, _FORMATS["us"])
    match name:
        case "LONGDATETIME":
            return local.strftime("%a %b %d %H:%M:%S %Z %Y")
        case "DATE":
            return local.strftime(date)
        case "TIME":
            return local.strftime("%H:%M:%S")
    return local.strftime(both)


# --- sums -----------------------------------------------------------------------------------------

_HOST_SUMS = ("UP", "DOWN", "UNREACHABLE")
_SERVICE_SUMS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


def sums_of_a_host(services: Iterable[Status]) -> dict[str, int]:
    """Return $TOTALHOSTSERVICES$ and what begins so, of one host's services."""
    sums = dict.fromkeys(
        ("TOTALHOSTSERVICES", *(f"TOTALHOSTSERVICES{s}" for s in _SERVICE_SUMS)), 0
    )
    for status in services:
        sums["TOTALHOSTSERVICES"] += 1
        if status.checked or status.state:
            sums[f"TOTALHOSTSERVICES{_SERVICE_SUMS[status.state]}"] += 1
    return sums


def sums_of_all(
    hosts: Iterable[tuple[Status, bool]], services: Iterable[tuple[Status, bool, bool]]
) -> dict[str, int]:
    """Return the summary macros: `hosts` as (status, active checks on), `services` also with "its host is not UP".

    Unhandled is a problem that nobody acknowledged, in no downtime, with active checks on and, for services, on
    a host that is UP (as Nagios 4 counts). What was never checked counts nowhere.
    """
    sums = dict.fromkeys(SUMS, 0)
    for status, active in hosts:
        if status.checked or status.state:
            _add(sums, "HOST", _HOST_SUMS[status.state], status, active)
    for status, active, host_away in services:
        if status.checked or status.state:
            _add(sums, "SERVICE", _SERVICE_SUMS[status.state], status, active and not host_away)
    return sums


def _add(sums: dict[str, int], kind: str, state: str, status: Status, counts: bool) -> None:
    sums[f"TOTAL{kind}S{state}"] += 1
    if not status.state:
        return
    sums[f"TOTAL{kind}PROBLEMS"] += 1
    if counts and status.ack is None and not status.downtime_depth:
        sums[f"TOTAL{kind}S{state}UNHANDLED"] += 1
        sums[f"TOTAL{kind}PROBLEMSUNHANDLED"] += 1


SUMS = (
    *(f"TOTALHOSTS{state}" for state in _HOST_SUMS),
    *(f"TOTALHOSTS{state}UNHANDLED" for state in _HOST_SUMS[1:]),
    "TOTALHOSTPROBLEMS", "TOTALHOSTPROBLEMSUNHANDLED",
    *(f"TOTALSERVICES{state}" for state in _SERVICE_SUMS),
    *(f"TOTALSERVICES{state}UNHANDLED" for state in _SERVICE_SUMS[1:]),
    "TOTALSERVICEPROBLEMS", "TOTALSERVICEPROBLEMSUNHANDLED",
)  # fmt: skip
GLOBAL_MACROS = (
    "LONGDATETIME", "SHORTDATETIME", "DATE", "TIME", "TIMET", "PROCESSSTARTTIME", "EVENTSTARTTIME", *_SETTINGS,
)  # fmt: skip


def period_macros(period: Period, at: Wall) -> Lookup:
    """Return the lookup of $ISVALIDTIME:period$ and $NEXTVALIDTIME:period$ (0 = not in the next years)."""

    def ask(name: str) -> str | None:
        if name == "ISVALIDTIME":
            return str(int(covers(period, at)))
        return str(int(next_start(period, at) or 0)) if name == "NEXTVALIDTIME" else None

    return ask
