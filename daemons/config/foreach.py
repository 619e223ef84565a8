"""duplicate_foreach: the keys of a generator, and the text of a service for each of them.

The one thing to know: a generator is `key1$(value1)$$(value2)$, key2, eth[1-4]`; every key makes one
service, in which $KEY$, $VALUE$ (the same as $VALUE1$), $VALUE2$ ... are replaced.
Source: Shinken, "duplicate_foreach"; docs/language.md.
"""

import re

from msgspec import Struct

KEYS_MAX = 10_000
_ENTRY = re.compile(r"\s*([^,]*?)\s*((?:\$\((?:(?!\)\$|\$\().)*\)\$\s*)*)(?:,|$)", re.DOTALL)
_VALUE = re.compile(r"\$\(((?:(?!\)\$|\$\().)*)\)\$", re.DOTALL)
_RANGE = re.compile(r"\[(\d{1,9})-(\d{1,9})(?:/(\d{1,9}))?\]")
_LIKE_A_RANGE = re.compile(r"\[[\d/]*-[\d/-]*\]")
_MACRO = re.compile(r"\$(KEY|VALUE\d{0,4})\$")
_UNSAFE = re.compile("[`~!$%^&*\"|'<>?,()=;]+")


class Key(Struct, frozen=True):
    """One key and its values."""

    name: str
    values: tuple[str, ...]


class BadGenerator(Exception):
    """An operator wrote a list of keys that cannot be read; the text says why."""


def keys_of(text: str, default: str = "") -> tuple[Key, ...]:
    """Return the keys in `text`, ranges written out; `default` are the values of those that have none.

    Of two keys of one name the last counts. Raises BadGenerator.
    """
    defaults = tuple(_VALUE.findall(default)) or (default,)
    found: dict[str, Key] = {}
    at = 0
    while at < len(text) and text[at:].strip():
        entry = _ENTRY.match(text, at)
        key = entry[1] if entry else ""
        if entry is None or not key:
            raise BadGenerator(f"a key is missing at '{text[at:][:40]}'")
        if "$(" in key or ")$" in key:
            raise BadGenerator(f"'{text[at : entry.end()][:40]}' is not key$(value)$")
        values = tuple(_VALUE.findall(entry[2]))
        for name in _written_out(key):
            found[name] = Key(name, values + defaults[len(values) :])
        if len(found) > KEYS_MAX:
            raise BadGenerator(f"it has more than {KEYS_MAX} keys")
        at = entry.end()
    return tuple(found.values())


def _written_out(key: str) -> list[str]:
    """Return `key` with each [X-Y] in it replaced by its numbers, the last one running fastest."""
    parts: list[list[str]] = [[]]
    at = 0
    for match in _LIKE_A_RANGE.finditer(key):
        parts.append([key[at : match.start()]])
        parts.append(_numbers(match[0]))
        at = match.end()
    count = 1
    for part in parts[1:]:
        count *= len(part)
    if count > KEYS_MAX:
        raise BadGenerator(f"'{key[:40]}' makes more than {KEYS_MAX} keys")
    names = [""]
    for part in parts[1:]:
        names = [name + text for name in names for text in part]
    return [name + key[at:] for name in names]


def _numbers(text: str) -> list[str]:
    """Return the numbers of one range, [01-10] with leading zeros, [0-10/5] in steps."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise BadGenerator(f"{text[:40]} is not a range like [1-4] or [0-20/5]")
    first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if first > last or step < 1:
        raise BadGenerator(f"{text} is not a range that grows")
    if (last - first) // step >= KEYS_MAX:
        raise BadGenerator(f"{text} makes more than {KEYS_MAX} keys")
    width = len(match[1]) if match[1].startswith("0") else 0
    return [str(n).zfill(width) for n in range(first, last + 1, step)]


def filled(text: str, key: Key) -> str:
    """Return `text` with the macros of `key` replaced; values that there are not stay as written."""

    def replacement(match: re.Match[str]) -> str:
        word = match[1]
        if word == "KEY":
            return key.name
        number = int(word[5:] or 1)
        return key.values[number - 1] if 0 < number <= len(key.values) else match[0]

    return _MACRO.sub(replacement, text)


def filled_name(text: str, key: Key) -> str:
    """Return the name `text` with the macros replaced, characters that no name may have as "_"."""
    return filled(
        text, Key(_UNSAFE.sub("_", key.name), tuple(_UNSAFE.sub("_", v) for v in key.values))
    )
