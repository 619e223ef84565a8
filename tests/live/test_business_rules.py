"""A business rule over a service, with real processes, over the death of the scheduler that runs both."""

import os
import signal
from collections import Counter
from collections.abc import Callable

import pytest

from tests.live.cluster import Servers, wait_until

pytestmark = pytest.mark.slow

OBJECTS = """\
define service {
    use                            demo-service
    host_name                      this-machine
    service_description            shop
    check_command                  bp_rule!this-machine,disk & this-machine,name
    check_interval                 5
    max_check_attempts             1
    business_rule_output_template  $STATUS$ $([$STATUS$: $FULLNAME$])$
}
"""


def test_a_rule_follows_its_elements_and_is_told_once_over_a_failover(cluster: Callable[..., Servers]) -> None:
    servers = cluster(check_s=2, retry_s=1, watched=("disk",))
    objects = servers.layout.base / "etc" / "objects.cfg"
    objects.write_text(objects.read_text() + OBJECTS)
    servers.start()

    def told(kind: str) -> list[str]:
        return [t.state for t in servers.told() if t.key == "this-machine/shop" and t.kind == kind and t.ended]

    servers.flag("disk")
    wait_until(lambda: told("PROBLEM"), 40, "the rule is told")
    owner = servers.active("scheduler")[0]
    os.kill(owner.pid, signal.SIGKILL)
    wait_until(lambda: [d for d in servers.active("scheduler") if d.pid != owner.pid], 15, "a new owner")
    servers.flag("disk", False)
    wait_until(lambda: told("RECOVERY"), 30, "the recovery of the rule is told")

    assert (told("PROBLEM"), told("RECOVERY")) == (["WARNING"], ["OK"])
    broker = wait_until(lambda: servers.active("broker"), 10, "a broker is active")[0].name
    wait_until(lambda: [a for a in servers.alerts(broker) if ";shop;OK" in a], 10, "it is logged")
    alerts = [line.partition("] ")[2] for line in servers.alerts(broker) if ";shop;" in line]
    assert Counter(alerts) == Counter(
        ("SERVICE ALERT: this-machine;shop;WARNING;HARD;1;WARNING [WARNING: this-machine/disk]",
         "SERVICE ALERT: this-machine;shop;OK;HARD;1;OK all checks were successful.")
    )  # fmt: skip
