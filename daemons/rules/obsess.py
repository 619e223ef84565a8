"""Commands that run after every result: obsessing over it, and handing on its performance data.

Nagios Core docs, "Main Configuration File Options" (obsess_over_services, ocsp_command,
process_performance_data, service_perfdata_command ...) and "Performance Data". The one thing to know: they
run after *every* result, active or passive, soft or hard, with or without performance data, and see the
object as that result left it.
"""

from msgspec import Struct

from daemons.model.objects import Globals, Traits

OBSESS, PERFDATA = "obsess", "perfdata"
OBSESS_TIMEOUT_S, PERFDATA_TIMEOUT_S = 15.0, 5.0  # where the main file says 0


class SideCommand(Struct, frozen=True):
    """One command to run after a result."""

    kind: str  # OBSESS, PERFDATA
    command: str  # "name!arg"
    timeout_s: float


class Asked(Struct, frozen=True):
    """What the main file asks for after each result of hosts, or of services."""

    obsess: SideCommand | None = None
    perfdata: SideCommand | None = None
    template: str = ""  # of the line for a file, "" = no file


def asked(settings: Globals, *, is_host: bool) -> Asked | None:
    """Return what is to be done after each result of hosts or services, None for nothing at all."""
    if is_host:
        over, obsess = settings.obsess_over_hosts, settings.ochp_command
        limit_s = settings.ochp_timeout_s
        perfdata, template = settings.host_perfdata_command, settings.host_perfdata_template
    else:
        over, obsess = settings.obsess_over_services, settings.ocsp_command
        limit_s = settings.ocsp_timeout_s
        perfdata, template = settings.service_perfdata_command, settings.service_perfdata_template
    if not over:
        obsess = ""
    if not settings.process_performance_data:
        perfdata = template = ""
    if not (obsess or perfdata or template):
        return None
    perfdata_s = settings.perfdata_timeout_s
    return Asked(
        SideCommand(OBSESS, obsess, limit_s if limit_s > 0 else OBSESS_TIMEOUT_S) if obsess else None,
        SideCommand(PERFDATA, perfdata, perfdata_s if perfdata_s > 0 else PERFDATA_TIMEOUT_S)
        if perfdata
        else None,
        written(template),
    )  # fmt: skip


def commands(wanted: Asked, traits: Traits) -> tuple[SideCommand, ...]:
    """Return the commands to run after a result of an object with `traits`, obsessing first.

    `traits` with what operators changed at run time: obsess_over_*, process_perf_data.
    """
    obsess = wanted.obsess if traits.obsess else None
    perfdata = wanted.perfdata if traits.process_perf_data else None
    return tuple(command for command in (obsess, perfdata) if command is not None)


def written(template: str) -> str:
    r"""Return a template with `\t`, `\n`, `\r` and `\\` as the characters they stand for."""
    if "\\" not in template:
        return template
    plain = template.replace("\\\\", "\0")
    for letter, character in (("t", "\t"), ("n", "\n"), ("r", "\r")):
        plain = plain.replace("\\" + letter, character)
    return plain.replace("\0", "\\")
