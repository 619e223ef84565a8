"""The small watchdog that `shinken start` leaves where no init watches: restarts a keeper that crashed.

Its daemons live on meanwhile, until their leases end; the new keeper adopts them.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

PAUSE_S = 0.2  # before the first restart
PAUSE_S_MAX = 10.0
STEADY_S = 30.0
WATCHDOG = "SHINKEN_WATCHDOG"  # tells the keeper whose child it is: it says so when we are gone


def watch(workdir: Path) -> int:
    """Run the keeper of `workdir` again and again until it ends in order. Returns its exit code."""
    pause_s = PAUSE_S
    keeper: subprocess.Popen[bytes] | None = None
    stopping = False

    def pass_on(sign: int, _: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        if keeper is not None:
            keeper.send_signal(sign)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, pass_on)
    (workdir / "watchdog.pid").write_text(f"{os.getpid()}\n")
    try:
        while not stopping:
            began = time.monotonic()
            keeper = subprocess.Popen(
                [sys.executable, "-m", "daemons", "keeper", "--workdir", str(workdir)],
                start_new_session=True,
                env={**os.environ, WATCHDOG: str(os.getpid())},
            )
            if stopping:  # told between the two lines above
                keeper.send_signal(signal.SIGTERM)
            code = keeper.wait()
            if code in (0, 2):  # told to stop, or cannot start at all
                return code
            if time.monotonic() - began > STEADY_S:
                pause_s = PAUSE_S
            print(f"the keeper ended with {code}; again in {pause_s:.1f} s", file=sys.stderr, flush=True)  # noqa: T201
            time.sleep(pause_s)
            pause_s = min(PAUSE_S_MAX, 2 * pause_s)
        return 0
    finally:
        (workdir / "watchdog.pid").unlink(missing_ok=True)
