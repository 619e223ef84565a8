"""Wishes move what runs, and only to who can take it; a pause moves nothing off the dead."""

from daemons.ha.dispatch import Seen, View, Wish, plan
from daemons.model.cluster import ROLES, DaemonDef
from daemons.model.objects import ShardDef
from daemons.wire.messages import ShardHeld

SHARD = ShardDef(1, "All", "v1", 3, 6)
OWNS = {"scheduler-master": ShardHeld(1, "v1", 100, "active", 100, 7)}
FOLLOWS = {"scheduler-spare": ShardHeld(1, "v1", 0, "standby", 100, 7)}


def daemon(name, role, address, spare=False):
    return DaemonDef(name=name, role=role, address=address, port=1, spare=spare, realm="All")


DOCUMENTED = [
    *(daemon(f"{role}-master", role, "a1") for role in ROLES if role != "arbiter"),
    daemon("poller-2", "poller", "a2"),
    *(daemon(f"{role}-spare", role, "a3", spare=True) for role in ROLES if role != "arbiter"),
]


class World:
    """The documented set-up, planned again and again."""

    def __init__(self, **holds):
        self.holds = OWNS | FOLLOWS | holds
        self.dead = set()
        self.last = None

    def plan(self, *wishes, frozen=False, shard=SHARD):
        active = {m.name for m in self.last.members if m.active} if self.last else set()
        daemons = tuple(
            Seen(
                d,
                "dead" if d.name in self.dead else "alive",
                active=d.name in active,
                holds=(self.holds[d.name],) if d.name in self.holds else (),
            )
            for d in DOCUMENTED
        )
        placed = self.last.shards if self.last else ()
        self.last = plan(View("arbiter-master", daemons, (shard,), placed, wishes, frozen))
        return self.last

    def who(self):
        return {m.name for m in self.last.members if m.active}

    def runs(self):
        (placed,) = self.last.shards
        return placed.scheduler, placed.standby


def test_a_wish_moves_a_shard_to_the_standby_that_is_in_step_and_it_stays():
    world = World()
    world.plan()
    assert world.runs() == ("scheduler-master", "scheduler-spare")

    moved = world.plan(Wish("shard/1", "scheduler-spare"))
    assert world.runs() == ("scheduler-spare", "scheduler-master")
    assert "as ordered" in moved.why[0]
    assert not world.plan(Wish("shard/1", "scheduler-spare")).why
    assert world.plan().shards[0].scheduler == "scheduler-spare"  # without the wish it stays too


def test_a_wish_waits_for_a_standby_that_is_not_in_step_unless_it_is_forced():
    for behind in (
        ShardHeld(1, "v0", 0, "standby", 100, 7),  # older body
        ShardHeld(1, "v1", 0, "standby", 90, 7),  # copy of an owner before this one
        ShardHeld(1, "v1", 0, "standby"),  # no copy
    ):
        world = World(**{"scheduler-spare": behind})
        world.plan()
        world.plan(Wish("shard/1", "scheduler-spare"))
        assert world.runs() == ("scheduler-master", "scheduler-spare")
        world.plan(Wish("shard/1", "scheduler-spare", force=True))
        assert world.runs()[0] == "scheduler-spare"


def test_a_wish_for_a_dead_daemon_moves_nothing():
    world = World()
    world.plan()
    world.dead = {"scheduler-spare", "broker-spare", "poller-spare"}
    world.plan(
        Wish("shard/1", "scheduler-spare"),
        Wish("broker-master", "broker-spare"),
        Wish("poller-master", "poller-spare"),
    )
    assert world.runs()[0] == "scheduler-master"
    assert {"broker-master", "poller-master"} <= world.who()


def test_a_broker_and_a_poller_are_relieved_by_whom_the_wish_names():
    world = World()
    world.plan()
    wishes = (Wish("broker-master", "broker-spare"), Wish("poller-master", "poller-spare"))
    world.plan(*wishes)
    assert "broker-spare" in world.who() and "broker-master" not in world.who()
    assert "poller-spare" in world.who() and "poller-master" not in world.who()
    assert "poller-2" in world.who()
    assert not world.plan(*wishes).why


def test_whoever_can_relieves_a_daemon_when_the_wish_names_nobody():
    world = World()
    world.plan()
    world.plan(Wish("receiver-master", ""), Wish("poller-2", ""), Wish("reactionner-master", ""))
    assert "receiver-spare" in world.who() and "receiver-master" not in world.who()
    assert "poller-spare" in world.who() and "poller-2" not in world.who()
    assert "reactionner-spare" in world.who() and "reactionner-master" not in world.who()


def test_a_relieved_daemon_serves_again_when_who_relieved_it_died():
    world = World()
    world.plan()
    wishes = (Wish("broker-master", "broker-spare"), Wish("poller-master", "poller-spare"))
    world.plan(*wishes)
    world.dead = {"broker-spare", "poller-spare"}
    world.plan(*wishes)
    assert {"broker-master", "poller-master"} <= world.who()


def test_while_frozen_nothing_moves_off_a_dead_server_but_a_wish_is_obeyed():
    world = World()
    world.plan()
    before = (world.who(), world.runs())
    world.dead = {d.name for d in DOCUMENTED if d.address == "a1"}
    world.plan(frozen=True)
    assert (world.who(), world.runs()) == before

    world.dead = set()
    world.plan(Wish("shard/1", "scheduler-spare"), frozen=True)
    assert world.runs()[0] == "scheduler-spare"


def test_what_was_frozen_moves_as_soon_as_the_pause_ends():
    world = World()
    world.plan()
    world.dead = {d.name for d in DOCUMENTED if d.address == "a1"}
    world.plan(frozen=True)
    world.plan()
    assert world.runs()[0] == "scheduler-spare"
    assert "broker-spare" in world.who()
