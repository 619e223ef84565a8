"""The arbiter by hand: it leads while it holds the lease, listens, plans and repeats the roster."""

from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import ROLES, Cluster, DaemonDef, ServerDef
from daemons.model.objects import ShardDef
from daemons.roles.arbiter import LEASE, Arbiter, Compiled
from daemons.roles.role import Call
from daemons.wire.board import Gone, Revoke
from daemons.wire.messages import (
    PAGE_BYTES_MAX,
    Beat,
    Census,
    CensusAsk,
    DaemonSeen,
    Done,
    Enrolled,
    Failed,
    Fenced,
    Fetch,
    Lease,
    Leases,
    LeaseSeen,
    NotMine,
    Page,
    Report,
    Roster,
    ServerSeen,
    ShardHeld,
    Shutdown,
)

SERVERS = tuple(ServerDef(f"server{n + 1}", f"a{n + 1}", n) for n in range(3))


def define(name, role, address, spare=False):
    return DaemonDef(name=name, role=role, address=address, port=1, spare=spare, realm="All")


DAEMONS = tuple(
    [define(f"{role}-master", role, "a1") for role in ROLES]
    + [define(f"{role}-spare", role, "a3", True) for role in ROLES]
)
SHARD = ShardDef(1, "All", "v1", 1, 1)


class Stage:
    """One arbiter; everybody else is a name in `silent`, or answers."""

    def __init__(self, name="arbiter-master", problems=()):
        self.mono = 500.0
        self.role = Arbiter(
            name=name, instance="me", pid=7,
            cluster=Cluster(name="c", daemons=DAEMONS, servers=SERVERS),
            compiled=Compiled((SHARD,), {"v1": b"x" * (PAGE_BYTES_MAX + 10)}, "cfg", problems),
        )  # fmt: skip
        self.epoch = 0  # of the lease it holds
        self.wants = ()
        self.silent: set[str] = set()
        self.reports: dict[str, Report] = {}
        self.leases: tuple[LeaseSeen, ...] = ()
        self.ages: dict[str, float] = {}
        self.rosters: dict[str, Roster] = {}
        self.revokes: list[Revoke] = []
        self.answers: dict[str, object] = {}
        self.asked: list[tuple[float, str]] = []

    @property
    def now(self):
        return Now(Mono(self.mono), Wall(1_800_000_000.0 + self.mono))

    def run(self, seconds):
        for _ in range(round(seconds / 0.1)):
            self.mono += 0.1
            for call in self.role.tick(self.now):
                self.role.answered(call, self.answer(call), self.now)

    def answer(self, call: Call):
        name = call.to
        match call.message:
            case Beat(wants=wants):
                self.wants = wants
                held = (Lease(LEASE, self.epoch, self.mono + 2.0),) if self.epoch and wants else ()
                return Leases(held)
            case CensusAsk():
                server = name.partition("@")[2]
                if server in self.silent:
                    return Failed("refused")
                others = tuple(
                    ServerSeen(s.name, self.ages.get(s.name, 0.2)) for s in SERVERS if s.name != server
                )
                address = next(s.address for s in SERVERS if s.name == server)
                daemons = tuple(
                    DaemonSeen(d.name, d.role, 9, f"{d.name}-i", True, 0.1, self.reports.get(d.name, Report()))
                    for d in DAEMONS
                    if d.address == address and d.name not in self.silent
                )
                leases = (*self.leases, LeaseSeen(LEASE, self.epoch, "me", 1.0))
                return Census(server, "k", 1, daemons, leases, others)
            case Roster() as roster:
                self.asked.append((self.mono, name))
                if name in self.silent:
                    return Failed("refused")
                self.rosters[name] = roster
                return self.answers.get(name) or Enrolled(
                    name, f"{name}-i", self.reports.get(name, Report())
                )
            case Revoke() as order:
                self.revokes.append(order)
                return Done()

    def lead(self, epoch=900):
        self.epoch = epoch
        self.run(1.0)
        return self


def test_a_master_wants_to_lead_at_once_and_a_spare_gives_it_time():
    master, spare = Stage(), Stage("arbiter-spare")
    master.run(0.5)
    spare.run(0.5)
    assert [w.lease for w in master.wants] == [LEASE]
    assert spare.wants == ()
    spare.run(5.0)
    assert [w.lease for w in spare.wants] == [LEASE]


def test_an_arbiter_with_a_bad_configuration_does_not_want_to_lead():
    stage = Stage(problems=("etc/x.cfg:3: error: no",))
    stage.run(6.0)

    assert stage.wants == () and stage.rosters == {}


def test_without_the_lease_nothing_is_ordered():
    stage = Stage()
    stage.run(3.0)

    assert stage.rosters == {}


def test_the_leader_tells_everybody_one_roster_and_repeats_it():
    stage = Stage().lead()

    assert stage.rosters.keys() == {d.name for d in DAEMONS} - {"arbiter-master"}
    assert len({(r.epoch, r.n) for r in stage.rosters.values()}) == 1
    (placed,) = stage.rosters["poller-master"].shards
    assert (placed.scheduler, placed.standby) == ("scheduler-master", "scheduler-spare")
    n = stage.rosters["poller-master"].n
    stage.asked.clear()
    stage.run(3.0)
    assert len([1 for _, name in stage.asked if name == "poller-master"]) == 3
    assert stage.rosters["poller-master"].n == n


def test_a_daemon_that_is_vouched_gone_is_replaced_within_a_tick_or_two():
    stage = Stage().lead()
    stage.silent.add("scheduler-master")
    assert stage.role.handle(Gone(0, ("scheduler-master-i",)), stage.now) == Done()
    stage.run(0.2)

    assert stage.rosters["poller-master"].shards[0].scheduler == "scheduler-spare"


def test_who_ended_with_the_last_leader_is_known_to_the_next_one_at_once():
    stage = Stage("arbiter-spare")
    stage.run(5.0)
    roster = Stage().lead().rosters["arbiter-spare"]
    stage.role.handle(roster, stage.now)
    for daemon in (d for d in DAEMONS if d.address == "a1"):  # `shinken stop` there
        stage.silent.add(daemon.name)
        stage.role.handle(Gone(0, (f"{daemon.name}-i",), (daemon.name,)), stage.now)
    stage.silent.add("server1")
    stage.epoch = 6000
    stage.run(1.2)

    (placed,) = stage.rosters["poller-spare"].shards
    assert (placed.scheduler, placed.brokers) == ("scheduler-spare", ("broker-spare",))


def test_who_ended_and_was_started_again_is_no_longer_gone_for_a_new_leader():
    stage = Stage("arbiter-spare")
    stage.run(5.0)
    stage.role.handle(Gone(0, ("earlier",), ("scheduler-master",)), stage.now)
    stage.lead(6000)
    stage.run(2.0)

    assert stage.role.daemons["scheduler-master"].health.state == "alive"


def test_a_hung_daemon_is_suspect_first_and_replaced_after_its_attempts():
    stage = Stage().lead()
    stage.silent.add("scheduler-master")
    stage.run(1.5)
    assert stage.rosters["poller-master"].shards[0].scheduler == "scheduler-master"
    stage.run(3.0)
    assert stage.rosters["poller-master"].shards[0].scheduler == "scheduler-spare"


def test_a_whole_server_that_is_silent_to_all_is_given_up_after_one_lease():
    stage = Stage().lead()
    stage.silent |= {d.name for d in DAEMONS if d.address == "a1"} | {"server1"}
    stage.ages["server1"] = 2.6
    stage.run(2.0)
    assert stage.rosters["poller-spare"].shards[0].scheduler == "scheduler-master"
    stage.run(0.8)

    assert stage.rosters["poller-spare"].shards[0].scheduler == "scheduler-spare"
    assert stage.rosters["poller-spare"].shards[0].brokers == ("broker-spare",)


def test_a_scheduler_whose_keeper_hangs_is_replaced_although_it_answers():
    stage = Stage().lead()
    stage.silent.add("server1")  # the keeper only; frozen, or it cannot be started
    stage.ages["server1"] = 2.6
    stage.run(3.5)

    (placed,) = stage.rosters["poller-spare"].shards
    assert placed.scheduler == "scheduler-spare"  # nobody can claim a lease for the other
    assert placed.reactionners == ("reactionner-master",)  # which needs none, and answers


def test_one_silent_daemon_does_not_delay_the_others():
    stage = Stage().lead()
    stage.answers["poller-spare"] = Failed("timed out")
    stage.asked.clear()
    stage.run(2.0)

    assert len([1 for _, name in stage.asked if name == "broker-master"]) == 2


def test_a_new_leader_adopts_what_runs():
    stage = Stage("arbiter-spare")
    stage.reports["scheduler-spare"] = Report(
        active=True, shards=(ShardHeld(1, "v1", 77, "active"),)
    )
    stage.reports["broker-spare"] = Report(active=True)
    stage.run(5.0)
    stage.lead()

    (placed,) = stage.rosters["poller-master"].shards
    assert (placed.scheduler, placed.brokers) == ("scheduler-spare", ("broker-spare",))


def test_who_is_told_of_a_higher_epoch_stops_leading_and_claims_above_it():
    stage = Stage().lead(900)
    stage.answers["poller-master"] = Fenced(LEASE, 5000)
    stage.run(2.0)
    stage.rosters.clear()
    stage.answers.clear()
    stage.run(2.0)

    assert stage.rosters == {}
    assert stage.wants[0].fenced_by == 5000
    stage.lead(6000)
    assert stage.rosters["poller-master"].epoch == 6000


def test_an_older_leader_is_fenced_by_a_newer_one():
    stage = Stage().lead(900)

    assert stage.role.handle(Roster(800, 1, "arbiter-spare"), stage.now) == Fenced(LEASE, 900)


def test_a_standby_follows_the_leader_s_roster():
    stage = Stage("arbiter-spare")
    answer = stage.role.handle(Roster(900, 1, "arbiter-master"), stage.now)

    assert isinstance(answer, Enrolled) and stage.role.report().epoch == 900
    assert stage.role.handle(Roster(800, 9, "old"), stage.now) == Fenced(LEASE, 900)


def test_a_lease_that_its_former_holder_keeps_is_revoked_for_the_new_one():
    stage = Stage()
    stage.reports["scheduler-master"] = Report(shards=(ShardHeld(1, "v1", 333, "active"),))
    stage.lead()
    stage.run(2.0)
    stage.silent.add("scheduler-master")
    stage.leases = (LeaseSeen("shard/1", 333, "scheduler-master-i", 1.0),)
    stage.run(8.0)

    assert stage.revokes and {r.target for r in stage.revokes} == {"scheduler-spare"}
    assert {(r.name, r.epoch) for r in stage.revokes} == {("shard/1", 333)}


def test_a_lease_is_not_revoked_from_the_one_that_should_have_it():
    """Its report is on its way; revoked for itself, its epoch could not be handed over to another."""
    stage = Stage().lead()
    stage.leases = (LeaseSeen("shard/1", 333, "scheduler-master-i", 1.0),)
    stage.run(5.0)
    assert not stage.revokes

    stage.leases = (LeaseSeen("shard/1", 333, "scheduler-master-i", 0.0),)  # run out: something keeps it from it
    stage.run(5.0)
    assert {r.target for r in stage.revokes} == {"scheduler-master"}


def test_a_shard_body_is_served_page_by_page():
    role = Stage().role
    now = Stage().now
    first = role.handle(Fetch(1, "v1", 0), now)
    last = role.handle(Fetch(1, "v1", 1), now)

    assert isinstance(first, Page) and first.pages == 2 and len(first.data) == PAGE_BYTES_MAX
    assert len(last.data) == 10
    assert isinstance(role.handle(Fetch(1, "v1", 2), now), NotMine)
    assert isinstance(role.handle(Fetch(1, "other", 0), now), NotMine)


def test_another_configuration_at_the_spare_is_reported():
    stage = Stage()
    stage.reports["arbiter-spare"] = Report(config="other")
    stage.lead()
    stage.run(1.5)

    assert any("another configuration" in p for p in stage.role.report().problems)


def test_a_stopped_leader_does_not_lead_again():
    stage = Stage().lead()
    stage.role.handle(Shutdown(), stage.now)
    stage.rosters.clear()
    stage.run(1.0)

    assert stage.rosters == {} and stage.wants == ()
    assert stage.role.leading == 0
