"""One document fetched from a keeper, page by page."""

from hashlib import sha256

from daemons.roles.role import Call
from daemons.wire.documents import Recall, Recalled
from daemons.wire.messages import Message

RECALL_S = 3.0  # for one page


class DocumentFetch:
    """The content `digest` of `doc`, from the keeper of `server`. One page is under way at a time."""

    def __init__(self, doc: str, digest: str, keeper: str) -> None:
        """`keeper`: whom to call, e.g. "keeper@server1", or "keeper" for the own one. `digest` "": any."""
        self.doc = doc
        self.digest = digest
        self.keeper = keeper
        self.n = 0  # of the version, once something was heard
        self.data: bytes | None = None  # whole, and what its digest says
        self.failed = False  # this keeper does not give it: ask another
        self._pages: list[bytes] = []

    def next(self) -> Call:
        """Return the call for the next page."""
        recall = Recall(self.doc, len(self._pages), self.digest)
        return Call(self.keeper, recall, RECALL_S, lane=f"recall/{self.doc}")

    def answered(self, asked: Recall, answer: Message) -> list[Call]:
        """Take a page; return the call for the one after it."""
        if self.data is not None or self.failed or asked.page != len(self._pages):
            return []
        if not isinstance(answer, Recalled) or answer.digest != (self.digest or answer.digest):
            self.failed = True
            return []
        self.digest, self.n = answer.digest, answer.n
        self._pages.append(answer.data)
        if len(self._pages) < answer.pages:
            return [self.next()]
        data = b"".join(self._pages)
        if sha256(data).hexdigest() == self.digest:
            self.data = data
        else:
            self.failed = True
        return []
