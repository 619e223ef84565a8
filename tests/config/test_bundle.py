"""What was read here is read there: bundles, their hash, and what damaged ones do."""

import msgspec
import pytest

from daemons.config.bundle import (
    BadBundle,
    Recorder,
    document_of,
    files_of,
    hash_of,
    head_of,
    head_or_none,
    replay,
)
from daemons.config.complain import Complaint
from daemons.config.load import load
from daemons.net.files import read
from daemons.wire.configuration import CONFIG_VERSION

MAIN = "cluster_name=c\ncfg_dir=objects\ncfg_file=daemons.cfg\nresource_file=resource.cfg\n"
DAEMONS = "".join(
    f"define {role} {{\n {role}_name {role}-1\n address 127.0.0.1\n port {port}\n}}\n"
    for role, port in (("arbiter", 7770), ("scheduler", 7768), ("poller", 7771))
)
HOST = "define host {\n host_name web\n address 10.0.0.1\n max_check_attempts 2\n}\n"


@pytest.fixture
def main(tmp_path):
    (tmp_path / "objects" / "deep").mkdir(parents=True)
    (tmp_path / "shinken.cfg").write_text(MAIN)
    (tmp_path / "daemons.cfg").write_text(DAEMONS)
    (tmp_path / "resource.cfg").write_text("$USER1$=/plugins\n")
    (tmp_path / "objects" / "deep" / "web.cfg").write_text(HOST)
    return tmp_path / "shinken.cfg"


def recorded(main):
    recorder = Recorder(read)
    return load([str(main)], recorder.read), recorder.bundle([str(main)])


def test_a_bundle_reads_as_the_files_did_when_they_are_gone(main):
    loaded, bundle = recorded(main)
    for path in main.parent.rglob("*.cfg"):
        path.unlink()
    again = load(bundle.main, replay(files_of(head_of(document_of(bundle, "me", 5.0, "UTC")))))

    assert again.objects == loaded.objects and again.cluster == loaded.cluster
    assert again.shards == loaded.shards
    assert len(again.objects.hosts) == 1


def test_the_hash_is_of_the_texts_not_of_where_they_are(main, tmp_path):
    _, bundle = recorded(main)
    other = tmp_path / "elsewhere"
    main.parent.joinpath("elsewhere").mkdir()
    for path in list(main.parent.rglob("*.cfg")):
        target = other / path.relative_to(main.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text())
    _, copy = recorded(other / "shinken.cfg")

    assert hash_of(copy) == hash_of(bundle)
    (other / "objects" / "deep" / "web.cfg").write_text(HOST + "# a comment\n")
    assert hash_of(recorded(other / "shinken.cfg")[1]) != hash_of(bundle)


def test_a_path_that_was_never_read_is_a_complaint(main):
    _, bundle = recorded(main)

    assert isinstance(replay(bundle)("cfg_file", "other.cfg", str(main)), Complaint)


def test_a_document_of_a_newer_release_is_refused_with_its_version(main):
    _, bundle = recorded(main)
    array = msgspec.msgpack.decode(document_of(bundle, "me", 5.0, "UTC"))
    array[0] = CONFIG_VERSION + 1
    newer = msgspec.msgpack.encode(array)

    with pytest.raises(BadBundle, match="newer release"):
        head_of(newer)
    assert head_or_none(newer) is None


def test_a_document_with_more_fields_than_this_release_knows_is_read(main):
    _, bundle = recorded(main)
    array = msgspec.msgpack.decode(document_of(bundle, "me", 5.0, "UTC"))
    head = head_of(msgspec.msgpack.encode([*array, "later"]))

    assert (head.by, files_of(head)) == ("me", bundle)


@pytest.mark.parametrize("damage", [b"", b"\x93nonsense", b"\xc1"])
def test_what_is_no_document_is_refused(damage):
    with pytest.raises(BadBundle):
        head_of(damage)


def test_files_that_are_not_what_the_hash_says_are_refused(main):
    _, bundle = recorded(main)
    head = head_of(document_of(bundle, "me", 5.0, "UTC"))
    with pytest.raises(BadBundle, match="hash"):
        files_of(msgspec.structs.replace(head, files_hash="other"))
    with pytest.raises(BadBundle):
        files_of(msgspec.structs.replace(head, packed=head.packed[:-9]))
