"""A scheduler's retention: its stores behind the role's `Load` and `Save`.

Several stores each get full copies; the newest complete one wins at load. A store that is away costs
its copy, never the caller's time beyond its own time-out.
"""

from collections.abc import Mapping
from pathlib import Path

from daemons.model.cluster import Cluster, DaemonDef
from daemons.wire.messages import Failed, Fenced, Load, Message, Restored, Save, Saved
from retention import MODULES, normalised, open_store
from retention.api import Health, Loaded, Retention, Stale, Unavailable

LOCAL = frozenset(("sqlite-retention", "memory"))  # module types that live and die with their server
NONE = "no-retention"  # a scheduler with this module keeps nothing outside its standby


class Retainer:
    """The stores of one scheduler. Entered by one thread at a time."""

    def __init__(self, cluster: str, stores: Mapping[str, Retention], local: frozenset[str]) -> None:
        """`stores` by name; `local` names those on this server only."""
        self.cluster = cluster
        self.stores = dict(stores)
        self.local = local
        self.behind: set[tuple[int, str]] = set()  # (shard, store) that missed a save: a hole

    def apply(self, message: Message) -> Message:
        """Serve the scheduler role."""
        match message:
            case Load(shard, elsewhere):
                return self._load(shard, elsewhere)
            case Save():
                return self._save(message)
            case _:
                return Failed(f"not for retention: {type(message).__name__}")

    def health(self) -> tuple[Health, ...]:
        """Return each store's figures."""
        return tuple(store.health() for store in self.stores.values())

    def close(self) -> None:
        """Let go of files and connections."""
        for store in self.stores.values():
            store.close()

    def _load(self, shard: int, elsewhere: bool) -> Message:
        found: list[tuple[str, Loaded]] = []
        notes: list[str] = []
        answered = 0
        for name, store in self.stores.items():
            if elsewhere and name in self.local:
                answered += 1
                continue
            try:
                loaded = store.load(f"{self.cluster}/{shard}")
            except Unavailable as error:
                notes.append(f"{name}: {error}")
                continue
            answered += 1
            if loaded is not None:
                found.append((name, loaded))
        if not found:
            return Restored(shard, False, {}, 0, 0, notes=tuple(notes), stores=answered)
        return _joined(shard, found, notes, answered)

    def _save(self, save: Save) -> Message:
        stored = 0
        failed: list[str] = []
        behind: set[str] = set()
        for name, store in self.stores.items():
            if save.local and name not in self.local:
                continue
            if (save.shard, name) in self.behind and not save.whole:
                behind.add(name)
                failed.append(f"{name}: missed a save, wants everything")
                continue
            try:
                saved = store.save(
                    f"{self.cluster}/{save.shard}", save.epoch, save.n, save.changed, save.removed, save.whole
                )
            except Stale as error:
                return Fenced(f"shard/{save.shard}", error.highest)
            except Unavailable as error:
                behind.add(name)
                failed.append(f"{name}: {error}")
                continue
            stored += 1
            self.behind.discard((save.shard, name))
            if saved.partial and not save.whole:
                failed.append(f"{name}: knows a part only")
        if failed and not stored:
            return Failed("; ".join(failed))
        self.behind |= {(save.shard, name) for name in behind}  # the caller does not send it again
        return Saved(save.shard, save.epoch, save.n, stored, tuple(failed))


def _joined(
    shard: int, found: list[tuple[str, Loaded]], notes: list[str], answered: int
) -> Restored:
    """Return the newest complete copy, and over it what newer ones with holes have.

    One that has only deltas (its store came back empty) is newest and next to nothing, and what it has
    does not go together with older records: it counts when there is nothing else, and has no position.
    """
    whole = [pair for pair in found if not pair[1].partial]
    chosen = sorted(whole or found, key=lambda pair: (pair[1].epoch, pair[1].n, pair[1].complete))
    first = max((i for i, (_, copy) in enumerate(chosen) if copy.complete), default=0)
    records: dict[str, bytes] = {}
    for name, copy in chosen[first:]:
        records.update(copy.records)
        notes += [f"{name}: {note}" for note in copy.notes]
    newest = chosen[-1][1]
    lost = 0 if newest.complete else max(1, newest.missing + newest.corrupt)
    epoch, n = (newest.epoch, newest.n) if whole else (0, 0)
    return Restored(shard, True, records, epoch, n, lost, tuple(notes), answered)


def open_retention(cluster: Cluster, define: DaemonDef, workdir: Path) -> Retainer:
    """Return the stores that a scheduler's `modules` name; without one, the embedded sqlite file.

    Raises UnknownStore, BadOption (of `retention`).
    """
    types = {m.name: m for m in cluster.modules}
    stores: dict[str, Retention] = {}
    local = set()
    none = False
    for name in define.modules:
        module = types.get(name)
        kind = normalised(module.type if module else name)
        none = none or kind == NONE
        if (kind not in MODULES and "retention" not in kind) or kind == NONE:
            continue
        options = dict(module.options) if module else {}
        if kind == "sqlite-retention":
            options.setdefault("path", f"{define.name}.retention.db")
        stores[name] = open_store(kind, options, str(workdir))
        if kind in LOCAL:
            local.add(name)
    if not stores and not none:
        options = {"path": f"{define.name}.retention.db"}
        stores["sqlite"] = open_store("sqlite-retention", options, str(workdir))
        local.add("sqlite")
    return Retainer(cluster.name, stores, frozenset(local))
