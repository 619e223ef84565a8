"""The command that takes a perfdata file away every few seconds (`*_perfdata_file_processing_command`).

The one thing to know: it runs on the broker's server, which has the file, and the module waits for it, at
most `perfdata_timeout`: no line is written while it takes the file away, as in Nagios.
"""

import contextlib
import logging
import os
import signal
import subprocess
from collections.abc import Callable

from daemons.model.clock import Wall
from daemons.model.objects import Globals
from daemons.modules.api import Setting
from daemons.rules.global_macros import global_macros
from daemons.rules.template import resolve, split_command, split_macros

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0  # perfdata_timeout
INTERVAL_S = 15.0
LOGGED_EVERY = 60  # one failure in so many is logged, after the first


class Processing:
    """When the command of one file is due, and running it."""

    def __init__(self, setting: Setting, clock: Callable[[], float]) -> None:
        """Options: `processing_command` (name!args), `processing_line`, `processing_interval`, `timeout`."""
        options = setting.options
        self._line = options.get("processing_line", "")
        self._args = split_command(options.get("processing_command", ""))[1]
        self._interval_s = float(options.get("processing_interval", INTERVAL_S))
        self._timeout_s = float(options.get("timeout", TIMEOUT_S)) or TIMEOUT_S
        self._setting = setting
        self._clock = clock
        self._last_wall = clock()
        self._failures = 0

    @property
    def due(self) -> bool:
        """Whether the command is to run now."""
        if not self._line or self._interval_s <= 0:
            return False
        return not 0 <= self._clock() - self._last_wall < self._interval_s

    def run(self) -> None:
        """Run the command and wait for it. Failures are logged; the file is then as the command left it."""
        self._last_wall = self._clock()
        settings = self._setting.settings
        lookup = global_macros(
            Globals(
                use_timezone=settings.get("use_timezone", ""),
                date_format=settings.get("date_format", ""), settings=settings,
            ),
            self._setting.macros,
            Wall(self._last_wall),
        )  # fmt: skip
        line = resolve(split_macros(self._line), lookup, self._args)
        why = _run(line, self._timeout_s)
        if not why:
            return
        if self._failures % LOGGED_EVERY == 0:
            log.warning("failed processing module=%s command=%r why=%r", self._setting.name, line, why)
        self._failures += 1


def _run(line: str, timeout_s: float) -> str:
    """Run `line`, which is the operator's own. Returns why it failed, "" when it did not."""
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", line], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        return str(error)
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"killed after {timeout_s:g} s"
    return f"ended with {code}" if code else ""
