"""Which object types there are and what their attributes are: names, types, how repeats are merged.

The one thing to know: this table only says how a value is *read*. Defaults stand where the value is
used (`link`, `daemondefs`), so that each has one place.
"""

from typing import Literal

from msgspec import Struct

AttrType = Literal["text", "bool", "number", "list", "char", "level"]
Repeat = Literal["last", "join", "keep"]


class Kind(Struct, frozen=True):
    """One object type."""

    name: str
    key: str  # the attribute that names an object of this type; "" = it has no name
    types: dict[str, AttrType]
    join: frozenset[str] = frozenset()  # repeated values are joined
    keep: frozenset[str] = frozenset()  # every repeated value is kept, one per line
    renamed: dict[str, str] = {}  # old spelling -> attribute
    open_ended: bool = False  # unknown attributes belong to it (module, timeperiod)

    @property
    def lists(self) -> frozenset[str]:
        """The attributes on which `+value` adds to what templates give."""
        return frozenset(a for a, t in self.types.items() if t == "list") | self.join


EVERY: dict[str, AttrType] = {
    "use": "list",
    "name": "text",
    "register": "bool",
    "definition_order": "number",
    "imported_from": "text",
}


def attributes(names: str) -> frozenset[str]:
    """Return the blank separated names in `names`."""
    return frozenset(names.split())


def _types(
    text: str = "",
    bool: str = "",
    number: str = "",
    list: str = "",
    char: str = "",
    level: str = "",
) -> dict[str, AttrType]:
    """Return one mapping from the blank separated attribute names of each type."""
    said: dict[AttrType, str] = {
        "text": text,
        "bool": bool,
        "number": number,
        "list": list,
        "char": char,
        "level": level,
    }
    return dict(EVERY) | {name: t for t, names in said.items() for name in names.split()}


_CHECKED = _types(
    text="""action_url alias business_rule_output_template check_command check_period display_name
        event_handler host_name icon_image icon_image_alt icon_set initial_output
        maintenance_check_command maintenance_check_period maintenance_period notes notes_url
        notification_period poller_tag reactionner_tag snapshot_command snapshot_period trigger
        trigger_name""",
    bool="""active_checks_enabled business_rule_downtime_as_ack business_rule_smart_notifications
        check_freshness event_handler_enabled failure_prediction_enabled flap_detection_enabled
        maintenance_checks_enabled notifications_enabled passive_checks_enabled process_perf_data
        retain_nonstatus_information retain_status_information snapshot_enabled
        trigger_broker_raise_enabled""",
    number="""business_impact check_interval first_notification_delay freshness_threshold
        high_flap_threshold low_flap_threshold maintenance_check_interval
        maintenance_retry_interval max_check_attempts notification_interval priority
        retry_interval snapshot_interval time_to_orphanage""",
    list="""business_impact_modulations business_rule_host_notification_options
        business_rule_service_notification_options checkmodulations contact_groups contacts
        custom_views escalations flap_detection_options labels macromodulations
        notification_options resultmodulations snapshot_criteria stalking_options
        trending_policies""",
    char="initial_state",
)
_CHECKED_JOIN = attributes(
    """business_impact_modulations checkmodulations contact_groups contacts custom_views
    escalations labels macromodulations resultmodulations snapshot_criteria
    trending_policies"""
)
_CHECKED_RENAMED = {
    "normal_check_interval": "check_interval",
    "retry_check_interval": "retry_interval",
    "criticity": "business_impact",
}
_NOTIFIED = _types(
    text="host_notification_period service_notification_period on_ambiguous",
    bool="host_notifications_enabled service_notifications_enabled",
    number="min_business_impact",
    list="""host_notification_commands host_notification_options service_notification_commands
        service_notification_options""",
)
_NOTIFIED_RENAMED = {
    "min_criticity": "min_business_impact",
    "minimum_importance": "min_business_impact",
    "minimum_value": "min_business_impact",
}
_ESCALATED = _types(
    text="escalation_period",
    number="""first_notification first_notification_time last_notification
        last_notification_time notification_interval""",
    list="contact_groups contacts escalation_options",
)
_EXTINFO = "icon_image icon_image_alt notes notes_url action_url"
_LINK = _types(
    text="address failback host_name realm use_timezone satellitemap harakiri_threshold",
    bool="""hard_ssl_name_check manage_arbiters manage_sub_realms passive spare use_ssl
        accept_passive_unknown_check_results""",
    number="""check_interval data_timeout max_check_attempts polling_interval timeout port""",
    list="modules",
)
_EXECUTOR = """max_q_size max_workers min_workers processes_by_worker q_factor results_batch"""


def _group(kind: str, member_group: str, text: str = "") -> Kind:
    key = f"{kind}_name"
    types = _types(
        text=f"alias {key} notes notes_url action_url {text}",
        number="id",
        list=f"members unknown_members {member_group}",
    )
    return Kind(kind, key, types, join=frozenset({"members", member_group}))


_ALL = (
    Kind(
        "host",
        "host_name",
        _CHECKED
        | _types(
            text="2d_coords 3d_coords address realm statusmap_image vrml_image",
            bool="obsess_over_host",
            list="hostgroups parents service_excludes service_includes service_overrides",
        ),
        join=_CHECKED_JOIN
        | {"flap_detection_options", "hostgroups", "notification_options", "parents"},
        keep=frozenset({"service_excludes", "service_includes", "service_overrides"}),
        renamed=_CHECKED_RENAMED
        | {
            "hostgroup": "hostgroups",
            "host_groups": "hostgroups",
            "gd2_image": "statusmap_image",
            "obsess": "obsess_over_host",
        },
    ),
    Kind(
        "service",
        "",
        _CHECKED
        | _types(
            text="aggregation default_value duplicate_foreach service_description",
            bool="""host_dependency_enabled is_volatile merge_host_contacts obsess_over_service
                parallelize_check""",
            list="host_name hostgroup_name service_dependencies servicegroups",
        ),
        join=_CHECKED_JOIN
        | {
            "hostgroup_name",
            "host_name",
            "service_dependencies",
            "servicegroups",
            "stalking_options",
        },
        renamed=_CHECKED_RENAMED
        | {
            "hostgroup": "hostgroup_name",
            "hostgroups": "hostgroup_name",
            "host": "host_name",
            "description": "service_description",
            "service_groups": "servicegroups",
            "obsess": "obsess_over_service",
        },
    ),
    _group("hostgroup", "hostgroup_members", "realm"),
    _group("servicegroup", "servicegroup_members"),
    _group("contactgroup", "contactgroup_members"),
    Kind(
        "contact",
        "contact_name",
        _NOTIFIED
        | _types(
            text="""address1 address2 address3 address4 address5 address6 alias contact_name email
                pager password""",
            bool="""can_submit_commands expert is_admin retain_status_information
                retain_nonstatus_information""",
            list="contactgroups notificationways",
        ),
        join=frozenset({"contactgroups", "notificationways"}),
        renamed=_NOTIFIED_RENAMED | {"contact_groups": "contactgroups"},
    ),
    Kind(
        "notificationway",
        "notificationway_name",
        _NOTIFIED | _types(text="notificationway_name"),
        renamed=_NOTIFIED_RENAMED,
    ),
    Kind(
        "command",
        "command_name",
        _types(
            text="command_line command_name module_type poller_tag reactionner_tag",
            bool="enable_environment_macros",
            number="priority timeout",
        ),
    ),
    Kind(
        "timeperiod",
        "timeperiod_name",
        _types(text="alias timeperiod_name", bool="is_active", list="dateranges exclude"),
        join=frozenset({"exclude"}),
        open_ended=True,
    ),
    Kind(
        "hostdependency",
        "",
        _types(
            text="dependency_period",
            bool="inherits_parent",
            list="""dependent_host_name dependent_hostgroup_name host_name hostgroup_name
                execution_failure_criteria notification_failure_criteria""",
        ),
        renamed={
            "execution_failure_options": "execution_failure_criteria",
            "notification_failure_options": "notification_failure_criteria",
            "hostgroup": "hostgroup_name",
            "hostgroups": "hostgroup_name",
            "dependent_hostgroup": "dependent_hostgroup_name",
            "dependent_hostgroups": "dependent_hostgroup_name",
        },
    ),
    Kind(
        "servicedependency",
        "",
        _types(
            text="dependency_period",
            bool="explode_hostgroup inherits_parent",
            list="""dependent_host_name dependent_hostgroup_name dependent_service_description
                host_name hostgroup_name service_description execution_failure_criteria
                notification_failure_criteria servicegroup_name dependent_servicegroup_name""",
        ),
        renamed={
            "execution_failure_options": "execution_failure_criteria",
            "notification_failure_options": "notification_failure_criteria",
            "hostgroup": "hostgroup_name",
            "hostgroups": "hostgroup_name",
            "dependent_hostgroup": "dependent_hostgroup_name",
            "dependent_hostgroups": "dependent_hostgroup_name",
        },
    ),
    Kind("escalation", "escalation_name", _ESCALATED | _types(text="escalation_name")),
    Kind("hostescalation", "", _ESCALATED | _types(list="host_name hostgroup_name")),
    Kind(
        "serviceescalation",
        "",
        _ESCALATED | _types(list="host_name hostgroup_name servicegroup_name service_description"),
    ),
    Kind(
        "hostextinfo",
        "",
        _types(
            text=f"2d_coords 3d_coords statusmap_image vrml_image {_EXTINFO}",
            list="host_name hostgroup_name",
        ),
        renamed={"gd2_image": "statusmap_image"},
    ),
    Kind(
        "serviceextinfo",
        "",
        _types(text=f"service_description {_EXTINFO}", list="host_name hostgroup_name"),
    ),
    Kind(
        "resultmodulation",
        "resultmodulation_name",
        _types(
            text="modulation_period resultmodulation_name",
            number="exit_code_modulation",
            list="exit_codes_match",
        ),
    ),
    Kind(
        "businessimpactmodulation",
        "business_impact_modulation_name",
        _types(text="business_impact_modulation_name modulation_period", number="business_impact"),
    ),
    Kind(
        "checkmodulation",
        "checkmodulation_name",
        _types(text="check_command check_period checkmodulation_name"),
    ),
    Kind(
        "macromodulation",
        "macromodulation_name",
        _types(text="macromodulation_name modulation_period"),
    ),
    Kind(
        "discoveryrule",
        "discoveryrule_name",
        _types(text="creation_type discoveryrule_name", number="discoveryrule_order"),
        open_ended=True,
    ),
    Kind(
        "discoveryrun",
        "discoveryrun_name",
        _types(text="discoveryrun_command discoveryrun_name"),
        open_ended=True,
    ),
    Kind(
        "realm",
        "realm_name",
        _types(
            text="realm_name",
            bool="broker_complete_links default",
            number="id",
            list="higher_realms members realm_members unknown_members",
        ),
        join=frozenset({"members", "realm_members"}),
    ),
    Kind(
        "module",
        "module_name",
        _types(text="module_name module_type", list="modules"),
        open_ended=True,
    ),
    Kind(
        "keeper",
        "keeper_name",
        _types(text="keeper_name address", bool="voter_only"),
    ),
    Kind("arbiter", "arbiter_name", _LINK | _types(text="arbiter_name")),
    Kind(
        "scheduler",
        "scheduler_name",
        _LINK | _types(text="scheduler_name", bool="skip_initial_broks", number="weight"),
    ),
    Kind(
        "poller",
        "poller_name",
        _LINK | _types(text="poller_name", number=_EXECUTOR, list="poller_tags"),
    ),
    Kind(
        "reactionner",
        "reactionner_name",
        _LINK | _types(text="reactionner_name", number=_EXECUTOR, list="reactionner_tags"),
    ),
    Kind("broker", "broker_name", _LINK | _types(text="broker_name", number="broks_batch")),
    Kind("receiver", "receiver_name", _LINK | _types(text="receiver_name", bool="direct_routing")),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}

# Shinken link defaults that are counts of seconds; the main file's own keys follow.
MAIN: dict[str, AttrType] = {
    name: t
    for name, t in _types(
        bool="""accept_passive_host_checks accept_passive_service_checks
        aggressive_memory_management auto_reschedule_checks check_external_commands
        check_for_orphaned_hosts check_for_orphaned_services check_host_freshness
        check_service_freshness daemon_enabled disable_old_nagios_parameters_whining
        enable_embedded_perl enable_environment_macros enable_event_handlers
        enable_flap_detection enable_notifications enable_predictive_host_dependency_checks
        enable_predictive_service_dependency_checks enable_problem_impacts_states_change
        execute_host_checks execute_service_checks graceful_enabled hard_ssl_name_check
        host_down_disable_service_checks human_timestamp_log idontcareaboutsecurity log_event_handlers log_external_commands
        log_host_retries log_initial_states log_notifications log_passive_checks
        log_service_retries no_event_handlers_during_downtimes obsess_over_hosts
        obsess_over_services passive_host_checks_are_soft process_performance_data
        soft_state_dependencies statsd_enabled strip_idname_fqdn translate_passive_host_checks
        use_aggressive_host_checking use_embedded_perl_implicitly use_local_log
        use_multiprocesses_serializer use_regexp_matching use_ssl use_syslog
        use_true_regexp_matching""",
        number="""additional_freshness_latency auto_rescheduling_interval
        auto_rescheduling_window cached_host_check_horizon cached_service_check_horizon
        cleaning_queues_interval daemon_thread_pool_size event_handler_timeout flap_history
        high_host_flap_threshold high_service_flap_threshold host_check_timeout
        host_freshness_check_interval host_perfdata_file_processing_interval interval_length
        low_host_flap_threshold low_service_flap_threshold max_host_check_spread
        max_plugins_output_length max_service_check_spread modified_attributes
        notification_timeout ochp_timeout ocsp_timeout perfdata_timeout
        retention_update_interval runners_timeout service_check_timeout
        service_freshness_check_interval service_perfdata_file_processing_interval
        statsd_interval statsd_port timeout_exit_status webui_port""",
        text="""api_key broker_module ca_cert cfg_dir cfg_file command_file config_base_dir
        date_format global_host_event_handler global_service_event_handler
        host_perfdata_command host_perfdata_file host_perfdata_file_processing_command
        host_perfdata_file_template http_backend http_proxy illegal_macro_output_chars
        illegal_object_name_chars service_check_timeout_state local_log lock_file log_archive_path modules_dir ochp_command
        ocsp_command pack_distribution_file prefix resource_file secret server_cert server_key
        service_perfdata_command service_perfdata_file service_perfdata_file_processing_command
        service_perfdata_file_template shinken_group shinken_user state_retention_file
        statsd_host statsd_pattern statsd_prefix statsd_types triggers_dir use_timezone
        webui_host webui_lock_file workdir""",
        char="host_perfdata_file_mode log_rotation_method service_perfdata_file_mode",
        level="log_level",
        list="resource_macros_names",
    ).items()
    if name not in EVERY
}

# Keys that this system adds to the main file; durations are seconds.
OURS: dict[str, AttrType] = {
    "main_config_file": "text",
    "admin_email": "text",  # $ADMINEMAIL$
    "admin_pager": "text",
    "cluster_name": "text",
    "cluster_secret_file": "text",
    "operator_key_file": "text",
    "lease": "number",
    "lease_beat": "number",
    "board": "text",
    "etcd": "list",
    "etcd_ca": "text",
    "etcd_cert": "text",
    "etcd_key": "text",
    "split_policy": "text",
    "local_store": "bool",
    "failback_hold": "number",
    "split_delay": "number",
    "failback": "text",
    "on_ambiguous": "text",
    "recovery_contacts": "text",
    "voters": "list",
    "lease_margin": "number",
    "lease_timeout": "number",
    "clock_drift": "number",
    "witness_ping": "list",
    "keeper_port": "number",
    "names_port": "number",
}
ONE_OF: dict[str, tuple[str, ...]] = {
    "board": ("keepers", "etcd", "single"),
    "split_policy": ("takeover", "hold"),
    "failback": ("hold_down", "manual", "never"),
    "on_ambiguous": ("resend", "skip"),
    "recovery_contacts": ("last", "all"),
    "service_check_timeout_state": ("o", "w", "c", "u"),
}

MAIN_RENAMED = {
    "nagios_user": "shinken_user",
    "nagios_group": "shinken_group",
    "modulesdir": "modules_dir",
    "lease_s": "lease",
    "heartbeat_s": "lease_beat",
    "split_delay_s": "split_delay",
}

# Nagios keys that are read and have no effect (Shinken accepts them with a notice).
IGNORED = attributes(
    """allow_empty_hostgroup_assignment auth_file bare_update_check
    bare_update_checks check_for_updates check_result_path check_workers daemon_dumps_core
    enable_page_tour enable_failure_prediction host_perfdata_process_empty_results
    host_skip_check_dependency_status loadctl_options log_current_states nagios_binary_path
    query_socket retention_scheduling_horizon service_perfdata_process_empty_results
    service_reaper_frequency service_skip_check_dependency_status
    service_skip_check_host_down_status service_skip_check_parent_status temp_path
    time_change_threshold website_url
    check_result_reaper_frequency child_processes_fork_twice command_check_interval debug_file
    debug_level debug_verbosity event_broker_options external_command_buffer_slots
    free_child_process_memory host_inter_check_delay_method log_file max_check_result_file_age
    max_check_result_reaper_time max_concurrent_checks max_debug_file_size object_cache_file
    precached_object_file retain_state_information retained_contact_host_attribute_mask
    retained_contact_service_attribute_mask retained_host_attribute_mask
    retained_process_host_attribute_mask retained_process_service_attribute_mask
    retained_service_attribute_mask service_inter_check_delay_method service_interleave_factor
    sleep_time status_file status_update_interval temp_file temp_path
    use_large_installation_tweaks use_retained_program_state use_retained_scheduling_info
    check_workers query_socket broker_module_dir"""
)

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ILLEGAL_NAME_CHARS = "`~!$%^&*\"|'<>?,()="
