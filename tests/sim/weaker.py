"""Roles with one protection taken away, by name: a protection that no test misses is not tested.

Those inside the scheduler are its own `without`; here are the others.
"""

from collections.abc import Callable

from daemons.ha.board import Board
from daemons.ha.lease import Claims
from daemons.ha.vote import NEVER, Voter
from daemons.model.clock import Mono, Now
from daemons.model.cluster import Epoch
from daemons.roles.highest import Highest
from daemons.roles.keeper import Keeper, voters_of
from daemons.roles.role import Role
from daemons.roles.standing import Standing
from daemons.wire.messages import Claimed, Fence, Message
from tests.sim.network import Node

PROTECTIONS = {
    "result-fencing": "a result is applied though a newer one was, or nobody ordered it",
    "write-ahead": "output leaves before it is kept",
    "retention": "a new owner starts from nothing",
    "notification-ids": "a new owner gives the same notification another id",
    "poller-fencing": "pollers obey any epoch",
    "reactionner-fencing": "reactionners obey any epoch",
    "broker-fencing": "brokers believe any owner",
    "lease-check": "schedulers and arbiters act on after the end of a lease",
    "persist": "disks forget what they are told",
    "quarantine": "a voter grants at once after its start",
    "live-lease": "a voter grants a lease that has not run out",
    "vouching": "a keeper vouches for a process that acts on",
    "progress": "a keeper renews for daemons that hang",
    "fence-first": "a new owner plans before the reactionners obey it",
    "journal": "reactionners forget what they claimed",
    "claims": "reactionners claim nothing at the keepers, and owners believe that they would have",
}


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


def weaken(role: Role, kind: str, without: frozenset[str]) -> None:
    """Take protections away from a daemon that has not been entered yet."""
    if f"{kind}-fencing" in without:
        role.highest = Credulous(role.durable())
    if "claims" in without and kind == "reactionner":
        role._claiming._keepers = {}
    if "lease-check" in without and kind in ("arbiter", "scheduler"):
        was = role.standing
        role.standing = Careless(was.name, was.role, was.instance, was.pid)


def weaken_keeper(keeper: Keeper, without: frozenset[str], now: Mono) -> None:
    """Take protections away from a keeper that has not been entered yet."""
    voter: type[Voter] = Voter
    if "quarantine" in without:
        voter = HastyVoter
    if "live-lease" in without:
        voter = DoubleVoter
    claims = Indulgent if "progress" in without else Claims
    if voter is Voter and claims is Claims:
        return
    kind = type("WeakBoard", (Board,), {"voter_kind": voter, "claims_kind": claims})
    keeper.board = kind(
        keeper.server.index, voters_of(keeper.cluster), keeper.terms, keeper.promises,
        keeper.jitter, now,
    )  # fmt: skip


def instead(without: frozenset[str]) -> Callable[[Node, Message], Message | None]:
    """Return what answers in place of a role, None where the role itself does."""

    def answer(node: Node, message: Message) -> Message | None:
        if "fence-first" in without and isinstance(message, Fence):
            return Claimed(message.shard)
        return None

    return answer
