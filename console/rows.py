"""What tables and pages show, as plain data: texts with a tone. No terminal is needed to test one.

A state is told three times over: by symbol, by word and by colour; any one of them is enough.
"""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Literal

from msgspec import Struct

from console.facts import Daemon, Problem, Server, Severity, Shard, Snapshot, State
from daemons.model.cluster import ROLES, RoleName, epoch_n

Tone = Literal["plain", "strong", "dim", "good", "doubt", "bad"]
Part = tuple[str, Tone]
Line = tuple[Part, ...]

SYMBOLS: dict[State, str] = {"alive": "●", "suspect": "◐", "dead": "✖", "unknown": "?"}
TONES: dict[State, Tone] = {"alive": "good", "suspect": "doubt", "dead": "bad", "unknown": "doubt"}
STANDBY = "○"
MARKS: dict[Severity, str] = {"critical": "✖", "warning": "▲", "advice": "·"}
SEVERITY_TONES: dict[Severity, Tone] = {"critical": "bad", "warning": "doubt", "advice": "dim"}
GAP = "  "


class Pair(Struct, frozen=True):
    """One row of the matrix: the n-th master and the n-th spare of a role in a realm."""

    role: RoleName
    realm: str
    master: Daemon | None
    spare: Daemon | None
    is_first: bool = False  # of its role


def matrix(snapshot: Snapshot) -> tuple[Pair, ...]:
    """Return the roles in the order of the work, masters beside spares, realm by realm."""
    rows: list[Pair] = []
    for role in ROLES:
        crew = [d for d in snapshot.daemons if d.role == role]
        first = True
        for realm in dict.fromkeys(d.realm for d in crew):
            here = [d for d in crew if d.realm == realm]
            masters, spares = [d for d in here if not d.spare], [d for d in here if d.spare]
            for master, spare in zip_longest(masters, spares):
                rows.append(Pair(role, realm, master, spare, first))
                first = False
    return tuple(rows)


def age(seconds: float) -> str:
    """Return a duration as operators read it: 0.2s, 42s, 7m, 3h, 12d; "never" below zero."""
    if seconds < 0:
        return "never"
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:.1f}s" if seconds < 9.95 else f"{int(seconds)}s"


def size(count: int) -> str:
    """Return a number of bytes as operators read it: 812k, 43M, 1.2G."""
    if count >= 1 << 30:
        return f"{count / (1 << 30):.1f}G"
    return f"{count >> 20}M" if count >= 1 << 20 else f"{count >> 10}k"


def state(daemon: Daemon) -> Part:
    """Return symbol and word: what it does while it is alive, else its health."""
    if daemon.health != "alive":
        return f"{SYMBOLS[daemon.health]} {daemon.health}", TONES[daemon.health]
    if daemon.active:
        return f"{SYMBOLS['alive']} active", "good"
    return f"{STANDBY} standby", "plain"


def keeper_state(server: Server) -> Part:
    """Return symbol and word of a server's keeper."""
    return f"{SYMBOLS[server.keeper]} {server.keeper}", TONES[server.keeper]


def age_of(daemon: Daemon) -> Part:
    """Return how old what is shown of a daemon is; loud when that is long."""
    return age(daemon.age_s), "dim" if daemon.health == "alive" else TONES[daemon.health]


def cell(daemon: Daemon | None, name_width: int, server_width: int = 0) -> Line:
    """Return one cell of the matrix: state, name, where there is room its server, age."""
    if daemon is None:
        return (("-", "dim"),)
    word, tone = state(daemon)
    parts: list[Part] = [
        (f"{word:<9} ", tone),
        (fitted(daemon.name, name_width), "strong" if daemon.active else "plain"),
    ]
    if server_width:
        parts.append((" " + fitted(daemon.server, server_width), "plain"))
    told, tone = age_of(daemon)
    return (*parts, (f" {told:>5}", tone))


def fitted(text: str, width: int) -> str:
    """Return `text` in exactly `width` columns."""
    return text[: width - 1] + "…" if len(text) > width else f"{text:<{width}}"


def title(snapshot: Snapshot) -> Line:
    """Return the cluster in one line: name, leader, epoch, how many servers answer."""
    leader = snapshot.daemon(snapshot.leader)
    if leader is not None:
        led: list[Part] = [(leader.name, "strong"), (f" on {leader.server}", "plain")]
    else:
        led = [("nobody", "bad")]
    answering, count = snapshot.answering, len(snapshot.servers)
    return (
        (snapshot.cluster, "strong"),
        (GAP + "leader ", "dim"),
        *led,
        (GAP + "epoch ", "dim"),
        (str(snapshot.epoch_n or "-"), "strong"),
        (GAP + f"{answering} of {count} servers answer", "plain" if answering == count else "bad"),
    )


def servers_line(snapshot: Snapshot) -> Line:
    """Return every server with its keeper's state and the age of its last contact."""
    parts: list[Part] = []
    for server in snapshot.servers:
        word, tone = keeper_state(server)
        parts += [(word, tone), (f" {server.name} ", "plain"), (age(server.age_s) + GAP, "dim")]
    return tuple(parts)


def details(daemon: Daemon) -> tuple[Line, ...]:
    """Return what else is known of one daemon, in four lines."""
    word, tone = state(daemon)
    rank = "spare" if daemon.spare else "master"
    dead = not daemon.is_live
    told: Tone = "dim" if dead else "plain"
    shards = ", ".join(
        f"{h.id} {h.phase}" + (f" (epoch {epoch_n(h.epoch)})" if h.epoch else "")
        for h in daemon.shards
    )
    figures = GAP.join(f"{k} {v:g}" for k, v in sorted(daemon.figures.items()) if v)
    return (
        (
            (f"{daemon.name} ", "strong"),
            (f"{word} ", tone),
            (f"{daemon.role} {rank} on {daemon.server} ({daemon.address}:{daemon.port})", "plain"),
            (GAP + f"heard {age(daemon.age_s)} ago" if daemon.age_s >= 0 else GAP + "never heard", "dim"),
        ),
        (
            (daemon.why, "plain" if daemon.health == "alive" else tone),
            (GAP + "was active then" if dead and daemon.was_active else "", "plain"),
            (GAP + daemon.last_change if daemon.last_change else "", told),
        ),
        (
            (f"pid {daemon.pid or '-'}  epoch {epoch_n(daemon.epoch) or '-'}  up {_up(daemon)}  "
             f"restarts {daemon.restarts}  cpu {daemon.cpu_percent:.0f}%  memory {size(daemon.rss_bytes)}", told),
            (GAP + f"shards {shards}" if shards else "", "plain"),
        ),
        (((figures or "no figures") + (f" (as of {age(daemon.age_s)} ago)" if dead and figures else ""), "dim"),),
    )  # fmt: skip


def _up(daemon: Daemon) -> str:
    return age(daemon.up_s) if daemon.up_s >= 0 else "-"


SHARD_HEAD = ("SHARD", "STATE", "SCHEDULER", "STANDBY", "EPOCH", "VERSION")


def shard_row(shard: Shard) -> Line:
    """Return one row under SHARD_HEAD."""
    if shard.owner:
        split = "both" in shard.problem
        word: Part = ("✖ split", "bad") if split else ("● active", "good")
    elif shard.claimant:
        word = (f"◐ {shard.phase}", "doubt")
    else:
        word = ("✖ nobody", "bad")
    standby: Part = (shard.standby or "none", "plain" if shard.standby else "doubt")
    if shard.standby and not shard.copied_epoch:
        standby = (f"{shard.standby} (no copy)", "doubt")
    who = shard.owner or shard.claimant
    return (
        (str(shard.id), "plain"),
        word,
        (who or "nobody", "strong" if shard.owner else "bad"),
        standby,
        (str(epoch_n(shard.epoch) or "-"), "plain"),
        (shard.version[:12] or "-", "dim"),
    )


def problem_parts(problem: Problem) -> tuple[Part, Part]:
    """Return mark and text, and the fix."""
    tone = SEVERITY_TONES[problem.severity]
    return (f"{MARKS[problem.severity]} {problem.text}", tone), (f"→ {problem.fix}", "dim")


def count_problems(problems: Sequence[Problem]) -> Line:
    """Return how many there are of each severity."""
    if not problems:
        return (("● no problems", "good"),)
    counts: list[Part] = []
    for severity, tone in SEVERITY_TONES.items():
        n = sum(1 for p in problems if p.severity == severity)
        if n:
            counts.append((f"{MARKS[severity]} {n} {severity}{GAP}", tone))
    return tuple(counts)


def text_of(line: Iterable[Part]) -> str:
    """Return a line without its tones."""
    return "".join(text for text, _ in line)
