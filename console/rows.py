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
STATE_WIDTH, AGE_WIDTH = 9, 4


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


class CellWidths(Struct, frozen=True):
    """How the width of one matrix cell is spent; 0 = that part is left out."""

    name: int
    server: int = 0
    epoch: int = 0
    load: int = 0

    @property
    def total(self) -> int:
        """Columns of the whole cell."""
        return STATE_WIDTH + 1 + self.name + AGE_WIDTH + 1 + self.server + self.epoch + self.load


def cell_widths(snapshot: Snapshot, width: int) -> CellWidths:
    """Return what fits a matrix cell of `width` columns: the name first, then server, epoch, load."""
    room = width - STATE_WIDTH - AGE_WIDTH - 2
    name = max(8, min(max((len(d.name) for d in snapshot.daemons), default=8), room))
    room -= name
    spent = []
    for wanted in (max((len(s.name) for s in snapshot.servers), default=0) + 1, 4, 6):
        spent.append(wanted if 0 < wanted <= room else 0)
        room -= spent[-1]
    return CellWidths(name, *spent)


def cell_head(label: str, widths: CellWidths) -> str:
    """Return the head of a matrix column, over its parts."""
    parts = [f"{label:<{STATE_WIDTH}} {'daemon':<{widths.name}}"]
    parts += [f" {'server':<{widths.server - 1}}"] if widths.server else []
    parts += [f"{'ep':>{widths.epoch}}"] if widths.epoch else []
    parts += [f"{'cpu':>{widths.load}}"] if widths.load else []
    return "".join(parts) + f" {'age':>{AGE_WIDTH}}"


def cell(daemon: Daemon | None, widths: CellWidths) -> Line:
    """Return one cell of the matrix: state, name, what else fits, age."""
    if daemon is None:
        return (("-", "dim"),)
    word, tone = state(daemon)
    told: Tone = "plain" if daemon.is_live else "dim"
    parts: list[Part] = [
        (f"{word:<{STATE_WIDTH}} ", tone),
        (fitted(daemon.name, widths.name), "strong" if daemon.active else told),
    ]
    if widths.server:
        parts.append((" " + fitted(daemon.server, widths.server - 1), told))
    if widths.epoch:
        parts.append((f"{epoch_n(daemon.epoch) or '-':>{widths.epoch}}", told))
    if widths.load:
        load = f"{daemon.cpu_percent:.0f}%" if daemon.is_live else "-"
        parts.append((f"{load:>{widths.load}}", told))
    old, tone = age_of(daemon)
    return (*parts, (f" {old if daemon.age_s >= 0 else '-':>{AGE_WIDTH}}", tone))


def role_label(pair: Pair, snapshot: Snapshot) -> str:
    """Return the name of a matrix row: its role, with the realm where there are several."""
    realms = {d.realm for d in snapshot.daemons if d.role != "arbiter"}
    if len(realms) > 1 and pair.role != "arbiter":
        return f"{pair.role} {pair.realm}"
    return pair.role if pair.is_first else ""


def is_well(pair: Pair) -> bool:
    """Whether neither daemon of a row needs a look."""
    return all(
        d is None or (d.health == "alive" and not d.problems) for d in (pair.master, pair.spare)
    )


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
        parts += [(word, tone), (f" {server.name} ", "plain"), ("votes only " if server.votes_only else "", "dim"), (age(server.age_s) + GAP, "dim")]
    return tuple(parts)


def details(daemon: Daemon) -> tuple[Line, ...]:
    """Return everything known of one daemon, in four lines."""
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
            (f"{GAP}last change: {daemon.last_change}" if daemon.last_change else "", told),
        ),
        (
            (f"pid {daemon.pid or '-'}  epoch {epoch_n(daemon.epoch) or '-'}  up {_up(daemon)}  "
             f"restarts {daemon.restarts}" + ("" if dead else f"  cpu {daemon.cpu_percent:.0f}%  memory {size(daemon.rss_bytes)}"), told),
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
