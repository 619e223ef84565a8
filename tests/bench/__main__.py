"""`python -m tests.bench [NAME...]`: run the benchmarks of that name, or all. 0: all within their limits."""

import sys
from collections.abc import Callable

from tests.bench import p1, p4, p6, p10, scale, spawn_cost

BENCHMARKS: dict[str, Callable[[], bool]] = {
    "spawn": spawn_cost.run,
    "p1": p1.run,
    "p4": p4.run,
    "p6": p6.run,
    "p10": p10.run,
    "scale": scale.run,
}


def main(names: list[str]) -> int:
    """Run `names` in turn; return the exit code: 0, 1 a limit was missed, 2 no such benchmark."""
    if unknown := [name for name in names if name not in BENCHMARKS]:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
        return 2
    kept = [BENCHMARKS[name]() for name in names or BENCHMARKS]  # all run, whatever the first gave
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
