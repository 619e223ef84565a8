"""Livestatus is not served yet (docs/plan.md): configurations that name it load, and a warning says so."""

import logging
from collections.abc import Sequence

from daemons.modules.api import Mark, Setting
from daemons.wire.messages import Delta

log = logging.getLogger(__name__)


class Livestatus:
    """Takes everything and serves nobody: no port is opened."""

    states = False

    def __init__(self, setting: Setting) -> None:
        """Warn once, at the start."""
        log.warning(
            "skips module=%s broker=%s why=%r",
            setting.name,
            setting.daemon,
            "Livestatus is not built in yet: no port is opened, front ends cannot connect",
        )

    def take(self, deltas: Sequence[Delta]) -> None:
        """Drop them."""

    def gap(self, shard: int) -> None:
        """Nothing is kept, so nothing is missing."""

    def flush(self) -> Mark:
        """Nothing to flush."""
        return {}

    def resume(self, mark: Mark | None) -> None:
        """Nothing to cut back."""

    def close(self) -> None:
        """Nothing to close."""
