"""Exchanges with pollers: results in, orders and acknowledgements out, over all shards owned here.

The one thing to know: an exchange is named by (poller instance, seq) and its outcome is kept until the
next one comes, so that asking again, or an answer that was lost, changes nothing.
"""

from collections.abc import Sequence

from daemons.model.clock import Now
from daemons.roles.role import Wait
from daemons.roles.shard.owned import OwnedShard
from daemons.wire.messages import Chunk, Exchange, Lent, ShardEpoch

UNHEARD_S = 15.0  # a poller that has not asked for so long is gone
LEFT_S = 1.0  # one that has left the roster is gone after so long: it may only be bringing in the last results
FORGET_S = 300.0


class _Borrower:
    """What is known of one poller."""

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.seq = 0  # of its newest exchange
        self.serial = 0  # of the newest answer
        self.answer: Lent | None = None  # to `seq`
        self.until_mono = 0.0  # when `seq` must be answered
        self.heard_mono = 0.0
        self.taken: dict[int, tuple[int, int, int]] = {}  # batch id -> (shard, epoch, mark)
        self.told: list[tuple[int, tuple[int, ...]]] = []  # (serial, ids said to be durable)


class Borrowing:
    """All pollers of a scheduler."""

    def __init__(self, owner: str) -> None:
        """`owner` is this scheduler's instance."""
        self._owner = owner
        self._borrowers: dict[str, _Borrower] = {}

    def exchange(self, asked: Exchange, owned: Sequence[OwnedShard], now: Now) -> Lent | Wait:
        """Take the results, lend what is due; wait while there is nothing to say."""
        borrower = self._borrower(asked, owned, now)
        borrower.heard_mono = now.mono
        if asked.seq < borrower.seq:
            return Lent(self._owner, borrower.serial)  # a late repeat: answered long ago
        if asked.seq > borrower.seq:
            self._begin(borrower, asked, owned, now)
        if borrower.answer is not None:
            return borrower.answer
        chunks = self._lend(borrower, asked, owned, now)
        durable = self._durable(borrower, owned)
        if not chunks and not durable and now.mono < borrower.until_mono:
            return Wait(borrower.until_mono)
        if chunks or durable:
            borrower.serial += 1
        if durable:
            borrower.told.append((borrower.serial, durable))
        shards = tuple(ShardEpoch(shard.state.id, shard.epoch) for shard in owned)
        borrower.answer = Lent(self._owner, borrower.serial, shards, tuple(chunks), durable)
        return borrower.answer

    def heard(self, now: Now) -> tuple[tuple[str, str], ...]:
        """Return name and instance of every poller that is there, for the next owner of a shard."""
        return tuple(
            (name, borrower.instance)
            for name, borrower in sorted(self._borrowers.items())
            if now.mono - borrower.heard_mono < UNHEARD_S
        )

    def expect(self, pollers: tuple[tuple[str, str], ...], now: Now) -> None:
        """Count these as heard just now: the owner before a hand-over did hear them."""
        for name, instance in pollers:
            borrower = self._borrowers.get(name)
            if borrower is None or borrower.instance != instance:
                borrower = self._borrowers[name] = _Borrower(instance)
            borrower.heard_mono = now.mono

    def tick(self, owned: Sequence[OwnedShard], pollers: frozenset[str], now: Now) -> None:
        """Lend again what pollers have that are gone: off the roster, or silent."""
        alive = set()
        for name, borrower in list(self._borrowers.items()):
            silent_s = now.mono - borrower.heard_mono
            if silent_s < (UNHEARD_S if name in pollers else LEFT_S):
                alive.add(borrower.instance)
            elif silent_s > FORGET_S:
                del self._borrowers[name]
        for shard in owned:
            for instance in shard.checks.borrowers():
                if instance not in alive:
                    shard.checks.gone(instance, now)

    def _borrower(self, asked: Exchange, owned: Sequence[OwnedShard], now: Now) -> _Borrower:
        borrower = self._borrowers.get(asked.poller)
        if borrower is None or borrower.instance != asked.instance:
            if borrower is not None:
                for shard in owned:
                    shard.checks.gone(borrower.instance, now)
            borrower = self._borrowers[asked.poller] = _Borrower(asked.instance)
        return borrower

    def _begin(
        self, borrower: _Borrower, asked: Exchange, owned: Sequence[OwnedShard], now: Now
    ) -> None:
        """A new exchange: what the poller got of the last one is known now."""
        borrower.seq, borrower.answer = asked.seq, None
        borrower.until_mono = now.mono + asked.wait_s
        for serial, ids in borrower.told:
            if serial <= asked.lent_seen:  # the others never arrived: they are said again
                for batch_id in ids:
                    borrower.taken.pop(batch_id, None)
        borrower.told = []
        for shard in owned:
            shard.checks.seen(asked.instance, asked.lent_seen, now)
            if asked.want or asked.batches:  # else it only asks whose the shard is, its results follow
                shard.heard.add(asked.poller)
        by_id = {shard.state.id: shard for shard in owned}
        for batch in asked.batches:
            owner = by_id.get(batch.shard)
            if owner is None or borrower.taken.get(batch.id, ())[:2] == (batch.shard, owner.epoch):
                continue
            mark = owner.take_results(batch, now)
            borrower.taken[batch.id] = (batch.shard, owner.epoch, mark)

    def _lend(
        self, borrower: _Borrower, asked: Exchange, owned: Sequence[OwnedShard], now: Now
    ) -> list[Chunk]:
        chunks: list[Chunk] = []
        want = asked.want
        for shard in owned:
            placed = shard.placed
            if want <= 0 or placed is None or asked.poller not in placed.pollers or shard.draining:
                continue
            if not shard.listened(now):
                continue
            lent = shard.checks.lend(asked.instance, borrower.serial + 1, want, asked.tags, now)
            want -= sum(chunk.count for chunk in lent)
            chunks += lent
            lent = shard.maintenance.checks.lend(asked.tags, want, now)
            want -= sum(chunk.count for chunk in lent)
            chunks += lent
        return chunks

    def _durable(self, borrower: _Borrower, owned: Sequence[OwnedShard]) -> tuple[int, ...]:
        journals = {(shard.state.id, shard.epoch): shard.journal for shard in owned}
        return tuple(
            batch_id
            for batch_id, (shard, epoch, mark) in borrower.taken.items()
            if (shard, epoch) in journals and journals[shard, epoch].is_durable(mark)
        )
