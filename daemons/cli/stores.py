"""`shinken retention`: looks into the stores of a cluster's schedulers, without its daemons, and moves states.

The one thing to know: what is looked at is opened as it is and left as it is; a local file of another
server is not to be had from here, and that is said.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from daemons.cli.portable import FORMAT, BadLine, is_damaged, line_of, record_of
from daemons.config.nagios_state import read_retention
from daemons.model.cluster import Cluster, epoch_n
from daemons.model.status import ContactStatus, ShardStatus, Status
from daemons.net.home import Bundle
from daemons.net.retain import LOCAL, Chosen, chosen
from retention import BadOption, UnknownStore, open_store
from retention.api import Retention, Unavailable
from retention.sqlite import SqliteRetention

Record = Status | ContactStatus | ShardStatus
Progress = Callable[[int], None]
_pack = msgspec.msgpack.Encoder().encode


class CannotMove(Exception):
    """An export or import that was not begun, or not finished; the text says why."""


class Kept(Struct, kw_only=True):
    """One shard in one store, as it was found."""

    store: str
    schedulers: tuple[str, ...]
    shard: int = 0
    found: bool = False
    error: str = ""  # why the store could not be read
    epoch: int = 0
    epoch_n: int = 0
    n: int = 0
    records: int = 0
    pages: int = 0
    deltas: int = 0
    bytes: int = 0
    age_s: float | None = None
    partial: bool = False
    missing: int = 0
    corrupt: int = 0  # by checksum
    unreadable: int = 0  # checksum good, and no record of ours
    notes: tuple[str, ...] = ()

    @property
    def damaged(self) -> bool:
        """Whether anything that was saved is not there as it was."""
        return bool(self.missing or self.corrupt or self.unreadable or self.partial)


class Opened(Struct):
    """One store, opened by this command."""

    label: str
    kind: str
    schedulers: tuple[str, ...]
    store: Retention | None = None  # None: not to be had from here
    error: str = ""


def stores_of(bundle: Bundle, workdir: Path, only: str = "", *, write: bool = False) -> list[Opened]:
    """Return every store of every scheduler, each once; shared ones under all that use it.

    `only`: a module's or scheduler's name. Without `write` files are opened to be read only.
    """
    found: dict[tuple[str, ...], tuple[Chosen, list[str]]] = {}
    cluster = bundle.cluster
    for define in cluster.daemons:
        if define.role != "scheduler":
            continue
        for one in chosen(cluster, define):
            if only and only not in (one.name, define.name):
                continue
            own = (define.name,) if one.kind in LOCAL else ()
            key = (one.kind, *own, *(f"{k}={v}" for k, v in sorted(one.options.items())))
            found.setdefault(key, (one, []))[1].append(define.name)
    opened = []
    for one, schedulers in found.values():
        opened.append(_open(one, tuple(schedulers), bundle, workdir, write))
    return opened


def shards_of(cluster: Cluster, opened: Iterable[Opened]) -> list[int]:
    """Return the ids of all shards that are known: by the schedulers' number, and by what local files hold."""
    ids = {1, *range(1, 1 + sum(d.role == "scheduler" and not d.spare for d in cluster.daemons))}
    for one in opened:
        if isinstance(one.store, SqliteRetention):
            try:
                names = one.store.shards()
            except Unavailable:
                continue
            mine = [name for name in names if name.startswith(f"{cluster.name}/")]
            ids |= {int(word) for name in mine if (word := name.rpartition("/")[2]).isdecimal()}
    return sorted(ids)


def inspect(
    cluster: Cluster, opened: list[Opened], shards: list[int], progress: Progress
) -> Iterator[Kept]:
    """Yield what each store has of each shard; every record is read and checked."""
    for one in opened:
        if one.store is None:
            yield Kept(store=one.label, schedulers=one.schedulers, error=one.error)
            continue
        for shard in shards:
            kept = _inspect(cluster, one, one.store, shard)
            progress(1)
            yield kept
            if kept.error:
                break


def export(
    cluster: Cluster, opened: list[Opened], shards: list[int], to: IO[str], progress: Progress
) -> dict[int, int]:
    """Write the newest complete copy of each shard; return the records of each. Raises CannotMove."""
    head = {"shinken_retention": FORMAT, "cluster": cluster.name, "written_wall": time.time()}
    _write(to, head)
    counts: dict[int, int] = {}
    for shard in shards:
        found = [
            (loaded.complete, loaded.epoch, loaded.n, number, one.label, loaded)
            for number, one in enumerate(opened)
            if one.store is not None
            and (loaded := _loaded(one.store, f"{cluster.name}/{shard}")) is not None
        ]
        if not found:
            continue
        complete, epoch, n, _, label, best = max(found, key=lambda row: row[:4])
        about = {"shard": shard, "epoch": epoch, "n": n, "store": label, "complete": complete}
        _write(to, about)
        for key, value in sorted(best.records.items()):
            _write(to, line_of(shard, key, value))
        counts[shard] = len(best.records)
        progress(1)
    if not counts:
        raise CannotMove("no store that can be read from here has any shard of this cluster")
    return counts


def read_lines(lines: Iterable[str]) -> tuple[dict[str, Record], dict[str, int]]:
    """Return the statuses in an exported file, and what was left out, counted. Raises CannotMove."""
    records: dict[str, Record] = {}
    skipped: dict[str, int] = {}
    for number, text in enumerate(lines, 1):
        try:
            line = msgspec.json.decode(text)
            if not isinstance(line, dict):
                raise BadLine("is no object")
            if number == 1:
                if line.get("shinken_retention") != FORMAT:
                    raise BadLine(f"is not the first line of an export of format {FORMAT}")
                continue
            if "key" not in line:
                continue
            key, status = record_of(line)
        except (msgspec.DecodeError, BadLine, UnicodeDecodeError) as error:
            raise CannotMove(f"line {number}: {error}") from error
        if status is not None:
            records[key] = status
        else:
            what = "damaged records" if "damaged" in line else f"records of kind {key[:2]!r}"
            skipped[what] = skipped.get(what, 0) + 1
    if not records:
        raise CannotMove("there is no status in it")
    return records, skipped


def read_nagios(text: str) -> tuple[dict[str, Record], dict[str, int], dict[str, int]]:
    """Return the statuses in a retention.dat, what was taken and what was left out. Raises NotRetention."""
    found = read_retention(text, token)
    records: dict[str, Record] = {f"o/{key}": status for key, status in found.statuses.items()}
    records |= {f"c/{name}": status for name, status in found.contacts.items()}
    records["shard"] = ShardStatus(
        next_downtime_id=found.highest_id + 1,
        next_comment_id=found.highest_id + 1,
        modified=found.switches,
    )
    return records, found.taken, found.skipped


def placed(
    records: Mapping[str, Record], hosts: Mapping[str, int], shards: Iterable[int]
) -> tuple[dict[int, dict[str, Record]], int]:
    """Return the records by the shard that has their host now, and how many have none any more."""
    by_shard: dict[int, dict[str, Record]] = {shard: {} for shard in shards}
    homeless = 0
    for key, status in records.items():
        if key.startswith("o/"):
            shard = hosts.get(key[2:].partition(";")[0])
            if shard is None:
                homeless += 1
            else:
                by_shard.setdefault(shard, {})[key] = status
        else:
            for into in by_shard.values():
                into[key] = status
    return {shard: into for shard, into in by_shard.items() if any(k[:2] == "o/" for k in into)}, homeless


def store(
    cluster: Cluster, opened: list[Opened], by_shard: Mapping[int, Mapping[str, Record]], progress: Progress
) -> dict[str, int]:
    """Replace the shards in every store by these records; return how many went where. Raises CannotMove.

    The position is just above the highest that any store has, under an epoch that was granted already: a
    scheduler that takes the shard up next has a higher one and is not fenced. Results under way of an
    earlier life of the objects must not be taken for newer ones, so their numbers begin anew.
    """
    reachable = [(one, one.store) for one in opened if one.store is not None]
    written: dict[str, int] = {}
    for shard, records in sorted(by_shard.items()):
        name = f"{cluster.name}/{shard}"
        try:
            seen = [found for _, kept in reachable if (found := kept.look(name)) is not None]
        except Unavailable as error:
            raise CannotMove(f"nothing was changed: {error}") from error
        epoch, n = max(((at.epoch, at.n) for at in seen), default=(0, 0))
        encoded = {key: _pack(_as_new(status)) for key, status in records.items()}
        for one, kept in reachable:
            try:
                kept.save(name, epoch, n + 1, encoded, (), whole=True)
            except Unavailable as error:
                raise CannotMove(f"{one.label} does not have shard {shard}: {error}") from error
            written[one.label] = written.get(one.label, 0) + len(encoded)
        progress(1)
    return written


def token() -> str:
    """Return a random text that was never given before."""
    return secrets.token_hex(6)


def _as_new(status: Record) -> Record:
    if isinstance(status, Status):
        status.applied_epoch = status.applied_seq = 0
        status.next_seq = 1
        status.lineage = status.lineage or token()
    return status


def _open(
    one: Chosen, schedulers: tuple[str, ...], bundle: Bundle, workdir: Path, write: bool
) -> Opened:
    label = one.name if one.kind not in LOCAL else f"{one.name} of {schedulers[0]}"
    opened = Opened(label, one.kind, schedulers)
    try:
        if one.kind in LOCAL:
            define = bundle.cluster.daemon(schedulers[0])
            path = os.path.join(workdir, one.options.get("path", ""))
            if one.kind != "sqlite-retention":
                opened.error = "is in the scheduler's memory only"
            elif define is None or define.address != bundle.server.address:
                opened.error = "is a file on another server: run this there"
            elif not write and not os.path.exists(path):
                opened.error = f"{path} is not there yet"
            else:
                opened.store = SqliteRetention(path, read_only=not write)
        else:
            opened.store = open_store(one.kind, one.options, str(workdir))
    except (UnknownStore, BadOption) as error:
        opened.error = str(error)
    return opened


def _inspect(cluster: Cluster, one: Opened, store: Retention, shard: int) -> Kept:
    name = f"{cluster.name}/{shard}"
    kept = Kept(store=one.label, schedulers=one.schedulers, shard=shard)
    try:
        seen, loaded = store.look(name), store.load(name)
    except Unavailable as error:
        kept.error = str(error)
        return kept
    if seen is not None:
        kept.found, kept.pages, kept.deltas, kept.bytes = True, seen.pages, seen.deltas, seen.bytes
        kept.age_s = max(0.0, time.time() - seen.saved_wall) if seen.saved_wall else None
    if loaded is not None:
        kept.found = True
        kept.epoch, kept.epoch_n, kept.n = loaded.epoch, epoch_n(loaded.epoch), loaded.n
        kept.records, kept.partial, kept.notes = len(loaded.records), loaded.partial, loaded.notes
        kept.missing, kept.corrupt = loaded.missing, loaded.corrupt
        kept.unreadable = sum(is_damaged(key, value) for key, value in loaded.records.items())
    return kept


def _loaded(store: Retention, name: str) -> Any:
    try:
        return store.load(name)
    except Unavailable:
        return None


def _write(to: IO[str], line: Mapping[str, Any]) -> None:
    to.write(msgspec.json.encode(line).decode() + "\n")
