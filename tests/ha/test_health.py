"""Suspicion before death, and death only on proof."""

import pytest

from daemons.ha.health import Heard, judge

FINE = Heard(since_s=0.4, missed=0, gone=False, keeper_silent_s=0.3, led_s=60.0)


def heard(**changes: float | bool) -> Heard:
    return Heard(**({f: getattr(FINE, f) for f in FINE.__struct_fields__} | changes))


@pytest.mark.parametrize(
    ("evidence", "state"),
    [
        (heard(), "alive"),
        (heard(missed=1), "suspect"),
        (heard(missed=2), "suspect"),
        (heard(missed=3), "dead"),
        (heard(gone=True), "dead"),
        (heard(missed=1, keeper_silent_s=2.6), "dead"),
        (heard(missed=0, keeper_silent_s=9.0), "alive"),  # it answers: its keeper's trouble is not its own
        (heard(needs_lease=True), "alive"),
        (heard(needs_lease=True, keeper_silent_s=2.4), "alive"),
        (heard(needs_lease=True, keeper_silent_s=2.6), "dead"),  # it answers, and nobody can claim for it
        (heard(needs_lease=True, keeper_silent_s=-1.0, led_s=3.0), "dead"),
        (heard(needs_lease=True, keeper_silent_s=-1.0, led_s=1.0), "alive"),
        (heard(since_s=-1.0), "unknown"),
        (heard(since_s=-1.0, keeper_silent_s=2.4), "unknown"),
        (heard(since_s=-1.0, keeper_silent_s=2.6, led_s=0.1), "dead"),  # its server was lost with the last leader
        (heard(since_s=-1.0, keeper_silent_s=-1.0, led_s=9.0), "unknown"),
        (heard(since_s=-1.0, missed=1, keeper_silent_s=-1.0, led_s=1.0), "suspect"),
        (heard(since_s=-1.0, missed=1, keeper_silent_s=-1.0, led_s=3.0), "dead"),
    ],
)
def test_a_daemon_is_judged_by_what_was_heard(evidence, state):
    assert judge(evidence, attempts=3, lease_s=2.5).state == state


def test_max_check_attempts_is_honoured():
    assert judge(heard(missed=4), attempts=5, lease_s=2.5).state == "suspect"
    assert judge(heard(missed=5), attempts=5, lease_s=2.5).state == "dead"
