"""A real nagios4 in the foreground on a folder of its own, fed through its command pipe.

Debian: nagios4-core. Everything it writes stays in the folder; one unit of time is a second.
"""

import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

NAGIOS = shutil.which("nagios4") or shutil.which("nagios4", path="/usr/sbin")
TICK_S = 2.5
SETTLE_S = 6.0
READY = "launched command file worker"  # in its log, once it reads its pipe
MAIN = """\
cfg_file={folder}/objects.cfg
log_file={folder}/nagios.log
status_file={folder}/status.dat
command_file={folder}/nagios.cmd
object_cache_file={folder}/objects.cache
precached_object_file={folder}/objects.pre
check_result_path={folder}/spool
lock_file={folder}/nagios.lock
temp_file={folder}/temp
temp_path={folder}
nagios_user=root
nagios_group=root
interval_length=1
status_update_interval=1
check_external_commands=1
check_result_reaper_frequency=1
event_broker_options=0
log_rotation_method=n
use_syslog=0
log_initial_states=0
log_external_commands=0
log_passive_checks=0
log_notifications=1
log_service_retries=1
log_host_retries=1
retain_state_information=0
enable_notifications=1
enable_event_handlers=1
log_event_handlers=1
enable_flap_detection=1
low_service_flap_threshold=5
high_service_flap_threshold=20
low_host_flap_threshold=5
high_host_flap_threshold=20
passive_host_checks_are_soft={soft}
translate_passive_host_checks=0
enable_predictive_host_dependency_checks=0
enable_predictive_service_dependency_checks=0
"""
State = dict[str, str]


class Recorded(Struct, frozen=True):
    """What it did: log lines without their time, and what it remembered after each tick, by object."""

    log: tuple[str, ...]
    states: tuple[dict[str, State], ...]


def record(folder: Path, objects: str, steps: Sequence[Sequence[str]], soft: int = 1) -> Recorded:
    """Run it on `objects`, give it `steps`, one a tick (`@+N` is N seconds from now); return what it did.

    Raises RuntimeError when it does not start.
    """
    assert NAGIOS is not None
    (folder / "spool").mkdir(parents=True)
    (folder / "objects.cfg").write_text(objects)
    main = folder / "nagios.cfg"
    main.write_text(MAIN.format(folder=folder, soft=soft))
    with (folder / "out").open("w") as out:
        process = subprocess.Popen([NAGIOS, str(main)], stdout=out, stderr=subprocess.STDOUT)
    try:
        _await(folder / "nagios.cmd", process)
        states = _feed(folder, steps)
    finally:
        process.terminate()
        process.wait(20)
    lines = (folder / "nagios.log").read_text(errors="replace").splitlines()
    return Recorded(tuple(re.sub(r"^\[\d+\] ", "", line) for line in lines), tuple(states))


def _await(pipe: Path, process: "subprocess.Popen[bytes]") -> None:
    log, end = pipe.parent / "nagios.log", time.monotonic() + 20
    while not (pipe.exists() and READY in log.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError((pipe.parent / "out").read_text()[-2000:])
        time.sleep(0.1)


def _feed(folder: Path, steps: Sequence[Sequence[str]]) -> list[dict[str, State]]:
    states = []
    with (folder / "nagios.cmd").open("w") as pipe:
        # A tenth into a second, so that what is counted in whole seconds falls between ticks.
        time.sleep(1.1 - time.time() % 1)
        began = time.time()
        for number, step in enumerate(steps, 1):
            now = int(time.time())
            for command in step:
                pipe.write(f"[{now}] {at(command, now)}\n")
                pipe.flush()
            time.sleep(max(0.0, began + number * TICK_S - 0.1 - time.time()))
            states.append(_states((folder / "status.dat").read_text(errors="replace")))
            time.sleep(max(0.0, began + number * TICK_S - time.time()))
        time.sleep(SETTLE_S)
    return states


def at(command: str, now: int) -> str:
    """Return `command` with the moments it names relative to `now` filled in."""
    return re.sub(r"@([+-]\d+)", lambda found: str(now + int(found[1])), command)


def _states(text: str) -> dict[str, State]:
    found = {}
    for kind, body in re.findall(r"^(host|service)status \{\n(.*?)\t\}\n", text, re.DOTALL | re.M):
        fields = dict(line.strip().partition("=")[::2] for line in body.splitlines())
        name = fields["host_name"]
        found[name if kind == "host" else f"{name};{fields['service_description']}"] = fields
    return found
