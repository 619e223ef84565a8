"""What other engines make of the same configurations, and where we decided otherwise."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from daemons.config.load import Loaded
from tests.config.texts import errors, loaded

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden"

# Nagios' verdict is ours, but for these: id -> (accepted, why).
OURS = {
    "cfg-host-no-max": (True, "max_check_attempts defaults to 1, as in Shinken"),
    "cfg-dup-contact": (True, "a duplicate is a warning, the last one wins, as in Shinken"),
    "cfg-dup-hostgroup": (True, "a duplicate is a warning, as in Shinken"),
    "cfg-template-dup": (True, "a duplicate is a warning, as in Shinken"),
    "cfg-unknown-directive-host": (True, "unknown attributes are kept, as in Shinken"),
    "cfg-unknown-object": (True, "unknown types are ignored with a warning, as in Shinken"),
    "cfg-template-missing": (True, "a missing template is a warning, as in Shinken"),
    "cfg-template-loop": (False, "a circle is refused, as in Shinken"),
    "cfg-tp-no-alias": (True, "alias defaults to the name, as in Shinken"),
    "cfg-int-garbage": (False, "garbage is not 0, as in Shinken"),
    "cfg-bool-two": (False, "2 is neither yes nor no, as in Shinken and Naemon"),
    "cfg-notif-opt-svc-on-host": (True, "a letter that means nothing is a warning, as in Shinken"),
    "inh-i4-shinken-ish": (False, "the realm All is not defined, as in Shinken"),
}
# What the rules of later work will decide; a case that begins to pass must leave this table.
LATER: dict[str, str] = {
}
# (attribute, Nagios' default, ours): absent attributes differ, as config-schema says.
DEFAULTS = {
    ("check_interval", "5.0", "0.0"),
    ("retry_interval", "1.0", "0.0"),
    ("notification_interval", "30.0", "60.0"),
}
# (case, attribute) that Nagios reads otherwise.
EXCEPT = {("cfg-bool-word", "active")}  # it takes "yes" for 0


def _cases(name: str) -> list[dict[str, Any]]:
    path = GOLDEN / name
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


CASES = _cases("config-cases.jsonl") + _cases("resolved-objects.jsonl")
pytestmark = pytest.mark.skipif(not CASES, reason=f"no golden data at {GOLDEN}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_configuration_means_what_it_means_elsewhere(case: dict[str, Any]) -> None:
    found = loaded(case["objects_cfg"])
    accepted, why = OURS.get(case["id"], (case["nagios4"]["accepted"], "as Nagios"))
    problems = []
    if found.good != accepted:
        problems.append(f"accepted={found.good}, not {accepted} ({why}): {errors(found)}")
    elif accepted and case["nagios4"].get("objects"):
        shinken = _Shinken(case["shinken"].get("objects") or [])
        problems = _differences(case["id"], found, case["nagios4"]["objects"], shinken)

    if case["id"] in LATER:
        assert problems, f"{case['id']} passes now: remove it from LATER"
    else:
        assert problems == []


class _Shinken:
    """What Shinken made of the same files: where it differs from Nagios, either answer is right."""

    def __init__(self, objects: list[dict[str, Any]]) -> None:
        self._of = {_key(o): o["directives"] for o in objects if o["type"] in ("host", "service")}

    def has(self, key: str) -> bool:
        return key in self._of

    def agrees(self, key: str, attr: str, have: Any) -> bool:
        said = self._of.get(key, {}).get(attr)
        return said == have or (isinstance(said, list) and set(said) == have)

    def groups(self, kind: str, names: Collection[str]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {name: set() for name in names}
        for key, said in self._of.items():
            for group in said.get(f"{kind}s") or ():
                found.setdefault(group, set()).add(key)
        return found


def _differences(
    id: str, found: Loaded, expected: list[dict[str, Any]], shinken: _Shinken
) -> list[str]:
    objects = found.objects
    members = {
        o["directives"]["contactgroup_name"]: set(_list(o["directives"].get("members", "")))
        for o in expected
        if o["type"] == "contactgroup"
    }
    ours: dict[str, dict[str, Any]] = {"host": {}, "service": {}}
    ours["host"] = {h.name: h for h in objects.hosts}
    ours["service"] = {s.key: s for s in objects.services}
    theirs_of = {
        kind: {_key(o): o["directives"] for o in expected if o["type"] == kind} for kind in ours
    }
    out: list[str] = []
    for kind in ("host", "service"):
        theirs = theirs_of[kind]
        for key in list(theirs):
            if key not in ours[kind] and not shinken.has(key):
                del theirs[key]
        if theirs.keys() != ours[kind].keys():
            out.append(
                f"{kind}s: only there {sorted(theirs.keys() - ours[kind].keys())}, "
                f"only here {sorted(ours[kind].keys() - theirs.keys())}"
            )
        for key in sorted(theirs.keys() & ours[kind].keys()):
            traits = objects.traits[ours[kind][key].traits]
            wanted = theirs[key]
            # Shinken: a service without check_period takes that of its host.
            host_period = theirs_of["host"][wanted["host_name"]].get("check_period", "")
            contacts = set(_list(wanted.get("contacts", "")))
            for group in _list(wanted.get("contact_groups", "")):
                contacts |= members[group]
            pairs: list[tuple[str, Any, Any]] = [
                ("check_command", wanted.get("check_command", ""), traits.check_command),
                ("check_period", wanted.get("check_period", host_period), traits.check_period),
                (
                    "notification_period",
                    wanted.get("notification_period", ""),
                    traits.notification_period,
                ),
                ("contacts", contacts, set(traits.contacts)),
                (
                    "max_check_attempts",
                    int(wanted["max_check_attempts"]),
                    traits.max_check_attempts,
                ),
                ("check_interval", float(wanted["check_interval"]), traits.check_interval_s / 60),
                ("retry_interval", float(wanted["retry_interval"]), traits.retry_interval_s / 60),
                (
                    "notification_interval",
                    float(wanted["notification_interval"]),
                    traits.notification_interval_s / 60,
                ),
                ("active", wanted["active_checks_enabled"] == "1", traits.active_checks_enabled),
                (
                    "first_notification_delay",
                    float(wanted["first_notification_delay"]),
                    traits.first_notification_delay_s / 60,
                ),
                ("freshness", float(wanted["freshness_threshold"]), traits.freshness_threshold_s),
                ("custom", {k[1:]: v for k, v in wanted.items() if k[0] == "_"}, traits.custom),
                ("notification_options", _options(wanted), set(traits.notification_options)),
                ("notes", wanted.get("notes", ""), traits.shown.get("notes", "")),
                (
                    "stalking",
                    set(_list(wanted["stalking_options"])) - {"n"},
                    set(traits.stalking_options) - ({"o"} if kind == "host" else set()),
                ),  # Nagios prints "u"
            ]
            if kind == "host":
                host = ours[kind][key]
                pairs += [
                    ("alias", wanted["alias"], host.alias),
                    ("address", wanted["address"], host.address),
                    ("parents", set(_list(wanted.get("parents", ""))), set(host.parents)),
                ]
            out += [
                f"{kind} {key}: {attr} is {have!r}, not {want!r}"
                for attr, want, have in pairs
                if want != have
                and (attr, str(want), str(have)) not in DEFAULTS
                and (id, attr) not in EXCEPT
                and not shinken.agrees(key, attr, have)
                and not (attr == "notification_options" and want == {"a"})
            ]
    by_shinken = {"hostgroup": shinken.groups("hostgroup", [g.name for g in objects.hostgroups])}
    for kind, groups in (
        ("hostgroup", objects.hostgroups),
        ("contactgroup", objects.contactgroups),
    ):
        wanted = {
            o["directives"][f"{kind}_name"]: set(_list(o["directives"].get("members", "")))
            for o in expected
            if o["type"] == kind
        }
        have = {g.name: set(g.members) for g in groups}
        for group in sorted(wanted.keys() | have.keys()):
            members = have.get(group)
            if members != wanted.get(group) and members != by_shinken.get(kind, {}).get(group):
                out.append(f"{kind} {group} is {members}, not {wanted.get(group)}")
    wanted_sg = {
        o["directives"]["servicegroup_name"]: {
            key
            for key in _pairs(o["directives"].get("members", ""))
            if key in ours["service"] or shinken.has(key)
        }
        for o in expected
        if o["type"] == "servicegroup"
    }
    have_sg = {g.name: set(g.members) for g in objects.servicegroups}
    if wanted_sg != have_sg:
        out.append(f"servicegroups are {have_sg}, not {wanted_sg}")
    commands = {
        o["directives"]["command_name"]: o["directives"]["command_line"]
        for o in expected
        if o["type"] == "command"
    }
    have_commands = {c.name: c.line for c in objects.commands if c.name in commands}
    if commands != have_commands:
        out.append(f"commands are {have_commands}, not {commands}")
    return out


def _key(thing: dict[str, Any]) -> str:
    said = thing["directives"]
    return said["host_name"] + (
        f";{said['service_description']}" if thing["type"] == "service" else ""
    )


def _list(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def _pairs(value: str) -> set[str]:
    words = _list(value)
    return {f"{h};{d}" for h, d in zip(words[::2], words[1::2], strict=True)}


def _options(wanted: dict[str, str]) -> set[str]:
    """Nagios prints "a" for all; absent ones differ, as config-schema says."""
    return set(_list(wanted["notification_options"]))
