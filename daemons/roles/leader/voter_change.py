"""The leader's part in who votes: the configuration proposes, this changes one server at a time.

The one thing to know: it only repeats one order (`Convene`) to every keeper; what the order is follows
from what the keepers say they count with (`ha.voterset.next_order`), so a new leader goes on where the
last one was.
"""

import logging
from collections.abc import Mapping

from daemons.ha.voterset import members, next_order
from daemons.model.clock import Mono, Now
from daemons.model.cluster import Cluster, Epoch, epoch_n
from daemons.roles.role import Call
from daemons.wire.board import Convene, VoterSet
from daemons.wire.messages import Census

log = logging.getLogger(__name__)

REPEAT_S = 0.5  # between two orders to one keeper
FRESH_S = 2.0  # older answers of a keeper say nothing about now
LANE = "voters"


class VoterChange:
    """One leader's view of the voter set."""

    def __init__(self, cluster: Cluster, wanted: tuple[int, ...]) -> None:
        """`wanted`: the voters by the configuration."""
        self.names = {s.index: s.name for s in cluster.servers}
        self.wanted = tuple(sorted(wanted))
        self.order: VoterSet | None = None
        self._busy: set[str] = set()
        self._due: dict[str, float] = {}
        self._told: tuple[int, tuple[int, ...]] | None = None

    def tick(self, epoch: Epoch, census: Mapping[str, tuple[Mono, Census]], now: Now) -> list[Call]:
        """Return the orders to the keepers that count with other voters."""
        heard = {
            index: census[name][1]
            for index, name in self.names.items()
            if name in census and now.mono - census[name][0] < FRESH_S
        }
        seen = {i: c.voters for i, c in heard.items() if c.voters is not None}
        synced = [i for i in seen if heard[i].synced]
        self.order = next_order(seen, synced, self.wanted, self._ready(heard), epoch)
        if self.order is None:
            return []
        self._tell(self.order)
        calls = []
        for index, theirs in seen.items():
            name = self.names[index]
            if theirs == self.order or name in self._busy or now.mono < self._due.get(name, 0.0):
                continue
            self._busy.add(name)
            self._due[name] = now.mono + REPEAT_S
            calls.append(Call(f"keeper@{name}", Convene(self.order), timeout_s=1.0, lane=LANE))
        return calls

    def answered(self, call: Call) -> None:
        """The keeper that `call` asked may be asked again; what it says comes with its census."""
        self._busy.discard(call.to.partition("@")[2])

    def voters(self) -> frozenset[str]:
        """Return the names of those who vote, as far as the configuration knows them; empty: not heard yet."""
        if self.order is None:
            return frozenset()
        return frozenset(self.names[v] for v in members(self.order) if v in self.names)

    def problems(self) -> tuple[str, ...]:
        """Return what an operator should know: the configuration names other voters than those that vote."""
        if self.order is None or set(self.order.voters) == set(self.wanted):
            return ()
        vote, wanted = self._list(self.order.voters), self._list(self.wanted)
        return (f"the voters are {vote}; the configuration names {wanted}: one joins when all keepers see it, then one leaves",)

    def _ready(self, heard: Mapping[int, Census]) -> list[int]:
        """Who could vote: it answers, has votes to lose, and everybody who answers knows where it is."""
        return [
            index
            for index, census in heard.items()
            if census.voters is not None
            and all(
                other == index or any(s.name == self.names[index] for s in theirs.servers)
                for other, theirs in heard.items()
            )
        ]

    def _tell(self, order: VoterSet) -> None:
        said = (order.version, order.voters)
        if self._told != said:
            if self._told is not None:
                log.warning("voters epoch=%d version=%d voters=%s was=%s", epoch_n(order.by), order.version,
                            self._list(order.voters), self._list(order.old))  # fmt: skip
            self._told = said

    def _list(self, servers: tuple[int, ...]) -> str:
        return ", ".join(self.names.get(s, f"unknown server {s}") for s in servers) or "-"
