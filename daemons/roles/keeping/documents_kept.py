"""The keeper's side of documents: takes what a leader commits, gives it to whoever asks.

The one thing to know: a document is accepted at the instant it is *on disk and no newer leader was
promised*, not when its pages came: who was promised meanwhile may already have looked and not seen it.
"""

import logging
from collections.abc import Mapping

from daemons.model.clock import Now
from daemons.model.cluster import Epoch, epoch_n
from daemons.roles.role import Call, Wait
from daemons.wire.documents import (
    DOCUMENT_VERSION,
    DocSeen,
    Keep,
    Kept,
    Recall,
    Recalled,
    StoredDocument,
    StoreDocument,
)
from daemons.wire.messages import PAGE_BYTES_MAX, Done, Failed, Fenced, Message, NotMine

log = logging.getLogger(__name__)

STORE_S = 5.0  # a disk that takes longer is told as failed; what it then still does changes nothing
DOCUMENTS_MAX = 16
BYTES_MAX = 128_000_000  # of one document
LEASE = "arbiter"


class _Coming:
    """A document whose pages come in."""

    def __init__(self, keep: Keep) -> None:
        self.keep = keep  # its position and digest
        self.pages: list[bytes] = []

    def is_for(self, keep: Keep) -> bool:
        """Whether `keep` is a page of this one."""
        mine = self.keep
        return (mine.arbiter_epoch, mine.n, mine.digest, mine.pages) == (
            keep.arbiter_epoch, keep.n, keep.digest, keep.pages,
        )  # fmt: skip


class KeptDocuments:
    """All documents of one keeper. Contents stay in memory: they are small, or packed by who made them."""

    def __init__(
        self, stored: Mapping[str, StoredDocument] | None = None, problems: tuple[str, ...] = ()
    ) -> None:
        """`stored`: what the files hold; `problems`: files that could not be read, for an operator."""
        self.stored = dict(stored or {})
        self.problems = problems
        self._coming: dict[str, _Coming] = {}
        self._storing: dict[str, StoreDocument] = {}
        self._until: dict[str, float] = {}
        self._failed: dict[str, tuple[StoreDocument, str]] = {}  # by document: the last that did not work

    # -- what the leader sends

    def keep(self, keep: Keep, promised: Epoch, now: Now) -> tuple[Message | Wait, list[Call]]:
        """Take one page; return the answer, and the call to the disk once the last one is in.

        `promised`: highest epoch that this keeper promised for the lease "arbiter".
        """
        if fenced := self._fenced(keep, promised):
            return fenced, []
        known = self.stored.get(keep.doc)
        if known is not None and (known.epoch, known.n) == (keep.arbiter_epoch, keep.n):
            if known.digest == keep.digest:
                return Kept(keep.doc, known.epoch, known.n), []
            return Failed(f"{keep.doc} {keep.n} has other content here"), []
        if why := self._refused(keep, known):
            return Failed(why), []
        if keep.doc in self._storing:
            until_mono = self._until.get(keep.doc, now.mono)
            if now.mono >= until_mono:
                return Failed(f"the disk has not taken {keep.doc} for {STORE_S:g} s"), []
            return Wait(until_mono), []
        if failed := self._failed.pop(keep.doc, None):
            order, why = failed
            if (order.epoch, order.n) == (keep.arbiter_epoch, keep.n):
                return Failed(why), []
        return self._page(keep, known, now)

    def _fenced(self, keep: Keep, promised: Epoch) -> Fenced | None:
        highest = max(promised, *(d.epoch for d in self.stored.values()), 0)
        if keep.arbiter_epoch < highest:
            return Fenced(LEASE, highest)
        return None

    def _refused(self, keep: Keep, known: StoredDocument | None) -> str:
        if known is not None and known.epoch == keep.arbiter_epoch and known.n > keep.n:
            return f"{keep.doc} {known.n} is here"
        if not keep.doc.isidentifier() or not keep.doc.isascii() or len(keep.doc) > 40:
            return f"no document may be called {keep.doc!r}"
        if known is None and len(self.stored) >= DOCUMENTS_MAX:
            return f"more than {DOCUMENTS_MAX} documents"
        return ""

    def _page(
        self, keep: Keep, known: StoredDocument | None, now: Now
    ) -> tuple[Message | Wait, list[Call]]:
        if keep.pages == 0:
            if known is None or known.digest != keep.digest:
                self._coming.pop(keep.doc, None)
                return self._wants(keep, 0), []
            return self._store(keep, known.data, now)
        coming = self._coming.get(keep.doc)
        if coming is None or not coming.is_for(keep):
            coming = self._coming[keep.doc] = _Coming(keep)
        if keep.page != len(coming.pages):
            return self._wants(keep, len(coming.pages)), []
        coming.pages.append(keep.data)
        if sum(map(len, coming.pages)) > BYTES_MAX:
            del self._coming[keep.doc]
            return Failed(f"{keep.doc} is larger than {BYTES_MAX} bytes"), []
        if len(coming.pages) < keep.pages:
            return self._wants(keep, len(coming.pages)), []
        del self._coming[keep.doc]
        return self._store(keep, b"".join(coming.pages), now)

    def _store(self, keep: Keep, data: bytes, now: Now) -> tuple[Message | Wait, list[Call]]:
        order = StoreDocument(keep.doc, keep.arbiter_epoch, keep.n, keep.digest, data)
        self._storing[keep.doc] = order
        self._until[keep.doc] = now.mono + STORE_S
        call = Call("documents", order, timeout_s=STORE_S, lane=keep.doc)
        return Wait(now.mono + STORE_S), [call]

    def _wants(self, keep: Keep, page: int) -> Kept:
        known = self.stored.get(keep.doc)
        return Kept(keep.doc, known.epoch if known else 0, known.n if known else 0, page)

    def stored_now(self, order: StoreDocument, answer: Message, promised: Epoch) -> None:
        """Take the disk's answer. What a newer leader's promise overtook is not accepted."""
        if self._storing.get(order.doc) is order:
            del self._storing[order.doc]
        if not isinstance(answer, Done):
            why = answer.why if isinstance(answer, Failed) else type(answer).__name__
            log.error("could not keep document=%s n=%d why=%r", order.doc, order.n, why)
            self._failed[order.doc] = (order, why)
            return
        if order.epoch < promised:
            return  # asked again, its sender is told Fenced
        self.stored[order.doc] = StoredDocument(
            DOCUMENT_VERSION, order.doc, order.epoch, order.n, order.digest, order.data
        )
        self.problems = tuple(p for p in self.problems if f"document {order.doc} " not in p)
        log.info("keeps document=%s n=%d epoch=%d", order.doc, order.n, epoch_n(order.epoch))

    # -- what others ask

    def recall(self, asked: Recall) -> Message:
        """Return a page of a document."""
        known = self.stored.get(asked.doc)
        if known is None or asked.digest not in ("", known.digest):
            return NotMine(f"no document {asked.doc} {asked.digest[:12]} here".replace("  ", " "))
        pages = max(1, -(-len(known.data) // PAGE_BYTES_MAX))
        if not 0 <= asked.page < pages:
            return NotMine(f"document {asked.doc} has {pages} pages, not {asked.page + 1}")
        at = asked.page * PAGE_BYTES_MAX
        data = known.data[at : at + PAGE_BYTES_MAX]
        return Recalled(asked.doc, known.epoch, known.n, known.digest, asked.page, pages, data)

    def number(self, doc: str) -> int:
        """Return the number of the version that is here, 0 when there is none."""
        known = self.stored.get(doc)
        return known.n if known is not None else 0

    def seen(self) -> tuple[DocSeen, ...]:
        """Return what the census says of them."""
        return tuple(DocSeen(d.doc, d.epoch, d.n, d.digest) for _, d in sorted(self.stored.items()))
