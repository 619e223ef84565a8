"""Outcomes as lines for people, as JSON for the record, and as rows for docs/scorecard.md.

    python -m tests.cluster.report                               prints the table
    python -m tests.cluster.report --write docs/scorecard.md     puts it there
"""

import argparse
import sys
from pathlib import Path

from msgspec import Struct, json

from tests.cluster.scene import Line, Outcome, at

BEGIN, END = "<!-- reliability -->", "<!-- end of reliability -->"


class Entry(Struct, frozen=True):
    """An outcome and where it was measured."""

    machine: str
    load: str  # load average of the last minute when it ended
    outcome: Outcome


def merge(path: Path, outcome: Outcome, machine: str) -> None:
    """Put an outcome into the JSON at `path`; those of other scenarios stay."""
    known = read(path)
    load = Path("/proc/loadavg").read_text().split()[0]
    known[outcome.id] = Entry(machine, load, outcome)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.format(json.encode(known)))


def read(path: Path) -> dict[str, Entry]:
    """Return the outcomes in the JSON at `path`, by scenario; none when there is no file."""
    return json.decode(path.read_bytes(), type=dict[str, Entry]) if path.exists() else {}


def line_of(outcome: Outcome) -> str:
    """Return one line: name, figures with median and maximum, pass lines, pass or fail."""
    said = "; ".join(_figure(outcome, line) for line in outcome.lines)
    counts = outcome.counts
    common = f"{counts.get('checks', 0)} checks at {outcome.rate:.0f}/s, {counts.get('notifications', 0)} told"
    verdict = "pass" if outcome.good else "FAIL"
    return f"{outcome.id:<4}{verdict}  {outcome.runs} run{'s' * (outcome.runs > 1)}  {said}  ({common}, {outcome.took_s:.0f} s)"


def _figure(outcome: Outcome, line: Line) -> str:
    values = outcome.figures.get(line.name, [])
    if not values:
        return f"{line.name}: not measured"
    unit = f" {line.unit}" if line.unit else ""
    if len(values) == 1:
        return f"{line.name} {values[0]:.2f}{unit} (<= {line.limit:g})"
    if line.of != "max":
        return f"{line.name} {line.of} {at(values, line.of):.2f}{unit} (<= {line.limit:g})"
    return f"{line.name} median {at(values, 'median'):.2f} max {at(values, 'max'):.2f}{unit} (<= {line.limit:g})"


def table(entries: dict[str, Entry]) -> str:
    """Return the rows for docs/scorecard.md."""
    rows = ["| # | scenario | figure: median, max (pass line) | runs | load | kept |", "| --- | --- | --- | --- | --- | --- |"]
    for name in sorted(entries, key=lambda n: (int(n[1:].rstrip("H")), n)):
        entry = entries[name]
        out = entry.outcome
        figures = "<br>".join(_cell(out, line) for line in out.lines)
        kept = "yes" if out.good else "no: " + "; ".join((*out.wrong, *out.missed))[:200]
        rows.append(f"| {name} | {out.what} | {figures} | {out.runs} | {out.rate:.0f}/s | {kept} |")
    return "\n".join(rows)


def _cell(outcome: Outcome, line: Line) -> str:
    values = outcome.figures.get(line.name, [])
    if not values:
        return f"{line.name}: not measured"
    unit = f" {line.unit}" if line.unit else ""
    return f"{line.name} **{at(values, 'median'):.2f}**, {at(values, 'max'):.2f}{unit} ({line.limit:g})"


def write(path: Path, entries: dict[str, Entry]) -> None:
    """Replace the table between the two marks in the Markdown file at `path`. Raises ValueError without them."""
    text = path.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    machines = "; ".join(dict.fromkeys(entry.machine for entry in entries.values()))
    path.write_text(f"{text[:begin]}\n{machines}.\n\n{table(entries)}\n{text[end:]}")


def main(argv: list[str] | None = None) -> int:
    """Print the table, or write it into a file."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.report")
    parser.add_argument("json", nargs="?", type=Path, default=Path("var/scorecard.json"))
    parser.add_argument("--write", type=Path, help="into this file, between its marks")
    options = parser.parse_args(argv)
    entries = read(options.json)
    if options.write:
        write(options.write, entries)
    else:
        print(table(entries))
    return 0


if __name__ == "__main__":
    sys.exit(main())
