"""The commands as typed: exit codes, no traceback for a mistake, answers that are true."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec import json
from msgspec.structs import replace

from console.cli import console, exit_code, main
from console.commands import receivers_of, stamped
from console.snapshot import snapshot
from tests.console.fakes import CLUSTER, healthy, server1_dead, told
from tests.console.keepers import Stage, stage

DAEMONS = """
define arbiter{
    arbiter_name  a
    address       127.0.71.9
}
define scheduler{
    scheduler_name  s
    address         127.0.71.9
}
define broker{
    broker_name  b
    address      127.0.71.9
}
define poller{
    poller_name  p
    address      127.0.71.9
}
define reactionner{
    reactionner_name  r
    address           127.0.71.9
}
"""


def shinken(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path) as stage_:
        yield stage_


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    path = tmp_path / "shinken.cfg"
    path.write_text(f"workdir={tmp_path}/work\nkeeper_port=1\n{DAEMONS}")
    return ["-c", str(path)]


def test_status_shows_the_failover_and_exits_with_1(on: Stage) -> None:
    result = shinken("status", "--workdir", str(on.workdir))

    assert result.exit_code == 1
    assert "leader arbiter-spare on server3" in result.output
    assert "server1 is silent" in result.output
    assert "\x1b" not in result.output


def test_status_json_can_be_read(on: Stage) -> None:
    read = json.decode(shinken("status", "--json", "--workdir", str(on.workdir)).output)

    assert read["leader"] == "arbiter-spare"
    assert [s["keeper"] for s in read["servers"]] == ["dead", "alive", "alive"]


def test_the_console_prints_once_within_3_seconds_while_one_keeper_hangs(on: Stage) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", "from console.cli import console; console()", "--once", "--workdir", str(on.workdir)],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip

    assert time.monotonic() - began < 3
    assert done.returncode == 1
    assert "arbiter-spare" in done.stdout
    assert done.stderr == ""


def test_asking_does_not_load_textual_nor_the_roles(on: Stage) -> None:
    code = "import sys; from console.cli import main; main(['status', '--workdir', sys.argv[1]], standalone_mode=False)"
    probe = f"import atexit, sys\natexit.register(lambda: print('LOADED', [m for m in sys.modules if m == 'textual' or m.startswith('daemons.roles')], file=sys.stderr))\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", probe, str(on.workdir)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert "LOADED []" in done.stderr


def test_the_console_without_a_terminal_says_what_to_do(on: Stage) -> None:
    result = CliRunner().invoke(console, ["--workdir", str(on.workdir)])

    assert result.exit_code == 2
    assert "--once" in result.output


def test_nobody_answering_is_3(files: list[str]) -> None:
    result = shinken("status", *files)

    assert result.exit_code == 3
    assert "no keeper answers" in result.output
    assert shinken("doctor", *files).exit_code == 3
    assert shinken("command", "X;y", *files).exit_code == 3


def test_what_was_set_up_so_is_advice_and_no_failure_of_status() -> None:
    one = replace(CLUSTER, daemons=CLUSTER.on("10.0.0.1"), servers=CLUSTER.servers[:1])
    found = snapshot(one, {"server1": healthy()["server1"]})

    assert found.problems
    assert exit_code(found) == 0


def test_doctor_has_everything_with_its_fix(on: Stage) -> None:
    result = shinken("doctor", "--json", "--workdir", str(on.workdir))
    found = json.decode(result.output)["problems"]

    assert result.exit_code == 1
    assert any("server1 is silent" in p["text"] for p in found)
    assert all(p["fix"] for p in found)


def test_doctor_also_reads_the_configuration(files: list[str]) -> None:
    assert "all daemons are on one server" in shinken("doctor", *files).output


def test_a_command_goes_to_a_receiver_that_answers(on: Stage) -> None:
    """receiver-master is on the server that hangs."""
    result = shinken("command", "ADD_HOST_COMMENT;web1;1;ann;seen", "--workdir", str(on.workdir))

    assert result.exit_code == 0, result.output
    assert "durable: receiver-spare" in result.output
    (line,) = on.submitted
    assert line.startswith("[") and line.endswith("] ADD_HOST_COMMENT;web1;1;ann;seen")


def test_a_command_that_is_refused_says_why(on: Stage) -> None:
    result = shinken("command", "NONSENSE", "--workdir", str(on.workdir))

    assert result.exit_code == 1
    assert "refused by receiver-spare: there is no such command" in result.output


def test_active_receivers_are_tried_first_and_dead_ones_last() -> None:
    assert receivers_of(told(healthy())) == ["receiver-master", "receiver-spare"]
    assert receivers_of(told(server1_dead())) == ["receiver-spare", "receiver-master"]


def test_a_time_that_is_given_is_kept() -> None:
    assert stamped(" [12] X;y\n", 99.7) == "[12] X;y"
    assert stamped("X;y", 99.7) == "[99] X;y"


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("status", "--workdir", "/nonexistent"), 2, "holds no started server"),
        (("status", "-c", "/nonexistent.cfg"), 2, "does not exist"),
        (("stat",), 2, "No such command"),
        (("status", "--nope"), 2, "No such option"),
        (("start", "--workdir", "/nonexistent"), 2, "say what to start"),
        (("restart", "--workdir", "/nonexistent"), 2, "holds no started server"),
        (("stop", "--workdir", "/nonexistent"), 0, "nothing runs"),
        (("command",), 2, "Missing argument"),
        (("--help",), 0, "Watch it live"),
    ],
)
def test_a_mistake_is_a_sentence_and_not_a_traceback(
    words: tuple[str, ...], code: int, text: str
) -> None:
    result = shinken(*words)

    assert result.exit_code == code, result.output
    assert text in result.output
    assert "Traceback" not in result.output


def test_verify_judges_the_files(files: list[str], tmp_path: Path) -> None:
    assert shinken("verify", *files).exit_code == 0
    bad = tmp_path / "bad.cfg"
    bad.write_text("define host{\n  nonsense\n")

    result = shinken("verify", "-c", str(bad))
    assert result.exit_code == 1
    assert "bad.cfg:" in result.output


def test_start_refuses_a_bad_configuration_with_1(tmp_path: Path) -> None:
    bad = tmp_path / "bad.cfg"
    bad.write_text(
        DAEMONS
        + "define service{\n  host_name nobody\n  service_description x\n  check_command y\n}\n"
    )
    result = shinken("start", "-c", str(bad), "--workdir", str(tmp_path / "w"))

    assert result.exit_code == 1
    assert "nothing was started" in result.output


def test_a_secret_that_others_can_read_is_refused_with_its_fix(on: Stage, tmp_path: Path) -> None:
    from daemons.net.home import Home

    secret = tmp_path / "secret"
    secret.write_text("ab" * 32)
    secret.chmod(0o644)
    Home(on.workdir).write(replace(on.bundle, secret_file=str(secret)))
    result = shinken("status", "--workdir", str(on.workdir))

    assert result.exit_code == 2
    assert "chmod 600" in result.output


def test_a_server_that_is_not_in_the_configuration_is_named(files: list[str]) -> None:
    assert "there is no server mars" in shinken("status", *files, "--server", "mars").output
