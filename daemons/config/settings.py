"""The main file's `key=value` lines: checked, the last of equal keys wins, and `Globals` for the rules.

The one thing to know: what is not set keeps the default of `Globals`; a bad value is complained of
and then treated as not set.
"""

from msgspec.structs import replace

from daemons.config.complain import Complaints, did_you_mean
from daemons.config.legacy import LEGACY
from daemons.config.lexer import Setting
from daemons.config.schema import IGNORED, MAIN, MAIN_RENAMED, ONE_OF, OURS
from daemons.config.values import number, wrong, yes
from daemons.model.clock import known_zone
from daemons.model.objects import Globals

INCLUDES = frozenset({"cfg_file", "cfg_dir", "resource_file", "triggers_dir"})
_KNOWN = MAIN | OURS
_SECONDS = (
    "service_check_timeout",
    "host_check_timeout",
    "notification_timeout",
    "event_handler_timeout",
    "service_freshness_check_interval",
    "host_freshness_check_interval",
    "additional_freshness_latency",
    "cached_host_check_horizon",
    "cached_service_check_horizon",
    "ocsp_timeout",
    "ochp_timeout",
    "perfdata_timeout",
)
_MINUTES = ("max_service_check_spread", "max_host_check_spread")
_PERCENT = (
    "low_service_flap_threshold",
    "high_service_flap_threshold",
    "low_host_flap_threshold",
    "high_host_flap_threshold",
)
_FLAGS = (
    "enable_notifications",
    "execute_service_checks",
    "execute_host_checks",
    "accept_passive_service_checks",
    "accept_passive_host_checks",
    "enable_event_handlers",
    "enable_flap_detection",
    "check_external_commands",
    "passive_host_checks_are_soft",
    "log_initial_states",
    "log_notifications",
    "log_service_retries",
    "log_host_retries",
    "log_event_handlers",
    "log_external_commands",
    "log_passive_checks",
    "no_event_handlers_during_downtimes",
    "enable_environment_macros",
    "check_service_freshness",
    "check_host_freshness",
    "check_for_orphaned_services",
    "check_for_orphaned_hosts",
    "enable_predictive_host_dependency_checks",
    "enable_predictive_service_dependency_checks",
    "soft_state_dependencies",
    "translate_passive_host_checks",
    "use_aggressive_host_checking",
    "obsess_over_services",
    "obsess_over_hosts",
    "process_performance_data",
    "enable_problem_impacts_states_change",
    "host_down_disable_service_checks",
)
_TEXTS = (
    "use_timezone",
    "global_host_event_handler",
    "global_service_event_handler",
    "illegal_macro_output_chars",
    "date_format",
    "ocsp_command",
    "ochp_command",
    "service_perfdata_command",
    "host_perfdata_command",
)
_COUNTS = ("max_plugins_output_length", "timeout_exit_status")


def settings_of(settings: list[Setting], complaints: Complaints) -> dict[str, str]:
    """Return the settings by key, after complaining about unknown keys and bad values."""
    found: dict[str, str] = {}
    for setting in settings:
        key = MAIN_RENAMED.get(setting.key, setting.key)
        if key in INCLUDES:
            continue
        found[key] = setting.value
        if key in LEGACY:
            continue  # it stands for a module, and is complained of there
        if key in IGNORED:
            complaints.warning(f"{key} has no effect here", setting.where)
        elif key not in _KNOWN:
            complaints.warning(
                f"there is no setting '{key}', it is kept but has no effect",
                setting.where,
                did_you_mean(key, _KNOWN),
            )
        elif problem := _wrong(key, setting.value):
            complaints.error(f"{key} '{setting.value}' {problem}", setting.where)
            del found[key]
    return dict(sorted(found.items()))


def globals_of(settings: dict[str, str]) -> Globals:
    """Return what the rules need of checked settings; durations in seconds."""
    changed: dict[str, object] = {"settings": settings}
    if found := number(settings.get("interval_length", "")):
        changed["interval_length_s"] = found
    for keys, unit_s in ((_SECONDS, 1.0), (_MINUTES, 60.0)):
        for key in keys:
            if key in settings:
                changed[f"{key}_s"] = (number(settings[key]) or 0.0) * unit_s
    for key in _PERCENT:
        if key in settings:
            changed[key] = number(settings[key]) or 0.0
    for key in _FLAGS:
        if key in settings:
            changed[key] = bool(yes(settings[key]))
    for key in _TEXTS:
        if key in settings:
            changed[key] = settings[key]
    for key in _COUNTS:
        if key in settings:
            changed[key] = int(number(settings[key]) or 0)
    if "service_check_timeout_state" in settings and "timeout_exit_status" not in settings:
        changed["timeout_exit_status"] = "owcu".index(settings["service_check_timeout_state"])
    return Globals(**changed)  # type: ignore[arg-type]  # keys and types are the tables above


def in_zone(globals: Globals, time_zone: str, complaints: Complaints) -> Globals:
    """Return `globals` with the time zone of the machine unless the main file names one.

    It is written down, and not asked for by each scheduler, so that a period means the same after a take-over.
    """
    if globals.use_timezone or not time_zone:
        return globals
    if not known_zone(time_zone):
        complaints.warning(
            f"the time zone of this machine, '{time_zone}', is no name of the time zone database: UTC is used",
            "",
            "set use_timezone in the main file",
        )
        return globals
    return replace(globals, use_timezone=time_zone)


def _wrong(key: str, value: str) -> str:
    if problem := wrong(_KNOWN[key], value):
        return problem
    if key in ONE_OF and value not in ONE_OF[key]:
        return "is not one of " + ", ".join(ONE_OF[key])
    if _KNOWN[key] == "number" and (number(value) or 0.0) < 0:
        return "is negative"
    if key == "interval_length" and not number(value):
        return "is not at least 1"
    if key == "use_timezone" and not known_zone(value):
        return "is no name of the time zone database, like Europe/Paris"
    return ""
