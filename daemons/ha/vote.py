"""A keeper's votes: what it promised, to whom, and what it may still promise.

The one thing to know: `Promises` is durable. Whenever `promises.serial` has grown, the caller writes
it down and fsyncs before any answer or round leaves the server. Everything else here is volatile
and made good by the quarantine after a start. Rules: ARCHITECTURE.md, "Leases and epochs".
"""

from msgspec import Struct
from msgspec.structs import replace

from daemons.ha.pausing import Pausing
from daemons.ha.promises import Promises
from daemons.ha.terms import Terms
from daemons.ha.voterset import halves, majorities, members, present, same
from daemons.model.clock import Mono
from daemons.model.cluster import N_MAX, SERVERS_MAX, Epoch, epoch
from daemons.wire.board import (
    GrantLine,
    Pause,
    Paused,
    Promise,
    ReleaseLine,
    RenewLine,
    Revoke,
    Revoked,
    Round,
    StatusLine,
    VoteLine,
    VoterSet,
    Votes,
    VotesCopy,
)

NEVER = Mono(float("-inf"))
NOTHING = Promise()
ARBITER = "arbiter"  # the lease to lead; its epochs stand in the claims on all others
GENERATIONS_SKIPPED = 63  # at most, when votes were lost; an epoch has room for 32768
N_SKIPPED = 1 << 20


class Standing(Struct, frozen=True):
    """One lease as a voter sees it; for display and for the leader's view, never for acting."""

    name: str
    epoch: Epoch
    daemon: str
    instance: str
    live: bool  # neither run out nor given back, on this voter's clock


class Voter:
    """One server's vote. Volatile: when each lease runs out, which were given back."""

    pausing_kind: type[Pausing] = Pausing  # the simulation takes one protection away in a subclass

    def __init__(
        self, server: int, voters: tuple[int, ...], terms: Terms, promises: Promises, now: Mono
    ) -> None:
        """Start in quarantine: leases this voter forgot by restarting run out before it grants again."""
        self.server = server
        self.voters = present(promises, voters)
        self.terms = terms
        self.promises = promises
        self.quarantine = Mono(now + terms.lease_s)
        self._until: dict[str, Mono] = {}  # by lease name, on this voter's clock
        self._freed: dict[str, Epoch] = {}  # given back or vouched gone, by lease name
        self._copies: dict[int, VotesCopy] = {}
        self.pausing = self.pausing_kind(promises, now)
        self._copied: dict[str, Epoch] = {}  # promised by others, not by this voter, by lease name
        self._told: set[int] = set()  # who told its promises since it counts with the present set
        self.sealed = ""  # why nothing can be promised now: the disk; "" = it can
        self.frees = 0  # leases freed so far: a caller sees by it that one may be had now

    # -- answering

    def vote(self, asked: Round, now: Mono) -> Votes:
        """Return this voter's answer to `asked`; note what it says is gone or given back first."""
        if why := self._refused(asked):
            return Votes(self.server, asked.serial, (), why, self.voters)
        self.vouch(asked.server, asked.gone)
        answers = []
        for line in asked.lines:
            match line:
                case ReleaseLine():
                    self._release(line)
                case StatusLine():
                    answers.append(self._answer(line, self._refusal(line, now)))
                case GrantLine() | RenewLine():
                    answers.append(self._answer(line, self._bind(line, now)))
        return Votes(self.server, asked.serial, tuple(answers))

    def vouch(self, server: int, gone: tuple[str, ...]) -> None:
        """Free what instances in `gone` hold, if `server`, whose keeper says so, is their own."""
        for name, promise in self.promises.names.items():
            if promise.instance in gone and self._own_keeper(server, promise):
                self._free(name, promise)

    def revoke(self, order: Revoke) -> Revoked:
        """Obey `order` unless a newer leader is known or has revoked the same lease."""
        promise = self.promised(order.name)
        if ok := not self.sealed and order.arbiter_epoch >= self._highest(ARBITER):
            self.promises.put(order.name, replace(promise, revoked=order))
        return Revoked(order.name, ok, promise.epoch)

    def pause(self, order: Pause, now: Mono) -> Paused:
        """Obey the leader's `order` to pause, or to go on, unless a newer one or a newer leader is known."""
        newest = not self.sealed and order.arbiter_epoch >= self._highest(ARBITER)
        ok = newest and self.pausing.obey(order, now)
        return self.pausing.answer(ok, now)

    def raise_floor(self, name: str, version_no: int) -> None:
        """Refuse claims on `name` with a version below `version_no` from now on."""
        promise = self.promised(name)
        self.promises.put(name, replace(promise, floor=max(promise.floor, version_no)))

    def set_floor(self, version_no: int) -> None:
        """Refuse claims on every shard with a version below `version_no`: that of the newest leader's commit."""
        for name, promise in list(self.promises.names.items()):
            if name.startswith("shard/") and not self.sealed:
                self.promises.put(name, replace(promise, floor=version_no))

    # -- votes lost or never had

    def copy(self) -> VotesCopy:
        """Return what this voter promised, for one that lost its votes."""
        lost = self.promises.state != "kept"
        return VotesCopy(
            self.server,
            lost,
            dict(self.promises.names),
            self.promises.pause,
            voters=self.promises.voters,
        )

    def wants_copies(self) -> bool:
        """Return whether the other voters should be asked with `CopyVotes`."""
        return self.promises.state != "kept" or not self.synced

    @property
    def synced(self) -> bool:
        """Return whether it knows all that was promised under the former voter set.

        Only then may the leader drop that set: of two sets a step apart any majorities meet, of two that
        are two steps apart not. Whoever counts with the same set adds nothing to what the former promised.
        """
        return not self.voters.old or majorities(
            VoterSet(0, self.voters.old), self._told | {self.server}
        )

    def counts_with(self, voter_set: VoterSet) -> None:
        """Vote with `voter_set` from now on; rounds of another are refused."""
        if not same(voter_set, self.voters):
            self._told = set()
        self.voters = voter_set

    def copied(self, copy: VotesCopy, now: Mono) -> None:
        """Take over the highest promises of `copy`."""
        if self.sealed or not self.wants_copies() or copy.server not in self._others():
            return
        if copy.voters and same(copy.voters, self.voters) and not copy.lost:
            self._told.add(copy.server)
            self.quarantine = max(self.quarantine, Mono(now + self.terms.lease_s))
        self._copies[copy.server] = copy
        for name, theirs in copy.promises.items():
            ours = self.promised(name)
            if theirs.epoch > ours.epoch:
                self._copied[name] = theirs.epoch
            self.promises.put(name, _joined(ours, theirs))
        if copy.pause:
            self.pausing.obey(copy.pause, now)

    def ready(self, now: Mono) -> bool:
        """Return whether it may vote again: a majority of the others was copied, or all are empty.

        A new server goes on with what it heard when its quarantine ends.
        """
        sound = {server for server, copy in self._copies.items() if not copy.lost}
        others = [[v for v in half if v != self.server] for half in halves(self.voters)]
        enough = all(len(sound & set(o)) > len(o) // 2 for o in others) or self._all_empty()
        return enough or (self.promises.state == "new" and now >= self.quarantine)

    def reset(self, draw: float, now: Mono) -> None:
        """Vote with the promises at hand, because it is `ready` or the operator says so.

        Epochs that it issued itself and forgot, with or without the peer's knowledge, must not be issued
        again: it goes on in a later generation, at a place that `draw` in [0, 1) makes unlike the place
        of a former loss; unless all voters are empty, at the first start of the cluster.
        """
        if not self._all_empty():
            seen = max((p.epoch for p in self.promises.names.values()), default=0)
            seen_generation = max(seen, self.promises.least) // SERVERS_MAX // N_MAX
            places = draw * GENERATIONS_SKIPPED
            n = int(places % 1 * N_SKIPPED) if self.promises.state == "lost" else 0
            self.promises.least = epoch(max(seen_generation, 1) + 1 + int(places), n, 0)
        if self.promises.state == "lost":
            self.quarantine = Mono(now + self.terms.lease_s)
        self.promises.state = "kept"
        self.promises.serial += 1

    @property
    def voter_set(self) -> int:
        """Return the version of the voter set that this voter counts with."""
        return self.voters.version

    def waits_for(self) -> tuple[int, ...]:
        """Return the servers whose votes this voter still misses; empty when it votes."""
        if self.promises.state != "lost":
            return ()
        sound = {c.server for c in self._copies.values() if not c.lost}
        return tuple(v for v in self._others() if v not in sound)

    # -- what it knows

    def promised(self, name: str) -> Promise:
        """Return what is promised for `name`; epoch 0 when nothing is."""
        return self.promises.names.get(name, NOTHING)

    def standing(self, now: Mono) -> tuple[Standing, ...]:
        """Return each lease as this voter sees it, by name."""
        return tuple(
            Standing(
                name,
                p.epoch,
                p.daemon,
                p.instance,
                live=not self._freed_at(name, p) and now < self._until.get(name, NEVER),
            )
            for name, p in sorted(self.promises.names.items())
        )

    def binds(self, name: str, now: Mono) -> bool:
        """Return whether somebody may hold the lease by this vote; after a start that is not known."""
        return now < self.quarantine or self._live(name, now)

    # -- the rules

    def _refused(self, asked: Round) -> str:
        if self.server not in members(self.voters):
            return f"server {self.server} is not a voter"
        theirs = asked.voters
        if asked.voter_set != self.voters.version or (theirs and not same(theirs, self.voters)):
            return f"voter set {self.voters.version} here, not {asked.voter_set}"
        return ""

    def _others(self) -> tuple[int, ...]:
        return tuple(v for v in sorted(members(self.voters)) if v != self.server)

    def _all_empty(self) -> bool:
        """Nobody has ever promised anything: the first start of the cluster."""
        heard = len(self._copies) == len(self._others())
        return heard and not any(copy.promises for copy in self._copies.values())

    def _bind(self, line: GrantLine | RenewLine, now: Mono) -> str:
        """Grant or count anew, or return why not; a grant may be repeated, a renewal catch up on one."""
        promise = self.promised(line.name)
        if line.epoch == promise.epoch and line.instance == promise.instance:
            if isinstance(line, GrantLine) and self._only_copied(line.name, promise, now):
                return "that was promised by others, another lease may be live here"
            return self._renew(line, promise, now)
        return self._grant(line, promise, now)

    def _renew(self, line: GrantLine | RenewLine, promise: Promise, now: Mono) -> str:
        if self.promises.state == "lost":
            return "votes lost"
        if line.epoch < self._highest(line.name):
            return f"epoch {self._highest(line.name)} is known"
        if self._freed_at(line.name, promise):
            return "given back"
        if why := self._blocked(promise, line.daemon):
            return why
        self._count(line.name, now)
        return ""

    def _grant(self, line: GrantLine | RenewLine, promise: Promise, now: Mono) -> str:
        if not self._above(line, promise):
            return f"promised {self._highest(line.name)} to {promise.daemon}"
        if why := self._refusal(line, now):
            return why
        self.promises.put(
            line.name,
            replace(
                promise,
                epoch=line.epoch,
                daemon=line.daemon,
                instance=line.instance,
                claim=max(promise.claim, line.claim),
            ),
        )
        self._count(line.name, now)
        return ""

    def _refusal(self, line: StatusLine | GrantLine | RenewLine, now: Mono) -> str:
        """Return why this voter would not grant the lease to that instance now, "" if it would."""
        promise = self.promised(line.name)
        if self.promises.state == "lost":
            return "votes lost"
        if self.sealed:
            return f"cannot write its votes: {self.sealed}"
        if why := self._blocked(promise, line.daemon):
            return why
        if not isinstance(line, RenewLine) and (why := self.pausing.refusal(promise, line.daemon, now)):
            return why  # of a renewal this voter missed the grant
        if not self._claim_stands(line, promise):
            return f"claim {line.claim} is below {promise.claim}, version {promise.floor}"
        own = promise.epoch and promise.instance == line.instance
        if own and not self._only_copied(line.name, promise, now):
            return ""
        if self._freed_at(line.name, promise):
            return ""
        if self._live(line.name, now):
            return f"held by {promise.daemon}, epoch {promise.epoch}"
        if now < self.quarantine:
            return f"started less than {self.terms.lease_s:g} s ago"
        return ""

    def _above(self, line: GrantLine | RenewLine, promise: Promise) -> bool:
        return line.epoch > promise.epoch and line.epoch >= self._highest(line.name)

    def _highest(self, name: str) -> Epoch:
        """Return the highest epoch known of `name`: promised or, of the arbiter's, in a claim or order."""
        epochs = [self.promised(name).epoch]
        if name == ARBITER:
            for promise in self.promises.names.values():
                epochs.append(promise.claim[0])
                if promise.revoked:
                    epochs.append(promise.revoked.arbiter_epoch)
        return max(epochs)

    def _claim_stands(self, line: StatusLine | GrantLine | RenewLine, promise: Promise) -> bool:
        """Not ordered by an older leader, nor for an older version, than what was granted or committed."""
        return line.claim >= promise.claim and line.claim[1] >= promise.floor

    def _blocked(self, promise: Promise, daemon: str) -> str:
        """Return why a revocation keeps the lease from `daemon`, "" if none does."""
        order = promise.revoked
        if order is None or promise.epoch > order.epoch or order.target == daemon:
            return ""
        return f"revoked for {order.target}"

    def _only_copied(self, name: str, promise: Promise, now: Mono) -> bool:
        """Return whether others promised that and this voter may still count the lease of somebody else."""
        return now < self.quarantine and self._copied.get(name) == promise.epoch

    def _live(self, name: str, now: Mono) -> bool:
        return now < self._until.get(name, NEVER)

    def _count(self, name: str, now: Mono) -> None:
        self._until[name] = Mono(now + self.terms.lease_s)

    def _release(self, line: ReleaseLine) -> None:
        promise = self.promised(line.name)
        if self._same_lease(line, promise):
            self._free(line.name, promise)

    def _free(self, name: str, promise: Promise) -> None:
        if not self._freed_at(name, promise):
            self._freed[name] = promise.epoch
            self.frees += 1

    def _same_lease(self, line: ReleaseLine, promise: Promise) -> bool:
        """A late release of an earlier epoch must not free the one its sender holds now."""
        return line.instance == promise.instance and line.epoch == promise.epoch

    def _own_keeper(self, server: int, promise: Promise) -> bool:
        """The epoch carries the server through which it was claimed."""
        return promise.epoch % SERVERS_MAX == server

    def _freed_at(self, name: str, promise: Promise) -> bool:
        return promise.epoch > 0 and self._freed.get(name) == promise.epoch

    def _answer(self, line: StatusLine | GrantLine | RenewLine, why: str) -> VoteLine:
        return VoteLine(line.name, line.instance, not why, self._highest(line.name), why)


def _joined(ours: Promise, theirs: Promise) -> Promise:
    """Return the promise that binds to all that either does."""
    top = theirs if theirs.epoch > ours.epoch else ours
    orders = [p.revoked for p in (ours, theirs) if p.revoked]
    return replace(
        top,
        claim=max(ours.claim, theirs.claim),
        floor=max(ours.floor, theirs.floor),
        revoked=max(orders, key=lambda o: (o.arbiter_epoch, o.epoch), default=None),
    )
