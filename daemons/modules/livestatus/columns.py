"""The columns of the object tables: name, type, how it is read from a row, and what it says.

The one thing to know: `read` is a Python expression over `r` (the row), `w` (the World) and `now`; `plan.py`
compiles those that a query names into one loop. It is text of ours alone: what a client sends is never in it.
Names and types are those of naemon-livestatus; columns after "of Shinken" are ours on top.
"""

import re

from msgspec import Struct

EMPTY = {"int": "0", "time": "0", "float": "0.0", "string": "''", "list": "()", "dict": "{}"}


class Column(Struct, frozen=True):
    """One column. Kinds: int, time (an int that Localtime moves), float, string, list, dict."""

    name: str
    kind: str
    read: str
    says: str

    @property
    def shown_kind(self) -> str:
        """The type as the table `columns` shows it."""
        return "int" if self.kind == "time" else self.kind

    def through(self, prefix: str, way: str, *, always: bool = False) -> "Column":
        """Return this column of the object that `way` leads to, named with `prefix`.

        Unless there `always` is such an object, the column is empty where there is none.
        """
        if always:
            read = _ROW.sub(way, self.read if _NAMES.fullmatch(self.read) else f"({self.read})")
        else:
            read = f"(({_ROW.sub('x', self.read)}) if (x := {way}) is not None else {EMPTY[self.kind]})"
        return Column(prefix + self.name, self.kind, read, self.says)


_NAMES = re.compile(r"[\w.]+")
_ROW = re.compile(r"\br\b")


def columns(text: str) -> tuple[Column, ...]:
    """Return the columns of a table written one a line: name | kind | expression | description."""
    found = []
    for line in filter(None, text.splitlines()):
        name, kind, rest = (part.strip() for part in line.split(" | ", 2))
        read, _, says = rest.rpartition(" | ")
        found.append(Column(name, kind, read.strip(), says.strip()))
    return tuple(found)


_COMMON = """
accept_passive_checks | int | int(r.t.passive_checks_enabled) | Whether passive results are accepted (0/1)
acknowledged | int | int(r.s.ack is not None) | Whether the current problem is acknowledged (0/1)
acknowledgement_type | int | acknowledgement(r) | 0: none, 1: normal, 2: sticky
action_url | string | r.t.shown.get('action_url', '') | A URL for actions
action_url_expanded | string | expanded(r, 'action_url', now) | The same with macros expanded
active_checks_enabled | int | int(r.t.active_checks_enabled) | Whether active checks are on (0/1)
check_command | string | r.t.check_command | The command of the active check
check_freshness | int | int(r.t.check_freshness) | Whether results are watched for their age (0/1)
check_interval | float | r.t.check_interval_s / r.unit_s | Interval lengths between two checks
check_options | int | 0 | Options of the check that is forced
check_period | string | r.t.check_period | The time period in which it is checked
check_source | string | '' | Where the last result came from
check_type | int | int(r.s.passive) | How the last result came (0: active, 1: passive)
checks_enabled | int | int(r.t.active_checks_enabled) | Whether active checks are on (0/1)
comments | list | [c.id for c in r.s.comments] | The ids of its comments
comments_with_info | list | comments_with_info(r) | Comments: id, author, text, entry time, entry type, expires, expire time
contact_groups | list | r.t.contact_groups | Its contact groups
contacts | list | r.t.contacts | Its contacts, those of contact groups too
current_attempt | int | r.s.attempt | The number of the current check attempt
current_notification_number | int | r.s.notification_number | How often was told of the current problem
custom_variable_names | list | list(customs(r)) | Names of the custom variables
custom_variable_values | list | list(customs(r).values()) | Values of the custom variables
custom_variables | dict | customs(r) | Custom variables by name
depends_exec | list | depends(r, 1) | What its checks depend on
depends_exec_with_info | list | depends_with_info(r, 1) | The same with options, period and whether parents count
depends_notify | list | depends(r, 2) | What its notifications depend on
depends_notify_with_info | list | depends_with_info(r, 2) | The same with options, period and whether parents count
display_name | string | r.of.display_name or r.name | The name shown
downtimes | list | [d.id for d in r.s.downtimes] | The ids of its downtimes
downtimes_with_info | list | downtimes_with_info(r) | Downtimes: id, author, text, entry, start, end, fixed, duration, trigger
event_handler | string | r.t.event_handler | The event handler's command
event_handler_enabled | int | int(r.t.event_handler_enabled) | Whether event handlers are run (0/1)
execution_time | float | r.s.took_s | Seconds that the last check took
first_notification_delay | float | r.t.first_notification_delay_s / r.unit_s | Interval lengths before the first notification
flap_detection_enabled | int | int(r.t.flap_detection_enabled) | Whether flapping is watched for (0/1)
groups | list | r.groups | The groups it is in
has_been_checked | int | int(r.s.checked) | Whether there was a result yet (0/1)
high_flap_threshold | float | max(r.t.high_flap_threshold, 0.0) | Percent above which it flaps, 0 = the global one
hourly_value | int | 1 | Its importance of Nagios 4
icon_image | string | r.t.shown.get('icon_image', '') | A picture for it
icon_image_alt | string | r.t.shown.get('icon_image_alt', '') | Text instead of the picture
icon_image_expanded | string | expanded(r, 'icon_image', now) | The picture with macros expanded
id | int | r.id | A number of this row
in_check_period | int | w.inside(r.t.check_period, now) | Whether now is in its check period (0/1)
in_notification_period | int | w.inside(r.t.notification_period, now) | Whether now is in its notification period (0/1)
initial_state | int | 0 | The state before the first result
is_executing | int | 0 | Whether a check runs now (0/1)
is_flapping | int | int(r.s.flapping) | Whether it flaps (0/1)
last_check | time | int(r.s.last_check_wall) | Time of the last check
last_hard_state | int | last_hard_state(r) | The last hard state before this one (hosts); the hard state (services)
last_hard_state_change | time | int(r.s.last_hard_change_wall) | Time of the last hard change
last_notification | time | int(r.s.last_notification_wall) | Time of the last notification
last_state | int | r.s.last_state | The state before the last change
last_state_change | time | int(r.s.last_change_wall) | Time of the last change
last_update | time | int(r.s.last_check_wall) | Time of the last update
latency | float | r.s.latency_s | Seconds by which the last check was late
long_plugin_output | string | r.s.long_output.replace(chr(10), chr(92) + 'n') | The output after its first line
low_flap_threshold | float | max(r.t.low_flap_threshold, 0.0) | Percent below which it flaps no more, 0 = the global one
max_check_attempts | int | r.t.max_check_attempts | Attempts until a state is hard
modified_attributes | int | modattr(r) | What was changed at run time, as a mask
modified_attributes_list | list | modattr_names(modattr(r)) | What was changed at run time, by name
next_check | time | int(r.s.next_check_wall) | Time of the next check
next_notification | time | int(r.s.next_notification_wall) | Time of the next notification
no_more_notifications | int | int(r.s.no_more_notifications) | Whether nobody is told again (0/1)
notes | string | r.t.shown.get('notes', '') | Notes
notes_expanded | string | expanded(r, 'notes', now) | Notes with macros expanded
notes_url | string | r.t.shown.get('notes_url', '') | A URL of notes
notes_url_expanded | string | expanded(r, 'notes_url', now) | The same with macros expanded
notification_interval | float | r.t.notification_interval_s / r.unit_s | Interval lengths between two notifications
notification_period | string | r.t.notification_period | The time period in which is told of it
notifications_enabled | int | int(r.t.notifications_enabled) | Whether notifications are on (0/1)
notified_on | int | notified_on(r) | States that were told of since it was well, as a mask
obsess | int | int(r.t.obsess) | Whether it is obsessed over (0/1)
percent_state_change | float | r.s.flap_percent | Percent of change
perf_data | string | r.s.perfdata | Performance data of the last check
plugin_output | string | r.s.output | First line of the last output
pnpgraph_present | int | -1 | Whether a PNP graph is there; not known
process_performance_data | int | int(r.t.process_perf_data) | Whether performance data is processed (0/1)
retry_interval | float | r.t.retry_interval_s / r.unit_s | Interval lengths between two attempts
scheduled_downtime_depth | int | r.s.downtime_depth | The number of downtimes in effect
should_be_scheduled | int | int(r.t.active_checks_enabled and r.t.check_interval_s > 0) | Whether it is checked on a schedule (0/1)
staleness | float | staleness(r, now) | Age of the last result in check intervals
state_type | int | r.s.state_type | 0: soft, 1: hard
"""
_HOST = """
address | string | r.of.address | The address
alias | string | r.of.alias or r.name | A longer name
check_flapping_recovery_notification | int | 0 | Whether a recovery is told after flapping (0/1)
check_timeout | int | int(r.globals.host_check_timeout_s) | Seconds until a check is given up
childs | list | r.childs | Hosts whose parent it is
filename | string | '' | Where it was defined; not kept
hard_state | int | hard_state(r) | The hard state in force
last_time_down | time | int(r.s.last_critical_wall) | When it was DOWN last
last_time_unreachable | time | int(r.s.last_unknown_wall) | When it was UNREACHABLE last
last_time_up | time | int(r.s.last_ok_wall) | When it was UP last
name | string | r.name | The host's name
num_services | int | len(r.services) | Number of its services
num_services_crit | int | services(r, 2) | Number of its services that are CRITICAL
num_services_hard_crit | int | hard_services(r, 2) | Number of its services that are CRITICAL, hard
num_services_hard_ok | int | hard_services(r, 0) | Number of its services that are OK, hard
num_services_hard_unknown | int | hard_services(r, 3) | Number of its services that are UNKNOWN, hard
num_services_hard_warn | int | hard_services(r, 1) | Number of its services that are WARNING, hard
num_services_ok | int | services(r, 0) | Number of its services that are OK
num_services_pending | int | pending(r.services) | Number of its services without a result
num_services_unknown | int | services(r, 3) | Number of its services that are UNKNOWN
num_services_warn | int | services(r, 1) | Number of its services that are WARNING
obsess_over_host | int | int(r.t.obsess) | Whether it is obsessed over (0/1)
parents | list | r.of.parents | Its parents
pending_flex_downtime | int | 0 | Flexible downtimes that wait
services | list | [s.name for s in r.services] | Its services
services_with_info | list | [[s.name, s.s.state, int(s.s.checked), s.s.output] for s in r.services] | Services: name, state, checked, output
services_with_state | list | [[s.name, s.s.state, int(s.s.checked)] for s in r.services] | Services: name, state, checked
state | int | r.s.state | 0: UP, 1: DOWN, 2: UNREACHABLE
statusmap_image | string | r.t.shown.get('statusmap_image', '') | A picture for maps
total_services | int | len(r.services) | Number of its services
worst_service_hard_state | int | worst_hard(r.services) | The worst hard state of its services
worst_service_state | int | worst(r.services) | The worst state of its services
x_3d | float | 0.0 | A coordinate
y_3d | float | 0.0 | A coordinate
z_3d | float | 0.0 | A coordinate
"""
_SERVICE = """
check_timeout | int | int(r.globals.service_check_timeout_s) | Seconds until a check is given up
description | string | r.name | The service's description
last_time_critical | time | int(r.s.last_critical_wall) | When it was CRITICAL last
last_time_ok | time | int(r.s.last_ok_wall) | When it was OK last
last_time_unknown | time | int(r.s.last_unknown_wall) | When it was UNKNOWN last
last_time_warning | time | int(r.s.last_warning_wall) | When it was WARNING last
obsess_over_service | int | int(r.t.obsess) | Whether it is obsessed over (0/1)
parents | list | () | Services it hangs on, of Naemon
state | int | r.s.state | 0: OK, 1: WARNING, 2: CRITICAL, 3: UNKNOWN
"""
_SHINKEN = """
business_impact | int | r.s.business_impact if r.s.business_impact >= 0 else r.t.business_impact | of Shinken: how much it matters, 0 to 5
criticity | int | r.s.business_impact if r.s.business_impact >= 0 else r.t.business_impact | of Shinken: the former name of business_impact
got_business_rule | int | int(r.key in r.body.rules) | of Shinken: whether its state follows from others (0/1)
is_impact | int | int(bool(r.s.source_problems)) | of Shinken: whether a problem elsewhere is the cause (0/1)
is_problem | int | int(r.s.is_problem) | of Shinken: whether it is the cause of a problem (0/1)
poller_tag | string | r.t.poller_tag | of Shinken: the tag of pollers that may check it
reactionner_tag | string | r.t.reactionner_tag | of Shinken: the tag of reactionners for it
realm | string | r.body.realm | of Shinken: its realm
source_problems | list | r.s.source_problems | of Shinken: the problems it suffers from
"""
_NUM_SERVICES = """
num_services | int | len({of}) | Number of services
num_services_crit | int | count({of}, 2) | Number of services that are CRITICAL
num_services_hard_crit | int | count_hard({of}, 2) | Number of services that are CRITICAL, hard
num_services_hard_ok | int | count_hard({of}, 0) | Number of services that are OK, hard
num_services_hard_unknown | int | count_hard({of}, 3) | Number of services that are UNKNOWN, hard
num_services_hard_warn | int | count_hard({of}, 1) | Number of services that are WARNING, hard
num_services_ok | int | count({of}, 0) | Number of services that are OK
num_services_pending | int | pending({of}) | Number of services without a result
num_services_unknown | int | count({of}, 3) | Number of services that are UNKNOWN
num_services_warn | int | count({of}, 1) | Number of services that are WARNING
worst_service_state | int | worst({of}) | The worst state of the services
"""
_GROUP = """
action_url | string | r.shown.get('action_url', '') | A URL for actions
alias | string | r.alias | A longer name
id | int | r.id | A number of this row
name | string | r.name | The group's name
notes | string | r.shown.get('notes', '') | Notes
notes_url | string | r.shown.get('notes_url', '') | A URL of notes
"""
HOST = columns(_COMMON + _HOST + _SHINKEN)
SERVICE = columns(_COMMON + _SERVICE + _SHINKEN)
HOSTGROUP = columns(
    _GROUP
    + _NUM_SERVICES.format(of="services_of(r.members)")
    + """
members | list | [m.name for m in r.members] | The hosts in it
members_with_state | list | [[m.name, m.s.state, int(m.s.checked)] for m in r.members] | Hosts: name, state, checked
num_hosts | int | len(r.members) | Number of hosts
num_hosts_down | int | count(r.members, 1) | Number of hosts that are DOWN
num_hosts_pending | int | pending(r.members) | Number of hosts without a result
num_hosts_unreach | int | count(r.members, 2) | Number of hosts that are UNREACHABLE
num_hosts_up | int | count(r.members, 0) | Number of hosts that are UP
worst_host_state | int | worst(r.members) | The worst state of the hosts
worst_service_hard_state | int | worst_hard(services_of(r.members)) | The worst hard state of the services
"""
)
SERVICEGROUP = columns(
    _GROUP
    + _NUM_SERVICES.format(of="r.members")
    + """
members | list | [[m.host.name, m.name] for m in r.members] | The services in it: host, description
members_with_state | list | [[m.host.name, m.name, m.s.state, int(m.s.checked)] for m in r.members] | Services: host, description, state, checked
"""
)
_ADDRESSES = "".join(
    f"address{n + 1} | string | at(r.of.addresses, {n}) | Address {n + 1}\n" for n in range(6)
)
CONTACT = columns(
    _ADDRESSES
    + """
alias | string | r.of.alias or r.of.name | The full name
can_submit_commands | int | int(r.of.can_submit_commands) | Whether it may send commands (0/1)
custom_variable_names | list | list(r.of.custom) | Names of the custom variables
custom_variable_values | list | list(r.of.custom.values()) | Values of the custom variables
custom_variables | dict | r.of.custom | Custom variables by name
email | string | r.of.email | The e-mail address
groups | list | r.groups | The contact groups it is in
host_notification_commands | list | way_commands(r, 'host') | How it is told of hosts
host_notification_period | string | way_period(r, 'host') | When it is told of hosts
host_notifications_enabled | int | way_enabled(r, 'host') | Whether it is told of hosts (0/1)
id | int | r.id | A number of this row
in_host_notification_period | int | w.inside(way_period(r, 'host'), now) | Whether it is told of hosts now (0/1)
in_service_notification_period | int | w.inside(way_period(r, 'service'), now) | Whether it is told of services now (0/1)
modified_attributes | int | contact_mask(r) | What was changed at run time, as a mask
modified_attributes_list | list | modattr_names(contact_mask(r)) | What was changed at run time, by name
name | string | r.of.name | The contact's name
pager | string | r.of.pager | The pager's number
service_notification_commands | list | way_commands(r, 'service') | How it is told of services
service_notification_period | string | way_period(r, 'service') | When it is told of services
service_notifications_enabled | int | way_enabled(r, 'service') | Whether it is told of services (0/1)
"""
)
CONTACTGROUP = columns("""
alias | string | r.alias | A longer name
id | int | r.id | A number of this row
members | list | r.members | The contacts in it
name | string | r.name | The group's name
""")
COMMAND = columns("""
id | int | r.id | A number of this row
line | string | r.line | The command line
name | string | r.name | The command's name
""")
TIMEPERIOD = columns("""
alias | string | r.alias | A longer name
days | list | () | The ranges by day of the week; not shown
exceptions_calendar_dates | list | () | The ranges by date; not shown
exceptions_month_date | list | () | The ranges by month; not shown
exceptions_month_day | list | () | The ranges by day of the month; not shown
exceptions_month_week_day | list | () | The ranges by day of a week of a month; not shown
exceptions_week_day | list | () | The ranges by day of a week; not shown
exclusions | list | () | The time periods that it leaves out; not shown
id | int | r.id | A number of this row
in | int | w.inside(r.name, now) | Whether now is in it (0/1)
name | string | r.name | The time period's name
""")
_NOTE = """
author | string | r.note.author | Who wrote it
comment | string | {text} | The text
entry_time | time | int(r.note.entry_wall) | When it was entered
id | int | r.note.id | Its id
is_service | int | int(r.on.is_service) | Whether it is on a service (0/1)
"""
COMMENT = columns(
    _NOTE.format(text="r.note.text")
    + """
entry_type | int | r.note.kind | 1: user, 2: downtime, 3: flapping, 4: acknowledgement
expire_time | time | 0 | When it ends by itself
expires | int | 0 | Whether it ends by itself (0/1)
persistent | int | int(r.note.persistent) | Whether it outlives a restart of Nagios (0/1)
source | int | int(r.note.persistent) | 0: internal, 1: external
type | int | 2 if r.on.is_service else 1 | 1: host, 2: service
"""
)
DOWNTIME = columns(
    _NOTE.format(text="r.note.comment")
    + """
duration | int | downtime_duration(r.note) | Seconds that it lasts
end_time | time | int(r.note.end_wall) | When it ends
fixed | int | int(r.note.fixed) | 1: from start to end, 0: flexible
start_time | time | int(r.note.start_wall) | When it starts
triggered_by | int | r.note.trigger_id | The id of the downtime that started it
type | int | 1 if r.on.is_service else 2 | 1: service, 2: host
"""
)
_FLAGS = (
    "accept_passive_host_checks", "accept_passive_service_checks", "check_external_commands", "check_host_freshness",
    "check_service_freshness", "enable_event_handlers", "enable_flap_detection", "enable_notifications",
    "execute_host_checks", "execute_service_checks", "obsess_over_hosts", "obsess_over_services",
    "process_performance_data",
)  # fmt: skip
_COUNTERS = (
    "cached_log_messages", "connections", "forks", "host_checks", "last_command_check", "last_log_rotation",
    "livecheck_overflows", "livechecks", "log_messages", "nagios_pid", "neb_callbacks", "requests", "service_checks",
)  # fmt: skip
_RATES = (
    "connections", "forks", "host_checks", "livecheck_overflows", "livechecks", "log_messages", "neb_callbacks",
    "requests", "service_checks",
)  # fmt: skip
STATUS = columns(
    "".join(f"{name} | int | int(w.globals.{name}) | As the main file or a command says (0/1)\n" for name in _FLAGS)
    + "".join(f"{name} | int | r.get('{name}', 0) | A figure of the program\n" for name in _COUNTERS)
    + "".join(f"{name}_rate | float | 0.0 | The same per second; not counted\n" for name in _RATES)
    + """
interval_length | int | int(w.globals.interval_length_s) | Seconds of one interval length
livestatus_version | string | r.get('version', '') | The version of what answers
num_hosts | int | len(w.hosts) | Number of hosts
num_services | int | len(w.services) | Number of services
program_start | time | r.get('program_start', 0) | When the program started
program_version | string | r.get('version', '') | The version of the program
"""
)
COLUMNS = columns("""
description | string | r[1].says | What the column says
name | string | r[1].name | The column's name
table | string | r[0] | The table's name
type | string | r[1].shown_kind | The column's type: int, float, string, list, dict
""")
LOG = columns("""
attempt | int | r.attempt | The number of the check attempt
class | int | r.kind | 0: info, 1: alert, 2: program, 3: notification, 4: passive check, 5: command, 6: state
command_name | string | r.command | The command of a notification or event handler
comment | string | r.comment | The comment
contact_name | string | r.contact | The contact that was told
host_name | string | r.host | The host it is about
lineno | int | r.lineno | The number of the line
message | string | r.message | The whole line
options | string | r.options | What comes after the colon
plugin_output | string | r.output | The output of the check
service_description | string | r.service | The service it is about
state | int | r.state | The state of host or service
state_type | string | r.state_type | SOFT or HARD, or what a notification was for
time | time | r.time | When it was written
type | string | r.type | What comes before the colon
""")
