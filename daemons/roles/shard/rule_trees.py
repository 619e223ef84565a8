"""The business rules of one shard in force: their trees, which rules an object is in, what is wrong in them.

The one thing to know: most are those of the configuration as they are; a rule with macros is compiled anew
when one of them has another value, and so is one that an operator gave as another check command.
"""

from collections.abc import Iterable

from daemons.config.business import Scope, compiled, configured_macros, rule_of, with_macros
from daemons.model.clock import Now
from daemons.model.objects import Host, Key, Service
from daemons.model.relations import RuleNode, objects_in
from daemons.model.status import UNKNOWN
from daemons.roles.shard.command_lines import CommandLines
from daemons.roles.shard.state import Item, ShardState
from daemons.rules.business import Problem, bad_in, element_state, taken_care_of
from daemons.rules.template import resolve, split_macros

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
        self._texts: dict[
            Key, str
        ] = {}  # what those were compiled from that differ from the configuration
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
