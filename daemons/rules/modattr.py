"""Modified attributes: Nagios' masks, from what operators changed at run time and back.

Nagios Core, include/common.h, MODATTR_*. The one thing to know: we keep each changed setting with its value, by
name, so a bit that is cleared gives its setting back to the configuration at once, and a bit that is set keeps
the value now in force, whatever the files say later.
"""

from collections.abc import Callable, Mapping

CUSTOM_VARIABLE = 32768
BITS: dict[str, int] = {  # of a host or service
    "notifications_enabled": 1,
    "active_checks_enabled": 2,
    "passive_checks_enabled": 4,
    "event_handler_enabled": 8,
    "flap_detection_enabled": 16,
    "failure_prediction_enabled": 32,
    "process_perf_data": 64,
    "obsess": 128,
    "event_handler": 256,
    "check_command": 512,
    "check_interval_s": 1024,
    "retry_interval_s": 2048,
    "max_check_attempts": 4096,
    "check_freshness": 8192,
    "check_period": 16384,
    "notification_period": 65536,
}
CONTACT_HOST_BITS = {"host_notifications_enabled": 1, "host_notification_period": 65536}
CONTACT_SERVICE_BITS = {"service_notifications_enabled": 1, "service_notification_period": 65536}
GLOBAL_HOST_BITS = {
    "enable_notifications": 1,
    "execute_host_checks": 2,
    "accept_passive_host_checks": 4,
    "enable_event_handlers": 8,
    "enable_flap_detection": 16,
    "enable_failure_prediction": 32,
    "process_performance_data": 64,
    "obsess_over_hosts": 128,
    "global_host_event_handler": 256,
    "check_host_freshness": 8192,
}
GLOBAL_SERVICE_BITS = {
    "enable_notifications": 1,
    "execute_service_checks": 2,
    "accept_passive_service_checks": 4,
    "enable_event_handlers": 8,
    "enable_flap_detection": 16,
    "enable_failure_prediction": 32,
    "process_performance_data": 64,
    "obsess_over_services": 128,
    "global_service_event_handler": 256,
    "check_service_freshness": 8192,
}
NAMES: dict[int, str] = {  # of the bits, as Livestatus lists them
    1: "notifications_enabled",
    2: "active_checks_enabled",
    4: "passive_checks_enabled",
    8: "event_handler_enabled",
    16: "flap_detection_enabled",
    32: "failure_prediction_enabled",
    64: "performance_data_enabled",
    128: "obsessive_handler_enabled",
    256: "event_handler_command",
    512: "check_command",
    1024: "normal_check_interval",
    2048: "retry_check_interval",
    4096: "max_check_attempts",
    8192: "freshness_checks_enabled",
    16384: "check_timeperiod",
    32768: "custom_variable",
    65536: "notification_timeperiod",
}


def mask(modified: Mapping[str, str], bits: Mapping[str, int] = BITS) -> int:
    """Return the mask of what was changed; custom variables are the names that begin with an underscore."""
    found = 0
    for name in modified:
        found |= CUSTOM_VARIABLE if name.startswith("_") else bits.get(name, 0)
    return found


def mask_of_ways(modified: Mapping[str, str], bits: Mapping[str, int]) -> int:
    """Return the mask of one of a contact's two sets of settings, or of the global ones: no custom variables."""
    return mask({name: value for name, value in modified.items() if name in bits}, bits)


def names(bits: int) -> tuple[str, ...]:
    """Return what Livestatus' modified_attributes_list shows for a mask."""
    return tuple(name for bit, name in NAMES.items() if bits & bit)


def masked(
    modified: Mapping[str, str],
    wanted: int,
    value_of: Callable[[str], str | None],
    bits: Mapping[str, int] = BITS,
    custom: bool = True,
) -> dict[str, str]:
    """Return what is kept as changed when the mask becomes `wanted`.

    `value_of` gives the value now in force of a setting that becomes changed by its bit, None where there is
    none to keep. What `bits` does not know stays; so do custom variables unless `custom`.
    """
    kept = {name: value for name, value in modified.items() if _stays(name, wanted, bits, custom)}
    for name, bit in bits.items():
        value = value_of(name) if wanted & bit and name not in kept else None
        if value is not None:
            kept[name] = value
    return kept


def _stays(name: str, wanted: int, bits: Mapping[str, int], custom: bool) -> bool:
    if name.startswith("_"):
        return not custom or bool(wanted & CUSTOM_VARIABLE)
    bit = bits.get(name)
    return bit is None or bool(wanted & bit)
