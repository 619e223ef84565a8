"""What a peer sends becomes a whole message of ours or BadMessage, and nothing else."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemons.wire.codec import BadMessage, decode, decode_delta, encode
from daemons.wire.messages import Beat, Delta, Exchange, LogLine, Message, Report
from tests.wire.strategies import MESSAGES, of

NAMES = [kind.__name__ for kind in MESSAGES]
each_message = pytest.mark.parametrize("kind", MESSAGES, ids=NAMES)
BEAT = Beat("poller-1", "poller", "7f3a", 4711, report=Report(active=True, figures={"queue": 2.0}))


def raw(message: Message) -> list:
    """The array that travels: tag, then fields."""
    return msgspec.msgpack.decode(encode(message))


def written(array: object) -> bytes:
    return msgspec.msgpack.encode(array)


@each_message
@given(data=st.data())
def test_every_message_survives_the_wire(kind, data):
    message = data.draw(of(kind))
    back = decode(encode(message))
    assert type(back) is kind
    assert back == message


@given(of(Delta))
def test_a_delta_survives_the_wire(delta):
    assert decode_delta(encode(delta)) == delta


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xc1")
@example(b"\xdd\xff\xff\xff\xff")  # an array of four billion elements, in five bytes
@example(b"\xdf\xff\xff\xff\xff")
@example(b"\x92\xa4Gone\x90")
@example(b"\x81\xa4Done\x90")
def test_garbage_is_refused(data):
    with pytest.raises(BadMessage):
        decode(data)
    with pytest.raises(BadMessage):
        decode_delta(data)


@given(of(Message), st.data())
def test_a_message_cut_short_is_refused(message, data):
    whole = encode(message)
    size = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(BadMessage):
        decode(whole[:size])


@given(of(Message))
def test_bytes_after_a_message_are_refused(message):
    with pytest.raises(BadMessage):
        decode(encode(message) + b"\x00")


@given(of(Message), st.data())
def test_a_changed_message_is_another_message_or_refused(message, data):
    changed = bytearray(encode(message))
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        assert isinstance(decode(bytes(changed)), MESSAGES)
    except BadMessage:
        return


@pytest.mark.parametrize(
    ("array", "path"),
    [
        (["Beat", "poller-1", "poller", "7f3a", "no pid"], "$[4]"),
        (["Beat", "poller-1", "janitor", "7f3a", 1], "$[2]"),
        (["Beat", "p", "poller", "7f3a", 1, [["arbiter", "no epoch"]]], "$[5][0][1]"),
        (["Beat", "p", "poller", "7f3a", 1, [], [True, 0, 0, [], "", {"queue": "two"}]], "$[6][5][...]"),
        (["Round", 1, 7, [["GrantLine", "arbiter", "a", "7f3a", -0.5]]], "$[3][0][4]"),
        (["Beat", "poller-1"], "at least length 5"),
        (["Fire"], "Invalid value 'Fire'"),
        ([7], "$[0]"),
        ({"Beat": 1}, "Expected `array`"),
        ("Beat", "Expected `array`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(array, path):
    with pytest.raises(BadMessage) as refused:
        decode(written(array))
    assert path in str(refused.value)


def test_endless_nesting_is_refused():
    with pytest.raises(BadMessage):
        decode(b"\x91" * 100_000)
    with pytest.raises(BadMessage):
        decode_delta(b"\x91" * 100_000)
    unknown = written(raw(BEAT)[:8])[1:] + b"\x91" * 100_000  # in a field of a newer release
    with pytest.raises(BadMessage):
        decode(b"\x99" + unknown)


def test_a_text_that_is_no_utf_8_is_refused():
    """msgspec raises another error for it than for everything else; it once ended the thread that called."""
    with pytest.raises(BadMessage):
        decode(b"\x92\xa6Failed\xa2\xff\xfe")
    with pytest.raises(BadMessage):
        decode_delta(b"\x97\x01\x02\x03\x04\x81\xa1\xff\xc4\x00\x90\x90")


@each_message
@given(data=st.data())
def test_a_message_of_an_older_release_takes_the_defaults(kind, data):
    """Older releases send fewer fields, from the end."""
    message = data.draw(of(kind))
    whole = raw(message)
    fields = msgspec.structs.fields(kind)
    needed = 1 + sum(field.required for field in fields)
    size = data.draw(st.integers(needed, len(whole)))
    back = decode(written(whole[:size]))
    for place, field in enumerate(fields, 1):
        if place < size:
            assert getattr(back, field.name) == getattr(message, field.name)
        else:
            made = msgspec.NODEFAULT is not field.default_factory
            assert getattr(back, field.name) == (field.default_factory() if made else field.default)
    if needed > 1:
        with pytest.raises(BadMessage):
            decode(written(whole[: needed - 1]))


@given(of(Message), st.lists(of(int | str | tuple[bool, ...]), min_size=1))
def test_fields_of_a_newer_release_are_passed_over(message, more):
    assert decode(written([*raw(message), *more])) == message


def test_parts_of_messages_are_compatible_both_ways():
    """A report from an older release within a beat; a want from a newer one."""
    array = raw(BEAT)
    array[5], array[6] = [["arbiter", 3, 1, 0, "later"]], [True]
    back = decode(written(array))
    assert isinstance(back, Beat)
    assert back.wants[0].arbiter_epoch == 3
    assert back.report == Report(active=True)


def test_a_delta_of_an_older_release_takes_the_defaults():
    assert decode_delta(written([1, 512, 3, 5.0])) == Delta(1, 512, 3, 5.0)
    assert Delta(1, 512, 3, 5.0).schema == 1


def test_a_message_is_not_taken_for_a_delta_nor_a_delta_for_a_message():
    delta = Delta(1, 512, 3, 5.0, {"shard": b"x"}, (), (LogLine(5.0, "hello"),))
    with pytest.raises(BadMessage):
        decode(encode(delta))
    with pytest.raises(BadMessage):
        decode_delta(encode(Exchange("p", "7f3a", 1, 512, 8, 0.0)))
