"""What hosts, services, contacts and commands became, and what did not fit together."""

import pytest

from daemons.model.objects import BusinessRuleSettings, MaintenanceCheck, Snapshot, Traits
from tests.config.texts import BASE, block, errors, host, loaded, service, warnings


def of_host(*lines: str, main: str = "") -> Traits:
    found = loaded(main + host("h", *lines), BASE)
    assert errors(found) == []
    return found.objects.traits[found.objects.hosts[0].traits]


def of_service(*lines: str, at: tuple[str, ...] = ()) -> Traits:
    poller = "define poller{\npoller_name p\npoller_tags dmz\n}\n"
    found = loaded(host("h", *at) + service("s", "host_name h", *lines) + poller, BASE)
    assert errors(found) == []
    return found.objects.traits[found.objects.services[0].traits]


def test_a_host_that_says_nothing_has_the_defaults_of_the_schema() -> None:
    found = loaded(host("h"), BASE)
    (one,) = found.objects.hosts
    traits = found.objects.traits[one.traits]

    assert (one.address, one.alias, one.parents) == ("h", "h", ())
    assert traits == Traits(
        check_interval_s=0.0, retry_interval_s=0.0, notification_interval_s=3600.0,
        notification_options=("d", "u", "r", "f"), flap_detection_options=("o", "d", "u"),
        low_flap_threshold=25.0, high_flap_threshold=50.0,
    )  # fmt: skip


def test_null_leaves_the_names_of_a_host_and_a_service_at_their_defaults() -> None:
    text = "define host{\nname t\nregister 0\naddress x\nalias x\ndisplay_name x\n}\n"
    text += host("h", "use t", "address null", "alias null", "display_name null")
    found = loaded(text + service("s", "host_name h", "display_name null"), BASE)

    (one,) = found.objects.hosts
    assert (one.address, one.alias, one.display_name) == ("h", "h", "")
    assert found.objects.services[0].display_name == ""


@pytest.mark.parametrize(("main", "unit_s"), [("", 60.0), ("interval_length=1\n", 1.0)])
def test_interval_length_is_applied_to_intervals_and_to_nothing_else(
    main: str, unit_s: float
) -> None:
    traits = of_host(
        "check_interval 5", "retry_interval 0.5", "notification_interval 30",
        "first_notification_delay 2", "freshness_threshold 90", main=main,
    )  # fmt: skip

    assert (traits.check_interval_s, traits.retry_interval_s) == (5 * unit_s, 0.5 * unit_s)
    assert traits.notification_interval_s == 30 * unit_s
    assert traits.first_notification_delay_s == 2 * unit_s
    assert traits.freshness_threshold_s == 90.0


@pytest.mark.parametrize("word", ["1", "yes", "True", "ON"])
def test_words_for_yes(word: str) -> None:
    assert of_host(f"check_freshness {word}").check_freshness


@pytest.mark.parametrize("word", ["0", "no", "False", "OFF"])
def test_words_for_no(word: str) -> None:
    assert not of_host(f"active_checks_enabled {word}").active_checks_enabled


@pytest.mark.parametrize(
    ("said", "expected"),
    [("d,r", "dr"), ("n", "n"), ("a", "durfs"), ("down,recovery", "dr"), ("d, d", "d")],
)
def test_options_are_letters(said: str, expected: str) -> None:
    assert of_host(f"notification_options {said}").notification_options == tuple(expected)


def test_a_handler_that_is_named_is_enabled_unless_it_says_no() -> None:
    assert of_host("event_handler ok").event_handler_enabled
    assert not of_host("event_handler ok", "event_handler_enabled 0").event_handler_enabled
    assert not of_host().event_handler_enabled


def test_snapshots_maintenance_and_the_rest_of_what_a_service_says() -> None:
    traits = of_service(
        "snapshot_enabled 1", "snapshot_command ok!1", "snapshot_interval 3", "snapshot_period always",
        "maintenance_period always", "maintenance_check_command ok!2", "maintenance_check_interval 4",
        "maintenance_retry_interval 2", "maintenance_check_period always",
        "maintenance_checks_enabled 1", "time_to_orphanage 90", "initial_output fine", "priority 7",
        "host_dependency_enabled 0",
    )  # fmt: skip

    assert traits.snapshot == Snapshot("ok!1", ("w", "c", "u"), 180.0, "always")
    assert traits.maintenance_check == MaintenanceCheck("ok!2", 240.0, 120.0, "always", True)
    assert (traits.maintenance_period, traits.time_to_orphanage_s) == ("always", 90.0)
    assert (traits.initial_output, traits.priority) == ("fine", 7)
    assert not traits.host_dependency_enabled and traits.business is None
    assert of_service("snapshot_command ok").snapshot is None
    assert traits.rest == {}


def test_a_business_rule_has_the_settings_of_its_telling() -> None:
    traits = of_service(
        "check_command bp_rule!h", "business_rule_output_template $(x)$",
        "business_rule_smart_notifications 1", "business_rule_downtime_as_ack 1",
        "business_rule_host_notification_options d,r", "business_rule_service_notification_options n",
    )  # fmt: skip

    assert traits.business == BusinessRuleSettings(
        output_template="$(x)$", smart_notifications=True, downtime_as_ack=True,
        host_notification_options=("d", "r"), service_notification_options=("n",),
    )  # fmt: skip


def test_what_no_rule_reads_is_kept() -> None:
    traits = of_service("trending_policies t", "notes n")

    assert traits.rest == {"trending_policies": "t"}
    assert traits.shown == {"notes": "n"}


def test_a_service_takes_from_its_host_what_it_does_not_say() -> None:
    at = (
        "contacts ann", "notification_period always", "check_period always", "business_impact 5",
        "notification_interval 7", "poller_tag dmz", "max_check_attempts 9",
    )  # fmt: skip
    traits = of_service("notification_interval 8", at=at)

    assert (traits.contacts, traits.notification_period) == (("ann",), "always")
    assert (traits.check_period, traits.business_impact) == ("always", 5)
    assert (traits.poller_tag, traits.notification_interval_s) == ("dmz", 480.0)
    assert traits.max_check_attempts == 1


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("check_period never", "check_period: time period never is not defined"),
        ("notification_period never", "notification_period: time period never is not defined"),
        ("check_command okk!a", "check_command: command okk is not defined"),
        ("event_handler nope", "event_handler: command nope is not defined"),
        ("check_command !x", "check_command: command !x is not defined"),
        ("contacts ann,bob", "contacts: contact bob is not defined"),
        ("contact_groups g", "contact_groups: contact group g is not defined"),
        ("initial_state x", "initial_state 'x' is not one of o,d,u"),
        ("realm Mars", "realm Mars is not defined"),
    ],
)
def test_a_reference_to_nothing_is_an_error_at_its_line(line: str, expected: str) -> None:
    assert errors(loaded(host("h", "alias x", line), BASE)) == [f"t.cfg:4: host h: {expected}"]


def test_a_mistake_that_is_repeated_is_said_at_each_line() -> None:
    found = loaded(host("a", "contacts bob") + host("b", "contacts bob"), BASE)

    assert errors(found) == [
        "t.cfg:3: host a: contacts: contact bob is not defined",
        "t.cfg:7: host b: contacts: contact bob is not defined",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("check_interval five", "check_interval 'five' is not a number"),
        ("check_interval 1,5", "check_interval '1,5' is not a number"),
        ("check_interval nan", "check_interval 'nan' is not a number"),
        ("business_impact 9" + "9" * 30, f"business_impact '9{'9' * 30}' is not a number"),
        ("check_interval -1", "check_interval '-1' is negative"),
        ("max_check_attempts 0", "max_check_attempts '0' is not at least 1"),
        ("active_checks_enabled 2", "active_checks_enabled '2' is neither 1 nor 0"),
        ("active_checks_enabled", "active_checks_enabled '' is neither 1 nor 0"),
    ],
)
def test_a_value_of_the_wrong_type_is_an_error_at_its_line(line: str, expected: str) -> None:
    assert errors(loaded(host("h", "alias x", line), BASE)) == [f"t.cfg:4: {expected}"]


def test_an_unknown_attribute_is_kept_with_a_warning_and_a_hint() -> None:
    found = loaded(host("h", "max_chek_attempts 3"), BASE)

    (said,) = [c for c in found.complaints if c.where]
    assert (said.severity, said.where, said.fix) == (
        "warning", "t.cfg:3", "did you mean 'max_check_attempts'?",
    )  # fmt: skip
    assert found.objects.traits[0].rest == {"max_chek_attempts": "3"}


def test_letters_that_mean_nothing_are_a_warning() -> None:
    found = loaded(host("h", "notification_options w,c"), BASE)

    assert errors(found) == []
    assert (
        len(warnings(found)) == 1 and "t.cfg:3: host h: notification_options" in warnings(found)[0]
    )


def test_a_service_without_intervals_is_checked_as_in_nagios_with_a_warning() -> None:
    text = host("h") + "define service{\nhost_name h\nservice_description s\ncheck_command ok\n}\n"
    found = loaded(text, BASE)

    assert errors(found) == [] and len(warnings(found)) == 2
    traits = found.objects.traits[found.objects.services[0].traits]
    assert (traits.check_interval_s, traits.retry_interval_s) == (300.0, 60.0)


def test_a_service_without_a_command_is_an_error() -> None:
    text = host("h") + "define service{\nhost_name h\nservice_description s\n}\n"

    assert errors(loaded(text, BASE)) == ["t.cfg:4: service s on h: check_command is missing"]


def test_parents_are_linked_and_unknown_ones_left_out_with_a_warning() -> None:
    found = loaded(host("a") + host("b", "parents a,x"), BASE)

    assert warnings(found) == ["t.cfg:6: host b: parent x is not defined"]
    assert found.objects.hosts[1].parents == ("a",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (host("a", "parents a"), "t.cfg:3: hosts are each other's parents: a -> a"),
        (
            host("b", "parents a") + host("a", "parents b"),
            "t.cfg:7: hosts are each other's parents: a -> b -> a",
        ),
    ],
)
def test_parents_in_a_circle_are_an_error(text: str, expected: str) -> None:
    assert errors(loaded(text, BASE)) == [expected]


def test_a_chain_of_thousands_of_parents_is_no_problem() -> None:
    text = host("h0") + "".join(host(f"h{n}", f"parents h{n - 1}") for n in range(1, 3000))
    found = loaded(text, BASE)

    assert errors(found) == []
    assert found.shards[0][0].hosts == 3000


def test_extended_information_stands_below_what_the_host_says() -> None:
    text = (
        host("h", "notes mine")
        + "define hostextinfo{\nhost_name h\nnotes theirs\nicon_image i\n}\n"
    )
    found = loaded(text, BASE)

    assert found.objects.traits[0].shown == {"icon_image": "i", "notes": "mine"}


def test_a_contact_is_one_way_and_may_share_others() -> None:
    text = (
        "define notificationway{\nnotificationway_name sms\nhost_notification_period always\n"
        "service_notification_period always\nhost_notification_commands ok!1,ok!2\n"
        "service_notification_commands ok\nmin_criticity 4\non_ambiguous skip\n}\n"
        "define contact{\ncontact_name bob\nnotificationways sms\nemail b@x\n_ROOM 5\n}\n"
    )
    found = loaded(text, BASE)
    assert errors(found) == []
    ann, bob = found.objects.contacts

    assert [w.name for w in ann.ways] == ["ann"] and ann.ways[0].host_notification_options == (
        "d",
        "r",
    )
    assert [w.name for w in bob.ways] == ["sms"] and bob.ways[0].min_business_impact == 4
    assert (bob.ways[0].on_ambiguous, ann.ways[0].on_ambiguous) == ("skip", "")
    assert bob.ways[0].host_notification_commands == ("ok!1", "ok!2")
    assert bob.ways[0].host_notification_options == ("n",)
    assert (bob.email, bob.custom) == ("b@x", {"ROOM": "5"})


SMS = (
    "define notificationway{\nnotificationway_name sms\nhost_notification_period always\n"
    "service_notification_period always\nhost_notification_commands ok\n"
    "service_notification_commands ok\nmin_business_impact 2\n}\n"
)


@pytest.mark.parametrize(("said", "impact"), [("", 2), ("min_business_impact 1", 2), ("min_business_impact 4", 4)])  # fmt: skip
def test_a_contact_without_a_way_of_its_own_has_its_impact_in_the_shared_ones(
    said: str, impact: int
) -> None:
    found = loaded(
        SMS + block("contact", "contact_name bob", "notificationways sms,sms", said), BASE
    )

    assert errors(found) == [] and warnings(found) == []
    assert [w.min_business_impact for w in found.objects.contacts[1].ways] == [impact]


def test_a_contact_with_a_way_of_its_own_leaves_the_shared_ones_alone() -> None:
    own = (
        "host_notification_commands ok", "service_notification_commands ok",
        "host_notification_period always", "service_notification_period always",
        "min_business_impact 5", "host_notifications_enabled 0",
    )  # fmt: skip
    text = SMS + block("contact", "contact_name bob", "notificationways sms", *own)
    bob = loaded(text, BASE).objects.contacts[1]

    assert [(w.name, w.min_business_impact) for w in bob.ways] == [("bob", 5), ("sms", 2)]
    assert not bob.host_notifications_enabled and bob.service_notifications_enabled


def test_what_would_belong_to_a_way_of_its_own_is_warned_of() -> None:
    text = SMS + block("contact", "contact_name bob", "notificationways sms", "host_notification_options d")  # fmt: skip
    (said,) = warnings(loaded(text, BASE))

    assert said.startswith("t.cfg:12: contact bob: host_notification_options has no effect")


def test_other_attributes_of_a_contact_are_kept_for_front_ends_but_for_its_password() -> None:
    said = ("notificationways sms", "is_admin 1", "expert 1", "password secret", "email b@x")
    bob = loaded(SMS + block("contact", "contact_name bob", *said), BASE).objects.contacts[1]

    assert bob.rest == {"expert": "1", "is_admin": "1"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "define contact{\ncontact_name z\nhost_notification_commands ok\n}\n",
            "t.cfg:1: contact z: service_notification_commands is missing",
        ),
        (
            "define contact{\ncontact_name z\nnotificationways w\n}\n",
            "t.cfg:3: contact z: notificationway w is not defined",
        ),
        (
            "define contactgroup{\ncontactgroup_name g\nmembers ann,bob\n}\n",
            "t.cfg:3: contactgroup g: contact bob is not defined",
        ),
        ("define command{\ncommand_name z\n}\n", "t.cfg:1: command z has no command_line"),
        ("define host{\nalias z\n}\n", "t.cfg:1: a host without host_name"),
        (
            "define host{\nhost_name a$b\n}\n",
            "t.cfg:2: host_name 'a$b' has characters that a name must not have: $",
        ),
        (
            "define host{\nhost_name a\\;b\n}\n",
            "t.cfg:2: host_name 'a;b' has characters that a name must not have: ;",
        ),
        (
            "define timeperiod{\ntimeperiod_name z\nsunday 25:00-26:00\n}\n",
            "t.cfg:3: timeperiod z: '25:00-26:00': a day ends at 24:00",
        ),
        (
            "define timeperiod{\ntimeperiod_name z\nsomeday 00:00-24:00\n}\n",
            "t.cfg:3: timeperiod z: 'someday' is no weekday, date, month and day, day N, or weekday N of a month",
        ),
        (
            "define timeperiod{\ntimeperiod_name z\nmondey 2 00:00-24:00\n}\n",
            "t.cfg:3: timeperiod z: 'mondey 2' is no weekday, date, month and day, day N, or weekday N of a month",
        ),
        (
            "define timeperiod{\ntimeperiod_name z\nday four 00:00-24:00\n}\n",
            "t.cfg:3: timeperiod z: 'day four': 'four' must be a number from 1 to 31, or negative",
        ),
        (
            "define timeperiod{\ntimeperiod_name z\nexclude y\n}\n",
            "t.cfg:3: timeperiod z: exclude: time period y is not defined",
        ),
    ],
)
def test_an_incomplete_object_is_an_error(text: str, expected: str) -> None:
    assert errors(loaded(text, BASE)) == [expected]


@pytest.mark.parametrize("days", ["day 45", "day 0", "day -32", "monday 6", "2026-13-01"])
def test_a_day_that_never_comes_is_a_warning(days: str) -> None:
    found = loaded(f"define timeperiod{{\ntimeperiod_name z\n{days} 00:00-24:00\n}}\n", BASE)

    assert errors(found) == []
    assert "it never comes" in " ".join(warnings(found))



def test_commands_that_everybody_has_are_there() -> None:
    names = {c.name for c in loaded("", BASE).objects.commands}

    assert names == {"ok", "bp_rule", "_internal_host_up", "_echo"}


def test_all_other_object_types_are_read_without_a_complaint_and_kept() -> None:
    text = (
        host("h")
        + "define discoveryrun{\ndiscoveryrun_name r\ndiscoveryrun_command ok\n}\n"
        + "define discoveryrule{\ndiscoveryrule_name d\nos linux\n}\n"
        + "define hostextinfo{\nhost_name h\nnotes n\n}\n"
    )
    found = loaded(text, BASE)

    assert (errors(found), warnings(found)) == ([], [])
    assert {o.kind for o in found.objects.others} == {"discoveryrule", "discoveryrun"}
    (rule,) = [o for o in found.objects.others if o.kind == "discoveryrule"]
    assert rule.attrs == {"discoveryrule_name": "d", "os": "linux"}


def test_100_services_of_one_template_share_one_traits() -> None:
    text = "define service{\nname t\nregister 0\ncheck_command ok\ncheck_interval 5\nretry_interval 1\n}\n"
    text += "".join(host(f"h{n}") for n in range(10))
    text += "".join(
        f"define service{{\nuse t\nhost_name h{n % 10}\nservice_description s{n}\n}}\n"
        for n in range(100)
    )
    found = loaded(text, BASE)

    assert len(found.objects.services) == 100
    assert len(found.objects.traits) == 2


def test_a_date_that_is_in_no_calendar_is_a_warning() -> None:
    text = "define timeperiod{\ntimeperiod_name z\n2027-02-28 - 2027-02-30 00:00-24:00\n}\n"

    found = loaded(text, BASE)

    assert errors(found) == []
    assert "t.cfg:3: warning: timeperiod z: there is no day 2027-02-30 in the calendar" in [
        str(c) for c in found.complaints
    ]


@pytest.mark.parametrize(
    ("lines", "contacts"),
    [
        ([], "ab"),
        (["contacts c"], "c"),
        (["contact_groups g"], "c"),
        (["contacts c", "merge_host_contacts 1"], "abc"),
        (["contact_groups g", "merge_host_contacts 1"], "abc"),
        (["merge_host_contacts 1"], "ab"),
        (["contacts null"], ""),
        (["contacts c", "merge_host_contacts 0"], "c"),
    ],
)
def test_contacts_of_the_host_serve_its_services_in_their_place_or_with_them(
    lines: list[str], contacts: str
) -> None:
    base = BASE + "".join(
        f"define contact{{\ncontact_name {n}\nhost_notification_period always\n"
        "service_notification_period always\nhost_notification_commands ok\n"
        "service_notification_commands ok\n}\n"
        for n in "abc"
    )
    base += "define contactgroup{\ncontactgroup_name g\nmembers c\n}\n"
    base += "define contactgroup{\ncontactgroup_name h\nmembers b\n}\n"
    text = host("h", "contacts a", "contact_groups h") + service("s", "host_name h", *lines)
    found = loaded(text, base)

    assert errors(found) == []
    (one,) = found.objects.services
    assert "".join(found.objects.traits[one.traits].contacts) == contacts


REALMS = (
    "define realm{\nrealm_name All\nrealm_members North,South\ndefault 1\n}\n"
    "define realm{\nrealm_name North\n}\ndefine realm{\nrealm_name South\n}\n"
    + "".join(
        f"define scheduler{{\nscheduler_name {r}\nrealm {r}\nport {port}\n}}\n"
        for port, r in enumerate(("All", "North", "South"), 9000)
    )
    + "define hostgroup{\nhostgroup_name n\nrealm North\n}\n"
    "define hostgroup{\nhostgroup_name s\nrealm South\n}\n"
)


@pytest.mark.parametrize(
    ("lines", "realm", "said"),
    [
        ([], "All", 0),
        (["hostgroups n"], "North", 0),
        (["realm South"], "South", 0),
        (["realm South", "hostgroups s"], "South", 0),
        (["realm South", "hostgroups n"], "South", 1),
        (["hostgroups s,n"], "North", 1),
    ],
)
def test_a_host_is_in_its_own_realm_else_in_that_of_its_groups(
    lines: list[str], realm: str, said: int
) -> None:
    found = loaded(host("h", *lines), BASE + REALMS)

    assert errors(found) == []
    assert found.objects.realms == (realm,)
    assert len([w for w in warnings(found) if "is in the realm" in w]) == said


def test_an_unknown_realm_of_a_hostgroup_is_blamed_on_the_group() -> None:
    found = loaded(
        "define hostgroup{\nhostgroup_name g\nmembers h\nrealm Mars\n}\n" + host("h"), BASE
    )

    assert errors(found) == ["t.cfg:4: hostgroup g: realm Mars is not defined"]


def test_options_mean_the_same_in_any_order() -> None:
    assert of_host("notification_options r,d,u") == of_host("notification_options u,r,d")


def test_a_mistake_in_a_contacts_template_is_blamed_on_its_line_once() -> None:
    text = "define contact{\nname t\nregister 0\nhost_notification_commands nope\n}\n"
    text += "".join(
        f"define contact{{\nuse t\ncontact_name {n}\nservice_notification_commands ok\n"
        "host_notification_period always\nservice_notification_period always\n}\n"
        for n in "abc"
    )

    assert errors(loaded(text, BASE)) == [
        "t.cfg:4: template t: host_notification_commands: command nope is not defined"
    ]


def test_a_star_alone_is_every_service_of_a_servicegroup() -> None:
    text = "define servicegroup{\nservicegroup_name g\nmembers *\n}\n"
    found = loaded(
        text + host("h") + service("s", "host_name h") + service("t", "host_name h"), BASE
    )

    assert errors(found) == []
    assert found.objects.servicegroups[0].members == ("h;s", "h;t")


@pytest.mark.parametrize(
    ("attr", "of_the_host"), [("check_period", "always"), ("business_impact", "5")]
)
def test_null_for_a_single_value_leaves_it_to_the_host(attr: str, of_the_host: str) -> None:
    said = of_service(f"{attr} null", at=(f"{attr} {of_the_host}",))

    assert str(getattr(said, attr)) == of_the_host


def test_null_for_escalations_means_none_whatever_the_host_has() -> None:
    text = "define escalation{\nescalation_name e\ncontacts ann\nfirst_notification 1\nlast_notification 0\n}\n"
    text += host("h", "escalations e") + service("s", "host_name h", "escalations null")
    text += service("t", "host_name h")
    found = loaded(text, BASE)

    assert errors(found) == []
    assert [found.objects.traits[s.traits].escalations for s in found.objects.services] == [
        (),
        ("e",),
    ]
