"""Commands that switch something on or off, or set one value: of an object, a group, contacts, the whole.

The one thing to know: `SWITCHES` says which setting gets which value; a setting has one name wherever it is
changed, so the table is all there is to most of these commands.
"""

from msgspec import Struct

from daemons.roles.shard.obeying.given import (
    NOT_HERE,
    Given,
    Obey,
    below,
    group_keys,
    no_command,
    present,
)
from daemons.roles.shard.obeying.settings import put_modified
from daemons.roles.shard.state import Item


class Switch(Struct, frozen=True):
    """What a command sets."""

    setting: str
    value: str = ""  # "" = the command's argument after its target
    of: str = "self"  # "self"; of a host its "services", those "below" or "beyond" it; of a group "hosts" or "members"


def _pair(on: str, off: str, setting: str, of: str = "self") -> dict[str, Switch]:
    return {on: Switch(setting, "1", of), off: Switch(setting, "0", of)}


def _both(name: str, setting: str, of: str = "self") -> dict[str, Switch]:
    return _pair(f"ENABLE_{name}", f"DISABLE_{name}", setting, of)


SWITCHES: dict[str, Switch] = {
    **_both("HOST_NOTIFICATIONS", "notifications_enabled"),
    **_both("SVC_NOTIFICATIONS", "notifications_enabled"),
    **_both("HOST_SVC_NOTIFICATIONS", "notifications_enabled", "services"),
    **_both("HOST_CHECK", "active_checks_enabled"),
    **_both("SVC_CHECK", "active_checks_enabled"),
    **_both("HOST_SVC_CHECKS", "active_checks_enabled", "services"),
    **_both("PASSIVE_HOST_CHECKS", "passive_checks_enabled"),
    **_both("PASSIVE_SVC_CHECKS", "passive_checks_enabled"),
    **_both("HOST_EVENT_HANDLER", "event_handler_enabled"),
    **_both("SVC_EVENT_HANDLER", "event_handler_enabled"),
    **_both("HOST_FLAP_DETECTION", "flap_detection_enabled"),
    **_both("SVC_FLAP_DETECTION", "flap_detection_enabled"),
    "DISABLE_SERVICE_FLAP_DETECTION": Switch("flap_detection_enabled", "0"),
    **_both("HOST_AND_CHILD_NOTIFICATIONS", "notifications_enabled", "below"),
    **_both("ALL_NOTIFICATIONS_BEYOND_HOST", "notifications_enabled", "beyond"),
    **_pair("START_OBSESSING_OVER_HOST", "STOP_OBSESSING_OVER_HOST", "obsess"),
    **_pair("START_OBSESSING_OVER_SVC", "STOP_OBSESSING_OVER_SVC", "obsess"),
    **_both("HOSTGROUP_HOST_NOTIFICATIONS", "notifications_enabled", "hosts"),
    **_both("HOSTGROUP_SVC_NOTIFICATIONS", "notifications_enabled", "members"),
    **_both("HOSTGROUP_HOST_CHECKS", "active_checks_enabled", "hosts"),
    **_both("HOSTGROUP_SVC_CHECKS", "active_checks_enabled", "members"),
    **_both("HOSTGROUP_PASSIVE_HOST_CHECKS", "passive_checks_enabled", "hosts"),
    **_both("HOSTGROUP_PASSIVE_SVC_CHECKS", "passive_checks_enabled", "members"),
    **_both("SERVICEGROUP_HOST_NOTIFICATIONS", "notifications_enabled", "hosts"),
    **_both("SERVICEGROUP_SVC_NOTIFICATIONS", "notifications_enabled", "members"),
    **_both("SERVICEGROUP_HOST_CHECKS", "active_checks_enabled", "hosts"),
    **_both("SERVICEGROUP_SVC_CHECKS", "active_checks_enabled", "members"),
    **_both("SERVICEGROUP_PASSIVE_HOST_CHECKS", "passive_checks_enabled", "hosts"),
    **_both("SERVICEGROUP_PASSIVE_SVC_CHECKS", "passive_checks_enabled", "members"),
    **_both("CONTACT_HOST_NOTIFICATIONS", "host_notifications_enabled"),
    **_both("CONTACT_SVC_NOTIFICATIONS", "service_notifications_enabled"),
    **_both("CONTACTGROUP_HOST_NOTIFICATIONS", "host_notifications_enabled", "members"),
    **_both("CONTACTGROUP_SVC_NOTIFICATIONS", "service_notifications_enabled", "members"),
    **_both("NOTIFICATIONS", "enable_notifications"),
    **_both("EVENT_HANDLERS", "enable_event_handlers"),
    **_both("FLAP_DETECTION", "enable_flap_detection"),
    **_both("FAILURE_PREDICTION", "enable_failure_prediction"),
    **_both("PERFORMANCE_DATA", "process_performance_data"),
    **_both("HOST_FRESHNESS_CHECKS", "check_host_freshness"),
    **_both("SERVICE_FRESHNESS_CHECKS", "check_service_freshness"),
    **_pair("START_OBSESSING_OVER_HOST_CHECKS", "STOP_OBSESSING_OVER_HOST_CHECKS", "obsess_over_hosts"),
    **_pair("START_OBSESSING_OVER_SVC_CHECKS", "STOP_OBSESSING_OVER_SVC_CHECKS", "obsess_over_services"),
    **_pair("START_EXECUTING_HOST_CHECKS", "STOP_EXECUTING_HOST_CHECKS", "execute_host_checks"),
    **_pair("START_EXECUTING_SVC_CHECKS", "STOP_EXECUTING_SVC_CHECKS", "execute_service_checks"),
    **_pair(
        "START_ACCEPTING_PASSIVE_HOST_CHECKS", "STOP_ACCEPTING_PASSIVE_HOST_CHECKS",
        "accept_passive_host_checks",
    ),
    **_pair(
        "START_ACCEPTING_PASSIVE_SVC_CHECKS", "STOP_ACCEPTING_PASSIVE_SVC_CHECKS",
        "accept_passive_service_checks",
    ),
    "CHANGE_MAX_HOST_CHECK_ATTEMPTS": Switch("max_check_attempts"),
    "CHANGE_MAX_SVC_CHECK_ATTEMPTS": Switch("max_check_attempts"),
    "CHANGE_NORMAL_HOST_CHECK_INTERVAL": Switch("check_interval_s"),
    "CHANGE_NORMAL_SVC_CHECK_INTERVAL": Switch("check_interval_s"),
    "CHANGE_RETRY_HOST_CHECK_INTERVAL": Switch("retry_interval_s"),
    "CHANGE_RETRY_SVC_CHECK_INTERVAL": Switch("retry_interval_s"),
    "CHANGE_HOST_CHECK_COMMAND": Switch("check_command"),
    "CHANGE_SVC_CHECK_COMMAND": Switch("check_command"),
    "CHANGE_HOST_EVENT_HANDLER": Switch("event_handler"),
    "CHANGE_SVC_EVENT_HANDLER": Switch("event_handler"),
    "CHANGE_HOST_CHECK_TIMEPERIOD": Switch("check_period"),
    "CHANGE_SVC_CHECK_TIMEPERIOD": Switch("check_period"),
    "CHANGE_HOST_NOTIFICATION_TIMEPERIOD": Switch("notification_period"),
    "CHANGE_SVC_NOTIFICATION_TIMEPERIOD": Switch("notification_period"),
    "CHANGE_CONTACT_HOST_NOTIFICATION_TIMEPERIOD": Switch("host_notification_period"),
    "CHANGE_CONTACT_SVC_NOTIFICATION_TIMEPERIOD": Switch("service_notification_period"),
    "CHANGE_GLOBAL_HOST_EVENT_HANDLER": Switch("global_host_event_handler"),
    "CHANGE_GLOBAL_SVC_EVENT_HANDLER": Switch("global_service_event_handler"),
}  # fmt: skip


def switch(given: Given) -> str:
    """Obey a command of SWITCHES."""
    what = SWITCHES[given.name]
    value = what.value or _given_value(given, what)
    why = "" if what.value else _unfit(given, what, value)
    if why:
        return why
    if given.scope == "global":
        return _switch_all(given, what.setting, value)
    if given.scope in ("contact", "contactgroup"):
        return _switch_contacts(given, what.setting, value)
    items = _items(given, what)
    if isinstance(items, str):
        return items
    for item in items:
        put_modified(given, item, {**item.status.modified, what.setting: value})
    return ""


def _given_value(given: Given, what: Switch) -> str:
    value = given.args[0]
    if what.setting.endswith("_interval_s"):
        return str(float(value) * given.state.globals.interval_length_s)
    return value


def _unfit(given: Given, what: Switch, value: str) -> str:
    """Return why a value cannot be set, "" when it can."""
    state = given.state
    if what.setting.endswith("_period"):
        known = value in state.periods
        return "" if known else f"there is no time period {value!r} in the configuration"
    if what.setting == "check_command" or (what.setting.endswith("event_handler") and value):
        return no_command(state, value)
    return ""


def _items(given: Given, what: Switch) -> list[Item] | str:
    """Return the objects meant, or why there are none."""
    state, name = given.state, given.target
    if given.scope.endswith("group"):
        keys = group_keys(state, given.scope, name, hosts=what.of == "hosts")
        return present(state, keys or ()) or NOT_HERE
    if given.item is None:
        return given.nobody
    if what.of == "services":
        return list(state.services_of(name))
    if what.of == "below":
        return present(state, below(state, name))
    if what.of == "beyond":
        behind = below(state, name)[1:]
        services = [key for host in behind for key in state.service_keys.get(host, ())]
        return present(state, [*behind, *services])
    return [given.item]


def _switch_all(given: Given, setting: str, value: str) -> str:
    state = given.state
    state.status.modified = {**state.status.modified, setting: value}
    state.refresh_globals()
    state.shard_changed()
    if setting == "enable_flap_detection":
        for item in state.items.values():
            if item.status.flapping or item.status.flap_percent:
                given.parts.flaps.switched(item, given.now)
                state.changed(item)
    return ""


def _switch_contacts(given: Given, setting: str, value: str) -> str:
    state, name = given.state, given.target
    names: tuple[str, ...] = (name,)
    if given.scope == "contactgroup":
        group = state.contactgroups.get(name)
        names = group.members if group is not None else ()
    known = [contact for contact in names if contact in state.contacts]
    for contact in known:
        status = state.contact(contact)
        status.modified = {**status.modified, setting: value}
        state.contact_changed(status)
    return "" if known else NOT_HERE


TABLE: dict[str, Obey] = dict.fromkeys(SWITCHES, switch)
