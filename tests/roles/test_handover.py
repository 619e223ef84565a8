"""A shard is handed over in order: the owner stops, tells all, and the standby goes on at once."""

from daemons.model.cluster import SERVERS_MAX
from daemons.roles.role import Wait
from daemons.wire.messages import Broks, Done, Fence, Lent, Load, NotMine, Ran, TakeBroks
from daemons.wire.operations import HandOver
from tests.roles.stage import Stage


class Pair(Stage):
    """Epochs of this keeper follow each other as those of real ones do."""

    def _beat(self, beat):
        taken = beat.name in self.leases
        answer = super()._beat(beat)
        if beat.name in self.leases and not taken:
            self.epoch = self.leases[beat.name] = (self.epoch // SERVERS_MAX + 1) * SERVERS_MAX + 1
            answer = super()._beat(beat)
        return answer


def pair(journals=("react",)):
    stage = Pair()
    stage.journals = dict.fromkeys(journals, ())
    stage.start()
    stage.add("two")
    stage.place("one", "two")
    stage.run(2.0)
    return stage


def owned(stage, name):
    return stage.schedulers[name].seats[1].owned


def asked(stage, kind):
    return [call for call in stage.sent if isinstance(call.message, kind)]


def test_the_standby_goes_on_without_a_store_and_without_listening():
    stage = pair()
    stage.sent.clear()
    stage.place("two", "one")
    stage.run(0.5)

    assert owned(stage, "one") is None and owned(stage, "two") is not None
    assert not asked(stage, Load)
    assert owned(stage, "two").listened(stage.now)
    assert asked(stage, Fence)  # reactionners still learn whom to obey
    assert stage.schedulers["two"].report(stage.now).figures["handover_gap_s"] < 0.5
    assert isinstance(stage.exchange(to="one"), NotMine)
    assert isinstance(stage.exchange(to="two"), Lent)


def test_a_check_that_runs_meanwhile_is_neither_lent_again_nor_lost():
    stage = pair()
    order = stage.borrow()
    stage.place("two", "one")
    stage.run(0.5)

    assert owned(stage, "two").checks.lent == 1
    again = [o for o in stage.orders(stage.exchange(to="two")) if o.object == order.object]
    assert again == []
    stage.result(order, 0, "fine", to="two")
    assert owned(stage, "two").checks.lent == 0
    assert owned(stage, "two").state.items["web1;http"].status.output == "fine"


def test_a_check_whose_poller_dies_after_the_hand_over_is_lent_again():
    stage = pair()
    order = stage.borrow()
    stage.place("two", "one")
    stage.run(0.5)
    stage.place("two", "one", pollers=("other",))
    stage.run(2.0)

    assert owned(stage, "two").checks.lent == 0
    assert order.object in {
        i.key for i in owned(stage, "two").state.items.values() if i.ready
    }


def test_a_notification_that_a_reactionner_has_is_not_given_to_another():
    stage = pair(journals=("react", "other"))
    stage.fail()
    stage.run(0.5)
    (given,) = stage.take().actions
    stage.place("two", "one")
    stage.run(0.5)

    assert stage.take(to="two", name="other").actions == ()
    assert stage.take(to="two", holding=(given.id,)).actions == ()
    stage.take(Ran(given.id, 1, given.epoch, "done"), to="two")
    stage.run(0.5)
    assert owned(stage, "two").outbox.open == 0
    assert not owned(stage, "two").outbox.doubts


def test_a_notification_that_the_reactionner_let_go_of_is_given_again_untagged():
    stage = pair()
    stage.fail()
    stage.run(0.5)
    (given,) = stage.take().actions
    stage.place("two", "one")
    stage.run(0.5)

    (again,) = stage.take(to="two").actions  # it was fenced before it started: holds it no more
    assert (again.id, again.tagged) == (given.id, False)


def test_an_owner_whose_standby_does_not_answer_goes_on():
    stage = pair()
    stage.mute.add("two")
    stage.result(stage.borrow(), 2, "bad")  # something that the standby must be told
    stage.place("two", "one")
    stage.run(4.0)

    assert owned(stage, "one") is not None
    assert not owned(stage, "one").draining
    assert "cannot hand over" in stage.schedulers["one"].seats[1].why or not asked(stage, HandOver)
    assert isinstance(stage.exchange(to="one"), Lent | Wait)


def test_a_hand_over_that_nobody_hears_ends_the_epoch_all_the_same():
    """What was said can then never become untrue, however late it comes."""
    stage = pair()
    stage.hold = (HandOver,)
    epoch = owned(stage, "one").epoch
    stage.place("two", "one")
    stage.run(0.3)
    assert owned(stage, "one") is None
    stage.hold = ()  # lost for good
    stage.held.clear()
    stage.run(3.0)

    assert owned(stage, "two") is not None and owned(stage, "two").epoch > epoch
    assert asked(stage, Load)  # it took over as after a death


def test_a_last_word_that_comes_before_the_roster_counts_once_the_roster_is_there():
    """The leader tells the owner a few milliseconds earlier than the standby."""
    stage = pair()
    late = stage.schedulers.pop("two")
    stage.place("two", "one")  # "one" alone hears it
    stage.schedulers["two"] = late
    stage.sent.clear()
    stage.run(0.3)
    assert asked(stage, HandOver)
    assert owned(stage, "one") is None
    assert owned(stage, "two") is None

    stage.place("two", "one")
    stage.run(0.3)
    assert owned(stage, "two").handed
    assert not asked(stage, Load)


def test_a_last_word_is_not_kept_for_long_by_one_who_does_not_get_the_shard():
    stage = pair()
    late = stage.schedulers.pop("two")
    stage.place("two", "one")
    stage.schedulers["two"] = late
    stage.run(0.3)
    seat = late.seats[1]
    assert seat.switching
    stage.run(2.5)
    assert not seat.switching
    assert not seat.coming.expects(stage.now)


def test_a_hand_over_that_another_owner_has_overtaken_counts_for_nothing():
    stage = pair()
    stage.hold = (HandOver,)
    stage.place("two", "one")
    stage.run(0.05)
    (handed,) = [call.message for _, call in stage.held]
    seat = stage.schedulers["two"].seats[1]
    assert seat.handed(handed, stage.now) == Done()
    position = (seat.copy.epoch, seat.copy.n)

    assert seat.coming.usable(handed.epoch + SERVERS_MAX + 2, position) is handed
    assert seat.coming.usable(handed.epoch + 2 * SERVERS_MAX, position) is None
    assert seat.coming.usable(handed.epoch + SERVERS_MAX, (handed.epoch, handed.n - 1)) is None


def test_a_poller_that_asks_early_waits_for_the_shard_instead_of_being_sent_away():
    stage = pair()
    stage.hold = (HandOver,)
    stage.place("two", "one")
    stage.run(0.05)
    assert isinstance(stage.exchange(to="two", wait_s=1.0), Wait)


def test_the_broker_that_comes_waits_for_the_last_word_of_the_one_that_goes():
    stage = pair()
    stage.fail()
    stage.run(0.5)

    def ask(broker, known, n, leaving=False, to="one"):
        epoch = owned(stage, "one").epoch if owned(stage, "one") else owned(stage, "two").epoch
        message = TakeBroks(broker, f"{broker}-i", 1, known, epoch, n, 1.0, leaving=leaving)
        return stage.schedulers[to].handle(message, stage.now)

    first = ask("brok", False, 0)
    assert isinstance(first, Broks) and first.deltas
    stage.place("one", "two", brokers=("spare",))
    assert isinstance(ask("spare", False, 0), Wait)
    stored = owned(stage, "one").journal.durable_n
    assert isinstance(ask("brok", True, stored, leaving=True), Broks)
    assert isinstance(ask("spare", False, 0), Wait)  # nothing new: all is in the other's log
    assert owned(stage, "one").broks._from(TakeBroks("spare", "i", 1, False, 0, 0, 0.0))[1] == stored


def test_a_broker_that_dies_is_not_waited_for_longer_than_its_last_word_may_take():
    stage = pair()
    stage.fail()
    stage.run(0.5)
    epoch = owned(stage, "one").epoch
    stage.schedulers["one"].handle(TakeBroks("brok", "i", 1, False, epoch, 0, 1.0), stage.now)
    stage.place("one", "two", brokers=("spare",))
    asked = TakeBroks("spare", "i", 1, False, epoch, 0, 1.0)
    assert isinstance(stage.schedulers["one"].handle(asked, stage.now), Wait)
    stage.run(2.6)
    assert isinstance(stage.schedulers["one"].handle(asked, stage.now), Broks)
