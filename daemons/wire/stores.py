"""What a scheduler and its own retention service say to each other besides records: never on the wire, save `StoreSeen`.

The one thing to know: every call is about one store, so that a slow one has nobody behind it.
"""

from msgspec import Struct


class StoreSeen(Struct, frozen=True, array_like=True):
    """One retention store of one scheduler, in a report."""

    name: str  # as the configuration names the module
    ok: bool
    why: str  # what it is, or the last error
    saved: int = 0  # records it holds
    dirty: int = 0  # records it does not have yet
    age_s: float = -1.0  # since its last save by this process; -1 = none
    missing: int = 0  # records found lost
    corrupt: int = 0  # records found damaged or foreign
    saves: int = 0
    failed: int = 0
    rests_s: float = 0.0  # its breaker is open: it is not asked for so long


class StoresAsk(Struct, frozen=True, array_like=True, tag=True):
    """scheduler -> "retention": the figures of all stores. Answered by `StoresSeen`."""


class StoresSeen(Struct, frozen=True, array_like=True, tag=True):
    """Every store, in the order of the configuration."""

    stores: tuple[StoreSeen, ...] = ()


class Probe(Struct, frozen=True, array_like=True, tag=True):
    """scheduler -> "retention": does this store answer? Answered by `Done` or `Failed`."""

    shard: int
    epoch: int  # of the owner that asks
    store: str
