"""What `shinken verify` prints, for people, for their scripts and for machines."""

import json
from pathlib import Path

import pytest

from daemons.cli.verify import plural, verify

GOOD = """cfg_file=objects.cfg
define arbiter{
  arbiter_name a
  address 127.0.0.1
}
define scheduler{
  scheduler_name s
  address 127.0.0.1
}
define poller{
  poller_name p
  address 127.0.0.1
}
define reactionner{
  reactionner_name r
  address 127.0.0.1
}
define broker{
  broker_name b
  address 127.0.0.1
}
"""
OBJECTS = """define command{
  command_name ping
  command_line /bin/true
}
define host{
  host_name web1
  check_command ping
}
define host{
  host_name web2
  check_command ping
}
define hostdependency{
  host_name web1
  dependent_host_name web2
}
"""


def written(folder: Path, objects: str) -> str:
    main = folder / "shinken.cfg"
    main.write_text(GOOD)
    (folder / "objects.cfg").write_text(objects)
    return str(main)


def test_counts_and_totals_stand_where_scripts_look_for_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify((written(tmp_path, OBJECTS),), as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "\tChecked 2 hosts" in lines
    assert "\tChecked 1 hostdependencies" in lines
    assert any(line.startswith("Total Warnings: ") for line in lines)
    assert "Total Errors:   0" in lines
    assert lines[-1] == "Things look okay - No serious problems were detected during the pre-flight check"


def test_a_mistake_is_printed_with_its_line_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = (written(tmp_path, OBJECTS.replace("check_command ping", "check_command pong", 1)),)
    assert verify(files, as_json=False) == 1
    out = capsys.readouterr().out
    assert f"{tmp_path}/objects.cfg:7: error: host web1: check_command: command pong is not defined" in out
    assert "Total Errors:   1" in out
    assert out.endswith("nothing would start\n")


def test_json_has_the_same_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = (written(tmp_path, OBJECTS),)
    assert verify(files, as_json=True) == 0
    captured = capsys.readouterr()
    said = json.loads(captured.out)
    assert captured.err == ""
    assert said["good"] is True
    assert said["errors"] == 0
    assert said["warnings"] == len(said["complaints"])
    assert said["counts"]["host"] == 2
    assert said["files"] == [files[0], str(tmp_path / "objects.cfg")]
    assert said["shards"][0]["hosts"] == 2


@pytest.mark.parametrize(
    ("kind", "word"), [("host", "hosts"), ("servicedependency", "servicedependencies"), ("realm", "realms"), ("notificationway", "notificationways")]
)
def test_counts_use_the_plural(kind: str, word: str) -> None:
    assert plural(kind) == word
