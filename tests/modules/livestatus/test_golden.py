"""The recorded answers of naemon-livestatus are ours too, on a store fed by a whole scheduler."""

import json

import pytest

from daemons.modules.livestatus.engine import answer, request
from tests.modules.livestatus.seeded import CASES, NO_GOLDEN, Seeded, body, commands

pytestmark = pytest.mark.skipif(not CASES.exists(), reason=NO_GOLDEN)

CHANGED = "CHANGE_CUSTOM_HOST_VAR with _RACK changes the variable, as in Shinken; naemon looks for one called _RACK"
# What we answer otherwise, with the reason. docs/compatibility.md has them by kind.
OURS = {
    "ls-a-025": "it names the program",
    "ls-a-042": "our tables have columns of Shinken too; there is no statehist",
    "ls-a-297": "passive results and first states are logged, as by Shinken",
    "ls-a-047": CHANGED,
    "ls-a-054": "services of a host come by name, those of the reference in no order",
    "ls-a-126": CHANGED,
    "ls-a-128": CHANGED,
    "ls-a-130": CHANGED,
    "ls-a-132": CHANGED,
    "ls-a-134": CHANGED,
    "ls-a-277": "last_hard_state of a host is the hard state, as that of a service",
    "ls-a-289": "process_performance_data is 1 unless set, Shinken's default",
}
# Columns whose values are Shinken's defaults, or where the reference counts nothing.
COLUMNS = {
    "acknowledgement_type", "can_submit_commands", "check_host_freshness", "check_options", "custom_variable_values",
    "custom_variables", "event_handler_enabled", "high_flap_threshold", "last_hard_state", "livestatus_version",
    "low_flap_threshold", "num_services_hard_crit", "num_services_hard_ok", "num_services_hard_unknown",
    "num_services_hard_warn", "obsess", "obsess_over_host", "obsess_over_service", "process_performance_data",
    "program_version", "worst_service_hard_state", "author", "comment", "entry_type", "source",
}  # fmt: skip


def cases():
    if not CASES.exists():
        return
    for line in CASES.read_text().splitlines():
        case = json.loads(line)
        if case["compare"] == "volatile" or case.get("quirk"):
            continue
        why = OURS.get(case["id"])
        marks = [pytest.mark.xfail(reason=why, strict=True)] if why else []
        yield pytest.param(case, id=case["id"], marks=marks)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    return Seeded(body(tmp_path_factory.mktemp("ls")), commands())


def lines_of(text):
    """The lines up to the first empty one."""
    found = []
    for line in text.split("\n"):
        if not line.rstrip():
            break
        found.append(line.rstrip("\r"))
    return found


def ours(column):
    bare = column
    for prefix in ("host_", "service_", "hostgroup_", "servicegroup_"):
        if bare.startswith(prefix) and bare not in COLUMNS:
            bare = bare[len(prefix) :]
    return bare in COLUMNS or column in COLUMNS


def compared(text, case):
    """Rows as they are compared: lists and, where no order is defined, rows sorted; masked columns left out."""
    request_lines = case["request"].split("\n")
    if "OutputFormat: json" not in request_lines or not text.startswith("["):
        return text if case["ordered"] else sorted(text.split("\n"))
    rows = json.loads(text)
    names = next((line[8:].split() for line in request_lines if line.startswith("Columns:")), [])
    if "ColumnHeaders: on" in request_lines:
        names, *rows = rows
    masked = set(case.get("mask", ())) | ({name for name in names if ours(name)} if case["category"] == "table-allcols" else set())
    found = []
    for row in rows:
        shown = (sorted(v, key=str) if isinstance(v, list) else v for v in row)
        pairs = zip(names, shown, strict=False) if names else enumerate(shown)
        found.append({name: value for name, value in pairs if name not in masked})
    if case["ordered"]:
        return found
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True))


@pytest.mark.parametrize("case", list(cases()))
def test_a_recorded_request_gets_the_recorded_answer(case, seeded):
    store, now = seeded.live, seeded.now.wall
    got = answer(request(lines_of(case["request"]), store, now), store, now).data.decode()
    if case["category"] == "error" or case["category"] == "error-noheader":
        assert got[:3] == case["response"][:3] or case["category"] == "error-noheader"
        return
    want, found = compared(case["response"], case), compared(got, case)
    if case["category"] == "columns-meta" and case["id"] != "ls-a-042":
        assert [row for row in want if row not in found] == []
    elif case["category"] == "table-allcols":
        common = set(want[0]) & set(found[0])
        assert len(common) >= len(want[0])
        key = lambda row: json.dumps(row, sort_keys=True)  # noqa: E731
        assert sorted(want, key=key) == sorted(({k: row[k] for k in common} for row in found), key=key)
    else:
        assert found == want
