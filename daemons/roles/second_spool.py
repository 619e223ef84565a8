"""The second copy of a receiver's spool: each line is also given to a receiver of another server.

The one thing to know: the mate keeps copies and holds them back; it is told what has become durable
with a scheduler, and delivers itself what it is not told of. Ids make a second delivery harmless.
"""

from daemons.model.clock import Now
from daemons.model.cluster import Cluster
from daemons.roles.role import Call
from daemons.roles.standing import Standing
from daemons.wire.messages import Accepted, Message, Submit, Submitted

COPY_S = 0.5  # a sender waits so long for the second copy
HOLD_S = 3.0  # a copy is delivered by its keeper only after so long
AWAY_S = 2.0  # a mate that failed is asked again after so long
ANSWER_S = 2.0
BATCH = 1000  # lines in one request
COPIES_MAX = 100_000  # ids that a mate is known to have; as many as a spool has lines


class SecondSpool:
    """Which lines the mate has, and which it may forget."""

    def __init__(self, me: str, cluster: Cluster) -> None:
        """Nobody is known to be there yet."""
        self._me = me
        self._cluster = cluster
        self._mates: tuple[str, ...] = ()  # the first that is not away is asked
        self._away: dict[str, float] = {}  # mate -> until, mono
        self._waiting: dict[str, Submitted] = {}  # not given to anybody yet
        self._since: dict[str, float] = {}  # of lines without a second copy
        self._copies: dict[str, str] = {}  # id -> mate that has it
        self._finished: dict[str, list[str]] = {}  # ids to be forgotten, by mate
        self._flying = False
        self.alone = 0  # lines accepted on one server only

    def enrol(self, standing: Standing) -> None:
        """Choose the mates: receivers of this realm on other servers, in the roster's order."""
        mine = standing.member
        here = self._cluster.daemon(self._me)
        address = here.address if here is not None else ""
        self._mates = tuple(
            member.name
            for member in (standing.roster.members if standing.roster is not None else ())
            if member.role == "receiver"
            and (mine is None or member.realm == mine.realm)
            and (other := self._cluster.daemon(member.name)) is not None
            and other.address != address
        )

    def is_copy(self, sender: str) -> bool:
        """Return whether lines of `sender` are another receiver's: no third copy is made of them."""
        define = self._cluster.daemon(sender)
        return define is not None and define.role == "receiver" and sender != self._me

    def offer(self, item: Submitted, now: Now) -> None:
        """Have this line copied."""
        self._waiting[item.id] = item
        self._since[item.id] = now.mono

    def safe(self, line_id: str, now: Now) -> bool:
        """Return whether no sender needs to wait for a second copy of this line any more."""
        since = self._since.get(line_id)
        if since is None:
            return True
        if self._mate(now) and now.mono - since < COPY_S:
            return False
        del self._since[line_id]
        self.alone += bool(self._mates)
        return True

    def finished(self, line_id: str) -> None:
        """The line is durable with its scheduler: its copy is needed no more."""
        self._waiting.pop(line_id, None)
        self._since.pop(line_id, None)
        mate = self._copies.pop(line_id, "")
        if mate:
            self._finished.setdefault(mate, []).append(line_id)

    def calls(self, now: Now) -> list[Call]:
        """Return the next request to the mate: new lines, and ids that it may forget."""
        mate = self._mate(now)
        if not mate:
            self._waiting.clear()  # they are in our own spool
            return []
        finished = self._finished.get(mate, [])[:BATCH]
        items = tuple(self._waiting.values())[:BATCH]
        if self._flying or not (items or finished):
            return []
        self._flying = True
        for item in items:
            del self._waiting[item.id]
        ask = Submit(self._me, items, tuple(finished))
        return [Call(mate, ask, ANSWER_S, lane="copy")]

    def answered(self, call: Call, answer: Message, now: Now) -> None:
        """Note what the mate has."""
        asked = call.message
        assert isinstance(asked, Submit)
        self._flying = False
        if not isinstance(answer, Accepted):
            self._away[call.to] = now.mono + AWAY_S
            return
        self._away.pop(call.to, None)
        told = set(asked.finished)
        left = [i for i in self._finished.get(call.to, ()) if i not in told]
        self._finished[call.to] = left[-COPIES_MAX:]
        for line_id in answer.durable:
            if self._since.pop(line_id, None) is not None:
                self._copies[line_id] = call.to
            else:  # finished, or accepted without it, meanwhile
                self._finished[call.to].append(line_id)
        while len(self._copies) > COPIES_MAX:
            del self._copies[next(iter(self._copies))]

    def problems(self, now: Now) -> list[str]:
        """Return what an operator must know."""
        if self._mates and not self._mate(now):
            return ["durability of commands: one server, no other receiver answers"]
        return []

    def _mate(self, now: Now) -> str:
        up = (name for name in self._mates if now.mono >= self._away.get(name, 0.0))
        return next(up, "")
