"""Retention in a server that keeps items by name and may lose any of them: memcached, redis.

Laid out as `retention.layout` says. The writer knows every record (it has loaded or saved them all),
so it can rewrite pages without reading them and put back what the server lost: evictions are found by
touching everything named once a minute, a restart, flush or failover to a replica by the incarnation
or an older manifest, and all of it is healed from here.

The manifest moves by compare-and-set, but that is no fence: a restarted server forgets manifest and
tokens. The fence is the epoch in it. Who finds a higher one is told Stale, a lower one is
overwritten; so after a restart an old owner may get in first, but never last.
"""

import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Protocol, TypeVar

from msgspec import structs

from retention.api import (
    Clock,
    Health,
    Loaded,
    Records,
    Saved,
    Seen,
    Stale,
    Unavailable,
    admitted,
    check_save,
)
from retention.breaker import Breaker
from retention.envelope import Foreign, seal
from retention.figures import Figures
from retention.layout import (
    Draft,
    Manifest,
    Pages,
    assembled,
    dated,
    delta_draft,
    flat,
    named,
    names,
    prefix,
    read_manifest,
    seen,
    whole_draft,
)

TRIES = 5  # when somebody else moves the manifest at the same time
VERIFY_SAVES = 60  # everything named is touched once in so many saves
WARN_S = 600.0  # for so long the health speaks of the last loss
HEAL_S = 30.0  # whole saves for lost deltas come no faster: a full server would choke on them

T = TypeVar("T")
Incarnation = tuple[bytes, str]  # name stored with the shard, name of the server process


class Items(Protocol):
    """A server that keeps items. One thread at a time; all but `close` raise Unavailable."""

    advice: str  # what an operator can do against lost items

    def get(self, keys: Collection[str]) -> dict[str, bytes]:
        """Return those of `keys` that are there."""

    def put(self, items: Mapping[str, bytes]) -> None:
        """Keep `items`, all of them."""

    def add(self, key: str, value: bytes) -> bool:
        """Keep `value` for ever if `key` is not there; return whether it was so."""

    def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        """Replace `old` (None: nothing) by `new`; False: something else was there."""

    def absent(self, keys: Collection[str]) -> list[str]:
        """Return those of `keys` that are not there; the others live for longer."""

    def delete(self, keys: Collection[str]) -> None:
        """Forget `keys`, there or not."""

    def process(self) -> str:
        """Return what names the server process that answered last, "" where nothing does."""

    def close(self) -> None:
        """Give the connection up."""


class View:
    """A shard as this process knows it to lie in the store."""

    def __init__(
        self,
        raw: bytes,
        manifest: Manifest,
        pages: Pages,
        incarnation: Incarnation | None,
        now: float,
    ) -> None:
        """`raw` is the stored form of `manifest`: while it is unchanged, so are the items."""
        self.raw = raw
        self.manifest = manifest
        self.pages = pages
        self.incarnation = incarnation
        self.saved_at = now
        self.owned: int | None = None  # epoch under which we saved it; None: only loaded
        self.all_new = False  # the last save wrote every page
        self.turn = 0  # of the items, how far verification has come
        self.lost: set[int] = set()  # pages that are gone
        self.damaged = False  # a delta is gone, or a load found losses: write it whole
        self.garbage: list[str] = []  # items that no manifest has named since the last save


class PagedRetention:
    """Keeps shards at one server of items."""

    def __init__(self, server: Items, clock: Clock = time.monotonic) -> None:
        """Nothing is sent yet; `clock` may be a virtual one."""
        self._server = server
        self._clock = clock
        self._breaker = Breaker()
        self._figures = Figures(str(server), clock)
        self._views: dict[str, View] = {}
        self._highest: dict[str, int] = {}  # epoch seen, by shard: outlives the server's memory
        self._healed_at = self._lost_at = float("-inf")
        self._lock = threading.Lock()

    def load(self, shard: str) -> Loaded | None:
        """See retention.api."""
        with self._lock:
            loaded = self._guarded(f"load of {shard}", {}, lambda: self._load(shard))
            if loaded is not None:
                self._count_loss(loaded)
                self._figures.loaded(shard, len(loaded.records), loaded.missing, loaded.corrupt)
            return loaded

    def save(
        self,
        shard: str,
        epoch: int,
        n: int,
        changed: Records,
        removed: Collection[str],
        whole: bool = False,
    ) -> Saved:
        """See retention.api."""
        check_save(shard, epoch, n, changed)
        with self._lock:
            admitted(shard, (self._highest.get(shard, 0), 0), epoch, n)
            saved = self._guarded(
                f"save of {shard}",
                {shard: len(changed) + len(removed)},
                lambda: self._save(shard, epoch, n, changed, removed, whole),
            )
            if view := self._views.get(shard):
                self._figures.saved(shard, view.manifest.count)
                self._tidy(view)
            return saved

    def look(self, shard: str) -> Seen | None:
        """See retention.api."""
        with self._lock:
            return self._guarded(f"look at {shard}", {}, lambda: self._seen(shard))

    def health(self) -> Health:
        """See retention.api."""
        self._figures.rests_s = self._breaker.rest_s(self._clock())
        return self._figures.health()

    def close(self) -> None:
        """See retention.api."""
        with self._lock:
            self._server.close()

    def _guarded(self, what: str, unsaved: Mapping[str, int], call: Callable[[], T]) -> T:
        """Return what `call` returns, unless the store has failed so often that it rests."""
        if rest_s := self._breaker.rest_s(self._clock()):
            trouble = self._figures.trouble
            self._figures.unavailable(trouble, unsaved)
            raise Unavailable(f"{what}: not asked for another {rest_s:.1f} s, as {trouble}")
        try:
            result = call()
        except Unavailable as error:
            self._breaker.failed(self._clock())
            self._figures.unavailable(str(error), unsaved)
            raise Unavailable(f"{what}: {error}") from error
        except Stale:  # an answer, and a clear one
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        return result

    # ------------------------------------------------------------------ load

    def _load(self, shard: str) -> Loaded | None:
        """Read the shard and remember it, so that saves can go on from there.

        What is not there may have been replaced since the manifest was read: then that has moved.
        """
        for _ in range(TRIES):
            raw, incarnation = self._look(shard)
            if raw is None:
                return None
            try:
                manifest = read_manifest(raw, shard)
            except Foreign as error:
                note = f"{shard}: manifest is corrupt: {error}"
                return Loaded({}, 0, 0, corrupt=1, notes=(note,))
            pages, loaded = assembled(manifest, self._server.get(named(manifest)))
            if not (loaded.missing or loaded.corrupt) or self._look(shard)[0] == raw:
                self._remember(View(raw, manifest, pages, incarnation, self._clock()), loaded)
                return loaded
        raise Unavailable(f"the shard was saved {TRIES} times while it was read")

    def _seen(self, shard: str) -> Seen | None:
        """What the manifest says; one that is not ours is seen as damaged."""
        raw = self._look(shard)[0]
        if raw is None:
            return None
        try:
            return seen(read_manifest(raw, shard))
        except Foreign as error:
            return Seen(0, 0, damage=f"manifest is corrupt: {error}")

    def _remember(self, view: View, loaded: Loaded) -> None:
        """Keep `view`, just loaded; what we saved ourselves and is still there is known better."""
        shard = view.manifest.shard
        known = self._views.get(shard)
        self._highest[shard] = max(view.manifest.epoch, self._highest.get(shard, 0))
        if known is None or known.raw != view.raw:
            view.manifest = structs.replace(
                view.manifest, partial=not loaded.complete, count=len(loaded.records)
            )
            self._views[shard] = known = view
        known.damaged = known.damaged or bool(loaded.missing or loaded.corrupt)

    def _look(self, shard: str) -> tuple[bytes | None, Incarnation | None]:
        """Return manifest and incarnation as stored.

        The incarnation is a random name that the first save writes and nobody moves, and the name
        of the server process where it has one: another or none means that the server has forgotten
        what it held, or is a replica that may lack the newest, whatever the manifest says.
        """
        names = _manifest_name(shard), _incarnation_name(shard)
        found = self._server.get(names)
        stored = found.get(names[1])
        incarnation = None if stored is None else (stored, self._server.process())
        return found.get(names[0]), incarnation

    # ------------------------------------------------------------------ save

    def _save(
        self,
        shard: str,
        epoch: int,
        n: int,
        changed: Records,
        removed: Collection[str],
        whole: bool,
    ) -> Saved:
        """Write the items, then move the manifest; again if somebody moved it meanwhile."""
        written: set[str] = set()
        for _ in range(TRIES):
            raw, incarnation = self._look(shard)
            held = self._held(shard, raw)
            if held and not self._admitted(held, epoch, n):
                return Saved(held.epoch, held.n, held.partial)
            if incarnation is None:
                incarnation = secrets.token_hex(8).encode(), self._server.process()
                if not self._server.add(_incarnation_name(shard), incarnation[0]):
                    continue
            if whole:
                draft = whole_draft(shard, epoch, n, changed, partial=False)
            else:
                draft = self._draft(shard, held, (raw, incarnation), epoch, n, changed, removed)
            draft = dated(draft, time.time())
            written.update(draft.items)
            self._server.put(draft.items)
            sealed = seal(draft.manifest)
            if self._server.swap(_manifest_name(shard), raw, sealed):
                self._moved(sealed, draft, incarnation, written.union(named(held)))
                return Saved(epoch, n, draft.manifest.partial)
        raise Unavailable(f"the manifest was moved {TRIES} times while we saved")

    def _held(self, shard: str, raw: bytes | None) -> Manifest | None:
        """The manifest in `raw`; None if there is none or it is not ours, to be overwritten."""
        try:
            return read_manifest(raw, shard) if raw is not None else None
        except Foreign:
            self._figures.corrupt += 1
            return None

    def _admitted(self, held: Manifest, epoch: int, n: int) -> bool:
        """See api.admitted; a higher epoch is remembered, should the server forget it."""
        shard = held.shard
        self._highest[shard] = max(held.epoch, self._highest.get(shard, 0))
        return admitted(shard, (held.epoch, held.n), epoch, n)

    def _draft(
        self,
        shard: str,
        held: Manifest | None,
        stored: tuple[bytes | None, Incarnation],
        epoch: int,
        n: int,
        changed: Records,
        removed: Collection[str],
    ) -> Draft:
        """Return what a save of deltas has to write, given what is `held` and what we know."""
        view = self._views.get(shard)
        if held and (view is None or (view.raw != stored[0] and view.owned != epoch)):
            self._load(shard)  # somebody else's work since: go on from there
            view = self._views.get(shard)
        if view is None:
            return whole_draft(shard, epoch, n, flat([], changed, removed), partial=True)
        heal = view.damaged and self._clock() - self._healed_at >= HEAL_S
        if heal:
            self._healed_at = self._clock()
        if heal or (view.raw, view.incarnation) != stored:
            records = flat(view.pages, changed, removed)
            return whole_draft(shard, epoch, n, records, view.manifest.partial)
        since_s = self._clock() - view.saved_at
        return delta_draft(
            view.manifest, view.pages, epoch, n, changed, removed, since_s, view.lost
        )

    def _moved(
        self, sealed: bytes, draft: Draft, incarnation: Incarnation, named_before: Collection[str]
    ) -> None:
        """Take `draft` for what the store holds now."""
        manifest = draft.manifest
        old = self._views.get(manifest.shard)
        view = View(sealed, manifest, draft.pages, incarnation, self._clock())
        view.owned = self._highest[manifest.shard] = manifest.epoch
        view.all_new = {ref.position for ref in manifest.pages} == {(manifest.epoch, manifest.n)}
        now_named = set(named(manifest))
        if old is not None:
            view.damaged = old.damaged and not view.all_new
            view.turn = old.turn
            self._forget(set(old.garbage) - now_named)
        view.garbage = list(set(named_before) - now_named)
        self._views[manifest.shard] = view

    def _forget(self, garbage: Collection[str]) -> None:
        """Delete what no manifest has named since the save before last: readers are done with it.

        The save that led here is done, whatever becomes of this; what stays will expire.
        """
        with suppress(Unavailable):
            self._server.delete(garbage)

    def _tidy(self, view: View) -> None:
        """Look whether some of the items are still there; after a whole save, all of them."""
        manifest = view.manifest
        refs = (*enumerate(manifest.pages), *((None, ref) for ref in manifest.deltas))
        share = len(refs) if view.all_new else -(-len(refs) // VERIFY_SAVES)
        start = view.turn % len(refs)
        view.turn = start + share
        some = {
            name: (no, ref)
            for no, ref in (*refs, *refs)[start : start + share]
            for name in names(manifest.shard, "d" if no is None else str(no), ref)
        }
        try:
            absent = self._server.absent(some)
        except Unavailable:
            return  # the save is done; the next call will say what is wrong
        gone = {some[name] for name in absent}
        view.lost.update(no for no, _ in gone if no is not None)
        view.damaged = view.damaged or any(no is None for no, _ in gone)
        loss = Loaded({}, 0, 0, missing=sum(max(1, ref.count) for _, ref in gone))
        self._figures.missing += loss.missing
        self._count_loss(loss)

    def _count_loss(self, loaded: Loaded) -> None:
        """Say in the health that items were lost, until none has been for WARN_S."""
        now = self._clock()
        if loaded.missing or loaded.corrupt:
            self._lost_at = now
            self._figures.warning = (
                f"lost {loaded.missing} records and held {loaded.corrupt} corrupt: "
                f"{self._server.advice}"
            )
        elif now - self._lost_at > WARN_S:
            self._figures.warning = ""


def _manifest_name(shard: str) -> str:
    """The one item of a shard that changes under its name."""
    return f"{prefix(shard)}:manifest"


def _incarnation_name(shard: str) -> str:
    """What tells a server that forgot from one that did not."""
    return f"{prefix(shard)}:incarnation"
