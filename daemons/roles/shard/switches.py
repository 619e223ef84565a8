"""External commands that switch something on or off, or set one value, for an object, a group or all.

The one thing to know: what is switched is kept as a modified attribute *with its value*, in the status it
belongs to, so that it survives restarts and failovers and wins over the configuration.
"""

from collections.abc import Iterable

from msgspec import Struct

from daemons.model.clock import Now
from daemons.roles.shard.flaps import Flaps
from daemons.roles.shard.state import Item, ShardState
from daemons.rules.commands import COMMANDS, ExternalCommand
from daemons.wire.messages import Submitted


class Switch(Struct, frozen=True):
    """What a command sets."""

    attribute: str
    value: str = ""  # "" = the command's second (host) or third (service) argument
    of: str = "self"  # "self", "services" (of the host), "hosts", "members": of a group


def _pair(on: str, off: str, attribute: str, of: str = "self") -> dict[str, Switch]:
    return {on: Switch(attribute, "1", of), off: Switch(attribute, "0", of)}


def _both(name: str, attribute: str, of: str = "self") -> dict[str, Switch]:
    return _pair(f"ENABLE_{name}", f"DISABLE_{name}", attribute, of)


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
    **_both("SERVICE_FLAP_DETECTION", "flap_detection_enabled"),
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
    "CHANGE_GLOBAL_HOST_EVENT_HANDLER": Switch("global_host_event_handler"),
    "CHANGE_GLOBAL_SVC_EVENT_HANDLER": Switch("global_service_event_handler"),
}  # fmt: skip


class Switches:
    """Obeys the commands of SWITCHES in one shard."""

    def __init__(self, state: ShardState, flaps: Flaps) -> None:
        """Works on `state`; `flaps` is told when flap detection is switched."""
        self._state = state
        self._flaps = flaps

    def obey(self, command: ExternalCommand, _from: Submitted, now: Now) -> str:
        """Set what `command` says. Returns why not, "" when it was done."""
        switch = SWITCHES[command.name]
        scope = COMMANDS[command.name].scope
        if scope == "global":
            self._set_global(switch, switch.value or command.args[0])
            return ""
        if scope in ("contact", "contactgroup"):
            return self._set_contacts(switch, scope, command.args[0])
        items = list(self._items(switch, scope, command))
        if not items:
            return (
                "" if scope.endswith("group") else f"there is no {scope} {';'.join(command.args)}"
            )
        value = switch.value or self._given(switch, scope, command)
        for item in items:
            item.status.modified = {**item.status.modified, switch.attribute: value}
            self._state.refresh(item)
            if switch.attribute == "flap_detection_enabled":
                self._flaps.switched(item, now)
            self._state.changed(item)
        return ""

    def _given(self, switch: Switch, scope: str, command: ExternalCommand) -> str:
        value = command.args[2 if scope == "service" else 1]
        if switch.attribute.endswith("_interval_s"):
            return str(float(value) * self._state.globals.interval_length_s)
        return str(int(float(value))) if switch.attribute == "max_check_attempts" else value

    def _items(self, switch: Switch, scope: str, command: ExternalCommand) -> Iterable[Item]:
        state, args = self._state, command.args
        if scope == "service":
            keys: Iterable[str] = (f"{args[0]};{args[1]}",)
        elif scope == "host":
            keys = state.service_keys.get(args[0], ()) if switch.of == "services" else (args[0],)
        else:
            keys = group_keys(state, scope, args[0], hosts=switch.of == "hosts")
        return [state.items[key] for key in keys if key in state.items]

    def _set_global(self, switch: Switch, value: str) -> None:
        state = self._state
        state.status.modified = {**state.status.modified, switch.attribute: value}
        state.refresh_globals()
        state.shard_changed()

    def _set_contacts(self, switch: Switch, scope: str, name: str) -> str:
        state = self._state
        if scope == "contact":
            names: tuple[str, ...] = (name,)
        else:
            group = state.contactgroups.get(name)
            names = group.members if group is not None else ()
        known = [n for n in names if n in state.contacts]
        for contact in known:
            status = state.contact(contact)
            status.modified = {**status.modified, switch.attribute: switch.value}
            state.contact_changed(status)
        return ""


def group_keys(state: ShardState, scope: str, name: str, *, hosts: bool) -> list[str]:
    """Return the keys of a group's hosts, or of its services (those on its hosts, or its members)."""
    groups = state.hostgroups if scope == "hostgroup" else state.servicegroups
    group = groups.get(name)
    members = group.members if group is not None else ()
    if scope == "hostgroup":
        if hosts:
            return list(members)
        return [key for host in members for key in state.service_keys.get(host, ())]
    if hosts:
        return list(dict.fromkeys(member.partition(";")[0] for member in members))
    return list(members)
