"""Macros of other objects: by name, by group, and what nobody knows."""

import pytest

from daemons.model.objects import Group
from daemons.rules.on_demand import Elsewhere, on_demand
from daemons.rules.template import Outside, chain

ITEMS = {
    ("web1", ""): {"HOSTNAME": "web1", "HOSTSTATE": "UP", "STATUS": "UP", "_HOSTX": "x1", "LASTHOSTSTATE": "DOWN",
                   "MAXHOSTATTEMPTS": "3", "LONGHOSTOUTPUT": "long", "TOTALHOSTSERVICES": "2",
                   "HOSTOUTPUT": Outside("o1")},
    ("web2", ""): {"HOSTNAME": "web2", "HOSTSTATE": "DOWN", "HOSTOUTPUT": Outside("o2"), "HOSTGROUPNAME": "webs"},
    ("web1", "http"): {"SERVICEDESC": "http", "SERVICESTATE": "OK", "STATUS": "OK", "_SERVICEY": "y",
                       "HOSTNAME": "web1", "LASTSERVICESTATE": "WARNING"},
    ("web1", "disk C:"): {"SERVICEDESC": "disk C:"},
    ("web2", "http"): {"SERVICEDESC": "http", "SERVICESTATE": "CRITICAL"},
}  # fmt: skip
CONTACTS = {
    "ann": {"CONTACTEMAIL": "ann@x", "_CONTACTTEL": "1"},
    "bob": {"CONTACTEMAIL": "bob@x"},
}
ELSEWHERE = Elsewhere(
    lambda host, description: getattr(ITEMS.get((host, description)), "get", None),
    lambda name: getattr(CONTACTS.get(name), "get", None),
    {"webs": Group("webs", "Web servers", ("web1", "gone", "web2"))},
    {"http": Group("http", "", ("web1;http", "web2;http")), "web1": Group("web1", "", ("web2;http",))},
    {"ops": Group("ops", "Operators", ("ann", "bob", "gone"))},
    lambda said: {"ISVALIDTIME": "1", "NEXTVALIDTIME": said}.get,
)
OWN = chain({"HOSTNAME": "web1", "TIMET": "5"}.get)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIMET", "5"),
        ("NOSUCH", None),
        ("HOSTSTATE:web2", "DOWN"),
        ("HOSTSTATE:", "UP"),
        ("HOSTSTATE:gone", None),
        ("_HOSTX:web1", "x1"),
        ("LASTHOSTSTATE:web1", "DOWN"),
        ("MAXHOSTATTEMPTS:web1", "3"),
        ("LONGHOSTOUTPUT:web1", "long"),
        ("TOTALHOSTSERVICES:web1", "2"),
        ("SERVICESTATE:web2:http", "CRITICAL"),
        ("SERVICESTATE::http", "OK"),
        ("SERVICEDESC:web1:disk C:", "disk C:"),
        ("LASTSERVICESTATE:web1:http", "WARNING"),
        ("_SERVICEY:web1:http", "y"),
        ("SERVICESTATE:web1", None),
        ("SERVICESTATE:gone:x", None),
        ("STATUS:web1", "UP"),
        ("STATUS:", "UP"),
        ("STATUS:web1:http", "OK"),
        ("STATUS:gone", None),
        ("HOSTNAME:webs:,", "web1,web2"),
        ("HOSTNAME:webs::", "web1:web2"),
        ("HOSTNAME:webs:", "web1web2"),
        ("HOSTNAME:gone:,", ""),
        ("SERVICESTATE:http: / ", "OK / CRITICAL"),
        ("SERVICEDESC:web1:-", "http"),
        ("SERVICEDESC:web1:http", "http"),
        ("CONTACTEMAIL:ann", "ann@x"),
        ("CONTACTEMAIL:gone", None),
        ("_CONTACTTEL:ann", "1"),
        ("CONTACTEMAIL:ops:, ", "ann@x, bob@x"),
        ("CONTACTEMAIL:gone:,", ""),
        ("HOSTGROUPALIAS:webs", "Web servers"),
        ("HOSTGROUPMEMBERS:webs", "web1,gone,web2"),
        ("HOSTGROUPNAME:webs", "webs"),
        ("HOSTGROUPNAME:web2", "webs"),
        ("HOSTGROUPALIAS:gone", None),
        ("SERVICEGROUPMEMBERS:http", "web1,http,web2,http"),
        ("CONTACTGROUPALIAS:ops", "Operators"),
        ("CONTACTGROUPMEMBERS:ops", "ann,bob,gone"),
        ("ISVALIDTIME:work", "1"),
        ("NEXTVALIDTIME:work:5", "work:5"),
    ],
)
def test_each_form(name, value):
    assert on_demand(OWN, ELSEWHERE)(name) == value


def test_a_group_of_outputs_is_still_from_outside():
    joined = on_demand(OWN, ELSEWHERE)("HOSTOUTPUT:webs: ")

    assert joined == "o1 o2" and isinstance(joined, Outside)
    assert not isinstance(on_demand(OWN, ELSEWHERE)("HOSTNAME:webs:,"), Outside)


def test_without_a_host_at_hand_an_empty_name_is_nobody():
    nobody = on_demand({}.get, Elsewhere(ELSEWHERE.item, ELSEWHERE.contact))

    assert nobody("HOSTSTATE:") is None
    assert nobody("SERVICESTATE::http") is None
    assert nobody("STATUS:") is None
    assert nobody("ISVALIDTIME:work") is None


def test_a_macro_of_services_wants_two_names_and_without_a_host_none_is_asked_for():
    asked = []
    everything = Elsewhere(lambda *of: asked.append(of) or (lambda name: "x"), ELSEWHERE.contact)
    lookup = on_demand({}.get, everything)

    assert lookup("SERVICESTATE:web1") is None and asked == []
    assert [lookup(name) for name in ("HOSTSTATE:", "SERVICESTATE::http", "STATUS:")] == ["x"] * 3
    assert asked == [("", ""), ("", "http"), ("", "")]
    assert on_demand(OWN, ELSEWHERE)("LASTHOSTSTATE:webs:,") == "DOWN"
