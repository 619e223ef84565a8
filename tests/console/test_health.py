"""Who is alive: every kind of evidence, and what it makes of a keeper and of a daemon."""

import pytest

from console.facts import Heard, State
from console.health import daemon_health, keeper_health, silence_s
from tests.console.fakes import CLUSTER, census, changed, healthy, seen, server1_dead, the, told

REFUSED = "cannot connect: Connection refused"


def others(age2: float, age3: float) -> dict[str, Heard]:
    """server2 and server3 answer and heard server1 so long ago."""
    return {
        "server2": Heard(census(2, (), {"server1": age2, "server3": 0.1}), 0.1),
        "server3": Heard(census(3, (), {"server1": age3, "server2": 0.1}), 0.1),
    }


@pytest.mark.parametrize(
    ("mine", "rest", "state", "why"),
    [
        (Heard(census(1, ()), 0.2), {}, "alive", "answers"),
        (Heard(census(1, ()), 1.9), {}, "alive", "answers"),
        (Heard(census(1, ()), 2.5), {}, "suspect", "no answer for 2.5 s"),
        (Heard(census(1, ()), 0.9, REFUSED), {}, "suspect", "Connection refused"),
        (Heard(census(1, ()), 9.0, REFUSED), others(9, 8), "dead", "silent, to server2, server3 too"),
        (Heard(), others(9, -1), "dead", "silent, to server2, server3 too"),
        (Heard(), others(-1, -1), "dead", "silent"),
        (Heard(census(1, ()), 9.0, REFUSED), others(9, 0.2), "unknown", "server3 hears it, we do not"),
        (Heard(), others(2.0, 2.5), "suspect", "server2 heard it 2.1 s ago"),
        (Heard(), {}, "unknown", "no answer"),
    ],
)  # fmt: skip
def test_a_keeper_is_judged_by_itself_then_by_the_others(
    mine: Heard, rest: dict[str, Heard], state: State, why: str
) -> None:
    health, reason = keeper_health("server1", {"server1": mine, **rest})

    assert health == state
    assert why in reason


def test_a_keeper_that_is_silent_itself_has_no_say_about_others() -> None:
    """Its last word "I hear server1" is as old as itself."""
    old = Heard(census(2, (), {"server1": 0.1}), 60.0, "timed out")

    assert keeper_health("server1", {"server1": Heard(), "server2": old})[0] == "unknown"


@pytest.mark.parametrize(
    ("change", "state", "why"),
    [
        ({"beat_age_s": 0.2}, "alive", "works"),
        ({"beat_age_s": 0.99}, "alive", "works"),
        ({"beat_age_s": 1.0}, "suspect", "no sign of life for 1.0 s"),
        ({"beat_age_s": 2.99}, "suspect", "no sign of life"),
        ({"beat_age_s": 3.0}, "dead", "it hangs"),
        ({"running": False, "pid": 0, "beat_age_s": -1.0}, "dead", "it ended"),
        ({"running": False, "pid": 0, "started_wall": 0.0}, "dead", "not started yet"),
        ({"beat_age_s": -1.0, "started_wall": 1_790_000_000.0 - 5}, "suspect", "it starts"),
        ({"beat_age_s": -1.0}, "dead", "no sign of life since its start"),
    ],
)
def test_a_daemon_is_judged_by_its_keeper(
    change: dict[str, object], state: State, why: str
) -> None:
    found = the(
        told(changed(healthy(), "server1", "scheduler-master", **change)), "scheduler-master"
    )

    assert found.health == state
    assert why in found.why


def test_a_daemon_that_its_keeper_does_not_know_is_dead() -> None:
    heard = {**healthy(), "server1": Heard(census(1, ()), 0.1)}

    assert the(told(heard), "broker-master").health == "dead"


def test_while_a_keeper_is_late_its_daemons_age_with_it() -> None:
    """Its beat was fresh when it was reported, 1.5 s ago: that is no sign of life of now."""
    daemon = seen(CLUSTER.daemons[0], True)

    assert (
        daemon_health(daemon, Heard(census(1, (daemon,)), 1.5, "timed out"), "suspect", "s")[0]
        == "suspect"
    )
    assert daemon_health(daemon, Heard(census(1, (daemon,)), 0.5), "alive", "s")[0] == "alive"


def test_the_age_of_a_silent_server_is_that_of_the_best_ear() -> None:
    heard = server1_dead(14.0) | others(5.0, 7.0)

    assert silence_s("server1", heard) == pytest.approx(5.1)
    assert silence_s("server1", {"server1": Heard()}) == -1
