"""Problems that last: told again by time, told late, escalated; and all of it by the next owner too."""

import itertools

import msgspec

from daemons.model.clock import Mono, Now, Wall
from daemons.model.objects import Command, Globals, TimePeriod
from daemons.model.relations import Escalation
from daemons.wire.messages import ClaimedAction, Ran, Save, Submit, Submitted
from tests.roles.stage import Stage, body

_ids = itertools.count(1)
WAY = body().contacts[0].ways[0]


def contact(name, **way):
    ann = body().contacts[0]
    ways = (msgspec.structs.replace(WAY, **way),) if way else ann.ways
    return msgspec.structs.replace(ann, name=name, email=f"{name}@example.org", ways=ways)


def shard(escalations=(), contacts=("ann", "boss"), way=None, **traits):
    """A shard whose service is checked once in an hour, so that only time makes news."""
    base = {"check_interval_s": 3600.0, "retry_interval_s": 3600.0, "max_check_attempts": 1,
            "notification_interval_s": 60.0, "escalations": tuple(e.name for e in escalations)}  # fmt: skip
    changed = msgspec.structs.replace(body().traits[0], **{**base, **traits})
    return body(
        traits=(changed,), escalations=tuple(escalations),
        contacts=tuple(contact(name, **(way or {})) for name in contacts),
    )  # fmt: skip


class Played(Stage):
    """Carries out every action at once and keeps (seconds since the problem, command)."""

    def __init__(self, shard):
        super().__init__(shard)
        self.told = []
        self.began = 0.0
        self.owner = "one"

    def tell(self, command):
        line = f"[0] {command}"
        answer = self.schedulers[self.owner].handle(
            Submit("recv", (Submitted(f"t{next(_ids)}", line, self.now.wall),)), self.now
        )
        assert not getattr(answer, "refused", ()), answer

    def bad(self, key="web1;http", code=2):
        self.began = self.began or self.mono
        self.passive(key, code)

    def passive(self, key, code, output="broken"):
        kind = "SERVICE" if ";" in key else "HOST"
        self.tell(f"PROCESS_{kind}_CHECK_RESULT;{key};{code};{output}")

    def live(self, seconds):
        for _ in range(round(seconds / 0.25)):
            self.run(0.25)
            actions = self.take(to=self.owner).actions
            for action in actions:
                self.told.append((round(self.mono - self.began), action.command.split()[1:]))
            if actions:
                self.take(*(Ran(a.id, 1, a.epoch, "done", 0, a.tagged) for a in actions), to=self.owner)
                self.tagged = [a for a in actions if a.tagged]

    def now_in(self, seconds):
        return Now(Mono(self.mono + seconds), Wall(self.now.wall + seconds))

    def take_over(self):
        self.kill("one")
        self.place("two")
        self.owner = "two"
        self.run(3.0)
        assert self.schedulers["two"].seats[1].held.phase == "active"

    def whom(self):
        return [(at, command[0].partition("@")[0]) for at, command in self.told]


def play(shard, **more):
    stage = Played(shard)
    stage.start(**more)
    return stage


def near(told, expected, within_s=2):
    assert [who for _, who in told] == [who for _, who in expected], told
    assert all(abs(a - b) <= within_s for (a, _), (b, _) in zip(told, expected, strict=True)), told


def test_a_problem_is_told_again_although_no_result_comes():
    stage = play(shard())
    stage.bad()
    stage.live(200.0)

    near(stage.whom(), [(0, "ann"), (60, "ann"), (120, "ann"), (180, "ann")])
    assert stage.status().notification_number == 4


def test_with_an_interval_of_zero_it_is_told_once():
    stage = play(shard(notification_interval_s=0.0))
    stage.bad()
    stage.live(100.0)

    near(stage.whom(), [(0, "ann")])


def test_a_volatile_service_keeps_its_interval_between_results():
    stage = play(shard(is_volatile=True))
    stage.bad()
    stage.live(30.0)
    stage.bad()
    stage.live(100.0)

    near(stage.whom(), [(0, "ann"), (30, "ann"), (90, "ann")])


def test_results_that_come_often_tell_it_themselves():
    stage = play(shard())
    for _ in range(15):
        stage.bad()
        stage.live(10.0)

    near(stage.whom(), [(0, "ann"), (60, "ann"), (120, "ann")])


def test_a_delayed_first_notification_comes_when_the_delay_has_passed():
    stage = play(shard(first_notification_delay_s=45.0))
    stage.bad()
    stage.live(120.0)

    near(stage.whom(), [(45, "ann"), (105, "ann")])


def test_a_problem_that_ends_within_the_delay_is_not_told():
    stage = play(shard(first_notification_delay_s=45.0))
    stage.bad()
    stage.live(30.0)
    stage.passive("web1;http", 0)
    stage.live(60.0)

    assert stage.told == []


def test_it_is_told_when_a_downtime_ends():
    stage = play(shard())
    wall = stage.now.wall
    stage.tell(f"SCHEDULE_SVC_DOWNTIME;web1;http;{wall:.0f};{wall + 100:.0f};1;0;0;joe;work")
    stage.live(1.0)
    stage.bad()
    stage.told.clear()
    stage.live(130.0)

    problems = [(at, command) for at, command in stage.told if command[1] == "CRITICAL"]
    assert [at for at, _ in problems if at >= 98] and problems[-1][0] <= 101


def test_it_is_told_when_its_period_begins():
    stage = play(shard())
    start = 1_800_000_000.0 + 1000
    minute = int(start // 60) * 60 + 180
    clock = f"{minute // 3600 % 24:02d}:{minute // 60 % 60:02d}-24:00"
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    period = TimePeriod("late", ranges=tuple((day, clock) for day in days))
    stage = play(
        msgspec.structs.replace(
            shard(notification_period="late"), periods=(period,), globals=Globals(use_timezone="UTC")
        )
    )
    stage.bad()
    stage.live(240.0)

    opened = minute - (stage.wall_ahead_s + stage.began)
    assert opened > 20
    near(stage.whom()[:1], [(opened, "ann")])


def test_it_is_told_when_its_host_is_back():
    stage = play(shard())
    stage.bad("web1", 1)
    stage.bad("web1;http")
    stage.live(40.0)
    stage.told.clear()
    stage.passive("web1", 0, "back")
    stage.live(50.0)
    assert [command[1] for _, command in stage.told] == ["UP"]
    stage.live(30.0)

    assert [command[1] for _, command in stage.told] == ["UP", "CRITICAL"]


def test_a_service_that_is_well_again_with_its_host_is_not_told():
    stage = play(shard())
    stage.bad("web1", 1)
    stage.bad("web1;http")
    stage.live(40.0)
    stage.passive("web1", 0, "back")
    stage.live(30.0)
    stage.passive("web1;http", 0, "fine")
    stage.live(90.0)

    assert [command[1] for _, command in stage.told] == ["DOWN", "UP"]


def test_a_problem_that_nobody_wants_is_not_looked_at():
    stage = play(shard(contacts=()))
    stage.bad()
    stage.live(1.0)

    assert list(stage.schedulers["one"].seats[1].owned.teller.reminders.due(stage.now_in(9e9))) == []


def test_it_is_told_when_the_acknowledgement_is_taken_back():
    stage = play(shard())
    stage.bad()
    stage.tell("ACKNOWLEDGE_SVC_PROBLEM;web1;http;2;0;0;joe;seen")
    stage.live(100.0)
    near(stage.whom(), [(0, "ann")])
    stage.tell("REMOVE_SVC_ACKNOWLEDGEMENT;web1;http")
    stage.live(25.0)

    assert len(stage.told) == 2


def test_a_delayed_notification_is_told_at_its_time():
    stage = play(shard(notification_interval_s=3600.0))
    stage.bad()
    stage.live(5.0)
    stage.tell(f"DELAY_SVC_NOTIFICATION;web1;http;{stage.now.wall + 30:.0f}")
    stage.live(60.0)

    near(stage.whom(), [(0, "ann"), (35, "ann")])


# ---------------------------------------------------------------- escalations


def by_number(first, last=0, **more):
    return Escalation(
        name=f"e{first}", contacts=("boss",), first_notification=first, last_notification=last, **more
    )


def by_time(first_s, **more):
    return Escalation(
        name=f"t{first_s}", contacts=("boss",), by_time=True, first_notification_time_s=first_s, **more
    )


def test_an_escalation_replaces_the_contacts_and_hears_the_recovery():
    stage = play(shard((by_number(2),)))
    stage.bad()
    stage.live(130.0)
    stage.passive("web1;http", 0, "fine")
    stage.live(2.0)

    near(stage.whom(), [(0, "ann"), (60, "boss"), (120, "boss"), (130, "boss")])


def test_after_the_last_number_the_object_has_its_own_contacts_again():
    stage = play(shard((by_number(2, 2),)))
    stage.bad()
    stage.live(130.0)
    stage.passive("web1;http", 0, "fine")
    stage.live(2.0)

    near(stage.whom(), [(0, "ann"), (60, "boss"), (120, "ann"), (130, "ann")])


def test_everybody_who_was_told_hears_the_recovery_when_the_main_file_says_so():
    quick = shard((by_number(2),))
    settings = msgspec.structs.replace(quick.globals, settings={"recovery_contacts": "all"})
    stage = play(msgspec.structs.replace(quick, globals=settings))
    stage.bad()
    stage.live(70.0)
    stage.told.clear()
    stage.passive("web1;http", 0, "fine")
    stage.live(2.0)

    assert sorted(who for _, who in stage.whom()) == ["ann", "boss"]


def test_the_interval_of_an_escalation_counts_while_it_is_in_force():
    stage = play(shard((by_number(2, notification_interval_s=30.0),)))
    stage.bad()
    stage.live(125.0)

    near(stage.whom(), [(0, "ann"), (60, "boss"), (90, "boss"), (120, "boss")])


def test_an_escalation_by_time_does_not_wait_for_the_interval():
    stage = play(shard((by_time(100.0),), notification_interval_s=3600.0))
    stage.bad()
    stage.live(200.0)

    near(stage.whom(), [(0, "ann"), (100, "boss")])


def test_a_change_between_problems_does_not_begin_the_time_anew():
    stage = play(shard((by_time(100.0),), notification_interval_s=3600.0))
    stage.bad(code=1)
    stage.live(60.0)
    stage.bad(code=2)
    stage.live(60.0)

    near(stage.whom(), [(0, "ann"), (60, "ann"), (100, "boss")])


def test_a_broadcast_goes_to_the_contacts_of_all_escalations_too():
    stage = play(shard((by_number(5),)))
    stage.tell("SEND_CUSTOM_SVC_NOTIFICATION;web1;http;1;joe;hear")
    stage.live(2.0)

    assert sorted(who for _, who in stage.whom()) == ["ann", "boss"]


def test_a_custom_notification_can_count_as_one_of_the_problem():
    stage = play(shard((by_number(2),)))
    stage.bad()
    stage.live(2.0)
    stage.tell("SEND_CUSTOM_SVC_NOTIFICATION;web1;http;4;joe;hear")
    stage.live(2.0)

    assert [who for _, who in stage.whom()] == ["ann", "boss"]
    assert stage.status().notification_number == 2


def test_macros_say_who_else_is_told_and_whether_it_is_escalated():
    quick = shard((by_number(2),), contacts=("ann", "bob", "boss"))
    traits = msgspec.structs.replace(quick.traits[0], contacts=("ann", "bob"))
    commands = tuple(
        msgspec.structs.replace(c, line="/bin/tell $CONTACTNAME$ $NOTIFICATIONRECIPIENTS$ $NOTIFICATIONISESCALATED$")
        if c.name == "tell-service"
        else c
        for c in quick.commands
    )
    stage = play(msgspec.structs.replace(quick, traits=(traits,), commands=commands))
    stage.bad()
    stage.live(62.0)

    assert [command for _, command in stage.told] == [
        ["ann", "ann,bob", "0"], ["bob", "ann,bob", "0"], ["boss", "boss", "1"],
    ]  # fmt: skip


def test_who_heard_a_custom_notification_that_counts_hears_the_recovery():
    stage = play(shard((by_number(2),)))
    stage.bad()
    stage.tell("SEND_CUSTOM_SVC_NOTIFICATION;web1;http;4;joe;hear")
    stage.live(2.0)
    stage.told.clear()
    stage.passive("web1;http", 0, "fine")
    stage.live(2.0)

    assert [who for _, who in stage.whom()] == ["boss"]


def test_when_a_reload_names_others_those_who_were_told_hear_the_recovery():
    stage = play(shard())
    stage.bad()
    stage.live(2.0)
    stage.shard = shard()
    traits = msgspec.structs.replace(stage.shard.traits[0], contacts=("boss",))
    stage.shard = msgspec.structs.replace(stage.shard, traits=(traits,))
    stage.version = "v2"
    stage.place("one")
    stage.live(2.0)
    stage.told.clear()
    stage.passive("web1;http", 0, "fine")
    stage.live(2.0)

    assert [who for _, who in stage.whom()] == ["ann"]


# ---------------------------------------------------------------- by the next owner


def test_a_take_over_in_the_middle_of_an_escalation_tells_nothing_twice_and_misses_nothing():
    stage = play(shard((by_number(3),)))
    stage.add("two")
    stage.bad()
    stage.live(80.0)
    stage.take_over()
    stage.live(120.0)
    stage.passive("web1;http", 0, "fine")
    stage.live(2.0)

    near(
        stage.whom(),
        [(0, "ann"), (60, "ann"), (120, "boss"), (180, "boss"), (203, "boss")],
    )


def test_a_time_based_escalation_begins_in_time_under_the_next_owner():
    stage = play(shard((by_time(100.0),), notification_interval_s=3600.0))
    stage.add("two")
    stage.bad()
    stage.live(70.0)
    stage.take_over()
    stage.live(120.0)

    near(stage.whom(), [(0, "ann"), (100, "boss")])


def test_a_next_owner_that_knows_no_numbers_would_miss_the_escalation():
    """The protection, taken away, is missed: so it protects."""
    stage = play(shard((by_number(3),)))
    stage.add("two", without=frozenset(("retention",)))
    stage.bad()
    stage.live(80.0)
    stage.take_over()
    stage.live(60.0)

    assert "boss" not in [who for _, who in stage.whom()]


def test_a_reload_in_the_middle_goes_on_reminding_under_the_new_escalation():
    stage = play(shard())
    stage.bad()
    stage.live(30.0)
    stage.shard = shard((by_number(2),))
    stage.version = "v2"
    stage.place("one")
    stage.live(60.0)

    near(stage.whom(), [(0, "ann"), (60, "boss")])


def test_a_contact_whose_ways_are_all_silent_is_told_when_one_opens():
    stage = play(shard(way={"service_notifications_enabled": False}))
    stage.bad()
    stage.live(5.0)
    assert stage.told == [] and stage.status().notification_number == 0
    stage.tell("ENABLE_CONTACT_SVC_NOTIFICATIONS;ann")
    stage.live(25.0)

    assert [who for _, who in stage.whom()] == ["ann"]




# ---------------------------------------------------------------- odd orders of events

NEVER = TimePeriod("never")


def test_a_contacts_period_that_an_operator_changed_counts_for_all_its_ways():
    stage = play(msgspec.structs.replace(shard(), periods=(NEVER,)))
    stage.tell("CHANGE_CONTACT_SVC_NOTIFICATION_TIMEPERIOD;ann;never")
    stage.bad()
    stage.live(5.0)
    assert stage.told == []
    stage.passive("web1", 1)
    stage.live(5.0)

    assert [command[1] for _, command in stage.told] == ["DOWN"]


def test_each_way_of_a_contact_decides_for_itself():
    quick = shard()
    mail, text = contact("ann").ways[0], msgspec.structs.replace(
        WAY, service_notification_commands=("text",), service_notification_options=("u",)
    )  # fmt: skip
    ann = msgspec.structs.replace(contact("ann"), ways=(mail, text))
    commands = (*quick.commands, Command("text", "/bin/text sms@x $SERVICESTATE$"))
    stage = play(msgspec.structs.replace(quick, contacts=(ann,), commands=commands))
    stage.bad()
    stage.live(2.0)
    stage.bad(code=3)
    stage.live(2.0)

    assert [tuple(command[:2]) for _, command in stage.told] == [
        ("ann@example.org", "CRITICAL"), ("ann@example.org", "UNKNOWN"), ("sms@x", "UNKNOWN"),
    ]  # fmt: skip


def test_an_escalation_to_somebody_away_is_told_when_that_one_is_back_and_counts_once():
    stage = play(shard((by_number(2),)))
    wall = stage.now.wall
    stage.tell(f"SCHEDULE_CONTACT_DOWNTIME;boss;{wall - 1:.0f};{wall + 90:.0f};joe;x")
    stage.bad()
    stage.live(85.0)
    assert stage.status().notification_number == 1
    stage.live(30.0)

    assert [who for _, who in stage.whom()] == ["ann", "boss"]
    assert stage.status().notification_number == 2


def test_an_escalation_by_time_that_began_while_it_was_acknowledged_is_told_afterwards():
    stage = play(shard((by_time(50.0),), notification_interval_s=3600.0))
    stage.bad()
    stage.tell("ACKNOWLEDGE_SVC_PROBLEM;web1;http;2;0;0;joe;seen")
    stage.live(100.0)
    near(stage.whom(), [(0, "ann")])
    stage.tell("REMOVE_SVC_ACKNOWLEDGEMENT;web1;http")
    stage.live(25.0)

    assert [who for _, who in stage.whom()] == ["ann", "boss"]


def test_an_escalation_with_interval_zero_is_the_last_word():
    stage = play(shard((by_number(2, notification_interval_s=0.0),)))
    stage.bad()
    stage.live(300.0)

    near(stage.whom(), [(0, "ann"), (60, "boss")])


def test_a_host_is_told_again_and_its_services_are_not():
    stage = play(shard())
    stage.bad("web1", 1)
    stage.bad("web1;http")
    stage.live(125.0)

    assert [command[1] for _, command in stage.told] == ["DOWN", "DOWN", "DOWN"]


def test_a_reminder_whose_delta_was_lost_is_the_same_message_for_the_next_owner():
    stage = play(shard(), without=frozenset(("write-ahead",)))
    stage.add("two")
    stage.bad()
    stage.live(50.0)
    stage.hold = (Save,)
    stage.run(12.0)
    (lost,) = stage.take().actions
    stage.hold, stage.held = (), []
    stage.journals["react"] = (ClaimedAction(lost.id, "done", lost.epoch),)
    stage.take_over()
    stage.live(40.0)

    assert [who for _, who in stage.whom()] == ["ann"]
    assert stage.status(of="two").notification_number == 2
    stage.live(60.0)
    assert [who for _, who in stage.whom()] == ["ann", "ann"]


def test_flapping_that_stops_with_the_problem_still_there_tells_it():
    stage = play(shard(notification_interval_s=3600.0))
    stage.bad()
    stage.live(1.0)
    status = stage.status()
    status.flapping, status.next_notification_wall = True, 0.0
    stage.live(60.0)
    near(stage.whom(), [(0, "ann")])
    stage.tell("DISABLE_SVC_FLAP_DETECTION;web1;http")
    stage.live(20.0)

    kinds = [who for _, who in stage.whom()]
    assert len(kinds) == 3  # FLAPPINGDISABLED and the problem


def test_a_downtime_in_the_middle_holds_reminders_up_and_its_end_brings_them_back():
    stage = play(shard())
    stage.bad()
    stage.live(30.0)
    wall = stage.now.wall
    stage.tell(f"SCHEDULE_SVC_DOWNTIME;web1;http;{wall:.0f};{wall + 100:.0f};1;0;0;joe;work")
    stage.live(95.0)
    assert [at for at, command in stage.told if "CRITICAL" in command[1]][:1] == [0]
    before = stage.status().notification_number
    stage.live(10.0)

    assert before == 1 and stage.status().notification_number == 2
