"""The snapshot as scripts read it: `shinken status --json`, described in docs/status-json.md.

Fixed: fields are added, never renamed or removed.
"""

from typing import Any

import msgspec

from console.facts import Daemon, Problem, Server, Shard, Snapshot
from daemons.model.cluster import epoch_n


def status_json(snapshot: Snapshot, more: dict[str, Any] | None = None) -> str:
    """Return one JSON object with the fields of `more` too, indented, without a newline at its end."""
    fields = status(snapshot) | (more or {})
    return msgspec.json.format(msgspec.json.encode(fields), indent=2).decode()


def status(snapshot: Snapshot) -> dict[str, Any]:
    """Return the snapshot as dicts, lists, strings and numbers."""
    return {
        "cluster": snapshot.cluster,
        "leader": snapshot.leader,
        "epoch": snapshot.epoch,
        "epoch_n": snapshot.epoch_n,
        "servers": [_server(s) for s in snapshot.servers],
        "daemons": [_daemon(d) for d in snapshot.daemons],
        "shards": [_shard(s) for s in snapshot.shards],
        "problems": problems(snapshot.problems),
    }


def problems(found: tuple[Problem, ...]) -> list[dict[str, str]]:
    """Return the problems as dicts, in the order given."""
    return [{"text": p.text, "fix": p.fix, "severity": p.severity, "about": p.about} for p in found]


def _server(server: Server) -> dict[str, Any]:
    return {
        "name": server.name,
        "keeper": server.keeper,
        "why": server.why,
        "address": server.address,
        "age_s": _seconds(server.age_s),
        "pid": server.pid,
        "instance": server.instance,
        "release": server.release,
        "votes_only": server.votes_only,
    }


def _daemon(daemon: Daemon) -> dict[str, Any]:
    return {
        "name": daemon.name,
        "role": daemon.role,
        "server": daemon.server,
        "spare": daemon.spare,
        "health": daemon.health,
        "active": daemon.active,
        "pid": daemon.pid,
        "instance": daemon.instance,
        "epoch": daemon.epoch,
        "epoch_n": epoch_n(daemon.epoch),
        "shards": [
            {
                "id": held.id,
                "version": held.version,
                "epoch": held.epoch,
                "epoch_n": epoch_n(held.epoch),
                "phase": held.phase,
            }
            for held in daemon.shards
        ],
        "age_s": _seconds(daemon.age_s),
        "config": daemon.config,
        "why": daemon.why,
        "realm": daemon.realm,
        "address": daemon.address,
        "port": daemon.port,
        "was_active": daemon.was_active,
        "restarts": daemon.restarts,
        "up_s": _seconds(daemon.up_s),
        "cpu_percent": round(daemon.cpu_percent, 1),
        "rss_bytes": daemon.rss_bytes,
        "figures": daemon.figures,
        "stores": [{field: getattr(s, field) for field in s.__struct_fields__} for s in daemon.stores],
        "last_change": daemon.last_change,
    }


def _shard(shard: Shard) -> dict[str, Any]:
    return {
        "id": shard.id,
        "owner": shard.owner,
        "standby": shard.standby,
        "phase": shard.phase,
        "epoch": shard.epoch,
        "epoch_n": epoch_n(shard.epoch),
        "version": shard.version,
        "problem": shard.problem,
    }


def _seconds(value: float) -> float | None:
    """JSON has null for what was never measured."""
    return round(value, 3) if value >= 0 else None
