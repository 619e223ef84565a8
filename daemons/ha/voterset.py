"""The set of servers that vote, as durable state: one change at a time, with majorities of old and new.

The one thing to know: while a set names `old`, every decision needs a majority of `voters` *and* one of
`old`; only when majorities of both have taken it up may the leader order the set without `old`. Rules and
reasons: docs/decisions/0008-the-voter-set.md.
"""

from collections.abc import Collection, Iterable, Mapping

from msgspec.structs import replace

from daemons.ha.promises import Promises
from daemons.model.cluster import SERVERS_MAX, Epoch
from daemons.wire.board import VoterSet

ENGINE = SERVERS_MAX - 1  # an engine's place among the voters: no server has this index


def initial(voters: Iterable[int]) -> VoterSet:
    """Return the set of a cluster that no leader has spoken in yet: what the configuration says."""
    return VoterSet(0, tuple(sorted(voters)))


def present(promises: Promises, voters: Collection[int]) -> VoterSet:
    """Return the set to begin with: the last that was ordered, unless an engine votes."""
    return initial(voters) if ENGINE in voters or not promises.voters else promises.voters


def newer(one: VoterSet, other: VoterSet) -> bool:
    """Return whether `one` replaces `other`: a later version, or the same one by a later leader."""
    return (one.version, one.by) > (other.version, other.by)


def same(one: VoterSet, other: VoterSet) -> bool:
    """Return whether votes may be counted together: all but the leader's name is equal."""
    return (one.version, one.voters, one.old) == (other.version, other.voters, other.old)


def members(voter_set: VoterSet) -> frozenset[int]:
    """Return who votes in it, in either half."""
    return frozenset(voter_set.voters) | frozenset(voter_set.old)


def halves(voter_set: VoterSet) -> tuple[tuple[int, ...], ...]:
    """Return the sets of which a majority is needed each."""
    return (voter_set.voters, voter_set.old) if voter_set.old else (voter_set.voters,)


def majorities(voter_set: VoterSet, servers: Collection[int]) -> bool:
    """Return whether `servers` hold a majority of each half."""
    return all(len(set(half) & set(servers)) > len(half) // 2 for half in halves(voter_set))


def next_order(
    seen: Mapping[int, VoterSet],
    synced: Collection[int],
    wanted: Collection[int],
    ready: Collection[int],
    leader: Epoch,
) -> VoterSet | None:
    """Return what the leader orders all keepers to count with; None when it has heard of nothing yet.

    `seen`: the set that each answering server counts with. `synced`: of those, who know what was promised
    under the set before. `wanted`: the voters by the configuration.
    `ready`: servers that could vote and that all others know. It is ordered again and again (a late or lost
    order is repaired by the next); the next step comes once majorities of the present one have taken it up.
    """
    if not seen:
        return None
    now = max(seen.values(), key=lambda s: (s.version, s.by))
    if now.by != leader:
        return replace(now, by=leader) if now.by < leader else None
    if not majorities(now, [s for s in synced if seen.get(s) == now]):
        return now
    if now.old:
        return VoterSet(now.version + 1, now.voters, (), leader)
    step = _step(set(now.voters), set(wanted), set(ready))
    if not step or step == set(now.voters):
        return now
    return VoterSet(now.version + 1, tuple(sorted(step)), now.voters, leader)


def _step(voters: set[int], wanted: set[int], ready: set[int]) -> set[int]:
    """One server more, if one that is wanted can vote; else one less. A silent one goes first."""
    if come := sorted((wanted - voters) & ready):
        return voters | {come[0]}
    if wanted - voters and len(voters) <= len(wanted):
        return voters  # a replacement waits until the new one is there
    leave = sorted(voters - wanted, key=lambda v: (v in ready, v))
    return voters - {leave[0]} if leave and len(voters) > 1 else voters
