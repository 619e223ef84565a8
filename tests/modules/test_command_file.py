"""PROCESS_FILE: which files are read, and when they are deleted."""

import os

import pytest

from daemons.modules import command_file
from daemons.modules.api import Setting
from daemons.modules.command_file import Unread, lines_of, named_file
from daemons.modules.named_pipe import NamedPipe
from tests.modules.test_named_pipe import Inbox, until, write


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "commands"
    place.mkdir()
    return place


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def pipe(tmp_path, folder, inbox):
    pipe = NamedPipe(Setting("named-pipe", {}, "r1", tmp_path, lambda: 7.0), inbox)
    pipe.start()
    yield pipe
    pipe.close()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("[1] PROCESS_FILE;/tmp/x y;1", ("/tmp/x y", True)),
        ("process_file;x;0;", ("x", False)),
        ("[1] PROCESS_FILE;x", None),
        ("[1] PROCESS_FILE;;1", None),
        ("[1] ADD_HOST_COMMENT;h;1;a;PROCESS_FILE;x;1", None),
    ],
)
def test_the_line_names_a_file_and_what_becomes_of_it(line, named):
    assert named_file(line) == named


def test_the_lines_of_a_file_come_in_their_place_and_it_is_deleted_after(pipe, folder, inbox):
    (folder / "bulk").write_text("[1] B;1\n\n[2] B;2\r\n[3] PROCESS_FILE;bulk;1")
    write(pipe, f"[1] A\n[1] PROCESS_FILE;{folder / 'bulk'};1\n[1] C\n".encode())

    assert inbox.wait_for(4) == ["[1] A", "[1] B;1", "[2] B;2", "[1] C"]
    assert len({item.id for item in inbox.items}) == 4
    until(lambda: not (folder / "bulk").exists())


def test_a_file_stays_when_nobody_wants_it_deleted(pipe, folder, inbox):
    (folder / "bulk").write_text("[1] B\n")
    write(pipe, b"[1] PROCESS_FILE;bulk;0\n[1] C\n")

    assert inbox.wait_for(2) == ["[1] B", "[1] C"]
    assert (folder / "bulk").exists()


def test_a_file_is_not_deleted_before_its_lines_are_taken(pipe, folder, inbox):
    inbox.refusals = 1
    (folder / "bulk").write_text("[1] B\n")
    write(pipe, b"[1] PROCESS_FILE;bulk;1\n")
    until(lambda: inbox.refusals == 0)
    assert (folder / "bulk").exists()
    inbox.wait_for(1)
    until(lambda: not (folder / "bulk").exists())


def test_a_file_that_cannot_be_read_costs_no_other_line(pipe, inbox):
    write(pipe, b"[1] A\n[1] PROCESS_FILE;/etc/passwd;1\n[1] PROCESS_FILE;none;1\n[1] C\n")

    assert inbox.wait_for(2) == ["[1] A", "[1] C"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret", "sub/file", "..", ".", "/", "x" * 300, "none"])
def test_files_elsewhere_are_not_read(folder, path):
    (folder.parent / "secret").write_text("[1] A\n")
    (folder / "sub").mkdir()
    (folder / "sub" / "file").write_text("[1] A\n")

    with pytest.raises(Unread):
        lines_of(path, folder)


def test_links_pipes_and_huge_files_are_not_read(folder, monkeypatch):
    (folder.parent / "secret").write_text("[1] A\n")
    (folder / "link").symlink_to(folder.parent / "secret")
    os.mkfifo(folder / "fifo")
    (folder / "huge").write_text("[1] A\n")
    monkeypatch.setattr(command_file, "FILE_MAX_BYTES", 3)

    for name in ("link", "fifo", "huge"):
        with pytest.raises(Unread):
            lines_of(name, folder)
