"""What makes a configuration unusable, and what is only a warning: Shinken's list, line by line."""

import pytest

from tests.config.test_daemondefs import daemon
from tests.config.texts import BASE, block, errors, host, loaded, service

ALL = block("realm", "realm_name All", "default 1", "realm_members Inner")
INNER = block("realm", "realm_name Inner")
GROUP = block("hostgroup", "hostgroup_name g", "members *")
NEEDS = "execution_failure_criteria u"


def rule(text: str, *lines: str) -> str:
    return host("h") + service("s", "host_name h") + service("r", "host_name h", *lines).replace("check_command ok", f"check_command bp_rule!{text}")  # fmt: skip


def contact(*lines: str) -> str:
    return block("contact", "contact_name c", *lines)


WAY = (
    "host_notification_commands ok", "service_notification_commands ok",
    "host_notification_period always", "service_notification_period always",
)  # fmt: skip
REFUSED = [
    # unknown references
    (host("h", "contacts nobody"), "contacts: contact nobody is not defined"),
    (host("h", "contact_groups x"), "contact group x is not defined"),
    (host("h", "check_command no!1"), "check_command: command no is not defined"),
    (host("h", "event_handler no"), "event_handler: command no is not defined"),
    (host("h", "check_period no"), "check_period: time period no is not defined"),
    (host("h", "notification_period no"), "time period no is not defined"),
    (host("t", "name t", "register 0", "realm Mars") + host("h", "use t"), "realm Mars is not defined"),
    (host("h", "hostgroups x"), "hostgroup x is not defined"),
    (host("h") + service("s", "host_name h", "servicegroups x"), "servicegroup x is not defined"),
    (daemon("poller", "p", "realm Mars"), "poller p: realm Mars is not defined"),
    (daemon("broker", "b", "modules nosuch"), "broker b: there is no module nosuch"),
    (contact("notificationways w"), "notificationway w is not defined"),
    (contact(*WAY, "contactgroups x"), "contactgroup x is not defined"),
    (block("contactgroup", "contactgroup_name x", "members nobody"), "contact nobody is not defined"),
    (block("hostgroup", "hostgroup_name x", "members nobody"), "host nobody is not defined"),
    # what is required
    (block("host", "address 10.0.0.1"), "a host without host_name"),
    (host("h") + block("service", "host_name h", "check_command ok"), "a service without service_description"),
    (service("s"), "service s has neither host_name nor hostgroup_name"),
    (host("h") + block("service", "host_name h", "service_description s"), "check_command is missing"),
    (block("command", "command_name c"), "command c has no command_line"),
    (block("module", "module_name m"), "module m has no module_type"),
    (contact(*WAY[1:]), "host_notification_commands is missing"),
    (block("poller", "address x"), "a poller without poller_name"),
    # business rules
    (rule("nobody"), "nobody"),
    (rule("h,none"), "none"),
    (rule("g:nogroup,s"), "nogroup"),
    (rule("r:[,s"), "[",),
    (ALL + INNER + rule("b") + host("b", "realm Inner"), "realm Inner"),
    # realms
    (block("realm", "realm_name A") + host("h"), "host h names no realm, and no realm is the default"),
    (
        ALL + block("realm", "realm_name Inner", "realm_members Core") + block("realm", "realm_name Core", "realm_members Inner"),
        "realms lie in each other: Core -> Inner -> Core",
    ),
    (block("realm", "realm_name Own", "realm_members Own", "default 1"), "realms lie in each other: Own -> Own"),
    (ALL + INNER.replace("}", "    default 1\n}"), "more than one realm is the default: All, Inner"),
    (ALL + INNER + host("a") + host("b", "realm Inner", "parents a"), "bound by parents"),
    (
        ALL + INNER + host("a") + host("b", "realm Inner")
        + block("hostdependency", "host_name a", "dependent_host_name b", NEEDS),
        "bound by host dependency",
    ),
    (ALL + INNER + host("b", "realm Inner") + daemon("scheduler", "s"), "realm Inner has hosts but no scheduler"),
    (
        ALL + INNER + daemon("scheduler", "s", "realm Inner") + daemon("broker", "b", "manage_sub_realms 0"),
        "no broker serves realm Inner of scheduler s",
    ),
    (host("h", "poller_tag dmz"), "poller_tag dmz is carried by no poller"),
    # circles
    (host("a", "parents b") + host("b", "parents a"), "each other's parents"),
    (
        block("hostgroup", "hostgroup_name a", "hostgroup_members b")
        + block("hostgroup", "hostgroup_name b", "hostgroup_members a"),
        "circle",
    ),
    (
        block("contactgroup", "contactgroup_name a", "contactgroup_members b")
        + block("contactgroup", "contactgroup_name b", "contactgroup_members a"),
        "circle",
    ),
    (
        block("timeperiod", "timeperiod_name a", "exclude b")
        + block("timeperiod", "timeperiod_name b", "exclude a"),
        "a -> b",
    ),
    (
        host("a") + host("b") + block("hostdependency", "host_name a", "dependent_host_name b", NEEDS)
        + block("hostdependency", "host_name b", "dependent_host_name a", NEEDS),
        "circle",
    ),
    (
        host("h") + service("s", "host_name h", "service_dependencies h,t")
        + service("t", "host_name h", "service_dependencies h,s"),
        "circle",
    ),
    (host("a", "use a", "name a"), "circle"),
    # characters and values
    (host("a$b"), "characters that a name must not have"),
    (host("h") + service("a|b", "host_name h"), "characters that a name must not have"),
    (contact(*WAY).replace("contact_name c", "contact_name c>d"), "characters that a name must not have"),
    (host("h", "initial_state c"), "initial_state 'c'"),
    (host("h") + service("s", "host_name h", "initial_state d"), "initial_state 'd'"),
]
WARNED = [
    host("h"),  # no contacts
    host("h", "use nowhere"),
    host("h", "parents nobody"),
    host("h") + host("h", "address 10.0.0.1"),
    host("h", "no_such_attribute 1"),
    host("h") + service("s", "host_name h,nobody"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "complaint"), REFUSED)
def test_what_shinken_refuses_is_refused(text: str, complaint: str) -> None:
    found = loaded(text, BASE)

    assert any(complaint in error for error in errors(found)), errors(found)


@pytest.mark.parametrize("text", WARNED)
def test_what_shinken_only_warns_of_is_accepted(text: str) -> None:
    assert loaded(text, BASE).good
