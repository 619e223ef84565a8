"""External commands: the line format, arguments checked for their kind, and who gets the line.

Line: `[epoch] NAME;arg;arg`. The one thing to know: nothing is applied here, and nothing a line says raises;
what `parse` returns has arguments that can be used as they are: whole numbers, 0 or 1 for yes and no.
"""

import re
from collections.abc import Callable
from functools import partial
from hashlib import sha256

from msgspec import Struct

from daemons.model.clock import Wall
from daemons.rules.command_table import COMMANDS as COMMANDS
from daemons.rules.command_table import LEADER, NOBODY, PIPE, Shape

TIME_MAX = 2**33  # the year 2242: what comes after can be shown by nobody
NUMBER_MAX = 2**31 - 1
UNKNOWN = "there is no external command"  # how `why` begins when the name is not known


class ExternalCommand(Struct, frozen=True):
    """A command that can be obeyed as far as its form goes."""

    name: str
    args: tuple[str, ...]  # text as given, kinds checked; a service is two of them
    wall: Wall  # when it was given; 0 = not said


class Refused(Struct, frozen=True):
    """A line that is no command, and why: shown to whoever sent it."""

    why: str


def parse(line: str) -> ExternalCommand | Refused:
    """Return the command in `line`, or why there is none.

    The last text argument keeps its semicolons. Blanks around other arguments go. Arguments beyond those known
    are refused only where the last one is not text.
    """
    match = _LINE.match(line.strip("\r\n\t \0"))
    if match is None:
        return Refused("a command is written [seconds since 1970] NAME;argument;argument on one line")
    epoch, said, rest = match.groups()
    name = said.strip().upper()
    shape = COMMANDS.get(name)
    if shape is None:
        return Refused(f"{UNKNOWN} {said.strip()[:80]}")
    if shape.to == NOBODY:
        return Refused(f"{name} is {shape.does}")
    args = _args(name, shape, rest)
    if isinstance(args, Refused):
        return args
    return ExternalCommand(name, args, Wall(min(float(epoch or 0), TIME_MAX)))


def _args(name: str, shape: Shape, rest: str | None) -> tuple[str, ...] | Refused:
    kinds = _FLAT[name]
    if not kinds:
        taken = not (rest and rest.strip("; \t"))
        return () if taken else Refused(f"{name} takes no arguments")
    given = rest.split(";", len(kinds) - 1) if rest is not None else []
    if kinds[-1] != "text" and len(given) == len(kinds):
        given[-1] = given[-1].rstrip("; \t")
    needed = len(kinds) - shape.optional
    if len(given) < needed:
        takes = ";".join(kinds)
        return Refused(f"{name} takes {len(kinds)} arguments ({takes}), {len(given)} given")
    args = []
    for number, (kind, text) in enumerate(zip(kinds, given, strict=False), 1):
        value = text if kind == "text" else text.strip()
        read = _KINDS.get(kind, _name)
        clean = "" if not value and number > needed else read(value)
        if clean is None:
            return Refused(f"{name}: argument {number} ({kind}) {_wrong(kind, value)}")
        args.append(clean)
    return tuple(args)


def route(command: ExternalCommand) -> str | None:
    """Return the host whose scheduler gets `command`; None = every scheduler, or whoever `to` names."""
    return command.args[0] if COMMANDS[command.name].scope in ("host", "service") else None


def to_leader(command: ExternalCommand) -> bool:
    """Return whether it is for the leading arbiter."""
    return COMMANDS[command.name].to == LEADER


def of_pipe(command: ExternalCommand) -> bool:
    """Return whether whoever reads the pipe obeys it."""
    return COMMANDS[command.name].to == PIPE


def given_number(id: str) -> int:
    """Return the number of what the command with this id books in every shard: contacts' downtimes.

    The shards number what is theirs from 1 up, ten million each; these are beyond 200 of them.
    """
    return 2_000_000_000 + int.from_bytes(sha256(id.encode("utf-8", "surrogatepass")).digest()[:8]) % 147_000_000


# -- kinds of arguments: each reads what stands there, None when it is none


def _name(value: str) -> str | None:
    return value or None


def _any(value: str) -> str | None:
    return value


def _whole(low: int, high: int, value: str) -> str | None:
    if not _WHOLE.match(value):
        return None
    number = int(float(value))
    return str(number) if low <= number <= high else None


def _yes_or_no(value: str) -> str | None:
    if _WHOLE.match(value):
        return str(int(float(value) > 0))
    return _WORDS.get(value.lower())


def _interval(value: str) -> str | None:
    if not _DECIMAL.match(value):
        return None
    return value if float(value) <= NUMBER_MAX else None


def _variable(value: str) -> str | None:
    return value.upper().removeprefix("_") if _VARIABLE.match(value) else None


def _wrong(kind: str, value: str) -> str:
    """What is wrong with an argument."""
    if not value:
        return "is empty"
    must = _MUST.get(kind, "be a whole number")
    return f"must {must}, not {value[:40]!r}"


_LINE = re.compile(
    r"(?:\[\s*(\d{1,12}(?:\.\d{1,9})?)\s*\]\s*)?([A-Za-z_][^;\r\n]*)(?:;([^\r\n]*))?$", re.ASCII
)
_WHOLE = re.compile(r"-?\d{1,12}(?:\.0*)?$", re.ASCII)
_DECIMAL = re.compile(r"\d{1,10}(?:\.\d{0,9})?$", re.ASCII)
_VARIABLE = re.compile(r"_?[^\s_$;=][^\s$;=]{0,199}$")
_WORDS = {"true": "1", "on": "1", "yes": "1", "false": "0", "off": "0", "no": "0"}
_BOOLS = ("notify", "persistent", "fixed", "delete")
_MUST = {
    "time": "be seconds since 1970",
    "interval": "be a number, 0 or more",
    "variable": "be the name of a variable",
    "attempts": "be a whole number, 1 or more",
    **dict.fromkeys(_BOOLS, "be 0 or 1"),
    **dict.fromkeys(("number", "count", "trigger", "duration", "mask", "options"), "be a whole number, 0 or more"),
}
_KINDS: dict[str, Callable[[str], str | None]] = {
    "text": _any,
    "author": _any,
    "handler": _any,
    "sticky": partial(_whole, -NUMBER_MAX, NUMBER_MAX),
    "code": partial(_whole, -NUMBER_MAX, NUMBER_MAX),
    "time": partial(_whole, -TIME_MAX, TIME_MAX),
    "attempts": partial(_whole, 1, NUMBER_MAX),
    "interval": _interval,
    "variable": _variable,
    **dict.fromkeys(_BOOLS, _yes_or_no),
    **dict.fromkeys(("number", "count", "trigger", "duration", "mask", "options"), partial(_whole, 0, NUMBER_MAX)),
}
_FLAT: dict[str, tuple[str, ...]] = {
    name: ("host", "description", *shape.kinds[1:]) if shape.scope == "service" else shape.kinds
    for name, shape in COMMANDS.items()
}
