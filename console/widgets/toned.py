"""Tones as colours: of the theme, so that every theme can be read."""

from collections.abc import Iterable, Mapping

from rich.text import Text
from textual.app import App

from console.rows import Part, Tone

VARIABLES: dict[Tone, str] = {"good": "success", "doubt": "warning", "bad": "error"}


def colours(app: App[object]) -> Mapping[str, str]:
    """Return the colours of the theme, none where NO_COLOR (no-color.org) forbids them."""
    return {} if app.no_color else app.theme_variables


def toned(parts: Iterable[Part], variables: Mapping[str, str]) -> Text:
    """Return the parts as one Rich text; `variables` are `colours`.

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
    """Return the Rich style of a tone; without colours what is bad is bold."""
    if tone not in VARIABLES:
        return {"strong": "bold", "dim": "dim"}.get(tone, "")
    name = VARIABLES[tone]
    readable = (variables.get(f"text-{name}", ""), variables.get(name, ""))
    colour = next((c for c in readable if c.startswith("#")), "")
    return f"bold {colour}".strip() if tone == "bad" else colour
