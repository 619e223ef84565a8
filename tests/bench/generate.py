"""Writes a configuration of any size, in the shape the field's own comparisons use.

Hosts without active checks, a fixed number of explicit services on each from one template, host
groups of a hundred, one contact who wants nothing. Intervals are seconds (`interval_length=1`). The
objects stand in one file that every Nagios-like reader takes; only the main files differ.
"""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

GROUP = 100  # hosts
ROLES = {
    "arbiter": 7770, "scheduler": 7768, "poller": 7771, "reactionner": 7769, "broker": 7772,
    "receiver": 7773,
}  # fmt: skip


class Size(Struct, frozen=True):
    """How much there is to monitor."""

    hosts: int
    services: int = 10  # of each host
    interval_s: float = 300.0

    @property
    def checks(self) -> int:
        """Number of services."""
        return self.hosts * self.services

    @property
    def rate(self) -> float:
        """Checks due per second."""
        return self.checks / self.interval_s


def write(folder: Path, size: Size, command: str, servers: tuple[tuple[str, str], ...]) -> Path:
    """Write our configuration; return its main file. The first server has the masters, others spares.

    `command` is the command line of every check; `servers` are names with loopback addresses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "objects.cfg", "w") as file:
        file.writelines(_objects(size, command))
    (folder / "daemons.cfg").write_text("".join(_daemons(servers)))
    main = folder / "shinken.cfg"
    main.write_text(
        "cluster_name=bench\n"
        f"cfg_file={folder}/daemons.cfg\ncfg_file={folder}/objects.cfg\n"
        "interval_length=1\nlog_level=INFO\n"
        f"max_service_check_spread={max(1, int(size.interval_s / 60))}\n"
        f"workdir={folder}/work\n"
    )
    return main


def write_nagios(folder: Path) -> Path:
    """Write a main file for `nagios4 -v` over the objects that `write` made; return it."""
    main = folder / "nagios.cfg"
    main.write_text(
        f"cfg_file={folder}/objects.cfg\nlog_file={folder}/nagios.log\n"
        f"object_cache_file={folder}/objects.cache\nprecached_object_file={folder}/objects.pre\n"
        f"status_file={folder}/status.dat\nstate_retention_file={folder}/retention.dat\n"
        f"temp_file={folder}/nagios.tmp\ntemp_path={folder}\ncheck_result_path={folder}\n"
        f"lock_file={folder}/nagios.lock\ncommand_file={folder}/nagios.cmd\n"
        f"interval_length=1\nillegal_macro_output_chars=`~$&|'\"<>\n"
    )
    return main


def _daemons(servers: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for place, (server, address) in enumerate(servers):
        for role, port in ROLES.items():
            more = {"arbiter": f"    host_name {server}\n", "broker": "    modules Simple-log\n"}
            yield (
                f"define {role} {{\n    {role}_name {role}-{place + 1}\n    address {address}\n"
                f"    port {port}\n    spare {int(place > 0)}\n{more.get(role, '')}}}\n"
            )


def _objects(size: Size, command: str) -> Iterator[str]:
    yield HEAD.format(command=command, interval=size.interval_s)
    for first in range(0, size.hosts, GROUP):
        members = ",".join(f"host-{n:05d}" for n in range(first, min(first + GROUP, size.hosts)))
        yield (
            f"define hostgroup {{\n    hostgroup_name group-{first // GROUP:03d}\n"
            f"    alias Group {first // GROUP}\n    members {members}\n}}\n"
        )
    for host in range(size.hosts):
        name = f"host-{host:05d}"
        yield (
            f"define host {{\n    use bench-host\n    host_name {name}\n    alias Host {host}\n"
            f"    address 127.{host >> 16}.{host >> 8 & 255}.{host & 255}\n}}\n"
        )
        for service in range(size.services):
            yield (
                f"define service {{\n    use bench-service\n    host_name {name}\n"
                f"    service_description service-{service:02d}\n}}\n"
            )


HEAD = """\
define timeperiod {{
    timeperiod_name 24x7
    alias Always
    sunday 00:00-24:00
    monday 00:00-24:00
    tuesday 00:00-24:00
    wednesday 00:00-24:00
    thursday 00:00-24:00
    friday 00:00-24:00
    saturday 00:00-24:00
}}
define command {{
    command_name tell-nobody
    command_line /bin/true
}}
define command {{
    command_name counted
    command_line {command} -H $HOSTADDRESS$ -s $SERVICEDESC$
}}
define contact {{
    contact_name nobody
    alias Nobody
    host_notifications_enabled 0
    service_notifications_enabled 0
    host_notification_period 24x7
    service_notification_period 24x7
    host_notification_options d,u,r
    service_notification_options w,u,c,r
    host_notification_commands tell-nobody
    service_notification_commands tell-nobody
}}
define contactgroup {{
    contactgroup_name nobodies
    alias Nobodies
    members nobody
}}
define host {{
    name bench-host
    register 0
    active_checks_enabled 0
    check_period 24x7
    max_check_attempts 3
    check_interval 3600
    retry_interval 60
    notification_interval 0
    notification_period 24x7
    notification_options d,u,r
    contact_groups nobodies
}}
define service {{
    name bench-service
    register 0
    check_period 24x7
    check_command counted
    max_check_attempts 3
    check_interval {interval:g}
    retry_interval {interval:g}
    notification_interval 0
    notification_period 24x7
    notification_options w,u,c,r
    contact_groups nobodies
    process_perf_data 0
}}
"""
