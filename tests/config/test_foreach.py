"""duplicate_foreach: what a list of keys is read as, and the services it makes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.config.foreach import BadGenerator, Key, filled, filled_name, keys_of
from tests.config.texts import BASE, errors, host, loaded, service, warnings


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("", "", []),
        ("  ", "", []),
        ("C", "", ["C:"]),
        ("C,D", "80", ["C:80", "D:80"]),
        (" C , D ,", "", ["C:", "D:"]),
        ("C$(80%)$", "90%", ["C:80%"]),
        ("C$(80%)$,D", "90%", ["C:80%", "D:90%"]),
        ("C$(80%)$$(90%)$", "", ["C:80%|90%"]),
        ("C $(a)$ $(b)$ , D", "", ["C:a|b", "D:"]),
        ("C$(a,b)$,D$()$", "x", ["C:a,b", "D:"]),
        ("C$(a)$,D", "$(x)$$(y)$", ["C:a|y", "D:x|y"]),
        ("C$(1)$,C$(2)$", "", ["C:2"]),
        ("/var/log$(x!y)$", "", ["/var/log:x!y"]),
        ("eth[0-2]", "", ["eth0:", "eth1:", "eth2:"]),
        ("[1-2]/x", "", ["1/x:", "2/x:"]),
        ("Unit [1-2] Port [3-4]$(v)$", "",
         ["Unit 1 Port 3:v", "Unit 1 Port 4:v", "Unit 2 Port 3:v", "Unit 2 Port 4:v"]),
        ("[08-10]", "", ["08:", "09:", "10:"]),
        ("[0-10/5]", "", ["0:", "5:", "10:"]),
        ("[3-3]", "", ["3:"]),
        ("a[b]c", "", ["a[b]c:"]),
        ("a[b-c]", "", ["a[b-c]:"]),
        ("[5]", "", ["[5]:"]),
    ],
)  # fmt: skip
def test_keys(text: str, default: str, expected: list[str]) -> None:
    assert [f"{k.name}:{'|'.join(k.values)}" for k in keys_of(text, default)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "C$(80%", "C$(80%)", "C$(80%),D$(90%)$", "C$(a)$x,D$(b)$", ",C", "C,,D", "$(80)$",
        "[4-1]", "[1-]", "[-3]", "[1-9/0]", "[1-3-5]", "[1-99999]", "[1-200][1-200]",
        "[1-9999999999]",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadGenerator):
        keys_of(text)


@given(st.text(alphabet="ab,$()[]-/ 019\n"), st.text(alphabet="ab$()"))
def test_any_text_is_read_or_refused(text: str, default: str) -> None:
    try:
        keys = keys_of(text, default)
    except BadGenerator:
        return
    assert all(key.name and key.values for key in keys)
    assert len({key.name for key in keys}) == len(keys)


def test_macros_are_replaced_and_those_without_a_value_stay() -> None:
    key = Key("/var", ("80%", "90%"))

    assert filled("x!$KEY$!$VALUE$!$VALUE1$!$VALUE2$!$VALUE3$!$ARG1$", key) == (
        "x!/var!80%!80%!90%!$VALUE3$!$ARG1$"
    )
    assert filled_name("Disk $KEY$ $VALUE1$", Key("C:(a|b)", ("1",))) == "Disk C:_a_b_ 1"


GENERATED = (
    "define command{\ncommand_name check_disk\ncommand_line /bin/true $ARG1$\n}\n"
    + service(
        "Disk $KEY$",
        "host_name h",
        "check_command check_disk!$KEY$!$VALUE1$!$VALUE2$",
        "duplicate_foreach _disks",
        "default_value 75%",
        "display_name The disk $KEY$",
        "event_handler check_disk!$VALUE$",
        "notes $KEY$ is $VALUE$",
        "_PATH $KEY$",
    )
)


def test_a_service_is_made_for_each_key_of_its_host() -> None:
    found = loaded(GENERATED + host("h", "_DISKS C$(80%)$$(90%)$, /var"), BASE)

    assert errors(found) == []
    c, var = found.objects.services
    assert (c.key, c.display_name) == ("h;Disk /var", "The disk /var")
    assert (var.key, var.display_name) == ("h;Disk C", "The disk C")
    traits = found.objects.traits[var.traits]
    assert traits.check_command == "check_disk!C!80%!90%"
    assert (traits.event_handler, traits.shown["notes"]) == ("check_disk!80%", "C is 80%")
    assert traits.custom == {"PATH": "C"}
    assert found.objects.traits[c.traits].check_command == "check_disk!/var!75%!$VALUE2$"


def test_the_keys_come_from_templates_of_the_host_too_and_may_be_skipped() -> None:
    template = "define host{\nname t\nregister 0\n_DISKS C,D,E[1-3]\n}\n"
    hosts = host("h", "use t", "_DISKS +F", "_!DISKS D, E[2-3]")
    found = loaded(GENERATED + template + hosts, BASE)

    assert errors(found) == []
    assert [s.description for s in found.objects.services] == ["Disk C", "Disk E1", "Disk F"]


@pytest.mark.parametrize("lines", [(), ("_DISKS",), ("_DISKS null",)])
def test_a_host_without_keys_gets_no_service(lines: tuple[str, ...]) -> None:
    found = loaded(GENERATED + host("h", *lines), BASE)

    assert (errors(found), warnings(found)) == ([], [])
    assert found.objects.services == ()


def test_keys_that_cannot_be_read_are_blamed_on_the_line_that_says_them() -> None:
    template = "define host{\nname t\nregister 0\n_DISKS C$(80%\n}\n"
    own = loaded(host("h", "_DISKS C,,D") + GENERATED, BASE)
    inherited = loaded(template + host("h", "use t") + GENERATED, BASE)

    assert errors(own) == [
        "t.cfg:3: host h: _DISKS cannot be read, for service Disk $KEY$: a key is missing at ',D'"
    ]
    assert errors(inherited) == [
        "t.cfg:4: template t: _DISKS cannot be read, for service Disk $KEY$:"
        " 'C$(80%' is not key$(value)$"
    ]


def test_a_mistake_in_a_made_service_is_blamed_on_the_line_of_its_definition() -> None:
    text = service("S $KEY$", "host_name h", "duplicate_foreach _K", "contacts nobody")

    assert errors(loaded(text + host("h", "_K a,b"), BASE)) == [
        "t.cfg:8: service S a on h: contacts: contact nobody is not defined",
        "t.cfg:8: service S b on h: contacts: contact nobody is not defined",
    ]
