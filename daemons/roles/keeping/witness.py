"""A keeper's isolation test: of two servers that do not hear each other, has this one lost the network?

The one thing to know: it says "isolated" only when witnesses were asked and none answered. Without one
to ask, nobody is isolated: then both of two parted servers go on, and the status says so.
"""

from daemons.model.clock import Mono, Now
from daemons.roles.role import Call
from daemons.wire.board import AskWitnesses, Witnesses
from daemons.wire.messages import Message

ASK_S = 0.5  # between two questions, and for how long an answer is waited for
MISSES = 2  # so many questions in a row without any answer: isolated
LANE = "witness"


class Witness:
    """What the witnesses of one server said."""

    def __init__(self, named: bool, wanted: bool) -> None:
        """`named`: by the setting, which is believed at once; a gateway only once it has ever answered.

        `wanted`: False for servers of a loopback network, which has no cable to lose.
        """
        self.named = named
        self.wanted = wanted
        self.seen: set[str] = set()  # answered at some time
        self.last = Witnesses()
        self.misses = 0
        self._asking = False
        self._due: float = 0.0

    def tick(self, now: Now, needed: bool) -> list[Call]:
        """Return the next question when it is due; none unless the board needs to know (`needed`)."""
        if not (needed and self.wanted) or self._asking or now.mono < self._due:
            return []
        self._asking, self._due = True, Mono(now.mono + ASK_S)
        return [Call("witness", AskWitnesses(ASK_S), timeout_s=2.0, lane=LANE)]

    def answered(self, answer: Message) -> None:
        """Count what the witnesses said."""
        self._asking = False
        if not isinstance(answer, Witnesses):
            return
        self.last = answer
        self.seen |= set(answer.answered)
        judges = set(answer.asked) if self.named else self.seen & set(answer.asked)
        if answer.answered or not judges:
            self.misses = 0
        else:
            self.misses += 1

    @property
    def isolated(self) -> bool:
        """Return whether no witness answers; what the peer says is the board's to weigh."""
        return self.misses >= MISSES

    def problems(self) -> tuple[str, ...]:
        """Return sentences for an operator: no witness, or one that is unfit or silent."""
        found = tuple(f"witness_ping: {why}" for why in self.last.unfit)
        if not self.wanted or self._due == 0.0:
            return found
        if self.isolated:
            return (*found, f"no witness answers: {', '.join(self.last.asked)}; without its peer this server stops acting")
        if not self.seen and not self._asking:
            asked = ", ".join(self.last.asked) or "there is none"
            found = (*found, f"no isolation test of the two servers: no witness has answered yet ({asked}); set witness_ping")
        return found
