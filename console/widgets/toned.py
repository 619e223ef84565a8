"""Tones as colours: of the theme, so that every theme can be read."""

from collections.abc import Iterable, Mapping

from rich.text import Text

from console.rows import Part, Tone

VARIABLES: dict[Tone, str] = {"good": "success", "doubt": "warning", "bad": "error"}


def toned(parts: Iterable[Part], variables: Mapping[str, str]) -> Text:
    """Return the parts as one Rich text; `variables` are the theme's.

    Blanks before a part are given the tone of the part before: some viewers of SVG pictures drop
    blanks that begin a piece of text.
    """
    pieces: list[Part] = []
    for part, tone in parts:
        words = part.lstrip(" ")
        if pieces and words != part:
            before, its_tone = pieces[-1]
            pieces[-1] = (before + part[: len(part) - len(words)], its_tone)
            part = words
        if part:
            pieces.append((part, tone))
    return Text.assemble(*((part, style_of(tone, variables)) for part, tone in pieces), end="")


def style_of(tone: Tone, variables: Mapping[str, str]) -> str:
    """Return the Rich style of a tone."""
    if tone in VARIABLES:
        colour = variables.get(f"text-{VARIABLES[tone]}", "")
        if not colour.startswith("#"):
            colour = variables.get(VARIABLES[tone], "")
        weight = "bold " if tone == "bad" else ""
        return (
            (weight + colour)
            if colour.startswith("#")
            else weight + {"good": "green", "doubt": "yellow"}.get(tone, "red")
        )
    return {"strong": "bold", "dim": "dim"}.get(tone, "")
