"""Extended information of hosts and services."""

from daemons.config.load import Loaded
from tests.config.texts import BASE, errors, host, loaded, service, warnings

WORLD = (
    "define hostgroup{\nhostgroup_name g\nmembers a,b\n}\n"
    + host("a", "notes mine")
    + host("b")
    + service("s", "host_name a,b")
    + service("t", "host_name a", "icon_image own.png")
)


def shown(found: Loaded, name: str) -> dict[str, str]:
    objects = found.objects
    of = {h.name: h.traits for h in objects.hosts} | {s.key: s.traits for s in objects.services}
    return objects.traits[of[name]].shown


def test_hosts_take_it_below_what_they_say() -> None:
    text = "define hostextinfo{\nname t\nregister 0\nicon_image x.png\n}\n"
    text += "define hostextinfo{\nuse t\nhostgroup_name g\nnotes theirs\n}\n"
    text += "define hostextinfo{\nhost_name b\n2d_coords 1,2\n}\n"
    found = loaded(text, BASE + WORLD)

    assert (errors(found), warnings(found)) == ([], [])
    assert shown(found, "a") == {"notes": "mine", "icon_image": "x.png"}
    assert shown(found, "b") == {"notes": "theirs", "icon_image": "x.png", "2d_coords": "1,2"}


def test_services_take_it_below_what_they_say() -> None:
    text = (
        "define serviceextinfo{\nhost_name a\nservice_description *\nicon_image x.png\nnotes n\n}\n"
    )
    found = loaded(text, BASE + WORLD)

    assert (errors(found), warnings(found)) == ([], [])
    assert shown(found, "a;s") == {"notes": "n", "icon_image": "x.png"}
    assert shown(found, "a;t") == {"notes": "n", "icon_image": "own.png"}
    assert shown(found, "b;s") == {}


def test_information_about_nothing_is_a_warning() -> None:
    text = "define hostextinfo{\nhost_name c\nnotes n\n}\n"
    text += "define serviceextinfo{\nhost_name a\nservice_description u\nnotes n\n}\n"
    text += "define hostextinfo{\nhostgroup_name h\nnotes n\n}\ndefine hostextinfo{\nnotes n\n}\n"
    found = loaded(text, BASE + WORLD)

    assert errors(found) == []
    assert warnings(found) == [
        "t.cfg:2: hostextinfo: host c is not defined",
        "t.cfg:7: serviceextinfo: service u on host a is not defined",
        "t.cfg:11: hostextinfo: hostgroup h is not defined",
        "t.cfg:14: a hostextinfo without host_name",
    ]
