"""Perfdata files: what the modules that write them, and the schedulers that make their lines, need.

The one thing to know: a broker writes the file and a scheduler makes the lines, so the template of a module
that some broker names goes into `Globals`; what a module does not say the main file's keys say.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from daemons.config.complain import Complaints
from daemons.model.cluster import Cluster, ModuleDef
from daemons.model.objects import Globals

KINDS = ("host", "service")
# Nagios Core docs, "Main Configuration File Options": what stands in a file whose template nobody wrote.
DEFAULT = {
    "host": r"[HOSTPERFDATA]\t$TIMET$\t$HOSTNAME$\t$HOSTEXECUTIONTIME$\t$HOSTOUTPUT$\t$HOSTPERFDATA$",
    "service": (
        r"[SERVICEPERFDATA]\t$TIMET$\t$HOSTNAME$\t$SERVICEDESC$\t$SERVICEEXECUTIONTIME$"
        r"\t$SERVICELATENCY$\t$SERVICEOUTPUT$\t$SERVICEPERFDATA$"
    ),
}
_KEYS = {  # option of the module -> key of the main file, after "host_" or "service_"
    "mode": "perfdata_file_mode",
    "template": "perfdata_file_template",
    "processing_command": "perfdata_file_processing_command",
    "processing_interval": "perfdata_file_processing_interval",
}


def with_perfdata(
    cluster: Cluster, globals: Globals, commands: Mapping[str, str], complaints: Complaints
) -> tuple[Cluster, Globals]:
    """Return both with what perfdata files need; `commands` are command lines by name.

    Complains of a processing command that is not defined, and of two files of a kind with different
    templates, of which the first counts.
    """
    named = {name for daemon in cluster.daemons if daemon.role == "broker" for name in daemon.modules}
    modules: list[ModuleDef] = []
    templates: dict[str, ModuleDef] = {}
    for module in cluster.modules:
        kind = module.type.removesuffix("-perfdata")
        if kind in KINDS and kind != module.type and module.name in named:
            module = _complete(module, kind, cluster.settings, commands, complaints)
            first = templates.setdefault(kind, module)
            if first.options["template"] != module.options["template"]:
                complaints.warning(
                    f"module {module.name} has another template than {first.name}; it gets the lines of that",
                    module.where,
                    "lines are made once for all files of a kind",
                )
        modules.append(module)
    if not templates:
        return cluster, globals
    texts = {f"{kind}_perfdata_template": module.options["template"] for kind, module in templates.items()}
    return replace(cluster, modules=tuple(modules)), replace(globals, **texts)


def _complete(
    module: ModuleDef, kind: str, settings: Mapping[str, str], commands: Mapping[str, str],
    complaints: Complaints,
) -> ModuleDef:  # fmt: skip
    options = dict(module.options)
    for option, key in _KEYS.items():
        said = settings.get(f"{kind}_{key}", "")
        if said and option not in options:
            options[option] = said
    if not options.get("template"):
        options["template"] = DEFAULT[kind]
    if "perfdata_timeout" in settings:
        options.setdefault("timeout", settings["perfdata_timeout"])
    name = options.get("processing_command", "").partition("!")[0].strip()
    if name and name in commands:
        options["processing_line"] = commands[name]
    elif name:
        complaints.error(f"{kind}_perfdata_file_processing_command: command {name} is not defined", module.where)
    return replace(module, options=options)
