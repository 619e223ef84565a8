"""The cluster as an operator sees it, made of what each keeper said and how long ago that was.

Pure. The one thing to know: nothing here outlives its evidence. What a silent keeper said last is
shown with its age, but nobody of that server counts as active, as owner or as alive any more.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from console.facts import Daemon, Heard, Own, Server, Shard, Snapshot, State
from console.health import FRESH_S, daemon_health, keeper_health, silence_s
from console.problems import problems_of
from daemons.model.cluster import Cluster, DaemonDef
from daemons.wire.messages import DaemonSeen, Report, ShardHeld

Holding = tuple[Daemon, ShardHeld]


def snapshot(cluster: Cluster, heard: Mapping[str, Heard]) -> Snapshot:
    """Return the cluster by what was `heard` of each server's keeper, with its problems."""
    servers = tuple(_server(cluster, s.name, s.address, heard) for s in cluster.servers)
    of_server = {s.name: s for s in servers}
    name_at = {s.address: s.name for s in cluster.servers}
    daemons = tuple(
        _daemon(d, of_server[name_at[d.address]], heard.get(name_at[d.address], Heard()))
        for d in cluster.daemons
    )
    leaders = sorted(
        (d for d in daemons if d.role == "arbiter" and d.active), key=lambda d: d.epoch
    )
    found = Snapshot(
        cluster=cluster.name,
        leader=leaders[-1].name if leaders else "",
        epoch=leaders[-1].epoch if leaders else max((d.epoch for d in daemons), default=0),
        servers=servers,
        daemons=daemons,
        shards=_shards(daemons, heard),
    )
    return replace(found, problems=problems_of(found))


def _server(cluster: Cluster, name: str, address: str, heard: Mapping[str, Heard]) -> Server:
    mine = heard.get(name, Heard())
    health, why = keeper_health(name, heard)
    known = mine.census is not None and mine.age_s <= FRESH_S
    census = mine.census if known else None
    pause = census.pause if census else None
    return Server(
        name=name,
        address=address,
        keeper=health,
        why=why,
        age_s=silence_s(name, heard),
        pid=census.pid if census else 0,
        instance=mine.census.instance if mine.census else "",
        release=mine.census.release if mine.census else "",
        ahead_s=mine.ahead_s if census else 0.0,
        problems=census.problems if census else (),
        votes_only=any(s.name == name and s.voter_only for s in cluster.servers),
        machine=census.machine if census else "",
        paused_s=max(0.0, pause.left_s - mine.age_s) if pause else 0.0,
        paused_by=pause.by if pause else "",
        paused_why=pause.reason if pause else "",
    )


def _daemon(define: DaemonDef, server: Server, heard: Heard) -> Daemon:
    found = heard.census.daemons if heard.census is not None else ()
    seen = next((d for d in found if d.name == define.name), None)
    own = heard.own.get(define.name)
    health, why = daemon_health(seen, heard, server.keeper, server.name, own)
    if own is not None and health == "alive" and server.keeper != "alive":
        return _by_itself(define, server, own, seen, why)
    is_live = health in ("alive", "suspect")
    report = seen.report if seen else Report()
    known = server.keeper in ("alive", "suspect")
    return replace(
        _daemon_of(define, server, health, why, is_live and report.active),
        was_active=report.active,
        pid=seen.pid if seen and known else 0,
        instance=seen.instance if seen else "",
        epoch=report.epoch,
        shards=report.shards if is_live else (),
        age_s=_age_s(seen, heard, server),
        config=report.config,
        figures=dict(report.figures),
        stores=report.stores,
        restarts=seen.restarts if seen else 0,
        up_s=_up_s(seen, heard) if known else -1.0,
        cpu_percent=seen.cpu_percent if seen and is_live else 0.0,
        rss_bytes=seen.rss_bytes if seen and is_live else 0,
        problems=report.problems if is_live else (),
        last_change=report.why,
    )


def _daemon_of(define: DaemonDef, server: Server, health: State, why: str, active: bool) -> Daemon:
    """What the configuration says of a daemon, and how it is; nothing it said yet."""
    return Daemon(
        name=define.name,
        role=define.role,
        server=server.name,
        address=define.address,
        port=define.port,
        realm=define.realm,
        spare=define.spare,
        health=health,
        why=why,
        active=active,
    )


def _by_itself(
    define: DaemonDef, server: Server, own: Own, seen: DaemonSeen | None, why: str
) -> Daemon:
    """What it says itself; which shards it holds is its keeper's to say, who renews no lease now."""
    return replace(
        _daemon_of(define, server, "alive", why, own.active),
        was_active=own.active,
        pid=own.pid,
        instance=own.instance,
        epoch=own.epoch,
        age_s=own.age_s,
        config=own.config,
        figures=own.figures,
        restarts=seen.restarts if seen else 0,
        problems=own.problems,
    )


def _age_s(seen: DaemonSeen | None, heard: Heard, server: Server) -> float:
    if seen is not None and seen.beat_age_s >= 0:
        return seen.beat_age_s + heard.age_s
    return server.age_s if server.keeper not in ("alive", "suspect") else -1.0


def _up_s(seen: DaemonSeen | None, heard: Heard) -> float:
    """Both times are the server's own, so that its clock may be wrong."""
    if seen is None or heard.census is None or not seen.running or not seen.started_wall:
        return -1.0
    return max(0.0, heard.census.wall - seen.started_wall) + heard.age_s


def _shards(daemons: tuple[Daemon, ...], heard: Mapping[str, Heard]) -> tuple[Shard, ...]:
    """Every shard that anybody ever mentioned, with who runs it now."""
    ids = {
        held.id
        for h in heard.values()
        if h.census is not None
        for seen in h.census.daemons
        for held in seen.report.shards
    }
    return tuple(_shard(shard, daemons) for shard in sorted(ids))


def _shard(id: int, daemons: tuple[Daemon, ...]) -> Shard:
    at = sorted(
        ((d, held) for d in daemons for held in d.shards if held.id == id),
        key=lambda pair: pair[1].epoch,
        reverse=True,
    )
    owners = [pair for pair in at if pair[1].phase == "active"]
    taking = [pair for pair in at if pair[1].phase in ("claiming", "loading")]
    warm = [pair for pair in at if pair[1].phase == "standby"]
    shard = Shard(id=id, problem=_trouble(owners, taking, warm))
    if warm:
        standby, copy = warm[0]
        shard = replace(
            shard,
            standby=standby.name,
            version=copy.version,
            copied_epoch=copy.copied_epoch,
            copied_n=copy.copied_n,
        )
    for who, held in (owners or taking)[:1]:
        shard = replace(
            shard,
            owner=who.name if owners else "",
            claimant="" if owners else who.name,
            phase=held.phase,
            epoch=held.epoch,
            version=held.version,
        )
    return shard


def _trouble(owners: list[Holding], taking: list[Holding], warm: list[Holding]) -> str:
    if len(owners) > 1:
        return " and ".join(daemon.name for daemon, _ in owners) + " both run it"
    if not owners and taking:
        return f"nobody runs it, {taking[0][0].name} is {taking[0][1].phase}"
    if not owners:
        return "nobody runs it"
    if not warm:
        return "no standby follows it"
    if not warm[0][1].copied_epoch:
        return f"{warm[0][0].name} has no copy of it yet"
    return ""
