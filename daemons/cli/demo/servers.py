"""The demo's servers as processes: start, see, kill whole, freeze whole, stop."""

import contextlib
import os
import signal
from collections.abc import Sequence

from msgspec import json

from daemons.cli.demo.files import Layout, write
from daemons.cli.reach import Keys
from daemons.cli.start import CannotStart, Options, Say, bundle_of, server_census, start, stop
from daemons.net.home import Home
from daemons.net.supervise import Running, tree_of
from daemons.wire.messages import Census


def make_anew(layout: Layout) -> None:
    """End what a killed demo left in this folder, then write the folder anew. Raises OSError.

    In this order: the pid files of the leftovers lie in the folder, without them nobody could stop them.
    """
    stop_all(layout, lambda _: None)
    write(layout)


def start_all(layout: Layout, say: Say) -> bool:
    """Start every server of the demo; return whether all came up. Raises CannotStart."""
    return all(
        start(Options((str(layout.config),), server, str(layout.workdir(server))), say) == 0
        for server in layout.servers
    )


def stop_all(layout: Layout, say: Say) -> None:
    """End every process of every server, also of those killed or frozen."""
    for server in layout.servers:
        signal_server(layout, server, signal.SIGCONT)
    for server in layout.servers:
        if layout.workdir(server).exists():
            stop(str(layout.workdir(server)), say)
            signal_server(layout, server, signal.SIGKILL)


def census(layout: Layout, server: str) -> Census | None:
    """Return what the keeper of `server` says, None when it does not answer or was never started."""
    try:
        bundle = bundle_of(str(layout.workdir(server)))
    except CannotStart:
        return None
    return server_census(bundle, Keys(bundle), server, timeout_s=0.5)


def pids_of(layout: Layout, server: str) -> list[int]:
    """Return every process of a server: watchdog, keeper, daemons, their workers and plugins."""
    home = Home(layout.workdir(server))
    pids = [pid for name in ("watchdog", "keeper") if (pid := home.pid(name))]
    for path in home.path.glob("*.run"):
        with contextlib.suppress(OSError, ValueError):
            pids += tree_of(json.decode(path.read_bytes(), type=Running))
    return pids


def signal_server(layout: Layout, server: str, sign: signal.Signals) -> list[int]:
    """Send `sign` to every process of a server, the watchdog first; return their pids."""
    pids = pids_of(layout, server)
    signal_all(pids, sign)
    return pids


def signal_all(pids: Sequence[int], sign: signal.Signals) -> None:
    """Send `sign` to all of `pids` that are still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
