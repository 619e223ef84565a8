"""What scripts rely on: these fields, these types, whatever happens to the cluster."""

from typing import Any

import msgspec
import pytest
from msgspec import Struct

from console.plain import status_json
from tests.console.fakes import E2, VERSION, healthy, server1_dead, told


class Shard(Struct, forbid_unknown_fields=False):
    id: int
    version: str
    epoch: int


class Daemon(Struct):
    name: str
    role: str
    server: str
    spare: bool
    health: str
    active: bool
    pid: int
    instance: str
    epoch: int
    shards: list[Shard]
    age_s: float | None
    config: str


class Server(Struct):
    name: str
    keeper: str


class Trouble(Struct):
    text: str
    fix: str


class Status(Struct):
    """As fixed in docs/status-json.md; further fields may be there."""

    cluster: str
    leader: str
    epoch: int
    servers: list[Server]
    daemons: list[Daemon]
    problems: list[Trouble]


@pytest.mark.parametrize(
    "heard", [healthy(), server1_dead(), {}], ids=["healthy", "failed over", "nobody"]
)
def test_the_fields_that_are_promised_are_there(heard: Any) -> None:
    read = msgspec.json.decode(status_json(told(heard)), type=Status)

    assert len(read.daemons) == 13
    assert all(d.health in ("alive", "suspect", "dead", "unknown") for d in read.daemons)


def test_the_figures_are_those_of_the_snapshot() -> None:
    read = msgspec.json.decode(status_json(told(server1_dead())), type=Status)
    spare = next(d for d in read.daemons if d.name == "scheduler-spare")

    assert (read.cluster, read.leader, read.epoch) == ("shinken", "arbiter-spare", E2)
    assert (spare.active, spare.pid, spare.shards) == (True, 2108, [Shard(1, VERSION, E2)])


def test_what_was_never_heard_is_null_and_not_a_number() -> None:
    read = msgspec.json.decode(status_json(told({})), type=Status)

    assert {d.age_s for d in read.daemons} == {None}


def test_the_page_of_the_documentation_names_every_field() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs/status-json.md").read_text()
    whole = msgspec.json.decode(status_json(told(server1_dead())))
    fields = set(whole) | set(whole["daemons"][0]) | set(whole["servers"][0])
    fields |= set(whole["shards"][0]) | set(whole["problems"][0])

    assert [f for f in sorted(fields) if f"`{f}`" not in page and f'"{f}"' not in page] == []
