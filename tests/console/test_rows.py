"""What tables show: every state by symbol and word, every figure with its age, nothing too wide."""

import pytest
from msgspec.structs import replace

from console.facts import State
from console.rows import (
    age,
    cell,
    cell_head,
    cell_widths,
    details,
    fitted,
    is_well,
    matrix,
    role_label,
    servers_line,
    shard_row,
    size,
    state,
    text_of,
    title,
)
from console.snapshot import snapshot
from daemons.model.cluster import Cluster
from tests.console.fakes import CLUSTER, changed, define, healthy, server1_dead, the, told


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "never"), (0, "0.0s"), (0.24, "0.2s"), (9.94, "9.9s"), (9.96, "9s"), (59.9, "59s"), (60, "1m"), (3600, "1h"), (86400 * 12, "12d")],
)  # fmt: skip
def test_an_age_is_short(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_a_size_is_short() -> None:
    assert [size(n) for n in (0, 900_000, 43_000_000, 1_300_000_000)] == [
        "0k",
        "878k",
        "41M",
        "1.2G",
    ]


@pytest.mark.parametrize(
    ("health", "active", "word", "tone"),
    [
        ("alive", True, "● active", "good"),
        ("alive", False, "○ standby", "plain"),
        ("suspect", True, "◐ suspect", "doubt"),
        ("dead", False, "✖ dead", "bad"),
        ("unknown", False, "? unknown", "doubt"),
    ],
)
def test_a_state_is_a_symbol_a_word_and_a_tone(
    health: State, active: bool, word: str, tone: str
) -> None:
    daemon = replace(the(told(healthy()), "broker-master"), health=health, active=active)

    assert state(daemon) == (word, tone)


def test_the_matrix_puts_spares_beside_masters_in_the_order_of_the_work() -> None:
    rows = [
        (p.role, p.master and p.master.name, p.spare and p.spare.name, p.is_first)
        for p in matrix(told(healthy()))
    ]

    assert rows[:4] == [
        ("arbiter", "arbiter-master", "arbiter-spare", True),
        ("scheduler", "scheduler-master", "scheduler-spare", True),
        ("poller", "poller-master", "poller-spare", True),
        ("poller", "poller-master-2", None, False),
    ]


def test_a_spare_of_another_realm_is_not_put_beside_a_master() -> None:
    daemons = (
        define("paris", "scheduler", 1),
        replace(define("lyon", "scheduler", 1, spare=True), realm="Lyon"),
    )
    found = snapshot(Cluster(name="x", daemons=daemons, servers=CLUSTER.servers), {})
    rows = [(p.master and p.master.name, p.spare and p.spare.name) for p in matrix(found)]

    assert rows == [("paris", None), (None, "lyon")]
    assert [role_label(p, found) for p in matrix(found)] == ["scheduler All", "scheduler Lyon"]


@pytest.mark.parametrize("width", [20, 33, 41, 53, 80])
def test_a_cell_is_as_wide_as_its_head_and_fits(width: int) -> None:
    found = told(server1_dead())
    widths = cell_widths(found, width)

    assert widths.total <= max(width, 23)
    for daemon in found.daemons:
        assert (
            len(text_of(cell(daemon, widths))) == len(cell_head("MASTER", widths)) == widths.total
        )


def test_at_80_columns_no_name_of_the_documented_set_up_is_cut() -> None:
    found = told(healthy())

    assert "reactionner-master" in text_of(
        cell(the(found, "reactionner-master"), cell_widths(found, 33))
    )


def test_a_wide_cell_tells_server_epoch_and_load() -> None:
    found = told(healthy())

    assert text_of(cell(the(found, "broker-master"), cell_widths(found, 53))).split() == [
        "●", "active", "broker-master", "server1", "1", "4%", "0.4s",
    ]  # fmt: skip


def test_a_dead_daemon_shows_how_old_its_figures_are() -> None:
    lines = [text_of(line) for line in details(the(told(server1_dead()), "scheduler-master"))]

    assert "heard 14s ago" in lines[0]
    assert "server1 is silent" in lines[1] and "was active then" in lines[1]
    assert "pid -" in lines[2] and "cpu" not in lines[2]
    assert lines[3].endswith("(as of 14s ago)")


def test_the_title_names_leader_server_and_epoch() -> None:
    assert text_of(title(told(server1_dead()))) == (
        "shinken  leader arbiter-spare on server3  epoch 2  2 of 3 servers answer"
    )
    assert "leader nobody" in text_of(title(told({})))


def test_each_server_comes_with_the_age_of_its_last_word() -> None:
    assert text_of(servers_line(told(server1_dead()))).split() == [
        "✖", "dead", "server1", "14s", "●", "alive", "server2", "0.3s", "●", "alive", "server3", "0.3s",
    ]  # fmt: skip


def test_a_shard_without_owner_says_nobody() -> None:
    heard = changed(healthy(), "server1", "scheduler-master", running=False, pid=0)
    row = [text for text, _ in shard_row(told(heard).shards[0])]

    assert row[:4] == ["1", "✖ nobody", "nobody", "scheduler-spare"]


def test_faults_are_rows_with_a_daemon_that_needs_a_look() -> None:
    assert all(is_well(p) for p in matrix(told(healthy())))
    assert [
        p.role
        for p in matrix(told(changed(healthy(), "server3", "broker-spare", beat_age_s=2.0)))
        if not is_well(p)
    ] == ["broker"]


def test_a_text_that_is_too_long_shows_that_it_is_cut() -> None:
    assert (fitted("abc", 5), fitted("abcdef", 5)) == ("abc  ", "abcd…")
