"""The configuration of a running cluster: changed without a gap, kept through a bad edit and a dead arbiter."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from daemons.cli.demo.judge import longest_gap
from tests.live.cluster import Servers, wait_until

NEW = """\
define service {
    use                  demo-service
    host_name            this-machine
    service_description  brought-by-reload
    check_command        service-check!true
}
"""
BAD = "define service {\n    use  nothing-there\n}\n"


def shinken(servers: Servers, *words: str, server: str = "server1") -> subprocess.CompletedProcess[str]:
    """Run `shinken` as an operator of `server` would."""
    command = [sys.executable, "-m", "console.cli", *words, "--workdir", str(servers.layout.workdir(server))]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_reload_restarts_nothing_and_misses_no_check_and_a_bad_one_changes_nothing(
    running: Servers,
) -> None:
    objects = running.layout.base / "etc" / "objects.cfg"
    before = objects.read_text()
    was = {d.name: (d.pid, d.instance) for d in running.daemons()}
    told = {t.id for t in running.told()}
    count = len(running.told())
    began = time.time()

    objects.write_text(before + BAD)
    refused = shinken(running, "reload")
    assert refused.returncode == 1
    assert "objects.cfg:" in refused.stdout and "error" in refused.stdout

    objects.write_text(before + NEW)
    dry = shinken(running, "reload", "--dry-run")
    assert "service: 1 added (+this-machine;brought-by-reload)" in dry.stdout
    done = shinken(running, "reload")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(lambda: running.last("this-machine/brought-by-reload"), 15, "the new service is checked")
    time_left_s = running.layout.check_s + 1.0
    wait_until(lambda: time.time() > began + 2 * time_left_s, 20, "two check intervals have passed")

    assert {d.name: (d.pid, d.instance) for d in running.daemons()} == was
    runs = [r for r in running.runs() if r.ended > began - 5 and r.key != "this-machine/brought-by-reload"]
    gap_s, key = longest_gap(runs, time.time())
    assert gap_s <= time_left_s, key
    assert [t for t in running.told()[count:] if t.id in told] == []  # nothing is told again
    assert {d.report.config_n for d in running.daemons()} == {2}

    objects.write_text(before)
    assert shinken(running, "reload").returncode == 0


@pytest.mark.slow
def test_the_spare_leads_with_the_last_good_configuration_whatever_its_files_are(
    cluster: Callable[..., Servers],
) -> None:
    servers = cluster(check_s=3, retry_s=1)
    servers.start()
    wait_until(lambda: servers.whole, 30, "the cluster is whole")
    wait_until(lambda: _versions(servers) == {1}, 10, "everybody runs version 1")
    etc = servers.layout.base / "etc"
    (etc / "objects.cfg").write_text((etc / "objects.cfg").read_text() + BAD)
    for name in ("arbiter-spare", "arbiter-master"):  # each starts again beside broken files
        old = servers.seen(name)
        assert old is not None
        os.kill(old.pid, signal.SIGKILL)
        wait_until(lambda n=name, o=old: _again(servers, n, o.pid), 20, f"{name} runs again")
    wait_until(lambda: servers.active("arbiter"), 20, "an arbiter leads")
    problems = [p for d in servers.daemons() if d.role == "arbiter" for p in d.report.problems]
    assert any("objects.cfg:" in p and "works from configuration 1" in p for p in problems), problems

    for path in etc.iterdir():
        path.unlink()  # and then without any
    leader = servers.active("arbiter")[0]
    other = next(d for d in servers.daemons() if d.role == "arbiter" and d.name != leader.name)
    for daemon in (other, leader):
        os.kill(daemon.pid, signal.SIGKILL)
        wait_until(lambda d=daemon: _again(servers, d.name, d.pid), 20, f"{daemon.name} runs again")
    wait_until(lambda: servers.active("arbiter"), 20, "an arbiter leads without files")
    wait_until(lambda: _versions(servers) == {1}, 20, "everybody runs version 1")


@pytest.mark.slow
def test_a_host_that_moves_to_another_scheduler_keeps_its_acknowledgement_and_is_told_once(
    cluster: Callable[..., Servers],
) -> None:
    servers = cluster(check_s=3, retry_s=1)
    etc = servers.layout.base / "etc"
    daemons = (etc / "shinken-specific.cfg").read_text()
    block = daemons[daemons.index("scheduler-spare") :]
    both = block.replace("spare        1", "spare        0", 1)
    (etc / "shinken-specific.cfg").write_text(daemons.replace(block, both))
    hosts = [f"lone{n}" for n in range(8)]
    before = (etc / "objects.cfg").read_text()
    (etc / "objects.cfg").write_text(before + "".join(_broken_host(host) for host in hosts))
    servers.start()
    wait_until(lambda: len(servers.active("scheduler")) == 2, 30, "both schedulers work")
    wait_until(lambda: {t.key for t in servers.told() if t.ended} >= set(hosts), 40, "all hosts are told of")
    for host in hosts:
        servers.command(f"ACKNOWLEDGE_HOST_PROBLEM;{host};2;0;1;ann;known")
    wait_until(lambda: all((r := servers.last(h)) and r.ack == "ack=ann" for h in hosts), 20, "all are acknowledged")
    objects = _objects_at(servers)

    bound = "".join(_broken_host(host, "this-machine") for host in hosts)
    (etc / "objects.cfg").write_text(before + bound)
    began = time.time()
    done = shinken(servers, "reload")
    assert done.returncode == 0, done.stdout + done.stderr
    total = sum(objects.values())
    wait_until(lambda: max(_objects_at(servers).values()) == total > max(objects.values()), 20, "all are in one shard")
    later = time.time() + 7
    wait_until(lambda: all((r := servers.last(h)) and r.began > later for h in hosts), 20, "all are checked there")

    runs = [run for run in servers.runs() if run.key in hosts and run.began > began]
    assert {run.ack for run in runs} == {"ack=ann"}, [run for run in runs if run.ack != "ack=ann"]
    assert sorted(t.key for t in servers.told() if t.key in hosts and t.kind == "PROBLEM") == hosts


def _broken_host(name: str, parent: str = "") -> str:
    parents = f"    parents  {parent}\n" if parent else ""
    return (
        f"define host {{\n    use            demo-host\n    host_name      {name}\n    address        127.0.0.99\n"
        f"    check_command  host-check!ls /nothing-there\n{parents}}}\n"
    )


def _objects_at(servers: Servers) -> dict[str, float]:
    return {d.name: d.report.figures.get("objects", 0.0) for d in servers.daemons() if d.role == "scheduler"}


def _versions(servers: Servers) -> set[int]:
    return {d.report.config_n for d in servers.daemons()}


def _again(servers: Servers, name: str, pid: int) -> bool:
    seen = servers.seen(name)
    return bool(seen and seen.running and seen.pid != pid and 0 <= seen.beat_age_s < 1)
