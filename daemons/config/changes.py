"""What a new configuration changes, by type: for people who are about to put it in force."""

from collections.abc import Mapping
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from daemons.config.link import Objects
from daemons.config.load import Loaded
from daemons.model.cluster import Cluster, DaemonDef
from daemons.model.relations import Dependency

T = TypeVar("T")
NAMES_MAX = 20  # listed of each kind of change


class Change(Struct, frozen=True):
    """What becomes of one type of definition. Names are the first few, in order."""

    kind: str
    added: int
    removed: int
    changed: int
    names: tuple[str, ...] = ()  # "+web9", "-web1", "~web3"

    def __str__(self) -> str:
        """Return the line an operator reads."""
        counts = ((self.added, "added"), (self.removed, "removed"), (self.changed, "changed"))
        more = self.added + self.removed + self.changed - len(self.names)
        names = " ".join(self.names) + (f" and {more} more" if more else "")
        return f"{self.kind}: " + ", ".join(f"{n} {word}" for n, word in counts if n) + f" ({names})"


class Changes(Struct, frozen=True):
    """All that differs between two configurations."""

    kinds: tuple[Change, ...]
    daemons: tuple[str, ...] = ()  # whose definition, modules or address changed, came or went
    settings: tuple[str, ...] = ()  # keys of the main file that differ

    def __bool__(self) -> bool:
        """Whether anything differs in what is monitored, by whom, or how."""
        return bool(self.kinds or self.daemons or self.settings)


def changes(old: Loaded, new: Loaded) -> Changes:
    """Return what `new` changes against `old`; both are good."""
    assert old.cluster is not None and new.cluster is not None
    was, now = _by_kind(old), _by_kind(new)
    kinds = [_change(kind, was[kind], now[kind]) for kind in now]
    return Changes(
        tuple(change for change in kinds if change is not None),
        changed_daemons(old.cluster, new.cluster),
        tuple(sorted(_differing(old.cluster.settings, new.cluster.settings))),
    )


def changed_daemons(old: Cluster, new: Cluster) -> tuple[str, ...]:
    """Return the names of daemons that came, went or are defined otherwise, also by their modules."""
    was, now = _defined(old), _defined(new)
    return tuple(sorted(_differing(was, now)))


def _defined(cluster: Cluster) -> dict[str, tuple[DaemonDef, object]]:
    modules = {m.name: replace(m, where="") for m in cluster.modules}
    return {
        d.name: (replace(d, where=""), tuple(modules.get(m) for m in d.modules)) for d in cluster.daemons
    }


def _by_kind(loaded: Loaded) -> dict[str, dict[str, object]]:
    """Everything by type and name, with shared traits resolved."""
    objects = loaded.objects
    traits = objects.traits
    plain = (
        ("contact", objects.contacts), ("command", objects.commands), ("timeperiod", objects.periods),
        ("hostgroup", objects.hostgroups), ("servicegroup", objects.servicegroups),
        ("contactgroup", objects.contactgroups),
    )  # fmt: skip
    return {
        "host": {
            h.name: (replace(h, traits=0), traits[h.traits], realm)
            for h, realm in zip(objects.hosts, objects.realms, strict=True)
        },
        "service": {s.key: (s.display_name, traits[s.traits]) for s in objects.services},
        **{kind: {one.name: one for one in found} for kind, found in plain},
        **_relations(objects),
        "realm": {realm.name: realm for realm in (loaded.cluster.realms if loaded.cluster else ())},
        "macro": dict(objects.macros),
    }


def _relations(objects: Objects) -> dict[str, dict[str, object]]:
    """What ties objects together; a dependency is called by its pair."""
    modulations = objects.modulations
    named = (
        ("escalation", objects.escalations),
        ("resultmodulation", modulations.result),
        ("checkmodulation", modulations.check),
        ("macromodulation", modulations.macro),
        ("businessimpactmodulation", modulations.impact),
    )
    found: dict[str, dict[str, object]] = {kind: {m.name: m for m in all} for kind, all in named}
    for kind in ("hostdependency", "servicedependency"):
        found[kind] = {}
    pairs: dict[tuple[str, str], tuple[Dependency, ...]] = {}
    for one in objects.dependencies:
        pair = (one.dependent, one.on)
        pairs[pair] = (*pairs.get(pair, ()), one)
    for (dependent, on), both in pairs.items():
        kind = "servicedependency" if ";" in on else "hostdependency"
        found[kind][f"{dependent} on {on}"] = both
    found["business rule"] = dict(objects.rules.trees)
    return found


def _change(kind: str, was: dict[str, object], now: dict[str, object]) -> Change | None:
    added = [name for name in now if name not in was]
    removed = [name for name in was if name not in now]
    changed = [name for name in now if name in was and now[name] != was[name]]
    if not (added or removed or changed):
        return None
    marked = [*(f"+{n}" for n in added), *(f"-{n}" for n in removed), *(f"~{n}" for n in changed)]
    return Change(kind, len(added), len(removed), len(changed), tuple(marked[:NAMES_MAX]))


def _differing(was: Mapping[str, T], now: Mapping[str, T]) -> set[str]:
    return {key for key in was.keys() | now.keys() if was.get(key) != now.get(key)}
