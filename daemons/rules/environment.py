"""The environment of a command: NAGIOS_<MACRO>, if enable_environment_macros says so.

Nagios Core docs, "Understanding Macros", macro environment variables. The one thing to know: every class macro
and custom variable is worked out for each run, so this is switched on for the commands that read it, not for all.
"""

from collections.abc import Iterable, Mapping, Sequence

from daemons.rules.contact_macros import CONTACT_MACROS, NOTIFICATION_MACROS
from daemons.rules.global_macros import GLOBAL_MACROS
from daemons.rules.group_macros import CONTACTGROUP_MACROS, HOSTGROUP_MACROS, SERVICEGROUP_MACROS
from daemons.rules.macros import HOST_MACROS, SERVICE_MACROS
from daemons.rules.template import Lookup, pieces, split_macros

ENVIRONMENT = tuple(
    dict.fromkeys(
        (
            *HOST_MACROS,
            *(
                f"TOTALHOSTSERVICES{state}"
                for state in ("", "OK", "WARNING", "CRITICAL", "UNKNOWN")
            ),
            *SERVICE_MACROS,
            *CONTACT_MACROS,
            *NOTIFICATION_MACROS,
            *sorted(HOSTGROUP_MACROS | SERVICEGROUP_MACROS | CONTACTGROUP_MACROS),
            *GLOBAL_MACROS,
        )
    )
)


def environment(
    lookup: Lookup, customs: Mapping[str, Iterable[str]], args: Sequence[str] = ()
) -> dict[str, str]:
    """Return the environment: class macros, custom variables, and the command's `args` as NAGIOS_ARG1 ...

    `customs` gives the names of custom variables by "HOST", "SERVICE", "CONTACT". Only what `lookup` knows is
    in it; resource macros are not, they may be secret.
    """
    named = ((name, lookup(name)) for name in ENVIRONMENT)
    found = {f"NAGIOS_{name}": value for name, value in named if value is not None}
    for scope, variables in customs.items():
        for variable in variables:
            value = lookup(f"_{scope}{variable}")
            if value is not None:
                found[f"NAGIOS__{scope}{variable}"] = value
    for number, written in enumerate(args, 1):
        found[f"NAGIOS_ARG{number}"] = "".join(pieces(split_macros(written), lookup, args))
    return {name: value.replace("\0", "") for name, value in found.items() if _fits(name)}


def _fits(name: str) -> bool:
    """Whether an environment can have a variable of this name."""
    return "=" not in name and "\0" not in name
