"""`shinken verify`: read the configuration as a start would, say everything that is wrong with it.

The one thing to know: the figures come in the shape that Nagios and Shinken print them ("Checked N hosts",
"Total Errors: N"), since people have scripts that read them.
"""

import sys
import time
from collections.abc import Sequence

from msgspec import json, to_builtins

from daemons.cli.configuration import read_configuration
from daemons.config.complain import Complaint
from daemons.config.lexer import Source
from daemons.config.load import Loaded
from daemons.net.files import read

SHOWN = (
    "host", "service", "contact", "hostgroup", "servicegroup", "contactgroup", "command", "timeperiod",
)  # fmt: skip
GOOD = "Things look okay - No serious problems were detected during the pre-flight check"
BAD = "The configuration is not good: nothing would start"


def verify(files: tuple[str, ...], as_json: bool) -> int:
    """Print complaints and counts. Returns 0 when the configuration may be used, 1 when not."""
    began = time.monotonic()
    progress = Progress(sys.stderr.isatty() and not as_json)
    loaded = read_configuration(files, progress.read)
    progress.clear()
    took_s = time.monotonic() - began
    if as_json:
        sys.stdout.write(json.encode(plain(loaded, took_s)).decode() + "\n")
    else:
        sys.stdout.write("\n".join(told(loaded, took_s)) + "\n")
    return 0 if loaded.good else 1


class Progress:
    """Shows on a terminal's last line which files are being read: large configurations take seconds."""

    def __init__(self, shown: bool) -> None:
        """`shown`: somebody is there to see it."""
        self._shown = shown
        self._files = self._bytes = 0

    def read(self, kind: str, path: str, from_path: str) -> Sequence[Source | Complaint] | Complaint:
        """Read as `daemons.net.files.read` does, and say so."""
        if self._shown:
            sys.stderr.write(f"\r\x1b[Kreading {path} ...")
            sys.stderr.flush()
        found = read(kind, path, from_path)
        if not isinstance(found, Complaint):
            texts = [source.text for source in found if isinstance(source, Source)]
            self._files += len(texts)
            self._bytes += sum(map(len, texts))
        if self._shown:
            sys.stderr.write(f"\r\x1b[Kread {self._files} files, {self._bytes >> 10} KiB; linking ...")
            sys.stderr.flush()
        return found

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")


def told(loaded: Loaded, took_s: float) -> list[str]:
    """Return the lines for an operator."""
    lines = [f"Read {len(loaded.files)} files in {took_s:.2f} s"]
    lines += [str(c) for c in loaded.complaints]
    kinds = [*SHOWN, *sorted(set(loaded.counts) - set(SHOWN))]
    lines.append("Checking objects...")
    lines += [f"\tChecked {loaded.counts[kind]} {plural(kind)}" for kind in kinds if kind in loaded.counts]
    if loaded.good:
        for shard, body in loaded.shards:
            lines.append(
                f"Shard {shard.id} of realm {shard.realm or 'Default'}: {shard.hosts} hosts, "
                f"{shard.services} services, version {shard.version}, {len(body)} bytes"
            )
    errors, warnings = _totals(loaded.complaints)
    return [
        *lines, "", f"Total Warnings: {warnings}", f"Total Errors:   {errors}", "",
        GOOD if loaded.good else BAD,
    ]  # fmt: skip


def plural(kind: str) -> str:
    """Return the word for several objects of a type."""
    return f"{kind[:-1]}ies" if kind.endswith("y") and kind[-2] not in "aeiou" else f"{kind}s"


def plain(loaded: Loaded, took_s: float) -> dict[str, object]:
    """Return what `--json` prints; docs/verify-json.md has the fields, which are only ever added."""
    errors, warnings = _totals(loaded.complaints)
    return {
        "good": loaded.good,
        "errors": errors,
        "warnings": warnings,
        "complaints": to_builtins(loaded.complaints),
        "counts": loaded.counts,
        "shards": [to_builtins(shard) for shard, _ in loaded.shards] if loaded.good else [],
        "files": [source.path for source in loaded.files],
        "took_s": round(took_s, 3),
    }


def _totals(complaints: Sequence[Complaint]) -> tuple[int, int]:
    errors = sum(1 for c in complaints if c.severity == "error")
    return errors, len(complaints) - errors
