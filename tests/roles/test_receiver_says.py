"""What a receiver says of lines that no scheduler sees, and what it gives to the leading arbiter."""

import pytest

from daemons.roles.leader_lines import GIVE_UP_S
from daemons.roles.log_notes import BATCH, WAITING_MAX
from daemons.wire.configuration import Reread
from daemons.wire.messages import Accepted, Done, Failed, NotMine, Submit
from tests.roles.stage import Stage
from tests.roles.test_receiver import Bench, at, line
from tests.roles.test_scheduler_tells import logs


class Desk(Bench):
    """A bench with a leading arbiter."""

    def __init__(self, **options) -> None:
        self.asked = []
        self.leader_says = Done()
        super().__init__(**options)

    def carry(self, calls):
        for call in calls:
            if isinstance(call.message, Reread):
                self.asked.append(call)
                self.carry(self.role.answered(call, self.leader_says, at(self.now)))
            else:
                super().carry([call])

    def notes(self):
        """Lines for the log under way; answered."""
        found = []
        for call in list(self.sent):
            found += call.message.notes
            ids = tuple(item.id for item in call.message.items)
            shard = int(call.to[1:])
            self.answer(call.to, Accepted((), ids, {}, (shard,)))
        return found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1700000000] NO_SUCH;a;b", "Warning: Unrecognized external command -> NO_SUCH;a;b"),
        (
            "[1700000000] DISABLE_HOST_CHECK",
            "Error: External command failed -> DISABLE_HOST_CHECK (DISABLE_HOST_CHECK takes 1 arguments (host), 0 given)",
        ),
        ("[17] DISABLE\n[18] x", "Error: External command failed -> DISABLE [18] x (a command is written"),
    ],
)
def test_a_refused_line_is_told_to_its_sender_and_in_the_monitoring_log_once(text, said):
    desk = Desk()
    assert desk.submit(line(text=text)).refused.keys() == {"x1"}
    desk.tick()
    notes = desk.notes()
    assert len(notes) == 1 and notes[0].startswith(said)
    desk.tick(2.0)
    assert desk.notes() == []


def test_what_no_shard_has_is_said_in_the_monitoring_log():
    desk = Desk()
    desk.take(
        line("a", "[1] PROCESS_SERVICE_CHECK_RESULT;mars;http;0;fine"), line("b", "[1] DISABLE_HOST_CHECK;mars"),
        line("c", "[1] DEL_SVC_DOWNTIME;77"), line("d", "[1] DISABLE_HOSTGROUP_SVC_CHECKS;none"),
    )  # fmt: skip
    desk.notes()
    desk.tick()
    assert desk.notes() == [
        "Warning:  Passive check result was received for service 'http' on host 'mars', but the host could not be found!",
        "Error: External command failed -> DISABLE_HOST_CHECK;mars (no such host)",
        "Error: External command failed -> DEL_SVC_DOWNTIME;77 (nothing has that number)",
        "Error: External command failed -> DISABLE_HOSTGROUP_SVC_CHECKS;none (no such hostgroup)",
    ]


def test_lines_for_the_log_go_again_until_a_scheduler_has_them():
    desk = Desk()
    desk.submit(line(text="NO_SUCH"))
    desk.tick()
    (call,) = desk.sent
    desk.answer(call.to, Failed("gone"))
    desk.tick(2.0)
    assert desk.notes() == ["Warning: Unrecognized external command -> NO_SUCH"]


def test_rubbish_is_shown_a_little_at_a_time_and_what_is_left_out_is_counted():
    desk = Desk()
    for number in range(WAITING_MAX + 7):
        desk.submit(line(f"x{number}", f"RUBBISH{number}"))
    seen = []
    for _ in range(3):
        desk.tick(1.1)
        seen.append(desk.notes())
    assert [len(notes) for notes in seen] == [BATCH, BATCH, 1]
    assert seen[-1] == ["Warning: 7 more external commands were refused"]


def test_a_scheduler_writes_what_a_receiver_says_into_its_log():
    stage = Stage()
    stage.start()
    stage.schedulers["one"].handle(Submit("recv", (), notes=("Warning: a\nb",)), stage.now)
    stage.run(0.5)
    assert "Warning: a b" in logs(stage)


def test_files_are_named_in_the_pipe_only():
    assert "write it there" in Desk().submit(line(text="PROCESS_FILE;/tmp/x;1")).refused["x1"]


# -- the leading arbiter


@pytest.mark.parametrize("text", ["[1] RELOAD_CONFIG", "RESTART_PROGRAM"])
def test_a_reload_goes_to_the_leader_and_to_no_scheduler(text):
    desk = Desk()
    desk.take(line(text=text))
    desk.tick()
    assert [(c.to, c.message) for c in desk.asked] == [("a1", Reread("x1"))]
    assert not any(c.message.items for c in desk.sent)
    desk.tick()
    desk.tick()
    assert desk.disk == {} and len(desk.asked) == 1
    assert desk.notes() == [f"EXTERNAL COMMAND: {text.removeprefix('[1] ')}"]


def test_a_reload_waits_for_a_leader_and_is_given_up_after_a_minute():
    desk = Desk()
    desk.leader_says = NotMine("nobody leads yet")
    desk.take(line(text="RELOAD_CONFIG"))
    for _ in range(3):
        desk.tick(1.1)
    assert len(desk.asked) == 4 or len(desk.asked) == 3
    assert desk.disk
    for _ in range(int(GIVE_UP_S) + 2):
        desk.tick(1.1)
    desk.tick()
    assert desk.disk == {}
    assert "no leading arbiter took it: nobody leads yet" in desk.notes()[0]


def test_a_reload_survives_the_receiver():
    desk = Desk(spooled=(line(text="RELOAD_CONFIG"),))
    desk.tick()
    assert len(desk.asked) == 1
