"""What must hold at every instant, by name; the rest, what must come true in the end, is in ending.py.

I1  two daemons hold one lease at an instant (a server whose clocks stood still is excused)
I2  somebody obeys a lower epoch after a higher one: rosters, checks, notifications, broks
I3  an epoch is held by two instances
I7  a notification runs twice without saying so; an event handler runs twice
I9  a broker writes a line twice, or out of order
I10 a new owner leaves behind what it could have had
I12 a daemon runs something for a shard that no roster gave it
R   a result lands on another object, or a status goes back to an older result
W   something leaves a scheduler before it is kept
P   a lease is renewed for a daemon that has stood still for long
Q   a queue is longer than its limit
"""

from collections import defaultdict

import msgspec

from daemons.model.check import Order, Result
from daemons.model.status import Status
from daemons.roles.arbiter import Arbiter
from daemons.roles.keeper import Keeper
from daemons.roles.owned import OwnedShard
from daemons.roles.poller import Poller
from daemons.roles.reactionner import Reactionner
from daemons.roles.scheduler import Scheduler
from daemons.roles.shard_seat import ShardSeat
from daemons.wire.codec import decode_delta
from daemons.wire.messages import (
    Accepted,
    Actions,
    Broks,
    Claimed,
    Copied,
    Delta,
    Enrolled,
    Exchange,
    Failed,
    Fence,
    Lent,
    Load,
    Message,
    Replicate,
    Restored,
    Roster,
    Save,
    Submit,
    TakeActions,
)
from tests.sim.cluster import SHARD, World
from tests.sim.network import Node
from tests.sim.services import Ran

LEASE = f"shard/{SHARD}"
COARSE_S = 0.5  # between two looks at what is costly to look at
TRUST_S = 3.0  # after its clocks stood still a server may believe in a lease for so long
HANG_S = 6.0  # by then whoever stands still has lost its leases
_status = msgspec.msgpack.Decoder(Status).decode
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
        self.daemons = [
            node for node in self.sim.nodes.values() if node.name.startswith(("arbiter", "scheduler"))
        ]
        self.issued: dict[tuple[str, int], str] = {}  # by lease and epoch: instance
        self.rosters: dict[str, int] = {}  # highest epoch enrolled under, by daemon
        self.obeyed: dict[str, int] = defaultdict(int)  # highest epoch of the shard, by satellite
        self.named: dict[str, set[str]] = defaultdict(set)  # ids told to a new owner, by reactionner
        self.ran: dict[str, list[Ran]] = defaultdict(list)  # by id
        self.kept: set[str] = set()  # keys of records that somebody keeps besides their owner
        self.kept_results: dict[str, Position] = defaultdict(lambda: (0, 0))
        self.run_at_s: dict[tuple[str, int, int], float] = {}  # by object, epoch, seq
        self.batches: dict[tuple[str, int], list[Result]] = {}  # by poller instance and id
        self.acked: dict[str, tuple[int, str]] = {}  # commands called durable: epoch, by whom
        self.lost: dict[str, str] = {}  # of those: why nobody can have them any more
        self.refused: dict[str, str] = {}
        self.fed_at: dict[str, Position] = {}  # by broker
        self.fed_lines: set[Position] = set()
        self.lines: dict[Position, int] = {}  # log lines that became durable, and how many
        self.formed: dict[Position, int] = {}
        self.lost_lines: set[Position] = set()
        self.newest = 0  # highest epoch that somebody owned the shard under
        self.owners: dict[str, OwnedShard] = {}
        # what a scheduler instance could start from
        self.sources: dict[str, list[tuple[str, dict[str, bytes], Position]]] = defaultdict(list)
        self.applied: dict[tuple[int, str], Position] = {}  # by owner's epoch and object
        self.coarse_s = 0.0
        world.checker = self
        self.sim.seen = self.seen

    def broken(self, text: str) -> None:
        """Say that an invariant is broken."""
        raise Violation(text)

    # -- at every instant

    def __call__(self) -> None:
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
                    if now_s - node.server.clock_stopped_s > TRUST_S:
                        names.append(f"{node.name} {epoch}")
            if isinstance(role, Scheduler) and SHARD in role.seats:
                self._seat(node, role.seats[SHARD])
        for lease, names in holding.items():
            if len(names) > 1 and not self.world.setup.two_sided:
                self.broken(f"I1 two holders of {lease}: {names}")
        if now_s >= self.coarse_s:
            self.coarse_s = now_s + COARSE_S
            self._coarse()

    def _holds(self, lease: str, epoch: int, instance: str, name: str) -> None:
        known = self.issued.setdefault((lease, epoch), instance)
        if known != instance:
            self.broken(f"I3 epoch {epoch} of {lease} is held by {instance} ({name}), before by {known}")

    def _seat(self, node: Node, seat: ShardSeat) -> None:
        owned = seat.owned
        if owned is None:
            if seat._taking is not None and seat.copy.epoch:
                place = (seat.copy.epoch, seat.copy.n)
                held = self.sources[node.role.instance]
                held[:] = [s for s in held if s[0] != "copy"] + [("copy", seat.copy.records, place)]
            self.owners.pop(node.name, None)
            return
        if self.owners.get(node.name) is not owned:
            self.owners[node.name] = owned
            self.sim.note(f"{node.name} owns {LEASE} epoch {owned.epoch}: {seat.why}")
            if owned.epoch <= self.newest and not self.world.setup.two_sided:
                self.broken(f"I2 {node.name} begins under epoch {owned.epoch} after {self.newest}")
            self.newest = max(self.newest, owned.epoch)
            self._inherited(node, owned)
            self.sources.pop(node.role.instance, None)
        n = owned.journal.durable_n
        while n and (position := (owned.epoch, n)) in self.formed:
            self.lines[position] = self.formed.pop(position)
            if owned.epoch < self.newest:  # too late: another has gone on without it
                self.lost_lines.add(position)
            n -= 1

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
                case Scheduler() if node.name in self.owners:
                    self._statuses(node, self.owners[node.name])

    def _renewals(self, node: Node, keeper: Keeper) -> None:
        if keeper.board is None:
            return
        for daemon in self.sim.nodes.values():
            role = daemon.role
            if role is None or daemon.server is not node.server or not daemon.paused:
                continue
            if self.sim.now_s - max(daemon.paused_since_s, node.server.clock_stopped_s) < HANG_S:
                continue
            held = keeper.board.claims.held(role.instance, node.server.now().mono)
            if held and node.paused_until_s < self.sim.now_s - HANG_S:
                self.broken(f"P {daemon.name} stands still and {node.name} renews {held[0].name}")

    def _statuses(self, node: Node, owned: OwnedShard) -> None:
        for key, item in owned.state.items.items():
            status = item.status
            if status.output and not status.passive and not status.output.startswith(f"{key} "):
                self.broken(f"R {key} shows {status.output!r}")
            place = (status.applied_epoch, status.applied_seq)
            before = self.applied.get((owned.epoch, key), (0, 0))
            if place < before:
                self.broken(f"R {key} went back from result {before} to {place} at {node.name}")
            if place != (0, 0) and (key, *place) not in self.run_at_s:
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
            case Fence(_, epoch), Claimed(_, actions):
                self.obeyed[node.name] = max(epoch, self.obeyed[node.name])
                self.named[node.name].update(entry.id for entry in actions)
            case Replicate(), Copied(_, epoch, n) if (epoch, n) == (message.epoch, message.n):
                self._keep(decode_delta(message.delta))
            case Exchange(), Lent():
                self._lent(node, message, answer)
            case TakeActions(), Actions(actions=actions):
                for action in actions:
                    self._left(node, f"a/{action.id}")
            case Submit(), Accepted() if isinstance(node.role, Scheduler):
                for name in answer.durable:
                    self._left(node, f"x/{name}")
                    self._acked(node, name)
                self.refused |= answer.refused
            case _, Broks(deltas=deltas):
                for delta in map(decode_delta, deltas):
                    if delta.logs and delta.n > 0:
                        self._left(node, f"l/{delta.epoch}.{delta.n}")
            case _:
                pass

    def _acked(self, node: Node, name: str) -> None:
        if name in self.acked:
            return
        epoch = self.owners[node.name].epoch
        self.acked[name] = (epoch, node.name)
        self.sim.note(f"{node.name} says that {name} is durable")
        if epoch < self.newest:
            if not self.world.setup.two_sided:
                self.broken(f"I2 {node.name} says that {name} is durable after epoch {self.newest}")
            self.lost[name] = f"{node.name} is on the losing side"

    def _left(self, node: Node, key: str) -> None:
        if key not in self.kept:
            self.broken(f"W {key} leaves {node.name} before it is kept")

    def _lent(self, node: Node, asked: Exchange, answer: Lent) -> None:
        for batch in asked.batches:
            self.batches[(asked.instance, batch.id)] = _results(batch.data)
        owned = self.owners.get(node.name)
        if owned is None:
            return
        for batch_id in answer.durable:
            for result in self.batches.get((asked.instance, batch_id), ()):
                place = (result.epoch, result.seq)
                if result.epoch <= owned.epoch and self.kept_results[result.object] < place:
                    self.broken(
                        f"W {node.name} says that result {place} of {result.object} is durable,"
                        f" kept is {self.kept_results[result.object]}"
                    )

    # -- what is kept, and found again

    def saved(self, node: Node, save: Save, answer: Message) -> None:
        """A scheduler's retention service was asked to keep something."""
        if not isinstance(answer, Failed):
            self._keep_records(save.changed)

    def _keep(self, delta: Delta) -> None:
        self._keep_records(delta.changed)

    def _keep_records(self, records: dict[str, bytes]) -> None:
        self.kept.update(records)
        for key, value in records.items():
            if key.startswith("l/"):
                epoch, _, n = key[2:].partition(".")
                position = (int(epoch), int(n))
                if position not in self.lines:
                    self.formed[position] = len(msgspec.msgpack.decode(value))
            elif key.startswith("o/"):
                status = _status(value)
                place = (status.applied_epoch, status.applied_seq)
                self.kept_results[status.key] = max(place, self.kept_results[status.key])

    def loaded(self, node: Node, load: Load, answer: Message) -> None:
        """A scheduler's retention service gave what it has."""
        if isinstance(answer, Restored) and answer.found:
            # One that came back empty has deltas only: it counts when there is nothing else.
            place = (0, 0) if answer.partial else (answer.epoch, answer.n)
            held = self.sources[node.role.instance]
            name = f"store {load.store}"
            held[:] = [s for s in held if s[0] != name] + [(name, answer.records, place)]

    def _inherited(self, node: Node, owned: OwnedShard) -> None:
        """A new owner begins: it has the newest there was, and what nobody had is lost for good."""
        sources = self.sources[node.role.instance]
        newest = max((place for _, _, place in sources), default=(0, 0))
        must = self.acked.keys() - self.lost.keys()
        for name, records, place in sources:
            self.sim.note(f"  {node.name} had {name} at {place}, {len(records)} records")
            if place == (0, 0) or (place < newest and self.world.setup.two_sided):
                continue  # the last resort; another history
            for key, value in records.items():
                if key.startswith("x/") and key[2:] in must and key not in owned.state.extra:
                    self.broken(f"I10 {node.name} leaves {key} of its {name} at {place} behind")
                if key.startswith("o/") and place == newest:
                    was, item = _status(value), owned.state.items[key[2:]]
                    if (was.applied_epoch, was.applied_seq) > (
                        item.status.applied_epoch, item.status.applied_seq,
                    ):  # fmt: skip
                        self.broken(f"I10 {node.name} leaves {key} of its {name} at {place} behind")
        for name in self.acked:
            if f"x/{name}" not in owned.state.extra and name not in self.lost:
                self.lost[name] = f"{node.name} took over at {newest}"
                self.sim.note(f"  {name} is lost: it was said to be durable by {self.acked[name]}")
        have = {
            (formed.epoch, formed.n) for formed in owned.journal.ring._kept if formed.logs
        }
        self.lost_lines |= self.lines.keys() - have - self.fed_lines

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

    def runs_action(self, node: Node, order: Order, ran: Ran) -> None:
        """A reactionner's worker starts a notification or an event handler."""
        if order.epoch < self.obeyed[node.name] and ran.id not in self.named[node.name]:
            self.broken(f"I2 {node.name} runs {ran.command!r} for epoch {order.epoch} after {self.obeyed[node.name]}")
        before = self.ran[ran.id]
        if before and not ran.tagged:
            self.broken(f"I7 {ran.command!r} (id {ran.id[:8]}) runs again untagged on {node.name}, before: {before}")
        if before and ran.command.startswith("repair "):
            self.broken(f"I7 {ran.command!r} (id {ran.id[:8]}) runs again on {node.name}, before: {before}")
        before.append(ran)

    def fed(self, node: Node, delta: Delta) -> None:
        """A broker writes the log lines of a delta."""
        place = (delta.epoch, delta.n)
        if place <= self.fed_at.get(node.name, (0, -1)):
            self.broken(f"I9 {node.name} writes {place} after {self.fed_at[node.name]}")
        self.fed_at[node.name] = place
        if delta.logs:
            self.fed_lines.add(place)
