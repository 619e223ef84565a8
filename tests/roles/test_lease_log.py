"""The keeper's log of leases: a line at the beginning, a line at the end, and the end is the one the daemon knew."""

import logging

import pytest

from daemons.ha.lease import Held
from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import epoch
from daemons.roles.keeping.lease_log import LeaseLog

FIRST, SECOND = epoch(1, 1, 0), epoch(1, 2, 2)


def at(mono: float) -> Now:
    return Now(Mono(mono), Wall(1e9 + mono))


def held(number: int, until: float) -> Held:
    return Held("shard/1", number, Mono(until))


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage().split(" number=")[0] for record in caplog.records]


def test_a_lease_that_is_renewed_is_said_once(lines):
    log = LeaseLog()
    for second in (1.0, 2.0, 3.0):
        log.told("s", (held(FIRST, second + 2),), at(second))
        log.tick(at(second))

    assert lines() == ["holds lease=shard/1 daemon=s epoch=1"]


def test_its_end_is_when_the_daemon_had_to_stop_at_the_latest(lines, caplog):
    log = LeaseLog()
    log.told("s", (held(FIRST, 3.0),), at(1.0))
    log.tick(at(2.9))
    log.tick(at(7.0))

    assert lines()[1:] == ["ended lease=shard/1 daemon=s epoch=1"]
    assert caplog.records[-1].getMessage().endswith("until_mono=3.000")


def test_a_lease_given_back_or_of_a_dead_daemon_ends_at_once(lines, caplog):
    log = LeaseLog()
    log.told("s", (held(FIRST, 3.0),), at(1.0))
    log.told("s", (), at(1.5))
    assert caplog.records[-1].getMessage().endswith("until_mono=1.500")
    log.told("s", (held(SECOND, 4.0),), at(2.0))
    log.ended("s", at(2.2))

    assert lines()[2:] == ["holds lease=shard/1 daemon=s epoch=2", "ended lease=shard/1 daemon=s epoch=2"]
    assert caplog.records[-1].getMessage().endswith("until_mono=2.200")


def test_a_new_epoch_ends_the_former_one_of_the_same_daemon(lines):
    log = LeaseLog()
    log.told("s", (held(FIRST, 3.0),), at(1.0))
    log.told("s", (held(SECOND, 9.0),), at(2.0))

    assert lines() == [
        "holds lease=shard/1 daemon=s epoch=1", "holds lease=shard/1 daemon=s epoch=2",
        "ended lease=shard/1 daemon=s epoch=1",
    ]  # fmt: skip
