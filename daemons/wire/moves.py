"""Objects that go from one shard to another: the new owner asks, the old one gives their state away.

The one thing to know: an object is named *settled* only by an owner that runs it no more and never will
under that configuration, also after its death: what says so is durable there.
"""

from msgspec import Struct


class TakeMoved(Struct, frozen=True, array_like=True, tag=True):
    """scheduler -> owner of another shard: these objects came to mine; do you have them? Answered by `Moved` or `NotMine`."""

    shard: int  # that asks
    of: int  # that is asked
    config_n: int  # the configuration that put them into `shard`
    keys: tuple[str, ...] = ()  # some thousands at most


class Moved(Struct, frozen=True, array_like=True, tag=True):
    """owner -> scheduler: whether they were let go, and what was kept of them."""

    of: int
    settled: bool  # none of them runs here, or will; else ask again
    running: tuple[str, ...] = ()  # those that do
    records: dict[str, bytes] = {}  # by object: what `departed` made
    settings: dict[str, bytes] = {}  # the records "shard" and "c/<contact>": what operators set for all


class DropMoved(Struct, frozen=True, array_like=True, tag=True):
    """scheduler -> owner of another shard: what you gave is durable here, forget it. Answered by `Done` or `NotMine`."""

    shard: int
    of: int
    keys: tuple[str, ...] = ()
