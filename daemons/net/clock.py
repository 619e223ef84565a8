"""The only place that reads clocks for roles."""

import time

from daemons.model.clock import Mono, Now, Wall


def now() -> Now:
    """Return both clocks. Mono is CLOCK_BOOTTIME: it counts while the machine sleeps, so that a lease ends."""
    return Now(Mono(time.clock_gettime(time.CLOCK_BOOTTIME)), Wall(time.time()))
