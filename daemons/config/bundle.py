"""What the configuration reader read, recorded so that another server reads the same.

The one thing to know: the questions of the reader are recorded with their answers, so a bundle is read
without a disk, whatever the paths mean on the server that reads it. What made a complaint is not in it:
only a good configuration becomes a bundle.
"""

import zlib
from collections.abc import Sequence
from hashlib import sha256

import msgspec

from daemons.config.complain import Complaint
from daemons.config.lexer import Source
from daemons.config.load import Read
from daemons.wire.configuration import (
    CONFIG_VERSION,
    ConfigDocument,
    ConfigFile,
    FileBundle,
    FileRead,
)

UNPACKED_MAX = 1 << 30

_encode = msgspec.msgpack.Encoder().encode
_bundle = msgspec.msgpack.Decoder(FileBundle).decode
_document = msgspec.msgpack.Decoder(ConfigDocument).decode


class BadBundle(Exception):
    """These bytes are no configuration that this release can read; the text says why."""


class Recorder:
    """A reader that asks another and remembers."""

    def __init__(self, read: Read) -> None:
        """Ask `read`."""
        self._read = read
        self._reads: list[FileRead] = []
        self._files: dict[str, tuple[int, ConfigFile]] = {}

    def read(self, kind: str, path: str, from_path: str) -> Sequence[Source | Complaint] | Complaint:
        """Return what the other reader does."""
        found = self._read(kind, path, from_path)
        if isinstance(found, Complaint):
            return found
        places = []
        for source in found:
            if isinstance(source, Complaint):
                continue
            entry = (len(self._files), ConfigFile(source.path, source.text))
            places.append(self._files.setdefault(source.path, entry)[0])
        self._reads.append(FileRead(kind, path, from_path, tuple(places)))
        return found

    def bundle(self, main: Sequence[str]) -> FileBundle:
        """Return all that was read, of the main files `main`."""
        files = tuple(file for _, file in self._files.values())
        return FileBundle(tuple(main), tuple(self._reads), files)


def replay(bundle: FileBundle) -> Read:
    """Return a reader that answers from `bundle` only."""
    sources = [Source(file.path, file.text) for file in bundle.files]
    answers = {(r.kind, r.path, r.from_path): [sources[n] for n in r.files] for r in bundle.reads}

    def read(kind: str, path: str, from_path: str) -> list[Source] | Complaint:
        found = answers.get((kind, path, from_path))
        return found if found is not None else Complaint("error", f"{path} is not in the bundle")

    return read


def hash_of(bundle: FileBundle) -> str:
    """Return the hash of the texts in the order read. Paths do not count: servers may keep them elsewhere."""
    digest = sha256()
    for file in bundle.files:
        text = file.text.encode()
        digest.update(b"%d " % len(text))
        digest.update(text)
    return digest.hexdigest()


def document_of(bundle: FileBundle, by: str, wall: float, time_zone: str) -> bytes:
    """Return the document that holds `bundle`."""
    packed = zlib.compress(_encode(bundle), 6)
    return _encode(ConfigDocument(CONFIG_VERSION, hash_of(bundle), by, wall, time_zone, packed))


def head_of(document: bytes) -> ConfigDocument:
    """Return a document with its files still packed. Raises BadBundle."""
    try:
        head = _document(document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBundle(f"no configuration: {error}") from error
    if head.version > CONFIG_VERSION:
        raise BadBundle(
            f"the configuration is of version {head.version}, of a newer release; this one reads {CONFIG_VERSION}"
        )
    return head


def head_or_none(document: bytes) -> ConfigDocument | None:
    """Return a document with its files still packed, None when this release cannot read it."""
    try:
        return head_of(document)
    except BadBundle:
        return None


def files_of(head: ConfigDocument) -> FileBundle:
    """Return the files in a document. Raises BadBundle, also when they are not what its hash says."""
    unpacker = zlib.decompressobj()
    try:
        bundle = _bundle(unpacker.decompress(head.packed, UNPACKED_MAX))
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBundle(f"no configuration files: {error}") from error
    if hash_of(bundle) != head.files_hash:
        raise BadBundle("the configuration files are not what their hash says")
    if any(not 0 <= n < len(bundle.files) for read in bundle.reads for n in read.files):
        raise BadBundle("the configuration files are not complete")
    return bundle
