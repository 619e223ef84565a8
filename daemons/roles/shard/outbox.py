"""Notifications and event handlers of a shard from the moment they are planned until they ran.

The one thing to know: each is a record "a/<id>" until its end is durable. An owner that takes over
judges each record by the reactionners' journals and the keepers' claims (ha/past.py): done is settled,
claimed nowhere is given out, and what nobody can know is told again, tagged; what must not run twice,
such as an event handler, is skipped when in doubt.
"""

import logging
from collections.abc import Iterable, Mapping

from msgspec import DecodeError, Struct, msgpack
from msgspec.structs import replace

from daemons.ha.claims import SecondCopy, second_copy
from daemons.ha.past import Past, past
from daemons.model.clock import Now
from daemons.model.cluster import Epoch
from daemons.roles.shard.command_lines import TAG
from daemons.roles.shard.second_copy import BEYOND_S, RUNS_S
from daemons.roles.shard.state import ShardState
from daemons.wire.claims import ClaimsKept
from daemons.wire.messages import Action, Claimed, Ran, TakeActions
from daemons.wire.operations import GivenOut, HandOver

log = logging.getLogger(__name__)

PLANNED_MAX = 20_000
PREFER_S = 5.0  # what a reactionner may have begun is offered to that one alone for so long
UNHEARD_S = 5.0  # a reactionner that does not ask for so long is gone
LEFT_S = 1.5  # one that has left the roster, too: it asks until what it runs has ended
AMBIGUOUS = -1  # code of an end that nobody knows
REPEATS_MAX = 3  # times that one action is told again because nobody knows
UNSURE_S = 600.0  # so long after an unsure take-over a command may come that was obeyed before it
_encode = msgpack.Encoder().encode


class Planned(Struct, array_like=True, kw_only=True, frozen=True):
    """One notification or event handler that has not ended yet; a record of retention."""

    id: str
    kind: str  # "notification", "handler"
    object: str
    command: str
    tagged_command: str = ""  # of a repeat; "" = the same
    env: dict[str, str] = {}
    timeout_s: float = 30.0
    reactionner_tag: str = ""
    tagged: bool = False
    planned_wall: float = 0.0
    epoch: Epoch = 0  # of the owner that planned it, or took it over
    once: bool = False  # skipped when in doubt; always so for handlers
    repeats: int = 0  # times it was told again because nobody knew


_decode = msgpack.Decoder(Planned).decode


class Given(Struct):
    """Who has it."""

    reactionner: str
    instance: str
    at_mono: float


class HandedActions(Struct, frozen=True):
    """How far the actions of a shard have come: fields of a `HandOver`."""

    given: tuple[GivenOut, ...]
    ran_before: tuple[str, ...]
    doubts: tuple[str, ...]
    unsure_s: float


class Outbox:
    """All planned actions of one shard."""

    def __init__(self, state: ShardState) -> None:
        """Start empty; `take_over` reads what a former owner planned."""
        self._state = state
        self._planned: dict[str, Planned] = {}
        self._waiting: dict[str, int] = {}  # id -> mark of the journal; not given to anybody
        self._given: dict[str, Given] = {}
        self._prefer: dict[str, tuple[str, float]] = {}  # id -> (reactionner, until mono)
        self._ending: dict[str, int] = {}  # id -> mark: its end is to become durable
        self._ran_before: set[str] = set()  # ids that journals call done at take-over
        self._heard: dict[str, tuple[str, float]] = {}  # reactionner -> (instance, mono)
        self.doubts: set[str] = set()  # objects whose last notifications may have been lost
        self._unclear: set[str] = set()  # given to a reactionner that is gone: the keepers are asked
        self.unsure_mono = 0.0  # until then what commands cause may have been told already
        self.shed = 0
        self.skipped = 0

    # -- planning

    def knows(self, action_id: str) -> bool:
        """Return whether this very message has been planned, or was run for a former owner."""
        return action_id in self._planned or action_id in self._ran_before

    def doubtful(self, key: str) -> bool:
        """Return whether new notifications for the object may repeat ones we do not know of."""
        return key in self.doubts

    def plan(self, planned: Planned, now: Now) -> None:
        """Give `planned` out once it is durable. Beyond PLANNED_MAX the oldest goes, counted."""
        if planned.id in self._planned or planned.id in self._ran_before:
            return
        if len(self._planned) >= PLANNED_MAX:
            self._drop(next(iter(self._planned)))
            self.shed += 1
        self._keep(planned, now)

    def take_over(
        self, records: Mapping[str, bytes], claims: Mapping[str, Claimed | None],
        kept: Iterable[ClaimsKept], *, sure: bool, now: Now,
    ) -> None:  # fmt: skip
        """Judge what a former owner planned. `claims` by reactionner, None = it did not answer.

        `kept`: what the keepers answered. `sure`: every record of the shard could be read.
        """
        plans: list[Planned] = []
        for key, value in sorted(pair for pair in records.items() if pair[0].startswith("a/")):
            try:
                plans.append(_decode(value))
            except DecodeError:
                self._state.figures["objects_corrupt"] += 1
                self._state.forget(key)
                sure = False
        longest_s = max((p.timeout_s + BEYOND_S for p in plans), default=0.0)
        known = past(claims, second_copy(kept, max(RUNS_S, longest_s)))
        for planned in plans:
            self._judge(planned, known, now)
        mine = {planned.id for planned in plans}
        unknown = [action_id for action_id in known.entries if action_id not in mine]
        self._ran_before.update(action_id for action_id in unknown if known.ran(action_id))
        if not known.sure or not sure or len(self._ran_before) < len(unknown):
            self.doubts = set(self._state.items)
            self.unsure_mono = now.mono + UNSURE_S

    def _judge(self, planned: Planned, known: Past, now: Now) -> None:
        untouched = known.untouched(planned.id, planned.epoch)
        planned = replace(planned, epoch=self._state.epoch)
        self._planned[planned.id] = planned
        if known.ran(planned.id):
            self._drop(planned.id)
        elif untouched:
            self._keep(planned, now)
        elif self._repeat(planned, now) and (began := known.of(planned.id)):
            self._prefer[planned.id] = (next(iter(began)), now.mono + PREFER_S)

    def _repeat(self, planned: Planned, now: Now) -> bool:
        """Nobody knows whether it ran: tell it again, tagged, or skip it. Returns whether it is told."""
        if _once(planned) or planned.repeats >= REPEATS_MAX:
            log.warning(
                "skips action=%s kind=%s object=%r why=%r", planned.id, planned.kind, planned.object,
                "it may have run, and must not run twice" if _once(planned) else "told again too often",
            )  # fmt: skip
            self.skipped += 1
            self._drop(planned.id)
            return False
        self._keep(replace(planned, tagged=True, repeats=planned.repeats + 1), now)
        return True

    def hand_over(self, now: Now) -> HandedActions:
        """Return what the next owner must know of what is under way; nothing may be given from now on."""
        given = tuple(
            GivenOut(action_id, given.reactionner, given.instance)
            for action_id, given in self._given.items()
        ) + tuple(GivenOut(action_id, "", "") for action_id in sorted(self._unclear))
        unsure_s = max(0.0, self.unsure_mono - now.mono)
        return HandedActions(given, tuple(sorted(self._ran_before)), tuple(sorted(self.doubts)), unsure_s)

    def go_on(self, records: Mapping[str, bytes], handed: HandOver, now: Now) -> None:
        """Go on with what the owner before planned and gave out: it says itself how far that has come."""
        given = {out.id: out for out in handed.given}
        self._ran_before = set(handed.ran_before)
        self.doubts = {key for key in handed.doubts if key in self._state.items}
        self.unsure_mono = now.mono + handed.unsure_s
        for key, value in sorted(pair for pair in records.items() if pair[0].startswith("a/")):
            try:
                planned = _decode(value)
            except DecodeError:
                self._state.figures["objects_corrupt"] += 1
                self._state.forget(key)
                continue
            out = given.get(planned.id)
            if out is None:
                self._keep(replace(planned, epoch=self._state.epoch), now)
                continue
            self._planned[planned.id] = planned
            self._state.keep("a/" + planned.id, value)
            self._given[planned.id] = Given(out.reactionner, out.instance, now.mono)

    # -- giving out

    def take(self, asked: TakeActions, now: Now) -> None:
        """Take note of what `asked` says ended, and of what never arrived."""
        self._heard[asked.reactionner] = (asked.instance, now.mono)
        for ran in asked.ended:
            if ran.shard == self._state.id:
                self._end(ran, asked.reactionner, now)
        has = {*asked.holding, *(ran.id for ran in asked.ended)}
        for action_id, given in list(self._given.items()):
            if given.reactionner == asked.reactionner and action_id not in has:
                self._again(
                    action_id
                )  # the answer was lost, or it was restarted: its journal knows

    def due(self, asked: TakeActions, now: Now) -> bool:
        """Return whether there is something to say to this reactionner."""
        return bool(self.settled(asked)) or any(True for _ in self._for(asked, now))

    def give(self, asked: TakeActions, want: int, now: Now) -> list[Action]:
        """Return up to `want` durable actions for this reactionner."""
        actions: list[Action] = []
        for planned in list(self._for(asked, now)):
            if len(actions) >= want:
                break
            del self._waiting[planned.id]
            self._prefer.pop(planned.id, None)
            self._given[planned.id] = Given(asked.reactionner, asked.instance, now.mono)
            actions.append(self._action(planned))
        return actions

    def settled(self, asked: TakeActions) -> list[str]:
        """Return the ids among those that ended whose end is durable or of no interest here."""
        durable = self._state.journal.is_durable
        return [
            ran.id
            for ran in asked.ended
            if ran.shard == self._state.id
            and (ran.id not in self._ending or durable(self._ending[ran.id]))
        ]

    def tick(self, now: Now, served: Iterable[str]) -> None:
        """Take back what reactionners have that are gone; `served` are those on the roster."""
        for action_id, mark in list(self._ending.items()):
            if self._state.journal.is_durable(mark) and len(self._ending) > 1000:
                del self._ending[action_id]
        names = set(served)
        for action_id, given in list(self._given.items()):
            heard = self._heard.get(given.reactionner, ("", given.at_mono))[1]
            patience_s = UNHEARD_S if given.reactionner in names else LEFT_S
            if now.mono - max(heard, given.at_mono) < patience_s:
                continue
            del self._given[action_id]
            self._unclear.add(action_id)

    @property
    def unclear(self) -> bool:
        """Whether the keepers must be asked what became of something; `clear_up` takes the answer."""
        return bool(self._unclear)

    def clear_up(self, second: SecondCopy, now: Now) -> None:
        """Judge what reactionners had that are gone, by what they claimed at the keepers."""
        known = past({"": None}, second)
        for action_id in sorted(self._unclear):
            planned = self._planned.get(action_id)
            if planned is None:
                continue  # its end was told after all
            if known.ran(action_id):
                self._drop(action_id)
                self._state.journal.hurry(now)
            elif known.sure and not known.of(action_id):
                self._again(action_id)
            else:
                self._repeat(planned, now)
        self._unclear.clear()

    @property
    def waiting(self) -> int:
        """Number of actions that nobody has yet."""
        return len(self._waiting)

    @property
    def open(self) -> int:
        """Number of actions planned and not ended."""
        return len(self._planned)

    # -- inside

    def _for(self, asked: TakeActions, now: Now) -> Iterable[Planned]:
        tags = {"" if tag in ("None", "none") else tag for tag in asked.tags} or {""}
        durable = self._state.journal.is_durable
        for action_id, mark in self._waiting.items():
            planned = self._planned[action_id]
            prefer = self._prefer.get(action_id)
            if prefer is not None and prefer[0] != asked.reactionner and now.mono < prefer[1]:
                continue
            if planned.reactionner_tag in tags and durable(mark):
                yield planned

    def _action(self, planned: Planned) -> Action:
        command, env = planned.command, planned.env
        if planned.tagged and planned.kind == "notification":
            command = planned.tagged_command or command
            env = {**env, "SHINKEN_NOTIFICATION_TAG": TAG}
        return Action(
            planned.id, self._state.id, self._state.epoch, planned.kind, command,
            planned.timeout_s, env, planned.tagged, planned.reactionner_tag, _once(planned),
        )  # fmt: skip

    def _end(self, ran: Ran, reactionner: str, now: Now) -> None:
        planned = self._planned.get(ran.id)
        if planned is None:
            return
        if ran.state == "expired":
            self._again(ran.id)
            return
        if ran.state == "refused" and ran.code == AMBIGUOUS:
            given = self._given.get(ran.id)
            earlier = ran.epoch < planned.epoch or (planned.tagged and not ran.tagged)
            if earlier or given is None or given.reactionner != reactionner:
                return  # of a try that has been judged already
            del self._given[ran.id]
            if self._repeat(planned, now):
                self._prefer[ran.id] = (reactionner, now.mono + PREFER_S)
            return
        self._drop(ran.id)
        self._state.journal.hurry(now)
        self._ending[ran.id] = self._state.journal.mark

    def _again(self, action_id: str) -> None:
        given = self._given.pop(action_id, None)
        if action_id in self._planned:
            self._waiting.setdefault(action_id, 0)
            if given is not None:
                self._prefer[action_id] = (given.reactionner, given.at_mono + PREFER_S)

    def _keep(self, planned: Planned, now: Now) -> None:
        self._planned[planned.id] = planned
        self._state.keep("a/" + planned.id, _encode(planned))
        self._state.journal.hurry(now)
        self._waiting[planned.id] = self._state.journal.mark

    def _drop(self, action_id: str) -> None:
        self._planned.pop(action_id, None)
        self._waiting.pop(action_id, None)
        self._given.pop(action_id, None)
        self._prefer.pop(action_id, None)
        self._unclear.discard(action_id)
        self._state.forget("a/" + action_id)


def _once(planned: Planned) -> bool:
    return planned.once or planned.kind == "handler"
