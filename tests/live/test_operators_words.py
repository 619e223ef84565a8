"""What operators set by external command is there after everything that can happen to a cluster.

Set through the named pipe and by `shinken command`; then the scheduler is killed, its server, the configuration is
changed, and all is stopped and started. Compared is what is kept, record by record, and what checks see.
"""

import os
import signal
import sqlite3
import time
from collections.abc import Callable

import msgspec
import pytest

from daemons.cli.demo.servers import signal_server
from daemons.cli.start import Options, bundle_of, start
from daemons.cli.stores import stores_of
from daemons.model.status import ContactStatus, ShardStatus, Status
from daemons.net.home import Home
from retention.api import Unavailable
from tests.live.cluster import Servers, server_of, wait_until
from tests.live.test_reload import NEW, shinken

HOST, PROBLEM, QUIET, SLOW = "this-machine", "this-machine;problem", "this-machine;disk", "this-machine;load"
_status = msgspec.msgpack.Decoder(Status).decode
_contact = msgspec.msgpack.Decoder(ContactStatus).decode
_shard = msgspec.msgpack.Decoder(ShardStatus).decode


def kept(servers: Servers) -> dict[str, object]:
    """Return what was set, as the store of the scheduler that works now has it; {} while there is none."""
    active = servers.active("scheduler")
    if len(active) != 1:
        return {}
    records: dict[str, bytes] = {}
    workdir = servers.layout.workdir(server_of(active[0].name))
    for one in stores_of(bundle_of(str(workdir)), Home(workdir).spool, active[0].name):
        try:
            loaded = one.store.load("demo/1") if one.store is not None else None
        except (Unavailable, sqlite3.Error):
            return {}
        if loaded is not None and loaded.complete:
            records = loaded.records
    if not records:
        return {}
    host, problem = _status(records[f"o/{HOST}"]), _status(records[f"o/{PROBLEM}"])
    downtimes = _status(records["o/this-machine;clock"]).downtimes
    contact = _contact(records["c/operator"]) if "c/operator" in records else ContactStatus(name="operator")
    return {
        "acknowledged": (problem.ack.author, problem.ack.comment) if problem.ack else None,
        "downtimes": [(d.id, d.in_effect, d.author, d.comment, d.end_wall) for d in downtimes],
        "comments": [(c.id, c.author, c.text) for c in host.comments],
        "quiet": _status(records[f"o/{QUIET}"]).modified,
        "slow": _status(records[f"o/{SLOW}"]).modified,
        "variable": host.modified,
        "contact": (contact.modified, [(d.id, d.comment) for d in contact.downtimes]),
        "all": _shard(records["shard"]).modified,
    }


@pytest.mark.slow
def test_what_was_set_by_command_survives_scheduler_server_reload_and_restart(
    cluster: Callable[..., Servers],
) -> None:
    servers = cluster(check_s=3, retry_s=1)
    servers.start()
    wait_until(lambda: servers.whole, 40, "the cluster is whole")
    wait_until(lambda: [t for t in servers.told() if t.key == PROBLEM.replace(";", "/") and t.ended], 40, "the problem is told")
    end = int(time.time()) + 3000
    for line in (
        f"ACKNOWLEDGE_SVC_PROBLEM;{PROBLEM};2;0;1;ann;known",
        f"SCHEDULE_SVC_DOWNTIME;this-machine;clock;{int(time.time())};{end};1;0;0;ann;new battery",
        f"ADD_HOST_COMMENT;{HOST};1;bob;in rack 7; mind the cable",
        f"DISABLE_SVC_NOTIFICATIONS;{QUIET}",
    ):
        servers.command(line)
    for line in (
        f"CHANGE_NORMAL_SVC_CHECK_INTERVAL;{SLOW};7",
        f"CHANGE_CUSTOM_HOST_VAR;{HOST};RACK;r7",
        "DISABLE_CONTACT_HOST_NOTIFICATIONS;operator",
        f"SCHEDULE_CONTACT_DOWNTIME;operator;{int(time.time())};{end};ann;on holiday",
        "DISABLE_FLAP_DETECTION",
    ):
        done = shinken(servers, "command", line)
        assert done.returncode == 0, done.stdout + done.stderr
    refused = shinken(servers, "command", "DISABEL_FLAP_DETECTION")
    assert refused.returncode == 1 and "there is no external command" in refused.stdout + refused.stderr
    before = wait_until(lambda: _complete(kept(servers)), 20, "everything that was set is kept")
    assert before["slow"] == {"check_interval_s": "7.0"} and before["quiet"] == {"notifications_enabled": "0"}
    assert before["variable"] == {"_RACK": "r7"} and before["all"] == {"enable_flap_detection": "0"}
    broker = servers.active("broker")[0].name
    log = servers.layout.workdir(server_of(broker)) / "var" / broker / "simple.log"
    unknown = "Warning: Unrecognized external command -> DISABEL_FLAP_DETECTION"
    wait_until(lambda: unknown in log.read_text(), 10, "the log names the command that is none")

    was = servers.active("scheduler")[0]
    os.kill(was.pid, signal.SIGKILL)
    _is_there(servers, before, was.instance, "the scheduler was killed")

    gone = server_of(servers.active("scheduler")[0].name)
    was = servers.active("scheduler")[0]
    signal_server(servers.layout, gone, signal.SIGKILL)
    _is_there(servers, before, was.instance, "its server was killed")
    options = Options((str(servers.layout.config),), gone, str(servers.layout.workdir(gone)))
    assert start(options, servers.said.append) == 0
    wait_until(lambda: servers.whole, 60, "the cluster is whole again")

    objects = servers.layout.base / "etc" / "objects.cfg"
    text = objects.read_text()
    load = "    service_description  load\n"
    assert load in text
    objects.write_text(text.replace(load, f"{load}    check_interval       5\n") + NEW)
    servers.command("RELOAD_CONFIG")
    wait_until(lambda: {d.report.config_n for d in servers.daemons()} == {2}, 30, "RELOAD_CONFIG is obeyed")
    wait_until(lambda: servers.last("this-machine/brought-by-reload"), 20, "the new service is checked")
    _is_there(servers, before, "", "the configuration was changed")

    servers.stop()
    servers.start()
    wait_until(lambda: servers.whole, 60, "the cluster is whole after a full stop")
    _is_there(servers, before, "", "all was stopped and started")
    later = time.time()
    wait_until(lambda: (r := servers.last("this-machine/problem")) and r.began > later and r.ack == "ack=ann", 20, "checks see the acknowledgement")
    wait_until(lambda: (r := servers.last("this-machine/clock")) and r.began > later and r.downtime == "1", 20, "checks see the downtime")


def _complete(found: dict[str, object]) -> dict[str, object]:
    """Return what was found once nothing is missing."""
    contact = found.get("contact")
    whole = bool(found) and all(found.values()) and isinstance(contact, tuple) and all(contact)
    return found if whole else {}


def _is_there(servers: Servers, before: dict[str, object], was: str, what: str) -> None:
    """Wait for another owner than `was`, and find everything with it that was there before."""
    wait_until(
        lambda: [d for d in servers.active("scheduler") if d.instance != was] and kept(servers), 40,
        f"somebody runs the shard after {what}",
    )
    wait_until(lambda: kept(servers) == before, 10, f"everything is as it was after {what}")
