"""A board whose one voter is an engine that keeps keys and leases by itself, such as etcd.

The rules are those of every voter (`ha.vote`); only the memory differs: promises and the ends of leases
are in the engine. Any keeper may therefore judge for it. The one thing to know: what a `Ruling` says is
written only under the condition that nothing was written since its `View` was read.
"""

from collections.abc import Mapping

from msgspec import Struct

from daemons.ha.promises import Promises
from daemons.ha.terms import Terms
from daemons.ha.vote import NEVER, Standing, Voter
from daemons.ha.voterset import ENGINE
from daemons.model.clock import Mono
from daemons.wire.board import (
    GrantLine,
    Pause,
    Paused,
    Promise,
    RenewLine,
    Revoke,
    Revoked,
    Round,
    Votes,
    VotesCopy,
)  # fmt: skip

ALWAYS = Mono(float("inf"))


class View(Struct, frozen=True):
    """What the engine keeps: the promises by lease name, and the names whose lease it still counts."""

    promises: Mapping[str, Promise]
    live: frozenset[str] = frozenset()
    pause: Pause | None = None  # the newest order; left_s 0: it runs no more


class Ruling(Struct, frozen=True):
    """The engine's answer to a round, if everything named here could be written."""

    votes: Votes
    promises: Mapping[str, Promise] = {}  # to write
    counted: tuple[str, ...] = ()  # names whose lease begins now, with its promise
    renewed: tuple[str, ...] = ()  # names whose lease is counted anew
    freed: tuple[str, ...] = ()  # names whose lease ends now


def rule(view: View, asked: Round, terms: Terms) -> Ruling:
    """Return what a voter with the memory `view` answers to `asked`, and what it must remember."""
    voter = _Engine(view, terms)
    votes = voter.vote(asked, Mono(0.0))
    changed = _changed(view, voter)
    said = {(line.name, line.instance): line.ok for line in votes.lines}
    bound = tuple(
        line.name
        for line in asked.lines
        if isinstance(line, GrantLine | RenewLine) and said.get((line.name, line.instance))
    )
    counted = tuple(n for n in bound if n in changed and changed[n].epoch > _epoch(view, n))
    return Ruling(
        votes,
        changed,
        counted,
        tuple(name for name in bound if name not in counted),
        tuple(sorted(n for n in view.live if voter.is_free(n) and n not in counted)),
    )


def rule_revoke(view: View, order: Revoke, terms: Terms) -> tuple[Revoked, Mapping[str, Promise]]:
    """Return the answer to `order` and the promises to write."""
    voter = _Engine(view, terms)
    return voter.revoke(order), _changed(view, voter)


def standing_of(copy: VotesCopy) -> tuple[Standing, ...]:
    """Return each lease as `copy` of the engine's memory shows it, by name."""
    return tuple(
        Standing(name, p.epoch, p.daemon, p.instance, live=name in copy.live)
        for name, p in sorted(copy.promises.items())
    )


def rule_pause(view: View, order: Pause, terms: Terms) -> tuple[Paused, bool]:
    """Return the answer to `order`, and whether it is new and must be written."""
    voter = _Engine(view, terms)
    known = view.pause and (view.pause.arbiter_epoch, view.pause.n)
    answer = voter.pause(order, Mono(0.0))
    return answer, answer.ok and known != (order.arbiter_epoch, order.n)


class _Engine(Voter):
    """A voter that remembers nothing itself: no quarantine, and what is not live has ended."""

    def __init__(self, view: View, terms: Terms) -> None:
        promises = Promises(dict(view.promises), pause=view.pause)
        super().__init__(ENGINE, (ENGINE,), terms, promises, Mono(0.0))
        self.quarantine = NEVER
        self._until = dict.fromkeys(view.live, ALWAYS)
        self._freed = {n: p.epoch for n, p in view.promises.items() if n not in view.live}

    def is_free(self, name: str) -> bool:
        """Return whether the lease was given back, or its holder vouched gone."""
        return self._freed_at(name, self.promised(name))


def _changed(view: View, voter: Voter) -> dict[str, Promise]:
    return {n: p for n, p in voter.promises.names.items() if view.promises.get(n) != p}


def _epoch(view: View, name: str) -> int:
    return view.promises[name].epoch if name in view.promises else 0
