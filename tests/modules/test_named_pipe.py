"""The named pipe: a real FIFO, real writers."""

import os
import stat
import time

import pytest

from daemons.modules.api import Setting
from daemons.modules.entry import delivery
from daemons.modules.named_pipe import LINE_MAX, NamedPipe
from daemons.roles.receiver import SPOOL_FULL
from daemons.wire.messages import Accepted, Failed, Submit, Submitted


class Inbox:
    """Takes lines; refuses as many times as told."""

    def __init__(self) -> None:
        self.items: list[Submitted] = []
        self.refusals = 0

    def __call__(self, items):
        if self.refusals:
            self.refusals -= 1
            return items
        self.items += items
        return ()

    @property
    def lines(self) -> list[str]:
        return [item.line for item in self.items]

    def wait_for(self, count: int) -> list[str]:
        until(lambda: len(self.items) >= count)
        return self.lines


def until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def pipe(tmp_path, inbox):
    pipe = NamedPipe(Setting("named-pipe", {}, "r1", tmp_path, lambda: 7.0), inbox)
    pipe.start()
    yield pipe
    pipe.close()


def write(pipe: NamedPipe, data: bytes) -> None:
    with pipe.path.open("wb", buffering=0) as file:
        while data:
            data = data[file.write(data) :]


def test_each_line_arrives_once_with_an_id_of_its_own(pipe, inbox):
    write(pipe, "[1] A;é\n\n[2] B\n".encode())

    assert inbox.wait_for(2) == ["[1] A;é", "[2] B"]
    assert len({item.id for item in inbox.items}) == 2
    assert inbox.items[0].wall == 7.0


def test_writers_come_and_go_and_nothing_is_lost_between_them(pipe, inbox):
    for i in range(200):
        write(pipe, b"[1] CMD;%d\n" % i)

    assert inbox.wait_for(200) == [f"[1] CMD;{i}" for i in range(200)]


class Interrupted(NamedPipe):
    """A writer comes and goes just while the pipe is opened anew."""

    interruptions = 0

    def _opened(self) -> int:
        if self.interruptions:
            self.interruptions -= 1
            writer = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
            os.write(writer, b"[1] IN BETWEEN\n")
            os.close(writer)
        return super()._opened()


def test_what_a_writer_leaves_while_the_pipe_is_opened_anew_is_read(tmp_path, inbox):
    pipe = Interrupted(Setting("named-pipe", {}, "r1", tmp_path, lambda: 7.0), inbox)
    pipe.interruptions = 1
    pipe.start()
    write(pipe, b"[1] FIRST\n")

    assert inbox.wait_for(2) == ["[1] FIRST", "[1] IN BETWEEN"]
    pipe.close()


def test_a_line_written_in_pieces_is_one_line(pipe, inbox):
    with pipe.path.open("wb", buffering=0) as file:
        file.write(b"[1] DISABLE_HOST_")
        until(lambda: bytes(pipe._buffer) != b"")
        file.write(b"CHECK;web1\n")

    assert inbox.wait_for(1) == ["[1] DISABLE_HOST_CHECK;web1"]


def test_what_a_vanished_writer_left_unfinished_is_dropped_and_counted(pipe, inbox):
    write(pipe, b"[1] WHOLE\n[1] DISABLE_HOST_CHECK;web1")
    until(lambda: pipe.lines_unfinished == 1)
    write(pipe, b"0\n[1] NEXT\n")

    assert inbox.wait_for(3) == ["[1] WHOLE", "0", "[1] NEXT"]


def test_a_line_that_is_too_long_is_cut_and_counted(pipe, inbox):
    write(pipe, b"x" * (LINE_MAX * 3) + b"\n[1] NEXT\n")

    first, second = inbox.wait_for(2)
    assert (len(first), second) == (LINE_MAX, "[1] NEXT")
    assert pipe.lines_cut == 1


def test_lines_that_are_not_taken_are_delivered_again_in_order(pipe, inbox):
    inbox.refusals = 1
    write(pipe, b"a\nb\n")
    write(pipe, b"c\n")

    assert inbox.wait_for(3) == ["a", "b", "c"]


def test_lines_read_but_not_taken_before_a_stop_are_delivered_after_the_next_start(tmp_path, inbox):
    place = Setting("named-pipe", {}, "r1", tmp_path, lambda: 7.0)
    inbox.refusals = 1_000_000
    first = NamedPipe(place, inbox)
    first.start()
    write(first, b"a\nb\n")
    until(lambda: inbox.refusals < 1_000_000)
    first.close()
    inbox.refusals = 0
    second = NamedPipe(place, inbox)
    second.start()
    write(second, b"c\n")

    assert inbox.wait_for(3) == ["a", "b", "c"]
    second.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shinken.cmd"]


def test_only_owner_and_group_may_write(pipe):
    mode = pipe.path.stat().st_mode
    assert stat.S_ISFIFO(mode)
    assert stat.S_IMODE(mode) == 0o620


def test_a_file_in_its_place_is_not_touched(tmp_path, inbox):
    (tmp_path / "shinken.cmd").write_text("precious")

    with pytest.raises(FileExistsError):
        NamedPipe(Setting("named-pipe", {}, "r1", tmp_path, lambda: 7.0), inbox)


def test_the_pipe_may_be_elsewhere(tmp_path, inbox):
    options = {"command_file": str(tmp_path / "rw" / "nagios.cmd")}
    pipe = NamedPipe(Setting("named-pipe", options, "r1", tmp_path, lambda: 7.0), inbox)
    pipe.close()

    assert stat.S_ISFIFO(os.stat(tmp_path / "rw" / "nagios.cmd").st_mode)


ITEMS = (Submitted("a", "[1] A", 1.0), Submitted("b", "[1] B", 1.0))


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (Accepted(durable=("a", "b")), ()),
        (Accepted(durable=("a",)), ITEMS[1:]),
        (Accepted(durable=("a",), refused={"b": "no such command"}), ()),
        (Accepted(refused={"a": SPOOL_FULL, "b": SPOOL_FULL}), ITEMS),
        (Failed("stopping"), ITEMS),
    ],
)
def test_only_what_may_yet_be_taken_is_tried_again(answer, left):
    asked = []
    deliver = delivery("pipe", lambda message: asked.append(message) or answer)

    assert deliver(ITEMS) == left
    assert asked == [Submit("pipe", ITEMS)]
