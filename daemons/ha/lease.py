"""The claiming side of a keeper: it seeks, renews and gives back leases for its server's daemons.

The one thing to know: a lease is counted from the *sending* of the round that a majority answered,
and once closed (run out, given back, fenced) its epoch is never taken up again: answers that come
later give nothing back. Rules: ARCHITECTURE.md, "Leases and epochs".
"""

from collections.abc import Callable, Collection
from typing import Literal

from msgspec import Struct

from daemons.ha.promises import Promises
from daemons.ha.terms import Terms
from daemons.ha.vote import NEVER
from daemons.ha.voterset import halves, members, present
from daemons.model.clock import Mono
from daemons.model.cluster import Epoch, next_epoch
from daemons.wire.board import (
    Claim,
    GrantLine,
    Line,
    ReleaseLine,
    RenewLine,
    Round,
    StatusLine,
    VoteLine,
    VoterSet,
    Votes,
)

Key = tuple[str, str]  # lease name, instance


class Held(Struct, frozen=True, array_like=True):
    """A daemon may act under `epoch` for the lease while its server's CLOCK_BOOTTIME is below `until`."""

    name: str
    epoch: Epoch
    until: Mono


class _Bid:
    """One local daemon's wish for one lease."""

    def __init__(self, name: str, daemon: str, instance: str, claim: Claim) -> None:
        self.name = name
        self.daemon = daemon
        self.instance = instance
        self.claim = claim
        self.epoch: Epoch = 0  # held; 0: none
        self.until = NEVER
        self.sought: Epoch = 0  # of the campaign under way
        self.sought_claim = claim
        self.wait = NEVER  # not before then
        self.why = ""  # the last refusal, for people

    @property
    def key(self) -> Key:
        return (self.name, self.instance)


class _Open:
    """A round whose answers still count. A lease that is closed is struck from it."""

    def __init__(self, sent: Mono, lines: dict[Key, StatusLine | GrantLine | RenewLine]) -> None:
        self.sent = sent
        self.lines = lines
        self.yes: dict[Key, set[int]] = {}
        self.no: dict[Key, set[int]] = {}  # voters that promised a higher epoch


class Claims:
    """All bids of one server. `tick` and `answered` return the round to send to every voter, if any."""

    def __init__(
        self,
        server: int,
        voters: tuple[int, ...],
        terms: Terms,
        promises: Promises,
        jitter: Callable[[], float],
        now: Mono,
    ) -> None:
        """`jitter` returns numbers in [0, 1) from a seeded generator; `promises` is the Voter's: one file."""
        self.server = server
        self.set = present(promises, voters)
        self.voters = tuple(sorted(members(self.set)))
        self.terms = terms
        self.promises = promises
        self.jitter = jitter
        self.sealed = False  # the votes cannot be written: no epoch is issued
        self.isolated = False  # neither the peer nor any witness address answers
        self.serial = 0
        self.contact: dict[int, Mono] = dict.fromkeys(self.voters, now)  # last answer, by voter
        self.answers: dict[int, Mono] = {}  # the same, of those that ever answered
        self._heard: dict[int, Mono] = dict.fromkeys(self.voters, now)  # last round, by voter
        self._bids: dict[Key, _Bid] = {}
        self._seen: dict[str, Epoch] = {}  # highest epoch heard of, by lease name
        self._rounds: dict[int, _Open] = {}  # by serial
        self._progress: dict[str, Mono] = {}  # by instance
        self._closed: dict[Key, Epoch] = {}  # highest epoch closed here
        self._released: dict[ReleaseLine, Mono] = {}  # repeated until then
        self._gone: dict[str, Mono] = {}  # instances vouched for, repeated until then
        self._next = now
        self._hurry = False

    # -- the local daemons

    def want(
        self,
        name: str,
        daemon: str,
        instance: str,
        claim: Claim,
        now: Mono,
        held: Held | None = None,
    ) -> None:
        """Seek the lease `name` for `instance` and keep it; again with each beat, with the newest claim.

        `held` is what the daemon says it holds; a keeper that has restarted goes on from there.
        """
        if instance in self._gone:
            return
        bid = self._bids.get((name, instance))
        if bid is None:
            bid = self._bids[(name, instance)] = _Bid(name, daemon, instance, claim)
            self._progress.setdefault(instance, now)
            self._hurry = True
            if held is not None and held.epoch > self._closed.get(bid.key, 0) and now < held.until:
                bid.epoch, bid.until = held.epoch, held.until
        bid.claim = max(bid.claim, claim)

    def drop(self, name: str, instance: str) -> None:
        """Seek and renew `name` for `instance` no longer; what it holds runs out by itself."""
        if bid := self._bids.pop((name, instance), None):
            self._close(bid)

    def drop_all_but(self, instance: str, names: Collection[str]) -> None:
        """Drop whatever `instance` seeks or holds that is not in `names`: the wants of its last beat."""
        for key in [k for k in self._bids if k[1] == instance and k[0] not in names]:
            self.drop(*key)

    def release(self, name: str, instance: str, epoch: Epoch, now: Mono) -> None:
        """`instance` has stopped acting under `epoch` and gives the lease back; it seeks it no longer."""
        bid = self._bids.get((name, instance))
        if bid is not None and bid.epoch not in (0, epoch):
            return  # a late word about an earlier epoch
        self.drop(name, instance)
        self._released[ReleaseLine(name, instance, epoch)] = Mono(now + self.terms.lease_s)
        self._hurry = True

    def progressed(self, instance: str, now: Mono) -> None:
        """The role of `instance` made progress: only then are its leases renewed."""
        self._progress[instance] = now

    def fenced(self, name: str, instance: str, highest: Epoch) -> None:
        """A receiver told `instance` of a higher epoch and it has stopped: claim again, above."""
        self.saw(name, highest)
        bid = self._bids.get((name, instance))
        if bid is not None and 0 < bid.epoch < highest:
            self._close(bid)

    def gone(self, instance: str, now: Mono) -> None:
        """The whole process tree of `instance` has ended: vouch for it."""
        for key in [key for key in self._bids if key[1] == instance]:
            self.drop(*key)
        self._closed = {key: epoch for key, epoch in self._closed.items() if key[1] != instance}
        self._progress.pop(instance, None)
        self._gone[instance] = Mono(now + 2 * self.terms.lease_s)
        self._hurry = True

    def held(self, instance: str, now: Mono) -> tuple[Held, ...]:
        """Return the leases `instance` holds at `now`, by name."""
        bids = sorted(
            key
            for key, bid in self._bids.items()
            if key[1] == instance and bid.epoch and now < bid.until
        )
        return tuple(Held(key[0], self._bids[key].epoch, self._bids[key].until) for key in bids)

    def why_not(self, name: str, instance: str) -> str:
        """Return the last refusal of a bid without a lease, for people; "" when there is none."""
        bid = self._bids.get((name, instance))
        return bid.why if bid is not None and not bid.epoch else ""

    # -- the voters

    @property
    def is_urgent(self) -> bool:
        """Return whether the next `tick` has something to ask that should not wait for its time."""
        return self._hurry

    def hurry(self) -> None:
        """Make the next `tick` ask at once: a lease may have become free."""
        self._hurry = True

    def tick(self, now: Mono, isolated: bool = False) -> Round | None:
        """Return the next round when a beat has passed or something cannot wait, else None."""
        self.isolated = isolated
        self._expire(now)
        if now < self._next and not self._hurry:
            return None
        self._hurry = False
        self._next = Mono(now + self.terms.beat_s * (1 + 0.1 * self.jitter()))
        lines: list[StatusLine | GrantLine | RenewLine] = []
        for _, bid in sorted(self._bids.items()):
            if not self._progressing(bid, now):
                continue
            if bid.epoch:
                lines.append(RenewLine(bid.name, bid.daemon, bid.instance, bid.epoch, bid.claim))
            elif self.sealed:
                bid.why = "its own keeper cannot write its votes"
            elif now >= bid.wait:
                lines.append(StatusLine(bid.name, bid.daemon, bid.instance, bid.claim))
            elif bid.sought:  # an answer may have been lost
                lines.append(
                    GrantLine(bid.name, bid.daemon, bid.instance, bid.sought, bid.sought_claim)
                )
        return self._round(tuple(lines), now, (*self._released,), (*self._gone,))

    def answered(self, server: int, votes: Votes, now: Mono) -> Round | None:
        """Count what voter `server` said; return the round of grants that a won pre-vote calls for."""
        self._expire(now)
        self.contact[server] = self.answers[server] = now
        campaign: list[StatusLine | GrantLine | RenewLine] = []
        for answer in votes.lines:
            self.saw(answer.name, answer.promised)
            bid = self._bids.get((answer.name, answer.instance))
            asked = self._rounds.get(votes.serial)
            if bid is None or asked is None or server not in self.voters:
                continue
            match asked.lines.get(bid.key):
                case StatusLine() if self._won_status(bid, asked, answer, server, now):
                    campaign.append(self._campaign(bid, now))
                case GrantLine() as line:
                    self._take_grant(bid, line, asked, answer, server, now)
                case RenewLine():
                    self._take_renewal(bid, asked, answer, server, now)
                case _:
                    pass
        return self._round(tuple(campaign), now) if campaign else None

    def alone(self, now: Mono) -> bool:
        """Return whether a takeover without the peer's vote is due: two voters, no word for long."""
        long = self.terms.lease_s + self.terms.split_delay_s
        two = next((h for h in halves(self.set) if len(h) == 2), ())
        heard = max((self._heard[v] for v in two if v != self.server), default=now)
        return min(self._silent(now), now - heard) > long

    def heard(self, server: int, now: Mono) -> None:
        """The keeper of `server` asked something: it lives, though perhaps it does not hear us."""
        self._heard[server] = now

    def degraded(self, now: Mono) -> bool:
        """Return whether the other of two voters is out of touch: what is sent now may be sent twice."""
        return self._silent(now) > self.terms.lease_s - self.terms.rpc_timeout_s

    def succeed(self, former: "Claims") -> None:
        """Go on in the place of `former`: no answer to its rounds counts here, what it closed stays closed."""
        self.serial = former.serial
        self._closed, self._gone, self._released = former._closed, former._gone, former._released
        self._seen = former._seen

    def set_voters(self, voter_set: VoterSet, now: Mono) -> None:
        """Count with another voter set from now on; open rounds were sent to the old one and are closed."""
        self.set, self.voters = voter_set, tuple(sorted(members(voter_set)))
        self.contact = {v: self.contact.get(v, now) for v in self.voters}
        self._heard = {v: self._heard.get(v, now) for v in self.voters}
        self._rounds = {}
        self._hurry = True

    # -- counting

    def _won_status(
        self, bid: _Bid, asked: _Open, answer: VoteLine, server: int, now: Mono
    ) -> bool:
        if not answer.ok:
            bid.why = answer.why
            return False
        if bid.epoch or now < bid.wait or self.sealed:
            return False
        asked.yes.setdefault(bid.key, set()).add(server)
        return self._enough("status", asked.yes[bid.key], now)

    def _campaign(self, bid: _Bid, now: Mono) -> GrantLine:
        """Issue an epoch above all seen, durably; one campaign at a time, the next after a random wait."""
        bid.wait = Mono(now + self.terms.lease_s * (0.28 + 0.4 * self.jitter()))
        self._strike(bid)
        ours = max(self.promises.issued.get(bid.name, 0), self.promises.least)
        bid.sought = next_epoch(max(self._seen.get(bid.name, 0), ours), self.server)
        bid.sought_claim = bid.claim
        self.promises.issued[bid.name] = bid.sought
        self.promises.serial += 1
        return GrantLine(bid.name, bid.daemon, bid.instance, bid.sought, bid.claim)

    def _take_grant(
        self, bid: _Bid, line: GrantLine, asked: _Open, answer: VoteLine, server: int, now: Mono
    ) -> None:
        if not answer.ok:
            bid.why = answer.why
            return
        if bid.epoch or line.epoch != bid.sought:
            return
        asked.yes.setdefault(bid.key, set()).add(server)
        until = self._deadline(asked, now)
        if self._enough("grant", asked.yes[bid.key], now) and now < until:
            bid.epoch, bid.until, bid.why = line.epoch, until, ""

    def _take_renewal(
        self, bid: _Bid, asked: _Open, answer: VoteLine, server: int, now: Mono
    ) -> None:
        if answer.ok:
            asked.yes.setdefault(bid.key, set()).add(server)
            if self._enough("renew", asked.yes[bid.key], now):
                bid.until = max(bid.until, self._deadline(asked, now))
        elif answer.promised > bid.epoch:
            asked.no.setdefault(bid.key, set()).add(server)
            bid.why = answer.why
            if self._overruled(asked.no[bid.key]):
                self._close(bid)

    def _enough(
        self, kind: Literal["status", "grant", "renew"], voters: set[int], now: Mono
    ) -> bool:
        """Return whether these votes decide: in each half of the voter set that changes, else in the whole."""
        return all(self._enough_of(half, kind, voters, now) for half in halves(self.set))

    def _enough_of(
        self, half: tuple[int, ...], kind: Literal["status", "grant", "renew"], voters: set[int], now: Mono
    ) -> bool:
        """Return whether there is a majority, or what two voters may do when parted.

        Of two, the holder goes on on its own vote (unless isolated, in takeover); a change needs both
        votes, or in takeover its own and a long enough silence of the other.
        """
        voters = voters & set(half)
        if len(half) != 2 or self.server not in half:
            return len(voters) > len(half) // 2
        own = self.server in voters and not self._cut_off(now)
        if kind == "renew":
            return own
        return len(voters) == 2 or (
            self.terms.split_policy == "takeover" and own and self.alone(now)
        )

    def _overruled(self, voters: set[int]) -> bool:
        """Return whether these voters, who promised a higher epoch, end a lease: of two voters, one does."""
        return any(
            len(voters & set(half)) > len(half) // 2 or (len(half) == 2 and voters & set(half))
            for half in halves(self.set)
        )

    def _cut_off(self, now: Mono) -> bool:
        """Return whether this server, not its peer, has lost the network; asked in takeover only."""
        takeover = self.terms.split_policy == "takeover"
        return takeover and self.isolated and self._silent(now) > self.terms.rpc_timeout_s

    def _silent(self, now: Mono) -> float:
        """Return for how long the other of two voters has not answered; 0 with any other number."""
        two = next((h for h in halves(self.set) if len(h) == 2 and self.server in h), ())
        return max((now - self.contact[v] for v in two if v != self.server), default=0.0)

    def _deadline(self, asked: _Open, now: Mono) -> Mono:
        """Return when a lease ends that a majority granted or renewed in the round `asked`."""
        return self.terms.deadline(asked.sent)

    # -- opening and closing

    def _round(
        self,
        lines: tuple[StatusLine | GrantLine | RenewLine, ...],
        now: Mono,
        released: tuple[ReleaseLine, ...] = (),
        gone: tuple[str, ...] = (),
    ) -> Round:
        self.serial += 1
        self._rounds[self.serial] = _Open(now, {(line.name, line.instance): line for line in lines})
        all_lines: tuple[Line, ...] = (*released, *lines)
        return Round(self.server, self.serial, all_lines, gone, self.set.version, self.set)

    def _expire(self, now: Mono) -> None:
        """Close what has run out, forget what is too old to matter."""
        for bid in self._bids.values():
            if bid.epoch and now >= bid.until:
                self._close(bid)
                bid.wait = Mono(now + 0.2 * self.terms.lease_s * self.jitter())
        self._rounds = {s: r for s, r in self._rounds.items() if now - r.sent < self.terms.lease_s}
        self._released = {line: until for line, until in self._released.items() if now < until}
        self._gone = {instance: until for instance, until in self._gone.items() if now < until}

    def _progressing(self, bid: _Bid, now: Mono) -> bool:
        """A hung role loses its lease: the keeper renews for it only while it gets on."""
        return now - self._progress.get(bid.instance, NEVER) < self.terms.progress_s

    def _close(self, bid: _Bid) -> None:
        """End the lease, or the campaign for it, for good: answers that come later give nothing back."""
        self._closed[bid.key] = max(self._closed.get(bid.key, 0), bid.epoch)
        bid.epoch, bid.until, bid.sought = 0, NEVER, 0
        self._strike(bid)

    def _strike(self, bid: _Bid) -> None:
        for open_round in self._rounds.values():
            open_round.lines.pop(bid.key, None)

    def saw(self, name: str, epoch: Epoch) -> None:
        """Issue no epoch up to `epoch` for the lease `name`."""
        self._seen[name] = max(self._seen.get(name, 0), epoch)
