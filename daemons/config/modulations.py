"""Modulations: what is otherwise while a time period lasts: exit codes, commands, variables, impact.

The one thing to know: one without a period is always in force (Shinken), and what each does is in
`rules.modulate`; here names become objects and what they refer to is checked.
"""

from collections.abc import Collection

from msgspec import Struct

from daemons.config.complain import Complaints, did_you_mean
from daemons.config.lexer import Block
from daemons.config.values import number, whole, words
from daemons.model.relations import (
    CheckModulation,
    ImpactModulation,
    MacroModulation,
    ResultModulation,
)

KINDS = ("resultmodulation", "checkmodulation", "macromodulation", "businessimpactmodulation")
Objects = dict[str, tuple[Block, dict[str, str]]]


class Modulations(Struct, frozen=True, kw_only=True):
    """All of a configuration, each sorted by name."""

    result: tuple[ResultModulation, ...] = ()
    check: tuple[CheckModulation, ...] = ()
    macro: tuple[MacroModulation, ...] = ()
    impact: tuple[ImpactModulation, ...] = ()


def modulations_of(
    objects: dict[str, Objects],
    commands: Collection[str],
    periods: Collection[str],
    complaints: Complaints,
) -> Modulations:
    """Return the modulations; `objects` are the registered ones of each of KINDS, by name."""
    reader = _Reader(commands, periods, complaints)
    return Modulations(
        result=tuple(reader.result(n, *one) for n, one in objects["resultmodulation"].items()),
        check=tuple(reader.check(n, *one) for n, one in objects["checkmodulation"].items()),
        macro=tuple(reader.macro(n, *one) for n, one in objects["macromodulation"].items()),
        impact=tuple(
            reader.impact(n, *one) for n, one in objects["businessimpactmodulation"].items()
        ),
    )


class _Reader:
    def __init__(
        self, commands: Collection[str], periods: Collection[str], complaints: Complaints
    ) -> None:
        self._commands = commands
        self._periods = periods
        self._say = complaints

    def result(self, name: str, block: Block, attrs: dict[str, str]) -> ResultModulation:
        label = f"resultmodulation {name}"
        matches = []
        for word in words(attrs.get("exit_codes_match", "")):
            code = whole(word)
            if code is None:
                self._say.error(
                    f"{label}: exit_codes_match: '{word}' is not a number",
                    block.where_of("exit_codes_match"),
                )
            else:
                matches.append(code)
        becomes = number(attrs.get("exit_code_modulation", ""))
        if becomes is None or not matches:
            missing = "exit_codes_match" if becomes is not None else "exit_code_modulation"
            self._say.warning(f"{label} has no effect: {missing} is missing", block.where)
            becomes, matches = 0.0, []
        period = self._period(label, block, attrs, "modulation_period")
        return ResultModulation(name, tuple(dict.fromkeys(matches)), int(becomes), period)

    def check(self, name: str, block: Block, attrs: dict[str, str]) -> CheckModulation:
        label = f"checkmodulation {name}"
        command = attrs.get("check_command", "")
        known = command.partition("!")[0].strip()
        if not known:
            self._say.error(f"{label}: check_command is missing", block.where)
        elif known not in self._commands:
            self._say.error(
                f"{label}: check_command: command {known} is not defined",
                block.where_of("check_command"),
                did_you_mean(known, self._commands),
            )
        return CheckModulation(name, command, self._period(label, block, attrs, "check_period"))

    def macro(self, name: str, block: Block, attrs: dict[str, str]) -> MacroModulation:
        label = f"macromodulation {name}"
        custom = {a[1:].upper(): v for a, v in sorted(attrs.items()) if a[0] == "_"}
        if not custom:
            self._say.warning(f"{label} has no effect: it gives no custom variable", block.where)
        return MacroModulation(name, custom, self._period(label, block, attrs, "modulation_period"))

    def impact(self, name: str, block: Block, attrs: dict[str, str]) -> ImpactModulation:
        label = f"businessimpactmodulation {name}"
        impact = whole(attrs.get("business_impact", ""))
        if impact is None and not attrs.get("business_impact"):
            self._say.error(f"{label}: business_impact is missing", block.where)
        period = self._period(label, block, attrs, "modulation_period")
        return ImpactModulation(name, impact or 0, period)

    def _period(self, label: str, block: Block, attrs: dict[str, str], attr: str) -> str:
        period = attrs.get(attr, "")
        if period and period not in self._periods:
            self._say.error(
                f"{label}: {attr}: time period {period} is not defined",
                block.where_of(attr),
                did_you_mean(period, self._periods),
            )
        return period
