"""The business rules of a whole configuration: found, complained of, and what they change in the objects under them.

The one thing to know: the options that a rule puts on the hosts and services in it
(business_rule_host_notification_options, business_rule_service_notification_options) are put into their
traits here, so that nothing at run time has to know of it. Docs of Shinken, "Business rules", consolidated services.
"""

from collections.abc import Mapping
from functools import cache

from msgspec.structs import replace

from daemons.config.business import Rules, Scope, rule_of, rules_of
from daemons.config.circles import circles
from daemons.config.complain import Complaints
from daemons.config.lexer import Block, Lexed
from daemons.config.link import Objects
from daemons.model.objects import Key, Traits
from daemons.model.relations import objects_in

Options = tuple[str, ...]


def with_rules(objects: Objects, lexed: Lexed, complaints: Complaints) -> Objects:
    """Return `objects` with their business rules; complain about rules that cannot be used."""
    if all(rule_of(traits.check_command) is None for traits in objects.traits):
        return objects
    scope = Scope(
        objects.traits, objects.hosts, objects.services, objects.hostgroups, objects.servicegroups
    )
    rules, wrong = rules_of(scope, objects.macros, objects.modulations.macro)
    where = Places(lexed, rules.commands).where
    for one in wrong:
        complain = complaints.warning if one.warning else complaints.error
        complain(f"business rule of {_named(one.key)}: {one.text}", where(one.key), one.fix)
    under = {key: objects_in(tree) for key, tree in rules.trees.items()}
    for circle in circles({key: [k for k in keys if k in under] for key, keys in under.items()}):
        names = " -> ".join(_named(key) for key in (*circle, circle[0]))
        complaints.error(f"business rules contain each other: {names}", where(circle[0]))
    return _with_options(replace(objects, rules=rules), rules, scope)


class Places:
    """Says at which line a rule is written; looks for it only when asked."""

    def __init__(self, lexed: Lexed, commands: Mapping[Key, str]) -> None:
        """`commands` are the check commands of the objects that have rules."""
        self._lexed = lexed
        self._commands = commands
        self._of: dict[str, dict[str, list[Block]]] = {}

    def where(self, key: Key) -> str:
        """Return "file:line" of the rule of `key`: in its own definition, or in that of a template."""
        host, _, description = key.partition(";")
        kind = "service" if description else "host"
        blocks = self._of.get(kind)
        if blocks is None:
            blocks = self._of[kind] = self._index(kind)
        saying = blocks.get(f"!{self._commands.get(key, '')}", [])
        own = blocks.get(description or host, [])
        first = [block for block in own if block.attrs.get("host_name") == host] or own
        blame = next(iter([b for b in first if b in saying] or saying or first), None)
        return blame.where_of("check_command") if blame is not None else ""

    def _index(self, kind: str) -> dict[str, list[Block]]:
        """Return the definitions by name, and by "!" and the rule they say."""
        name = "service_description" if kind == "service" else "host_name"
        found: dict[str, list[Block]] = {}
        for block in self._lexed.blocks.get(kind, []):
            found.setdefault(block.attrs.get(name, ""), []).append(block)
            command = block.attrs.get("check_command", "")
            if rule_of(command) is not None:
                found.setdefault(f"!{command}", []).append(block)
        return found


def _named(key: Key) -> str:
    host, _, description = key.partition(";")
    return f"service {description} on {host}" if description else f"host {host}"


def _with_options(objects: Objects, rules: Rules, scope: Scope) -> Objects:
    """Return `objects` with the notification options that rules put on what is in them; the last rule by name wins."""
    wanted: dict[Key, Options] = {}
    for key in sorted(rules.trees):
        of_hosts, of_services = _options(scope.traits_of(key))
        if of_hosts or of_services:
            for element in objects_in(rules.trees[key]):
                options = of_services if ";" in element else of_hosts
                if options:
                    wanted[element] = options
    if not wanted:
        return objects
    traits = list(objects.traits)

    @cache
    def changed(index: int, options: Options) -> int:
        traits.append(replace(traits[index], notification_options=options))
        return len(traits) - 1

    hosts = tuple(
        replace(h, traits=changed(h.traits, wanted[h.name])) if h.name in wanted else h
        for h in objects.hosts
    )
    services = tuple(
        replace(s, traits=changed(s.traits, wanted[s.key])) if s.key in wanted else s
        for s in objects.services
    )
    return replace(objects, hosts=hosts, services=services, traits=tuple(traits))


def _options(traits: Traits) -> tuple[Options, Options]:
    """Return the options that a rule puts on hosts, and on services."""
    if traits.business is not None:
        return (
            traits.business.host_notification_options,
            traits.business.service_notification_options,
        )
    return (), ()
