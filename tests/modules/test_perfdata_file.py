"""The perfdata file: modes, files that are taken away, and the command that takes them."""

import os
from pathlib import Path

import pytest

from daemons.modules.api import Setting
from daemons.modules.perfdata_file import HostPerfdata, ServicePerfdata
from daemons.wire.messages import Delta

WALL = 1_700_000_000.0


class Clock:
    def __init__(self) -> None:
        self.wall = WALL

    def __call__(self) -> float:
        return self.wall


def made(folder: Path, clock: Clock | None = None, **options: str) -> ServicePerfdata:
    given = {"path": "perf.dat", **options}
    setting = Setting(
        "service-perfdata", given, "b1", folder, clock or Clock(), {"USER1": "/bin"}, {}
    )
    module = ServicePerfdata(setting)
    module.resume(None)
    return module


def delta(*lines: str) -> Delta:
    return Delta(0, 1, 1, WALL, service_perfdata=lines, host_perfdata=("of a host",))


def test_a_file_has_the_lines_of_its_kind_and_each_ends_once(tmp_path):
    services, hosts = made(tmp_path), HostPerfdata(Setting("h", {}, "b1", tmp_path, Clock()))
    for module in (services, hosts):
        module.take([delta("a\tt=1s", "b\n"), Delta(0, 1, 2, WALL)])

    assert (tmp_path / "perf.dat").read_text() == "a\tt=1s\nb\n"
    assert (tmp_path / "host-perfdata.dat").read_text() == "of a host\n"


def test_a_start_appends_in_mode_a_and_begins_anew_in_mode_w(tmp_path):
    (tmp_path / "perf.dat").write_text("old\n")
    made(tmp_path, mode="a").take([delta("new")])
    assert (tmp_path / "perf.dat").read_text() == "old\nnew\n"
    module = made(tmp_path, mode="W")
    assert (tmp_path / "perf.dat").read_text() == ""
    module.take([delta("one")])
    mark = module.flush()
    module.take([delta("two")])
    module.resume(mark)  # half a feed is taken back, not everything
    assert (tmp_path / "perf.dat").read_text() == "one\n"


def test_an_unknown_mode_appends_and_says_so(tmp_path, caplog):
    (tmp_path / "perf.dat").write_text("old\n")
    made(tmp_path, mode="z").take([delta("new")])
    assert (tmp_path / "perf.dat").read_text() == "old\nnew\n"
    assert "unknown mode" in caplog.text


def test_a_file_that_was_taken_away_is_begun_anew_with_the_next_line(tmp_path):
    module = made(tmp_path)
    module.take([delta("one")])
    module.flush()
    (tmp_path / "perf.dat").rename(tmp_path / "taken")
    module.take([delta("two")])

    assert (tmp_path / "taken").read_text() == "one\n"
    assert (tmp_path / "perf.dat").read_text() == "two\n"


def test_after_a_crash_a_file_of_others_is_left_as_it_is(tmp_path):
    module = made(tmp_path)
    module.take([delta("one")])
    mark = module.flush()
    (tmp_path / "perf.dat").rename(tmp_path / "taken")
    (tmp_path / "perf.dat").write_text("whose?\n")
    module.resume(mark)
    assert (tmp_path / "perf.dat").read_text() == "whose?\n"


def test_the_command_takes_the_file_when_its_time_has_come(tmp_path):
    clock = Clock()
    module = made(
        tmp_path, clock, processing_command=f"take!{tmp_path}/taken", processing_interval="10",
        processing_line=f"$USER1$/mv {tmp_path}/perf.dat $ARG1$.$TIMET$",
    )  # fmt: skip
    module.take([delta("one")])
    module.flush()
    assert (tmp_path / "perf.dat").exists()
    clock.wall += 10.0
    module.take([delta("two")])
    mark = module.flush()
    assert (tmp_path / f"taken.{int(clock.wall)}").read_text() == "one\ntwo\n"
    assert mark["size"] == 0
    clock.wall += 10.0
    module.flush()  # nothing to take
    assert [p.name for p in tmp_path.glob("taken.*")] == [f"taken.{int(clock.wall - 10)}"]
    module.take([delta("three")])
    assert (tmp_path / "perf.dat").read_text() == "three\n"


def test_in_mode_w_the_file_is_begun_anew_after_its_command(tmp_path):
    clock = Clock()
    module = made(tmp_path, clock, mode="w", processing_line="true", processing_interval="10")
    module.take([delta("one")])
    clock.wall += 11.0
    module.flush()
    assert (tmp_path / "perf.dat").read_text() == ""


@pytest.mark.parametrize(
    ("line", "why"), [("exit 3", "ended with 3"), ("sleep 60", "killed after 0.2 s"), ("\0", "null byte")]
)
def test_a_command_that_fails_or_hangs_is_logged_once_and_costs_no_line(tmp_path, caplog, line, why):
    clock = Clock()
    module = made(tmp_path, clock, processing_line=line, processing_interval="1", timeout="0.2")
    for n in range(2):
        module.take([delta(str(n))])
        clock.wall += 1.0
        module.flush()
    assert (tmp_path / "perf.dat").read_text() == "0\n1\n"
    assert caplog.text.count("failed processing") == 1 and why in caplog.text


@pytest.mark.parametrize("options", [{"processing_interval": "1"}, {"processing_line": "false", "processing_interval": "0"}])
def test_without_a_command_or_an_interval_nothing_is_run(tmp_path, caplog, options):
    clock = Clock()
    module = made(tmp_path, clock, **options)
    module.take([delta("one")])
    clock.wall += 100.0
    module.flush()
    assert "processing" not in caplog.text


def test_a_pipe_gets_the_lines_and_is_made_when_there_is_none(tmp_path):
    module = made(tmp_path, mode="p")
    reader = os.open(tmp_path / "perf.dat", os.O_RDONLY | os.O_NONBLOCK)
    module.take([delta("one", "two")])
    assert os.read(reader, 100) == b"one\ntwo\n"
    assert module.flush() == {}
    module.resume({})
    os.close(reader)
    module.close()


def test_a_pipe_that_nobody_reads_holds_nobody_up(tmp_path, caplog):
    module = made(tmp_path, mode="p")
    for _ in range(100):
        module.take([delta("x" * 5000)])
    assert caplog.text.count("drops perfdata") == 1
    reader = os.open(tmp_path / "perf.dat", os.O_RDONLY | os.O_NONBLOCK)
    assert all(len(line) == 4095 for line in os.read(reader, 40_960).splitlines())
    os.close(reader)
    module.close()


def test_what_is_no_pipe_is_refused_in_mode_p(tmp_path):
    (tmp_path / "perf.dat").write_text("a file")
    module = made(tmp_path, mode="p")
    with pytest.raises(OSError, match="is not a named pipe"):
        module.take([delta("one")])


@pytest.mark.parametrize("mode", ["a", "w"])
def test_what_is_no_file_is_refused_in_the_other_modes_and_blocks_nobody(tmp_path, mode):
    os.mkfifo(tmp_path / "perf.dat")
    for path in (tmp_path / "perf.dat", Path("/dev/null")):
        module = made(tmp_path, mode=mode, path=str(path))
        with pytest.raises(OSError):
            module.take([delta("one")])


def test_a_path_that_cannot_be_opened_stops_no_broker_and_waits_for_the_operator(tmp_path, caplog):
    """Old main files name folders that are not there, or not ours."""
    (tmp_path / "etc").write_text("not a folder")
    module = made(tmp_path, path="etc/perf.dat")
    assert "cannot open perfdata" in caplog.text
    assert module.flush() == {}
    with pytest.raises(OSError):
        module.take([delta("one")])
    module.resume({})
    (tmp_path / "etc").unlink()
    module.take([delta("one")])
    assert module.flush()["size"] == 4
    assert (tmp_path / "etc" / "perf.dat").read_text() == "one\n"


def test_a_gap_is_logged_and_not_written(tmp_path, caplog):
    module = made(tmp_path)
    module.gap(3)
    assert "lost perfdata" in caplog.text
    assert (tmp_path / "perf.dat").read_text() == ""
