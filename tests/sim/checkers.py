"""What must hold at every instant, by name; what must come true in the end is in ending.py.

I1  two daemons hold one lease at an instant (a server whose clocks stood still is excused)
I2  somebody obeys a lower epoch after a higher one: rosters, checks, notifications, broks
I3  an epoch is held by two instances, or is lower on a disk than it was
I5  somebody is refused for an epoch that nobody ever held
I6  what is said to be on two servers is not (keeping.py); a result that reached its poller is lost (ending.py)
I7  a notification runs twice without saying so, an event handler runs twice; one never ran (ending.py)
I8  a command is not applied exactly once (ending.py)
I9  a broker writes a line twice, or out of order; a line is missing (ending.py)
I10 a new owner leaves behind what it could have had; a result is in memory only for long (keeping.py)
I12 a daemon runs something for a shard that no roster gave it
R   a result lands on another object, or a status goes back to an older result
M   what the language says is not done: a reminder's number, interval, contact (language.py)
W   something leaves a scheduler before it is kept (keeping.py)
P   a lease is renewed for a daemon that has stood still for long
Q   a queue is longer than its limit
"""

from collections import defaultdict

import msgspec

from daemons.model.check import Order, Result
from daemons.roles.arbiter import Arbiter
from daemons.roles.keeper import Keeper
from daemons.roles.poller import Poller
from daemons.roles.reactionner import Reactionner
from daemons.roles.scheduler import Scheduler
from daemons.roles.shard.owned import OwnedShard
from daemons.roles.shard.seat import ShardSeat
from daemons.wire.codec import decode_delta
from daemons.wire.messages import (
    Accepted,
    Actions,
    Broks,
    Claimed,
    Delta,
    Enrolled,
    Exchange,
    Fence,
    Fenced,
    Lent,
    Load,
    Message,
    Restored,
    Roster,
    Submit,
    TakeActions,
)
from tests.sim.cluster import SHARD, World
from tests.sim.keeping import Keeping
from tests.sim.language import Language
from tests.sim.network import Node
from tests.sim.relations import RULE
from tests.sim.services import Ran

LEASE = f"shard/{SHARD}"
COARSE_S = 0.5  # between two looks at what is costly to look at
TRUST_S = 0.5  # after its clocks stood still a server may believe in a lease for so long beyond its length
HANG_S = 3.5  # so long after a lease's length whoever stands still has lost it
_results = msgspec.msgpack.Decoder(list[Result]).decode

Position = tuple[int, int]


class Violation(AssertionError):
    """An invariant was broken: its name first."""


def holders(world: World, lease: str) -> list[tuple[Node, int]]:
    """Return who may act under `lease` at this instant, and its epoch."""
    found = []
    for node in world.sim.nodes.values():
        role = node.role
        if isinstance(role, Scheduler | Arbiter) and not node.paused:
            epoch = role.standing.holds(lease, node.server.now())
            if epoch:
                found.append((node, epoch))
    return found


class Checker:
    """Called after every action, and by the fakes with what happens; raises Violation."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sim = world.sim
        self.daemons = {
            node: None for node in self.sim.nodes.values() if node.name.startswith(("arbiter", "scheduler"))
        }  # in order
        self.issued: dict[tuple[str, int], str] = {}  # by lease and epoch: instance
        self.rosters: dict[str, int] = {}  # highest epoch enrolled under, by daemon
        self.obeyed: dict[str, int] = defaultdict(int)  # highest epoch of the shard, by satellite
        self.named: dict[str, set[str]] = defaultdict(set)  # ids told to a new owner, by reactionner
        self.ran: dict[str, list[Ran]] = defaultdict(list)  # by id
        self.told: dict[str, list[Ran]] = defaultdict(list)  # problems untagged, by service
        self.lineages: dict[str, set[str]] = defaultdict(set)  # by object: more than one, it was lost
        self.run_at_s: dict[tuple[str, int, int], float] = {}  # by object, epoch, seq
        self.handed: dict[tuple[str, int, int], tuple[str, int]] = {}  # results: poller, its life
        self.settled: set[tuple[str, int, int]] = set()  # results that a poller was told to forget
        self.batches: dict[tuple[str, int], list[Result]] = {}  # by poller instance and id
        self.refused: dict[str, str] = {}
        self.fed_at: dict[str, Position] = {}  # by broker
        self.fed_lines: set[Position] = set()
        self.newest = 0  # highest epoch that somebody owned the shard under
        self.owners: dict[str, OwnedShard] = {}
        self.applied: dict[tuple[int, str], Position] = {}  # by owner's epoch and object
        self.epochs: dict[tuple[str, str], int] = {}  # on disk, by daemon or keeper and lease
        self.serving: set[tuple[str, int]] = set()  # lives of reactionners that were on a roster
        self.coarse_s = 0.0
        self.keeping = Keeping(self)
        self.language: Language | None = None
        world.checker = self
        self.sim.seen = self.seen

    def broken(self, text: str) -> None:
        """Say that an invariant is broken."""
        raise Violation(text)

    # -- at every instant

    def __call__(self, node: Node | None) -> None:
        """Look at what `node` has just done: time alone gives nobody a right."""
        if node in self.daemons:
            self._who_acts()
            role = node.role
            if isinstance(role, Scheduler) and SHARD in role.seats and not node.paused:
                self._seat(node, role.seats[SHARD])
        if self.sim.now_s >= self.coarse_s:
            self.coarse_s = self.sim.now_s + COARSE_S
            self._coarse()

    def _who_acts(self) -> None:
        holding: dict[str, list[str]] = {"arbiter": [], LEASE: []}
        now_s = self.sim.now_s
        for node in self.daemons:
            role = node.role
            if role is None or not role.standing.leases or node.paused_until_s > now_s:
                continue
            now = node.server.now()
            for lease, names in holding.items():
                epoch = role.standing.holds(lease, now)
                if epoch:
                    self._holds(lease, epoch, role.instance, node.name)
                    if not self.excused(node):
                        names.append(f"{node.name} {epoch}")
        for lease, names in holding.items():
            if len(names) > 1:
                self.broken(f"I1 two holders of {lease}: {names}")

    def excused(self, node: Node) -> bool:
        """Its clocks stood still just now, or it may be one of two sides: nobody promises anything."""
        trusted = self.sim.now_s - node.server.clock_stopped_s > self.world.setup.lease_s + TRUST_S
        return self.world.setup.two_sided or not trusted

    def _holds(self, lease: str, epoch: int, instance: str, name: str) -> None:
        known = self.issued.setdefault((lease, epoch), instance)
        if known != instance:
            self.broken(f"I3 epoch {epoch} of {lease} is held by {instance} ({name}), before by {known}")

    def _seat(self, node: Node, seat: ShardSeat) -> None:
        owned = seat.owned
        if owned is None:
            if seat._taking is not None and seat.copy.epoch:
                self.keeping.copy_of(node, seat.copy.records, seat.copy.epoch)
            self.owners.pop(node.name, None)
            return
        if self.owners.get(node.name) is not owned:
            self.owners[node.name] = owned
            self.sim.note(f"{node.name} owns {LEASE} epoch {owned.epoch}: {seat.why}")
            if owned.epoch <= self.newest and not self.excused(node):
                self.broken(f"I2 {node.name} begins under epoch {owned.epoch} after {self.newest}")
            self.newest = max(self.newest, owned.epoch)
            self.keeping.inherited(node, owned)
        self.keeping.durable(node, owned)

    def _coarse(self) -> None:
        for node in self.sim.nodes.values():
            role = node.role
            match role:
                case Keeper() if not node.paused:
                    self._renewals(node, role)
                case Poller():
                    if not 0 <= role.running <= role.capacity or role.kept > role.kept_max:
                        self.broken(f"Q {node.name} runs {role.running} checks, keeps {role.kept}")
                case Reactionner():
                    if len(role._held) > role.capacity:
                        self.broken(f"Q {node.name} holds {len(role._held)} actions")
                case Scheduler() if node.name in self.owners and not node.paused:
                    self._statuses(node, self.owners[node.name])
                    self.keeping.look(node, self.owners[node.name])
                    if self.language is not None and (why := self.language.look(node, self.owners[node.name])):
                        self.broken(f"M {why}")
            self._epochs(node)
        self.keeping.restless()

    def _epochs(self, node: Node) -> None:
        """I3 and I5: epochs known on a disk grow, and somebody held each that orders are refused by."""
        role = node.role
        if isinstance(role, Keeper):
            known = {name: promise.epoch for name, promise in role.promises.names.items()}
        elif role is None or isinstance(role, Arbiter):
            return
        else:
            known = role.highest._seen
        for lease, epoch in known.items():
            if epoch < self.epochs.get((node.name, lease), 0):
                self.broken(f"I3 {node.name} knows epoch {epoch} of {lease} after {self.epochs[node.name, lease]}")
            self.epochs[node.name, lease] = epoch
            if epoch and not isinstance(role, Keeper) and (lease, epoch) not in self.issued:
                self.broken(f"I5 {node.name} refuses orders below epoch {epoch} of {lease}, which nobody held")

    def _renewals(self, node: Node, keeper: Keeper) -> None:
        if keeper.board is None:
            return
        hang_s = self.world.setup.lease_s + HANG_S
        for daemon in self.sim.nodes.values():
            role = daemon.role
            if role is None or daemon.server is not node.server or not daemon.paused:
                continue
            if self.sim.now_s - max(daemon.paused_since_s, node.server.clock_stopped_s) < hang_s:
                continue
            held = keeper.board.claims.held(role.instance, node.server.now().mono)
            if held and node.paused_until_s < self.sim.now_s - hang_s:
                self.broken(f"P {daemon.name} stands still and {node.name} renews {held[0].name}")

    def _statuses(self, node: Node, owned: OwnedShard) -> None:
        for key, item in owned.state.items.items():
            status = item.status
            self.lineages[key].add(status.lineage)
            if status.output and not status.passive and not status.output.startswith(f"{key} "):
                self.broken(f"R {key} shows {status.output!r}")
            place = (status.applied_epoch, status.applied_seq)
            before = self.applied.get((owned.epoch, key), (0, 0))
            if place < before:
                self.broken(f"R {key} went back from result {before} to {place} at {node.name}")
            if place != (0, 0) and key != RULE and (key, *place) not in self.run_at_s:
                self.broken(f"R {key} has result {place}, which nobody ran")
            self.applied[(owned.epoch, key)] = place

    # -- messages

    def seen(self, node: Node, message: Message, answer: Message) -> None:
        """`node` has answered."""
        match message, answer:
            case Roster(epoch=epoch), Enrolled():
                if epoch < self.rosters.get(node.name, 0) and not node.name.startswith("arbiter"):
                    self.broken(f"I2 {node.name} follows a roster of epoch {epoch} after {self.rosters[node.name]}")
                self.rosters[node.name] = max(epoch, self.rosters.get(node.name, 0))
                if isinstance(node.role, Reactionner) and node.role._serves:  # a coarse look may miss it
                    self.serving.add((node.name, node.life))
            case Fence(_, epoch), Claimed(_, actions):
                self.obeyed[node.name] = max(epoch, self.obeyed[node.name])
                self.named[node.name].update(entry.id for entry in actions)
            case Exchange(), Lent():
                self._lent(node, message, answer)
            case TakeActions(), Actions(actions=actions):
                for action in actions:
                    if action.kind == "notification":
                        self.keeping.left(node, f"a/{action.id}")
            case Submit(), Accepted() if isinstance(node.role, Scheduler):
                for name in answer.durable:
                    self._acked(node, name)
                self.refused |= answer.refused
            case _, Broks(deltas=deltas):
                for delta in map(decode_delta, deltas):
                    if delta.logs and delta.n > 0:
                        self.keeping.left(node, f"l/{delta.epoch}.{delta.n}")
            case _:
                pass
        if isinstance(node.role, Keeper):
            return  # a voter keeps what it promised, though the candidate may not have won
        if isinstance(answer, Fenced) and answer.highest and (answer.lease, answer.highest) not in self.issued:
            self.broken(f"I5 {node.name} refuses {type(message).__name__} for epoch {answer.highest}, which nobody held")

    def _acked(self, node: Node, name: str) -> None:
        key = f"x/{name}"
        if key not in self.keeping.promised:
            self.sim.note(f"{node.name} says that {name} is durable")
            if self.owners[node.name].epoch < self.newest and not self.excused(node):
                self.broken(f"I2 {node.name} says that {name} is durable after epoch {self.newest}")
        self.keeping.left(node, key)

    def _lent(self, node: Node, asked: Exchange, answer: Lent) -> None:
        for batch in asked.batches:
            self.batches[(asked.instance, batch.id)] = _results(batch.data)
        owned = self.owners.get(node.name)
        if owned is None:
            return
        for batch_id in answer.durable:
            for result in self.batches.get((asked.instance, batch_id), ()):
                self.settled.add((result.object, result.epoch, result.seq))
                if result.epoch <= owned.epoch:
                    self.keeping.left(node, f"o/{result.object}", (result.epoch, result.seq))

    # -- stores

    def loaded(self, node: Node, load: Load, answer: Message) -> None:
        """A scheduler's retention service gave what it has."""
        if isinstance(answer, Restored):
            self.keeping.loaded(node, load.store, answer)

    def disk_lost(self, node: Node) -> None:
        """What `node` had on its disk is gone, and nobody expects it to know.

        Not what it obeyed either: of two parted servers the other never heard of that epoch.
        """
        self.epochs = {key: epoch for key, epoch in self.epochs.items() if key[0] != node.name}
        self.rosters.pop(node.name, None)
        self.obeyed.pop(node.name, None)
        self.fed_at.pop(node.name, None)  # nor what it has written: that file burnt too

    # -- satellites

    def runs_check(self, node: Node, order: Order) -> None:
        """A poller's worker starts a plugin."""
        assert isinstance(node.role, Poller)
        if order.epoch < self.obeyed[node.name]:
            self.broken(f"I2 {node.name} checks {order.object} for epoch {order.epoch} after {self.obeyed[node.name]}")
        self.obeyed[node.name] = order.epoch
        if order.command != f"check {order.object}":
            self.broken(f"R {node.name} runs {order.command!r} for {order.object}")
        if not any(node.name in placed.pollers for placed in node.role.standing.shards):
            self.broken(f"I12 {node.name} checks {order.object} and is on no roster")
        self.run_at_s[(order.object, order.epoch, order.seq)] = self.sim.now_s
        if self.language is not None and (why := self.language.checks(order.object)):
            self.broken(f"M {why}")

    def came_back(self, node: Node, result: Result) -> None:
        """A poller has the result of a check."""
        self.handed[(result.object, result.epoch, result.seq)] = (node.name, node.life)

    def runs_action(self, node: Node, order: Order, ran: Ran) -> None:
        """A reactionner's worker starts a notification or an event handler."""
        if order.epoch < self.obeyed[node.name] and ran.id not in self.named[node.name]:
            self.broken(f"I2 {node.name} runs {ran.command!r} for epoch {order.epoch} after {self.obeyed[node.name]}")
        assert isinstance(node.role, Reactionner)
        if not node.role._serves and (node.name, node.life) not in self.serving:
            self.broken(f"I12 {node.name} runs {ran.command!r} and was on no roster")
        before = self.ran[ran.id]
        burnt = any(self.sim.nodes[was.who].server.name in self.world.burnt for was in before)
        if burnt and self.world.burnt_s > before[-1].at_s:
            before.clear()  # it was journalled on the one server that lost its disks: nobody knows
        if before and not ran.tagged:
            self.broken(f"I7 {ran.command!r} (id {ran.id[:8]}) runs again untagged on {node.name}, before: {before}")
        if before and ran.command.startswith("repair "):
            self.broken(f"I7 {ran.command!r} (id {ran.id[:8]}) runs again on {node.name}, before: {before}")
        before.append(ran)
        self._told(order, ran)
        if self.language is not None and (why := self.language.runs(ran)):
            self.broken(f"M {why}")

    def _told(self, order: Order, ran: Ran) -> None:
        """A service's problem is told no more often than it broke, whatever the ids say."""
        key, _, what = ran.command.removeprefix("tell ").partition(" ")
        if ";" not in key or not what.startswith("PROBLEM") or ran.tagged:
            return
        self.told[key].append(ran)
        often = self.world.broke[key]
        if len(self.told[key]) > often and not self.world.setup.two_sided and len(self.lineages[key]) < 2:
            self.broken(f"I7 the problem of {key}, which broke {often} times, is told again untagged: {self.told[key]}")

    def fed(self, node: Node, delta: Delta) -> None:
        """A broker writes the log lines of a delta."""
        place = (delta.epoch, delta.n)
        if place <= self.fed_at.get(node.name, (0, -1)):
            self.broken(f"I9 {node.name} writes {place} after {self.fed_at[node.name]}")
        self.fed_at[node.name] = place
        if delta.logs:
            self.fed_lines.add(place)
