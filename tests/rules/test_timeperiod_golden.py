"""Every recorded answer of a reference server about time periods is our answer too."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from daemons.model.clock import Wall
from daemons.model.objects import TimePeriod
from daemons.rules.timeperiod import compile_period, covers, next_start

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
CASES = GOLDEN / "timeperiods.jsonl"
CONFIG = GOLDEN / "configs" / "timeperiods" / "objects.cfg"

THIS_YEAR = "the reference looks no further than the end of this calendar year"
LAST_DAY = "the reference finds the last day only of months with 31 days"
STEP = "with a step the reference overlooks the end of the range"
CLOCK = (
    "the reference answered with a moment that has to do with the recording, not with the period"
)
MIDNIGHT = "the reference adds 24 hours for a day, and misses midnight when the clocks change"

# Where the recorded answers contradict Nagios Core docs, "Object Definitions", timeperiod (which Shinken's docs
# repeat): how many of them differ from ours, and what the reference gets wrong. Ours are those of the
# documentation; docs/compatibility.md has an example of each kind.
LATER = {
    "never": (1, CLOCK),
    "always-minus-work": (1, CLOCK),
    "monthday-last": (14, LAST_DAY),
    "monthday-skip": (4, MIDNIGHT),
    "last-monday": (2, MIDNIGHT),
    "monday3-thu4": (2, MIDNIGHT),
    "multi": (1, MIDNIGHT),
    "named-month": (9, THIS_YEAR),
    "feb-29": (24, THIS_YEAR),
    "feb-last": (30, LAST_DAY),
    "thu-last-nov": (12, THIS_YEAR),
    "year-cross": (7, THIS_YEAR),
    "date-range-skip": (10, STEP),
    "nov-days": (9, STEP),
}

pytestmark = pytest.mark.skipif(
    not CASES.exists(), reason="the golden data is not beside the checkout"
)


def definitions() -> dict[str, TimePeriod]:
    """The time periods of the recorded configuration; it uses one level of templates only."""
    blocks: list[dict[str, str]] = []
    for block in CONFIG.read_text().split("define timeperiod{")[1:]:
        fields = {}
        for line in block.partition("}")[0].splitlines():
            words = line.strip()
            if not words or words.startswith("#"):
                continue
            key, value = split_line(words)
            fields[key] = value
        blocks.append(fields)
    named = {fields["name"]: fields for fields in blocks if "name" in fields}
    periods = {}
    for fields in blocks:
        whole = {**named.get(fields.get("use", ""), {}), **fields}
        known = {"timeperiod_name", "alias", "name", "use", "exclude"}
        periods[fields["timeperiod_name"]] = TimePeriod(
            fields["timeperiod_name"],
            fields["alias"],
            tuple((key, value) for key, value in whole.items() if key not in known),
            tuple(filter(None, whole.get("exclude", "").split(","))),
        )
    return periods


def split_line(words: str) -> tuple[str, str]:
    for key in ("timeperiod_name", "alias", "name", "use", "exclude"):
        if words.startswith(key + " "):
            return key, words[len(key) :].strip()
    key, _, value = words.rpartition(" ")
    return key.strip(), value


def cases() -> dict[str, list[dict]]:
    by_period = defaultdict(list)
    for line in CASES.read_text().splitlines() if CASES.exists() else ():
        case = json.loads(line)
        by_period[case["timeperiod"]].append(case)
    return by_period


BY_PERIOD = cases()


@pytest.mark.parametrize("name", BY_PERIOD)
def test_recorded_answers_are_ours(name):
    periods = definitions()
    wrong = []
    for case in BY_PERIOD[name]:
        period = compile_period(periods[name], periods, case["tz"])
        wall = Wall(case["time"])
        start = next_start(period, wall)
        expected = case["next_valid"]
        if not case["in"] and expected == wall:
            expected = None
        if covers(period, wall) != bool(case["in"]) or start != expected:
            wrong.append((case["tz"], case["local"], case["in"], case["next_valid_local"], start))
    allowed, _ = LATER.get(name, (0, ""))
    assert len(wrong) == allowed, f"{len(wrong)} of {len(BY_PERIOD[name])}: {wrong[:6]}"
