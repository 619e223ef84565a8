"""Keys of an old main file that stand for modules, and keys that name commands.

The one thing to know: Shinken makes a module of each of these keys. Four we bring; of the others a module
of that type is used where one is installed, and where not the operator is told what does it here.
"""

from collections.abc import Collection

from msgspec import Struct

from daemons.config.complain import Complaints, did_you_mean
from daemons.config.lexer import Setting
from daemons.config.modules import BUILT_IN, Modules
from daemons.config.values import yes
from daemons.model.cluster import ModuleDef, RoleName

# config-schema, "Implicit objects"; key -> role, module type, option that the value becomes, what to do
LEGACY: dict[str, tuple[RoleName, str, str, str]] = {
    "log_file": ("broker", "simple-log", "path", ""),
    "command_file": ("receiver", "named-pipe", "command_file", ""),
    "status_file": ("broker", "status-dat", "status_file", "'shinken status --json' tells the state"),
    "object_cache_file": (
        "broker", "status-dat", "object_cache_file", "'shinken verify --json' tells what was read",
    ),
    "use_syslog": ("broker", "syslog", "use_syslog", "the log is that of the module simple-log"),
    "service_perfdata_file": ("broker", "service-perfdata", "path", ""),
    "host_perfdata_file": ("broker", "host-perfdata", "path", ""),
    "state_retention_file": (
        "scheduler", "nagios-retention-file", "path",
        "take it over once with 'shinken retention import --from nagios FILE'",
    ),
}  # fmt: skip
_COMMANDS = (
    "global_host_event_handler",
    "global_service_event_handler",
    "ocsp_command",
    "ochp_command",
    "service_perfdata_command",
    "host_perfdata_command",
)


class LegacyModule(Struct, frozen=True):
    """A module for all daemons of one role."""

    role: RoleName
    module: ModuleDef


def legacy_modules(
    settings: list[Setting], modules: Modules, complaints: Complaints
) -> tuple[LegacyModule, ...]:
    """Return the modules that keys stand for; a type that a `define module` block has is left to that."""
    found: dict[str, LegacyModule] = {}
    for setting in settings:
        if setting.key not in LEGACY or (setting.key == "use_syslog" and not yes(setting.value)):
            continue
        role, type, option, instead = LEGACY[setting.key]
        if modules.defined(type):
            continue
        if not modules.runs(type):
            complaints.warning(
                f"{setting.key} stands for a module of the type {type}, which is not installed: it has"
                " no effect",
                setting.where,
                instead,
            )
            continue
        options = found[type].module.options if type in found else {}
        module = ModuleDef(type, type, {**options, option: setting.value}, built_in=type in BUILT_IN)
        found[type] = LegacyModule(role, module)
    return tuple(found.values())


def complain_of_commands(
    settings: list[Setting], commands: Collection[str], complaints: Complaints
) -> None:
    """Complain of keys of the main file that name a command which is not defined."""
    for setting in settings:
        if setting.key in _COMMANDS:
            name = setting.value.partition("!")[0].strip()
            if name and name not in commands:
                complaints.error(
                    f"{setting.key}: command {name} is not defined",
                    setting.where,
                    did_you_mean(name, commands),
                )
