"""Text of configuration files to settings and `define` blocks, each knowing its file and line.

The one thing to know: a block keeps offsets into its text, not line numbers; lines are counted only
when somebody complains. Plain blocks (no comment, continuation or brace inside) are cut out by one
regular expression, with each distinct line split once; all others are read line by line.
Syntax: config-schema "File syntax"; Nagios Core docs, "Object Definitions".
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from daemons.config.complain import Complaints, did_you_mean
from daemons.config.schema import KINDS, Kind

CHUNK = 4096  # characters whose newlines are counted for one line number


class Source(Struct, frozen=True, eq=False):
    """One file: its path as complaints show it, and its text."""

    path: str
    text: str
    _marks: list[int] = []  # newlines before each chunk of the text, once somebody asks

    def line(self, offset: int) -> int:
        """Return the number of the line at `offset`: each mistake of a large file asks, so not by reading all of it."""
        chunks = self._marks
        if not chunks:
            chunks.append(0)
            for start in range(0, len(self.text), CHUNK):
                chunks.append(chunks[-1] + self.text.count("\n", start, start + CHUNK))
        chunk = min(offset // CHUNK, len(chunks) - 1)
        return chunks[chunk] + self.text.count("\n", chunk * CHUNK, offset) + 1


class Setting(Struct, frozen=True):
    """One `key=value` line."""

    key: str
    value: str
    source: Source
    offset: int

    @property
    def where(self) -> str:
        """Its "file:line"."""
        return f"{self.source.path}:{self.source.line(self.offset)}"


class Block(Struct, eq=False, gc=False):
    """One `define TYPE { ... }`. `attrs` holds what it says itself, old spellings renamed."""

    kind: str
    attrs: dict[str, str]
    source: Source
    start: int  # offset of `define`
    end: int
    origin: "dict[str, Block] | None" = None  # templates that say what it does not say, once known

    def said_by(self, attr: str) -> "Block":
        """Return the block that says `attr`: this one, or one of its templates."""
        if attr in self.attrs or self.origin is None:
            return self
        return self.origin.get(attr, self)

    @property
    def where(self) -> str:
        """ "file:line" of its `define`."""
        return f"{self.source.path}:{self._line(self.start)}"

    def where_of(self, attr: str, containing: str = "") -> str:
        """Return "file:line" of the (last) line that gives `attr`, else that of its `define`.

        `containing` picks one of several such lines. What a template says is looked for there.
        """
        said_by = self.said_by(attr)
        if said_by is not self:
            return said_by.where_of(attr, containing)
        kind = KINDS.get(self.kind)
        renamed = kind.renamed if kind else {}
        found = -1
        offset = self.start
        for line in self.source.text[self.start : self.end].split("\n"):
            words = line.split(None, 1)
            if offset != self.start and words and containing in line:
                word, said = _split(line) or ("", "")
                if self.kind == "timeperiod":  # monday is not monday 5
                    word = _date_range((word, said))[0]
                if renamed.get(word, word) == attr:
                    found = offset
            offset += len(line) + 1
        return f"{self.source.path}:{self._line(found)}" if found >= 0 else self.where

    def _line(self, offset: int) -> int:
        return self.source.line(offset)


class Lexed(Struct):
    """What the files say, in the order of the files."""

    settings: list[Setting]
    macros: dict[str, str]  # without the dollars
    blocks: dict[str, list[Block]]  # by type


_PLAIN = re.compile(r"[ \t]*define[ \t]+(\w+)[ \t]*\{[ \t]*\n([^{}\\;#]*\n)[ \t]*\}[ \t]*(?:\n|\Z)")
_BLANK = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*")
_DEFINE = re.compile(r"\s*define\s+(\w+)\s*(\{?)\s*(.*)", re.DOTALL)
_NESTED = re.compile(r"\s*define\s+\w+\s*(\{|$)")
_MACRO = re.compile(r"\$(\w+)\$")
_TIMES = re.compile(
    r"(.*?)\s+(\d{1,2}:\d\d\s*-\s*\d{1,2}:\d\d(?:\s*,\s*\d{1,2}:\d\d\s*-\s*\d{1,2}:\d\d)*)"
)
_PERIOD_WORDS = frozenset(KINDS["timeperiod"].types)
Pair = tuple[str, str]


class Lexer:
    """Reads sources one after the other; distinct lines are split once for all of them."""

    def __init__(self, complaints: Complaints) -> None:
        """Collect what is wrong in `complaints`."""
        self.out = Lexed([], {}, {})
        self._complaints = complaints
        self._pairs = _Pairs()

    def read(self, source: Source) -> list[Setting]:
        """Add what `source` says; return its settings (the caller follows those that include)."""
        first = len(self.out.settings)
        if "\r" in source.text:
            source = Source(source.path, source.text.replace("\r\n", "\n").replace("\r", "\n"))
        text = source.text
        pos = 0
        size = len(text)
        while pos < size:
            plain = _PLAIN.match(text, pos)
            if plain:
                self._plain(source, plain)
                pos = plain.end()
                continue
            blank = _BLANK.match(text, pos)
            if blank and blank.end() > pos:
                pos = blank.end()
            else:
                pos = self._slow(source, pos)
        return self.out.settings[first:]

    def _plain(self, source: Source, match: re.Match[str]) -> None:
        pairs = self._pairs
        found = [pair for line in match[2].split("\n") if (pair := pairs[line])]
        self._block(match[1], found, source, match.start(), match.end())

    def _slow(self, source: Source, pos: int) -> int:
        """Read one logical line at `pos`, or the whole block it opens; return where to go on."""
        line, after = _logical_line(source.text, pos)
        define = _DEFINE.fullmatch(line)
        if define and (define[2] or _opens_next(source.text, after)):
            return self._slow_block(source, pos, after, define)
        if line:
            self._top_level(source, pos, line)
        return after

    def _slow_block(self, source: Source, start: int, pos: int, define: re.Match[str]) -> int:
        found: list[Pair] = []
        if not define[2]:
            _, pos = _logical_line(source.text, _opens_next(source.text, pos) - 1)
        if define[2] and define[3].strip() == "}":
            self._block(define[1], found, source, start, pos)
            return pos
        if define[3].strip():
            self._complaints.error(
                f"text after the brace of 'define {define[1]}'",
                _place(source, start),
                "put each attribute on a line of its own",
            )
        for line, at, after in _lines(source.text, pos):
            if line == "}":
                self._block(define[1], found, source, start, after)
                return after
            if _NESTED.match(line):
                self._complaints.error(
                    f"'{line}' inside a 'define {define[1]}' that is not closed",
                    _place(source, at),
                    "close the block above with a line of only '}'",
                )
                self._block(define[1], found, source, start, at)
                return at
            if line.startswith("}"):
                self._complaints.error(
                    f"text after the '}}' that ends 'define {define[1]}'",
                    _place(source, at),
                    "a block ends with a line of only '}'",
                )
                self._block(define[1], found, source, start, after)
                return after
            if pair := _split(line):
                found.append(pair)
        self._complaints.error(
            f"'define {define[1]}' is never closed",
            _place(source, start),
            "close it with a line of only '}'",
        )
        self._block(define[1], found, source, start, len(source.text))
        return len(source.text)

    def _top_level(self, source: Source, pos: int, line: str) -> None:
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not key:
            fix = "close an object with one '}' only" if line == "}" else "write key=value"
            if line.startswith("\ufeff"):
                fix = "remove the byte order mark before it"
            elif "\0" in line:
                line, fix = line.replace("\0", ""), "save the file as UTF-8: this looks like UTF-16"
            elif line.lower().startswith("define"):
                fix = "write define TYPE{"
            self._complaints.error(f"'{_short(line)}' is not key=value", _place(source, pos), fix)
        elif not value:
            self._complaints.error(f"{key} has no value", _place(source, pos))
        elif macro := _MACRO.fullmatch(key):
            self.out.macros[macro[1]] = value
        else:
            self.out.settings.append(Setting(key, value, source, pos))

    def _block(self, name: str, pairs: list[Pair], source: Source, start: int, end: int) -> None:
        kind = KINDS.get(name)
        attrs = dict(pairs)
        if kind is None:
            self._complaints.warning(
                f"objects of the type '{name}' are not known, this one is ignored",
                _place(source, start),
                did_you_mean(name, KINDS),
            )
            return
        if kind.name == "timeperiod":
            attrs = dict(_date_range(pair) for pair in pairs)
        elif len(attrs) != len(pairs):
            attrs = _merged(kind, pairs)
        if kind.renamed and not kind.renamed.keys().isdisjoint(attrs):
            old = {kind.renamed[key]: value for key, value in attrs.items() if key in kind.renamed}
            attrs = old | {k: v for k, v in attrs.items() if k not in kind.renamed}
        block = Block(kind.name, attrs, source, start, end)  # one string for the kind of all
        try:
            self.out.blocks[name].append(block)
        except KeyError:
            self.out.blocks[name] = [block]


class _Pairs(dict[str, Pair | None]):
    """Lines already split; a new one is split when it is first asked for."""

    def __missing__(self, line: str) -> Pair | None:
        pair = self[line] = _split(line)
        return pair


def _split(line: str) -> Pair | None:
    """Return attribute and value of one line of a block, None for an empty or comment line."""
    words = line.strip().split(None, 1)
    if not words or words[0].startswith("#"):
        return None
    key = words[0].upper() if words[0].startswith("_") else words[0]
    return key, words[1] if len(words) == 2 else ""


def _date_range(pair: Pair) -> Pair:
    """Return (day expression, times) of a line of a time period that gives a range."""
    if pair[0] in _PERIOD_WORDS:
        return pair
    times = _TIMES.fullmatch(f"{pair[0]} {pair[1]}")
    return (times[1], re.sub(r"\s", "", times[2])) if times else pair


def _merged(kind: Kind, pairs: list[Pair]) -> dict[str, str]:
    """Return one value per attribute of a block in which some are repeated."""
    attrs: dict[str, str] = {}
    for key, value in pairs:
        if key not in attrs:
            attrs[key] = value
        elif key in kind.join or key == "use":
            attrs[key] += "," + value.lstrip("+")
        elif key in kind.keep:
            attrs[key] += "\n" + value
        elif not key.startswith("_"):  # custom variables: the first counts
            attrs[key] = value
    return attrs


def _logical_line(text: str, pos: int) -> tuple[str, int]:
    """Return the stripped line at `pos` without comment, continuation lines joined, and the next offset."""
    parts: list[str] = []
    while True:
        end = text.find("\n", pos)
        end = len(text) if end < 0 else end
        part, pos = text[pos:end], end + 1
        if not parts and part.lstrip().startswith("#"):
            return "", pos
        part = _uncommented(part)
        stripped = part.rstrip()
        escaped = stripped.endswith("\\\\")  # a backslash that is meant, as in Nagios
        goes_on = stripped.endswith("\\") and not escaped and pos <= len(text)
        part = stripped[:-1] if goes_on or escaped else part
        parts.append(part.lstrip() if parts else part)
        if not goes_on:
            return "".join(parts).strip(), pos


def _uncommented(line: str) -> str:
    """Return `line` up to its first `;` that is not `\\;`, those unescaped."""
    if ";" not in line:
        return line
    return re.split(r"(?<!\\);", line, maxsplit=1)[0].replace("\\;", ";")


def _lines(text: str, pos: int) -> Iterator[tuple[str, int, int]]:
    while pos < len(text):
        line, after = _logical_line(text, pos)
        if line:
            yield line, pos, after
        pos = after


def _opens_next(text: str, pos: int) -> int:
    """Return the offset behind a `{` that stands alone on the next line that says something, else 0."""
    for line, at, after in _lines(text, pos):
        return text.find("{", at, after) + 1 if line == "{" else 0
    return 0


def _place(source: Source, offset: int) -> str:
    return f"{source.path}:{source.line(offset)}"


def _short(line: str) -> str:
    return line if len(line) <= 40 else line[:37] + "..."
