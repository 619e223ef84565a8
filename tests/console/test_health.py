"""Who is alive: every kind of evidence, and what it makes of a keeper and of a daemon."""

import pytest
from msgspec.structs import replace

from console.facts import Heard, Own, State
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


def hung_keeper(own_age_s: float = 0.4) -> dict[str, Heard]:
    """Only the keeper of server1 hangs; its daemons answer when they are asked."""
    heard = server1_dead(14.0)
    said = Own(active=False, pid=2101, instance="i", epoch=7, problems=("no lease",), age_s=own_age_s)
    return {**heard, "server1": replace(heard["server1"], own={"scheduler-master": said})}


def test_a_daemon_that_answers_while_its_keeper_is_silent_is_alive() -> None:
    found = told(hung_keeper())
    daemon = the(found, "scheduler-master")

    assert (daemon.health, daemon.active, daemon.pid, daemon.age_s) == ("alive", False, 2101, 0.4)
    assert daemon.why == "its keeper is silent, but it answers itself"
    assert the(found, "broker-master").health == "dead"
    assert found.servers[0].keeper == "dead"


def test_that_only_the_keeper_hangs_is_told_with_what_to_do() -> None:
    (problem,) = [p for p in told(hung_keeper()).problems if p.about == "server1"]

    assert problem.text.startswith("the keeper of server1 is silent for 14 s, scheduler-master there answer")
    assert "kill the keeper" in problem.fix


def test_an_own_answer_that_is_old_is_no_life() -> None:
    assert the(told(hung_keeper(9.0)), "scheduler-master").health == "dead"


def test_while_its_keeper_answers_a_daemons_own_word_does_not_count() -> None:
    heard = changed(healthy(), "server1", "scheduler-master", beat_age_s=9.0)
    heard["server1"] = replace(heard["server1"], own={"scheduler-master": Own(active=True)})

    assert the(told(heard), "scheduler-master").health == "dead"
