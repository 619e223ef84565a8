"""Realms inside realms, tags, weights and several shards per scheduler, as `plan` deals with them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.ha.dispatch import Plan, Seen, View, plan
from daemons.model.cluster import DaemonDef, RealmDef, RoleName
from daemons.model.objects import ShardDef
from daemons.wire.messages import ShardHeld

ALL, PARIS, TOKYO = "All", "Paris", "Tokyo"
REALMS = (RealmDef(ALL), RealmDef(PARIS, ALL), RealmDef(TOKYO, ALL))
ROLES: tuple[RoleName, ...] = ("scheduler", "poller", "reactionner", "broker", "receiver")


def daemon(
    name: str,
    role: RoleName = "scheduler",
    realm: str = ALL,
    *,
    spare: bool = False,
    at: str = "",
    tags: tuple[str, ...] = (),
    weight: int = 1,
    sub: bool = True,
) -> DaemonDef:
    return DaemonDef(
        name=name, role=role, address=at or f"on-{name}", port=1, spare=spare, realm=realm,
        tags=tags, weight=weight, manage_sub_realms=sub,
    )  # fmt: skip


def shard(id: int, realm: str = ALL, hosts: int = 10, **more: tuple[str, ...]) -> ShardDef:
    return ShardDef(id, realm, f"v{id}", hosts, 0, **more)


class World:
    """Some daemons and shards; the last plan is what the next starts from."""

    def __init__(
        self,
        *daemons: DaemonDef,
        shards: tuple[ShardDef, ...],
        realms: tuple[RealmDef, ...] = REALMS,
    ) -> None:
        self.daemons, self.shards, self.realms = daemons, shards, realms
        self.last: Plan | None = None
        self.holds: dict[str, tuple[ShardHeld, ...]] = {}

    def plan(self, *dead: str, unknown: tuple[str, ...] = ()) -> Plan:
        active = {m.name for m in self.last.members if m.active} if self.last else set()
        seen = tuple(
            Seen(
                d,
                "dead" if d.name in dead else "unknown" if d.name in unknown else "alive",
                d.name in active,
                self.holds.get(d.name, ()),
            )
            for d in self.daemons
        )
        placed = self.last.shards if self.last else ()
        self.last = plan(View("arbiter", seen, self.shards, placed, realms=self.realms))
        return self.last

    def owners(self) -> dict[int, str]:
        assert self.last
        return {p.id: p.scheduler for p in self.last.shards}


def parent_and_child() -> World:
    return World(
        daemon("s-all"), daemon("s-spare", spare=True), daemon("s-paris", realm=PARIS),
        *(daemon(f"{role}-all", role) for role in ROLES[1:]),
        shards=(shard(1), shard(101, PARIS)),
    )  # fmt: skip


def test_satellites_of_a_parent_realm_serve_the_shards_of_its_children() -> None:
    here, there = parent_and_child().plan().shards

    assert (there.scheduler, there.pollers, there.brokers) == (
        "s-paris",
        ("poller-all",),
        ("broker-all",),
    )
    assert (
        (there.reactionners, there.receivers)
        == (here.reactionners, here.receivers)
        == (("reactionner-all",), ("receiver-all",))
    )


def test_satellites_that_do_not_manage_sub_realms_serve_their_own_realm_only() -> None:
    world = World(
        daemon("s-all"), daemon("s-paris", realm=PARIS),
        daemon("p-all", "poller", sub=False), daemon("p-paris", "poller", PARIS),
        shards=(shard(1), shard(101, PARIS)),
    )  # fmt: skip
    here, there = world.plan().shards

    assert (here.pollers, there.pollers) == (("p-all",), ("p-paris",))


def test_satellites_of_a_child_never_serve_its_parent() -> None:
    world = World(daemon("s-all"), daemon("p-paris", "poller", PARIS), shards=(shard(1),))

    assert world.plan().shards[0].pollers == ()


def test_the_spare_of_the_parent_realm_stands_in_for_the_scheduler_of_a_child() -> None:
    world = parent_and_child()
    assert world.plan().shards[1].standby == "s-spare"
    fresh = world.plan("s-paris")

    assert world.owners() == {1: "s-all", 101: "s-spare"}
    assert fresh.why == ("shard 101 goes to s-spare: s-paris is dead",)
    assert fresh.problems == ()


def test_a_spare_of_a_child_or_of_a_sister_realm_is_no_spare() -> None:
    world = World(
        daemon("s-all"), daemon("s-paris", realm=PARIS), daemon("t-spare", realm=TOKYO, spare=True),
        shards=(shard(1), shard(101, PARIS)),
    )  # fmt: skip
    world.plan()
    fresh = world.plan("s-all", "s-paris")

    assert world.owners() == {1: "", 101: ""}
    assert fresh.problems == (
        "shard 1 of realm All (10 hosts) has no live scheduler: s-all is dead",
        "shard 101 of realm Paris (10 hosts) has no live scheduler: s-paris is dead",
    )


def test_the_spare_of_the_realm_itself_goes_before_that_of_the_parent() -> None:
    world = World(
        daemon("a-spare", spare=True), daemon("z-spare", realm=PARIS, spare=True), daemon("s-paris", realm=PARIS),
        shards=(shard(101, PARIS),),
    )  # fmt: skip
    world.plan()
    world.plan("s-paris")

    assert world.owners() == {101: "z-spare"}


def test_a_spare_poller_of_the_parent_stands_in_only_where_one_is_missing() -> None:
    world = World(
        daemon("s-all"), daemon("s-paris", realm=PARIS), daemon("s-tokyo", realm=TOKYO),
        daemon("p-all", "poller", sub=False), daemon("p-spare", "poller", spare=True),
        daemon("p-paris", "poller", PARIS), daemon("p-tokyo", "poller", TOKYO),
        shards=(shard(1), shard(101, PARIS), shard(201, TOKYO)),
    )  # fmt: skip
    assert [p.pollers for p in world.plan().shards] == [("p-all",), ("p-paris",), ("p-tokyo",)]

    assert [p.pollers for p in world.plan("p-paris").shards] == [
        ("p-all",),
        ("p-spare",),
        ("p-tokyo",),
    ]
    assert [p.pollers for p in world.plan().shards] == [("p-all",), ("p-paris",), ("p-tokyo",)]


def test_a_tagged_poller_does_not_count_for_untagged_work() -> None:
    """SHK#1288: one surviving tagged poller kept the spare from the untagged checks."""
    world = World(
        daemon("s"), daemon("p-1", "poller"), daemon("p-dmz", "poller", tags=("dmz",)),
        daemon("p-spare", "poller", spare=True),
        shards=(shard(1, poller_tags=("", "dmz")),),
    )  # fmt: skip
    world.plan()

    assert world.plan("p-1").shards[0].pollers == ("p-dmz", "p-spare")
    fresh = world.plan("p-dmz")
    assert fresh.shards[0].pollers == ("p-1",)
    assert fresh.problems == (
        "nobody does the work of realm All with poller_tag dmz: p-dmz is dead",
    )


def test_a_spare_that_takes_tagged_and_untagged_work_stands_in_for_both() -> None:
    world = World(
        daemon("s"), daemon("p-1", "poller"), daemon("p-dmz", "poller", tags=("dmz",)),
        daemon("p-spare", "poller", spare=True, tags=("", "dmz")),
        shards=(shard(1, poller_tags=("", "dmz")),),
    )  # fmt: skip

    assert world.plan().shards[0].pollers == ("p-1", "p-dmz")
    assert world.plan("p-dmz").shards[0].pollers == ("p-1", "p-spare")
    assert world.plan("p-1").shards[0].pollers == ("p-dmz", "p-spare")
    assert world.plan("p-1", "p-dmz").problems == ()


def test_one_broker_serves_a_realm_unless_its_links_are_complete() -> None:
    brokers = (
        daemon("b-1", "broker"),
        daemon("b-2", "broker"),
        daemon("b-spare", "broker", spare=True),
    )
    one = World(daemon("s"), *brokers, shards=(shard(1),))
    every = World(
        daemon("s"),
        *brokers,
        shards=(shard(1),),
        realms=(RealmDef(ALL, broker_complete_links=True),),
    )

    assert one.plan().shards[0].brokers == ("b-1",)
    assert one.plan("b-1").shards[0].brokers == ("b-2",)
    assert every.plan().shards[0].brokers == ("b-1", "b-2")
    assert every.plan("b-1").shards[0].brokers == ("b-2", "b-spare")


def test_the_realms_own_broker_goes_before_that_of_the_parent() -> None:
    world = World(
        daemon("s-paris", realm=PARIS), daemon("a-all", "broker"), daemon("b-paris", "broker", PARIS),
        shards=(shard(101, PARIS),),
    )  # fmt: skip

    assert world.plan().shards[0].brokers == ("b-paris",)
    assert world.plan("b-paris").shards[0].brokers == ("a-all",)
    assert world.plan().shards[0].brokers == ("a-all",)  # what runs goes on


def test_without_a_spare_the_living_share_the_shards_by_weight_and_take_no_more_than_they_must() -> (
    None
):
    world = World(
        *(daemon(f"s{n}", weight=4 if n == 1 else 1) for n in range(1, 5)),
        shards=tuple(shard(n) for n in range(1, 5)),
    )
    world.plan()
    before = world.owners()
    assert sorted(before.values()) == ["s1", "s2", "s3", "s4"]
    world.last = None  # no copies: a new leader that sees two of them running
    world.holds = {name: (ShardHeld(id, f"v{id}", 5, "active"),) for id, name in before.items()}
    world.plan("s3", "s4")

    assert sorted(world.owners().values()) == ["s1", "s1", "s1", "s2"]
    assert {i: n for i, n in world.owners().items() if n == before[i]}.keys() >= {
        i for i, n in before.items() if n in ("s1", "s2")
    }


def test_a_returned_master_gets_nothing_back_by_itself_and_stands_by() -> None:
    world = World(daemon("s1"), daemon("s2"), shards=(shard(1), shard(2)))
    world.plan()
    mine = next(i for i, name in world.owners().items() if name == "s1")
    world.plan("s1")
    assert set(world.owners().values()) == {"s2"}
    fresh = world.plan()

    assert set(world.owners().values()) == {"s2"}
    assert {p.id: p.standby for p in fresh.shards}[mine] == "s1"


def test_a_master_that_is_still_starting_is_waited_for_shard_by_shard() -> None:
    world = World(
        daemon("s1"), daemon("s2"), daemon("s-spare", spare=True), shards=(shard(1), shard(2))
    )
    world.plan(unknown=("s2",))
    assert sorted(world.owners().values()) == ["", "s1"]

    world.plan("s2")
    assert sorted(world.owners().values()) == ["s-spare", "s1"]


def test_standbys_are_on_other_servers_and_spread() -> None:
    world = World(
        daemon("s1", at="a"), daemon("s1b", at="a"), daemon("s2", at="b"), daemon("s3", at="c"),
        shards=tuple(shard(n) for n in range(1, 5)),
    )  # fmt: skip
    where = {d.name: d.address for d in world.daemons}
    placed = world.plan().shards

    assert all(where[p.standby] != where[p.scheduler] for p in placed)
    assert len({p.standby for p in placed}) >= 3


WORLD = (
    *(daemon(f"{role}-all", role, at="a") for role in ROLES),
    *(daemon(f"{role}-all-spare", role, spare=True, at="b") for role in ROLES),
    *(daemon(f"{role}-paris", role, PARIS, at="c") for role in ROLES),
    daemon("scheduler-2", at="b", weight=2), daemon("poller-dmz", "poller", tags=("dmz",), at="b"),
    daemon("poller-spare-2", "poller", spare=True, tags=("", "dmz"), at="c"),
)  # fmt: skip
STATES = st.lists(
    st.sets(st.sampled_from([d.name for d in WORLD]), max_size=len(WORLD)), min_size=1, max_size=4
)


@given(STATES)
@settings(max_examples=150, deadline=None)
def test_planned_again_nothing_changes_and_nothing_living_is_left_idle(
    deaths: list[set[str]],
) -> None:
    world = World(*WORLD, shards=(shard(1, poller_tags=("", "dmz")), shard(2), shard(101, PARIS)))
    for dead in deaths:
        before = {p.id: p for p in world.last.shards} if world.last else {}
        fresh = world.plan(*dead)
        again = world.plan(*dead)
        assert (again.members, again.shards, again.why) == (fresh.members, fresh.shards, ())
        for placed in fresh.shards:
            last = before.get(placed.id)
            if last is not None and last.scheduler and last.scheduler not in dead:
                assert placed.scheduler == last.scheduler
            able = {
                d.name
                for d in WORLD
                if d.role == "scheduler"
                and (d.realm == placed.realm or (d.spare and d.realm == ALL))
            }
            assert bool(placed.scheduler) == bool(able - dead)
            assert bool(placed.standby) == (len(able - dead) > 1)
            names = {
                *placed.pollers,
                *placed.reactionners,
                *placed.brokers,
                *placed.receivers,
                placed.scheduler,
                placed.standby,
            }
            assert not names & dead
            assert len(placed.brokers) <= 1 and len(placed.receivers) <= 1


def test_of_many_dead_a_few_are_named() -> None:
    world = World(*(daemon(f"s{n:02d}") for n in range(30)), shards=(shard(1),))
    world.plan()
    (problem,) = world.plan(*(f"s{n:02d}" for n in range(30))).problems

    assert problem.endswith("s07 is dead, and 22 more")
