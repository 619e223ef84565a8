"""Lines with macros in them: `$HOSTADDRESS$`, `$ARG1$`, `$USER1$`, `$_HOSTSNMP$`, `$HOSTSTATE:web1$`.

Nagios Core docs, "Understanding Macros and How They Work" and "Standard Macros". The one thing to know: a
line is split once, at load; values are looked up one by one and only when the line names them. Text that
came from outside (plugin output, comments) is never searched for macros again.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from msgspec import Struct

Lookup = Callable[[str], str | None]  # macro name without dollars -> value; None = not known here

PASSES_MAX = 32  # macros inside macros inside ...
_STEPS_MAX = 10_000  # macros replaced in one line: macros may double each other 32 deep


class Outside(str):
    """A value that came from outside: plugin output, a comment, what a command set at run time.

    It is never searched for macros, and quoted where a shell will read it (`rules.shell_line`).
    """

    __slots__ = ()


class Template(Struct, frozen=True):
    """A line cut at its macros: text, name, text, name, ..., text."""

    parts: tuple[str, ...]


@lru_cache(maxsize=65536)
def split_macros(line: str) -> Template:
    """Return `line` cut at its macros. `$$` is a dollar, and so is one that opens no macro."""
    parts = [""]
    at = 0
    while (start := line.find("$", at)) >= 0:
        end = line.find("$", start + 1)
        parts[-1] += line[at:start]
        if end == start + 1:
            parts[-1] += "$"
            at = end + 1
        elif end > 0 and _is_name(line[start + 1 : end]):
            parts += [line[start + 1 : end], ""]
            at = end + 1
        else:
            parts[-1] += "$"
            at = start + 1
    parts[-1] += line[at:]
    return Template(tuple(parts))


def _is_name(text: str) -> bool:
    """On-demand macros name hosts and services after a colon, with any characters."""
    name = text.partition(":")[0]
    return bool(name) and all(c.isalnum() or c in "_-." for c in name)


@lru_cache(maxsize=65536)
def split_command(written: str) -> tuple[str, tuple[str, ...]]:
    r"""Return the name and the arguments of a command as objects name it: `name!arg1!arg2`; `\!` is "!"."""
    if "!" not in written:
        return written.strip(), ()
    if "\\!" not in written:
        name, *args = written.split("!")
    else:
        name, *args = (part.replace("\0", "!") for part in written.replace("\\!", "\0").split("!"))
    return name.strip(), tuple(args)


def resolve(template: Template, lookup: Lookup, args: Sequence[str] = ()) -> str:
    """Return the line with every macro replaced; one that nobody knows becomes nothing.

    `args` are those of `split_command`: `$ARG1$` is the first, and macros inside arguments and inside what the
    configuration wrote (custom variables, resource macros, URLs and notes) are replaced too, up to
    32 deep.
    """
    return "".join(pieces(template, lookup, args))


def pieces(template: Template, lookup: Lookup, args: Sequence[str] = ()) -> list[str]:
    """Return what `resolve` puts together, in order; what came from outside is `Outside`."""
    found: list[str] = []
    if len(template.parts) == 1:
        found.append(template.parts[0])
    else:
        _collect(template, lookup, args, 1, [_STEPS_MAX], found)
    return found


def _collect(
    template: Template, lookup: Lookup, args: Sequence[str], depth: int, left: list[int], found: list[str]
) -> None:  # fmt: skip
    """Add the texts and values of `template` to `found`; `left` counts down the macros of the whole line."""
    for i, part in enumerate(template.parts):
        if i % 2 == 0:
            found.append(part)
            continue
        left[0] -= 1
        value = _value(part, lookup, args) if left[0] >= 0 else None
        if value is None:
            continue
        if "$" not in value or isinstance(value, Outside) or not _is_configured(part):
            found.append(value)
        elif depth < PASSES_MAX:
            _collect(split_macros(value), lookup, args, depth + 1, left, found)


def _value(name: str, lookup: Lookup, args: Sequence[str]) -> str | None:
    if name.startswith("ARG") and name[3:].isdecimal():
        number = int(name[3:])
        return args[number - 1] if 1 <= number <= len(args) else None
    return lookup(name)


def _is_configured(name: str) -> bool:
    """Whether the operator wrote the macro's value, so that macros in it are meant."""
    return name.partition(":")[0] not in RUN_TIME


def chain(*lookups: Lookup) -> Lookup:
    """Return a lookup that asks each of `lookups` in turn."""

    def ask(name: str) -> str | None:
        for lookup in lookups:
            value = lookup(name)
            if value is not None:
                return value
        return None

    return ask


def run_time(template: Template, args: Sequence[str] = (), lookup: Lookup | None = None) -> bool:
    """Return whether the resolved line can differ from one run to the next.

    False means that the caller may keep the resolved line until the object or its modified
    attributes change. `lookup` is needed to see macros inside custom variables.
    """
    return _run_time(template, args, lookup, 0)


def _run_time(template: Template, args: Sequence[str], lookup: Lookup | None, depth: int) -> bool:
    """Too deep counts as run time: such a line is resolved each time and never kept."""
    for name in template.parts[1::2]:
        if ":" in name or name in RUN_TIME:
            return True
        inner: str | None = None
        if name.startswith("ARG") and name[3:].isdecimal():
            inner = args[int(name[3:]) - 1] if 1 <= int(name[3:]) <= len(args) else None
        elif lookup is not None and _is_configured(name):
            inner = lookup(name)
        if not inner or "$" not in inner:
            continue
        if depth >= PASSES_MAX or _run_time(split_macros(inner), args, lookup, depth + 1):
            return True
    return False


# What changes while the daemons run; every other macro stays as configured.
RUN_TIME = frozenset(["HOSTSTATE", "HOSTSTATEID", "HOSTSTATETYPE", "HOSTATTEMPT", "MAXHOSTATTEMPTS", "HOSTEVENTID", "LASTHOSTEVENTID", "HOSTPROBLEMID", "LASTHOSTPROBLEMID", "HOSTLATENCY", "HOSTEXECUTIONTIME", "HOSTDURATION", "HOSTDURATIONSEC", "HOSTDOWNTIME", "HOSTPERCENTCHANGE", "HOSTOUTPUT", "LONGHOSTOUTPUT", "HOSTPERFDATA", "LASTHOSTPERFDATA", "LASTHOSTSTATE", "LASTHOSTSTATEID", "LASTHOSTCHECK", "LASTHOSTSTATECHANGE", "LASTHOSTUP", "LASTHOSTDOWN", "LASTHOSTUNREACHABLE", "HOSTACKAUTHOR", "HOSTACKAUTHORNAME", "HOSTACKAUTHORALIAS", "HOSTACKCOMMENT", "HOSTBUSINESSIMPACT", "HOSTNOTIFICATIONNUMBER", "HOSTNOTIFICATIONID", "SERVICESTATE", "SERVICESTATEID", "SERVICESTATETYPE", "SERVICEATTEMPT", "MAXSERVICEATTEMPTS", "SERVICEEVENTID", "LASTSERVICEEVENTID", "SERVICEPROBLEMID", "LASTSERVICEPROBLEMID", "SERVICELATENCY", "SERVICEEXECUTIONTIME", "SERVICEDURATION", "SERVICEDURATIONSEC", "SERVICEDOWNTIME", "SERVICEPERCENTCHANGE", "SERVICEOUTPUT", "LONGSERVICEOUTPUT", "SERVICEPERFDATA", "LASTSERVICEPERFDATA", "LASTSERVICESTATE", "LASTSERVICESTATEID", "LASTSERVICECHECK", "LASTSERVICESTATECHANGE", "LASTSERVICEOK", "LASTSERVICEWARNING", "LASTSERVICECRITICAL", "LASTSERVICEUNKNOWN", "SERVICEACKAUTHOR", "SERVICEACKAUTHORNAME", "SERVICEACKAUTHORALIAS", "SERVICEACKCOMMENT", "SERVICEBUSINESSIMPACT", "SERVICENOTIFICATIONNUMBER", "SERVICENOTIFICATIONID", "STATUS", "SHORTSTATUS", "TOTALHOSTSERVICES", "TOTALHOSTSERVICESOK", "TOTALHOSTSERVICESWARNING", "TOTALHOSTSERVICESCRITICAL", "TOTALHOSTSERVICESUNKNOWN", "NOTIFICATIONTYPE", "NOTIFICATIONRECIPIENTS", "NOTIFICATIONISESCALATED", "NOTIFICATIONAUTHOR", "NOTIFICATIONAUTHORNAME", "NOTIFICATIONAUTHORALIAS", "NOTIFICATIONCOMMENT", "NOTIFICATIONNUMBER", "NOTIFICATIONID", "LONGDATETIME", "SHORTDATETIME", "DATE", "TIME", "TIMET", "EVENTSTARTTIME", "PROCESSSTARTTIME", "TOTALHOSTSUP", "TOTALHOSTSDOWN", "TOTALHOSTSUNREACHABLE", "TOTALHOSTSDOWNUNHANDLED", "TOTALHOSTSUNREACHABLEUNHANDLED", "TOTALHOSTPROBLEMS", "TOTALHOSTPROBLEMSUNHANDLED", "TOTALSERVICESOK", "TOTALSERVICESWARNING", "TOTALSERVICESCRITICAL", "TOTALSERVICESUNKNOWN", "TOTALSERVICESWARNINGUNHANDLED", "TOTALSERVICESCRITICALUNHANDLED", "TOTALSERVICESUNKNOWNUNHANDLED", "TOTALSERVICEPROBLEMS", "TOTALSERVICEPROBLEMSUNHANDLED"])
