"""What hosts change about the services they are given."""

import pytest

from daemons.config.load import Loaded
from daemons.model.objects import Traits
from tests.config.texts import BASE, errors, host, loaded, service, warnings

SERVICES = (
    service("CPU", "hostgroup_name all")
    + service("Disk C", "hostgroup_name all", "contacts ann", "_W 1")
    + service("Disk D", "hostgroup_name all")
    + "define hostgroup{\nhostgroup_name all\nmembers *\n}\n"
    + host("other")
)


def services(found: Loaded) -> list[str]:
    return [s.description for s in found.objects.services if s.host == "h"]


def traits(found: Loaded, description: str, name: str = "h") -> Traits:
    (one,) = [s for s in found.objects.services if s.host == name and s.description == description]
    return found.objects.traits[one.traits]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["service_excludes CPU"], ["Disk C", "Disk D"]),
        (["service_excludes CPU, Disk C"], ["Disk D"]),
        (["service_excludes CPU", "service_excludes Disk C"], ["Disk D"]),
        (["service_excludes r:Disk"], ["CPU"]),
        (["service_excludes r:C"], ["Disk C", "Disk D"]),  # from the beginning
        (["service_excludes r:.* C$"], ["CPU", "Disk D"]),
        (["service_excludes *"], []),
        (["service_excludes nothing like it"], ["CPU", "Disk C", "Disk D"]),
        (["service_includes CPU"], ["CPU"]),
        (["service_includes r:Disk [CD]"], ["Disk C", "Disk D"]),
        (["service_includes *"], ["CPU", "Disk C", "Disk D"]),
        (["service_includes nothing"], []),
        (["service_includes r:Disk", "service_excludes Disk C"], ["Disk D"]),
        (["use t"], ["CPU", "Disk C"]),
        (["use t", "service_excludes CPU"], ["Disk C", "Disk D"]),
        (["use t", "service_excludes +CPU"], ["Disk C"]),
        (["use t", "service_excludes null"], ["CPU", "Disk C", "Disk D"]),
    ],
)  # fmt: skip
def test_a_host_picks_among_its_services(lines: list[str], expected: list[str]) -> None:
    template = "define host{\nname t\nregister 0\nservice_excludes Disk D\n}\n"
    found = loaded(SERVICES + template + host("h", *lines), BASE)

    assert errors(found) == []
    assert services(found) == expected
    assert len(found.objects.services) == 3 + len(expected)


def test_a_service_named_for_the_host_can_be_excluded_too() -> None:
    found = loaded(service("s", "host_name h") + host("h", "service_excludes s"), BASE)

    assert (errors(found), services(found)) == ([], [])


def test_what_a_list_of_keys_makes_is_excluded_before_and_after() -> None:
    text = service("Disk $KEY$", "host_name h,g", "duplicate_foreach _D")
    text += host("h", "_D a,b", "service_excludes Disk a")
    text += host("g", "_D a,b", "service_excludes Disk $KEY$")
    found = loaded(text, BASE)

    assert errors(found) == []
    assert [s.key for s in found.objects.services] == ["h;Disk b"]


@pytest.mark.parametrize(
    ("lines", "attempts"),
    [
        (["service_overrides CPU,max_check_attempts 7"], (7, 1, 1)),
        (["service_overrides *,max_check_attempts 7"], (7, 7, 7)),
        (["service_overrides r:Disk, max_check_attempts  7"], (1, 7, 7)),
        (["service_overrides *,max_check_attempts 7",
          "service_overrides Disk C,max_check_attempts 3"], (7, 3, 7)),
        (["use t"], (1, 9, 1)),
        (["use t", "service_overrides CPU,max_check_attempts 7"], (7, 1, 1)),
        (["use t", "service_overrides +CPU,max_check_attempts 7"], (7, 9, 1)),
    ],
)  # fmt: skip
def test_a_host_overrides_attributes_of_its_services(
    lines: list[str], attempts: tuple[int, ...]
) -> None:
    template = (
        "define host{\nname t\nregister 0\nservice_overrides Disk C,max_check_attempts 9\n}\n"
    )
    found = loaded(SERVICES + template + host("h", *lines), BASE)

    assert errors(found) == []
    assert tuple(traits(found, d).max_check_attempts for d in services(found)) == attempts
    assert all(traits(found, d, "other").max_check_attempts == 1 for d in services(found))


def test_any_value_may_be_overridden_added_to_or_removed() -> None:
    contact = (
        "define contact{\ncontact_name bob\nhost_notification_period always\n"
        "service_notification_period always\nhost_notification_commands ok\n"
        "service_notification_commands ok\n}\n"
    )
    lines = [
        "service_overrides Disk C,contacts +bob",
        "service_overrides Disk C,check_command ok!a,b!c d",
        "service_overrides Disk C,_w 2",
        "service_overrides Disk C,normal_check_interval 9",
        "service_overrides Disk D,check_period always",
        "service_overrides Disk D,check_period null",
    ]
    found = loaded(SERVICES + contact + host("h", *lines), BASE)

    assert errors(found) == []
    disk = traits(found, "Disk C")
    assert (disk.contacts, disk.check_command) == (("ann", "bob"), "ok!a,b!c d")
    assert (disk.custom, disk.check_interval_s) == ({"W": "2"}, 540.0)
    assert traits(found, "Disk D").check_period == ""


@pytest.mark.parametrize(
    ("entry", "expected", "fix"),
    [
        ("CPU", "'CPU' is not", "write description,attribute value"),
        ("CPU,check_command", "'CPU,check_command' is not", "write description,attribute value"),
        ("CPU,host_name x", "host_name cannot be overridden", ""),
        ("CPU,servicegroups x", "servicegroups cannot be overridden", ""),
        ("CPU,service_description x", "service_description cannot be overridden", ""),
        ("CPU,check_intervall 5", "a service has no attribute 'check_intervall'",
         "did you mean 'check_interval'?"),
        ("CPU,check_interval five", "check_interval 'five' is not a number", ""),
        ("CPUs,check_interval 5", "there is no service 'CPUs' here", "did you mean 'CPU'?"),
        ("r:Disk (,check_interval 5",
         "'Disk (' is not a regular expression: missing ), unterminated subpattern at position 5",
         ""),
    ],
)  # fmt: skip
def test_an_override_that_cannot_be_is_an_error_at_its_line(
    entry: str, expected: str, fix: str
) -> None:
    text = host("h", "service_overrides Disk C,_X 1", f"service_overrides {entry}", "alias x")
    found = loaded(text + SERVICES, BASE)

    assert errors(found) == [f"t.cfg:4: host h: service_overrides: {expected}"]
    assert [c.fix for c in found.complaints if c.severity == "error"] == [fix]


def test_an_inherited_override_of_nothing_is_only_a_warning() -> None:
    text = "define host{\nname t\nregister 0\nservice_overrides Web,_X 1\n}\n"
    found = loaded(text + host("h", "use t") + SERVICES, BASE)

    assert errors(found) == []
    assert warnings(found) == ["t.cfg:4: host h: service_overrides: there is no service 'Web' here"]


def test_a_reference_to_nothing_is_blamed_on_the_override() -> None:
    text = host("h", "service_overrides CPU,_X 1", "service_overrides CPU,check_command nope")

    assert errors(loaded(text + SERVICES, BASE)) == [
        "t.cfg:4: service CPU on h: check_command: command nope is not defined"
    ]
