"""A scheduler's retention: its stores behind the role's `Load` and `Save`.

The one thing to know: each call is about one store and is carried out in a thread of its own, so a store
that is slow or away costs its own copy and nobody's time. Which copy counts is the role's business
(roles/shard/load.py, roles/shard/store_sink.py).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from daemons.model.cluster import Cluster, DaemonDef
from daemons.roles.shard.store_sink import Store
from daemons.wire.messages import (
    Done,
    Failed,
    Fenced,
    Load,
    Message,
    Restored,
    Save,
    Saved,
)
from daemons.wire.stores import Probe, StoresAsk, StoreSeen, StoresSeen
from retention import MODULES, normalised, open_store
from retention.api import Health, Retention, Stale, Unavailable

LOCAL = frozenset(("sqlite-retention", "memory"))  # module types that live and die with their server
NONE = "no-retention"  # a scheduler with this module keeps nothing outside its standby
OWN = "sqlite"  # name of the store that a scheduler has without saying so
HERE = frozenset(("", "localhost", "::1"))


class Retainer:
    """The stores of one scheduler. Each may be entered by a thread of its own."""

    def __init__(self, cluster: str, stores: Mapping[str, Retention], local: frozenset[str]) -> None:
        """`stores` by name; `local` names those on this server only."""
        self.cluster = cluster
        self.stores = dict(stores)
        self.local = local

    def apply(self, message: Message) -> Message:
        """Serve the scheduler role."""
        match message:
            case StoresAsk():
                return StoresSeen(tuple(seen(name, store.health()) for name, store in self.stores.items()))
            case Save(local=True):
                return self._save_copy(message)
            case Load() | Save() | Probe() if message.store not in self.stores:
                return Failed(f"there is no store {message.store!r}")
            case Load():
                return self._load(message)
            case Save():
                return self._save(message, message.store)
            case Probe():
                return self._probe(message)
            case _:
                return Failed(f"not for retention: {type(message).__name__}")

    def close(self) -> None:
        """Let go of files and connections."""
        for store in self.stores.values():
            store.close()

    def _load(self, load: Load) -> Message:
        store, name = self.stores[load.store], self._name(load.shard)
        above = (load.above_epoch, load.above_n)
        try:
            if above > (0, 0):
                at = store.look(name)
                if at is None or (not at.damage and (at.epoch, at.n) <= above):
                    return Restored(load.shard, False, {}, 0, 0, stores=1)
            loaded = store.load(name)
        except Unavailable as error:
            return Failed(str(error))
        if loaded is None:
            return Restored(load.shard, False, {}, 0, 0, stores=1)
        return Restored(
            load.shard, True, loaded.records, loaded.epoch, loaded.n,
            loaded.missing + loaded.corrupt, loaded.notes, 1, loaded.partial,
        )  # fmt: skip

    def _save(self, save: Save, store: str) -> Message:
        try:
            saved = self.stores[store].save(
                self._name(save.shard), save.epoch, save.n, save.changed, save.removed, save.whole
            )
        except Stale as error:
            return Fenced(f"shard/{save.shard}", error.highest)
        except Unavailable as error:
            return Failed(str(error))
        failed = ("it knows a part only",) if saved.partial and not save.whole else ()
        return Saved(save.shard, save.epoch, save.n, 1, failed)

    def _save_copy(self, save: Save) -> Message:
        """Keep a standby's copy in the local stores; one that fails makes the copy send it again."""
        answer: Message = Saved(save.shard, save.epoch, save.n, 0)
        for name in self.stores:
            if name in self.local:
                said = self._save(save, name)
                answer = said if isinstance(answer, Saved) else answer
        return answer

    def _probe(self, probe: Probe) -> Message:
        try:
            self.stores[probe.store].look(self._name(probe.shard))
        except Unavailable as error:
            return Failed(str(error))
        return Done()

    def _name(self, shard: int) -> str:
        return f"{self.cluster}/{shard}"


def seen(name: str, health: Health) -> StoreSeen:
    """Return the figures of a store as a report has them."""
    age_s = health.last_saved_age_s
    return StoreSeen(
        name=name,
        ok=health.ok,
        why=health.why if health.name in health.why else f"{health.name}: {health.why}",
        saved=health.saved,
        dirty=health.dirty,
        age_s=-1.0 if age_s is None else age_s,
        missing=health.missing,
        corrupt=health.corrupt,
        saves=health.saves,
        failed=health.failed,
        rests_s=health.rests_s,
    )


class Chosen(NamedTuple):
    """One store of one scheduler, as configured; nothing is opened."""

    name: str
    kind: str  # module type, normalised
    options: dict[str, str]


def chosen(cluster: Cluster, define: DaemonDef) -> list[Chosen]:
    """Return the stores that a scheduler's `modules` name, and the one it has without saying so.

    The embedded sqlite file is always one of them: what a restart of the scheduler needs must not be
    only in a memcached that may forget. `local_store=0`, `no-retention` and `memory` switch it off.
    """
    types = {m.name: m for m in cluster.modules}
    found: list[Chosen] = []
    wants_own = cluster.settings.get("local_store", "1").strip() != "0"
    for name in define.modules:
        module = types.get(name)
        kind = normalised(module.type if module else name)
        wants_own = wants_own and kind not in (NONE, "memory", "sqlite-retention")
        if (kind not in MODULES and "retention" not in kind) or kind == NONE:
            continue
        options = dict(module.options) if module else {}
        if kind == "sqlite-retention":
            options.setdefault("path", f"{define.name}.retention.db")
        found.append(Chosen(name, kind, options))
    if wants_own:
        options = {"path": f"{define.name}.retention.db"}
        found.append(Chosen(OWN, "sqlite-retention", options))
    return found


def open_retention(
    cluster: Cluster, define: DaemonDef, workdir: Path
) -> tuple[Retainer, tuple[Store, ...]]:
    """Return a scheduler's stores, and what its role must know of them.

    Raises UnknownStore, BadOption (of `retention`).
    """
    stores: dict[str, Retention] = {}
    told: list[Store] = []
    for name, kind, options in chosen(cluster, define):
        stores[name] = open_store(kind, options, str(workdir))
        told.append(Store(name, _place(kind, options, define.address, cluster), kind in LOCAL))
    local = frozenset(store.name for store in told if store.local)
    return Retainer(cluster.name, stores, local), tuple(told)


def _place(kind: str, options: Mapping[str, str], own: str, cluster: Cluster) -> str:
    """Return the server that a save outlives the scheduler on: the address of one of ours if it is one."""
    if kind == "memory":
        return ""
    if kind == "sqlite-retention":
        return own
    if options.get("sentinel", "").strip():
        return f"redis {options.get('master_name', 'mymaster')}"
    host = options.get("server", "").strip()
    host = host.partition(":")[0] if host.count(":") == 1 else host
    loopback = own.startswith("127.") or own in HERE
    if host in HERE or (host.startswith("127.") and not loopback):
        return own
    by_name = {server.name: server.address for server in cluster.servers}
    return by_name.get(host, host)
