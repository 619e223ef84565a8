"""One shard at one scheduler, from "somebody may want me to run it" to "I run it" and back.

The one thing to know: the seat outlives the ownership. Body and copy stay when the lease is lost, so that
taking the shard up again needs nothing from anybody.
"""

import logging
from collections.abc import Callable, Mapping

from daemons.model.clock import Now
from daemons.model.cluster import Epoch, epoch_n
from daemons.model.objects import ShardBody
from daemons.roles.role import Call
from daemons.roles.shard.body import BodyFetch
from daemons.roles.shard.borrowing import Borrowing
from daemons.roles.shard.copy import ShardCopy
from daemons.roles.shard.handing import Coming, Leaving
from daemons.roles.shard.load import Loading
from daemons.roles.shard.owned import Inheritance, OwnedShard
from daemons.roles.shard.second_copy import ClaimsQuery
from daemons.roles.shard.state import Tokens
from daemons.roles.shard.store_sink import Store
from daemons.roles.standing import Standing
from daemons.wire.claims import ClaimsAsk, ClaimsKept
from daemons.wire.messages import (
    Accepted,
    Claimed,
    Copied,
    Done,
    Failed,
    Fence,
    Fenced,
    Fetch,
    Load,
    Message,
    NotMine,
    Placed,
    Replicate,
    Restored,
    Roster,
    Save,
    ShardHeld,
    Submit,
    Submitted,
    Want,
)
from daemons.wire.moves import DropMoved, Moved, TakeMoved
from daemons.wire.operations import HandOver
from daemons.wire.stores import Probe

log = logging.getLogger(__name__)

FENCE_S = 1.0  # a reactionner that is silent for so long is taken for dead
FENCE_IDLE_S = 0.3  # one that the leader has taken off (dead, or a spare): what it ran is in doubt sooner
DRAIN_S = 1.0  # the shard goes elsewhere: so long for what was said to become durable
TELL_S = 1.0  # for the last word of an owner; nobody waits for the answer
HAND_OVER_S = 4.0  # between two tries to hand commands to the owner
FENCED_S = 0.5  # told of a newer owner: the lease is left alone for so long

Journals = dict[str, Claimed | None]


class _Taking:
    """A take-over under way."""

    def __init__(self, epoch: Epoch, reactionners: tuple[str, ...], loading: Loading) -> None:
        self.epoch = epoch
        self.query = ClaimsQuery(0, epoch, ())  # nobody is asked
        self.loading = loading
        self.asked: set[str] = set(reactionners)
        self.claims: Journals = {}
        self.inherited = Inheritance({})
        self.making: OwnedShard | None = None  # not whole yet
        self.handed: HandOver | None = None
        self.since_mono = 0.0

    def ready(self, now: Now) -> bool:
        """Everything that can be known is known."""
        journals = self.asked == set(self.claims) and self.query.settled
        return journals and self.loading.ready(now)


class ShardSeat:
    """Body, copy and, while the lease is held, the shard itself."""

    def __init__(
        self,
        shard: int,
        me: str,
        tokens: Tokens,
        without: frozenset[str] = frozenset(),
        borrowing: Borrowing | None = None,
        keepers: tuple[str, ...] = (),
        stores: tuple[Store, ...] = (Store(),),
        place_of: Callable[[str], str] = str,
    ) -> None:
        """Nothing is known yet: wait for a roster. `borrowing` knows the pollers.

        `keepers`: all of the cluster, by name.
        """
        self.borrowing = borrowing or Borrowing(me)
        self.shard = shard
        self.lease = f"shard/{shard}"
        self.me = me
        self.placed: Placed | None = None
        self.bodies = BodyFetch(shard)
        self.copy = ShardCopy(shard)
        self.owned: OwnedShard | None = None
        self.why = ""
        self._tokens = tokens
        self._keepers = keepers
        self._without = without
        self._place_of = place_of  # on which server a scheduler is
        self._stores = () if "retention" in without else stores
        self._roster: Roster | None = None
        self._taking: _Taking | None = None
        self._spent: Epoch = 0  # epochs up to this one are never taken up again
        self._back_mono = 0.0
        self._drain_mono: float | None = None
        self._leaving = False
        self._orphans: dict[str, Submitted] = {}  # commands that a newer owner may not know
        self._orphans_mono = 0.0
        self.leaving = Leaving()
        self.coming = Coming()
        self.figures: dict[str, float] = {}  # of the last hand-over to here
        self._gone: dict[int, str] = {}  # shards that the newest configuration took away: who had them
        self._served: set[str] = set()  # reactionners that served the shard, as far as was heard

    # -- what it is

    @property
    def making(self) -> bool:
        """Objects are being made or copied: the sooner the next tick comes, the better."""
        if self.owned is not None:
            return self.owned.journal.gathering or self.owned.rebodying
        return self._taking is not None and self._taking.making is not None

    @property
    def switching(self) -> bool:
        """The shard is being handed over, from here or to here: every moment counts."""
        handed = self.coming.handed is not None and self.owned is None
        return self.leaving.under_way or handed

    @property
    def mine(self) -> bool:
        """The roster places the shard here."""
        return self.placed is not None and self.placed.scheduler == self.me

    @property
    def held(self) -> ShardHeld:
        """What is said of the shard in the report."""
        owned = self.owned
        if owned is not None:
            phase, epoch = "active", owned.epoch
        elif self._taking is not None:
            phase, epoch = "loading", self._taking.epoch
        else:
            phase, epoch = "claiming" if self.mine and self.bodies.body else "standby", 0
        position = (self.copy.epoch, self.copy.n)
        if owned is not None:
            position = (owned.epoch, owned.journal.durable_n)
        version = owned.version if owned is not None else self.bodies.version
        return ShardHeld(self.shard, version, epoch, phase, *position)

    def want(self, now: Now) -> Want | None:
        """Return the lease that this seat wants to get or keep; under an epoch above all it was told of."""
        if self._roster is None or now.mono < self._back_mono:
            return None
        if self.mine and not self._leaving:
            if self.bodies.body is None:
                return None
            return Want(self.lease, self._roster.epoch, self._roster.n, self._spent)
        if self.owned is not None and (self._drain_mono is not None or not self._leaving):
            return Want(self.lease, self._roster.epoch, self._roster.n)
        return None

    # -- entries

    def place(self, placed: Placed | None, roster: Roster, now: Now) -> None:
        """Follow the roster: run the shard, stand by for it, or hand it over."""
        was_mine = self.mine
        self._note_gone(roster)
        self.placed, self._roster = placed, roster
        if placed is not None:
            self._served.update(placed.reactionners)
        if self.owned is None:
            if not self.mine:
                self.coming.not_here(now)
            elif not was_mine and self.copy.epoch:
                self.coming.announce(now)
            return
        if placed is not None and self.mine and not self._leaving:
            self._drain_mono = None
            self.owned.draining = False
            self.leaving.stay(self.owned, now)
            self._place_owned(placed, roster)
        elif self._drain_mono is None and "fencing" not in self._without:
            if placed is not None and self.leaving.begin(self.owned, placed.scheduler, now):
                return
            self._drain_mono = now.mono + DRAIN_S
            self.owned.draining = True
            self.why = "the roster places the shard elsewhere"

    def _place_owned(self, placed: Placed, roster: Roster | None) -> None:
        assert self.owned is not None
        self.owned.place(placed, self.me, self._place_of(placed.standby))
        shards = roster.shards if roster is not None else ()
        first = min((p.id for p in shards if p.realm == placed.realm), default=self.shard)
        self.owned.state.speaks = self.shard == first

    def _note_gone(self, roster: Roster) -> None:
        """Remember who had the shards that the newest configuration took away."""
        before = self._roster
        if before is None or before.config_n != roster.config_n:
            self._gone = {}
        here = {p.id for p in roster.shards}
        if before is not None and roster.config_n:
            self._gone |= {p.id: p.scheduler for p in before.shards if p.scheduler}
        self._gone = {shard: name for shard, name in self._gone.items() if shard not in here}

    def drain(self, now: Now, why: str) -> None:
        """Hand the shard over for good: lend no more, make durable what was said."""
        self._leaving = True
        if self.owned is not None and self._drain_mono is None:
            self._drain_mono = now.mono + DRAIN_S
            self.owned.draining = True
            self.why = why

    def tick(self, standing: Standing, now: Now) -> list[Call]:
        """Return what is due in this phase."""
        calls: list[Call] = []
        if self.placed is not None and self._roster is not None:
            calls += self.bodies.tick(self.placed.version, self._roster.leader, now)
        epoch = standing.holds(self.lease, now)
        owned = self.owned
        if owned is not None:
            if epoch != owned.epoch:
                self.lose("the lease was lost", now)
                return calls
            calls += owned.tick(now, degraded=standing.degraded)
            if self._roster is not None:
                calls += owned.take_moved(self._roster, self._gone, now)
            if self.leaving.under_way:
                return calls + self._leave(standing, now)
            if self._drain_mono is not None and (owned.idle or now.mono >= self._drain_mono):
                self.lose(self.why, now)
            return calls
        if epoch > self._spent and self.mine and not self._leaving and self.bodies.body is not None:
            return calls + self._take_up(epoch, standing, now)
        self._taking = None
        if not self.mine:
            self.coming.not_here(now)
        return calls + self.copy.tick(now) + self._hand_over(now)

    def answered(
        self, call: Call, answer: Message, standing: Standing, now: Now
    ) -> list[Call]:
        """Take the outcome of a call that this seat made."""
        message = call.message
        if isinstance(message, Fetch):
            if self.bodies.answered(message, answer, now):
                self._new_body(now)
            return []
        if isinstance(message, Save) and message.local:
            self.copy.saved(message, answer, isinstance(answer, (Failed, Fenced)))
            return []
        if isinstance(message, (Save, Replicate, Probe)):
            calls = self._flushed(call, answer, now)
            return calls + (self._leave(standing, now) if self.leaving.under_way else [])
        if isinstance(message, Submit):
            if isinstance(answer, Accepted):
                for settled in (*answer.durable, *answer.foreign, *answer.refused):
                    self._orphans.pop(settled, None)
            return []
        if isinstance(message, (TakeMoved, DropMoved)):
            if self.owned is not None and isinstance(message, TakeMoved):
                self.owned.moving.answered(message, answer, now)
            elif self.owned is not None and isinstance(message, DropMoved):
                self.owned.moving.confirmed(message, answer)
            return []
        if isinstance(message, ClaimsAsk):
            return self._claims_heard(call, answer, standing, now)
        taking = self._taking
        if taking is None:
            return []
        if isinstance(message, Fence) and message.epoch == taking.epoch:
            if isinstance(answer, Fenced):
                self._fenced(answer.highest, now)
                return []
            taking.claims[call.to] = answer if isinstance(answer, Claimed) else self._unheard(call.to)
        if isinstance(message, Load):
            taking.loading.answered(message, answer)
        return self._begin(standing, now)

    def _claims_heard(self, call: Call, answer: Message, standing: Standing, now: Now) -> list[Call]:
        """Take what a keeper knows of claims: for the take-over, or while the shard is owned."""
        assert isinstance(call.message, ClaimsAsk)
        taking, owned, epoch, fenced = self._taking, self.owned, call.message.epoch, 0
        if taking is not None and taking.epoch == epoch:
            fenced = taking.query.hear(call, answer)
        elif owned is not None and owned.epoch == epoch:
            fenced = owned.claims_heard(call, answer)
        if fenced:
            self._fenced(fenced, now)
            return []
        return self._begin(standing, now)

    def replicate(self, sent: Replicate, now: Now) -> Copied | Fenced | NotMine:
        """Keep what another owner sends; a newer one ends our own ownership."""
        ours = self.owned.epoch if self.owned is not None else 0
        if self._taking is not None:
            ours = self._taking.epoch
        if ours and sent.epoch <= ours:
            return Fenced(self.lease, ours)
        if ours:
            self._fenced(sent.epoch, now)
        return self.copy.take(sent)

    def handed(self, said: HandOver, now: Now) -> Message:
        """Take the last word of the owner before; it counts once the lease is here.

        The owner may have heard a few milliseconds earlier than we that the shard goes here.
        """
        if self.owned is not None or said.version != self.bodies.version or self.placed is None:
            return NotMine(f"{self.me} does not expect shard {self.shard} at {said.version}")
        self.coming.take(said, now)
        return Done()

    def lose(self, why: str, now: Now) -> None:
        """Stop at once: what was owned becomes a copy."""
        owned, self.owned, self._taking = self.owned, None, None
        self._drain_mono = None
        if self.leaving.under_way and owned is not None:
            self.leaving.abort(owned, why, now)
        self.why = why
        if owned is None:
            return
        log.warning(
            "left shard=%d scheduler=%s epoch=%d why=%r",
            self.shard, self.me, epoch_n(owned.epoch), why,
        )  # fmt: skip
        self._spent = max(self._spent, owned.epoch)
        self._back_mono = now.mono + FENCED_S
        self._orphans.update((item.id, item) for item in owned.commands.unconfirmed())
        owned.journal.seal(now)
        self.copy.keep(owned.state.records(), owned.epoch, owned.journal.formed_n)

    def _leave(self, standing: Standing, now: Now) -> list[Call]:
        """Carry the hand-over on; once its last word is said, the shard is ours no more."""
        owned, placed = self.owned, self.placed
        if owned is None or placed is None or not self.leaving.under_way:
            return []
        stage = self.leaving.next(owned, placed.scheduler, now)
        if stage == "":
            self.why = self.leaving.why_not
            log.warning("goes on with shard=%d scheduler=%s why=%r", self.shard, self.me, self.why)
        if stage != "ready":
            return []
        said = owned.hand_over(self.borrowing.heard(now), self.leaving.sent(now), now)
        self.lose(f"handed over to {placed.scheduler}", now)
        standing.hurry()
        return [Call(placed.scheduler, said, TELL_S, lane=f"handover/{self.shard}")]

    # -- taking over

    def _take_up(self, epoch: Epoch, standing: Standing, now: Now) -> list[Call]:
        taking = self._taking
        if taking is None or taking.epoch != epoch:
            members = self._roster.members if self._roster is not None else ()
            waits = {
                m.name: FENCE_S if m.active else FENCE_IDLE_S for m in members if m.role == "reactionner"
            }
            loading = Loading(self.shard, self._stores, (self.copy.epoch, self.copy.n))
            taking = self._taking = _Taking(epoch, tuple(waits), loading)
            fence = Fence(self.shard, epoch)
            calls = [Call(name, fence, wait_s, lane=f"fence/{self.shard}") for name, wait_s in waits.items()]
            handed = self.coming.usable(epoch, (self.copy.epoch, self.copy.n))
            if handed is not None and "retention" not in self._without:
                taking.handed, taking.since_mono = handed, now.mono
                taking.asked = set()  # the owner before says what they have
                taking.loading = Loading(self.shard, (), (self.copy.epoch, self.copy.n))
                return calls + taking.loading.tick(now) + self._begin(standing, now)
            taking.query = ClaimsQuery(self.shard, epoch, self._keepers)
            return calls + taking.query.calls() + loading.tick(now)
        return taking.loading.tick(now) + self._begin(standing, now)

    def _unheard(self, reactionner: str) -> Claimed | None:
        """What a silent reactionner may have run: nothing, if it never served while the journal was followed.

        None = nobody knows. A seat without a copy has followed nothing.
        """
        if self.copy.epoch and reactionner not in self._served:
            return Claimed(self.shard)
        return None

    def _begin(self, standing: Standing, now: Now) -> list[Call]:
        """Become active once everything that can be known is known and every object is made."""
        taking, body = self._taking, self.bodies.body
        if taking is None or not taking.ready(now) or body is None or self.placed is None:
            return []
        if standing.holds(self.lease, now) != taking.epoch:
            return []  # the last answer came long after it was asked for
        if taking.making is None:
            taking.inherited = (
                inherit(
                    taking.loading.restored(), self.copy, taking.claims, taking.query.answers,
                    self._without,
                )
                if taking.handed is None
                else Inheritance(
                    self.copy.records, (self.copy.epoch, self.copy.n), handed=taking.handed
                )
            )
            taking.making = OwnedShard(
                body, self.bodies.version, taking.epoch, taking.inherited, self._tokens, now,
                keepers=self._keepers, stores=self._stores, without=self._without,
                config_n=self._config_n, hold=self._config_n > 1 and self._may_arrive,
            )  # fmt: skip
        if not taking.making.make(now):
            return []
        inherited, self.owned = taking.inherited, taking.making
        if self.owned.version != self.bodies.version:
            self._take_body(self.owned, body, now)
        self._taking = None
        self._spent = taking.epoch
        self.copy.clear()
        self.copy.highest = taking.epoch
        self._place_owned(self.placed, self._roster)
        for item in self._orphans.values():
            self.owned.commands.submit(item, now, obeyed_before=True)
        self._orphans.clear()
        self.why = f"took over with {len(inherited.records)} records"
        if taking.handed is not None:
            self._was_handed(taking, taking.handed, now)
        self.coming.forget()
        silent = sorted(name for name, claim in taking.claims.items() if claim is None)
        log.info(
            "took shard=%d scheduler=%s epoch=%d records=%d complete=%s silent_reactionners=%s",
            self.shard, self.me, epoch_n(taking.epoch), len(inherited.records), inherited.complete,
            ",".join(silent) or "none",
        )  # fmt: skip
        for note in inherited.notes:
            log.warning("retention of shard=%d: %s", self.shard, note)
        return self.owned.tick(now, degraded=standing.degraded)

    def _was_handed(self, taking: _Taking, handed: HandOver, now: Now) -> None:
        """Reckon the gap: nothing was lent from the order to the owner before until now."""
        self.borrowing.expect(handed.pollers, now)
        lease_s = taking.since_mono - self.coming.heard_mono
        gap_s = handed.drain_s + now.mono - self.coming.heard_mono
        self.figures = {
            "handover_drain_s": round(handed.drain_s, 4),
            "handover_lease_s": round(lease_s, 4),
            "handover_start_s": round(now.mono - taking.since_mono, 4),
            "handover_gap_s": round(gap_s, 4),
        }
        self.why = f"was handed the shard, {gap_s:.2f} s without orders"

    def _hand_over(self, now: Now) -> list[Call]:
        """Return the commands that only we may know, for the owner of now. Known ids change nothing."""
        owner = self.placed.scheduler if self.placed is not None else ""
        if not self._orphans or owner in ("", self.me) or now.mono < self._orphans_mono:
            return []
        self._orphans_mono = now.mono + HAND_OVER_S
        items = tuple(self._orphans.values())[:200]
        return [Call(owner, Submit(self.me, items), 3.0, lane=f"orphans/{self.shard}")]

    def _new_body(self, now: Now) -> None:
        body = self.bodies.body
        if self.owned is not None and body is not None:
            self._take_body(self.owned, body, now)

    def _take_body(self, owned: OwnedShard, body: ShardBody, now: Now) -> None:
        owned.rebody(body, self.bodies.version, now, config_n=self._config_n, hold=self._may_arrive)

    @property
    def _config_n(self) -> int:
        return self._roster.config_n if self._roster is not None else 0

    @property
    def _may_arrive(self) -> bool:
        """There are other shards that objects may come from."""
        others = self._roster.shards if self._roster is not None else ()
        others_are = any(p.id != self.shard for p in others) or bool(self._gone)
        return not {"retention", "moving"} & self._without and others_are

    def give_moved(self, asked: TakeMoved) -> Moved | NotMine:
        """Answer for objects that left this shard."""
        if self.owned is None:
            return NotMine(f"{self.me} does not own shard {self.shard}")
        return self.owned.give_moved(asked, self._config_n)

    def _flushed(self, call: Call, answer: Message, now: Now) -> list[Call]:
        owned, message = self.owned, call.message
        assert isinstance(message, (Save, Replicate, Probe))
        if owned is None or message.epoch != owned.epoch:
            return []
        calls, fenced = owned.answered(call, answer, now)
        if fenced:
            self._fenced(fenced, now)
        return calls

    def _fenced(self, highest: Epoch, now: Now) -> None:
        if "fencing" in self._without:
            return
        self.lose(f"a newer owner has epoch {epoch_n(highest)}", now)
        self._spent = max(self._spent, highest)
        self._back_mono = now.mono + FENCED_S


def inherit(
    restored: Restored, copy: ShardCopy, claims: Mapping[str, Claimed | None],
    kept: tuple[ClaimsKept, ...], without: frozenset[str],
) -> Inheritance:  # fmt: skip
    """Return what a new owner starts from: the newer of stores and copy, holes filled from the other."""
    if "retention" in without:
        return Inheritance({}, claims=claims, kept=kept)
    stored = (restored.epoch, restored.n) if restored.found else (0, 0)
    copied = (copy.epoch, copy.n)
    unread = restored.unread  # who did not answer may have had more
    if copied >= stored:
        lost = 0 if copy.epoch else restored.missing
        return Inheritance(
            copy.records, copied, not (lost or unread), claims, kept=kept,
            lost=lost, notes=restored.notes if lost else (),
        )  # fmt: skip
    records = restored.records
    if restored.missing:
        records = {**copy.records, **records}  # ids once applied, lines once written: more is safer
    return Inheritance(
        records, stored, not (restored.missing or unread), claims, kept=kept,
        lost=restored.missing, notes=restored.notes,
    )  # fmt: skip
