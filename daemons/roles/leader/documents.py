"""The leader's side of documents: recalled when it takes the lead, then committed at every keeper.

Generic over names. A role that leads owns one `Documents`; it gives it each census and its ticks, waits
for `ready` before it orders anything, reads with `content`, proposes with `put` and trusts what is
`committed`. The one thing to know: the recall counts only keepers that have promised *this* leader's
epoch: such a keeper accepts nothing of an earlier leader any more, so what was not seen there can no
longer be committed.
"""

import logging
from hashlib import sha256

from msgspec import Struct

from daemons.model.clock import Mono, Now
from daemons.model.cluster import Epoch, epoch_n
from daemons.roles.leader.document_fetch import DocumentFetch
from daemons.roles.role import Call
from daemons.wire.documents import DocSeen, Keep, Kept, Recall
from daemons.wire.messages import PAGE_BYTES_MAX, Census, Fenced, Message

log = logging.getLogger(__name__)

LEASE = "arbiter"
TWO_S = 0.6  # of two voters the other is waited for so long; it may be the dead one
MAJORITY_S = 5.0  # a majority that does not answer by then is not waited for: see `problems`
AGAIN_S = 1.0  # a keeper that would not take a page is asked again
SILENT_S = 2.5  # of two voters: one silent for so long need not have a document for it to be committed
KEEP_S = 6.0  # for one page: the keeper's disk is in it

Position = tuple[Epoch, int]
NOWHERE: Position = (0, 0)


class DocState(Struct, frozen=True):
    """Where one document stands; for reports."""

    doc: str
    n: int
    digest: str
    at: tuple[str, ...]  # servers that have this version on disk
    servers: int
    committed: bool


class _Document:
    """One document that this leader commits."""

    def __init__(self, n: int, digest: str, data: bytes) -> None:
        self.n = n
        self.digest = digest
        self.data = data
        self.at: set[str] = set()  # servers that have (my epoch, n)


class Documents:
    """All documents of one leader. A new one for each epoch would lose contents that are here: `lead` again."""

    def __init__(self, servers: tuple[str, ...], voters: frozenset[str]) -> None:
        """`servers`: names of all; `voters`: those whose majority commits. May be set anew at any time."""
        self.servers = servers
        self.voters = voters
        self.epoch: Epoch = 0
        self.ready = False  # the recall is over: contents and positions are known
        self.problems: tuple[str, ...] = ()
        self._since = Mono(0.0)
        self._heard: dict[str, Mono] = {}  # servers whose census came since it leads
        self._promised: set[str] = set()  # of those: voters that have promised this epoch
        self._seen: dict[str, dict[str, DocSeen]] = {}  # by server, by document
        self._docs: dict[str, _Document] = {}
        self._fetches: dict[str, DocumentFetch] = {}
        self._refusals: dict[tuple[str, str], float] = {}  # (server, digest): when it did not give it
        self._busy: set[tuple[str, str]] = set()  # (server, document) with a page under way
        self._due: dict[tuple[str, str], float] = {}

    # -- the owner's side

    def lead(self, epoch: Epoch, now: Now) -> None:
        """Begin under `epoch`: nothing is known but contents, until the keepers have been heard."""
        if epoch == self.epoch:
            return
        self.epoch, self.ready, self._since = epoch, False, now.mono
        self._heard, self._promised, self._seen = {}, set(), {}
        self._fetches, self._refusals = {}, {}
        self._busy, self._due, self.problems = set(), {}, ()
        for document in self._docs.values():
            document.at = set()

    def heard(self, census: Census, now: Now) -> None:
        """Take what one keeper says: its promises and the documents on its disk."""
        server = census.server
        self._heard[server] = now.mono
        before = {} if self.ready else self._seen.get(server, {})  # a late answer hides nothing seen
        self._seen[server] = before | {
            seen.doc: seen
            for seen in census.documents
            if seen.doc not in before or (seen.epoch, seen.n) >= (before[seen.doc].epoch, before[seen.doc].n)
        }
        if any(seen.name == LEASE and seen.epoch >= self.epoch for seen in census.leases):
            self._promised.add(server)
        for doc, document in self._docs.items():
            seen = self._seen[server].get(doc)
            if seen is not None and (seen.epoch, seen.n, seen.digest) == (self.epoch, document.n, document.digest):
                document.at.add(server)
            elif (server, doc) not in self._busy:
                document.at.discard(server)  # its disk lost it

    def tick(self, now: Now) -> list[Call]:
        """Return what is due: fetches while it recalls, then pages to the keepers that lack them."""
        if not self.epoch:
            return []
        if not self.ready:
            return self._recall(now)
        calls: list[Call] = []
        for doc, document in self._docs.items():
            for server in self.servers:
                key = (server, doc)
                if server in document.at or key in self._busy or now.mono < self._due.get(key, 0.0):
                    continue
                seen = self._seen.get(server, {}).get(doc)
                whole = seen is None or seen.digest != document.digest
                calls.append(self._page(server, doc, document, 0 if whole else -1))
        return calls

    def answered(self, call: Call, answer: Message, now: Now) -> tuple[list[Call], Epoch]:
        """Take the outcome of one of the calls. The second value is a higher epoch that fences us, 0 = none."""
        asked = call.message
        if isinstance(asked, Recall):
            fetch = self._fetches.get(asked.doc)
            if fetch is None or fetch.keeper != call.to or fetch.digest != asked.digest:
                return [], 0
            calls = fetch.answered(asked, answer)
            return calls if calls or self.ready else self._recall(now), 0
        if not isinstance(asked, Keep) or asked.arbiter_epoch != self.epoch:
            return [], 0
        server = call.to.partition("@")[2]
        self._busy.discard((server, asked.doc))
        document = self._docs.get(asked.doc)
        if document is None or document.n != asked.n:
            return [], 0
        match answer:
            case Kept(_, epoch, n, _) if (epoch, n) == (self.epoch, document.n):
                was = self.committed(asked.doc)
                document.at.add(server)
                if not was and self.committed(asked.doc):
                    log.info(
                        "committed document=%s n=%d epoch=%d digest=%s at=%s", asked.doc, document.n,
                        epoch_n(self.epoch), document.digest[:12], ",".join(sorted(document.at)),
                    )  # fmt: skip
            case Kept(_, _, _, page):
                return [self._page(server, asked.doc, document, page)], 0
            case Fenced(_, highest):
                return [], highest
            case _:
                self._due[(server, asked.doc)] = now.mono + AGAIN_S
        return [], 0

    def content(self, doc: str) -> bytes | None:
        """Return the newest content of `doc`, committed or being so; None when there is none. When `ready`."""
        document = self._docs.get(doc)
        return document.data if document is not None else None

    def number(self, doc: str) -> int:
        """Return the number of that content, 0 when there is none."""
        document = self._docs.get(doc)
        return document.n if document is not None else 0

    def digest(self, doc: str) -> str:
        """Return the digest of that content, "" when there is none."""
        document = self._docs.get(doc)
        return document.digest if document is not None else ""

    def put(self, doc: str, data: bytes) -> int:
        """Make `data` the next content of `doc`; return its number. The same content changes nothing."""
        assert self.ready, "a document may not be changed before the old one is known"
        digest = sha256(data).hexdigest()
        known = self._docs.get(doc)
        if known is not None and known.digest == digest:
            return known.n
        self._docs[doc] = _Document(known.n + 1 if known is not None else 1, digest, data)
        for server in self.servers:
            self._due.pop((server, doc), None)
        return self._docs[doc].n

    def committed(self, doc: str) -> bool:
        """Return whether enough voters have the content on disk, under this epoch."""
        document = self._docs.get(doc)
        return document is not None and len(document.at & self.voters) >= self._needed()

    def states(self) -> tuple[DocState, ...]:
        """Return where each document stands."""
        return tuple(
            DocState(doc, d.n, d.digest, tuple(sorted(d.at)), len(self.servers), self.committed(doc))
            for doc, d in sorted(self._docs.items())
        )

    # -- sending

    def _page(self, server: str, doc: str, document: _Document, page: int) -> Call:
        """The call with page `page`; -1: without data, the keeper has the content already."""
        self._busy.add((server, doc))
        pages, data = 0, b""
        if page >= 0:
            pages = max(1, -(-len(document.data) // PAGE_BYTES_MAX))
            data = document.data[page * PAGE_BYTES_MAX : (page + 1) * PAGE_BYTES_MAX]
        keep = Keep(doc, self.epoch, document.n, document.digest, max(0, page), pages, data)
        return Call(f"keeper@{server}", keep, KEEP_S, lane=f"keep/{doc}")

    def _needed(self) -> int:
        """Voters that must have it: a majority; of two both, unless the other has long been silent."""
        if len(self.voters) == 2:
            latest = max(self._heard.values(), default=self._since)
            return sum(1 for v in self.voters if latest - self._heard.get(v, self._since) < SILENT_S)
        return len(self.voters) // 2 + 1

    # -- recalling

    def _recall(self, now: Now) -> list[Call]:
        if not self._enough(now):
            return []
        calls = []
        missing = False
        for doc in sorted({doc for seen in self._seen.values() for doc in seen}):
            newest = self._newest(doc, now)
            known, fetch = self._docs.get(doc), self._fetches.get(doc)
            if known is not None and known.digest == newest.digest:
                known.n = newest.n
            elif fetch is not None and fetch.data is not None and fetch.digest == newest.digest:
                self._docs[doc] = _Document(newest.n, newest.digest, fetch.data)
            else:
                missing = True
                calls += self._fetch(doc, newest, fetch, now)
        if missing:
            return calls
        self.ready = True
        self._fetches = {}
        return self.tick(now)

    def _enough(self, now: Now) -> bool:
        """Whether a majority has been heard that accepts nothing older any more, or waiting is over."""
        if not self.voters or len(self._promised & self.voters) > len(self.voters) // 2:
            return True
        waited_s = now.mono - self._since
        if len(self.voters) == 2 and waited_s >= TWO_S and self._heard:
            return True
        if waited_s < MAJORITY_S:
            return False
        silent = ", ".join(sorted(self.voters - self._promised))
        self.problems = (f"documents were read without a majority of the voters; not heard: {silent}",)
        return True

    def _newest(self, doc: str, now: Now) -> DocSeen:
        """The newest version that was, or may have been, committed.

        One that cannot be read gives way only if too many voters are known not to have it, or if no
        holder has given it for long.
        """
        versions = sorted(
            {seen for documents in self._seen.values() if (seen := documents.get(doc)) is not None},
            key=lambda seen: (seen.epoch, seen.n),
            reverse=True,
        )
        ours = self._docs.get(doc)
        for seen in versions[:-1]:
            if ours is not None and ours.digest == seen.digest:
                return seen
            holders = self._holders(seen)
            failing = all((server, seen.digest) in self._refusals for server in holders)
            if not failing or (self._maybe_committed(seen) and now.mono - self._since < MAJORITY_S):
                return seen
            why = f"document {doc} {seen.n} could not be read from {', '.join(holders)}"
            if why not in self.problems:
                self.problems = (*self.problems, why)
                log.error("%s: an older version is taken", why)
        return versions[-1]

    def _maybe_committed(self, seen: DocSeen) -> bool:
        """Whether enough voters have it, or have not been heard of it."""
        lacking = {
            server
            for server in self._promised & self.voters
            if (theirs := self._seen[server].get(seen.doc)) is None
            or (theirs.epoch, theirs.n) < (seen.epoch, seen.n)
        }
        return len(self.voters) - len(lacking) > len(self.voters) // 2

    def _holders(self, seen: DocSeen) -> list[str]:
        return [
            server
            for server, documents in sorted(self._seen.items())
            if (theirs := documents.get(seen.doc)) is not None and theirs.digest == seen.digest
        ]

    def _fetch(self, doc: str, newest: DocSeen, fetch: DocumentFetch | None, now: Now) -> list[Call]:
        if fetch is not None and fetch.failed:
            self._refusals[(fetch.keeper.partition("@")[2], fetch.digest)] = now.mono
            del self._fetches[doc]
        elif fetch is not None and fetch.digest == newest.digest:
            return []  # under way
        holders = self._holders(newest)
        untried = [s for s in holders if (s, newest.digest) not in self._refusals]
        rested = [s for s in holders if now.mono - self._refusals.get((s, newest.digest), 0.0) >= AGAIN_S]
        server = next(iter(untried or rested), "")
        if not server:
            return []
        self._fetches[doc] = started = DocumentFetch(doc, newest.digest, f"keeper@{server}")
        return [started.next()]
