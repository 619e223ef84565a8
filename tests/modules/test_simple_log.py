"""Simple-log: the format of its lines, its rotation, and files that others touched."""

import os
import time
from pathlib import Path

import pytest

from daemons.modules.api import Setting
from daemons.modules.simple_log import SimpleLog
from daemons.wire.messages import Delta, LogLine

NOON = 1_700_049_600.0  # 2023-11-15 12:00 UTC


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Day:
    def __init__(self) -> None:
        self.wall = NOON

    def __call__(self) -> float:
        return self.wall


def log(folder: Path, clock: Day, **options: str) -> SimpleLog:
    return SimpleLog(Setting("simple-log", options, "b1", folder, clock))


def lines(*texts: str) -> list[Delta]:
    return [Delta(0, 1, 1, NOON, logs=tuple(LogLine(NOON + 0.7, text) for text in texts))]


def touch_as_of(path: Path, wall: float) -> None:
    os.utime(path, (wall, wall))


def test_a_line_is_the_epoch_in_brackets_and_the_text(tmp_path):
    log(tmp_path, Day()).take(lines("HOST ALERT: web1;DOWN;HARD;3;no réponse"))

    text = (tmp_path / "simple.log").read_text(encoding="utf-8")
    assert text == "[1700049600] HOST ALERT: web1;DOWN;HARD;3;no réponse\n"


def test_line_ends_in_a_text_do_not_break_the_line(tmp_path):
    log(tmp_path, Day()).take(lines("a\nb\r\nc\rd"))

    assert (tmp_path / "simple.log").read_text() == "[1700049600] a\\nb\\nc\\rd\n"


def test_the_first_line_of_a_day_moves_the_day_before_to_the_archive(tmp_path):
    clock = Day()
    module = log(tmp_path, clock, path="logs/nagios.log", archive_path=str(tmp_path / "old"))
    module.take(lines("wednesday"))
    clock.wall += 86_400
    module.take(lines("thursday"))

    assert (tmp_path / "old/nagios-11-15-2023-00.log").read_text() == "[1700049600] wednesday\n"
    assert (tmp_path / "logs/nagios.log").read_text() == "[1700049600] thursday\n"


def test_a_log_left_from_a_former_day_is_archived_under_that_day(tmp_path):
    path = tmp_path / "simple.log"
    path.write_text("old\n")
    touch_as_of(path, NOON - 3 * 86_400)
    log(tmp_path, Day()).take(lines("new"))

    assert (tmp_path / "simple-11-12-2023-00.log").read_text() == "old\n"


def test_an_archive_is_never_overwritten(tmp_path):
    (tmp_path / "simple-11-15-2023-00.log").write_text("precious\n")
    clock = Day()
    module = log(tmp_path, clock)
    module.take(lines("a"))
    clock.wall += 86_400
    module.take(lines("b"))

    assert (tmp_path / "simple-11-15-2023-00.log").read_text() == "precious\n"
    assert (tmp_path / "simple-11-15-2023-01.log").read_text() == "[1700049600] a\n"


def test_an_empty_log_is_not_archived(tmp_path):
    clock = Day()
    module = log(tmp_path, clock)
    clock.wall += 86_400
    module.take(lines("b"))

    assert [path.name for path in tmp_path.iterdir()] == ["simple.log"]


def test_a_file_that_somebody_put_in_its_place_is_not_cut(tmp_path):
    module = log(tmp_path, Day())
    module.take(lines("a"))
    mark = module.flush()
    module.close()
    (tmp_path / "simple.log").rename(tmp_path / "moved-by-logrotate")
    (tmp_path / "simple.log").write_text("somebody's\n")
    log(tmp_path, Day()).resume(mark)

    assert (tmp_path / "simple.log").read_text() == "somebody's\n"


def test_lines_that_were_in_the_log_before_the_first_start_stay(tmp_path):
    (tmp_path / "simple.log").write_text("from Nagios\n")
    touch_as_of(tmp_path / "simple.log", NOON)
    module = log(tmp_path, Day())
    module.resume(None)
    module.take(lines("a"))

    assert (tmp_path / "simple.log").read_text() == "from Nagios\n[1700049600] a\n"


def test_a_rotation_that_failed_is_made_good(tmp_path):
    clock = Day()
    archive = tmp_path / "old"
    module = log(tmp_path / "log", clock, archive_path=str(archive))
    module.take(lines("a"))
    archive.rmdir()
    clock.wall += 86_400
    with pytest.raises(OSError):
        module.take(lines("b"))
    archive.mkdir()
    module.take(lines("b"))

    assert (archive / "simple-11-15-2023-00.log").read_text() == "[1700049600] a\n"


def test_what_was_written_after_the_mark_is_cut_also_from_an_archive(tmp_path):
    """A gap marker was written just before midnight, the lines after it; then the broker died."""
    clock = Day()
    module = log(tmp_path, clock)
    module.take(lines("marked"))
    mark = module.flush()
    module.gap(0)
    clock.wall += 86_400
    module.take(lines("next day"))
    module.close()
    log(tmp_path, clock).resume(mark)

    assert (tmp_path / "simple-11-15-2023-00.log").read_text() == "[1700049600] marked\n"
    assert (tmp_path / "simple.log").read_text() == ""
