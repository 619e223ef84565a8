"""Is it alive? By what its keeper says; when that is silent, by its own answer and the other keepers'.

Pure. Silence towards this console alone proves nothing: then it is "unknown", never "dead".
"""

from collections.abc import Mapping

from console.facts import Heard, Own, State
from daemons.wire.messages import DaemonSeen

SUSPECT_S = 1.0  # a daemon beats every 0.2 s, a keeper is asked every second
DEAD_S = 3.0  # longer than a lease
FRESH_S = 3.0  # a census older than this is history
LATE_S = 2.0  # an answer is due every second, and may take one
START_S = 20.0  # a daemon that reads a large configuration beats this late


def keeper_health(name: str, heard: Mapping[str, Heard]) -> tuple[State, str]:
    """Return the health of the keeper of server `name`, and the reason."""
    mine = heard.get(name)
    if mine is not None and 0 <= mine.age_s <= FRESH_S:
        if not mine.why and mine.age_s <= LATE_S:
            return "alive", "answers"
        return "suspect", f"no answer for {mine.age_s:.1f} s" + _because(mine.why)
    because = _because(mine.why if mine is not None else "")
    others = _others_hear(name, heard)
    if not others:
        return "unknown", "no answer" + because
    nearest = min(others.items(), key=lambda item: item[1] if item[1] >= 0 else float("inf"))
    if 0 <= nearest[1] < SUSPECT_S + 0.5:
        return "unknown", f"{nearest[0]} hears it, we do not" + because
    if 0 <= nearest[1] < DEAD_S:
        return "suspect", f"{nearest[0]} heard it {nearest[1]:.1f} s ago" + because
    too = ", ".join(sorted(others))
    return "dead", f"silent, to {too} too" + because


def silence_s(name: str, heard: Mapping[str, Heard]) -> float:
    """Return the seconds since anybody, as far as we hear, heard the keeper of `name`; -1 = never."""
    mine = heard.get(name)
    ages = list(_others_hear(name, heard).values())
    if mine is not None:
        if 0 <= mine.age_s <= FRESH_S:
            return mine.age_s
        ages.append(mine.age_s)
    return min((age for age in ages if age >= 0), default=-1.0)


def daemon_health(
    seen: DaemonSeen | None, heard: Heard, keeper: State, server: str, own: Own | None = None
) -> tuple[State, str]:
    """Return the health of a daemon by its server's `keeper`, or by its `own` answer, and the reason."""
    if own is not None and keeper != "alive" and own.age_s <= FRESH_S:
        return "alive", "its keeper is silent, but it answers itself"
    if keeper == "dead":
        return "dead", f"{server} is silent, to everybody"
    if keeper == "unknown":
        return "unknown", f"the keeper of {server} does not answer"
    if heard.census is None:
        return "unknown", f"the keeper of {server} was not heard yet"
    if seen is None:
        return "dead", f"the keeper of {server} does not know it: started from other files"
    if not seen.running:
        return "dead", "it ended" if seen.restarts or seen.started_wall else "not started yet"
    if seen.beat_age_s < 0:
        up_s = heard.census.wall - seen.started_wall
        if up_s < START_S:
            return "suspect", "it starts"
        return "dead", f"it hangs: no sign of life since its start {up_s:.0f} s ago"
    # While the keeper answers, its word is fresh; else the age of its word counts too.
    silent_s = seen.beat_age_s + (heard.age_s if keeper == "suspect" else 0.0)
    if silent_s >= DEAD_S and keeper == "alive":
        return "dead", f"it hangs: no sign of life for {silent_s:.1f} s"
    if silent_s >= SUSPECT_S:
        return "suspect", f"no sign of life for {silent_s:.1f} s"
    return "alive", "works"


def _others_hear(name: str, heard: Mapping[str, Heard]) -> dict[str, float]:
    """How long ago each other keeper that answers heard `name`; -1 = never."""
    ages = {}
    for other, said in heard.items():
        if other == name or said.census is None or not 0 <= said.age_s <= FRESH_S:
            continue
        for seen in said.census.servers:
            if seen.name == name:
                ages[other] = seen.age_s + said.age_s if seen.age_s >= 0 else -1.0
    return ages


def _because(why: str) -> str:
    return f": {why}" if why else ""
