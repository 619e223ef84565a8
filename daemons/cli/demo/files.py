"""Writes the demo's configuration: the documented set-up on 127.0.0.1, .2 and .3, with checks that every machine has.

Every check and notification goes through a script that writes one line to a ledger: when, what, how
it ended, in whose work folder, and what the scheduler believed when it ordered it. The judge reads
these lines only.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

PLUGINS = Path("/usr/lib/nagios/plugins")
CHECK_S, RETRY_S = 4, 2

CHECK_SCRIPT = """\
#!/bin/sh
# check KEY STATE TYPE ATTEMPT LASTCHECK DOWNTIME ACK -- COMMAND...: run COMMAND, write one ledger line.
key=$1 state=$2 type=$3 attempt=$4 last=$5 downtime=$6 ack=$7
shift 8
began=$(date +%s.%N)
out=$("$@" 2>&1)
code=$?
[ $code -gt 3 ] && code=3
printf '%s %s %s %s %s %s %s %s %s %s %s\\n' "$began" "$(date +%s.%N)" "$key" $code "$PWD" \\
    "${state:--}" "${type:--}" "${attempt:--}" "${last:-0}" "${downtime:-0}" "${ack:--}" >> LEDGER/checks
printf '%s\\n' "$out"
exit $code
"""

NOTIFY_SCRIPT = """\
#!/bin/sh
# notify KIND KEY STATE NUMBER CONTACT: write a line when it begins, take a moment for slow ones, write one at the end.
set -- "$(date +%s.%N)" "$PWD" "$SHINKEN_NOTIFICATION_ID" "${SHINKEN_NOTIFICATION_TAG:+tagged}" "$@"
printf 'begin|%s|%s|%s|%s|%s|%s|%s|%s|%s\\n' "$@" >> LEDGER/notifications
case $6 in *slow*) sleep 3;; esac
printf 'end|%s|%s|%s|%s|%s|%s|%s|%s|%s\\n' "$@" >> LEDGER/notifications
"""

MAIN = """\
# The demo's main file. Everything lies below {base}.
cluster_name=demo
cfg_file={base}/etc/shinken-specific.cfg
cfg_file={base}/etc/objects.cfg
resource_file={base}/etc/resource.cfg
interval_length=1
cached_host_check_horizon=15
workdir={base}/server1
operator_key_file={base}/operator.key
log_level=INFO
{more}
"""

DAEMON = """\
define {role} {{
    {role}_name  {name}
    address      {address}
    port         {port}
    spare        {spare}
{more}}}
"""

SERVERS = (("server1", "127.0.0.1"), ("server2", "127.0.0.2"), ("server3", "127.0.0.3"))
PORTS = {
    "arbiter": 7770, "scheduler": 7768, "poller": 7771, "reactionner": 7769, "broker": 7772,
    "receiver": 7773,
}  # fmt: skip


class Layout(Struct, frozen=True):
    """Where the demo lives and what it runs."""

    base: Path
    addresses: tuple[tuple[str, str], ...] = SERVERS
    extra_services: int = 0  # more services on commands that every machine has
    watched: tuple[str, ...] = ()  # more services, each broken while flags/<name> is there
    check_s: int = CHECK_S
    retry_s: int = RETRY_S
    retention: str = ""  # "" = embedded sqlite; "host:port" = memcached there
    two_servers: bool = False  # without server2: no majority after a death
    voter_only: bool = False  # server2 has no daemon, only a keeper
    far_reactionner: bool = False  # the first reactionner on server2: its journal outlives server1
    lines: tuple[str, ...] = ()  # more for the main file

    @property
    def config(self) -> Path:
        """The main file."""
        return self.base / "etc" / "shinken.cfg"

    @property
    def ledger(self) -> Path:
        """The folder of the ledgers."""
        return self.base / "ledger"

    @property
    def services(self) -> int:
        """How many services there are."""
        return len(_services(self)) + len(_many(self))

    @property
    def checks(self) -> int:
        """How many hosts and services are checked."""
        return len(HOSTS) + self.services

    @property
    def servers(self) -> tuple[str, ...]:
        """Names of the servers that run."""
        return ("server1", "server3") if self.two_servers else ("server1", "server2", "server3")

    def workdir(self, server: str) -> Path:
        """The work folder of one server."""
        return self.base / server


def write(layout: Layout) -> None:
    """Make the folder anew: configuration, scripts, empty ledgers. Raises OSError."""
    shutil.rmtree(layout.base, ignore_errors=True)
    for folder in (layout.base / "etc", layout.base / "bin", layout.ledger, layout.base / "flags"):
        folder.mkdir(parents=True)
    for name in ("checks", "notifications"):
        (layout.ledger / name).touch()
    for name, text in (("check", CHECK_SCRIPT), ("notify", NOTIFY_SCRIPT)):
        script = layout.base / "bin" / name
        script.write_text(text.replace("LEDGER", str(layout.ledger)))
        script.chmod(0o755)
    more = "\n".join(layout.lines)
    (layout.base / "etc" / "resource.cfg").write_text(f"$USER1$={PLUGINS}\n")
    layout.config.write_text(MAIN.format(base=layout.base, more=more))
    (layout.base / "etc" / "shinken-specific.cfg").write_text(_daemons(layout))
    (layout.base / "etc" / "objects.cfg").write_text(_objects(layout))


def _daemons(layout: Layout) -> str:
    address = dict(layout.addresses)
    blocks = ["# Daemons: masters on server1, a second poller on server2, spares of all roles on server3.\n"]
    retention = ""
    if layout.retention:
        server, _, port = layout.retention.partition(":")
        retention = "memcached-retention"
        blocks.append(
            "define module {\n    module_name  memcached-retention\n    module_type  memcached_retention\n"
            f"    server       {server}\n    port         {port}\n}}\n"
        )
    for server, spare, suffix in (("server1", 0, "master"), ("server3", 1, "spare")):
        for role, number in PORTS.items():
            more = ""
            if role == "arbiter":
                more = f"    host_name    {server}\n"
            elif role == "broker":
                more = "    modules      Simple-log,Livestatus\n"
            elif role == "receiver":
                more = "    modules      named-pipe\n"
            elif role == "scheduler" and retention:
                more = f"    modules      {retention}\n"
            far = layout.far_reactionner and role == "reactionner" and not spare
            at = address["server2" if far else server]
            blocks.append(_daemon(role, f"{role}-{suffix}", at, number, spare, more))
    if layout.voter_only:
        blocks.append(f"define keeper {{\n    keeper_name  server2\n    address      {address['server2']}\n    voter_only   1\n}}\n")
    elif not layout.two_servers:
        blocks.append(_daemon("poller", "poller-2", address["server2"], PORTS["poller"], 0, "    host_name    server2\n"))
    return "".join(blocks)


def _daemon(role: str, name: str, address: str, port: int, spare: int, more: str) -> str:
    return DAEMON.format(role=role, name=name, address=address, port=port, spare=spare, more=more)


def _objects(layout: Layout) -> str:
    script = layout.base / "bin"
    host_says = "$HOSTNAME$ $HOSTSTATE$ $HOSTSTATETYPE$ $HOSTATTEMPT$ $LASTHOSTCHECK$ $HOSTDOWNTIME$ ack=$HOSTACKAUTHOR$"
    service_says = (
        "$HOSTNAME$/$SERVICEDESC$ $SERVICESTATE$ $SERVICESTATETYPE$ $SERVICEATTEMPT$ "
        "$LASTSERVICECHECK$ $SERVICEDOWNTIME$ ack=$SERVICEACKAUTHOR$"
    )
    parts = [
        _command("host-check", f"{script}/check {host_says} -- $ARG1$"),
        _command("service-check", f"{script}/check {service_says} -- $ARG1$"),
        _command(
            "notify-host",
            f"{script}/notify $NOTIFICATIONTYPE$ $HOSTNAME$ $HOSTSTATE$ $HOSTNOTIFICATIONNUMBER$ $CONTACTNAME$",
        ),
        _command(
            "notify-service",
            f"{script}/notify $NOTIFICATIONTYPE$ $HOSTNAME$/$SERVICEDESC$ $SERVICESTATE$ "
            "$SERVICENOTIFICATIONNUMBER$ $CONTACTNAME$",
        ),
        FIXED_OBJECTS.format(check=layout.check_s, retry=layout.retry_s),
    ]
    parts += [_host(name, *more) for name, *more in HOSTS]
    for host, description, command in [*_services(layout), *_many(layout)]:
        parts.append(
            f"define service {{\n    use                  demo-service\n    host_name            {host}\n"
            f"    service_description  {description}\n    check_command        service-check!{command}\n}}\n"
        )
    return "".join(parts)


FIXED_OBJECTS = """\
define timeperiod {{
    timeperiod_name  24x7
    alias            Always
    sunday           00:00-24:00
    monday           00:00-24:00
    tuesday          00:00-24:00
    wednesday        00:00-24:00
    thursday         00:00-24:00
    friday           00:00-24:00
    saturday         00:00-24:00
}}
define contact {{
    contact_name                   operator
    alias                          You
    host_notification_period       24x7
    service_notification_period    24x7
    host_notification_options      d,u,r,s
    service_notification_options   w,u,c,r,s
    host_notification_commands     notify-host
    service_notification_commands  notify-service
}}
define host {{
    name                   demo-host
    register               0
    contacts               operator
    check_interval         {check}
    retry_interval         {retry}
    max_check_attempts     2
    check_period           24x7
    notification_period    24x7
    notification_interval  0
    notification_options   d,u,r,s
}}
define service {{
    name                   demo-service
    register               0
    contacts               operator
    check_interval         {check}
    retry_interval         {retry}
    max_check_attempts     2
    check_period           24x7
    notification_period    24x7
    notification_interval  0
    notification_options   w,u,c,r,s
}}
"""

HOSTS: tuple[tuple[str, ...], ...] = (
    ("this-machine", "127.0.0.1", "test -d /proc", ""),
    ("switch", "127.0.0.9", "false", "this-machine"),
    ("behind-switch", "127.0.0.10", "false", "switch"),
)


def _services(layout: Layout) -> Sequence[tuple[str, str, str]]:
    """Real checks of this machine, with plugins where they are installed."""
    flags = layout.base / "flags"
    has = PLUGINS.is_dir()
    load = "$USER1$/check_load -w 90,90,90 -c 99,99,99" if has else "cat /proc/loadavg"
    disk = "$USER1$/check_disk -w 1% -c 1% -p /" if (PLUGINS / "check_disk").exists() else "df -P /"
    procs = "$USER1$/check_procs -w 9000 -c 9999" if (PLUGINS / "check_procs").exists() else "ls /proc/1"
    return (
        ("this-machine", "load", load),
        ("this-machine", "disk", disk),
        ("this-machine", "processes", procs),
        ("this-machine", "memory", "grep MemAvailable /proc/meminfo"),
        ("this-machine", "clock", "date +%Y"),
        ("this-machine", "name", "hostname"),
        ("this-machine", "problem", "false"),
        ("this-machine", "acknowledged", "false"),
        ("this-machine", "downtime", "false"),
        *(
            ("this-machine", name, f"test \\! -e {flags}/{name}")
            for name in ("slow-alarm", "late-alarm", "early-alarm", *layout.watched)
        ),
    )


def _many(layout: Layout) -> list[tuple[str, str, str]]:
    kinds = ("true", "test -d /proc", "date +%Y", "cat /proc/uptime", "false")
    return [
        ("this-machine", f"extra-{n:03d}", kinds[n % len(kinds)]) for n in range(layout.extra_services)
    ]


def _command(name: str, line: str) -> str:
    return f"define command {{\n    command_name  {name}\n    command_line  {line}\n}}\n"


def _host(name: str, address: str, command: str, parent: str) -> str:
    parents = f"    parents        {parent}\n" if parent else ""
    return (
        f"define host {{\n    use            demo-host\n    host_name      {name}\n    address        {address}\n"
        f"    check_command  host-check!{command}\n{parents}}}\n"
    )
