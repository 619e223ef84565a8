"""Reads configuration files for `start`, `verify` and the arbiter."""

import gc
import hashlib
from collections.abc import Sequence
from importlib.metadata import entry_points

from daemons.cli.board import board_complaints
from daemons.cli.terms import term_complaints
from daemons.config.complain import Complaint
from daemons.config.lint import MachineNames, which_arbiter
from daemons.config.load import Loaded, load
from daemons.model.cluster import Cluster, ServerDef
from daemons.net.files import read
from daemons.roles.arbiter import Compiled

GROUPS = ("shinken.modules", "shinken.retention")  # where third parties publish module types


def read_configuration(files: Sequence[str]) -> Loaded:
    """Return what `files` say, with every complaint about them."""
    installed = [e.name for group in GROUPS for e in entry_points(group=group)]
    collecting = gc.isenabled()
    gc.disable()  # a hundred thousand objects, all of which stay: looking for garbage costs a tenth
    try:
        loaded = load(list(files), read, installed)
    finally:
        if collecting:
            gc.enable()
    if loaded.cluster is not None:
        loaded.complaints = (
            *loaded.complaints,
            *term_complaints(loaded.cluster),
            *board_complaints(loaded.cluster),
        )
    return loaded


def compile_files(files: Sequence[str]) -> Compiled:
    """Return what an arbiter needs of `files`. With an error in them it may not lead."""
    loaded = read_configuration(files)
    errors = tuple(str(c) for c in loaded.complaints if c.severity == "error")
    if errors or loaded.cluster is None:
        return Compiled(problems=errors[:10] or ("the configuration names no daemons",))
    shards = loaded.shards
    digest = hashlib.sha256("".join(shard.version for shard, _ in shards).encode())
    digest.update(repr(loaded.cluster.daemons).encode())
    return Compiled(
        tuple(shard for shard, _ in shards),
        {shard.version: body for shard, body in shards},
        digest.hexdigest()[:12],
    )


def arbiter_complaint(cluster: Cluster, server: ServerDef, names: Sequence[str], chosen: str) -> str:
    """Return why this machine must not run the arbiter of `server`, "" when it may or there is none."""
    if not any(d.role == "arbiter" and d.address == server.address for d in cluster.daemons):
        return ""
    found = which_arbiter(
        cluster, MachineNames(names[0], names[1], tuple(names[2:]), chosen=chosen)
    )
    return str(found) if isinstance(found, Complaint) else ""
