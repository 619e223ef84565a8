"""What became of a shard's actions under former owners, from every copy that could be read.

The one thing to know: a reactionner's journal says what it began; the keepers' claims say it for one
that is silent. Only when all claims are known does "claimed nowhere" mean "never begun". Of two servers
that are parted the other may have had an owner and reactionners that nobody here has heard of.
"""

from collections.abc import Mapping

from msgspec import Struct

from daemons.ha.claims import SecondCopy
from daemons.model.cluster import Epoch
from daemons.wire.messages import Claimed, ClaimedAction


class Past(Struct, frozen=True):
    """Every known claim of a shard, by id and reactionner."""

    entries: Mapping[str, Mapping[str, ClaimedAction]] = {}
    sure: bool = True  # no claim is unknown
    last_epoch: Epoch = 0  # of the newest owner that anything was claimed for

    def of(self, action_id: str) -> Mapping[str, ClaimedAction]:
        """Return what each reactionner did with this action."""
        return self.entries.get(action_id, {})

    def ran(self, action_id: str) -> bool:
        """Return whether somebody has run it to its end."""
        return any(entry.state == "done" for entry in self.of(action_id).values())

    def untouched(self, action_id: str, planned: Epoch) -> bool:
        """Return whether nobody can have begun it; `planned` is the epoch that planned it last.

        An owner that comes back with a plan older than what was claimed since may bring an orphan:
        an owner between may have planned and run the same, and all may have forgotten it.
        """
        return self.sure and not self.of(action_id) and planned >= self.last_epoch


def past(journals: Mapping[str, Claimed | None], second: SecondCopy) -> Past:
    """Return what is known from `journals` by reactionner (None: silent) and the keepers' claims.

    A claim that its reactionner has given back since is none, whatever the keepers still say.
    """
    entries: dict[str, dict[str, ClaimedAction]] = {}
    released: set[tuple[str, str]] = set()
    for name, journal in sorted(journals.items()):
        if journal is None:
            continue
        released.update((name, action_id) for action_id in journal.released)
        for entry in journal.actions:
            entries.setdefault(entry.id, {})[name] = entry
    for action_id, claims in second.claims.items():
        for claim in claims:
            if claim.state != "done" and (claim.reactionner, action_id) in released:
                continue
            known = entries.setdefault(action_id, {})
            if claim.reactionner not in known or claim.state == "done":
                known[claim.reactionner] = ClaimedAction(
                    action_id, claim.state, claim.epoch, claim.code, claim.tagged
                )
    everybody = all(journal is not None for journal in journals.values())
    last = max((e.epoch for found in entries.values() for e in found.values()), default=0)
    return Past(entries, (everybody and not second.parted) or second.whole, last)
