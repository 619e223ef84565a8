"""Random configurations, read by us and by nagios4: the same objects with the same attributes must come out.

Only what both read alike is written: `docs/compatibility.md` lists the rest. Skipped where nagios4 is not installed.
"""

import random
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from daemons.config.load import Loaded
from tests.bench.generate import write_nagios
from tests.config.texts import errors, loaded

NAGIOS = shutil.which("nagios4") or shutil.which("nagios4", path="/usr/sbin")
pytestmark = pytest.mark.skipif(NAGIOS is None, reason="nagios4 is not installed")
BASE = """\
define command{
    command_name c
    command_line /bin/true $ARG1$
}
define timeperiod{
    timeperiod_name t1
    alias t1
    sunday 00:00-24:00
}
define timeperiod{
    timeperiod_name t2
    alias t2
    monday 00:00-24:00
}
""" + "".join(
    f"define contact{{\ncontact_name {name}\nalias {name}\nhost_notification_period t1\n"
    "service_notification_period t1\nhost_notification_commands c\nservice_notification_commands c\n"
    "host_notification_options d\nservice_notification_options c\n}\n"
    for name in "pqr"
)
CONTACTS, HOSTS = list("pqr"), [f"h{n}" for n in range(5)]
CONTACTGROUPS, HOSTGROUPS, SERVICEGROUPS = (
    ["cp", "cq", "cr"],
    ["ga", "gb", "gc", "gd"],
    ["sa", "sb"],
)
SINGLE = {
    "check_period": ["t1", "t2", "null"],
    "notification_period": ["t1", "t2", "null"],
    "max_check_attempts": ["1", "2", "3"],
    "notes": ["n1", "n2", "null"],
    "_A": ["1", "null"],
    "_b": ["2", "3"],
    "check_command": ["c!1", "c!2", "c"],
    "active_checks_enabled": ["0", "1"],
}


class World:
    """One random configuration."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.text = BASE
        self.contactgroups()
        self.hostgroups()
        for name in SERVICEGROUPS:
            self.block("servicegroup", [f"servicegroup_name {name}", f"alias {name}"])
        self.hosts(self.templates("host"))
        self.services(self.templates("service"))

    def block(self, kind: str, lines: list[str]) -> None:
        self.chance.shuffle(lines)
        self.text += f"define {kind}{{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"

    def some(self, names: list[str], most: int = 3) -> str:
        picked = self.chance.sample(names, self.chance.randint(1, min(most, len(names))))
        return self.chance.choice([",", ", ", " , "]).join(picked)

    def contactgroups(self) -> None:
        for name in CONTACTGROUPS:
            lines = [f"contactgroup_name {name}", f"alias {name}"]
            if self.chance.random() < 0.8:
                lines.append("members " + self.chance.choice([self.some(CONTACTS), "*", "*,!p"]))
            if self.chance.random() < 0.2 and name != "cr":
                lines.append("contactgroup_members cr")
            self.block("contactgroup", lines)

    def hostgroups(self) -> None:
        for name in HOSTGROUPS:
            lines = [f"hostgroup_name {name}", f"alias {name}"]
            if self.chance.random() < 0.6:
                members = [self.some(HOSTS), "*", "*,!h1", self.some(HOSTS) + ",!h2"]
                lines.append("members " + self.chance.choice(members))
            if self.chance.random() < 0.3 and name != "gd":
                inner = [other for other in HOSTGROUPS if other > name]
                lines.append("hostgroup_members " + self.some(inner, 2))
            self.block("hostgroup", lines)

    def attributes(self, kind: str, plus: str) -> list[str]:
        """Return random attributes; `plus` may stand before lists ("": in templates Nagios differs)."""
        lines = [
            f"{attr} {self.chance.choice(values)}"
            for attr, values in SINGLE.items()
            if self.chance.random() < 0.3
        ]
        groups = SERVICEGROUPS if kind == "service" else HOSTGROUPS
        lists = {"contact_groups": CONTACTGROUPS, "contacts": CONTACTS, f"{kind}groups": groups}
        for attr, names in lists.items():
            if self.chance.random() < 0.4:
                lines.append(
                    f"{attr.replace('hosts', 'host')} {self.chance.choice(['', plus])}{self.some(names)}"
                )
        return lines

    def templates(self, kind: str) -> list[str]:
        names: list[str] = []
        for n in range(4):
            lines = [f"name T{n}", "register 0", *self.attributes(kind, "")]
            if names and self.chance.random() < 0.5:
                lines.append("use " + self.some(names, 2).replace(" ", ""))
            if kind == "service" and self.chance.random() < 0.3:
                lines.append("hostgroup_name " + self.some(HOSTGROUPS, 2))
            names.append(f"T{n}")
            self.block(kind, lines)
        return names

    def used(self, kind: str, templates: list[str]) -> list[str]:
        lines = self.attributes(kind, "+")
        if self.chance.random() < 0.8:
            lines.append("use " + self.some(templates).replace(" ", ""))
        if not any(line.startswith("max_check_attempts") for line in lines):
            lines.append("max_check_attempts 1")
        return lines

    def hosts(self, templates: list[str]) -> None:
        for name in HOSTS:
            lines = [f"host_name {name}", f"alias {name}", "address 1"]
            if self.chance.random() < 0.3 and name != "h0":
                lines.append("parents " + self.some([other for other in HOSTS if other < name]))
            self.block("host", lines + self.used("host", templates))

    def services(self, templates: list[str]) -> None:
        for n in range(6):
            lines = [f"service_description s{n}", *self.used("service", templates)]
            if not any(line.startswith("check_command") for line in lines):
                lines.append("check_command c")
            how = self.chance.random()
            if how < 0.5:
                names = [self.some(HOSTS), self.some(HOSTS, 1), "*", "*,!h1"]
                lines.append("host_name " + self.chance.choice([*names, "h0,h1,h3,!h3"]))
            if how > 0.4:
                without = ",!" + self.chance.choice(HOSTGROUPS) if how > 0.7 else ""
                lines.append(f"hostgroup_name {self.some(HOSTGROUPS, 2)}{without}")
            self.block("service", lines)


Objects = dict[tuple[str, str], dict[str, str]]


def by_nagios(folder: Path, text: str) -> Objects | str:
    """Return what Nagios made of `text`, or what it said."""
    main = write_nagios(folder)
    (folder / "objects.cfg").write_text(text)
    resolved = folder / "objects.pre"
    resolved.unlink(missing_ok=True)
    assert NAGIOS is not None
    said = subprocess.run([NAGIOS, "-vp", str(main)], capture_output=True, text=True, check=False)
    if said.returncode:
        return said.stdout
    found: Objects = {}
    for kind, body in re.findall(r"define (\w+) \{\n(.*?)\t\}\n", resolved.read_text(), re.DOTALL):
        attrs = dict([*line.strip().split("\t", 1), ""][:2] for line in body.splitlines())
        name = attrs.get("host_name") or attrs.get(f"{kind}_name", "")
        if kind == "service":
            name += ";" + attrs["service_description"]
        found[kind, name] = attrs
    return found


def members(value: str) -> set[str]:
    return {word.strip() for word in value.split(",") if word.strip()}


def differences(theirs: Objects, found: Loaded) -> list[str]:
    objects = found.objects
    ours: dict[tuple[str, str], Any] = {("host", h.name): h for h in objects.hosts}
    ours |= {("service", s.key): s for s in objects.services}
    expected = {key for key in theirs if key[0] in ("host", "service")}
    out = [f"only one of us has {key}" for key in sorted(expected ^ ours.keys())]
    people = {
        name: members(attrs.get("members", ""))
        for (kind, name), attrs in theirs.items()
        if kind == "contactgroup"
    }
    for kind, groups in (
        ("contactgroup", objects.contactgroups),
        ("hostgroup", objects.hostgroups),
    ):
        out += [
            f"{kind} {group.name}: {group.members}"
            for group in groups
            if set(group.members) != members(theirs[kind, group.name].get("members", ""))
        ]
    for key in sorted(expected & ours.keys()):
        said, traits = theirs[key], objects.traits[ours[key].traits]
        # Shinken: what a service does not say it takes from its host.
        host = theirs["host", said["host_name"]]
        contacts = members(said.get("contacts", ""))
        for group in members(said.get("contact_groups", "")):
            contacts |= people[group]
        pairs: list[tuple[str, object, object]] = [
            ("contacts", contacts, set(traits.contacts)),
            ("max_check_attempts", int(said["max_check_attempts"]), traits.max_check_attempts),
            ("check_command", said.get("check_command", ""), traits.check_command),
            ("notes", said.get("notes", ""), traits.shown.get("notes", "")),
            ("active", said["active_checks_enabled"] == "1", traits.active_checks_enabled),
            ("custom", {a[1:]: v for a, v in said.items() if a[0] == "_"}, traits.custom),
        ]
        pairs += [
            (attr, said.get(attr) or host.get(attr, ""), getattr(traits, attr))
            for attr in ("check_period", "notification_period")
        ]
        out += [
            f"{key}: {attr} is {have}, not {want}" for attr, want, have in pairs if want != have
        ]
    return out


def compare(seeds: range) -> None:
    folder = Path(tempfile.mkdtemp(prefix="shinken-nagios-"))
    folder.chmod(0o777)  # nagios4 reads, and tries to write, as a user of its own
    try:
        for seed in seeds:
            text = World(seed).text
            theirs = by_nagios(folder, text)
            found = loaded(text)

            assert not isinstance(theirs, str), f"seed {seed}: Nagios refuses it: {theirs}"
            assert errors(found) == [], f"seed {seed}"
            assert differences(theirs, found) == [], f"seed {seed}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_nagios_makes_the_same_of_random_configurations() -> None:
    compare(range(30))


@pytest.mark.slow
def test_nagios_makes_the_same_of_many_random_configurations() -> None:
    compare(range(30, 1000))
