"""Plant mistakes in `daemons/rules`, one by one, and count those that the tests of the rules catch.

`python -m tools.mutation [NAME...]`, names as mutmut's (`daemons.rules.state*`). Prints a table by module and
what survived; ends with 1 when fewer than 85 % were caught. The one thing to know: recordings of
other servers are not there for these runs, so a rule has to be tested by its own tests.
"""

import subprocess
import sys
from collections import Counter
from pathlib import Path

CAUGHT_MIN = 0.85
MUTMUT = Path(sys.executable).with_name("mutmut")
CAUGHT = ("killed", "timeout", "caught by type check")
UNTRIED = ("not checked",)


def main(names: list[str]) -> int:
    """Run the mutants of `names` (none = all); return 0 when enough were caught, 1 when not."""
    subprocess.run([MUTMUT, "run", *names], check=False, stdout=subprocess.DEVNULL)
    said = subprocess.run([MUTMUT, "results", "--all", "true"], check=True, capture_output=True, text=True)
    table: dict[str, Counter[str]] = {}
    survivors = []
    for line in said.stdout.splitlines():
        name, colon, state = line.strip().partition(": ")
        if not colon or state in UNTRIED:
            continue
        table.setdefault(_module(name), Counter())[state] += 1
        if state not in CAUGHT:
            survivors.append(f"{name}: {state}")
    if not table:
        print("no mutant was tried")
        return 1
    for line in survivors:
        print(line)
    caught = tried = 0
    for module, states in sorted(table.items()):
        good = sum(states[state] for state in CAUGHT)
        caught, tried = caught + good, tried + states.total()
        print(f"{module:<32} {good:>5} of {states.total():>5} caught  {good / states.total():.1%}")
    print(f"{'all':<32} {caught:>5} of {tried:>5} caught  {caught / tried:.1%} (at least {CAUGHT_MIN:.0%})")
    return 0 if caught >= CAUGHT_MIN * tried else 1


def _module(name: str) -> str:
    """`daemons.rules.state.x_move__mutmut_1` is of `daemons.rules.state`."""
    return ".".join(name.split(".")[:3])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
