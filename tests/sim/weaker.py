"""Roles with one protection taken away, by name: a protection that no test misses is not tested.

Those inside the scheduler are its own `without`, those of what a process does outside its role are in
cluster.py and services.py; here are the others. test_protections.py lists them all.
"""

from collections.abc import Callable

from daemons.ha.board import Board
from daemons.ha.lease import Claims
from daemons.ha.vote import NEVER, Voter
from daemons.model.clock import Mono, Now
from daemons.model.cluster import Epoch
from daemons.roles.broker import Broker
from daemons.roles.highest import Highest
from daemons.roles.keeper import Keeper, voters_of
from daemons.roles.poller import Poller
from daemons.roles.reactionner import Reactionner
from daemons.roles.receiver import Receiver
from daemons.roles.role import Call, Role, Wait
from daemons.roles.scheduler import Scheduler
from daemons.roles.shard.owned import OwnedShard
from daemons.roles.standing import Standing
from daemons.wire.messages import Accepted, Claimed, Fence, Lent, Message, Submit
from retention.api import Saved
from retention.memory import MemoryRetention
from tests.sim.network import Node


class Credulous(Highest):
    """Admits everything."""

    def admits(self, lease: str, epoch: Epoch) -> bool:
        super().admits(lease, epoch)
        return True


class Careless(Standing):
    """Holds what it was once told it holds."""

    def holds(self, lease: str, now: Now) -> Epoch:
        held = self.leases.get(lease)
        return held.epoch if held is not None else 0


class HastyVoter(Voter):
    """Grants at once after a start."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.quarantine = NEVER


class DoubleVoter(Voter):
    """Grants what another holds."""

    def _live(self, name: str, now: Mono) -> bool:
        return False


class Indulgent(Claims):
    """Renews for whoever ever said anything."""

    def _progressing(self, bid, now: Mono) -> bool:
        return True


class FromReply(Claims):
    """Counts a lease from the answer of the majority, not from the sending of the round."""

    def _deadline(self, asked, now: Mono) -> Mono:
        return self.terms.deadline(now)


class Exact(Claims):
    """Trusts all clocks to run alike, and allows no margin."""

    def _deadline(self, asked, now: Mono) -> Mono:
        return Mono(asked.sent + self.terms.lease_s)


class Forgetful(Poller):
    """Forgets a batch as soon as its owner has it."""

    def _settle(self, scheduler: str, link, asked, answer: Lent) -> None:
        ids = tuple(batch.id for batch in asked.batches)
        had = Lent(answer.owner, answer.serial, answer.shards, answer.chunks, ids)
        super()._settle(scheduler, link, asked, had)


class Timeless(Reactionner):
    """Starts what it was given however long ago."""

    def _given(self, scheduler: str, answer: Message, now: Now) -> list[Call]:
        calls = super()._given(scheduler, answer, now)
        for held in self._held.values():
            held.deadline_mono = float("inf")
        return calls


class Prompt(Receiver):
    """Answers before the spool has it."""

    def _submitted(self, asked, now: Now) -> Accepted | Wait:
        answer = super()._submitted(asked, now)
        if isinstance(answer, Wait):
            return Accepted(tuple(item.id for item in asked.items), (), {})
        return answer


class Hurried(Broker):
    """Takes for fed what it has handed to the modules."""

    def _next(self, shard: int, stream, now: Now) -> list[Call]:
        calls = super()._next(shard, stream, now)
        if stream.feed is not None and stream.feeding:
            stream.position = (stream.feed.epoch, stream.feed.n)
            stream.feed, stream.feeding = None, False
        return calls


def unfence(store: MemoryRetention) -> None:
    """Let the store take what any owner saves."""
    sound = store.save

    def save(shard: str, epoch: int, *rest) -> Saved:
        kept = store._kept.get(shard)
        if kept is not None and kept.epoch > epoch:
            kept.epoch, kept.n = epoch, 0
        return sound(shard, epoch, *rest)

    store.save = save


KINDS: dict[str, tuple[type, type]] = {
    "kept-results": (Poller, Forgetful),
    "budget": (Reactionner, Timeless),
    "spool-first": (Receiver, Prompt),
    "fed-first": (Broker, Hurried),
}
VOTERS = {"quarantine": HastyVoter, "live-lease": DoubleVoter}
CLAIMS = {"progress": Indulgent, "from-sending": FromReply, "clock-margin": Exact}


def weaken(role: Role, kind: str, without: frozenset[str]) -> None:
    """Take protections away from a daemon that has not been entered yet."""
    for name in without & KINDS.keys():
        sound, weak = KINDS[name]
        if type(role) is sound:
            role.__class__ = weak
    if f"{kind}-fencing" in without:
        role.highest = Credulous(role.durable())
    if "claims" in without and kind == "reactionner":
        role._claiming._keepers = {}
    if "lease-check" in without and kind in ("arbiter", "scheduler"):
        was = role.standing
        role.standing = Careless(was.name, was.role, was.instance, was.pid)


def weaken_keeper(keeper: Keeper, without: frozenset[str], now: Now) -> None:
    """Take protections away from a keeper that has not been entered yet."""
    voter = next((VOTERS[name] for name in VOTERS if name in without), Voter)
    claims = next((CLAIMS[name] for name in CLAIMS if name in without), Claims)
    if voter is Voter and claims is Claims:
        return
    keeper._board(now)  # makes what goes with it, too
    kind = type("WeakBoard", (Board,), {"voter_kind": voter, "claims_kind": claims})
    keeper.board = kind(
        keeper.server.index, voters_of(keeper.cluster), keeper.terms, keeper.promises,
        keeper.jitter, now.mono,
    )  # fmt: skip


def owned_by(node: Node) -> list[OwnedShard]:
    """Return the shards that `node` owns."""
    seats = node.role.seats.values() if isinstance(node.role, Scheduler) else ()
    return [seat.owned for seat in seats if seat.owned is not None]


def _forget(owned: OwnedShard, without: frozenset[str]) -> None:
    """Let a new owner work out no reminders, or not know how often it was told."""
    if "reminders" in without:
        owned.teller.reminders._due.clear()
    if "number-kept" in without:
        for item in owned.state.items.values():
            if item.traits.notification_interval_s:  # the others are told once, whatever their number
                item.status.notification_number = 0


def instead(without: frozenset[str]) -> Callable[[Node, Message], Message | None]:
    """Return what answers in place of a role, None where the role itself does."""

    begun: set[int] = set()  # epochs of owners that what they took up was taken from

    def answer(node: Node, message: Message) -> Message | None:
        if without & {"reminders", "number-kept"}:
            for owned in owned_by(node):
                if owned.epoch not in begun:
                    begun.add(owned.epoch)
                    _forget(owned, without)
        if "fence-first" in without and isinstance(message, Fence):
            return Claimed(message.shard)
        if "command-ids" in without and isinstance(message, Submit):
            for owned in owned_by(node):
                for item in message.items:
                    owned.commands._applied.pop(item.id, None)
        return None

    return answer
