"""Dependencies and escalations of the recorded configurations: what a reference server made of them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from daemons.model.relations import Escalation
from tests.config.texts import loaded

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden"
KINDS = ("hostdependency", "servicedependency", "hostescalation", "serviceescalation")


def _cases() -> list[dict[str, Any]]:
    found = []
    for name in ("config-cases.jsonl", "resolved-objects.jsonl"):
        path = GOLDEN / name
        for line in path.read_text().splitlines() if path.exists() else ():
            case = json.loads(line)
            if any(o["type"] in KINDS for o in case["nagios4"].get("objects") or ()):
                found.append(case)
    return found


CASES = _cases()
# A `+` in a template goes on to the next one, as in Shinken: these hosts are in hg-two too.
MORE = {"inh-i1-templates": {("multi12", "single"), ("plus-multi", "single")}}
pytestmark = pytest.mark.skipif(not CASES, reason=f"no golden data at {GOLDEN}")


def _list(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _key(said: dict[str, str], prefix: str = "") -> str:
    name = said[f"{prefix}host_name"]
    description = said.get(f"{prefix}service_description")
    return f"{name};{description}" if description else name


def _halves(
    dependent: str, on: str, inherits: bool, execution: Iterable[str], notification: Iterable[str]
) -> set[tuple[Any, ...]]:
    """Nagios makes one of each kind of criteria, and none of "n"."""
    halves = {"execution": frozenset(execution), "notification": frozenset(notification)}
    return {
        (dependent, on, inherits, kind, letters)
        for kind, letters in halves.items()
        if letters - {"n"}
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_dependencies_are_those_that_a_reference_server_made(case: dict[str, Any]) -> None:
    theirs: set[tuple[Any, ...]] = set()
    for one in case["nagios4"]["objects"]:
        if one["type"].endswith("dependency"):
            said = one["directives"]
            theirs |= _halves(
                _key(said, "dependent_"), _key(said), said["inherits_parent"] == "1",
                _list(said.get("execution_failure_options", "")),
                _list(said.get("notification_failure_options", "")),
            )  # fmt: skip
    ours: set[tuple[Any, ...]] = set()
    for dep in loaded(case["objects_cfg"]).objects.dependencies:
        ours |= _halves(
            dep.dependent, dep.on, dep.inherits_parent, dep.execution, dep.notification
        )
    more = {one for one in ours if one[:2] in MORE.get(case["id"], ())}
    assert len(more) == len(MORE.get(case["id"], ()))

    assert ours - more == theirs


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_escalations_are_those_that_a_reference_server_made(case: dict[str, Any]) -> None:
    objects = loaded(case["objects_cfg"]).objects
    by_name = {e.name: e for e in objects.escalations}
    members = {group.name: group.members for group in objects.contactgroups}
    theirs = set()
    for one in case["nagios4"]["objects"]:
        if not one["type"].endswith("escalation"):
            continue
        said = one["directives"]
        named = {m for g in _list(said.get("contact_groups", "")) for m in members[g]}
        options = frozenset(_list(said["escalation_options"])) - {"a"}
        theirs.add(
            (
                _key(said), int(said["first_notification"]), int(said["last_notification"]),
                float(said["notification_interval"]) * 60, options,
                frozenset(named | set(_list(said.get("contacts", "")))),
            )
        )  # fmt: skip

    def ours(key: str, escalation: Escalation) -> tuple[Any, ...]:
        return (
            key, escalation.first_notification, escalation.last_notification,
            escalation.notification_interval_s, frozenset(escalation.options),
            frozenset(escalation.contacts),
        )  # fmt: skip

    of = [(h.name, h.traits) for h in objects.hosts] + [(s.key, s.traits) for s in objects.services]
    found = {
        ours(key, by_name[name]) for key, n in of for name in objects.traits[n].escalations
    }  # fmt: skip
    assert found == theirs
