"""Who should do what: from what a leader sees to the roster it orders. Pure, stable, adopting.

Stable: planned again on its own outcome it changes nothing. Adopting: what runs goes on running where
it runs, whoever planned it, unless its daemon is dead or an operator wishes otherwise. Satellites are chosen in crews.py, schedulers
in placement.py.
"""

from msgspec import Struct
from msgspec.structs import replace

from daemons.ha.crews import crews
from daemons.ha.placement import in_step, place
from daemons.ha.view import Seen, Tree, View, Wish
from daemons.wire.messages import Member, Placed


class Plan(Struct, frozen=True):
    """What the roster should say, and a sentence for each thing that changed and why."""

    members: tuple[Member, ...]
    shards: tuple[Placed, ...]
    why: tuple[str, ...]
    problems: tuple[str, ...]  # what could not be placed


def plan(view: View) -> Plan:
    """Return who is active and where each shard runs."""
    why: list[str] = []
    problems: list[str] = []
    tree = Tree(view.realms)
    serving = crews(view, tree, why, problems)
    decided, placed = place(view, tree)
    shards = tuple(
        replace(
            shard,
            pollers=serving[shard.realm, "poller"],
            reactionners=serving[shard.realm, "reactionner"],
            brokers=serving[shard.realm, "broker"],
            receivers=serving[shard.realm, "receiver"],
        )
        for shard in placed
    )
    active = {view.leader, *(name for crew in serving.values() for name in crew)}
    active |= {shard.scheduler for shard in shards if shard.scheduler}
    members = tuple(
        Member(
            name=s.define.name,
            role=s.define.role,
            realm=s.define.realm,
            spare=s.define.spare,
            active=s.define.name in active,
            tags=s.define.tags,
        )
        for s in view.daemons
    )
    return Plan(members, shards, (*why, *decided.why), (*problems, *decided.problems))


__all__ = ["Plan", "Seen", "View", "Wish", "in_step", "plan"]
