"""Operators' orders at the leading arbiter, by hand: planned, carried out, aborted, paused, given back."""

from msgspec.structs import replace

from daemons.roles.leader.documents import LEASE
from daemons.wire.board import Pause
from daemons.wire.documents import Keep, Kept
from daemons.wire.messages import Done, LeaseSeen, NotMine, Report, ShardHeld
from daemons.wire.operations import HandLead, Operate, Operation, OperationAsk
from tests.roles.test_arbiter import Stage as ArbiterStage


class Stage(ArbiterStage):
    """An arbiter with keepers that keep documents, and schedulers that follow each other."""

    def __init__(self, name="arbiter-master", **settings):
        super().__init__(name)
        cluster = replace(self.role.cluster, settings=settings)
        self.role.cluster = self.role.desk.cluster = cluster
        self.pauses: list[Pause] = []
        self.hands: list[HandLead] = []
        self.owner("scheduler-master", 300)

    def owner(self, name, epoch, standby=None):
        other = standby or ("scheduler-spare" if name == "scheduler-master" else "scheduler-master")
        self.reports[name] = Report(True, shards=(ShardHeld(1, "v1", epoch, "active", epoch, 5),))
        self.reports[other] = Report(shards=(ShardHeld(1, "v1", 0, "standby", epoch, 5),))

    def answer(self, call):
        match call.message:
            case Keep() as keep:
                return Kept(keep.doc, keep.arbiter_epoch, keep.n)
            case Pause() as order:
                self.pauses.append(order)
                return Done()
            case HandLead() as hand:
                self.hands.append(hand)
                return Done()
            case _:
                return super().answer(call)

    def lead(self, epoch=900):
        self.leases = (LeaseSeen(LEASE, epoch, "me", 1.0),)
        return super().lead(epoch)

    def operate(self, act, name="", id="1", **more) -> Operation:
        answer = self.role.handle(Operate(id, act, name, actor="ann", **more), self.now)
        assert isinstance(answer, Operation), answer
        return answer

    def known(self, id="") -> Operation:
        return self.role.handle(OperationAsk(id), self.now).operations[-1]

    @property
    def placed(self):
        return self.rosters["poller-master"].shards[0]


def led(**settings):
    stage = Stage(**settings).lead()
    stage.run(1.5)
    return stage


def test_a_dry_run_changes_nothing():
    stage = led()
    n = stage.rosters["poller-master"].n
    planned = stage.operate("failover", "scheduler-master", dry_run=True)
    stage.run(2.0)

    assert planned.state == "planned"
    assert [(m.what, m.target) for m in planned.moves] == [("shard/1", "scheduler-spare")]
    assert stage.rosters["poller-master"].n == n


def test_a_shard_is_moved_and_the_operation_ends_when_it_is_active_there():
    stage = led()
    assert stage.operate("failover", "scheduler-master").state == "running"
    stage.run(0.5)
    assert stage.placed.scheduler == "scheduler-spare"
    assert stage.known("1").state == "running"

    stage.owner("scheduler-spare", 301)
    stage.run(0.5)
    assert stage.known("1").state == "done"
    assert [p.name for p in stage.known("1").phases] == ["ordered", "on the roster", "active"]
    assert not stage.revokes


def test_a_shard_that_was_handed_over_and_not_taken_is_revoked_for_the_target():
    """An older revocation may keep the lease from it: nobody would check until the operation is aborted."""
    stage = led()
    stage.leases += (LeaseSeen("shard/1", 300, "scheduler-master-i", 0.0),)
    stage.operate("failover", "scheduler-master")
    stage.run(0.5)
    stage.reports["scheduler-master"] = Report()
    stage.run(3.0)
    assert {(r.epoch, r.target) for r in stage.revokes if r.name == "shard/1"} == {(300, "scheduler-spare")}


def test_the_same_order_again_is_answered_and_not_obeyed_again():
    stage = led()
    stage.operate("failover", "scheduler-master")
    stage.owner("scheduler-spare", 301)
    stage.run(1.0)
    stage.operate("failback", id="2")
    stage.run(0.3)
    stage.owner("scheduler-master", 302)
    stage.run(1.0)

    assert stage.operate("failover", "scheduler-master", id="1").state == "done"
    stage.run(1.0)
    assert stage.placed.scheduler == "scheduler-master"


def test_a_target_that_does_not_take_the_shard_leaves_it_where_it_was():
    stage = led()
    stage.operate("failover", "scheduler-master")
    stage.run(0.5)
    assert stage.placed.scheduler == "scheduler-spare"
    stage.run(8.0)

    assert stage.known("1").state == "aborted"
    assert stage.placed.scheduler == "scheduler-master"


def test_a_target_that_is_not_in_step_is_waited_for():
    stage = led()
    follows = stage.reports["scheduler-spare"]
    stage.reports["scheduler-spare"] = Report()
    stage.run(1.5)
    stage.operate("failover", "scheduler-master")
    stage.run(5.0)
    assert stage.placed.scheduler == "scheduler-master"
    stage.reports["scheduler-spare"] = follows
    stage.run(1.5)
    assert stage.placed.scheduler == "scheduler-spare"


def test_a_pause_needs_an_end_and_a_reason():
    stage = led()
    assert stage.operate("pause", reason="x").state == "refused"
    assert stage.operate("pause", for_s=60.0, id="2").state == "refused"
    assert stage.pauses == []


def test_while_paused_nothing_is_taken_over_and_after_its_end_it_is_at_once():
    stage = led()
    assert stage.operate("pause", for_s=20.0, reason="work").state == "done"
    stage.run(0.5)
    assert 19.0 < stage.pauses[-1].left_s <= 20.0
    stage.silent.add("scheduler-master")
    stage.run(10.0)
    assert stage.placed.scheduler == "scheduler-master"
    assert any("paused by ann" in p for p in stage.role.report().problems)

    stage.run(11.0)
    assert stage.placed.scheduler == "scheduler-spare"
    assert stage.pauses[-1].left_s == 0.0
    assert not any("paused" in p for p in stage.role.report().problems)


def test_a_pause_that_is_ended_by_hand_is_over_at_the_voters_too():
    stage = led()
    stage.operate("pause", for_s=2000.0, reason="work")
    stage.run(0.5)
    stage.operate("resume", id="2")
    stage.run(0.5)
    assert stage.pauses[-1].left_s == 0.0 and stage.pauses[-1].n > stage.pauses[0].n


def test_while_paused_a_planned_move_is_done_by_revoking_for_the_target():
    stage = led()
    stage.operate("pause", for_s=600.0, reason="work")
    stage.leases += (LeaseSeen("shard/1", 300, "scheduler-master-i", 1.0),)
    stage.run(1.0)
    stage.operate("failover", "scheduler-master", id="2")
    stage.run(0.5)
    assert {r.target for r in stage.revokes if r.name == "shard/1"} == {"scheduler-spare"}


def test_the_next_leader_knows_the_pause():
    first = led()
    first.operate("pause", for_s=600.0, reason="work")
    data = first.role.documents.content("operations")
    second = Stage("arbiter-spare")
    second.run(5.0)
    second.lead(2000)
    second.role.documents.put("operations", data)
    second.role.desk.lead(2000)
    second.run(1.0)
    assert any("paused by ann" in p for p in second.role.report().problems)


def test_the_next_leader_goes_on_with_what_was_ordered_and_says_how_it_ended():
    first = led()
    first.operate("failover", "scheduler-master")
    data = first.role.documents.content("operations")
    second = Stage("arbiter-spare")
    second.run(5.0)
    second.lead(2000)
    second.role.documents.put("operations", data)
    second.role.desk.lead(2000)
    second.run(0.5)
    assert second.known("1").state == "running" and second.placed.scheduler == "scheduler-spare"
    assert len(second.role.handle(OperationAsk(), second.now).operations) == 1
    second.owner("scheduler-spare", 301)
    second.run(1.0)
    assert second.known("1").state == "done"
    assert second.operate("failover", "scheduler-master", id="1").state == "done"


def test_work_is_given_back_after_the_hold_down():
    stage = Stage("arbiter-spare", failback_hold="10", failback="hold_down")
    stage.silent |= {"scheduler-master", "arbiter-master"}
    stage.run(5.0)
    stage.owner("scheduler-spare", 301)
    stage.lead()
    stage.run(4.0)
    assert stage.placed.scheduler == "scheduler-spare"
    stage.silent.remove("scheduler-master")
    stage.run(5.0)
    assert stage.placed.scheduler == "scheduler-spare"
    stage.run(8.0)
    assert stage.placed.scheduler == "scheduler-master"


def test_what_an_operator_moved_stays_until_failback_is_typed():
    stage = led(failback_hold="1")
    stage.operate("failover", "scheduler-master")
    stage.run(0.3)
    stage.owner("scheduler-spare", 301)
    stage.run(8.0)
    assert stage.placed.scheduler == "scheduler-spare"
    stage.operate("failback", id="2")
    stage.run(0.5)
    assert stage.placed.scheduler == "scheduler-master"


def test_the_lead_is_given_to_another_arbiter():
    stage = led()
    stage.operate("failover", "arbiter-master")
    stage.run(1.5)
    assert {h.to for h in stage.hands} == {"arbiter-spare"}
    assert stage.role.leading == 0 and stage.wants == ()
    stage.epoch = 0
    stage.run(5.0)
    assert [w.lease for w in stage.wants] == [LEASE]  # nobody took it: it stands again


def test_an_arbiter_that_is_not_named_lets_the_other_go_first():
    stage = Stage("arbiter-spare")
    stage.run(5.0)
    assert stage.role.handle(HandLead(900, "another"), stage.now) == Done()
    stage.run(1.0)
    assert stage.wants == ()
    assert stage.role.handle(HandLead(900, "arbiter-spare"), stage.now) == Done()
    stage.run(0.5)
    assert [w.lease for w in stage.wants] == [LEASE]


def test_forcing_names_what_may_be_lost():
    stage = led()
    stage.silent.add("scheduler-master")
    stage.run(5.0)
    stage.reports["scheduler-spare"] = Report()
    stage.operate("pause", for_s=600.0, reason="work", id="p")
    refused = stage.operate("failover", "scheduler-spare", to="scheduler-master", id="2")
    assert refused.state == "refused" and "dead" in refused.text


def test_a_leader_that_has_just_begun_asks_to_be_asked_again():
    stage = Stage()
    stage.epoch = 900
    while not stage.role.leading:
        stage.run(0.1)
    answer = stage.role.handle(Operate("1", "failover", "scheduler-master", actor="ann"), stage.now)
    assert isinstance(answer, NotMine)
    stage.lead().run(1.5)
    assert stage.operate("failover", "scheduler-master").state == "running"
