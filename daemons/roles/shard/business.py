"""Business rules and the other checks that a scheduler carries out itself: `bp_rule`, `_echo`, `_internal_host_up`.

The one thing to know: a rule is worked out when its check is due and also as soon as the hard state of an
object in it has changed; the latter is a result only if it differs, so it never counts as a retry. What
comes out goes the way of every result, so it is soft, hard, kept and told like one.
"""

from collections.abc import Iterable

from daemons.config.business import Scope, compiled, configured_macros, rule_of, with_macros
from daemons.model.clock import Now
from daemons.model.objects import Host, Key, Service
from daemons.model.relations import RuleNode, objects_in
from daemons.model.status import OK, SOFT, UNKNOWN, UP
from daemons.roles.shard.apply import Consumer, Heard
from daemons.roles.shard.checks import Checks
from daemons.roles.shard.command_lines import CommandLines
from daemons.roles.shard.gate import Gate
from daemons.roles.shard.state import Item, ShardState
from daemons.rules.business import (
    Problem,
    bad_in,
    element_state,
    output,
    state_of,
    status_macros,
    taken_care_of,
)
from daemons.rules.state import host_state
from daemons.rules.template import Lookup, chain, resolve, split_macros

HOST_UP = "Host assumed to be UP"
_DEPTH_MAX = 20  # rules in rules in ... when acknowledgements are looked for


class Rules:
    """The business rules of one shard in force: trees, and which rules an object is in."""

    def __init__(self, state: ShardState, lines: CommandLines) -> None:
        """Take those of the configuration; others are compiled when macros or commands change them."""
        self._state = state
        self._lines = lines
        self.forget()

    def forget(self) -> None:
        """Begin anew with the rules of the configuration in force."""
        self._scope: Scope | None = None
        self._trees: dict[Key, RuleNode] = {}
        self._texts: dict[Key, str] = {}  # what those were compiled from that differ from the configuration
        self._above: dict[Key, dict[Key, None]] = {}
        for key, tree in self._state.body.rules.items():
            self._put(key, tree)

    @property
    def keys(self) -> Iterable[Key]:
        """The objects that have rules."""
        return self._trees

    def tree(self, key: Key) -> RuleNode | None:
        """Return the rule of `key` as it was last used, None when it has none."""
        return self._trees.get(key)

    def above(self, key: Key) -> tuple[Key, ...]:
        """Return the objects whose rules `key` is in."""
        return tuple(self._above.get(key, ()))

    def now(self, item: Item, rule: str, now: Now) -> RuleNode | str:
        """Return the tree of `rule`, macros resolved at this moment, or what is wrong with it."""
        key = item.key
        text = rule
        if "$" in rule:
            text = resolve(split_macros(rule), self._lines.lookup(item, now))
        known = self._trees.get(key)
        if known is not None and text == self._texts.get(key, self._configured(item)):
            return known
        if self._scope is None:
            body = self._state.body
            self._scope = Scope(
                body.traits, body.hosts, body.services, body.hostgroups, body.servicegroups
            )
        found = compiled(text, key, self._scope)
        if found.tree is None:
            return "; ".join(wrong.text for wrong in found.wrong if not wrong.warning)
        self._put(key, found.tree)
        self._texts[key] = text
        return found.tree

    def drop(self, key: Key) -> None:
        """Forget the rule of `key`: its check is another command now."""
        for other in objects_in(self._trees.pop(key)):
            self._above[other].pop(key, None)
        self._texts.pop(key, None)

    def _configured(self, item: Item) -> str | None:
        """Return the text that the tree in the configuration was compiled from."""
        traits = self._state.body.traits
        rule = rule_of(traits[item.of.traits].check_command)
        if rule is None or "$" not in rule:
            return rule
        host = item.of if isinstance(item.of, Host) else item.host.of if item.host else None
        if not isinstance(host, Host):
            return None
        service = item.of if isinstance(item.of, Service) else None
        macros = configured_macros(host, service, traits, self._state.body.macros)
        return with_macros(rule, macros)

    def _put(self, key: Key, tree: RuleNode) -> None:
        if key in self._trees:
            self.drop(key)
        self._trees[key] = tree
        for other in objects_in(tree):
            self._above.setdefault(other, {})[key] = None

    # -- states

    def element(self, key: Key) -> int:
        """Return the service state that an object of a rule counts as; UNKNOWN when it is not there."""
        item = self._state.items.get(key)
        if item is None:
            return UNKNOWN
        return element_state(item.status.last_hard_state, is_host=item.is_host)

    def taken_care_of(self, item: Item) -> bool:
        """Return whether `item` says nothing because its rule's problems are all acknowledged (smart notifications)."""
        settings, tree = item.traits.business, self._trees.get(item.key)
        if settings is None or not settings.smart_notifications or tree is None:
            return False
        return taken_care_of(self._problems(tree, 0), downtime_as_ack=settings.downtime_as_ack)

    def _problems(self, tree: RuleNode, depth: int) -> tuple[Problem, ...]:
        found = []
        for key in bad_in(tree, self.element):
            item = self._state.items.get(key)
            if item is None:
                found.append(Problem(False))
                continue
            status, host = item.status, item.host
            in_downtime = status.downtime_depth > 0 or (
                host is not None and host.status.downtime_depth > 0
            )
            inner = self._trees.get(key) if depth < _DEPTH_MAX else None
            below = self._problems(inner, depth + 1) if inner is not None else ()
            found.append(Problem(status.ack is not None, in_downtime, below))
        return tuple(found)


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
        for due in self._checks.internal(now):
            self._waiting.pop(due.key, None)
            self._carry_out(due, now)
        waiting, self._waiting = self._waiting, {}
        for key in waiting:
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
        elif status.checked and text != status.output:
            status.output = text
            self._state.changed(item)

    def _differs(self, item: Item, code: int, now: Now) -> bool:
        status = item.status
        if item.traits.result_modulations:
            code = self._state.modulations.exit_code(item.traits, code, now.wall)
        if not item.is_host:
            return code != status.state
        aggressive = self._state.globals.use_aggressive_host_checking
        return (host_state(code, aggressive) == UP) != (status.state == UP)

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
        own = status_macros(_shown(item, code), is_host=item.is_host, full_name=_full_name(item))
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
        self._checks.done(item, now)
        self._consumer.consume(item, Heard(code, text, now.wall, own=True), now)
        if status.state_type == SOFT and not (item.slot or item.ready):
            # Without any interval: nothing else would ever confirm it.
            self._checks.check_at(item, now.wall + self._state.globals.interval_length_s, now, forced=False)


def _shown(item: Item, code: int) -> int:
    """Return the state, of a host or service, that a rule's result is shown as."""
    return host_state(code) if item.is_host else code


def _full_name(item: Item) -> str:
    return item.key.replace(";", "/", 1)
