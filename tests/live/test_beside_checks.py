"""Commands beside checks, perfdata files and maintenance with real processes, over the death of a server's daemons."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.cluster import Servers, wait_until

pytestmark = pytest.mark.slow

OBJECTS = """\
define command {{
    command_name  obsess
    command_line  /bin/sh -c 'echo "$HOSTNAME$/$SERVICEDESC$ $SERVICESTATE$ $$SHINKEN_ORDER" >> {base}/obsess'
}}
define command {{
    command_name  picture
    command_line  /bin/sh -c 'echo $HOSTNAME$/$SERVICEDESC$ >> {base}/pictures'
}}
define command {{
    command_name  released
    command_line  {base}/bin/released
}}
define command {{
    command_name  take
    command_line  mv {base}/$ARG1$ {base}/$ARG1$.$TIMET$
}}
define service {{
    use                         demo-service
    host_name                   this-machine
    service_description         released
    check_command               service-check!true
    maintenance_check_command   released
    maintenance_check_interval  2
    maintenance_retry_interval  1
    maintenance_checks_enabled  1
}}
define service {{
    use                         demo-service
    host_name                   this-machine
    service_description         maintained
    check_command               service-check!false
    maintenance_period          24x7
}}
"""
SIDE = """\
    name                   demo-service
    obsess_over_service    1
    snapshot_enabled       1
    snapshot_command       picture
    snapshot_interval      3600
"""


def words_in(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def perfdata(base: Path) -> list[str]:
    """Every line that was written, those that were taken away first."""
    files = [*sorted(base.glob("perf.dat.*")), base / "perf.dat"]
    return [line for path in files if path.exists() for line in path.read_text().splitlines()]


def test_they_run_for_every_check_and_go_on_after_a_failover(cluster: Callable[..., Servers]) -> None:
    servers = cluster(check_s=2, retry_s=1)
    base = servers.layout.base
    objects = base / "etc" / "objects.cfg"
    text = objects.read_text().replace("    name                   demo-service\n", SIDE)
    objects.write_text(text + OBJECTS.format(base=base))
    main = servers.layout.config
    main.write_text(
        main.read_text() + "obsess_over_services=1\nocsp_command=obsess\n"
        f"service_perfdata_file={base}/perf.dat\n"
        r"service_perfdata_file_template=$TIMET$\t$SERVICEDESC$\t$SERVICECHECKCOMMAND$" + "\n"
        "service_perfdata_file_processing_command=take!perf.dat\n"
        "service_perfdata_file_processing_interval=3\n"
    )
    script = base / "bin" / "released"
    script.write_text(f"#!/bin/sh\n[ -e {base}/flags/production ] && exit 0\necho deploying; exit 2\n")
    script.chmod(0o755)
    servers.start()

    def ran(least: int) -> Counter[str]:
        told = Counter(words[0] for words in words_in(base / "obsess"))
        return told if len(told) >= servers.layout.services and min(told.values()) >= least else Counter()

    wait_until(lambda: ran(2), 40, "the command ran twice for every service")
    orders = [words[-1] for words in words_in(base / "obsess")]
    assert len(orders) == len(set(orders))  # each ran once
    wait_until(lambda: ["this-machine/problem"] in words_in(base / "pictures"), 10, "a snapshot is taken")
    wait_until(lambda: list(base.glob("perf.dat.*")), 10, "the perfdata file is taken away")
    assert any(line.split("\t")[1:] == ["name", "service-check!hostname"] for line in perfdata(base))
    status = "SERVICE DOWNTIME ALERT: this-machine;{};STARTED"
    for name in ("released", "maintained"):
        wait_until(lambda name=name: said(servers, status.format(name)), 15, f"{name} is in maintenance")
    wait_until(lambda: said(servers, "SERVICE SNAPSHOT: this-machine;problem;WARNING;SOFT;1;picture"), 10, "it is logged")

    before, lines = len(words_in(base / "obsess")), len(perfdata(base))
    owner = servers.active("scheduler")[0]
    os.kill(owner.pid, signal.SIGKILL)
    wait_until(lambda: len(words_in(base / "obsess")) > before + 20, 20, "it goes on")
    wait_until(lambda: len(perfdata(base)) > lines + 20, 20, "the file goes on")
    (base / "flags" / "production").touch()
    ended = "SERVICE DOWNTIME ALERT: this-machine;released;CANCELLED"
    wait_until(lambda: said(servers, ended), 15, "production ends the downtime")
    for name in ("released", "maintained"):
        assert said(servers, status.format(name)) == 1, name
    assert Counter(words[0] for words in words_in(base / "pictures")).most_common(1)[0][1] == 1


def said(servers: Servers, begin: str) -> int:
    """How many lines of the active broker's log begin so."""
    logs = [
        line.partition("] ")[2]
        for server in servers.layout.servers
        for path in servers.layout.workdir(server).glob("var/broker-*/simple.log")
        for line in path.read_text().splitlines()
    ]
    return sum(1 for line in logs if line.startswith(begin))
