"""A scheduler hangs: its lease ends, the spare takes over, and when it goes on it is obeyed by nobody."""

import os
import signal
import time

from daemons.cli.demo.judge import longest_gap, twice
from tests.live.cluster import Servers, wait_until

TAKEN_S = 10.0


def test_a_scheduler_that_hangs_is_replaced_and_does_nothing_when_it_goes_on(
    running: Servers,
) -> None:
    victim = running.active("scheduler")[0]
    lent = victim.report.figures["orders_lent"]
    stopped_at = time.time()
    os.kill(victim.pid, signal.SIGSTOP)
    try:
        running.flag("scheduler-hangs")
        heir = wait_until(
            lambda: [d for d in running.active("scheduler") if d.name != victim.name],
            20, "the spare is active",
        )[0]  # fmt: skip
        taken_s = time.time() - stopped_at
        first = wait_until(
            lambda: [r for r in running.runs() if r.began > stopped_at + taken_s],
            10,
            "checks go on",
        )
        running.tells_once("scheduler-hangs")
    finally:
        os.kill(victim.pid, signal.SIGCONT)
    went_on_at = time.time()
    print(
        f"hang: {heir.name} active after {taken_s:.2f} s, a check after {first[0].began - stopped_at:.2f} s"
    )
    assert taken_s <= TAKEN_S

    wait_until(lambda: running.whole, 20, "it beats again")
    wait_until(
        lambda: all(
            r.began > went_on_at + running.layout.check_s for r in _newest(running).values()
        ),
        20, "every check has run twice since it went on",
    )  # fmt: skip
    again = running.seen(victim.name)
    assert again is not None and not again.report.active
    if again.pid == victim.pid:
        assert again.report.figures.get("orders_lent", 0.0) in (0.0, lent)
    assert [d.name for d in running.active("scheduler")] == [heir.name]
    runs = [r for r in running.runs() if r.began > stopped_at]
    assert not twice(runs, running.layout.retry_s)
    gap_s, key = longest_gap([r for r in running.runs() if r.ended > stopped_at - 5], time.time())
    assert gap_s <= running.layout.check_s + TAKEN_S, key


def _newest(running: Servers):
    return {run.key: run for run in running.runs()}
