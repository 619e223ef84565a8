"""Documents on the wire: named pieces of committed durable state that the keepers hold for the leader.

A position is (epoch of the arbiter that committed it, n); the highest wins. `n` numbers the content and
goes on under the next leader, which commits the same content again under its own epoch before it orders.
"""

from msgspec import Struct

from daemons.model.cluster import Epoch

DOCUMENT_VERSION = 1  # of the file at a keeper; a newer one is kept and named, never dropped


class DocSeen(Struct, frozen=True, array_like=True):
    """One document as one keeper has it on disk."""

    doc: str
    epoch: Epoch
    n: int
    digest: str  # sha256 of the content, hexadecimal


class Keep(Struct, frozen=True, array_like=True, tag=True):
    """leading arbiter -> every keeper: page `page` of document `doc`, as I commit it.

    `pages` 0: the content is what you have under this `digest`; take over the position only.
    Answered by `Kept`, `Fenced("arbiter", ...)`, or `Failed` when the keeper's disk would not take it.
    """

    doc: str
    arbiter_epoch: Epoch
    n: int
    digest: str
    page: int = 0
    pages: int = 0
    data: bytes = b""


class Kept(Struct, frozen=True, array_like=True, tag=True):
    """keeper -> leading arbiter: this is on my disk; of the one being sent I want page `next_page`."""

    doc: str
    epoch: Epoch  # 0 = I have none
    n: int
    next_page: int = 0


class Recall(Struct, frozen=True, array_like=True, tag=True):
    """anybody -> keeper: page `page` of document `doc`; "" = whatever content, else that of `digest` only.

    Answered by `Recalled`, or `NotMine` when there is no such document or content.
    """

    doc: str
    page: int = 0
    digest: str = ""


class Recalled(Struct, frozen=True, array_like=True, tag=True):
    """keeper -> anybody: one page of a document, and its position."""

    doc: str
    epoch: Epoch
    n: int
    digest: str
    page: int
    pages: int
    data: bytes


class StoreDocument(Struct, frozen=True, array_like=True, tag=True):
    """keeper -> "documents": put this on disk, fsynced. Answered by `Done`, or `Failed` (also: wrong digest)."""

    doc: str
    epoch: Epoch
    n: int
    digest: str
    data: bytes


class StoredDocument(Struct, frozen=True, array_like=True):
    """One document as its file holds it."""

    version: int  # DOCUMENT_VERSION of who wrote it
    doc: str
    epoch: Epoch
    n: int
    digest: str
    data: bytes
