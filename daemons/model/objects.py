"""Hosts, services, contacts, commands and time periods as a scheduler needs them: resolved, linked, frozen.

A host or service is its own few fields plus a reference to `Traits`, which all objects with the same
resolved settings share: 100,000 services cut from one template hold one `Traits`.
Durations are seconds: `interval_length` has been applied.
"""

from msgspec import Struct

from daemons.model.relations import (
    CheckModulation,
    Dependency,
    Escalation,
    ImpactModulation,
    MacroModulation,
    ResultModulation,
    RuleNode,
)
from daemons.model.relations import Key as Key

SHARDS_A_REALM = 100  # ids that a realm has for itself, the first ends with 1


def service_key(host: str, description: str) -> Key:
    """Return the key of a service."""
    return f"{host};{description}"


def host_of(key: Key) -> str:
    """Return the host name in the key of a host or service."""
    return key.partition(";")[0]


class Snapshot(Struct, frozen=True, array_like=True):
    """A command that is run while an object is not well, and whose output is kept as an event."""

    command: str  # "name!arg1"
    criteria: tuple[str, ...]  # letters of the states that call for it
    interval_s: float
    period: str = ""  # "" = always


class MaintenanceCheck(Struct, frozen=True, array_like=True):
    """A check of its own that says whether an object is in maintenance (2 = it is)."""

    command: str
    check_interval_s: float
    retry_interval_s: float
    period: str = ""  # "" = always
    enabled: bool = True


class BusinessRuleSettings(Struct, frozen=True, array_like=True, kw_only=True):
    """How the result of a business rule is told."""

    output_template: str = ""
    smart_notifications: bool = False
    downtime_as_ack: bool = False
    host_notification_options: tuple[str, ...] = ()  # put on the hosts in the rule; () = theirs
    service_notification_options: tuple[str, ...] = ()


class Traits(Struct, frozen=True, array_like=True, kw_only=True):
    """What many objects share. Options are tuples of the letters as written (`d,u,r` -> ("d","u","r"))."""

    check_command: str = ""  # "name!arg1!arg2", "" = never checked (hosts: assumed up)
    check_interval_s: float = 300.0  # 0 = not actively checked on a schedule
    retry_interval_s: float = 60.0
    max_check_attempts: int = 1
    check_period: str = ""  # "" = always
    active_checks_enabled: bool = True
    passive_checks_enabled: bool = True
    event_handler: str = ""
    event_handler_enabled: bool = False
    notifications_enabled: bool = True
    notification_interval_s: float = 3600.0  # 0 = tell once
    first_notification_delay_s: float = 0.0
    notification_period: str = ""  # "" = always
    notification_options: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()  # contact groups are expanded into it
    flap_detection_enabled: bool = True
    flap_detection_options: tuple[str, ...] = ()
    low_flap_threshold: float = -1.0  # percent; -1 = the global one
    high_flap_threshold: float = -1.0
    is_volatile: bool = False
    stalking_options: tuple[str, ...] = ()
    check_freshness: bool = False
    freshness_threshold_s: float = 0.0
    process_perf_data: bool = True
    obsess: bool = False
    initial_state: str = ""
    business_impact: int = 2
    poller_tag: str = ""  # "" = untagged
    reactionner_tag: str = ""
    retain_status: bool = True
    retain_nonstatus: bool = True
    groups: tuple[str, ...] = ()  # host groups or service groups it is a member of
    custom: dict[str, str] = {}  # custom variables by upper-case name without the underscore
    shown: dict[str, str] = {}  # notes, notes_url, action_url, icon_image ...: for macros and front ends
    rest: dict[str, str] = {}  # every other resolved attribute, for front ends
    # names of what is in the shard's body, in the order in which they are asked
    escalations: tuple[str, ...] = ()
    result_modulations: tuple[str, ...] = ()
    check_modulations: tuple[str, ...] = ()
    macro_modulations: tuple[str, ...] = ()
    impact_modulations: tuple[str, ...] = ()
    time_to_orphanage_s: float = 300.0  # 0 = an order lent out is never given up
    initial_output: str = ""
    labels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()  # names of its templates, ancestors too
    priority: int = 100
    snapshot: "Snapshot | None" = None
    maintenance_period: str = ""  # "" = none
    maintenance_check: "MaintenanceCheck | None" = None
    business: "BusinessRuleSettings | None" = None  # of an object whose check is a business rule
    host_dependency_enabled: bool = True  # services
    contact_groups: tuple[str, ...] = ()  # as named, for front ends; their members are in `contacts`


class Host(Struct, frozen=True, array_like=True):
    """One host. `traits` is an index into `ShardBody.traits`."""

    name: str
    address: str
    alias: str
    traits: int
    parents: tuple[str, ...] = ()  # names; those of other shards are left out
    display_name: str = ""


class Service(Struct, frozen=True, array_like=True):
    """One service on one host. `traits` is an index into `ShardBody.traits`."""

    host: str
    description: str
    traits: int
    display_name: str = ""

    @property
    def key(self) -> Key:
        """What names this service in a cluster."""
        return f"{self.host};{self.description}"


class Way(Struct, frozen=True, array_like=True, kw_only=True):
    """One way to tell a contact; a plain contact has exactly one."""

    name: str = ""
    host_notifications_enabled: bool = True
    service_notifications_enabled: bool = True
    host_notification_period: str = ""  # "" = always
    service_notification_period: str = ""
    host_notification_options: tuple[str, ...] = ()
    service_notification_options: tuple[str, ...] = ()
    host_notification_commands: tuple[str, ...] = ()  # "name!arg"
    service_notification_commands: tuple[str, ...] = ()
    min_business_impact: int = 0
    on_ambiguous: str = ""  # "resend", "skip"; "" = as the main file says


class Contact(Struct, frozen=True, array_like=True, kw_only=True):
    """Somebody who is told."""

    name: str
    alias: str = ""
    email: str = ""
    pager: str = ""
    addresses: tuple[str, ...] = ()  # address1..address6
    ways: tuple[Way, ...] = ()
    groups: tuple[str, ...] = ()
    can_submit_commands: bool = True
    custom: dict[str, str] = {}
    host_notifications_enabled: bool = True  # False: by none of its ways
    service_notifications_enabled: bool = True
    rest: dict[str, str] = {}  # other attributes, for front ends


class Command(Struct, frozen=True, array_like=True):
    """A command definition."""

    name: str
    line: str
    timeout_s: float = -1.0  # -1 = the global one
    poller_tag: str = ""
    reactionner_tag: str = ""
    enable_environment_macros: bool = False  # for this command, whatever the main file says


class TimePeriod(Struct, frozen=True, array_like=True):
    """A time period as written; `rules.timeperiod` reads the ranges."""

    name: str
    alias: str = ""
    ranges: tuple[tuple[str, str], ...] = ()  # ("monday", "09:00-17:00"), ("2026-12-24", "00:00-24:00")
    exclude: tuple[str, ...] = ()


class Group(Struct, frozen=True, array_like=True):
    """A host group, service group or contact group. Members are keys."""

    name: str
    alias: str = ""
    members: tuple[str, ...] = ()
    shown: dict[str, str] = {}  # notes, notes_url, action_url


class Globals(Struct, frozen=True, array_like=True, kw_only=True):
    """The main file's settings that rules need; seconds."""

    interval_length_s: float = 60.0
    use_timezone: str = ""  # "" = that of the machine
    enable_notifications: bool = True
    execute_service_checks: bool = True
    execute_host_checks: bool = True
    accept_passive_service_checks: bool = True
    accept_passive_host_checks: bool = True
    enable_event_handlers: bool = True
    enable_flap_detection: bool = True
    check_external_commands: bool = True
    passive_host_checks_are_soft: bool = True
    log_initial_states: bool = True
    log_notifications: bool = True
    log_service_retries: bool = True
    log_host_retries: bool = True
    log_event_handlers: bool = True
    log_external_commands: bool = True
    log_passive_checks: bool = True
    service_check_timeout_s: float = 60.0
    host_check_timeout_s: float = 30.0
    notification_timeout_s: float = 30.0
    event_handler_timeout_s: float = 30.0
    max_service_check_spread_s: float = 1800.0
    max_host_check_spread_s: float = 1800.0
    max_plugins_output_length: int = 8192
    low_service_flap_threshold: float = 20.0
    high_service_flap_threshold: float = 30.0
    low_host_flap_threshold: float = 20.0
    high_host_flap_threshold: float = 30.0
    global_host_event_handler: str = ""
    global_service_event_handler: str = ""
    no_event_handlers_during_downtimes: bool = False
    enable_environment_macros: bool = False  # global opt-in; Shinken's sample files say 0
    illegal_macro_output_chars: str = ""
    date_format: str = ""
    settings: dict[str, str] = {}  # the main file as written
    check_service_freshness: bool = True
    check_host_freshness: bool = True
    service_freshness_check_interval_s: float = 60.0
    host_freshness_check_interval_s: float = 60.0
    additional_freshness_latency_s: float = 15.0
    check_for_orphaned_services: bool = True
    check_for_orphaned_hosts: bool = True
    cached_host_check_horizon_s: float = 0.0
    cached_service_check_horizon_s: float = 0.0
    enable_predictive_host_dependency_checks: bool = True
    enable_predictive_service_dependency_checks: bool = True
    soft_state_dependencies: bool = False
    translate_passive_host_checks: bool = True
    use_aggressive_host_checking: bool = False
    timeout_exit_status: int = 2
    obsess_over_services: bool = False
    obsess_over_hosts: bool = False
    ocsp_command: str = ""
    ochp_command: str = ""
    ocsp_timeout_s: float = 15.0
    ochp_timeout_s: float = 15.0
    process_performance_data: bool = True
    service_perfdata_command: str = ""
    host_perfdata_command: str = ""
    perfdata_timeout_s: float = 5.0
    enable_problem_impacts_states_change: bool = False
    host_down_disable_service_checks: bool = False  # of Nagios 4
    host_perfdata_template: str = ""  # of a file that a broker writes; "" = none
    service_perfdata_template: str = ""


class ShardBody(Struct, frozen=True, array_like=True, kw_only=True):
    """Everything one scheduler needs to run one shard: its content hash is the shard's version."""

    id: int
    realm: str
    cluster: str
    traits: tuple[Traits, ...] = ()
    hosts: tuple[Host, ...] = ()
    services: tuple[Service, ...] = ()
    contacts: tuple[Contact, ...] = ()
    commands: tuple[Command, ...] = ()
    periods: tuple[TimePeriod, ...] = ()
    hostgroups: tuple[Group, ...] = ()
    servicegroups: tuple[Group, ...] = ()
    contactgroups: tuple[Group, ...] = ()
    macros: dict[str, str] = {}  # USER1 -> value
    globals: Globals = Globals()
    escalations: tuple[Escalation, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    result_modulations: tuple[ResultModulation, ...] = ()
    check_modulations: tuple[CheckModulation, ...] = ()
    macro_modulations: tuple[MacroModulation, ...] = ()
    impact_modulations: tuple[ImpactModulation, ...] = ()
    rules: dict[Key, RuleNode] = {}  # business rules, by the object they are the check of
    realm_members: tuple[str, ...] = ()  # realms directly in `realm`: a macro


class ShardDef(Struct, frozen=True):
    """What the cluster knows of a shard without its contents."""

    id: int
    realm: str
    version: str  # hash of the encoded body
    hosts: int
    services: int
    poller_tags: tuple[str, ...] = ()  # tags its checks ask for
    reactionner_tags: tuple[str, ...] = ()
