"""The keeper's documents on disk: a file each, replaced whole and fsynced.

The one thing to know: a file that cannot be read is a lost copy, which the leader sends again; it is
put aside under a name that says so and told to the operator, and never taken for an empty document.
"""

import hashlib
from pathlib import Path

import msgspec

from daemons.net.durable import Durable
from daemons.wire.documents import DOCUMENT_VERSION, StoredDocument, StoreDocument
from daemons.wire.messages import Done, Failed, Message

SUFFIX = ".document"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StoredDocument).decode


class DocumentFiles:
    """The folder of one keeper's documents."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, made when it is missing. Raises OSError."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def load(self) -> tuple[dict[str, StoredDocument], tuple[str, ...]]:
        """Return the documents by name, and a sentence for each file that holds none."""
        found: dict[str, StoredDocument] = {}
        problems = []
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            name = path.name.removesuffix(SUFFIX)
            stored, why = self._read(path)
            if stored is not None and stored.doc == name:
                found[name] = stored
            else:
                problems.append(f"document {name} is lost here ({why or 'another name in it'}); the leader sends it again")
        return found, tuple(problems)

    def apply(self, message: Message) -> Message:
        """Serve the keeper role."""
        if not isinstance(message, StoreDocument):
            return Failed(f"not for documents: {type(message).__name__}")
        if digest_of(message.data) != message.digest:
            return Failed(f"document {message.doc}: the content is not what its digest says")
        stored = StoredDocument(
            DOCUMENT_VERSION, message.doc, message.epoch, message.n, message.digest, message.data
        )
        try:
            Durable(self._path(message.doc)).write(_encode(stored))
        except OSError as error:
            return Failed(f"document {message.doc}: {error}")
        return Done()

    def _path(self, doc: str) -> Path:
        return self.folder / f"{doc}{SUFFIX}"

    def _read(self, path: Path) -> tuple[StoredDocument | None, str]:
        try:
            data = Durable(path).read()
        except OSError as error:
            return None, str(error)
        if not data:
            return None, f"damaged, see {path}.damaged"
        try:
            stored = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return None, self._aside(path, "unreadable", str(error))
        if stored.version > DOCUMENT_VERSION:
            why = f"version {stored.version} is of a newer release, this one reads {DOCUMENT_VERSION}"
            return None, self._aside(path, f"version{stored.version}", why)
        if digest_of(stored.data) != stored.digest:
            return None, self._aside(path, "damaged", "its content is not what its digest says")
        return stored, ""

    def _aside(self, path: Path, word: str, why: str) -> str:
        """Put a file out of the way, so that it is neither read again nor overwritten."""
        aside = path.with_name(f"{path.name}.{word}")
        try:
            path.replace(aside)
        except OSError as error:
            return f"{why}; {error}"
        return f"{why}; see {aside}"


def digest_of(data: bytes) -> str:
    """Return the digest of a document's content."""
    return hashlib.sha256(data).hexdigest()
