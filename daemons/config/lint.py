"""Is this cluster what its operator thinks it is? What the documentation warns of, checked.

The one thing to know: only what cannot work is an error; what merely does not survive a dead server
is a warning that says which line to add, and where.
"""

from msgspec import Struct

from daemons.config.complain import Complaint, Complaints
from daemons.config.daemondefs import is_loopback
from daemons.config.modules import OUTLIVES_PROCESS, OUTLIVES_SERVER
from daemons.config.realms import Realms
from daemons.model.cluster import ROLES, Cluster, DaemonDef


class MachineNames(Struct, frozen=True):
    """What this machine is called."""

    hostname: str
    fqdn: str = ""
    addresses: tuple[str, ...] = ()
    chosen: str = ""  # a name given on the command line stands for all others


def which_arbiter(cluster: Cluster, names: MachineNames) -> DaemonDef | Complaint:
    """Return the arbiter that belongs to this machine, or what must be changed for it to have one.

    Upstream's rule: `host_name` is the host name or the full name of the machine; an arbiter
    without host_name is found by its address.
    """
    arbiters = [d for d in cluster.daemons if d.role == "arbiter"]
    mine = [names.chosen] if names.chosen else [n for n in (names.hostname, names.fqdn) if n]
    folded = {name.lower() for name in mine}
    for arbiter in arbiters:
        if arbiter.host_name.lower() in folded or (names.chosen and arbiter.name == names.chosen):
            return arbiter
    for arbiter in arbiters:
        addresses = () if names.chosen else names.addresses
        if not arbiter.host_name and (
            arbiter.address in addresses or arbiter.address.lower() in folded
        ):
            return arbiter
    if len(arbiters) == 1 and not arbiters[0].host_name and is_loopback(arbiters[0].address):
        return arbiters[0]
    listed = ", ".join(
        f"{a.name}: host_name {a.host_name or '(none)'}" + (f" at {a.where}" if a.where else "")
        for a in arbiters
    )
    would = " or ".join(dict.fromkeys(mine)) or "(nothing)"
    near = next((a for a in arbiters if a.address in names.addresses), None)
    place = near or (arbiters[0] if arbiters else None)
    return Complaint(
        "error",
        f"no arbiter belongs to this machine: {would} would match, the arbiters say {listed}",
        place.where if place else "",
        f"write 'host_name {mine[0] if mine else ''}' in the arbiter of this machine"
        + (f", which by its address is {near.name}" if near else ""),
    )


def lint(
    cluster: Cluster, realms: Realms, realms_with_hosts: set[str], complaints: Complaints
) -> None:
    """Complain about what keeps `cluster` from working or from surviving the death of a server."""
    _names(cluster, complaints)
    _addresses(cluster, complaints)
    _server_numbers(cluster, complaints)
    _realms(cluster, realms, realms_with_hosts, complaints)
    workers = [s for s in cluster.servers if not s.voter_only]
    if len(workers) == 1:
        if any(d.where for d in cluster.daemons):
            complaints.warning(
                f"all daemons are on one server, {workers[0].name}: nothing goes on when it dies"
            )
    else:
        _spares(cluster, realms, complaints)
        if len(cluster.servers) == 2 and cluster.settings.get("board") != "etcd":
            complaints.warning(
                "two servers only: after a cut between them both cannot be right and go on",
                "",
                "let a third machine vote, a small one will do: define keeper with its address and 'voter_only 1'",
            )
    _retention(cluster, realms, complaints)


def _names(cluster: Cluster, complaints: Complaints) -> None:
    by_name: dict[str, DaemonDef] = {}
    by_host: dict[str, DaemonDef] = {}
    for daemon in sorted(cluster.daemons, key=_place):
        first = by_name.setdefault(daemon.name, daemon)
        if first is not daemon:
            complaints.error(
                f"two daemons are called {daemon.name}, the other at {first.where}",
                daemon.where,
                "give each a name of its own",
            )
        if daemon.host_name and daemon.role == "arbiter":
            other = by_host.setdefault(daemon.host_name.lower(), daemon)
            if other.address != daemon.address:
                complaints.error(
                    f"{other.name} and {daemon.name} are on two servers and have the same host_name"
                    f" {daemon.host_name}, the other at {other.where}",
                    daemon.where,
                    "host_name is the name of the machine that the daemon runs on",
                )
    masters = [d for d in cluster.daemons if d.role == "arbiter" and not d.spare]
    for extra in masters[1:]:
        complaints.error(
            f"arbiters {masters[0].name} and {extra.name} are both masters, the other at"
            f" {masters[0].where}",
            extra.where,
            f"add 'spare 1' to {extra.name}",
        )


def _server_numbers(cluster: Cluster, complaints: Complaints) -> None:
    first: dict[int, str] = {}
    for server in cluster.servers:
        other = first.setdefault(server.index, server.address)
        if other != server.address:
            complaints.error(
                f"servers {other} and {server.address} get the same number in votes, which follows from the address",
                "",
                "give one of them another address",
            )


def _addresses(cluster: Cluster, complaints: Complaints) -> None:
    seen: dict[tuple[str, int], DaemonDef] = {}
    for daemon in sorted(cluster.daemons, key=_place):
        first = seen.setdefault((daemon.address, daemon.port), daemon)
        if first is not daemon:
            complaints.error(
                f"{first.role} {first.name} ({first.where}) and {daemon.role} {daemon.name} are both"
                f" at {daemon.address}:{daemon.port}",
                daemon.where,
                "give one another port",
            )
    others = [d for d in cluster.daemons if not is_loopback(d.address)]
    if others:
        for daemon in cluster.daemons:
            if is_loopback(daemon.address):
                complaints.error(
                    f"{daemon.role} {daemon.name} is at {daemon.address}, but {others[0].name} is at"
                    f" {others[0].address}: each server would start its own",
                    daemon.where,
                    "write the address of its server",
                )


def _realms(
    cluster: Cluster, realms: Realms, realms_with_hosts: set[str], complaints: Complaints
) -> None:
    served = {d.realm for d in cluster.daemons if d.role == "scheduler"}
    for realm in sorted(realms_with_hosts - served):
        complaints.error(f"realm {realm} has hosts but no scheduler")
    for realm in sorted({d.realm for d in cluster.daemons if d.realm} - served - realms_with_hosts):
        if not any(realm in realms.above(inner) for inner in served):
            complaints.warning(f"realm {realm} has satellites but no scheduler")
    for realm in sorted(served):
        around = (realm, *realms.above(realm))
        for role in ("broker", "poller", "reactionner"):
            if not any(
                d.role == role and (d.realm == realm or (d.realm in around and d.manage_sub_realms))
                for d in cluster.daemons
            ):
                scheduler = next(
                    d for d in cluster.daemons if d.role == "scheduler" and d.realm == realm
                )
                complaints.error(
                    f"no {role} serves realm {realm} of scheduler {scheduler.name}",
                    scheduler.where,
                    f"define a {role} in {realm}, or give one of a realm around it 'manage_sub_realms 1'",
                )


def _stands_in(spare: DaemonDef, master: DaemonDef, realms: Realms) -> bool:
    """Whether dispatch may use it for the master: of its realm, or of one around that looks into it."""
    if spare.realm == master.realm:
        return True
    looks_in = spare.role == "scheduler" or spare.manage_sub_realms
    return looks_in and spare.realm in realms.above(master.realm)


def _spares(cluster: Cluster, realms: Realms, complaints: Complaints) -> None:
    for role in ROLES:
        daemons = [d for d in cluster.daemons if d.role == role]
        masters = [d for d in daemons if not d.spare]
        spares = [d for d in daemons if d.spare]
        if not daemons:
            continue
        for master in masters:
            beside = [s for s in spares if s.realm == master.realm]
            around = [s for s in spares if _stands_in(s, master, realms)]
            others = [
                m
                for m in masters
                if m is not master and m.realm == master.realm and m.address != master.address
            ]
            if not around and not any(set(master.takes) <= set(o.takes) for o in others):
                complaints.warning(
                    f"{role} {master.name} has no spare",
                    master.where,
                    f"define a {role} with 'spare 1' on another server",
                )
            for spare in beside:
                _pair(master, spare, complaints)
            tags = {tag for d in around + others for tag in d.takes}
            for tag in [t for t in master.takes if t not in tags and (around or others)]:
                complaints.warning(
                    f"{role} {master.name} has the tag {tag}, which no spare of it carries"
                    if tag
                    else f"{role} {master.name} takes untagged work, which no spare of it does",
                    master.where,
                    f"add {tag or 'None'} to the {role}_tags of its spare",
                )
        if not masters:
            complaints.warning(f"every {role} is a spare", daemons[0].where)


def _pair(master: DaemonDef, spare: DaemonDef, complaints: Complaints) -> None:
    if master.address == spare.address:
        complaints.warning(
            f"{spare.role} {spare.name} is on the server of {master.name}, whose spare it is"
            f" ({master.address})",
            spare.where,
            "put it on another server",
        )
    missing = [m for m in master.modules if m not in spare.modules]
    if missing:
        line = "modules    " + ",".join((*spare.modules, *missing))
        complaints.warning(
            f"{spare.role} {spare.name} lacks modules that {master.name} has: {', '.join(missing)}",
            spare.where,
            f"write '{line}' in {spare.name}",
        )
    extra = [m for m in spare.modules if m not in master.modules]
    if extra and master.role != "poller":
        line = "modules    " + ",".join((*master.modules, *extra))
        complaints.warning(
            f"{master.role} {master.name} lacks modules that its spare {spare.name} has:"
            f" {', '.join(extra)}",
            master.where,
            f"write '{line}' in {master.name}",
        )


def _retention(cluster: Cluster, realms: Realms, complaints: Complaints) -> None:
    """A scheduler that names no store keeps its state in a local sqlite file."""
    types = {m.name: m.type for m in cluster.modules}
    for scheduler in cluster.daemons:
        if scheduler.role != "scheduler" or not scheduler.where or scheduler.spare:
            continue
        named = {types.get(m, m) for m in scheduler.modules}
        if named & {"memory", "no-retention"} and not named & OUTLIVES_PROCESS:
            complaints.warning(
                f"scheduler {scheduler.name} has no retention that outlives it: objects are PENDING"
                " until checked after a take-over without a warm spare",
                scheduler.where,
                f"write 'modules    sqlite-retention' in {scheduler.name}",
            )
        elif (
            not named & OUTLIVES_SERVER
            and len({d.address for d in cluster.daemons}) > 1
            and not _has_spare(scheduler, cluster, realms)
        ):
            complaints.warning(
                f"the retention of scheduler {scheduler.name} dies with its server: objects are"
                " PENDING until checked after a take-over",
                scheduler.where,
                "add memcached-retention, or a spare scheduler on another server",
            )


def _has_spare(master: DaemonDef, cluster: Cluster, realms: Realms) -> bool:
    return any(
        d.role == master.role
        and d.spare
        and _stands_in(d, master, realms)
        and d.address != master.address
        for d in cluster.daemons
    )


def _place(daemon: DaemonDef) -> tuple[str, int]:
    """Return where a daemon is defined, so that the later of two is the one blamed."""
    path, _, line = daemon.where.rpartition(":")
    return path, int(line) if line.isdigit() else 0
