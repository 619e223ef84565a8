"""The whole of server1 is killed at once: the drill of `make demo DRILL=1`, with 200 services and memcached."""

from collections import Counter
from pathlib import Path

from msgspec.structs import replace

from daemons.cli.demo.drill import HEIR, VICTIM, drill, good, table
from daemons.cli.demo.files import Layout
from daemons.cli.demo.ledger import read_alerts
from tests.live.cluster import end_all_below
from tests.retention.memcached_server import MemcachedServer

FIRST_CHECK_S = 10.0


def test_nothing_is_lost_or_repeated_when_a_server_with_all_masters_dies(
    tmp_path: Path, layout: Layout, memcached: MemcachedServer
) -> None:
    host, port = memcached.address
    layout = replace(layout, check_s=5, retry_s=2, retention=f"{host}:{port}")
    layout = replace(layout, extra_services=200 - layout.services)
    try:
        outcome = drill(layout, print)
    finally:
        left = end_all_below(layout.base)
    print(table(outcome))

    assert layout.services == 200
    assert good(outcome), table(outcome)
    assert 0 <= outcome.findings.first_check_s <= FIRST_CHECK_S
    before = _alerts(layout, VICTIM, "broker-master")
    after = _alerts(layout, HEIR, "broker-spare")
    assert before and after
    assert [line for line, n in Counter(after).items() if n > 1] == []
    print(f"lines in both logs: {len(set(before) & set(after))} of {len(before)} and {len(after)}")
    assert left == [], "the drill cleans up after itself"


def _alerts(layout: Layout, server: str, broker: str) -> list[str]:
    return read_alerts(layout.workdir(server) / "var" / broker / "simple.log")
