"""What is not as it should be, worst first, each with what to do about it.

Pure. One cause is told once: the daemons of a silent server are named with it, not one by one.
`critical` = work is not done, or state is in danger; `warning` = the next fault would hurt;
`advice` = so it was set up.
"""

from collections.abc import Iterator

from console.facts import WORST_FIRST, Daemon, Problem, Server, Shard, Snapshot
from daemons.model.cluster import ROLES, RoleName, epoch_n

CLOCKS_S = 2.0  # clocks may differ so much; a question and its answer take a part of it
CRASHES = 3
CRASHED_S = 60.0

FIXES = (  # words in what a daemon says of itself -> what to do
    ("configuration", "run: shinken verify -c FILE; correct what it says"),
    ("retention", "see that the retention store runs and can be reached from that server"),
    ("durability", "have the scheduler's standby and a retention store on another server run"),
    ("cannot write its votes", "make room on its disk, or mend it: it votes again by itself; leases that are held go on"),
    ("lost its votes", "start the keepers that it names: it gets its memory back from them; if they are gone for good: shinken voter reset"),
    ("spool", "make room on the disk of that server"),
    ("journal", "make room on the disk of that server"),
    ("disk", "make room on the disk of that server, or give it another workdir"),
    ("wait for a scheduler", "see why no scheduler takes them: the shards are listed above"),
    ("is alive in realm", "start one, or give the realm a spare"),
    ("nobody does the work of realm", "start one with that tag, or give another the tag"),
    ("has no live scheduler", "start one of them, or give the realm a spare scheduler"),
)


def problems_of(snapshot: Snapshot) -> tuple[Problem, ...]:
    """Return everything that is wrong in `snapshot`, worst first; within that, in order of weight."""
    if not any(s.keeper in ("alive", "suspect") for s in snapshot.servers):
        return (_nobody(snapshot),)
    found = [
        *_servers(snapshot),
        *_paused(snapshot),
        *_leaders(snapshot),
        *_shards(snapshot),
        *_roles(snapshot),
        *_daemons(snapshot),
        *_said(snapshot),
        *_configurations(snapshot),
        *_clocks(snapshot),
        *_machines(snapshot),
        *_spares(snapshot),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda p: WORST_FIRST.index(p.severity)))


def _nobody(snapshot: Snapshot) -> Problem:
    asked = ", ".join(f"{s.name} ({s.why.rpartition(': ')[2]})" for s in snapshot.servers)
    return Problem(
        "critical",
        f"no keeper answers: {asked}",
        "start the servers with shinken start; see that addresses, keeper_port and cluster secret are theirs",
    )


def _leaders(snapshot: Snapshot) -> Iterator[Problem]:
    leaders = [
        d for d in snapshot.daemons if d.role == "arbiter" and d.active and d.health == "alive"
    ]
    if len(leaders) > 1:
        names = " and ".join(f"{d.name} on {d.server} (epoch {epoch_n(d.epoch)})" for d in leaders)
        yield Problem(
            "critical",
            f"split: {names} both lead",
            "mend the network between these servers: the lower epoch then yields by itself",
            leaders[0].name,
        )
    if snapshot.leader:
        return
    arbiters = [d for d in snapshot.daemons if d.role == "arbiter"]
    last = [f"{d.name} led {d.age_s:.0f} s ago" for d in arbiters if d.was_active and d.age_s >= 0]
    live = [d.name for d in arbiters if d.is_live]
    checks = any(d.active for d in snapshot.daemons if d.role == "scheduler")
    if live:
        fix = f"wait some seconds for {' or '.join(live)}; if none leads then: shinken verify, and start the other servers: a majority must answer"
    else:
        fix = "start an arbiter: shinken start on " + " or ".join(d.server for d in arbiters)
    yield Problem(
        "critical",
        "no arbiter leads"
        + (f" ({', '.join(last)})" if last else "")
        + (": checks go on, but nobody would take over" if checks else ""),
        fix,
        "arbiter",
    )


def _shards(snapshot: Snapshot) -> Iterator[Problem]:
    for shard in snapshot.shards:
        if shard.problem:
            yield _shard(shard, snapshot)
    leader = snapshot.daemon(snapshot.leader)
    planned = int(leader.figures.get("shards", 0)) if leader else 0
    missing = planned - len(snapshot.shards)
    if missing > 0:
        yield Problem(
            "critical",
            f"{missing} of {planned} shards are at no scheduler: their hosts are not checked",
            "start a scheduler of their realm",
            "scheduler",
        )


def _shard(shard: Shard, snapshot: Snapshot) -> Problem:
    text, about = f"shard {shard.id}: {shard.problem}", f"shard {shard.id}"
    if not shard.owner:
        heir = shard.claimant or shard.standby
        fix = (
            f"wait: {heir} takes over within seconds, once an arbiter leads"
            if heir
            else "start a scheduler of its realm; its hosts are not checked until then"
        )
        return Problem("critical", text, fix, about)
    if "both" in shard.problem:
        return Problem(
            "critical",
            text,
            "mend the network between their servers: the lower epoch then yields",
            about,
        )
    if shard.standby:
        return Problem(
            "warning",
            text,
            "it is copied within seconds; until then a failover needs the retention store",
            about,
        )
    schedulers = [d for d in snapshot.daemons if d.role == "scheduler" and d.name != shard.owner]
    down = [d.name for d in schedulers if not d.is_live]
    fix = (
        f"get {' or '.join(down)} back: until then a failover has nowhere to go"
        if down
        else "define a spare scheduler on another server"
    )
    return Problem("warning" if schedulers else "advice", text, fix, about)


def _roles(snapshot: Snapshot) -> Iterator[Problem]:
    """A role that nobody fills. Idle arbiters and schedulers are told of by leader and shards."""
    for role in ROLES[1:]:
        crew = _crew(snapshot, role)
        if not crew or any(d.active for d in crew):
            continue
        live = [d.name for d in crew if d.is_live]
        if not live:
            where = " or ".join(dict.fromkeys(d.server for d in crew))
            text = f"no {role} is active: all are dead or silent"
            yield Problem("critical", text, f"start one: shinken start on {where}", role)
        elif role != "scheduler" and snapshot.shards:
            verb = "waits" if len(live) == 1 else "wait"
            yield Problem(
                "critical",
                f"no {role} is active: {' and '.join(live)} {verb} for orders",
                "wait some seconds; if it stays so, see the problems of the leader: it hands out the work",
                role,
            )


def _servers(snapshot: Snapshot) -> Iterator[Problem]:
    for server in snapshot.servers:
        if server.keeper != "alive":
            yield _server(server, [d for d in snapshot.daemons if d.server == server.name])
        for text in server.problems:
            yield Problem("warning", text, _fix(text, "keeper", server.name), server.name)


def _server(server: Server, crew: list[Daemon]) -> Problem:
    since = f" for {server.age_s:.0f} s" if server.age_s >= 0 else ""
    names = ", ".join(d.name for d in crew) or "its vote"
    answering = ", ".join(d.name for d in crew if d.is_live)
    if answering and server.keeper == "dead":
        return Problem(
            "critical",
            f"the keeper of {server.name} is silent{since}, {answering} there answer: they can hold no lease",
            f"on {server.name} kill the keeper (keeper.pid in its work folder): it is started again and adopts them",
            server.name,
        )
    if server.keeper == "dead":
        return Problem(
            "critical",
            f"{server.name} is silent{since} to everybody; with it {names}",
            f"power it on, mend its network, or there: shinken start --server {server.name}",
            server.name,
        )
    if server.keeper == "suspect":
        return Problem("warning", f"{server.name}: {server.why}", "wait some seconds", server.name)
    return Problem(
        "warning",
        f"nothing is known of {server.name}{since}: {server.why}",
        "if it stays so, look from another machine: the fault may be on the way from here",
        server.name,
    )


def _daemons(snapshot: Snapshot) -> Iterator[Problem]:
    silent = {s.name for s in snapshot.servers if s.keeper != "alive"}
    for daemon in snapshot.daemons:
        if daemon.server in silent or daemon.health == "alive":
            yield from _crashes(daemon)
            continue
        stand_in = [
            d.name for d in _crew(snapshot, daemon.role) if d.active and d.name != daemon.name
        ]
        covered = f"; {', '.join(stand_in)} does its work" if stand_in else ""
        log = f"log/{daemon.name}.log in the work folder of {daemon.server}"
        hangs = "hangs" in daemon.why
        yield Problem(
            "critical" if daemon.health == "dead" else "warning",
            f"{daemon.name} on {daemon.server} is {daemon.health}: {daemon.why}{covered}",
            f"it holds no lease any more; see {log}, then kill {daemon.pid}: its keeper starts a new one"
            if hangs and daemon.pid
            else f"its keeper starts it again by itself; if it ends again, see {log}",
            daemon.name,
        )


def _crashes(daemon: Daemon) -> Iterator[Problem]:
    if daemon.restarts >= CRASHES and 0 <= daemon.up_s < CRASHED_S and daemon.is_live:
        yield Problem(
            "warning",
            f"{daemon.name} was started again {daemon.restarts} times, {daemon.up_s:.0f} s ago the last time",
            f"see log/{daemon.name}.log in the work folder of {daemon.server}",
            daemon.name,
        )


def _said(snapshot: Snapshot) -> Iterator[Problem]:
    for daemon in snapshot.daemons:
        for text in daemon.problems:
            if daemon.name == snapshot.leader and "has another configuration" in text:
                continue  # told in _configurations, with what to do
            yield Problem(
                "warning",
                f"{daemon.name}: {text}",
                _fix(text, daemon.name, daemon.server),
                daemon.name,
            )


def _fix(text: str, name: str, server: str) -> str:
    for words, fix in FIXES:
        if words in text:
            return fix
    return f"see log/{name}.log in the work folder of {server}"


def _configurations(snapshot: Snapshot) -> Iterator[Problem]:
    leader = snapshot.daemon(snapshot.leader)
    if leader is None or not leader.config:
        return
    for daemon in snapshot.daemons:
        if daemon.role == "arbiter" and daemon.is_live and daemon.config not in ("", leader.config):
            yield Problem(
                "warning",
                f"configuration differs: {daemon.name} on {daemon.server} has {daemon.config}, the leader {leader.name} has {leader.config}",
                f"copy the files of {leader.server} to {daemon.server}, then: shinken restart there",
                daemon.name,
            )
    releases = {s.release for s in snapshot.servers if s.release and s.keeper == "alive"}
    if len(releases) > 1:
        yield Problem(
            "advice",
            f"servers run different releases: {', '.join(sorted(releases))}",
            "finish the upgrade",
        )


def _clocks(snapshot: Snapshot) -> Iterator[Problem]:
    told = [s for s in snapshot.servers if s.keeper == "alive"]
    if not told:
        return
    first, last = min(told, key=lambda s: s.ahead_s), max(told, key=lambda s: s.ahead_s)
    if last.ahead_s - first.ahead_s > CLOCKS_S:
        yield Problem(
            "warning",
            f"clocks differ: {last.name} is {last.ahead_s - first.ahead_s:.0f} s ahead of {first.name}",
            "run an NTP client on both: leases do not need it, logs and time periods do",
            last.name,
        )


def _paused(snapshot: Snapshot) -> Iterator[Problem]:
    """A pause as the keepers keep it: it holds also when nobody leads who could tell of it."""
    longest = max(snapshot.servers, key=lambda s: s.paused_s)
    if longest.paused_s > 0:
        text = f"paused for {longest.paused_s:.0f} s more by {longest.paused_by}: {longest.paused_why}"
        yield Problem(
            "warning" if snapshot.leader else "critical",
            f"{text}; nothing is taken over until then",
            "shinken resume ends the pause now",
        )


def _machines(snapshot: Snapshot) -> Iterator[Problem]:
    """Servers that are one machine: votes that fall together are one vote."""
    alike: dict[str, list[str]] = {}
    for server in snapshot.servers:
        if server.machine and server.keeper == "alive":
            alike.setdefault(server.machine, []).append(server.name)
    for names in alike.values():
        if len(names) > 1:
            count = {2: "two", 3: "three"}.get(len(names), str(len(names)))
            yield Problem(
                "warning",
                f"{' and '.join(names)} are one machine: they count as {count} votes and die together",
                "move all but one to other machines, or take them out of `voters`",
                names[1],
            )


def _spares(snapshot: Snapshot) -> Iterator[Problem]:
    for role in ROLES:
        crew = _crew(snapshot, role)
        if not crew:
            continue
        if len({d.server for d in crew}) > 1:
            continue
        where = "all on " + crew[0].server if len(crew) > 1 else "it has no spare"
        yield Problem(
            "advice",
            f"{role}: {where}: nobody takes over when {crew[0].server} dies",
            f"define a {role} with `spare 1` on another server",
            role,
        )


def _crew(snapshot: Snapshot, role: RoleName) -> list[Daemon]:
    return [d for d in snapshot.daemons if d.role == role]
