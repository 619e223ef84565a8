"""Check results a poller keeps until their scheduler says they are durable.

By batch, never by result: nothing in here looks inside. Batches of one shard go to one owner; when
the owner changes (other scheduler, restarted, other epoch), all that it never confirmed is due again.
"""

from collections.abc import Iterable, Iterator

from daemons.model.cluster import Epoch
from daemons.wire.messages import Batch

Owner = tuple[str, str, Epoch]  # scheduler, its instance, the epoch it holds the shard under

RESEND_S = 5.0  # a batch not confirmed for so long is sent again: its confirmation may be lost


class ShardResults:
    """Kept batches of one shard, oldest first: unsent ones, and ones sent but not yet durable."""

    def __init__(self) -> None:
        """Start empty, with no owner known."""
        self.owner: Owner | None = None  # who has what is in `_sent`
        self.unsent_count = 0  # results
        self._unsent: dict[int, Batch] = {}
        self._sent: dict[int, tuple[Batch, float]] = {}  # and when, mono

    def __len__(self) -> int:
        """Return how many batches are kept."""
        return len(self._unsent) + len(self._sent)

    @property
    def oldest(self) -> int:
        """Lowest batch id kept. There must be one."""
        return min((*list(self._unsent)[:1], *list(self._sent)[:1]))

    def add(self, batch: Batch) -> None:
        """Keep `batch`; its id is higher than any before."""
        self._unsent[batch.id] = batch
        self.unsent_count += batch.count

    def take(self, room_bytes: int, now_mono: float) -> Iterator[Batch]:
        """Yield unsent batches, oldest first, until `room_bytes` is used; they count as sent."""
        for batch in list(self._unsent.values()):
            if room_bytes <= 0:
                return
            room_bytes -= len(batch.data)
            del self._unsent[batch.id]
            self._sent[batch.id] = (batch, now_mono)
            self.unsent_count -= batch.count
            yield batch

    def forget(self, batch_id: int) -> int:
        """Drop a batch; return how many results were in it, 0 if it was not kept."""
        if (sent := self._sent.pop(batch_id, None)) is not None:
            return sent[0].count
        if (unsent := self._unsent.pop(batch_id, None)) is not None:
            self.unsent_count -= unsent.count
            return unsent.count
        return 0

    def unsend(self, ids: Iterable[int]) -> None:
        """Those did not arrive, as far as we know: they are due again."""
        again = {i: self._sent.pop(i)[0] for i in ids if i in self._sent}
        if again:
            self._unsent = dict(sorted((again | self._unsent).items()))
            self.unsent_count += sum(batch.count for batch in again.values())

    def owned_by(self, owner: Owner | None, delivered: frozenset[int] = frozenset()) -> None:
        """From now on `owner` has what is sent; `delivered` just now. All else is due again."""
        if owner != self.owner:
            self.owner = owner
            self.unsend([i for i in self._sent if i not in delivered])

    def resend_overdue(self, now_mono: float) -> None:
        """Make due again what was sent long ago and is still not durable."""
        self.unsend([i for i, (_, sent) in self._sent.items() if now_mono - sent > RESEND_S])
