"""Only a keeper hangs: status tells that from the death of its server."""

import os
import signal

import pytest

from console.facts import Snapshot
from console.feed import collect, daemons, keepers
from daemons.cli.reach import Keys
from daemons.cli.start import bundle_of
from tests.live.cluster import Servers, wait_until


@pytest.mark.slow
def test_daemons_whose_keeper_hangs_are_alive_and_the_keeper_is_blamed(running: Servers) -> None:
    bundle = bundle_of(str(running.layout.workdir("server1")))
    keys = Keys(bundle)
    before = running.census("server3")
    assert before is not None

    def look() -> Snapshot:
        return collect(bundle.cluster, keepers(bundle, keys), directly=daemons(bundle, keys))

    os.kill(before.pid, signal.SIGSTOP)
    try:
        found = wait_until(
            lambda: (s := look()).servers[2].keeper == "dead" and s, 15, "the keeper counts as dead"
        )
        crew = {d.name: (d.health, d.pid) for d in found.daemons if d.server == "server3"}
        assert crew == {d.name: ("alive", d.pid) for d in before.daemons}
        (told,) = [p.text for p in found.problems if p.about == "server3"]
        assert told.startswith("the keeper of server3 is silent")
    finally:
        os.kill(before.pid, signal.SIGCONT)
    wait_until(lambda: running.whole, 20, "every daemon beats to its keeper again")
    wait_until(lambda: look().servers[2].keeper == "alive", 10, "the keeper answers")
