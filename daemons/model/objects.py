"""Hosts, services, contacts, commands and time periods as a scheduler needs them: resolved, linked, frozen.

A host or service is its own few fields plus a reference to `Traits`, which all objects with the same
resolved settings share: 100,000 services cut from one template hold one `Traits`.
Durations are seconds: `interval_length` has been applied.
"""

from msgspec import Struct

Key = str  # "web1" for a host, "web1;http" for a service; unique in a cluster


def service_key(host: str, description: str) -> Key:
    """Return the key of a service."""
    return f"{host};{description}"


def host_of(key: Key) -> str:
    """Return the host name in the key of a host or service."""
    return key.partition(";")[0]


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
    rest: dict[str, str] = {}  # every other resolved attribute, for later rules


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


class Command(Struct, frozen=True, array_like=True):
    """A command definition."""

    name: str
    line: str
    timeout_s: float = -1.0  # -1 = the global one
    poller_tag: str = ""
    reactionner_tag: str = ""


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


class ShardDef(Struct, frozen=True):
    """What the cluster knows of a shard without its contents."""

    id: int
    realm: str
    version: str  # hash of the encoded body
    hosts: int
    services: int
    poller_tags: tuple[str, ...] = ()  # tags its checks ask for
    reactionner_tags: tuple[str, ...] = ()
