"""Downtimes, acknowledgements, contacts' downtimes, flapping comments and event handlers of a scheduler, over time."""

import msgspec

from daemons.model.objects import Command, Globals
from tests.roles.test_scheduler_reminds import play, shard

HOST, SERVICE = "web1", "web1;http"


def owned(stage):
    return stage.schedulers[stage.owner].seats[1].owned


def said(stage, *words):
    ring = owned(stage).journal.ring
    return [
        line.text for line in ring.lines_after((0, 0)) if any(word in line.text for word in words)
    ]


def alerts(stage):
    return [line.split(";")[-2] for line in said(stage, "DOWNTIME ALERT")]


def downtimes(stage, key=SERVICE):
    return stage.status(key, of=stage.owner).downtimes


def flexible(stage, start_s=0.0, end_s=1000.0, duration_s=60, trigger=0, of="SVC", key=SERVICE):
    wall = stage.now.wall
    stage.tell(
        f"SCHEDULE_{of}_DOWNTIME;{key};{wall + start_s:.0f};{wall + end_s:.0f};0;{trigger};{duration_s};joe;x"
    )


def fixed(stage, start_s, end_s, trigger=0, of="SVC", key=SERVICE):
    wall = stage.now.wall
    stage.tell(
        f"SCHEDULE_{of}_DOWNTIME;{key};{wall + start_s:.0f};{wall + end_s:.0f};1;{trigger};0;joe;x"
    )


def test_a_flexible_downtime_booked_on_a_problem_begins_at_once():
    stage = play(shard())
    stage.bad()
    flexible(stage)
    stage.live(1.0)
    assert downtimes(stage)[0].in_effect
    stage.live(60.0)

    assert alerts(stage) == ["STARTED", "STOPPED"]


def test_a_flexible_downtime_begins_when_its_window_opens_on_a_problem():
    stage = play(shard())
    stage.bad()
    flexible(stage, 30.0)
    stage.live(25.0)
    assert not downtimes(stage)[0].in_effect
    stage.live(10.0)

    assert downtimes(stage)[0].in_effect


def test_a_downtime_triggered_by_one_in_effect_begins_at_once_whatever_its_object():
    stage = play(shard())
    fixed(stage, -1, 500, of="HOST", key=HOST)
    (first,) = downtimes(stage, HOST)
    assert first.in_effect
    flexible(stage, trigger=first.id)

    assert downtimes(stage)[0].in_effect


def test_a_downtime_triggered_by_another_object_begins_with_it():
    stage = play(shard())
    fixed(stage, 20, 500, of="HOST", key=HOST)
    (first,) = downtimes(stage, HOST)
    flexible(stage, trigger=first.id)
    stage.live(10.0)
    assert not downtimes(stage)[0].in_effect
    stage.live(15.0)

    assert downtimes(stage)[0].in_effect


def test_deleting_a_trigger_deletes_what_it_triggers_elsewhere():
    stage = play(shard())
    fixed(stage, 20, 500, of="HOST", key=HOST)
    (first,) = downtimes(stage, HOST)
    flexible(stage, trigger=first.id)
    stage.tell(f"DEL_HOST_DOWNTIME;{first.id}")

    assert downtimes(stage, HOST) == downtimes(stage) == ()
    assert stage.status(SERVICE).comments == ()


def test_deleting_two_that_overlap_is_told_once():
    stage = play(shard())
    fixed(stage, -1, 500)
    (first,) = downtimes(stage)
    flexible(stage, trigger=first.id)
    stage.live(1.0)
    stage.told.clear()
    stage.tell(f"DEL_SVC_DOWNTIME;{first.id}")
    stage.live(1.0)

    assert alerts(stage) == ["STARTED", "CANCELLED"]
    assert len(stage.told) == 1


def test_what_began_and_what_ended_while_nobody_ran_is_said_once_by_the_next_owner():
    stage = play(shard())
    stage.add("two")
    fixed(stage, -1, 100)
    fixed(stage, 50, 900, of="HOST", key=HOST)
    fixed(stage, 60, 90, of="HOST", key=HOST)
    stage.live(2.0)
    stage.kill("one")
    stage.mono += 200
    stage.owner = "two"
    stage.place("two")
    stage.run(3.0)
    stage.told.clear()
    stage.live(3.0)

    said_lines = said(stage, "DOWNTIME ALERT")
    assert [line.split(";")[-2] for line in said_lines if line.startswith("SERVICE")][-1:] == ["STOPPED"]
    assert sum("HOST DOWNTIME ALERT: web1;STARTED" in line for line in said_lines) == 1
    assert len(downtimes(stage, HOST)) == 1 and downtimes(stage) == ()
    assert len(stage.told) == 2


def test_a_flexible_downtime_whose_window_opened_while_nobody_ran_begins_with_the_next_owner():
    stage = play(shard())
    stage.add("two")
    stage.bad()
    flexible(stage, 30.0, 5000.0, 600)
    stage.live(5.0)
    stage.kill("one")
    stage.mono += 100
    stage.owner = "two"
    stage.place("two")
    stage.run(3.0)

    assert downtimes(stage)[0].in_effect


def test_the_comment_of_a_downtime_reads_in_the_zone_of_the_main_file():
    there = msgspec.structs.replace(shard(), globals=Globals(use_timezone="Asia/Tokyo"))
    stage = play(there)
    stage.tell(f"SCHEDULE_SVC_DOWNTIME;{SERVICE};1800000000;1800090000;1;0;0;joe;x")
    (comment,) = stage.status().comments

    assert "from 2027-01-15 17:00:00 to 2027-01-16 18:00:00" in comment.text


def test_an_acknowledgement_ends_at_its_time_and_the_problem_is_told_again():
    stage = play(shard())
    stage.bad()
    stage.live(1.0)
    stage.tell(
        f"ACKNOWLEDGE_SVC_PROBLEM_EXPIRE;{SERVICE};2;0;0;{stage.now.wall + 90:.0f};joe;seen"
    )
    stage.live(85.0)
    assert stage.status().ack is not None and len(stage.told) == 1
    stage.live(10.0)

    assert stage.status().ack is None and stage.status().comments == ()
    assert len(stage.told) == 2


def away(stage, start_s, end_s):
    wall = stage.now.wall
    stage.tell(f"SCHEDULE_CONTACT_DOWNTIME;ann;{wall + start_s:.0f};{wall + end_s:.0f};joe;x")


def test_a_contact_in_downtime_is_not_told_and_is_afterwards():
    stage = play(shard())
    away(stage, -1, 50)
    stage.bad()
    stage.live(40.0)
    assert stage.told == []
    stage.live(40.0)

    assert [who for _, who in stage.whom()] == ["ann"]
    assert [line.split(";")[1] for line in said(stage, "CONTACT DOWNTIME ALERT")] == ["STARTED", "STOPPED"]


def test_a_contacts_downtime_that_is_deleted_ends():
    stage = play(shard())
    away(stage, 5, 50)
    stage.live(7.0)
    (downtime,) = owned(stage).state.contact_status["ann"].downtimes
    assert downtime.in_effect
    stage.tell(f"DEL_CONTACT_DOWNTIME;{downtime.id}")
    stage.live(1.0)

    assert owned(stage).state.contact_status["ann"].downtimes == ()
    assert [line.split(";")[1] for line in said(stage, "CONTACT DOWNTIME ALERT")] == ["STARTED", "CANCELLED"]


def test_deleting_a_contacts_downtime_that_has_not_begun_is_silent():
    stage = play(shard())
    away(stage, 5, 50)
    (downtime,) = owned(stage).state.contact_status["ann"].downtimes
    stage.tell(f"DEL_CONTACT_DOWNTIME;{downtime.id}")
    stage.live(10.0)

    assert said(stage, "CONTACT DOWNTIME ALERT") == []


def test_a_contacts_downtime_survives_a_take_over_and_ends_in_time():
    stage = play(shard())
    stage.add("two")
    away(stage, -1, 60)
    stage.live(2.0)
    stage.take_over()
    stage.bad()
    stage.live(30.0)
    assert stage.told == []
    stage.live(60.0)

    assert [who for _, who in stage.whom()] == ["ann"]


def test_flapping_leaves_a_comment_while_it_lasts():
    stage = play(shard(low_flap_threshold=5.0, high_flap_threshold=20.0))
    for number in range(8):
        stage.passive(SERVICE, 2 * (number % 2))
        stage.live(1.0)
    (comment,) = stage.status().comments
    assert stage.status().flapping and comment.kind == 3
    stage.tell(f"DISABLE_SVC_FLAP_DETECTION;{SERVICE}")

    assert stage.status().comments == ()


# ---------------------------------------------------------------- event handlers


def handled(stage):
    """(command, time-out) of the event handlers that a reactionner would get."""
    stage.run(0.5)
    return [(a.command, a.timeout_s) for a in stage.take(to=stage.owner).actions if a.kind == "handler"]


def with_handlers(**globals_):
    quick = shard(event_handler="repair", contacts=())
    commands = (*quick.commands, Command("all", "/bin/all"), Command("slow", "/bin/slow", timeout_s=99.0))
    return msgspec.structs.replace(quick, commands=commands, globals=Globals(**globals_))


def test_the_global_event_handler_runs_before_the_objects_own():
    stage = play(with_handlers(global_service_event_handler="all", event_handler_timeout_s=7.0))
    stage.bad()

    assert handled(stage) == [("/bin/all", 7.0), ("/bin/repair CRITICAL", 7.0)]
    assert said(stage, "EVENT HANDLER") == [
        "GLOBAL SERVICE EVENT HANDLER: web1;http;CRITICAL;HARD;1;all",
        "SERVICE EVENT HANDLER: web1;http;CRITICAL;HARD;1;repair",
    ]


def test_a_command_with_a_time_out_of_its_own_keeps_it():
    stage = play(with_handlers(global_service_event_handler="slow"))
    stage.bad()

    assert handled(stage) == [("/bin/slow", 99.0), ("/bin/repair CRITICAL", 30.0)]


def test_an_event_handler_can_be_launched_whatever_is_switched_off():
    stage = play(with_handlers(enable_event_handlers=False))
    stage.bad()
    assert handled(stage) == []
    stage.tell(f"LAUNCH_SVC_EVENT_HANDLER;{SERVICE}")

    assert handled(stage) == [("/bin/repair CRITICAL", 30.0)]
    assert len(said(stage, "EVENT HANDLER")) == 1


def test_passive_results_of_one_second_each_have_their_event_handler():
    stage = play(with_handlers())
    owned(stage).state.items[SERVICE].traits = msgspec.structs.replace(
        owned(stage).state.items[SERVICE].traits, max_check_attempts=3
    )
    for _ in range(3):
        stage.passive(SERVICE, 2)

    assert len(handled(stage)) == 3


def test_while_flapping_event_handlers_go_on():
    stage = play(with_handlers())
    item = owned(stage).state.items[SERVICE]
    item.status.flapping = True
    stage.bad()

    assert len(handled(stage)) == 1




def test_flapping_ends_with_a_configuration_that_does_not_look_for_it():
    stage = play(shard(low_flap_threshold=5.0, high_flap_threshold=20.0))
    for number in range(8):
        stage.passive(SERVICE, 2 * (number % 2))
        stage.live(1.0)
    assert stage.status().flapping
    stage.shard = shard(flap_detection_enabled=False)
    stage.version = "v2"
    stage.place("one")
    stage.live(1.0)
    stage.passive(SERVICE, 2)
    stage.live(1.0)

    assert not stage.status().flapping and stage.status().comments == ()
    assert said(stage, "FLAPPING ALERT")[-1].split(";")[2] == "DISABLED"
