"""How a shard lies in a store that keeps items by name and may lose any of them.

    manifest   names everything below; moved last, so that readers see one save or the next
    pages      all records, by hash of their key: about 200 a page
    deltas     what changed since the oldest page was written, one item a save

A save writes its delta and rewrites the pages that are oldest, so many that each is rewritten
every 240 saves and every four minutes. So a save of 400 records of 100,000 writes four items, an
evicted page is back within five minutes, and what lies around is never more than 240 deltas.
A page holds all that was saved up to its own position; a delta counts for a page only if it is
newer. Items never change under their name: it carries position and digest.

Pure: drafts what to write, reads what was found. The store does the rest.
"""

import math
import re
import zlib
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TypeVar

from msgspec import Struct, structs

from retention.api import POSITION_MAX, Loaded, Records, Seen, shortened
from retention.envelope import Foreign, digest, seal, unpacked_bytes, unseal

PART_BYTES = 400_000  # of one item; memcached's limit is 1 MB, its chunks 512 kB
PAGE_RECORDS = 192  # aimed at; hashing spreads them to about 250
PAGE_RECORDS_MAX = 256  # on average: above it a whole rewrite cuts more pages
PAGE_BYTES = 512 * 1024  # of values, aimed at
DELTA_BYTES_MAX = 8 * 1024 * 1024
ITEM_BYTES_MAX = 1024 * 1024  # nothing of ours is larger: what a store holds beyond it is not ours
ITEMS_MAX = 200_000  # of one manifest, and
SHARD_BYTES_MAX = 2 * 1024**3  # of all that it names, packed: one that claims more is a trap
UNPACKED_BYTES_MAX = 4 * 1024**3  # of a shard's records
TURN_SAVES = 240  # every page is rewritten in so many saves ...
TURN_S = 240.0  # ... and in so many seconds


class Ref(Struct, frozen=True, array_like=True):
    """One page or delta: enough to name it, to check it, and to say what its loss costs."""

    epoch: int  # position at which it was written
    n: int
    parts: int
    digest: bytes
    count: int  # records in it
    bytes: int

    @property
    def position(self) -> tuple[int, int]:
        """Everything saved up to here is in the page; exactly this is in the delta."""
        return self.epoch, self.n


class Manifest(Struct, frozen=True, array_like=True):
    """What a shard consists of at `(epoch, n)`."""

    shard: str
    epoch: int
    n: int
    partial: bool
    count: int  # records in all
    pages: tuple[Ref, ...]  # by page number
    deltas: tuple[Ref, ...]  # oldest first
    saved_wall: float = 0.0  # when, by the writer's clock: shown, never compared


class Page(Struct, frozen=True, array_like=True):
    """The records of one page."""

    records: dict[str, bytes]


class Delta(Struct, frozen=True, array_like=True):
    """What one save changed, save for the pages that it rewrote."""

    changed: dict[str, bytes]
    removed: tuple[str, ...]  # after the changes: who is in both is gone


Pages = list[dict[str, bytes]]
Held = TypeVar("Held", Page, Delta)


class Draft(Struct, frozen=True):
    """A save on paper: items to write, then the manifest, then the pages as they are after it."""

    manifest: Manifest
    items: dict[str, bytes]
    pages: Pages


@lru_cache(maxsize=256)
def prefix(shard: str) -> str:
    """Return what the names of all items of `shard` begin with.

    Readable for an operator with a memcached prompt, and different for every name: the hash is
    of the name itself, so "a b" and "a_b" do not meet.
    """
    readable = re.sub(r"[^A-Za-z0-9._-]", "_", shard)[:60]
    return f"shinken:{readable}:{blake2b(shard.encode(), digest_size=8).hexdigest()}"


def names(shard: str, kind: str, ref: Ref) -> list[str]:
    """Return the item names of `ref`, in order; `kind` is "d" or a page's number."""
    stem = f"{prefix(shard)}:{ref.epoch}:{ref.n}:{kind}:{ref.digest.hex()}"
    return [f"{stem}:{part}" for part in range(ref.parts)]


def named(manifest: Manifest | None) -> list[str]:
    """Return the names of all items that `manifest` rests on; none, if there is none."""
    if manifest is None:
        return []
    shard = manifest.shard
    pages = [name for no, r in enumerate(manifest.pages) for name in names(shard, str(no), r)]
    return pages + [name for r in manifest.deltas for name in names(shard, "d", r)]


def page_of(key: str, pages: int) -> int:
    """Return the number of the page, of `pages`, that `key` belongs in."""
    return zlib.crc32(key.encode()) % pages


# ------------------------------------------------------------------ writing


def whole_draft(shard: str, epoch: int, n: int, records: Records, partial: bool) -> Draft:
    """Return the save that writes all of `records` in new pages, and no delta."""
    pages: Pages = [{} for _ in range(_pages_wanted(records))]
    for key, value in records.items():
        pages[page_of(key, len(pages))][key] = value
    items: dict[str, bytes] = {}
    refs = [_add(items, shard, str(no), epoch, n, Page(page)) for no, page in enumerate(pages)]
    manifest = Manifest(shard, epoch, n, partial, len(records), tuple(refs), ())
    return Draft(manifest, items, pages)


def delta_draft(
    held: Manifest,
    pages: Pages,
    epoch: int,
    n: int,
    changed: Records,
    removed: Collection[str],
    since_s: float,
    lost: Collection[int] = (),
) -> Draft:
    """Return the save that puts `changed` and `removed` on top of `held`, whose pages are `pages`.

    `since_s`: seconds since the last save; `lost`: pages known to be gone, rewritten at once.
    Falls back on a whole draft where that is cheaper or the pages have outgrown their number.
    """
    touched = _by_page(len(pages), changed, removed)
    rewrite = _oldest(held.pages, since_s) | set(lost)
    if _too_much(held, pages, changed, removed) or len(rewrite) == len(pages) > 1:
        return whole_draft(held.shard, epoch, n, _flat(_overlaid(pages, touched)), held.partial)
    after = _overlaid(pages, touched)
    items: dict[str, bytes] = {}
    refs = list(held.pages)
    for no in rewrite:
        refs[no] = _add(items, held.shard, str(no), epoch, n, Page(after[no]))
    rest = {no: part for no, part in touched.items() if no not in rewrite}
    deltas = list(held.deltas)
    if rest:
        more = {key: value for _, part in rest.items() for key, value in part[0].items()}
        less = tuple(key for _, part in rest.items() for key in part[1])
        deltas.append(_add(items, held.shard, "d", epoch, n, Delta(more, less)))
    oldest = min(ref.position for ref in refs)
    count = sum(map(len, after))
    manifest = Manifest(
        shard=held.shard,
        epoch=epoch,
        n=n,
        partial=held.partial,
        count=count,
        pages=tuple(refs),
        deltas=tuple(ref for ref in deltas if ref.position > oldest),
    )
    return Draft(manifest, items, after)


def flat(pages: Pages, changed: Records, removed: Collection[str]) -> dict[str, bytes]:
    """Return all records of `pages` with a save on top."""
    records = _flat(pages)
    records.update(changed)
    for key in removed:
        records.pop(key, None)
    return records


def _add(
    items: dict[str, bytes], shard: str, kind: str, epoch: int, n: int, thing: Page | Delta
) -> Ref:
    """Seal `thing`, cut it into parts, put them into `items`, and return the ref to them."""
    data = seal(thing)
    count = len(thing.records) if isinstance(thing, Page) else len(thing.changed)
    parts = -(-len(data) // PART_BYTES)
    ref = Ref(epoch, n, parts, digest(data), count, len(data))
    for part, name in enumerate(names(shard, kind, ref)):
        items[name] = data[part * PART_BYTES : (part + 1) * PART_BYTES]
    return ref


def _oldest(refs: Sequence[Ref], since_s: float) -> set[int]:
    """Numbers of the pages whose turn it is."""
    share = max(1 / TURN_SAVES, since_s / TURN_S)
    quota = min(len(refs), math.ceil(len(refs) * share))
    return set(sorted(range(len(refs)), key=lambda no: refs[no].position)[:quota])


def _by_page(
    pages: int, changed: Records, removed: Collection[str]
) -> dict[int, tuple[dict[str, bytes], list[str]]]:
    """Sort a save's records by the page that they belong in."""
    touched: dict[int, tuple[dict[str, bytes], list[str]]] = {}
    for key, value in changed.items():
        touched.setdefault(page_of(key, pages), ({}, []))[0][key] = value
    for key in sorted(removed):
        touched.setdefault(page_of(key, pages), ({}, []))[1].append(key)
    return touched


def _overlaid(pages: Pages, touched: Mapping[int, tuple[dict[str, bytes], list[str]]]) -> Pages:
    """`pages` with a save on top; pages that it leaves alone are shared, not copied."""
    after = list(pages)
    for no, (changed, removed) in touched.items():
        after[no] = pages[no] | changed
        for key in removed:
            after[no].pop(key, None)
    return after


def _flat(pages: Pages) -> dict[str, bytes]:
    """All records of `pages`."""
    return {key: value for page in pages for key, value in page.items()}


def _pages_wanted(records: Records) -> int:
    """Into how many pages to cut `records`."""
    size = sum(map(len, records.values()))
    return max(1, -(-len(records) // PAGE_RECORDS), -(-size // PAGE_BYTES))


def _too_much(held: Manifest, pages: Pages, changed: Records, removed: Collection[str]) -> bool:
    """Whether to write everything anew: a large save, or pages too few or far too many."""
    grown = held.count + len(changed)
    sparse = len(pages) > 8 and held.count * 4 < PAGE_RECORDS * len(pages)
    return (
        (len(changed) + len(removed)) * 4 > max(held.count, PAGE_RECORDS)
        or sum(map(len, changed.values())) > DELTA_BYTES_MAX
        or grown > PAGE_RECORDS_MAX * len(pages)
        or (sparse and _pages_wanted(_flat(pages)) * 4 < len(pages))
    )


# ------------------------------------------------------------------ reading


def read_manifest(data: bytes, shard: str) -> Manifest:
    """Return the manifest in `data`. Raises Foreign, also for one of another shard.

    Its numbers are checked before anybody makes names or room by them: a checksum only tells that
    nothing was damaged, not who wrote it.
    """
    manifest = unseal(data, Manifest)
    if manifest.shard != shard:
        raise Foreign(f"manifest of {manifest.shard[:80]!r}")
    if not manifest.pages:
        raise Foreign("manifest without pages")
    refs = (*manifest.pages, *manifest.deltas)
    for epoch, n, count in (
        (manifest.epoch, manifest.n, manifest.count),
        *((ref.epoch, ref.n, ref.count) for ref in refs),
    ):
        if not (0 <= epoch <= POSITION_MAX and 0 <= n <= POSITION_MAX and count >= 0):
            raise Foreign(f"position ({epoch}, {n}), {count} records")
    for ref in refs:
        if ref.bytes <= 0 or ref.parts != -(-ref.bytes // PART_BYTES) or len(ref.digest) != 8:
            raise Foreign(f"an item of {ref.bytes} bytes in {ref.parts} parts")
    if (
        sum(ref.parts for ref in refs) > ITEMS_MAX
        or sum(ref.bytes for ref in refs) > SHARD_BYTES_MAX
    ):
        raise Foreign(f"manifest of {sum(ref.bytes for ref in refs)} bytes in all")
    return manifest


def seen(manifest: Manifest) -> Seen:
    """Return what `manifest` says of the shard."""
    return Seen(
        manifest.epoch,
        manifest.n,
        records=manifest.count,
        pages=len(manifest.pages),
        deltas=len(manifest.deltas),
        bytes=sum(ref.bytes for ref in (*manifest.pages, *manifest.deltas)),
        saved_wall=manifest.saved_wall,
        partial=manifest.partial,
    )


def dated(draft: Draft, wall: float) -> Draft:
    """Return `draft` with the time of its save."""
    return structs.replace(draft, manifest=structs.replace(draft.manifest, saved_wall=wall))


def assembled(manifest: Manifest, found: Mapping[str, bytes]) -> tuple[Pages, Loaded]:
    """Return the pages and the answer to a load, from whatever of the items was found.

    A lost page costs its records save those in newer deltas; a lost delta leaves its records
    older than they were. Both are counted as missing or corrupt, at most.
    """
    pages: Pages = [{} for _ in manifest.pages]
    lost = {"missing": 0, "corrupt": 0}
    notes: list[str] = []
    since = [ref.position for ref in manifest.pages]
    room = [UNPACKED_BYTES_MAX]

    def give_up(what: str, ref: Ref, how: str, why: str) -> None:
        lost[how] += max(1, ref.count)
        notes.append(f"{manifest.shard}: {what} of ({ref.epoch}, {ref.n}), {why}")

    for no, ref in enumerate(manifest.pages):
        what = f"page {no}, {ref.count} records,"
        try:
            pages[no] = _opened(found, names(manifest.shard, str(no), ref), ref, Page, room).records
        except LookupError:
            since[no] = (-1, -1)
            give_up(what, ref, "missing", "is missing")
        except Foreign as error:
            since[no] = (-1, -1)
            give_up(what, ref, "corrupt", f"is corrupt: {error}")
    for ref in manifest.deltas:
        what = f"delta, {ref.count} records,"
        try:
            delta = _opened(found, names(manifest.shard, "d", ref), ref, Delta, room)
        except LookupError:
            give_up(what, ref, "missing", "is missing")
            continue
        except Foreign as error:
            give_up(what, ref, "corrupt", f"is corrupt: {error}")
            continue
        for key, value in delta.changed.items():
            no = page_of(key, len(pages))
            if ref.position > since[no]:
                pages[no][key] = value
        for key in delta.removed:
            no = page_of(key, len(pages))
            if ref.position > since[no]:
                pages[no].pop(key, None)
    return pages, Loaded(
        records=_flat(pages),
        epoch=manifest.epoch,
        n=manifest.n,
        missing=lost["missing"],
        corrupt=lost["corrupt"],
        notes=shortened(notes),
        partial=manifest.partial,
    )


def _opened(
    found: Mapping[str, bytes], parts: Sequence[str], ref: Ref, kind: type[Held], room: list[int]
) -> Held:
    """The page or delta behind `ref`. Raises LookupError when a part is gone, Foreign.

    `room` is what may still be unpacked of this shard: a few items must not fill the memory.
    """
    data = b"".join(found[name] for name in parts)
    if digest(data) != ref.digest:
        raise Foreign("digest does not match")
    room[0] -= unpacked_bytes(data)
    if room[0] < 0:
        raise Foreign(f"more than {UNPACKED_BYTES_MAX} bytes in all")
    return unseal(data, kind)
