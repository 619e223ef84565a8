"""What an operator can have done: one external command, for now.

The one thing to know: a command keeps the id it was given here, so that asking again after a lost
answer never applies it twice.
"""

import secrets
from collections.abc import Callable, Sequence

from msgspec import Struct

from console.facts import Snapshot
from console.feed import Asker
from daemons.net import clock
from daemons.net.client import Refused, Unreachable
from daemons.wire.codec import BadMessage, decode, encode
from daemons.wire.messages import Accepted, Submit, Submitted

ANSWER_S = 3.0  # a receiver answers when the line is on its disk


class Outcome(Struct, frozen=True):
    """What became of a command. `code` is the exit code: 0 taken, 1 refused, 3 nobody answered."""

    code: int
    text: str
    id: str


def receivers_of(snapshot: Snapshot) -> list[str]:
    """Return the receivers to try, the best first: active ones, then whoever may be alive."""
    rank = {"alive": 0, "suspect": 1, "unknown": 2, "dead": 3}
    crew = [d for d in snapshot.daemons if d.role == "receiver"]
    return [d.name for d in sorted(crew, key=lambda d: (not d.active, rank[d.health]))]


def stamped(line: str, wall: float) -> str:
    """Return the line as command files have it: `[time] NAME;argument;...`."""
    line = line.strip()
    return line if line.startswith("[") else f"[{int(wall)}] {line}"


def submit(line: str, receivers: Sequence[str], connect: Callable[[str], Asker | None]) -> Outcome:
    """Give one command to the first of `receivers` that answers; return what became of it."""
    wall = clock.now().wall
    item = Submitted(secrets.token_hex(8), stamped(line, wall), wall)
    body = encode(Submit("shinken", (item,)))
    silent = []
    for name in receivers:
        asker = connect(name)
        if asker is None:
            continue
        try:
            answer = decode(asker.ask(body, ANSWER_S))
        except (Unreachable, Refused, BadMessage) as error:
            silent.append(str(error))
            continue
        finally:
            asker.close()
        if isinstance(answer, Accepted):
            return _outcome(item.id, name, answer)
        silent.append(f"{name}: {getattr(answer, 'why', type(answer).__name__)}")
    return Outcome(3, "no receiver took it: " + ("; ".join(silent) or "none is defined"), item.id)


def _outcome(id: str, name: str, answer: Accepted) -> Outcome:
    if id in answer.durable:
        return Outcome(0, f"durable: {name} has it on disk and sees it to its scheduler", id)
    if id in answer.refused:
        return Outcome(1, f"refused by {name}: {answer.refused[id]}", id)
    if id in answer.foreign:
        return Outcome(1, f"foreign: {name} knows no such host", id)
    return Outcome(1, f"{name} could not write it to its disk in time; it may still be applied", id)
