"""`make scorecard [ONLY=F1,F3] [RUNS=20] [LONG=1]`: python -m tests.cluster. One line per scenario, and a JSON."""

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from tests.cluster.bed import lacking
from tests.cluster.report import line_of, merge
from tests.cluster.scenarios import SCENARIOS
from tests.cluster.scene import perform

OUT = Path("var/scorecard.json")


def main(argv: list[str] | None = None) -> int:
    """Play scenarios; return 0 when all keep their pass lines, 1 when not, 3 when there can be no bed here."""
    parser = argparse.ArgumentParser(prog="make scorecard")
    parser.add_argument("--only", default="", help="names, separated by commas; all when not given")
    parser.add_argument("--runs", type=int, default=1, help="times each is played, in one running cluster")
    parser.add_argument("--long", action="store_true", help="hold faults as long as the scorecard says")
    parser.add_argument("--json", type=Path, default=OUT, help=f"figures go here (default {OUT}), others' are kept")
    parser.add_argument("--keep", type=Path, help="keep logs and ledgers in this folder")
    options = parser.parse_args(argv)
    names = [name for name in options.only.upper().split(",") if name] or list(SCENARIOS)
    if unknown := [name for name in names if name not in SCENARIOS]:
        parser.error(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    if why := lacking():
        print(f"no bed on this machine: {why}", file=sys.stderr)
        return 3
    good = True
    for name in names:
        with tempfile.TemporaryDirectory(prefix=f"shinken-{name}-") as folder:
            base = options.keep / name if options.keep else Path(folder)
            outcome = perform(SCENARIOS[name], base, options.runs, long=options.long)
        print(line_of(outcome), flush=True)
        for sentence in (*outcome.wrong, *outcome.missed):
            print(f"      WRONG: {sentence}", flush=True)
        good &= outcome.good
        merge(options.json, outcome, _machine())
    print(f"figures in {options.json}")
    return 0 if good else 1


def _machine() -> str:
    cores = len(os.sched_getaffinity(0))
    return f"{time.strftime('%Y-%m-%d')}, {cores} cores, Linux {platform.release()}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())


