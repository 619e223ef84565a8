"""Records survive their way through a file, and a file that was meddled with makes no error but a named one."""

import msgspec
import pytest

from daemons.cli.portable import BadLine, is_damaged, line_of, record_of
from daemons.model.status import Ack, Comment, ContactStatus, Downtime, ShardStatus, Status, Told

STATUS = Status(
    key="web1;http", lineage="x", state=2, attempt=3, output="é\n", flap_history=(0, 1, 2),
    ack=Ack(author="ann", comment="on it", expire_wall=5.0), told=(Told("bob", 1.5),),
    downtimes=(Downtime(id=1, entry_wall=1.0, start_wall=2.0, end_wall=3.0, author="c"),),
    comments=(Comment(id=2, entry_wall=1.0, author="c", text="t"),), modified={"max_check_attempts": "7"},
)  # fmt: skip


def through_json(line):
    return msgspec.json.decode(msgspec.json.encode(line))


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("o/web1;http", STATUS),
        ("c/ann", ContactStatus(name="ann", modified={"host_notifications_enabled": "0"})),
        ("shard", ShardStatus(next_comment_id=9, modified={"enable_notifications": "0"})),
    ],
)
def test_a_record_comes_back_as_it_was(key, status):
    line = through_json(line_of(1, key, msgspec.msgpack.encode(status)))
    assert record_of(line) == (key, status)
    assert isinstance(line["value"], dict)


def test_a_field_that_an_earlier_release_did_not_have_gets_its_default():
    line = through_json(line_of(1, "o/web1;http", msgspec.msgpack.encode(STATUS)))
    del line["value"]["attempt"]
    line["value"]["field_of_the_future"] = 1
    _, status = record_of(line)
    assert status.attempt == 1 and status.ack == STATUS.ack


def test_what_belongs_to_one_history_does_not_come_back():
    assert record_of(through_json(line_of(1, "a/1234", b"\x93"))) == ("a/1234", None)


def test_a_record_that_cannot_be_read_is_said_to_be_damaged():
    assert line_of(1, "o/a", b"\xc1")["damaged"] and is_damaged("o/a", b"\xc1")
    assert not is_damaged("o/web1;http", msgspec.msgpack.encode(STATUS))


@pytest.mark.parametrize(
    "line",
    [
        {}, {"key": 5}, {"key": "o/a", "value": []}, {"key": "o/a", "value": {"state": 1}},
        {"key": "o/a", "value": {"key": "b"}}, {"key": "o/a", "value": {"key": "a", "state": "x"}},
        {"key": "o/a", "value": {"key": "a", "ack": {"author": 5}}},
    ],
)  # fmt: skip
def test_a_line_that_is_no_record_is_refused(line):
    with pytest.raises(BadLine):
        record_of(line)
