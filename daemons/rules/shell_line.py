"""Command lines whose values from outside stay values: whoever writes a plugin's output gives no orders to a shell.

POSIX Shell Command Language, 2.2 "Quoting". The one thing to know: the line is followed as a shell would, so
each value is quoted for the place where it stands, and the program is given it unchanged. Where that cannot be
known (the text is code for another shell or language: `sh -c "..."`, `$(...)`, a here-document), every
character that could mean something there is taken out instead.
"""

import re
from collections.abc import Sequence

from daemons.rules.template import Lookup, Outside, Template, pieces

_SPECIAL = re.compile(
    r"""[!"#$&'()*;<>?\[\\\]^`{|}~]"""
)  # outside of quotes these may mean something
_IN_DOUBLE = re.compile(r'[\\"$`]')
_CODE = re.compile(r"""[`$"'\\;|&<>(){}*?#\[\]~!^]""")  # mean something to some language
_TOKEN = re.compile(r"""\\.|\\\Z|['"`]|\$\(|\$\Z|<<|[ \t\n;|&]+|[^\\'"`$< \t\n;|&]+|.""", re.DOTALL)
_BREAK = " \t\n;|&"

# programs that read words of theirs as code: any word, or the one after an option
_READS_WORDS = re.compile(r"(?:.*/)?(?:eval|\w*ssh|rsh|remsh|[gmn]?awk|sed|su|runuser|xargs|watch)")
_READS_OPTION = re.compile(
    r"(?:.*/)?(?:\w*sh|perl[\d.]*|python[\d.]*|ruby[\d.]*|php[\d.]*|node|lua[\d.]*|mysql|mariadb|psql|expect)"
)
_CODE_OPTION = re.compile(r"-\w*[ceCEr]|--?(?:command|eval|execute|run)=?")


def shell_line(template: Template, lookup: Lookup, args: Sequence[str] = ()) -> str:
    """Return the line of `template.resolve`, with what came from outside quoted for the shell."""
    found = pieces(template, lookup, args)
    if not any(isinstance(piece, Outside) for piece in found):
        return "".join(found)
    line = _Line()
    for piece in found:
        if isinstance(piece, Outside):
            line.add_value(piece)
        else:
            line.add_text(piece)
    return "".join(line.out)


class _Line:
    """A line as far as it is written, and where a shell would be in it."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self._quote = ""  # "'" or '"' while inside
        self._escape = False  # the last character is a backslash that still wants one
        self._word = ""  # the word under way, without its quotes
        self._code = False  # what follows is read by something that is not this shell
        self._interpreter = False  # a program that takes code with an option was named
        self._option = False  # the word before was such an option

    def add_text(self, text: str) -> None:
        """Add what the operator wrote."""
        self.out.append(text)
        at = 0
        if self._escape and text:
            self._escape, at = False, 1
        for match in _TOKEN.finditer(text, at):
            self._follow(match[0])

    def add_value(self, value: str) -> None:
        """Add a value from outside."""
        value = value.replace("\0", "")
        if self._code or self._option:
            self.out.append(_CODE.sub("", value).replace("\n", " "))
            self._escape = False
            return
        if self._escape and value:
            first, value = value[0], value[1:]
            self.out.append(" " if first == "\n" else first)
            self._escape = False
        if self._quote == "'":
            value = value.replace("'", "'\\''")
        elif self._quote:
            value = _IN_DOUBLE.sub(r"\\\g<0>", value)
        else:
            value = _SPECIAL.sub(r"\\\g<0>", value.replace("\n", " "))
        self.out.append(value)

    def _follow(self, token: str) -> None:
        if self._quote == "'":
            self._single(token)
        elif token[0] == "\\":
            self._escape = len(token) == 1
        elif token in ("`", "$(", "$"):
            self._code = True
        elif not self._quote and (token == "<<" or (token[0] == "#" and not self._word)):
            self._code = True  # a here-document, a comment
        elif token == '"' or (token == "'" and not self._quote):
            self._quote = "" if self._quote else token
        elif token[0] in _BREAK and not self._quote:
            self._end_word(token)
        else:
            self._word += token

    def _single(self, token: str) -> None:
        """Inside of '...' only the next quote counts, a backslash before it does not."""
        if token.endswith("'"):
            self._quote = ""
        else:
            self._word += token

    def _end_word(self, token: str) -> None:
        word, self._word = self._word, ""
        if _READS_WORDS.fullmatch(word):
            self._code = True
        elif _READS_OPTION.fullmatch(word):
            self._interpreter = True
        self._option = self._interpreter and bool(_CODE_OPTION.fullmatch(word))
        if token.strip(" \t"):
            self._interpreter = self._option = False
