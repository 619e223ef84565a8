"""Somebody who gives commands all the time, and repeats each with its id until it is accepted."""

from typing import TYPE_CHECKING

from msgspec import Struct

from daemons.wire.messages import Accepted, Message, Submit, Submitted
from tests.sim.cluster import KEYS, PASSIVE
from tests.sim.network import WALL

if TYPE_CHECKING:
    from tests.sim.cluster import World

KINDS = ("comment", "comment", "downtime", "passive", "custom", "ack")
AGAIN_S = 2.0


class Given(Struct):
    """One command and what became of it."""

    id: str
    kind: str
    key: str
    line: str
    accepted: str = ""  # the server of the receiver that said that it is on its disk
    refused: str = ""  # a scheduler said why it will never be applied


class Sender:
    """Gives a command every few seconds until `until_s`."""

    def __init__(self, world: "World", until_s: float) -> None:
        self.world = world
        self.sim = world.sim
        self.until_s = until_s
        self.given: dict[str, Given] = {}
        self.receivers = [d.name for d in world.cluster.daemons if d.role == "receiver"]
        self.sim.later(6.0, None, self.next)

    def next(self) -> None:
        """Give one command."""
        if self.sim.now_s >= self.until_s:
            return
        random = self.sim.random
        name = f"cmd-{len(self.given)}"
        kind, key = random.choice(KINDS), random.choice(KEYS)
        if kind == "passive":
            key = PASSIVE
        given = self.given[name] = Given(name, kind, key, self._line(kind, key, name))
        self.submit(given)
        self.sim.later(random.uniform(0.3, 3.0), None, self.next)

    def submit(self, given: Given) -> None:
        """Hand it to a module of some receiver, and again later unless that accepts it."""
        if given.accepted:
            return
        sim = self.sim
        node = sim.nodes[sim.random.choice(self.receivers)]
        item = Submitted(given.id, given.line, sim.now_s)

        def told(answer: Message) -> None:
            assert isinstance(answer, Accepted) and not answer.refused, answer
            if given.id in answer.durable:
                given.accepted = given.accepted or node.server.name

        if node.runs:
            sim.later(0.0, node, lambda: node.enter(Submit("pipe", (item,)), told))
        sim.later(AGAIN_S, None, lambda: self.submit(given))

    def _line(self, kind: str, key: str, name: str) -> str:
        svc = "SVC" if ";" in key else "HOST"
        wall = int(WALL + self.sim.now_s)
        far = wall + 1_000_000
        text = {
            "comment": f"ADD_{svc}_COMMENT;{key};1;ann;{name}",
            "downtime": f"SCHEDULE_{svc}_DOWNTIME;{key};{far};{far + 60};1;0;60;ann;{name}",
            "passive": f"PROCESS_SERVICE_CHECK_RESULT;{key};{self.sim.random.randrange(4)};{name}",
            "custom": f"SEND_CUSTOM_{svc}_NOTIFICATION;{key};2;ann;{name}",
            "ack": f"ACKNOWLEDGE_{svc}_PROBLEM;{key};2;0;1;ann;{name}",
        }[kind]
        return f"[{wall}] {text}"
