"""Is it alive? Evidence in, judgement and reason out.

Suspicion comes before death: one missed call makes a daemon suspect, which costs it nothing. Death
needs proof: its keeper says that its process tree is gone, or it missed `max_check_attempts` calls in
a row, or it missed one and its server's keeper has been silent for a whole lease: by then no process
of that server can hold anything. A new leader takes the others' word for that silence instead of waiting for a
call of its own to time out. For the same reason a daemon whose work needs a lease is as good as
dead when its keeper is silent (hangs, or cannot be started) although the daemon itself answers.
"""

from typing import Literal

from msgspec import Struct

State = Literal["alive", "suspect", "dead", "unknown"]


class Heard(Struct, frozen=True):
    """What a leader knows of one daemon."""

    since_s: float  # since it last answered this leader; -1 = never
    missed: int  # calls in a row without an answer
    gone: bool  # its keeper vouches that the instance last seen has ended
    keeper_silent_s: float  # since its server's keeper was last heard by anybody; -1 = never heard
    led_s: float  # how long this leader has been leading
    needs_lease: bool = False  # only its keeper can claim and renew what it works with


class Health(Struct, frozen=True):
    """A judgement and its reason, in words an operator reads."""

    state: State
    why: str


def judge(heard: Heard, attempts: int, lease_s: float) -> Health:
    """Return whether the daemon is alive.

    `attempts` is its `max_check_attempts`, `lease_s` the length of a lease.
    """
    if heard.gone:
        return Health("dead", "its keeper saw it end")
    if heard.missed >= attempts:
        return Health("dead", f"{heard.missed} calls without an answer")
    if heard.missed and _server_silent(heard, lease_s):
        return Health(
            "dead", f"no answer, and its server is silent for {heard.keeper_silent_s:.1f} s"
        )
    if heard.needs_lease and heard.since_s >= 0 and _server_silent(heard, lease_s):
        return Health("dead", "it answers, but can hold no lease: " + _silence(heard))
    if heard.missed:
        return Health("suspect", f"{heard.missed} of {attempts} calls without an answer")
    if heard.since_s < 0 and heard.keeper_silent_s > lease_s:
        return Health("dead", f"not heard yet, and its server is silent for {heard.keeper_silent_s:.1f} s")
    if heard.since_s < 0:
        return Health("unknown", "not heard yet")
    return Health("alive", "answers")


def _silence(heard: Heard) -> str:
    if heard.keeper_silent_s < 0:
        return "its keeper was not heard yet"
    return f"its keeper is silent for {heard.keeper_silent_s:.1f} s"


def _server_silent(heard: Heard, lease_s: float) -> bool:
    if heard.keeper_silent_s < 0:  # never heard: give it the time a start takes
        return heard.led_s > lease_s
    return heard.keeper_silent_s > lease_s
