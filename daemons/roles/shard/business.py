"""Business rules and the other checks that a scheduler carries out itself: `bp_rule`, `_echo`, `_internal_host_up`.

The one thing to know: a rule is worked out when its check is due and also as soon as the hard state of an
object in it has changed; the latter is a result only if it differs, so it never counts as a retry. What
comes out goes the way of every result, so it is soft, hard, kept and told like one.
"""

from collections.abc import Iterable
from itertools import islice

from daemons.config.business import rule_of
from daemons.model.clock import Now
from daemons.model.objects import Key
from daemons.model.relations import objects_in
from daemons.model.status import OK, SOFT, UNKNOWN, UP
from daemons.roles.shard.apply import Consumer, Heard
from daemons.roles.shard.checks import Checks
from daemons.roles.shard.command_lines import CommandLines
from daemons.roles.shard.gate import Gate
from daemons.roles.shard.rule_trees import Rules
from daemons.roles.shard.state import Item, ShardState
from daemons.rules.business import output, state_of, status_macros
from daemons.rules.output import split
from daemons.rules.state import host_state
from daemons.rules.template import Lookup, chain

LOOKS_A_TICK = 500  # rules worked out in one tick: the beat is not held up
HOST_UP = "Host assumed to be UP"


class Business:
    """Carries out the checks of one shard that need no poller."""

    def __init__(
        self, state: ShardState, lines: CommandLines, rules: Rules, gate: Gate, checks: Checks,
        consumer: Consumer,
    ) -> None:  # fmt: skip
        """Every rule is looked at with the first tick: something may have changed before it was ours."""
        self._state = state
        self._lines = lines
        self._rules = rules
        self._gate = gate
        self._checks = checks
        self._consumer = consumer
        self._waiting: dict[Key, None] = {}
        self.begin()

    def begin(self) -> None:
        """Look at every rule with the next tick; what was said from outside last is left until it is due."""
        items = self._state.items
        for key in self._rules.keys:
            if key in items and not items[key].status.passive:
                self._waiting[key] = None

    def changed(self, keys: Iterable[Key]) -> None:
        """Look at the rules that these objects are in with the next tick: their hard states have changed."""
        for key in keys:
            self._waiting.update(dict.fromkeys(self._rules.above(key)))

    def tick(self, now: Now) -> None:
        """Carry out what is due, then look at the rules whose objects have changed."""
        for due in self._checks.internal(now, LOOKS_A_TICK):
            self._waiting.pop(due.key, None)
            self._carry_out(due, now)
        for key in list(islice(self._waiting, LOOKS_A_TICK)):
            del self._waiting[key]
            item = self._state.items.get(key)
            if item is not None:
                self._look(item, now)

    def _carry_out(self, item: Item, now: Now) -> None:
        """Run a check that is due."""
        command = self._lines.internal(item, now)
        rule = rule_of(command)
        status = item.status
        if rule is not None:
            said = self._said(item, rule, now)
            if said is None:
                self._checks.schedule(item, now, retry=False)
            else:
                self._consume(item, *said, now)
        elif command.partition("!")[0].strip() == "_echo":
            code = (OK if status.state == UP else 2) if item.is_host else status.state
            text = f"{status.output}|{status.perfdata}" if status.perfdata else status.output
            self._consume(item, code, text, now)
        else:
            self._consume(item, OK, HOST_UP, now)

    def _look(self, item: Item, now: Now) -> None:
        """Work out a rule before its time; it is a result if the state is another one."""
        rule = rule_of(self._lines.internal(item, now))
        status, traits = item.status, item.traits
        if rule is None:
            if self._rules.tree(item.key) is not None and not traits.check_modulations:
                self._rules.drop(item.key)
            return
        said = self._said(item, rule, now) if self._gate.open(item, now) else None
        if said is None:
            return
        code, text = said
        if self._differs(item, code, now):
            self._consume(item, code, text, now)
        elif status.checked:
            self._reword(item, text)

    def _reword(self, item: Item, text: str) -> None:
        """Give `item` another output for the state it has."""
        status = item.status
        parts = split(text, self._state.globals.max_plugins_output_length)
        if (status.output, status.long_output, status.perfdata) != (parts.first, parts.long, parts.perfdata):
            status.output, status.long_output, status.perfdata = parts.first, parts.long, parts.perfdata
            self._state.changed(item)

    def _differs(self, item: Item, code: int, now: Now) -> bool:
        status = item.status
        if item.traits.result_modulations:
            code = self._state.modulations.exit_code(item.traits, code, now.wall)
        if not item.is_host:
            return code != status.state
        return (self._shown(item, code) == UP) != (status.state == UP)

    def _shown(self, item: Item, code: int) -> int:
        """Return the state, of a host or service, that a rule's result makes."""
        aggressive = self._state.globals.use_aggressive_host_checking
        return host_state(code, aggressive) if item.is_host else code

    def _said(self, item: Item, rule: str, now: Now) -> tuple[int, str] | None:
        """Return state and output of a rule, None while it cannot be known."""
        tree = self._rules.now(item, rule, now)
        if isinstance(tree, str):
            return UNKNOWN, f"the business rule cannot be used: {tree}"
        keys = objects_in(tree)
        if self._state.held and not self._state.held.isdisjoint(keys):
            return None  # on their way here from another shard
        code = state_of(tree, self._rules.element)
        template = item.traits.business.output_template if item.traits.business else ""
        if not template:
            return code, ""
        own = status_macros(self._shown(item, code), is_host=item.is_host, full_name=_full_name(item))
        problems = [self._problem(key, now) for key in keys if self._rules.element(key) != OK]
        return code, output(template, chain(own, self._lines.lookup(item, now)), problems)

    def _problem(self, key: Key, now: Now) -> Lookup:
        """Return the macros of an object in a rule."""
        item = self._state.items.get(key)
        if item is None:
            return status_macros(UNKNOWN, is_host=False, full_name=key.replace(";", "/"))
        status = status_macros(
            item.status.last_hard_state, is_host=item.is_host, full_name=_full_name(item)
        )
        return chain(status, self._lines.lookup(item, now))

    def _consume(self, item: Item, code: int, text: str, now: Now) -> None:
        status = item.status
        status.applied_epoch, status.applied_seq = self._state.epoch, status.next_seq
        status.next_seq += 1
        self._checks.done(item, now.wall)
        self._consumer.consume(item, Heard(code, text, now.wall, own=True), now)
        if status.state_type == SOFT and not (item.slot or item.ready):
            # Without any interval: nothing else would ever confirm it.
            self._checks.check_at(
                item, now.wall + self._state.globals.interval_length_s, now, forced=False
            )


def _full_name(item: Item) -> str:
    return item.key.replace(";", "/", 1)
