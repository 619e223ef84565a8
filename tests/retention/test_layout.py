"""The layout alone: drafts are kept in a dict instead of a store, and read back."""

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.api import Loaded
from retention.envelope import Foreign, seal, unseal
from retention.layout import (
    PART_BYTES,
    TURN_SAVES,
    assembled,
    delta_draft,
    named,
    names,
    prefix,
    read_manifest,
    whole_draft,
)

SHARD = "shinken/3"


def many(count, value=b"UP"):
    return {f"service/host{i // 10}/svc{i % 10}": value for i in range(count)}


def read(draft, items):
    return assembled(draft.manifest, items)[1]


def test_a_whole_draft_reads_back_whole():
    draft = whole_draft(SHARD, 1, 2, many(5000), partial=False)

    assert read(draft, draft.items) == Loaded(many(5000), 1, 2)
    assert len(draft.manifest.pages) == 27


def test_a_delta_draft_writes_one_delta_and_its_share_of_the_pages():
    first = whole_draft(SHARD, 1, 0, many(50_000), partial=False)
    second = delta_draft(
        first.manifest, first.pages, 1, 1, many(400, b"DOWN"), ["service/host1/svc1"], since_s=1
    )

    assert len(second.items) == 3
    wanted = many(50_000) | many(400, b"DOWN")
    del wanted["service/host1/svc1"]
    assert read(second, first.items | second.items) == Loaded(wanted, 1, 1)


@pytest.mark.parametrize("since_s", [0, 0.1, 1])
def test_every_page_is_rewritten_in_a_turn_and_deltas_older_than_it_are_dropped(since_s):
    draft = whole_draft(SHARD, 1, 0, many(10_000), partial=False)
    for n in range(1, TURN_SAVES + 1):
        draft = delta_draft(draft.manifest, draft.pages, 1, n, many(5, b"%d" % n), (), since_s)

    assert min(ref.n for ref in draft.manifest.pages) > 0
    assert len(draft.manifest.deltas) <= TURN_SAVES


def test_after_a_long_silence_all_pages_are_rewritten():
    draft = whole_draft(SHARD, 1, 0, many(10_000), partial=False)
    draft = delta_draft(draft.manifest, draft.pages, 1, 1, {}, (), since_s=240)

    assert {ref.n for ref in draft.manifest.pages} == {1}


def test_pages_that_outgrow_their_number_are_cut_anew():
    draft = whole_draft(SHARD, 1, 0, many(1000), partial=False)
    pages = len(draft.manifest.pages)
    for n in range(1, 60):
        more = {f"host/{n}/{i}": b"UP" for i in range(100)}
        draft = delta_draft(draft.manifest, draft.pages, 1, n, more, (), since_s=0)

    assert len(draft.manifest.pages) >= 4 * pages
    assert sum(map(len, draft.pages)) == 1000 + 5900


def test_large_records_do_not_make_every_save_a_whole_one():
    """Few records in many pages are not "too many pages" when it is their size that wants them."""
    large = {f"host/{i}": bytes([i]) * 300_000 for i in range(60)}
    draft = whole_draft(SHARD, 1, 0, large, partial=False)
    draft = delta_draft(draft.manifest, draft.pages, 1, 1, {"host/1": b"UP"}, (), since_s=1)

    assert len(draft.items) <= 2


def test_no_item_is_larger_than_a_part_and_no_name_longer_than_memcached_allows():
    noise = random.Random(7).randbytes(2_000_000)
    shard = "cluster with blanks/" * 40
    draft = whole_draft(shard, 2**63, 2**63, {"noise": noise}, partial=False)

    assert len(draft.items) >= 5
    assert max(map(len, draft.items.values())) <= PART_BYTES < 900_000
    for name in draft.items:
        assert len(name) <= 250 and name.isascii() and not set(name) & set(" \t\r\n\0")


def test_names_of_shards_differ_where_only_unreadable_characters_do():
    assert len({prefix(s) for s in ("a b", "a_b", "a/b", "aSPACEb", "a" * 99, "a" * 98)}) == 6


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_is_lost_the_rest_is_right_and_the_loss_is_counted(data):
    """Any set of items may be gone or damaged: what is read then is never wrong, only older."""
    draft = whole_draft(SHARD, 1, 0, many(2000, b"0"), partial=False)
    items = dict(draft.items)
    history = {key: [b"0"] for key in many(2000)}
    keys = list(history)
    for n in range(1, 8):
        changed = dict.fromkeys(keys[n * 31 : n * 31 + 60], b"%d" % n)
        for key in changed:
            history[key].append(changed[key])
        draft = delta_draft(draft.manifest, draft.pages, 1, n, changed, (), since_s=1)
        items |= draft.items
    rests_on = named(draft.manifest)
    gone = data.draw(st.sets(st.sampled_from(rests_on), max_size=len(rests_on)))
    damaged = data.draw(st.sets(st.sampled_from(rests_on), max_size=3)) - gone
    found = {name: items[name] for name in rests_on if name not in gone}
    for name in damaged:
        found[name] = found[name][:-1] + bytes([found[name][-1] ^ 1])

    loaded = read(draft, found)
    assert bool(loaded.missing) == bool(gone) and bool(loaded.corrupt) == bool(damaged)
    stale = [k for k in keys if loaded.records.get(k) != history[k][-1]]
    assert len(stale) <= loaded.missing + loaded.corrupt
    assert all(value in history[key] for key, value in loaded.records.items())


def test_notes_of_a_total_loss_are_short():
    draft = whole_draft(SHARD, 1, 0, many(50_000), partial=False)

    loaded = read(draft, {})
    assert loaded.missing == 50_000 and len(loaded.notes) == 21


@given(st.binary(max_size=200))
def test_random_bytes_are_foreign(data):
    for bytes_ in (data, b"shR\x01" + data):
        with pytest.raises(Foreign):
            read_manifest(bytes_, SHARD)


@given(st.integers(min_value=0), st.integers(0, 255))
def test_a_flipped_byte_is_found(at, flip):
    draft = whole_draft(SHARD, 1, 0, many(300), partial=False)
    sealed = bytearray(seal(draft.manifest))
    sealed[at % len(sealed)] ^= flip
    if flip:
        with pytest.raises(Foreign):
            read_manifest(bytes(sealed), SHARD)
    else:
        assert read_manifest(bytes(sealed), SHARD) == draft.manifest


def test_a_small_value_that_claims_to_unpack_to_a_gigabyte_is_foreign():
    rest = (2**30).to_bytes(4, "big") + b"\x00" * 50
    bomb = b"shR\x01" + zlib.crc32(rest).to_bytes(4, "big") + rest
    with pytest.raises(Foreign, match="claim"):
        read_manifest(bomb, SHARD)


def test_a_sealed_thing_of_another_kind_is_foreign():
    draft = whole_draft(SHARD, 1, 0, {"a": b"1"}, partial=False)
    (name,) = names(SHARD, "0", draft.manifest.pages[0])
    with pytest.raises(Foreign):
        unseal(draft.items[name], type(draft.manifest))
