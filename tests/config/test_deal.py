"""Dealing packs to shards: fair by weight, and hardly anything moves when a shard is added."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.config.deal import HEAVY, deal

COUNT = 3000
SALTS = st.text(st.characters(codec="ascii"), max_size=6)
SHARES = st.lists(st.integers(1, 4), min_size=2, max_size=12).map(lambda s: sorted(s, reverse=True))


def packs(salt: str, count: int = COUNT) -> list[tuple[str, int]]:
    return [(f"{salt}{n}", 1 + n % 30) for n in range(count)]


def moved(before: list[int], after: list[int]) -> list[tuple[int, int]]:
    return [(a, b) for a, b in zip(before, after, strict=True) if a != b]


@given(SALTS, st.integers(2, 40))
@settings(max_examples=40, deadline=None)
def test_a_new_shard_takes_its_share_and_nothing_else_moves(salt: str, shards: int) -> None:
    moves = moved(deal(packs(salt), [1] * shards), deal(packs(salt), [1] * (shards + 1)))

    assert all(to == shards for _, to in moves)
    assert len(moves) <= 1.5 * COUNT / shards


@given(SALTS, SHARES, st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_whatever_the_weight_of_a_new_scheduler_few_hosts_move(
    salt: str, shares: list[int], weight: int
) -> None:
    more = sorted([*shares, weight], reverse=True)
    moves = moved(deal(packs(salt), shares), deal(packs(salt), more))

    grown = {n for n, share in enumerate(more) if n >= len(shares) or share > shares[n]}
    fair = weight / sum(more)
    assert len(moves) <= COUNT * fair * 1.5 + 60
    assert sum(to in grown for _, to in moves) >= 0.7 * len(moves)


@given(SALTS, SHARES)
@settings(max_examples=40, deadline=None)
def test_each_shard_gets_its_share(salt: str, shares: list[int]) -> None:
    loads: Counter[int] = Counter()
    for (_, weight), n in zip(packs(salt), deal(packs(salt), shares), strict=True):
        loads[n] += weight
    whole = sum(loads.values())

    for n, share in enumerate(shares):
        fair = whole * share / sum(shares)
        assert abs(loads[n] - fair) <= 0.12 * fair + 6 * (20 * fair) ** 0.5


@given(SALTS, st.integers(2, 20), st.data())
@settings(max_examples=40, deadline=None)
def test_where_a_pack_goes_does_not_hang_on_the_others(
    salt: str, shards: int, data: st.DataObject
) -> None:
    everything = packs(salt)
    where = dict(zip((name for name, _ in everything), deal(everything, [1] * shards), strict=True))
    some = data.draw(st.permutations(everything[:40])) + everything[40:1500]

    assert deal(some, [1] * shards) == [where[name] for name, _ in some]


@pytest.mark.parametrize("shards", [2, 3, 5])
def test_the_rest_makes_up_for_a_heavy_pack(shards: int) -> None:
    whole = 1000 * 10
    heavy = int(whole / shards * HEAVY * 2.5)
    everything = [("network", heavy), *((f"h{n}", 10) for n in range(1000))]
    loads: Counter[int] = Counter()
    for (_, weight), n in zip(everything, deal(everything, [1] * shards), strict=True):
        loads[n] += weight

    fair = (whole + heavy) / shards
    assert all(abs(load - fair) <= 0.15 * fair for load in loads.values())


def test_a_pack_heavier_than_a_share_leaves_its_shard_to_it() -> None:
    everything = [("network", 5000), *((f"h{n}", 10) for n in range(300))]
    at, *others = deal(everything, [1, 1, 1])

    assert at not in others and len(set(others)) == 2


def test_no_packs_and_one_shard_are_no_trouble() -> None:
    assert deal([], [1, 2]) == []
    assert deal([("a", 1), ("b", 2)], [5]) == [0, 0]
