"""The recorded scenarios of nagios4 and naemon, replayed through a whole scheduler with their configuration.

Every log line about the case's host must be one of those that an engine wrote, and none may be missing.
"""

import json
import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from daemons.config.load import load
from daemons.model.check import CODE_NOT_STARTED, CODE_SIGNALLED
from daemons.model.objects import ShardBody
from daemons.net.files import read
from daemons.roles.role import Wait
from daemons.wire.messages import Submit, Submitted
from tests.roles.stage import WALL, Stage

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
SCENARIOS = GOLDEN / "scenarios.jsonl"
OBJECTS = GOLDEN / "configs" / "scenarios" / "objects.cfg"
pytestmark = pytest.mark.skipif(
    not SCENARIOS.exists(), reason="the golden data is not beside the checkout"
)

MAIN = """
interval_length=1
use_timezone=UTC
low_service_flap_threshold=5
high_service_flap_threshold=20
low_host_flap_threshold=5
high_host_flap_threshold=20
passive_host_checks_are_soft={soft}
log_external_commands=0
log_passive_checks=0
cfg_file={objects}
define arbiter{{
  arbiter_name a
  address 127.0.0.1
}}
define scheduler{{
  scheduler_name s
  address 127.0.0.1
}}
define poller{{
  poller_name p
  address 127.0.0.1
}}
define reactionner{{
  reactionner_name r
  address 127.0.0.1
}}
define broker{{
  broker_name b
  address 127.0.0.1
}}
define receiver{{
  receiver_name v
  address 127.0.0.1
}}
"""
STDERR = "(No output on stdout) stderr:"
NOT_YET = {}
# What we remember otherwise than both engines, with the reason.
OURS = {
    ("host-down-svc-crit", "percent_state_change"): "only its own results count for a host's flapping",
    ("host-softdown-svc-crit", "percent_state_change"): "only its own results count for a host's flapping",
    ("active-crit", "percent_state_change"): "its first check comes at another second",
}
LINES = (
    "ALERT:", "NOTIFICATION:", "EVENT HANDLER:"
)  # fmt: skip


def cases():
    if not SCENARIOS.exists():
        return
    for line in SCENARIOS.read_text().splitlines():
        case = json.loads(line)
        marks = (
            [pytest.mark.xfail(reason=NOT_YET[case["id"]], strict=True)]
            if case["id"] in NOT_YET
            else []
        )
        for soft in ("1", "0"):
            names = [
                engine for engine, answer in case["expect"].items()
                if str(answer["passive_host_checks_are_soft"]) == soft
            ]  # fmt: skip
            if names:
                yield pytest.param(case, soft, names, id=f"{case['id']}-soft{soft}", marks=marks)


@pytest.fixture(scope="module")
def bodies(tmp_path_factory):
    made = {}
    folder = tmp_path_factory.mktemp("golden")
    for soft in "10":
        main = folder / f"main{soft}.cfg"
        main.write_text(MAIN.format(objects=OBJECTS, soft=soft))
        loaded = load([str(main)], read)
        (_, data), *_ = loaded.shards
        made[soft] = msgspec.msgpack.decode(data, type=ShardBody)
    return made


def only(body, host):
    """The part of the configuration that the case is about."""
    hosts = tuple(h for h in body.hosts if h.name.startswith(host))
    names = {h.name for h in hosts}
    services = tuple(s for s in body.services if s.host in names)
    settings = msgspec.structs.replace(body.globals, max_service_check_spread_s=1.0)
    # Shinken gives hosts thresholds of their own, 25 and 50; the recorded engines do not.
    traits = tuple(
        msgspec.structs.replace(t, low_flap_threshold=-1.0, high_flap_threshold=-1.0)
        if (t.low_flap_threshold, t.high_flap_threshold) == (25.0, 50.0)
        else t
        for t in body.traits
    )
    keys = names | {s.key for s in services}
    dependencies = tuple(d for d in body.dependencies if d.dependent in keys)
    return msgspec.structs.replace(
        body, hosts=hosts, services=services, traits=traits, globals=settings,
        dependencies=dependencies,
    )  # fmt: skip


def plugin(command):
    """What the recorded plugins gave: (code, output)."""
    if match := re.search(r'check_dummy (\d) "?([^"]*)', command):
        words = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
        return int(match[1]), f"{words[int(match[1])]}: {match[2]}"
    if "nonexistent" in command:
        return (
            CODE_NOT_STARTED,
            f"{STDERR} execvp(/nonexistent/plugin, ...) failed. errno is 2: No such file or directory",
        )
    if "hostname" in command:
        return CODE_NOT_STARTED, ""
    if "on-stderr" in command:
        return 2, f"{STDERR} /bin/sh: 1: Syntax error: Unterminated quoted string"
    if "kill -9" in command:
        return CODE_SIGNALLED, ""
    return 0, ""


class Replay(Stage):
    def __init__(self, body):
        super().__init__(body)
        self.lines = []
        self.submitted = 0
        self.seen = []  # states after each tick

    def play(self, case):
        self.start()
        if case["first_fed_up"]:
            self.tell(f"PROCESS_HOST_CHECK_RESULT;{case['host']};0;up")
        self.active(2.5)
        for step in case["steps"]:
            for command in step:
                self.tell(
                    re.sub(r"@([+-]\d+)", lambda m: str(int(WALL + self.mono) + int(m[1])), command)
                )
            self.active(case["tick_s"])
            self.seen.append(self.states(case["host"]))
        self.active(4 * case["tick_s"])

    def active(self, seconds):
        """Let time pass, with a poller that works."""
        for _ in range(round(seconds / 0.25)):
            self.run(0.25)
            for order in self.orders(self.exchange()):
                self.result(order, *plugin(order.command))

    def tell(self, command):
        self.submitted += 1
        items = (Submitted(f"c{self.submitted}", f"[0] {command}", self.now.wall),)
        answer = self.schedulers["one"].handle(Submit("recv", items), self.now)
        assert isinstance(answer, Wait) or answer.refused or answer.foreign, command

    def states(self, host):
        found = {}
        for key, item in self.schedulers["one"].seats[1].owned.state.items.items():
            status = item.status
            name, _, service = key.partition(";")
            if name != host:
                continue
            found["svc:" + service if service else "host"] = {
                "has_been_checked": int(status.checked),
                "state": status.state,
                "state_type": status.state_type,
                "last_hard_state": status.last_hard_state,
                "current_attempt": status.attempt,
                "plugin_output": status.output,
                "current_notification_number": status.notification_number,
                "acknowledged": int(status.ack is not None),
                "is_flapping": int(status.flapping),
                "percent_state_change": round(status.flap_percent, 2),
                "scheduled_downtime_depth": status.downtime_depth,
            }
        return found

    def log(self):
        ring = self.schedulers["one"].seats[1].owned.journal.ring
        return [line.text for line in ring.lines_after((0, 0))]


@pytest.mark.parametrize(("case", "soft", "engines"), list(cases()))
def test_a_scheduler_writes_what_an_engine_wrote(case, soft, engines, bodies):
    body = only(bodies[soft], case["host"])
    assert body.hosts
    replay = Replay(body)
    replay.play(case)
    said = Counter(line for line in replay.log() if any(word in line for word in LINES))
    accepted = [
        Counter(entry["line"] for entry in case["expect"][engine]["log"]) for engine in engines
    ]
    if said not in accepted:
        report = [
            f"engine {engine}: missing {dict(a - said)}, too many {dict(said - a)}"
            for engine, a in zip(engines, accepted, strict=True)
        ]
        pytest.fail("\n".join(report))


@pytest.mark.parametrize(("case", "soft", "engines"), list(cases()))
def test_a_scheduler_remembers_what_an_engine_remembered(case, soft, engines, bodies):
    replay = Replay(only(bodies[soft], case["host"]))
    replay.play(case)
    wrong = []
    for number, seen in enumerate(replay.seen):
        for name, ours in seen.items():
            accepted = [case["expect"][e]["state_after_tick"][number].get(name) for e in engines]
            for what, value in ours.items():
                theirs = [a[what] for a in accepted if a and what in a]
                if isinstance(value, float):
                    theirs = [round(their, 2) for their in theirs]
                if theirs and value not in theirs and (case["id"], what) not in OURS:
                    wrong.append(f"tick {number} {name} {what}: {value}, recorded {theirs}")
    assert not wrong, "\n".join(wrong)
