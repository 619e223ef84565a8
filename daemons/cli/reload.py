"""`shinken reload`: puts the files of this server in force in the whole cluster, without a gap.

The one thing to know: everything that can be wrong is found before anything is sent. What is sent is a
proposal made from one committed version; the leader takes it only if that is still the newest.
"""

import getpass
import os
import socket
import time
from hashlib import sha256

from msgspec import Struct

from daemons.cli.committed import Committed, Keepers
from daemons.cli.configuration import hash_of, read_and_record, read_configuration
from daemons.cli.reach import Keys
from daemons.cli.start import Say
from daemons.config.bundle import BadBundle, document_of, files_of, head_of, replay
from daemons.config.changes import Changes, changes
from daemons.config.load import Loaded
from daemons.net.compiler import FilesBase, local_time_zone
from daemons.net.home import Bundle, Home
from daemons.wire.configuration import (
    Proposal,
    ProposalAsk,
    Propose,
)
from daemons.wire.messages import PAGE_BYTES_MAX

GOOD, NOT_GOOD, NOBODY = 0, 1, 3
WAIT_S = 120.0  # for the leader to compile, and again for the daemons to follow


class Options(Struct, frozen=True):
    """What was typed."""

    files: tuple[str, ...]
    dry_run: bool = False
    force: bool = False
    workdir: str = ""  # of this server


class Outcome(Struct, frozen=True):
    """What came of it; for scripts."""

    code: int
    text: str
    n: int = 0  # number of the version in force
    config: str = ""
    changed: tuple[str, ...] = ()  # a line for each type
    restart: tuple[str, ...] = ()  # daemons that must be restarted for the change to take effect
    errors: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()  # daemons that do not run it yet


def reload(bundle: Bundle, keys: Keys, options: Options, say: Say) -> Outcome:
    """Propose `options.files` and wait until every daemon runs them. Raises NobodyAnswers."""
    files = tuple(os.path.abspath(f) for f in options.files or bundle.files)
    loaded, read = read_and_record(files)
    for complaint in loaded.complaints:
        say(str(complaint))
    if not loaded.good or loaded.cluster is None:
        errors = tuple(str(c) for c in loaded.complaints if c.severity == "error")
        return Outcome(NOT_GOOD, "the configuration is not good: nothing was changed", errors=errors)
    by = f"{getpass.getuser()}@{socket.gethostname()}"
    document = document_of(read, by, time.time(), local_time_zone())
    files_hash = head_of(document).files_hash
    cluster = Keepers(bundle, keys)
    committed = cluster.committed()
    base = FilesBase(Home(options.workdir).spool)
    if committed.head.files_hash == files_hash:
        _remember(base, files_hash, say)
        text = f"nothing to do: these files are configuration {committed.n}, of {committed.head.by}"
        return Outcome(GOOD, text, committed.n)
    found = _changes(committed, loaded)
    lines = _told(found)
    for line in lines:
        say(line)
    restart = found.daemons if found is not None else ()
    if restart:
        say(f"takes effect when restarted: {', '.join(restart)}")
    stale = "" if options.force else _stale(base, committed)
    if options.dry_run:
        text = stale or f"this would become configuration {committed.n + 1}; nothing was changed"
        return Outcome(NOT_GOOD if stale else GOOD, text, committed.n, hash_of(loaded), lines, restart)
    if stale:
        return Outcome(NOT_GOOD, stale, committed.n, changed=lines, restart=restart)
    said = _propose(cluster, document, committed.head.files_hash, options.force, say)
    if said.state != "done":
        for error in said.errors:
            say(f"the leader says: {error}")
        text = said.why or f"it did not get further than: {said.state}"
        return Outcome(NOT_GOOD, text, said.n, said.config, lines, restart, said.errors, said.behind)
    _remember(base, files_hash, say)
    text = f"configuration {said.n} ({said.config}) is in force"
    return Outcome(GOOD, text, said.n, said.config, lines, restart)


def _stale(base: FilesBase, committed: Committed) -> str:
    """Why these files may not replace the committed ones, "" when they were made from those."""
    known = base.read()
    if known == committed.head.files_hash:
        return ""
    why = "come from an older one" if known else "may come from anywhere: this server never had the committed ones"
    return (
        f"configuration {committed.n} is of {committed.head.by}, and the files here {why}; "
        "take its changes over (shinken configuration --write DIR gives its files), or say --force"
    )


def _remember(base: FilesBase, files_hash: str, say: Say) -> None:
    try:
        base.write(files_hash)
    except OSError as error:
        say(f"could not note in {base.path} which version these files are: {error.strerror}")


def _changes(committed: Committed, loaded: Loaded) -> Changes | None:
    try:
        files = files_of(committed.head)
    except BadBundle:
        return None
    old = read_configuration(files.main, replay(files), committed.head.time_zone)
    return changes(old, loaded) if old.good and old.cluster is not None else None


def _told(found: Changes | None) -> tuple[str, ...]:
    if found is None:
        return ("the committed configuration cannot be read here: what changes is not known",)
    lines = [str(change) for change in found.kinds]
    if found.daemons:
        lines.append(f"daemons: {', '.join(found.daemons)}")
    if found.settings:
        lines.append(f"main file: {', '.join(found.settings)}")
    return tuple(lines) or ("only comments or layout of the files change",)


def _propose(cluster: Keepers, document: bytes, base: str, force: bool, say: Say) -> Proposal:
    """Send the proposal to whoever leads, again if that changes; return how it ended."""
    digest = sha256(document).hexdigest()
    pages = max(1, -(-len(document) // PAGE_BYTES_MAX))
    deadline = time.monotonic() + WAIT_S
    last = ""
    said = Proposal(digest, "unknown")
    while time.monotonic() < deadline:
        if said.state in ("unknown", "receiving"):
            page = said.next_page if said.state == "receiving" else 0
            data = document[page * PAGE_BYTES_MAX : (page + 1) * PAGE_BYTES_MAX]
            answer = cluster.ask_leader(Propose(digest, page, pages, data, base, force))
        else:
            answer = cluster.ask_leader(ProposalAsk(digest))
        if answer is None:
            if said.state == "refused":
                return said
            time.sleep(0.3)
            continue
        said = answer
        line = _progress(said)
        if line and line != last:
            say(line)
            last = line
            deadline = time.monotonic() + WAIT_S
        if said.state in ("done", "refused"):
            return said
        if said.state != "receiving":
            time.sleep(0.1)
    return said


def _progress(said: Proposal) -> str:
    match said.state:
        case "compiling":
            return "the leader compiles it"
        case "committing" if said.at:
            return f"configuration {said.n} ({said.config}): on disk at {len(said.at)} servers"
        case "rolling out":
            return f"configuration {said.n} is committed; not yet there: {', '.join(said.behind)}"
    return ""
