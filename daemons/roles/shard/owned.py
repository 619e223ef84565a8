"""One shard that this scheduler owns: its parts put together, and the entries the role uses.

The one thing to know: `OwnedShard` lives exactly as long as one epoch. When the lease is lost the whole
object is dropped, so nothing of an old epoch can leak into the next.
"""

from collections.abc import Iterator, Mapping

import msgspec

from daemons.ha.claims import second_copy
from daemons.model.check import Result
from daemons.model.clock import Now
from daemons.model.cluster import Epoch, epoch_n
from daemons.model.objects import Key, ShardBody
from daemons.model.status import Status
from daemons.roles.role import Call
from daemons.roles.shard.apply import Consumer, Heard
from daemons.roles.shard.bookings import Bookings
from daemons.roles.shard.brok_desk import BrokDesk
from daemons.roles.shard.business import Business
from daemons.roles.shard.checks import Checks
from daemons.roles.shard.command_lines import CommandLines
from daemons.roles.shard.commands import Commands
from daemons.roles.shard.flaps import Flaps
from daemons.roles.shard.freshness import FreshnessWatch
from daemons.roles.shard.gate import Gate
from daemons.roles.shard.impacts import Impacts
from daemons.roles.shard.introduce import Introductions
from daemons.roles.shard.maintenance import PREFIX as MAINTENANCE
from daemons.roles.shard.maintenance import Maintenance
from daemons.roles.shard.moving import KEPT_S, Moving, arrive, departed_wall, keys_of, newest
from daemons.roles.shard.moving import without as less
from daemons.roles.shard.outbox import Outbox
from daemons.roles.shard.records import readable
from daemons.roles.shard.rule_trees import Rules
from daemons.roles.shard.second_copy import RUNS_S, ClaimsQuery
from daemons.roles.shard.side import WAITING_MAX, Side
from daemons.roles.shard.state import SLICE, Item, ShardState, Tokens
from daemons.roles.shard.store_sink import Store
from daemons.roles.shard.tell import Teller
from daemons.roles.shard.transitions import Transitions
from daemons.wire.claims import ClaimsKept
from daemons.wire.messages import Batch, Claimed, Message, Placed, Roster
from daemons.wire.moves import DropMoved, Moved, TakeMoved
from daemons.wire.operations import HandOver

_decode_results = msgspec.msgpack.Decoder(list[Result]).decode


class Inheritance(msgspec.Struct, frozen=True):
    """What a new owner starts from."""

    records: dict[str, bytes]
    position: tuple[Epoch, int] = (0, 0)
    complete: bool = True  # no record is known to be lost
    claims: Mapping[str, Claimed | None] = {}  # journals by reactionner, None = it did not answer
    handed: HandOver | None = None  # the owner before told everything itself
    kept: tuple[ClaimsKept, ...] = ()  # what the keepers know of claims
    lost: int = 0  # records, at most, that no copy had in their newest form
    notes: tuple[str, ...] = ()  # which store lost what


CLEAR_S = 60.0  # between two looks for what nobody asked for
STALE_SHOWN_S = 600.0  # what was lost at the take-over is a problem for so long
LISTEN_S = 0.6  # a new owner hears the pollers for so long before it orders checks


class OwnedShard:
    """One shard under one epoch."""

    def __init__(
        self,
        body: ShardBody,
        version: str,
        epoch: Epoch,
        inherited: Inheritance,
        tokens: Tokens,
        now: Now,
        *,
        keepers: tuple[str, ...] = (),
        stores: tuple[Store, ...] = (Store(),),
        without: frozenset[str] = frozenset(),
        config_n: int = 0,
        hold: bool = False,
    ) -> None:
        """Go on from `inherited` under `epoch`: nothing but `make` may be called until it is whole.

        `hold`: objects without a record may be another shard's still (configuration `config_n` moved them).
        """
        held: frozenset[Key] = frozenset()
        if hold:
            held = frozenset(key for key in keys_of(body) if "o/" + key not in inherited.records)
        self.state = ShardState(less(body, held), epoch, tokens, now, stores=stores, without=without)
        self.state.held = held
        self.moving = Moving(body.id)
        self.moving.hold(held, now)
        self._body = body  # with what is held
        self._config_n = config_n
        self._let_go_mark = 1  # of the delta that says so
        self._begun_mark = 1  # of the delta that has what came from other shards
        self._cleared_mono = now.mono
        self.version = version
        self.epoch = epoch
        self.journal = self.state.journal
        self.placed: Placed | None = None
        self.draining = False
        self.sealed = False  # the last delta is formed or under way: nothing is taken or given any more
        self.handed = False  # in order, by the owner before
        self.began_mono = now.mono
        self.heard: set[str] = set()  # pollers that have exchanged with this owner
        self._keepers = keepers
        self._query: ClaimsQuery | None = None  # what a reactionner that is gone had claimed
        self._stale = 0
        self._stale_notes = inherited.notes
        self._stale_until_mono = now.mono + STALE_SHOWN_S
        self._making = self._make(inherited, now)
        self._rebody: Iterator[None] | None = None

    def make(self, now: Now) -> bool:
        """Make the next few thousand objects; return whether the shard is whole."""
        whole = next(self._making, True)
        if whole:
            self.began_mono = now.mono
        return whole

    def _make(self, inherited: Inheritance, now: Now) -> Iterator[bool]:
        """Put the parts together; yields False while there is more to do."""
        state = self.state
        records, corrupt = readable(inherited.records)
        state.figures["objects_corrupt"] += corrupt
        for _ in state.take_up(records, self._config_n, now.wall):
            yield False
        self._stale = inherited.lost
        # nobody ever ran an object of it: it begins with what operators set elsewhere
        self._new = bool(state.held) and not any(key.startswith("o/") for key in records)
        if not records and epoch_n(self.epoch) > 1:  # somebody had it before us, and nobody knows what
            self._stale = max(self._stale, len(state.items))
        self.lines = CommandLines(state, now.wall)
        self.outbox = Outbox(state)
        self.gate = Gate(state)
        self.checks = Checks(state, self.lines, self.gate, now)
        for _ in self.checks.begin(now, inherited.handed):
            yield False
        self.rules = Rules(state, self.lines)
        self.teller = Teller(
            state, self.lines, self.outbox, self.gate, self.rules.taken_care_of
        )
        self.teller.reminders.take_up(now)
        self.bookings = Bookings(state, self.teller, now)
        self.transitions = Transitions(state)
        self.maintenance = Maintenance(state, self.lines, self.bookings)
        self.maintenance.begin(now)
        self.flaps = Flaps(state, self.teller, self.bookings)
        self.side = Side(state, self.lines)
        self.impacts = Impacts(state, self.rules, now)
        self.consumer = Consumer(
            state, self.checks, self.teller, self.bookings, self.flaps, self.side, self.impacts
        )
        self.business = Business(
            state, self.lines, self.rules, self.gate, self.checks, self.consumer
        )
        self.commands = Commands(
            state, self.checks, self.consumer, self.bookings, self.teller, self.flaps
        )
        self.freshness = FreshnessWatch(state, self.checks, now)
        self.introductions = Introductions(state)
        self.introductions.begin(state.restored, now)
        state.restored = set()
        self.journal.ring.restore(records)
        self.journal.ring.lost_before(inherited.position)
        self.broks = BrokDesk(state)
        if inherited.handed is not None:
            self.broks.expect(inherited.handed.brokers, now)
        if inherited.handed is not None:
            self.outbox.go_on(inherited.records, inherited.handed, now)
            self.handed = True
        else:
            self.outbox.take_over(
                inherited.records, inherited.claims, inherited.kept, sure=inherited.complete,
                now=now,
            )  # fmt: skip
        state.shard_changed()
        self.journal.hurry(now)

    def listened(self, now: Now) -> bool:
        """Return whether every poller has had time to hand in what it holds of the owner before.

        A check ordered again before its last result is in would make that result a late one.
        """
        if self.handed or now.mono - self.began_mono >= LISTEN_S or self.placed is None:
            return True
        return self.heard.issuperset(self.placed.pollers)

    # -- results

    def take_results(self, batch: Batch, now: Now) -> int:
        """Apply a batch. Returns the mark of the journal: it is durable when that is."""
        try:
            results = _decode_results(batch.data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.state.figures["results_bad"] += batch.count
            return 0
        for result in results:
            self._take(result, now)
        return self.journal.mark

    def _take(self, result: Result, now: Now) -> None:
        state, figures = self.state, self.state.figures
        item = state.items.get(result.object)
        if item is None or result.shard != state.id:
            if result.shard == state.id and result.object.startswith(MAINTENANCE):
                self.maintenance.take(result, now)
            else:
                figures["results_foreign"] += 1
            return
        self.checks.returned(item, result.epoch, result.seq, now)
        if not self._fresh(item, result):
            figures["results_stale"] += 1
            return
        status = item.status
        status.applied_epoch, status.applied_seq = result.epoch, result.seq
        figures["results_applied"] += 1
        self.consumer.consume(
            item, Heard(result.code, result.output, result.started_wall, result.took_s), now
        )
        if self.outbox.doubts and result.epoch == self.epoch and item.status.state == 0:
            self.outbox.doubts.discard(item.key)

    def _fresh(self, item: Item, result: Result) -> bool:
        """Whether this run was ordered by an owner of the shard and nothing newer has been applied."""
        if "result-fencing" in self.state.without:
            return True
        status, epoch = item.status, result.epoch
        if epoch == self.epoch:
            issued = result.seq < status.next_seq
        else:
            issued = epoch < self.epoch
        return issued and (epoch, result.seq) > (status.applied_epoch, status.applied_seq)

    # -- time

    def tick(self, now: Now, *, degraded: bool) -> list[Call]:
        """Return what is due: deltas to the sinks. Moves due checks to the pollers' queues."""
        if self._stale and now.mono >= self._stale_until_mono:
            self._stale = 0
        self.state.degraded = degraded
        if self.sealed:
            return self.journal.tick(now)
        self._go_on()
        if not self.draining:
            self.freshness.tick(now)
            self.checks.turn(now)
            self._follow_changes(now)
        self.introductions.tick(now)
        self.transitions.tick(now)
        self.bookings.tick(now)
        self.maintenance.tick(now)
        self.teller.remind(now)
        self.outbox.tick(now, self.placed.reactionners if self.placed is not None else ())
        if now.mono - self._cleared_mono >= CLEAR_S:
            self._forget_departed(now)
        return self._clear_up(now) + self.journal.tick(now)

    def _follow_changes(self, now: Now) -> None:
        """Carry out checks that need no poller, and what hard states that have changed mean for others."""
        changed, self.state.hard_changed = self.state.hard_changed, {}
        self.business.changed(changed)
        self.business.tick(now)
        self.impacts.tick(now)

    def _clear_up(self, now: Now) -> list[Call]:
        """Ask the keepers what a reactionner that is gone had claimed, one question at a time."""
        query = self._query
        if query is not None and query.settled:
            self.outbox.clear_up(second_copy(query.answers, RUNS_S), now)
            self._query = None
        elif query is None and self.outbox.unclear:
            self._query = ClaimsQuery(self.state.id, self.epoch, self._keepers)
            return self._query.calls()
        return []

    def claims_heard(self, call: Call, answer: Message) -> Epoch:
        """Take a keeper's answer to that. Returns a higher epoch that fences us, 0 = none."""
        return self._query.hear(call, answer) if self._query is not None else 0

    def answered(self, call: Call, answer: Message, now: Now) -> tuple[list[Call], Epoch]:
        """Take a sink's answer. The second value is a higher epoch that fences us, 0 = none."""
        return self.journal.answered(call, answer, now)

    def place(self, placed: Placed, me: str, server: str) -> None:
        """Follow the roster: who serves the shard, and who stands by, on `server`."""
        self.placed = placed
        self.journal.follow(placed.standby if placed.standby != me else "", server)

    def seal(self, now: Now) -> None:
        """Take and give nothing more; what is pending becomes durable at once."""
        self.draining = self.sealed = True
        self.journal.finish(now)

    def unseal(self) -> None:
        """Go on as if nothing had been: nobody has taken over."""
        self.draining = self.sealed = False

    def hand_over(self, pollers: tuple[tuple[str, str], ...], drain_s: float, now: Now) -> HandOver:
        """Return the last word of this owner: where its journal ends and what is under way."""
        lent, forced = self.checks.handed_over(now)
        actions = self.outbox.hand_over(now)
        return HandOver(
            self.state.id, self.epoch, self.journal.formed_n, self.version, tuple(lent), pollers,
            tuple(forced), actions.given, actions.ran_before, actions.doubts, actions.unsure_s, drain_s,
            self.broks.serving(now),
        )  # fmt: skip

    def rebody(
        self, body: ShardBody, version: str, now: Now, *, config_n: int = 0, hold: bool = False
    ) -> None:
        """Take a new configuration without losing a state or an order; a big one over several ticks.

        `hold`: what is new here may have been another shard's, and is held until that has let it go.
        """
        while self.rebodying:
            self._go_on()
        self._body, self._config_n = body, config_n
        self._rebody = self._rebodying(body, version, now, hold)
        self._go_on()

    @property
    def rebodying(self) -> bool:
        """A new configuration is being taken: until then the old one is in force."""
        return self._rebody is not None

    def _go_on(self) -> None:
        if self._rebody is not None and next(self._rebody, self) is self:
            self._rebody = None

    def _rebodying(self, body: ShardBody, version: str, now: Now, hold: bool) -> Iterator[None]:
        new = frozenset(key for key in keys_of(body) if key not in self.state.items)
        held = new if hold else frozenset()
        yield from self._take_body(new - held, held, now)
        self.version = version
        self._let_go_mark = self.journal.mark
        self.moving.hold(held, now)

    def _begin_released(self, released: frozenset[Key], now: Now) -> Iterator[None]:
        """Let objects that were held become objects of the shard."""
        if self._new:
            self.state.adopt(self.moving.settings)
            for status in self.state.contact_status.values():
                self.bookings.contacts.take_up(status, now)
        self._new = False
        held = self.state.held - released
        yield from self._take_body(released, held, now)
        self._begun_mark = self.journal.mark
        self.moving.hold(held, now)

    def _take_body(self, new: frozenset[Key], held: frozenset[Key], now: Now) -> Iterator[None]:
        """Put the configuration in force, less what is `held`; what is `new` goes on as it was elsewhere."""
        state = self.state
        statuses = self._brought(new)
        yield from state.rebody(less(self._body, held), statuses, held, self._config_n, now.wall)
        self.lines.forget()
        self.rules.forget()
        self.business.begin()
        self.impacts.begin(now)
        for item in state.departed:
            self.checks.drop(item)
        for item in state.arrived:
            state.forget("m/" + item.key)
            self.bookings.take_up(item, now)
        self.teller.reminders.take_up(now)
        for index, item in enumerate(list(state.items.values()), 1):
            if index % SLICE == 0:
                yield
            if not (item.slot or item.ready or item.lent_to):
                self.checks.start(item, index - 1, now)
        self.maintenance.begin(now)
        self.introductions.arrived(state.arrived)
        for number, item in enumerate(state.arrived, 1):
            if number % SLICE == 0:
                yield
            state.changed(item)

    def _brought(self, new: frozenset[Key]) -> dict[Key, Status]:
        """Return the newest status that any shard kept of these objects, ours included."""
        statuses: dict[Key, Status] = {}
        for key in new:
            own = self.state.extra.get("m/" + key)
            records = [*self.moving.found.get(key, ()), *((own,) if own is not None else ())]
            status = newest(records)
            if status is not None:
                statuses[key] = arrive(status, self.epoch)
        return statuses

    # -- objects that move between shards

    def take_moved(self, roster: Roster, gone: dict[int, str], now: Now) -> list[Call]:
        """Ask for what is held, and begin what was released."""
        if self.sealed or self.draining or self.rebodying:
            return []
        calls = self.moving.tick(roster, gone, now)
        released = self.moving.released(now)
        if released:
            self._rebody = self._begin_released(released, now)
            self._go_on()
        elif self.journal.is_durable(self._begun_mark):
            calls += self.moving.confirm(roster, self.state.items, now)
        return calls

    def give_moved(self, asked: TakeMoved, config_n: int) -> Moved:
        """Answer for objects that went to another shard; `config_n` is the configuration of our roster."""
        state = self.state
        running = tuple(key for key in asked.keys if key in state.items or key in state.held)
        let_go = (
            config_n >= asked.config_n
            and not self.rebodying
            and self.placed is not None
            and self.placed.version == self.version
            and self.journal.is_durable(self._let_go_mark)
        )
        if running or not let_go:
            return Moved(asked.of, False, running)
        found = {key: record for key in asked.keys if (record := state.extra.get("m/" + key)) is not None}
        return Moved(asked.of, True, (), found, state.settings())

    def drop_moved(self, asked: DropMoved) -> None:
        """Forget what the new owner has."""
        for key in asked.keys:
            self.state.forget("m/" + key)

    def _forget_departed(self, now: Now) -> None:
        self._cleared_mono = now.mono
        for key, record in list(self.state.extra.items()):
            if key.startswith("m/") and now.wall - departed_wall(record) > KEPT_S:
                self.state.forget(key)

    @property
    def idle(self) -> bool:
        """Everything that was said is durable, nothing is under way."""
        return self.journal.idle

    def figures(self) -> dict[str, float]:
        """Return counters and gauges by name."""
        return {
            **self.state.figures,
            "objects": float(len(self.state.items)),
            "objects_held": float(len(self.state.held)),
            "checks_ready": float(self.checks.ready),
            "checks_lent": float(self.checks.lent),
            "actions_open": float(self.outbox.open),
            "actions_waiting": float(self.outbox.waiting),
            "actions_shed": float(self.outbox.shed),
            "actions_skipped": float(self.outbox.skipped),
            "side_waiting": float(self.side.waiting),
            "log_lines_shed": float(self.journal.ring.lines_shed),
            "delta_n": float(self.journal.durable_n),
            "standby_failures": float(self.journal.standby.failures),
            "retention_failures": float(sum(sink.failures for sink in self.journal.stores)),
            "retention_dirty": float(self._dirty()),
            "objects_stale": float(self._stale),
            "whole_copies": float(self.journal.standby.whole_copies),
        }

    def problems(self) -> list[str]:
        """Return sentences for an operator about what is not as it should be."""
        found = []
        durability = self.journal.durability
        if durability != "two servers":
            found.append(f"shard {self.state.id}: durability: {durability}")
        for sink in self.journal.stores:
            if sink.trouble:
                found.append(
                    f"shard {self.state.id}: retention store {sink.name} fails: {sink.trouble}"
                )
        if self.moving.trouble:
            found.append(self.moving.trouble)
        if self._stale:
            found.append(self._told_stale())
        if self.outbox.waiting > 1000:
            found.append(
                f"shard {self.state.id}: {self.outbox.waiting} notifications wait for a reactionner"
            )
        if self.side.waiting > WAITING_MAX // 2:
            found.append(
                f"shard {self.state.id}: {self.side.waiting} commands beside checks wait for a reactionner,"
                f" {self.state.figures['side_shed']:.0f} were dropped"
            )
        return found

    def _dirty(self) -> int:
        """Records that the store which lacks most does not have yet."""
        everything = len(self.state.items)
        lacking = (sink.dirty for sink in self.journal.stores)
        return max((everything if lacks < 0 else lacks for lacks in lacking), default=0)

    def _told_stale(self) -> str:
        why = "; ".join(self._stale_notes[:3]) or "no store and no standby had anything"
        more = len(self._stale_notes) - 3
        return (
            f"shard {self.state.id}: retention had lost {self._stale} records when the shard was taken over,"
            f" they are older or PENDING until checked: {why}" + (f"; and {more} more" if more > 0 else "")
        )
