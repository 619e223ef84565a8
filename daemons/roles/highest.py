"""The highest epoch a daemon has seen per lease, kept over restarts: what fencing rests on.

An order under a lower epoch than one already seen is refused, whoever sends it.
"""

from msgspec import msgpack

from daemons.model.cluster import Epoch

_decoder = msgpack.Decoder(dict[str, int])


class Highest:
    """Highest epoch by lease name; only grows. A role's whole durable state, or part of it."""

    def __init__(self, durable: bytes = b"", *, fenced: bool = True) -> None:
        """Start with what `encode` gave before the restart; b"" = nothing seen yet.

        `fenced` False: everybody is admitted; only the drill's self-test wants that.
        """
        self._fenced = fenced
        self._seen: dict[str, Epoch] = _decoder.decode(durable) if durable else {}
        self.serial = 0  # grows with every change

    def of(self, lease: str) -> Epoch:
        """Return the highest epoch seen for `lease`, 0 if none."""
        return self._seen.get(lease, 0)

    def admits(self, lease: str, epoch: Epoch) -> bool:
        """Return whether an order under `epoch` may be obeyed; remember it if it is a new highest."""
        seen = self._seen.get(lease, 0)
        if epoch > seen:
            self._seen[lease] = epoch
            self.serial += 1
        return epoch >= seen or not self._fenced

    def encode(self) -> bytes:
        """Return the bytes to start from after a restart."""
        return msgpack.encode(self._seen)


def shard_lease(shard: int) -> str:
    """Return the name of the lease of a shard's scheduler."""
    return f"shard/{shard}"
