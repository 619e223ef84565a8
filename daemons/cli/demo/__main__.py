"""`make demo` and `make demo DRILL=1`: python -m daemons.cli.demo [--drill]."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from daemons.cli.demo.drill import DrillFailed, drill, good, table
from daemons.cli.demo.files import Layout
from daemons.cli.demo.servers import make_anew, start_all, stop_all
from daemons.cli.start import CannotStart, Say

BASE = Path("var/demo")


def main(argv: list[str] | None = None) -> int:
    """Run the demo or the drill. Returns 0 when all was well, 1 when not, 130 when interrupted."""
    parser = argparse.ArgumentParser(
        prog="make demo", description="Three servers on this machine: 127.0.0.1 (masters), .2 (a poller), .3 (spares)."
    )
    parser.add_argument("--drill", action="store_true", help="kill every process of server1, judge the failover")
    parser.add_argument("--freeze", action="store_true", help="with --drill: stop the processes instead, and let them go on later")
    parser.add_argument("--stale", action="store_true", help="with --drill: kill when the spare scheduler has missed a notification")
    parser.add_argument("--two-servers", action="store_true", help="without server2: two votes, no majority after a death")
    parser.add_argument("--base", type=Path, default=BASE, help="work folder, made anew (default var/demo)")
    parser.add_argument("--services", type=int, default=0, help="so many more services")
    parser.add_argument("--network", default="127.0.0", help="first three numbers of the loopback addresses")
    parser.add_argument("--memcached", default="", metavar="HOST:PORT", help="keep state there instead of in the embedded store")
    options = parser.parse_args(argv)
    layout = Layout(
        base=options.base.absolute(),
        addresses=tuple((f"server{n}", f"{options.network}.{n}") for n in (1, 2, 3)),
        extra_services=options.services,
        two_servers=options.two_servers,
        retention=options.memcached,
        far_reactionner=options.stale,
    )
    signal.signal(signal.SIGTERM, _interrupt)
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - begun:5.1f}] {text}", flush=True)  # noqa: T201

    try:
        if options.drill:
            outcome = drill(layout, say, "freeze" if options.freeze else "stale" if options.stale else "kill")
            print("\n" + table(outcome), flush=True)  # noqa: T201
            return 0 if good(outcome) else 1
        return _show(layout, say)
    except (CannotStart, DrillFailed, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201
        return 130


def _show(layout: Layout, say: Say) -> int:
    """Start the demo, open the console where there is a terminal, stop all at the end."""
    make_anew(layout)
    try:
        if not start_all(layout, say):
            return 1
        workdir = str(layout.workdir("server3"))
        if sys.stdin.isatty() and sys.stdout.isatty():
            return subprocess.run(
                [sys.executable, "-m", "console", "--workdir", workdir], check=False
            ).returncode
        say(f"runs until interrupted; look with: shinken status --workdir {workdir}")
        while True:
            time.sleep(3600)
    finally:
        say("stopping everything")
        stop_all(layout, lambda _: None)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
