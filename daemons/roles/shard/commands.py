"""External commands and passive results, applied once each, by id.

The one thing to know: an id that has been applied is a record "x/<id>" of the shard, kept with the same
delta as its effect; so a command that is sent again, also to a new owner, is only acknowledged.
"""

from collections import deque

from msgspec import Struct, msgpack

from daemons.model.clock import Now
from daemons.model.objects import host_of
from daemons.roles.shard.apply import Consumer
from daemons.roles.shard.bookings import Bookings
from daemons.roles.shard.checks import Checks
from daemons.roles.shard.flaps import Flaps
from daemons.roles.shard.moving import GIVE_UP_S, departed_wall
from daemons.roles.shard.obeying.given import NOT_HERE, Given, Parts
from daemons.roles.shard.obeying.numbers import Numbers
from daemons.roles.shard.obeying.table import TABLE
from daemons.roles.shard.passive import PASSIVE, Passive
from daemons.roles.shard.state import ShardState
from daemons.roles.shard.tell import Teller
from daemons.rules import lines
from daemons.rules.commands import COMMANDS, ExternalCommand, Refused, parse
from daemons.wire.messages import Submitted

SINGLE_MAX = 2_000  # commands kept for the other side of a split
IDS_MAX = 20_000  # applied ids remembered; a receiver has far fewer under way
_encode = msgpack.Encoder().encode
_BEHIND = {name for name in COMMANDS if "PROPAGATE" in name or "BEYOND" in name or "AND_CHILD" in name}


class Outcome(Struct, frozen=True):
    """What became of one id at one shard."""

    durable: bool = False
    foreign: bool = False
    refused: str = ""


class Commands:
    """The external commands of one shard."""

    def __init__(
        self, state: ShardState, checks: Checks, consumer: Consumer, bookings: Bookings,
        teller: Teller,
        flaps: Flaps,
    ) -> None:  # fmt: skip
        """Ids applied by former owners are known from the records."""
        self._state = state
        self._passive = Passive(state, consumer)
        self._teller = teller
        self._parts = Parts(state, checks, consumer, bookings, teller, flaps, Numbers(state))
        known = sorted(
            (msgpack.decode(value, type=float), key)
            for key, value in state.extra.items()
            if key.startswith("x/")
        )
        # id -> mark; what was inherited may be ours alone until our first delta is durable
        self._applied = {key[2:]: state.journal.formed_n + 1 for _, key in known}
        self._order: deque[str] = deque(key[2:] for _, key in known)
        self._refused: dict[str, str] = {}
        self._single: dict[str, tuple[int, Submitted]] = {}  # not known to the standby yet
        self._foreign: dict[str, None] = {}

    def submit(self, item: Submitted, now: Now, *, obeyed_before: bool = False) -> None:
        """Apply `item` unless its id is known. `outcome` says what became of it.

        `obeyed_before`: by another owner, whose state was lost; what it told may be told again, tagged.
        """
        if item.id in self._applied:
            return
        parsed = parse(item.line)
        if isinstance(parsed, Refused):
            self._note(self._refused, item.id, parsed.why)
            return
        if not self._state.globals.check_external_commands:
            self._note(self._refused, item.id, "check_external_commands is 0: none is obeyed")
            return
        scope = COMMANDS[parsed.name].scope
        if self._moving(parsed, scope, now):
            self._foreign.pop(item.id, None)
            return  # no answer yet: it is given again until one shard has the object
        if scope in ("host", "service") and not self._ours(parsed):
            self._note_foreign(item.id)
            return
        self._teller.obeyed_before = obeyed_before
        refused = self._apply(parsed, item, now)
        self._teller.obeyed_before = False
        if refused is NOT_HERE:
            self._note_foreign(item.id)
            return
        self._foreign.pop(item.id, None)
        if refused:
            self._note(self._refused, item.id, refused)
            return
        self._state.figures["commands_applied"] += 1
        self._remember(item.id, now)
        if parsed.name not in PASSIVE:
            self._note_single(item)

    def outcome(self, command_id: str) -> Outcome:
        """Return what became of a submitted id."""
        mark = self._applied.get(command_id)
        if mark is not None:
            return Outcome(durable=self._state.journal.is_durable(mark))
        if command_id in self._refused:
            return Outcome(refused=self._refused[command_id])
        return Outcome(foreign=command_id in self._foreign)

    def unconfirmed(self) -> tuple[Submitted, ...]:
        """Return the commands that no standby has said it knows, oldest first, at most SINGLE_MAX.

        After a split of two servers the side that yields hands them to the other. Passive results are
        left out: what they said is old by then.
        """
        confirmed_n = self._state.journal.standby.confirmed_n
        return tuple(item for mark, item in self._single.values() if mark > confirmed_n)

    # -- inside

    def _note_single(self, item: Submitted) -> None:
        confirmed_n = self._state.journal.standby.confirmed_n
        single = self._single
        while single:
            oldest = next(iter(single))
            if single[oldest][0] > confirmed_n and len(single) < SINGLE_MAX:
                break
            del single[oldest]
        single[item.id] = (self._applied[item.id], item)

    def _apply(self, command: ExternalCommand, item: Submitted, now: Now) -> str:
        """Obey `command`. Returns why not, "" when it was, NOT_HERE when it names nothing of this shard."""
        if command.name in PASSIVE:
            return self._passive.obey(command, now)
        action = TABLE.get(command.name)
        if action is None:
            return f"{command.name} is not handled yet"
        aloud = self._speaks_of(command) and item.id not in self._foreign
        if aloud and self._state.globals.log_external_commands:
            self._state.journal.log(lines.external_command(item.line), now)
        why = action(Given(self._parts, command, item, now))
        if aloud and why and why is not NOT_HERE:
            self._state.journal.log(lines.command_failed(item.line, why), now)
        return why

    def _speaks_of(self, command: ExternalCommand) -> bool:
        """Whether this shard logs `command`: what every shard obeys, one of its realm does."""
        return self._state.speaks or COMMANDS[command.name].scope in ("host", "service")

    def _moving(self, command: ExternalCommand, scope: str, now: Now) -> bool:
        """Whether an object that it may be about is on its way from or to another shard."""
        state = self._state
        if scope not in ("host", "service"):
            return bool(state.held) and self._meets_held(command, scope)
        names = (host_of(command.args[0]), ";".join(command.args[:2]))
        if any(name in state.held for name in names) or (state.held and command.name in _BEHIND):
            return True
        return any(
            now.wall - departed_wall(record) < GIVE_UP_S
            for name in names
            if name not in state.items and (record := state.extra.get("m/" + name)) is not None
        )

    def _meets_held(self, command: ExternalCommand, scope: str) -> bool:
        """Whether a command about a group, or about what is found by number, may be about what is held."""
        state = self._state
        if scope == "global":
            return command.name.startswith("DEL_")
        groups = {"hostgroup": state.hostgroups, "servicegroup": state.servicegroups}.get(scope, {})
        group = groups.get(command.args[0])
        hosts = {host_of(key) for key in state.held}
        return group is not None and any(host_of(member) in hosts for member in group.members)

    def _ours(self, command: ExternalCommand) -> bool:
        return host_of(command.args[0]) in self._state.items

    def _remember(self, command_id: str, now: Now) -> None:
        state = self._state
        state.keep("x/" + command_id, _encode(float(now.wall)))
        state.journal.hurry(now)
        self._applied[command_id] = state.journal.mark
        self._order.append(command_id)
        while len(self._order) > IDS_MAX:
            old = self._order.popleft()
            del self._applied[old]
            state.forget("x/" + old)

    def _note_foreign(self, command_id: str) -> None:
        self._foreign[command_id] = None
        _trim(self._foreign)

    def _note(self, notes: dict[str, str], command_id: str, why: str) -> None:
        notes[command_id] = why
        _trim(notes)


def _trim(notes: dict[str, None] | dict[str, str]) -> None:
    while len(notes) > IDS_MAX:
        del notes[next(iter(notes))]
