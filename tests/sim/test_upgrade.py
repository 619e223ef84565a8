"""One release talks to the next: a server that was not upgraded yet takes part, through faults and failovers."""

import msgspec
import pytest

from daemons.wire.codec import encode
from daemons.wire.messages import Beat, Census, Enrolled, Report, Roster
from tests.sim.cluster import Setup
from tests.sim.history import run
from tests.sim.older import as_older


@pytest.mark.parametrize("server", ["server1", "server3"])
def test_a_cluster_with_one_server_of_an_older_release_comes_right_and_does_nothing_wrong(server):
    run(1, Setup(older=(server,), faults_s=30.0))


def test_an_older_release_really_knows_less():
    """The test above shows nothing if its messages are whole."""
    cut = [as_older(encode(m)) for m in (
        Roster(1, 1, "a", config_n=7, document="d"), Beat("n", "poller", "i", 1, report=Report(config_n=7)),
        Enrolled("n", "i", Report(config_n=7)), Census("s", "i", 1, terms="t"),
    )]  # fmt: skip
    assert [len(msgspec.msgpack.decode(data)) for data in cut] == [7, 8, 4, 12]
    assert all(b"\x07" not in data for data in cut)
