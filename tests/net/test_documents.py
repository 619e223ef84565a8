"""The keeper's document files: whole or lost, and a lost one is named."""

import msgspec

from daemons.net.documents import DocumentFiles, digest_of
from daemons.net.durable import Durable
from daemons.wire.documents import DOCUMENT_VERSION, StoredDocument, StoreDocument
from daemons.wire.messages import Done, Failed

DATA = b"the content"
ORDER = StoreDocument("configuration", 5, 1, digest_of(DATA), DATA)


def test_a_document_is_there_after_a_restart(tmp_path):
    assert DocumentFiles(tmp_path / "documents").apply(ORDER) == Done()
    found, problems = DocumentFiles(tmp_path / "documents").load()

    assert problems == ()
    assert found["configuration"] == StoredDocument(DOCUMENT_VERSION, "configuration", 5, 1, digest_of(DATA), DATA)


def test_a_damaged_file_is_a_lost_copy_that_is_named_and_kept_aside(tmp_path):
    files = DocumentFiles(tmp_path)
    files.apply(ORDER)
    path = tmp_path / "configuration.document"
    path.write_bytes(path.read_bytes()[:-3] + b"xyz")
    found, problems = files.load()

    assert found == {}
    assert "document configuration is lost here" in problems[0]
    assert not path.exists() and list(tmp_path.glob("*.damaged"))
    assert files.apply(ORDER) == Done()  # the leader sends it again
    assert files.load()[0].keys() == {"configuration"}


def test_a_file_of_a_newer_release_is_named_and_not_overwritten(tmp_path):
    files = DocumentFiles(tmp_path)
    newer = StoredDocument(DOCUMENT_VERSION + 1, "configuration", 5, 1, digest_of(DATA), DATA)
    Durable(tmp_path / "configuration.document").write(msgspec.msgpack.encode(newer))
    found, problems = files.load()
    files.apply(ORDER)

    assert found == {}
    assert "newer release" in problems[0]
    assert (tmp_path / "configuration.document.version2").exists()


def test_content_that_is_not_what_its_digest_says_is_refused(tmp_path):
    files = DocumentFiles(tmp_path)
    answer = files.apply(StoreDocument("configuration", 5, 1, digest_of(b"other"), DATA))

    assert isinstance(answer, Failed) and "digest" in answer.why
    assert files.load() == ({}, ())


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    files = DocumentFiles(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    assert isinstance(files.apply(ORDER), Failed)
