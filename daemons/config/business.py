"""Business rules: `bp_rule!...` of hosts and services to trees of the objects they name.

The one thing to know: a rule is compiled here for the configuration, and again by a scheduler when a
macro in it has another value, then from what is in its shard: so a rule is bound (bonds.py) to the
hosts of every value that its macro modulations can give.
Selectors and macros: docs of Shinken, "Business rules".
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from daemons.config.complain import did_you_mean
from daemons.config.rule_text import BadRule, parse
from daemons.model.objects import Group, Host, Key, Service, Traits, host_of
from daemons.model.relations import MacroModulation, RuleNode, objects_in

COMMAND = "bp_rule"
SELECTORS = "glrt"
_SELECTOR = re.compile(r"([a-z]):\s*(.*)", re.DOTALL)
_MACRO = re.compile(r"\$(\w+)\$")
_MACROS_MAX = 1000  # replaced in one rule: macros may hold each other
_VARIANTS_MAX = 64  # of one rule, by macro modulations
Custom = Mapping[str, str]
NOTHING: Custom = MappingProxyType({})


class Rules(Struct, frozen=True):
    """The business rules of a configuration."""

    trees: dict[Key, RuleNode] = {}
    hosts: dict[Key, tuple[str, ...]] = {}  # of each rule: its own, then those it may name, sorted
    commands: dict[Key, str] = {}  # check commands as the objects have them


class Wrong(Struct, frozen=True):
    """One thing wrong in one rule."""

    key: Key  # whose rule it is
    text: str
    fix: str = ""
    warning: bool = False


def rule_of(check_command: str) -> str | None:
    """Return the rule that a check command is, None when it is another command."""
    name, _, rule = check_command.partition("!")
    return rule if name.strip() == COMMAND else None


class Scope:
    """The objects among which rules find theirs: of a configuration, or of one shard."""

    def __init__(
        self,
        traits: Sequence[Traits],
        hosts: Iterable[Host],
        services: Iterable[Service],
        hostgroups: Iterable[Group],
        servicegroups: Iterable[Group],
    ) -> None:
        """Index them once for all rules."""
        self.traits = traits
        self.hosts = {host.name: host for host in hosts}
        self.services: dict[str, dict[str, Service]] = {name: {} for name in self.hosts}
        for service in services:
            self.services.setdefault(service.host, {})[service.description] = service
        self.hostgroups = {group.name: frozenset(group.members) for group in hostgroups}
        self.servicegroups = {group.name: frozenset(group.members) for group in servicegroups}

    def traits_of(self, key: Key) -> Traits:
        """Return the configured traits of a host or service."""
        host, _, description = key.partition(";")
        own: Host | Service = self.services[host][description] if description else self.hosts[host]
        return self.traits[own.traits]

    def macros(
        self,
        key: Key,
        resources: Mapping[str, str],
        host: Custom = NOTHING,
        service: Custom = NOTHING,
    ) -> dict[str, str]:
        """Return the configured macros a rule of `key` may use; `host`, `service`: what modulations put over them."""
        name, _, description = key.partition(";")
        own = self.services[name][description] if description else None
        found = configured_macros(self.hosts[name], own, self.traits, resources)
        found |= {f"_HOST{k}": v for k, v in host.items()}
        if description:
            found |= {f"_SERVICE{k}": v for k, v in service.items()}
        return found


def configured_macros(
    host: Host, service: Service | None, traits: Sequence[Traits], resources: Mapping[str, str]
) -> dict[str, str]:
    """Return the macros that a rule of `service`, or of `host`, may use and that never change at run time."""
    found = dict(resources)
    found |= {"HOSTNAME": host.name, "HOSTALIAS": host.alias, "HOSTADDRESS": host.address}
    found |= {f"_HOST{name}": value for name, value in traits[host.traits].custom.items()}
    if service is not None:
        found["SERVICEDESC"] = service.description
        found |= {f"_SERVICE{name}": value for name, value in traits[service.traits].custom.items()}
    return found


def with_macros(rule: str, values: Mapping[str, str]) -> str:
    """Return `rule` with its macros replaced; one that has no value becomes nothing."""
    left = _MACROS_MAX
    while left > 0 and (match := _MACRO.search(rule)):
        rule = rule[: match.start()] + values.get(match[1], "") + rule[match.end() :]
        left -= 1
        if len(rule) > 100_000:
            break
    return rule


class Compiled(Struct, frozen=True):
    """What one text of a rule is: `tree` is None when something is wrong that is no mere warning."""

    tree: RuleNode | None
    wrong: tuple[Wrong, ...] = ()


def compiled(text: str, key: Key, scope: Scope) -> Compiled:
    """Return the tree of the rule `text` (without macros) of the object `key`."""
    try:
        node = parse(text)
    except BadRule as error:
        return Compiled(None, (Wrong(key, str(error), "the grammar is in docs/semantics.md"),))
    finder = _Finder(key, scope)
    tree = finder.tree(node)
    bad = any(not wrong.warning for wrong in finder.wrong)
    return Compiled(None if bad else tree, tuple(finder.wrong))


class _Finder:
    """Puts keys for the elements of one rule."""

    def __init__(self, key: Key, scope: Scope) -> None:
        self.wrong: list[Wrong] = []
        self._key = key
        self._scope = scope

    def tree(self, node: RuleNode) -> RuleNode:
        if node.kind == "object":
            return _all_of(
                [RuleNode(kind="object", key=key) for key in self._keys(node.key)], node.negated
            )
        nodes = [self.tree(part) for part in node.nodes]
        if node.kind == "of":
            nodes = list(_counted(node.nodes, nodes))
            self._reachable(node, len(nodes))
        return replace(node, nodes=tuple(nodes))

    def _reachable(self, node: RuleNode, elements: int) -> None:
        for count in node.counts[:1]:
            if elements and not count.endswith("%") and int(count) > elements:
                text = f"{count} of: there are only {elements}, so all of them must be OK"
                self._say(text, "ask for fewer, or for a share: 50% of:", warning=True)

    def _say(self, text: str, fix: str = "", *, warning: bool = False) -> None:
        self.wrong.append(Wrong(self._key, text, fix, warning))

    def _keys(self, element: str) -> list[Key]:
        """Return what an element names, sorted; a selector never names the object of the rule."""
        host_side, service_side = _sides(element)
        before = len(self.wrong)
        hosts, several = self._hosts(host_side)
        if service_side is None:
            found = hosts
        else:
            found, more = self._services(element, hosts, service_side, several)
            several = several or more
        if several:
            found = [key for key in found if key != self._key]
        elif self._key in found:
            self._say(f"'{element}' is the object of the rule itself", "name another, or nothing")
        if not found and len(self.wrong) == before:
            what = "host" if service_side is None else "service"
            self._say(
                f"'{element}' selects no {what}",
                "correct the selector, or add what it should select",
            )
        return found

    def _hosts(self, side: str) -> tuple[list[str], bool]:
        scope = self._scope
        if not side:
            return [host_of(self._key)], False
        if side in scope.hosts:
            return [side], False
        if side == "*":
            return sorted(scope.hosts), True
        selector = _SELECTOR.fullmatch(side)
        if selector is None:
            self._say(f"host {side} is not defined", did_you_mean(side, scope.hosts))
            return [], False
        flag, wanted = selector[1], selector[2].strip()
        names = self._selected(
            flag, wanted, "hostgroup", scope.hostgroups,
            ((name, name, scope.traits[host.traits]) for name, host in scope.hosts.items()),
        )  # fmt: skip
        return sorted(names & scope.hosts.keys()), True

    def _services(
        self, element: str, hosts: list[str], side: str, several: bool
    ) -> tuple[list[Key], bool]:
        scope = self._scope
        if not side:
            self._say(f"'{element}' names no service", "a host is named without a comma")
            return [], several
        plain = [f"{host};{side}" for host in hosts if side in scope.services[host]]
        if plain:
            return plain, False
        there = [(host, service) for host in hosts for service in scope.services[host].values()]
        selector = _SELECTOR.fullmatch(side)
        if side == "*":
            return sorted(service.key for _, service in there), True
        if selector is None:
            if hosts:
                self._say(
                    *_no_service(element, side, hosts, several, {s.description for _, s in there})
                )
            return [], False
        keys = self._selected(
            selector[1], selector[2].strip(), "servicegroup", scope.servicegroups,
            ((s.key, s.description, scope.traits[s.traits]) for _, s in there),
        )  # fmt: skip
        return sorted(keys & {service.key for _, service in there}), True

    def _selected(
        self, flag: str, wanted: str, kind: str, groups: Mapping[str, frozenset[str]],
        candidates: Iterable[tuple[Key, str, Traits]],
    ) -> set[Key]:  # fmt: skip
        """Return the keys that a selector picks; `candidates` are (key, name, traits)."""
        if flag not in SELECTORS:
            self._say(
                f"'{flag}:' is no selector",
                "g: group, l: label, r: regular expression, t: template",
            )
        elif flag == "g" and wanted not in groups:
            self._say(f"{kind} {wanted} is not defined", did_you_mean(wanted, groups))
        elif flag == "g":
            return set(groups[wanted])
        elif flag == "l":
            return {key for key, _, traits in candidates if wanted in traits.labels}
        elif flag == "t":
            return {key for key, _, traits in candidates if wanted in traits.tags}
        else:
            try:
                pattern = re.compile(wanted)
            except (re.error, OverflowError, RecursionError) as error:
                self._say(f"'{wanted}' is no regular expression: {error}")
                return set()
            return {key for key, name, _ in candidates if pattern.match(name)}
        return set()


def _no_service(
    element: str, side: str, hosts: list[str], several: bool, there: set[str]
) -> tuple[str, str]:
    if several:
        return f"no host of '{element}' has a service {side}", did_you_mean(side, there)
    return f"service {side} on host {hosts[0]} is not defined", did_you_mean(side, there)


def _sides(element: str) -> tuple[str, str | None]:
    """Return the host and the service side: cut at the first comma outside of brackets (regexes)."""
    depth, at = 0, 0
    while at < len(element):
        char = element[at]
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth <= 0:
            return element[:at].strip(), element[at + 1 :].strip()
        at += 2 if char == "\\" else 1
    return element.strip(), None


def _all_of(nodes: list[RuleNode], negated: bool) -> RuleNode:
    """Return the one node, or all of them together."""
    if len(nodes) == 1:
        return replace(nodes[0], negated=negated)
    return RuleNode(kind="&", nodes=tuple(nodes), negated=negated)


def _counted(written: Sequence[RuleNode], nodes: Sequence[RuleNode]) -> Iterator[RuleNode]:
    """Yield what an "of" counts: each object that a selector gave by itself."""
    for element, node in zip(written, nodes, strict=True):
        if element.kind == "object" and node.kind == "&" and not node.negated:
            yield from node.nodes
        else:
            yield node


# ---------------------------------------------------------------- all rules of a configuration


def rules_of(
    scope: Scope,
    resources: Mapping[str, str],
    modulations: Iterable[MacroModulation],
) -> tuple[Rules, list[Wrong]]:
    """Return the business rules among the objects of `scope`, and what is wrong with them."""
    wrong: list[Wrong] = []
    customs = {m.name: m.custom for m in modulations}
    trees: dict[Key, RuleNode] = {}
    hosts: dict[Key, tuple[str, ...]] = {}
    commands = {key: scope.traits_of(key).check_command for key in _with_rule(scope)}
    for key, command in commands.items():
        rule = rule_of(command) or ""
        named: set[str] = set()
        for n, text in enumerate(_variants(rule, key, scope, resources, customs)):
            found = compiled(text, key, scope)
            wrong += found.wrong
            if found.tree is None:
                continue
            if n == 0:
                trees[key] = found.tree
            named.update(host_of(element) for element in objects_in(found.tree))
        own = host_of(key)
        hosts[key] = (own, *sorted(named - {own}))
    return Rules(trees, hosts, commands), wrong


def _with_rule(scope: Scope) -> Iterator[Key]:
    """Yield the objects whose check is a business rule."""
    has = {n for n, traits in enumerate(scope.traits) if rule_of(traits.check_command) is not None}
    if not has:
        return
    for host in scope.hosts.values():
        if host.traits in has:
            yield host.name
    for services in scope.services.values():
        for service in services.values():
            if service.traits in has:
                yield service.key


def _variants(
    rule: str, key: Key, scope: Scope, resources: Mapping[str, str], customs: Mapping[str, Custom]
) -> list[str]:
    """Return the rule with its macros replaced: as configured first, then as each modulation would have it."""
    if "$" not in rule:
        return [rule]

    def over(traits: Traits) -> list[Custom]:
        return [NOTHING, *(customs[name] for name in traits.macro_modulations if name in customs)]

    of_host = over(scope.traits_of(host_of(key)))
    of_service = over(scope.traits_of(key)) if ";" in key else [NOTHING]
    pairs = islice(product(of_host, of_service), _VARIANTS_MAX)
    texts = (with_macros(rule, scope.macros(key, resources, *pair)) for pair in pairs)
    return list(dict.fromkeys(texts))
