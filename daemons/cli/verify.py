"""`shinken verify`: read the configuration as a start would, say everything that is wrong with it."""

import sys

from msgspec import json, to_builtins

from daemons.cli.configuration import read_configuration
from daemons.config.load import Loaded

SHOWN = (
    "host", "service", "contact", "hostgroup", "servicegroup", "contactgroup", "command", "timeperiod",
)  # fmt: skip


def verify(files: tuple[str, ...], as_json: bool) -> int:
    """Print complaints and counts. Returns 0 when the configuration may be used, 1 when not."""
    loaded = read_configuration(files)
    if as_json:
        sys.stdout.write(json.encode(_plain(loaded)).decode() + "\n")
    else:
        sys.stdout.write("\n".join(_lines(loaded)) + "\n")
    return 0 if loaded.good else 1


def _lines(loaded: Loaded) -> list[str]:
    lines = [str(c) for c in loaded.complaints]
    kinds = [*SHOWN, *sorted(set(loaded.counts) - set(SHOWN))]
    lines += [f"Checked {loaded.counts[kind]} {kind}s" for kind in kinds if kind in loaded.counts]
    if loaded.good:
        for shard, body in loaded.shards:
            lines.append(
                f"Shard {shard.id} of realm {shard.realm or 'Default'}: {shard.hosts} hosts, "
                f"{shard.services} services, version {shard.version}, {len(body)} bytes"
            )
    errors = sum(1 for c in loaded.complaints if c.severity == "error")
    warnings = len(loaded.complaints) - errors
    verdict = "Things look okay" if loaded.good else "The configuration is not good: nothing would start"
    return [*lines, f"{verdict}: {errors} errors, {warnings} warnings"]


def _plain(loaded: Loaded) -> dict[str, object]:
    return {
        "good": loaded.good,
        "complaints": to_builtins(loaded.complaints),
        "counts": loaded.counts,
        "shards": [to_builtins(shard) for shard, _ in loaded.shards] if loaded.good else [],
    }
