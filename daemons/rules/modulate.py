"""What is otherwise while a time period lasts: exit codes, check commands, custom variables, business impact.

Shinken docs, "Modulations" and the pages of resultmodulation, checkmodulation, macromodulation and
businessimpactmodulation. The one thing to know: modulations are asked in the order in which the object names
them. Exit codes go through all that are in force, one after the other (as Shinken does); of a command, an
impact and of each variable the first in force has the say.
"""

from collections.abc import Callable, Iterable, Mapping

from daemons.model.relations import (
    CheckModulation,
    ImpactModulation,
    MacroModulation,
    ResultModulation,
)

InForce = Callable[[str], bool]  # whether the time period of that name lasts now; "" does


def exit_code(code: int, modulations: Iterable[ResultModulation], in_force: InForce) -> int:
    """Return the exit code to go on with; a second modulation sees what the first made of it."""
    for modulation in modulations:
        if code in modulation.matches and in_force(modulation.period):
            code = modulation.code
    return code


def check_command(own: str, modulations: Iterable[CheckModulation], in_force: InForce) -> str:
    """Return the check command ("name!arg"): that of the first modulation in force, else the object's own."""
    for modulation in modulations:
        if modulation.command and in_force(modulation.period):
            return modulation.command
    return own


def custom_variables(
    own: Mapping[str, str], modulations: Iterable[MacroModulation], in_force: InForce
) -> dict[str, str]:
    """Return the custom variables; a modulation may bring names that the object does not have."""
    found = dict(own)
    changed: dict[str, str] = {}
    for modulation in modulations:
        if in_force(modulation.period):
            changed = {**modulation.custom, **changed}
    return found | changed


def business_impact(own: int, modulations: Iterable[ImpactModulation], in_force: InForce) -> int:
    """Return the business impact: that of the first modulation in force, else the object's own."""
    for modulation in modulations:
        if in_force(modulation.period):
            return modulation.impact
    return own
