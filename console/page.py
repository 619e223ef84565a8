"""The status page: what `shinken status` and `shinken-console --once` print.

Pure: a snapshot and a width in, lines of toned texts out; `printed` makes strings of them.
"""

from collections.abc import Iterable, Sequence
from textwrap import wrap

from console.facts import Daemon, Problem, Snapshot
from console.rows import (
    GAP,
    SHARD_HEAD,
    Line,
    Part,
    Tone,
    age,
    age_of,
    count_problems,
    fitted,
    keeper_state,
    problem_parts,
    shard_row,
    state,
    title,
)
from daemons.model.cluster import ROLES, epoch_n

WIDTH_MIN = 60
CODES: dict[Tone, str] = {"strong": "1", "dim": "2", "good": "32", "doubt": "33", "bad": "1;31"}
ASCII = str.maketrans(
    {"●": "*", "○": "o", "◐": "~", "✖": "X", "▲": "!", "·": "-", "→": ">", "…": "~"}
)
DAEMON_HEAD = ("ROLE", "NAME", "RANK", "SERVER", "STATE", "EPOCH", "SHARD", "PID", "AGE")
SERVER_HEAD = ("SERVER", "KEEPER", "AGE", "ADDRESS", "")


def page(snapshot: Snapshot, width: int) -> list[Line]:
    """Return the whole page for a terminal of `width` columns."""
    width = max(WIDTH_MIN, width)
    return [
        title(snapshot),
        (),
        *_servers(snapshot, width),
        (),
        *table(DAEMON_HEAD, _daemon_rows(snapshot), width, shrink=(1, 3)),
        *(_shards(snapshot, width) if snapshot.shards else ()),
        (),
        *problem_lines(snapshot.problems, width),
    ]


def problem_lines(problems: Sequence[Problem], width: int) -> list[Line]:
    """Return the problems, worst first, each with its fix below it."""
    if not problems:
        return [count_problems(problems)]
    lines: list[Line] = [(("PROBLEMS  ", "strong"), *count_problems(problems))]
    for problem in problems:
        (text, tone), (fix, fix_tone) = problem_parts(problem)
        for n, part in enumerate(wrap(text, width - 2, break_on_hyphens=False)):
            lines.append(((part if n == 0 else f"  {part}", tone),))
        for n, part in enumerate(wrap(fix, width - 6, break_on_hyphens=False)):
            lines.append(((f"    {part}" if n == 0 else f"      {part}", fix_tone),))
    return lines


def table(
    head: Sequence[str], rows: Sequence[Line], width: int, shrink: Sequence[int] = ()
) -> list[Line]:
    """Return head and rows in columns; those numbered in `shrink` give way when it is too wide."""
    widths = [max([len(h), *(len(row[i][0]) for row in rows)]) for i, h in enumerate(head)]
    over = sum(widths) + len(GAP) * (len(widths) - 1) - width
    gap = GAP if over <= 0 else " "
    over -= (len(GAP) - len(gap)) * (len(widths) - 1)
    for column in shrink:
        cut = max(0, min(over, widths[column] - 8))
        widths[column] -= cut
        over -= cut
    lines: list[Line] = [(("".join(_spread(head, widths, gap)).rstrip(), "dim"),)]
    for row in rows:
        texts = _spread([text for text, _ in row], widths, gap)
        lines.append(tuple((text, tone) for text, (_, tone) in zip(texts, row, strict=True)))
    return lines


def _spread(texts: Sequence[str], widths: Sequence[int], gap: str) -> list[str]:
    return [fitted(text, wide) + gap for text, wide in zip(texts, widths, strict=True)]


def printed(lines: Iterable[Line], colour: bool, encoding: str = "utf-8") -> str:
    """Return the lines as one text, with ANSI colours or none, in signs that `encoding` has."""
    out = []
    for line in lines:
        parts = [(text, CODES.get(tone, "") if colour else "") for text, tone in _trimmed(line)]
        out.append("".join(f"\x1b[{code}m{text}\x1b[0m" if code else text for text, code in parts))
    text = "\n".join(out)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(ASCII).encode(encoding, "replace").decode(encoding)
    return text


def _trimmed(line: Line) -> Line:
    """Without blanks at its end."""
    if not line:
        return line
    *before, (text, tone) = line
    if text.strip():
        return (*before, (text.rstrip(), tone))
    return _trimmed(tuple(before))


def _servers(snapshot: Snapshot, width: int) -> list[Line]:
    rows: list[Line] = []
    for server in snapshot.servers:
        alive = "votes only" if server.votes_only else ""
        why: Part = (alive if server.keeper == "alive" else server.why, "dim")
        rows.append(
            (
                (server.name, "plain"),
                keeper_state(server),
                (age(server.age_s), "dim"),
                (server.address, "plain"),
                why,
            )
        )
    return table(SERVER_HEAD, rows, width, shrink=(4, 3, 0))


def _daemon_rows(snapshot: Snapshot) -> list[Line]:
    """Role by role, realm by realm, masters before spares."""
    rows: list[Line] = []
    for role in ROLES:
        crew = [d for d in snapshot.daemons if d.role == role]
        realms = list(dict.fromkeys(d.realm for d in crew))
        for daemon in sorted(crew, key=lambda d: (realms.index(d.realm), d.spare)):
            rows.append(_daemon_row(daemon, rows))
    return rows


def _daemon_row(daemon: Daemon, above: Sequence[Line]) -> Line:
    is_first = not any(line[0][0] == daemon.role for line in above)
    owned = ",".join(str(h.id) for h in daemon.shards if h.phase == "active")
    kept = ",".join(str(h.id) for h in daemon.shards if h.phase != "active")
    return (
        (daemon.role if is_first else "", "plain"),
        (daemon.name, "strong" if daemon.active else "plain"),
        ("spare" if daemon.spare else "master", "plain"),
        (daemon.server, "plain"),
        state(daemon),
        (str(epoch_n(daemon.epoch) or "-"), "plain" if daemon.is_live else "dim"),
        (owned or (f"({kept})" if kept else "-"), "plain"),
        (str(daemon.pid or "-"), "plain"),
        age_of(daemon),
    )


def _shards(snapshot: Snapshot, width: int) -> list[Line]:
    return [
        (),
        *table(SHARD_HEAD, [shard_row(s) for s in snapshot.shards], width, shrink=(5, 3, 2)),
    ]
