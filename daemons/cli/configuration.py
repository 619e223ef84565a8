"""Reads configuration files for `start`, `verify` and `reload`, and compiles them for the arbiter.

The one thing to know: an arbiter never compiles in its own process. A hundred thousand services take
seconds of pure Python, in which it could not beat; a child does it (`python -m daemons compile`).
"""

import gc
import hashlib
import os
import resource
import sys
import time
from collections.abc import Sequence
from importlib.metadata import entry_points

import msgspec
from msgspec.structs import replace

from daemons.cli.board import board_complaints
from daemons.cli.terms import term_complaints
from daemons.config.bundle import BadBundle, Recorder, document_of, files_of, head_of, replay
from daemons.config.complain import Complaint
from daemons.config.lint import MachineNames, which_arbiter
from daemons.config.load import Loaded, Read, load
from daemons.model.cluster import Cluster, ServerDef
from daemons.net.compiler import local_time_zone
from daemons.net.files import read
from daemons.wire.configuration import CompiledShards, FileBundle

GROUPS = ("shinken.modules", "shinken.retention")  # where third parties publish module types
MEMORY_BYTES = 8 << 30  # of address space that the child may use
ERRORS_MAX = 50  # of one compilation; the rest is for `shinken verify`


def read_configuration(files: Sequence[str], reader: Read = read, time_zone: str = "") -> Loaded:
    """Return what `files` say, with every complaint about them.

    `time_zone` is that of the server where they were written, "" = this one: in force without use_timezone.
    """
    installed = [e.name for group in GROUPS for e in entry_points(group=group)]
    collecting = gc.isenabled()
    gc.disable()  # a hundred thousand objects, all of which stay: looking for garbage costs a tenth
    try:
        loaded = load(list(files), reader, installed, time_zone or local_time_zone())
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


def errors_in(files: Sequence[str]) -> tuple[str, ...]:
    """Return what makes `files` unusable, a line each."""
    loaded = read_configuration(files)
    return tuple(str(c) for c in loaded.complaints if c.severity == "error")


def read_and_record(files: Sequence[str]) -> tuple[Loaded, FileBundle]:
    """Return what `files` say, and the bundle of all that was read."""
    recorder = Recorder(read)
    loaded = read_configuration(files, recorder.read)
    return loaded, recorder.bundle(files)


def hash_of(loaded: Loaded) -> str:
    """Return the hash of what a configuration means: comments and places of its lines do not count."""
    assert loaded.cluster is not None
    digest = hashlib.sha256("".join(shard.version for shard, _ in loaded.shards).encode())
    digest.update(msgspec.msgpack.encode(placeless(loaded.cluster)))
    return digest.hexdigest()[:12]


def placeless(cluster: Cluster) -> Cluster:
    """Return `cluster` without the files and lines where its parts are defined."""
    return replace(
        cluster,
        daemons=tuple(replace(d, where="") for d in cluster.daemons),
        modules=tuple(replace(m, where="") for m in cluster.modules),
    )


def compile_files(files: Sequence[str], by: str) -> CompiledShards:
    """Compile this server's own files; `by` names them for people."""
    loaded, bundle = read_and_record(files)
    document = document_of(bundle, by, time.time(), local_time_zone())
    return _compiled(loaded, document, head_of(document).files_hash)


def compile_document(document: bytes) -> CompiledShards:
    """Compile a document."""
    try:
        head = head_of(document)
        bundle = files_of(head)
    except BadBundle as error:
        return CompiledShards(document, errors=(str(error),))
    loaded = read_configuration(bundle.main, replay(bundle), head.time_zone)
    return _compiled(loaded, document, head.files_hash)


def compile_child(words: Sequence[str]) -> int:
    """Be the child: compile the files named, or the document on standard input; write CompiledShards."""
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    gc.disable()
    if words and words[0] == "-":
        compiled = compile_document(sys.stdin.buffer.read())
    else:
        compiled = compile_files(words[1:], words[0])
    sys.stdout.buffer.write(msgspec.msgpack.encode(compiled))
    sys.stdout.buffer.flush()
    return 0


def _compiled(loaded: Loaded, document: bytes, files_hash: str) -> CompiledShards:
    errors = tuple(str(c) for c in loaded.complaints if c.severity == "error")
    if errors or loaded.cluster is None:
        return CompiledShards(
            document, files_hash, errors=errors[:ERRORS_MAX] or ("the configuration names no daemons",)
        )
    return CompiledShards(
        document,
        files_hash,
        hash_of(loaded),
        msgspec.msgpack.encode(tuple(shard for shard, _ in loaded.shards)),
        {shard.version: body for shard, body in loaded.shards},
        msgspec.msgpack.encode(loaded.cluster),
    )


def arbiter_complaint(cluster: Cluster, server: ServerDef, names: Sequence[str], chosen: str) -> str:
    """Return why this machine must not run the arbiter of `server`, "" when it may or there is none."""
    if not any(d.role == "arbiter" and d.address == server.address for d in cluster.daemons):
        return ""
    found = which_arbiter(
        cluster, MachineNames(names[0], names[1], tuple(names[2:]), chosen=chosen)
    )
    return str(found) if isinstance(found, Complaint) else ""
