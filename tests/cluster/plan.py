"""The configuration of a cluster in the bed: the documented three servers, and checks that write ledgers.

Kinds of services: `steady` ones are always well and make the load; `flip` ones change their state by the clock, one
attempt is enough, and each change is told to the operator and logged; `watch` ones break while a file is there.
"""

import shutil
import subprocess
from pathlib import Path

from msgspec import Struct

from daemons.model.cluster import PORTS
from daemons.net.secret import make_operator_key, make_secret

SOURCE = Path(__file__).with_name("plugin.c")
HOSTS_MAX = 50  # services of one host
ROLES = ("arbiter", "scheduler", "poller", "reactionner", "receiver", "broker")


class Plan(Struct, frozen=True, kw_only=True):
    """What runs where, and how much of it."""

    servers: int = 3
    services: int = 400  # steady ones
    check_s: float = 4.0
    flips: int = 12
    flip_s: float = 9.0
    watches: tuple[str, ...] = ("slow", "late")  # break with Cluster.flag; the notification of "slow" takes 5 s
    lines: tuple[str, ...] = ()  # more for the main file
    modules: tuple[tuple[str, str], ...] = ()  # role, its modules: schedulers' retention
    blocks: str = ""  # more daemon or module definitions
    scheduler_extra: bool = False  # a third scheduler, spare, on server2

    @property
    def rate(self) -> float:
        """Checks per second."""
        return (self.services + self.flips + len(self.watches) + self.hosts) / self.check_s

    @property
    def hosts(self) -> int:
        """How many hosts there are."""
        return 1 + -(-self.services // HOSTS_MAX)

    @property
    def daemons(self) -> int:
        """How many daemons run on all servers."""
        return 2 * len(ROLES) + (1 if self.servers > 2 else 0) + self.scheduler_extra


class Site(Struct, frozen=True):
    """Where the files of one cluster are."""

    base: Path

    @property
    def runs(self) -> Path:
        """The ledger of checks."""
        return self.base / "ledger" / "runs"

    @property
    def told(self) -> Path:
        """The ledger of notifications."""
        return self.base / "ledger" / "told"

    @property
    def flags(self) -> Path:
        """Where `watch` services look."""
        return self.base / "flags"

    def main(self, server: str) -> Path:
        """The main file of one server."""
        return self.base / server / "etc" / "shinken.cfg"

    def work(self, server: str) -> Path:
        """The work folder of one server."""
        return self.base / server / "work"


def write(plan: Plan, base: Path) -> Site:
    """Write the files of every server below `base`, and the plugin. Raises OSError, CalledProcessError."""
    site = Site(base)
    for folder in (site.runs.parent, site.flags, base / "bin"):
        folder.mkdir(parents=True, exist_ok=True)
    site.runs.touch()
    site.told.touch()
    plugin = base / "bin" / "plugin"
    subprocess.run(["cc", "-O2", "-static", "-o", str(plugin), str(SOURCE)], check=True, timeout=60)
    etc = base / "etc"
    etc.mkdir()
    make_secret(etc / "cluster.secret")
    make_operator_key(etc / "operator.key")
    (etc / "daemons.cfg").write_text(_daemons(plan))
    (etc / "objects.cfg").write_text(_objects(plan, site, plugin))
    (etc / "shinken.cfg").write_text(MAIN + "".join(f"{line}\n" for line in plan.lines))
    for number in range(1, plan.servers + 1):
        shutil.copytree(etc, site.main(f"server{number}").parent)
    return site


MAIN = """\
cluster_name=bed
cfg_file=daemons.cfg
cfg_file=objects.cfg
cluster_secret_file=cluster.secret
operator_key_file=operator.key
interval_length=1
enable_flap_detection=0
log_initial_states=0
log_level=INFO
"""


def _daemons(plan: Plan) -> str:
    modules = dict(plan.modules)
    blocks = [plan.blocks]
    last = f"server{plan.servers}"
    for server, spare, suffix in (("server1", 0, "master"), (last, 1, "spare")):
        for role in ROLES:
            blocks.append(_daemon(role, suffix, server, spare, modules))
    if plan.servers > 2:
        blocks.append(_daemon("poller", "2", "server2", 0, modules))
    if plan.scheduler_extra:
        blocks.append(_daemon("scheduler", "2", "server2", 1, modules))
    return "".join(blocks)


def _daemon(role: str, suffix: str, server: str, spare: int, modules: dict[str, str]) -> str:
    own = {"broker": "Simple-log", "receiver": "named-pipe", **modules}.get(role, "")
    lines = [
        f"{role}_name  {role}-{suffix}", f"address  {server}", f"port  {PORTS[role]}", f"spare  {spare}",
        *([f"host_name  {server}"] if role == "arbiter" else []),
        *([f"modules  {own}"] if own else []),
    ]  # fmt: skip
    return _block(role, *lines)


def _objects(plan: Plan, site: Site, plugin: Path) -> str:
    check = f"{plugin} check {site.runs}"
    host = "$HOSTNAME$ $ARG1$ k$HOSTOUTPUT$ $HOSTSTATE$ $HOSTSTATETYPE$ $HOSTATTEMPT$"
    service = "$HOSTNAME$/$SERVICEDESC$ $ARG1$ k$SERVICEOUTPUT$ $SERVICESTATE$ $SERVICESTATETYPE$ $SERVICEATTEMPT$"
    told = "$NOTIFICATIONTYPE$ $HOSTNAME$/$SERVICEDESC$ $SERVICESTATE$ $SERVICENOTIFICATIONNUMBER$ $CONTACTNAME$ \"$SERVICEOUTPUT$\""
    days = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
    parts = [
        _block("command", "command_name  check-host", f"command_line  {check} {host}"),
        _block("command", "command_name  check-service", f"command_line  {check} {service}"),
        _block("command", "command_name  tell", f"command_line  {plugin} tell {site.told} 0 {told}"),
        _block("command", "command_name  tell-slowly", f"command_line  {plugin} tell {site.told} 5 {told}"),
        _block("command", "command_name  tell-nothing", "command_line  /bin/true"),
        _block("timeperiod", "timeperiod_name  24x7", "alias  Always", *(f"{day}  00:00-24:00" for day in days)),
        _contact("operator", "tell"),
        _contact("slow-operator", "tell-slowly"),
        TEMPLATES.format(check=plan.check_s),
    ]
    parts += [
        _block("host", "use  one", f"host_name  host{n}", f"address  127.0.1.{n + 1}") for n in range(plan.hosts)
    ]
    parts += [
        _service(1 + n // HOSTS_MAX, f"steady-{n}", "ok") for n in range(plan.services)
    ]
    parts += [
        _service(0, f"flip-{n}", f"flip:{plan.flip_s}:{n * plan.flip_s / max(1, plan.flips):.2f}")
        for n in range(plan.flips)
    ]
    parts += [
        _service(0, name, f"file:{site.flags / name}", "slow-operator" if name == "slow" else "operator")
        for name in plan.watches
    ]
    return "".join(parts)


def _service(host: int, name: str, kind: str, contact: str = "operator") -> str:
    return _block(
        "service", "use  some", f"host_name  host{host}", f"service_description  {name}",
        f"check_command  check-service!{kind}", f"contacts  {contact}",
    )  # fmt: skip


def _contact(name: str, command: str) -> str:
    return _block(
        "contact", f"contact_name  {name}", "host_notification_period  24x7", "service_notification_period  24x7",
        "host_notification_options  d,u,r,s", "service_notification_options  w,u,c,r,s",
        "host_notification_commands  tell-nothing", f"service_notification_commands  {command}",
    )  # fmt: skip


def _block(kind: str, *lines: str) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"define {kind} {{\n{body}}}\n"


TEMPLATES = """\
define host {{
    name  one
    register  0
    contacts  operator
    check_command  check-host!ok
    check_interval  {check}
    retry_interval  {check}
    max_check_attempts  1
    check_period  24x7
    notification_period  24x7
}}
define service {{
    name  some
    register  0
    check_interval  {check}
    retry_interval  {check}
    max_check_attempts  1
    check_period  24x7
    notification_period  24x7
    notification_interval  0
    notification_options  w,u,c,r
}}
"""
