"""Retention in one memcached: its pages and manifest are `retention.paged`, its bytes `retention.connection`.

Run memcached with enough memory (`-m`, twice the shard's compressed size); with `-M` it refuses
instead of evicting, which is seen at once.
"""

import time

from retention.api import Clock
from retention.connection import TIMEOUT_S, Connection
from retention.paged import PagedRetention


class MemcachedRetention(PagedRetention):
    """Keeps shards in the memcached at `address`."""

    def __init__(
        self,
        address: tuple[str, int],
        timeout_s: float = TIMEOUT_S,
        clock: Clock = time.monotonic,
    ) -> None:
        """Nothing is sent yet; `clock` may be a virtual one."""
        super().__init__(Connection(address, timeout_s), clock)
