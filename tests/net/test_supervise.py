"""A daemon is gone when nothing of it is left; a service that its event handler started is not of it."""

import os
import signal
import subprocess
import sys
import time

from daemons.model.cluster import DaemonDef
from daemons.net.supervise import Supervisor, tree_of
from daemons.wire.messages import DaemonEnded, DaemonStarted, StartDaemon, StopDaemon, Usage

# A daemon with a worker in a session of its own, a plugin there, one that called setsid, and a service
# that an event handler started and that left the session too.
DAEMON = """
import os, subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", '''
import os, subprocess, sys, time
env = dict(os.environ, SHINKEN_SESSION=str(os.getsid(0)))
plugin = subprocess.Popen(["sleep", "1000"], env=env, process_group=0)
slipped = subprocess.Popen(["sleep", "1002"], env=env, start_new_session=True)
handler = dict(env, SHINKEN_EVENT_HANDLER="1")
service = subprocess.Popen(["sleep", "1001"], env=handler, start_new_session=True)
open(sys.argv[1] + ".new", "w").write(f"{plugin.pid} {slipped.pid} {service.pid}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(1000)
''', sys.argv[1]], start_new_session=True)
time.sleep(1000)
"""


def wait_until(condition, what, deadline_s=10.0):
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_a_killed_daemon_leaves_is_ended_before_it_is_called_gone(tmp_path):
    told = []
    define = DaemonDef(name="poller-1", role="poller", address="127.0.0.1", port=1)
    notes = tmp_path / "pids"
    supervisor = Supervisor(
        tmp_path,
        {"poller-1": define},
        lambda d, instance: [sys.executable, "-c", DAEMON, str(notes)],
        told.append,
    )
    supervisor.start()
    started = supervisor.apply(StartDaemon("poller-1"))
    assert isinstance(started, DaemonStarted)
    wait_until(notes.exists, "the plugin runs")
    plugin, slipped, service = map(int, notes.read_text().split())
    try:
        assert plugin in tree_of(supervisor.running[started.pid][0])
        os.kill(started.pid, signal.SIGKILL)
        wait_until(lambda: any(isinstance(m, DaemonEnded) for m in told), "its end is told")

        (ended,) = [m for m in told if isinstance(m, DaemonEnded)]
        assert (ended.name, ended.instance, ended.code) == ("poller-1", started.instance, -9)
        assert not alive(plugin) and not alive(slipped)
        assert alive(service)
        assert not (tmp_path / "poller-1.pid").exists()
    finally:
        os.kill(service, signal.SIGKILL)
        supervisor.close()


def test_a_restarted_keeper_adopts_what_runs_and_stops_it_when_asked(tmp_path):
    define = DaemonDef(name="poller-1", role="poller", address="127.0.0.1", port=1)
    argv = [sys.executable, "-c", "import time; time.sleep(1000)"]
    first = Supervisor(tmp_path, {"poller-1": define}, lambda d, i: argv, lambda m: None)
    started = first.apply(StartDaemon("poller-1"))
    told = []
    second = Supervisor(tmp_path, {"poller-1": define}, lambda d, i: argv, told.append)
    second.start()

    (adopted,) = told
    assert adopted.adopted and adopted.pid == started.pid and adopted.instance == started.instance
    assert second.apply(StartDaemon("poller-1")).pid == started.pid
    second.apply(StopDaemon("poller-1", started.pid))
    wait_until(lambda: any(isinstance(m, DaemonEnded) for m in told), "its end is told")
    assert not alive(started.pid)
    (ended,) = [m for m in told if isinstance(m, DaemonEnded)]
    assert ended.code == -signal.SIGTERM  # the test is its parent here; a restarted keeper is not
    second.close()




def test_a_watchdog_that_has_ended_is_reported_before_it_is_needed(tmp_path):
    told = []
    argv = [sys.executable, "-c", "pass"]
    watched = subprocess.Popen(argv)
    supervisor = Supervisor(tmp_path, {}, lambda d, i: argv, told.append, watchdog=watched.pid)
    watched.wait()
    supervisor.start()
    wait_until(lambda: any(isinstance(m, Usage) for m in told), "usage is told")
    supervisor.close()

    (usage, *_) = [m for m in told if isinstance(m, Usage)]
    assert "watchdog has ended" in usage.problems[0]


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    supervisor = Supervisor(tmp_path, {}, lambda d, i: [], lambda m: None)
    assert supervisor._problems() == ()
    for left, files, words in ((0, 9, "is full"), (100 << 20, 9, "only 100 MiB left"), (1 << 40, 0, "is full")):
        disk = os.statvfs_result((4096, 1, left, left, left, 10, files, files, 0, 255))
        monkeypatch.setattr(os, "statvfs", lambda path, disk=disk: disk)
        (told,) = supervisor._problems()
        assert told.startswith(f"the disk of the work folder {tmp_path}") and words in told
