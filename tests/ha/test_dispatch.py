"""`plan` decides who does what; here it is asked, and nothing is carried out."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemons.ha.dispatch import Plan, Seen, View, plan
from daemons.model.cluster import ROLES, DaemonDef
from daemons.model.objects import ShardDef
from daemons.wire.messages import Placed, ShardHeld

SHARD = ShardDef(1, "All", "v1", 3, 6)


def daemon(name, role, address, spare=False, **more):
    return DaemonDef(name=name, role=role, address=address, port=1, spare=spare, realm="All", **more)


DOCUMENTED = [
    daemon(f"{role}-master", role, "a1") for role in ROLES if role != "arbiter"
] + [
    daemon("poller-2", "poller", "a2"),
] + [daemon(f"{role}-spare", role, "a3", spare=True) for role in ROLES]


def seen(define, health="alive", **more):
    return Seen(define, health, **more)


@dataclass
class World:
    """The documented set-up; `dead` names are dead, the last plan is remembered."""

    dead: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    last: Plan | None = None
    holds: dict[str, tuple[ShardHeld, ...]] = field(default_factory=dict)

    def plan(self, shards=(SHARD,)):
        active = {m.name for m in self.last.members if m.active} if self.last else set()
        view = View(
            "arbiter-master",
            tuple(
                seen(
                    d,
                    "dead" if d.name in self.dead else "unknown" if d.name in self.unknown else "alive",
                    active=d.name in active,
                    holds=self.holds.get(d.name, ()),
                )
                for d in DOCUMENTED
            ),
            shards,
            self.last.shards if self.last else (),
        )
        self.last = plan(view)
        return self.last

    def active(self):
        return {m.name for m in self.last.members if m.active}


def test_masters_and_the_second_poller_serve_and_spares_wait():
    world = World()
    world.plan()

    assert world.active() >= {"poller-master", "poller-2", "broker-master", "scheduler-master"}
    assert not {n for n in world.active() if n.endswith("-spare")}
    (placed,) = world.last.shards
    assert (placed.scheduler, placed.standby) == ("scheduler-master", "scheduler-spare")


def test_a_shard_whose_scheduler_died_goes_to_the_spare_with_its_satellites():
    world = World()
    world.plan()
    world.dead = {d.name for d in DOCUMENTED if d.address == "a1"}
    world.plan()

    (placed,) = world.last.shards
    assert placed.scheduler == "scheduler-spare"
    assert placed.pollers == ("poller-2", "poller-spare")
    assert placed.brokers == ("broker-spare",)
    assert placed.reactionners == ("reactionner-spare",)
    assert any("scheduler-master is dead" in why for why in world.last.why)


def test_what_runs_stays_when_the_master_comes_back():
    world = World()
    world.plan()
    world.dead = {"scheduler-master", "broker-master"}
    world.plan()
    world.dead = set()
    world.plan()

    assert world.last.shards[0].scheduler == "scheduler-spare"
    assert world.last.shards[0].brokers == ("broker-spare",)
    assert world.last.shards[0].standby == "scheduler-master"


def test_a_new_leader_adopts_a_running_shard():
    world = World(holds={"scheduler-spare": (ShardHeld(1, "v1", 99, "active"),)})
    world.plan()

    assert world.last.shards[0].scheduler == "scheduler-spare"


def test_a_copy_of_the_state_counts_more_than_being_a_master():
    world = World(holds={"scheduler-spare": (ShardHeld(1, "v1", 0, "standby", 5, 70),)})
    world.plan()

    assert world.last.shards[0].scheduler == "scheduler-spare"


def test_spares_are_not_woken_while_nothing_is_known():
    world = World(unknown={d.name for d in DOCUMENTED if not d.spare})
    world.plan()

    assert not {n for n in world.active() if n.endswith("-spare")}
    assert world.last.shards[0].scheduler == ""


def test_a_tagged_spare_is_no_spare_for_untagged_work():
    tagged = daemon("poller-dmz", "poller", "a3", spare=True, tags=("dmz",))
    master = daemon("poller-master", "poller", "a1")
    view = View("a", (seen(master, "dead"), seen(tagged)), ())

    assert not any(m.active for m in plan(view).members)
    assert plan(view).problems == (
        "no poller is alive in realm All: poller-master is dead, poller-dmz takes only dmz",
    )


def test_a_shard_without_any_live_scheduler_is_reported():
    world = World(dead={"scheduler-master", "scheduler-spare"})
    world.plan()

    assert any("no live scheduler" in p for p in world.last.problems)


NAMES = [d.name for d in DOCUMENTED]
STATES = st.fixed_dictionaries(
    {name: st.sampled_from(["alive", "suspect", "dead", "unknown"]) for name in NAMES}
)
SHARDS = tuple(replace(SHARD, id=i, version=f"v{i}") for i in (1, 2, 3))


@given(STATES, STATES)
def test_planned_again_on_its_own_outcome_it_changes_nothing(before, after):
    last: tuple[Placed, ...] = ()
    active: set[str] = set()
    for states in (before, after):
        for again in (False, True):
            view = View(
                "arbiter-master",
                tuple(seen(d, states[d.name], active=d.name in active) for d in DOCUMENTED),
                SHARDS,
                last,
            )
            fresh = plan(view)
            if again:
                assert fresh.shards == last
                assert {m.name for m in fresh.members if m.active} == active
            last = fresh.shards
            active = {m.name for m in fresh.members if m.active}
    schedulers = [d.name for d in DOCUMENTED if d.role == "scheduler" and after[d.name] == "alive"]
    masters_unknown = after["scheduler-master"] == "unknown"
    for shard in last:
        if schedulers and not masters_unknown:
            assert shard.scheduler and after[shard.scheduler] != "dead"
        assert shard.standby != shard.scheduler or not shard.standby
