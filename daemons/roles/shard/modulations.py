"""The modulations of a shard: what its objects are at this moment, their time periods asked.

The one thing to know: nothing of it is kept. It is worked out from configuration and time whenever
somebody asks, so it is the same after a take-over, and nearly all objects have none and are not touched.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from msgspec.structs import replace

from daemons.model.clock import Wall
from daemons.model.objects import ShardBody, Traits
from daemons.model.relations import (
    CheckModulation,
    ImpactModulation,
    MacroModulation,
    ResultModulation,
)
from daemons.rules import modulate
from daemons.rules.modulate import InForce
from daemons.rules.timeperiod import ALWAYS, Period, covers

M = TypeVar("M", ResultModulation, CheckModulation, MacroModulation, ImpactModulation)

_NONE: Mapping[str, str] = {}


class Modulations:
    """Those of one configuration: a new one has its own."""

    def __init__(self, body: ShardBody, periods: Mapping[str, Period]) -> None:
        """Read `body`; `periods` are its time periods, compiled."""
        self._periods = periods
        self._result = {m.name: m for m in body.result_modulations}
        self._check = {m.name: m for m in body.check_modulations}
        self._macro = {m.name: m for m in body.macro_modulations}
        self._impact = {m.name: m for m in body.impact_modulations}

    def exit_code(self, traits: Traits, code: int, wall: Wall) -> int:
        """Return what a run's exit code counts as."""
        names = traits.result_modulations
        if not names:
            return code
        return modulate.exit_code(code, _named(self._result, names), self._in_force(wall))

    def check_command(self, traits: Traits, wall: Wall) -> str:
        """Return the check command to run now."""
        own, names = traits.check_command, traits.check_modulations
        if not names:
            return own
        return modulate.check_command(own, _named(self._check, names), self._in_force(wall))

    def business_impact(self, traits: Traits, wall: Wall) -> int:
        """Return how important the object is now, whatever it has an impact on."""
        own, names = traits.business_impact, traits.impact_modulations
        if not names:
            return own
        return modulate.business_impact(own, _named(self._impact, names), self._in_force(wall))

    def variables(self, traits: Traits, wall: Wall) -> Mapping[str, str]:
        """Return the custom variables that modulations set now; they win over what operators set at run time."""
        if not traits.macro_modulations:
            return _NONE
        macros = _named(self._macro, traits.macro_modulations)
        return modulate.custom_variables(_NONE, macros, self._in_force(wall))

    def traits(self, traits: Traits, wall: Wall) -> Traits:
        """Return `traits` with the custom variables and the business impact of now, for macros."""
        if not (traits.macro_modulations or traits.impact_modulations):
            return traits
        macros = _named(self._macro, traits.macro_modulations)
        return replace(
            traits,
            custom=modulate.custom_variables(traits.custom, macros, self._in_force(wall)),
            business_impact=self.business_impact(traits, wall),
        )

    def _in_force(self, wall: Wall) -> InForce:
        periods = self._periods
        return lambda name: not name or covers(periods.get(name, ALWAYS), wall)


def changes_command(traits: Traits, of_host: Traits | None) -> bool:
    """Return whether the time of day may change the line of a check; `of_host`: of a service's host."""
    return bool(
        traits.check_modulations
        or traits.macro_modulations
        or (of_host is not None and of_host.macro_modulations)
    )


def _named(known: Mapping[str, M], names: tuple[str, ...]) -> Iterable[M]:
    return (known[name] for name in names if name in known)
