"""Plant mistakes in `daemons/rules`, one by one, and count those that the tests of the rules catch.

`python -m tools.mutation [--anew] [NAME...]`, names as mutmut's (`daemons.rules.state*`). Prints what
survived and a table by module; ends with 1 when fewer than 85 % were caught. Works on a copy under var/,
where `../../.venv/bin/mutmut show NAME` says what a mistake was.

The mutants are forked from a process that has imported everything, which is quick but shows no mistake in
what runs at import (tables, parameters of tests). With `--anew` what survives is tried once more in a
process that imports anew: seconds for each. Recordings of other servers are not there for these runs: a
rule has to be tested by its own tests.
"""

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

CAUGHT_MIN = 0.85
MUTMUT = Path(sys.executable).absolute().with_name("mutmut")
FOLDER = Path("var/mutation")
COPIED = ("console", "daemons", "docs", "retention", "tests", "tools")
CAUGHT = ("killed", "timeout", "caught by type check")
UNTRIED = ("not checked",)
ANEW = '\n[tool.mutmut]\nprocess_isolation = "forkserver"\nforkserver_warmup = "none"\n'


def main(names: list[str], *, anew: bool = False) -> int:
    """Run the mutants of `names` (none = all); return 0 when enough were caught, 1 when not.

    `anew`: what survives is tried once more in a process of its own.
    """
    _copy()
    _run(names)
    survived = [name for name, state in _results().items() if state not in (*CAUGHT, *UNTRIED)]
    if survived and anew:
        print(f"{len(survived)} survived the quick pass, once more ...", flush=True)
        settings = FOLDER / "pyproject.toml"
        settings.write_text(settings.read_text().replace("\n[tool.mutmut]\n", ANEW, 1))
        _run(survived)
    return told(_results())


def told(results: dict[str, str]) -> int:
    """Print survivors and the table; return the exit code."""
    table: dict[str, Counter[str]] = {}
    for name, state in results.items():
        if state in UNTRIED:
            continue
        table.setdefault(_module(name), Counter())[state] += 1
        if state not in CAUGHT:
            print(f"{name}: {state}")
    if not table:
        print("no mutant was tried")
        return 1
    caught = tried = 0
    for module, states in sorted(table.items()):
        good = sum(states[state] for state in CAUGHT)
        caught, tried = caught + good, tried + states.total()
        print(f"{module:<32} {good:>5} of {states.total():>5} caught  {good / states.total():.1%}")
    print(f"{'all':<32} {caught:>5} of {tried:>5} caught  {caught / tried:.1%} (at least {CAUGHT_MIN:.0%})")
    return 0 if caught >= CAUGHT_MIN * tried else 1


def _copy() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name in COPIED:
        shutil.copytree(name, FOLDER / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy("pyproject.toml", FOLDER)


def _run(names: list[str]) -> None:
    subprocess.run([MUTMUT, "run", *names], cwd=FOLDER, check=False, stdout=subprocess.DEVNULL)


def _results() -> dict[str, str]:
    """State by mutant, of all."""
    said = subprocess.run(
        [MUTMUT, "results", "--all", "true"], cwd=FOLDER, check=True, capture_output=True, text=True
    )
    rows = (line.strip().partition(": ") for line in said.stdout.splitlines())
    return {name: state for name, colon, state in rows if colon}


def _module(name: str) -> str:
    """`daemons.rules.state.x_move__mutmut_1` is of `daemons.rules.state`."""
    return ".".join(name.split(".")[:3])


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main([name for name in given if name != "--anew"], anew="--anew" in given))
