"""Packs of hosts dealt to shards: a fair share for each, and few hosts move when a shard is added. Pure.

The one thing to know: where a pack goes hangs on its own name (jump consistent hashing: Lamping and
Veach 2014), so of N shards a new one takes one N-th from the others and nothing else moves. Only packs
so heavy that they upset the shares are looked at together.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

HEAVY = 0.25  # a pack above this part of an equal share is placed by room, before all others
_STEPS = 32  # room is compared so finely: finer would move packs with each new service
_TRIES = 64
_MASK = (1 << 64) - 1
Pack = tuple[str, int]  # name, weight


def deal(packs: Iterable[Pack], shares: Sequence[int], salt: str = "") -> list[int]:
    """Return for each pack the index of its shard; shard n gets `shares[n]` of the whole.

    `shares` must not rise. Add a shard at the end: packs move only to that one.
    """
    packs = list(packs)
    if len(shares) == 1:
        return [0] * len(packs)
    whole = sum(weight for _, weight in packs)
    fair = [whole * share / sum(shares) for share in shares]
    room = list(fair)
    heavy = dict(_heavy(packs, room, salt))
    left = [now / all_of_it if whole else 1.0 for now, all_of_it in zip(room, fair, strict=True)]
    accepts = [max(0, round(_STEPS * part / max(left))) / _STEPS for part in left]
    jumps = Jumps(shares)
    return [
        heavy[name] if name in heavy else _light(name, jumps, accepts, salt) for name, _ in packs
    ]


def _heavy(packs: list[Pack], room: list[float], salt: str) -> Iterable[tuple[str, int]]:
    """Yield where heavy packs go, the heaviest first; takes what they need from `room`."""
    limit = HEAVY * sum(room) / len(room)
    for weight, name in sorted((-w, name) for name, w in packs if w > limit):
        liked = sorted(range(len(room)), key=lambda n: _drawn(f"{salt}\n{name}\n{n}"))
        n = next((n for n in liked if room[n] + weight >= 0), room.index(max(room)))
        room[n] += weight
        yield name, n


def _light(name: str, jumps: "Jumps", accepts: Sequence[float], salt: str) -> int:
    """Return the shard of a light pack; one that heavy packs have filled up is drawn less often."""
    for attempt in range(_TRIES):
        drawn = _drawn(f"{salt}\n{name}\n{attempt}")
        n = jumps.of(drawn & _MASK)
        if (drawn >> 64) < accepts[n] * _MASK:
            return n
    return max(range(len(accepts)), key=lambda n: (accepts[n], -n))


def _drawn(text: str) -> int:
    """Return 128 bits that hang on `text` alone."""
    return int.from_bytes(blake2b(text.encode(), digest_size=16).digest())


class Jumps:
    """Jump consistent hashing with weights that do not rise.

    As buckets are added one by one, a key jumps to the n-th new one with probability 1 in n, and stays
    there with a probability that leaves each bucket its weight; else it goes back to where it was.
    """

    def __init__(self, weights: Sequence[int]) -> None:
        """Prepare for these buckets."""
        self._stays: list[float] = []
        total = 0
        for n, weight in enumerate(weights):
            total += weight
            self._stays.append(weight * (n + 1) / total)

    def of(self, key: int) -> int:
        """Return the bucket of a 64-bit key."""
        found, nth, state = 0, 0, key
        count, stays = len(self._stays), self._stays
        while nth < count:
            if stays[nth] >= 1.0 or _mixed(key, nth) < stays[nth]:
                found = nth
            state = (state * 2862933555777941757 + 1) & _MASK
            nth = int((nth + 1) * ((1 << 31) / ((state >> 33) + 1)))
        return found


def _mixed(key: int, n: int) -> float:
    """Return a number in [0, 1) that hangs on both (splitmix64)."""
    z = (key ^ (n + 1) * 0x9E3779B97F4A7C15) & _MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _MASK
    return ((z ^ (z >> 31)) >> 11) / (1 << 53)
